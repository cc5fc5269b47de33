//! What a value must be, as a formula over assertions about its type and content.
//!
//! An assertion about strings says nothing about other values, and so on: a schema object is the
//! conjunction of its assertions. Once the type of a value is known, a formula shrinks to the
//! assertions about that type.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::intern::Interner;
use crate::json::kind::Kind;
use crate::regex::node::NodeId;
use crate::regex::regexes::Regexes;
use crate::work;

/// A formula: an index into [`Formulas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FormulaId(pub(crate) u32);

impl FormulaId {
    pub(crate) const FALSE: FormulaId = FormulaId(0);
    pub(crate) const TRUE: FormulaId = FormulaId(1);
}

/// A rule: the assertions of one schema object about objects, or those about arrays. An index into
/// the rules about objects or into those about arrays; which, the highest bit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RuleId(u32);

impl RuleId {
    const ARRAY: u32 = 1 << 31;
    /// Comes before all other rules.
    pub(crate) const FIRST: RuleId = RuleId(0);
    /// Comes after all other rules.
    pub(crate) const LAST: RuleId = RuleId(u32::MAX);

    /// The rule about objects with this index.
    pub(crate) fn of_objects(index: usize) -> Self {
        RuleId(index as u32)
    }

    /// The rule about arrays with this index.
    pub(crate) fn of_arrays(index: usize) -> Self {
        RuleId(index as u32 | RuleId::ARRAY)
    }

    /// Whether it is about arrays.
    pub(crate) fn is_of_arrays(self) -> bool {
        self.0 & RuleId::ARRAY != 0
    }

    /// The index among the rules of its kind.
    pub(crate) fn index(self) -> usize {
        (self.0 & !RuleId::ARRAY) as usize
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Formula {
    False,
    True,
    /// The value's kind is one of a set of [`Kind::bit`]s.
    Kinds(u8),
    /// A string is in the language.
    Text(NodeId),
    /// A number's text is in the language.
    Number(NodeId),
    Object(RuleId),
    Array(RuleId),
    /// All hold. Parts keep their order: it is the order of the schema's keys.
    And(Box<[FormulaId]>),
    /// One holds at least.
    Or(Box<[FormulaId]>),
    /// It does not hold; of no [`Formula::Or`], [`Formula::Not`] or [`Formula::Kinds`].
    Not(FormulaId),
}

#[derive(Debug, Default)]
struct FormulaMemo {
    by_kind: [OnceLock<FormulaId>; 7],
    clauses: OnceLock<Alternatives>,
    /// An upper bound of the number of clauses, which `clauses.rs` fills in.
    count: OnceLock<usize>,
    /// The negation of a disjunction.
    negation: OnceLock<FormulaId>,
    /// The language of a formula that is about strings or numbers only.
    language: OnceLock<NodeId>,
    /// The fewest bytes of a value, which `liveness` fills in.
    cost: OnceLock<u64>,
}

/// One way in which a formula about objects or arrays can hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Clause {
    /// All of these rules hold.
    pub(crate) rules: Box<[RuleId]>,
    /// Sets of rules. Of each set, one rule at least does not hold.
    pub(crate) nots: Box<[Box<[RuleId]>]>,
    /// Lists of clauses. Of each list, one clause holds: to multiply them out would give too many
    /// clauses.
    pub(crate) ors: Box<[Alternatives]>,
}

/// Clauses of which one holds. Nested ones share what they have in common, so these lists are told
/// apart by where they are, and never walked without a memo of those that were met.
#[derive(Clone, Debug)]
pub(crate) struct Alternatives(Arc<[Clause]>);

impl Alternatives {
    /// Equal lists at the same place are the same.
    pub(crate) fn place(&self) -> *const Clause {
        self.0.as_ptr()
    }
}

impl From<Vec<Clause>> for Alternatives {
    fn from(clauses: Vec<Clause>) -> Self {
        Alternatives(clauses.into())
    }
}

impl std::ops::Deref for Alternatives {
    type Target = [Clause];
    fn deref(&self) -> &[Clause] {
        &self.0
    }
}

impl PartialEq for Alternatives {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Alternatives {}

impl Hash for Alternatives {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl Clause {
    /// Whether it says of some rules that they hold, and nothing else.
    pub(super) fn is_plain(&self) -> bool {
        self.nots.is_empty() && self.ors.is_empty()
    }

