//! JSON values under obligations: what a schema says, as states of reading a text.

pub(crate) mod array;
pub(crate) mod formula;
pub(crate) mod frames;
pub(crate) mod keys;
pub(crate) mod liveness;
mod number;
pub(crate) mod object;
pub(crate) mod rules;
pub(crate) mod spelling;
