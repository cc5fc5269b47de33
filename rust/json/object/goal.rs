//! What a completion of an object has to satisfy, and drafts of the members to come.

use crate::json::cost::{NEVER, add};
use crate::json::formula::{Clause, FormulaId, RuleId};
use crate::json::object::keys::Key;
use crate::json::object::progress::ObjectProgress;
use crate::json::object::shape::Shape;
use crate::json::rules::Rules;
use crate::json::texts::TextId;
use crate::work;

/// What a completion has to satisfy.
pub(crate) struct ObjectGoal<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) shape: &'a Shape,
    pub(crate) progress: &'a ObjectProgress,
    pub(crate) clause: &'a Clause,
    /// What a value of a formula costs at least in a member.
    pub(crate) cost: &'a dyn Fn(FormulaId) -> u64,
    /// How many further drafts are looked at for a cheaper completion once one is known.
    pub(crate) refinements: usize,
}

/// Members to come, and what has been decided about them.
#[derive(Clone)]
pub(super) struct MemberDraft<'a> {
    /// Sorted.
    pub(super) members: Vec<(Key, FormulaId)>,
    /// The members' bytes, without commas.
    pub(super) bytes: u64,
    /// The rules that must hold.
    pub(super) holding: Vec<RuleId>,
    /// Sets of rules. Of each set, one rule at least must fail.
    pub(super) nots: Vec<&'a [RuleId]>,
    /// For each set of `nots`, whether the value of a member is known to break one of its rules.
    pub(super) broken: Vec<bool>,
    /// Lists of clauses. Of each list, one clause must hold.
    pub(super) ors: Vec<&'a [Clause]>,
    /// How many members the object must have at least.
    pub(super) least: u64,
    pub(super) most: Option<u64>,
}

impl<'a> ObjectGoal<'a> {
    /// Adds what a clause asks for; `None` if that cannot be.
    pub(super) fn commit(&self, draft: &mut MemberDraft<'a>, clause: &'a Clause) -> Option<()> {
        for &rule in &clause.rules {
            work::spend(1 + draft.members.len());
            if draft.holding.contains(&rule) {
                continue;
            }
            draft.holding.push(rule);
            let counts = self.rules.object(rule);
            draft.least = draft.least.max(counts.min);
            draft.most = [draft.most, counts.max].into_iter().flatten().min();
            for i in 0..draft.members.len() {
                let (key, value) = draft.members[i];
                let demand = self.shape.demand(self.rules, rule, key);
                self.set(draft, key, self.rules.formulas.and(&[value, demand]))?;
            }
        }
        for &rule in &clause.rules {
            for key in self.progress.missing(self.shape, rule) {
                self.require(draft, key)?;
            }
        }
        for not in &clause.nots {
            let mut members = draft.members.iter();
            draft
                .broken
                .push(members.any(|&(key, value)| self.shape.breaks(self.rules, not, key, value)));
            draft.nots.push(not);
        }
        draft.ors.extend(clause.ors.iter().map(|or| &**or));
        Some(())
    }

    pub(super) fn value(&self, draft: &MemberDraft, key: Key) -> FormulaId {
        let demands = self.shape.demands(self.rules, &draft.holding, key);
        self.rules.formulas.and(&demands)
    }

    pub(super) fn name_bytes(&self, key: Key) -> u64 {
        self.shape.name_bytes(self.rules, key)
    }

    /// Adds a member, unless it is there; `None` if it cannot come.
    pub(super) fn require(&self, draft: &mut MemberDraft, key: Key) -> Option<()> {
        if draft.has(key) {
            return Some(());
        }
        self.set(draft, key, self.value(draft, key))
    }

    /// The members' bytes if one has this value; `None` if it cannot.
    pub(super) fn bytes_with(
        &self,
        draft: &MemberDraft,
        key: Key,
        value: FormulaId,
    ) -> Option<u64> {
        let cost = (self.cost)(value);
        if cost == NEVER || !self.progress.is_open(key) {
            return None;
        }
        Some(match draft.value(key) {
            Some(known) => {
                let before = (self.cost)(known);
                add(draft.bytes - before.min(draft.bytes), cost)
            }
            None => {
                let name = self.name_bytes(key) + self.rules.separators.colon;
                add(draft.bytes, add(cost, name))
            }
        })
    }

