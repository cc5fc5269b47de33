//! The ways in which an object can go on.
//!
//! For each clause of its formula that can still hold: which keys may come, and what their values
//! must be so that the object can be finished after them.

use crate::json::formula::{Clause, FormulaId};
use crate::json::frames::Frames;
use crate::json::liveness::{NEVER, add, key_bytes};
use crate::json::object::{Object, ObjectId};
use crate::json::object_ending::{Ending, Question};
use crate::json::object_read::Read;
use crate::json::shape::{Key, Shape};

/// Sets of rules that a member may have to break at once, which are tried.
const SETS: usize = 256;

/// With more rules to break, or more choices, endings are not looked for beyond what they must break.
const GENEROUS: usize = 8;

/// A way in which an object can be finished.
#[derive(Debug)]
pub(crate) struct ObjectWay<'a> {
    clause: &'a Clause,
    pub(crate) ending: Ending,
}

impl ObjectWay<'_> {
    /// The first key that must still come.
    pub(crate) fn next_missing(&self) -> Option<Key> {
        self.ending.members.first().map(|member| member.0)
    }
}

/// A way in which an object can go on with the value of a member.
#[derive(Debug)]
pub(crate) struct MemberWay {
    /// What the value must satisfy, part by part.
    pub(crate) demands: Vec<FormulaId>,
    /// All of it.
    pub(crate) value: FormulaId,
    /// The fewest bytes after the value.
    pub(crate) end: u64,
}