    /// Units of work of looking at all of it, what it shares with others left out.
    pub(super) fn work(&self) -> usize {
        let nots: usize = self.nots.iter().map(|not| not.len()).sum();
        1 + self.rules.len() + self.nots.len() + nots + self.ors.len()
    }

    /// The memory that it takes, what it shares with others left out.
    pub(super) fn bytes(&self) -> usize {
        let nots: usize = self.nots.iter().map(|not| size_of_val(&**not)).sum();
        let ors = size_of_val(&*self.ors);
        size_of::<Clause>() + size_of_val(&*self.rules) + 16 * self.nots.len() + nots + ors
    }
}

/// A store of formulas.
#[derive(Debug)]
pub(crate) struct Formulas {
    formulas: Interner<Formula, FormulaMemo>,
}

impl Formulas {
    pub(crate) fn new() -> Self {
        let formulas = Interner::new();
        formulas.intern(Formula::False);
        formulas.intern(Formula::True);
        Formulas { formulas }
    }

    pub(crate) fn get(&self, id: FormulaId) -> &Formula {
        self.formulas.get(id.0)
    }

    pub(crate) fn cost_memo(&self, id: FormulaId) -> &OnceLock<u64> {
        &self.formulas.memo(id.0).cost
    }

    /// The memo of the clauses, which `clauses` fills in.
    pub(crate) fn clauses_memo(&self, id: FormulaId) -> &OnceLock<Alternatives> {
        &self.formulas.memo(id.0).clauses
    }

    pub(crate) fn count_memo(&self, id: FormulaId) -> &OnceLock<usize> {
        &self.formulas.memo(id.0).count
    }

    fn make(&self, formula: Formula) -> FormulaId {
        FormulaId(self.formulas.intern(formula))
    }

    /// A single assertion.
    pub(crate) fn assertion(&self, assertion: Formula) -> FormulaId {
        match assertion {
            Formula::Kinds(0) => FormulaId::FALSE,
            Formula::Kinds(Kind::ALL_BITS) => FormulaId::TRUE,
            Formula::Text(NodeId::ANY) => FormulaId::TRUE,
            other => self.make(other),
        }
    }

    pub(crate) fn and(&self, parts: &[FormulaId]) -> FormulaId {
        if let [only] = *parts {
            return only;
        }
        let mut flat = Vec::with_capacity(parts.len());
        work::spend(parts.len());
        for &part in parts {
            match self.get(part) {
                Formula::True => {}
                Formula::False => return FormulaId::FALSE,
                Formula::And(inner) => flat.extend(inner.iter().copied()),
                _ => flat.push(part),
            }
        }
        work::spend(flat.len());
        dedup(&mut flat);
        match flat[..] {
            [] => FormulaId::TRUE,
            [one] => one,
            _ if self.holds_opposites(&flat) => FormulaId::FALSE,
            _ => {
                work::hold(size_of_val(&*flat));
                self.make(Formula::And(flat.into()))
            }
        }
    }

    /// Whether one part denies others.
    fn holds_opposites(&self, parts: &[FormulaId]) -> bool {
        work::spend(parts.len());
        let set: FxHashSet<FormulaId> = match parts.len() {
            ..=FEW => FxHashSet::default(),
            _ => parts.iter().copied().collect(),
        };
        let holds = |part: &FormulaId| match set.is_empty() {
            true => parts.contains(part),
            false => set.contains(part),
        };
        parts.iter().any(|&part| match *self.get(part) {
            Formula::Not(inner) => match self.get(inner) {
                Formula::And(inner) => {
                    work::spend(1);
                    inner.iter().all(holds)
                }
                _ => holds(&inner),
            },
            _ => {
                let negation = self.formulas.memo(part.0).negation.get();
                negation.is_some_and(holds)
            }
        })
    }

