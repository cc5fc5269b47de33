//! Which characters languages treat otherwise than the character before them.
//!
//! If no language does so for a character, then a text of a language stays one when that character
//! in it is replaced by the one before. So a vocabulary needs no tokens for the characters whose
//! UTF-8 begins with some byte, if no language treats any of them otherwise than the character
//! before them all.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::byte_set::ByteSet;
use crate::regex::codeset::{CodeSet, SCALARS};

/// The first bytes, in UTF-8, of the characters that some language treats otherwise than the
/// character before them.
#[derive(Debug, Default)]
pub(super) struct Edges([AtomicU64; 4]);

impl Edges {
    /// Adds the characters at the edges of a set: those that are in it while the character before
    /// is not, and the other way round.
    pub(super) fn add_set(&self, set: &CodeSet) {
        let [(_, before), (after, _)] = SCALARS;
        let mut first = ByteSet::NONE;
        let mut end = None;
        for &(lo, hi) in set.ranges() {
            // Over the surrogates, which are no characters, a range goes on.
            if end != Some(lo) {
                end.iter()
                    .chain([&lo])
                    .for_each(|&c| first.insert_leads(c, c));
            }
            end = Some(if hi == before { after } else { hi + 1 });
        }
        end.iter().for_each(|&c| first.insert_leads(c, c));
        self.add(first);
    }

    /// Adds the characters of a text.
    pub(super) fn add_text(&self, text: &str) {
        let mut first = ByteSet::NONE;
        for c in text.chars() {
            first.insert_leads(u32::from(c), u32::from(c));
        }
        self.add(first);
    }

    fn add(&self, first: ByteSet) {
        for (word, more) in self.0.iter().zip(first.words()) {
            if more & !word.load(Ordering::Relaxed) != 0 {
                word.fetch_or(more, Ordering::Relaxed);
            }
        }
    }

    /// Whether some language treats a character that begins with a byte otherwise than the
    /// character before it.
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte) / 64].load(Ordering::Relaxed) >> (byte % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ranges: &[(u32, u32)]) -> Vec<u8> {
        let edges = Edges::default();
        edges.add_set(&CodeSet::new(ranges.iter().copied()));
        (0..=255).filter(|&byte| edges.contains(byte)).collect()
    }

    #[test]
    fn sets_tell_their_first_characters_and_those_after_them() {
        assert_eq!(of(&[(0x61, 0x7A)]), b"a{");
        assert_eq!(of(&[(0x7F, 0x7F)]), [0x7F, 0xC2]);
        assert_eq!(of(&[(0x4_0000, 0x7_FFFF)]), [0xF1, 0xF2]);
        assert_eq!(of(&[(0x4_0001, 0x7_FFFF)]), [0xF1, 0xF2]);
        assert_eq!(of(&[(0x4_0001, 0x4_0001)]), [0xF1]);
        assert_eq!(of(&[(0x3_0000, 0xC_FFFF)]), [0xF0, 0xF3]);
    }

    #[test]
    fn surrogates_part_no_characters() {
        assert_eq!(of(&SCALARS), [0]);
        assert_eq!(of(&[(0x5000, 0xD7FF)]), [0xE5, 0xEE]);
        assert_eq!(of(&[(0xE000, 0xE001)]), [0xEE]);
    }
}
