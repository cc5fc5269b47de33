//! Whether a formula has values in plenty: so many that an item which must differ from others can
//! always do so.

use crate::json::cost::NEVER;
use crate::json::formula::{Clause, FormulaId};
use crate::json::kind::Kind;
use crate::json::rules::Rules;

/// How deep values are looked at for one that makes the whole differ.
const DEPTH: u32 = 3;

/// Of the items that must come in an array, so many are looked at.
const ITEMS: u64 = 8;

impl Rules {
    /// Whether a formula certainly has so many values.
    pub(crate) fn has_values(&self, formula: FormulaId, least: u64) -> bool {
        self.has_values_within(formula, least, DEPTH)
    }

    fn has_values_within(&self, formula: FormulaId, least: u64, depth: u32) -> bool {
        let regexes = &self.scanner.regexes;
        let has = |kind| self.cost_of_kind(formula, kind) != NEVER;
        has(Kind::String) && regexes.has_words(self.string_language(formula), least)
            || has(Kind::Number)
                && regexes.has_numbers(self.number_language(formula), least, self.scanner.spelling)
            || depth > 0
                && (has(Kind::Object) && self.has_objects(formula, least, depth - 1)
                    || has(Kind::Array) && self.has_arrays(formula, least, depth - 1))
    }

    /// Whether a formula, of which there are objects, certainly has so many: one member of any of
    /// them can be changed, or added, without anything else.
    fn has_objects(&self, formula: FormulaId, least: u64, depth: u32) -> bool {
        let Some(clause) = self.plain_clause(formula, Kind::Object) else {
            return false;
        };
        let rules = &clause.rules;
        let demand = |key: &str| {
            let demands: Vec<FormulaId> = rules.iter().map(|&r| self.property(r, key)).collect();
            self.formulas.and(&demands)
        };
        let varies = |key: &str| self.has_values_within(demand(key), least, depth);
        let all = || rules.iter().map(|&rule| self.object(rule));
        if all().any(|rule| rule.required.iter().any(|key| varies(key))) {
            return true;
        }
        let may_have_more = all()
            .all(|rule| rule.max.is_none() && rule.dependent.is_empty() && !rule.has_patterns());
        if !may_have_more {
            return false;
        }
        let others: Vec<FormulaId> = all().map(|rule| self.child(rule.additional)).collect();
        self.cost(self.formulas.and(&others)) != NEVER
            || all().any(|rule| rule.properties.iter().any(|(key, _)| varies(key)))
    }

    /// The same for arrays: one item of any of them can be changed, or any number of them added.
    fn has_arrays(&self, formula: FormulaId, least: u64, depth: u32) -> bool {
        let Some(clause) = self.plain_clause(formula, Kind::Array) else {
            return false;
        };
        let all = || clause.rules.iter().map(|&rule| self.array(rule));
        if all().any(|rule| rule.unique || rule.contains.is_some()) {
            return false;
        }
        let demand = |index: u64| {
            let rules = clause.rules.iter();
            let demands: Vec<FormulaId> = rules.map(|&rule| self.item(rule, index)).collect();
            self.formulas.and(&demands)
        };
        let required = all().map(|rule| rule.min).max().unwrap_or(0).min(ITEMS);
        if (0..required).any(|index| self.has_values_within(demand(index), least, depth)) {
            return true;
        }
        let alike = all().map(|rule| rule.prefix_length()).max().unwrap_or(0);
        all().all(|rule| rule.max.is_none())
            && (0..=alike).all(|index| self.cost(demand(index)) != NEVER)
    }

    /// The only way in which a formula can hold of values of a kind, if it is one about which nothing
    /// is negated and left open.
    fn plain_clause(&self, formula: FormulaId, kind: Kind) -> Option<&Clause> {
        match &self.clauses(self.formulas.of_kind(formula, kind))[..] {
            [clause] if clause.nots.is_empty() && clause.ors.is_empty() => Some(clause),
            _ => None,
        }
    }
}
