//! Reading a scalar: one language that the text must be in, and others that are asked about.
//!
//! States are pruned: a character is in the table only if the text can still be finished.

use std::collections::hash_map::Entry;
use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::intern::Interner;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::char_cost::NO_WAY;
use crate::regex::facts::Free;
use crate::regex::node::{Node, NodeId, SYMBOLS, Spelling, symbol_of};
use crate::regex::pieces::{self, Piece};
use crate::regex::regexes::Regexes;
use crate::spelling::JsonSpelling;
use crate::work;

/// How much work may go into finding safe characters: where states are large or hard to make, a
/// walk without them is cheaper.
pub(super) struct Effort<'a> {
    scanner: &'a Scanner,
    begun: usize,
    ranges: usize,
    /// Ranges of characters that may be looked at, and nodes and states that may be made.
    most_ranges: usize,
    most: usize,
}

impl<'a> Effort<'a> {
    /// The effort of looking at so many states, and ranges of characters that lead to them.
    pub(super) fn new(scanner: &'a Scanner, states: usize, ranges: usize) -> Self {
        Effort {
            scanner,
            begun: scanner.len(),
            ranges: 0,
            most_ranges: ranges,
            most: 4 * states,
        }
    }

    /// Looks at the moves of a state, and says whether the effort is still within bounds.
    pub(super) fn spend(&mut self, state: ScanId) -> bool {
        let ranges = self.scanner.moves(state).len();
        work::spend(1 + ranges);
        self.ranges += ranges;
        self.ranges <= self.most_ranges && self.scanner.len() - self.begun <= self.most
    }
}

/// A state of reading: an index into [`Scanner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ScanId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scan {
    pub(crate) language: NodeId,
    /// Languages whose verdict whoever waits for the text wants to know.
    pub(crate) queries: Box<[NodeId]>,
}

#[derive(Debug, Default)]
struct ScanMemo {
    moves: OnceLock<ScanMoves>,
    can_end: OnceLock<bool>,
    turns: OnceLock<Turns>,
    longest_rest: OnceLock<Option<LongestRest>>,
    safe_chars: OnceLock<SafeChars>,
}

/// The moves of a state, by where they lead.
#[derive(Debug)]
struct Turns {
    /// All characters that lead to a state, and some more.
    around: Box<[(ScanId, CharBlocks)]>,
    /// Characters that lead anywhere; none that does not.
    live: CharBlocks,
    /// Those that lead back to the state.
    stays: CharBlocks,
}

/// Characters that are safe in a state: a text of them need not be looked at one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SafeChars {
    /// They lead back to the state.
    stays: CharBlocks,
    /// Any text of them, of at most `reach` characters, leads to some state.
    safe_for: CharBlocks,
    reach: u32,
}

impl SafeChars {
    /// Whether all texts of these characters, of at most so many, lead to some state.
    pub(crate) fn allows(&self, characters: CharBlocks, length: u32) -> bool {
        characters.is_in(self.stays) || length <= self.reach && characters.is_in(self.safe_for)
    }
}

/// How far the ends of texts are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongestRest {
    pub(crate) bytes: u32,
    /// Characters that may lead into a computed language, of whose texts nothing is said.
    pub(crate) to_computed: CharBlocks,
}

/// How many states are looked at to find which characters are safe.
const NEIGHBOURS: usize = 48;
/// How many ranges of characters are.
const RANGES: usize = 400;
/// How many are looked at to find how far ends are where some texts lead into a computed language.
const RANGES_TO_COMPUTED: usize = 2000;
/// More than ASCII has of what host names tell apart.
const MANY_RANGES: usize = 64;
/// How many states are looked at where many of them share what is found.
const SURROUNDINGS: usize = 512;
/// A rest of so many bytes is not worth a search for a shorter one.
const SHORT_REST: u32 = 64;
/// How many characters ahead safe characters must reach for a state to share what was found for
/// another.
const AHEAD: u32 = 24;

