//! The sets of tokens that a grammar names, on a vocabulary.

use std::sync::Arc;

use crate::grammar::program::TokenSetId;
use crate::vocab::token::{MaskWord, TokenId, bits_of};

/// The sets of tokens that a grammar names, each a bit for each token of a vocabulary.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenSets(Arc<[Box<[MaskWord]>]>);

impl TokenSets {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, set: TokenSetId) -> &[MaskWord] {
        &self.0[set.0 as usize]
    }

    /// The token of a set that has the lowest id.
    pub(crate) fn first(&self, set: TokenSetId) -> Option<TokenId> {
        self.0
            .get(set.0 as usize)
            .and_then(|set| bits_of(set).next())
    }

    /// All of them, in the order in which the grammar has them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[MaskWord]> {
        self.0.iter().map(|set| &**set)
    }
}

impl FromIterator<Box<[MaskWord]>> for TokenSets {
    fn from_iter<T: IntoIterator<Item = Box<[MaskWord]>>>(sets: T) -> Self {
        TokenSets(sets.into_iter().collect())
    }
}
