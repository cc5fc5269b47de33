//! Bounds of what finishes the text after any token of a mask.

use std::sync::OnceLock;

use crate::machine::{Completer, Config, Machine};
use crate::mask::completion_tree::Completions;

/// How a bound is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundKind {
    /// Soon. It may be greater than it need be.
    Rough,
    /// With the tokens counted that come after the innermost value.
    Counted,
}

impl BoundKind {
    /// The kinds of bounds that there are of what comes after a place, the one to find first first.
    pub(crate) fn in_turn(machine: &Machine, at: Config) -> &'static [BoundKind] {
        match machine.completer().has_rough_bound(at) {
            true => &[BoundKind::Rough, BoundKind::Counted],
            false => &[BoundKind::Counted],
        }
    }

    /// What finds the bounds of single places, where fewer than `enough` tokens need not be counted.
    pub(crate) fn completer<'a>(
        self,
        completions: &'a Completions<'_>,
        enough: u64,
    ) -> Completer<'a> {
        match self {
            BoundKind::Rough => completions.machine.rough_completer(),
            BoundKind::Counted => completions.machine.counting_completer(completions, enough),
        }
    }
}

/// The bounds that have been found of some tokens.
#[derive(Debug, Default)]
pub(crate) struct KnownBounds {
    rough: OnceLock<u64>,
    counted: OnceLock<u64>,
}

impl KnownBounds {
    /// A bound of the kind that a completer finds; `find` is called once for each kind.
    pub(crate) fn get(&self, completer: Completer<'_>, find: impl FnOnce() -> u64) -> u64 {
        let known = match completer.is_rough() {
            true => &self.rough,
            false => &self.counted,
        };
        *known.get_or_init(find)
    }

    /// Whether a bound is known that is less than `most`.
    pub(crate) fn are_within(&self, most: u64) -> bool {
        let known = [self.rough.get(), self.counted.get()];
        known.into_iter().flatten().any(|&bound| bound < most)
    }
}
