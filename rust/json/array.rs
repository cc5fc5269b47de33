//! Arrays that are being read.

use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::json::array_ending::{Ending, Question, Read};
use crate::json::formula::{Clause, FormulaId};
use crate::json::frames::{Frames, Task, TaskId, Verdicts, value_task};
use crate::json::liveness::NEVER;
use crate::json::taken::Taken;
use crate::work;

/// An array that is being read: an index into [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ArrayId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Array {
    must: FormulaId,
    asks: Box<[FormulaId]>,
    read: Read,
}

#[derive(Debug, Default)]
pub(crate) struct ArrayMemo {
    ways: RwLock<FxHashMap<FormulaId, Arc<[ArrayWay]>>>,
    item: OnceLock<Option<TaskId>>,
    is_unique: OnceLock<bool>,
    spare: OnceLock<Option<u64>>,
}

/// A way in which an array can be finished.
#[derive(Debug)]
pub(crate) struct ArrayWay {
    /// Which of the formula's clauses.
    clause: (FormulaId, usize),
    pub(crate) ending: Ending,
}

/// A way in which an array can go on with an item.
#[derive(Debug)]
pub(crate) struct ItemWay {
    /// What the item must satisfy, part by part.
    pub(crate) demands: Vec<FormulaId>,
    /// The fewest bytes after the item.
    pub(crate) end: u64,
}

