//! How the characters of a text are spelled in bytes: UTF-8 and, inside JSON strings, escapes.
//!
//! Between two characters a reader stands in a [`Partial`]: what it has read of the next one. Each
//! partial knows the characters that it can still become, so that a byte is taken only if one of
//! them is wanted.

/// Which of several spellings of the same JSON string or number a grammar allows.
///
/// `docs/design.md` says exactly what is plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JsonSpelling {
    /// The spellings that `json.dumps(value, ensure_ascii=False)` of Python and `JSON.stringify` of
    /// JavaScript write: no needless escape, no needless zero, no integer with a fraction.
    #[default]
    Plain,
    /// All spellings that JSON has.
    Any,
}

/// The whitespace of JSON.
pub(crate) const SPACES: [u8; 4] = *b" \t\n\r";

/// The largest code point.
const MAX: u32 = char::MAX as u32;

/// The characters that are escaped with one letter, by both spellings.
pub(crate) const LETTERED: [char; 7] = ['\n', '"', '\\', '\t', '\r', '\u{8}', '\u{C}'];

/// What has been read of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Partial {
    Nothing,
    /// `need` more bytes of a UTF-8 sequence of `length` bytes; its bits so far.
    Utf8 {
        length: u8,
        need: u8,
        bits: u32,
    },
    /// After a backslash.
    Escape,
    /// After a backslash, where only characters that need one may have one.
    PlainEscape,
    /// After `\u` and `digits` hexadecimal digits.
    Hex {
        digits: u8,
        bits: u32,
    },
    /// After `\u` and `digits` hexadecimal digits, where only control characters that have no
    /// letter are spelled so.
    PlainHex {
        digits: u8,
        bits: u32,
    },
    /// After a high surrogate, as its ten bits: a backslash must follow.
    High(u32),
    /// After a high surrogate and a backslash.
    HighEscape(u32),
    /// After a high surrogate, `\u` and `digits` hexadecimal digits.
    HighHex {
        high: u32,
        digits: u8,
        bits: u32,
    },
}

/// What a byte makes of a partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// More bytes of the same character are to come.
    Partial(Partial),
    Char(u32),
    /// The quote that closes the string.
    Close,
    /// No spelling of a character.
    Refused,
}

/// The last character that must be escaped, but for the quote and the backslash.
const CONTROLS: u32 = 0x1F;
/// The control characters that no letter stands for.
const UNLETTERED: [(u32, u32); 3] = [(0, 0x07), (0x0B, 0x0B), (0x0E, CONTROLS)];
const HIGH: (u32, u32) = (0xD800, 0xDBFF);
const LOW: (u32, u32) = (0xDC00, 0xDFFF);

impl Partial {
    /// Reads a byte inside a JSON string.
    pub(crate) fn decode_json(self, byte: u8, spelling: JsonSpelling) -> Decoded {
        match self.spell(byte, spelling) {
            // The digits of a lone surrogate, say.
            Decoded::Partial(next) if next.ranges().next().is_none() => Decoded::Refused,
            taken => taken,
        }
    }

