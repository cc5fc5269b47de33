//! The kinds of JSON values, and how those of a single value are spelled.

use crate::byte_set::ByteSet;

/// What the first character of a JSON value tells about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    Array,
    Object,
}

/// How null and the booleans are spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Literals {
    /// `null`, `true` and `false`.
    #[default]
    Json,
    /// `None`, `True` and `False`, as in Python.
    Python,
}

impl Literals {
    /// The kind of the values that begin with a byte.
    pub(crate) fn kind_of(self, byte: u8) -> Option<Kind> {
        Some(match byte {
            b'-' | b'0'..=b'9' => Kind::Number,
            b'"' => Kind::String,
            b'[' => Kind::Array,
            b'{' => Kind::Object,
            _ => {
                let words = [Kind::Null, Kind::True, Kind::False];
                return words.into_iter().find(|&kind| self.text(kind)[0] == byte);
            }
        })
    }

    /// The first byte of values of a kind, if it is one byte only.
    pub(crate) fn first_byte(self, kind: Kind) -> Option<u8> {
        match kind {
            Kind::Number => None,
            Kind::String => Some(b'"'),
            Kind::Array => Some(b'['),
            Kind::Object => Some(b'{'),
            literal => self.text(literal).first().copied(),
        }
    }

    /// The text of the kinds that have one value only, empty for the others.
    pub(crate) fn text(self, kind: Kind) -> &'static [u8] {
        match (self, kind) {
            (Literals::Json, Kind::Null) => b"null",
            (Literals::Json, Kind::True) => b"true",
            (Literals::Json, Kind::False) => b"false",
            (Literals::Python, Kind::Null) => b"None",
            (Literals::Python, Kind::True) => b"True",
            (Literals::Python, Kind::False) => b"False",
            _ => b"",
        }
    }

    /// The bytes with which values begin.
    pub(crate) fn first_bytes(self) -> ByteSet {
        match self {
            Literals::Json => const { ByteSet::of(b"\"[{-0123456789tfn") },
            Literals::Python => const { ByteSet::of(b"\"[{-0123456789TFN") },
        }
    }
}

impl Kind {
    /// The [`Kind::bit`]s of all.
    pub(crate) const ALL_BITS: u8 = 0x7F;

    pub(crate) const ALL: [Kind; 7] = [
        Kind::Null,
        Kind::True,
        Kind::False,
        Kind::Number,
        Kind::String,
        Kind::Array,
        Kind::Object,
    ];

    /// The type that JSON Schema counts the kind to.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::True | Kind::False => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }

    /// The length of the text of the kinds that have one value only, 0 for the others. It does not
    /// depend on [`Literals`].
    pub(crate) fn literal_bytes(self) -> usize {
        Literals::Json.text(self).len()
    }

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }
}
