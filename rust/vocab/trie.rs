//! The prefix trie of a vocabulary, flat and in pre-order.

use crate::byte_set::ByteSet;
use crate::work;

/// A node: one byte after its parent's prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrieNode {
    /// The first node after this one's subtree.
    pub(crate) skip: u32,
    /// Where the tokens of this prefix begin in [`Trie::tokens`]; those of the whole subtree
    /// follow, and end where those of node `skip` begin.
    pub(crate) first: u32,
    /// Bytes of the prefix that this node ends.
    pub(crate) depth: u16,
    pub(crate) byte: u8,
}

/// Nodes in pre-order, so that a walk is a loop and a subtree is a range.
#[derive(Debug)]
pub(crate) struct Trie {
    /// The nodes, then one that only marks the end.
    nodes: Box<[TrieNode]>,
    /// Token ids, sorted by their bytes; equal ones side by side.
    tokens: Box<[u32]>,
    /// The bytes of the longest token.
    depth: usize,
    children: Children,
}

/// The children of the nodes of a [`Trie`]; the roots are those of the node that marks the end.
#[derive(Debug)]
struct Children {
    /// Where the children of each node begin in `bytes` and `nodes`.
    starts: Box<[u32]>,
    /// The bytes of the children, rising for each node.
    bytes: Box<[u8]>,
    nodes: Box<[u32]>,
}

impl Children {
    fn new(nodes: &[TrieNode]) -> Self {
        let end = nodes.len() as u32 - 1;
        let mut starts = Vec::with_capacity(nodes.len() + 1);
        let mut bytes = Vec::with_capacity(nodes.len());
        let mut below = Vec::with_capacity(nodes.len());
        for i in 0..=end {
            starts.push(below.len() as u32);
            let (mut child, last) = match i {
                _ if i == end => (0, end),
                _ => (i + 1, nodes[i as usize].skip),
            };
            while child < last {
                bytes.push(nodes[child as usize].byte);
                below.push(child);
                child = nodes[child as usize].skip;
            }
        }
        starts.push(below.len() as u32);
        Children {
            starts: starts.into(),
            bytes: bytes.into(),
            nodes: below.into(),
        }
    }

    /// The children of a node: their bytes and themselves.
    fn of(&self, node: u32) -> (&[u8], &[u32]) {
        let starts = &self.starts[node as usize..node as usize + 2];
        let range = starts[0] as usize..starts[1] as usize;
        (&self.bytes[range.clone()], &self.nodes[range])
    }
}

