//! JSON values under obligations: what a schema says, as states of reading a text.

pub(crate) mod array;
mod clauses;
mod constants;
pub(crate) mod cost;
mod evaluated;
pub(crate) mod formula;
mod from_model;
pub(crate) mod kind;
mod liveness;
mod number;
pub(crate) mod object;
pub(crate) mod obligation;
pub(crate) mod obligations;
pub(crate) mod outline;
pub(crate) mod rules;
pub(crate) mod texts;
mod unevaluated;
