//! How many bytes spell a character, and sums of such costs.

use crate::regex::node::Spelling;

/// The cost of what cannot be.
pub(crate) const NO_WAY: u32 = u32::MAX;

/// Characters from cheap to dear, as (first, last, bytes); within a kind the pleasant ones first.
const JSON_COSTS: &[(u32, u32, u32)] = &[
    (0x61, 0x7A, 1),
    (0x30, 0x39, 1),
    (0x20, 0x21, 1),
    (0x23, 0x5B, 1),
    (0x5D, 0x7F, 1),
    (0x22, 0x22, 2),
    (0x5C, 0x5C, 2),
    (0x08, 0x0A, 2),
    (0x0C, 0x0D, 2),
    (0x80, 0x7FF, 2),
    (0x800, 0xD7FF, 3),
    (0xE000, 0xFFFF, 3),
    (0x1_0000, 0x10_FFFF, 4),
    (0x00, 0x1F, 6),
];
const RAW_COSTS: &[(u32, u32, u32)] = &[
    (0x61, 0x7A, 1),
    (0x20, 0x7F, 1),
    (0x00, 0x1F, 1),
    (0x80, 0x7FF, 2),
    (0x800, 0xD7FF, 3),
    (0xE000, 0xFFFF, 3),
    (0x1_0000, 0x10_FFFF, 4),
];

const CHAR_COSTS: &[(u32, u32, u32)] = &[(0x61, 0x7A, 1), (0, 0x10_FFFF, 1)];

/// The cheapest character of `lo..=hi` and its bytes.
pub(crate) fn cheapest(lo: u32, hi: u32, spelling: Spelling) -> (u32, u32) {
    costs(spelling)
        .iter()
        .find(|&&(first, last, _)| lo <= last && hi >= first)
        .map(|&(first, _, bytes)| (lo.max(first), bytes))
        .expect("every scalar value has a cost, and pieces hold no others")
}

/// The `most` cheapest characters of `lo..=hi` and their bytes.
pub(super) fn cheapest_of(
    lo: u32,
    hi: u32,
    most: usize,
    spelling: Spelling,
) -> impl Iterator<Item = (char, u32)> {
    let kinds = costs(spelling)
        .iter()
        .flat_map(move |&(first, last, bytes)| {
            let chars = (lo.max(first)..=hi.min(last)).filter_map(char::from_u32);
            chars.map(move |c| (c, bytes))
        });
    let mut seen = Vec::new();
    // The kinds overlap.
    let new = kinds.filter(move |&(c, _)| {
        !seen.contains(&c) && {
            seen.push(c);
            true
        }
    });
    new.take(most)
}

fn costs(spelling: Spelling) -> &'static [(u32, u32, u32)] {
    match spelling {
        Spelling::Json => JSON_COSTS,
        Spelling::Raw => RAW_COSTS,
        Spelling::Chars => CHAR_COSTS,
    }
}

/// The bytes that spell `text`.
pub(super) fn text_cost(text: &str, spelling: Spelling) -> u32 {
    text.chars()
        .map(|c| cheapest(c as u32, c as u32, spelling).1)
        .sum()
}

/// The sum of two costs.
pub(super) fn add(a: u32, b: u32) -> u32 {
    if a == NO_WAY || b == NO_WAY {
        NO_WAY
    } else {
        a.saturating_add(b).min(NO_WAY - 1)
    }
}

/// A cost so many times.
pub(super) fn times(cost: u32, n: u32) -> u32 {
    if cost == NO_WAY {
        NO_WAY
    } else {
        cost.saturating_mul(n).min(NO_WAY - 1)
    }
}
