//! The ways in which an object can go on.
//!
//! For each clause of its formula that can still hold: which keys may come, and what their values
//! must be so that the object can be finished after them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::json::cost::{NEVER, add, key_bytes};
use crate::json::formula::{Clause, FormulaId};
use crate::json::object::choices::Going;
use crate::json::object::clause_rest::unbroken;
use crate::json::object::completion::{Ending, MemberWay, Question, REFINED};
use crate::json::object::keys::Key;
use crate::json::object::progress::Read;
use crate::json::object::residue_steps::Course;
use crate::json::object::residues::Residues;
use crate::json::object::state::{Object, ObjectId};
use crate::json::obligations::Frames;

/// Sets of choices that are looked at for endings that are cheaper, over all ways.
const CHEAPER: usize = 32;

/// A way in which an object can be finished.
#[derive(Debug)]
pub(crate) struct ObjectWay<'a> {
    plan: Plan<'a>,
    pub(crate) ending: Cow<'a, Ending>,
}

/// What must become true on a way.
#[derive(Debug)]
enum Plan<'a> {
    Clause(&'a Clause),
    /// All ways at once. The course is made when it is needed.
    Residues(Arc<Residues>, Box<OnceCell<Course<'a>>>),
}

impl ObjectWay<'_> {
    /// The first key that must still come.
    pub(crate) fn next_missing(&self) -> Option<Key> {
        self.ending.members.first().map(|member| member.0)
    }
}

