//! What a walk finds: texts, and how far the end of the text may be after them.

use crate::json::cost::add;
use crate::machine::{Config, Machine};

/// The texts that a walk has found.
#[derive(Debug)]
pub(super) struct FoundTexts<I> {
    pub(super) items: Vec<I>,
    /// What is known of the way to the end after them, if it is asked for.
    furthest: Option<Furthest>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Furthest {
    /// An upper bound of the bytes that finish the text after any of the items.
    bytes: u64,
    /// The place that was looked at last: most are met many times in a row.
    last: Option<Config>,
}

impl<I: Copy> FoundTexts<I> {
    /// Nothing yet; `is_bounded` asks for [`FoundTexts::max_completion_bytes`].
    pub(super) fn new(is_bounded: bool) -> Self {
        FoundTexts {
            items: Vec::new(),
            furthest: is_bounded.then(Furthest::default),
        }
    }

    /// Nothing yet; of other items that are looked for together with these.
    pub(super) fn beside<J>(&self) -> FoundTexts<J> {
        FoundTexts {
            items: Vec::new(),
            furthest: self.furthest,
        }
    }

    /// Adds texts that all lead to a place.
    pub(super) fn add(&mut self, machine: &Machine, items: &[I], at: Config) {
        let Some(furthest) = self.furthest.as_mut().filter(|_| !items.is_empty()) else {
            self.items.extend_from_slice(items);
            return;
        };
        self.items.extend_from_slice(items);
        if furthest.last.replace(at) != Some(at) {
            let at = machine.key_reader().canonical(at);
            let bytes = machine.completer().quick_max_completion_bytes(at);
            furthest.bytes = furthest.bytes.max(bytes);
        }
    }

    /// Adds texts after any of which so many bytes at most finish the text.
    pub(super) fn add_within(&mut self, items: &[I], bytes: impl FnOnce() -> u64) {
        self.items.extend_from_slice(items);
        if let Some(furthest) = self.furthest.as_mut().filter(|_| !items.is_empty()) {
            furthest.bytes = furthest.bytes.max(bytes());
        }
    }

    /// Adds some of the texts that were found [`FoundTexts::beside`] these.
    pub(super) fn join<J>(&mut self, beside: FoundTexts<J>, items: impl Iterator<Item = I>) {
        self.items.extend(items);
        self.furthest = beside.furthest;
    }

    /// An upper bound of the bytes that finish the text after any of the items, if it was asked for.
    pub(super) fn max_completion_bytes(&self) -> Option<u64> {
        Some(self.furthest?.bytes)
    }
}

/// The bytes that finish the text after a value of which so many are left.
pub(super) fn after_value(machine: &Machine, closed: Config, rest: u64) -> u64 {
    add(machine.completer().max_completion_bytes(closed), rest)
}
