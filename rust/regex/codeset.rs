//! Sets of code points.

/// The largest code point.
pub(crate) const MAX: u32 = 0x10_FFFF;

/// The code points that text can hold: all but the surrogates.
pub(crate) const SCALARS: [(u32, u32); 2] = [(0, 0xD7FF), (0xE000, MAX)];

/// A set of code points: sorted, disjoint, non-adjacent inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CodeSet(Box<[(u32, u32)]>);

impl CodeSet {
    /// The set of all code points.
    #[cfg(test)]
    pub(crate) fn all() -> Self {
        CodeSet(Box::new([(0, MAX)]))
    }

    pub(crate) fn single(c: u32) -> Self {
        CodeSet(Box::new([(c, c)]))
    }

    /// From inclusive ranges in any order, overlapping or not; those with `lo > hi` are empty.
    pub(crate) fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|(lo, hi)| lo <= hi).collect();
        ranges.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (lo, hi) in ranges {
            match out.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => out.push((lo, hi)),
            }
        }
        CodeSet(out.into())
    }

    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, c: u32) -> bool {
        let i = self.0.partition_point(|&(_, hi)| hi < c);
        self.0.get(i).is_some_and(|&(lo, _)| lo <= c)
    }

    pub(crate) fn holds_surrogates(&self) -> bool {
        let [(_, before), (after, _)] = SCALARS;
        let i = self.0.partition_point(|&(_, hi)| hi <= before);
        self.0.get(i).is_some_and(|&(lo, _)| lo < after)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        CodeSet::new(self.0.iter().chain(other.0.iter()).copied())
    }

    pub(crate) fn complement(&self) -> Self {
        let mut out = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for &(lo, hi) in &*self.0 {
            if lo > next {
                out.push((next, lo - 1));
            }
            next = hi + 1;
        }
        if next <= MAX {
            out.push((next, MAX));
        }
        CodeSet(out.into())
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let (mut i, mut j) = (0, 0);
        let mut out = Vec::new();
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (lo, hi) = (a.0.max(b.0), a.1.min(b.1));
            if lo <= hi {
                out.push((lo, hi));
            }
            match a.1 < b.1 {
                true => i += 1,
                false => j += 1,
            }
        }
        CodeSet(out.into())
    }
}
