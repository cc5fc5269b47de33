//! Numbers: the decimal texts, exponents included, of the values in a set.
//!
//! A [`Set`] says which values, a [`Reading`] is a state of reading the digits of one. All compares
//! digits with digits, so no digit is lost whatever the length.

mod among;
mod bound;
mod divisor;
mod exponent;
mod how;
mod interval;
mod language;
mod multiples;
mod plain;
mod plain_language;
mod plain_reach;
mod points;
mod reach;
mod reading;
mod set;
mod store;

#[cfg(test)]
mod plain_tests;
#[cfg(test)]
mod tests;

pub(crate) use among::Among;
pub(crate) use bound::MAX_EXPONENT;
pub(crate) use divisor::Divisor;
pub(crate) use interval::{End, Interval};
pub(crate) use plain::Plain;
pub(crate) use reading::Reading;
pub(crate) use set::Set;
pub(super) use store::Store;
