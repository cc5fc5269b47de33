//! Computed languages: too large to spell out, so that functions say what may follow.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::regex::char_blocks::CharBlocks;

/// The functions of a computed language.
pub(crate) struct ComputedRule {
    /// Tells rules apart, in all stores of a process.
    pub(crate) name: &'static str,
    /// All characters of its texts, which are of ASCII and need no escapes in JSON.
    pub(crate) alphabet: &'static str,
    /// The state that a character leads to; `None` only if no text goes on so.
    pub(crate) way: fn(state: &str, c: char) -> Option<Box<str>>,
    /// Whether a text may end in a state.
    pub(crate) holds: fn(state: &str) -> bool,
    /// The characters with which the rule gets from a state to an end, zero in an end; `None` if it
    /// finds no way. There may be nearer ends, as long as one of the ways from a state that is not
    /// an end leads to one whose distance is one less.
    pub(crate) distance: fn(state: &str) -> Option<u32>,
    /// Some text from a state to an end, if one is found at a glance; each state on the way has a
    /// distance.
    pub(crate) ending: fn(state: &str) -> Option<String>,
    /// Characters any text of which, not longer than that, leads to states with an ending.
    pub(crate) free: fn(state: &str) -> (CharBlocks, u32),
    /// Whether its states are few enough to be made like those of other languages.
    pub(crate) is_small: bool,
}

/// What may follow in a state of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Computed {
    pub(crate) rule: &'static ComputedRule,
    pub(crate) state: Box<str>,
}

impl ComputedRule {
    /// A set of characters that holds the alphabet.
    pub(super) fn alphabet_blocks(&self) -> CharBlocks {
        let characters = self.alphabet.chars().map(u32::from);
        characters.fold(CharBlocks::default(), |all, c| all.or(CharBlocks::of(c)))
    }
}

impl PartialEq for ComputedRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ComputedRule {}

impl Hash for ComputedRule {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.name.hash(hasher);
    }
}

impl fmt::Debug for ComputedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
