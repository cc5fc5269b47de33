//! Items of arrays whose items must differ, without their values.

use crate::json::texts::TextId;
use crate::machine::config::{Config, Frame, StackId, State};
use crate::machine::lookahead::Lookahead;
use crate::machine::stepper::Stepper;
use crate::regex::scan::ScanId;

impl Stepper<'_> {
    /// A configuration without what is recorded of the items around it; `None` if what follows one
    /// of them depends on its value.
    pub(crate) fn forget_records(self, config: Config) -> Option<Config> {
        if config.record == TextId::EMPTY {
            return Some(config);
        }
        let stacks = &self.machine.stacks;
        let mut above = Vec::new();
        let mut below = config.stack;
        // The outermost item that is recorded is the one whose record began with nothing.
        let mut is_outermost = false;
        while !is_outermost {
            let (frame, rest) = stacks.only(below)?;
            below = rest;
            above.push(match frame {
                Frame::Item { array, mark } if mark != TextId::EMPTY => {
                    if !self.machine.obligations.is_loose(array) {
                        return None;
                    }
                    is_outermost = mark == TextId::START;
                    let mark = TextId::EMPTY;
                    Frame::Item { array, mark }
                }
                _ => frame,
            });
        }
        let frames = above.into_iter().rev();
        let stack = frames.fold(below, |below, frame| stacks.push(frame, below));
        Some(Config {
            stack,
            record: TextId::EMPTY,
            ..config
        })
    }
}

impl Lookahead<'_> {
    /// Whether something has been read of an item that must differ from one which is not known.
    pub(crate) fn follows_forgotten(self, config: Config) -> bool {
        match config.state {
            State::Ambiguous(set) => {
                let members = self.machine.members(set);
                members.iter().any(|&member| self.follows_forgotten(member))
            }
            State::Value { .. } => false,
            _ => {
                let tops = self.machine.stacks.tops(config.stack);
                tops.iter().any(|&(frame, _)| match frame {
                    Frame::Item { array, .. } => {
                        self.machine.obligations.array(array).progress.forgets
                    }
                    _ => false,
                })
            }
        }
    }

    /// Whether a string, an item of the array that waits, can still become so many values that it can
    /// differ from all other items.
    pub(crate) fn has_plenty(self, stack: StackId, scan: ScanId) -> bool {
        let scanner = &self.machine.obligations.rules.scanner;
        let tops = self.machine.stacks.tops(stack);
        tops.iter().all(|&(frame, _)| match frame {
            Frame::Item { array, .. } => {
                let spare = self.machine.obligations.spare_values(array);
                let language = scanner.scan(scan).language;
                spare.is_some_and(|least| scanner.regexes.has_words(language, least))
            }
            _ => false,
        })
    }
}
