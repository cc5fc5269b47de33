//! Whitespace between the tokens of JSON.

use crate::error::{Error, ErrorKind};
use crate::json::cost::LINE;
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
    /// Each item and each member on a line of its own, as `json.dumps` writes them with `indent`.
    Indented {
        /// What a line begins with, once for each array and object around it.
        indent: Indent,
        /// Whether a space comes after each comma, before the line break.
        comma: bool,
        /// Whether a space comes after each colon.
        colon: bool,
    },
}

/// An indentation: some characters of whitespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indent {
    bytes: [u8; Indent::MOST],
    length: u8,
}

impl Indent {
    /// The longest indentation, in characters.
    pub const MOST: usize = 16;

    /// The indentation by a text.
    ///
    /// # Errors
    ///
    /// If it is longer than [`Indent::MOST`], or not whitespace of JSON.
    pub fn new(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; Indent::MOST];
        let fits = text.len() <= bytes.len() && text.bytes().all(|byte| SPACES.contains(&byte));
        if !fits {
            let message = format!(
                "an indentation is at most {} spaces, tabs or line breaks",
                Indent::MOST
            );
            return Err(Error::new(ErrorKind::Grammar, message));
        }
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let length = text.len() as u8;
        Ok(Indent { bytes, length })
    }

    /// The next of the bytes that are left of a line's indentation, if any is.
    fn next(&self, left: u32) -> Option<u8> {
        let unit = u32::from(self.length);
        let at = (unit - left.checked_sub(1)? % unit) - 1;
        Some(self.bytes[at as usize])
    }
}

/// How much whitespace has been read at one place, or what must or may come.
///
/// Where whitespace is flexible, that is how many characters have been read; where lines are
/// indented and a line break has been read, how many bytes of the indentation are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WhitespaceRun(u32);

/// What a byte is where whitespace may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpacingStep {
    /// Whitespace; the run with it.
    Space(WhitespaceRun),
    /// The line break before an indentation, which depends on how deep it is.
    Line,
    /// No whitespace: what follows it has begun.
    Other,
    /// It must not come here.
    Refused,
}

impl WhitespaceRun {
    /// No whitespace may come.
    pub(crate) const NONE: WhitespaceRun = WhitespaceRun(u32::MAX);
    /// Exactly one space must come.
    const SPACE: WhitespaceRun = WhitespaceRun(u32::MAX - 1);
    /// A line break and an indentation must come.
    const LINE: WhitespaceRun = WhitespaceRun(u32::MAX - 2);
    /// A space, a line break and an indentation must come.
    const SPACE_LINE: WhitespaceRun = WhitespaceRun(u32::MAX - 3);
    /// A line break and an indentation must come, or what needs none: a comma, or the end of what is
    /// empty.
    const LINE_OR_NONE: WhitespaceRun = WhitespaceRun(u32::MAX - 4);
    /// The longest indentation that is told from the others.
    const LONGEST: u64 = u32::MAX as u64 - 5;
}

impl Whitespace {
    /// Lines that are indented, with the same separators.
    #[must_use]
    pub fn indented(self, indent: Indent) -> Self {
        let (comma, colon) = match self {
            Whitespace::Flexible { .. } | Whitespace::SpacedColons => (false, true),
            Whitespace::Compact => (false, false),
            Whitespace::Spaced => (true, true),
            Whitespace::SpacedCommas => (true, false),
            Whitespace::Indented { comma, colon, .. } => (comma, colon),
        };
        Whitespace::Indented {
            indent,
            comma,
            colon,
        }
    }

    /// Tells kinds of whitespace apart, in ten bits; `None` where it depends on what is around a value
    /// how it is written.
    pub(super) fn code(self) -> Option<u64> {
        Some(match self {
            Whitespace::Compact => 0,
            Whitespace::Spaced => 1,
            Whitespace::Flexible { run } => 2 | u64::from(run) << 2,
            Whitespace::SpacedCommas => 3,
            Whitespace::SpacedColons => 3 | 1 << 2,
            Whitespace::Indented { .. } => return None,
        })
    }

