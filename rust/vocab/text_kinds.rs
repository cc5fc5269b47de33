//! Tokens inside a string, by the kinds of their characters.

use crate::regex::char_blocks::CharBlocks;
use crate::vocab::char_kinds::CharKinds;
use crate::vocab::characters::{BEGUN, Characters};
use crate::vocab::token::{MaskWord, TokenId};
use crate::work;

/// What is known of the texts of tokens for any class that some kinds make up: which are in the class
/// as a whole, and where others leave it.
#[derive(Debug)]
pub(crate) struct TextKinds {
    /// The kinds of each token's characters.
    kinds: Box<[CharKinds]>,
    /// How many characters each token has; [`u8::MAX`] stands for more, too, and for what is not
    /// all characters.
    lengths: Box<[u8]>,
    /// Nodes by their character and by how many characters come before it.
    nodes: Box<[KindNode]>,
    /// Where the nodes of each slot begin, see [`slot`].
    starts: Box<[u32]>,
}

/// A node of the trie of texts.
#[derive(Clone, Copy, Debug)]
struct KindNode {
    node: u32,
    /// The kinds of the characters before it.
    before: CharKinds,
}

/// What comes after characters of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// An ASCII character that is no letter.
    Ascii(u8),
    /// Whitespace beyond ASCII.
    Space,
    /// Another character beyond ASCII, after nothing but ASCII.
    Beyond,
    /// The beginning of a character.
    Begun,
    /// Anything, after as many characters as are looked at one by one.
    Deep,
}

/// Texts are looked at by classes up to so many characters; few are longer.
pub(crate) const DEEP: usize = 16;

const SLOTS: usize = 132 * (DEEP + 1);

fn slot(exit: Exit, level: usize) -> usize {
    let exit = match exit {
        Exit::Ascii(c) => usize::from(c),
        Exit::Space => 128,
        Exit::Beyond => 129,
        Exit::Begun => 130,
        Exit::Deep => 131,
    };
    exit * (DEEP + 1) + level
}

impl TextKinds {
    /// Sorts out the tokens of a vocabulary; `count` is a multiple of [`MaskWord::BITS`].
    pub(super) fn new(tokens: &Characters<TokenId>, count: usize) -> Self {
        let mut kinds = vec![CharKinds::NONE; count];
        let mut lengths = vec![u8::MAX; count];
        let mut found: Vec<(usize, KindNode)> = Vec::new();
        tokens.visit(CharKinds::NONE, |&before, node| {
            let level = usize::from(node.depth) - 1;
            let exit = match node.what {
                _ if level == DEEP => Some(Exit::Deep),
                _ if level == 0 || level > DEEP => None,
                c @ 0..128 if (c as u8).is_ascii_alphabetic() => None,
                c @ 0..128 => Some(Exit::Ascii(c as u8)),
                BEGUN.. => Some(Exit::Begun),
                c if CharBlocks::of(c) == CharBlocks::SPACES => Some(Exit::Space),
                _ => before.is_in(CharKinds::ASCII).then_some(Exit::Beyond),
            };
            let place = KindNode {
                node: node.index,
                before,
            };
            found.extend(exit.map(|exit| (slot(exit, level), place)));
            if node.what >= BEGUN {
                return before;
            }
            let all = before.or(CharKinds::of(node.what));
            for token in node.items {
                kinds[token.index()] = all;
                lengths[token.index()] = node.depth.min(u8::MAX.into()) as u8;
            }
            all
        });
        found.sort_by_key(|&(slot, _)| slot);
        let starts = (0..=SLOTS).map(|slot| found.partition_point(|found| found.0 < slot) as u32);
        TextKinds {
            kinds: kinds.into(),
            lengths: lengths.into(),
            starts: starts.collect(),
            nodes: found.into_iter().map(|found| found.1).collect(),
        }
    }

    /// The tokens all of whose characters are of these kinds, and that have at most so many, a bit
    /// for each.
    pub(crate) fn mask(&self, class: CharKinds, most: u8) -> Vec<MaskWord> {
        work::spend(self.kinds.len() / 64);
        let (kinds, _) = self.kinds.as_chunks::<{ MaskWord::BITS }>();
        let (lengths, _) = self.lengths.as_chunks::<{ MaskWord::BITS }>();
        let wanted = |kinds: &[CharKinds; MaskWord::BITS], lengths: &[u8; MaskWord::BITS]| {
            // Steps that compilers know how to do for many tokens at once.
            let mut wanted = [0_u8; MaskWord::BITS];
            for i in 0..MaskWord::BITS {
                wanted[i] = u8::from(kinds[i].is_in(class));
            }
            for i in 0..MaskWord::BITS {
                wanted[i] &= u8::from(lengths[i] <= most);
            }
            packed(&wanted)
        };
        let words = kinds.iter().zip(lengths);
        words
            .map(|(kinds, lengths)| wanted(kinds, lengths))
            .collect()
    }

    /// The nodes at an exit after so many characters, all of these kinds.
    pub(crate) fn exits(
        &self,
        class: CharKinds,
        exit: Exit,
        level: usize,
    ) -> impl Iterator<Item = u32> {
        let slot = slot(exit, level);
        let [from, to] = [slot, slot + 1].map(|slot| self.starts[slot] as usize);
        work::spend((to - from) / 8);
        let nodes = self.nodes[from..to].iter();
        let nodes = nodes.filter(move |node| node.before.is_in(class));
        nodes.map(|node| node.node)
    }
}

/// A bit for each byte, of which each is 0 or 1.
#[inline]
fn packed(bytes: &[u8; MaskWord::BITS]) -> MaskWord {
    // Multiplied, byte `i` of eight stands in bit `56 + i`, and nothing else stands above bit 55.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks::<8>();
    let eights = (0..).zip(eights);
    let word = eights.map(|(i, &eight)| {
        let bits = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
        (bits as u32) << (8 * i)
    });
    MaskWord(word.sum())
}
