//! A state of reading a number without its sign.
//!
//! Every number ends in one way: its digits are there, and the exponents that it may have are an
//! interval. A bound says where the interval ends; that the number is a multiple says where it
//! begins. So what a state must know of the digits is what they do to that interval, and states
//! are kept in a form in which those with equal futures are mostly equal. Each can be finished.

use std::hash::{Hash, Hasher};

use crate::regex::numeric::MAX_EXPONENT;
use crate::regex::numeric::bound::{Bound, Digits, Side};
use crate::regex::numeric::divisibility::Divisibility;
use crate::regex::numeric::interval::Interval;
use crate::regex::numeric::multiples::Multiples;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Before the first digit.
    Start,
    /// After a zero, which no digit may follow.
    Zero,
    /// After the digits before the point, if that is not a zero.
    Int,
    /// After the point.
    Point,
    /// After a digit after the point.
    Fraction,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    pub(super) phase: Phase,
    /// Neither a point nor an exponent may come.
    pub(super) plain: bool,
    /// No digit but zeros has come.
    pub(super) leading: bool,
    /// The value may be zero.
    pub(super) zero: bool,
    pub(super) lower: Bound,
    pub(super) upper: Bound,
    pub(super) multiples: Multiples,
}

impl Reading {
    /// Before the digits of what is in the interval and not negative; `None` if nothing is.
    pub(super) fn start(
        divisibility: &Divisibility,
        interval: &Interval,
        digits: &Digits,
    ) -> Option<Self> {
        let mut start = Reading {
            phase: Phase::Start,
            plain: divisibility.plain,
            leading: true,
            zero: true,
            lower: Bound::Free,
            upper: Bound::Free,
            multiples: Multiples::new(divisibility),
        };
        if let Some(end) = &interval.lower
            && !end.value.negative
        {
            start.zero = end.value.is_zero() && !end.open;
            if !end.value.is_zero() {
                start.lower = Bound::new(end, digits);
            }
        }
        if let Some(end) = &interval.upper {
            if end.value.negative || (end.value.is_zero() && end.open) {
                return None;
            }
            start.upper = if end.value.is_zero() {
                Bound::ZERO
            } else {
                Bound::new(end, digits)
            };
        }
        start.settled()
    }

    /// The largest exponent that may come.
    pub(super) fn cap(&self) -> i32 {
        if self.plain { 0 } else { MAX_EXPONENT }
    }

    pub(super) fn is_in_fraction(&self) -> bool {
        matches!(self.phase, Phase::Point | Phase::Fraction)
    }

    /// The state after a digit; `None` if the number cannot be finished.
    pub(super) fn digit(mut self, digit: u8, digits: &Digits) -> Option<Self> {
        let in_fraction = self.is_in_fraction();
        self.phase = match self.phase {
            Phase::Start if digit == 0 => Phase::Zero,
            Phase::Start | Phase::Int => Phase::Int,
            Phase::Zero => return None,
            Phase::Point | Phase::Fraction => Phase::Fraction,
        };
        if self.leading && digit == 0 {
            let shift = i32::from(in_fraction);
            self.lower = self.lower.shifted(shift);
            self.upper = self.upper.shifted(shift);
            self.multiples.read_leading_zero(in_fraction);
            return self.settled();
        }
        if self.upper == Bound::ZERO {
            return None;
        }
        self.leading = false;
        self.zero = false;
        let shift = -i32::from(!in_fraction);
        let (lower, upper) = (self.lower.shifted(shift), self.upper.shifted(shift));
        self.lower = lower.read(digit, Side::AtLeast, digits);
        self.upper = upper.read(digit, Side::AtMost, digits);
        self.multiples.read(digit, in_fraction);
        self.settled()
    }

    /// Whether two digits, neither of which is a zero, lead to the same state.
    pub(super) fn reads_alike(&self, digits: [u8; 2], store: &Digits) -> bool {
        let bounds = [self.lower, self.upper];
        self.multiples.are_all() && bounds.iter().all(|bound| bound.reads_alike(digits, store))
    }

    pub(super) fn point(mut self) -> Option<Self> {
        if self.plain || !matches!(self.phase, Phase::Zero | Phase::Int) {
            return None;
        }
        self.phase = Phase::Point;
        self.settled()
    }

    /// The exponents that make the digits read a number that is allowed.
    pub(super) fn exponents(&self) -> Option<(i32, i32)> {
        let cap = self.cap();
        if matches!(self.phase, Phase::Start | Phase::Point) {
            return None;
        }
        if self.leading {
            return self.zero.then_some((-cap, cap));
        }
        let least = self.lower.at_end(Side::AtLeast).unwrap_or(-cap);
        let most = self.upper.at_end(Side::AtMost).unwrap_or(cap);
        let (from, to) = self.multiples.exponents()?;
        let (lo, hi) = (least.max(from).max(-cap), most.min(to).min(cap));
        (lo <= hi).then_some((lo, hi))
    }

    /// Whether the digits so far are a number that is allowed.
    pub(crate) fn holds(&self) -> bool {
        self.exponents().is_some_and(|(lo, hi)| lo <= 0 && 0 <= hi)
    }

    /// The form that states of equal futures share; `None` if the number cannot be finished.
    pub(super) fn settled(mut self) -> Option<Self> {
        if self.leading {
            self.settle_leading();
        } else {
            self.settle_bounds();
            self.multiples.settle(self.cap(), self.is_in_fraction());
        }
        self.is_live().then_some(self)
    }

    /// Settles a state in which only zeros were read: after so many zeros behind the point, no
    /// exponent lifts a further digit high enough for the lower bound, and only zero is left.
    fn settle_leading(&mut self) {
        if self.phase == Phase::Start {
            return;
        }
        let cap = self.cap();
        let too_high = |bound: Bound| bound.in_reach().is_some_and(|gap| gap > cap);
        self.multiples.settle(cap, self.is_in_fraction());
        let too_fine = self.multiples.is_full(cap, self.is_in_fraction());
        if self.plain || too_high(self.lower) || too_fine {
            self.upper = Bound::ZERO;
        } else if too_high(self.upper) {
            self.upper = Bound::Free;
        }
        if self.upper == Bound::ZERO {
            self.lower = Bound::Free;
            self.multiples = Multiples::default();
        }
    }

    /// Forgets bounds that all numbers from here on keep.
    fn settle_bounds(&mut self) {
        let cap = self.cap();
        if let Some(at) = self.lower.at_end(Side::AtLeast) {
            // What multiples imply falls together with the bound's exponent.
            if at <= -cap || self.multiples.imply(at) {
                self.lower = Bound::Free;
            }
        }
        if self.is_in_fraction() {
            let least = match self.upper {
                Bound::Matching { gap, .. } => Some(gap - 1),
                _ => self.upper.in_reach(),
            };
            if least.is_some_and(|at| at >= cap) {
                self.upper = Bound::Free;
            }
        }
    }

    /// Hashes the state in the same way in all stores.
    pub(crate) fn fingerprint(&self, digits: &Digits, hasher: &mut impl Hasher) {
        let Reading {
            phase,
            plain,
            leading,
            zero,
            lower,
            upper,
            multiples,
        } = self;
        (phase, plain, leading, zero, multiples).hash(hasher);
        lower.fingerprint(digits, hasher);
        upper.fingerprint(digits, hasher);
    }
}
