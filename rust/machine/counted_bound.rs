//! Bounds of the tokens of completions, where those after the innermost value are counted.
//!
//! A completion that nothing asks of the value which is being read finishes that value first, and goes on
//! in the same way whatever it was. So one count for each stack, and the bytes of the value, bound the tokens
//! of all places in that value without a look at their completions.

use crate::json::cost::add;
use crate::json::object::state::ObjectId;
use crate::machine::completer::{Around, Completer, CountTokens};
use crate::machine::completion::{QUOTES, SLACK, UNFINISHED};
use crate::machine::config::{Config, Frame, StackId, State};
use crate::machine::store::Machine;
use crate::spelling::Partial;

/// An object with fewer keys than there are letters and digits leaves one of these to differ from all of
/// them.
const FEW_KEYS: usize = 60;

impl Completer<'_> {
    /// The tokens after the value above a stack, if they are counted.
    pub(super) fn count_after(&self, stack: StackId) -> Option<u64> {
        match self.around {
            Around::Counted { counts, .. } => counts.count_after(stack),
            Around::Close | Around::Rough => None,
        }
    }

    /// An upper bound of the tokens that finish the text, if those after the innermost value are counted.
    pub(super) fn counted_bound(&self, config: Config) -> Option<u64> {
        if let State::Ambiguous(_) = config.state {
            return None;
        }
        let after = self.count_after(config.stack)?;
        let slack = match config.state {
            State::Object { object, .. }
            | State::Key { object, .. }
            | State::OtherKey { object, .. }
            | State::ScannedKey { object, .. }
                if self.names_keys(object) =>
            {
                SLACK
            }
            State::Colon { member, .. }
                if self.names_keys(self.machine.obligations.member_of(member).object) =>
            {
                SLACK
            }
            State::OtherKey { partial, .. } => QUOTES + partial.least_rest(),
            State::String { .. } | State::Number(_) => 0,
            _ => QUOTES,
        };
        Some(add(add(after, self.own_bytes(config, &[])), slack))
    }

    /// The same as a bound, or less, where that is too much.
    pub(super) fn counted(&self, config: Config, bound: u64) -> u64 {
        match self.around {
            Around::Counted { counts, enough } if bound >= enough => {
                counts.count(config).map_or(bound, |count| count.min(bound))
            }
            _ => bound,
        }
    }

    /// Whether completions may write keys of their own into an object. Their texts depend on those that have
    /// come, which may be forgotten.
    fn names_keys(&self, object: ObjectId) -> bool {
        let shape = self.machine.obligations.shape_of(object);
        shape.is_scanned() || shape.counted > 0
    }

    /// The bytes that are enough to finish a character, or a key so that it differs from the known ones.
    pub(super) fn unfinished_bytes(&self, config: Config) -> u64 {
        let counted = || self.count_after(config.stack);
        match config.state {
            State::String { .. } | State::ScannedKey { .. } if counted().is_some() => {
                Partial::most_rest(self.machine.obligations.rules.scanner.spelling)
            }
            State::Key { object, .. } | State::OtherKey { object, .. }
                if counted().is_some()
                    && self.machine.obligations.key_table(object).len() < FEW_KEYS =>
            {
                QUOTES + Partial::most_rest(self.machine.obligations.rules.scanner.spelling)
            }
            _ => UNFINISHED,
        }
    }

    /// What comes after the value above a stack, if it is the same for all values; `None` where something
    /// is asked about the value, or several stacks are one.
    pub(crate) fn after_any_value(&self, stack: StackId) -> Option<Config> {
        let obligations = &self.machine.obligations;
        let is_free = |id| obligations.obligation_of(id).queries.is_empty();
        let is_same = match self.machine.stacks.only(stack) {
            Some((Frame::Member(member), _)) => is_free(obligations.member_obligation(member)),
            Some((Frame::Item { array, .. }, _)) => obligations.item(array).is_some_and(is_free),
            Some((Frame::Text(_), _)) => true,
            Some((Frame::Base(_) | Frame::Detached, _)) => false,
            None => stack == StackId::BOTTOM,
        };
        is_same
            .then(|| self.machine.stepper().close_value(stack))
            .flatten()
    }
}

impl Machine {
    /// As [`Machine::completer`], but its bounds are of tokens: those after the innermost value are
    /// counted, and each byte before them is one. Where that is `enough` or more for a single place, all are
    /// counted.
    #[inline]
    pub(crate) fn counting_completer<'a>(
        &'a self,
        counts: &'a dyn CountTokens,
        enough: u64,
    ) -> Completer<'a> {
        Completer {
            machine: self,
            around: Around::Counted { counts, enough },
        }
    }
}
