//! How an object can be finished: which members must still come.
//!
//! Rules that must hold ask for keys; rules that must fail ask for something that breaks them: a
//! key that does not come, a member with a value that it forbids, or one member too many. What is
//! missing already breaks most of them. For the others the members that could do it are tried, the
//! cheapest completion first.

use crate::json::cost::{NEVER, add};
use crate::json::formula::{Clause, FormulaId, RuleId};
use crate::json::object::goal::{MemberDraft, ObjectGoal};
use crate::json::object::keys::Key;
use crate::json::texts::TextId;
use crate::work;

/// A way to finish an object.
#[derive(Clone, Debug)]
pub(crate) struct ObjectCompletion {
    /// The bytes from after a member or the opening brace on, the closing brace included.
    pub(crate) cost: u64,
    /// The members to come, in order.
    pub(crate) members: Vec<(Key, FormulaId)>,
}

/// A way in which an object can go on with the value of a member.
#[derive(Debug)]
pub(crate) struct MemberStep {
    /// What the value must satisfy, part by part.
    pub(crate) demands: Vec<FormulaId>,
    /// The conjunction of the demands.
    pub(crate) value: FormulaId,
    /// The fewest bytes after the value.
    pub(crate) end: u64,
}

/// How many further drafts are looked at for a cheaper completion once one is known.
pub(crate) const REFINED: usize = 64;

/// What makes a rule fail.
enum Change {
    /// The object has at least so many members.
    Least(u64),
    /// A member that requires another.
    Add(Key),
    /// A member with a value that the rule forbids.
    Break(Key, FormulaId),
}

struct MemberSearch<'q, 'a> {
    question: &'q ObjectGoal<'a>,
    best: Option<(u64, MemberDraft<'a>)>,
    /// How many further drafts are still looked at for a cheaper completion once one is known.
    refinements: usize,
}

impl<'a> ObjectGoal<'a> {
    /// The cheapest completion.
    pub(crate) fn completion(&self) -> Option<ObjectCompletion> {
        let mut draft = MemberDraft {
            members: Vec::new(),
            bytes: 0,
            holding: Vec::new(),
            nots: Vec::new(),
            broken: Vec::new(),
            ors: Vec::new(),
            least: 0,
            most: None,
        };
        self.commit(&mut draft, self.clause)?;
        let mut search = MemberSearch {
            question: self,
            best: None,
            refinements: self.refinements,
        };
        search.visit(draft);
        let (_, draft) = search.best?;
        Some(ObjectCompletion {
            cost: self.total(&draft),
            members: draft.members,
        })
    }
}

impl<'a> MemberSearch<'_, 'a> {
    fn visit(&mut self, mut draft: MemberDraft<'a>) {
        let question = self.question;
        if self.best.is_some() {
            match self.refinements.checked_sub(1) {
                Some(fewer) => self.refinements = fewer,
                None => return,
            }
        }
        // A draft is copied, and most members are looked at.
        work::spend(4 * (1 + draft.members.len() + draft.nots.len() + draft.ors.len()));
        work::spend(draft.holding.len());
        if question.close(&mut draft).is_none() {
            return;
        }
        let total = question.total(&draft);
        let too_many = draft
            .most
            .is_some_and(|most| question.count(&draft).max(draft.least) > most);
        if too_many || self.is_beaten(total) {
            return;
        }
        let nots = draft.nots.iter().zip(&draft.broken);
        let mut nots = nots.enumerate();
        let open = nots.find(|(_, (rules, broken))| {
            !**broken && !rules.iter().any(|&rule| question.fails(&draft, rule))
        });
        if let Some((i, (&rules, _))) = open {
            self.break_one(&draft, i, rules);
            return;
        }
        let met = |or: &&[Clause]| or.iter().any(|clause| question.is_met(&draft, clause));
        if let Some(at) = draft.ors.iter().position(|or| !met(or)) {
            let or = draft.ors.swap_remove(at);
            self.meet_one(&draft, or);
        } else if question.count(&draft) < draft.least {
            self.fill(&draft);
        } else {
            self.best = Some((total, draft));
        }
    }

