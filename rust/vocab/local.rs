//! What the tokens of a vocabulary do inside a JSON string, whatever is around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::vocab::Trie;

/// The tokens in one state of reading a string.
#[derive(Debug)]
pub(crate) struct Local {
    /// A bit for each token after which the string goes on.
    pub(crate) inside: Box<[u32]>,
    /// The tokens that end with the closing quote.
    pub(crate) closing: Box<[u32]>,
    /// The tokens that go on after the closing quote, by what they go on with.
    pub(crate) beyond: Trie,
    /// All tokens that hold the closing quote, with the bytes before it.
    pub(crate) exits: Box<[(u32, u16)]>,
}

impl Local {
    fn bytes(&self) -> usize {
        size_of_val(&*self.inside) + size_of_val(&*self.exits) + 4 * self.closing.len()
            + self.beyond.bytes()
    }
}

/// Which language, and what has been read of the next character.
pub(crate) type LocalKey = (u128, u64);

/// The locals of one vocabulary, shared by all grammars.
#[derive(Debug, Default)]
pub(crate) struct LocalCache {
    locals: RwLock<FxHashMap<LocalKey, Arc<Local>>>,
    bytes: AtomicUsize,
}

impl LocalCache {
    /// The local of `key`, which `compute` makes if it is new.
    ///
    /// Two threads may compute the same one; they find the same. Above `cap` bytes the cache
    /// starts anew.
    pub(crate) fn get(
        &self,
        key: LocalKey,
        cap: usize,
        compute: impl FnOnce() -> Local,
    ) -> Arc<Local> {
        if let Some(known) = self.locals.read().get(&key) {
            return known.clone();
        }
        let local = Arc::new(compute());
        let mut locals = self.locals.write();
        if self.bytes.load(Ordering::Relaxed) + local.bytes() > cap {
            locals.clear();
            self.bytes.store(0, Ordering::Relaxed);
        }
        self.bytes.fetch_add(local.bytes(), Ordering::Relaxed);
        locals.entry(key).or_insert(local).clone()
    }
}
