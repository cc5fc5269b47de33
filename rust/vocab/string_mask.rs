//! What the tokens of a vocabulary do inside a JSON string, whatever is around it.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::byte_set::ByteSet;
use crate::regex::char_blocks::CharBlocks;
use crate::vocab::spaces::SpacedId;
use crate::vocab::token::{MaskWord, TokenId, has_bit};
use crate::vocab::trie::{ItemRange, Trie, TrieNodeId};

/// What the tokens of a vocabulary do in one state of reading a string: which stay inside, and
/// which close it.
#[derive(Debug)]
pub(crate) struct StringMask {
    /// A bit for each token after which the string goes on.
    pub(crate) inside: Arc<[MaskWord]>,
    pub(crate) exits: Arc<ClosingTokens>,
    /// The closing tokens that may come, if not all may.
    pub(crate) open: Option<ExitBits>,
}

impl StringMask {
    /// Whether a closing token may come.
    #[inline]
    pub(crate) fn is_open(&self, exit: ExitId) -> bool {
        self.open.as_ref().is_none_or(|open| open.holds(exit))
    }

    /// The memory that it does not share with a free string.
    pub(crate) fn own_bytes(&self, free: &Arc<[MaskWord]>) -> usize {
        let inside = match Arc::ptr_eq(&self.inside, free) {
            true => 0,
            false => size_of_val(&*self.inside),
        };
        let open = self.open.as_ref().map_or(0, ExitBits::bytes);
        64 + inside + open
    }
}

/// A closing token: an index into [`ClosingTokens`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct ExitId(u32);

/// Some of [`ClosingTokens`], a bit for each.
#[derive(Clone, Debug)]
pub(crate) struct ExitBits(Box<[u64]>);

impl ExitBits {
    /// None of so many.
    pub(crate) fn none(count: usize) -> Self {
        ExitBits(vec![0; count.div_ceil(64)].into())
    }

    /// All of so many.
    pub(crate) fn all(count: usize) -> Self {
        ExitBits(vec![u64::MAX; count.div_ceil(64)].into())
    }

    #[inline]
    pub(crate) fn holds(&self, ExitId(exit): ExitId) -> bool {
        self.0[exit as usize / 64] >> (exit % 64) & 1 == 1
    }

    pub(crate) fn insert(&mut self, ExitId(exit): ExitId) {
        self.0[exit as usize / 64] |= 1 << (exit % 64);
    }

    pub(crate) fn insert_all(&mut self, exits: &[ExitId]) {
        exits.iter().for_each(|&exit| self.insert(exit));
    }

    pub(crate) fn remove(&mut self, ExitId(exit): ExitId) {
        self.0[exit as usize / 64] &= !(1 << (exit % 64));
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

/// The tokens that hold a string's closing quote.
#[derive(Debug)]
pub(crate) struct ClosingTokens {
    tokens: Box<[ClosingToken]>,
    /// The tokens that end with the quote.
    pub(crate) closing: Box<[ExitId]>,
    /// The tokens that go on after the quote, by what they go on with.
    pub(crate) beyond: Trie<ExitId>,
    /// The tokens that begin with the quote.
    pub(crate) bare: Box<[ExitId]>,
    /// The tokens with something before the quote, by what that is.
    pub(crate) before: Trie<ExitId>,
    /// The tokens that may go on with a whole key after the quote.
    pub(crate) keys: ExitBits,
}

/// A token that holds a string's closing quote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosingToken {
    pub(crate) token: TokenId,
    /// Bytes before the quote.
    pub(crate) before: u16,
    /// Characters before the quote.
    pub(crate) characters: u16,
}

/// Whether what follows a quote may hold a whole key and its colon.
pub(crate) fn may_hold_key(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|&byte| byte == b'"').skip(2);
    parts.any(|part| part.contains(&b':'))
}