/// The moves of a state.
#[derive(Debug)]
pub(crate) struct ScanMoves {
    /// The moves by characters, then those by symbols.
    all: Box<[ScanMove]>,
    /// How many of them are by characters.
    characters: usize,
    /// Where each ASCII character leads; [`NOWHERE`] if nowhere.
    ascii: Box<[u32; 128]>,
}

impl ScanMoves {
    /// Where `c` leads, if anywhere.
    pub(crate) fn to(&self, c: u32) -> Option<ScanId> {
        if let Some(&to) = self.ascii.get(c as usize) {
            return (to != NOWHERE).then_some(ScanId(to));
        }
        let i = self.all.partition_point(|m| m.hi < c);
        self.all.get(i).filter(|m| m.lo <= c).map(|m| m.to)
    }
}

const NOWHERE: u32 = u32::MAX;

/// All characters `lo..=hi` lead to `to`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanMove {
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    pub(crate) to: ScanId,
}

/// The states of reading scalars, over a store of languages.
#[derive(Debug)]
pub(crate) struct Scanner {
    pub(crate) regexes: Regexes,
    /// How JSON strings spell the characters that are read, and numbers their values.
    pub(crate) spelling: JsonSpelling,
    scans: Interner<Scan, ScanMemo>,
}

impl Scanner {
    pub(crate) fn new(spelling: JsonSpelling) -> Self {
        Scanner {
            regexes: Regexes::new(),
            spelling,
            scans: Interner::new(),
        }
    }

    /// Nodes and states made so far.
    pub(crate) fn len(&self) -> usize {
        self.regexes.len() + self.scans.len()
    }

    /// The state before the first character; `None` if no text is in `language`.
    pub(crate) fn start(&self, language: NodeId, queries: Box<[NodeId]>) -> Option<ScanId> {
        self.regexes
            .is_live(language)
            .then(|| ScanId(self.scans.intern(Scan { language, queries })))
    }

    pub(crate) fn scan(&self, id: ScanId) -> &Scan {
        self.scans.get(id.0)
    }

    /// Whether the text may end here.
    pub(crate) fn can_end(&self, id: ScanId) -> bool {
        let memo = &self.scans.memo(id.0).can_end;
        *memo.get_or_init(|| self.regexes.nullable(self.scan(id).language))
    }

    /// The moves with which the text can still be finished, by rising character.
    pub(crate) fn moves(&self, id: ScanId) -> &[ScanMove] {
        let moves = self.all_moves(id);
        &moves.all[..moves.characters]
    }

    /// Where symbols lead.
    pub(crate) fn symbols(&self, id: ScanId) -> impl Iterator<Item = (u32, ScanId)> {
        let moves = self.all_moves(id);
        let symbols = moves.all[moves.characters..].iter();
        symbols.filter_map(|step| Some((symbol_of(step.lo)?, step.to)))
    }

    fn all_moves(&self, id: ScanId) -> &ScanMoves {
        self.scans.memo(id.0).moves.get_or_init(|| {
            let all = self.compute_moves(id);
            work::hold(size_of_val(&*all) + size_of::<[u32; 128]>());
            let mut ascii = Box::new([NOWHERE; 128]);
            for step in all.iter().take_while(|step| step.lo < 128) {
                ascii[step.lo as usize..=step.hi.min(127) as usize].fill(step.to.0);
            }
            let characters = all.partition_point(|step| step.lo < SYMBOLS);
            ScanMoves {
                all,
                characters,
                ascii,
            }
        })
    }

    /// Whether a state is hard to make.
    pub(crate) fn is_computed(&self, id: ScanId) -> bool {
        self.regexes.is_computed(self.scan(id).language)
    }

    /// The ASCII characters that lead anywhere, a bit for each.
    pub(crate) fn ascii(&self, id: ScanId) -> u128 {
        let moves = self.all_moves(id).all.iter();
        let ascii = moves.take_while(|step| step.lo < 128);
        ascii.fold(0, |bits, step| {
            let above = u128::MAX.checked_shl(step.hi + 1).unwrap_or(0);
            bits | (u128::MAX << step.lo & !above)
        })
    }

