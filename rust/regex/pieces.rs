//! Partial maps from code points to nodes, as sorted ranges, and the operations on them.

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
    work::spend(pieces.len());
    let mut out = Vec::with_capacity(pieces.len());
    for &piece in pieces {
        push(
            &mut out,
            Piece {
                to: f(piece.to),
                ..piece
            },
        );
    }
    out
}

/// Every character that some map knows, to `join` of where those maps send it.
pub(crate) fn union(maps: &[&[Piece]], join: impl Fn(&[NodeId]) -> NodeId) -> Vec<Piece> {
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
    let mut out = Vec::new();
    let mut at = vec![0_usize; maps.len()];
    let mut targets = Vec::with_capacity(maps.len());
    loop {
        work::spend(maps.len());
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
            push(
                &mut out,
                Piece {
                    lo,
                    hi,
                    to: join(&targets),
                },
            );
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
    work::spend(pieces.len());
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
            push(
                &mut out,
                Piece {
                    to: f(piece.to),
                    ..piece
                },
            );
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
