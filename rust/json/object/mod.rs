//! Objects: which keys may come, what their values must be, and how an object can be finished.

mod bound;
mod choices;
mod clause_rest;
pub(super) mod completion;
mod demands;
pub(super) mod goal;
mod key_classes;
pub(crate) mod keys;
mod least_demands;
pub(super) mod progress;
mod reading;
mod residue_builder;
mod residue_slots;
pub(super) mod residue_steps;
mod residues;
pub(crate) mod shape;
pub(crate) mod state;
mod steps;