    /// The formula that holds for all values for which `id` does not.
    pub(crate) fn not(&self, id: FormulaId) -> FormulaId {
        let negation = &self.formulas.memo(id.0).negation;
        if let Some(&known) = negation.get() {
            return known;
        }
        match self.get(id) {
            Formula::True => FormulaId::FALSE,
            Formula::False => FormulaId::TRUE,
            Formula::Not(inner) => *inner,
            Formula::Kinds(bits) => self.assertion(Formula::Kinds(!bits & Kind::ALL_BITS)),
            Formula::Or(parts) => {
                let parts: Vec<FormulaId> = parts.iter().map(|&part| self.not(part)).collect();
                *negation.get_or_init(|| self.and(&parts))
            }
            _ => self.make(Formula::Not(id)),
        }
    }

    /// The formula of the values that satisfy exactly one of two.
    pub(crate) fn either(&self, a: FormulaId, b: FormulaId) -> FormulaId {
        let (not_a, not_b) = (self.not(a), self.not(b));
        let either = self.or(&[self.and(&[a, not_b]), self.and(&[b, not_a])]);
        // Negated part by part it would say that `a` both holds and does not: nested, that doubles
        // at every level.
        let alike = self.or(&[self.and(&[a, b]), self.and(&[not_a, not_b])]);
        for (one, other) in [(either, alike), (alike, either)] {
            if matches!(self.get(one), Formula::Or(_)) {
                self.formulas.memo(one.0).negation.get_or_init(|| other);
            }
        }
        either
    }

    pub(crate) fn or(&self, parts: &[FormulaId]) -> FormulaId {
        let mut flat = Vec::with_capacity(parts.len());
        for &part in parts {
            match self.get(part) {
                Formula::False => {}
                Formula::True => return FormulaId::TRUE,
                Formula::Or(inner) => flat.extend(inner.iter().copied()),
                _ => flat.push(part),
            }
        }
        work::spend(flat.len());
        dedup(&mut flat);
        match flat[..] {
            [] => FormulaId::FALSE,
            [one] => one,
            _ => {
                work::hold(size_of_val(&*flat));
                self.make(Formula::Or(flat.into()))
            }
        }
    }

    /// What remains of a formula once the value's kind is known.
    pub(crate) fn of_kind(&self, id: FormulaId, kind: Kind) -> FormulaId {
        let keep = |is_about_it: bool| if is_about_it { id } else { FormulaId::TRUE };
        let excludes = |&part: &FormulaId| match *self.get(part) {
            Formula::Kinds(bits) => bits & kind.bit() == 0,
            _ => false,
        };
        let find = || match self.get(id) {
            Formula::And(parts) if parts.iter().any(excludes) => FormulaId::FALSE,
            Formula::And(parts) => self.and(&self.all_of_kind(parts, kind)),
            Formula::Or(parts) => self.or(&self.all_of_kind(parts, kind)),
            &Formula::Not(part) => self.not(self.of_kind(part, kind)),
            _ => id,
        };
        match self.get(id) {
            Formula::False | Formula::True => id,
            Formula::Kinds(_) => truth(!excludes(&id)),
            Formula::Text(_) => keep(kind == Kind::String),
            Formula::Number(_) => keep(kind == Kind::Number),
            Formula::Object(_) => keep(kind == Kind::Object),
            Formula::Array(_) => keep(kind == Kind::Array),
            _ => *self.formulas.memo(id.0).by_kind[kind as usize].get_or_init(find),
        }
    }

    fn all_of_kind(&self, parts: &[FormulaId], kind: Kind) -> Vec<FormulaId> {
        parts.iter().map(|&part| self.of_kind(part, kind)).collect()
    }

    /// The language of a formula that is about strings or numbers only. `all` is what it is if the
    /// formula asserts nothing, and `domain` that within which assertions are negated.
    pub(crate) fn language(
        &self,
        id: FormulaId,
        (all, domain): (NodeId, NodeId),
        regexes: &Regexes,
    ) -> NodeId {
        let part = |id: FormulaId| self.language(id, (all, domain), regexes);
        let memo = &self.formulas.memo(id.0).language;
        let find = || match self.get(id) {
            Formula::And(parts) => {
                work::spend(parts.len());
                // What is excluded is joined before it is taken from anything.
                let all = parts.iter().flat_map(|&id| match *self.get(id) {
                    Formula::Not(inner) => [domain, regexes.not(part(inner))],
                    _ => [NodeId::ANY, part(id)],
                });
                regexes.and(all.collect())
            }
            Formula::Or(parts) => {
                work::spend(parts.len());
                regexes.or(parts.iter().map(|&p| part(p)).collect())
            }
            &Formula::Not(inner) => regexes.and(vec![domain, regexes.not(part(inner))]),
            _ => NodeId::NEVER,
        };
        match *self.get(id) {
            Formula::True => all,
            Formula::Text(node) | Formula::Number(node) => node,
            _ => *memo.get_or_init(find),
        }
    }

