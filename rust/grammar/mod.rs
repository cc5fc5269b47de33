//! Text around JSON values.

pub(crate) mod flow;
