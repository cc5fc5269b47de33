//! The states of arrays that are being read.

use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::json::array::completion::ArrayCompletion;
use crate::json::array::progress::ArrayProgress;
use crate::json::formula::FormulaId;
use crate::json::obligation::ObligationId;

/// An array that is being read: an index into
/// [`Obligations`](crate::json::obligations::Obligations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ArrayId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Array {
    pub(crate) requirement: FormulaId,
    pub(crate) queries: Box<[FormulaId]>,
    pub(crate) progress: ArrayProgress,
}

#[derive(Debug, Default)]
pub(crate) struct ArrayMemo {
    pub(super) ways: RwLock<FxHashMap<FormulaId, Arc<[ArrayWay]>>>,
    pub(crate) item: OnceLock<Option<ObligationId>>,
    pub(super) is_unique: OnceLock<bool>,
    pub(super) spare: OnceLock<Option<u64>>,
    pub(super) to_come: OnceLock<Option<ItemsToCome>>,
    pub(super) is_loose: OnceLock<bool>,
}

/// The items that must still come in an array whose items must differ, and the next one.
#[derive(Debug)]
pub(super) struct ItemsToCome {
    /// What each must satisfy, if none has come before.
    pub(super) items: Box<[FormulaId]>,
    /// How many must come.
    pub(super) missing: u64,
    /// Whether each has values in plenty.
    pub(super) has_plenty: OnceLock<bool>,
}

/// A way in which an array can be finished.
#[derive(Debug)]
pub(crate) struct ArrayWay {
    /// The clause that holds on this way: a formula, and the index among its clauses.
    pub(crate) clause: (FormulaId, usize),
    pub(crate) completion: ArrayCompletion,
}
