//! Which bytes may come next, at a glance: never too few, sometimes too many.

use crate::byte_set::ByteSet;
use crate::json::object::keys::Prefix;
use crate::json::object::state::ObjectId;
use crate::machine::config::{Config, ObjectPlace, State};
use crate::machine::store::Machine;
use crate::machine::whitespace::{SpacingStep, WhitespaceRun};
use crate::regex::codeset::MAX;
use crate::regex::scan::ScanId;
use crate::spelling::{JsonSpelling, Partial, needs_escape};
use crate::vocab::SPACES;

impl Machine {
    /// Bytes among which are all that may come next.
    pub(crate) fn next_bytes(&self, config: Config) -> ByteSet {
        let mut bytes = match config.state {
            State::Value { spacing, .. } => {
                return self.or_spaces(spacing, self.literals.first_bytes());
            }
            State::Array {
                opened: true,
                spacing,
                ..
            } => {
                let mut bytes = self.literals.first_bytes();
                bytes.insert(b']');
                return self.or_spaces(spacing, bytes);
            }
            State::Array { spacing, .. } => {
                return self.or_spaces(spacing, const { ByteSet::of(b"],") });
            }
            State::Object { place, spacing, .. } => {
                let own: &[u8] = match place {
                    ObjectPlace::Opened => b"\"}",
                    ObjectPlace::AfterMember => b",}",
                    ObjectPlace::AfterComma => b"\"",
                };
                return self.or_spaces(spacing, ByteSet::of(own));
            }
            State::Colon { spacing, .. } => {
                return self.or_spaces(spacing, const { ByteSet::of(b":") });
            }
            State::Done { spacing } => return self.or_spaces(spacing, ByteSet::NONE),
            State::Literal { kind, at, .. } => {
                return ByteSet::of(&self.literals.text(kind)[usize::from(at)..=usize::from(at)]);
            }
            State::Number(scan) => ByteSet::of_ascii(self.obligations.rules.scanner.ascii(scan)),
            State::Key {
                object,
                prefix,
                partial,
            } if !self.obligations.allowed_keys(object).other() => {
                return self.next_key_bytes(object, prefix, partial);
            }
            State::String {
                scan,
                partial: Partial::Nothing,
            } => return self.next_string_bytes(scan),
            State::String { partial, .. } => return partial_bytes(partial),
            State::Text { scan, partial } => {
                return self.next_text_bytes(scan, partial, config.stack);
            }
            State::Ambiguous(set) => {
                let members = self.members(set).iter();
                let bytes = members.map(|&member| self.next_bytes(member));
                return bytes.fold(ByteSet::NONE, ByteSet::or);
            }
            _ => return ByteSet::ALL,
        };
        if let Some(closed) = self.close_number(config) {
            bytes = bytes.or(self.next_bytes(closed));
        }
        bytes
    }

    /// Some bytes, and whitespace if it may come, or alone if it must.
    fn or_spaces(&self, spacing: WhitespaceRun, mut bytes: ByteSet) -> ByteSet {
        if spacing == WhitespaceRun::SPACE {
            return const { ByteSet::of(b" ") };
        }
        for space in SPACES {
            if matches!(self.whitespace.take(spacing, space), SpacingStep::Space(_)) {
                bytes.insert(space);
            }
        }
        bytes
    }

    /// Bytes among which are all that go on with a key that the object knows.
    pub(crate) fn next_key_bytes(
        &self,
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

    /// Bytes among which are all that go on with a string, between two characters.
    fn next_string_bytes(&self, scan: ScanId) -> ByteSet {
        let scanner = &self.obligations.rules.scanner;
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
    pub(crate) fn is_narrow(&self, state: State) -> bool {
        const FEW: u32 = 4;
        let State::String {
            scan,
            partial: Partial::Nothing,
        } = state
        else {
            return false;
        };
        let scanner = &self.obligations.rules.scanner;
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

/// Bytes among which are all that go on with a character.
fn partial_bytes(partial: Partial) -> ByteSet {
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