    /// All moves of a state, unless it is hard to make.
    pub(crate) fn all_moves_unless_computed(&self, id: ScanId) -> Option<&ScanMoves> {
        let known = self.known_moves(id);
        known.or_else(|| (!self.is_computed(id)).then(|| self.all_moves(id)))
    }

    /// Where `c` leads, if anywhere.
    pub(crate) fn step(&self, id: ScanId, c: u32) -> Option<ScanId> {
        match self.all_moves_unless_computed(id) {
            Some(moves) => moves.to(c),
            // Not all moves, where each would make a state and most are never taken.
            None => self.step_once(id, c),
        }
    }

    /// The moves of a state, if they have been made.
    pub(crate) fn known_moves(&self, id: ScanId) -> Option<&ScanMoves> {
        self.scans.memo(id.0).moves.get()
    }

    /// The state after a character, if it can come, without finding out what other characters lead
    /// to.
    pub(crate) fn step_once(&self, id: ScanId, c: u32) -> Option<ScanId> {
        let scan = self.scan(id);
        let language = self.regexes.step_once(scan.language, c);
        let queries = scan
            .queries
            .iter()
            .map(|&query| self.regexes.step_once(query, c));
        let live = self.regexes.is_live(language);
        live.then(|| self.state(language, queries.collect()))
    }

    /// Whether some character of `lo..=hi` leads anywhere.
    pub(crate) fn can_step(&self, id: ScanId, lo: u32, hi: u32) -> bool {
        let moves = self.moves(id);
        let i = moves.partition_point(|m| m.hi < lo);
        moves.get(i).is_some_and(|m| m.lo <= hi)
    }

    /// Whether nothing is asked of the text that follows.
    pub(crate) fn is_free(&self, id: ScanId) -> bool {
        let Scan { language, queries } = self.scan(id);
        *language == NodeId::ANY && queries.is_empty()
    }

    /// Whether nothing but its length is asked of the text.
    pub(crate) fn is_length_only(&self, id: ScanId) -> bool {
        let scan = self.scan(id);
        let body = match *self.regexes.node(scan.language) {
            Node::Repeat { body, .. } => body,
            _ => scan.language,
        };
        scan.queries.is_empty() && matches!(body, NodeId::CHAR | NodeId::EMPTY)
    }

    /// Characters that lead back to the state.
    pub(crate) fn stays(&self, id: ScanId) -> CharBlocks {
        match self.is_computed(id) {
            true => CharBlocks::default(),
            false => self.turns(id).stays,
        }
    }

    /// What need not be looked at character by character.
    pub(crate) fn safe_chars(&self, id: ScanId) -> &SafeChars {
        let memo = &self.scans.memo(id.0).safe_chars;
        memo.get_or_init(|| self.find_safe_chars(id, NEIGHBOURS).0)
    }

    /// Characters any text of which leads to some state, as is seen without making states.
    pub(crate) fn free(&self, id: ScanId) -> Free {
        self.regexes.free(self.scan(id).language)
    }

    /// Whether all texts of these characters, of at most so many, lead to some state.
    pub(crate) fn allows(&self, id: ScanId, characters: CharBlocks, length: u32) -> bool {
        self.free(id).allows(characters, length) || self.safe_chars(id).allows(characters, length)
    }