impl ClosingTokens {
    /// Sorts out closing tokens; `bytes` gives the bytes of a token.
    pub(crate) fn new<'a>(tokens: Vec<ClosingToken>, bytes: impl Fn(TokenId) -> &'a [u8]) -> Self {
        let parts = |exit: ExitId| {
            let exit = tokens[exit.0 as usize];
            let (before, rest) = bytes(exit.token).split_at(usize::from(exit.before));
            (before, &rest[1..])
        };
        let all = || (0..tokens.len() as u32).map(ExitId);
        let (closing, going_on): (Vec<_>, Vec<_>) =
            all().partition(|&exit| parts(exit).1.is_empty());
        let (bare, others): (Vec<_>, Vec<_>) = all().partition(|&exit| parts(exit).0.is_empty());
        let mut keys = ExitBits::none(tokens.len());
        let may_read_key = all().filter(|&exit| may_hold_key(parts(exit).1));
        may_read_key.for_each(|exit| keys.insert(exit));
        ClosingTokens {
            keys,
            closing: closing.into(),
            beyond: Trie::new(going_on, |exit| parts(exit).1),
            bare: bare.into(),
            before: Trie::new(others, |exit| parts(exit).0),
            tokens: tokens.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    #[inline]
    pub(crate) fn get(&self, exit: ExitId) -> ClosingToken {
        self.tokens[exit.0 as usize]
    }

    /// All of them.
    /// The tokens that hold these bytes before the quote, and no others.
    pub(crate) fn after(&self, bytes: &[u8]) -> &[ExitId] {
        match self.before.find(bytes) {
            _ if bytes.is_empty() => &self.bare,
            Some(node) => self.before.items_at(node),
            None => &[],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ExitId, ClosingToken)> + '_ {
        (0..).map(ExitId).zip(self.tokens.iter().copied())
    }
}

/// What the texts below a node of a trie do in a string or number that has just begun at the node.
#[derive(Debug)]
pub(crate) struct OpenedScalar<I> {
    /// The texts that stay inside.
    pub(crate) inside: Box<[I]>,
    /// The texts that end it where it may end.
    pub(crate) exits: Box<[ScalarEnd<I>]>,
    /// Of the texts that end it, those with nothing behind the end.
    pub(crate) closing: Box<[I]>,
    /// Of the texts that end it, those that go on, by what they go on with.
    pub(crate) beyond: Trie<I>,
    /// At least the bytes that finish it after any of the texts that stay inside.
    pub(crate) rest: OnceLock<u32>,
    /// The texts that stay inside, if they are many and tokens, for the masks that they are part of.
    pub(crate) shared: OnceLock<Arc<Above>>,
}

/// A token of a subtree, or another text, that ends a string or number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScalarEnd<I> {
    pub(crate) item: I,
    /// The bytes of the subtree's prefix.
    pub(crate) begin: u16,
    /// The bytes before the one that ends it.
    pub(crate) end: u16,
    /// The byte after the subtree's prefix.
    pub(crate) first: u8,
    /// The byte after a closing quote, if there is one.
    pub(crate) next: Option<u8>,
}

impl<I> ScalarEnd<I> {
    pub(crate) fn new(item: I, bytes: &[u8], begin: u16, end: u16) -> Self {
        ScalarEnd {
            item,
            begin,
            end,
            first: bytes[usize::from(begin)],
            next: bytes.get(usize::from(end) + 1).copied(),
        }
    }
}

impl<I: Copy> OpenedScalar<I> {
    /// Whether so many texts stay inside that masks share a set of them.
    pub(crate) fn is_shared(&self) -> bool {
        self.inside.len() >= 256
    }

    /// The memory that it takes, without the set that masks share.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.inside)
            + size_of_val(&*self.exits)
            + size_of_val(&*self.closing)
            + self.beyond.bytes()
    }
}

/// What the texts of a subtree of a trie do in a value that begins there, whatever is around it.
#[derive(Debug)]
pub(crate) struct FreeValueTexts<I> {
    /// The texts that stay in the value or end with it.
    pub(crate) inside: Box<[I]>,
    /// At least the bytes that finish the value after any of those.
    pub(crate) rest: u64,
    /// The texts that go on after the value, by what they go on with.
    pub(crate) beyond: Trie<I>,
}

impl<I: Copy> FreeValueTexts<I> {
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
    /// The tokens that leave the place, if there are any.
    pub(crate) exits: Option<Leaving>,
}

/// Tokens that leave a place where its text may end.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Nodes of the vocabulary's trie before which a text leaves, where the tokens below are too
    /// many to be listed.
    pub(crate) nodes: Box<[TrieNodeId]>,
    /// The tokens, by what they go on with from each place where they leave.
    pub(crate) beyond: Trie<TokenId>,
}

/// What the tokens below a node of the trie do from a state that is reached there, in the text of a
/// grammar.
#[derive(Debug)]
pub(crate) struct Under {
    /// Ranges of the trie's tokens.
    pub(crate) ranges: Box<[ItemRange]>,
    /// Nodes before which the text may have ended, by their bytes.
    pub(crate) exits: Box<[(u8, Box<[TrieNodeId]>)]>,
}

