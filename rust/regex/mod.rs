//! Regular languages of text: ECMA-262 patterns, words, lengths, and their boolean combinations.

mod algebra;
mod ast;
pub(crate) mod char_blocks;
pub(crate) mod char_cost;
mod cheap_words;
mod classes;
pub(crate) mod codeset;
mod common_text;
pub(crate) mod computed;
mod computed_language;
mod cost;
mod counts;
mod derive;
mod edges;
pub(crate) mod escaped;
pub(crate) mod facts;
mod fingerprint;
pub(crate) mod free;
mod lengths;
pub(crate) mod lower;
pub(crate) mod node;
pub(crate) mod numeric;
mod parse;
mod parts;
mod pieces;
pub(crate) mod regexes;
pub(crate) mod scan;
pub(crate) mod scan_string;
mod spans;
mod system;
mod track;
mod uncounted;
mod word_list;

pub(crate) use ast::Ast;
pub(crate) use classes::property;
pub(crate) use parse::parse;
