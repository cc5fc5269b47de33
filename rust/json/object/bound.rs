//! What finishing an object costs at most, wherever in it the text stands.
//!
//! [`ObjectGoal`](crate::json::object::goal::ObjectGoal) finds the cheapest completion of each state of
//! an object. Where it is only asked whether the end is near enough, one number for all states will do:
//! all that must ever come, or that something may require, and one member more that has been begun.

use rustc_hash::FxHashSet;

use crate::json::cost::{NEVER, add, key_bytes};
use crate::json::formula::{Clause, FormulaId};
use crate::json::object::keys::Key;
use crate::json::object::shape::Shape;
use crate::json::object::state::ObjectId;
use crate::json::obligations::Obligations;
use crate::json::rules::Rules;
use crate::json::texts::TextId;

/// Of objects with more declared keys, the states are looked at one by one.
const MOST_KEYS: usize = 256;

impl Obligations {
    /// An upper bound of what finishes an object from any place in it that is outside its members'
    /// values, as long as nothing is asked about it; [`NEVER`] where that is not told at a glance. What
    /// is left of a key that the object does not know is left out.
    pub(crate) fn object_bound(&self, id: ObjectId) -> u64 {
        *self.objects.memo(id.0).bound.get_or_init(|| {
            let object = self.objects.get(id.0);
            let shape = self.rules.shape_of(object.shape);
            let known = shape.bounds.lock().get(&object.requirement).copied();
            known.unwrap_or_else(|| {
                let bound = shape.bound(&self.rules, object.requirement);
                shape.bounds.lock().insert(object.requirement, bound);
                bound
            })
        })
    }

    /// As [`Obligations::object_bound`], where a key is being read or must come.
    pub(crate) fn key_bound(&self, id: ObjectId) -> u64 {
        // The keys that have come are not in what is left of a class, whose texts may then be longer.
        let others = &self.objects.get(id.0).progress.others;
        match self.shape_of(id).is_scanned() && !others.is_empty() {
            true => NEVER,
            false => self.object_bound(id),
        }
    }
}

impl Shape {
    fn bound(&self, rules: &Rules, requirement: FormulaId) -> u64 {
        if self.counted > 0
            || self.keys.len() > MOST_KEYS
            || rules.residues(self, requirement).is_some()
        {
            return NEVER;
        }
        let clauses = rules.clauses(requirement);
        if !clauses.iter().all(Clause::is_plain) {
            return NEVER;
        }
        let rest = self.longest_rest_of_keys(rules);
        // A clause that nothing satisfies is never what is left.
        let bounds = clauses
            .iter()
            .map(|clause| self.clause_bound(rules, clause));
        let bound = bounds.filter(|&bound| bound < NEVER).max();
        add(bound.unwrap_or(NEVER), rest)
    }

    /// At least the bytes that finish a key that is told apart by its text, if no other has come; 0 where
    /// any undeclared key will do.
    fn longest_rest_of_keys(&self, rules: &Rules) -> u64 {
        if !self.is_scanned() {
            return 0;
        }
        let scanner = &rules.scanner;
        let classes = self.classes.iter();
        let scans = classes.filter_map(|class| scanner.start(class.language, Box::new([])));
        let rests = scans.map(|scan| scanner.longest_rest(scan).map_or(NEVER, u64::from));
        rests.max().unwrap_or(0)
    }

    fn clause_bound(&self, rules: &Rules, clause: &Clause) -> u64 {
        let member = |key: Key| {
            let value = rules.formulas.and(&self.demands(rules, &clause.rules, key));
            let name = match key {
                Key::Other(TextId::WHATEVER, _) => key_bytes(""),
                _ => self.name_bytes(rules, key),
            };
            add(rules.cost_inside(value), name + rules.separators.colon)
        };
        let required = clause.rules.iter().flat_map(|&rule| {
            let required = self.required(rule);
            let declared = required.declared.iter().map(|&rank| Key::Declared(rank));
            declared.chain(required.others.iter().copied())
        });
        let dependent = clause.rules.iter().flat_map(|&rule| {
            let dependent = self.required(rule).dependent.iter();
            dependent.flat_map(|(_, needs)| needs.iter().copied())
        });
        let is_required: FxHashSet<Key> = required.collect();
        let must = is_required.iter().map(|&key| member(key)).fold(0, add);
        // What never can come, nothing that comes requires.
        let needed: FxHashSet<Key> = dependent.filter(|key| !is_required.contains(key)).collect();
        let needs = needed.iter().map(|&key| member(key));
        let needs = needs.filter(|&cost| cost < NEVER).fold(0, add);
        let declared = self.ranks_from(Default::default()).map(Key::Declared);
        let others = self.wanted.iter().copied();
        let classes = 0..self.classes.len() as u16;
        let unknown = classes.map(|class| Key::Other(TextId::WHATEVER, class));
        let any = declared.chain(others).chain(unknown);
        let begun = any.map(member).filter(|&cost| cost < NEVER).max();
        let members = is_required.len() + needed.len() + 1;
        let around = rules.separators.around(true, members as u64);
        let around = add(around, rules.separators.comma);
        let parts = [must, needs, begun.unwrap_or(0), around];
        parts.into_iter().fold(0, add)
    }
}
