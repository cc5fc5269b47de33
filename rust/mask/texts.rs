//! Texts that a walk looks at: tokens, or what they go on with.

use crate::vocab::{Trie, Vocabulary};

/// Texts that a walk looks at.
pub(super) trait TrieTexts {
    fn trie(&self) -> &Trie;

    /// The bytes of an item of the trie.
    fn bytes(&self, item: u32) -> &[u8];

    /// Tells a trie from others of the vocabulary that are walked often.
    fn code(&self) -> Option<u64>;
}

impl TrieTexts for Vocabulary {
    fn trie(&self) -> &Trie {
        Vocabulary::trie(self)
    }

    fn bytes(&self, token: u32) -> &[u8] {
        self.token(token).unwrap_or_default()
    }

    fn code(&self) -> Option<u64> {
        Some(0)
    }
}
