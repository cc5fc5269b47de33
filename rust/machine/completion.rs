//! Completions: a shortest valid ending of a text.
//!
//! What is asked about a value decides how the frame around it can go on. So the frames are looked
//! at from the outermost inwards: each says, for some demands on the value inside it, how many
//! bytes follow that value. The innermost state then picks the demands that make the sum smallest.

use crate::json::array::state::ArrayId;
use crate::json::cost::{NEVER, add};
use crate::json::formula::{FormulaId, Kind};
use crate::json::object::keys::{Key, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::obligation::Obligation;
use crate::json::obligations::Entry;
use crate::json::texts::TextId;
use crate::machine::config::{Config, Frame, ObjectPlace, StackId, State};
use crate::machine::stack::{CompletionCosts, StackMemo};
use crate::machine::store::Machine;
use crate::machine::whitespace::WhitespaceRun;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::cost::{NO_WAY, cheapest};
use crate::regex::node::{NodeId, Spelling};
use crate::regex::scan::ScanId;
use crate::spelling::{LETTERED, Partial, spell_json};

/// What finishes a character or an escape, opens a key, or makes up for a space.
pub(crate) const SLACK: u64 = 16;

/// What finishes a character, or a key so that it differs from the known ones.
const UNFINISHED: u64 = 64;

/// The next move of a completion.
#[derive(Debug)]
pub(crate) enum NextMove {
    Bytes(Vec<u8>),
    /// A token of a set, which is read by its id, and what it leads to.
    Token(u32, Config),
    /// The same text, seen as another configuration.
    Goto(Config),
    End,
    /// A search for a witness ran out of its budget, so that no completion is known.
    Unknown,
}

impl Machine {
    /// The bytes of a shortest ending of the text, empty where the text may end; `None` if it is
    /// longer than `cap` bytes, or none is known. `spell` is how a token of a set is written that is
    /// read by its id.
    pub(crate) fn completion<'a>(
        &self,
        mut config: Config,
        cap: usize,
        spell: impl Fn(u32) -> &'a [u8],
    ) -> Option<Vec<u8>> {
        let most = (cap as u64).saturating_add(SLACK);
        let mut bound = self.max_completion_bytes(config);
        let (mut out, mut tokens) = (Vec::new(), 0);
        loop {
            let written = (out.len() as u64).saturating_sub(tokens);
            if written > bound {
                // An item must equal one whose length no bound knows before it has ended.
                bound = add(written, self.max_completion_bytes(config));
            }
            if bound > most {
                return None;
            }
            match self.next_move(config) {
                NextMove::End => return Some(out),
                NextMove::Unknown => return None,
                NextMove::Goto(same) => config = same,
                NextMove::Token(set, next) => {
                    out.extend_from_slice(spell(set));
                    tokens += spell(set).len() as u64;
                    config = next;
                }
                NextMove::Bytes(bytes) => {
                    config = bytes
                        .iter()
                        .try_fold(config, |at, &byte| self.step(at, byte))?;
                    out.extend(bytes);
                }
            }
        }
    }

    /// An upper bound of the bytes of a shortest completion, but where items must not all differ and no more
    /// than one is to come: that one is as long as the item that it equals.
    pub(crate) fn max_completion_bytes(&self, config: Config) -> u64 {
        if let State::Ambiguous(set) = config.state {
            let bounds = self
                .members(set)
                .iter()
                .map(|&member| self.max_completion_bytes(member));
            return bounds.min().unwrap_or(NEVER);
        }
        let completion_costs = self.completion_costs(config.stack);
        let costs = completion_costs
            .iter()
            .map(|(asked, after)| add(*after, self.own(config.state, asked)));
        add(costs.min().unwrap_or(NEVER), SLACK)
    }

    /// An upper bound of the bytes of a shortest completion after any text that stays inside the string
    /// or key that is being read; `None` if that is not known at a glance.
    pub(crate) fn max_completion_bytes_inside(&self, config: Config) -> Option<u64> {
        let scanner = &self.obligations.rules.scanner;
        let (text, partial) = (TextId::WHATEVER, Partial::Nothing);
        let bound = match config.state {
            // Its end is never farther away than now.
            State::String { scan, .. } if scanner.is_length_only(scan) => {
                let state = State::String { scan, partial };
                self.max_completion_bytes(Config { state, ..config })
            }
            State::Key { object, .. } | State::OtherKey { object, .. }
                if self.obligations.allowed_keys(object).other() =>
            {
                let state = State::OtherKey {
                    object,
                    text,
                    partial,
                };
                self.max_completion_bytes(Config { state, ..config })
            }
            State::ScannedKey {
                object,
                scan,
                prefix,
                ..
            } if self.obligations.is_plentiful(object, scan) => {
                self.max_completion_bytes_of_key(config.stack, object, scan, prefix)?
            }
            _ => return None,
        };
        Some(add(bound, UNFINISHED))
    }

    /// An upper bound of the bytes of a shortest completion after any text that stays inside a
    /// string, if the string itself takes at most `rest` bytes more and nothing is asked about it.
    pub(crate) fn max_completion_bytes_of_string(&self, stack: StackId, rest: u32) -> u64 {
        let after = self
            .completion_costs(stack)
            .iter()
            .map(|completion| completion.1);
        let rest = u64::from(rest) + 1 + SLACK + UNFINISHED;
        add(after.min().unwrap_or(NEVER), rest)
    }

    /// An upper bound of the bytes of a shortest completion after any text that stays inside a key
    /// of which nothing but its class matters: whatever class is left, its
    /// cheapest key is one way to end.
    fn max_completion_bytes_of_key(
        &self,
        stack: StackId,
        object: ObjectId,
        scan: ScanId,
        prefix: Option<Prefix>,
    ) -> Option<u64> {
        let obligations = &self.obligations;
        let scanner = &obligations.rules.scanner;
        let (allowed_keys, table) = (
            obligations.allowed_keys(object),
            obligations.key_table(object),
        );
        let open = prefix.into_iter().flat_map(|prefix| table.open(prefix));
        let open = open.filter(|&(key, _)| allowed_keys.allows(key));
        let mut keys: Vec<(u64, Key)> = open
            .map(|(key, rest)| (6 * rest.len() as u64, key))
            .collect();
        for (class, left) in obligations.classes_left(object, scan) {
            if let Some(state) = scanner.start(left, Box::new([])) {
                let rest = scanner.longest_rest(state)?;
                keys.push((u64::from(rest), Key::Other(TextId::WHATEVER, class)));
            }
        }
        let completion_costs = self.completion_costs(stack);
        let costs = keys.into_iter().map(|(rest, key)| {
            let ends = completion_costs.iter().map(|(asked, after)| {
                let formula = obligations.object_demand(object, asked);
                add(*after, self.key_cost(object, formula, key))
            });
            add(ends.min().unwrap_or(NEVER), rest + 1 + SLACK)
        });
        // A class in which no key may end here does not matter.
        costs.filter(|&cost| cost < NEVER).max()
    }

    /// Whether a text of these characters never ends the string or key that is being read.
    pub(crate) fn keeps_inside(&self, state: State, characters: CharBlocks) -> bool {
        let is_string = matches!(
            state,
            State::String { .. } | State::Key { .. } | State::OtherKey { .. }
        );
        is_string && characters.misses(json_special())
    }

    /// Where a character began of which some UTF-8 has been read.
    pub(crate) fn before_character(&self, mut config: Config) -> Config {
        if let State::String { partial, .. }
        | State::OtherKey { partial, .. }
        | State::Text { partial, .. } = &mut config.state
            && let Partial::Utf8 { .. } = partial
        {
            *partial = Partial::Nothing;
        }
        config
    }

    /// Whether a text of these characters leads back to the configuration, but for what is begun of
    /// a last character, and for the text of an unknown key.
    pub(crate) fn stays(&self, config: Config, characters: CharBlocks) -> bool {
        let scanner = &self.obligations.rules.scanner;
        if config.record != TextId::EMPTY {
            return false;
        }
        match config.state {
            State::String {
                scan,
                partial: Partial::Nothing,
            } => characters.misses(json_special()) && characters.is_in(scanner.stays(scan)),
            State::OtherKey {
                partial: Partial::Nothing,
                ..
            } => characters.misses(json_special()),
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => {
                characters.is_in(scanner.stays(scan))
                    && characters.misses(CharBlocks::beginning(self.turns_away(scan, config.stack)))
            }
            _ => false,
        }
    }

    fn completion_costs(&self, stack: StackId) -> &CompletionCosts {
        let find = |at: StackId| {
            let mut completion_costs = Vec::new();
            if self.stacks.has_bottom(at) {
                completion_costs.push((Box::from([]), 0));
            }
            for &(frame, below) in self.stacks.tops(at) {
                for (asked, cost) in self.frame_completion_costs(frame, below) {
                    keep_cheapest(&mut completion_costs, asked, cost);
                }
            }
            let memo = &self.stacks.memo(at).completion_costs;
            memo.get_or_init(|| completion_costs.into());
        };
        let is_known = |memo: &StackMemo| memo.completion_costs.get().is_some();
        self.stacks.settle(stack, is_known, |_| true, find);
        self.known_completion_costs(stack)
    }

    fn known_completion_costs(&self, stack: StackId) -> &CompletionCosts {
        let known = self.stacks.memo(stack).completion_costs.get();
        known.expect("outer frames are known first")
    }

    fn frame_completion_costs(&self, frame: Frame, below: StackId) -> Vec<(Box<[u16]>, u64)> {
        let mut out: Vec<(Box<[u16]>, u64)> = Vec::new();
        for (asked, after) in self.known_completion_costs(below).iter() {
            match frame {
                Frame::Text(scan) => {
                    let cost = self.text_cost(scan, Partial::Nothing);
                    keep_cheapest(&mut out, Box::from([]), add(*after, cost));
                }
                // What stands below is not known.
                Frame::Base(_) => keep_cheapest(&mut out, Box::from([]), NEVER),
                Frame::Detached => keep_cheapest(&mut out, Box::from([]), *after),
                Frame::Member(member) => {
                    let obligation = self
                        .obligations
                        .obligation_of(self.obligations.member_obligation(member));
                    let member = self.obligations.member_of(member);
                    let formula = self.obligations.object_demand(member.object, asked);
                    let ways = self.obligations.object_ways(member.object, formula);
                    for way in self
                        .obligations
                        .completion_steps(member.object, &ways, member.key)
                    {
                        let asked = demands(obligation, &way.demands);
                        keep_cheapest(&mut out, asked, add(*after, way.end));
                    }
                }
                Frame::Item { array, .. } => {
                    let item = self.obligations.item(array).expect("an item is being read");
                    let obligation = self.obligations.obligation_of(item);
                    let formula = self.obligations.array_demand(array, asked);
                    for way in self.obligations.array_ways(array, formula).iter() {
                        for way in self.obligations.item_steps(array, way) {
                            let asked = demands(obligation, &way.demands);
                            keep_cheapest(&mut out, asked, add(*after, way.end));
                        }
                    }
                }
            }
        }
        out
    }

    /// The demands on the innermost state with which the text ends soonest.
    fn best_demands(&self, config: Config) -> &[u16] {
        let completion_costs = self.completion_costs(config.stack);
        let best = match &completion_costs[..] {
            [only] => Some(only),
            several => several
                .iter()
                .min_by_key(|(asked, after)| add(*after, self.own(config.state, asked))),
        };
        best.map_or(&[], |(asked, _)| asked)
    }

    /// The bytes until the innermost value ends and satisfies the demands.
    fn own(&self, state: State, asked: &[u16]) -> u64 {
        let obligations = &self.obligations;
        match state {
            State::Value { obligation, .. } => obligations
                .rules
                .cost(self.demanded(obligations.obligation_of(obligation), asked)),
            State::Literal {
                obligation,
                kind,
                at,
            } => {
                let verdicts = obligations.literal_verdicts(obligation, kind);
                let fine = asked.iter().all(|&i| verdicts[usize::from(i)]);
                if fine {
                    (kind.literal_bytes() - usize::from(at)) as u64
                } else {
                    NEVER
                }
            }
            State::Number(scan) => widen(
                obligations
                    .rules
                    .scanner
                    .regexes
                    .cost(self.language(scan, asked), Spelling::Raw),
            ),
            State::String { scan, partial } => {
                let node = self.language(scan, asked);
                match partial {
                    Partial::Nothing => add(
                        widen(obligations.rules.scanner.regexes.cost(node, Spelling::Json)),
                        1,
                    ),
                    _ => self
                        .best_char(node, partial)
                        .map_or(NEVER, |(_, cost)| add(cost, 1)),
                }
            }
            State::Array { array, .. } => {
                let ways = obligations.array_ways(array, obligations.array_demand(array, asked));
                let costs = ways.iter().map(|way| way.completion.cost);
                costs.min().unwrap_or(NEVER)
            }
            State::Object {
                object,
                place: ObjectPlace::Opened | ObjectPlace::AfterMember,
                ..
            } => {
                let ways =
                    obligations.object_ways(object, obligations.object_demand(object, asked));
                let costs = ways.iter().map(|way| way.completion.cost);
                costs.min().unwrap_or(NEVER)
            }
            State::Object { .. } | State::Key { .. } | State::ScannedKey { .. } => {
                self.best_key(state, asked).map_or(NEVER, |best| best.1)
            }
            State::OtherKey { object, text, .. } => self.key_cost(
                object,
                obligations.object_demand(object, asked),
                Key::Other(text, 0),
            ),
            State::Colon { member, .. } => {
                let member = obligations.member_of(member);
                let formula = obligations.object_demand(member.object, asked);
                self.key_cost(member.object, formula, member.key)
            }
            State::Text { scan, partial } => self.text_cost(scan, partial),
            State::Ambiguous(_) => NEVER,
            State::Done { .. } | State::Detached => 0,
        }
    }

    fn demanded(&self, obligation: &Obligation, asked: &[u16]) -> FormulaId {
        crate::json::obligations::demand(
            &self.obligations,
            obligation.requirement,
            &obligation.queries,
            asked,
        )
    }

    /// The language of a scalar's rest under demands.
    fn language(&self, scan: ScanId, asked: &[u16]) -> NodeId {
        let scanner = &self.obligations.rules.scanner;
        let scan = scanner.scan(scan);
        let asked = asked.iter().map(|&i| scan.queries[usize::from(i)]);
        scanner
            .regexes
            .and(std::iter::once(scan.language).chain(asked).collect())
    }

    /// The character with which a string ends soonest, and the bytes from the partial to the end.
    pub(super) fn best_char(&self, node: NodeId, partial: Partial) -> Option<(u32, u64)> {
        let regexes = &self.obligations.rules.scanner.regexes;
        let mut best: Option<(u32, u64)> = None;
        for piece in regexes.pieces(node) {
            for (lo, hi) in partial.characters() {
                let (lo, hi) = (lo.max(piece.lo), hi.min(piece.hi));
                let rest = regexes.cost(piece.to, Spelling::Json);
                if lo > hi || rest == NO_WAY {
                    continue;
                }
                let c = easiest(partial, lo, hi);
                let cost = partial.rest(c).len() as u64 + u64::from(rest);
                if best.is_none_or(|(_, least)| cost < least) {
                    best = Some((c, cost));
                }
            }
        }
        best
    }

    pub(crate) fn next_move(&self, config: Config) -> NextMove {
        let state = config.state;
        let obligations = &self.obligations;
        if let State::Ambiguous(set) = state {
            return self.cheapest_member(set);
        }
        if self.is_accepting(config) {
            return NextMove::End;
        }
        let asked = self.best_demands(config);
        match state {
            State::Value {
                spacing: WhitespaceRun::SPACE,
                ..
            }
            | State::Object {
                spacing: WhitespaceRun::SPACE,
                ..
            } => NextMove::Bytes(vec![b' ']),
            State::Value { obligation, .. } => {
                let formula = self.demanded(obligations.obligation_of(obligation), asked);
                let kinds = Kind::ALL.into_iter();
                let kind = kinds.min_by_key(|&kind| obligations.rules.cost_of_kind(formula, kind));
                match kind.expect("there are seven kinds") {
                    Kind::Number => match obligations.enter(obligation, Kind::Number) {
                        Some(Entry::Scalar(scan)) => NextMove::Goto(Config {
                            state: State::Number(scan),
                            ..config
                        }),
                        _ => NextMove::End,
                    },
                    Kind::String => NextMove::Bytes(vec![b'"']),
                    Kind::Array => NextMove::Bytes(vec![b'[']),
                    Kind::Object => NextMove::Bytes(vec![b'{']),
                    literal => NextMove::Bytes(self.literals.text(literal).to_vec()),
                }
            }
            State::Literal { kind, at, .. } => {
                NextMove::Bytes(self.literals.text(kind)[usize::from(at)..].to_vec())
            }
            State::Number(scan) => {
                let node = self.language(scan, asked);
                match self.close_number(config) {
                    Some(after) if obligations.rules.scanner.regexes.nullable(node) => {
                        NextMove::Goto(after)
                    }
                    _ => self.char_move(node, Partial::Nothing),
                }
            }
            State::String { scan, partial } => {
                let node = self.language(scan, asked);
                if partial == Partial::Nothing && obligations.rules.scanner.regexes.nullable(node) {
                    return NextMove::Bytes(vec![b'"']);
                }
                self.char_move(node, partial)
            }
            State::Array { array, opened, .. } => self.array_move(array, opened, asked, config),
            State::Object {
                place: ObjectPlace::AfterComma,
                ..
            } => {
                let key = self.best_key(state, asked);
                key.map_or(NextMove::Unknown, |(rest, _)| {
                    NextMove::Bytes([b"\"", &rest[..], b"\""].concat())
                })
            }
            State::Object { object, place, .. } => self.object_move(object, place, asked),
            State::Key { .. } | State::ScannedKey { .. } => {
                let key = self.best_key(state, asked);
                key.map_or(NextMove::Unknown, |(rest, _)| {
                    NextMove::Bytes([&rest[..], b"\""].concat())
                })
            }
            State::OtherKey {
                partial: Partial::Nothing,
                ..
            } => NextMove::Bytes(vec![b'"']),
            State::OtherKey { partial, .. } => NextMove::Bytes(any_rest(partial)),
            State::Colon { .. } => NextMove::Bytes(vec![b':']),
            State::Text { scan, partial } => self.text_move(scan, partial, config.stack),
            State::Ambiguous(_) => NextMove::Unknown,
            State::Done { .. } | State::Detached => NextMove::End,
        }
    }

    fn char_move(&self, node: NodeId, partial: Partial) -> NextMove {
        let best = self.best_char(node, partial);
        best.map_or(NextMove::Unknown, |(c, _)| NextMove::Bytes(partial.rest(c)))
    }

    fn array_move(&self, array: ArrayId, opened: bool, asked: &[u16], config: Config) -> NextMove {
        let ways = self
            .obligations
            .array_ways(array, self.obligations.array_demand(array, asked));
        let Some(way) = ways.iter().min_by_key(|way| way.completion.cost) else {
            return NextMove::Unknown;
        };
        match (way.completion.missing(), opened) {
            (0, _) => NextMove::Bytes(vec![b']']),
            (_, false) => NextMove::Bytes(vec![b',']),
            (_, true) => {
                let obligation = self.obligations.item(array).expect("an item is missing");
                let (stack, record) = self.begin_item(array, config.stack, config.record);
                let spacing = WhitespaceRun::NONE;
                let state = State::Value {
                    obligation,
                    spacing,
                };
                NextMove::Goto(Config {
                    state,
                    stack,
                    record,
                })
            }
        }
    }

    fn object_move(&self, object: ObjectId, place: ObjectPlace, asked: &[u16]) -> NextMove {
        let obligations = &self.obligations;
        let ways = obligations.object_ways(object, obligations.object_demand(object, asked));
        let way = ways.iter().min_by_key(|way| way.completion.cost);
        let Some(way) = way else {
            return NextMove::Unknown;
        };
        match way.next_missing() {
            None => NextMove::Bytes(vec![b'}']),
            Some(_) if place == ObjectPlace::AfterMember => NextMove::Bytes(vec![b',']),
            Some(key) => {
                let text = obligations.key_text(object, key);
                let mut bytes = vec![b'"'];
                bytes.extend(text.chars().flat_map(|c| spell_json(u32::from(c))));
                bytes.push(b'"');
                NextMove::Bytes(bytes)
            }
        }
    }
}

