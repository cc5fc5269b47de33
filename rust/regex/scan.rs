//! Reading a scalar: one language that the text must be in, and others that are asked about.
//!
//! States are pruned: a character is in the table only if the text can still be finished.

use std::sync::OnceLock;

use crate::intern::Interner;
use crate::limits::Limits;
use crate::regex::node::{NodeId, Regexes};
use crate::regex::pieces::{self, Piece};

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
}

#[derive(Debug)]
struct Moves {
    all: Box<[Move]>,
    /// Where each ASCII character leads; [`NOWHERE`] if nowhere.
    ascii: Box<[u32; 128]>,
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
    scans: Interner<Scan, Memo>,
}

impl Scanner {
    pub(crate) fn new(limits: &Limits) -> Self {
        Scanner {
            regexes: Regexes::new(limits),
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
        self.regexes.nullable(self.scan(id).must)
    }

    /// The moves with which the text can still be finished, by rising character.
    pub(crate) fn moves(&self, id: ScanId) -> &[Move] {
        &self.all_moves(id).all
    }

    fn all_moves(&self, id: ScanId) -> &Moves {
        self.scans.memo(id.0).moves.get_or_init(|| {
            let all = self.compute_moves(id);
            let mut ascii = Box::new([NOWHERE; 128]);
            for step in all.iter().take_while(|step| step.lo < 128) {
                ascii[step.lo as usize..=step.hi.min(127) as usize].fill(step.to.0);
            }
            Moves { all, ascii }
        })
    }

    /// Where `c` leads, if anywhere.
    pub(crate) fn step(&self, id: ScanId, c: u32) -> Option<ScanId> {
        let scan = self.scan(id);
        // Not all moves, where each would make a state and most are never taken.
        if self.scans.memo(id.0).moves.get().is_none() && self.regexes.is_told(scan.must) {
            let must = self.regexes.step(scan.must, c);
            let asks = scan.asks.iter().map(|&ask| self.regexes.step(ask, c));
            let live = self.regexes.is_live(must);
            return live.then(|| self.state(must, asks.collect()));
        }
        let moves = self.all_moves(id);
        if let Some(&to) = moves.ascii.get(c as usize) {
            return (to != NOWHERE).then_some(ScanId(to));
        }
        let i = moves.all.partition_point(|m| m.hi < c);
        moves.all.get(i).filter(|m| m.lo <= c).map(|m| m.to)
    }

    /// Whether some character of `lo..=hi` leads anywhere.
    pub(crate) fn can_step(&self, id: ScanId, lo: u32, hi: u32) -> bool {
        let moves = self.moves(id);
        let i = moves.partition_point(|m| m.hi < lo);
        moves.get(i).is_some_and(|m| m.lo <= hi)
    }

    fn compute_moves(&self, id: ScanId) -> Box<[Move]> {
        let scan = self.scan(id);
        let must = self.regexes.pieces(scan.must);
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