impl Leaving {
    /// Sorts out `ways`, each a token and how many of its bytes come before it leaves; `bytes`
    /// gives the bytes of a token.
    pub(crate) fn new<'a>(
        mut ways: Vec<(TokenId, u16)>,
        nodes: Vec<TrieNodeId>,
        bytes: impl Fn(TokenId) -> &'a [u8],
    ) -> Self {
        ways.sort_unstable();
        ways.dedup();
        let beyond = Trie::new(ways, |(token, from)| &bytes(token)[usize::from(from)..]);
        Leaving {
            nodes: nodes.into(),
            beyond: beyond.map(|(token, _)| token),
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
    Few(Box<[TokenId]>),
    /// A bit for each token.
    Many(Box<[MaskWord]>),
}

impl Chosen {
    pub(crate) fn holds(&self, token: TokenId) -> bool {
        match self {
            Chosen::Few(tokens) => tokens.binary_search(&token).is_ok(),
            Chosen::Many(bits) => has_bit(bits, token),
        }
    }
}

impl Above {
    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let tokens = match &self.tokens {
            Chosen::Few(tokens) => size_of_val(&**tokens),
            Chosen::Many(bits) => size_of_val(&**bits),
        };
        let exits = self.exits.as_ref();
        let exits = exits.map_or(0, |exits| size_of_val(&*exits.nodes) + exits.beyond.bytes());
        64 + tokens + exits
    }
}

/// Tokens in groups.
#[derive(Debug)]
pub(crate) struct Groups {
    tokens: Box<[TokenId]>,
    /// Where each group ends.
    ends: Box<[u32]>,
}

impl Groups {
    pub(crate) fn new(groups: impl Iterator<Item = impl Iterator<Item = TokenId>>) -> Self {
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[TokenId]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let group = |(start, &end): (u32, &u32)| &self.tokens[start as usize..end as usize];
        starts.zip(&self.ends).map(group)
    }
}

/// How far the ends of a string are, wherever it is, but after some tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FarRest {
    /// In bytes.
    pub(crate) rest: u32,
    pub(crate) strange: StrangeTokens,
}

/// Tokens of which it is not certain that a string can be finished after them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StrangeTokens {
    /// Those with some of these characters.
    Holding(CharBlocks),
    /// Those that lead into a computed language, by one of these characters.
    IntoComputed(CharBlocks),
}

/// The fingerprint of a language or class, and the code of what has been read of the next character, or
/// of the spelling.
pub(crate) type StringMaskKey = (u128, u64);

/// The fingerprint of a language of plain text, the code of what has been read of the next
/// character, and the bytes that may come after the text.
pub(crate) type AboveKey = (u128, u64, ByteSet);

/// What is known about the strings of one vocabulary, shared by all grammars.
#[derive(Debug, Default)]
pub(crate) struct SharedMasks {
    pub(crate) shared_masks: Cache<StringMask>,
    /// The tokens whose characters are all of a class, if they have few, a bit for each.
    pub(crate) classes: Cache<Box<[MaskWord]>>,
    /// The tokens inside a string by the state that they lead to.
    pub(crate) groups: Cache<Groups>,
    /// How far the ends of a string without far limits are.
    pub(crate) rests: Cache<Option<FarRest>>,
    /// The tokens inside a string that lead into a computed language.
    pub(crate) computed: Cache<Box<[TokenId]>>,
    /// What tokens do in text that is one language.
    pub(crate) above: Cache<Above, AboveKey>,
    /// What tokens do in values that they begin,
    pub(crate) tokens: BegunValues<TokenId>,
    /// what comes after the whitespace of tokens,
    pub(crate) spaced: BegunValues<SpacedId>,
    /// and what comes after the quote of closing tokens.
    pub(crate) exits: BegunValues<ExitId>,
}

/// What is known about texts of one kind that begin a value.
#[derive(Debug)]
pub(crate) struct BegunValues<I> {
    /// A string or number.
    pub(crate) scalars: Cache<OpenedScalar<I>>,
    /// A literal, array or object that no rule binds.
    pub(crate) free: Cache<FreeValueTexts<I>>,
}

impl<I> Default for BegunValues<I> {
    fn default() -> Self {
        BegunValues {
            scalars: Cache::default(),
            free: Cache::default(),
        }
    }
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
