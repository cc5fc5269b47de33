//! Bounds of the bytes that finish the text after any token of a mask.

use std::sync::OnceLock;

use crate::machine::{Completer, Config, Machine};

/// How a bound is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundKind {
    /// Soon. It may be greater than it need be.
    Rough,
    Close,
}

impl BoundKind {
    /// The kinds of bounds that there are of what comes after a place, the one to find first first.
    pub(crate) fn in_turn(machine: &Machine, at: Config) -> &'static [BoundKind] {
        match machine.completer().has_rough_bound(at) {
            true => &[BoundKind::Rough, BoundKind::Close],
            false => &[BoundKind::Close],
        }
    }

    /// What finds the bounds of single places.
    pub(crate) fn completer(self, machine: &Machine) -> Completer<'_> {
        match self {
            BoundKind::Rough => machine.rough_completer(),
            BoundKind::Close => machine.completer(),
        }
    }
}

/// The bounds that have been found of some tokens.
#[derive(Debug, Default)]
pub(crate) struct KnownBounds {
    rough: OnceLock<u64>,
    close: OnceLock<u64>,
}

impl KnownBounds {
    /// A bound; `find` is called once for each kind.
    pub(crate) fn get(&self, kind: BoundKind, find: impl FnOnce() -> u64) -> u64 {
        let known = match kind {
            BoundKind::Rough => &self.rough,
            BoundKind::Close => &self.close,
        };
        *known.get_or_init(find)
    }

    /// Whether a bound is known that is less than `most`.
    pub(crate) fn are_within(&self, most: u64) -> bool {
        let known = [self.rough.get(), self.close.get()];
        known.into_iter().flatten().any(|&bound| bound < most)
    }
}
