//! Forced text: what must come next whatever the model says.

use crate::machine::config::{Config, State};
use crate::machine::lookahead::Lookahead;
use crate::spelling::{Partial, spell_json};

impl Lookahead<'_> {
    /// The bytes of the next character, if only one is possible, and the configuration after it;
    /// `None` where there is a choice, or the text may end.
    ///
    /// A character that a string must hold can be escaped or not. That is no choice of content, so
    /// its shortest spelling is taken.
    pub(crate) fn forced(self, config: Config) -> Option<(Vec<u8>, Config)> {
        if self.machine.stepper().is_accepting(config) {
            return None;
        }
        if let Some(c) = self.only_character(config.state) {
            let bytes = spell_json(c);
            let next = bytes
                .iter()
                .try_fold(config, |at, &byte| self.machine.stepper().step(at, byte));
            return Some((bytes, next?));
        }
        let mut ways =
            (0..=255_u8).filter_map(|b| Some((vec![b], self.machine.stepper().step(config, b)?)));
        match (ways.next(), ways.next()) {
            (only, None) => only,
            _ => None,
        }
    }

    /// The character that a string or a key must go on with, if there is only one.
    fn only_character(self, state: State) -> Option<u32> {
        match state {
            State::String {
                scan,
                partial: Partial::Nothing,
            }
            | State::ScannedKey {
                scan,
                partial: Partial::Nothing,
                ..
            } => {
                let scanner = &self.machine.obligations.rules.scanner;
                match scanner.moves(scan) {
                    &[only] if only.lo == only.hi && !scanner.can_end(scan) => Some(only.lo),
                    _ => None,
                }
            }
            State::Key {
                object,
                prefix,
                partial: Partial::Nothing,
            } => {
                let allowed_keys = self.machine.obligations.allowed_keys(object);
                let keys = self.machine.obligations.key_table(object).open(prefix);
                let mut rests = keys
                    .filter(|&(key, _)| allowed_keys.allows(key))
                    .map(|(_, rest)| rest);
                let first = rests.next()?.chars().next()?;
                let alone = !allowed_keys.other() && rests.all(|rest| rest.starts_with(first));
                alone.then_some(u32::from(first))
            }
            _ => None,
        }
    }
}
