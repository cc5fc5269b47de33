//! What may come next, as far as it is seen without trying.

use crate::machine::store::Machine;

/// Says what may come next: which bytes (`next_bytes.rs`), which text must (`forced.rs`), and which texts
/// change nothing (`stays.rs`). It asks the stepper where a value ends, and makes nothing itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookahead<'a> {
    pub(super) machine: &'a Machine,
}

impl Machine {
    /// What says what may come next.
    #[inline]
    pub(crate) fn lookahead(&self) -> Lookahead<'_> {
        Lookahead { machine: self }
    }
}