    /// Tries all of some clauses, the one that costs the least first.
    fn meet_one(&mut self, draft: &MemberDraft<'a>, or: &'a [Clause]) {
        let ways = or.iter().filter_map(|clause| {
            let mut next = draft.clone();
            self.question.commit(&mut next, clause)?;
            Some((self.question.total(&next), next))
        });
        let mut ways: Vec<(u64, MemberDraft<'a>)> = ways.collect();
        // What must hold is soon decided, what must fail takes a search.
        ways.sort_by_key(|(total, draft)| (*total, draft.nots.len()));
        for (total, way) in ways {
            if self.is_beaten(total) {
                break;
            }
            self.visit(way);
        }
    }

    /// Tries all ways to make one of some rules fail, the cheapest first.
    fn break_one(&mut self, draft: &MemberDraft<'a>, i: usize, rules: &[RuleId]) {
        let mut ways = Vec::new();
        for &rule in rules {
            self.ways_to_break(draft, rule, &mut ways);
        }
        work::spend(ways.len());
        ways.sort_by_key(|(total, _)| *total);
        for (total, change) in ways {
            if self.is_beaten(total) {
                break;
            }
            let mut next = draft.clone();
            let set = match change {
                Change::Least(least) => {
                    next.least = least;
                    Some(())
                }
                Change::Add(key) => self.question.require(&mut next, key),
                Change::Break(key, value) => {
                    next.broken[i] = true;
                    self.question.set(&mut next, key, value)
                }
            };
            if set.is_some() {
                self.visit(next);
            }
        }
    }

    fn ways_to_break(&self, draft: &MemberDraft<'a>, rule: RuleId, out: &mut Vec<(u64, Change)>) {
        let question = self.question;
        let formulas = &question.rules.formulas;
        let members = draft.members.len() as u64;
        if let Some(max) = question.rules.object(rule).max {
            let least = draft.least.max(max + 1);
            out.push((question.total(draft), Change::Least(least)));
        }
        let mut push = |key: Key, value: FormulaId, change: Change| {
            if let Some(bytes) = question.bytes_with(draft, key, value) {
                let members = members + u64::from(!draft.has(key));
                out.push((question.total_of(bytes, members), change));
            }
        };
        for (of, needs) in &question.shape.required(rule).dependent {
            let open = needs
                .iter()
                .any(|&need| !question.progress.has(need) && !draft.has(need));
            if open && !draft.has(*of) {
                push(*of, question.value(draft, *of), Change::Add(*of));
            }
        }
        let is_free = |key| question.shape.demand(question.rules, rule, key) == FormulaId::TRUE;
        for key in self.candidates(draft, is_free) {
            let known = draft.value(key);
            let value = known.unwrap_or_else(|| question.value(draft, key));
            if value == FormulaId::FALSE {
                continue;
            }
            let demand = question.shape.demand(question.rules, rule, key);
            let value = formulas.and(&[value, formulas.not(demand)]);
            push(key, value, Change::Break(key, value));
        }
    }

    fn is_beaten(&self, total: u64) -> bool {
        self.best.as_ref().is_some_and(|(least, _)| total >= *least)
    }

    /// The keys that can come: those in the draft, the declared ones, and one of each class; but
    /// for those that are `free`.
    fn candidates(&self, draft: &MemberDraft, free: impl Fn(Key) -> bool) -> Vec<Key> {
        let question = self.question;
        let shape = question.shape;
        let drafted = draft.members.iter().map(|member| member.0);
        let declared = shape.ranks_from(question.progress.rank).map(Key::Declared);
        let others = declared.chain(shape.wanted.iter().copied());
        let open = others.filter(|&key| question.progress.is_open(key) && !draft.has(key));
        work::spend(shape.keys.len() + shape.wanted.len() + draft.members.len());
        let mut all: Vec<Key> = drafted.chain(open).filter(|&key| !free(key)).collect();
        for class in 0..shape.classes.len() as u16 {
            let any = Key::Other(TextId::WHATEVER, class);
            if !free(any) && question.value(draft, any) != FormulaId::FALSE {
                all.extend(question.fresh(draft, class));
            }
        }
        all
    }

    /// Adds one more member, whichever can come.
    fn fill(&mut self, draft: &MemberDraft<'a>) {
        let question = self.question;
        let mut keys: Vec<(u64, Key)> = Vec::new();
        for key in self.candidates(draft, |_| false) {
            let cost = (question.cost)(question.value(draft, key));
            if !draft.has(key) && cost != NEVER {
                keys.push((add(cost, question.name_bytes(key)), key));
            }
        }
        keys.sort_unstable();
        let Some(&(cheapest, _)) = keys.first() else {
            return;
        };
        let missing = draft.least - question.count(draft);
        let bound = add(question.total(draft), cheapest.saturating_mul(missing));
        if self.is_beaten(bound) {
            return;
        }
        for (_, key) in keys {
            let mut next = draft.clone();
            if question.require(&mut next, key).is_some() {
                self.visit(next);
            }
        }
    }
}
