//! Objects that are being read.

use std::sync::OnceLock;

use crate::json::array::{demand, truth};
use crate::json::formula::{Clause, FormulaId};
use crate::json::frames::{Frames, TaskId, Verdicts, value_task, verdict};
use crate::json::keys::{KeyTable, Known};
use crate::json::liveness::{NEVER, add, key_bytes};
use crate::json::object_ending::{Ending, Question, Read, bit, set_bit};
use crate::json::shape::{Key, Shape};
use crate::json::texts::TextId;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;

/// Sets of rules that a member may have to break at once, which are tried.
const SETS: usize = 256;

/// An object that is being read: an index into [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    /// The [`Shape`] of the rules that it began with.
    shape: u32,
    must: FormulaId,
    asks: Box<[FormulaId]>,
    read: Read,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectMemo {
    plan: OnceLock<Plan>,
    keys: OnceLock<KeyTable>,
    scan: OnceLock<Option<ScanId>>,
}

/// A key in an object, whose value is next: an index into [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MemberId(pub(crate) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) object: ObjectId,
    pub(crate) key: Key,
}

#[derive(Debug, Default)]
pub(crate) struct MemberMemo {
    task: OnceLock<TaskId>,
}

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

/// What may come next in an object.
#[derive(Debug)]
pub(crate) struct Plan {
    /// A bit for each declared key that may come.
    allowed: Box<[u64]>,
    /// For each class of keys, whether one that no rule names may come.
    classes: Box<[bool]>,
    /// For each undeclared key that some rule names, whether it may come. Sorted.
    wanted: Box<[(Key, bool)]>,
}

impl Plan {
    pub(crate) fn allows(&self, key: Key) -> bool {
        match key {
            Key::Declared(rank) => bit(&self.allowed, rank),
            Key::Other(_, class) => match self.wanted.binary_search_by_key(&key, |w| w.0) {
                Ok(at) => self.wanted[at].1,
                Err(_) => self.classes.get(usize::from(class)) == Some(&true),
            },
        }
    }

    /// Whether any key may come that no rule names; of objects that do not tell such keys apart.
    pub(crate) fn other(&self) -> bool {
        self.classes.first().is_some_and(|&may| may)
    }

    pub(crate) fn allows_any_key(&self) -> bool {
        let declared = self.allowed.iter().any(|&word| word != 0);
        let wanted = self.wanted.iter().any(|(_, may)| *may);
        declared || wanted || self.classes.contains(&true)
    }
}

impl Frames {
    pub(crate) fn new_object(&self, must: FormulaId, asks: Box<[FormulaId]>) -> ObjectId {
        let (shape, keys) = self.rules.shape(&self.tracked(must, &asks));
        ObjectId(self.objects.intern(Object {
            shape,
            must,
            asks,
            read: Read::nothing(keys, self.ordered),
        }))
    }

    pub(crate) fn shape_of(&self, id: ObjectId) -> &Shape {
        self.rules.shape_of(self.objects.get(id.0).shape)
    }

    /// Whether an object has so many keys to choose from that it makes no difference which comes.
    pub(crate) fn is_plentiful(&self, id: ObjectId) -> bool {
        let others = self.objects.get(id.0).read.others.len();
        self.shape_of(id).is_plentiful(&self.rules, others)
    }

    /// The keys that an object treats in a way of their own.
    pub(crate) fn key_table(&self, id: ObjectId) -> &KeyTable {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if object.read.others.is_empty() {
            return &shape.table;
        }
        self.objects.memo(id.0).keys.get_or_init(|| {
            let taken = object.read.others.iter();
            shape
                .table
                .with(taken.map(|&key| (self.key_text(id, key), Known::Taken)))
        })
    }

    pub(crate) fn key_text(&self, object: ObjectId, key: Key) -> String {
        match key {
            Key::Declared(rank) => self.shape_of(object).keys[rank as usize].to_string(),
            Key::Other(text, _) => self.rules.texts.spell(text),
        }
    }

