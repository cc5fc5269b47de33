//! What may come next, in words.

use crate::grammar::program::Symbol;
use crate::grammar::show_tokens;
use crate::json::array::state::ArrayId;
use crate::json::kind::Kind;
use crate::json::object::keys::Prefix;
use crate::json::object::state::ObjectId;
use crate::json::obligation::ObligationId;
use crate::json::obligations::Entry;
use crate::machine::config::{Config, ObjectPlace, StackId, State};
use crate::machine::store::Machine;
use crate::regex::codeset::MAX;
use crate::regex::scan::ScanId;
use crate::spelling::Partial;
use crate::work;

/// Up to so many keys, texts or ranges of characters are listed one by one.
const FEW: usize = 6;
/// Bytes of forced text that are shown.
const SHOWN: usize = 60;

/// Phrases for what may come, none twice.
#[derive(Default)]
struct Phrases {
    all: Vec<String>,
    /// The characters with which a grammar's text goes on.
    ranges: Vec<(u32, u32)>,
}

impl Phrases {
    fn add(&mut self, phrase: impl Into<String>) {
        let phrase = phrase.into();
        if !self.all.contains(&phrase) {
            self.all.push(phrase);
        }
    }
}

/// Says in words what may come next. It only asks the other parts, and what the states hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Describer<'a> {
    machine: &'a Machine,
}

impl Machine {
    /// What says in words what may come next.
    pub(crate) fn describer(&self) -> Describer<'_> {
        Describer { machine: self }
    }
}

