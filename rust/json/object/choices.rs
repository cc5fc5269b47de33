//! What the value of a member can do for a clause, beyond what it must.
//!
//! A value can satisfy what a rule demands that holds in some alternative, and it can break rules of
//! which one must fail. Each such choice makes the value harder to find and leaves less to the
//! members after it. So if a set of choices is enough, larger ones add no values; and a choice
//! without which not even all others are enough must be made.

use rustc_hash::FxHashSet;

use crate::json::cost::NEVER;
use crate::json::formula::{Alternatives, Clause, FormulaId, RuleId};
use crate::json::object::clause_rest::{mentions, unbroken};
use crate::json::object::completion::{MemberStep, REFINED};
use crate::json::object::keys::Key;
use crate::json::object::progress::ObjectProgress;
use crate::json::object::shape::Shape;
use crate::json::object::state::Object;
use crate::json::obligations::Obligations;
use crate::work;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberChoice<'c> {
    /// The value satisfies what a rule demands.
    Keep(RuleId),
    /// It breaks one of these.
    Break(&'c [RuleId]),
}

/// An object that goes on with a member under a clause.
#[derive(Clone, Copy)]
pub(super) struct MemberContext<'a> {
    pub(super) obligations: &'a Obligations,
    pub(super) object: &'a Object,
    /// What has been read once the member has come.
    pub(super) progress: &'a ObjectProgress,
    pub(super) shape: &'a Shape,
    pub(super) key: Key,
}

struct ChoiceSearch<'a, 'c> {
    context: MemberContext<'a>,
    clause: &'c Clause,
    /// What the value must satisfy whatever is chosen.
    demands: Vec<FormulaId>,
    choices: Vec<MemberChoice<'c>>,
    /// For each choice, the place of a list of clauses of which one asks for it.
    lists: Vec<*const Clause>,
    /// While fewer sets than this were tried, those that are larger than need be are looked at as
    /// well: they may have cheaper completions.
    cheaper: usize,
    /// The search ends once it has found so many ways.
    most: usize,
    tried: usize,
    /// The sets of choices found so far after which the object can be finished.
    enough: Vec<Vec<usize>>,
    out: Vec<MemberStep>,
}

