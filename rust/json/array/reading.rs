//! Arrays that are being read: which item may come next, and what it makes of the array.

use crate::json::array::progress::ArrayProgress;
use crate::json::array::seen::SeenValues;
use crate::json::array::state::{Array, ArrayId};
use crate::json::formula::{FormulaId, RuleId, truth};
use crate::json::obligation::{Obligation, ObligationId, Verdicts, value_obligation};
use crate::json::obligations::{Obligations, demand};

impl Obligations {
    pub(crate) fn new_array(&self, requirement: FormulaId, queries: Box<[FormulaId]>) -> ArrayId {
        let tracked = self.tracked(requirement, &queries);
        let counting = tracked
            .iter()
            .filter(|&&rule| self.rules.array(rule).contains.is_some());
        let progress = ArrayProgress {
            hits: counting.map(|&rule| (rule, 0)).collect(),
            ..ArrayProgress::default()
        };
        ArrayId(self.arrays.intern(Array {
            requirement,
            queries,
            progress,
        }))
    }

    pub(crate) fn array(&self, id: ArrayId) -> &Array {
        self.arrays.get(id.0)
    }

    /// Whether an array's items must be known, since some rule compares them.
    pub(crate) fn is_unique(&self, id: ArrayId) -> bool {
        *self.arrays.memo(id.0).is_unique.get_or_init(|| {
            let array = self.array(id);
            let tracked = self.tracked(array.requirement, &array.queries);
            self.rules.has_unique(&tracked)
        })
    }

    /// What an array must satisfy, together with those of its queries whose indices are `asked`.
    pub(crate) fn array_demand(&self, id: ArrayId, asked: &[u16]) -> FormulaId {
        let array = self.array(id);
        demand(self, array.requirement, &array.queries, asked)
    }

    /// The obligation of the next item; `None` if there must be none.
    pub(crate) fn item(&self, id: ArrayId) -> Option<ObligationId> {
        *self.arrays.memo(id.0).item.get_or_init(|| {
            let array = self.array(id);
            let ways = self.array_ways(id, array.requirement);
            let ways = ways.iter().flat_map(|way| self.item_steps(id, way));
            let ways: Vec<Vec<FormulaId>> = ways.map(|way| way.demands).collect();
            if ways.is_empty() {
                return None;
            }
            let mut all = self.asked_of_items(array);
            for &query in &array.queries {
                let formula = self.rules.formulas.and(&[array.requirement, query]);
                let ways = self.array_ways(id, formula);
                let ways = ways.iter().flat_map(|way| self.item_steps(id, way));
                all.extend(ways.flat_map(|way| way.demands));
            }
            let Obligation {
                requirement,
                queries,
            } = value_obligation(&self.rules.formulas, &ways, all);
            Some(self.obligation(requirement, queries))
        })
    }

    /// In an array whose items must differ: a number of values so large that an item which has as
    /// many can always differ from all others, whatever one more item is. `None` unless each item
    /// to come, the next one included, has that many values; and where items may be equal, or
    /// somebody asks whether they are.
    pub(crate) fn spare_values(&self, id: ArrayId) -> Option<u64> {
        *self.arrays.memo(id.0).spare.get_or_init(|| {
            let array = self.array(id);
            let ways = self.array_ways(id, array.requirement);
            let [way] = &ways[..] else {
                return None;
            };
            let asked = self.tracked(FormulaId::TRUE, &array.queries);
            let nots = &self.clause_of(way).nots;
            if self.rules.has_unique(&asked) || nots.iter().any(|not| self.rules.has_unique(not)) {
                return None;
            }
            let next = self.item_steps(id, way);
            let [next] = &next[..] else {
                return None;
            };
            let most = way.completion.missing() + 2;
            let next = self.rules.formulas.and(&next.demands);
            let to_come = way.completion.items.iter().map(|item| item.0);
            let mut all = to_come.chain([next]);
            all.all(|item| self.rules.has_values(item, most))
                .then_some(most)
        })
    }

