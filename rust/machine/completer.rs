//! What finds completions.

use std::fmt::Debug;

use crate::machine::config::{Config, StackId};
use crate::machine::store::Machine;

/// Finds the completions of a machine's configurations, and bounds of their bytes. It only looks: of
/// the machine it asks what a byte leads to and what its states hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completer<'a> {
    pub(super) machine: &'a Machine,
    pub(super) around: Around<'a>,
}

/// What bounds say of the text around the innermost value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Around<'a> {
    /// Its bytes.
    Close,
    /// No less than its bytes, as far as that is known sooner.
    Rough,
    /// Its tokens, as far as they are counted; else its bytes. Single places with a bound of `enough` or more
    /// are counted by themselves.
    Counted {
        counts: &'a dyn CountTokens,
        enough: u64,
    },
}

/// Who counts the tokens of completions.
pub(crate) trait CountTokens: Debug {
    /// In how many tokens the completion of a configuration finishes the text; `None` where that depends on
    /// the text of a key that is forgotten, or is not known.
    fn count(&self, config: Config) -> Option<u64>;

    /// In how many tokens a completion finishes the text after the value above a stack, whatever value
    /// that is; `None` where that depends on it, or is not known.
    fn count_after(&self, stack: StackId) -> Option<u64>;
}

impl Completer<'_> {
    /// Whether bounds are those that are known soon.
    #[inline]
    pub(crate) fn is_rough(&self) -> bool {
        matches!(self.around, Around::Rough)
    }
}

impl Machine {
    /// Finds completions of this machine's configurations.
    #[inline]
    pub(crate) fn completer(&self) -> Completer<'_> {
        Completer {
            machine: self,
            around: Around::Close,
        }
    }

    /// As [`Machine::completer`], but of bounds those that are known soon.
    #[inline]
    pub(crate) fn rough_completer(&self) -> Completer<'_> {
        Completer {
            machine: self,
            around: Around::Rough,
        }
    }
}
