//! Steps of an object: the ways in which it can go on with a member.
//!
//! For each clause of its formula that can still hold: which keys may come, and what their values
//! must be so that the object can be finished after them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::json::cost::{NEVER, add, key_bytes};
use crate::json::formula::{Clause, FormulaId, RuleId};
use crate::json::object::choices::MemberContext;
use crate::json::object::clause_rest::unbroken;
use crate::json::object::completion::{MemberStep, ObjectCompletion, REFINED};
use crate::json::object::goal::ObjectGoal;
use crate::json::object::keys::Key;
use crate::json::object::progress::ObjectProgress;
use crate::json::object::residue_steps::ResidueCourse;
use crate::json::object::residues::Residues;
use crate::json::object::state::{Object, ObjectId};
use crate::json::obligations::Obligations;

/// How many sets of choices that are larger than need be are looked at for cheaper completions, in
/// all ways together.
const CHEAPER: usize = 32;

/// A way in which an object can be finished.
#[derive(Debug)]
pub(crate) struct ObjectWay<'a> {
    allowed_keys: WayGoal<'a>,
    pub(crate) completion: Cow<'a, ObjectCompletion>,
}

/// What must become true on a way.
#[derive(Debug)]
enum WayGoal<'a> {
    Clause(&'a Clause),
    /// All ways at once, as residues with the course of the object through them, which is made when
    /// it is needed.
    Residues(Arc<Residues>, Box<OnceCell<ResidueCourse<'a>>>),
}

impl ObjectWay<'_> {
    /// The first key that must still come.
    pub(crate) fn next_missing(&self) -> Option<Key> {
        self.completion.members.first().map(|member| member.0)
    }
}

