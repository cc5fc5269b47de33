//! What a part of a schema looks at of an object or an array: its keys and items.

use std::rc::Rc;
use std::sync::Arc;

use crate::json::formula::FormulaId;
use crate::json::rules::ChildId;
use crate::regex::node::NodeId;

/// What was looked at of an object and an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evaluated {
    /// Sorted.
    pub(crate) keys: Vec<Arc<str>>,
    /// Further keys, as a language.
    pub(crate) patterns: NodeId,
    /// How many items, from the first one on.
    pub(crate) items: u64,
    /// Items at any place that satisfy this child were looked at, too.
    pub(crate) contains: Option<ChildId>,
}

impl Evaluated {
    pub(super) const NOTHING: Evaluated = Evaluated {
        keys: Vec::new(),
        patterns: NodeId::NEVER,
        items: 0,
        contains: None,
    };
}

/// What a part of a schema looks at if a formula holds.
#[derive(Clone, Debug)]
pub(super) struct Evaluation {
    pub(crate) holds: FormulaId,
    pub(super) evaluated: Rc<Evaluated>,
}
