//! A prefix trie, such as that of a vocabulary: flat and in pre-order.

use std::ops::Range;

use crate::byte_set::ByteSet;
use crate::vocab::token::TokenId;
use crate::work;

/// A node of a [`Trie`]: its number in pre-order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct TrieNodeId(pub(crate) u32);

impl TrieNodeId {
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The next node in pre-order: the first one below, if there is one.
    #[inline]
    pub(crate) fn next(self) -> Self {
        TrieNodeId(self.0 + 1)
    }
}

/// Items that stand side by side in a [`Trie`] or in [`Characters`](crate::vocab::characters::Characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ItemRange {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl ItemRange {
    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub(crate) fn of<T>(self, items: &[T]) -> &[T] {
        &items[self.start as usize..self.end as usize]
    }

    /// Adds a range to others, to the last one if it begins where that ends.
    pub(crate) fn add_to(self, ranges: &mut Vec<ItemRange>) {
        match ranges.last_mut() {
            _ if self.is_empty() => {}
            Some(last) if last.end == self.start => last.end = self.end,
            _ => ranges.push(self),
        }
    }
}

/// A node: one byte after its parent's prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrieNode {
    /// The first node after this one's subtree.
    pub(crate) skip: TrieNodeId,
    /// Where the items of this prefix begin in [`Trie::items`]; those of the whole subtree
    /// follow, and end where those of node `skip` begin.
    first: u32,
    /// Bytes of the prefix that this node ends.
    pub(crate) depth: u16,
    pub(crate) byte: u8,
}

/// Texts, each with an item that it belongs to, such as a token.
///
/// The nodes are in pre-order, so that a walk is a loop and a subtree is a range.
#[derive(Debug)]
pub(crate) struct Trie<I = TokenId> {
    /// The nodes, then one that only marks the end.
    nodes: Box<[TrieNode]>,
    /// Sorted by their texts; those of equal ones side by side.
    items: Box<[I]>,
    /// The bytes of the longest text.
    depth: usize,
    children: Children,
}

/// A node below another one, with all that a walk needs to know of it: most of what a walk costs is waiting
/// for memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrieChild {
    pub(crate) node: TrieNodeId,
    /// Where the items of this prefix begin in [`Trie::items`].
    first: u32,
    /// Where its children begin among those of all nodes.
    below: u32,
    children: u16,
    /// The items of this prefix; [`u8::MAX`] stands for more, too.
    items: u8,
    /// The items of the whole subtree, its own included; [`u8::MAX`] stands for more, too.
    pub(crate) texts: u8,
}

/// The children of the nodes of a [`Trie`]; the roots are those of the node that marks the end.
#[derive(Debug)]
struct Children {
    /// Where the children of each node begin in `bytes` and `nodes`.
    starts: Box<[u32]>,
    /// The bytes of the children, rising for each node.
    bytes: Box<[u8]>,
    nodes: Box<[TrieChild]>,
}

impl Children {
    fn new(nodes: &[TrieNode]) -> Self {
        let end = nodes.len() as u32 - 1;
        let few = |count| u8::try_from(count).unwrap_or(u8::MAX);
        let mut starts = Vec::with_capacity(nodes.len() + 1);
        // All nodes but the one that marks the end are children.
        let mut bytes = Vec::with_capacity(end as usize);
        let mut below = Vec::with_capacity(end as usize);
        for i in 0..=end {
            starts.push(below.len() as u32);
            let (mut child, last) = match i {
                _ if i == end => (TrieNodeId(0), TrieNodeId(end)),
                _ => (TrieNodeId(i + 1), nodes[i as usize].skip),
            };
            while child < last {
                let [node, next] = [child, child.next()].map(|node| nodes[node.index()]);
                bytes.push(node.byte);
                below.push(TrieChild {
                    node: child,
                    first: node.first,
                    below: 0,
                    children: 0,
                    items: few(next.first - node.first),
                    texts: few(nodes[node.skip.index()].first - node.first),
                });
                child = node.skip;
            }
        }
        starts.push(below.len() as u32);
        for child in &mut below {
            let of = &starts[child.node.index()..child.node.index() + 2];
            child.below = of[0];
            child.children = (of[1] - of[0]) as u16;
        }
        Children {
            starts: starts.into(),
            bytes: bytes.into(),
            nodes: below.into(),
        }
    }