    /// Finds safe characters by looking at more states than [`Scanner::safe_chars`] does, and keeps
    /// what is found for all states on the way.
    pub(crate) fn find_safe_chars_around(&self, id: ScanId) {
        if self.scans.memo(id.0).safe_chars.get().is_some() || self.free(id).is_endless() {
            return;
        }
        let (safe_chars, seen) = self.find_safe_chars(id, SURROUNDINGS);
        for (state, ahead) in seen {
            let reach = match safe_chars.reach {
                u32::MAX => u32::MAX,
                reach => reach.saturating_sub(ahead),
            };
            if reach >= AHEAD || ahead == 0 {
                let stays = self.turns(state).stays;
                let memo = &self.scans.memo(state.0).safe_chars;
                memo.get_or_init(|| SafeChars {
                    stays,
                    reach,
                    ..safe_chars
                });
            }
        }
    }

    /// At least the bytes of a shortest rest after any text that may begin like that; `None` if
    /// there are too many states to look at.
    pub(crate) fn longest_rest(&self, id: ScanId) -> Option<u32> {
        let rest = self.longest_rest_outside_computed(id)?;
        (rest.to_computed == CharBlocks::default()).then_some(rest.bytes)
    }

    /// The same of texts that do not lead into a computed language.
    pub(crate) fn longest_rest_outside_computed(&self, id: ScanId) -> Option<LongestRest> {
        let memo = &self.scans.memo(id.0).longest_rest;
        *memo.get_or_init(|| self.find_longest_rest(id))
    }

    fn find_longest_rest(&self, id: ScanId) -> Option<LongestRest> {
        let (free, language) = (self.free(id), self.scan(id).language);
        let outside = |bytes| LongestRest {
            bytes,
            to_computed: CharBlocks::default(),
        };
        if free.is_endless() && self.regexes.alphabet(language).is_in(free.characters) {
            return Some(outside(free.rest));
        }
        let ranges = match self.regexes.leads_to_computed(language) {
            false => {
                // What shows at a glance may be more than what a search finds.
                let rest = self.regexes.longest_rest(language);
                if let Some(rest) = rest.filter(|&rest| rest <= SHORT_REST) {
                    return Some(outside(rest));
                }
                RANGES
            }
            true if self.is_computed(id) => return None,
            // Names beyond ASCII have too many states.
            true if self.moves(id).len() > MANY_RANGES => return None,
            true => RANGES_TO_COMPUTED,
        };
        let mut seen = FxHashSet::from_iter([id]);
        let mut open = vec![id];
        let mut found = outside(0);
        let mut effort = Effort::new(self, SURROUNDINGS, ranges);
        while let Some(state) = open.pop() {
            let language = self.scan(state).language;
            if seen.len() > SURROUNDINGS || !effort.spend(state) {
                return None;
            }
            found.bytes = found.bytes.max(self.regexes.cost(language, Spelling::Json));
            for &(to, characters) in &self.turns(state).around {
                if self.is_computed(to) {
                    found.to_computed = found.to_computed.or(characters);
                } else if seen.insert(to) {
                    open.push(to);
                }
            }
        }
        (found.bytes < NO_WAY).then_some(found)
    }

    /// The states that characters lead to, each with all characters that do, and some more.
    pub(super) fn around(&self, id: ScanId) -> &[(ScanId, CharBlocks)] {
        &self.turns(id).around
    }

    fn turns(&self, id: ScanId) -> &Turns {
        self.scans.memo(id.0).turns.get_or_init(|| {
            let moves = self.moves(id);
            work::spend(2 * moves.len());
            let mut around: Vec<(ScanId, CharBlocks)> = Vec::new();
            for step in moves {
                work::spend(around.len() / 8);
                let range = CharBlocks::around(step.lo, step.hi);
                match around.iter_mut().find(|(to, _)| *to == step.to) {
                    Some((_, blocks)) => *blocks = blocks.or(range),
                    None => around.push((step.to, range)),
                }
            }
            let range = |step: &ScanMove| (step.lo, step.hi);
            let home = moves.iter().filter(|step| step.to == id);
            Turns {
                around: around.into(),
                live: CharBlocks::within(moves.iter().map(range)),
                stays: CharBlocks::within(home.map(range)),
            }
        })
    }

