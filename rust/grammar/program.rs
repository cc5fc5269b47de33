//! Grammars as the machine reads them: languages over characters and symbols.
//!
//! What is regular becomes one language of the derivative engine, whatever rules it is written
//! with. Only what is recursive remains a *symbol* in the languages of others: a place where a text
//! of another language comes, read with a frame of its own. So are JSON values, single tokens, and
//! free text, whose states are worth sharing.

use crate::byte_set::ByteSet;
use crate::grammar::syntax::{GrammarSchemaId, TokenSet};
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;

/// A set of tokens: an index into [`Program::tokens`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct TokenSetId(pub(crate) u32);

/// What a symbol stands for.
#[derive(Debug)]
pub(crate) enum Symbol {
    /// A text of a language; `first` are the bytes that it can begin with. Rules that it can begin
    /// with have lesser ranks.
    Rule {
        start: ScanId,
        first: ByteSet,
        rank: u32,
    },
    /// A JSON value of the schema.
    Json(GrammarSchemaId),
    /// A token of the set.
    Token(TokenSetId),
}

/// A grammar, ready to be read.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) tokens: Vec<TokenSet>,
    pub(crate) start: ScanId,
}

impl Program {
    pub(crate) fn symbol(&self, symbol: u32) -> &Symbol {
        &self.symbols[symbol as usize]
    }

    pub(crate) fn token_set(&self, set: TokenSetId) -> &TokenSet {
        &self.tokens[set.0 as usize]
    }
}

/// What a symbol is to become once the program is linked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pending {
    Rule,
    /// A rule that stays one.
    Free(NodeId),
    Json(GrammarSchemaId),
    Token(TokenSetId),
}
