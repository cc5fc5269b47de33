//! Tokens inside a string, by the kinds of their characters.

use crate::regex::char_blocks::CharBlocks;
use crate::vocab::char_kinds::CharKinds;
use crate::vocab::characters::{BEGUN, Characters};
use crate::vocab::token::{MaskWord, TokenId, add_bits, set_bits};
use crate::work;

/// What is known of the texts of tokens for any class that some kinds make up: which are in the class
/// as a whole, and where others leave it.
#[derive(Debug)]
pub(crate) struct TextKinds {
    /// The kinds of each token's characters.
    kinds: Box<[CharKinds]>,
    /// The tokens of at most 0, 1, 2... [`DEEP`] characters, nothing but characters, a bit for each.
    short: Box<[Box<[MaskWord]>]>,
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
        let mut short = vec![vec![MaskWord::NONE; count / MaskWord::BITS]; DEEP + 1];
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
            }
            if let Some(short) = short.get_mut(level + 1) {
                set_bits(short, node.items);
            }
            all
        });
        for most in 1..=DEEP {
            let (shorter, longer) = short.split_at_mut(most);
            add_bits(&mut longer[0], &shorter[most - 1]);
        }
        found.sort_by_key(|&(slot, _)| slot);
        let starts = (0..=SLOTS).map(|slot| found.partition_point(|found| found.0 < slot) as u32);
        TextKinds {
            kinds: kinds.into(),
            short: short.into_iter().map(Vec::into_boxed_slice).collect(),
            starts: starts.collect(),
            nodes: found.into_iter().map(|found| found.1).collect(),
        }
    }

    /// The tokens of at most [`DEEP`] characters, all of these kinds, a bit for each.
    pub(crate) fn of_class(&self, class: CharKinds) -> Box<[MaskWord]> {
        work::spend(self.kinds.len() / 64);
        let (kinds, _) = self.kinds.as_chunks::<{ MaskWord::BITS }>();
        let wanted = kinds.iter().map(|kinds| {
            // A step that compilers know how to do for many tokens at once.
            let mut wanted = [0_u8; MaskWord::BITS];
            for i in 0..MaskWord::BITS {
                wanted[i] = u8::from(kinds[i].is_in(class));
            }
            packed(&wanted)
        });
        let words = wanted.zip(self.short(DEEP));
        words
            .map(|(wanted, short)| MaskWord(wanted.0 & short.0))
            .collect()
    }

    /// The tokens of at most so many characters, a bit for each; [`DEEP`] is the most.
    pub(crate) fn short(&self, most: usize) -> &[MaskWord] {
        &self.short[most]
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
