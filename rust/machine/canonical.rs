//! Configurations that differ in nothing that a mask depends on.

use crate::json::texts::TextId;
use crate::machine::config::{Config, State};
use crate::machine::store::Machine;

impl Machine {
    /// The same configuration, but for the text of an unknown key: all of them have the same mask, and
    /// the same completion.
    pub(crate) fn canonical(&self, config: Config) -> Config {
        match config.state {
            // What is recorded is compared later, text and all.
            _ if config.record != TextId::EMPTY => config,
            State::OtherKey {
                object, partial, ..
            } => {
                let state = State::OtherKey {
                    object,
                    text: TextId::WHATEVER,
                    partial,
                };
                Config { state, ..config }
            }
            State::ScannedKey {
                object,
                scan,
                prefix,
                partial,
                ..
            } if self.frames.is_plentiful(object, scan) => {
                let state = State::ScannedKey {
                    object,
                    scan,
                    prefix,
                    text: TextId::WHATEVER,
                    partial,
                };
                Config { state, ..config }
            }
            _ => config,
        }
    }
}
