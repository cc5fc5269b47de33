//! A prefix trie of the texts of tokens, character by character.

use std::ops::Range;

use crate::regex::char_blocks::CharBlocks;
use crate::spelling::Partial;
use crate::vocab::trie::ItemRange;
use crate::work;

/// A prefix trie of texts, in pre-order, with what helps to pass whole subtrees.
#[derive(Debug)]
pub(crate) struct Characters<I> {
    /// The nodes, then one that only marks the end.
    nodes: Box<[CharacterNode]>,
    /// The nodes of first characters, and those characters, rising.
    roots: Box<[(u32, u32)]>,
    /// For each node, the characters that its subtree adds to it.
    below: Box<[CharBlocks]>,
    /// The items that the texts belong to, in the order of the texts.
    items: Box<[I]>,
    /// What has been read of a last character.
    partials: Box<[Partial]>,
}

/// A node: one character, or the beginning of one, after its parent's text.
#[derive(Clone, Copy, Debug)]
struct CharacterNode {
    /// The character; from [`BEGUN`] on, the index of a partial.
    what: u32,
    /// The first node after this one's subtree.
    skip: u32,
    /// Where the items of this text begin; those of the whole subtree follow.
    first: u32,
    depth: u16,
    /// The most characters that the subtree adds.
    height: u16,
}

pub(super) const BEGUN: u32 = 1 << 31;

/// A node as [`Characters::visit`] shows it.
pub(super) struct VisitedNode<'a, I> {
    pub(super) index: u32,
    /// The character; from [`BEGUN`] on, the beginning of one.
    pub(super) what: u32,
    pub(super) depth: u16,
    /// The items of the node's own text.
    pub(super) items: &'a [I],
}

/// What a node's subtree adds to its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StringSubtree {
    pub(crate) characters: CharBlocks,
    /// The most characters.
    pub(crate) height: u32,
    pub(crate) nodes: u32,
}

/// What a walk of [`Characters`] finds in a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WalkVerdict<S> {
    /// Nothing in the subtree is wanted.
    Nothing,
    /// All of the subtree is.
    All,
    /// The text of the node itself is, and the walk goes on below.
    More(S),
}

