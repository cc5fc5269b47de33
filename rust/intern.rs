//! Interned values: equal values are the same small integer.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::work;

/// Bytes of an entry beside its key and memo: it is marked as written, and stands in a table of which
/// up to half is empty and which is made anew, twice as large, when it is full.
const BESIDE: usize = 72;

/// Entries for which a table has room from the first one on.
const FIRST: usize = 28;

/// An append-only set of values, each with a memo that is filled in later.
///
/// Ids are dense and never change. Reading takes no lock; adding takes one for a moment.
#[derive(Debug)]
pub(crate) struct Interner<K, M = ()> {
    entries: boxcar::Vec<(K, M)>,
    /// Hashes and ids: keys can be long, and a table that grows needs all their hashes again.
    table: Mutex<HashTable<(u64, u32)>>,
}

impl<K: Hash + Eq, M: Default> Interner<K, M> {
    pub(crate) fn new() -> Self {
        Interner {
            entries: boxcar::Vec::new(),
            table: Mutex::new(HashTable::new()),
        }
    }

    /// The id of `key`, which is added if it is new.
    pub(crate) fn intern(&self, key: K) -> u32 {
        work::spend(1);
        let hash = FxBuildHasher.hash_one(&key);
        let mut table = self.table.lock();
        let is_equal =
            |&(other, id): &(u64, u32)| other == hash && self.entries[id as usize].0 == key;
        if let Some(&(_, id)) = table.find(hash, is_equal) {
            return id;
        }
        work::hold(size_of::<(K, M)>() + BESIDE);
        if table.is_empty() {
            table.reserve(FIRST, |&(hash, _)| hash);
        }
        let id = u32::try_from(self.entries.push((key, M::default())))
            .expect("memory ends before 2^32 entries do");
        table.insert_unique(hash, (hash, id), |&(hash, _)| hash);
        id
    }

    pub(crate) fn get(&self, id: u32) -> &K {
        &self.entries[id as usize].0
    }

    pub(crate) fn memo(&self, id: u32) -> &M {
        &self.entries[id as usize].1
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.count()
    }
}
