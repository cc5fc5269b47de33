//! Tokens by their ids, and sets of tokens as bits: bit `t % 32` of word `t / 32` is token `t`.

use std::fmt;

/// A token of a vocabulary: its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct TokenId(pub u32);

impl TokenId {
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A word of a token bitmask: the bits of 32 tokens in a row, the lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct MaskWord(pub u32);

impl MaskWord {
    /// None of the tokens.
    pub const NONE: MaskWord = MaskWord(0);
    /// All of the tokens.
    pub const ALL: MaskWord = MaskWord(u32::MAX);
    /// The tokens of a word.
    pub(crate) const BITS: usize = 32;
}

/// The words of a bitmask over so many tokens.
#[inline]
pub(crate) fn words_of(tokens: usize) -> usize {
    tokens.div_ceil(MaskWord::BITS)
}

/// Sets the bits that are set in others.
pub(crate) fn add_bits(bits: &mut [MaskWord], more: &[MaskWord]) {
    for (word, more) in bits.iter_mut().zip(more) {
        word.0 |= more.0;
    }
}

/// Sets the bits of tokens.
pub(crate) fn set_bits(bits: &mut [MaskWord], tokens: &[TokenId]) {
    for &TokenId(token) in tokens {
        bits[token as usize / 32].0 |= 1 << (token % 32);
    }
}

/// Clears the bits of tokens.
pub(crate) fn clear_bits(bits: &mut [MaskWord], tokens: &[TokenId]) {
    for &TokenId(token) in tokens {
        bits[token as usize / 32].0 &= !(1 << (token % 32));
    }
}

/// The tokens whose bits are set.
pub(crate) fn bits_of(bits: &[MaskWord]) -> impl Iterator<Item = TokenId> {
    let words = (0_u32..)
        .zip(bits)
        .filter(|(_, bits)| **bits != MaskWord::NONE);
    words.flat_map(|(word, &MaskWord(mut bits))| {
        std::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(TokenId(word * 32 + bit))
        })
    })
}

/// Whether the bit of a token is set.
#[inline]
pub(crate) fn has_bit(bits: &[MaskWord], TokenId(token): TokenId) -> bool {
    bits[token as usize / 32].0 >> (token % 32) & 1 == 1
}
