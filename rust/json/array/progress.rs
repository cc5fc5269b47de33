//! What has been read of an array, as far as it matters.

use crate::json::array::seen::SeenValues;
use crate::json::formula::{FormulaId, RuleId};
use crate::json::rules::Rules;

/// What has been read of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ArrayProgress {
    /// How many items have come, counted only as far as more make a difference.
    pub(crate) count: u64,
    /// For rules that count items: how many satisfied what they count, saturated.
    pub(crate) hits: Box<[(RuleId, u64)]>,
    /// The items, where no two may be equal.
    pub(crate) seen: SeenValues,
    /// Whether an item among them is not known.
    pub(crate) forgets: bool,
}

impl ArrayProgress {
    pub(crate) fn hits(&self, rule: RuleId) -> u64 {
        let found = self.hits.iter().find(|(of, _)| *of == rule);
        found.map_or(0, |(_, hits)| *hits)
    }

    /// What a rule demands of the item to come that `ahead` others stand before.
    pub(crate) fn demand(&self, rules: &Rules, rule: RuleId, ahead: u64) -> FormulaId {
        let item = rules.item(rule, self.count + ahead);
        if !rules.array(rule).unique || self.seen.is_empty() {
            return item;
        }
        let mut parts = vec![item];
        self.seen.exclude(rules, &mut parts);
        rules.formulas.and(&parts)
    }

    /// Whether a rule that holds so far holds if the array ends here.
    pub(crate) fn holds(&self, rules: &Rules, rule: RuleId) -> bool {
        let hits = self.hits(rule);
        let rule = rules.array(rule);
        let contains = |contains: crate::json::rules::ContainsRule| {
            contains.min <= hits && contains.max.is_none_or(|max| hits <= max)
        };
        rule.min <= self.count
            && rule.max.is_none_or(|max| self.count <= max)
            && rule.contains.is_none_or(contains)
    }
}