    /// Adds a member with a value, or gives the one that is there another value.
    pub(super) fn set(&self, draft: &mut MemberDraft, key: Key, value: FormulaId) -> Option<()> {
        draft.bytes = self.bytes_with(draft, key, value)?;
        work::spend(1 + draft.nots.len());
        for (not, broken) in draft.nots.iter().zip(&mut draft.broken) {
            *broken = *broken || self.shape.breaks(self.rules, not, key, value);
        }
        match draft.find(key) {
            Ok(at) => draft.members[at].1 = value,
            Err(at) => draft.members.insert(at, (key, value)),
        }
        Some(())
    }

    pub(super) fn total(&self, draft: &MemberDraft) -> u64 {
        self.total_of(draft.bytes, draft.members.len() as u64)
    }

    pub(super) fn total_of(&self, bytes: u64, members: u64) -> u64 {
        let is_empty = self.progress.is_nothing();
        add(bytes, self.rules.separators.around(is_empty, members))
    }

    pub(super) fn count(&self, draft: &MemberDraft) -> u64 {
        self.progress.count + draft.members.len() as u64
    }

    /// Whether a rule fails if the object ends after the draft's members.
    pub(super) fn fails(&self, draft: &MemberDraft, rule: RuleId) -> bool {
        work::spend(1);
        let has = |key: Key| self.progress.has(key) || draft.has(key);
        let counts = self.rules.object(rule);
        let count = self.count(draft).max(draft.least);
        let dependent = &self.shape.required(rule).dependent;
        let mut missing = self.progress.missing(self.shape, rule);
        missing.any(|key| !draft.has(key))
            || counts.min > count
            || counts.max.is_some_and(|max| count > max)
            || dependent
                .iter()
                .any(|(of, needs)| has(*of) && !needs.iter().all(|&need| has(need)))
    }

    /// Whether a clause holds already with the draft's members.
    pub(super) fn is_met(&self, draft: &MemberDraft, clause: &Clause) -> bool {
        work::spend(clause.rules.len() + clause.nots.len());
        clause.ors.is_empty()
            && clause.rules.iter().all(|rule| draft.holding.contains(rule))
            && clause
                .nots
                .iter()
                .all(|not| not.iter().any(|&rule| self.fails(draft, rule)))
    }

    /// Adds what the members that are there require; `None` if that cannot come.
    pub(super) fn close(&self, draft: &mut MemberDraft) -> Option<()> {
        if !self.shape.has_dependent {
            return Some(());
        }
        loop {
            let before = draft.members.len();
            for i in 0..draft.holding.len() {
                work::spend(1 + self.shape.required(draft.holding[i]).dependent.len());
                for (of, needs) in &self.shape.required(draft.holding[i]).dependent {
                    if self.progress.has(*of) || draft.has(*of) {
                        for &need in needs.iter().filter(|&&need| !self.progress.has(need)) {
                            self.require(draft, need)?;
                        }
                    }
                }
            }
            if draft.members.len() == before {
                return Some(());
            }
        }
    }

    /// The cheapest key of a class that is not there yet.
    pub(super) fn fresh(&self, draft: &MemberDraft, class: u16) -> Option<Key> {
        let is_here = |key: &&Key| matches!(key, Key::Other(_, c) if *c == class);
        let read = self.progress.others.iter().filter(is_here);
        // A key that has come but is not known may be any: so one word less is left.
        let unknown = Key::Other(TextId::WHATEVER, class);
        let skip = self
            .progress
            .others
            .iter()
            .filter(|&&key| key == unknown)
            .count();
        let drafted = draft
            .members
            .iter()
            .filter(|(key, _)| is_here(&key))
            .count();
        let most = read.count() + drafted + self.shape.wanted.len() + 2;
        let keys = self.shape.cheapest_keys(self.rules, class, most);
        // Keys that some rule names are told apart from these.
        let is_named = |key: &Key| self.shape.wanted.binary_search(key).is_ok();
        let mut free = keys
            .iter()
            .filter(|&&key| self.progress.is_open(key) && !draft.has(key) && !is_named(&key));
        free.nth(skip).copied()
    }
}

impl MemberDraft<'_> {
    pub(super) fn find(&self, key: Key) -> Result<usize, usize> {
        self.members.binary_search_by_key(&key, |member| member.0)
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.find(key).is_ok()
    }

    pub(super) fn value(&self, key: Key) -> Option<FormulaId> {
        self.find(key).ok().map(|at| self.members[at].1)
    }
}
