//! Arrays that are being read.

use crate::json::array::progress::Read;
use crate::json::array::seen::Taken;
use crate::json::array::state::{Array, ArrayId};
use crate::json::formula::{FormulaId, truth};
use crate::json::obligation::{Task, TaskId, Verdicts, value_task};
use crate::json::obligations::{Frames, demand};

impl Frames {
    pub(crate) fn new_array(&self, must: FormulaId, asks: Box<[FormulaId]>) -> ArrayId {
        let tracked = self.tracked(must, &asks);
        let counting = tracked
            .iter()
            .filter(|&&rule| self.rules.array(rule).contains.is_some());
        let read = Read {
            hits: counting.map(|&rule| (rule, 0)).collect(),
            ..Read::default()
        };
        ArrayId(self.arrays.intern(Array { must, asks, read }))
    }

    pub(crate) fn array(&self, id: ArrayId) -> &Array {
        self.arrays.get(id.0)
    }

    /// Whether an array's items must be known, since some rule compares them.
    pub(crate) fn is_unique(&self, id: ArrayId) -> bool {
        *self.arrays.memo(id.0).is_unique.get_or_init(|| {
            let array = self.array(id);
            let tracked = self.tracked(array.must, &array.asks);
            self.rules.has_unique(&tracked)
        })
    }

    /// The formula of an array together with some of what is asked about it.
    pub(crate) fn array_demand(&self, id: ArrayId, asked: &[u16]) -> FormulaId {
        let array = self.array(id);
        demand(self, array.must, &array.asks, asked)
    }

    /// The task of the next item; `None` if there must be none.
    pub(crate) fn item(&self, id: ArrayId) -> Option<TaskId> {
        *self.arrays.memo(id.0).item.get_or_init(|| {
            let array = self.array(id);
            let ways = self.array_ways(id, array.must);
            let ways = ways.iter().flat_map(|way| self.item_ways(id, way));
            let ways: Vec<Vec<FormulaId>> = ways.map(|way| way.demands).collect();
            if ways.is_empty() {
                return None;
            }
            let mut all = self.asked_of_items(array);
            for &ask in &array.asks {
                let formula = self.rules.formulas.and(&[array.must, ask]);
                let ways = self.array_ways(id, formula);
                let ways = ways.iter().flat_map(|way| self.item_ways(id, way));
                all.extend(ways.flat_map(|way| way.demands));
            }
            let Task { must, asks } = value_task(&self.rules.formulas, &ways, all);
            Some(self.task(must, asks))
        })
    }

    /// So many values suffice for an item, where items must differ, whatever value one item more
    /// has; `None` unless each item that is to come, the next one included, has as many, and where
    /// items may be equal, or are asked whether they are.
    pub(crate) fn spare_values(&self, id: ArrayId) -> Option<u64> {
        *self.arrays.memo(id.0).spare.get_or_init(|| {
            let array = self.array(id);
            let ways = self.array_ways(id, array.must);
            let [way] = &ways[..] else {
                return None;
            };
            let asked = self.tracked(FormulaId::TRUE, &array.asks);
            let nots = &self.clause_of(way).nots;
            if self.rules.has_unique(&asked) || nots.iter().any(|not| self.rules.has_unique(not)) {
                return None;
            }
            let next = self.item_ways(id, way);
            let [next] = &next[..] else {
                return None;
            };
            let most = way.ending.missing() + 2;
            let next = self.rules.formulas.and(&next.demands);
            let to_come = way.ending.items.iter().map(|item| item.0);
            let mut all = to_come.chain([next]);
            all.all(|item| self.rules.has_values(item, most))
                .then_some(most)
        })
    }

    /// All that the array's rules want to know of the next item.
    fn asked_of_items(&self, array: &Array) -> Vec<FormulaId> {
        let tracked = self.tracked(array.must, &array.asks);
        let mut all = Vec::with_capacity(tracked.len());
        for rule in tracked {
            all.push(array.read.demand(&self.rules, rule, 0));
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
        let task = self.item(id).expect("an item was read");
        let mut read = array.read.clone();
        read.count += 1;
        for (rule, hits) in &mut read.hits {
            let contains = self
                .rules
                .array(*rule)
                .contains
                .expect("the rule counts items");
            *hits += u64::from(self.verdict(task, verdicts, self.rules.child(contains.child)));
        }
        let judge = |rule: u32, own: FormulaId| {
            let fine = self.verdict(task, verdicts, array.read.demand(&self.rules, rule, 0));
            let most = self.rules.array(rule).max;
            let contains = self.rules.array(rule).contains;
            let most_hits = contains.and_then(|contains| contains.max);
            let fits = most.is_none_or(|max| read.count <= max)
                && most_hits.is_none_or(|max| read.hits(rule) <= max);
            if fine && fits { own } else { FormulaId::FALSE }
        };
        let substitute = |formula| self.rules.formulas.substitute(formula, &judge);
        let must = substitute(array.must);
        let asks: Box<[FormulaId]> = array.asks.iter().map(|&ask| substitute(ask)).collect();
        let read = self.saturated(read, must, &asks, value);
        ArrayId(self.arrays.intern(Array { must, asks, read }))
    }

    /// Forgets what makes no difference to the rules that are left.
    fn saturated(
        &self,
        mut read: Read,
        must: FormulaId,
        asks: &[FormulaId],
        value: Option<FormulaId>,
    ) -> Read {
        let tracked = self.tracked(must, asks);
        let rules = || tracked.iter().map(|&rule| self.rules.array(rule));
        let beyond = |max: Option<u64>| max.map_or(0, |max| max.saturating_add(1));
        let ends = rules().flat_map(|rule| [rule.prefix_length(), rule.min, beyond(rule.max)]);
        read.count = read.count.min(ends.max().unwrap_or(0).max(1));
        let mut hits = read.hits.into_vec();
        hits.retain(|(rule, _)| tracked.contains(rule));
        for (rule, hits) in &mut hits {
            let contains = self
                .rules
                .array(*rule)
                .contains
                .expect("the rule counts items");
            *hits = (*hits).min(contains.min.max(beyond(contains.max)));
        }
        read.hits = hits.into();
        if rules().any(|rule| rule.unique) {
            if let Some(value) = value {
                read.taken.insert(&self.rules, value);
            }
        } else {
            read.taken = Taken::default();
        }
        read
    }

    /// The verdicts if the array ends here; `None` if it must not.
    pub(crate) fn end_array(&self, id: ArrayId) -> Option<Verdicts> {
        let array = self.array(id);
        let judge = |rule: u32, _| truth(array.read.holds(&self.rules, rule));
        let holds =
            |formula: FormulaId| self.rules.formulas.substitute(formula, &judge) == FormulaId::TRUE;
        holds(array.must).then(|| array.asks.iter().map(|&ask| holds(ask)).collect())
    }
}
