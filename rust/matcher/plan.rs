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

/// With how many tokens left a mask should still be known when it comes again: text goes on in one string or
/// list for a while.
pub(super) fn soon(left: u64) -> u64 {
    (left - left / 4).max(1)
}
