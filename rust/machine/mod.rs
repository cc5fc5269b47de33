//! The text machine: what has been read, as a configuration, and what a byte makes of it.

mod ambiguous;
mod canonical;
mod close;
mod completer;
mod completion;
mod completion_key;
mod completion_text;
mod config;
mod describe;
mod forced;
mod forgotten;
mod key_order;
mod key_reader;
mod lines;
mod lookahead;
mod next_bytes;
mod next_move;
mod places;
mod stack;
mod stays;
mod step;
mod step_text;
mod stepper;
mod store;
mod text_reader;
mod whitespace;
mod write_gbnf;

pub(crate) use completion::SLACK;
pub(crate) use config::{Config, SetId, State};
pub(crate) use key_order::key_order;
pub(crate) use next_move::NextMove;
pub(crate) use stepper::Stepper;
pub(crate) use store::Machine;
pub use whitespace::{Indent, Whitespace};
pub(crate) use write_gbnf::{syntax_to_gbnf, value_to_gbnf};