    fn spell(self, byte: u8, spelling: JsonSpelling) -> Decoded {
        match self {
            Partial::Nothing => match byte {
                b'"' => Decoded::Close,
                b'\\' => Decoded::Partial(match spelling {
                    JsonSpelling::Plain => Partial::PlainEscape,
                    JsonSpelling::Any => Partial::Escape,
                }),
                0x00..=0x1F => Decoded::Refused,
                _ => self.decode_raw(byte),
            },
            Partial::Utf8 { .. } => self.decode_raw(byte),
            Partial::Escape => match byte {
                b'/' => Decoded::Char(u32::from(byte)),
                b'u' => Decoded::Partial(Partial::Hex { digits: 0, bits: 0 }),
                _ => letter(byte),
            },
            Partial::PlainEscape => match byte {
                b'u' => Decoded::Partial(Partial::PlainHex { digits: 0, bits: 0 }),
                _ => letter(byte),
            },
            Partial::PlainHex { digits, bits } => plain_hex(digits, bits, byte),
            Partial::Hex { digits, bits } => {
                let Some(bits) = hex(bits, byte) else {
                    return Decoded::Refused;
                };
                match digits + 1 {
                    4 if in_range(bits, HIGH) => Decoded::Partial(Partial::High(bits & 0x3FF)),
                    4 if in_range(bits, LOW) => Decoded::Refused,
                    4 => Decoded::Char(bits),
                    digits => Decoded::Partial(Partial::Hex { digits, bits }),
                }
            }
            Partial::High(high) if byte == b'\\' => Decoded::Partial(Partial::HighEscape(high)),
            Partial::HighEscape(high) if byte == b'u' => Decoded::Partial(Partial::HighHex {
                high,
                digits: 0,
                bits: 0,
            }),
            Partial::High(_) | Partial::HighEscape(_) => Decoded::Refused,
            Partial::HighHex { high, digits, bits } => {
                let Some(bits) = hex(bits, byte) else {
                    return Decoded::Refused;
                };
                match digits + 1 {
                    4 if in_range(bits, LOW) => {
                        Decoded::Char(0x1_0000 + (high << 10 | bits & 0x3FF))
                    }
                    4 => Decoded::Refused,
                    digits => Decoded::Partial(Partial::HighHex { high, digits, bits }),
                }
            }
        }
    }

    /// Reads a byte of plain UTF-8.
    pub(crate) fn decode_raw(self, byte: u8) -> Decoded {
        match self {
            Partial::Nothing => {
                let (length, bits) = match byte {
                    0x00..=0x7F => return Decoded::Char(u32::from(byte)),
                    0xC2..=0xDF => (2, byte & 0x1F),
                    0xE0..=0xEF => (3, byte & 0x0F),
                    0xF0..=0xF4 => (4, byte & 0x07),
                    _ => return Decoded::Refused,
                };
                let bits = u32::from(bits);
                Decoded::Partial(Partial::Utf8 {
                    length,
                    need: length - 1,
                    bits,
                })
            }
            Partial::Utf8 { length, need, bits } if byte & 0xC0 == 0x80 => {
                let bits = bits << 6 | u32::from(byte & 0x3F);
                let next = Partial::Utf8 {
                    length,
                    need: need - 1,
                    bits,
                };
                if next.ranges().next().is_none() {
                    Decoded::Refused
                } else if need == 1 {
                    Decoded::Char(bits)
                } else {
                    Decoded::Partial(next)
                }
            }
            _ => Decoded::Refused,
        }
    }

    /// The characters that this can become, as up to three inclusive ranges; those with the first
    /// above the last are empty.
    pub(crate) fn characters(self) -> [(u32, u32); 3] {
        const NONE: (u32, u32) = (1, 0);
        match self {
            Partial::Nothing | Partial::Escape => [(0, MAX), NONE, NONE],
            Partial::Utf8 { length, need, bits } => {
                let least = [0x80, 0x800, 0x1_0000][usize::from(length) - 2];
                let lo = (bits << (6 * need)).max(least);
                let hi = (bits << (6 * need) | ((1 << (6 * need)) - 1)).min(MAX);
                [(lo, hi.min(HIGH.0 - 1)), (lo.max(LOW.1 + 1), hi), NONE]
            }
            Partial::Hex { digits, bits } => {
                let free = 4 * (4 - u32::from(digits));
                let (lo, hi) = (bits << free, bits << free | ((1 << free) - 1));
                let (first, last) = (lo.max(HIGH.0), hi.min(HIGH.1));
                let pairs = if first <= last {
                    (pair(first & 0x3FF, 0), pair(last & 0x3FF, 0x3FF))
                } else {
                    NONE
                };
                [(lo, hi.min(HIGH.0 - 1)), (lo.max(LOW.1 + 1), hi), pairs]
            }
            Partial::PlainEscape => [(0, CONTROLS), (0x22, 0x22), (0x5C, 0x5C)],
            Partial::PlainHex { digits, bits } => {
                let free = 4 * (4 - u32::from(digits));
                let (lo, hi) = (bits << free, bits << free | ((1 << free) - 1));
                UNLETTERED.map(|(first, last)| (lo.max(first), hi.min(last)))
            }
            Partial::High(high) | Partial::HighEscape(high) => {
                [(pair(high, 0), pair(high, 0x3FF)), NONE, NONE]
            }
            Partial::HighHex { high, digits, bits } => {
                let free = 4 * (4 - u32::from(digits));
                let lo = (bits << free).max(LOW.0);
                let hi = (bits << free | ((1 << free) - 1)).min(LOW.1);
                if lo > hi {
                    return [NONE; 3];
                }
                [(pair(high, lo & 0x3FF), pair(high, hi & 0x3FF)), NONE, NONE]
            }
        }
    }

