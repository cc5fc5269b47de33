//! Completions of objects: the key with which an object ends soonest.

use crate::json::cost::{NEVER, add};
use crate::json::formula::FormulaId;
use crate::json::object::keys::{Key, KeyTable, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::texts::TextId;
use crate::machine::completer::Completer;
use crate::machine::config::{Config, ObjectPlace, State};
use crate::regex::node::{NodeId, Spelling};
use crate::regex::scan::ScanId;
use crate::spelling::{LETTERED, Partial, max_json_bytes, spell_json};

/// The rest of a key, and the bytes from there to the end of the object.
type BestKey = Option<(Vec<u8>, u64)>;

impl Completer<'_> {
    /// The bytes after a key's closing quote: colon, value, and the rest of the object.
    pub(super) fn key_cost(&self, object: ObjectId, formula: FormulaId, key: Key) -> u64 {
        let obligations = &self.machine.obligations;
        let ways = obligations.object_ways(object, formula);
        let endings = obligations.completion_steps(object, &ways, key);
        let costs = endings.iter().map(|way| {
            let value = add(
                obligations.rules.cost_inside(way.value),
                obligations.rules.separators.colon,
            );
            add(value, way.end)
        });
        costs.min().unwrap_or(NEVER)
    }

    /// The rest of the key that is being read or to come, without quotes, with which the object
    /// ends soonest, and the bytes to the end of the object, closing quote included.
    pub(super) fn best_key(&self, state: State, asked: &[u16]) -> BestKey {
        let (object, candidates, partial) = match state {
            State::Object { object, .. }
                if self.machine.obligations.shape_of(object).is_scanned() =>
            {
                let scan = self.machine.obligations.key_scan(object)?;
                let start = self.machine.obligations.key_table(object).start();
                let read = (start, TextId::EMPTY, Partial::Nothing);
                let candidates = self.scanned_candidates(object, scan, read);
                (object, candidates, Partial::Nothing)
            }
            State::Object { object, .. } => {
                let start = self.machine.obligations.key_table(object).start();
                let candidates = self.known_candidates(object, start, Partial::Nothing);
                (object, candidates, Partial::Nothing)
            }
            State::Key {
                object,
                prefix,
                partial,
            } => {
                let candidates = self.known_candidates(object, Some(prefix), partial);
                (object, candidates, partial)
            }
            State::ScannedKey {
                object,
                scan,
                prefix,
                text,
                partial,
            } => {
                let read = (prefix, text, partial);
                (object, self.scanned_candidates(object, scan, read), partial)
            }
            _ => return None,
        };
        let formula = self.machine.obligations.object_demand(object, asked);
        let mut best: BestKey = None;
        for (rest, key) in candidates {
            let Some(bytes) = spell_rest(&rest, partial) else {
                continue;
            };
            let cost = add(bytes.len() as u64 + 1, self.key_cost(object, formula, key));
            if cost != NEVER && best.as_ref().is_none_or(|&(_, least)| cost < least) {
                best = Some((bytes, cost));
            }
        }
        best
    }

    /// An upper bound of the bytes of a shortest completion that is found sooner than
    /// [`Completer::max_completion_bytes`] but can be larger: of the keys that may come, only a few
    /// are tried.
    pub(crate) fn quick_max_completion_bytes(&self, config: Config) -> u64 {
        self.counted(config, self.bound_by_few_keys(config))
    }

    fn bound_by_few_keys(&self, config: Config) -> u64 {
        /// How many keys are tried.
        const MOST: usize = 4;
        if self.is_rough() {
            return self.max_completion_bytes(config);
        }
        let (object, prefix, partial) = match config.state {
            State::Key {
                object,
                prefix,
                partial,
            } => (object, Some(prefix), partial),
            State::Object {
                object,
                place: ObjectPlace::AfterComma,
                ..
            } if !self.machine.obligations.shape_of(object).is_scanned() => {
                let start = self.machine.obligations.key_table(object).start();
                (object, start, Partial::Nothing)
            }
            _ => return self.max_completion_bytes(config),
        };
        let allowed_keys = self.machine.obligations.allowed_keys(object);
        let table = self.machine.obligations.key_table(object);
        let open = prefix.into_iter().flat_map(|prefix| table.open(prefix));
        let open = open.filter(|&(key, rest)| allowed_keys.allows(key) && completes(rest, partial));
        let costs = open.take(MOST).map(|(key, rest)| {
            let state = self.machine.key_reader().after_key(object, key);
            let after = self.max_completion_bytes(Config { state, ..config });
            // A character may have been begun; and there are quotes.
            let begun = match partial {
                Partial::Nothing => 0,
                _ => Partial::most_rest(self.machine.obligations.rules.scanner.spelling),
            };
            let key = max_json_bytes(rest.as_bytes()) + begun + 2;
            add(after, key + self.line_bytes(config))
        });
        let known = costs.min().filter(|&cost| cost < NEVER);
        known.unwrap_or_else(|| self.max_completion_bytes(config))
    }

    /// The keys that can be the best, each with its rest. Of equal costs the first wins, in the
    /// same order as where a key begins: so a completion that has been read in part goes on as it
    /// was announced.
    fn known_candidates(
        &self,
        object: ObjectId,
        prefix: Option<Prefix>,
        partial: Partial,
    ) -> Vec<(String, Key)> {
        let allowed_keys = self.machine.obligations.allowed_keys(object);
        let table = self.machine.obligations.key_table(object);
        let mut out = Vec::new();
        if let Some(prefix) = prefix {
            let open = table
                .open(prefix)
                .filter(|&(key, _)| allowed_keys.allows(key));
            out.extend(open.map(|(key, rest)| (rest.to_owned(), key)));
            out.sort_unstable_by_key(|&(_, key)| key);
        }
        if allowed_keys.other() {
            let rest = shortest_other(table, prefix, partial);
            let read = prefix.map_or("", |prefix| table.text(prefix));
            let text = self
                .machine
                .obligations
                .rules
                .texts
                .text(&format!("{read}{rest}"));
            out.push((rest, Key::Other(text, 0)));
        }
        out
    }

    /// The keys that can be the best, each with its rest, in an object that tells keys apart by
    /// more than a table of them.
    fn scanned_candidates(
        &self,
        object: ObjectId,
        scan: ScanId,
        (prefix, text, partial): (Option<Prefix>, TextId, Partial),
    ) -> Vec<(String, Key)> {
        let obligations = &self.machine.obligations;
        let (allowed_keys, table) = (
            obligations.allowed_keys(object),
            obligations.key_table(object),
        );
        let mut out: Vec<(String, Key)> = Vec::new();
        if let Some(prefix) = prefix {
            let open = table
                .open(prefix)
                .filter(|&(key, _)| allowed_keys.allows(key));
            out.extend(open.map(|(key, rest)| (rest.to_owned(), key)));
            out.sort_unstable_by_key(|&(_, key)| key);
        }
        for (class, left) in obligations.classes_left(object, scan) {
            if let Some(rest) = self.cheapest_rest(left, partial) {
                let longer = |text, c| obligations.rules.texts.longer(text, u32::from(c));
                let text = rest.chars().fold(text, longer);
                out.push((rest, Key::Other(text, class)));
            }
        }
        out
    }

    /// The cheapest text of a language that begins with a character that a partial can become.
    fn cheapest_rest(&self, node: NodeId, partial: Partial) -> Option<String> {
        let regexes = &self.machine.obligations.rules.scanner.regexes;
        let cheapest = |node| regexes.cheapest_words(node, 1, Spelling::Json).pop();
        if partial == Partial::Nothing {
            return cheapest(node);
        }
        let (c, _) = self.best_char(node, partial)?;
        let rest = cheapest(regexes.step(node, c))?;
        Some(format!("{}{rest}", char::from_u32(c)?))
    }
}

