//! Coarse sets of characters: exact for ASCII, by blocks beyond.

use crate::byte_set::ByteSet;

/// A set of characters in a few words: each ASCII character, and each block of others as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CharBlocks {
    ascii: [u64; 2],
    /// A bit for each block.
    beyond: u64,
}

/// The first characters of stretches that belong to one block, and the block. What patterns treat
/// as whitespace is a block of its own, in many stretches.
const STRETCHES: [(u32, u32); 59] = [
    (0x80, 1),
    (0xA0, 0),
    (0xA1, 2),
    (0xC0, 3),
    (0x100, 4),
    (0x180, 5),
    (0x250, 6),
    (0x300, 7),
    (0x370, 8),
    (0x400, 9),
    (0x530, 10),
    (0x590, 11),
    (0x600, 12),
    (0x700, 13),
    (0x900, 14),
    (0x980, 15),
    (0xE00, 16),
    (0xE80, 17),
    (0x1100, 18),
    (0x1200, 19),
    (0x1680, 0),
    (0x1681, 19),
    (0x1E00, 20),
    (0x1F00, 21),
    (0x2000, 0),
    (0x200B, 22),
    (0x2010, 23),
    (0x2028, 0),
    (0x202A, 22),
    (0x202F, 0),
    (0x2030, 24),
    (0x205F, 0),
    (0x2060, 22),
    (0x2070, 25),
    (0x20A0, 26),
    (0x2100, 27),
    (0x2190, 28),
    (0x2300, 29),
    (0x2500, 30),
    (0x2600, 31),
    (0x2800, 32),
    (0x2C00, 33),
    (0x2E80, 34),
    (0x3000, 0),
    (0x3001, 35),
    (0x3040, 36),
    (0x3100, 37),
    (0x3400, 38),
    (0x4E00, 39),
    (0xA000, 40),
    (0xAC00, 41),
    (0xE000, 42),
    (0xF900, 43),
    (0xFEFF, 0),
    (0xFF00, 44),
    (0x1_0000, 45),
    (0x1_F000, 46),
    (0x1_FB00, 47),
    (0x2_0000, 48),
];
/// A bit for each block that there is.
const BLOCKS: u64 = (1 << 49) - 1;
/// One past the last character.
const END: u32 = 0x11_0000;
/// Code points that are no characters; whether a range holds them makes no difference.
const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

fn block(c: u32) -> u32 {
    let i = STRETCHES.partition_point(|&(start, _)| start <= c);
    STRETCHES[i - 1].1
}

/// The ASCII characters of a range.
fn ascii(lo: u32, hi: u32) -> [u64; 2] {
    let word = |first: u32| {
        let (lo, hi) = (lo.max(first), hi.min(first + 63));
        if lo > hi {
            return 0;
        }
        (u64::MAX >> (63 - (hi - lo))) << (lo - first)
    };
    [word(0), word(64)]
}

impl CharBlocks {
    pub(crate) const ALL: CharBlocks = CharBlocks {
        ascii: [u64::MAX; 2],
        beyond: BLOCKS,
    };

    pub(crate) const ASCII: CharBlocks = CharBlocks {
        ascii: [u64::MAX; 2],
        beyond: 0,
    };

    /// The letters of ASCII.
    pub(crate) const LETTERS: CharBlocks = CharBlocks {
        ascii: [0, 0x07FF_FFFE_07FF_FFFE],
        beyond: 0,
    };

    /// The block of whitespace beyond ASCII.
    pub(crate) const SPACES: CharBlocks = CharBlocks {
        ascii: [0; 2],
        beyond: 1,
    };

    /// The smallest set that holds a character.
    pub(crate) fn of(c: u32) -> Self {
        let mut blocks = CharBlocks::default();
        match c {
            0..128 => blocks.ascii[c as usize / 64] = 1 << (c % 64),
            _ => blocks.beyond = 1 << block(c),
        }
        blocks
    }

    /// A set that holds all characters whose UTF-8 begins with one of some bytes.
    pub(crate) fn beginning(bytes: ByteSet) -> Self {
        let mut blocks = CharBlocks::default();
        for byte in bytes.iter() {
            match byte {
                0..128 => blocks.ascii[usize::from(byte) / 64] |= 1 << (byte % 64),
                _ => blocks.beyond = BLOCKS,
            }
        }
        blocks
    }