    /// Where a key begins, in an object that tells undeclared keys apart by their text; the keys
    /// that have come are not in it.
    pub(crate) fn key_scan(&self, id: ObjectId) -> Option<ScanId> {
        *self.objects.memo(id.0).scan.get_or_init(|| {
            let plan = self.plan(id);
            let shape = self.shape_of(id);
            let regexes = &self.rules.scanner.regexes;
            let declared = shape.keys.iter().zip(0..);
            let declared = declared.filter(|&(_, rank)| plan.allows(Key::Declared(rank)));
            let mut words: Vec<String> = declared.map(|(key, _)| key.to_string()).collect();
            let wanted = plan.wanted.iter().filter(|(_, may)| *may);
            words.extend(wanted.map(|&(key, _)| self.key_text(id, key)));
            let classes = 0..shape.classes.len() as u16;
            let open: Vec<NodeId> = classes
                .filter_map(|class| self.open_keys(id, class))
                .collect();
            // The one class of keys, if there is nothing else, is what must be read anyway.
            let asks = match open[..] {
                [_] if words.is_empty() => Box::default(),
                _ => open.as_slice().into(),
            };
            let all = regexes.or([&open[..], &[regexes.words(words)]].concat());
            self.rules.scanner.start(all, asks)
        })
    }

    /// The classes of keys that may come, each with what is left of its language after what has
    /// been read of a key, up to a state from [`Frames::key_scan`].
    pub(crate) fn classes_left(
        &self,
        id: ObjectId,
        scan: ScanId,
    ) -> impl Iterator<Item = (u16, NodeId)> {
        let open = self.plan(id).classes.iter();
        let open = (0..).zip(open).filter(|(_, may)| **may);
        let scan = self.rules.scanner.scan(scan);
        let left = match scan.asks.is_empty() {
            true => std::slice::from_ref(&scan.must),
            false => &scan.asks,
        };
        open.map(|(class, _)| class).zip(left.iter().copied())
    }

    /// The class of an undeclared key that ends in a state.
    pub(crate) fn key_class(&self, id: ObjectId, scan: ScanId) -> u16 {
        let mut classes = self.classes_left(id, scan);
        let ended = classes.find(|&(_, left)| self.rules.scanner.regexes.nullable(left));
        ended.map_or(u16::MAX, |(class, _)| class)
    }

