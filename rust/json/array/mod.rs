//! Arrays: what items may come, and how an array can be finished.

mod completion;
mod counted;
mod distinct;
mod plenty;
mod progress;
mod reading;
mod seen;
pub(crate) mod state;
mod steps;
