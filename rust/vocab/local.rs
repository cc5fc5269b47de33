//! What the tokens of a vocabulary do inside a JSON string, whatever is around it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::vocab::Trie;

/// The tokens in one state of reading a string.
#[derive(Debug)]
pub(crate) struct Local {
    /// A bit for each token after which the string goes on.
    pub(crate) inside: Box<[u32]>,
    /// Those of them that end inside a character.
    pub(crate) unfinished: Box<[u32]>,
    pub(crate) exits: Arc<Exits>,
}

/// The tokens that hold a string's closing quote.
#[derive(Debug)]
pub(crate) struct Exits {
    /// Those that end with it.
    pub(crate) closing: Box<[u32]>,
    /// Those that go on, by what they go on with.
    pub(crate) beyond: Trie,
    /// All of them.
    pub(crate) tokens: Box<[Exit]>,
}

/// A token that holds a string's closing quote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) token: u32,
    /// Bytes before the quote.
    pub(crate) before: u16,
    /// Characters before the quote.
    pub(crate) characters: u16,
}

impl Exits {
    /// `bytes` are those of a token.
    pub(crate) fn new<'a>(tokens: Vec<Exit>, bytes: impl Fn(u32) -> &'a [u8]) -> Self {
        let before: FxHashMap<u32, u16> = tokens.iter().map(|e| (e.token, e.before)).collect();
        let beyond = |token: u32| &bytes(token)[usize::from(before[&token]) + 1..];
        let (closing, going_on): (Vec<u32>, Vec<u32>) = tokens
            .iter()
            .map(|exit| exit.token)
            .partition(|&token| beyond(token).is_empty());
        let beyond = Trie::new(going_on, beyond);
        Exits {
            closing: closing.into(),
            beyond,
            tokens: tokens.into(),
        }
    }
}

/// The tokens inside an unconstrained string, by how long they are.
#[derive(Debug)]
pub(crate) struct Lengths {
    /// Characters, one that a token only begins included, and the token; the longest first.
    pub(crate) inside: Box<[(u16, u32)]>,
    /// The characters of the longest part of a token before a closing quote.
    pub(crate) longest_exit: u16,
}

impl Local {
    fn bytes(&self) -> usize {
        size_of_val(&*self.inside)
            + size_of_val(&*self.unfinished)
            + size_of_val(&*self.exits.tokens)
            + size_of_val(&*self.exits.closing)
            + self.exits.beyond.bytes()
    }
}

/// Which language, and what has been read of the next character.
pub(crate) type LocalKey = (u128, u64);

/// The locals of one vocabulary, shared by all grammars.
#[derive(Debug, Default)]
pub(crate) struct LocalCache {
    locals: RwLock<FxHashMap<LocalKey, Arc<Local>>>,
    bytes: AtomicUsize,
    pub(crate) lengths: OnceLock<Lengths>,
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
