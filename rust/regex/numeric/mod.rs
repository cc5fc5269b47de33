//! Numbers: the decimal texts, exponents included, of the values in a set.
//!
//! A [`Set`] says which values, a [`Reading`] is a state of reading the digits of one. All compares
//! digits with digits, so no digit is lost whatever the length.

mod bound;
mod divisibility;
mod divisor;
mod exponent;
mod interval;
mod language;
mod multiples;
mod number_list;
mod plain_language;
mod plain_reach;
mod plain_reading;
mod points;
mod reach;
mod reading;
mod set;
mod store;

#[cfg(test)]
mod plain_tests;
#[cfg(test)]
mod tests;

pub(crate) use bound::MAX_EXPONENT;
pub(crate) use divisor::Divisor;
pub(crate) use interval::{End, Interval};
pub(crate) use number_list::NumberList;
pub(crate) use plain_reading::PlainReading;
pub(crate) use reading::Reading;
pub(crate) use set::Set;
pub(super) use store::Store;
