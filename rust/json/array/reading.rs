//! Arrays that are being read: which item may come next, and what it makes of the array.

use std::sync::OnceLock;

use crate::json::array::progress::ArrayProgress;
use crate::json::array::seen::SeenValues;
use crate::json::array::state::{Array, ArrayId, ItemsToCome};
use crate::json::formula::{FormulaId, RuleId, truth};
use crate::json::obligation::{Obligation, ObligationId, Verdicts, value_obligation};
use crate::json::obligations::{Obligations, demand};
use crate::work;

/// So many values are plenty for most arrays: whether all items have them is asked once.
const PLENTY: u64 = 256;

/// Units of work that it may take to see that there are values in plenty.
const GLANCE: u64 = 1 << 14;

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
            // What is said of items does not depend on those that have come.
            let mut progress = array.progress.clone();
            progress.forgets = false;
            let seen = std::mem::take(&mut progress.seen).count();
            let fresh = ArrayId(self.arrays.intern(Array {
                progress,
                ..array.clone()
            }));
            let to_come = self.items_to_come(fresh)?;
            let most = to_come.missing + 2;
            let has = |least| {
                let mut items = to_come.items.iter();
                items.all(|&item| self.rules.has_values(item, most + least))
            };
            let has_plenty = || *to_come.has_plenty.get_or_init(|| has(PLENTY));
            (seen <= PLENTY && has_plenty() || has(seen)).then_some(most + seen)
        })
    }

    /// The items to come in an array whose items must differ.
    fn items_to_come(&self, id: ArrayId) -> Option<&ItemsToCome> {
        let to_come = self.arrays.memo(id.0).to_come.get_or_init(|| {
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
            let next = match &next[..] {
                [] => None,
                [next] => Some(self.rules.formulas.and(&next.demands)),
                _ => return None,
            };
            let items = way.completion.items.iter().map(|item| item.0);
            Some(ItemsToCome {
                items: items.chain(next).collect(),
                missing: way.completion.missing(),
                has_plenty: OnceLock::new(),
            })
        });
        to_come.as_ref()
    }

    /// Whether items must differ, and what follows the next one does not depend on its value, but
    /// inside the item after it.
    pub(crate) fn is_loose(&self, id: ArrayId) -> bool {
        *self.arrays.memo(id.0).is_loose.get_or_init(|| {
            let item = self.item(id).filter(|_| self.is_unique(id));
            item.is_some_and(|item| {
                let has_spare = || self.spare_values(self.after_item(id, &[], None)).is_some();
                self.obligation_of(item).queries.is_empty()
                    && work::attempt(GLANCE, has_spare).unwrap_or(false)
            })
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
        match value {
            _ if !rules().any(|rule| rule.unique) => {
                progress.seen = SeenValues::default();
                progress.forgets = false;
            }
            Some(value) => progress.seen.insert(&self.rules, value),
            None => progress.forgets = true,
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
