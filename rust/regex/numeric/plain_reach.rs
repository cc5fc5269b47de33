//! What can still follow the digits of a plain number: whether anything, and how little.
//!
//! With the exponent `at` and digits behind them, those read stand for a *cell*: the values from
//! `digits` to `digits + 1`, times ten to `at`. Of a cell, the next digits count through all numbers
//! of a fixed length; the bounds cut off some at both ends.

use crate::regex::numeric::bound::{Bound, Digits, Side};
use crate::regex::numeric::plain_reading::{EXPONENTS, Form, PlainReading};
use crate::regex::numeric::reading::Phase;

/// Exponents and what their texts take, the `e` included, the shortest first.
const EXPONENT_LENGTHS: [(i32, i32, u32); 6] = [
    (-9, -7, 3),
    (16, 99, 4),
    (-6, -5, 4),
    (-99, -10, 4),
    (100, EXPONENTS[1].1, 5),
    (EXPONENTS[0].0, -100, 5),
];

impl PlainReading {
    /// Whether the number can be finished.
    pub(super) fn is_live(&self, digits: &Digits) -> bool {
        if self.leading {
            return self.holds()
                || self.clone().point(digits).is_some()
                || (0..10).any(|digit| self.clone().digit(digit, digits).is_some());
        }
        let left = self.left;
        let least = self.least();
        match (self.form, self.phase) {
            // Each digit that comes lifts the exponent of those read.
            (Form::Whole, _) => self.reaches((0, left as i32), &|at| at as u32, 0, digits),
            (Form::Fixed, Phase::Int) => self.reaches((0, left as i32 - 1), &|_| left, 0, digits),
            (Form::Fixed, _) => left >= least && self.fits(0, left, least, digits),
            (Form::Scientific, _) => EXPONENTS
                .into_iter()
                .any(|range| self.reaches(range, &|_| left, least, digits)),
        }
    }

    /// How many digits must come at least: one after a bare point, where a zero will do, and one
    /// that is not zero after a trailing zero.
    fn least(&self) -> u32 {
        u32::from(self.trailing || self.phase == Phase::Point)
    }

    /// The fewest characters that finish the number.
    pub(crate) fn shortest(&self, digits: &Digits) -> u32 {
        if self.holds() {
            return 0;
        }
        if self.leading {
            let digit = |digit| self.clone().digit(digit, digits);
            let next = (0..10).filter_map(digit).chain(self.clone().point(digits));
            let rests = next.map(|next| next.shortest(digits));
            return 1 + rests.min().expect("only what can be finished is a state");
        }
        let (least, left) = (self.least(), self.left);
        let found = match (self.form, self.phase) {
            (Form::Whole, _) => (0..=left).find(|&n| self.fits(n as i32, n, 0, digits)),
            (Form::Fixed, Phase::Int) => {
                let fits = |n: u32| (0..n as i32).any(|at| self.fits(at, n, 0, digits));
                (1..=left).find(|&n| fits(n)).map(|n| n + 1)
            }
            (Form::Fixed, _) => (least..=left).find(|&n| self.fits(0, n, least, digits)),
            (Form::Scientific, _) => self.shortest_scientific(digits),
        };
        found.expect("only what can be finished is a state")
    }

    fn shortest_scientific(&self, digits: &Digits) -> Option<u32> {
        let least = self.least();
        let mut best = None;
        for n in least..=self.left {
            let point = u32::from(self.phase == Phase::Int && n > 0);
            for (from, to, length) in EXPONENT_LENGTHS {
                let all = n + point + length;
                if best.is_none_or(|best| all < best)
                    && self.reaches((from, to), &|_| n, least, digits)
                {
                    best = Some(all);
                }
            }
        }
        best
    }

    /// Whether `count` digits, of which there may be others for each exponent, make a number that is
    /// allowed with some exponent between two.
    fn reaches(
        &self,
        (from, to): (i32, i32),
        count: &dyn Fn(i32) -> u32,
        least: u32,
        digits: &Digits,
    ) -> bool {
        let lo = from.max(self.lower.in_reach().unwrap_or(from));
        let hi = to.min(self.upper.in_reach().unwrap_or(to));
        if lo > hi {
            return false;
        }
        let fits = |at: i32| self.fits(at, count(at), least, digits);
        match self.multiples.horizon() {
            // Where the bounds do not reach, the digits of a multiple are those of a multiple with
            // a greater exponent, too.
            None => [hi, hi - 1, lo].into_iter().any(|at| at >= lo && fits(at)),
            Some(horizon) => (lo..=hi.min(horizon.max(lo)))
                .chain([hi - 1, hi])
                .any(|at| at >= lo && fits(at)),
        }
    }

    /// Whether some `count` digits make a number that is allowed, if the exponent of those read is
    /// `at` in the end. With `least`, zeros alone will not do, but behind a bare point.
    fn fits(&self, at: i32, count: u32, least: u32, digits: &Digits) -> bool {
        let zeros_will_do = least == 0 || self.form == Form::Fixed && self.phase == Phase::Point;
        let all_will_do = self.multiples.are_all()
            && self.lower.is_met(at, Side::AtLeast)
            && self.upper.is_met(at, Side::AtMost);
        let looked_at = || {
            let between = self.between(at, count as usize, !zeros_will_do, digits);
            between.is_some_and(|(least, most)| self.multiples.has_between(at, &least, &most))
        };
        if all_will_do {
            let fits = zeros_will_do || count > 0;
            debug_assert_eq!(fits, looked_at());
            return fits;
        }
        looked_at()
    }

    /// The least and the greatest next digits that the bounds allow.
    fn between(
        &self,
        at: i32,
        count: usize,
        is_positive: bool,
        digits: &Digits,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        let start = |bound: Bound| {
            let mut next = vec![b'0'; count];
            let wanted = bound.wanted(digits);
            let shared = wanted.len().min(count);
            next[..shared].copy_from_slice(&wanted[..shared]);
            (next, wanted.len() > count)
        };
        let mut least = vec![b'0'; count];
        let mut most = vec![b'9'; count];
        match self.lower {
            Bound::Decided(from) if at < from => return None,
            Bound::Matching { gap, .. } if at < gap => return None,
            Bound::Matching { gap, open, .. } if at == gap => {
                let (next, is_cut) = start(self.lower);
                least = next;
                if open || is_cut {
                    count_up(&mut least)?;
                }
            }
            _ => {}
        }
        match self.upper {
            Bound::Decided(to) if at > to => return None,
            Bound::Matching { gap, .. } if at > gap => return None,
            Bound::Matching { gap, open, .. } if at == gap => {
                let (next, is_cut) = start(self.upper);
                most = next;
                if open && !is_cut {
                    count_down(&mut most)?;
                }
            }
            _ => {}
        }
        if is_positive && least.iter().all(|&digit| digit == b'0') {
            count_up(&mut least)?;
        }
        (least <= most).then_some((least, most))
    }
}

/// The next number of as many digits.
fn count_up(digits: &mut [u8]) -> Option<()> {
    let last = digits.iter().rposition(|&digit| digit != b'9')?;
    digits[last] += 1;
    digits[last + 1..].fill(b'0');
    Some(())
}

/// The number before, of as many digits.
fn count_down(digits: &mut [u8]) -> Option<()> {
    let last = digits.iter().rposition(|&digit| digit != b'0')?;
    digits[last] -= 1;
    digits[last + 1..].fill(b'9');
    Some(())
}
