//! Configurations that differ in nothing that a mask depends on.

use crate::json::object::keys::Key;
use crate::json::object::state::Member;
use crate::json::texts::TextId;
use crate::machine::config::{Config, State};
use crate::machine::key_reader::KeyReader;

impl KeyReader<'_> {
    /// The configuration without the text of the unknown key that is being read, if there is one:
    /// whatever that text is, the mask and the completion are the same.
    pub(crate) fn canonical(self, config: Config) -> Config {
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
            } if self.obligations.is_plentiful(object, scan) => {
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

    /// The unknown key that has just ended, in an object of which another one is forgotten. One that
    /// some rule names is none: it is told apart from the others while it is read.
    pub(crate) fn key_beside_forgotten(self, config: Config) -> Option<TextId> {
        let State::Colon { member, .. } = config.state else {
            return None;
        };
        let Member { object, key } = self.obligations.member_of(member);
        match key {
            Key::Other(text, _) if self.obligations.has_forgotten(object) => {
                let wanted = &self.obligations.shape_of(object).wanted;
                wanted.binary_search(&key).is_err().then_some(text)
            }
            _ => None,
        }
    }
}
