//! Keys of objects, character by character.

use crate::byte_set::ByteSet;
use crate::json::object::keys::{Key, KeyTable, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::obligations::Obligations;
use crate::json::texts::TextId;
use crate::machine::config::{Config, State};
use crate::machine::whitespace::Whitespace;
use crate::regex::scan_string::{Scanned, scan_string};
use crate::spelling::{Decoded, JsonSpelling, Partial, needs_escape};

/// Reads the keys of objects. What is around an object makes no difference: of a machine it touches
/// what objects hold, and no stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyReader<'a> {
    pub(super) obligations: &'a Obligations,
    pub(super) whitespace: Whitespace,
}

impl KeyReader<'_> {
    pub(super) fn begin_key(self, object: ObjectId) -> Option<State> {
        let (partial, text) = (Partial::Nothing, TextId::EMPTY);
        if self.obligations.shape_of(object).is_scanned() {
            return Some(State::ScannedKey {
                object,
                scan: self.obligations.key_scan(object)?,
                prefix: self.obligations.key_table(object).start(),
                text,
                partial,
            });
        }
        Some(match self.obligations.key_table(object).start() {
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
    #[inline]
    pub(super) fn step_key(self, state: State, byte: u8) -> Option<State> {
        let texts = &self.obligations.rules.texts;
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
                    match partial.decode_json(byte, self.obligations.rules.scanner.spelling) {
                        Decoded::Partial(partial) => (text, partial),
                        Decoded::Char(c) => (texts.longer(text, c), Partial::Nothing),
                        Decoded::Close => return Some(self.after_key(object, Key::Other(text, 0))),
                        Decoded::Refused => return None,
                    };
                Some(State::OtherKey {
                    object,
                    text,
                    partial,
                })
            }
            State::ScannedKey { .. } => self.step_scanned_key(state, byte),
            _ => None,
        }
    }

    /// The same of a key of an object that tells keys apart by more than a table of them.
    fn step_scanned_key(self, state: State, byte: u8) -> Option<State> {
        let State::ScannedKey {
            object,
            scan,
            prefix,
            text,
            partial,
        } = state
        else {
            return None;
        };
        match scan_string(&self.obligations.rules.scanner, scan, partial, byte) {
            Scanned::Stays(scan, partial, None) => Some(State::ScannedKey {
                object,
                scan,
                prefix,
                text,
                partial,
            }),
            Scanned::Stays(scan, partial, Some(c)) => {
                let table = self.obligations.key_table(object);
                let next = |prefix| table.step(prefix, char::from_u32(c)?);
                Some(State::ScannedKey {
                    object,
                    scan,
                    prefix: prefix.and_then(next),
                    text: self.obligations.rules.texts.longer(text, c),
                    partial,
                })
            }
            Scanned::Refused => None,
            Scanned::Closes => {
                let known = prefix.and_then(|p| self.obligations.key_table(object).whole(p));
                let key = match known {
                    Some(known) => known.key()?,
                    None => Key::Other(text, self.obligations.key_class(object, scan)),
                };
                Some(self.after_key(object, key))
            }
        }
    }

    fn step_known_key(
        self,
        object: ObjectId,
        prefix: Prefix,
        partial: Partial,
        byte: u8,
    ) -> Option<State> {
        let allowed_keys = self.obligations.allowed_keys(object);
        let table = self.obligations.key_table(object);
        let texts = &self.obligations.rules.texts;
        match partial.decode_json(byte, self.obligations.rules.scanner.spelling) {
            Decoded::Partial(partial) => self.begin_character(object, prefix, partial),
            Decoded::Char(c) => match table.step(prefix, char::from_u32(c)?) {
                Some(prefix) => {
                    let mut open = table.open(prefix);
                    let live =
                        allowed_keys.other() || open.any(|(key, _)| allowed_keys.allows(key));
                    let partial = Partial::Nothing;
                    live.then_some(State::Key {
                        object,
                        prefix,
                        partial,
                    })
                }
                None if allowed_keys.other() => Some(State::OtherKey {
                    object,
                    text: texts.longer(texts.text(table.text(prefix)), c),
                    partial: Partial::Nothing,
                }),
                None => None,
            },
            Decoded::Close => {
                let key = match table.whole(prefix) {
                    Some(known) => known.key()?,
                    None => Key::Other(texts.text(table.text(prefix)), 0),
                };
                allowed_keys
                    .allows(key)
                    .then(|| self.after_key(object, key))
            }
            Decoded::Refused => None,
        }
    }

    /// After a part of a character, in a key that the object knows so far.
    fn begin_character(self, object: ObjectId, prefix: Prefix, partial: Partial) -> Option<State> {
        let allowed_keys = self.obligations.allowed_keys(object);
        let table = self.obligations.key_table(object);
        let leads = |rest: &str| {
            let next = rest.chars().next().map(u32::from);
            next.is_some_and(|c| partial.may_become(c))
        };
        // Inside a character, the key's text is what came before it, which must not be known.
        let is_lost = table.whole(prefix).is_none() && becomes_none(table, prefix, partial);
        if allowed_keys.other() && is_lost {
            let text = self.obligations.rules.texts.text(table.text(prefix));
            return Some(State::OtherKey {
                object,
                text,
                partial,
            });
        }
        let mut open = table.open(prefix);
        let live =
            allowed_keys.other() || open.any(|(key, rest)| allowed_keys.allows(key) && leads(rest));
        live.then_some(State::Key {
            object,
            prefix,
            partial,
        })
    }

    /// Whether a byte turns a key that the object knows so far into one that it does not know.
    pub(crate) fn loses_key(self, state: State, byte: u8) -> bool {
        let State::Key {
            object,
            prefix,
            partial,
        } = state
        else {
            return false;
        };
        let table = self.obligations.key_table(object);
        match partial.decode_json(byte, self.obligations.rules.scanner.spelling) {
            Decoded::Char(c) => char::from_u32(c).is_none_or(|c| table.step(prefix, c).is_none()),
            Decoded::Partial(partial) => becomes_none(table, prefix, partial),
            Decoded::Close | Decoded::Refused => false,
        }
    }

    pub(super) fn after_key(self, object: ObjectId, key: Key) -> State {
        let member = self.obligations.member(object, key);
        State::Colon {
            member,
            spacing: self.whitespace.outside(),
        }
    }

    /// The configuration after the key that is being read has ended as `key`.
    pub(crate) fn after_key_config(self, config: Config, object: ObjectId, key: Key) -> Config {
        Config {
            state: self.after_key(object, key),
            ..config
        }
    }

    /// Bytes among which are all that go on with a key that the object knows.
    pub(crate) fn next_key_bytes(
        self,
        object: ObjectId,
        prefix: Prefix,
        partial: Partial,
    ) -> ByteSet {
        if partial != Partial::Nothing {
            return partial_bytes(partial);
        }
        let mut bytes = const { ByteSet::of(b"\"") };
        if self.obligations.rules.scanner.spelling == JsonSpelling::Any {
            bytes.insert(b'\\');
        }
        for c in self.obligations.key_table(object).next_chars(prefix) {
            bytes.insert(match needs_escape(u32::from(c)) {
                true => b'\\',
                false => c.encode_utf8(&mut [0; 4]).as_bytes()[0],
            });
        }
        bytes
    }
}

/// Whether a partial is of no character with which a known key goes on from a prefix.
fn becomes_none(table: &KeyTable, prefix: Prefix, partial: Partial) -> bool {
    let mut next = table.next_chars(prefix);
    !next.any(|c| partial.may_become(u32::from(c)))
}

/// Bytes among which are all that go on with a character.
pub(super) fn partial_bytes(partial: Partial) -> ByteSet {
    match partial {
        Partial::Nothing => ByteSet::ALL,
        Partial::Utf8 { .. } => ByteSet::BEYOND_ASCII,
        Partial::Escape => const { ByteSet::of(b"\"\\/bfnrtu") },
        Partial::PlainEscape => const { ByteSet::of(b"\"\\bfnrtu") },
        Partial::PlainHex { .. } => const { ByteSet::of(b"0123456789abcdef") },
        Partial::Hex { .. } | Partial::HighHex { .. } => {
            const { ByteSet::of(b"0123456789abcdefABCDEF") }
        }
        Partial::High(_) => const { ByteSet::of(b"\\") },
        Partial::HighEscape(_) => const { ByteSet::of(b"u") },
    }
}
