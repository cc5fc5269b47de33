//! Exact token masks for constrained decoding.
//!
//! A [`Grammar`] is a set of texts, for example the JSON values that a JSON Schema accepts. On a
//! [`Vocabulary`] it becomes a [`CompiledGrammar`], whose [`Matcher`]s say at each step of a
//! generation which tokens may come next. See `docs/design.md` for how it works.

mod batch;
mod byte_set;
mod compile;
mod decimal;
mod error;
mod format;
mod grammar;
mod intern;
mod json;
mod limits;
mod machine;
mod mask;
mod matcher;
#[cfg(feature = "python")]
mod py;
mod regex;
mod schema;
mod spelling;
mod vocab;
mod work;

pub use batch::{Preparation, fill_masks, prepare};
pub use compile::{CompiledGrammar, Grammar, Options, PropertyOrder};
pub use error::Error;
pub use json::kind::Literals;
pub use limits::Limits;
pub use machine::{Indent, Whitespace};
pub use matcher::{Allowed, Explanation, Matcher, Refusal};
pub use spelling::JsonSpelling;
pub use vocab::{MaskWord, TokenId, Vocabulary};
