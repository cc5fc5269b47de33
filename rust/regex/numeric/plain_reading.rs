//! A state of reading a number in plain spelling, without its sign.
//!
//! A plain number is written as Python or JavaScript write one: as an integer, with a point, or with
//! an exponent where they use one. Digits are counted, so that whether a number can be finished is
//! a question about a few digits more; see [`PlainReading::is_live`].

use std::hash::{Hash, Hasher};

use crate::decimal::Decimal;
use crate::regex::numeric::MAX_EXPONENT;
use crate::regex::numeric::bound::{Bound, Digits, Side};
use crate::regex::numeric::divisibility::Divisibility;
use crate::regex::numeric::interval::{End, Interval};
use crate::regex::numeric::multiples::Multiples;
use crate::regex::numeric::reading::Phase;

/// Zeros between the point and the first other digit: JavaScript writes `0.000001`.
const ZEROS: u8 = 5;
/// The exponents that numbers are written with: Python has them up to -5 and from 16 on.
pub(super) const EXPONENTS: [(i32, i32); 2] = [(-MAX_EXPONENT, -5), (16, MAX_EXPONENT)];

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// Digits.
    Whole,
    /// Digits, a point, and digits that do not end in a zero, or just one zero.
    Fixed,
    /// A digit that is not zero, maybe a point and digits that do not end in a zero, and an exponent.
    Scientific,
}

