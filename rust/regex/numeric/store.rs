//! What the nodes of numbers refer to.

use std::hash::Hash;

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::decimal::Decimal;
use crate::intern::Interner;
use crate::regex::node::NodeId;
use crate::regex::numeric::bound::Digits;
use crate::regex::numeric::set::Set;

/// What the nodes of numbers refer to.
#[derive(Debug)]
pub(crate) struct Store {
    sets: Interner<Set>,
    pub(super) digits: Digits,
    pub(super) values: Interner<Decimal>,
    /// The states before the digits of a set's plain numbers: which set, whether all of it is whole, and
    /// whether a minus has come.
    begun: RwLock<FxHashMap<(u32, bool, bool), NodeId>>,
    /// The exponents between two, as plain numbers have them.
    exponents: RwLock<FxHashMap<(i32, i32), NodeId>>,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            sets: Interner::new(),
            digits: Digits::new(),
            values: Interner::new(),
            begun: RwLock::default(),
            exponents: RwLock::default(),
        }
    }
}

impl Store {
    pub(super) fn begun(&self, key: (u32, bool, bool), find: impl FnOnce() -> NodeId) -> NodeId {
        known_or_found(&self.begun, key, find)
    }

    pub(super) fn exponents(&self, range: (i32, i32), find: impl FnOnce() -> NodeId) -> NodeId {
        known_or_found(&self.exponents, range, find)
    }

    pub(super) fn intern(&self, set: Set) -> u32 {
        self.sets.intern(set)
    }

    pub(crate) fn set(&self, id: u32) -> &Set {
        self.sets.get(id)
    }

    pub(crate) fn digits(&self) -> &Digits {
        &self.digits
    }
}

/// What is known for a key; `find` is called without the lock, since it may ask in turn.
fn known_or_found<K: Copy + Eq + Hash>(
    memo: &RwLock<FxHashMap<K, NodeId>>,
    key: K,
    find: impl FnOnce() -> NodeId,
) -> NodeId {
    if let Some(&known) = memo.read().get(&key) {
        return known;
    }
    let found = find();
    memo.write().insert(key, found);
    found
}
