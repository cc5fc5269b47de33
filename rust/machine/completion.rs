//! Completions: a shortest valid ending of a text.
//!
//! What is asked about a value decides how the frame around it can go on. So the frames are looked
//! at from the outermost inwards: each says, for some demands on the value inside it, how many
//! bytes follow that value. The innermost state then picks the demands that make the sum smallest.

use crate::json::cost::{NEVER, add};
use crate::json::formula::FormulaId;
use crate::json::object::keys::{Key, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::obligation::Obligation;
use crate::json::texts::TextId;
use crate::machine::completer::Completer;
use crate::machine::config::{Config, Frame, ObjectPlace, StackId, State};
use crate::machine::stack::{CompletionCosts, StackMemo};
use crate::machine::whitespace::Whitespace;
use crate::regex::char_cost::{NO_WAY, cheapest};
use crate::regex::node::{NodeId, Spelling};
use crate::regex::scan::ScanId;
use crate::spelling::{LETTERED, Partial, max_json_bytes};

/// Bytes that are enough to finish a character or an escape, to open a key, and to make up for a
/// space.
pub(crate) const SLACK: u64 = 16;

/// Bytes that are enough for the quotes of a key and a space.
pub(super) const QUOTES: u64 = 4;

/// Bytes that are enough to finish a character, or a key so that it differs from the known ones.
pub(super) const UNFINISHED: u64 = 64;

impl Completer<'_> {
    /// An upper bound of the bytes of a shortest completion. There is one exception: where items
    /// must not all differ and only one more may come, that item has to equal an earlier one, and
    /// the bytes of that are not counted.
    pub(crate) fn max_completion_bytes(&self, config: Config) -> u64 {
        if self.is_rough() {
            let bound = self.rough_bound(config);
            if bound < NEVER {
                return bound;
            }
        }
        if let Some(bound) = self.counted_bound(config) {
            return bound;
        }
        if let State::Ambiguous(set) = config.state {
            let bounds = self
                .machine
                .members(set)
                .iter()
                .map(|&member| self.max_completion_bytes(member));
            return bounds.min().unwrap_or(NEVER);
        }
        let completion_costs = self.completion_costs(config.stack);
        let costs = completion_costs
            .iter()
            .map(|(asked, after)| add(*after, self.own_bytes(config, asked)));
        add(costs.min().unwrap_or(NEVER), SLACK)
    }

    /// An upper bound of the bytes of a shortest completion after any text that stays inside the string
    /// or key that is being read; `None` if that is not known at a glance.
    pub(crate) fn max_completion_bytes_inside(&self, config: Config) -> Option<u64> {
        let scanner = &self.machine.obligations.rules.scanner;
        let (text, partial) = (TextId::WHATEVER, Partial::Nothing);
        if self.is_rough() && matches!(config.state, State::ScannedKey { .. }) {
            let bound = self.rough_bound(config);
            if bound < NEVER {
                return Some(add(bound, UNFINISHED));
            }
        }
        let bound = match config.state {
            // Its end is never farther away than now.
            State::String { scan, .. } if scanner.is_length_only(scan) => {
                let state = State::String { scan, partial };
                self.max_completion_bytes(Config { state, ..config })
            }
            State::Key { object, .. } | State::OtherKey { object, .. }
                if self.machine.obligations.allowed_keys(object).other() =>
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
            } if self.machine.obligations.is_plentiful(object, scan) => {
                self.max_completion_bytes_of_key(config.stack, object, scan, prefix)?
            }
            _ => return None,
        };
        Some(add(bound, self.unfinished_bytes(config)))
    }

    /// An upper bound of the bytes of a shortest completion after any text that stays inside a
    /// string, if the string itself takes at most `rest` bytes more and nothing is asked about it.
    pub(crate) fn max_completion_bytes_of_string(&self, stack: StackId, rest: u32) -> u64 {
        if let Some(after) = self.count_after(stack) {
            let begun = Partial::most_rest(self.machine.obligations.rules.scanner.spelling);
            return add(after, u64::from(rest) + 1 + begun);
        }
        let rest = u64::from(rest) + 1 + SLACK + UNFINISHED;
        if self.is_rough() {
            let around = self.rough_bound_around(stack);
            if around < NEVER {
                return add(around, rest);
            }
        }
        let after = self
            .completion_costs(stack)
            .iter()
            .map(|completion| completion.1);
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
        let obligations = &self.machine.obligations;
        let scanner = &obligations.rules.scanner;
        let (allowed_keys, table) = (
            obligations.allowed_keys(object),
            obligations.key_table(object),
        );
        let open = prefix.into_iter().flat_map(|prefix| table.open(prefix));
        let open = open.filter(|&(key, _)| allowed_keys.allows(key));
        let mut keys: Vec<(u64, Key)> = open
            .map(|(key, rest)| (max_json_bytes(rest.as_bytes()), key))
            .collect();
        for (class, left) in obligations.classes_left(object, scan) {
            if let Some(state) = scanner.start(left, Box::new([])) {
                let rest = scanner.longest_rest(state)?;
                keys.push((u64::from(rest), Key::Other(TextId::WHATEVER, class)));
            }
        }
        let counted = self
            .count_after(stack)
            .map(|after| [(Box::from([]), after)]);
        let (completion_costs, slack) = match &counted {
            Some(only) => (&only[..], QUOTES),
            None => (&self.completion_costs(stack)[..], SLACK),
        };
        let costs = keys.into_iter().map(|(rest, key)| {
            let ends = completion_costs.iter().map(|(asked, after)| {
                let formula = obligations.object_demand(object, asked);
                add(
                    *after,
                    self.bytes_on(stack, self.key_cost(object, formula, key)),
                )
            });
            add(ends.min().unwrap_or(NEVER), rest + 1 + slack)
        });
        // A class in which no key may end here does not matter.
        costs.filter(|&cost| cost < NEVER).max()
    }

    fn completion_costs(&self, stack: StackId) -> &CompletionCosts {
        let find = |at: StackId| {
            let mut completion_costs = Vec::new();
            if self.machine.stacks.has_bottom(at) {
                completion_costs.push((Box::from([]), 0));
            }
            for &(frame, below) in self.machine.stacks.tops(at) {
                for (asked, cost) in self.frame_completion_costs(frame, below) {
                    keep_cheapest(&mut completion_costs, asked, cost);
                }
            }
            let memo = &self.machine.stacks.memo(at).endings().costs;
            memo.get_or_init(|| completion_costs.into());
        };
        let is_known = |memo: &StackMemo| memo.endings().costs.get().is_some();
        self.machine.stacks.settle(stack, is_known, |_| true, find);
        self.known_completion_costs(stack)
    }

    fn known_completion_costs(&self, stack: StackId) -> &CompletionCosts {
        let known = self.machine.stacks.memo(stack).endings().costs.get();
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
                        .machine
                        .obligations
                        .obligation_of(self.machine.obligations.member_obligation(member));
                    let member = self.machine.obligations.member_of(member);
                    let formula = self.machine.obligations.object_demand(member.object, asked);
                    let ways = self.machine.obligations.object_ways(member.object, formula);
                    for way in
                        self.machine
                            .obligations
                            .completion_steps(member.object, &ways, member.key)
                    {
                        let asked = demands(obligation, &way.demands);
                        let end = self.bytes_on(below, way.end);
                        keep_cheapest(&mut out, asked, add(*after, end));
                    }
                }
                Frame::Item { array, .. } => {
                    let item = self
                        .machine
                        .obligations
                        .item(array)
                        .expect("an item is being read");
                    let obligation = self.machine.obligations.obligation_of(item);
                    let formula = self.machine.obligations.array_demand(array, asked);
                    for way in self.machine.obligations.array_ways(array, formula).iter() {
                        for way in self.machine.obligations.item_steps(array, way) {
                            let asked = demands(obligation, &way.demands);
                            let end = self.bytes_on(below, way.end);
                            keep_cheapest(&mut out, asked, add(*after, end));
                        }
                    }
                }
            }
        }
        out
    }

    /// Of the demands on the innermost value, those with which the text ends soonest: indices of
    /// its queries.
    pub(crate) fn best_demands(&self, config: Config) -> &[u16] {
        let completion_costs = self.completion_costs(config.stack);
        let best = match &completion_costs[..] {
            [only] => Some(only),
            several => several
                .iter()
                .min_by_key(|(asked, after)| add(*after, self.own_bytes(config, asked))),
        };
        best.map_or(&[], |(asked, _)| asked)
    }

    /// The bytes of what costs so much in an array or object with so much around it.
    fn bytes_on(&self, stack: StackId, cost: u64) -> u64 {
        let separators = self.machine.obligations.rules.separators;
        let depth = match separators.indent {
            0 => 0,
            _ => self.machine.stacks.depth(stack),
        };
        separators.bytes(cost, depth)
    }

    /// The fewest bytes until the innermost value ends, if it is to satisfy the queries `asked`.
    pub(super) fn own_bytes(&self, config: Config, asked: &[u16]) -> u64 {
        let bytes = self.bytes_on(config.stack, self.own(config.state, asked));
        add(bytes, self.line_bytes(config))
    }

    /// The bytes of a line break and an indentation that are due: they are not among those of the value,
    /// key or bracket that comes after them, and can be too many for the slack.
    pub(super) fn line_bytes(&self, config: Config) -> u64 {
        match self.machine.whitespace {
            Whitespace::Indented { .. } if self.machine.next_due(config.state).is_some() => {
                self.machine.due_whitespace(config).len() as u64
            }
            _ => 0,
        }
    }

    /// What it costs at least until the innermost value ends, if it is to satisfy the queries `asked`.
    pub(super) fn own(&self, state: State, asked: &[u16]) -> u64 {
        let obligations = &self.machine.obligations;
        if let Some(cost) = self.closing_bracket(state, asked) {
            return cost;
        }
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
                match asked.iter().all(|&i| verdicts[usize::from(i)]) {
                    true => (kind.literal_bytes() - usize::from(at)) as u64,
                    false => NEVER,
                }
            }
            State::Number(scan) => {
                let regexes = &obligations.rules.scanner.regexes;
                widen(regexes.cost(self.language(scan, asked), Spelling::Raw))
            }
            State::String { scan, partial } => self.own_string(scan, partial, asked),
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

    /// The byte of the closing bracket, if nothing but that may come after a line break.
    fn closing_bracket(&self, state: State, asked: &[u16]) -> Option<u64> {
        let obligations = &self.machine.obligations;
        let one = |verdicts: &[bool]| match asked.iter().all(|&i| verdicts[usize::from(i)]) {
            true => 1,
            false => NEVER,
        };
        let is_after_line = |spacing| self.machine.whitespace.is_after_line(spacing);
        match state {
            State::Array { array, spacing, .. } if is_after_line(spacing) => {
                Some(obligations.end_array(array).map_or(NEVER, |end| one(&end)))
            }
            State::Object {
                object,
                place: ObjectPlace::AfterMember,
                spacing,
            } if is_after_line(spacing) => {
                Some(obligations.end_object(object).map_or(NEVER, |end| one(end)))
            }
            _ => None,
        }
    }

    /// Where the character that has been begun of a free string, or of any unknown key, is finished, and
    /// the bytes that finish it soonest.
    pub(crate) fn after_character(&self, config: Config) -> Option<(Config, u64)> {
        let mut home = config;
        let (State::String { partial, .. } | State::OtherKey { partial, .. }) = &mut home.state
        else {
            return None;
        };
        let begun = std::mem::replace(partial, Partial::Nothing);
        let is_begun = begun != Partial::Nothing && self.machine.lookahead().is_free(config);
        is_begun.then(|| (home, begun.least_rest()))
    }

    /// The bytes until a string ends and satisfies the demands.
    fn own_string(&self, scan: ScanId, partial: Partial, asked: &[u16]) -> u64 {
        let node = self.language(scan, asked);
        let regexes = &self.machine.obligations.rules.scanner.regexes;
        let rest = match partial {
            Partial::Nothing => widen(regexes.cost(node, Spelling::Json)),
            _ => self.best_char(node, partial).map_or(NEVER, |best| best.1),
        };
        add(rest, 1)
    }

    pub(crate) fn demanded(&self, obligation: &Obligation, asked: &[u16]) -> FormulaId {
        crate::json::obligations::demand(
            &self.machine.obligations,
            obligation.requirement,
            &obligation.queries,
            asked,
        )
    }

    /// What is left of a scalar's language if it is to satisfy the queries `asked`.
    pub(crate) fn language(&self, scan: ScanId, asked: &[u16]) -> NodeId {
        let scanner = &self.machine.obligations.rules.scanner;
        let scan = scanner.scan(scan);
        let asked = asked.iter().map(|&i| scan.queries[usize::from(i)]);
        scanner
            .regexes
            .and(std::iter::once(scan.language).chain(asked).collect())
    }

    /// The character with which a string ends soonest, and the bytes from what has been read of it
    /// to the end.
    pub(super) fn best_char(&self, node: NodeId, partial: Partial) -> Option<(u32, u64)> {
        let regexes = &self.machine.obligations.rules.scanner.regexes;
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

pub(super) fn widen(cost: u32) -> u64 {
    if cost == NO_WAY {
        NEVER
    } else {
        u64::from(cost)
    }
}

/// The character of `lo..=hi` that takes the fewest bytes to finish a partial with.
pub(super) fn easiest(partial: Partial, lo: u32, hi: u32) -> u32 {
    // One letter ends an escape, and in all spellings a slash does, too.
    let letters = LETTERED.map(u32::from).into_iter().chain([0x2F]);
    match letters.into_iter().find(|c| (lo..=hi).contains(c)) {
        Some(c) if partial == Partial::Escape => c,
        _ => cheapest(lo, hi, Spelling::Json).0,
    }
}
