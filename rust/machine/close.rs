//! What becomes of a configuration when the value that is being read has ended.

use crate::json::array::state::ArrayId;
use crate::json::texts::TextId;
use crate::machine::ambiguous::Configs;
use crate::machine::config::{Config, Frame, ObjectPlace, StackId, State};
use crate::machine::stack::Top;
use crate::machine::stepper::Stepper;
use crate::regex::scan::ScanId;
use crate::spelling::Partial;

impl Stepper<'_> {
    /// The configuration after the value above `stack` has ended with these verdicts; `None` if the
    /// value cannot be compared with others for its size.
    pub(super) fn close(self, stack: StackId, record: TextId, verdicts: &[bool]) -> Option<Config> {
        if let Some(top) = self.machine.stacks.only(stack) {
            return self.close_in(top, record, verdicts);
        }
        let mut ways = Configs::default();
        if self.machine.stacks.has_bottom(stack) {
            let spacing = self.machine.whitespace.outside();
            ways.add(
                self.machine,
                Config {
                    state: State::Done { spacing },
                    stack: StackId::BOTTOM,
                    record,
                },
            );
        }
        for &top in self.machine.stacks.tops(stack) {
            if let Some(closed) = self.close_in(top, record, verdicts) {
                ways.add(self.machine, closed);
            }
        }
        self.together(ways)
    }

    /// The configuration after a value has ended with these verdicts, if only one frame waits for
    /// it.
    fn close_in(self, (frame, stack): Top, record: TextId, verdicts: &[bool]) -> Option<Config> {
        let spacing = self.machine.whitespace.inside();
        match frame {
            Frame::Member(member) => {
                let object = self.machine.obligations.after_member(member, verdicts);
                let place = ObjectPlace::AfterMember;
                let state = State::Object {
                    object,
                    place,
                    spacing,
                };
                Some(Config {
                    state,
                    stack,
                    record,
                })
            }
            Frame::Item { array, mark } => self.close_item((array, mark), stack, record, verdicts),
            Frame::Text(scan) => Some(Config {
                state: State::Text {
                    scan,
                    partial: Partial::Nothing,
                },
                stack,
                record,
            }),
            Frame::Base(_) => None,
            Frame::Detached => Some(Config {
                state: State::Detached,
                stack,
                record,
            }),
        }
    }

    /// The same in an array, whose record began at `mark`, if its items are compared and not
    /// forgotten.
    fn close_item(
        self,
        (array, mark): (ArrayId, TextId),
        stack: StackId,
        record: TextId,
        verdicts: &[bool],
    ) -> Option<Config> {
        let spacing = self.machine.whitespace.inside();
        let rules = &self.machine.obligations.rules;
        let value = match mark {
            TextId::EMPTY => None,
            _ => Some(
                rules
                    .constant(&rules.texts.value_since(mark, record)?)
                    .ok()?,
            ),
        };
        let array = self.machine.obligations.after_item(array, verdicts, value);
        let opened = false;
        let state = State::Array {
            array,
            opened,
            spacing,
        };
        let record = if mark == TextId::START {
            TextId::EMPTY
        } else {
            record
        };
        Some(Config {
            state,
            stack,
            record,
        })
    }

    /// The configuration if the number that is being read ends here.
    pub(crate) fn close_number(self, config: Config) -> Option<Config> {
        match config.state {
            State::Number(scan) if self.machine.obligations.rules.scanner.can_end(scan) => {
                let verdicts = self.machine.obligations.scalar_verdicts(scan);
                self.close(config.stack, config.record, &verdicts)
            }
            _ => None,
        }
    }

    /// The configuration after a value about which nothing is asked and whose text is not recorded.
    pub(crate) fn close_value(self, stack: StackId) -> Option<Config> {
        self.close(stack, TextId::EMPTY, &[])
    }

    /// The configuration after a string or number, whose text is not recorded, has ended in a
    /// state.
    pub(crate) fn close_scalar(self, stack: StackId, scan: ScanId) -> Option<Config> {
        self.close(
            stack,
            TextId::EMPTY,
            &self.machine.obligations.scalar_verdicts(scan),
        )
    }
}