impl MemberContext<'_> {
    fn demand(&self, rule: RuleId) -> FormulaId {
        self.shape.demand(&self.obligations.rules, rule, self.key)
    }

    fn demands(&self, rules: &[RuleId]) -> Vec<FormulaId> {
        self.shape.demands(&self.obligations.rules, rules, self.key)
    }

    /// The ways to go on. The first `cheaper` sets of choices may be larger than need be: a value
    /// that does more than it must can leave a cheaper completion.
    pub(super) fn ways(&self, clause: &Clause, cheaper: usize) -> Vec<MemberStep> {
        self.some_ways(clause, cheaper, usize::MAX)
    }

    /// Whether there is a way to go on.
    pub(super) fn may(&self, clause: &Clause) -> bool {
        !self.some_ways(clause, 0, 1).is_empty()
    }

    fn some_ways(&self, clause: &Clause, cheaper: usize, most: usize) -> Vec<MemberStep> {
        let demands = self.demands(&clause.rules);
        let value = self.obligations.rules.formulas.and(&demands);
        // What every such value does is no choice.
        let breaks = |rules: &[RuleId]| {
            let rules_of = &self.obligations.rules;
            self.shape.breaks(rules_of, rules, self.key, value)
        };
        let fails = |rule| !clause.rules.contains(&rule) && breaks(&[rule]);
        let Some(clause) = unbroken(clause, &fails, &breaks) else {
            return Vec::new();
        };
        let mut choices = Vec::new();
        let given = |demand| demand == FormulaId::TRUE || demands.contains(&demand);
        let seen = &mut FxHashSet::default();
        self.find_choices(&clause, std::ptr::null(), &given, seen, &mut choices);
        let (choices, lists): (Vec<_>, Vec<_>) = choices.into_iter().unzip();
        let open = (0..choices.len()).collect();
        let mut search = ChoiceSearch {
            context: *self,
            clause: &clause,
            demands,
            choices,
            lists,
            cheaper,
            most,
            tried: 0,
            enough: Vec::new(),
            out: Vec::new(),
        };
        search.visit(Vec::new(), open, false);
        search.out
    }

    /// The choices of a clause of the list at the place `list`, each with the place of its list.
    /// `seen` are the places of the lists that were met.
    fn find_choices<'c>(
        &self,
        clause: &'c Clause,
        list: *const Clause,
        given: &impl Fn(FormulaId) -> bool,
        seen: &mut FxHashSet<*const Clause>,
        out: &mut Vec<(MemberChoice<'c>, *const Clause)>,
    ) {
        let can_break =
            |not: &&[RuleId]| not.iter().any(|&rule| self.demand(rule) != FormulaId::TRUE);
        let nots = clause.nots.iter().map(|not| &**not).filter(can_break);
        let mut new: Vec<_> = nots.map(|not| (MemberChoice::Break(not), list)).collect();
        let ors = clause.ors.iter().filter(|or| seen.insert(or.place()));
        let ors: Vec<&Alternatives> = ors.collect();
        for or in &ors {
            let rules = or.iter().flat_map(|inner| inner.rules.iter().copied());
            let rules = rules.filter(|&rule| !given(self.demand(rule)));
            new.extend(rules.map(|rule| (MemberChoice::Keep(rule), or.place())));
        }
        work::spend(clause.work() + new.len() * (1 + out.len()));
        for (choice, list) in new {
            if !out.iter().any(|(known, _)| *known == choice) {
                out.push((choice, list));
            }
        }
        for or in ors {
            for inner in or.iter() {
                self.find_choices(inner, or.place(), given, seen, out);
            }
        }
    }

    /// A clause without the lists of which every clause says something about the member: one clause
    /// of each such list is chosen, in all ways.
    pub(super) fn decided(&self, clause: &Clause) -> Vec<Clause> {
        let rules = &self.obligations.rules;
        let concerns = |rule: RuleId| self.demand(rule) != FormulaId::TRUE;
        let (forced, free): (Vec<_>, Vec<_>) = clause
            .ors
            .iter()
            .partition(|or| or.iter().all(|inner| mentions(inner, &concerns)));
        let mut out = vec![Clause {
            ors: free.into_iter().cloned().collect(),
            ..clause.clone()
        }];
        for or in forced {
            out = rules.all_of(&out, or);
            // Conditions on one key mostly exclude each other once the key is there.
            out.retain(|clause| {
                rules.cost(rules.formulas.and(&self.demands(&clause.rules))) != NEVER
            });
            work::spend(out.len());
        }
        out
    }
}

impl ChoiceSearch<'_, '_> {
    fn demands(&self, set: &[usize]) -> Vec<FormulaId> {
        let formulas = &self.context.obligations.rules.formulas;
        let mut demands = self.demands.clone();
        for &i in set {
            let demand = match self.choices[i] {
                MemberChoice::Keep(rule) => self.context.demand(rule),
                MemberChoice::Break(rules) => {
                    formulas.not(formulas.and(&self.context.demands(rules)))
                }
            };
            if demand != FormulaId::TRUE {
                demands.push(demand);
            }
        }
        demands
    }

    /// The fewest bytes after a value with these choices.
    fn end(&self, set: &[usize]) -> Option<u64> {
        // Whether there is one is all that a single way is asked for.
        self.refined_end(set, if self.most == 1 { 0 } else { REFINED })
    }

    fn is_enough(&self, set: &[usize]) -> bool {
        self.refined_end(set, 0).is_some()
    }

    /// As [`ChoiceSearch::end`], with so many refinements.
    fn refined_end(&self, set: &[usize], refinements: usize) -> Option<u64> {
        let chosen = |choice| set.iter().any(|&i| self.choices[i] == choice);
        let fails = |rule| {
            self.choices.contains(&MemberChoice::Keep(rule)) && !chosen(MemberChoice::Keep(rule))
        };
        let breaks = |not: &[RuleId]| {
            set.iter()
                .any(|&i| self.choices[i] == MemberChoice::Break(not))
        };
        let clause = unbroken(self.clause, &fails, &breaks)?;
        let MemberContext {
            obligations,
            object,
            progress,
            ..
        } = self.context;
        let completion = obligations.some_completion(object, progress, &clause, refinements);
        completion.map(|completion| completion.cost)
    }

