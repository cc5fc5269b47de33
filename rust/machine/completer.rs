//! What finds completions.

use crate::machine::store::Machine;

/// Finds the completions of a machine's configurations, and bounds of their bytes. It only looks: of
/// the machine it asks what a byte leads to and what its states hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completer<'a> {
    pub(super) machine: &'a Machine,
    /// Whether bounds may be greater than they need be, if they are known sooner.
    pub(super) is_rough: bool,
}

impl Machine {
    /// Finds completions of this machine's configurations.
    #[inline]
    pub(crate) fn completer(&self) -> Completer<'_> {
        Completer {
            machine: self,
            is_rough: false,
        }
    }

    /// As [`Machine::completer`], but of bounds those that are known soon.
    #[inline]
    pub(crate) fn rough_completer(&self) -> Completer<'_> {
        Completer {
            machine: self,
            is_rough: true,
        }
    }
}
