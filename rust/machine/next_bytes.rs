//! Which bytes may come next, at a glance: never too few, sometimes too many.

use crate::byte_set::ByteSet;
use crate::machine::config::{Config, ObjectPlace, State};
use crate::machine::key_reader::partial_bytes;
use crate::machine::lookahead::Lookahead;
use crate::regex::codeset::MAX;
use crate::regex::scan::ScanId;
use crate::spelling::{JsonSpelling, Partial, SPACES};

impl Lookahead<'_> {
    /// Bytes among which are all that may come next.
    pub(crate) fn next_bytes(self, config: Config) -> ByteSet {
        let mut bytes = match config.state {
            State::Value { .. }
            | State::Array { .. }
            | State::Object { .. }
            | State::Colon { .. }
            | State::Done { .. } => return self.next_bytes_between(config.state),
            State::Literal { kind, at, .. } => {
                return ByteSet::of(
                    &self.machine.literals.text(kind)[usize::from(at)..=usize::from(at)],
                );
            }
            State::Number(scan) => {
                ByteSet::of_ascii(self.machine.obligations.rules.scanner.ascii(scan))
            }
            State::Key {
                object,
                prefix,
                partial,
            } if !self.machine.obligations.allowed_keys(object).other() => {
                return self
                    .machine
                    .key_reader()
                    .next_key_bytes(object, prefix, partial);
            }
            State::String {
                scan,
                partial: Partial::Nothing,
            } => return self.next_string_bytes(scan),
            State::String { partial, .. } => return partial_bytes(partial),
            State::Text { scan, partial } => {
                return self
                    .machine
                    .text_reader()
                    .next_text_bytes(scan, partial, config.stack);
            }
            State::Ambiguous(set) => {
                let members = self.machine.members(set).iter();
                let bytes = members.map(|&member| self.next_bytes(member));
                return bytes.fold(ByteSet::NONE, ByteSet::or);
            }
            _ => return ByteSet::ALL,
        };
        if let Some(closed) = self.machine.stepper().close_number(config) {
            bytes = bytes.or(self.next_bytes(closed));
        }
        bytes
    }

    /// Those between two tokens of JSON, where whitespace may come.
    fn next_bytes_between(self, state: State) -> ByteSet {
        let spacing = state.spacing();
        if let Some(due) = self.machine.next_due(state) {
            return ByteSet::of(&[due]);
        }
        let whitespace = &self.machine.whitespace;
        let before_line = spacing.is_some_and(|spacing| whitespace.is_before_line(spacing));
        let after_line = spacing.is_some_and(|spacing| whitespace.is_after_line(spacing));
        let bytes = match state {
            State::Array { opened, .. } if before_line => match opened {
                true => const { ByteSet::of(b"]\n") },
                false => const { ByteSet::of(b",\n") },
            },
            State::Object { place, .. } if before_line => match place {
                ObjectPlace::Opened => const { ByteSet::of(b"}\n") },
                _ => const { ByteSet::of(b",\n") },
            },
            State::Array { .. } if after_line => const { ByteSet::of(b"]") },
            State::Object {
                place: ObjectPlace::AfterMember,
                ..
            } if after_line => const { ByteSet::of(b"}") },
            State::Value { .. } => self.machine.literals.first_bytes(),
            State::Array { opened: true, .. } => {
                let mut bytes = self.machine.literals.first_bytes();
                bytes.insert(b']');
                bytes
            }
            State::Array { .. } => const { ByteSet::of(b"],") },
            State::Object { place, .. } => {
                let own: &[u8] = match place {
                    ObjectPlace::Opened => b"\"}",
                    ObjectPlace::AfterMember => b",}",
                    ObjectPlace::AfterComma => b"\"",
                };
                ByteSet::of(own)
            }
            State::Colon { .. } => const { ByteSet::of(b":") },
            _ => ByteSet::NONE,
        };
        match spacing.and_then(|spacing| whitespace.left(spacing)) {
            Some(_) => bytes.or(const { ByteSet::of(&SPACES) }),
            None => bytes,
        }
    }

    /// Bytes among which are all that go on with a string, between two characters.
    fn next_string_bytes(self, scan: ScanId) -> ByteSet {
        let scanner = &self.machine.obligations.rules.scanner;
        if scanner.is_computed(scan) {
            return ByteSet::ALL;
        }
        /// The characters that must be escaped, a bit for each.
        const ESCAPED: u128 = 0xFFFF_FFFF | 1 << b'"' | 1 << b'\\';
        let ascii = scanner.ascii(scan);
        let mut bytes = ByteSet::of_ascii(ascii & !ESCAPED);
        if scanner.can_step(scan, 0x80, MAX) {
            bytes = bytes.or(ByteSet::BEYOND_ASCII);
        }
        bytes.insert(b'"');
        if ascii & ESCAPED != 0 || scanner.spelling == JsonSpelling::Any {
            bytes.insert(b'\\');
        }
        bytes
    }

    /// Whether few texts may go on with what is being read.
    pub(crate) fn is_narrow(self, state: State) -> bool {
        const FEW: u32 = 4;
        let State::String {
            scan,
            partial: Partial::Nothing,
        } = state
        else {
            return false;
        };
        let scanner = &self.machine.obligations.rules.scanner;
        if scanner.is_computed(scan) {
            return false;
        }
        let mut left = FEW;
        scanner.regexes.is_words(scanner.scan(scan).language)
            || scanner.moves(scan).iter().all(|step| {
                let room = left.checked_sub(step.hi - step.lo + 1);
                left = room.unwrap_or(0);
                room.is_some()
            })
    }
}
