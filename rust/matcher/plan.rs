//! A plan to end a text in time.

use std::sync::Arc;

/// Tokens that finish the text, of which the first ones have come already.
#[derive(Clone, Debug)]
pub(super) struct EndPlan {
    pub(crate) tokens: Arc<[u32]>,
    pub(super) from: usize,
}

impl EndPlan {
    pub(crate) fn next(&self) -> Option<u32> {
        self.tokens.get(self.from).copied()
    }
}

/// The error of a token after which the text could not be finished in time.
#[derive(Debug)]
pub(super) struct TooLate;
