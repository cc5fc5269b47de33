//! What tokens are inside a JSON string: the characters that they spell.

use std::sync::Arc;

use crate::regex::char_blocks::CharBlocks;
use crate::spelling::{Decoded, JsonSpelling, Partial};
use crate::vocab::string_mask::{ClosingToken, ClosingTokens, ExitId, Groups};
use crate::vocab::token::{MaskWord, TokenId, set_bits};
use crate::vocab::trie::{ItemRange, Trie};
use crate::work;

/// The tokens inside strings, as read from between two characters.
#[derive(Debug)]
pub(crate) struct Strings {
    /// The tokens after which the string goes on, by their characters.
    pub(crate) tokens: Characters<TokenId>,
    /// A bit for each of them.
    pub(crate) inside: Arc<[MaskWord]>,
    /// Of the tokens after which the string goes on, those that end inside a character, grouped by
    /// the characters that they add and by what they read of the last one.
    pub(crate) unfinished: Groups,
    /// All tokens after which the string goes on, grouped by how many characters they add, one that
    /// is only begun included; the longest first.
    pub(crate) lengths: Groups,
    /// The characters that the tokens of each group add.
    pub(crate) characters: Box<[u16]>,
    /// The tokens that hold the closing quote.
    pub(crate) exits: Arc<ClosingTokens>,
    /// Those, by their characters before the quote.
    pub(crate) before: Characters<ExitId>,
    /// The most characters that a token adds.
    pub(crate) longest: u32,
}

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

const BEGUN: u32 = 1 << 31;

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
    fn new(texts: Vec<(Vec<u32>, Partial, I)>) -> Self {
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
        let end = self.nodes.len() as u32 - 1;
        let node_at = |root: usize| self.roots.get(root).map_or(end, |root| root.1);
        let mut path = Vec::new();
        for (lo, hi) in first.iter().copied().chain([(BEGUN, u32::MAX)]) {
            let from = self.roots.partition_point(|root| root.0 < lo);
            let to = from + self.roots[from..].partition_point(|root| root.0 <= hi);
            let (mut i, last) = (node_at(from), node_at(to));
            path.clear();
            path.push(start);
            while i < last {
                work::spend(1);
                let node = self.nodes[i as usize];
                path.truncate(usize::from(node.depth));
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
                        let own = ItemRange {
                            start: node.first,
                            end: self.nodes[i as usize + 1].first,
                        };
                        if !own.is_empty() {
                            wanted(own, Some(next));
                        }
                        path.push(next);
                        i += 1;
                    }
                }
            }
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

/// Where the bytes of a token lead inside a string.
enum TextEnd {
    /// They stay inside, after so much of one more character.
    Inside(Partial),
    /// They close it, after so many bytes.
    Closes(usize),
    /// They are in no string.
    Refused,
}

/// The characters of a token inside a string, as far as it is one, and where that leads.
fn decoded(bytes: &[u8], spelling: JsonSpelling) -> (Vec<u32>, TextEnd) {
    let mut partial = Partial::Nothing;
    let mut text = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        match partial.decode_json(byte, spelling) {
            Decoded::Char(c) => {
                text.push(c);
                partial = Partial::Nothing;
            }
            Decoded::Partial(next) => partial = next,
            Decoded::Close => return (text, TextEnd::Closes(at)),
            Decoded::Refused => return (text, TextEnd::Refused),
        }
    }
    (text, TextEnd::Inside(partial))
}

impl Strings {
    /// Sorts out the tokens of a vocabulary's trie.
    pub(crate) fn new<'a>(
        trie: &Trie,
        words: usize,
        spelling: JsonSpelling,
        bytes: impl Fn(TokenId) -> &'a [u8],
    ) -> Self {
        let mut inside = vec![MaskWord::NONE; words];
        let (mut texts, mut unfinished) = (Vec::new(), Vec::new());
        let mut exits = Vec::new();
        for &token in trie.all() {
            let (text, end) = decoded(bytes(token), spelling);
            match end {
                TextEnd::Inside(partial) => {
                    set_bits(&mut inside, &[token]);
                    if partial != Partial::Nothing {
                        unfinished.push((text.len(), partial.code(), token));
                    }
                    texts.push((text, partial, token));
                }
                TextEnd::Closes(before) => {
                    let exit = ClosingToken {
                        token,
                        before: before as u16,
                        characters: text.len() as u16,
                    };
                    exits.push((exit, text));
                }
                TextEnd::Refused => {}
            }
        }
        let length = |(text, partial, _): &(Vec<u32>, Partial, TokenId)| {
            text.len() as u16 + u16::from(*partial != Partial::Nothing)
        };
        let mut lengths: Vec<(u16, TokenId)> = texts.iter().map(|t| (length(t), t.2)).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let (exits, before): (Vec<ClosingToken>, Vec<_>) = exits.into_iter().unzip();
        let longest = exits.iter().map(|exit| exit.characters);
        let longest = longest.chain(lengths.first().map(|length| length.0)).max();
        let groups = || lengths.chunk_by(|a, b| a.0 == b.0);
        unfinished.sort_unstable();
        let exits = ClosingTokens::new(exits, bytes);
        let before = exits.iter().zip(before);
        let before = before.map(|((exit, _), text)| (text, Partial::Nothing, exit));
        let begun = unfinished.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        Strings {
            lengths: Groups::new(groups().map(|group| group.iter().map(|&(_, token)| token))),
            characters: groups().map(|group| group[0].0).collect(),
            tokens: Characters::new(texts),
            inside: inside.into(),
            unfinished: Groups::new(begun.map(|group| group.iter().map(|&(.., token)| token))),
            before: Characters::new(before.collect()),
            exits: Arc::new(exits),
            longest: u32::from(longest.unwrap_or(0)),
        }
    }
}
