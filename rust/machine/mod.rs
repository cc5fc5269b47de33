//! The text machine: what has been read, as a configuration, and what a byte makes of it.

mod canonical;
mod close;
mod completer;
mod completion;
mod completion_key;
mod completion_text;
mod config;
mod describe;
mod forced;
mod key_order;
mod next_bytes;
mod next_move;
mod places;
mod stack;
mod stays;
mod step;
mod step_object;
mod step_text;
mod store;
mod whitespace;
mod write_gbnf;

pub(crate) use completion::SLACK;
pub(crate) use config::{Config, SetId, State};
pub(crate) use next_move::NextMove;
pub(crate) use store::Machine;
pub use whitespace::Whitespace;
