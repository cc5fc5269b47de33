//! Which multiples the digits read can become.

use crate::regex::numeric::divisibility::Divisibility;
use crate::regex::numeric::divisor::{self, Divisor};
use crate::work;

/// What has been read of a number's digits, modulo a divisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Residue {
    /// The divisor in units of a power of ten.
    core: u128,
    /// The digits read, modulo the core.
    rest: u128,
    /// The exponent that gives the last digit read that unit. It grows with each digit after the
    /// point.
    grid: i32,
    /// The least exponent that makes what was read a multiple. `None` if no exponent does, or if
    /// only zeros were read, which are multiples with any.
    need: Option<i32>,
}

impl Residue {
    fn new(core: u128, scale: i32) -> Self {
        Residue {
            core,
            rest: 0,
            grid: scale,
            need: None,
        }
    }

    fn read(&mut self, digit: u8, in_fraction: bool) {
        self.rest = (self.rest * 10 + u128::from(digit)) % self.core;
        self.grid += i32::from(in_fraction);
        self.need = if digit == 0 {
            // A zero before the point is an exponent of one.
            self.need.map(|need| need - i32::from(!in_fraction))
        } else {
            let zeros = divisor::zeros_needed(self.core, self.rest);
            zeros.map(|zeros| self.grid + zeros as i32)
        };
    }

    fn settle(&mut self, cap: i32, in_fraction: bool) {
        self.need = self.need.map(|need| need.max(-cap));
        if in_fraction {
            self.need = self.need.filter(|&need| need <= cap);
            if self.grid >= cap {
                // Another digit than zero makes a multiple with no exponent.
                self.grid = cap;
                self.rest = 0;
            }
        }
    }

    /// What the digits read have to be a multiple of if `zeros` zeros follow, and the digits read
    /// with `digits` zeros behind them modulo that.
    fn ahead(&self, zeros: u32, digits: u32) -> (u128, u128) {
        work::spend(1 + digits as usize / 4);
        // A value and the zeros are a multiple of the core if the value is one of what the zeros
        // leave of it.
        let core = divisor::without_tens(self.core, zeros);
        let rest = (0..digits).fold(self.rest % core, |rest, _| rest * 10 % core);
        (core, rest)
    }

    /// Whether `digits`, put behind those read, make a multiple, if the last digit read has this
    /// exponent.
    fn divides(&self, exponent: i32, digits: &[u8]) -> bool {
        if digits.iter().all(|&digit| digit == b'0') {
            return self.need.is_some_and(|need| need <= exponent);
        }
        let Ok(places) = usize::try_from(exponent - self.grid) else {
            return false;
        };
        let (digits, finer) = digits.split_at(places.min(digits.len()));
        let core = divisor::without_tens(self.core, (places - digits.len()) as u32);
        finer.iter().all(|&digit| digit == b'0') && self.followed(digits, core) == 0
    }

    /// The digits read with `digits` behind them, modulo `core`.
    fn followed(&self, digits: &[u8], core: u128) -> u128 {
        work::spend(1 + digits.len() / 4);
        let add = |rest: u128, digit: &u8| (rest * 10 + u128::from(digit - b'0')) % core;
        digits.iter().fold(self.rest % core, add)
    }

    /// An exponent of the last digit read beyond which the exponent makes no further difference.
    fn horizon(&self) -> i32 {
        let bits = 128 - self.core.leading_zeros() as i32;
        self.grid.saturating_add(bits + bits / 3 + 1)
    }
}

/// What the number must be a multiple of, and what it must not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Multiples {
    of: Option<Residue>,
    /// What the number must not be a multiple of; if there is a divisor, these are multiples of it
    /// and have its grid.
    without: Box<[Residue]>,
}

