//! Partial maps from code points to nodes, as sorted ranges, and the operations on them.

use rustc_hash::FxHashMap;

use crate::regex::codeset::{CodeSet, SCALARS};
use crate::regex::node::NodeId;
use crate::work;

/// All characters `lo..=hi` lead to `to`, which is never `NodeId::NEVER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    pub(crate) to: NodeId,
}

pub(crate) fn of_class(set: &CodeSet, to: NodeId) -> Vec<Piece> {
    set.ranges()
        .iter()
        .map(|&(lo, hi)| Piece { lo, hi, to })
        .collect()
}

/// Where `c` leads; `NEVER` if nowhere.
pub(crate) fn find(pieces: &[Piece], c: u32) -> NodeId {
    let i = pieces.partition_point(|p| p.hi < c);
    match pieces.get(i) {
        Some(piece) if piece.lo <= c => piece.to,
        _ => NodeId::NEVER,
    }
}

fn push(out: &mut Vec<Piece>, piece: Piece) {
    if piece.to == NodeId::NEVER {
        return;
    }
    match out.last_mut() {
        Some(last) if last.to == piece.to && last.hi + 1 == piece.lo => last.hi = piece.hi,
        _ => out.push(piece),
    }
}

pub(crate) fn map(pieces: &[Piece], f: impl Fn(NodeId) -> NodeId) -> Vec<Piece> {
    work::spend(1 + pieces.len() / 4);
    let mut f = Once::new(|from: &[NodeId]| f(from[0]));
    let mut out = Vec::with_capacity(pieces.len());
    for &piece in pieces {
        let to = f.of(&[piece.to], out.len());
        push(&mut out, Piece { to, ..piece });
    }
    out
}

/// A function that is computed once for each argument: classes of Unicode have hundreds of ranges, but few
/// targets.
struct Once<F> {
    f: F,
    known: FxHashMap<Box<[NodeId]>, NodeId>,
    /// The last argument and its result: ranges that follow each other often alternate.
    last: Option<(Box<[NodeId]>, NodeId)>,
}

impl<F: Fn(&[NodeId]) -> NodeId> Once<F> {
    fn new(f: F) -> Self {
        Once {
            f,
            known: FxHashMap::default(),
            last: None,
        }
    }

    /// The result for the `n`-th range. The results of the first ranges are not kept: to compute
    /// them is as fast as to look them up.
    fn of(&mut self, from: &[NodeId], n: usize) -> NodeId {
        const FEW: usize = 12;
        if n < FEW {
            return (self.f)(from);
        }
        if let Some((last, to)) = &self.last
            && **last == *from
        {
            return *to;
        }
        let known = match self.known.get(from) {
            Some(&known) => known,
            None => {
                let to = (self.f)(from);
                self.known.insert(from.into(), to);
                to
            }
        };
        match &mut self.last {
            Some((last, to)) => {
                last.copy_from_slice(from);
                *to = known;
            }
            None => self.last = Some((from.into(), known)),
        }
        known
    }
}

/// Every character that some map knows, to `join` of where those maps send it.
pub(crate) fn union(maps: &[&[Piece]], join: impl Fn(&[NodeId]) -> NodeId) -> Vec<Piece> {
    /// More maps than this are merged by sorting the ends of their ranges.
    const FEW: usize = 8;
    if maps.len() > FEW {
        return union_of_many(maps, join);
    }
    // Maps that do not know a character send it to `NEVER`.
    let mut join = Once::new(|from: &[NodeId]| {
        let known = from.iter().copied().filter(|&to| to != NodeId::NEVER);
        join(&known.collect::<Vec<_>>())
    });
    let mut out = Vec::new();
    let mut at = [0_usize; FEW];
    let mut targets = [NodeId::NEVER; FEW];
    let targets = &mut targets[..maps.len()];
    let mut lo = 0;
    loop {
        work::spend(1 + maps.len() / 4);
        // Up to where all maps do the same as at `lo`.
        let mut next = u32::MAX;
        let mut is_known = false;
        for ((map, i), target) in maps.iter().zip(&mut at).zip(&mut *targets) {
            while map.get(*i).is_some_and(|piece| piece.hi < lo) {
                *i += 1;
            }
            *target = NodeId::NEVER;
            match map.get(*i) {
                Some(piece) if piece.lo <= lo => {
                    next = next.min(piece.hi + 1);
                    *target = piece.to;
                    is_known = true;
                }
                Some(piece) => next = next.min(piece.lo),
                None => {}
            }
        }
        if is_known {
            let to = join.of(targets, out.len());
            push(
                &mut out,
                Piece {
                    lo,
                    hi: next - 1,
                    to,
                },
            );
        } else if next == u32::MAX {
            return out;
        }
        lo = next;
    }
}

