//! A JSON string whose bytes are read while its text is scanned.

use crate::regex::scan::{ScanId, Scanner};
use crate::spelling::{Decoded, Partial};

/// What a byte makes of a JSON string whose text is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scanned {
    /// The string goes on; the character that the byte ends, if it ends one.
    Stays(ScanId, Partial, Option<u32>),
    /// The byte closes it.
    Closes,
    Refused,
}

/// Reads a byte of a JSON string.
#[inline]
pub(crate) fn scan_string(scanner: &Scanner, scan: ScanId, partial: Partial, byte: u8) -> Scanned {
    match partial.decode_json(byte, scanner.spelling) {
        Decoded::Partial(partial) if partial.can_step(scanner, scan) => {
            Scanned::Stays(scan, partial, None)
        }
        Decoded::Char(c) => scanner.step(scan, c).map_or(Scanned::Refused, |scan| {
            Scanned::Stays(scan, Partial::Nothing, Some(c))
        }),
        Decoded::Close if scanner.can_end(scan) => Scanned::Closes,
        Decoded::Partial(_) | Decoded::Close | Decoded::Refused => Scanned::Refused,
    }
}

impl Partial {
    /// Whether this can become a character with which a text goes on.
    pub(crate) fn can_step(self, scanner: &Scanner, scan: ScanId) -> bool {
        self.ranges().any(|(lo, hi)| scanner.can_step(scan, lo, hi))
    }
}
