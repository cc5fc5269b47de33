//! Kinds of characters: what the classes of patterns hold as a whole or not at all, mostly.

use crate::regex::char_blocks::CharBlocks;

/// Some kinds of characters, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CharKinds(u32);

/// The kinds of ASCII characters; all that are not here are one more.
const ASCII: [&[u8]; 29] = [
    b"0123456789",
    b"abcdef",
    b"ghijklmnopqrstuvwxyz",
    b"ABCDEF",
    b"GHIJKLMNOPQRSTUVWXYZ",
    b"^`{|}",
    b"()",
    b"[]",
    b" ",
    b"_",
    b"-",
    b".",
    b"/",
    b"+",
    b":",
    b"@",
    b"=",
    b"#",
    b"%",
    b"~",
    b"&",
    b"?",
    b",",
    b"!;",
    b"$",
    b"*",
    b"'",
    b"\n\r",
    b"\t\x0B\x0C",
];
const OTHER_ASCII: u32 = 29;
/// Whitespace beyond ASCII, and all other characters there.
const SPACE_BEYOND: u32 = 30;
const BEYOND: u32 = 31;

/// The kind of each ASCII character.
const OF_ASCII: [u32; 128] = {
    let mut kinds = [OTHER_ASCII; 128];
    let mut kind = 0;
    while kind < ASCII.len() {
        let mut i = 0;
        while i < ASCII[kind].len() {
            kinds[ASCII[kind][i] as usize] = kind as u32;
            i += 1;
        }
        kind += 1;
    }
    kinds
};

impl CharKinds {
    pub(crate) const NONE: CharKinds = CharKinds(0);
    pub(crate) const ASCII: CharKinds = CharKinds((1 << SPACE_BEYOND) - 1);

    /// The kind of a character.
    pub(crate) fn of(c: u32) -> Self {
        let kind = match c {
            0..128 => OF_ASCII[c as usize],
            _ if CharBlocks::of(c) == CharBlocks::SPACES => SPACE_BEYOND,
            _ => BEYOND,
        };
        CharKinds(1 << kind)
    }

    /// The kinds that make up a class; `None` if it has some characters of a kind but not all.
    pub(crate) fn of_class(class: CharBlocks) -> Option<Self> {
        let held = CharKinds::of_any(class);
        let missing = CharKinds::of_any(CharBlocks::ALL.without(class));
        (held.0 & missing.0 == 0).then_some(held)
    }

    /// The kinds of which a set has some characters.
    fn of_any(set: CharBlocks) -> Self {
        let ascii = set.ascii().map(|c| CharKinds::of(c.into()));
        let mut kinds = ascii.fold(CharKinds::NONE, CharKinds::or);
        let beyond = set.without(CharBlocks::ASCII);
        if !beyond.misses(CharBlocks::SPACES) {
            kinds.0 |= 1 << SPACE_BEYOND;
        }
        if !beyond.is_in(CharBlocks::SPACES) {
            kinds.0 |= 1 << BEYOND;
        }
        kinds
    }

    /// A bit for each kind.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn or(self, other: Self) -> Self {
        CharKinds(self.0 | other.0)
    }

    #[inline]
    pub(crate) fn is_in(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_kinds_or_cut_one_in_two() {
        let class = |ranges: &[(char, char)]| {
            let ranges = ranges.iter().map(|&(lo, hi)| (lo as u32, hi as u32));
            CharBlocks::within(ranges)
        };
        let word = class(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]);
        let kinds = CharKinds::of_class(word).unwrap();
        for c in 0..0x3000 {
            assert_eq!(CharKinds::of(c).is_in(kinds), CharBlocks::of(c).is_in(word));
        }
        assert_eq!(CharKinds::of_class(class(&[('a', 'e')])), None);
        assert_eq!(
            CharKinds::of_class(class(&[('é', 'é'), ('a', 'z')])),
            Some(CharKinds::of_class(class(&[('a', 'z')])).unwrap())
        );
    }
}
