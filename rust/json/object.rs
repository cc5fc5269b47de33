//! Objects that are being read.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use crate::json::array::{demand, truth};
use crate::json::formula::FormulaId;
use crate::json::frames::{Frames, Task, TaskId, TextId, Verdicts, value_task, verdict};
use crate::json::keys::{KeyTable, Known};
use crate::json::liveness::{NEVER, add, key_bytes};

/// An object that is being read: an index into [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    shape: ShapeId,
    must: FormulaId,
    asks: Box<[FormulaId]>,
    /// Keys come in order: declared keys of lower rank are past.
    rank: u32,
    /// Keys come in any order: a bit for each declared key that was read.
    used: Box<[u64]>,
    /// Other keys that were read, sorted.
    others: Box<[TextId]>,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectMemo {
    plan: OnceLock<Plan>,
    keys: OnceLock<KeyTable>,
}

/// The rules that an object began with: they fix its declared keys and their ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ShapeId(u32);

pub(crate) type ShapeKey = Box<[u32]>;

#[derive(Debug)]
pub(crate) struct Shape {
    /// The declared keys by rank: in the order of their first appearance.
    pub(crate) keys: Vec<Arc<str>>,
    /// The bytes of each declared key with its quotes.
    key_bytes: Vec<u64>,
    /// What each rule requires.
    required: FxHashMap<u32, Required>,
    /// The keys that an object of this shape knows before it holds any other.
    table: KeyTable,
}

#[derive(Debug, Default)]
struct Required {
    /// Ranks of declared keys, rising.
    declared: Vec<u32>,
    others: Vec<TextId>,
}

/// A key: declared in the object's shape, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Declared(u32),
    Other(TextId),
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
pub(crate) struct ObjectWay {
    clause: Box<[u32]>,
    /// Declared keys that must still come, rising by rank.
    missing: Vec<u32>,
    missing_others: Vec<TextId>,
    /// The fewest bytes of the missing members, without commas.
    members_cost: u64,
}

impl ObjectWay {
    fn missing(&self) -> u64 {
        (self.missing.len() + self.missing_others.len()) as u64
    }

    /// The first key that must still come.
    pub(crate) fn next_missing(&self) -> Option<Key> {
        let declared = self.missing.first().map(|&rank| Key::Declared(rank));
        declared.or_else(|| self.missing_others.first().map(|&text| Key::Other(text)))
    }
}

/// What may come next in an object.
#[derive(Debug)]
pub(crate) struct Plan {
    /// A bit for each declared key that may come.
    allowed: Box<[u64]>,
    /// Whether a key that is not declared may come.
    pub(crate) other: bool,
}

impl Plan {
    pub(crate) fn allows(&self, rank: u32) -> bool {
        bit(&self.allowed, rank)
    }

    pub(crate) fn allows_any_key(&self) -> bool {
        self.other || self.allowed.iter().any(|&word| word != 0)
    }
}

fn bit(bits: &[u64], i: u32) -> bool {
    bits.get(i as usize / 64)
        .is_some_and(|word| word >> (i % 64) & 1 != 0)
}

fn set_bit(bits: &mut [u64], i: u32) {
    bits[i as usize / 64] |= 1 << (i % 64);
}

impl Frames {
    pub(crate) fn new_object(&self, must: FormulaId, asks: Box<[FormulaId]>) -> ObjectId {
        let rules = self.tracked(must, &asks);
        let shape = ShapeId(self.shapes.intern(rules.into()));
        let words = if self.ordered {
            0
        } else {
            self.shape(shape).keys.len().div_ceil(64)
        };
        ObjectId(self.objects.intern(Object {
            shape,
            must,
            asks,
            rank: 0,
            used: vec![0; words].into(),
            others: Box::new([]),
        }))
    }

