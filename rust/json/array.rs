//! Arrays that are being read.

use std::sync::OnceLock;

use crate::json::formula::FormulaId;
use crate::json::frames::{Frames, TaskId, Verdicts, value_task, verdict};
use crate::json::liveness::{NEVER, add};

/// An array that is being read: an index into [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ArrayId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Array {
    must: FormulaId,
    asks: Box<[FormulaId]>,
    /// Items read, saturated where more make no difference.
    pub(crate) count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct ArrayMemo {
    item: OnceLock<Option<TaskId>>,
}

/// A way in which an array can be finished.
pub(crate) struct ArrayWay {
    clause: Box<[u32]>,
    /// Items that must still come.
    pub(crate) missing: u64,
    /// The fewest bytes to the end, from after an item or `[`, closing bracket included.
    pub(crate) cost: u64,
}

impl Frames {
    pub(crate) fn new_array(&self, must: FormulaId, asks: Box<[FormulaId]>) -> ArrayId {
        ArrayId(self.arrays.intern(Array {
            must,
            asks,
            count: 0,
        }))
    }

    pub(crate) fn array(&self, id: ArrayId) -> &Array {
        self.arrays.get(id.0)
    }

    /// The formula of an array together with some of what is asked about it.
    pub(crate) fn array_demand(&self, id: ArrayId, asked: &[u16]) -> FormulaId {
        let array = self.array(id);
        demand(self, array.must, &array.asks, asked)
    }

    /// The ways in which an array can still satisfy `formula`.
    pub(crate) fn array_ways(&self, id: ArrayId, formula: FormulaId) -> Vec<ArrayWay> {
        let count = self.array(id).count;
        let clauses = self.rules.formulas.clauses(formula).iter();
        clauses
            .filter_map(|clause| self.array_way(clause, count))
            .collect()
    }

    fn array_way(&self, clause: &[u32], count: u64) -> Option<ArrayWay> {
        let rules = &self.rules;
        let least = clause
            .iter()
            .map(|&r| rules.array(r).min)
            .max()
            .unwrap_or(0);
        let most = clause
            .iter()
            .map(|&r| rules.array(r).max)
            .min()
            .unwrap_or(u64::MAX);
        if least > most || count > most {
            return None;
        }
        let alike = clause
            .iter()
            .map(|&r| rules.array(r).prefix_length())
            .max()
            .unwrap_or(0);
        let mut cost = 1;
        for index in count..least.min(alike) {
            cost = add(cost, rules.cost(rules.clause_item(clause, index)));
        }
        let from = count.max(alike);
        if least > from {
            let one = rules.cost(rules.clause_item(clause, alike));
            cost = add(
                cost,
                if one == NEVER {
                    NEVER
                } else {
                    one.saturating_mul(least - from)
                },
            );
        }
        if cost == NEVER {
            return None;
        }
        let missing = least.saturating_sub(count);
        // The first item of all has no comma before it.
        let commas = if count == 0 {
            missing.saturating_sub(1)
        } else {
            missing
        };
        let cost = add(cost, rules.separator.saturating_mul(commas));
        Some(ArrayWay {
            clause: clause.into(),
            missing,
            cost,
        })
    }

    /// What each rule of a way demands of the next item; `None` if no item may come.
    pub(crate) fn array_values(&self, id: ArrayId, way: &ArrayWay) -> Option<Vec<FormulaId>> {
        let count = self.array(id).count;
        let full = way.clause.iter().any(|&r| self.rules.array(r).max <= count);
        let items: Vec<FormulaId> = way
            .clause
            .iter()
            .map(|&r| self.rules.item(r, count))
            .collect();
        let live = || self.rules.cost(self.rules.formulas.and(&items)) != NEVER;
        (!full && live()).then_some(items)
    }

    /// The fewest bytes that finish an array on a way, once the next item has been read.
    pub(crate) fn array_end_cost_after_item(&self, id: ArrayId, way: &ArrayWay) -> u64 {
        if way.missing == 0 {
            return 1;
        }
        let count = self.array(id).count;
        let item = self.rules.cost(self.rules.clause_item(&way.clause, count));
        let comma = if count == 0 { 0 } else { self.rules.separator };
        way.cost - item - comma
    }

    /// The task of the next item; `None` if there must be none.
    pub(crate) fn item(&self, id: ArrayId) -> Option<TaskId> {
        *self.arrays.memo(id.0).item.get_or_init(|| {
            let array = self.array(id);
            let ways = self.array_ways(id, array.must);
            let ways: Vec<Vec<FormulaId>> = ways
                .iter()
                .filter_map(|way| self.array_values(id, way))
                .collect();
            if ways.is_empty() {
                return None;
            }
            let tracked = self.tracked(array.must, &array.asks);
            let all = tracked.iter().map(|&r| self.rules.item(r, array.count));
            Some(TaskId(self.tasks.intern(value_task(self, &ways, all))))
        })
    }

    /// The array after an item with these verdicts.
    pub(crate) fn after_item(&self, id: ArrayId, verdicts: &[bool]) -> ArrayId {
        let array = self.array(id);
        let task = self.task_of(self.item(id).expect("an item was read"));
        let mut next = array.clone();
        next.count += 1;
        let tracked = self.tracked(array.must, &array.asks);
        let judge = |rule: u32, own: FormulaId| {
            let fine = verdict(task, verdicts, self.rules.item(rule, array.count));
            if fine && next.count <= self.rules.array(rule).max {
                own
            } else {
                FormulaId::FALSE
            }
        };
        next.must = self.rules.formulas.substitute(array.must, &judge);
        for ask in &mut next.asks {
            *ask = self.rules.formulas.substitute(*ask, &judge);
        }
        let rules = tracked.iter().map(|&r| self.rules.array(r));
        let ends = rules.flat_map(|r| {
            [
                r.prefix_length(),
                r.min,
                if r.max == u64::MAX {
                    0
                } else {
                    r.max.saturating_add(1)
                },
            ]
        });
        next.count = next.count.min(ends.max().unwrap_or(0).max(1));
        ArrayId(self.arrays.intern(next))
    }

    /// The verdicts if the array ends here; `None` if it must not.
    pub(crate) fn end_array(&self, id: ArrayId) -> Option<Verdicts> {
        let array = self.array(id);
        let holds = |formula: FormulaId| {
            let judge = |rule: u32, _| {
                let rule = self.rules.array(rule);
                truth((rule.min..=rule.max).contains(&array.count))
            };
            self.rules.formulas.substitute(formula, &judge) == FormulaId::TRUE
        };
        holds(array.must).then(|| array.asks.iter().map(|&ask| holds(ask)).collect())
    }

    /// The rules that matter to a formula and to what is asked.
    pub(crate) fn tracked(&self, must: FormulaId, asks: &[FormulaId]) -> Vec<u32> {
        self.rules
            .formulas
            .rules(std::iter::once(must).chain(asks.iter().copied()))
    }
}

/// `must` and the asked formulas with the given indices.
pub(crate) fn demand(
    frames: &Frames,
    must: FormulaId,
    asks: &[FormulaId],
    asked: &[u16],
) -> FormulaId {
    if asked.is_empty() {
        return must;
    }
    let parts: Vec<FormulaId> = std::iter::once(must)
        .chain(asked.iter().map(|&i| asks[usize::from(i)]))
        .collect();
    frames.rules.formulas.and(&parts)
}

pub(crate) fn truth(value: bool) -> FormulaId {
    if value {
        FormulaId::TRUE
    } else {
        FormulaId::FALSE
    }
}