/// What an item could do, of which some ways are made.
#[derive(Clone)]
struct Draft {
    demands: Vec<FormulaId>,
    read: Read,
    /// The rules of which one must still fail, set by set.
    nots: Vec<Vec<u32>>,
    /// What a later item satisfies that equals this one, and how many come between them.
    twin: Option<(u64, FormulaId)>,
}

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

    fn array(&self, id: ArrayId) -> &Array {
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

    /// The ways in which an array can still satisfy `formula`.
    pub(crate) fn array_ways(&self, id: ArrayId, formula: FormulaId) -> Arc<[ArrayWay]> {
        let memo = &self.arrays.memo(id.0).ways;
        if let Some(known) = memo.read().get(&formula) {
            return known.clone();
        }
        let read = &self.array(id).read;
        let clauses = self.rules.clauses(formula).iter().enumerate();
        let ways = clauses.filter_map(|(i, clause)| {
            let nots: Vec<&[u32]> = clause.nots.iter().map(|not| &**not).collect();
            let ending = self.ending_of(read, &clause.rules, &nots, None)?;
            let clause = (formula, i);
            Some(ArrayWay { clause, ending })
        });
        let ways: Arc<[ArrayWay]> = ways.collect();
        memo.write().entry(formula).or_insert(ways).clone()
    }

    fn clause_of(&self, way: &ArrayWay) -> &Clause {
        let (formula, i) = way.clause;
        &self.rules.clauses(formula)[i]
    }

    fn ending_of(
        &self,
        read: &Read,
        must: &[u32],
        nots: &[&[u32]],
        twin: Option<(u64, FormulaId)>,
    ) -> Option<Ending> {
        let question = Question {
            rules: &self.rules,
            read,
            must,
            nots,
            twin,
            cost: &|formula| self.rules.cost(formula),
        };
        question.ending()
    }

    /// The ways in which an array can go on with an item.
    pub(crate) fn item_ways(&self, id: ArrayId, way: &ArrayWay) -> Vec<ItemWay> {
        let read = &self.array(id).read;
        let clause = self.clause_of(way);
        let must = &clause.rules;
        let is_full = |&rule: &u32| self.rules.array(rule).max == Some(read.count);
        if must.iter().any(is_full) {
            return Vec::new();
        }
        let demands = must.iter().map(|&rule| read.demand(&self.rules, rule, 0));
        let nots = clause.nots.iter().filter(|not| !not.iter().any(is_full));
        let mut drafts = vec![Draft {
            demands: demands.collect(),
            read: Read {
                count: read.count + 1,
                ..read.clone()
            },
            nots: nots.map(|not| not.to_vec()).collect(),
            twin: None,
        }];
        let tracked: Vec<u32> = must
            .iter()
            .chain(clause.nots.iter().flatten())
            .copied()
            .collect();
        for &(rule, _) in read.hits.iter().filter(|(rule, _)| tracked.contains(rule)) {
            drafts = self.with_contains(&drafts, rule, must.contains(&rule));
        }
        for not in clause.nots.iter() {
            drafts = self.with_broken(read, &drafts, not);
        }
        let mut out = Vec::new();
        for draft in drafts {
            let ways = self.ways_of(must, &draft);
            if ways.is_empty() {
                // Where two items to come can be equal, it is no matter what this one is.
                let twins = self.with_twins(read, &draft, must);
                out.extend(twins.iter().flat_map(|twin| self.ways_of(must, twin)));
            }
            out.extend(ways);
        }
        out
    }

    /// With an item that is, or is not, one of those that a rule counts.
    fn with_contains(&self, drafts: &[Draft], rule: u32, is_must: bool) -> Vec<Draft> {
        let contains = self
            .rules
            .array(rule)
            .contains
            .expect("the rule counts items");
        let formula = self.rules.child(contains.child);
        let mut out = Vec::new();
        for draft in drafts {
            let mut hit = draft.clone();
            hit.demands.push(formula);
            for (of, hits) in &mut hit.read.hits {
                *hits += u64::from(*of == rule);
            }
            let hits = hit.read.hits(rule);
            if contains.max.is_some_and(|max| hits > max) {
                hit.nots.retain(|not| !not.contains(&rule));
            }
            let mut miss = draft.clone();
            // A hit is welcome where a rule must hold and has no upper bound.
            if contains.max.is_some() || !is_must {
                miss.demands.push(self.rules.formulas.not(formula));
            }
            out.extend([miss, hit]);
        }
        self.live(out)
    }

    /// With an item that breaks one of some rules, or does not care.
    fn with_broken(&self, read: &Read, drafts: &[Draft], rules: &[u32]) -> Vec<Draft> {
        let formulas = &self.rules.formulas;
        let demands = rules.iter().map(|&rule| read.demand(&self.rules, rule, 0));
        let demands: Vec<FormulaId> = demands.collect();
        let broken = formulas.not(formulas.and(&demands));
        let mut out = Vec::new();
        for draft in drafts {
            out.push(draft.clone());
            if broken != FormulaId::FALSE && draft.nots.iter().any(|not| not[..] == *rules) {
                let mut breaking = draft.clone();
                breaking.demands.push(broken);
                breaking.nots.retain(|not| not[..] != *rules);
                out.push(breaking);
            }
        }
        self.live(out)
    }

    /// With an item that a later one equals, if that makes rules fail.
    fn with_twins(&self, read: &Read, draft: &Draft, must: &[u32]) -> Vec<Draft> {
        let mut rest = draft.nots.clone();
        rest.retain(|not| !self.rules.has_unique(not));
        if rest.len() == draft.nots.len() || self.rules.has_unique(must) {
            return Vec::new();
        }
        let rules = || must.iter().chain(rest.iter().flatten()).copied();
        let lengths = rules().map(|rule| self.rules.array(rule).prefix_length());
        // From there on, all items are alike.
        let alike = lengths.max().unwrap_or(0).saturating_sub(read.count).max(1);
        let mut out = Vec::new();
        for ahead in 1..=alike {
            let demand = |rule: u32| read.demand(&self.rules, rule, ahead);
            let all: Vec<FormulaId> = must.iter().map(|&rule| demand(rule)).collect();
            let contains = rules().filter_map(|rule| self.rules.array(rule).contains);
            let counted = contains.map(|contains| self.rules.child(contains.child));
            let counted = counted.chain(rest.iter().flatten().map(|&rule| demand(rule)));
            let cost = |formula| self.rules.cost(formula);
            for twin in self.rules.told_apart(&all, counted, &cost) {
                let mut repeated = draft.clone();
                repeated.demands.push(twin);
                repeated.nots.clone_from(&rest);
                repeated.twin = Some((ahead - 1, twin));
                out.push(repeated);
            }
        }
        self.live(out)
    }

    fn live(&self, mut drafts: Vec<Draft>) -> Vec<Draft> {
        for draft in &drafts {
            work::spend(8 + draft.demands.len() + draft.read.hits.len() + draft.nots.len());
        }
        drafts.retain(|draft| self.rules.cost(self.rules.formulas.and(&draft.demands)) != NEVER);
        drafts
    }

    /// The ways that a draft is, if the array can be finished after it.
    fn ways_of(&self, must: &[u32], draft: &Draft) -> Vec<ItemWay> {
        let nots: Vec<&[u32]> = draft.nots.iter().map(|not| &**not).collect();
        let Some(ending) = self.ending_of(&draft.read, must, &nots, draft.twin) else {
            return Vec::new();
        };
        let mut rest = draft.demands.clone();
        let mut ways = Vec::new();
        if self.rules.has_unique(must) {
            for value in self.rules.scarce_values(&ending.items) {
                let Ok(constant) = self.rules.constant(&value) else {
                    continue;
                };
                rest.push(self.rules.formulas.not(constant));
                // Another ending may do without the value.
                let mut read = draft.read.clone();
                read.taken.insert(&self.rules, constant);
                if let Some(ending) = self.ending_of(&read, must, &nots, draft.twin) {
                    let demands = [&draft.demands[..], &[constant]].concat();
                    ways.push((demands, ending));
                }
            }
        }
        ways.push((rest, ending));
        let ways = ways.into_iter().map(|(demands, ending)| ItemWay {
            demands,
            end: ending.cost,
        });
        let is_live =
            |way: &ItemWay| self.rules.cost(self.rules.formulas.and(&way.demands)) != NEVER;
        ways.filter(is_live).collect()
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
            let Task { must, asks } = value_task(self, &ways, all);
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
