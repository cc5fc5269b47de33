//! Regular languages of text: ECMA-262 patterns, words, lengths, and their boolean combinations.

mod ast;
mod classes;
pub(crate) mod codeset;
pub(crate) mod cost;
mod counts;
mod edges;
mod fingerprint;
pub(crate) mod free;
mod lengths;
pub(crate) mod lower;
pub(crate) mod node;
pub(crate) mod numeric;
mod parse;
mod parts;
mod pieces;
pub(crate) mod scan;
pub(crate) mod sketch;
mod system;
pub(crate) mod told;
mod track;
mod uncounted;

pub(crate) use ast::Ast;
pub(crate) use classes::property;
pub(crate) use parse::parse;