impl Form {
    pub(super) const ALL: [Form; 3] = [Form::Whole, Form::Fixed, Form::Scientific];
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PlainReading {
    pub(super) form: Form,
    pub(super) phase: Phase,
    /// No digit but zeros has come.
    pub(super) leading: bool,
    /// Zeros that may still come before the first other digit.
    zeros: u8,
    /// The value may be zero.
    pub(super) zero: bool,
    /// Digits that may still come, counted from the first that is not zero.
    pub(super) left: u32,
    /// The last digit is a zero with which the text must not end.
    pub(super) trailing: bool,
    pub(super) lower: Bound,
    pub(super) upper: Bound,
    pub(super) multiples: Multiples,
}

impl PlainReading {
    /// Before the digits of what is in the interval and not negative, with at most so many digits;
    /// `None` if nothing is. Only what is not negative itself is written without a sign.
    pub(super) fn start(
        form: Form,
        divisibility: &Divisibility,
        interval: &Interval,
        most: u32,
        digits: &Digits,
    ) -> Option<Self> {
        let mut start = PlainReading {
            form,
            phase: Phase::Start,
            leading: true,
            zeros: match form {
                Form::Fixed => ZEROS,
                Form::Whole | Form::Scientific => 0,
            },
            zero: form != Form::Scientific,
            left: most,
            trailing: false,
            lower: Bound::Free,
            upper: Bound::Free,
            multiples: Multiples::new(divisibility),
        };
        let interval = match form {
            Form::Scientific => within_floats(interval),
            Form::Whole | Form::Fixed => interval.clone(),
        };
        if form == Form::Whole {
            start.multiples.drop_one();
        }
        if let Some(end) = &interval.lower
            && !end.value.negative
        {
            start.zero &= end.value.is_zero() && !end.open;
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
        start.settled(digits)
    }

    /// The state after a minus: numbers of the same digits, except zero if they are written as
    /// integers, which have no `-0`.
    pub(super) fn after_minus(mut self, digits: &Digits) -> Option<Self> {
        self.zero &= self.form != Form::Whole;
        self.settled(digits)
    }

    pub(super) fn is_in_fraction(&self) -> bool {
        matches!(self.phase, Phase::Point | Phase::Fraction)
    }

    /// After a digit; `None` if the number cannot be finished.
    pub(super) fn digit(mut self, digit: u8, digits: &Digits) -> Option<Self> {
        let in_fraction = self.is_in_fraction();
        let after_point = self.phase == Phase::Point;
        self.phase = match self.phase {
            Phase::Start if digit == 0 && self.form == Form::Scientific => return None,
            Phase::Start if digit == 0 => Phase::Zero,
            Phase::Int if self.form == Form::Scientific => return None,
            Phase::Start | Phase::Int => Phase::Int,
            Phase::Zero => return None,
            Phase::Point | Phase::Fraction => Phase::Fraction,
        };
        if self.leading && digit == 0 {
            if in_fraction {
                self.zeros = self.zeros.checked_sub(1)?;
                self.zero &= after_point;
                self.lower = self.lower.shifted(1);
                self.upper = self.upper.shifted(1);
            }
            self.multiples.read_leading_zero(in_fraction);
            return self.settled(digits);
        }
        if self.upper == Bound::ZERO {
            return None;
        }
        // `0.0` and `12.0` are fine, `1.0e16` is not.
        let is_only_zero = after_point && self.form == Form::Fixed;
        self.trailing = in_fraction && digit == 0 && !is_only_zero;
        self.left = self.left.checked_sub(1)?;
        self.leading = false;
        self.zeros = 0;
        self.zero = false;
        let shift = -i32::from(!in_fraction);
        let (lower, upper) = (self.lower.shifted(shift), self.upper.shifted(shift));
        self.lower = lower.read(digit, Side::AtLeast, digits);
        self.upper = upper.read(digit, Side::AtMost, digits);
        self.multiples.read(digit, in_fraction);
        self.settled(digits)
    }

    /// Whether two digits, neither of which is a zero, lead to the same state.
    pub(super) fn reads_alike(&self, digits: [u8; 2], store: &Digits) -> bool {
        let bounds = [self.lower, self.upper];
        self.multiples.are_all() && bounds.iter().all(|bound| bound.reads_alike(digits, store))
    }

    pub(super) fn point(mut self, digits: &Digits) -> Option<Self> {
        let may = match self.form {
            Form::Whole => false,
            Form::Fixed => matches!(self.phase, Phase::Zero | Phase::Int),
            Form::Scientific => self.phase == Phase::Int,
        };
        if !may {
            return None;
        }
        self.phase = Phase::Point;
        self.settled(digits)
    }

    /// The exponents of 10 that make the digits read a number that is allowed.
    pub(super) fn powers(&self) -> Option<(i32, i32)> {
        if self.leading || self.phase == Phase::Point || self.trailing {
            return None;
        }
        let least = self.lower.at_end(Side::AtLeast).unwrap_or(-MAX_EXPONENT);
        let most = self.upper.at_end(Side::AtMost).unwrap_or(MAX_EXPONENT);
        let (from, to) = self.multiples.exponents()?;
        let (lo, hi) = (least.max(from), most.min(to));
        (lo <= hi).then_some((lo, hi))
    }

    /// The exponents that may be written after the digits read.
    pub(super) fn exponents(&self) -> Vec<(i32, i32)> {
        let powers = match self.form {
            Form::Scientific => self.powers(),
            Form::Whole | Form::Fixed => None,
        };
        let written = powers.into_iter().flat_map(|(lo, hi)| {
            let within = move |(from, to): (i32, i32)| (lo.max(from), hi.min(to));
            EXPONENTS.into_iter().map(within)
        });
        written.filter(|(lo, hi)| lo <= hi).collect()
    }

    /// Whether the digits so far are a number that is allowed.
    pub(crate) fn holds(&self) -> bool {
        match (self.form, self.phase) {
            (Form::Whole, Phase::Zero) | (Form::Fixed, Phase::Fraction) if self.leading => {
                self.zero
            }
            (Form::Whole, Phase::Int) | (Form::Fixed, Phase::Fraction) => {
                let powers = self.powers();
                powers.is_some_and(|(lo, hi)| lo <= 0 && 0 <= hi)
            }
            _ => false,
        }
    }

    /// The form that states of equal futures share; `None` if the number cannot be finished.
    fn settled(mut self, digits: &Digits) -> Option<Self> {
        if !self.leading {
            match self.form {
                Form::Whole => self.settle_whole(),
                Form::Fixed => self.settle_fixed(),
                Form::Scientific => self.settle_scientific(),
            }
        }
        self.is_live(digits).then_some(self)
    }

    fn settle_whole(&mut self) {
        if let Some(most) = self.upper.in_reach() {
            self.left = self.left.min(most.max(0) as u32);
        }
        if let Bound::Decided(0..) = self.upper {
            self.upper = Bound::Free;
        }
        if let Bound::Decided(..=0) = self.lower {
            self.lower = Bound::Free;
        }
        self.multiples.settle(0, false);
    }

    fn settle_fixed(&mut self) {
        let in_fraction = self.is_in_fraction();
        let most = match in_fraction {
            true => 0,
            false => self.left as i32 - 1,
        };
        match self.upper {
            Bound::Decided(at) if at >= most => self.upper = Bound::Free,
            _ => {}
        }
        if let Bound::Decided(..=0) = self.lower {
            self.lower = Bound::Free;
        }
        self.multiples.settle(0, in_fraction);
        if in_fraction && let Some(useful) = self.multiples.useful_digits() {
            let least = u32::from(self.phase == Phase::Point);
            self.left = self.left.min(useful.max(least));
        }
    }

    fn settle_scientific(&mut self) {
        let [(_, low), (high, _)] = EXPONENTS;
        if let Bound::Decided(at) = &mut self.upper
            && *at < high
        {
            *at = (*at).min(low);
        }
        if let Bound::Decided(at) = &mut self.lower
            && *at > low
        {
            *at = (*at).max(high);
        }
    }

    /// Hashes the state in the same way in all stores.
    pub(crate) fn fingerprint(&self, digits: &Digits, hasher: &mut impl Hasher) {
        let PlainReading {
            form,
            phase,
            leading,
            zeros,
            zero,
            left,
            trailing,
            lower,
            upper,
            multiples,
        } = self;
        (form, phase, leading, zeros, zero, left, trailing, multiples).hash(hasher);
        lower.fingerprint(digits, hasher);
        upper.fingerprint(digits, hasher);
    }
}

/// The interval, cut to the range of floats at the sides where it has no end of its own. An end
/// beyond that range stays, since the schema may ask for such a number.
fn within_floats(interval: &Interval) -> Interval {
    let decimal = |digits: &[u8], exponent| Decimal::new(false, digits.to_vec(), exponent);
    let greatest = decimal(b"17976931348623157", 308 - 16);
    let least = decimal(b"5", -324);
    let farthest = i64::from(MAX_EXPONENT);
    let closed = |value| Some(End { value, open: false });
    let is_positive = |end: &&End| !end.value.negative && !end.value.is_zero();
    let lower = interval.lower.as_ref().filter(is_positive);
    let upper = interval.upper.clone();
    Interval {
        lower: match (lower, &upper) {
            (Some(end), _) => Some(end.clone()),
            (None, Some(end)) if is_positive(&end) && end.value < least => {
                closed(decimal(b"1", -farthest))
            }
            (None, _) => closed(least),
        },
        upper: match (upper, lower) {
            (Some(end), _) => Some(end),
            (None, Some(end)) if end.value > greatest => closed(decimal(b"9", farthest)),
            (None, _) => closed(greatest),
        },
    }
}
