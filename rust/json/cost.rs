//! Bytes that values cost, and sums of them.
//!
//! Where lines are indented, a value takes the more bytes the deeper it stands: each of its line breaks
//! is longer by one indentation for each level. So a cost then counts line breaks apart, above
//! [`LINE`], and below it the bytes that the value takes if it stands by itself. Costs are added and
//! compared as the numbers that they are: the fewest lines are the cheapest, and of those the fewest bytes.

use crate::spelling::spelled_bytes;

/// The cost of what cannot be.
pub(crate) const NEVER: u64 = u64::MAX;

/// A line break, in a cost. No text has so many bytes.
pub(crate) const LINE: u64 = 1 << 40;

pub(crate) fn add(a: u64, b: u64) -> u64 {
    if a == NEVER || b == NEVER {
        NEVER
    } else {
        a.saturating_add(b).min(NEVER - 1)
    }
}

pub(crate) fn multiply(cost: u64, times: u64) -> u64 {
    match (cost, times) {
        (_, 0) => 0,
        (NEVER, _) => NEVER,
        _ => cost.saturating_mul(times).min(NEVER - 1),
    }
}

/// The bytes of a key with its quotes.
pub(crate) fn key_bytes(key: &str) -> u64 {
    2 + key.chars().map(spelled_bytes).sum::<u64>()
}
