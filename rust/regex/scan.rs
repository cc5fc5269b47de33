//! Reading a scalar: one language that the text must be in, and others that are asked about.
//!
//! States are pruned: a character is in the table only if the text can still be finished.

use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::intern::Interner;
use crate::regex::cost::NO_WAY;
use crate::regex::facts::Free;
use crate::regex::node::{Node, NodeId, SYMBOLS, Spelling, symbol_of};
use crate::regex::pieces::{self, Piece};
use crate::regex::regexes::Regexes;
use crate::regex::sketch::Sketch;
use crate::spelling::JsonSpelling;
use crate::work;

/// What looking around may cost: where states are large or hard to make, walking is cheaper.
struct Effort<'a> {
    scanner: &'a Scanner,
    begun: usize,
    ranges: usize,
    /// Nodes and states that may be made.
    most: usize,
}

impl<'a> Effort<'a> {
    const RANGES: usize = 400;

    /// For what so many states show.
    fn new(scanner: &'a Scanner, states: usize) -> Self {
        Effort {
            scanner,
            begun: scanner.len(),
            ranges: 0,
            most: 4 * states,
        }
    }

    /// Looks at the moves of a state; whether that was not too much.
    fn spend(&mut self, state: ScanId) -> bool {
        let ranges = self.scanner.moves(state).len();
        work::spend(1 + ranges);
        self.ranges += ranges;
        self.ranges <= Self::RANGES && self.scanner.len() - self.begun <= self.most
    }
}

/// A state of reading: an index into [`Scanner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ScanId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scan {
    pub(crate) must: NodeId,
    /// Languages whose verdict whoever waits for the text wants to know.
    pub(crate) asks: Box<[NodeId]>,
}

#[derive(Debug, Default)]
struct Memo {
    moves: OnceLock<Moves>,
    can_end: OnceLock<bool>,
    turns: OnceLock<Turns>,
    longest_rest: OnceLock<Option<u32>>,
    calm: OnceLock<Calm>,
}

/// The moves of a state, by where they lead.
#[derive(Debug)]
struct Turns {
    /// All characters that lead to a state, and some more.
    around: Box<[(ScanId, Sketch)]>,
    /// Characters that lead anywhere; none that does not.
    live: Sketch,
    /// Those that lead back to the state.
    stays: Sketch,
}

/// Characters that need not be looked at one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calm {
    /// They lead back to the state.
    stays: Sketch,
    /// Any text of them, of at most `reach` characters, leads to some state.
    roams: Sketch,
    reach: u32,
}

impl Calm {
    /// Whether all texts of these characters, of at most so many, lead to some state.
    pub(crate) fn allows(&self, characters: Sketch, length: u32) -> bool {
        characters.is_in(self.stays) || length <= self.reach && characters.is_in(self.roams)
    }
}

/// States that are looked at to find what is calm.
const NEIGHBOURS: usize = 48;
/// The same where many states share what is found.
const SURROUNDINGS: usize = 512;
/// A rest of so many bytes is not worth a search for a shorter one.
const SHORT_REST: u32 = 64;
/// Characters that are looked ahead.
const AHEAD: u32 = 24;

/// The moves of a state.
#[derive(Debug)]
pub(crate) struct Moves {
    /// By characters, then by symbols.
    all: Box<[Move]>,
    /// How many of them are by characters.
    characters: usize,
    /// Where each ASCII character leads; [`NOWHERE`] if nowhere.
    ascii: Box<[u32; 128]>,
}

impl Moves {
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
pub(crate) struct Move {
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
    scans: Interner<Scan, Memo>,
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

    /// The state before the first character; `None` if no text is in `must`.
    pub(crate) fn start(&self, must: NodeId, asks: Box<[NodeId]>) -> Option<ScanId> {
        self.regexes
            .is_live(must)
            .then(|| ScanId(self.scans.intern(Scan { must, asks })))
    }

    pub(crate) fn scan(&self, id: ScanId) -> &Scan {
        self.scans.get(id.0)
    }

    /// Whether the text may end here.
    pub(crate) fn can_end(&self, id: ScanId) -> bool {
        let memo = &self.scans.memo(id.0).can_end;
        *memo.get_or_init(|| self.regexes.nullable(self.scan(id).must))
    }

    /// The moves with which the text can still be finished, by rising character.
    pub(crate) fn moves(&self, id: ScanId) -> &[Move] {
        let moves = self.all_moves(id);
        &moves.all[..moves.characters]
    }

    /// Where symbols lead.
    pub(crate) fn symbols(&self, id: ScanId) -> impl Iterator<Item = (u32, ScanId)> {
        let moves = self.all_moves(id);
        let symbols = moves.all[moves.characters..].iter();
        symbols.filter_map(|step| Some((symbol_of(step.lo)?, step.to)))
    }

