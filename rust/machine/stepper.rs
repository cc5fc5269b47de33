//! What a byte makes of a configuration: the part of the machine that makes new ones.

use crate::machine::store::Machine;

/// Makes configurations of others: after a byte (`step.rs`, `step_text.rs`), after the end of a value
/// (`close.rs`), and of several readings (`ambiguous.rs`). It alone pushes what JSON waits for, and makes sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stepper<'a> {
    pub(super) machine: &'a Machine,
}

impl Machine {
    /// What makes new configurations.
    #[inline]
    pub(crate) fn stepper(&self) -> Stepper<'_> {
        Stepper { machine: self }
    }
}