    /// The formula of an object together with some of what is asked about it.
    pub(crate) fn object_demand(&self, id: ObjectId, asked: &[u16]) -> FormulaId {
        let object = self.objects.get(id.0);
        demand(self, object.must, &object.asks, asked)
    }

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
    fn allows(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> bool {
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
        for clause in self.decided(shape, &clause, key) {
            self.ways_of_clause(object, &read, &clause, key, &mut out);
        }
        out
    }

    /// As [`Frames::member_ways`], and the way that the cheapest ending takes: its value may break
    /// more than it must.
    pub(crate) fn ending_ways(
        &self,
        id: ObjectId,
        way: &ObjectWay<'_>,
        key: Key,
    ) -> Vec<MemberWay> {
        let mut ways = self.member_ways(id, way, key);
        ways.extend(self.planned_way(id, way, key));
        ways
    }

    fn planned_way(&self, id: ObjectId, way: &ObjectWay<'_>, key: Key) -> Option<MemberWay> {
        if self.is_simple(id, way) {
            return None;
        }
        let members = &way.ending.members;
        let at = members.binary_search_by_key(&key, |member| member.0).ok()?;
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
        out: &mut Vec<MemberWay>,
    ) {
        let shape = self.rules.shape_of(object.shape);
        let demands = shape.demands(&self.rules, &clause.rules, key);
        let nots = &clause.nots;
        let value = self.rules.formulas.and(&demands);
        // What every such value breaks is broken for free.
        let is_free = |not: &[u32]| {
            not.iter().any(|&rule| {
                let demand = shape.demand(&self.rules, rule, key);
                demand == FormulaId::FALSE
                    || demand != FormulaId::TRUE && self.rules.excludes(value, demand, 1)
            })
        };
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

    /// What may come next.
    pub(crate) fn plan(&self, id: ObjectId) -> &Plan {
        self.objects.memo(id.0).plan.get_or_init(|| {
            let object = self.objects.get(id.0);
            let shape = self.rules.shape_of(object.shape);
            let keys = shape.keys.len() as u32;
            let mut allowed = vec![0; keys.div_ceil(64) as usize];
            let mut classes = vec![false; shape.classes.len()];
            let mut wanted: Vec<(Key, bool)> =
                shape.wanted.iter().map(|&key| (key, false)).collect();
            for way in self.object_ways(id, object.must) {
                for rank in object.read.rank()..keys {
                    if !bit(&allowed, rank) && self.allows(id, &way, Key::Declared(rank)) {
                        set_bit(&mut allowed, rank);
                    }
                }
                for (class, may) in (0..).zip(&mut classes) {
                    // All of them that no rule names are alike, so that any text stands for them.
                    let any = Key::Other(TextId::WHATEVER, class);
                    let language = shape.classes[usize::from(class)].language;
                    let regexes = &self.rules.scanner.regexes;
                    let more =
                        || language == NodeId::ANY || regexes.is_live(self.left_of(id, class));
                    *may = *may || more() && self.allows(id, &way, any);
                }
                for (key, may) in &mut wanted {
                    *may = *may || self.allows(id, &way, *key);
                }
            }
            Plan {
                allowed: allowed.into(),
                classes: classes.into(),
                wanted: wanted.into(),
            }
        })
    }

    /// The keys of a class that may come, and have not, if the plan allows any of them.
    fn open_keys(&self, id: ObjectId, class: u16) -> Option<NodeId> {
        self.plan(id).classes[usize::from(class)].then(|| self.left_of(id, class))
    }

    /// The keys of a class that no rule names and that have not come.
    fn left_of(&self, id: ObjectId, class: u16) -> NodeId {
        let shape = self.shape_of(id);
        let language = shape.classes[usize::from(class)].language;
        let others = self.objects.get(id.0).read.others.iter();
        let named = others.chain(&shape.wanted);
        let named = named.filter(|key| matches!(key, Key::Other(_, c) if *c == class));
        let named: Vec<String> = named.map(|&key| self.key_text(id, key)).collect();
        let regexes = &self.rules.scanner.regexes;
        match named.is_empty() {
            true => language,
            false => regexes.and(vec![language, regexes.not(regexes.words(named))]),
        }
    }

    /// A key in an object; it must be one that the plan allows.
    pub(crate) fn member(&self, object: ObjectId, key: Key) -> MemberId {
        MemberId(self.members.intern(Member { object, key }))
    }

    pub(crate) fn member_of(&self, id: MemberId) -> Member {
        *self.members.get(id.0)
    }

    /// The task of the value of a member.
    pub(crate) fn member_task(&self, id: MemberId) -> TaskId {
        *self.members.memo(id.0).task.get_or_init(|| {
            let Member {
                object: object_id,
                key,
            } = self.member_of(id);
            let object = self.objects.get(object_id.0);
            let all_ways = self.object_ways(object_id, object.must);
            let ways = all_ways
                .iter()
                .flat_map(|way| self.member_ways(object_id, way, key));
            let ways: Vec<Vec<FormulaId>> = ways.map(|way| way.demands).collect();
            let tracked = self.tracked(object.must, &object.asks);
            let shape = self.rules.shape_of(object.shape);
            let mut all = shape.demands(&self.rules, &tracked, key);
            let planned = all_ways.iter();
            let planned = planned.filter_map(|way| self.planned_way(object_id, way, key));
            all.extend(planned.map(|way| way.value));
            for &ask in &object.asks {
                let formula = self.rules.formulas.and(&[object.must, ask]);
                let ways = self.object_ways(object_id, formula);
                let ways = ways
                    .iter()
                    .flat_map(|way| self.ending_ways(object_id, way, key));
                all.extend(ways.flat_map(|way| way.demands));
            }
            let task = value_task(self, &ways, all);
            self.task(task.must, task.asks)
        })
    }

    /// The object after a member's value with these verdicts.
    pub(crate) fn after_member(&self, id: MemberId, verdicts: &[bool]) -> ObjectId {
        let Member {
            object: object_id,
            key,
        } = self.member_of(id);
        let object = self.objects.get(object_id.0);
        let shape = self.rules.shape_of(object.shape);
        let task = self.task_of(self.member_task(id));
        let judge = |rule: u32, own: FormulaId| {
            let fine = verdict(task, verdicts, shape.demand(&self.rules, rule, key));
            if fine
                && !object
                    .read
                    .breaks(&self.rules, shape, self.ordered, rule, key)
            {
                own
            } else {
                FormulaId::FALSE
            }
        };
        let substitute = |formula| self.rules.formulas.substitute(formula, &judge);
        ObjectId(self.objects.intern(Object {
            shape: object.shape,
            must: substitute(object.must),
            asks: object.asks.iter().map(|&ask| substitute(ask)).collect(),
            read: object.read.with(shape, self.ordered, key),
        }))
    }

    /// The verdicts if the object ends here; `None` if it must not.
    pub(crate) fn end_object(&self, id: ObjectId) -> Option<Verdicts> {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        let judge = |rule: u32, _| truth(object.read.holds(&self.rules, shape, rule));
        let holds =
            |formula: FormulaId| self.rules.formulas.substitute(formula, &judge) == FormulaId::TRUE;
        holds(object.must).then(|| object.asks.iter().map(|&ask| holds(ask)).collect())
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
