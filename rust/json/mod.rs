//! JSON values under obligations: what a schema says, as states of reading a text.

pub(crate) mod array;
mod array_ending;
mod clauses;
mod constants;
mod demands;
mod distinct;
pub(crate) mod formula;
pub(crate) mod frames;
pub(crate) mod keys;
pub(crate) mod liveness;
mod number;
pub(crate) mod object;
mod object_choices;
mod object_ending;
mod object_read;
mod object_ways;
pub(crate) mod outline;
mod read;
mod residue_slots;
mod residue_ways;
mod residues;
pub(crate) mod rules;
pub(crate) mod shape;
pub(crate) mod spelling;
mod taken;
pub(crate) mod texts;
mod unevaluated;