    /// The smallest set that holds a range.
    pub(crate) fn around(lo: u32, hi: u32) -> Self {
        let mut blocks = CharBlocks {
            ascii: ascii(lo, hi),
            beyond: 0,
        };
        if hi >= 128 {
            let lo = lo.max(128);
            let first = STRETCHES.partition_point(|&(start, _)| start <= lo) - 1;
            let stretches = STRETCHES[first..].iter();
            for &(_, block) in stretches.take_while(|&&(start, _)| start <= hi) {
                blocks.beyond |= 1 << block;
            }
        }
        blocks
    }

    /// The largest set all of whose characters are in ranges that rise and do not overlap.
    pub(crate) fn within(ranges: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut blocks = CharBlocks::default();
        // Blocks are whole until a gap is found in them.
        let mut broken = 0_u64;
        let mut at = 128;
        let mut gap = |from: u32, to: u32| {
            // The characters from..to are missing.
            let from = if (SURROGATES.0..=SURROGATES.1).contains(&from) {
                SURROGATES.1 + 1
            } else {
                from
            };
            if from < to {
                broken |= CharBlocks::around(from, to - 1).beyond;
            }
        };
        for (lo, hi) in ranges {
            let more = ascii(lo, hi);
            blocks.ascii = [blocks.ascii[0] | more[0], blocks.ascii[1] | more[1]];
            if hi >= 128 {
                gap(at, lo.max(at));
                at = hi + 1;
            }
        }
        gap(at, END);
        blocks.beyond = BLOCKS & !broken;
        blocks
    }

    pub(crate) fn or(self, other: Self) -> Self {
        CharBlocks {
            ascii: [
                self.ascii[0] | other.ascii[0],
                self.ascii[1] | other.ascii[1],
            ],
            beyond: self.beyond | other.beyond,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        CharBlocks {
            ascii: [
                self.ascii[0] & other.ascii[0],
                self.ascii[1] & other.ascii[1],
            ],
            beyond: self.beyond & other.beyond,
        }
    }

    pub(crate) fn without(self, other: Self) -> Self {
        CharBlocks {
            ascii: [
                self.ascii[0] & !other.ascii[0],
                self.ascii[1] & !other.ascii[1],
            ],
            beyond: self.beyond & !other.beyond,
        }
    }

    /// Its ASCII characters, rising.
    pub(crate) fn ascii(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |&c| self.ascii[usize::from(c) / 64] >> (c % 64) & 1 == 1)
    }

    /// The ASCII characters and blocks in it.
    pub(crate) fn size(self) -> u32 {
        let [low, high] = self.ascii.map(u64::count_ones);
        low + high + self.beyond.count_ones()
    }

    pub(crate) fn is_in(self, other: Self) -> bool {
        self.and(other) == self
    }

    /// Whether no character is in both.
    pub(crate) fn misses(self, other: Self) -> bool {
        self.and(other) == CharBlocks::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stretches_rise() {
        assert!(STRETCHES.is_sorted_by_key(|&(start, _)| start));
        let all = CharBlocks::within([(0, END - 1)].into_iter());
        assert_eq!(
            all,
            CharBlocks::within([(0, 0xD7FF), (0xE000, END - 1)].into_iter())
        );
        assert!(CharBlocks::around(0, END - 1).is_in(all));
        assert_eq!(
            (all, CharBlocks::around(0, END - 1)),
            (CharBlocks::ALL, CharBlocks::ALL)
        );
    }

    proptest! {
        #[test]
        fn sketches_hold_what_they_say(
            bounds in proptest::collection::btree_set(
                prop_oneof![0..0x300_u32, 0x1600..0x3100_u32, 0..END], 2..9),
            probes in proptest::collection::vec(
                prop_oneof![0..0x300_u32, 0x1600..0x3100_u32, 0..END], 40),
        ) {
            let bounds: Vec<u32> = bounds.into_iter().collect();
            let ranges: Vec<(u32, u32)> = bounds.chunks_exact(2).map(|b| (b[0], b[1])).collect();
            let within = CharBlocks::within(ranges.iter().copied());
            let around = ranges.iter().fold(CharBlocks::default(), |s, r| s.or(CharBlocks::around(r.0, r.1)));
            let near = bounds.iter().flat_map(|&b| [b.saturating_sub(1), b, b + 1]);
            for c in probes.into_iter().chain(near) {
                if c >= END || (SURROGATES.0..=SURROGATES.1).contains(&c) {
                    continue;
                }
                let is_in = ranges.iter().any(|&(lo, hi)| (lo..=hi).contains(&c));
                prop_assert!(!CharBlocks::of(c).is_in(within) || is_in);
                prop_assert!(!is_in || CharBlocks::of(c).is_in(around));
            }
        }
    }
}
