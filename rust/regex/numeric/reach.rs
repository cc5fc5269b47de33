//! What can still follow the digits read: whether anything, and how little.
//!
//! With an exponent and more digits behind, those read stand for the values from `digits` to
//! `digits + 1`, times ten to the exponent: a *cell*. Before the point more digits lift the
//! exponent as well, so there it has no cap.

use crate::regex::numeric::bound::{Bound, Digits};
use crate::regex::numeric::reading::{Phase, Reading};
use crate::work;

impl Reading {
    /// The exponents whose cells have values between the bounds.
    fn cells(&self) -> (i32, i32) {
        let lo = self.lower.in_reach().unwrap_or(i32::MIN);
        let hi = self.upper.in_reach().unwrap_or(i32::MAX);
        let most = if self.is_in_fraction() {
            self.cap()
        } else {
            i32::MAX
        };
        (lo.max(-self.cap()), hi.min(most))
    }

    /// Whether the number can be finished.
    pub(super) fn is_live(&self) -> bool {
        if self.leading {
            // States from which no other digit leads anywhere allow zero only.
            return self.zero || self.upper != Bound::ZERO;
        }
        let (lo, hi) = self.cells();
        if lo > hi {
            return false;
        }
        // Closed bounds are allowed themselves, so a cell with a bound in it will do.
        if (self.lower.is_matching() && self.lower.in_reach() == Some(lo))
            || (self.upper.is_matching() && self.upper.in_reach() == Some(hi))
        {
            return true;
        }
        let is_full = self.multiples.is_full(self.cap(), self.is_in_fraction());
        self.multiples.reach(lo, hi, is_full)
    }

    /// At least so many characters finish the number, and whether so few do.
    pub(crate) fn shortest(&self, digits: &Digits) -> (u32, bool) {
        if self.holds() {
            return (0, true);
        }
        if self.leading {
            // A zero is all that a state before one may need.
            return match self.zero {
                true => (1, true),
                false => (self.multiples.least_digits(), false),
            };
        }
        let (lo, hi) = self.cells();
        let is_matching = self.lower.is_matching() || self.upper.is_matching();
        // Where only the bounds' own places are left, their common digits must come. Else bounds
        // that match are taken to be no bounds, for a search to find out.
        let forced = if lo == hi { self.forced(digits) } else { 0 };
        let mut best = u32::MAX;
        for at in self.multiples.candidates(lo, hi) {
            work::spend(1);
            if self.spelled(at, forced) < best
                && let Some(more) = self.multiples.digits(at, best)
            {
                best = best.min(self.spelled(at, more.max(forced)));
            }
        }
        debug_assert!(
            best < u32::MAX,
            "states that cannot be finished are not made"
        );
        (best.max(u32::from(is_matching)), !is_matching)
    }

    /// At least so many digits must come if only one cell is left.
    fn forced(&self, digits: &Digits) -> u32 {
        let (lower, upper) = (self.lower.wanted(digits), self.upper.wanted(digits));
        let count = match (self.lower, self.upper) {
            (Bound::Matching { open, .. }, Bound::Matching { .. }) => {
                let zeros = if open { upper.len() } else { 0 };
                let lower = lower.iter().chain(std::iter::repeat_n(&b'0', zeros));
                lower.zip(upper).take_while(|(a, b)| a == b).count()
            }
            (Bound::Matching { .. }, _) => {
                let nines = lower.iter().take_while(|&&d| d == b'9').count();
                lower.len().min(nines + 1)
            }
            _ => 0,
        };
        count as u32
    }

    /// The fewest characters that finish the number with at least so many more digits, if the
    /// exponent of the digits read is `at` in the end.
    fn spelled(&self, at: i32, digits: u32) -> u32 {
        let digits = digits as i32;
        let cap = self.cap();
        let length = match self.phase {
            Phase::Point | Phase::Fraction => {
                let digits = digits.max(i32::from(self.phase == Phase::Point));
                if at == 0 {
                    digits
                } else {
                    digits + exponent_length(at)
                }
            }
            _ if self.plain => at.max(0),
            _ => {
                let whole = digits.max(at - cap);
                let with_exponent = if at - whole < -cap {
                    // Beyond the cap, a point before the digits does what the exponent cannot.
                    digits + 1 + exponent_length(at)
                } else {
                    whole + exponent_length(at - whole)
                };
                match at {
                    ..0 => with_exponent,
                    _ if digits <= at => at.min(with_exponent),
                    // A point, and digits after it.
                    _ => (digits + 1).min(with_exponent),
                }
            }
        };
        length as u32
    }
}

/// The characters of an exponent, its letter included.
fn exponent_length(exponent: i32) -> i32 {
    let digits = exponent.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    1 + i32::from(exponent < 0) + digits as i32
}
