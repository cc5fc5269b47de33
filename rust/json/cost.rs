//! Bytes that values cost, and sums of them.

use crate::spelling::spell_json;

/// The cost of what cannot be.
pub(crate) const NEVER: u64 = u64::MAX;

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
    2 + key
        .chars()
        .map(|c| spell_json(u32::from(c)).len() as u64)
        .sum::<u64>()
}
