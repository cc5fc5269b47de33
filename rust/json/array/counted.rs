//! The cheapest items to come that satisfy counters: a search for the shortest path, on which each
//! item is a step.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::json::array::completion::{ArrayGoal, CountedBy, Counter, PlainGoal};
use crate::json::cost::{NEVER, add, multiply};
use crate::json::formula::FormulaId;
use crate::work;

impl ArrayGoal<'_> {
    /// The cheapest items to come that satisfy the counters; with `apart`, of those that can all differ.
    pub(super) fn counted(&self, plain: &PlainGoal, apart: bool) -> Option<Vec<(FormulaId, u64)>> {
        let counters = &plain.counters;
        let start: ItemNode = (
            0,
            counters.iter().map(|c| c.min).collect(),
            counters.iter().map(|c| c.max).collect(),
            Vec::new(),
        );
        let mut best = ItemPaths::default();
        // More items than those that something asks for help nothing.
        let hits: u64 = counters.iter().fold(0, |sum, c| sum.saturating_add(c.min));
        let ends = counters.iter().filter_map(|counter| match counter.of {
            CountedBy::At(ahead, _) => Some(self.progress.count + ahead + 1),
            CountedBy::Formula(_) | CountedBy::NotDemanded(_) => None,
        });
        let ends = ends.max().unwrap_or(self.progress.count);
        let asked = plain.least.max(self.alike(plain)).max(ends);
        let longest = asked
            .saturating_add(hits)
            .min(plain.most.unwrap_or(u64::MAX));
        let comma = self.rules.separators.comma;
        // No item takes less than a byte and its comma. To ask for more is to ask for costs that
        // may never matter.
        let rest = |node: &ItemNode| {
            let missing = plain.least.saturating_sub(self.progress.count + node.0);
            let asked = node.1.iter().fold(missing, |most, &min| most.max(min));
            multiply(1 + comma, asked)
        };
        let mut open = BinaryHeap::from([Reverse((0, Reverse(0), start.clone()))]);
        best.insert(start, (0, None));
        while let Some(Reverse((_, Reverse(spent), node))) = open.pop() {
            if best[&node].0 < spent {
                continue;
            }
            work::spend(1 + counters.len());
            let length = self.progress.count + node.0;
            if node.1.iter().all(|&min| min == 0) && length >= plain.least {
                return Some(path(&best, node));
            }
            if length >= longest {
                continue;
            }
            for (value, mins, maxes) in self.choices(counters, &node.1, &node.2, node.0) {
                let mut before = node.3.clone();
                if apart {
                    work::spend(4 * (1 + before.len()));
                    before.push(value);
                    before.sort_unstable();
                    let items: Vec<(FormulaId, u64)> =
                        before.iter().map(|&item| (item, 1)).collect();
                    if self.distinct(&items).is_none() {
                        continue;
                    }
                }
                let next = (node.0 + 1, mins, maxes, before);
                let spent = add(spent, add((self.cost)(value), comma));
                if best.get(&next).is_none_or(|(known, _)| spent < *known) {
                    best.insert(next.clone(), (spent, Some((node.clone(), value))));
                    open.push(Reverse((add(spent, rest(&next)), Reverse(spent), next)));
                }
            }
        }
        None
    }

    /// What the item to come that `ahead` others stand before can be, and what is left of the
    /// counters after it.
    fn choices(
        &self,
        counters: &[Counter],
        mins: &[u64],
        maxes: &[Option<u64>],
        ahead: u64,
    ) -> Vec<ItemChoice> {
        let formulas = &self.rules.formulas;
        let mut out = vec![(self.value(ahead), mins.to_vec(), maxes.to_vec())];
        for (i, counter) in counters.iter().enumerate() {
            let of = match counter.of {
                CountedBy::Formula(formula) => formula,
                CountedBy::NotDemanded(rule) => {
                    formulas.not(self.progress.demand(self.rules, rule, ahead))
                }
                CountedBy::At(at, formula) if at == ahead => formula,
                CountedBy::At(..) => FormulaId::FALSE,
            };
            let mut next = Vec::new();
            work::spend(out.len() * (1 + counters.len()));
            for (value, mins, maxes) in out {
                // More than enough hits make no difference where there is no upper bound.
                if maxes[i] != Some(0) && (mins[i] > 0 || maxes[i].is_some()) {
                    let (mut mins, mut maxes) = (mins.clone(), maxes.clone());
                    mins[i] = mins[i].saturating_sub(1);
                    maxes[i] = maxes[i].map(|max| max - 1);
                    next.push((formulas.and(&[value, of]), mins, maxes));
                }
                let missed = match maxes[i] {
                    Some(_) => formulas.and(&[value, formulas.not(of)]),
                    None => value,
                };
                next.push((missed, mins, maxes));
            }
            next.retain(|choice| (self.cost)(choice.0) != NEVER);
            out = next;
        }
        out.retain(|choice| (self.cost)(choice.0) != NEVER);
        out
    }
}

/// An item, and what is left of the counters after it.
type ItemChoice = (FormulaId, Vec<u64>, Vec<Option<u64>>);

/// How many items have come, what is left of the counters, and the items if they must differ. Sorted.
type ItemNode = (u64, Vec<u64>, Vec<Option<u64>>, Vec<FormulaId>);

/// The cheapest way to each node: its bytes, the node before and the item between them.
type ItemPaths = FxHashMap<ItemNode, (u64, Option<(ItemNode, FormulaId)>)>;

/// The items on the way to a node.
fn path(best: &ItemPaths, end: ItemNode) -> Vec<(FormulaId, u64)> {
    let mut items = Vec::new();
    let mut at = end;
    while let Some((before, item)) = &best[&at].1 {
        items.push((*item, 1));
        at = before.clone();
    }
    items.reverse();
    items
}