    /// Replaces each rule by `verdict` of it: `FALSE`, `TRUE`, or the rule's own formula.
    pub(crate) fn substitute(
        &self,
        id: FormulaId,
        verdict: &impl Fn(RuleId, FormulaId) -> FormulaId,
    ) -> FormulaId {
        self.substituted(id, verdict, &mut FxHashMap::default())
    }

    fn substituted(
        &self,
        id: FormulaId,
        verdict: &impl Fn(RuleId, FormulaId) -> FormulaId,
        known: &mut FxHashMap<FormulaId, FormulaId>,
    ) -> FormulaId {
        work::spend(1);
        let mut of = |part: FormulaId| {
            // What holds other formulas can be a part of many.
            let is_shared = matches!(self.get(part), Formula::And(_) | Formula::Or(_));
            if let Some(&known) = known.get(&part).filter(|_| is_shared) {
                return known;
            }
            let found = self.substituted(part, verdict, known);
            if is_shared {
                known.insert(part, found);
            }
            found
        };
        match self.get(id) {
            &(Formula::Object(rule) | Formula::Array(rule)) => verdict(rule, id),
            Formula::And(parts) => {
                let parts: Vec<FormulaId> = parts.iter().map(|&part| of(part)).collect();
                self.and(&parts)
            }
            Formula::Or(parts) => {
                let parts: Vec<FormulaId> = parts.iter().map(|&part| of(part)).collect();
                self.or(&parts)
            }
            &Formula::Not(part) => self.not(of(part)),
            _ => id,
        }
    }

    /// The rules that hold in every way in which a formula about objects or arrays can hold, as far
    /// as that shows in how it is written.
    pub(crate) fn certain_rules(&self, id: FormulaId) -> FxHashSet<RuleId> {
        let parts = match self.get(id) {
            Formula::And(parts) => parts,
            _ => std::slice::from_ref(&id),
        };
        work::spend(parts.len());
        let rules = parts.iter().filter_map(|&part| match *self.get(part) {
            Formula::Object(rule) | Formula::Array(rule) => Some(rule),
            _ => None,
        });
        rules.collect()
    }

    /// The rules of a formula that is about objects or arrays only, in order.
    pub(crate) fn rules(&self, ids: impl IntoIterator<Item = FormulaId>) -> Vec<RuleId> {
        let mut out = Vec::new();
        let mut stack: Vec<FormulaId> = ids.into_iter().collect();
        let mut seen = FxHashSet::default();
        stack.reverse();
        while let Some(id) = stack.pop() {
            work::spend(1);
            match self.get(id) {
                &(Formula::Object(rule) | Formula::Array(rule)) => {
                    out.push(rule);
                }
                Formula::And(parts) | Formula::Or(parts) if seen.insert(id) => {
                    stack.extend(parts.iter().rev().copied());
                }
                &Formula::Not(part) => stack.push(part),
                _ => {}
            }
        }
        dedup(&mut out);
        out
    }
}

/// Lists of so many formulas are looked through.
const FEW: usize = 8;

/// Drops later duplicates, keeping the order.
pub(crate) fn dedup<T: Clone + Eq + std::hash::Hash>(list: &mut Vec<T>) {
    // Most lists are short, and need no set.
    if list.len() <= FEW {
        let mut kept = 0;
        for i in 0..list.len() {
            if !list[..kept].contains(&list[i]) {
                list.swap(kept, i);
                kept += 1;
            }
        }
        list.truncate(kept);
        return;
    }
    let mut seen = rustc_hash::FxHashSet::default();
    list.retain(|item| seen.insert(item.clone()));
}

pub(crate) fn truth(value: bool) -> FormulaId {
    if value {
        FormulaId::TRUE
    } else {
        FormulaId::FALSE
    }
}
