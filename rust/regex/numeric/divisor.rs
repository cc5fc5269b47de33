//! What a number must be a multiple of.

use crate::decimal::Decimal;

/// So many digits fit, with one more behind them, into 128 bits.
pub(crate) const MAX_DIGITS: u32 = 37;

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

    /// The absolute value in units of 10^`scale`: its whole part, that modulo the core, and
    /// whether there is nothing else.
    fn units(self, value: &Decimal) -> (Vec<u8>, u128, bool) {
        let mut digits = value.digits.clone();
        let length = value.point() - i64::from(self.scale);
        let exact = length >= digits.len() as i64 || value.is_zero();
        if !value.is_zero() {
            digits.resize(length.max(0) as usize, b'0');
        }
        let rest = digits
            .iter()
            .fold(0, |rest, digit| self.step(rest, digit - b'0'));
        (digits, rest, exact)
    }

    /// The rest modulo the core after one more digit.
    fn step(self, rest: u128, digit: u8) -> u128 {
        (rest * 10 + u128::from(digit)) % self.core
    }
}

/// What has been read of a number's digits, modulo the core of a divisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Residue {
    pub(super) core: u128,
    /// The digits read, modulo the core.
    pub(super) rest: u128,
    /// The exponent that gives the last digit read the divisor's scale. Before the point that is
    /// the scale itself; it grows with each digit after.
    pub(super) grid: i32,
    /// The least exponent that makes what was read a multiple. `None` if no exponent does, or if
    /// only zeros were read, which are multiples with any.
    pub(super) need: Option<i32>,
}

impl Residue {
    pub(super) fn new(divisor: Divisor) -> Self {
        Residue {
            core: divisor.core,
            rest: 0,
            grid: divisor.scale,
            need: None,
        }
    }

    /// After one more digit.
    pub(super) fn read(self, digit: u8, in_fraction: bool) -> Self {
        let rest = (self.rest * 10 + u128::from(digit)) % self.core;
        let grid = self.grid + i32::from(in_fraction);
        let need = if digit == 0 {
            // A zero before the point is an exponent of one.
            self.need.map(|need| need - i32::from(!in_fraction))
        } else {
            zeros_needed(self.core, rest).map(|zeros| grid + zeros as i32)
        };
        Residue {
            core: self.core,
            rest,
            grid,
            need,
        }
    }

    /// Whether some digits behind those read can make a multiple, if `exponent` is that of the
    /// last digit read.
    pub(super) fn reaches(self, exponent: i32) -> bool {
        if self.need.is_some_and(|need| exponent >= need) {
            return true;
        }
        let Ok(free) = u32::try_from(exponent - self.grid) else {
            return false;
        };
        self.reaches_with(free, 0)
    }

    /// The fewest digits behind those read that make a multiple, if `exponent` is that of the last
    /// digit read; `None` if so many as `limit` are needed.
    pub(super) fn digits(self, exponent: i32, limit: u32) -> Option<u32> {
        if self.need.is_some_and(|need| exponent >= need) {
            return Some(0);
        }
        let free = u32::try_from(exponent - self.grid).ok()?;
        (1..limit.min(free + 1)).find(|&digits| self.reaches_with(digits, free - digits))
    }

    /// Whether some `digits` digits, and `zeros` zeros after them, make a multiple of the core.
    fn reaches_with(self, digits: u32, zeros: u32) -> bool {
        // A value and the zeros are a multiple of the core if the value is one of what the zeros
        // leave of it.
        let left = without_tens(self.core, zeros);
        let Some(room) = 10_u128.checked_pow(digits) else {
            return true;
        };
        let start = (0..digits).fold(self.rest % left, |rest, _| rest * 10 % left);
        (left - start) % left < room
    }

    /// So many digits more than the scale has say nothing new: any rest can be reached.
    pub(super) fn horizon(self) -> i32 {
        let bits = 128 - self.core.leading_zeros() as i32;
        self.grid.saturating_add(bits + bits / 3 + 1)
    }
}

/// The zeros behind `rest` that make it a multiple of `core`, if any do.
fn zeros_needed(core: u128, rest: u128) -> Option<u32> {
    let (left, twos) = strip(core / gcd(core, rest), 2);
    let (left, fives) = strip(left, 5);
    (left == 1).then_some(twos.max(fives))
}

/// `value` without as many twos and fives, as far as it has them.
fn without_tens(mut value: u128, times: u32) -> u128 {
    for factor in [2, 5] {
        for _ in 0..times {
            if value % factor != 0 {
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

fn add(digits: &mut Vec<u8>, mut amount: u128) {
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
