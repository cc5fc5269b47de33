//! A bound of completions that is known soon: what each object around the place costs at most, wherever
//! in it the text stands.
//!
//! Bounds that are told state by state are less, but there are hundreds of states to each object. Where
//! the end of the text may be far away, these will do.

use crate::json::cost::{NEVER, add};
use crate::machine::completer::Completer;
use crate::machine::completion::{SLACK, UNFINISHED};
use crate::machine::config::{Config, Frame, ObjectPlace, StackId, State};
use crate::machine::stack::StackMemo;
use crate::spelling::Partial;

impl Completer<'_> {
    /// An upper bound of the bytes of a shortest completion; [`NEVER`] where that is not known soon.
    pub(super) fn rough_bound(&self, config: Config) -> u64 {
        let obligations = &self.machine.obligations;
        let around = self.rough_bound_around(config.stack);
        if around == NEVER {
            return NEVER;
        }
        let own = match config.state {
            State::Object {
                object,
                place: ObjectPlace::AfterComma,
                ..
            }
            | State::Key { object, .. }
            | State::ScannedKey { object, .. }
            | State::OtherKey { object, .. } => obligations.key_bound(object),
            State::Object { object, .. } => obligations.object_bound(object),
            State::Colon { member, .. } => {
                obligations.object_bound(obligations.member_of(member).object)
            }
            State::Ambiguous(_) => NEVER,
            state => self.own(state, &[]),
        };
        let bound = add(add(around, own), SLACK + UNFINISHED);
        debug_assert!(bound >= self.machine.completer().max_completion_bytes(config));
        bound
    }

    /// Whether a rough bound is known of what is around the innermost value.
    pub(crate) fn has_rough_bound(&self, config: Config) -> bool {
        self.rough_bound_around(config.stack) < NEVER
    }

    /// An upper bound of the bytes after a value about which nothing is asked; [`NEVER`] where that is not
    /// known soon.
    pub(super) fn rough_bound_around(&self, stack: StackId) -> u64 {
        let stacks = &self.machine.stacks;
        let rules = &self.machine.obligations.rules;
        if rules.separators.indent > 0 || rules.compares_items() {
            return NEVER;
        }
        let known = |at: StackId| stacks.memo(at).endings().rough_bound.get().copied();
        if let Some(bound) = known(stack) {
            return bound;
        }
        let find = |at: StackId| {
            let tops = stacks.tops(at).iter().map(|&(frame, below)| {
                let below = known(below).expect("outer frames are known first");
                add(below, self.rough_bound_of(frame))
            });
            let bottom = stacks.has_bottom(at).then_some(0);
            let bound = tops.chain(bottom).min().unwrap_or(NEVER);
            stacks.memo(at).endings().rough_bound.get_or_init(|| bound);
        };
        let is_known = |memo: &StackMemo| memo.endings().rough_bound.get().is_some();
        stacks.settle(stack, is_known, |_| true, find);
        known(stack).expect("it was just found")
    }

    /// An upper bound of the bytes that a frame takes after the value above it.
    fn rough_bound_of(&self, frame: Frame) -> u64 {
        let obligations = &self.machine.obligations;
        let is_asked = |id| !obligations.obligation_of(id).queries.is_empty();
        match frame {
            Frame::Text(scan) => self.text_cost(scan, Partial::Nothing),
            Frame::Base(_) => NEVER,
            Frame::Detached => 0,
            Frame::Member(member) if is_asked(obligations.member_obligation(member)) => NEVER,
            Frame::Member(member) => obligations.object_bound(obligations.member_of(member).object),
            Frame::Item { array, .. } => {
                let item = obligations.item(array).expect("an item is being read");
                if is_asked(item) {
                    return NEVER;
                }
                let ways = obligations.array_ways(array, obligations.array_demand(array, &[]));
                let steps = ways
                    .iter()
                    .flat_map(|way| obligations.item_steps(array, way));
                steps.map(|step| step.end).min().unwrap_or(NEVER)
            }
        }
    }
}
