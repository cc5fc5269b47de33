//! What a number must be a multiple of.

use crate::decimal::Decimal;

/// So many digits fit, with one more behind them, into 128 bits.
pub(super) const MAX_DIGITS: u32 = 37;

/// No divisor is smaller or greater than what such exponents write.
const MAX_SCALE: i64 = 10_000;

/// A positive decimal: `core` × 10^`scale`, where ten does not divide the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Divisor {
    pub(super) core: u128,
    pub(super) scale: i32,
}

impl Divisor {
    pub(crate) const ONE: Divisor = Divisor { core: 1, scale: 0 };

    /// `None` if the value has too many digits, or its exponent is out of all reason.
    pub(crate) fn new(value: &Decimal) -> Option<Self> {
        let digits = value.digits.len();
        if digits == 0 || digits > MAX_DIGITS as usize || value.exponent.abs() > MAX_SCALE {
            return None;
        }
        let add = |core: u128, digit: &u8| core * 10 + u128::from(digit - b'0');
        Some(Divisor {
            core: value.digits.iter().fold(0, add),
            scale: value.exponent as i32,
        })
    }

    /// What is left of the core without twos and fives, and how many of those the value has.
    fn factors(self) -> (u128, i32, i32) {
        let (rest, twos) = strip(self.core, 2);
        let (rest, fives) = strip(rest, 5);
        (rest, self.scale + twos as i32, self.scale + fives as i32)
    }

    pub(super) fn is_multiple_of(self, other: Divisor) -> bool {
        let (rest, twos, fives) = self.factors();
        let (other_rest, other_twos, other_fives) = other.factors();
        rest % other_rest == 0 && twos >= other_twos && fives >= other_fives
    }

    /// The least common multiple, unless it has too many digits.
    pub(super) fn common(self, other: Divisor) -> Option<Divisor> {
        let (a, twos, fives) = self.factors();
        let (b, other_twos, other_fives) = other.factors();
        let (twos, fives) = (twos.max(other_twos), fives.max(other_fives));
        let scale = twos.min(fives);
        let power = |base: u128, times: i32| base.checked_pow((times - scale) as u32);
        let core = (a / gcd(a, b))
            .checked_mul(b)?
            .checked_mul(power(2, twos)?)?
            .checked_mul(power(5, fives)?)?;
        (core < 10_u128.pow(MAX_DIGITS)).then_some(Divisor { core, scale })
    }

    pub(super) fn divides(self, value: &Decimal) -> bool {
        let (_, rest, exact) = self.units(value);
        rest == 0 && exact
    }

    /// The value in units of another's scale, if it is a whole number of not too many digits.
    pub(super) fn in_units_of(self, other: Divisor) -> Option<u128> {
        let zeros = u32::try_from(self.scale - other.scale).ok()?;
        let core = self.core.checked_mul(10_u128.checked_pow(zeros)?)?;
        (core < 10_u128.pow(MAX_DIGITS)).then_some(core)
    }

    /// The smallest multiple that is at least `value`, or greater if it must not be equal.
    pub(super) fn round_up(self, value: &Decimal, open: bool) -> Decimal {
        if value.negative {
            return self.size_down(value, open).negated();
        }
        let (mut digits, rest, exact) = self.units(value);
        if rest > 0 || !exact || open {
            add(&mut digits, self.core - rest);
        }
        Decimal::new(false, digits, self.scale.into())
    }

    /// The greatest multiple that is at most `value`, or smaller if it must not be equal.
    pub(super) fn round_down(self, value: &Decimal, open: bool) -> Decimal {
        if value.negative || value.is_zero() {
            return self.round_up(&value.negated(), open).negated();
        }
        self.size_down(value, open)
    }

    /// The greatest multiple that is at most as far from zero as `value`, which is not zero.
    fn size_down(self, value: &Decimal, open: bool) -> Decimal {
        let (mut digits, rest, exact) = self.units(value);
        let is_multiple = rest == 0 && exact;
        subtract(
            &mut digits,
            if is_multiple && open { self.core } else { rest },
        );
        Decimal::new(false, digits, self.scale.into())
    }

    /// How many multiples lie from one multiple to a greater one, without the first; `None` if the
    /// numbers are too long.
    pub(super) fn steps(self, from: &Decimal, to: &Decimal) -> Option<u128> {
        let multiple = |value: &Decimal| {
            let (digits, ..) = self.units(value);
            let add = |sum: i128, digit: &u8| sum * 10 + i128::from(digit - b'0');
            let short = digits.len() <= MAX_DIGITS as usize;
            let size = short.then(|| digits.iter().fold(0, add))?;
            Some(if value.negative { -size } else { size })
        };
        Some(multiple(from)?.abs_diff(multiple(to)?) / self.core)
    }

    /// The absolute value in units of 10^`scale`: its whole part, that modulo the core, and
    /// whether there is nothing else.
    fn units(self, value: &Decimal) -> (Vec<u8>, u128, bool) {
        let mut digits = value.digits.clone();
        let length = value.point() - i64::from(self.scale);
        let exact = length >= digits.len() as i64 || value.is_zero();
        if !value.is_zero() {
            digits.resize(length.max(0) as usize, b'0');
        }
        let step = |rest, digit: &u8| (rest * 10 + u128::from(digit - b'0')) % self.core;
        let rest = digits.iter().fold(0, step);
        (digits, rest, exact)
    }
}

/// The digits of the least multiple of `core`, whatever the zeros behind it.
pub(super) fn least_digits(core: u128) -> u32 {
    let (rest, _) = strip(strip(core, 2).0, 5);
    rest.ilog10() + 1
}

/// The zeros behind `rest` that make it a multiple of `core`, if any do.
pub(super) fn zeros_needed(core: u128, rest: u128) -> Option<u32> {
    let (left, twos) = strip(core / gcd(core, rest), 2);
    let (left, fives) = strip(left, 5);
    (left == 1).then_some(twos.max(fives))
}

/// `value` without as many twos and fives, as far as it has them.
pub(super) fn without_tens(mut value: u128, times: u32) -> u128 {
    for factor in [2, 5] {
        for _ in 0..times {
            if !value.is_multiple_of(factor) {
                break;
            }
            value /= factor;
        }
    }
    value
}

/// `value` without all its factors of a kind, and how many it had.
fn strip(mut value: u128, factor: u128) -> (u128, u32) {
    let mut times = 0;
    while value.is_multiple_of(factor) {
        value /= factor;
        times += 1;
    }
    (value, times)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Adds to a number in digits, which may become longer.
pub(super) fn add(digits: &mut Vec<u8>, mut amount: u128) {
    for digit in digits.iter_mut().rev() {
        amount += u128::from(*digit - b'0');
        *digit = b'0' + (amount % 10) as u8;
        amount /= 10;
    }
    while amount > 0 {
        digits.insert(0, b'0' + (amount % 10) as u8);
        amount /= 10;
    }
}

/// The amount must not be greater than the digits.
fn subtract(digits: &mut [u8], mut amount: u128) {
    for digit in digits.iter_mut().rev() {
        let value = i16::from(*digit - b'0') - (amount % 10) as i16;
        amount = amount / 10 + u128::from(value < 0);
        *digit = b'0' + value.rem_euclid(10) as u8;
    }
}
