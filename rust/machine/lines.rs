//! Items and members on lines of their own: what a line break settles.

use crate::machine::config::{Config, ObjectPlace, State};
use crate::machine::stepper::Stepper;
use crate::machine::whitespace::WhitespaceRun;

impl Stepper<'_> {
    /// After a line break, where one comes before each item, each member, and the bracket that closes what
    /// is not empty: what follows is settled by it.
    pub(super) fn begin_line(self, config: Config) -> Option<Config> {
        let Config {
            state,
            stack,
            record,
        } = config;
        let obligations = &self.machine.obligations;
        let spacing = self
            .machine
            .whitespace
            .after_line(self.machine.line_depth(config));
        match state {
            State::Array {
                array,
                opened: true,
                ..
            } => {
                let obligation = obligations.item(array)?;
                let (stack, record) = self.begin_item(array, stack, record);
                let state = State::Value {
                    obligation,
                    spacing,
                };
                return Some(Config {
                    state,
                    stack,
                    record,
                });
            }
            State::Object {
                object,
                place: ObjectPlace::Opened,
                ..
            } => {
                if !obligations.allowed_keys(object).allows_any_key() {
                    return None;
                }
                let place = ObjectPlace::AfterComma;
                let state = State::Object {
                    object,
                    place,
                    spacing,
                };
                return Some(Config { state, ..config });
            }
            State::Array { array, .. } => {
                let end = obligations.end_array(array)?;
                self.close(stack, self.recorded(record, b']'), &end)?;
            }
            State::Object {
                object,
                place: ObjectPlace::AfterMember,
                ..
            } => {
                let end = obligations.end_object(object)?;
                self.close(stack, self.recorded(record, b'}'), end)?;
            }
            _ => {}
        }
        let state = state.with_spacing(spacing);
        Some(Config { state, ..config })
    }

    /// Whether the whitespace that has come allows an array or object to end here, or to go on.
    pub(super) fn line_allows(self, ends: bool, is_empty: bool, spacing: WhitespaceRun) -> bool {
        let whitespace = &self.machine.whitespace;
        match (ends, is_empty) {
            (true, true) => true,
            (false, false) => !whitespace.is_after_line(spacing),
            _ => !whitespace.is_before_line(spacing),
        }
    }
}