/// Which of an obligation's queries must be satisfied so that the frame around the value can go on
/// in one way.
fn demands(obligation: &Obligation, values: &[FormulaId]) -> Box<[u16]> {
    let queries = obligation.queries.iter().enumerate();
    queries
        .filter(|(_, query)| values.contains(query))
        .map(|(i, _)| i as u16)
        .collect()
}

fn keep_cheapest(list: &mut Vec<(Box<[u16]>, u64)>, demands: Box<[u16]>, cost: u64) {
    match list.iter_mut().find(|(known, _)| *known == demands) {
        Some((_, least)) => *least = cost.min(*least),
        None => list.push((demands, cost)),
    }
}

/// The characters that are not written as they are inside strings, or end them.
fn json_special() -> CharBlocks {
    let quote = CharBlocks::of(u32::from('"')).or(CharBlocks::of(u32::from('\\')));
    CharBlocks::around(0, 0x1F).or(quote)
}

pub(super) fn widen(cost: u32) -> u64 {
    if cost == NO_WAY {
        NEVER
    } else {
        u64::from(cost)
    }
}

/// The bytes that finish a character, whichever.
fn any_rest(partial: Partial) -> Vec<u8> {
    let rests = partial
        .ranges()
        .map(|(lo, hi)| partial.rest(easiest(partial, lo, hi)));
    rests
        .min_by_key(Vec::len)
        .expect("a partial can become some character")
}

/// The character of `lo..=hi` that takes the fewest bytes to finish a partial with.
fn easiest(partial: Partial, lo: u32, hi: u32) -> u32 {
    // One letter ends an escape, and in all spellings a slash does, too.
    let letters = LETTERED.map(u32::from).into_iter().chain([0x2F]);
    match letters.into_iter().find(|c| (lo..=hi).contains(c)) {
        Some(c) if partial == Partial::Escape => c,
        _ => cheapest(lo, hi, Spelling::Json).0,
    }
}
