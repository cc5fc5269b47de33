//! What can still follow the digits read: whether anything, and how little.
//!
//! With an exponent and more digits behind, those read stand for the values from `digits` to
//! `digits + 1`, times ten to the exponent: a *cell*. Before the point more digits lift the
//! exponent as well, so there it has no cap.

use crate::regex::numeric::bound::{Bound, Digits};
use crate::regex::numeric::divisor::MAX_DIGITS;
use crate::regex::numeric::reading::{Phase, Reading};

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
            // With a divisor there is a lower bound, or zero is allowed.
            return self.zero || self.upper != Bound::ZERO;
        }
        let (lo, hi) = self.cells();
        if lo > hi {
            return false;
        }
        let Some(residue) = self.residue else {
            return true;
        };
        // Bounds are multiples themselves, so a cell with a bound in it will do.
        if (self.lower.is_matching() && self.lower.in_reach() == Some(lo))
            || (self.upper.is_matching() && self.upper.in_reach() == Some(hi))
        {
            return true;
        }
        if residue.need.is_some_and(|need| need <= hi) {
            return true;
        }
        // A cell that is wider than the divisor has a multiple.
        let last = hi.min(lo.max(residue.grid).saturating_add(MAX_DIGITS as i32 + 1));
        let is_saturated = self.is_in_fraction() && residue.grid >= self.cap();
        !is_saturated && (lo.max(residue.grid)..=last).any(|at| residue.reaches(at))
    }

    /// At least so many characters finish the number, and whether so few do.
    pub(crate) fn shortest(&self, digits: &Digits) -> (u32, bool) {
        if self.holds() {
            return (0, true);
        }
        if self.leading {
            let before_zero = matches!(self.phase, Phase::Start | Phase::Point);
            return (1, self.zero && before_zero);
        }
        let (lo, hi) = self.cells();
        if self.lower.is_matching() || self.upper.is_matching() {
            // Where only the bounds' own places are left, their common digits must come.
            let forced = if lo == hi { self.forced(digits) } else { 0 };
            let at = 0_i32.clamp(lo, hi);
            return (self.spelled(at, forced).max(1), false);
        }
        let mut best = u32::MAX;
        for at in self.candidates(lo, hi) {
            if self.spelled(at, 0) < best
                && let Some(more) = self.residue.map_or(Some(0), |r| r.digits(at, best))
            {
                best = best.min(self.spelled(at, more));
            }
        }
        debug_assert!(
            best < u32::MAX,
            "states that cannot be finished are not made"
        );
        (best, true)
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

    /// Exponents among which is that of a shortest number.
    fn candidates(&self, lo: i32, hi: i32) -> impl Iterator<Item = i32> + use<> {
        let (from, to) = match self.residue {
            None => (lo, lo - 1),
            Some(residue) => (lo.max(residue.grid), hi.min(residue.horizon().max(lo))),
        };
        let need = self.residue.and_then(|residue| residue.need);
        let near = 0_i32.clamp(need.unwrap_or(lo).clamp(lo, hi), hi);
        // Past the horizon all cells are alike, but for what their exponents take.
        let far = 0_i32.clamp(lo, hi).max(to.clamp(lo, hi));
        let small = lo.max(0)..=(MAX_DIGITS as i32 + 1).min(hi);
        [near, far].into_iter().chain(from..=to).chain(small)
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
                let exponent_after = digits.max(at - cap);
                let with_exponent = exponent_after + exponent_length(at - exponent_after);
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
