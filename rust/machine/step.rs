//! What a byte makes of a configuration.

use crate::json::array::state::ArrayId;
use crate::json::kind::{Kind, Literals};
use crate::json::object::state::ObjectId;
use crate::json::obligation::ObligationId;
use crate::json::obligations::Entry;
use crate::json::texts::TextId;
use crate::machine::config::{Config, Frame, ObjectPlace, StackId, State};
use crate::machine::stepper::Stepper;
use crate::machine::whitespace::SpacingStep;
use crate::regex::scan_string::{Scanned, scan_string};
use crate::spelling::{Partial, SPACES};

impl Stepper<'_> {
    /// The configuration after one more byte; `None` if no valid text goes on like that.
    pub(crate) fn step(self, config: Config, byte: u8) -> Option<Config> {
        let Config {
            state,
            stack,
            record,
        } = config;
        let stay = |state: State| {
            let record = self.recorded(record, byte);
            Some(Config {
                state,
                stack,
                record,
            })
        };
        let close = |verdicts: &[bool]| self.close(stack, self.recorded(record, byte), verdicts);
        let scanner = &self.machine.obligations.rules.scanner;
        match state {
            State::Value { .. }
            | State::Array { .. }
            | State::Object { .. }
            | State::Colon { .. }
            | State::Done { .. } => self.step_between(config, byte),
            State::Literal {
                obligation,
                kind,
                at,
            } => self.step_literal(obligation, kind, at, config, byte),
            State::Number(scan) => match scanner.step(scan, u32::from(byte)) {
                Some(next) if self.machine.text_reader().is_delimited(stack) => {
                    stay(State::Number(next))
                }
                Some(next) => self.step_both(stay(State::Number(next))?, config, byte),
                // A number ends before a byte that is not its own.
                None if self.may_follow(stack, byte) => self.step(self.close_number(config)?, byte),
                None => None,
            },
            State::String { scan, partial } => match scan_string(scanner, scan, partial, byte) {
                Scanned::Stays(scan, partial, _) => stay(State::String { scan, partial }),
                Scanned::Closes => close(&self.machine.obligations.scalar_verdicts(scan)),
                Scanned::Refused => None,
            },
            State::Key { .. } | State::OtherKey { .. } | State::ScannedKey { .. } => {
                stay(self.machine.key_reader().step_key(state, byte)?)
            }
            State::Text { scan, partial } => self.step_text(scan, partial, stack, byte),
            State::Ambiguous(set) => self.step_ambiguous(set, byte),
            State::Detached => Some(config),
        }
    }

    /// A byte between two tokens of JSON, where whitespace may come.
    fn step_between(self, config: Config, byte: u8) -> Option<Config> {
        let Config { state, stack, .. } = config;
        match self.machine.whitespace.take(state.spacing()?, byte) {
            SpacingStep::Space(spacing) => {
                let state = state.with_spacing(spacing);
                return Some(Config { state, ..config });
            }
            SpacingStep::Line => return self.begin_line(config),
            SpacingStep::Refused => return None,
            SpacingStep::Other => {}
        }
        match state {
            State::Value { obligation, .. } => {
                self.begin_value(obligation, stack, config.record, byte)
            }
            State::Array {
                array,
                opened,
                spacing,
            } if self.line_allows(byte == b']', opened, spacing) => {
                self.step_array(array, opened, config, byte)
            }
            State::Object {
                object,
                place,
                spacing,
            } if place == ObjectPlace::AfterComma
                || self.line_allows(byte == b'}', place == ObjectPlace::Opened, spacing) =>
            {
                self.step_object(object, place, config, byte)
            }
            State::Colon { member, .. } if byte == b':' => {
                let obligation = self.machine.obligations.member_obligation(member);
                let spacing = self.machine.whitespace.after_colon();
                Some(Config {
                    state: State::Value {
                        obligation,
                        spacing,
                    },
                    stack: self.machine.stacks.push(Frame::Member(member), stack),
                    record: self.recorded(config.record, byte),
                })
            }
            _ => None,
        }
    }

    fn step_literal(
        self,
        obligation: ObligationId,
        kind: Kind,
        at: u8,
        config: Config,
        byte: u8,
    ) -> Option<Config> {
        let place = usize::from(at);
        if self.machine.literals.text(kind)[place] != byte {
            return None;
        }
        // What is recorded is compared as JSON.
        let record = self.recorded(config.record, Literals::Json.text(kind)[place]);
        if place + 1 == kind.literal_bytes() {
            let verdicts = self.machine.obligations.literal_verdicts(obligation, kind);
            return self.close(config.stack, record, &verdicts);
        }
        let state = State::Literal {
            obligation,
            kind,
            at: at + 1,
        };
        Some(Config {
            state,
            record,
            ..config
        })
    }

    /// The record with one more byte, if a record is being made.
    pub(super) fn recorded(self, record: TextId, byte: u8) -> TextId {
        match record {
            TextId::EMPTY => record,
            _ => self
                .machine
                .obligations
                .rules
                .texts
                .longer(record, u32::from(byte)),
        }
    }

    fn begin_value(
        self,
        obligation: ObligationId,
        stack: StackId,
        record: TextId,
        byte: u8,
    ) -> Option<Config> {
        let kind = self.machine.literals.kind_of(byte)?;
        let spacing = self.machine.whitespace.inside();
        let obligation = match record {
            TextId::EMPTY => obligation,
            _ => self.machine.obligations.comparable(obligation),
        };
        let state = match self.machine.obligations.enter(obligation, kind)? {
            Entry::Literal => State::Literal {
                obligation,
                kind,
                at: 1,
            },
            Entry::Scalar(scan) if kind == Kind::String => State::String {
                scan,
                partial: Partial::Nothing,
            },
            Entry::Scalar(scan) => State::Number(
                self.machine
                    .obligations
                    .rules
                    .scanner
                    .step(scan, u32::from(byte))?,
            ),
            Entry::Array(array) => State::Array {
                array,
                opened: true,
                spacing,
            },
            Entry::Object(object) => State::Object {
                object,
                place: ObjectPlace::Opened,
                spacing,
            },
        };
        let record = self.recorded(record, byte);
        Some(Config {
            state,
            stack,
            record,
        })
    }

    /// Whether a byte can follow the value above `stack`, at a glance.
    fn may_follow(self, stack: StackId, byte: u8) -> bool {
        let closing = match self.machine.stacks.only(stack) {
            Some((Frame::Member(_), _)) => b'}',
            Some((Frame::Item { .. }, _)) => b']',
            _ => return true,
        };
        byte == b',' || byte == closing || SPACES.contains(&byte)
    }

    fn step_array(self, array: ArrayId, opened: bool, config: Config, byte: u8) -> Option<Config> {
        let record = self.recorded(config.record, byte);
        if byte == b']' {
            return self.close(
                config.stack,
                record,
                &self.machine.obligations.end_array(array)?,
            );
        }
        let obligation = self.machine.obligations.item(array)?;
        if opened {
            let (stack, record) = self.begin_item(array, config.stack, config.record);
            return self.begin_value(obligation, stack, record, byte);
        }
        if byte != b',' {
            return None;
        }
        let (stack, record) = self.begin_item(array, config.stack, record);
        let spacing = self.machine.whitespace.after_comma();
        let state = State::Value {
            obligation,
            spacing,
        };
        Some(Config {
            state,
            stack,
            record,
        })
    }

    /// The stack and the record for the next item of an array.
    pub(super) fn begin_item(
        self,
        array: ArrayId,
        stack: StackId,
        record: TextId,
    ) -> (StackId, TextId) {
        let (mark, record) = match (self.records(array), record) {
            (false, _) => (TextId::EMPTY, record),
            (true, TextId::EMPTY) => (TextId::START, TextId::START),
            (true, _) => (record, record),
        };
        (
            self.machine.stacks.push(Frame::Item { array, mark }, stack),
            record,
        )
    }

    fn step_object(
        self,
        object: ObjectId,
        place: ObjectPlace,
        config: Config,
        byte: u8,
    ) -> Option<Config> {
        let record = self.recorded(config.record, byte);
        if byte == b'}' && place != ObjectPlace::AfterComma {
            return self.close(
                config.stack,
                record,
                self.machine.obligations.end_object(object)?,
            );
        }
        if !self
            .machine
            .obligations
            .allowed_keys(object)
            .allows_any_key()
        {
            return None;
        }
        let state = match (place, byte) {
            (ObjectPlace::AfterMember, b',') => {
                let spacing = self.machine.whitespace.after_comma();
                State::Object {
                    object,
                    place: ObjectPlace::AfterComma,
                    spacing,
                }
            }
            (ObjectPlace::Opened | ObjectPlace::AfterComma, b'"') => {
                self.machine.key_reader().begin_key(object)?
            }
            _ => return None,
        };
        Some(Config {
            state,
            record,
            ..config
        })
    }

    /// The configuration of the value that is being read, by itself: nothing is known of what is
    /// around it.
    pub(crate) fn detached(self, config: Config) -> Config {
        Config {
            stack: self.machine.stacks.push(Frame::Detached, StackId::BOTTOM),
            ..config
        }
    }

    /// The configuration before the first byte of a number, if one may begin here, its text is not
    /// recorded, and its end is clear from the byte that follows.
    pub(crate) fn number_start(self, config: Config) -> Option<Config> {
        let (obligation, stack, record) = match config.state {
            State::Value { obligation, .. } => (obligation, config.stack, config.record),
            State::Array {
                array,
                opened: true,
                ..
            } => {
                let obligation = self.machine.obligations.item(array)?;
                let (stack, record) = self.begin_item(array, config.stack, config.record);
                (obligation, stack, record)
            }
            _ => return None,
        };
        let Some(Entry::Scalar(scan)) = self.machine.obligations.enter(obligation, Kind::Number)
        else {
            return None;
        };
        let is_apart = record == TextId::EMPTY && self.machine.text_reader().is_delimited(stack);
        is_apart.then_some(Config {
            state: State::Number(scan),
            stack,
            record,
        })
    }

    /// Whether the text may end here.
    pub(crate) fn is_accepting(self, config: Config) -> bool {
        match config.state {
            State::Done { .. } | State::Detached => true,
            State::Text { scan, partial } => {
                partial == Partial::Nothing
                    && self.machine.obligations.rules.scanner.can_end(scan)
                    && self.machine.text_reader().floor(config.stack).bottom
            }
            State::Ambiguous(set) => self
                .machine
                .members(set)
                .iter()
                .any(|&member| self.is_accepting(member)),
            State::Number(_) => self
                .close_number(config)
                .is_some_and(|after| self.is_accepting(after)),
            _ => false,
        }
    }
}
