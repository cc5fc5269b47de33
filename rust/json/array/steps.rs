//! The ways in which an array can go on with an item, and be finished after it.

use std::sync::Arc;

use crate::json::array::completion::{ArrayCompletion, ArrayGoal};
use crate::json::array::progress::ArrayProgress;
use crate::json::array::state::{ArrayId, ArrayWay};
use crate::json::cost::NEVER;
use crate::json::formula::{Clause, FormulaId, RuleId};
use crate::json::obligations::Obligations;
use crate::work;

/// A way in which an array can go on with an item.
#[derive(Debug)]
pub(crate) struct ItemStep {
    /// What the item must satisfy, part by part.
    pub(crate) demands: Vec<FormulaId>,
    /// The fewest bytes after the item.
    pub(crate) end: u64,
}

/// An [`ItemStep`] while it is being put together: what the item satisfies, and what is then left
/// to do.
#[derive(Clone)]
struct ItemDraft {
    demands: Vec<FormulaId>,
    progress: ArrayProgress,
    /// The rules of which one must still fail, set by set.
    nots: Vec<Vec<RuleId>>,
    /// A later item that equals this one: how many items come between them, and what it satisfies.
    twin: Option<(u64, FormulaId)>,
}

impl Obligations {
    /// The ways in which an array can still satisfy `formula`.
    pub(crate) fn array_ways(&self, id: ArrayId, formula: FormulaId) -> Arc<[ArrayWay]> {
        let memo = &self.arrays.memo(id.0).ways;
        if let Some(known) = memo.read().get(&formula) {
            return known.clone();
        }
        let progress = &self.array(id).progress;
        let clauses = self.rules.clauses(formula).iter().enumerate();
        let ways = clauses.filter_map(|(i, clause)| {
            let nots: Vec<&[RuleId]> = clause.nots.iter().map(|not| &**not).collect();
            let completion = self.completion_of(progress, &clause.rules, &nots, None)?;
            let clause = (formula, i);
            Some(ArrayWay { clause, completion })
        });
        let ways: Arc<[ArrayWay]> = ways.collect();
        memo.write().entry(formula).or_insert(ways).clone()
    }

    pub(super) fn clause_of(&self, way: &ArrayWay) -> &Clause {
        let (formula, i) = way.clause;
        &self.rules.clauses(formula)[i]
    }

    fn completion_of(
        &self,
        progress: &ArrayProgress,
        holding: &[RuleId],
        nots: &[&[RuleId]],
        twin: Option<(u64, FormulaId)>,
    ) -> Option<ArrayCompletion> {
        let question = ArrayGoal {
            rules: &self.rules,
            progress,
            holding,
            nots,
            twin,
            cost: &|formula| self.rules.cost_inside(formula),
        };
        question.completion()
    }

    /// The ways in which an array can go on with an item.
    pub(crate) fn item_steps(&self, id: ArrayId, way: &ArrayWay) -> Vec<ItemStep> {
        let progress = &self.array(id).progress;
        let clause = self.clause_of(way);
        let holding = &clause.rules;
        let is_full = |&rule: &RuleId| self.rules.array(rule).max == Some(progress.count);
        if holding.iter().any(is_full) {
            return Vec::new();
        }
        let demands = holding
            .iter()
            .map(|&rule| progress.demand(&self.rules, rule, 0));
        let nots = clause.nots.iter().filter(|not| !not.iter().any(is_full));
        let mut drafts = vec![ItemDraft {
            demands: demands.collect(),
            progress: ArrayProgress {
                count: progress.count + 1,
                ..progress.clone()
            },
            nots: nots.map(|not| not.to_vec()).collect(),
            twin: None,
        }];
        let tracked: Vec<RuleId> = holding
            .iter()
            .chain(clause.nots.iter().flatten())
            .copied()
            .collect();
        for &(rule, _) in progress
            .hits
            .iter()
            .filter(|(rule, _)| tracked.contains(rule))
        {
            drafts = self.with_contains(&drafts, rule, holding.contains(&rule));
        }
        for not in clause.nots.iter() {
            drafts = self.with_broken(progress, &drafts, not);
        }
        let mut out = Vec::new();
        for draft in drafts {
            let ways = self.ways_of(holding, &draft);
            if ways.is_empty() {
                // Where two items to come can be equal, it is no matter what this one is.
                let twins = self.with_twins(progress, &draft, holding);
                out.extend(twins.iter().flat_map(|twin| self.ways_of(holding, twin)));
            }
            out.extend(ways);
        }
        out
    }

