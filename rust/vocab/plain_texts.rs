//! The characters of tokens as plain text, below each node of the trie.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::regex::char_blocks::CharBlocks;
use crate::spelling::{Decoded, Partial};
use crate::vocab::trie::{Trie, TrieNodeId};

/// For each node of a trie, what its subtree adds; a character is added where it ends.
#[derive(Debug)]
pub(crate) struct PlainTexts {
    /// Indices of `kinds`.
    nodes: Box<[u32]>,
    kinds: Box<[Option<PlainSubtree>]>,
    /// Nodes whose tokens end inside a character, rising.
    unfinished: Box<[TrieNodeId]>,
}

/// The characters of a subtree, and how many at most follow each other; one that is only begun
/// counts as all that it can become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PlainSubtree {
    pub(crate) characters: CharBlocks,
    pub(crate) height: u32,
}

impl PlainTexts {
    pub(super) fn new(trie: &Trie) -> Self {
        let partials = Self::partials(trie);
        let mut kinds = Kinds::default();
        let mut nodes = vec![0; trie.root().index()];
        // From the leaves up: what is below the nodes on the way to the last one, by their depth.
        let mut path: Vec<Option<PlainSubtree>> = vec![Some(PlainSubtree::default())];
        for node in trie.nodes().rev() {
            let depth = usize::from(trie.node(node).depth);
            path.resize(path.len().max(depth + 1), Some(PlainSubtree::default()));
            let below = path[depth].replace(PlainSubtree::default());
            nodes[node.index()] = kinds.index(below);
            let added = match partials[node.index()] {
                Some((Partial::Nothing, c)) => Some((CharBlocks::of(c), 1)),
                // Where it ends, it counts; where it goes on, its subtree says what it becomes.
                Some((partial, _)) if !trie.items_at(node).is_empty() => {
                    let ranges = partial.ranges();
                    let all = ranges.fold(CharBlocks::default(), |all, (lo, hi)| {
                        all.or(CharBlocks::around(lo, hi))
                    });
                    Some((all, 1))
                }
                Some(_) => Some((CharBlocks::default(), 0)),
                None => None,
            };
            path[depth - 1] = match (path[depth - 1], added, below) {
                (Some(known), Some((own, length)), Some(inner)) => Some(PlainSubtree {
                    characters: known.characters.or(own).or(inner.characters),
                    height: known.height.max(inner.height + length),
                }),
                _ => None,
            };
        }
        let is_begun = |&node: &TrieNodeId| {
            let partial = partials[node.index()].map(|(partial, _)| partial);
            !trie.items_at(node).is_empty() && partial.is_some_and(|at| at != Partial::Nothing)
        };
        PlainTexts {
            nodes: nodes.into(),
            kinds: kinds.all.into(),
            unfinished: trie.nodes().filter(is_begun).collect(),
        }
    }

    /// What has been read of a character at each node, and the character that it ends, if it does;
    /// `None` where the bytes are no text.
    fn partials(trie: &Trie) -> Vec<Option<(Partial, u32)>> {
        let mut out: Vec<Option<(Partial, u32)>> = Vec::with_capacity(trie.root().index());
        let mut path: Vec<TrieNodeId> = Vec::new();
        for node in trie.nodes() {
            let at = trie.node(node);
            path.truncate(usize::from(at.depth) - 1);
            let before = match path.last() {
                Some(&parent) => out[parent.index()].map(|(partial, _)| partial),
                None => Some(Partial::Nothing),
            };
            out.push(
                before.and_then(|partial| match partial.decode_raw(at.byte) {
                    Decoded::Char(c) => Some((Partial::Nothing, c)),
                    Decoded::Partial(partial) => Some((partial, 0)),
                    Decoded::Close | Decoded::Refused => None,
                }),
            );
            path.push(node);
        }
        out
    }

    /// The nodes of a range whose tokens end inside a character.
    pub(crate) fn unfinished(&self, nodes: Range<TrieNodeId>) -> &[TrieNodeId] {
        let before = |end| self.unfinished.partition_point(|&node| node < end);
        &self.unfinished[before(nodes.start)..before(nodes.end)]
    }

    /// What the subtree of a node adds to it; `None` if some of it is no text.
    pub(crate) fn below(&self, node: TrieNodeId) -> Option<&PlainSubtree> {
        self.kinds[self.nodes[node.index()] as usize].as_ref()
    }
}

/// The kinds of subtrees, each once.
struct Kinds {
    all: Vec<Option<PlainSubtree>>,
    index: FxHashMap<PlainSubtree, u32>,
}

impl Default for Kinds {
    fn default() -> Self {
        Kinds {
            all: vec![None, Some(PlainSubtree::default())],
            index: FxHashMap::default(),
        }
    }
}

impl Kinds {
    fn index(&mut self, below: Option<PlainSubtree>) -> u32 {
        match below {
            None => 0,
            // Nothing is below the most.
            Some(below) if below == PlainSubtree::default() => 1,
            Some(below) => *self.index.entry(below).or_insert_with(|| {
                self.all.push(Some(below));
                self.all.len() as u32 - 1
            }),
        }
    }
}
