//! Objects and their keys.

use crate::json::object::keys::{Key, KeyTable, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::texts::TextId;
use crate::machine::config::{Config, Place, State};
use crate::machine::store::Machine;
use crate::regex::scan_string::{Scanned, scan_string};
use crate::spelling::{Partial, Taken};

impl Machine {
    pub(super) fn step_object(
        &self,
        object: ObjectId,
        place: Place,
        config: Config,
        byte: u8,
    ) -> Option<Config> {
        let record = self.recorded(config.record, byte);
        if byte == b'}' && place != Place::AfterComma {
            return self.close(config.stack, record, self.frames.end_object(object)?);
        }
        if !self.frames.plan(object).allows_any_key() {
            return None;
        }
        let state = match (place, byte) {
            (Place::AfterMember, b',') => {
                let gap = self.whitespace.after_separator();
                State::Object {
                    object,
                    place: Place::AfterComma,
                    gap,
                }
            }
            (Place::Opened | Place::AfterComma, b'"') => self.begin_key(object)?,
            _ => return None,
        };
        Some(Config {
            state,
            record,
            ..config
        })
    }

    fn begin_key(&self, object: ObjectId) -> Option<State> {
        let (partial, text) = (Partial::Nothing, TextId::EMPTY);
        if self.frames.shape_of(object).is_scanned() {
            return Some(State::ScannedKey {
                object,
                scan: self.frames.key_scan(object)?,
                prefix: self.frames.key_table(object).start(),
                text,
                partial,
            });
        }
        Some(match self.frames.key_table(object).start() {
            Some(prefix) => State::Key {
                object,
                prefix,
                partial,
            },
            None => State::OtherKey {
                object,
                text,
                partial,
            },
        })
    }

    /// What a byte makes of a key.
    pub(super) fn step_key(&self, state: State, byte: u8) -> Option<State> {
        let texts = &self.frames.rules.texts;
        match state {
            State::Key {
                object,
                prefix,
                partial,
            } => self.step_known_key(object, prefix, partial, byte),
            State::OtherKey {
                object,
                text,
                partial,
            } => {
                let (text, partial) =
                    match partial.take_json(byte, self.frames.rules.scanner.spelling) {
                        Taken::Partial(partial) => (text, partial),
                        Taken::Char(c) => (texts.longer(text, c), Partial::Nothing),
                        Taken::Close => return Some(self.after_key(object, Key::Other(text, 0))),
                        Taken::Refused => return None,
                    };
                Some(State::OtherKey {
                    object,
                    text,
                    partial,
                })
            }
            State::ScannedKey {
                object,
                scan,
                prefix,
                text,
                partial,
            } => match scan_string(&self.frames.rules.scanner, scan, partial, byte) {
                Scanned::Stays(scan, partial, None) => Some(State::ScannedKey {
                    object,
                    scan,
                    prefix,
                    text,
                    partial,
                }),
                Scanned::Stays(scan, partial, Some(c)) => {
                    let table = self.frames.key_table(object);
                    let next = |prefix| table.step(prefix, char::from_u32(c)?);
                    Some(State::ScannedKey {
                        object,
                        scan,
                        prefix: prefix.and_then(next),
                        text: texts.longer(text, c),
                        partial,
                    })
                }
                Scanned::Refused => None,
                Scanned::Closes => {
                    let known = prefix.and_then(|p| self.frames.key_table(object).whole(p));
                    let key = match known {
                        Some(known) => known.key()?,
                        None => Key::Other(text, self.frames.key_class(object, scan)),
                    };
                    Some(self.after_key(object, key))
                }
            },
            _ => None,
        }
    }

    fn step_known_key(
        &self,
        object: ObjectId,
        prefix: Prefix,
        partial: Partial,
        byte: u8,
    ) -> Option<State> {
        let plan = self.frames.plan(object);
        let table = self.frames.key_table(object);
        let texts = &self.frames.rules.texts;
        match partial.take_json(byte, self.frames.rules.scanner.spelling) {
            Taken::Partial(partial) => {
                let leads = |rest: &str| {
                    let next = rest.chars().next().map(u32::from);
                    next.is_some_and(|c| partial.may_become(c))
                };
                // Inside a character, the key's text is what came before it, which must not be known.
                let is_lost = table.whole(prefix).is_none() && becomes_none(table, prefix, partial);
                if plan.other() && is_lost {
                    let text = texts.text(table.text(prefix));
                    return Some(State::OtherKey {
                        object,
                        text,
                        partial,
                    });
                }
                let mut open = table.open(prefix);
                let live = plan.other() || open.any(|(key, rest)| plan.allows(key) && leads(rest));
                live.then_some(State::Key {
                    object,
                    prefix,
                    partial,
                })
            }
            Taken::Char(c) => match table.step(prefix, char::from_u32(c)?) {
                Some(prefix) => {
                    let mut open = table.open(prefix);
                    let live = plan.other() || open.any(|(key, _)| plan.allows(key));
                    let partial = Partial::Nothing;
                    live.then_some(State::Key {
                        object,
                        prefix,
                        partial,
                    })
                }
                None if plan.other() => Some(State::OtherKey {
                    object,
                    text: texts.longer(texts.text(table.text(prefix)), c),
                    partial: Partial::Nothing,
                }),
                None => None,
            },
            Taken::Close => {
                let key = match table.whole(prefix) {
                    Some(known) => known.key()?,
                    None => Key::Other(texts.text(table.text(prefix)), 0),
                };
                plan.allows(key).then(|| self.after_key(object, key))
            }
            Taken::Refused => None,
        }
    }

    /// Whether a byte turns a key that the object knows so far into one that it does not know.
    pub(crate) fn loses_key(&self, state: State, byte: u8) -> bool {
        let State::Key {
            object,
            prefix,
            partial,
        } = state
        else {
            return false;
        };
        let table = self.frames.key_table(object);
        match partial.take_json(byte, self.frames.rules.scanner.spelling) {
            Taken::Char(c) => char::from_u32(c).is_none_or(|c| table.step(prefix, c).is_none()),
            Taken::Partial(partial) => becomes_none(table, prefix, partial),
            Taken::Close | Taken::Refused => false,
        }
    }

    pub(super) fn after_key(&self, object: ObjectId, key: Key) -> State {
        let member = self.frames.member(object, key);
        State::Colon {
            member,
            gap: self.whitespace.inside(),
        }
    }
}

/// Whether a partial is of no character with which a known key goes on from a prefix.
fn becomes_none(table: &KeyTable, prefix: Prefix, partial: Partial) -> bool {
    let mut next = table.next_chars(prefix);
    !next.any(|c| partial.may_become(u32::from(c)))
}