    /// The run before any whitespace around a value that nothing is around, and before a colon.
    pub(crate) fn outside(&self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            _ => WhitespaceRun::NONE,
        }
    }

    /// The run before any whitespace after a bracket that opens, and after an item or a member.
    pub(crate) fn inside(&self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            Whitespace::Indented { .. } => WhitespaceRun::LINE_OR_NONE,
            _ => WhitespaceRun::NONE,
        }
    }

    /// The run before any whitespace, after a comma.
    pub(crate) fn after_comma(&self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            Whitespace::Compact | Whitespace::SpacedColons => WhitespaceRun::NONE,
            Whitespace::Spaced | Whitespace::SpacedCommas => WhitespaceRun::SPACE,
            Whitespace::Indented { comma: true, .. } => WhitespaceRun::SPACE_LINE,
            Whitespace::Indented { comma: false, .. } => WhitespaceRun::LINE,
        }
    }

    /// The run before any whitespace, after a colon.
    pub(crate) fn after_colon(&self) -> WhitespaceRun {
        match self {
            Whitespace::Flexible { .. } => WhitespaceRun(0),
            Whitespace::Compact
            | Whitespace::SpacedCommas
            | Whitespace::Indented { colon: false, .. } => WhitespaceRun::NONE,
            Whitespace::Spaced
            | Whitespace::SpacedColons
            | Whitespace::Indented { colon: true, .. } => WhitespaceRun::SPACE,
        }
    }

    /// The run after the line break of a line that is so deep.
    pub(crate) fn after_line(&self, depth: u64) -> WhitespaceRun {
        let length = depth.saturating_mul(self.indent_bytes());
        WhitespaceRun(length.min(WhitespaceRun::LONGEST) as u32)
    }

    fn indent_bytes(&self) -> u64 {
        match self {
            Whitespace::Indented { indent, .. } => u64::from(indent.length),
            _ => 0,
        }
    }

    pub(crate) fn separator_bytes(&self) -> SeparatorBytes {
        let after = |run: WhitespaceRun| {
            let spaces = [WhitespaceRun::SPACE, WhitespaceRun::SPACE_LINE].contains(&run);
            1 + u64::from(spaces)
        };
        let (comma, colon) = (after(self.after_comma()), after(self.after_colon()));
        let indent = self.indent_bytes();
        // A line that is one level deeper than what it belongs to, and one that is not.
        let (opening, closing) = match self {
            Whitespace::Indented { .. } => (LINE + 1 + indent, LINE + 1),
            _ => (0, 0),
        };
        SeparatorBytes {
            comma: comma + opening,
            colon,
            opening,
            closing,
            indent,
        }
    }

    /// How many more characters of whitespace may come, where they may come freely.
    pub(crate) fn left(&self, spacing: WhitespaceRun) -> Option<u8> {
        match *self {
            Whitespace::Flexible { run } if spacing.0 < u32::from(run) => {
                Some(run - spacing.0 as u8)
            }
            _ => None,
        }
    }

    /// The next byte, if nothing but whitespace may come.
    pub(crate) fn next_due(&self, spacing: WhitespaceRun) -> Option<u8> {
        match (spacing, self) {
            (WhitespaceRun::NONE | WhitespaceRun::LINE_OR_NONE, _) => None,
            (WhitespaceRun::SPACE | WhitespaceRun::SPACE_LINE, _) => Some(b' '),
            (WhitespaceRun::LINE, _) => Some(b'\n'),
            (WhitespaceRun(left), Whitespace::Indented { indent, .. }) => indent.next(left),
            _ => None,
        }
    }

    /// Whether items and members must not begin, nor arrays and objects with any end, before a line
    /// break.
    pub(crate) fn is_before_line(&self, spacing: WhitespaceRun) -> bool {
        spacing == WhitespaceRun::LINE_OR_NONE
    }

    /// Whether a line break has come.
    pub(crate) fn is_after_line(&self, spacing: WhitespaceRun) -> bool {
        matches!(self, Whitespace::Indented { .. })
            && u64::from(spacing.0) <= WhitespaceRun::LONGEST
    }

    /// The whitespace with which a text goes on if it goes on with any that it cannot do without, at
    /// a place where lines are so deep.
    pub(crate) fn due(&self, spacing: WhitespaceRun, depth: u64) -> Vec<u8> {
        let line = |run: WhitespaceRun| {
            let Whitespace::Indented { indent, .. } = self else {
                return Vec::new();
            };
            (1..=run.0)
                .rev()
                .filter_map(|left| indent.next(left))
                .collect()
        };
        let whole = |before: &[u8]| [before, b"\n", &line(self.after_line(depth))].concat();
        match spacing {
            WhitespaceRun::SPACE => vec![b' '],
            WhitespaceRun::LINE | WhitespaceRun::LINE_OR_NONE => whole(b""),
            WhitespaceRun::SPACE_LINE => whole(b" "),
            // Without indentations nothing is due.
            WhitespaceRun::NONE => Vec::new(),
            rest => line(rest),
        }
    }

    /// Reads a byte.
    pub(crate) fn take(&self, spacing: WhitespaceRun, byte: u8) -> SpacingStep {
        match self.next_due(spacing) {
            Some(due) if due != byte => return SpacingStep::Refused,
            Some(_) => {
                return match spacing {
                    WhitespaceRun::SPACE => SpacingStep::Space(WhitespaceRun::NONE),
                    WhitespaceRun::SPACE_LINE => SpacingStep::Space(WhitespaceRun::LINE),
                    WhitespaceRun::LINE => SpacingStep::Line,
                    WhitespaceRun(left) => SpacingStep::Space(WhitespaceRun(left - 1)),
                };
            }
            None => {}
        }
        if !SPACES.contains(&byte) {
            return SpacingStep::Other;
        }
        match self {
            Whitespace::Flexible { run } if spacing.0 < u32::from(*run) => {
                SpacingStep::Space(WhitespaceRun(spacing.0 + 1))
            }
            Whitespace::Indented { .. }
                if spacing == WhitespaceRun::LINE_OR_NONE && byte == b'\n' =>
            {
                SpacingStep::Line
            }
            _ => SpacingStep::Refused,
        }
    }
}