    fn shape(&self, id: ShapeId) -> &Shape {
        self.shapes.memo(id.0).get_or_init(|| {
            let rules = self.shapes.get(id.0);
            let mut ranks: FxHashMap<Arc<str>, u32> = FxHashMap::default();
            let mut keys = Vec::new();
            for &rule in rules {
                for (key, _) in &self.rules.object(rule).properties {
                    ranks.entry(key.clone()).or_insert_with(|| {
                        keys.push(key.clone());
                        keys.len() as u32 - 1
                    });
                }
            }
            let mut required = FxHashMap::default();
            for &rule in rules {
                let mut mine = Required::default();
                for key in &self.rules.object(rule).required {
                    match ranks.get(key) {
                        Some(&rank) => mine.declared.push(rank),
                        None => mine.others.push(self.text(key)),
                    }
                }
                mine.declared.sort_unstable();
                required.insert(rule, mine);
            }
            let declared = keys.iter().zip(0..);
            let declared = declared.map(|(key, rank)| (key.to_string(), Known::Declared(rank)));
            let wanted = required.values().flat_map(|mine| &mine.others);
            let wanted = wanted.map(|&text| (self.spell(text), Known::Wanted));
            let table = KeyTable::new(declared.chain(wanted));
            Shape {
                key_bytes: keys.iter().map(|key| key_bytes(key)).collect(),
                keys,
                required,
                table,
            }
        })
    }

    pub(crate) fn shape_of(&self, id: ObjectId) -> &Shape {
        self.shape(self.objects.get(id.0).shape)
    }

    /// The keys that an object treats in a way of their own.
    pub(crate) fn key_table(&self, id: ObjectId) -> &KeyTable {
        let object = self.objects.get(id.0);
        let shape = self.shape(object.shape);
        if object.others.is_empty() {
            return &shape.table;
        }
        self.objects.memo(id.0).keys.get_or_init(|| {
            let taken = object
                .others
                .iter()
                .map(|&text| (self.spell(text), Known::Taken));
            shape.table.with(taken)
        })
    }

    pub(crate) fn key_text(&self, object: ObjectId, key: Key) -> String {
        match key {
            Key::Declared(rank) => self.shape_of(object).keys[rank as usize].to_string(),
            Key::Other(text) => self.spell(text),
        }
    }

    /// What a rule demands of the value of a key.
    fn demand_of(&self, object: &Object, rule: u32, key: Key) -> FormulaId {
        let name = match key {
            Key::Declared(rank) => Some(&*self.shape(object.shape).keys[rank as usize]),
            Key::Other(_) => None,
        };
        self.rules.property(rule, name)
    }

    /// The formula of an object together with some of what is asked about it.
    pub(crate) fn object_demand(&self, id: ObjectId, asked: &[u16]) -> FormulaId {
        let object = self.objects.get(id.0);
        demand(self, object.must, &object.asks, asked)
    }

    /// The ways in which an object can still satisfy `formula`.
    pub(crate) fn object_ways(&self, id: ObjectId, formula: FormulaId) -> Vec<ObjectWay> {
        let object = self.objects.get(id.0);
        let clauses = self.rules.formulas.clauses(formula).iter();
        clauses
            .filter_map(|clause| self.object_way(object, clause))
            .collect()
    }

    fn object_way(&self, object: &Object, clause: &[u32]) -> Option<ObjectWay> {
        let mut missing = Vec::new();
        let mut missing_others = Vec::new();
        for &rule in clause {
            let (declared, others) = self.missing_of(object, rule);
            missing.extend(declared);
            missing_others.extend(others);
        }
        missing.sort_unstable();
        missing.dedup();
        missing_others.sort_unstable();
        missing_others.dedup();
        let mut members_cost = 0;
        let declared = missing.iter().map(|&rank| Key::Declared(rank));
        for key in declared.chain(missing_others.iter().map(|&text| Key::Other(text))) {
            let parts: Vec<_> = clause
                .iter()
                .map(|&r| self.demand_of(object, r, key))
                .collect();
            let value = self.rules.cost(self.rules.formulas.and(&parts));
            let name = match key {
                Key::Declared(rank) => self.shape(object.shape).key_bytes[rank as usize],
                Key::Other(text) => key_bytes(&self.spell(text)),
            };
            members_cost = add(members_cost, add(value, name + self.rules.separator));
        }
        let clause = clause.into();
        (members_cost != NEVER).then_some(ObjectWay {
            clause,
            missing,
            missing_others,
            members_cost,
        })
    }

