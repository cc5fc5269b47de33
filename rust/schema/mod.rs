//! JSON Schema, draft 4 to 2020-12, read into a resolved and checked [`Model`](model::Model).
//!
//! [`load`](load::load) parses the document, reads every schema that the root can reach, once each,
//! and follows references. A keyword belongs to one file: `values` has those for every type,
//! `string`, `number`, `array` and `object` those for one, `applicators` those that apply schemas in
//! place. The table of all of them is in `keyword`; `dialect` says which a document has.

mod applicators;
mod array;
mod constraints;
mod cycles;
mod dialect;
mod document;
mod documents;
mod draft;
mod equality;
mod fault;
mod fields;
mod keyword;
mod load;
mod meta_schemas;
mod misspelt;
pub(crate) mod model;
mod number;
mod object;
mod reader;
mod resolver;
mod scope;
mod string;
mod uri;
mod values;
mod vocabulary;

#[cfg(test)]
mod testing;

pub(crate) use constraints::{Constraint, ConstraintKind, constraints, load_relaxed};
pub(crate) use document::extend_pointer;
pub(crate) use load::{LoadOptions, load, pointer_of};
