//! A state of reading one of many single numbers, such as those of a long `enum`.
//!
//! Each of them alone is a [`Reading`] between equal bounds; here they share what has been read, so
//! that a digit divides them among ten states instead of making a state for each.

use std::hash::{Hash, Hasher};

use crate::decimal::Decimal;
use crate::regex::numeric::bound::{Bound, Digits};
use crate::regex::numeric::multiples::Multiples;
use crate::regex::numeric::reading::{Phase, Reading};

/// Fewer numbers than this are read one by one, as [`Reading`]s: then the states of different sets
/// can be equal.
pub(super) const FEW: usize = 5;
/// Numbers whose exponents are no farther than this from their digits may be read in a list: for
/// them the cap on exponents decides nothing.
pub(super) const NEAR: i32 = 400;

/// Numbers that are not zero and of one sign, none twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NumberList {
    pub(super) points: Box<[ListedNumber]>,
    pub(super) phase: Phase,
    /// No digit but zeros has come.
    pub(super) leading: bool,
    /// How many digits have come, zeros in front aside. They are the first digits of every number
    /// here, with zeros behind those that have fewer.
    pub(super) matched: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListedNumber {
    pub(crate) digits: u32,
    /// The exponent that makes the digits read stand in the places of the number's.
    pub(super) gap: i32,
}

impl ListedNumber {
    /// The digit of the number after its first `after` ones; zero behind its last.
    fn digit(self, after: u32, store: &Digits) -> u8 {
        let digits = store.get(self.digits);
        digits.get(after as usize).map_or(0, |&digit| digit - b'0')
    }

    fn is_read(self, matched: u32, store: &Digits) -> bool {
        store.get(self.digits).len() <= matched as usize
    }
}

impl NumberList {
    /// The exponents of the numbers whose digits have all come, ascending.
    pub(super) fn exponents(&self, store: &Digits) -> Vec<i32> {
        if self.leading || matches!(self.phase, Phase::Start | Phase::Point) {
            return Vec::new();
        }
        let read = self.points.iter();
        let read = read.filter(|point| point.is_read(self.matched, store));
        let mut exponents: Vec<i32> = read.map(|point| point.gap).collect();
        exponents.sort_unstable();
        exponents
    }

    /// Whether the digits so far are one of the numbers.
    pub(crate) fn holds(&self, store: &Digits) -> bool {
        self.exponents(store).contains(&0)
    }

    /// At least so many characters finish one of the numbers.
    pub(crate) fn shortest(&self, store: &Digits) -> u32 {
        let each = self.points.iter().map(|&point| match self.leading {
            true => store.get(point.digits).len() as u32,
            false => self.alone(point, store).shortest(store).0,
        });
        each.min().unwrap_or(0)
    }

    /// The state of reading one of the numbers.
    pub(super) fn alone(&self, point: ListedNumber, store: &Digits) -> Reading {
        let ListedNumber { digits, gap } = point;
        let length = store.get(digits).len() as u32;
        let matching = Bound::Matching {
            digits,
            open: false,
            matched: self.matched.min(length),
            gap,
        };
        Reading {
            phase: self.phase,
            plain: false,
            leading: self.leading,
            zero: false,
            lower: match self.matched >= length {
                true => Bound::Decided(gap),
                false => matching,
            },
            upper: matching,
            multiples: Multiples::default(),
        }
    }

    /// The list after the place of the digits read has moved by so many.
    fn shifted(&self, by: i32) -> Self {
        let points = self.points.iter().map(|point| ListedNumber {
            gap: point.gap + by,
            ..*point
        });
        NumberList {
            points: points.collect(),
            ..self.clone()
        }
    }

    /// The digits that may come, each with the list after it.
    pub(super) fn after_digits(&self, store: &Digits) -> Vec<(u8, NumberList)> {
        let in_fraction = matches!(self.phase, Phase::Point | Phase::Fraction);
        if self.phase == Phase::Zero {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(10);
        if self.leading {
            let phase = match in_fraction {
                true => Phase::Fraction,
                false => Phase::Zero,
            };
            let zeros = self.shifted(i32::from(in_fraction));
            out.push((0, NumberList { phase, ..zeros }));
        }
        let mut parts: [Vec<ListedNumber>; 10] = Default::default();
        for &point in &self.points {
            parts[usize::from(point.digit(self.matched, store))].push(ListedNumber {
                gap: point.gap - i32::from(!in_fraction),
                ..point
            });
        }
        for (digit, points) in (0..).zip(parts) {
            let lengths = points.iter().map(|point| store.get(point.digits).len());
            let Some(longest) = lengths.max() else {
                continue;
            };
            let number_list = NumberList {
                points: points.into(),
                phase: match in_fraction {
                    true => Phase::Fraction,
                    false => Phase::Int,
                },
                leading: false,
                matched: (self.matched + 1).min(longest as u32),
            };
            out.push((digit, number_list));
        }
        out
    }

    /// Hashes the state in the same way in all stores.
    pub(crate) fn fingerprint(
        &self,
        store: &Digits,
        hasher: &mut impl Hasher,
        of: impl Fn(&[u8], i32) -> u128,
    ) {
        (self.phase, self.leading).hash(hasher);
        // Their order differs from store to store.
        let sum = self.points.iter().fold(0_u128, |sum, point| {
            let digits = store.get(point.digits);
            let rest = &digits[digits.len().min(self.matched as usize)..];
            sum.wrapping_add(of(rest, point.gap))
        });
        hasher.write_u128(sum);
    }
}

/// Whether a number can be read among others.
pub(super) fn is_near(value: &Decimal) -> bool {
    !value.is_zero() && value.point().abs() <= NEAR.into()
}
