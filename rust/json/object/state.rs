//! The states of objects that are being read.

use std::sync::OnceLock;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::json::formula::FormulaId;
use crate::json::object::completion::ObjectCompletion;
use crate::json::object::keys::{Key, KeyTable};
use crate::json::object::progress::{ObjectProgress, bit};
use crate::json::object::shape::ShapeId;
use crate::json::obligation::{ObligationId, Verdicts};
use crate::regex::scan::ScanId;

/// An object that is being read: an index into
/// [`Obligations`](crate::json::obligations::Obligations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    /// The `Shape` of the rules that the object began with.
    pub(super) shape: ShapeId,
    pub(super) requirement: FormulaId,
    pub(crate) queries: Box<[FormulaId]>,
    pub(super) progress: ObjectProgress,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectMemo {
    pub(super) allowed_keys: OnceLock<AllowedKeys>,
    /// For each clause of what the object must satisfy, its cheapest completion, if it has one.
    pub(super) completions: OnceLock<Box<[Option<ObjectCompletion>]>>,
    pub(super) bound: OnceLock<u64>,
    pub(crate) keys: OnceLock<KeyTable>,
    pub(super) scan: OnceLock<Option<ScanId>>,
    pub(crate) end: OnceLock<Option<Verdicts>>,
}

/// A key in an object, whose value is next: an index into
/// [`Obligations`](crate::json::obligations::Obligations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MemberId(pub(crate) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) object: ObjectId,
    pub(crate) key: Key,
}

#[derive(Debug, Default)]
pub(crate) struct MemberMemo {
    pub(super) obligation: OnceLock<ObligationId>,
    /// The object after a value about which nothing is asked.
    pub(super) after: OnceLock<ObjectId>,
    /// The object after a value with these verdicts.
    pub(super) after_judged: Mutex<FxHashMap<Verdicts, ObjectId>>,
}

/// What may come next in an object.
#[derive(Debug)]
pub(crate) struct AllowedKeys {
    /// A bit for each declared key that may come.
    pub(super) allowed: Box<[u64]>,
    /// For each class of keys, whether one that no rule names may come.
    pub(crate) classes: Box<[bool]>,
    /// For each undeclared key that some rule names, whether it may come. Sorted.
    pub(crate) wanted: Box<[(Key, bool)]>,
}

impl AllowedKeys {
    pub(crate) fn allows(&self, key: Key) -> bool {
        match key {
            Key::Declared(rank) => bit(&self.allowed, rank),
            Key::Other(_, class) => match self.wanted.binary_search_by_key(&key, |w| w.0) {
                Ok(at) => self.wanted[at].1,
                Err(_) => self.classes.get(usize::from(class)) == Some(&true),
            },
        }
    }

    /// Whether any key may come that no rule names; of objects that do not tell such keys apart.
    pub(crate) fn other(&self) -> bool {
        self.classes.first().is_some_and(|&may| may)
    }

    pub(crate) fn allows_any_key(&self) -> bool {
        let declared = self.allowed.iter().any(|&word| word != 0);
        let wanted = self.wanted.iter().any(|(_, may)| *may);
        declared || wanted || self.classes.contains(&true)
    }
}
