//! A plan to end a text in time.

use crate::vocab::TokenId;
use std::sync::Arc;

/// Tokens that finish the text, of which the first ones have come already.
#[derive(Clone, Debug)]
pub(super) struct EndPlan {
    pub(crate) tokens: Arc<[TokenId]>,
    pub(super) from: usize,
}

impl EndPlan {
    pub(crate) fn next(&self) -> Option<TokenId> {
        self.tokens.get(self.from).copied()
    }
}

/// The error of a token after which the text could not be finished in time.
#[derive(Debug)]
pub(super) struct TooLate;