impl Trie {
    /// The trie of `ids`, each of 1 to 65,535 bytes. Of those with the same bytes, the one that
    /// comes first in `ids` stays first.
    pub(crate) fn new<'a>(mut ids: Vec<u32>, bytes: impl Fn(u32) -> &'a [u8]) -> Self {
        ids.sort_by(|&a, &b| bytes(a).cmp(bytes(b)));
        let mut nodes: Vec<TrieNode> = Vec::with_capacity(ids.len() * 2);
        let mut path: Vec<u32> = Vec::new();
        let mut before: &[u8] = &[];
        for (i, &id) in ids.iter().enumerate() {
            let token = bytes(id);
            let shared = before.iter().zip(token).take_while(|(a, b)| a == b).count();
            for node in path.drain(shared..) {
                nodes[node as usize].skip = nodes.len() as u32;
            }
            for (depth, &byte) in token.iter().enumerate().skip(shared) {
                path.push(nodes.len() as u32);
                nodes.push(TrieNode {
                    skip: 0,
                    first: i as u32,
                    depth: depth as u16 + 1,
                    byte,
                });
            }
            before = token;
        }
        for node in path {
            nodes[node as usize].skip = nodes.len() as u32;
        }
        let end = TrieNode {
            skip: nodes.len() as u32,
            first: ids.len() as u32,
            depth: 0,
            byte: 0,
        };
        nodes.push(end);
        nodes.shrink_to_fit();
        Trie {
            children: Children::new(&nodes),
            depth: ids.iter().map(|&id| bytes(id).len()).max().unwrap_or(0),
            nodes: nodes.into(),
            tokens: ids.into(),
        }
    }

    /// The trie with each id replaced by `f` of it.
    pub(crate) fn map(mut self, f: impl Fn(u32) -> u32) -> Self {
        self.tokens.iter_mut().for_each(|token| *token = f(*token));
        self
    }

    /// All tokens, sorted by their bytes.
    pub(crate) fn all(&self) -> &[u32] {
        &self.tokens
    }

    /// The bytes of the longest token.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The node whose subtree is the whole trie.
    pub(crate) fn root(&self) -> u32 {
        self.len()
    }

    /// The tokens of the whole subtree of node `i`, its own included.
    pub(crate) fn tokens_below(&self, i: u32) -> &[u32] {
        let end = self.nodes[self.nodes[i as usize].skip as usize].first;
        &self.tokens[self.nodes[i as usize].first as usize..end as usize]
    }

    /// Walks the trie with a state that each byte changes. `step` gives the state after a byte, or
    /// `None` where nothing below is wanted; `found` gets each node that holds tokens.
    pub(crate) fn walk<S: Copy>(
        &self,
        start: S,
        mut step: impl FnMut(S, u8, u32) -> Option<S>,
        mut found: impl FnMut(&[u32], S),
    ) {
        let mut path = vec![start];
        let mut i = 0;
        while i < self.len() {
            let node = self.nodes[i as usize];
            path.truncate(usize::from(node.depth));
            work::spend(1);
            match step(path[path.len() - 1], node.byte, i) {
                Some(next) => {
                    let tokens = self.tokens_at(i);
                    if !tokens.is_empty() {
                        found(tokens, next);
                    }
                    path.push(next);
                    i += 1;
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
        step: impl FnMut(S, u8, u32) -> Option<S>,
        found: impl FnMut(&[u32], S),
    ) {
        let first = next(start);
        self.seek_below(self.root(), start, first, next, step, found);
    }

    /// Walks the subtree of node `i` as [`Trie::seek`] does all of the trie: `start` is the state
    /// after the node, and `first` are the bytes with which it may go on.
    pub(crate) fn seek_below<S: Copy>(
        &self,
        i: u32,
        start: S,
        first: ByteSet,
        mut next: impl FnMut(S) -> ByteSet,
        mut step: impl FnMut(S, u8, u32) -> Option<S>,
        mut found: impl FnMut(&[u32], S),
    ) {
        let mut open = Vec::new();
        let mut visit = |state: S, (byte, node): (u8, u32), open: &mut Vec<(u32, S)>| {
            work::spend(1);
            if let Some(after) = step(state, byte, node) {
                let tokens = self.tokens_at(node);
                if !tokens.is_empty() {
                    found(tokens, after);
                }
                if self.node(node).skip > node + 1 {
                    open.push((node, after));
                }
            }
        };
        self.for_children(i, first, |child| visit(start, child, &mut open));
        while let Some((node, state)) = open.pop() {
            let bytes = next(state);
            self.for_children(node, bytes, |child| visit(state, child, &mut open));
        }
    }

    /// The child of a node that begins with a byte.
    pub(crate) fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let (bytes, nodes) = self.children.of(node);
        Some(nodes[bytes.binary_search(&byte).ok()?])
    }

    /// Calls `f` with those children of a node that begin with some bytes.
    fn for_children(&self, node: u32, bytes: ByteSet, mut f: impl FnMut((u8, u32))) {
        let (all, nodes) = self.children.of(node);
        if all.len() > 8 * bytes.len() {
            for byte in bytes.iter() {
                if let Ok(i) = all.binary_search(&byte) {
                    f((byte, nodes[i]));
                }
            }
            return;
        }
        for (&byte, &child) in all.iter().zip(nodes) {
            if bytes.contains(byte) {
                f((byte, child));
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
        size_of_val(&*self.nodes) + size_of_val(&*self.tokens) + children
    }

    /// The number of nodes.
    pub(crate) fn len(&self) -> u32 {
        self.nodes.len() as u32 - 1
    }

    pub(crate) fn node(&self, i: u32) -> TrieNode {
        self.nodes[i as usize]
    }

    /// Where the tokens that node `i` spells stand among all of [`Trie::all`].
    pub(crate) fn range_at(&self, i: u32) -> (u32, u32) {
        (
            self.nodes[i as usize].first,
            self.nodes[i as usize + 1].first,
        )
    }

    /// Where the tokens of the whole subtree of node `i` stand among all of [`Trie::all`].
    pub(crate) fn range_below(&self, i: u32) -> (u32, u32) {
        let node = self.nodes[i as usize];
        (node.first, self.nodes[node.skip as usize].first)
    }

    /// The tokens of a range of [`Trie::all`].
    pub(crate) fn tokens_in(&self, range: (u32, u32)) -> &[u32] {
        &self.tokens[range.0 as usize..range.1 as usize]
    }

    /// The tokens that node `i` spells, usually one or none.
    pub(crate) fn tokens_at(&self, i: u32) -> &[u32] {
        let (a, b) = (
            self.nodes[i as usize].first,
            self.nodes[i as usize + 1].first,
        );
        &self.tokens[a as usize..b as usize]
    }

    /// Calls `f` with the length and a token of each prefix of `data` that is a token.
    pub(crate) fn for_each_prefix(&self, data: &[u8], mut f: impl FnMut(usize, u32)) {
        let mut node = self.root();
        for (depth, &byte) in data.iter().enumerate() {
            let Some(next) = self.child(node, byte) else {
                return;
            };
            if let Some(&token) = self.tokens_at(next).first() {
                f(depth + 1, token);
            }
            node = next;
        }
    }

    /// Whether some token spells `prefix` and more.
    pub(crate) fn goes_on(&self, prefix: &[u8]) -> bool {
        let mut bytes = prefix.iter();
        let node = bytes.try_fold(self.root(), |node, &byte| self.child(node, byte));
        node.is_some_and(|node| !self.children.of(node).0.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subtrees_are_ranges() {
        let words: [&[u8]; 5] = [b"b", b"ab", b"abc", b"ab", b"ad"];
        let trie = Trie::new((0..5).collect(), |id| words[id as usize]);
        let prefixes = |data: &[u8]| {
            let mut out = Vec::new();
            trie.for_each_prefix(data, |length, token| out.push((length, token)));
            out
        };
        assert_eq!(prefixes(b"abcx"), [(2, 1), (3, 2)]);
        assert_eq!(prefixes(b"x"), []);
        assert!(trie.goes_on(b"ab") && !trie.goes_on(b"abc"));
        let ab = (0..trie.len())
            .find(|&i| trie.tokens_at(i) == [1, 3])
            .unwrap();
        assert_eq!(trie.node(ab).depth, 2);
        assert_eq!(trie.node(ab).skip - ab, 2);
    }

    proptest! {
        #[test]
        fn seeking_finds_what_walking_finds(
            words in prop::collection::vec("[a-d]{1,4}", 1..60),
            wanted in prop::collection::vec(prop::collection::vec(0..4_u8, 0..4), 4),
        ) {
            let ids = 0..words.len() as u32;
            let trie = Trie::new(ids.collect(), |id| words[id as usize].as_bytes());
            // What may come depends on how many bytes have been read.
            let next = |depth: usize| {
                let bytes: Vec<u8> = wanted[depth % 4].iter().map(|i| b'a' + i).collect();
                ByteSet::of(&bytes)
            };
            let step = |depth: usize, byte, _| next(depth).contains(byte).then_some(depth + 1);
            let (mut walked, mut sought) = (Vec::new(), Vec::new());
            trie.walk(0, step, |tokens, _| walked.extend_from_slice(tokens));
            trie.seek(0, next, step, |tokens, _| sought.extend_from_slice(tokens));
            sought.sort_unstable();
            walked.sort_unstable();
            prop_assert_eq!(sought, walked);
            for node in 0..=trie.root() {
                let children = trie.children.of(node);
                for (&byte, &child) in children.0.iter().zip(children.1) {
                    prop_assert_eq!(trie.child(node, byte), Some(child));
                    prop_assert_eq!(trie.node(child).byte, byte);
                }
            }
        }
    }
}
