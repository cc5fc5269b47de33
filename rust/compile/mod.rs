//! Grammars, and grammars on a vocabulary.

mod compiled;
mod definition;
mod grammar;
mod options;
mod relaxed;

pub use compiled::CompiledGrammar;
pub(crate) use compiled::Engine;
pub use grammar::Grammar;
pub use options::{Options, PropertyOrder};
pub(crate) use relaxed::{NamedRule, Relaxation, Relaxed};
