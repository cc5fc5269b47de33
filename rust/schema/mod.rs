//! JSON Schema, draft 4 to 2020-12, read into a resolved and checked [`Model`](model::Model).
//!
//! [`load`](load::load) parses the document, reads every schema that the root can reach, once each,
//! and follows `$ref`. A keyword belongs to one file: `values` has those for every type, `string`,
//! `number`, `array` and `object` those for one, `applicators` those that apply schemas in place,
//! `unsupported` those that are known but not read yet. The table of all of them is in `keyword`.

mod applicators;
mod array;
mod cycles;
pub(crate) use crate::decimal;
mod document;
mod draft;
mod equality;
mod fault;
mod fields;
mod keyword;
mod load;
pub(crate) mod model;
mod number;
mod object;
mod resolver;
mod string;
mod unsupported;
mod uri;
mod values;

#[cfg(test)]
mod testing;

pub(crate) use load::{LoadOptions, load};
