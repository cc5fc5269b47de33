//! Regular languages as hash-consed expressions with derivatives.
//!
//! A node is a language over code points. What may follow after a character is again a node (its
//! derivative), so nodes are the states of an automaton that is built only as far as text goes.
//! Equal expressions are the same node, and the constructors simplify, so that states stay few.

use crate::regex::codeset::{CodeSet, MAX};
use crate::regex::computed::Computed;
use crate::regex::numeric::{NumberList, PlainReading, Reading};

/// A language: an index into `Regexes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// No text at all.
    pub(crate) const NEVER: NodeId = NodeId(0);
    /// The empty text.
    pub(crate) const EMPTY: NodeId = NodeId(1);
    /// Any one character.
    pub(crate) const CHAR: NodeId = NodeId(2);
    /// Any text.
    pub(crate) const ANY: NodeId = NodeId(3);
}

/// Symbols stand among the characters from here on, each with a gap before it, so that no piece
/// holds a symbol and anything else.
pub(crate) const SYMBOLS: u32 = MAX + 2;

/// The symbol that stands among the characters as `c`.
pub(crate) fn symbol_of(c: u32) -> Option<u32> {
    Some(c.checked_sub(SYMBOLS)? / 2)
}

/// No upper bound of a [`Node::Repeat`].
pub(crate) const UNBOUNDED: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Never,
    Empty,
    Class(CodeSet),
    /// The rests, from byte `depth` on, of the words `lo..hi` of a sorted word list.
    Words {
        list: u32,
        lo: u32,
        hi: u32,
        depth: u32,
    },
    /// The rests, from byte `depth` on, of the spans that begin at the places `lo..hi` of some texts.
    Spans {
        texts: u32,
        lo: u32,
        hi: u32,
        depth: u32,
    },
    /// The numbers of a set.
    Numbers(u32),
    /// The numbers of a set in plain spelling; if the flag says that all are whole, without
    /// fraction and exponent.
    PlainNumbers(u32, bool),
    /// What completes a number in plain spelling whose digits have begun.
    PlainReading(Box<PlainReading>),
    /// Single numbers that are named one by one, as indices of their values. Sorted.
    Points(Box<[u32]>),
    /// What completes a number whose digits have begun.
    Reading(Box<Reading>),
    /// What completes one of many numbers.
    NumberList(Box<NumberList>),
    Computed(Computed),
    /// A place for texts that are not read character by character: see `Regexes::symbol`.
    Symbol(u32),
    Concat(NodeId, NodeId),
    Or(Box<[NodeId]>),
    And(Box<[NodeId]>),
    Not(NodeId),
    Repeat {
        body: NodeId,
        min: u32,
        max: u32,
    },
}

/// How text is spelled out, which decides what a character costs in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Inside a JSON string: quotes, backslashes and control characters need escapes.
    Json,
    /// As plain UTF-8.
    Raw,
    /// Not at all: each character counts 1.
    Chars,
}