    fn all_moves(&self, id: ScanId) -> &Moves {
        self.scans.memo(id.0).moves.get_or_init(|| {
            let all = self.compute_moves(id);
            work::hold(size_of_val(&*all) + size_of::<[u32; 128]>());
            let mut ascii = Box::new([NOWHERE; 128]);
            for step in all.iter().take_while(|step| step.lo < 128) {
                ascii[step.lo as usize..=step.hi.min(127) as usize].fill(step.to.0);
            }
            let characters = all.partition_point(|step| step.lo < SYMBOLS);
            Moves {
                all,
                characters,
                ascii,
            }
        })
    }

    /// Whether a state is hard to make.
    pub(crate) fn is_told(&self, id: ScanId) -> bool {
        self.regexes.is_told(self.scan(id).must)
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
    pub(crate) fn all_moves_unless_told(&self, id: ScanId) -> Option<&Moves> {
        let known = self.known_moves(id);
        known.or_else(|| (!self.is_told(id)).then(|| self.all_moves(id)))
    }

    /// Where `c` leads, if anywhere.
    pub(crate) fn step(&self, id: ScanId, c: u32) -> Option<ScanId> {
        match self.all_moves_unless_told(id) {
            Some(moves) => moves.to(c),
            // Not all moves, where each would make a state and most are never taken.
            None => self.step_once(id, c),
        }
    }

    /// The moves of a state, if they have been made.
    pub(crate) fn known_moves(&self, id: ScanId) -> Option<&Moves> {
        self.scans.memo(id.0).moves.get()
    }

    /// As [`Scanner::step`], without making other moves.
    pub(crate) fn step_once(&self, id: ScanId, c: u32) -> Option<ScanId> {
        let scan = self.scan(id);
        let must = self.regexes.step_once(scan.must, c);
        let asks = scan.asks.iter().map(|&ask| self.regexes.step_once(ask, c));
        let live = self.regexes.is_live(must);
        live.then(|| self.state(must, asks.collect()))
    }

    /// Whether some character of `lo..=hi` leads anywhere.
    pub(crate) fn can_step(&self, id: ScanId, lo: u32, hi: u32) -> bool {
        let moves = self.moves(id);
        let i = moves.partition_point(|m| m.hi < lo);
        moves.get(i).is_some_and(|m| m.lo <= hi)
    }

    /// Whether nothing but its length is asked of the text.
    pub(crate) fn is_length_only(&self, id: ScanId) -> bool {
        let scan = self.scan(id);
        let body = match *self.regexes.node(scan.must) {
            Node::Repeat { body, .. } => body,
            _ => scan.must,
        };
        scan.asks.is_empty() && matches!(body, NodeId::CHAR | NodeId::EMPTY)
    }

    /// Characters that lead back to the state.
    pub(crate) fn stays(&self, id: ScanId) -> Sketch {
        match self.is_told(id) {
            true => Sketch::default(),
            false => self.turns(id).stays,
        }
    }

    /// What need not be looked at character by character.
    pub(crate) fn calm(&self, id: ScanId) -> &Calm {
        let memo = &self.scans.memo(id.0).calm;
        memo.get_or_init(|| self.find_calm(id, NEIGHBOURS).0)
    }

    /// Characters any text of which leads to some state, as is seen without making states.
    pub(crate) fn free(&self, id: ScanId) -> Free {
        self.regexes.free(self.scan(id).must)
    }

    /// Whether all texts of these characters, of at most so many, lead to some state.
    pub(crate) fn allows(&self, id: ScanId, characters: Sketch, length: u32) -> bool {
        self.free(id).allows(characters, length) || self.calm(id).allows(characters, length)
    }

    /// Looks farther than [`Scanner::calm`], for all states on the way.
    pub(crate) fn find_calm_around(&self, id: ScanId) {
        if self.scans.memo(id.0).calm.get().is_some() || self.free(id).is_endless() {
            return;
        }
        let (calm, seen) = self.find_calm(id, SURROUNDINGS);
        for (state, ahead) in seen {
            let reach = match calm.reach {
                u32::MAX => u32::MAX,
                reach => reach.saturating_sub(ahead),
            };
            if reach >= AHEAD || ahead == 0 {
                let stays = self.turns(state).stays;
                let memo = &self.scans.memo(state.0).calm;
                memo.get_or_init(|| Calm {
                    stays,
                    reach,
                    ..calm
                });
            }
        }
    }

    /// At least the bytes of a shortest rest after any text that may begin like that; `None` if
    /// there are too many states to look at.
    pub(crate) fn longest_rest(&self, id: ScanId) -> Option<u32> {
        *self.scans.memo(id.0).longest_rest.get_or_init(|| {
            let (free, must) = (self.free(id), self.scan(id).must);
            if free.is_endless() && self.regexes.alphabet(must).is_in(free.characters) {
                return Some(free.rest);
            }
            if self.regexes.leads_to_told(must) {
                return None;
            }
            // What shows at a glance may be more than what a search finds.
            let rest = self.regexes.longest_rest(must);
            if let Some(rest) = rest.filter(|&rest| rest <= SHORT_REST) {
                return Some(rest);
            }
            let mut seen = FxHashSet::from_iter([id]);
            let mut open = vec![id];
            let mut most = 0;
            let mut effort = Effort::new(self, SURROUNDINGS);
            while let Some(state) = open.pop() {
                let must = self.scan(state).must;
                if seen.len() > SURROUNDINGS || !effort.spend(state) {
                    return None;
                }
                most = most.max(self.regexes.cost(must, Spelling::Json));
                let around = self.turns(state).around.iter();
                open.extend(around.map(|turn| turn.0).filter(|&to| seen.insert(to)));
            }
            (most < NO_WAY).then_some(most)
        })
    }

    fn turns(&self, id: ScanId) -> &Turns {
        self.scans.memo(id.0).turns.get_or_init(|| {
            let moves = self.moves(id);
            work::spend(2 * moves.len());
            let mut around: Vec<(ScanId, Sketch)> = Vec::new();
            for step in moves {
                work::spend(around.len() / 8);
                let range = Sketch::around(step.lo, step.hi);
                match around.iter_mut().find(|(to, _)| *to == step.to) {
                    Some((_, sketch)) => *sketch = sketch.or(range),
                    None => around.push((step.to, range)),
                }
            }
            let range = |step: &Move| (step.lo, step.hi);
            let home = moves.iter().filter(|step| step.to == id);
            Turns {
                around: around.into(),
                live: Sketch::within(moves.iter().map(range)),
                stays: Sketch::within(home.map(range)),
            }
        })
    }

    /// What is calm, as far as so many states show, and those states with how many characters
    /// lead to them.
    fn find_calm(&self, id: ScanId, most: usize) -> (Calm, FxHashMap<ScanId, u32>) {
        let mut seen = FxHashMap::default();
        let is_told = |state: ScanId| self.regexes.is_told(self.scan(state).must);
        if is_told(id) {
            return (Calm::default(), seen);
        }
        seen.insert(id, 0);
        let stays = self.turns(id).stays;
        let mut roams = self.turns(id).live;
        let free = self.free(id);
        if free.is_endless() && roams.is_in(free.characters) {
            // Nothing more can be found.
            return (
                Calm {
                    stays,
                    ..Calm::default()
                },
                seen,
            );
        }
        let mut level = vec![id];
        let mut reach = 0;
        let mut effort = Effort::new(self, most);
        while reach < AHEAD || most > NEIGHBOURS {
            if !level.iter().all(|&state| effort.spend(state)) {
                break;
            }
            let fewer = level
                .iter()
                .fold(roams, |roams, &state| roams.and(self.turns(state).live));
            // What is farther than tokens usually go must not spoil what is near.
            if fewer == Sketch::default() || reach >= AHEAD && fewer != roams {
                break;
            }
            roams = fewer;
            reach += 1;
            let mut next = Vec::new();
            for &state in &level {
                for &(to, around) in &self.turns(state).around {
                    if !roams.misses(around) && !seen.contains_key(&to) {
                        seen.insert(to, reach);
                        next.push(to);
                    }
                }
            }
            if next.is_empty() {
                reach = u32::MAX;
                break;
            }
            if seen.len() > most || next.iter().any(|&state| is_told(state)) {
                break;
            }
            level = next;
        }
        let calm = Calm {
            stays,
            roams,
            reach,
        };
        (calm, seen)
    }

    fn compute_moves(&self, id: ScanId) -> Box<[Move]> {
        let scan = self.scan(id);
        let must = self.regexes.pieces(scan.must);
        work::spend(4 + must.len());
        if scan.asks.is_empty() {
            let live = must.iter().filter(|p| self.regexes.is_live(p.to));
            let moves = live.map(|p| Move {
                lo: p.lo,
                hi: p.hi,
                to: self.state(p.to, Box::new([])),
            });
            return moves.collect();
        }
        let maps: Vec<&[Piece]> = scan.asks.iter().map(|&a| self.regexes.pieces(a)).collect();
        let mut out = Vec::new();
        for piece in must.iter().filter(|p| self.regexes.is_live(p.to)) {
            let mut lo = piece.lo;
            while lo <= piece.hi {
                work::spend(1 + maps.len());
                let hi = maps.iter().map(|map| last_alike(map, lo)).min();
                let hi = hi.unwrap_or(piece.hi).min(piece.hi);
                let asks = maps.iter().map(|map| pieces::find(map, lo)).collect();
                out.push(Move {
                    lo,
                    hi,
                    to: self.state(piece.to, asks),
                });
                lo = hi + 1;
            }
        }
        out.into()
    }

    fn state(&self, must: NodeId, asks: Box<[NodeId]>) -> ScanId {
        ScanId(self.scans.intern(Scan { must, asks }))
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