impl Frames {
    /// The ways in which an object can still satisfy `formula`.
    pub(crate) fn object_ways(&self, id: ObjectId, formula: FormulaId) -> Vec<ObjectWay<'_>> {
        let object = self.objects.get(id.0);
        if formula != object.must {
            return self.object_ways_once(id, formula);
        }
        let endings = &self.objects.memo(id.0).endings;
        let shape = self.rules.shape_of(object.shape);
        if let Some(residues) = self.rules.residues(shape, formula) {
            let course = OnceCell::new();
            let find = || [self.course_of(id, &residues, &course).ending()].into();
            let ending = endings.get_or_init(find)[0].as_ref();
            let way = ending.map(|ending| ObjectWay {
                ending: Cow::Borrowed(ending),
                plan: Plan::Residues(residues, Box::new(course)),
            });
            return way.into_iter().collect();
        }
        let clauses = self.rules.clauses(formula);
        let endings = endings.get_or_init(|| {
            let endings = clauses
                .iter()
                .map(|clause| self.ending(object, &object.read, clause));
            endings.collect()
        });
        let ways = clauses.iter().zip(endings).filter_map(|(clause, ending)| {
            let ending = Cow::Borrowed(ending.as_ref()?);
            let plan = Plan::Clause(clause);
            Some(ObjectWay { plan, ending })
        });
        ways.collect()
    }

    /// The same, where it is asked once and need not be kept.
    pub(super) fn object_ways_once(&self, id: ObjectId, formula: FormulaId) -> Vec<ObjectWay<'_>> {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if let Some(residues) = self.rules.residues(shape, formula) {
            let course = self.course(object, residues.clone());
            let way = course.ending().map(|ending| ObjectWay {
                ending: Cow::Owned(ending),
                plan: Plan::Residues(residues, Box::new(OnceCell::from(course))),
            });
            return way.into_iter().collect();
        }
        let clauses = self.rules.clauses(formula).iter();
        let ways = clauses.filter_map(|clause| {
            let ending = Cow::Owned(self.ending(object, &object.read, clause)?);
            let plan = Plan::Clause(clause);
            Some(ObjectWay { plan, ending })
        });
        ways.collect()
    }

    fn course<'a>(&'a self, object: &'a Object, residues: Arc<Residues>) -> Course<'a> {
        let shape = self.rules.shape_of(object.shape);
        let cost = |formula| self.rules.cost(formula);
        let of = (&self.rules, shape);
        Course::new(of, residues, &object.read, self.ordered, &cost)
    }

    /// The course of a [`Plan::Residues`], which is made when it is first asked for.
    fn course_of<'a, 'b>(
        &'a self,
        id: ObjectId,
        residues: &Arc<Residues>,
        course: &'b OnceCell<Course<'a>>,
    ) -> &'b Course<'a> {
        course.get_or_init(|| self.course(self.objects.get(id.0), residues.clone()))
    }

    pub(super) fn ending(&self, object: &Object, read: &Read, clause: &Clause) -> Option<Ending> {
        self.some_ending(object, read, clause, REFINED)
    }

    /// An ending, after so many looks for cheaper ones once one is known.
    pub(super) fn some_ending(
        &self,
        object: &Object,
        read: &Read,
        clause: &Clause,
        refinements: usize,
    ) -> Option<Ending> {
        let question = Question {
            rules: &self.rules,
            shape: self.rules.shape_of(object.shape),
            read,
            clause,
            cost: &|formula| self.rules.cost(formula),
            refinements,
        };
        question.ending()
    }

    /// Whether a key may come next on a way.
    pub(super) fn allows<'a>(&'a self, id: ObjectId, way: &ObjectWay<'a>, key: Key) -> bool {
        match &way.plan {
            Plan::Residues(residues, course) => self.course_of(id, residues, course).may(key),
            Plan::Clause(clause) if self.is_simple(id, clause) => {
                self.simple_value(id, way, clause, key).is_some()
            }
            Plan::Clause(clause) => self.goes_on(id, clause, key, |going, clauses| {
                clauses.iter().any(|clause| going.may(clause))
            }),
        }
    }

    /// Whether the ending on a clause changes with a member by no more than that member.
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
            _ if !object.read.is_open(key) => false,
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
    pub(crate) fn member_ways<'a>(
        &'a self,
        id: ObjectId,
        way: &ObjectWay<'a>,
        key: Key,
    ) -> Vec<MemberWay> {
        match &way.plan {
            Plan::Residues(residues, course) => {
                self.course_of(id, residues, course).least_ways(key)
            }
            Plan::Clause(clause) => self.ways_with(id, way, clause, key, 0),
        }
    }

    fn ways_with(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        clause: &Clause,
        key: Key,
        cheaper: usize,
    ) -> Vec<MemberWay> {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if self.is_simple(id, clause) {
            let simple = self.simple_value(id, way, clause, key);
            let simple = simple.map(|value| MemberWay {
                demands: shape.demands(&self.rules, &clause.rules, key),
                value,
                end: self.end_without(id, way, key),
            });
            return simple.into_iter().collect();
        }
        self.goes_on(id, clause, key, |going, clauses| {
            let cheaper = cheaper / clauses.len().max(1);
            let ways = clauses.iter();
            ways.flat_map(|clause| going.ways(clause, cheaper))
                .collect()
        })
    }

    /// Calls `f` with the object after a key, and the clauses that can hold then, if the key may come
    /// on a clause.
    fn goes_on<T: Default>(
        &self,
        id: ObjectId,
        clause: &Clause,
        key: Key,
        f: impl FnOnce(Going<'_>, &[Clause]) -> T,
    ) -> T {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        let breaks = |rule: u32| {
            object
                .read
                .breaks(&self.rules, shape, self.ordered, rule, key)
        };
        let break_one = |not: &[u32]| not.iter().any(|&rule| breaks(rule));
        let clause = unbroken(clause, &breaks, &break_one);
        let Some(clause) = clause.filter(|_| object.read.is_open(key)) else {
            return T::default();
        };
        let going = Going {
            frames: self,
            object,
            read: &object.read.with(shape, self.ordered, key),
            shape,
            key,
        };
        f(going, &going.decided(&clause))
    }

    /// As [`Frames::member_ways`], and those with values that break more than they must, which can
    /// be the cheapest: among them the one that the cheapest ending plans.
    pub(crate) fn ending_ways<'a>(
        &'a self,
        id: ObjectId,
        ways: &[ObjectWay<'a>],
        key: Key,
    ) -> Vec<MemberWay> {
        let mut out = Vec::new();
        for way in ways {
            match &way.plan {
                Plan::Residues(residues, course) => {
                    out.extend(self.course_of(id, residues, course).ways(key));
                }
                Plan::Clause(clause) => {
                    out.extend(self.ways_with(id, way, clause, key, CHEAPER / ways.len()));
                    out.extend(self.planned_way(id, way, clause, key));
                }
            }
        }
        out
    }

    pub(super) fn planned_way(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        clause: &Clause,
        key: Key,
    ) -> Option<MemberWay> {
        if self.is_simple(id, clause) {
            return None;
        }
        let members = &way.ending.members;
        let at = members.binary_search_by_key(&key, |member| member.0).ok()?;
        // In order, the members before it would be passed over.
        if self.ordered && at > 0 {
            return None;
        }
        let value = members[at].1;
        Some(MemberWay {
            demands: vec![value],
            value,
            end: self.end_without(id, way, key),
        })
    }

    /// The fewest bytes after a member, if the ending of a way changes by no more than it.
    fn end_without(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> u64 {
        let members = &way.ending.members;
        let mut cost = way.ending.cost;
        // The first member of all has no comma before it, but now `key` is the first.
        if self.objects.get(id.0).read.is_nothing() && !members.is_empty() {
            cost += self.rules.separator;
        }
        if let Ok(at) = members.binary_search_by_key(&key, |member| member.0) {
            let name = key_bytes(&self.key_text(id, key));
            let value = self.rules.cost(members[at].1);
            cost -= add(value, name + 2 * self.rules.separator).min(cost);
        }
        cost
    }
}
