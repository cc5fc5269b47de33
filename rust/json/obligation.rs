//! What a value that is being read must satisfy, and what else is asked about it.

use rustc_hash::FxHashSet;

use crate::json::formula::{FormulaId, Formulas};

/// An obligation: an index into [`Obligations`](crate::json::obligations::Obligations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObligationId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Obligation {
    /// The value must satisfy this.
    pub(crate) requirement: FormulaId,
    /// The frame around the value wants to know whether it satisfies these.
    pub(crate) queries: Box<[FormulaId]>,
}

/// Whether a finished value satisfied each of its obligation's `queries`.
pub(crate) type Verdicts = Box<[bool]>;

/// The obligation of a value, whose `queries` are what the array or object around it learns from
/// the value: the formulas of which the requirement does not tell already whether it satisfies
/// them.
///
/// `demands` are, for each way in which the frame can go on, the formulas that the value must
/// satisfy for it. The value must satisfy those of one way; what it need not satisfy in every way
/// is asked.
pub(crate) fn value_obligation(
    formulas: &Formulas,
    ways: &[Vec<FormulaId>],
    all: Vec<FormulaId>,
) -> Obligation {
    let each: Vec<FormulaId> = ways.iter().map(|way| formulas.and(way)).collect();
    let requirement = formulas.or(&each);
    let mut queries: Vec<FormulaId> = Vec::new();
    let mut seen = FxHashSet::default();
    for formula in all.into_iter().chain(ways.iter().flatten().copied()) {
        let decided = formula == FormulaId::TRUE
            || formula == FormulaId::FALSE
            || formula == requirement
            || !seen.insert(formula)
            || ways.iter().all(|way| way.contains(&formula));
        if !decided {
            queries.push(formula);
        }
    }
    Obligation {
        requirement,
        queries: queries.into(),
    }
}