    /// The drafts, each with an item that the `contains` of a rule counts, and with one that it
    /// does not count.
    fn with_contains(&self, drafts: &[ItemDraft], rule: RuleId, is_must: bool) -> Vec<ItemDraft> {
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
            for (of, hits) in &mut hit.progress.hits {
                *hits += u64::from(*of == rule);
            }
            let hits = hit.progress.hits(rule);
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

    /// The drafts, each as it is, and with an item that breaks one of some rules.
    fn with_broken(
        &self,
        progress: &ArrayProgress,
        drafts: &[ItemDraft],
        rules: &[RuleId],
    ) -> Vec<ItemDraft> {
        let formulas = &self.rules.formulas;
        let demands = rules
            .iter()
            .map(|&rule| progress.demand(&self.rules, rule, 0));
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

    /// The draft with an item that a later one equals, once for each place of that one, if equal
    /// items make rules fail that must fail.
    fn with_twins(
        &self,
        progress: &ArrayProgress,
        draft: &ItemDraft,
        holding: &[RuleId],
    ) -> Vec<ItemDraft> {
        let mut rest = draft.nots.clone();
        rest.retain(|not| !self.rules.has_unique(not));
        if rest.len() == draft.nots.len() || self.rules.has_unique(holding) {
            return Vec::new();
        }
        let rules = || holding.iter().chain(rest.iter().flatten()).copied();
        let lengths = rules().map(|rule| self.rules.array(rule).prefix_length());
        // From there on, all items are alike.
        let alike = lengths
            .max()
            .unwrap_or(0)
            .saturating_sub(progress.count)
            .max(1);
        let mut out = Vec::new();
        for ahead in 1..=alike {
            let demand = |rule: RuleId| progress.demand(&self.rules, rule, ahead);
            let all: Vec<FormulaId> = holding.iter().map(|&rule| demand(rule)).collect();
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

    fn live(&self, mut drafts: Vec<ItemDraft>) -> Vec<ItemDraft> {
        for draft in &drafts {
            work::spend(8 + draft.demands.len() + draft.progress.hits.len() + draft.nots.len());
        }
        drafts.retain(|draft| self.rules.cost(self.rules.formulas.and(&draft.demands)) != NEVER);
        drafts
    }

    /// The steps that a draft becomes; none if the array cannot be finished after it.
    fn ways_of(&self, holding: &[RuleId], draft: &ItemDraft) -> Vec<ItemStep> {
        let nots: Vec<&[RuleId]> = draft.nots.iter().map(|not| &**not).collect();
        let Some(completion) = self.completion_of(&draft.progress, holding, &nots, draft.twin)
        else {
            return Vec::new();
        };
        let mut rest = draft.demands.clone();
        let mut ways = Vec::new();
        if self.rules.has_unique(holding) {
            for value in self.rules.scarce_values(&completion.items) {
                let Ok(constant) = self.rules.constant(&value) else {
                    continue;
                };
                rest.push(self.rules.formulas.not(constant));
                // Another completion may do without the value.
                let mut progress = draft.progress.clone();
                progress.seen.insert(&self.rules, constant);
                if let Some(completion) = self.completion_of(&progress, holding, &nots, draft.twin)
                {
                    let demands = [&draft.demands[..], &[constant]].concat();
                    ways.push((demands, completion));
                }
            }
        }
        ways.push((rest, completion));
        let ways = ways.into_iter().map(|(demands, completion)| ItemStep {
            demands,
            end: completion.cost,
        });
        let is_live =
            |way: &ItemStep| self.rules.cost(self.rules.formulas.and(&way.demands)) != NEVER;
        ways.filter(is_live).collect()
    }
}
