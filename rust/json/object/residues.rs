//! Objects under nested conditions: what is left of a formula, key by key.
//!
//! Conditions that are nested, or multiplied out, have too many alternatives to try them one by one.
//! But each rule looks at few keys, and once it is known of a key whether it comes and what its
//! value satisfies, the rules that it breaks are false, and those that look at no further key are
//! true. What is left of the formula is its *residue*. Ways that leave the same residue go on alike,
//! so that all ways together are a diagram, with a step for each residue and key. It is read like a
//! decision diagram: which ways end well, and how soon, are sums over its steps.

use rustc_hash::FxHashMap;

use crate::json::formula::{FormulaId, RuleId};
use crate::json::object::keys::Key;

/// What a step asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// A key that some rule names.
    Key(Key),
    /// The next member, if it is some key of this class.
    Next(u16),
    /// One more key of this class, the one with this number.
    Fresh(u16, usize),
}

/// Where a diagram goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ResidueTarget {
    /// The formula cannot hold.
    Dead,
    /// It holds whatever else comes.
    Done,
    Step(u32),
}

/// What the value of a member can do.
#[derive(Clone, Debug)]
pub(super) struct ResidueChoice {
    /// What the value satisfies beyond what it must in any case.
    pub(super) demands: Vec<FormulaId>,
    /// All that the value satisfies, as one formula.
    pub(super) value: FormulaId,
    pub(super) to: ResidueTarget,
}

/// A residue, and what it becomes with a key.
#[derive(Debug)]
pub(super) struct ResidueStep {
    pub(super) slot: usize,
    /// If the key does not come.
    pub(super) absent: ResidueTarget,
    /// If it has come, and broken nothing that is left.
    pub(super) kept: ResidueTarget,
    /// If it comes.
    pub(super) choices: Vec<ResidueChoice>,
}

/// All ways in which a formula about objects of one shape can hold.
#[derive(Debug)]
pub(crate) struct Residues {
    pub(super) slots: Vec<Slot>,
    pub(super) slot_of: FxHashMap<Slot, usize>,
    /// By rising slots.
    pub(super) steps: Vec<ResidueStep>,
    pub(super) start: ResidueTarget,
    /// Keys that must come and that no step asks about, with what their values must be.
    pub(super) fixed: Vec<(Key, FormulaId)>,
    /// The rules that hold in any case, in order.
    pub(super) certain: Vec<RuleId>,
}

impl Residues {
    pub(crate) fn bytes(&self) -> usize {
        let choices = self.steps.iter().flat_map(|step| &step.choices);
        let choices = choices.map(|c| size_of::<ResidueChoice>() + size_of_val(&*c.demands));
        size_of_val(&*self.steps)
            + 48 * self.slots.len()
            + size_of_val(&*self.fixed)
            + choices.sum::<usize>()
    }
}
