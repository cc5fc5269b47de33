//! Left recursion, and how it becomes repetition.
//!
//! A rule that begins with itself, `A: A x | y`, holds the texts `y x*`. Rules that begin with each
//! other make a system of such equations, which is solved as one. What comes before may be empty,
//! so nothing here looks at how a rule is written: only at which symbols its texts can begin with.

use rustc_hash::FxHashMap;

use crate::error::{Error, ErrorKind};
use crate::regex::node::{Node, NodeId, UNBOUNDED, symbol_of};
use crate::regex::regexes::Regexes;
use crate::work;

/// Rules that begin with each other; more would make expressions too large.
const MOST_TOGETHER: usize = 12;

/// A language without its empty text, by what its texts begin with.
#[derive(Clone, Debug)]
struct Split {
    /// What follows each of some symbols.
    after: FxHashMap<u32, NodeId>,
    /// Texts that begin with none of them.
    rest: NodeId,
}

/// The languages of rules without their empty texts, and such that no rule begins with itself.
///
/// `bodies` are pairs of a symbol and its language.
pub(super) fn without_left_recursion(
    bodies: &[(u32, NodeId)],
    nodes: &Regexes,
    most_nodes: usize,
) -> Result<Vec<NodeId>, Error> {
    let index: FxHashMap<u32, usize> = bodies.iter().map(|b| b.0).zip(0..).collect();
    let begins_with: Vec<Vec<usize>> = bodies
        .iter()
        .map(|&(_, body)| {
            let pieces = nodes.pieces(body).iter();
            let symbols = pieces.filter_map(|piece| symbol_of(piece.lo));
            symbols.filter_map(|s| index.get(&s).copied()).collect()
        })
        .collect();
    let mut out: Vec<NodeId> = bodies
        .iter()
        .map(|&(_, body)| filled(body, nodes))
        .collect();
    for group in circles(&begins_with) {
        let alone = group.len() == 1 && !begins_with[group[0]].contains(&group[0]);
        if alone {
            continue;
        }
        if group.len() > MOST_TOGETHER {
            return Err(too_much());
        }
        let symbols: Vec<u32> = group.iter().map(|&i| bodies[i].0).collect();
        let splits: Vec<Split> = group
            .iter()
            .map(|&i| split(bodies[i].1, nodes, &|symbol| symbols.contains(&symbol)))
            .collect();
        // onward[i][k]: what may follow a text of rule i to make it one of rule k.
        let onward = |i: usize, k: usize| splits[k].after.get(&symbols[i]).copied();
        let paths = closure(group.len(), onward, nodes, most_nodes)?;
        for (goal, &of) in group.iter().enumerate() {
            let ways = (0..group.len()).map(|i| nodes.concat(splits[i].rest, paths[i][goal]));
            out[of] = nodes.or(ways.collect());
        }
    }
    Ok(out)
}

fn too_much() -> Error {
    let message = "rules begin with each other in more ways than can be followed";
    Error::new(ErrorKind::Limit, message)
}

/// All paths from each place to each, as languages; that from a place to itself may be empty.
fn closure(
    count: usize,
    edge: impl Fn(usize, usize) -> Option<NodeId>,
    nodes: &Regexes,
    most_nodes: usize,
) -> Result<Vec<Vec<NodeId>>, Error> {
    let begun = nodes.len();
    let row = |i| {
        (0..count)
            .map(|k| edge(i, k).unwrap_or(NodeId::NEVER))
            .collect()
    };
    let mut paths: Vec<Vec<NodeId>> = (0..count).map(row).collect();
    for via in 0..count {
        let around = nodes.repeat(paths[via][via], 0, UNBOUNDED);
        let before = paths.clone();
        for (i, row) in paths.iter_mut().enumerate() {
            let there = nodes.concat(before[i][via], around);
            for (k, path) in row.iter_mut().enumerate() {
                let detour = nodes.concat(there, before[via][k]);
                *path = nodes.or(vec![before[i][k], detour]);
            }
        }
        if nodes.len() - begun > most_nodes {
            return Err(too_much());
        }
    }
    for (i, row) in paths.iter_mut().enumerate() {
        row[i] = nodes.or(vec![row[i], NodeId::EMPTY]);
    }
    Ok(paths)
}