impl Obligations {
    /// The ways in which an object can still satisfy `formula`.
    pub(crate) fn object_ways(&self, id: ObjectId, formula: FormulaId) -> Vec<ObjectWay<'_>> {
        let object = self.objects.get(id.0);
        if formula != object.requirement {
            return self.object_ways_once(id, formula);
        }
        let completions = &self.objects.memo(id.0).completions;
        let shape = self.rules.shape_of(object.shape);
        if let Some(residues) = self.rules.residues(shape, formula) {
            let course = OnceCell::new();
            let find = || [self.course_of(id, &residues, &course).completion()].into();
            let completion = completions.get_or_init(find)[0].as_ref();
            let way = completion.map(|completion| ObjectWay {
                completion: Cow::Borrowed(completion),
                allowed_keys: WayGoal::Residues(residues, Box::new(course)),
            });
            return way.into_iter().collect();
        }
        let clauses = self.rules.clauses(formula);
        let completions = completions.get_or_init(|| {
            let completions = clauses
                .iter()
                .map(|clause| self.completion(object, &object.progress, clause));
            completions.collect()
        });
        let ways = clauses
            .iter()
            .zip(completions)
            .filter_map(|(clause, completion)| {
                let completion = Cow::Borrowed(completion.as_ref()?);
                let allowed_keys = WayGoal::Clause(clause);
                Some(ObjectWay {
                    allowed_keys,
                    completion,
                })
            });
        ways.collect()
    }

    /// The ways in which an object can still satisfy `formula`, where that is asked once and need
    /// not be kept.
    pub(super) fn object_ways_once(&self, id: ObjectId, formula: FormulaId) -> Vec<ObjectWay<'_>> {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if let Some(residues) = self.rules.residues(shape, formula) {
            let course = self.course(object, residues.clone());
            let way = course.completion().map(|completion| ObjectWay {
                completion: Cow::Owned(completion),
                allowed_keys: WayGoal::Residues(residues, Box::new(OnceCell::from(course))),
            });
            return way.into_iter().collect();
        }
        let clauses = self.rules.clauses(formula).iter();
        let ways = clauses.filter_map(|clause| {
            let completion = Cow::Owned(self.completion(object, &object.progress, clause)?);
            let allowed_keys = WayGoal::Clause(clause);
            Some(ObjectWay {
                allowed_keys,
                completion,
            })
        });
        ways.collect()
    }

    fn course<'a>(&'a self, object: &'a Object, residues: Arc<Residues>) -> ResidueCourse<'a> {
        let shape = self.rules.shape_of(object.shape);
        let cost = |formula| self.rules.cost_inside(formula);
        let of = (&*self.rules, shape);
        ResidueCourse::new(of, residues, &object.progress, self.ordered, &cost)
    }

    /// The course of a [`WayGoal::Residues`], which is made when it is first asked for.
    fn course_of<'a, 'b>(
        &'a self,
        id: ObjectId,
        residues: &Arc<Residues>,
        course: &'b OnceCell<ResidueCourse<'a>>,
    ) -> &'b ResidueCourse<'a> {
        course.get_or_init(|| self.course(self.objects.get(id.0), residues.clone()))
    }

    pub(super) fn completion(
        &self,
        object: &Object,
        progress: &ObjectProgress,
        clause: &Clause,
    ) -> Option<ObjectCompletion> {
        self.some_completion(object, progress, clause, REFINED)
    }

    /// A completion. Once one is known, `refinements` more drafts are looked at for a cheaper one.
    pub(super) fn some_completion(
        &self,
        object: &Object,
        progress: &ObjectProgress,
        clause: &Clause,
        refinements: usize,
    ) -> Option<ObjectCompletion> {
        let question = ObjectGoal {
            rules: &self.rules,
            shape: self.rules.shape_of(object.shape),
            progress,
            clause,
            cost: &|formula| self.rules.cost_inside(formula),
            refinements,
        };
        question.completion()
    }

    /// Whether a key may come next on a way.
    pub(super) fn allows<'a>(&'a self, id: ObjectId, way: &ObjectWay<'a>, key: Key) -> bool {
        match &way.allowed_keys {
            WayGoal::Residues(residues, course) => self.course_of(id, residues, course).may(key),
            WayGoal::Clause(clause) if self.is_simple(id, clause) => {
                self.simple_value(id, way, clause, key).is_some()
            }
            WayGoal::Clause(_) if self.is_planned(id, way, key) => true,
            WayGoal::Clause(clause) => self.with_member(id, clause, key, |context, clauses| {
                clauses.iter().any(|clause| context.may(clause))
            }),
        }
    }

    /// Whether the completion of a way goes on with this key, or may.
    fn is_planned(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> bool {
        self.planned(way, key).is_some() && self.objects.get(id.0).progress.is_open(key)
    }

    /// The place of a key among the members of a way's completion, if it may come before the others.
    fn planned(&self, way: &ObjectWay<'_>, key: Key) -> Option<usize> {
        let members = &way.completion.members;
        let at = members.binary_search_by_key(&key, |member| member.0).ok()?;
        // In order, declared members before it would be passed over.
        let is_next = !self.ordered || at == 0 || matches!(members[0].0, Key::Other(..));
        is_next.then_some(at)
    }

    /// Whether a member that comes changes the completion on a clause by nothing but that member.
    fn is_simple(&self, id: ObjectId, clause: &Clause) -> bool {
        let shape = self.shape_of(id);
        clause.is_plain() && shape.counted == 0 && !shape.has_dependent
    }

    /// What the value of a key must satisfy on a simple way; `None` if the key must not come.
    fn simple_value(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        clause: &Clause,
        key: Key,
    ) -> Option<FormulaId> {
        let object = self.objects.get(id.0);
        let in_place = match (key, way.next_missing()) {
            _ if !object.progress.is_open(key) => false,
            (Key::Declared(rank), Some(Key::Declared(next))) => !self.ordered || rank <= next,
            (Key::Other(..), Some(Key::Declared(_))) => !self.ordered,
            _ => true,
        };
        if !in_place {
            return None;
        }
        let shape = self.rules.shape_of(object.shape);
        let demands = shape.demands(&self.rules, &clause.rules, key);
        let value = self.rules.formulas.and(&demands);
        (self.rules.cost(value) != NEVER).then_some(value)
    }

    /// The ways in which an object can go on with a key and its value.
    pub(crate) fn member_steps<'a>(
        &'a self,
        id: ObjectId,
        way: &ObjectWay<'a>,
        key: Key,
    ) -> Vec<MemberStep> {
        match &way.allowed_keys {
            WayGoal::Residues(residues, course) => {
                self.course_of(id, residues, course).least_ways(key)
            }
            WayGoal::Clause(clause) => self.steps_with(id, way, clause, key, 0),
        }
    }

    fn steps_with(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        clause: &Clause,
        key: Key,
        cheaper: usize,
    ) -> Vec<MemberStep> {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if self.is_simple(id, clause) {
            let simple = self.simple_value(id, way, clause, key);
            let simple = simple.map(|value| MemberStep {
                demands: shape.demands(&self.rules, &clause.rules, key),
                value,
                end: self.end_without(id, way, key),
            });
            return simple.into_iter().collect();
        }
        self.with_member(id, clause, key, |context, clauses| {
            let cheaper = cheaper / clauses.len().max(1);
            let ways = clauses.iter();
            ways.flat_map(|clause| context.ways(clause, cheaper))
                .collect()
        })
    }

    /// Calls `f` with the object after a key and with the clauses that can then hold, if the clause
    /// allows the key; else the result is the default.
    fn with_member<T: Default>(
        &self,
        id: ObjectId,
        clause: &Clause,
        key: Key,
        f: impl FnOnce(MemberContext<'_>, &[Clause]) -> T,
    ) -> T {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        let breaks = |rule: RuleId| {
            object
                .progress
                .breaks(&self.rules, shape, self.ordered, rule, key)
        };
        let break_one = |not: &[RuleId]| not.iter().any(|&rule| breaks(rule));
        let clause = unbroken(clause, &breaks, &break_one);
        let Some(clause) = clause.filter(|_| object.progress.is_open(key)) else {
            return T::default();
        };
        let context = MemberContext {
            obligations: self,
            object,
            progress: &object.progress.with(shape, self.ordered, key),
            shape,
            key,
        };
        f(context, &context.decided(&clause))
    }

    /// The ways in which an object can go on with a key and its value. Among them are values that
    /// break more rules than they must, since these can have the cheapest completion; the one that
    /// the cheapest completion plans is always there.
    pub(crate) fn completion_steps<'a>(
        &'a self,
        id: ObjectId,
        ways: &[ObjectWay<'a>],
        key: Key,
    ) -> Vec<MemberStep> {
        let mut out = Vec::new();
        for way in ways {
            match &way.allowed_keys {
                WayGoal::Residues(residues, course) => {
                    out.extend(self.course_of(id, residues, course).ways(key));
                }
                WayGoal::Clause(clause) => {
                    out.extend(self.steps_with(id, way, clause, key, CHEAPER / ways.len()));
                    out.extend(self.planned_step(id, way, clause, key));
                }
            }
        }
        out
    }

    pub(super) fn planned_step(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        clause: &Clause,
        key: Key,
    ) -> Option<MemberStep> {
        if self.is_simple(id, clause) {
            return None;
        }
        let value = way.completion.members[self.planned(way, key)?].1;
        Some(MemberStep {
            demands: vec![value],
            value,
            end: self.end_without(id, way, key),
        })
    }

    /// The fewest bytes after a member, on a way whose completion the member changes by nothing but
    /// itself.
    fn end_without(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> u64 {
        let members = &way.completion.members;
        let mut cost = way.completion.cost;
        let separators = self.rules.separators;
        // The first member of all has no comma before it, but now `key` is the first.
        if self.objects.get(id.0).progress.is_nothing() {
            cost = match members.is_empty() {
                true => add(cost, separators.closing),
                false => add(cost - separators.opening, separators.comma),
            };
        }
        if let Ok(at) = members.binary_search_by_key(&key, |member| member.0) {
            let name = key_bytes(&self.key_text(id, key));
            let value = self.rules.cost_inside(members[at].1);
            let member = name + separators.colon + separators.comma;
            cost -= add(value, member).min(cost);
        }
        cost
    }
}