    /// The ranges of [`Partial::characters`] that are not empty.
    pub(crate) fn ranges(self) -> impl Iterator<Item = (u32, u32)> {
        self.characters().into_iter().filter(|(lo, hi)| lo <= hi)
    }

    /// Whether this can become a character.
    pub(crate) fn may_become(self, c: u32) -> bool {
        self.ranges().any(|range| in_range(c, range))
    }

    /// Tells partials apart in one number.
    pub(crate) fn code(self) -> u64 {
        let (sort, a, b) = match self {
            Partial::Nothing => (0, 0, 0),
            Partial::Utf8 { length, need, bits } => {
                (1, bits, u64::from(length) << 8 | u64::from(need))
            }
            Partial::Escape => (2, 0, 0),
            Partial::Hex { digits, bits } => (3, bits, u64::from(digits)),
            Partial::High(high) => (4, high, 0),
            Partial::HighEscape(high) => (5, high, 0),
            Partial::HighHex { high, digits, bits } => {
                (6, bits, u64::from(high) << 8 | u64::from(digits))
            }
            Partial::PlainEscape => (7, 0, 0),
            Partial::PlainHex { digits, bits } => (8, bits, u64::from(digits)),
        };
        sort << 60 | b << 32 | u64::from(a)
    }

    /// Tells partials apart in one number, as [`Partial::code`] does, and also which spellings are
    /// allowed.
    pub(crate) fn code_in(self, spelling: JsonSpelling) -> u64 {
        self.code() | u64::from(spelling == JsonSpelling::Any) << 59
    }

    /// The most that [`Partial::least_rest`] can be.
    pub(crate) const MOST_REST: u64 = 10;

    /// At least the bytes that end a partial with whichever of its characters.
    pub(crate) fn most_rest(spelling: JsonSpelling) -> u64 {
        match spelling {
            // Four digits and a letter.
            JsonSpelling::Plain => 5,
            // And another escape.
            JsonSpelling::Any => 11,
        }
    }

    /// The fewest bytes that end this partial with any of its characters.
    pub(crate) fn least_rest(self) -> u64 {
        let hex = |digits: u8| 4 - u64::from(digits);
        match self {
            Partial::Nothing => 0,
            Partial::Utf8 { need, .. } => need.into(),
            Partial::Escape | Partial::PlainEscape => 1,
            // Two units are needed if it can only become the first of them.
            Partial::Hex { digits, .. } => {
                let [before, after, _] = self.characters();
                let is_whole = before.0 <= before.1 || after.0 <= after.1;
                hex(digits) + if is_whole { 0 } else { 6 }
            }
            Partial::PlainHex { digits, .. } | Partial::HighHex { digits, .. } => hex(digits),
            Partial::High(_) => 6,
            Partial::HighEscape(_) => 5,
        }
    }

