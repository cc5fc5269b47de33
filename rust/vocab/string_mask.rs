//! What the tokens of a vocabulary do inside a JSON string, whatever is around it.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::byte_set::ByteSet;
use crate::vocab::Trie;

/// What the tokens of a vocabulary do in one state of reading a string: which stay inside, and
/// which close it.
#[derive(Debug)]
pub(crate) struct StringMask {
    /// A bit for each token after which the string goes on.
    pub(crate) inside: Arc<[u32]>,
    pub(crate) exits: Arc<ClosingTokens>,
    /// A bit for each closing token that may come, if not all may.
    pub(crate) open: Option<Box<[u64]>>,
}

impl StringMask {
    /// Whether a closing token, given as its index, may come.
    pub(crate) fn is_open(&self, exit: u32) -> bool {
        let open = self.open.as_ref();
        open.is_none_or(|open| open[exit as usize / 64] >> (exit % 64) & 1 == 1)
    }

    /// The memory that it does not share with a free string.
    pub(crate) fn own_bytes(&self, free: &Arc<[u32]>) -> usize {
        let inside = match Arc::ptr_eq(&self.inside, free) {
            true => 0,
            false => size_of_val(&*self.inside),
        };
        let open = self.open.as_ref().map_or(0, |open| size_of_val(&**open));
        64 + inside + open
    }
}

/// The tokens that hold a string's closing quote.
#[derive(Debug)]
pub(crate) struct ClosingTokens {
    pub(crate) tokens: Box<[ClosingToken]>,
    /// The tokens that end with the quote, as indices.
    pub(crate) closing: Box<[u32]>,
    /// The tokens that go on after the quote, as indices, by what they go on with.
    pub(crate) beyond: Trie,
    /// The tokens that begin with the quote, as indices.
    pub(crate) bare: Box<[u32]>,
    /// The tokens with something before the quote, as indices, by what that is.
    pub(crate) before: Trie,
    /// The tokens that may go on with a whole key after the quote, as indices, rising.
    pub(crate) keys: Box<[u32]>,
}

/// A token that holds a string's closing quote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosingToken {
    pub(crate) token: u32,
    /// Bytes before the quote.
    pub(crate) before: u16,
    /// Characters before the quote.
    pub(crate) characters: u16,
}

/// Whether what follows a quote may hold a whole key and its colon.
fn may_hold_key(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|&byte| byte == b'"').skip(2);
    parts.any(|part| part.contains(&b':'))
}

impl ClosingTokens {
    /// Sorts out closing tokens; `bytes` gives the bytes of a token.
    pub(crate) fn new<'a>(tokens: Vec<ClosingToken>, bytes: impl Fn(u32) -> &'a [u8]) -> Self {
        let parts = |exit: u32| {
            let exit = tokens[exit as usize];
            let (before, rest) = bytes(exit.token).split_at(usize::from(exit.before));
            (before, &rest[1..])
        };
        let all = || 0..tokens.len() as u32;
        let (closing, going_on): (Vec<u32>, Vec<u32>) =
            all().partition(|&exit| parts(exit).1.is_empty());
        let (bare, others): (Vec<u32>, Vec<u32>) =
            all().partition(|&exit| parts(exit).0.is_empty());
        ClosingTokens {
            keys: all().filter(|&exit| may_hold_key(parts(exit).1)).collect(),
            closing: closing.into(),
            beyond: Trie::new(going_on, |exit| parts(exit).1),
            bare: bare.into(),
            before: Trie::new(others, |exit| parts(exit).0),
            tokens: tokens.into(),
        }
    }
}

/// What the texts below a node of a trie do in a string or number that has just begun at the node.
#[derive(Debug)]
pub(crate) struct OpenedScalar {
    /// The texts that stay inside.
    pub(crate) inside: Box<[u32]>,
    /// The texts that end it where it may end.
    pub(crate) exits: Box<[ScalarEnd]>,
    /// Of the texts that end it, those with nothing behind the end.
    pub(crate) closing: Box<[u32]>,
    /// Of the texts that end it, those that go on, by what they go on with.
    pub(crate) beyond: Trie,
}

/// A token of a subtree, or another text, that ends a string or number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScalarEnd {
    pub(crate) item: u32,
    /// The bytes of the subtree's prefix.
    pub(crate) begin: u16,
    /// The bytes before the one that ends it.
    pub(crate) end: u16,
}

impl OpenedScalar {
    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.inside)
            + size_of_val(&*self.exits)
            + size_of_val(&*self.closing)
            + self.beyond.bytes()
    }
}

/// What the texts of a subtree of a trie do in a value that begins there, whatever is around it.
#[derive(Debug)]
pub(crate) struct FreeValueTexts {
    /// The texts that stay in the value or end with it.
    pub(crate) inside: Box<[u32]>,
    /// The texts that go on after the value, by what they go on with.
    pub(crate) beyond: Trie,
}

impl FreeValueTexts {
    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.inside) + self.beyond.bytes()
    }
}