impl Describer<'_> {
    /// Whether a JSON value is being read, or is to begin.
    pub(crate) fn is_in_json(self, config: Config) -> bool {
        match config.state {
            State::Text { .. } | State::Done { .. } | State::Detached => false,
            State::Ambiguous(set) => {
                let mut members = self.machine.members(set).iter();
                members.any(|&member| self.is_in_json(member))
            }
            _ => true,
        }
    }

    /// Whether a number is being read, and may end.
    pub(crate) fn can_end_number(self, config: Config) -> bool {
        match config.state {
            State::Number(_) => self.machine.stepper().close_number(config).is_some(),
            State::Ambiguous(set) => {
                let mut members = self.machine.members(set).iter();
                members.any(|&member| self.can_end_number(member))
            }
            _ => false,
        }
    }

    /// What may come next, in words: "a string or null", "the key \"city\" or \"}\"".
    pub(crate) fn describe(self, config: Config) -> String {
        let mut phrases = Phrases::default();
        if !self.is_in_json(config)
            && let Some(text) = self.forced_run(config)
        {
            phrases.add(format!("the text {}", quoted(&text)));
        } else {
            self.phrases(config, &mut phrases);
        }
        let Phrases { mut all, ranges } = phrases;
        all.extend(characters(ranges));
        if self.machine.stepper().is_accepting(config) {
            all.push("the end of the text".to_owned());
        }
        match all.pop() {
            None => "nothing".to_owned(),
            Some(last) if all.is_empty() => last,
            Some(last) => format!("{} or {last}", all.join(", ")),
        }
    }

    /// Text of a grammar that must come next, if it is more than a character.
    fn forced_run(self, mut config: Config) -> Option<String> {
        let mut text = Vec::new();
        while text.len() < SHOWN
            && !self.is_in_json(config)
            && let Some((bytes, next)) = self.machine.lookahead().forced(config)
        {
            text.extend(bytes);
            config = next;
        }
        let text = String::from_utf8(text).ok()?;
        (text.chars().nth(1).is_some()).then_some(text)
    }

    fn phrases(self, config: Config, to: &mut Phrases) {
        work::spend(16);
        if let Some(due) = self.machine.next_due(config.state) {
            return to.add(match due {
                b'\n' => "a line break",
                b' ' => "a space",
                _ => "the indentation",
            });
        }
        let takes = |byte: u8| self.machine.stepper().step(config, byte).is_some();
        match config.state {
            State::Value { obligation, .. } => self.value_phrases(obligation, to),
            State::Literal { kind, .. } => to.add(format!("the rest of {}", self.literal(kind))),
            State::Number(_) => {
                if (b"0123456789.eE+-").iter().any(|&byte| takes(byte)) {
                    to.add("more of the number");
                }
                if let Some(closed) = self.machine.stepper().close_number(config) {
                    self.phrases(closed, to);
                }
            }
            State::String { scan, partial } => self.string_phrases(scan, partial, to),
            State::Array { array, opened, .. } => {
                self.line_phrase(config, to);
                if !self.is_at_line(config) || takes(b',') {
                    self.array_phrases(array, opened, to);
                }
                if takes(b']') {
                    to.add("\"]\"");
                }
            }
            State::Object { object, place, .. } => {
                self.line_phrase(config, to);
                if place != ObjectPlace::Opened || !self.is_at_line(config) {
                    self.member_phrases(object, place, takes(b','), to);
                }
                if takes(b'}') {
                    to.add("\"}\"");
                }
            }
            State::Key { object, prefix, .. } => {
                match self.machine.obligations.allowed_keys(object).other() {
                    true => to.add("more of a key, or its end"),
                    false => self.known_key_phrases(object, Some(prefix), to),
                }
            }
            State::OtherKey { .. } | State::ScannedKey { .. } => {
                to.add("more of a key, or its end")
            }
            State::Colon { .. } => to.add("\":\""),
            State::Text { scan, partial } => self.text_phrases(scan, partial, config.stack, to),
            State::Ambiguous(set) => {
                for &member in self.machine.members(set) {
                    self.phrases(member, to);
                }
            }
            State::Done { .. } => {}
            State::Detached => to.add("anything"),
        }
    }

    /// Whether a line break comes before or after what comes next, or has come.
    fn is_at_line(self, config: Config) -> bool {
        let whitespace = &self.machine.whitespace;
        let spacing = config.state.spacing();
        spacing.is_some_and(|run| whitespace.is_before_line(run) || whitespace.is_after_line(run))
    }

    /// A line break, where one may come.
    fn line_phrase(self, config: Config, to: &mut Phrases) {
        if self.is_at_line(config) && self.machine.stepper().step(config, b'\n').is_some() {
            to.add("a line break");
        }
    }

    /// An item that is to begin, or to follow.
    fn array_phrases(self, array: ArrayId, opened: bool, to: &mut Phrases) {
        match self.machine.obligations.item(array) {
            Some(obligation) if opened => self.value_phrases(obligation, to),
            Some(_) => to.add("\",\" and another item"),
            None => {}
        }
    }

    /// A member that is to begin, or to follow if another may.
    fn member_phrases(
        self,
        object: ObjectId,
        place: ObjectPlace,
        may_follow: bool,
        to: &mut Phrases,
    ) {
        if place != ObjectPlace::AfterMember {
            self.key_phrases(object, to);
        } else if may_follow {
            let mut keys = Phrases::default();
            self.key_phrases(object, &mut keys);
            to.add(format!("\",\" and then {}", keys.all.join(" or ")));
        }
    }

    fn literal(self, kind: Kind) -> String {
        String::from_utf8_lossy(self.machine.literals.text(kind)).into_owned()
    }

    /// A value that is to begin.
    fn value_phrases(self, obligation: ObligationId, to: &mut Phrases) {
        for kind in Kind::ALL {
            match (self.machine.obligations.enter(obligation, kind), kind) {
                (None, _) => {}
                (Some(Entry::Scalar(scan)), Kind::String) => match self.few_texts(scan) {
                    Some(texts) => texts.iter().for_each(|text| to.add(quoted(text))),
                    None => to.add("a string"),
                },
                (Some(Entry::Scalar(scan)), _) => match self.few_texts(scan) {
                    Some(texts) => texts.into_iter().for_each(|text| to.add(text)),
                    None => to.add("a number"),
                },
                (Some(Entry::Array(_)), _) => to.add("an array"),
                (Some(Entry::Object(_)), _) => to.add("an object"),
                (Some(Entry::Literal), kind) => to.add(self.literal(kind)),
            }
        }
    }

    fn string_phrases(self, scan: ScanId, partial: Partial, to: &mut Phrases) {
        let scanner = &self.machine.obligations.rules.scanner;
        if partial != Partial::Nothing {
            to.add("the rest of a character");
        } else if let Some(texts) = self.few_texts(scan) {
            for text in texts {
                to.add(match &*text {
                    "" => "the end of the string".to_owned(),
                    text => format!("{} to end the string", quoted(text)),
                });
            }
        } else {
            if !scanner.moves(scan).is_empty() {
                to.add("more of the string");
            }
            if scanner.can_end(scan) {
                to.add("the end of the string");
            }
        }
    }

    /// The texts that go on from a state, if they are few.
    fn few_texts(self, scan: ScanId) -> Option<Vec<String>> {
        let scanner = &self.machine.obligations.rules.scanner;
        let mut found = Vec::new();
        let mut open = vec![(scan, String::new())];
        while let Some((at, text)) = open.pop() {
            work::spend(4);
            if found.len() + open.len() > FEW || text.len() > SHOWN || scanner.is_computed(at) {
                return None;
            }
            for step in scanner.moves(at).iter().rev() {
                if step.lo != step.hi {
                    return None;
                }
                let mut longer = text.clone();
                longer.push(char::from_u32(step.lo)?);
                open.push((step.to, longer));
            }
            if scanner.can_end(at) {
                found.push(text);
            }
        }
        (found.len() <= FEW).then_some(found)
    }

    fn key_phrases(self, object: ObjectId, to: &mut Phrases) {
        let allowed = self.machine.obligations.allowed_keys(object);
        if self.machine.obligations.shape_of(object).is_scanned() {
            if allowed.allows_any_key() {
                to.add("a key");
            }
            return;
        }
        let start = self.machine.obligations.key_table(object).start();
        let before = to.all.len();
        self.known_key_phrases(object, start, to);
        if allowed.other() {
            to.add(match to.all.len() == before {
                true => "any key",
                false => "another key",
            });
        }
    }

    /// The keys that an object knows and that may come, from what has been read of one.
    fn known_key_phrases(self, object: ObjectId, prefix: Option<Prefix>, to: &mut Phrases) {
        let Some(prefix) = prefix else { return };
        let (allowed, table) = (
            self.machine.obligations.allowed_keys(object),
            self.machine.obligations.key_table(object),
        );
        let open = table.open(prefix).filter(|&(key, _)| allowed.allows(key));
        let mut keys: Vec<_> = open
            .map(|(key, _)| (key, self.machine.obligations.key_text(object, key)))
            .collect();
        work::spend(keys.len());
        // Declared keys come in the order of the schema.
        keys.sort_unstable_by_key(|&(key, _)| key);
        for (_, key) in keys.iter().take(FEW) {
            to.add(format!("the key {}", quoted(key)));
        }
        if keys.len() > FEW {
            to.add(format!("one of {} other keys", keys.len() - FEW));
        }
    }

    /// The text of a grammar.
    fn text_phrases(self, scan: ScanId, partial: Partial, stack: StackId, to: &mut Phrases) {
        if partial != Partial::Nothing {
            return to.add("the rest of a character");
        }
        let reader = self.machine.text_reader();
        reader.for_places(scan, stack, None, |scan, stack| {
            self.place_phrases(Config::text(scan, Partial::Nothing, stack), to);
        });
    }

    /// What a place in a grammar's text goes on with.
    fn place_phrases(self, config: Config, to: &mut Phrases) {
        let State::Text { scan, .. } = config.state else {
            return;
        };
        let scanner = &self.machine.obligations.rules.scanner;
        let moves = scanner.moves(scan).iter();
        to.ranges.extend(moves.map(|step| (step.lo, step.hi)));
        for (symbol, _) in scanner.symbols(scan) {
            match *self.machine.program().symbol(symbol) {
                // The beginning of the rule's text is another place, and is described with that.
                Symbol::Rule { .. } => {}
                Symbol::Json(schema) => {
                    let start = self
                        .machine
                        .text_reader()
                        .enter_json(schema, scan, config.stack);
                    self.phrases(start, to);
                }
                Symbol::Token(set) => {
                    let mut tokens = "the token ".to_owned();
                    show_tokens(self.machine.program().token_set(set), &mut tokens);
                    to.add(tokens);
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Ranges of characters, in words.
fn characters(mut ranges: Vec<(u32, u32)>) -> Vec<String> {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (lo, hi) in ranges {
        match merged.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => merged.push((lo, hi)),
        }
    }
    let count: u64 = merged.iter().map(|&(lo, hi)| u64::from(hi - lo) + 1).sum();
    let show =
        |c: u32| char::from_u32(c).map_or_else(|| "?".to_owned(), |c| quoted(&c.to_string()));
    if count > u64::from(MAX) / 2 {
        let few = u64::from(MAX) - count < 0x900;
        return vec![
            if few {
                "any character"
            } else {
                "most characters"
            }
            .to_owned(),
        ];
    }
    if merged.len() > 2 * FEW {
        return vec![format!("one of {count} characters")];
    }
    let words = merged.into_iter().map(|(lo, hi)| match hi - lo {
        0 => show(lo),
        _ => format!("{} to {}", show(lo), show(hi)),
    });
    words.collect()
}
