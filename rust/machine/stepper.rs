//! What a byte makes of a configuration: the part of the machine that makes new ones.

use crate::json::array::state::ArrayId;
use crate::machine::store::Machine;

/// Makes configurations of others: after a byte (`step.rs`, `step_text.rs`), after the end of a value
/// (`close.rs`), and of several readings (`ambiguous.rs`). It alone pushes what JSON waits for, and makes sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stepper<'a> {
    pub(super) machine: &'a Machine,
    /// Whether values of items that differ from others are not recorded where there are values in
    /// plenty.
    is_loose: bool,
}

impl Stepper<'_> {
    /// Whether an item of this array must be recorded.
    pub(super) fn records(self, array: ArrayId) -> bool {
        self.machine.obligations.is_unique(array)
            && !(self.is_loose && self.machine.obligations.is_loose(array))
    }
}

impl Machine {
    /// What makes new configurations.
    #[inline]
    pub(crate) fn stepper(&self) -> Stepper<'_> {
        Stepper {
            machine: self,
            is_loose: false,
        }
    }

    /// The same, but that an item which must differ from others is forgotten once it has ended, if
    /// there are values in plenty: the next item may equal it, and nothing else is changed.
    #[inline]
    pub(crate) fn loose_stepper(&self) -> Stepper<'_> {
        Stepper {
            machine: self,
            is_loose: true,
        }
    }
}