/// A language without its empty text.
pub(super) fn filled(id: NodeId, nodes: &Regexes) -> NodeId {
    if !nodes.nullable(id) {
        return id;
    }
    split(id, nodes, &|_| false).rest
}

fn split(mut id: NodeId, nodes: &Regexes, wanted: &dyn Fn(u32) -> bool) -> Split {
    let mut out = Split {
        after: FxHashMap::default(),
        rest: NodeId::NEVER,
    };
    // A chain's parts may each be empty; the chain may be long.
    while let Node::Concat(a, b) = *nodes.node(id) {
        let first = split(a, nodes, wanted);
        out.add(first, b, nodes);
        if !nodes.nullable(a) {
            return out;
        }
        id = b;
    }
    match *nodes.node(id) {
        Node::Empty | Node::Never => {}
        Node::Symbol(symbol) if wanted(symbol) => out.follow(symbol, NodeId::EMPTY, nodes),
        Node::Or(ref parts) => {
            for &part in parts {
                out.add(split(part, nodes, wanted), NodeId::EMPTY, nodes);
            }
        }
        Node::Repeat { body, min, max } => {
            let max = if max == UNBOUNDED { max } else { max - 1 };
            let rest = nodes.repeat(body, min.saturating_sub(1), max);
            out.add(split(body, nodes, wanted), rest, nodes);
        }
        _ => {
            let filled = if nodes.nullable(id) {
                let any = nodes.repeat(NodeId::CHAR, 1, UNBOUNDED);
                nodes.and(vec![id, any])
            } else {
                id
            };
            out.rest = nodes.or(vec![out.rest, filled]);
        }
    }
    out
}

impl Split {
    fn follow(&mut self, symbol: u32, rest: NodeId, nodes: &Regexes) {
        let known = self.after.entry(symbol).or_insert(NodeId::NEVER);
        *known = nodes.or(vec![*known, rest]);
    }

    /// Adds the texts of another split, each with a text of `next` behind it.
    fn add(&mut self, other: Split, next: NodeId, nodes: &Regexes) {
        for (symbol, rest) in other.after {
            self.follow(symbol, nodes.concat(rest, next), nodes);
        }
        self.rest = nodes.or(vec![self.rest, nodes.concat(other.rest, next)]);
    }
}

/// Groups of places each of which leads to all others of its group, the places alone included;
/// a group comes after those that it leads to.
pub(super) fn circles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let mut number = vec![NEW; edges.len()];
    let mut lowest = vec![NEW; edges.len()];
    let mut held = vec![false; edges.len()];
    let (mut stack, mut groups, mut count) = (Vec::new(), Vec::new(), 0);
    for root in 0..edges.len() {
        // The place, and which of its edges comes next.
        let mut path = vec![(root, 0)];
        while let Some(&mut (at, ref mut next)) = path.last_mut() {
            work::spend(2);
            if *next == 0 {
                if number[at] != NEW {
                    path.pop();
                    continue;
                }
                number[at] = count;
                lowest[at] = count;
                count += 1;
                stack.push(at);
                held[at] = true;
            } else {
                let to = edges[at][*next - 1];
                if held[to] {
                    lowest[at] = lowest[at].min(lowest[to]);
                }
            }
            *next += 1;
            match edges[at].get(*next - 1) {
                Some(&to) if number[to] == NEW => path.push((to, 0)),
                Some(_) => {}
                None => {
                    path.pop();
                    if lowest[at] == number[at] {
                        let from = stack.iter().rposition(|&place| place == at);
                        let group = stack.split_off(from.expect("it was put there"));
                        group.iter().for_each(|&place| held[place] = false);
                        groups.push(group);
                    }
                }
            }
        }
    }
    groups
}
