//! What finds completions.

use crate::machine::store::Machine;

/// Finds the completions of a machine's configurations, and bounds of their bytes. It only looks: of
/// the machine it asks what a byte leads to and what its states hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completer<'a> {
    pub(super) machine: &'a Machine,
}

impl Machine {
    /// Finds completions of this machine's configurations.
    #[inline]
    pub(crate) fn completer(&self) -> Completer<'_> {
        Completer { machine: self }
    }
}
