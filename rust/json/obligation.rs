//! What a value that is being read must satisfy, and what else is asked about it.

use rustc_hash::FxHashSet;

use crate::json::formula::{FormulaId, Formulas};

/// What a value must satisfy: an index into [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    /// The value must satisfy this.
    pub(crate) must: FormulaId,
    /// The frame around the value wants to know whether it satisfies these.
    pub(crate) asks: Box<[FormulaId]>,
}

/// Whether a finished value satisfied each of its task's `asks`.
pub(crate) type Verdicts = Box<[bool]>;

/// What the frame around a value learns from it: the asked formulas that `must` does not imply.
///
/// `demands` are, for each way in which the frame can go on, the formulas that the value must
/// satisfy for it. The value must satisfy those of one way; what it need not satisfy in every way
/// is asked.
pub(crate) fn value_task(
    formulas: &Formulas,
    ways: &[Vec<FormulaId>],
    all: Vec<FormulaId>,
) -> Task {
    let each: Vec<FormulaId> = ways.iter().map(|way| formulas.and(way)).collect();
    let must = formulas.or(&each);
    let mut asks: Vec<FormulaId> = Vec::new();
    let mut seen = FxHashSet::default();
    for formula in all.into_iter().chain(ways.iter().flatten().copied()) {
        let decided = formula == FormulaId::TRUE
            || formula == FormulaId::FALSE
            || formula == must
            || !seen.insert(formula)
            || ways.iter().all(|way| way.contains(&formula));
        if !decided {
            asks.push(formula);
        }
    }
    Task {
        must,
        asks: asks.into(),
    }
}
