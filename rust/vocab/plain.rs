//! The characters of tokens as plain text, below each node of the trie.

use rustc_hash::FxHashMap;

use crate::json::spelling::{Partial, Taken};
use crate::regex::sketch::Sketch;
use crate::vocab::Trie;

/// For each node of a trie, what its subtree adds; a character is added where it ends.
#[derive(Debug)]
pub(crate) struct Plain {
    /// Indices of `kinds`.
    nodes: Box<[u32]>,
    kinds: Box<[Option<Below>]>,
}

/// The characters of a subtree, and how many at most follow each other; one that is only begun
/// counts as all that it can become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Below {
    pub(crate) characters: Sketch,
    pub(crate) height: u32,
}

impl Plain {
    pub(super) fn new(trie: &Trie) -> Self {
        let count = trie.len() as usize;
        let partials = Self::partials(trie);
        // From the leaves up; `None` where some bytes are no text.
        let mut below: Vec<Option<Below>> = vec![Some(Below::default()); count];
        let mut parents = vec![u32::MAX; count];
        let mut path: Vec<u32> = Vec::new();
        for node in 0..count as u32 {
            path.truncate(usize::from(trie.node(node).depth) - 1);
            if let Some(&parent) = path.last() {
                parents[node as usize] = parent;
            }
            path.push(node);
        }
        for node in (0..count).rev() {
            let Some(parent) = below.get(parents[node] as usize).copied() else {
                continue;
            };
            let added = match partials[node] {
                Some((Partial::Nothing, c)) => Some((Sketch::of(c), 1)),
                // Where it ends, it counts; where it goes on, its subtree says what it becomes.
                Some((partial, _)) if !trie.tokens_at(node as u32).is_empty() => {
                    let ranges = partial.ranges();
                    let all = ranges.fold(Sketch::default(), |all, (lo, hi)| {
                        all.or(Sketch::around(lo, hi))
                    });
                    Some((all, 1))
                }
                Some(_) => Some((Sketch::default(), 0)),
                None => None,
            };
            let joined = match (parent, added, below[node]) {
                (Some(known), Some((own, length)), Some(inner)) => Some(Below {
                    characters: known.characters.or(own).or(inner.characters),
                    height: known.height.max(inner.height + length),
                }),
                _ => None,
            };
            below[parents[node] as usize] = joined;
        }
        let mut kinds = vec![None];
        let mut index: FxHashMap<(Sketch, u32), u32> = FxHashMap::default();
        let nothing = kinds.len() as u32;
        kinds.push(Some(Below::default()));
        let nodes = below.iter().map(|below| match below {
            None => 0,
            Some(below) if below.height == 0 => nothing,
            Some(below) => *index
                .entry((below.characters, below.height))
                .or_insert_with(|| {
                    kinds.push(Some(*below));
                    kinds.len() as u32 - 1
                }),
        });
        let nodes = nodes.collect();
        Plain {
            nodes,
            kinds: kinds.into(),
        }
    }

    /// What has been read of a character at each node, and the character that it ends, if it does;
    /// `None` where the bytes are no text.
    fn partials(trie: &Trie) -> Vec<Option<(Partial, u32)>> {
        let mut out: Vec<Option<(Partial, u32)>> = Vec::with_capacity(trie.len() as usize);
        let mut path: Vec<u32> = Vec::new();
        for node in 0..trie.len() {
            let at = trie.node(node);
            path.truncate(usize::from(at.depth) - 1);
            let before = match path.last() {
                Some(&parent) => out[parent as usize].map(|(partial, _)| partial),
                None => Some(Partial::Nothing),
            };
            out.push(before.and_then(|partial| match partial.take_raw(at.byte) {
                Taken::Char(c) => Some((Partial::Nothing, c)),
                Taken::Partial(partial) => Some((partial, 0)),
                Taken::Close | Taken::Refused => None,
            }));
            path.push(node);
        }
        out
    }

    /// What the subtree of a node adds to it; `None` if some of it is no text.
    pub(crate) fn below(&self, node: u32) -> Option<&Below> {
        self.kinds[self.nodes[node as usize] as usize].as_ref()
    }
}