/// Whether the first character of `rest` completes a partial, if there is one.
fn completes(rest: &str, partial: Partial) -> bool {
    let first = rest.chars().next().map(u32::from);
    partial == Partial::Nothing || first.is_some_and(|c| partial.may_become(c))
}

/// The bytes of `rest` after a partial, which its first character must complete.
fn spell_rest(rest: &str, partial: Partial) -> Option<Vec<u8>> {
    if !completes(rest, partial) {
        return None;
    }
    let mut chars = rest.chars();
    let mut bytes = Vec::with_capacity(rest.len());
    if partial != Partial::Nothing {
        bytes.extend(partial.rest(u32::from(chars.next()?)));
    }
    bytes.extend(chars.flat_map(|c| spell_json(u32::from(c))));
    Some(bytes)
}

/// The shortest rest of a key that the table does not know.
fn shortest_other(table: &KeyTable, prefix: Option<Prefix>, partial: Partial) -> String {
    let Some(prefix) = prefix else {
        return String::new();
    };
    if partial == Partial::Nothing && table.whole(prefix).is_none() {
        return String::new();
    }
    let mut queue = std::collections::VecDeque::from([(prefix, String::new())]);
    while let Some((prefix, text)) = queue.pop_front() {
        let ranges = if text.is_empty() {
            partial.characters()
        } else {
            Partial::Nothing.characters()
        };
        let known: Vec<char> = table.next_chars(prefix).collect();
        let is_free = |&c: &char| known.binary_search(&c).is_err();
        let is_escape = matches!(partial, Partial::Escape | Partial::PlainEscape);
        let mut letters = LETTERED.iter().copied();
        if let Some(c) = letters
            .find(is_free)
            .filter(|_| text.is_empty() && is_escape)
        {
            return c.into();
        }
        for (lo, hi) in ranges {
            if let Some(c) = cheapest_unknown(lo, hi, &known) {
                return format!("{text}{c}");
            }
        }
        for c in known.into_iter().filter(|&c| {
            ranges
                .iter()
                .any(|&(lo, hi)| (lo..=hi).contains(&u32::from(c)))
        }) {
            if let Some(next) = table.step(prefix, c) {
                let text = format!("{text}{c}");
                if table.whole(next).is_none() {
                    return text;
                }
                queue.push_back((next, text));
            }
        }
    }
    unreachable!("a table of finitely many keys does not know all texts")
}

/// The cheapest character of a range that is not in a sorted list.
fn cheapest_unknown(lo: u32, hi: u32, known: &[char]) -> Option<char> {
    let free = |c: &char| (lo..=hi).contains(&u32::from(*c)) && known.binary_search(c).is_err();
    ('a'..='z')
        .chain('0'..='9')
        .chain('A'..='Z')
        .find(free)
        .or_else(|| (lo..=hi).filter_map(char::from_u32).find(free))
}
