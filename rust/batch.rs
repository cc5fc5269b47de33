//! Many texts at once.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::error::{Error, Kind};
use crate::matcher::Matcher;

/// So few copies of masks take less time than to wake other threads.
const FEW_ROWS: usize = 32;

/// Fills row `i` of a bitmask for `matchers[i]`, in parallel.
///
/// `bits` holds the rows one after the other, each `row_words` words long; words beyond those that
/// a matcher's vocabulary needs become 0.
///
/// # Errors
///
/// If there are fewer rows than matchers, or a row is shorter than a matcher's vocabulary needs.
pub fn fill_masks(matchers: &[&Matcher], bits: &mut [u32], row_words: usize) -> Result<(), Error> {
    let rows = bits.len().checked_div(row_words).unwrap_or(0);
    if rows < matchers.len() {
        let message = format!(
            "the bitmask has {rows} rows for {} matchers",
            matchers.len()
        );
        return Err(Error::new(Kind::Mask, message));
    }
    // Texts of one grammar are often at the same place: no two threads should make the same mask.
    let mut seen = FxHashSet::default();
    let mut new: Vec<&Matcher> = Vec::new();
    for &matcher in matchers {
        if matcher.new_mask().is_some_and(|mask| seen.insert(mask)) {
            new.push(matcher);
        }
    }
    match &new[..] {
        [] => {}
        [matcher] => matcher.make_mask(),
        _ => new.par_iter().with_max_len(1).for_each(|m| m.make_mask()),
    }
    let row_words = row_words.max(1);
    if matchers.len() <= FEW_ROWS {
        let mut rows = bits.chunks_mut(row_words).zip(matchers);
        return rows.try_for_each(|(row, matcher)| fill_row(matcher, row));
    }
    let rows = bits.par_chunks_mut(row_words).zip(matchers);
    rows.try_for_each(|(row, matcher)| fill_row(matcher, row))
}

/// Fills one row, which may be longer than needed.
pub(crate) fn fill_row(matcher: &Matcher, row: &mut [u32]) -> Result<(), Error> {
    let words = matcher.compiled().vocabulary().mask_words();
    if row.len() < words {
        return matcher.fill_mask(row);
    }
    let (needed, beyond) = row.split_at_mut(words);
    beyond.fill(0);
    matcher.fill_mask(needed)
}

/// Fills one row if its mask is known and costs no more than to copy it; else nothing has changed.
#[cfg(feature = "python")]
pub(crate) fn copy_row(matcher: &Matcher, row: &mut [u32]) -> bool {
    let words = matcher.compiled().vocabulary().mask_words();
    let Some((needed, beyond)) = row.split_at_mut_checked(words) else {
        return false;
    };
    let copied = matcher.copy_mask(needed);
    if copied {
        beyond.fill(0);
    }
    copied
}