    /// Which characters are safe, as far as so many states show, and those states with how many characters
    /// lead to them.
    fn find_safe_chars(&self, id: ScanId, most: usize) -> (SafeChars, FxHashMap<ScanId, u32>) {
        let mut seen = FxHashMap::default();
        let is_computed = |state: ScanId| self.regexes.is_computed(self.scan(state).language);
        if is_computed(id) {
            return (SafeChars::default(), seen);
        }
        seen.insert(id, 0);
        let stays = self.turns(id).stays;
        let mut safe_for = self.turns(id).live;
        let free = self.free(id);
        if free.is_endless() && safe_for.is_in(free.characters) {
            // Nothing more can be found.
            return (
                SafeChars {
                    stays,
                    ..SafeChars::default()
                },
                seen,
            );
        }
        // The states at so many characters, each with those that lead to it from the level before.
        let mut level = vec![(id, CharBlocks::default())];
        let mut reach = 0;
        let mut effort = Effort::new(self, most, RANGES);
        while reach < AHEAD || most > NEIGHBOURS {
            if !level.iter().all(|&(state, _)| effort.spend(state)) {
                break;
            }
            let mut fewer = safe_for;
            level.retain(|&(state, by)| {
                let (inside, outside) = (fewer.and(self.turns(state).live), fewer.without(by));
                // A character after which few others are safe, such as a backslash, is better not
                // safe itself.
                let is_kept = inside.size() >= outside.size();
                fewer = if is_kept { inside } else { outside };
                if !is_kept {
                    seen.remove(&state);
                }
                is_kept
            });
            // What is farther than tokens usually go must not spoil what is near.
            if fewer == CharBlocks::default() || reach >= AHEAD && fewer != safe_for {
                break;
            }
            safe_for = fewer;
            reach += 1;
            let mut next: Vec<(ScanId, CharBlocks)> = Vec::new();
            for &(state, _) in &level {
                for &(to, around) in &self.turns(state).around {
                    if safe_for.misses(around) {
                        continue;
                    }
                    work::spend(next.len() / 8);
                    if let Some((_, by)) = next.iter_mut().find(|(known, _)| *known == to) {
                        *by = by.or(around);
                    } else if let Entry::Vacant(new) = seen.entry(to) {
                        new.insert(reach);
                        next.push((to, around));
                    }
                }
            }
            if next.is_empty() {
                reach = u32::MAX;
                break;
            }
            if seen.len() > most || next.iter().any(|&(state, _)| is_computed(state)) {
                break;
            }
            level = next;
        }
        let safe_chars = SafeChars {
            stays,
            safe_for,
            reach,
        };
        (safe_chars, seen)
    }

    fn compute_moves(&self, id: ScanId) -> Box<[ScanMove]> {
        let scan = self.scan(id);
        let language = self.regexes.pieces(scan.language);
        work::spend(4 + language.len());
        if scan.queries.is_empty() {
            let live = language.iter().filter(|p| self.regexes.is_live(p.to));
            let moves = live.map(|p| ScanMove {
                lo: p.lo,
                hi: p.hi,
                to: self.state(p.to, Box::new([])),
            });
            return moves.collect();
        }
        let maps: Vec<&[Piece]> = scan
            .queries
            .iter()
            .map(|&a| self.regexes.pieces(a))
            .collect();
        let mut out = Vec::new();
        for piece in language.iter().filter(|p| self.regexes.is_live(p.to)) {
            let mut lo = piece.lo;
            while lo <= piece.hi {
                work::spend(1 + maps.len());
                let hi = maps.iter().map(|map| last_alike(map, lo)).min();
                let hi = hi.unwrap_or(piece.hi).min(piece.hi);
                let queries = maps.iter().map(|map| pieces::find(map, lo)).collect();
                out.push(ScanMove {
                    lo,
                    hi,
                    to: self.state(piece.to, queries),
                });
                lo = hi + 1;
            }
        }
        out.into()
    }

