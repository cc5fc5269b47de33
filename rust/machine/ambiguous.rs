//! Several readings of one text: configurations that are several at once.
//!
//! Those that are in one state are one configuration, on all of their stacks.

use crate::json::texts::TextId;
use crate::machine::config::{Config, SetId, StackId, State};
use crate::machine::stepper::Stepper;
use crate::machine::store::Machine;
use crate::machine::whitespace::Whitespace;

/// Configurations that one text leads to.
#[derive(Default)]
pub(super) struct Configs(pub(super) Vec<Config>);

impl Configs {
    pub(super) fn add(&mut self, machine: &Machine, config: Config) {
        match config.state {
            State::Ambiguous(set) => self.0.extend_from_slice(machine.members(set)),
            _ => self.0.push(config),
        }
    }
}

impl Stepper<'_> {
    /// Whether a text has more readings than are followed.
    pub(crate) fn is_too_ambiguous(self, config: Config) -> bool {
        let members = self.machine.each(&config);
        members.len() > self.machine.obligations.rules.limits.readings
            || members
                .iter()
                .any(|member| self.machine.stacks.is_rough(member.stack))
    }

    /// One configuration that stands for all of some; `None` if there are none.
    pub(super) fn together(self, ways: Configs) -> Option<Config> {
        let Configs(mut ways) = ways;
        if let [] | [_] = ways[..] {
            return ways.pop();
        }
        // What is written at different depths differs in its indentations.
        let depth = |way: &Config| match self.machine.whitespace {
            Whitespace::Indented { .. } => self.machine.stacks.depth(way.stack),
            _ => 0,
        };
        ways.sort_unstable_by_key(|way| (way.state, way.record, depth(way), way.stack));
        ways.dedup_by(|way, kept| {
            let is_alike =
                (way.state, way.record, depth(way)) == (kept.state, kept.record, depth(kept));
            if is_alike {
                kept.stack = self.machine.stacks.union(kept.stack, way.stack);
            }
            is_alike
        });
        if let [one] = ways[..] {
            return Some(one);
        }
        Some(Config {
            state: State::Ambiguous(SetId(self.machine.sets.intern(ways.into()))),
            stack: StackId::BOTTOM,
            record: TextId::EMPTY,
        })
    }

    /// One configuration that stands for all of some to which one token leads.
    pub(crate) fn all_of(self, configs: impl Iterator<Item = Config>) -> Option<Config> {
        let mut ways = Configs::default();
        configs.for_each(|config| ways.add(self.machine, config));
        self.together(ways)
    }

    pub(super) fn step_ambiguous(self, set: SetId, byte: u8) -> Option<Config> {
        let mut ways = Configs::default();
        for &member in self.machine.members(set) {
            if let Some(next) = self.step(member, byte) {
                ways.add(self.machine, next);
            }
        }
        self.together(ways)
    }

    /// After a byte with which a number goes on, or ends, or both.
    pub(super) fn step_both(self, inside: Config, number: Config, byte: u8) -> Option<Config> {
        let mut ways = Configs(vec![inside]);
        let closed = self.close_number(number);
        if let Some(next) = closed.and_then(|closed| self.step(closed, byte)) {
            ways.add(self.machine, next);
        }
        self.together(ways)
    }
}
