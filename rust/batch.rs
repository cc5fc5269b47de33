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
    let row_words = row_words.max(1);
    let mut left: Vec<(&mut [u32], &Matcher)> = if matchers.len() <= FEW_ROWS {
        let rows = bits.chunks_mut(row_words).zip(matchers);
        rows.filter_map(not_copied).collect()
    } else {
        let rows = bits.par_chunks_mut(row_words).zip(matchers);
        rows.filter_map(not_copied).collect()
    };
    // Texts of one grammar are often at the same place: no two threads should make the same mask.
    let mut seen = FxHashSet::default();
    let new = left.iter().map(|(_, matcher)| *matcher);
    let new = new.filter(|m| m.new_mask().is_some_and(|mask| seen.insert(mask)));
    let new: Vec<&Matcher> = new.collect();
    match &new[..] {
        [] => {}
        [matcher] => matcher.make_mask(),
        _ => new.par_iter().with_max_len(1).for_each(|m| m.make_mask()),
    }
    let fill = |(row, matcher): &mut (&mut [u32], &Matcher)| fill_row(matcher, row);
    match left.len() {
        ..=FEW_ROWS => left.iter_mut().try_for_each(fill),
        _ => left.par_iter_mut().try_for_each(fill),
    }
}

/// A row and its matcher, unless the row could be filled by a copy.
fn not_copied<'a>(
    (row, matcher): (&'a mut [u32], &&'a Matcher),
) -> Option<(&'a mut [u32], &'a Matcher)> {
    (!copy_row(matcher, row)).then_some((row, *matcher))
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
