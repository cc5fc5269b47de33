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

impl Local {
    /// The tokens after which the string goes on.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.inside).flat_map(|(word, &bits)| {
            let holds = move |bit: &u32| bits >> bit & 1 == 1;
            (0..32).filter(holds).map(move |bit| word * 32 + bit)
        })
    }
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
    /// Those that add equally many characters, one that a token only begins included; the longest
    /// first.
    pub(crate) inside: Groups,
    /// The characters that each group adds.
    pub(crate) characters: Box<[u16]>,
    /// The characters of the longest part of a token before a closing quote.
    pub(crate) longest_exit: u16,
}

/// Tokens in groups.
#[derive(Debug)]
pub(crate) struct Groups {
    tokens: Box<[u32]>,
    /// Where each group ends.
    ends: Box<[u32]>,
}

impl Groups {
    pub(crate) fn new(groups: impl Iterator<Item = impl Iterator<Item = u32>>) -> Self {
        let (mut tokens, mut ends) = (Vec::new(), Vec::new());
        for group in groups {
            tokens.extend(group);
            ends.push(tokens.len() as u32);
        }
        Groups {
            tokens: tokens.into(),
            ends: ends.into(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let group = |(start, &end): (u32, &u32)| &self.tokens[start as usize..end as usize];
        starts.zip(&self.ends).map(group)
    }
}

/// The memory that something takes.
pub(crate) trait Bytes {
    fn bytes(&self) -> usize;
}

impl Bytes for Local {
    fn bytes(&self) -> usize {
        size_of_val(&*self.inside)
            + size_of_val(&*self.unfinished)
            + size_of_val(&*self.exits.tokens)
            + size_of_val(&*self.exits.closing)
            + self.exits.beyond.bytes()
    }
}

impl Bytes for Groups {
    fn bytes(&self) -> usize {
        size_of_val(&*self.tokens) + size_of_val(&*self.ends)
    }
}

/// Which language, and what has been read of the next character.
pub(crate) type LocalKey = (u128, u64);

/// What is known about the strings of one vocabulary, shared by all grammars.
#[derive(Debug, Default)]
pub(crate) struct LocalCache {
    pub(crate) locals: Cache<Local>,
    /// The tokens inside a string by the state that they lead to.
    pub(crate) groups: Cache<Groups>,
    pub(crate) lengths: OnceLock<Lengths>,
}

/// A cache of bounded size.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    known: RwLock<FxHashMap<LocalKey, Arc<T>>>,
    bytes: AtomicUsize,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache {
            known: RwLock::default(),
            bytes: AtomicUsize::new(0),
        }
    }
}

impl<T: Bytes> Cache<T> {
    /// The entry of `key`, which `compute` makes if it is new.
    ///
    /// Two threads may compute the same one; they find the same. Above `cap` bytes the cache
    /// starts anew.
    pub(crate) fn get(&self, key: LocalKey, cap: usize, compute: impl FnOnce() -> T) -> Arc<T> {
        if let Some(known) = self.known.read().get(&key) {
            return known.clone();
        }
        let made = Arc::new(compute());
        let mut known = self.known.write();
        if self.bytes.load(Ordering::Relaxed) + made.bytes() > cap {
            known.clear();
            self.bytes.store(0, Ordering::Relaxed);
        }
        self.bytes.fetch_add(made.bytes(), Ordering::Relaxed);
        known.entry(key).or_insert(made).clone()
    }
}