    fn state(&self, language: NodeId, queries: Box<[NodeId]>) -> ScanId {
        ScanId(self.scans.intern(Scan { language, queries }))
    }
}

/// The last character that the map treats as it treats `c`, without a gap.
fn last_alike(map: &[Piece], c: u32) -> u32 {
    let i = map.partition_point(|p| p.hi < c);
    match map.get(i) {
        Some(piece) if piece.lo <= c => piece.hi,
        Some(piece) => piece.lo - 1,
        None => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::regex::{lower, parse};

    const CHARACTERS: &str = r"ab'\é";

    fn pattern() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a",
            "b",
            r"[^'\\]",
            r"(?:[^'\\]|\\['\\])",
            r"\\['b]",
            "[ab]",
            "é",
            "'",
        ]);
        leaf.prop_map(str::to_owned)
            .prop_recursive(3, 12, 3, |part| {
                prop_oneof![
                    prop::collection::vec(part.clone(), 1..4).prop_map(|parts| parts.concat()),
                    prop::collection::vec(part.clone(), 2..4)
                        .prop_map(|parts| format!("(?:{})", parts.join("|"))),
                    (
                        part,
                        prop::sample::select(vec!["*", "+", "?", "{2,5}", "{0,40}"])
                    )
                        .prop_map(|(body, times)| format!("(?:{body}){times}")),
                ]
            })
    }

    /// Whether all texts of these characters, of exactly so many, lead to some state.
    fn all_lead_on(scanner: &Scanner, start: ScanId, characters: &[char], length: u32) -> bool {
        let mut level = vec![start];
        for _ in 0..length {
            let mut next = Vec::new();
            for &state in &level {
                for &c in characters {
                    match scanner.step(state, c.into()) {
                        Some(to) => next.push(to),
                        None => return false,
                    }
                }
            }
            next.sort_unstable();
            next.dedup();
            level = next;
        }
        true
    }

    proptest! {
        #[test]
        fn texts_of_safe_characters_lead_on(pattern in pattern(), around in any::<bool>()) {
            let scanner = Scanner::new(JsonSpelling::Plain);
            let ast = parse(&pattern, &Limits::default()).unwrap();
            let language = lower::full(&ast, &scanner.regexes).unwrap();
            let mut states = Vec::from_iter(scanner.start(language, Box::new([])));
            let mut done = 0;
            while done < states.len().min(30) {
                let state = states[done];
                done += 1;
                if around {
                    scanner.find_safe_chars_around(state);
                }
                let next = CHARACTERS.chars().filter_map(|c| scanner.step(state, c.into()));
                for to in next {
                    if !states.contains(&to) {
                        states.push(to);
                    }
                }
                for subset in 1..1_usize << CHARACTERS.chars().count() {
                    let chosen = CHARACTERS.chars().enumerate();
                    let chosen = chosen.filter(|(i, _)| subset >> i & 1 == 1).map(|(_, c)| c);
                    let chosen: Vec<char> = chosen.collect();
                    let all = chosen.iter().map(|&c| CharBlocks::of(c.into()));
                    let all = all.fold(CharBlocks::default(), CharBlocks::or);
                    for length in [1, 2, 3, 6, 30, 60] {
                        prop_assert!(
                            !scanner.allows(state, all, length)
                                || all_lead_on(&scanner, state, &chosen, length),
                            "{} {:?} {}", pattern, chosen, length
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn characters_that_few_others_follow_are_not_safe() {
        let scanner = Scanner::new(JsonSpelling::Plain);
        let ast = parse(r"(?:[^'\\]|\\['\\n]){10,2000}", &Limits::default()).unwrap();
        let language = lower::full(&ast, &scanner.regexes).unwrap();
        let start = scanner.start(language, Box::new([])).unwrap();
        let letters = CharBlocks::around(0x61, 0x7A);
        assert!(scanner.allows(start, letters, 20));
        assert!(!scanner.allows(start, letters.or(CharBlocks::of(0x5C)), 20));
    }
}
