//! The syntax tree of an ECMA-262 pattern.

use crate::regex::codeset::CodeSet;

/// A pattern as a tree. Groups, their names and laziness dissolve: none of them changes which
/// strings match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ast {
    /// The empty string.
    Empty,
    /// One code point of the set.
    Class(CodeSet),
    /// One after the other.
    Concat(Vec<Ast>),
    /// Any one of these.
    Alternation(Vec<Ast>),
    /// `body`, from `min` to `max` times; without `max`, any number of times.
    Repeat {
        body: Box<Ast>,
        min: u32,
        max: Option<u32>,
    },
    /// `^`: nothing comes before.
    Start,
    /// `$`: nothing comes after.
    End,
    /// `\b`, or `\B` if negated.
    WordBoundary { negated: bool },
    /// A lookahead, or a lookbehind if not `ahead`.
    Look {
        ahead: bool,
        negated: bool,
        body: Box<Ast>,
    },
}
