//! Whitespace between the tokens of JSON.

use crate::json::rules::SeparatorBytes;
use crate::spelling::SPACES;

/// Which whitespace a text may have between its JSON tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whitespace {
    /// Wherever JSON allows it, at most so many characters in a row.
    Flexible {
        /// The longest run.
        run: u8,
    },
    /// None.
    Compact,
    /// One space after each comma and each colon, as Python's `json.dumps` writes it.
    Spaced,
    /// One space after each comma.
    SpacedCommas,
    /// One space after each colon.
    SpacedColons,
}

/// How much whitespace has been read at one place, or that none or exactly one space may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WhitespaceRun(u8);

/// What a byte is where whitespace may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpacingStep {
    /// Whitespace; the run with it.
    Space(WhitespaceRun),
    /// No whitespace: what follows it has begun.
    Other,
    /// It must not come here.
    Refused,
}

impl WhitespaceRun {
    /// No whitespace may come.
    pub(crate) const NONE: WhitespaceRun = WhitespaceRun(u8::MAX);
    /// Exactly one space must come.
    pub(crate) const SPACE: WhitespaceRun = WhitespaceRun(u8::MAX - 1);
}

impl Whitespace {
    /// Tells kinds of whitespace apart, in ten bits.
    pub(super) fn code(self) -> u64 {
        match self {
            Whitespace::Compact => 0,
            Whitespace::Spaced => 1,
            Whitespace::Flexible { run } => 2 | u64::from(run) << 2,
            Whitespace::SpacedCommas => 3,
            Whitespace::SpacedColons => 3 | 1 << 2,
        }
    }

    /// The run before any whitespace, anywhere but after a comma or a colon.
    pub(crate) fn inside(self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            _ => WhitespaceRun::NONE,
        }
    }

    /// The run before any whitespace, after a comma.
    pub(crate) fn after_comma(self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            Whitespace::Compact | Whitespace::SpacedColons => WhitespaceRun::NONE,
            Whitespace::Spaced | Whitespace::SpacedCommas => WhitespaceRun::SPACE,
        }
    }

    /// The run before any whitespace, after a colon.
    pub(crate) fn after_colon(self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            Whitespace::Compact | Whitespace::SpacedCommas => WhitespaceRun::NONE,
            Whitespace::Spaced | Whitespace::SpacedColons => WhitespaceRun::SPACE,
        }
    }

    pub(crate) fn separator_bytes(self) -> SeparatorBytes {
        let bytes = |run: WhitespaceRun| 1 + u64::from(run == WhitespaceRun::SPACE);
        SeparatorBytes {
            comma: bytes(self.after_comma()),
            colon: bytes(self.after_colon()),
        }
    }

    /// How many more characters of whitespace may come, where they may come freely.
    pub(crate) fn left(self, spacing: WhitespaceRun) -> Option<u8> {
        match self {
            Whitespace::Flexible { run } if spacing.0 < run => Some(run - spacing.0),
            _ => None,
        }
    }

    /// Reads a byte.
    pub(crate) fn take(self, spacing: WhitespaceRun, byte: u8) -> SpacingStep {
        if spacing == WhitespaceRun::SPACE {
            return match byte {
                b' ' => SpacingStep::Space(WhitespaceRun::NONE),
                _ => SpacingStep::Refused,
            };
        }
        if !SPACES.contains(&byte) {
            return SpacingStep::Other;
        }
        match self {
            Whitespace::Flexible { run } if spacing.0 < run => {
                SpacingStep::Space(WhitespaceRun(spacing.0 + 1))
            }
            _ => SpacingStep::Refused,
        }
    }
}