    /// Where the children of a node stand.
    #[inline]
    fn of(&self, node: TrieNodeId) -> Range<usize> {
        let starts = &self.starts[node.index()..node.index() + 2];
        starts[0] as usize..starts[1] as usize
    }
}

impl TrieChild {
    /// Where its children stand.
    #[inline]
    fn children(&self) -> Range<usize> {
        self.below as usize..self.below as usize + usize::from(self.children)
    }
}

impl<I: Copy> Trie<I> {
    /// The trie of the texts of items, each of 1 to 65,535 bytes. Of items with the same text, the
    /// one that comes first in `items` stays first.
    pub(crate) fn new<'a>(mut items: Vec<I>, bytes: impl Fn(I) -> &'a [u8]) -> Self {
        items.sort_by(|&a, &b| bytes(a).cmp(bytes(b)));
        let mut nodes: Vec<TrieNode> = Vec::with_capacity(items.len() * 2);
        let mut path: Vec<TrieNodeId> = Vec::new();
        let mut before: &[u8] = &[];
        for (i, &item) in items.iter().enumerate() {
            let text = bytes(item);
            let shared = before.iter().zip(text).take_while(|(a, b)| a == b).count();
            for node in path.drain(shared..) {
                nodes[node.index()].skip = TrieNodeId(nodes.len() as u32);
            }
            for (depth, &byte) in text.iter().enumerate().skip(shared) {
                path.push(TrieNodeId(nodes.len() as u32));
                nodes.push(TrieNode {
                    skip: TrieNodeId(0),
                    first: i as u32,
                    depth: depth as u16 + 1,
                    byte,
                });
            }
            before = text;
        }
        for node in path {
            nodes[node.index()].skip = TrieNodeId(nodes.len() as u32);
        }
        let end = TrieNode {
            skip: TrieNodeId(nodes.len() as u32),
            first: items.len() as u32,
            depth: 0,
            byte: 0,
        };
        nodes.push(end);
        nodes.shrink_to_fit();
        Trie {
            children: Children::new(&nodes),
            depth: items
                .iter()
                .map(|&item| bytes(item).len())
                .max()
                .unwrap_or(0),
            nodes: nodes.into(),
            items: items.into(),
        }
    }

    /// The trie with each item replaced by `f` of it.
    pub(crate) fn map<J>(self, f: impl Fn(I) -> J) -> Trie<J> {
        Trie {
            nodes: self.nodes,
            items: self.items.into_iter().map(f).collect(),
            depth: self.depth,
            children: self.children,
        }
    }

    /// All items, sorted by their texts.
    pub(crate) fn all(&self) -> &[I] {
        &self.items
    }

    /// The bytes of the longest text.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The node whose subtree is the whole trie.
    #[inline]
    pub(crate) fn root(&self) -> TrieNodeId {
        TrieNodeId(self.nodes.len() as u32 - 1)
    }

    /// The items of the whole subtree of a node, its own included.
    #[inline]
    pub(crate) fn items_below(&self, node: TrieNodeId) -> &[I] {
        self.range_below(node).of(&self.items)
    }

    /// Walks the trie with a state that each byte changes. `step` gives the state after a byte, or
    /// `None` where nothing below is wanted; `found` gets the items of each node that holds some.
    pub(crate) fn walk<S: Copy>(
        &self,
        start: S,
        mut step: impl FnMut(S, u8, TrieNodeId) -> Option<S>,
        mut found: impl FnMut(&[I], S),
    ) {
        let mut path = vec![start];
        let mut i = TrieNodeId(0);
        while i < self.root() {
            let node = self.nodes[i.index()];
            path.truncate(usize::from(node.depth));
            work::spend(1);
            match step(path[path.len() - 1], node.byte, i) {
                Some(next) => {
                    let items = self.items_at(i);
                    if !items.is_empty() {
                        found(items, next);
                    }
                    path.push(next);
                    i = i.next();
                }
                None => i = node.skip,
            }
        }
    }

    /// Walks the trie with a state that each byte changes, where few bytes lead on: `next` gives
    /// those that may. `step` and `found` are as for [`Trie::walk`], but nodes are met in any
    /// order.
    pub(crate) fn seek<S: Copy>(
        &self,
        start: S,
        mut next: impl FnMut(S) -> ByteSet,
        step: impl FnMut(S, u8, TrieChild) -> Option<S>,
        found: impl FnMut(&[I], S),
    ) {
        let first = next(start);
        self.seek_below(self.root(), start, first, next, step, found);
    }

    /// Walks the subtree of a node as [`Trie::seek`] does all of the trie: `start` is the state
    /// after the node, and `first` are the bytes with which it may go on.
    pub(crate) fn seek_below<S: Copy>(
        &self,
        node: TrieNodeId,
        start: S,
        first: ByteSet,
        mut next: impl FnMut(S) -> ByteSet,
        mut step: impl FnMut(S, u8, TrieChild) -> Option<S>,
        mut found: impl FnMut(&[I], S),
    ) {
        let mut open: Vec<(Range<usize>, S)> = Vec::new();
        let mut visit = |state: S, byte, child: TrieChild, open: &mut Vec<(Range<usize>, S)>| {
            work::spend(1);
            if let Some(after) = step(state, byte, child) {
                if child.items > 0 {
                    found(self.items_of(child), after);
                }
                if child.children > 0 {
                    open.push((child.children(), after));
                }
            }
        };
        self.for_children(self.children.of(node), first, |byte, child| {
            visit(start, byte, child, &mut open);
        });
        while let Some((children, state)) = open.pop() {
            let bytes = next(state);
            self.for_children(children, bytes, |byte, child| {
                visit(state, byte, child, &mut open);
            });
        }
    }

    /// The items of a child's own text.
    #[inline]
    fn items_of(&self, child: TrieChild) -> &[I] {
        match child.items {
            u8::MAX => self.items_at(child.node),
            items => &self.items[child.first as usize..][..usize::from(items)],
        }
    }

    /// The child of a node that begins with a byte.
    pub(crate) fn child(&self, node: TrieNodeId, byte: u8) -> Option<TrieNodeId> {
        let all = self.children.of(node);
        let at = self.children.bytes[all.clone()].binary_search(&byte).ok()?;
        Some(self.children.nodes[all][at].node)
    }

    /// Calls `f` with those of some children that begin with some bytes.
    fn for_children(&self, all: Range<usize>, bytes: ByteSet, mut f: impl FnMut(u8, TrieChild)) {
        let nodes = &self.children.nodes[all.clone()];
        let all = &self.children.bytes[all];
        if all.len() > 8 * bytes.len() {
            for byte in bytes.iter() {
                if let Ok(i) = all.binary_search(&byte) {
                    f(byte, nodes[i]);
                }
            }
            return;
        }
        for (&byte, &child) in all.iter().zip(nodes) {
            if bytes.contains(byte) {
                f(byte, child);
            }
        }
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let Children {
            starts,
            bytes,
            nodes,
        } = &self.children;
        let children = size_of_val(&**starts) + size_of_val(&**bytes) + size_of_val(&**nodes);
        size_of_val(&*self.nodes) + size_of_val(&*self.items) + children
    }

    /// All nodes but the root, each before those below it.
    pub(crate) fn nodes(&self) -> impl DoubleEndedIterator<Item = TrieNodeId> + use<I> {
        (0..self.root().0).map(TrieNodeId)
    }

    #[inline]
    pub(crate) fn node(&self, node: TrieNodeId) -> TrieNode {
        self.nodes[node.index()]
    }

    /// Where the items of a node stand among all of [`Trie::all`].
    #[inline]
    pub(crate) fn range_at(&self, node: TrieNodeId) -> ItemRange {
        ItemRange {
            start: self.node(node).first,
            end: self.node(node.next()).first,
        }
    }

    /// Where the tokens of the whole subtree of node `i` stand among all of [`Trie::all`].
    #[inline]
    pub(crate) fn range_below(&self, node: TrieNodeId) -> ItemRange {
        let TrieNode { skip, first, .. } = self.node(node);
        ItemRange {
            start: first,
            end: self.node(skip).first,
        }
    }

    /// The items of a range of [`Trie::all`].
    #[inline]
    pub(crate) fn items_in(&self, range: ItemRange) -> &[I] {
        range.of(&self.items)
    }

    /// The items of a node, usually one or none.
    #[inline]
    pub(crate) fn items_at(&self, node: TrieNodeId) -> &[I] {
        self.range_at(node).of(&self.items)
    }

    /// Calls `f` with the length and an item of each prefix of `data` that is one of the texts.
    pub(crate) fn for_each_prefix(&self, data: &[u8], mut f: impl FnMut(usize, I)) {
        let mut node = self.root();
        for (depth, &byte) in data.iter().enumerate() {
            let Some(next) = self.child(node, byte) else {
                return;
            };
            if let Some(&item) = self.items_at(next).first() {
                f(depth + 1, item);
            }
            node = next;
        }
    }

    /// Whether some text is `prefix` and more.
    pub(crate) fn goes_on(&self, prefix: &[u8]) -> bool {
        let node = self.find(prefix);
        node.is_some_and(|node| !self.children.of(node).is_empty())
    }

    /// The node of a text, if some text begins so; that of none is the root.
    pub(crate) fn find(&self, text: &[u8]) -> Option<TrieNodeId> {
        let mut bytes = text.iter();
        bytes.try_fold(self.root(), |node, &byte| self.child(node, byte))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subtrees_are_ranges() {
        let words: [&[u8]; 5] = [b"b", b"ab", b"abc", b"ab", b"ad"];
        let trie = Trie::new((0..5).collect(), |id: usize| words[id]);
        let prefixes = |data: &[u8]| {
            let mut out = Vec::new();
            trie.for_each_prefix(data, |length, token| out.push((length, token)));
            out
        };
        assert_eq!(prefixes(b"abcx"), [(2, 1), (3, 2)]);
        assert_eq!(prefixes(b"x"), []);
        assert!(trie.goes_on(b"ab") && !trie.goes_on(b"abc"));
        let ab = trie
            .nodes()
            .find(|&node| trie.items_at(node) == [1, 3])
            .unwrap();
        assert_eq!(trie.node(ab).depth, 2);
        assert_eq!(trie.node(ab).skip, ab.next().next());
    }

    proptest! {
        #[test]
        fn seeking_finds_what_walking_finds(
            words in prop::collection::vec("[a-d]{1,4}", 1..60),
            wanted in prop::collection::vec(prop::collection::vec(0..4_u8, 0..4), 4),
        ) {
            let ids = 0..words.len();
            let trie = Trie::new(ids.collect(), |id| words[id].as_bytes());
            // What may come depends on how many bytes have been read.
            let next = |depth: usize| {
                let bytes: Vec<u8> = wanted[depth % 4].iter().map(|i| b'a' + i).collect();
                ByteSet::of(&bytes)
            };
            let step = |depth: usize, byte| next(depth).contains(byte).then_some(depth + 1);
            let (mut walked, mut sought) = (Vec::new(), Vec::new());
            let walk = |depth, byte, _| step(depth, byte);
            trie.walk(0, walk, |items, _| walked.extend_from_slice(items));
            let seek = |depth, byte, _| step(depth, byte);
            trie.seek(0, next, seek, |items, _| sought.extend_from_slice(items));
            sought.sort_unstable();
            walked.sort_unstable();
            prop_assert_eq!(sought, walked);
            for node in trie.nodes().chain([trie.root()]) {
                for at in trie.children.of(node) {
                    let (byte, child) = (trie.children.bytes[at], trie.children.nodes[at]);
                    prop_assert_eq!(trie.child(node, byte), Some(child.node));
                    prop_assert_eq!(trie.node(child.node).byte, byte);
                    prop_assert_eq!(trie.items_of(child), trie.items_at(child.node));
                    prop_assert_eq!(usize::from(child.texts), trie.items_below(child.node).len());
                    prop_assert_eq!(child.children(), trie.children.of(child.node));
                }
            }
        }
    }
}