    /// The fewest bytes that end this partial with the character `c`, one of its characters.
    pub(crate) fn rest(self, c: u32) -> Vec<u8> {
        let unit_rest = |unit: u32, digits: u8| format!("{unit:04x}")[usize::from(digits)..].into();
        match self {
            Partial::Nothing => spell_json(c),
            Partial::Utf8 { need, .. } => {
                let mut buffer = [0; 4];
                let bytes = to_char(c).encode_utf8(&mut buffer).as_bytes();
                bytes[bytes.len() - usize::from(need)..].to_vec()
            }
            Partial::Escape | Partial::PlainEscape => match short_escape(c) {
                Some(letter) => vec![letter],
                None if c == u32::from(b'/') => vec![b'/'],
                None => unit_escapes(c).as_bytes()[1..].to_vec(),
            },
            Partial::Hex { digits, .. } | Partial::PlainHex { digits, .. } => {
                unit_escapes(c).as_bytes()[2 + usize::from(digits)..].to_vec()
            }
            Partial::High(_) => unit_escapes(c).as_bytes()[6..].to_vec(),
            Partial::HighEscape(_) => unit_escapes(c).as_bytes()[7..].to_vec(),
            Partial::HighHex { digits, .. } => {
                let low: String = unit_rest(LOW.0 | c & 0x3FF, digits);
                low.into_bytes()
            }
        }
    }
}

/// The shortest spelling of a character inside a JSON string.
pub(crate) fn spell_json(c: u32) -> Vec<u8> {
    match short_escape(c) {
        Some(letter) => vec![b'\\', letter],
        None if c < 0x20 => unit_escapes(c).into_bytes(),
        None => to_char(c).to_string().into_bytes(),
    }
}

/// At least the bytes that spell some UTF-8 in a JSON string. A character that must be escaped takes six at
/// most.
pub(crate) fn max_json_bytes(text: &[u8]) -> u64 {
    let escaped = text.iter().filter(|&&byte| needs_escape(u32::from(byte)));
    (text.len() + 5 * escaped.count()) as u64
}

/// The bytes of the shortest spelling of a character inside a JSON string.
pub(crate) fn spelled_bytes(c: char) -> u64 {
    match needs_escape(c.into()) {
        true => spell_json(c.into()).len() as u64,
        false => c.len_utf8() as u64,
    }
}

/// Whether a JSON string must spell a character with a backslash.
pub(crate) fn needs_escape(c: u32) -> bool {
    is_control(c) || c == u32::from('"') || c == u32::from('\\')
}

fn is_control(c: u32) -> bool {
    c <= CONTROLS
}

/// The character that a byte after a backslash stands for, but for a slash.
fn letter(byte: u8) -> Decoded {
    Decoded::Char(match byte {
        b'"' | b'\\' => u32::from(byte),
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => 0x0A,
        b'r' => 0x0D,
        b't' => 0x09,
        _ => return Decoded::Refused,
    })
}

/// The letter after the backslash, of those characters that need a backslash and have a letter.
fn short_escape(c: u32) -> Option<u8> {
    match c {
        0x22 | 0x5C => Some(c as u8),
        0x08 => Some(b'b'),
        0x0C => Some(b'f'),
        0x0A => Some(b'n'),
        0x0D => Some(b'r'),
        0x09 => Some(b't'),
        _ => None,
    }
}