    /// The keys that a rule requires and that have not come.
    fn missing_of<'a>(
        &'a self,
        object: &'a Object,
        rule: u32,
    ) -> (
        impl Iterator<Item = u32> + 'a,
        impl Iterator<Item = TextId> + 'a,
    ) {
        let required = &self.shape(object.shape).required[&rule];
        // In order, a rule whose required key was passed over has been dropped.
        let declared = required.declared.iter().copied().filter(move |&rank| {
            if self.ordered {
                rank >= object.rank
            } else {
                !bit(&object.used, rank)
            }
        });
        let others = required.others.iter().copied();
        (
            declared,
            others.filter(|text| object.others.binary_search(text).is_err()),
        )
    }

    /// Whether a key may come next on a way, and what its value must satisfy then.
    pub(crate) fn object_value_way(
        &self,
        id: ObjectId,
        way: &ObjectWay,
        key: Key,
    ) -> Option<FormulaId> {
        let object = self.objects.get(id.0);
        let in_place = match key {
            Key::Declared(rank) if self.ordered => {
                rank >= object.rank && way.missing.first().is_none_or(|&next| rank <= next)
            }
            Key::Declared(rank) => !bit(&object.used, rank),
            Key::Other(_) => !self.ordered || way.missing.is_empty(),
        };
        if !in_place {
            return None;
        }
        let value = self.rules.formulas.and(&self.demands_of(object, way, key));
        (self.rules.cost(value) != NEVER).then_some(value)
    }

    /// What each rule of a way demands of the value of a key; `None` if the key must not come.
    pub(crate) fn object_values(
        &self,
        id: ObjectId,
        way: &ObjectWay,
        key: Key,
    ) -> Option<Vec<FormulaId>> {
        self.object_value_way(id, way, key)?;
        Some(self.demands_of(self.objects.get(id.0), way, key))
    }

    fn demands_of(&self, object: &Object, way: &ObjectWay, key: Key) -> Vec<FormulaId> {
        way.clause
            .iter()
            .map(|&rule| self.demand_of(object, rule, key))
            .collect()
    }

    /// The fewest bytes that finish an object, from right after `{` or a member's value on a way,
    /// or, with a member that is chosen, after that member's value.
    pub(crate) fn object_end_cost(
        &self,
        id: ObjectId,
        way: &ObjectWay,
        chosen: Option<Key>,
    ) -> u64 {
        let mut missing = way.missing();
        let mut cost = way.members_cost;
        if let Some(key) = chosen
            && self.is_missing(way, key)
        {
            missing -= 1;
            let value = self.object_value_way(id, way, key);
            let value = value.map_or(NEVER, |value| self.rules.cost(value));
            let name = key_bytes(&self.key_text(id, key));
            cost -= add(value, name + self.rules.separator).min(cost);
        }
        let commas = if chosen.is_none() && self.is_fresh(id) {
            missing.saturating_sub(1)
        } else {
            missing
        };
        add(add(cost, 1), commas * self.rules.separator)
    }

    fn is_missing(&self, way: &ObjectWay, key: Key) -> bool {
        match key {
            Key::Declared(rank) => way.missing.contains(&rank),
            Key::Other(text) => way.missing_others.contains(&text),
        }
    }

    /// Whether no member has come yet.
    fn is_fresh(&self, id: ObjectId) -> bool {
        let object = self.objects.get(id.0);
        object.rank == 0 && object.others.is_empty() && object.used.iter().all(|&word| word == 0)
    }

    /// What may come next.
    pub(crate) fn plan(&self, id: ObjectId) -> &Plan {
        self.objects.memo(id.0).plan.get_or_init(|| {
            let object = self.objects.get(id.0);
            let keys = self.shape(object.shape).keys.len() as u32;
            let mut allowed = vec![0; keys.div_ceil(64) as usize];
            let mut other = false;
            for way in self.object_ways(id, object.must) {
                for rank in object.rank..keys {
                    if self.ordered && way.missing.first().is_some_and(|&next| rank > next) {
                        break;
                    }
                    if !bit(&allowed, rank)
                        && self
                            .object_value_way(id, &way, Key::Declared(rank))
                            .is_some()
                    {
                        set_bit(&mut allowed, rank);
                    }
                }
                // All other keys are alike, so that any text stands for them.
                other |= self
                    .object_value_way(id, &way, Key::Other(TextId::EMPTY))
                    .is_some();
            }
            Plan {
                allowed: allowed.into(),
                other,
            }
        })
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
            let ways = self.object_ways(object_id, object.must);
            let ways: Vec<Vec<FormulaId>> = ways
                .iter()
                .filter_map(|way| self.object_values(object_id, way, key))
                .collect();
            let tracked = self.tracked(object.must, &object.asks);
            let all = tracked.iter().map(|&r| self.demand_of(object, r, key));
            let Task { must, asks } = value_task(self, &ways, all);
            self.task(must, asks)
        })
    }

    /// The object after a member's value with these verdicts.
    pub(crate) fn after_member(&self, id: MemberId, verdicts: &[bool]) -> ObjectId {
        let Member {
            object: object_id,
            key,
        } = self.member_of(id);
        let object = self.objects.get(object_id.0);
        let task = self.task_of(self.member_task(id));
        let judge = |rule: u32, own: FormulaId| {
            let fine = verdict(task, verdicts, self.demand_of(object, rule, key));
            if fine && !self.passes_over(object, rule, key) {
                own
            } else {
                FormulaId::FALSE
            }
        };
        let mut next = object.clone();
        next.must = self.rules.formulas.substitute(object.must, &judge);
        for ask in &mut next.asks {
            *ask = self.rules.formulas.substitute(*ask, &judge);
        }
        match key {
            Key::Declared(rank) if self.ordered => next.rank = rank + 1,
            Key::Declared(rank) => set_bit(&mut next.used, rank),
            Key::Other(text) => {
                if self.ordered {
                    next.rank = self.shape(object.shape).keys.len() as u32;
                }
                let mut others = next.others.into_vec();
                let at = others.partition_point(|&other| other < text);
                others.insert(at, text);
                next.others = others.into();
            }
        }
        ObjectId(self.objects.intern(next))
    }

    /// Whether, in order, a key comes after one that a rule requires and that has not come.
    fn passes_over(&self, object: &Object, rule: u32, key: Key) -> bool {
        if !self.ordered {
            return false;
        }
        let next = self.missing_of(object, rule).0.min();
        match key {
            Key::Declared(rank) => next.is_some_and(|next| next < rank),
            Key::Other(_) => next.is_some(),
        }
    }

    /// The verdicts if the object ends here; `None` if it must not.
    pub(crate) fn end_object(&self, id: ObjectId) -> Option<Verdicts> {
        let object = self.objects.get(id.0);
        let holds = |formula: FormulaId| {
            let judge = |rule: u32, _| {
                let (mut declared, mut others) = self.missing_of(object, rule);
                truth(declared.next().is_none() && others.next().is_none())
            };
            self.rules.formulas.substitute(formula, &judge) == FormulaId::TRUE
        };
        holds(object.must).then(|| object.asks.iter().map(|&ask| holds(ask)).collect())
    }
}