    /// Looks for sets of choices after which the object can be finished: those in `made`, and some
    /// of those in `open`. `is_open_enough` if all of them are known to be enough, and each of
    /// those in `open` to be needless.
    fn visit(&mut self, made: Vec<usize>, mut open: Vec<usize>, is_open_enough: bool) {
        let rules = &self.context.obligations.rules;
        let is_known = |set: &Vec<usize>| set.iter().all(|i| made.contains(i));
        let is_generous = self.tried < self.cheaper;
        if self.out.len() >= self.most || !is_generous && self.enough.iter().any(is_known) {
            return;
        }
        self.tried += 1;
        work::spend(1 + self.choices.len());
        let demands = self.demands(&made);
        let value = rules.formulas.and(&demands);
        if rules.cost(value) == NEVER {
            return;
        }
        let done = self.done(&made, value);
        open.retain(|i| !done.contains(i));
        let Some(end) = self.end(&done) else {
            return match is_open_enough {
                true => self.branch(made, done, open),
                false => self.need(made, done, open, None),
            };
        };
        self.enough.push(made.clone());
        self.out.push(MemberStep {
            demands,
            value,
            end,
        });
        if is_generous && self.end(&with(&done, &open)) != Some(end) {
            for at in 0..open.len() {
                self.visit(with(&made, &[open[at]]), open[..at].to_vec(), false);
            }
        }
    }

    /// What a value does that these choices ask for: them, and what it breaks beside.
    fn done(&self, made: &[usize], value: FormulaId) -> Vec<usize> {
        if made.is_empty() {
            // What every value breaks is no choice.
            return Vec::new();
        }
        let MemberContext { shape, key, .. } = self.context;
        let rules_of = &self.context.obligations.rules;
        let is_done = |&i: &usize| match self.choices[i] {
            _ if made.contains(&i) => true,
            MemberChoice::Keep(_) => false,
            MemberChoice::Break(rules) => shape.breaks(rules_of, rules, key, value),
        };
        (0..self.choices.len()).filter(is_done).collect()
    }

    /// As [`ChoiceSearch::visit`], if what is `done` is not enough: makes the choices without which
    /// not even all others are. Where the choice `last` has just been given up, that is most likely
    /// one beside it.
    fn need(
        &mut self,
        made: Vec<usize>,
        done: Vec<usize>,
        mut open: Vec<usize>,
        last: Option<usize>,
    ) {
        if open.is_empty() || !self.is_enough(&with(&done, &open)) {
            return;
        }
        let is_beside = |&at: &usize| last.is_some_and(|i| self.lists[i] == self.lists[open[at]]);
        let (beside, others): (Vec<_>, Vec<_>) = (0..open.len()).partition(is_beside);
        let is_needed = |&at: &usize| {
            let others = with(&open[..at], &open[at + 1..]);
            !self.is_enough(&with(&done, &others))
        };
        let needed = match beside.into_iter().find(is_needed) {
            Some(at) => vec![at],
            None => others.into_iter().filter(is_needed).collect(),
        };
        if needed.is_empty() {
            return self.branch(made, done, open);
        }
        let more: Vec<usize> = needed.iter().map(|&at| open[at]).collect();
        open.retain(|i| !more.contains(i));
        self.visit(with(&made, &more), open, false);
    }

    /// As [`ChoiceSearch::need`], if no choice is needed: the sets without the last one, and those
    /// with it.
    fn branch(&mut self, made: Vec<usize>, done: Vec<usize>, mut open: Vec<usize>) {
        let Some(last) = open.pop() else { return };
        self.need(made.clone(), done, open.clone(), Some(last));
        self.visit(with(&made, &[last]), open, true);
    }
}

fn with(some: &[usize], more: &[usize]) -> Vec<usize> {
    [some, more].concat()
}