fn unit_escapes(c: u32) -> String {
    let mut units = [0; 2];
    let units = to_char(c).encode_utf16(&mut units);
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn to_char(c: u32) -> char {
    char::from_u32(c).expect("partials become scalar values only")
}

fn pair(high: u32, low: u32) -> u32 {
    0x1_0000 + (high << 10 | low)
}

fn in_range(c: u32, (lo, hi): (u32, u32)) -> bool {
    (lo..=hi).contains(&c)
}

/// Reads a digit of the escapes that [`JsonSpelling::Plain`] has: in small letters, of characters that
/// have no shorter one.
fn plain_hex(digits: u8, bits: u32, byte: u8) -> Decoded {
    match hex(bits, byte) {
        _ if byte.is_ascii_uppercase() => Decoded::Refused,
        Some(bits) if digits < 3 => Decoded::Partial(Partial::PlainHex {
            digits: digits + 1,
            bits,
        }),
        Some(bits) if is_control(bits) && short_escape(bits).is_none() => Decoded::Char(bits),
        _ => Decoded::Refused,
    }
}

fn hex(bits: u32, byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16).map(|digit| bits << 4 | digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<u32>, Partial> {
        let mut partial = Partial::Nothing;
        let mut out = Vec::new();
        for &byte in text {
            match partial.decode_json(byte, JsonSpelling::Any) {
                Decoded::Partial(next) => partial = next,
                Decoded::Char(c) => {
                    out.push(c);
                    partial = Partial::Nothing;
                }
                Decoded::Close | Decoded::Refused => return Err(partial),
            }
        }
        if partial == Partial::Nothing {
            Ok(out)
        } else {
            Err(partial)
        }
    }

    #[test]
    fn the_least_rest_is_that_of_the_shortest_character() {
        let texts = [
            "é",
            "中",
            "😀",
            "\\n",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\udbff\\udfff",
            "\\u001f",
        ];
        for spelling in [JsonSpelling::Any, JsonSpelling::Plain] {
            for text in texts {
                let mut partial = Partial::Nothing;
                for &byte in &text.as_bytes()[..text.len() - 1] {
                    match partial.decode_json(byte, spelling) {
                        Decoded::Partial(next) => partial = next,
                        _ => break,
                    }
                    let letters = LETTERED.map(u32::from);
                    let all = partial.ranges().flat_map(|(lo, hi)| {
                        let inside = letters.into_iter().filter(move |c| (lo..=hi).contains(c));
                        inside.chain([lo, hi])
                    });
                    let least = all.map(|c| partial.rest(c).len() as u64).min();
                    assert_eq!(Some(partial.least_rest()), least, "{partial:?}");
                    assert!(partial.least_rest() <= Partial::MOST_REST);
                }
            }
        }
    }

    #[test]
    fn reads_every_spelling() {
        for text in [
            "a",
            "\\u0061",
            "é",
            "\\u00e9",
            "😀",
            "\\ud83d\\ude00",
            "\\uD83D\\uDE00",
            "\\/",
        ] {
            let value: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(
                read(text.as_bytes()),
                Ok(value.chars().map(u32::from).collect()),
                "{text}"
            );
        }
        for text in [
            "\\ude00",
            "\\ud83dx",
            "\\ud83d\\u0061",
            "\\x",
            "\u{1f}",
            "\\u00g0",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        for bytes in [
            &b"\xC0\x80"[..],
            b"\xED\xA0\x80",
            b"\xF4\x90\x80\x80",
            b"\xE0\x80\x80",
            b"\xFF",
        ] {
            assert!(read(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn partials_become_what_they_say() {
        for c in [
            0x0, 0x22, 0x2F, 0x41, 0x7F, 0xE9, 0xD7FF, 0xE000, 0xFFFF, 0x1_0000, 0x10_FFFF,
        ] {
            for text in [spell_json(c), unit_escapes(c).into_bytes()] {
                let mut partial = Partial::Nothing;
                for (i, &byte) in text.iter().enumerate() {
                    let ranges = partial.characters();
                    assert!(
                        ranges.iter().any(|&range| in_range(c, range)),
                        "{c:x} {partial:?}"
                    );
                    let rest = partial.rest(c);
                    assert!(rest.len() <= text.len() - i);
                    let whole = [&text[..i], &rest].concat();
                    assert_eq!(read(&whole), Ok(vec![c]));
                    if let Decoded::Partial(next) = partial.decode_json(byte, JsonSpelling::Any) {
                        partial = next;
                    }
                }
            }
        }
    }
}