impl Multiples {
    pub(super) fn new(divisibility: &Divisibility) -> Self {
        let residue = |d: Divisor| Residue::new(d.core, d.scale);
        let without = divisibility.without.iter().map(|&without| {
            let Some(divisor) = divisibility.divisor else {
                return residue(without);
            };
            let core = without.in_units_of(divisor);
            Residue::new(core.expect("sets are made of such divisors"), divisor.scale)
        });
        Multiples {
            of: divisibility.divisor.map(residue),
            without: without.collect(),
        }
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Residue> {
        self.of.iter_mut().chain(self.without.iter_mut())
    }

    /// Whether all numbers will do.
    pub(super) fn are_all(&self) -> bool {
        self.of.is_none() && self.without.is_empty()
    }

    pub(super) fn read(&mut self, digit: u8, in_fraction: bool) {
        self.each()
            .for_each(|residue| residue.read(digit, in_fraction));
    }

    /// Reads a zero that only zeros precede.
    pub(super) fn read_leading_zero(&mut self, in_fraction: bool) {
        self.each()
            .for_each(|residue| residue.grid += i32::from(in_fraction));
    }

    /// Forgets what no digits after these can change.
    pub(super) fn settle(&mut self, cap: i32, in_fraction: bool) {
        self.each()
            .for_each(|residue| residue.settle(cap, in_fraction));
        let is_done = |r: &Residue| in_fraction && r.grid >= cap && r.need.is_none();
        if self.without.iter().any(is_done) {
            let without = self.without.iter().copied();
            self.without = without.filter(|residue| !is_done(residue)).collect();
        }
    }

    /// Whether no digits but zeros may follow.
    pub(super) fn is_full(&self, cap: i32, in_fraction: bool) -> bool {
        in_fraction && self.of.is_some_and(|residue| residue.grid >= cap)
    }

    /// Whether all multiples from here on have at least this exponent.
    pub(super) fn imply(&self, exponent: i32) -> bool {
        // The least exponent is the grid, or what the zeros just read allow.
        self.of.is_some_and(|residue| {
            exponent <= residue.grid && residue.need.is_none_or(|need| exponent <= need)
        })
    }

    /// The exponents with which the digits read are a multiple of what they must be, and of nothing
    /// that they must not be.
    pub(super) fn exponents(&self) -> Option<(i32, i32)> {
        let lo = match self.of {
            Some(residue) => residue.need?,
            None => i32::MIN,
        };
        let needs = self.without.iter().filter_map(|residue| residue.need);
        let hi = needs.min().map_or(i32::MAX, |need| need - 1);
        (lo <= hi).then_some((lo, hi))
    }

    /// Whether digits can follow with which the number is a multiple as it must be, if the last
    /// digit read may have any exponent from `lo` to `hi`.
    pub(super) fn reach(&self, lo: i32, hi: i32, is_full: bool) -> bool {
        let Some(residue) = self.of else {
            // There are decimals between any two multiples.
            return true;
        };
        if self
            .exponents()
            .is_some_and(|(from, to)| lo.max(from) <= hi.min(to))
        {
            return true;
        }
        // Cells that are much wider than the divisor have everything.
        let first = lo.max(residue.grid);
        let last = hi.min(first.saturating_add(divisor::MAX_DIGITS as i32 + 3));
        !is_full && (first..=last).any(|at| self.reach_with((at - residue.grid) as u32, at))
    }

    /// The fewest digits behind those read with which the number is a multiple as it must be, if
    /// the last digit read has this exponent; `None` if `limit` or more are needed.
    pub(super) fn digits(&self, exponent: i32, limit: u32) -> Option<u32> {
        if self
            .exponents()
            .is_some_and(|(lo, hi)| lo <= exponent && exponent <= hi)
        {
            return Some(0);
        }
        let finest = match self.of {
            Some(residue) => exponent - residue.grid,
            // Finer than all divisors, nothing is a multiple.
            None => {
                let grid = self.without.iter().map(|residue| residue.grid).min()?;
                (exponent - grid).max(0) + 1
            }
        };
        let finest = u32::try_from(finest).ok()?;
        (1..limit.min(finest + 1)).find(|&digits| self.reach_with(digits, exponent))
    }

    /// Whether some digits from `least` to `most`, put behind those read, make the number a
    /// multiple as it must be, if the last digit read has this exponent.
    pub(super) fn has_between(&self, exponent: i32, least: &[u8], most: &[u8]) -> bool {
        let places = |of: Residue| usize::try_from(exponent - of.grid).unwrap_or(0);
        let places = self.of.map_or(least.len(), places);
        // What is finer than the divisor's places must be zeros.
        let (coarse, finer) = least.split_at(places.min(least.len()));
        let mut next = coarse.to_vec();
        if finer.iter().any(|&digit| digit != b'0') {
            divisor::add(&mut next, 1);
        }
        let mut step = 1;
        if let Some(of) = self.of {
            step = divisor::without_tens(of.core, (places - coarse.len()) as u32);
            let rest = of.followed(&next, step);
            divisor::add(&mut next, (step - rest) % step);
        }
        // Of so many multiples in a row, one is not excluded, as in [`Multiples::reach_with`].
        for _ in 0..2_u32 << self.without.len() {
            let mut digits = next.clone();
            digits.resize(next.len() + finer.len(), b'0');
            if next.len() > coarse.len() || &digits[..] > most {
                return false;
            }
            let is_multiple = |residue: &Residue| residue.divides(exponent, &digits);
            if self.of.iter().all(is_multiple) && !self.without.iter().any(is_multiple) {
                return true;
            }
            divisor::add(&mut next, step);
        }
        false
    }

    /// A multiple has at most so many more digits in its fraction.
    pub(super) fn useful_digits(&self) -> Option<u32> {
        self.of.map(|residue| (-residue.grid).max(0) as u32)
    }

    /// An exponent beyond which no exponent makes a difference; `None` if no multiples are
    /// excluded.
    pub(super) fn horizon(&self) -> Option<i32> {
        let all = self.of.iter().chain(&*self.without).map(Residue::horizon);
        all.max().filter(|_| !self.without.is_empty())
    }

    /// Forgets that the number must be whole, if every number from here on is.
    pub(super) fn drop_one(&mut self) {
        self.of = self.of.filter(|of| of.core != 1 || of.grid > 0);
    }

    /// A lower bound of the digits of a multiple, if only zeros were read.
    pub(super) fn least_digits(&self) -> u32 {
        self.of
            .map_or(1, |residue| divisor::least_digits(residue.core))
    }

    /// Whether some `digits` digits behind those read make the number a multiple as it must be.
    fn reach_with(&self, digits: u32, exponent: i32) -> bool {
        work::spend(1);
        let last = exponent - digits as i32;
        let room = 10_u128.checked_pow(digits).unwrap_or(u128::MAX);
        let (step, mut next) = match &self.of {
            Some(residue) => {
                let Ok(zeros) = u32::try_from(last - residue.grid) else {
                    return false;
                };
                let (core, rest) = residue.ahead(zeros, digits);
                (core, (core - rest) % core)
            }
            None => (1, 0),
        };
        // Multiples of n numbers, other than one, never cover 2^n values in a row. One more are
        // the multiples of ten, which fewer digits write.
        for _ in 0..2_u32 << self.without.len() {
            if next >= room {
                return false;
            }
            let is_new = self.of.is_some() || next % 10 != 0;
            let is_none = |residue: &Residue| {
                // Between the places of a divisor's multiples there is none.
                let Ok(zeros) = u32::try_from(last - residue.grid) else {
                    return true;
                };
                let (core, rest) = residue.ahead(zeros, digits);
                !(rest + next % core).is_multiple_of(core)
            };
            if is_new && self.without.iter().all(is_none) {
                return true;
            }
            next += step;
        }
        false
    }

    /// Exponents between two, among which is that of a shortest number.
    pub(super) fn candidates(&self, lo: i32, hi: i32) -> impl Iterator<Item = i32> + use<> {
        let (from, to) = self.exponents().unwrap_or((lo, hi));
        let near = 0_i32.clamp(from.clamp(lo, hi), to.clamp(lo, hi));
        let residues = || self.of.iter().chain(&*self.without);
        // Past the horizon all exponents are alike, but for what they take themselves.
        let first = residues().map(|residue| residue.grid - 1).min();
        let last = residues().map(Residue::horizon).max();
        let (first, last) = (
            first.unwrap_or(lo).max(lo),
            last.unwrap_or(lo).max(lo).min(hi),
        );
        let small = lo.max(0)..=(divisor::MAX_DIGITS as i32 + 1).min(hi);
        [near].into_iter().chain(small).chain(first..=last)
    }
}
