//! Many texts at once.

use rayon::prelude::*;

use crate::error::{Error, Kind};
use crate::matcher::Matcher;

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
    let rows = bits.par_chunks_mut(row_words.max(1));
    rows.zip(matchers)
        .try_for_each(|(row, matcher)| fill_row(matcher, row))
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
