//! The prefix trie of a vocabulary, flat and in pre-order.

/// A node: one byte after its parent's prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
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
    nodes: Box<[Node]>,
    /// Token ids, sorted by their bytes; equal ones side by side.
    tokens: Box<[u32]>,
    /// The bytes of the longest token.
    depth: usize,
    /// The node of each first byte; [`NO_NODE`] if no token begins with it.
    roots: Box<[u32]>,
}

const NO_NODE: u32 = u32::MAX;

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const ALL: ByteSet = ByteSet([u64::MAX; 4]);
    pub(crate) const NONE: ByteSet = ByteSet([0; 4]);

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut set = ByteSet::NONE;
        bytes.iter().for_each(|&byte| set.insert(byte));
        set
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte) / 64] |= 1 << (byte % 64);
    }

    pub(crate) fn remove(&mut self, byte: u8) {
        self.0[usize::from(byte) / 64] &= !(1 << (byte % 64));
    }

    /// Adds the first bytes of the characters `lo..=hi` in UTF-8.
    pub(crate) fn insert_leads(&mut self, lo: u32, hi: u32) {
        for (first, last, shift, lead) in [
            (0, 0x7F, 0, 0),
            (0x80, 0x7FF, 6, 0xC0),
            (0x800, 0xFFFF, 12, 0xE0),
            (0x1_0000, 0x10_FFFF, 18, 0xF0),
        ] {
            let (lo, hi) = (lo.max(first), hi.min(last));
            if lo <= hi {
                let leads = (lo >> shift) as u8 | lead..=(hi >> shift) as u8 | lead;
                leads.for_each(|byte| self.insert(byte));
            }
        }
    }

    pub(crate) fn union(mut self, other: Self) -> Self {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        self
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte) / 64] >> (byte % 64) & 1 == 1
    }

    fn iter(&self) -> impl Iterator<Item = u8> {
        let words = (0_u8..).zip(self.0);
        words.flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as u8)?;
                bits &= bits - 1;
                Some(word * 64 + bit)
            })
        })
    }
}

impl Trie {
    /// The trie of `ids`, each of 1 to 65,535 bytes. Of those with the same bytes, the one that
    /// comes first in `ids` stays first.
    pub(crate) fn new<'a>(mut ids: Vec<u32>, bytes: impl Fn(u32) -> &'a [u8]) -> Self {
        ids.sort_by(|&a, &b| bytes(a).cmp(bytes(b)));
        let mut nodes: Vec<Node> = Vec::with_capacity(ids.len() * 2);
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
                nodes.push(Node {
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
        let end = Node {
            skip: nodes.len() as u32,
            first: ids.len() as u32,
            depth: 0,
            byte: 0,
        };
        nodes.push(end);
        nodes.shrink_to_fit();
        let mut roots = vec![NO_NODE; 256];
        let mut root = 0;
        while nodes[root].depth == 1 {
            roots[usize::from(nodes[root].byte)] = root as u32;
            root = nodes[root].skip as usize;
        }
        Trie {
            roots: roots.into(),
            depth: ids.iter().map(|&id| bytes(id).len()).max().unwrap_or(0),
            nodes: nodes.into(),
            tokens: ids.into(),
        }
    }

    /// All tokens, sorted by their bytes.
    pub(crate) fn all(&self) -> &[u32] {
        &self.tokens
    }

    /// The bytes of the longest token.
    pub(crate) fn depth(&self) -> usize {
        self.depth
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
        step: impl FnMut(S, u8, u32) -> Option<S>,
        found: impl FnMut(&[u32], S),
    ) {
        self.walk_from(start, ByteSet::ALL, step, found);
    }

    /// As [`Trie::walk`], of tokens that begin with some bytes.
    pub(crate) fn walk_from<S: Copy>(
        &self,
        start: S,
        first: ByteSet,
        mut step: impl FnMut(S, u8, u32) -> Option<S>,
        mut found: impl FnMut(&[u32], S),
    ) {
        for byte in first.iter() {
            let root = self.roots[usize::from(byte)];
            if root == NO_NODE {
                continue;
            }
            if let Some(next) = step(start, byte, root) {
                let tokens = self.tokens_at(root);
                if !tokens.is_empty() {
                    found(tokens, next);
                }
                self.walk_below(root, next, &mut step, &mut found);
            }
        }
    }

    /// As [`Trie::walk`], below node `i`, with the state after it.
    pub(crate) fn walk_below<S: Copy>(
        &self,
        i: u32,
        start: S,
        mut step: impl FnMut(S, u8, u32) -> Option<S>,
        mut found: impl FnMut(&[u32], S),
    ) {
        let top = self.node(i);
        let mut path = vec![start];
        let mut i = i + 1;
        while i < top.skip {
            let node = self.nodes[i as usize];
            path.truncate(usize::from(node.depth - top.depth));
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

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.nodes) + size_of_val(&*self.tokens) + size_of_val(&*self.roots)
    }

    /// The number of nodes.
    pub(crate) fn len(&self) -> u32 {
        self.nodes.len() as u32 - 1
    }

    pub(crate) fn node(&self, i: u32) -> Node {
        self.nodes[i as usize]
    }

    /// Where the tokens that node `i` spells stand among all of [`Trie::all`].
    pub(crate) fn range_at(&self, i: u32) -> (u32, u32) {
        (
            self.nodes[i as usize].first,
            self.nodes[i as usize + 1].first,
        )
    }

    /// Where those of its whole subtree stand.
    pub(crate) fn range_below(&self, i: u32) -> (u32, u32) {
        let node = self.nodes[i as usize];
        (node.first, self.nodes[node.skip as usize].first)
    }

    /// The tokens of a range.
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
        let (mut i, mut end) = (0, self.len());
        for (depth, &byte) in data.iter().enumerate() {
            while i < end && self.node(i).byte != byte {
                i = self.node(i).skip;
            }
            if i >= end {
                return;
            }
            if let Some(&token) = self.tokens_at(i).first() {
                f(depth + 1, token);
            }
            end = self.node(i).skip;
            i += 1;
        }
    }

    /// Whether some token spells `prefix` and more.
    pub(crate) fn goes_on(&self, prefix: &[u8]) -> bool {
        let (mut i, mut end) = (0, self.len());
        for &byte in prefix {
            while i < end && self.node(i).byte != byte {
                i = self.node(i).skip;
            }
            if i >= end {
                return false;
            }
            end = self.node(i).skip;
            i += 1;
        }
        i < end
    }
}

#[cfg(test)]
mod tests {
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
}