impl Frames {
    /// The ways in which an object can still satisfy `formula`.
    pub(crate) fn object_ways(&self, id: ObjectId, formula: FormulaId) -> Vec<ObjectWay<'_>> {
        let object = self.objects.get(id.0);
        let clauses = self.rules.clauses(formula).iter();
        let ways = clauses.filter_map(|clause| {
            let ending = self.ending(object, &object.read, clause)?;
            Some(ObjectWay { clause, ending })
        });
        ways.collect()
    }

    fn ending(&self, object: &Object, read: &Read, clause: &Clause) -> Option<Ending> {
        let question = Question {
            rules: &self.rules,
            shape: self.rules.shape_of(object.shape),
            read,
            clause,
            cost: &|formula| self.rules.cost(formula),
        };
        question.ending()
    }

    /// Whether a key may come next on a way.
    pub(super) fn allows(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> bool {
        match self.is_simple(id, way) {
            true => self.simple_value(id, way, key).is_some(),
            false => !self.member_ways(id, way, key).is_empty(),
        }
    }

    /// Whether the ending of a way changes with a member by no more than that member.
    fn is_simple(&self, id: ObjectId, way: &ObjectWay<'_>) -> bool {
        let shape = self.shape_of(id);
        let decided = way.clause.nots.is_empty() && way.clause.ors.is_empty();
        decided && shape.counted == 0 && !shape.has_dependent
    }

    /// What the value of a key must satisfy on a simple way; `None` if the key must not come.
    fn simple_value(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> Option<FormulaId> {
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
        let demands = shape.demands(&self.rules, &way.clause.rules, key);
        let value = self.rules.formulas.and(&demands);
        (self.rules.cost(value) != NEVER).then_some(value)
    }

    /// The ways in which an object can go on with a key and its value.
    pub(crate) fn member_ways(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        key: Key,
    ) -> Vec<MemberWay> {
        self.ways_with(id, way, key, false)
    }

    fn ways_with(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        key: Key,
        is_generous: bool,
    ) -> Vec<MemberWay> {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if self.is_simple(id, way) {
            let simple = self.simple_value(id, way, key).map(|value| MemberWay {
                demands: shape.demands(&self.rules, &way.clause.rules, key),
                value,
                end: self.end_without(id, way, key),
            });
            return simple.into_iter().collect();
        }
        let breaks = |rule: u32| {
            object
                .read
                .breaks(&self.rules, shape, self.ordered, rule, key)
        };
        let Some(clause) = unbroken(way.clause, &breaks).filter(|_| object.read.is_open(key))
        else {
            return Vec::new();
        };
        let read = object.read.with(shape, self.ordered, key);
        let mut out = Vec::new();
        let clauses = self.decided(shape, &clause, key);
        let is_generous = is_generous && clauses.len() <= GENEROUS;
        for clause in clauses {
            self.ways_of_clause(object, &read, &clause, key, is_generous, &mut out);
        }
        out
    }

    /// As [`Frames::member_ways`], and those with values that break more than they must, which can
    /// be the cheapest: among them the one that the cheapest ending plans.
    pub(crate) fn ending_ways(
        &self,
        id: ObjectId,
        ways: &[ObjectWay<'_>],
        key: Key,
    ) -> Vec<MemberWay> {
        let mut out = Vec::new();
        for way in ways {
            out.extend(self.ways_with(id, way, key, ways.len() <= GENEROUS));
            out.extend(self.planned_way(id, way, key));
        }
        out
    }

    pub(super) fn planned_way(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        key: Key,
    ) -> Option<MemberWay> {
        if self.is_simple(id, way) {
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

    /// A clause with the choices made that concern a key: in all ways.
    fn decided(&self, shape: &Shape, clause: &Clause, key: Key) -> Vec<Clause> {
        let concerns = |rule: u32| shape.demand(&self.rules, rule, key) != FormulaId::TRUE;
        let (open, free): (Vec<_>, Vec<_>) = clause
            .ors
            .iter()
            .partition(|or| or.iter().any(|clause| mentions(clause, &concerns)));
        let mut out = vec![Clause {
            ors: free.into_iter().cloned().collect(),
            ..clause.clone()
        }];
        for or in open {
            out = self.rules.all_of(&out, or);
            // Conditions on one key mostly exclude each other once the key is there.
            out.retain(|clause| {
                let demands = shape.demands(&self.rules, &clause.rules, key);
                self.rules.cost(self.rules.formulas.and(&demands)) != NEVER
            });
            if out.len() > SETS {
                self.rules.set_exhausted();
                out.truncate(SETS);
            }
        }
        out
    }

    /// The ways in which an object can go on with a key under a clause.
    fn ways_of_clause(
        &self,
        object: &Object,
        read: &Read,
        clause: &Clause,
        key: Key,
        is_generous: bool,
        out: &mut Vec<MemberWay>,
    ) {
        let shape = self.rules.shape_of(object.shape);
        let demands = shape.demands(&self.rules, &clause.rules, key);
        let nots = &clause.nots;
        let value = self.rules.formulas.and(&demands);
        // What every such value breaks is broken for free.
        let is_free = |not: &[u32]| shape.breaks(&self.rules, not, key, value);
        let free: Vec<usize> = (0..nots.len()).filter(|&i| is_free(&nots[i])).collect();
        let others: Vec<usize> = (0..nots.len()).filter(|i| !free.contains(i)).collect();
        let mut way = |set: &[usize]| {
            let mut demands = demands.clone();
            let breaking = set.iter().map(|&i| self.breaking(shape, &nots[i], key));
            demands.extend(breaking.filter(|&formula| formula != FormulaId::TRUE));
            let value = self.rules.formulas.and(&demands);
            if self.rules.cost(value) == NEVER {
                return None;
            }
            let open = (0..nots.len()).filter(|i| !free.contains(i) && !set.contains(i));
            let rest = Clause {
                nots: open.map(|i| nots[i].clone()).collect(),
                ..clause.clone()
            };
            let ending = self.ending(object, read, &rest);
            if let Some(ending) = &ending {
                out.push(MemberWay {
                    demands,
                    value,
                    end: ending.cost,
                });
            }
            Some(ending.is_some())
        };
        // Sets of what the value breaks, small ones first; one that does needs no larger one.
        let mut enough: Vec<Vec<usize>> = Vec::new();
        let mut sets = vec![Vec::new()];
        let mut tried = 0;
        while !sets.is_empty() {
            let mut larger = Vec::new();
            for set in sets {
                if enough
                    .iter()
                    .any(|known| known.iter().all(|i| set.contains(i)))
                {
                    continue;
                }
                tried += 1;
                if tried > SETS {
                    self.rules.set_exhausted();
                    way(&others);
                    return;
                }
                match way(&set) {
                    Some(true) => enough.push(set),
                    Some(false) => {
                        let last = set.last().copied();
                        let next = others.iter().filter(|&&i| last.is_none_or(|last| i > last));
                        larger.extend(next.map(|&i| [&set[..], &[i]].concat()));
                    }
                    None => {}
                }
            }
            sets = larger;
        }
        if is_generous && others.len() <= GENEROUS {
            let singles = others.iter().map(|&i| vec![i]);
            let all = (others.len() > 1).then(|| others.clone());
            for set in singles.chain(all).filter(|set| !enough.contains(set)) {
                way(&set);
            }
        }
    }

    /// What the value of a key satisfies if it breaks one of some rules.
    fn breaking(&self, shape: &Shape, rules: &[u32], key: Key) -> FormulaId {
        let formulas = &self.rules.formulas;
        let demands = shape.demands(&self.rules, rules, key);
        formulas.not(formulas.and(&demands))
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

/// What is left of a clause once some rules are broken; `None` if it cannot hold.
fn unbroken(clause: &Clause, breaks: &impl Fn(u32) -> bool) -> Option<Clause> {
    if clause.rules.iter().any(|&rule| breaks(rule)) {
        return None;
    }
    let nots = clause.nots.iter();
    let nots = nots.filter(|not| !not.iter().any(|&rule| breaks(rule)));
    let mut ors = Vec::with_capacity(clause.ors.len());
    for or in &clause.ors {
        let left = or.iter().filter_map(|clause| unbroken(clause, breaks));
        let left: Vec<Clause> = left.collect();
        match left[..] {
            [] => return None,
            _ if left.contains(&Clause::default()) => {}
            _ => ors.push(left.into()),
        }
    }
    Some(Clause {
        rules: clause.rules.clone(),
        nots: nots.cloned().collect(),
        ors: ors.into(),
    })
}

/// Whether a clause speaks of a rule that `concerns` says yes to.
fn mentions(clause: &Clause, concerns: &impl Fn(u32) -> bool) -> bool {
    let mut rules = clause.rules.iter().chain(clause.nots.iter().flatten());
    rules.any(|&rule| concerns(rule))
        || clause
            .ors
            .iter()
            .flatten()
            .any(|clause| mentions(clause, concerns))
}
