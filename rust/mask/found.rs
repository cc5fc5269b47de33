//! What a walk finds: texts, and how far the end of the text may be after them.

use std::sync::Arc;

use crate::machine::{Completer, Config, Machine};
use crate::vocab::string_mask::OpenedScalar;

/// The texts that a walk has found.
#[derive(Debug)]
pub(super) struct FoundTexts<'a, I> {
    /// Those that are not in `shared`.
    pub(super) items: Vec<I>,
    pub(super) shared: SharedTexts<I>,
    /// What is known of the way to the end after them, if it is asked for.
    furthest: Option<Furthest<'a>>,
}

/// Texts that are not listed one by one, since other walks find the same: those that stay inside one
/// string or number.
#[derive(Debug)]
pub(super) enum SharedTexts<I> {
    /// They are not wanted apart.
    Unwanted,
    None,
    Inside(Arc<OpenedScalar<I>>),
}

#[derive(Clone, Copy, Debug)]
struct Furthest<'a> {
    completer: Completer<'a>,
    /// An upper bound of the bytes that finish the text after any of the items.
    bytes: u64,
    /// The place that was looked at last: most are met many times in a row.
    last: Option<Config>,
}

impl<'a, I: Copy> FoundTexts<'a, I> {
    /// Nothing yet; what finds bounds is asked for [`FoundTexts::max_completion_bytes`].
    pub(super) fn new(bounds: Option<Completer<'a>>) -> Self {
        FoundTexts {
            items: Vec::new(),
            shared: SharedTexts::Unwanted,
            furthest: bounds.map(|completer| Furthest {
                completer,
                bytes: 0,
                last: None,
            }),
        }
    }

    /// The same, where texts that other walks find as well may be left apart.
    pub(super) fn sharing(bounds: Option<Completer<'a>>) -> Self {
        FoundTexts {
            shared: SharedTexts::None,
            ..FoundTexts::new(bounds)
        }
    }

    /// Nothing yet; of other items that are looked for together with these.
    pub(super) fn beside<J>(&self) -> FoundTexts<'a, J> {
        FoundTexts {
            items: Vec::new(),
            shared: SharedTexts::Unwanted,
            furthest: self.furthest,
        }
    }

    /// Adds texts that all lead to a place.
    pub(super) fn add(&mut self, machine: &Machine, items: &[I], at: Config) {
        self.items.extend_from_slice(items);
        if let Some(furthest) = self.furthest.as_mut().filter(|_| !items.is_empty())
            && furthest.last.replace(at) != Some(at)
        {
            let at = machine.key_reader().canonical(at);
            let bytes = furthest.completer.quick_max_completion_bytes(at);
            furthest.bytes = furthest.bytes.max(bytes);
        }
    }

    /// Adds texts after any of which so many bytes at most finish the text.
    pub(super) fn add_within(&mut self, items: &[I], bytes: impl FnOnce() -> u64) {
        self.items.extend_from_slice(items);
        self.bound(items, bytes);
    }

    /// Adds the texts that stay inside a string or number, after which so many bytes at most finish
    /// the text.
    pub(super) fn add_inside(
        &mut self,
        scalar: &Arc<OpenedScalar<I>>,
        bytes: impl FnOnce() -> u64,
    ) {
        match self.shared {
            SharedTexts::None if scalar.is_shared() => {
                self.shared = SharedTexts::Inside(Arc::clone(scalar));
            }
            _ => self.items.extend_from_slice(&scalar.inside),
        }
        self.bound(&scalar.inside, bytes);
    }

    /// Takes note of a bound of texts, if there are some and bounds are asked for.
    fn bound(&mut self, items: &[I], bytes: impl FnOnce() -> u64) {
        if let Some(furthest) = self.furthest.as_mut().filter(|_| !items.is_empty()) {
            furthest.bytes = furthest.bytes.max(bytes());
        }
    }

    /// Adds some of the texts that were found [`FoundTexts::beside`] these.
    pub(super) fn join<J>(&mut self, beside: FoundTexts<'a, J>, items: impl Iterator<Item = I>) {
        self.items.extend(items);
        self.furthest = beside.furthest;
    }

    /// An upper bound of the bytes that finish the text after any of the items, if it was asked for.
    pub(super) fn max_completion_bytes(&self) -> Option<u64> {
        Some(self.furthest?.bytes)
    }
}