    /// The formulas of which the array's rules want to know whether the next item satisfies them.
    fn asked_of_items(&self, array: &Array) -> Vec<FormulaId> {
        let tracked = self.tracked(array.requirement, &array.queries);
        let mut all = Vec::with_capacity(tracked.len());
        for rule in tracked {
            all.push(array.progress.demand(&self.rules, rule, 0));
            let contains = self.rules.array(rule).contains;
            all.extend(contains.map(|contains| self.rules.child(contains.child)));
        }
        all
    }

    /// The array after an item with these verdicts. `value` is the item as a formula of just that
    /// value, where it must be known.
    pub(crate) fn after_item(
        &self,
        id: ArrayId,
        verdicts: &[bool],
        value: Option<FormulaId>,
    ) -> ArrayId {
        let array = self.array(id);
        let obligation = self.item(id).expect("an item was read");
        let mut progress = array.progress.clone();
        progress.count += 1;
        for (rule, hits) in &mut progress.hits {
            let contains = self
                .rules
                .array(*rule)
                .contains
                .expect("the rule counts items");
            *hits +=
                u64::from(self.verdict(obligation, verdicts, self.rules.child(contains.child)));
        }
        let judge = |rule: RuleId, own: FormulaId| {
            let fine = self.verdict(
                obligation,
                verdicts,
                array.progress.demand(&self.rules, rule, 0),
            );
            let most = self.rules.array(rule).max;
            let contains = self.rules.array(rule).contains;
            let most_hits = contains.and_then(|contains| contains.max);
            let fits = most.is_none_or(|max| progress.count <= max)
                && most_hits.is_none_or(|max| progress.hits(rule) <= max);
            if fine && fits { own } else { FormulaId::FALSE }
        };
        let substitute = |formula| self.rules.formulas.substitute(formula, &judge);
        let requirement = substitute(array.requirement);
        let queries: Box<[FormulaId]> = array
            .queries
            .iter()
            .map(|&query| substitute(query))
            .collect();
        let progress = self.saturated(progress, requirement, &queries, value);
        ArrayId(self.arrays.intern(Array {
            requirement,
            queries,
            progress,
        }))
    }

    /// Forgets what makes no difference to the rules that are left.
    fn saturated(
        &self,
        mut progress: ArrayProgress,
        requirement: FormulaId,
        queries: &[FormulaId],
        value: Option<FormulaId>,
    ) -> ArrayProgress {
        let tracked = self.tracked(requirement, queries);
        let rules = || tracked.iter().map(|&rule| self.rules.array(rule));
        let beyond = |max: Option<u64>| max.map_or(0, |max| max.saturating_add(1));
        let ends = rules().flat_map(|rule| [rule.prefix_length(), rule.min, beyond(rule.max)]);
        progress.count = progress.count.min(ends.max().unwrap_or(0).max(1));
        let mut hits = progress.hits.into_vec();
        hits.retain(|(rule, _)| tracked.contains(rule));
        for (rule, hits) in &mut hits {
            let contains = self
                .rules
                .array(*rule)
                .contains
                .expect("the rule counts items");
            *hits = (*hits).min(contains.min.max(beyond(contains.max)));
        }
        progress.hits = hits.into();
        if rules().any(|rule| rule.unique) {
            if let Some(value) = value {
                progress.seen.insert(&self.rules, value);
            }
        } else {
            progress.seen = SeenValues::default();
        }
        progress
    }

    /// The verdicts if the array ends here; `None` if it must not.
    pub(crate) fn end_array(&self, id: ArrayId) -> Option<Verdicts> {
        let array = self.array(id);
        let judge = |rule: RuleId, _| truth(array.progress.holds(&self.rules, rule));
        let holds =
            |formula: FormulaId| self.rules.formulas.substitute(formula, &judge) == FormulaId::TRUE;
        holds(array.requirement).then(|| array.queries.iter().map(|&query| holds(query)).collect())
    }
}