/// What tokens do from one place in a grammar's text, as far as that does not depend on what is
/// around it.
#[derive(Debug)]
pub(crate) struct Above {
    /// The tokens that may come, whatever is around it.
    pub(crate) tokens: Chosen,
    /// The tokens that leave the place, if there are any. A token that can leave in several ways is
    /// several items.
    pub(crate) exits: Option<Leaving>,
}

/// Tokens that leave a place where its text may end.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Nodes of the vocabulary's trie before which a text leaves, where the tokens below are too
    /// many to be listed.
    pub(crate) nodes: Box<[u32]>,
    /// The token of each item.
    pub(crate) tokens: Box<[u32]>,
    /// The items, by what they go on with.
    pub(crate) beyond: Trie,
}

/// What the tokens below a node of the trie do from a state that is reached there, in the text of a
/// grammar.
#[derive(Debug)]
pub(crate) struct Under {
    /// Ranges of the trie's tokens.
    pub(crate) ranges: Box<[(u32, u32)]>,
    /// Nodes before which the text may have ended, by their bytes.
    pub(crate) exits: Box<[(u8, Box<[u32]>)]>,
}

impl Leaving {
    /// Sorts out `ways`, each a token and how many of its bytes come before it leaves; `bytes`
    /// gives the bytes of a token.
    pub(crate) fn new<'a>(
        mut ways: Vec<(u32, u16)>,
        nodes: Vec<u32>,
        bytes: impl Fn(u32) -> &'a [u8],
    ) -> Self {
        ways.sort_unstable();
        ways.dedup();
        let rest = |item: u32| {
            let (token, from) = ways[item as usize];
            &bytes(token)[usize::from(from)..]
        };
        Leaving {
            nodes: nodes.into(),
            beyond: Trie::new((0..ways.len() as u32).collect(), rest),
            tokens: ways.iter().map(|way| way.0).collect(),
        }
    }
}

impl Under {
    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let exits = self.exits.iter().map(|(_, exits)| size_of_val(&**exits));
        64 + size_of_val(&*self.ranges) + size_of_val(&*self.exits) + exits.sum::<usize>()
    }
}

/// Some tokens of a vocabulary.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// The tokens themselves, rising.
    Few(Box<[u32]>),
    /// A bit for each token.
    Many(Box<[u32]>),
}

impl Chosen {
    pub(crate) fn holds(&self, token: u32) -> bool {
        match self {
            Chosen::Few(tokens) => tokens.binary_search(&token).is_ok(),
            Chosen::Many(bits) => bits[token as usize / 32] >> (token % 32) & 1 == 1,
        }
    }
}

impl Above {
    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let (Chosen::Few(list) | Chosen::Many(list)) = &self.tokens;
        let exits = self.exits.as_ref();
        let exits = exits.map_or(0, |exits| {
            size_of_val(&*exits.tokens) + size_of_val(&*exits.nodes) + exits.beyond.bytes()
        });
        64 + size_of_val(&**list) + exits
    }
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

    /// The memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.tokens) + size_of_val(&*self.ends)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let group = |(start, &end): (u32, &u32)| &self.tokens[start as usize..end as usize];
        starts.zip(&self.ends).map(group)
    }
}

/// The fingerprint of a language, and the code of what has been read of the next character.
pub(crate) type StringMaskKey = (u128, u64);

/// The fingerprint of a language of plain text, the code of what has been read of the next
/// character, and the bytes that may come after the text.
pub(crate) type AboveKey = (u128, u64, ByteSet);

/// What is known about the strings of one vocabulary, shared by all grammars.
#[derive(Debug, Default)]
pub(crate) struct SharedMasks {
    pub(crate) shared_masks: Cache<StringMask>,
    /// The tokens inside a string by the state that they lead to.
    pub(crate) groups: Cache<Groups>,
    /// What tokens do in a string or number that they open.
    pub(crate) below: Cache<OpenedScalar>,
    /// What tokens do in text that is one language.
    pub(crate) above: Cache<Above, AboveKey>,
    /// What tokens do in a value that they begin.
    pub(crate) apart: Cache<FreeValueTexts>,
}

/// A cache of bounded size.
#[derive(Debug)]
pub(crate) struct Cache<T, K = StringMaskKey> {
    known: RwLock<FxHashMap<K, Arc<T>>>,
    bytes: AtomicUsize,
}

impl<T, K> Default for Cache<T, K> {
    fn default() -> Self {
        Cache {
            known: RwLock::default(),
            bytes: AtomicUsize::new(0),
        }
    }
}

impl<T, K: Hash + Eq> Cache<T, K> {
    /// The entry of `key`, which `compute` makes if it is new, and says how many bytes it takes.
    ///
    /// Two threads may compute the same one; they find the same. Above `cap` bytes the cache
    /// starts anew.
    pub(crate) fn get(&self, key: K, cap: usize, compute: impl FnOnce() -> (T, usize)) -> Arc<T> {
        if let Some(known) = self.known.read().get(&key) {
            return known.clone();
        }
        let (made, bytes) = compute();
        let mut known = self.known.write();
        if self.bytes.load(Ordering::Relaxed) + bytes > cap {
            known.clear();
            self.bytes.store(0, Ordering::Relaxed);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        known.entry(key).or_insert_with(|| Arc::new(made)).clone()
    }
}
