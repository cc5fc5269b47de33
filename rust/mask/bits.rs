//! Sets of tokens as bits: bit `t % 32` of word `t / 32` is token `t`.

use std::sync::Arc;

/// Sets the bits that are set in others.
pub(crate) fn add_bits(bits: &mut [u32], more: &[u32]) {
    for (word, more) in bits.iter_mut().zip(more) {
        *word |= more;
    }
}

/// Sets the bits of tokens.
pub(crate) fn set_bits(bits: &mut [u32], tokens: &[u32]) {
    for &token in tokens {
        bits[token as usize / 32] |= 1 << (token % 32);
    }
}

/// Clears the bits of tokens.
pub(crate) fn clear_bits(bits: &mut [u32], tokens: &[u32]) {
    for &token in tokens {
        bits[token as usize / 32] &= !(1 << (token % 32));
    }
}

/// The tokens whose bits are set.
pub(crate) fn bits_of(bits: &[u32]) -> impl Iterator<Item = u32> {
    let words = (0_u32..).zip(bits).filter(|(_, bits)| **bits != 0);
    words.flat_map(|(word, &(mut bits))| {
        std::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(word * 32 + bit)
        })
    })
}

/// Whether the bit of a token is set.
pub(crate) fn has_bit(bits: &[u32], token: u32) -> bool {
    bits[token as usize / 32] >> (token % 32) & 1 == 1
}

/// Sets of tokens on a vocabulary, each a bit for each token.
pub(crate) type TokenSets = Arc<[Box<[u32]>]>;
