//! What is found out about a language once, and kept: characters that never lead astray, and lengths of texts.

use crate::regex::char_blocks::CharBlocks;
use crate::regex::node::UNBOUNDED;

/// Characters any text of which can be finished, if it has no more than `most` of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) characters: CharBlocks,
    pub(crate) most: u32,
    /// At most so many bytes inside a JSON string finish any such text.
    pub(crate) rest: u32,
}

impl Free {
    pub(crate) fn allows(&self, characters: CharBlocks, length: u32) -> bool {
        length <= self.most && characters.is_in(self.characters)
    }

    /// Whether any text of these characters can be finished, however long.
    pub(crate) fn is_endless(&self) -> bool {
        self.most == UNBOUNDED
    }
}

/// There is a text of each length from `least` to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) least: u32,
    /// [`UNBOUNDED`] if there are texts of all greater lengths.
    pub(super) most: u32,
    /// Those texts are of characters that take one byte each, in any spelling.
    pub(super) are_bytes: bool,
}

impl Lengths {
    pub(crate) const NONE: Lengths = Lengths::only(0, true);

    pub(super) const fn only(length: u32, are_bytes: bool) -> Self {
        Lengths {
            least: length,
            most: length,
            are_bytes,
        }
    }

    pub(crate) fn then(self, other: Lengths) -> Self {
        Lengths {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
            are_bytes: self.are_bytes && other.are_bytes,
        }
    }

    /// Lengths of both languages, if they meet.
    pub(super) fn within(self, least: u32, most: u32) -> Option<Self> {
        let least = self.least.max(least);
        let most = self.most.min(most);
        (least <= most).then_some(Lengths {
            least,
            most,
            ..self
        })
    }

    /// The lengths of `min` to `max` rounds, as far as there is no gap between them.
    pub(crate) fn repeated(self, min: u32, max: u32) -> Self {
        let times = |length: u32, rounds: u32| match (length, rounds) {
            (0, _) | (_, 0) => 0,
            (UNBOUNDED, _) | (_, UNBOUNDED) => UNBOUNDED,
            _ => length.saturating_mul(rounds),
        };
        // From so many rounds on, one more leaves no gap.
        let joins = match (self.least, self.most - self.least) {
            (0 | 1, _) => 0,
            (_, 0) => UNBOUNDED,
            (least, more) => (least - 1).div_ceil(more),
        };
        let (first, last) = match joins.max(min) {
            first if first < max => (first, max),
            _ => (min, min),
        };
        Lengths {
            least: times(self.least, first),
            most: times(self.most, last),
            ..self
        }
    }
}
