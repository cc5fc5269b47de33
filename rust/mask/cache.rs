//! The masks of one grammar on one vocabulary, as far as they are known.

use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::machine::Config;
use crate::mask::bounds::KnownBounds;
use crate::mask::token_sets::TokenSets;
use crate::mask::tokens::{Mask, Tokens};
use crate::vocab::string_mask::{Above, ExitId, Under};
use crate::vocab::token::{MaskWord, TokenId};
use crate::vocab::trie::{Trie, TrieNodeId};

/// The closing tokens of any string that go on from one place after it.
#[derive(Debug)]
pub(super) struct ClosingAfter {
    pub(crate) exits: Box<[ExitId]>,
    /// Whether one of them may read a whole key.
    pub(super) reads_key: bool,
    /// An upper bound of the bytes that finish the text after any of them.
    pub(super) bounds: KnownBounds,
}

/// The tokens of a configuration, whatever the values of items that end in them are.
#[derive(Debug)]
pub(super) struct LooseMask {
    pub(super) tokens: Tokens,
    pub(super) named: Option<Box<[MaskWord]>>,
    /// Those of them that read on into the item after one whose value is not known, and may be
    /// forbidden by it; not there if there are none.
    pub(super) doubtful: Option<Trie<TokenId>>,
    /// Bounds of what comes after these tokens, and so after those of each mask that is made of this one.
    pub(super) bounds: Arc<KnownBounds>,
}

impl LooseMask {
    /// The memory that it takes, or the mask that is made of it; `free` is what all free strings
    /// share.
    pub(super) fn bytes(&self, free: &Arc<[MaskWord]>) -> usize {
        let named = self.named.as_ref().map_or(0, |named| size_of_val(&**named));
        let doubtful = self.doubtful.as_ref();
        let doubtful = doubtful.map_or(0, |them| 4 * size_of_val(them.all()));
        64 + self.tokens.bytes(free) + named + doubtful
    }
}

/// The masks of one grammar on one vocabulary.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    pub(super) known: RwLock<FxHashMap<Config, Arc<Mask>>>,
    /// Without the values of items that differ from others.
    pub(super) loose: RwLock<FxHashMap<Config, Arc<LooseMask>>>,
    /// The closing tokens of strings that go on from where the string is closed.
    pub(super) left: RwLock<FxHashMap<Config, Arc<ClosingAfter>>>,
    /// What the innermost frames of a grammar's text read.
    pub(crate) above: RwLock<FxHashMap<Config, Arc<Above>>>,
    /// What the innermost frames of a grammar's text read below a node of the trie.
    pub(super) under: RwLock<FxHashMap<(Config, TrieNodeId), Arc<Under>>>,
    /// The sets of tokens that the grammar names, a bit for each token.
    pub(crate) tokens: TokenSets,
    bytes: AtomicUsize,
}

impl Masks {
    /// An empty cache for a grammar that names these sets of tokens.
    pub(crate) fn new(tokens: TokenSets) -> Self {
        Masks {
            tokens,
            ..Masks::default()
        }
    }

    /// The sets of tokens that the grammar names.
    pub(crate) fn token_sets(&self) -> &TokenSets {
        &self.tokens
    }

    /// The mask of a configuration after `KeyReader::canonical`, if it has been asked for before.
    pub(crate) fn known(&self, alike: Config) -> Option<Arc<Mask>> {
        self.known.read().get(&alike).cloned()
    }

    /// Counts bytes that are about to be kept; above `cap` the masks start anew.
    pub(crate) fn make_room(&self, bytes: usize, cap: usize) {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > cap {
            self.known.write().clear();
            self.loose.write().clear();
            self.left.write().clear();
            self.above.write().clear();
            self.under.write().clear();
            self.bytes.store(bytes, Ordering::Relaxed);
        }
    }
}
