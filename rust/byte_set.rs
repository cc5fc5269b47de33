//! Sets of bytes.

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const ALL: ByteSet = ByteSet([u64::MAX; 4]);
    pub(crate) const NONE: ByteSet = ByteSet([0; 4]);
    pub(crate) const BEYOND_ASCII: ByteSet = ByteSet([0, 0, u64::MAX, u64::MAX]);

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        let mut set = ByteSet::NONE;
        let mut i = 0;
        while i < bytes.len() {
            set.insert(bytes[i]);
            i += 1;
        }
        set
    }

    pub(crate) const fn insert(&mut self, byte: u8) {
        self.0[byte as usize / 64] |= 1 << (byte % 64);
    }

    pub(crate) fn without(self, other: ByteSet) -> Self {
        ByteSet(std::array::from_fn(|i| self.0[i] & !other.0[i]))
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

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte) / 64] >> (byte % 64) & 1 == 1
    }

    pub(crate) fn or(self, other: ByteSet) -> Self {
        ByteSet(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// The set of the ASCII characters whose bits are set: bit `c` stands for character `c`.
    pub(crate) fn of_ascii(bits: u128) -> Self {
        ByteSet([bits as u64, (bits >> 64) as u64, 0, 0])
    }

    /// The set as 256 bits: bit `b % 64` of word `b / 64` stands for byte `b`.
    pub(crate) fn words(self) -> [u64; 4] {
        self.0
    }

    pub(crate) fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + use<> {
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
