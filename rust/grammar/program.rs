//! Grammars as the machine reads them: languages over characters and symbols.
//!
//! What is regular becomes one language of the derivative engine, whatever rules it is written
//! with. Only what is recursive remains a *symbol* in the languages of others: a place where a text
//! of another language comes, read with a frame of its own. So are JSON values, single tokens, and
//! free text, whose states are worth sharing.

use crate::byte_set::ByteSet;
use crate::grammar::syntax::TokenSet;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;

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
    /// A JSON value of the schema with this index.
    Json(u32),
    /// A token of the set with this index.
    Token(u32),
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
}

/// What a symbol is to become once the program is linked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pending {
    Rule,
    /// A rule that stays one.
    Free(NodeId),
    Json(u32),
    Token(u32),
}
