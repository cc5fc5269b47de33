//! Texts that a walk looks at: tokens, or what they go on with.

use crate::vocab::Vocabulary;
use crate::vocab::string_mask::BegunValues;
use crate::vocab::token::TokenId;
use crate::vocab::trie::Trie;

/// Texts that a walk looks at.
pub(super) trait TrieTexts {
    /// What each text belongs to.
    type Item: Copy;

    fn trie(&self) -> &Trie<Self::Item>;

    /// The bytes of a text.
    fn bytes(&self, item: Self::Item) -> &[u8];

    /// Where the vocabulary keeps what is found of these texts, if they are walked often.
    fn begun_values(&self) -> Option<&BegunValues<Self::Item>>;
}

impl TrieTexts for Vocabulary {
    type Item = TokenId;

    fn trie(&self) -> &Trie<TokenId> {
        Vocabulary::trie(self)
    }

    fn bytes(&self, token: TokenId) -> &[u8] {
        self.token(token).unwrap_or_default()
    }

    fn begun_values(&self) -> Option<&BegunValues<TokenId>> {
        Some(&self.shared_masks().tokens)
    }
}
