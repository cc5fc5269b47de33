//! Shapes: what an object that answers to some rules knows of its keys.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::json::formula::{FormulaId, RuleId};
use crate::json::object::keys::{Key, KeyRank, KeyTable};
use crate::json::object::residues::Residues;
use crate::json::texts::TextId;
use crate::regex::node::NodeId;

/// The rules that an object began with: they fix its declared keys and their ranks.
pub(crate) type ShapeKey = Box<[RuleId]>;

/// Undeclared keys that the rules do not tell apart.
#[derive(Debug)]
pub(crate) struct KeyClass {
    /// Declared keys are not in it.
    pub(crate) language: NodeId,
    /// What each rule demands of the value.
    pub(crate) demands: FxHashMap<RuleId, FormulaId>,
}

/// The cheapest keys of a class, by the class and how many they are.
type CheapestKeys = FxHashMap<(u16, usize), Arc<[Key]>>;

/// A shape of objects: an index into [`Rules`](crate::json::rules::Rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct ShapeId(pub(super) u32);

#[derive(Debug)]
pub(crate) struct Shape {
    /// The declared keys by rank: in the order of their first appearance.
    pub(crate) keys: Vec<Arc<str>>,
    pub(super) ranks: FxHashMap<Arc<str>, KeyRank>,
    /// The bytes of each declared key with its quotes.
    pub(crate) key_bytes: Vec<u64>,
    /// What each rule requires.
    pub(crate) required: FxHashMap<RuleId, Required>,
    /// The keys that an object of this shape knows before it holds any other.
    pub(crate) table: KeyTable,
    /// Undeclared keys that some rule names. Sorted.
    pub(crate) wanted: Vec<Key>,
    /// What rules that name undeclared keys demand of their values, by rule and text.
    pub(super) of_words: FxHashMap<(RuleId, TextId), FormulaId>,
    /// One class of all undeclared keys, if nothing looks at their text.
    pub(crate) classes: Vec<KeyClass>,
    /// Whether each class has so many keys that one more or less makes no difference.
    pub(super) plentiful: OnceLock<Box<[bool]>>,
    pub(super) cheapest: Mutex<CheapestKeys>,
    /// The residues of the formulas that were asked for; `None` for those that are followed clause
    /// by clause.
    pub(super) residues: Mutex<FxHashMap<FormulaId, Option<Arc<Residues>>>>,
    /// What [`object_bound`](crate::json::obligations::Obligations::object_bound) is for the formulas that
    /// were asked for.
    pub(super) bounds: Mutex<FxHashMap<FormulaId, u64>>,
    /// What rules with patterns demand of declared keys, by rank.
    pub(crate) demands: FxHashMap<RuleId, Box<[FormulaId]>>,
    /// The number of members from which on more make no difference; 0 if their number never
    /// matters.
    pub(crate) counted: u64,
    /// Whether some key requires others.
    pub(crate) has_dependent: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Required {
    /// Ranks of declared keys, rising.
    pub(crate) declared: Vec<KeyRank>,
    pub(crate) others: Vec<Key>,
    /// What a key requires.
    pub(crate) dependent: Vec<(Key, Vec<Key>)>,
}

impl Required {
    /// The undeclared keys that the rule requires or that require others.
    pub(crate) fn named(&self) -> impl Iterator<Item = Key> {
        let dependent = self.dependent.iter();
        let dependent = dependent.flat_map(|(key, needs)| std::iter::once(key).chain(needs));
        let all = self.others.iter().chain(dependent).copied();
        all.filter(|key| matches!(key, Key::Other(..)))
    }
}

impl Shape {
    /// The rank of a declared key.
    pub(crate) fn rank(&self, text: &str) -> Option<KeyRank> {
        self.ranks.get(text).copied()
    }

    /// The ranks of declared keys from one on.
    pub(crate) fn ranks_from(&self, first: KeyRank) -> impl Iterator<Item = KeyRank> + use<> {
        (first.0..self.end_of_ranks().0).map(KeyRank)
    }

    /// After the last rank.
    pub(super) fn end_of_ranks(&self) -> KeyRank {
        KeyRank(self.keys.len() as u32)
    }

    /// Whether undeclared keys are told apart by their text.
    pub(crate) fn is_scanned(&self) -> bool {
        self.classes.len() != 1 || self.classes[0].language != NodeId::ANY
    }

    pub(crate) fn required(&self, rule: RuleId) -> &Required {
        &self.required[&rule]
    }
}