impl<I: Copy + Ord> Characters<I> {
    /// The trie of texts, each given by its characters, by what has been read of one more, and by
    /// the item that it belongs to.
    pub(super) fn new(texts: Vec<(Vec<u32>, Partial, I)>) -> Self {
        let mut partials: Vec<Partial> = Vec::new();
        let mut index = |partial: Partial| match partials.iter().position(|&p| p == partial) {
            Some(i) => i as u32,
            None => {
                partials.push(partial);
                partials.len() as u32 - 1
            }
        };
        let mut texts: Vec<(Vec<u32>, I)> = texts
            .into_iter()
            .map(|(mut text, partial, item)| {
                if partial != Partial::Nothing {
                    text.push(BEGUN | index(partial));
                }
                (text, item)
            })
            .collect();
        texts.sort_unstable();
        let mut nodes = character_nodes(&texts);
        let below = find_below(&mut nodes, &partials);
        nodes.push(CharacterNode {
            what: 0,
            skip: nodes.len() as u32,
            first: texts.len() as u32,
            depth: 0,
            height: 0,
        });
        let mut roots = Vec::new();
        let mut root = 0;
        while root + 1 < nodes.len() {
            roots.push((nodes[root].what, root as u32));
            root = nodes[root].skip as usize;
        }
        Characters {
            roots: roots.into(),
            nodes: nodes.into(),
            below: below.into(),
            items: texts.into_iter().map(|text| text.1).collect(),
            partials: partials.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn items(&self, range: ItemRange) -> &[I] {
        range.of(&self.items)
    }

    /// The items of texts that hold some of these characters, or may.
    pub(crate) fn holding(&self, characters: CharBlocks) -> Vec<I> {
        let mut found = Vec::new();
        let mut i = 0;
        while i + 1 < self.nodes.len() {
            work::spend(1);
            let node = self.nodes[i];
            let may_hold = match node.what.checked_sub(BEGUN) {
                None => !CharBlocks::of(node.what).misses(characters),
                Some(partial) => {
                    let mut ranges = self.partials[partial as usize].ranges();
                    ranges.any(|(lo, hi)| !CharBlocks::around(lo, hi).misses(characters))
                }
            };
            i = if may_hold {
                found.extend_from_slice(self.items(self.range_below(node)));
                node.skip as usize
            } else if self.below[i].misses(characters) {
                node.skip as usize
            } else {
                i + 1
            };
        }
        found
    }

    /// The items of no characters.
    pub(crate) fn bare(&self) -> &[I] {
        self.items(ItemRange {
            start: 0,
            end: self.nodes[0].first,
        })
    }

    fn range_below(&self, node: CharacterNode) -> ItemRange {
        ItemRange {
            start: node.first,
            end: self.nodes[node.skip as usize].first,
        }
    }

    /// Visits all nodes, each after the one above it; `visit` gets what it returned for that one.
    pub(super) fn visit<S>(&self, start: S, mut visit: impl FnMut(&S, VisitedNode<'_, I>) -> S) {
        let mut path = vec![start];
        for (index, node) in (0..self.nodes.len() as u32 - 1).zip(&*self.nodes) {
            path.truncate(usize::from(node.depth));
            let visited = VisitedNode {
                index,
                what: node.what,
                depth: node.depth,
                items: self.items(self.own_range(index)),
            };
            path.push(visit(&path[path.len() - 1], visited));
        }
    }

    /// The nodes of first characters among `lo..=hi`, with those characters.
    pub(crate) fn roots(&self, lo: u32, hi: u32) -> &[(u32, u32)] {
        let from = self.roots.partition_point(|root| root.0 < lo);
        let to = from + self.roots[from..].partition_point(|root| root.0 <= hi);
        &self.roots[from..to]
    }

    /// The nodes of tokens that are but the beginning of a character.
    pub(crate) fn begun_roots(&self) -> &[(u32, u32)] {
        self.roots(BEGUN, u32::MAX)
    }

    /// Walks with a state that each character changes. `first` are ranges of characters, rising,
    /// among which are all that a text may begin with. `step` gets the state before a character,
    /// the character, and what is known of the subtree that it leads to; `begun` says
    /// whether the beginning of a character is wanted. `wanted` gets ranges of items, in order.
    pub(crate) fn walk<S: Copy>(
        &self,
        start: S,
        first: &[(u32, u32)],
        mut step: impl FnMut(S, u32, StringSubtree) -> WalkVerdict<S>,
        mut begun: impl FnMut(S, Partial) -> bool,
        mut wanted: impl FnMut(ItemRange, Option<S>),
    ) {
        let mut path = Vec::new();
        for (lo, hi) in first.iter().copied().chain([(BEGUN, u32::MAX)]) {
            let roots = self.roots(lo, hi);
            if let (Some(&(_, first)), Some(&(_, last))) = (roots.first(), roots.last()) {
                path.clear();
                path.push(start);
                let nodes = first..self.skip(last);
                self.walk_nodes(nodes, &mut path, &mut step, &mut begun, &mut wanted);
            }
        }
    }

    /// Walks as [`Characters::walk`] does through the subtrees of some nodes, to the parents of which
    /// the state `start` belongs.
    pub(crate) fn walk_below<S: Copy>(
        &self,
        start: S,
        nodes: impl Iterator<Item = u32>,
        mut step: impl FnMut(S, u32, StringSubtree) -> WalkVerdict<S>,
        mut begun: impl FnMut(S, Partial) -> bool,
        mut wanted: impl FnMut(ItemRange, Option<S>),
    ) {
        let mut path = Vec::new();
        for node in nodes {
            path.clear();
            path.push(start);
            let nodes = node..self.skip(node);
            self.walk_nodes(nodes, &mut path, &mut step, &mut begun, &mut wanted);
        }
    }

    /// Walks through nodes whose first is one level below the only state of the path.
    fn walk_nodes<S: Copy>(
        &self,
        nodes: Range<u32>,
        path: &mut Vec<S>,
        step: &mut impl FnMut(S, u32, StringSubtree) -> WalkVerdict<S>,
        begun: &mut impl FnMut(S, Partial) -> bool,
        wanted: &mut impl FnMut(ItemRange, Option<S>),
    ) {
        let above = self.nodes[nodes.start as usize].depth - 1;
        let mut i = nodes.start;
        while i < nodes.end {
            work::spend(1);
            let node = self.nodes[i as usize];
            path.truncate(usize::from(node.depth - above));
            let state = path[path.len() - 1];
            let all = self.range_below(node);
            if let Some(partial) = node.what.checked_sub(BEGUN) {
                if begun(state, self.partials[partial as usize]) {
                    wanted(all, None);
                }
                i += 1;
                continue;
            }
            let below = StringSubtree {
                characters: self.below[i as usize],
                height: u32::from(node.height),
                nodes: node.skip - i - 1,
            };
            match step(state, node.what, below) {
                WalkVerdict::Nothing => i = node.skip,
                WalkVerdict::All => {
                    wanted(all, None);
                    i = node.skip;
                }
                WalkVerdict::More(next) => {
                    let own = self.own_range(i);
                    if !own.is_empty() {
                        wanted(own, Some(next));
                    }
                    path.push(next);
                    i += 1;
                }
            }
        }
    }

    /// The items of the texts that begin with that of a node.
    pub(crate) fn items_below(&self, node: u32) -> &[I] {
        self.items(self.range_below(self.nodes[node as usize]))
    }

    /// The node after the last one below a node.
    pub(crate) fn skip(&self, node: u32) -> u32 {
        self.nodes[node as usize].skip
    }

    /// The items of a node's own text.
    fn own_range(&self, node: u32) -> ItemRange {
        let [node, next] = [node, node + 1].map(|node| self.nodes[node as usize]);
        ItemRange {
            start: node.first,
            end: next.first,
        }
    }
}

/// The nodes of a trie of sorted texts, in pre-order; their heights are 0.
fn character_nodes<I>(texts: &[(Vec<u32>, I)]) -> Vec<CharacterNode> {
    let mut nodes: Vec<CharacterNode> = Vec::with_capacity(texts.len() * 2);
    let mut path: Vec<u32> = Vec::new();
    let mut before: &[u32] = &[];
    for (i, (text, _)) in texts.iter().enumerate() {
        let shared = before.iter().zip(text).take_while(|(a, b)| a == b).count();
        for node in path.drain(shared..) {
            nodes[node as usize].skip = nodes.len() as u32;
        }
        for (depth, &what) in text.iter().enumerate().skip(shared) {
            path.push(nodes.len() as u32);
            nodes.push(CharacterNode {
                what,
                skip: 0,
                first: i as u32,
                depth: depth as u16 + 1,
                height: 0,
            });
        }
        before = text;
    }
    for node in path {
        nodes[node as usize].skip = nodes.len() as u32;
    }
    nodes
}

/// What each node's subtree adds to it, character by character; sets the nodes' heights.
fn find_below(nodes: &mut [CharacterNode], partials: &[Partial]) -> Vec<CharBlocks> {
    let mut below = vec![CharBlocks::default(); nodes.len()];
    let mut parents: Vec<usize> = Vec::new();
    let parent_of: Vec<Option<usize>> = (0..nodes.len())
        .map(|i| {
            parents.truncate(usize::from(nodes[i].depth) - 1);
            parents.push(i);
            parents.len().checked_sub(2).map(|above| parents[above])
        })
        .collect();
    for i in (0..nodes.len()).rev() {
        if let Some(parent) = parent_of[i] {
            let own = match nodes[i].what.checked_sub(BEGUN) {
                None => CharBlocks::of(nodes[i].what),
                Some(partial) => {
                    let ranges = partials[partial as usize].ranges();
                    ranges.fold(CharBlocks::default(), |blocks, (lo, hi)| {
                        blocks.or(CharBlocks::around(lo, hi))
                    })
                }
            };
            below[parent] = below[parent].or(below[i]).or(own);
            nodes[parent].height = nodes[parent].height.max(nodes[i].height + 1);
        }
    }
    below
}