fn union_of_many(maps: &[&[Piece]], join: impl Fn(&[NodeId]) -> NodeId) -> Vec<Piece> {
    let mut events: Vec<(u32, bool, NodeId)> = Vec::new();
    for piece in maps.iter().flat_map(|m| m.iter()) {
        events.push((piece.lo, true, piece.to));
        events.push((piece.hi + 1, false, piece.to));
    }
    work::spend(events.len());
    events.sort_unstable();
    let mut out = Vec::new();
    let mut active: Vec<NodeId> = Vec::new();
    let mut i = 0;
    while i < events.len() {
        let at = events[i].0;
        while i < events.len() && events[i].0 == at {
            let (_, starts, to) = events[i];
            if starts {
                active.push(to);
            } else if let Some(k) = active.iter().position(|&a| a == to) {
                active.swap_remove(k);
            }
            i += 1;
        }
        if let (false, Some(&(next, ..))) = (active.is_empty(), events.get(i)) {
            work::spend(active.len());
            push(
                &mut out,
                Piece {
                    lo: at,
                    hi: next - 1,
                    to: join(&active),
                },
            );
        }
    }
    out
}

/// Every character that all maps know, to `join` of where they send it.
pub(crate) fn intersection(maps: &[&[Piece]], join: impl Fn(&[NodeId]) -> NodeId) -> Vec<Piece> {
    let mut join = Once::new(join);
    let mut out = Vec::new();
    let mut at = vec![0_usize; maps.len()];
    let mut targets = Vec::with_capacity(maps.len());
    loop {
        work::spend(1 + maps.len() / 4);
        let mut lo = 0;
        let mut hi = u32::MAX;
        for (map, &i) in maps.iter().zip(&at) {
            let Some(piece) = map.get(i) else { return out };
            lo = lo.max(piece.lo);
            hi = hi.min(piece.hi);
        }
        if lo <= hi {
            targets.clear();
            targets.extend(maps.iter().zip(&at).map(|(map, &i)| map[i].to));
            let to = join.of(&targets, out.len());
            push(&mut out, Piece { lo, hi, to });
        }
        for (map, i) in maps.iter().zip(&mut at) {
            if map[*i].hi == hi {
                *i += 1;
            }
        }
    }
}

/// Every character: where the map knows it, to `f` of its target, and elsewhere to `otherwise`.
pub(crate) fn complement(
    pieces: &[Piece],
    otherwise: NodeId,
    f: impl Fn(NodeId) -> NodeId,
) -> Vec<Piece> {
    work::spend(1 + pieces.len() / 4);
    let mut f = Once::new(|from: &[NodeId]| f(from[0]));
    let mut out = Vec::with_capacity(pieces.len() * 2 + 2);
    for (first, last) in SCALARS {
        let mut next = first;
        for &piece in pieces.iter().filter(|p| p.lo >= first && p.hi <= last) {
            if piece.lo > next {
                push(
                    &mut out,
                    Piece {
                        lo: next,
                        hi: piece.lo - 1,
                        to: otherwise,
                    },
                );
            }
            let to = f.of(&[piece.to], out.len());
            push(&mut out, Piece { to, ..piece });
            next = piece.hi + 1;
        }
        if next <= last {
            push(
                &mut out,
                Piece {
                    lo: next,
                    hi: last,
                    to: otherwise,
                },
            );
        }
    }
    out
}
