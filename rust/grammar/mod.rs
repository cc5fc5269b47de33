//! Text around JSON values: grammars and their front ends.

mod builder;
mod gbnf;
mod lark;
mod leaves;
mod left;
mod link;
mod print;
pub(crate) mod program;
mod source;
pub(crate) mod syntax;
mod tree;
mod weigh;

pub(crate) use gbnf::{escape, read_gbnf, show_class};
pub(crate) use lark::read_lark;
pub(crate) use link::character_bytes;
pub(crate) use print::show_tokens;
pub(crate) use tree::read_tree;
