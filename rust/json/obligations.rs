//! The interned obligations of values that are being read.
//!
//! An [`Obligation`] is what a value must satisfy, and what else is asked about it. An object or
//! array that is being read is an obligation with what has been read of it. When a value inside it
//! is to begin, the obligation of that value follows; when the value has ended, its verdicts choose
//! the next state.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::intern::Interner;
use crate::json::array::state::{Array, ArrayId};
use crate::json::cost::NEVER;
use crate::json::formula::{Formula, FormulaId, RuleId};
use crate::json::kind::Kind;
use crate::json::object::state::{Member, MemberMemo, Object, ObjectId, ObjectMemo};
use crate::json::obligation::{Obligation, ObligationId, Verdicts};
use crate::json::rules::Rules;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;

/// Where a value of one kind begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    Literal,
    Scalar(ScanId),
    Array(ArrayId),
    Object(ObjectId),
}

#[derive(Debug, Default)]
pub(crate) struct ObligationMemo {
    entries: [OnceLock<Option<Entry>>; 7],
    free_kinds: OnceLock<u8>,
    /// The index of each formula among the `queries`.
    asked: OnceLock<FxHashMap<FormulaId, usize>>,
}

/// All states of values under obligations. Shared by all texts of a grammar, and grown by them.
#[derive(Debug)]
pub(crate) struct Obligations {
    pub(crate) rules: Box<Rules>,
    /// Whether keys come in the order of the schema.
    pub(crate) ordered: bool,
    pub(crate) all: Interner<Obligation, ObligationMemo>,
    pub(crate) arrays: Interner<Array, crate::json::array::state::ArrayMemo>,
    pub(crate) objects: Interner<Object, ObjectMemo>,
    pub(crate) members: Interner<Member, MemberMemo>,
}

impl Obligations {
    pub(crate) fn new(rules: Box<Rules>, ordered: bool) -> Self {
        Obligations {
            rules,
            ordered,
            all: Interner::new(),
            arrays: Interner::new(),
            objects: Interner::new(),
            members: Interner::new(),
        }
    }

    pub(crate) fn obligation(
        &self,
        requirement: FormulaId,
        queries: Box<[FormulaId]>,
    ) -> ObligationId {
        ObligationId(self.all.intern(Obligation {
            requirement,
            queries,
        }))
    }

    pub(crate) fn obligation_of(&self, id: ObligationId) -> &Obligation {
        self.all.get(id.0)
    }

    /// The obligation with numbers written so that they can be compared with others by value.
    pub(crate) fn comparable(&self, id: ObligationId) -> ObligationId {
        let obligation = self.obligation_of(id);
        let formulas = &self.rules.formulas;
        let domain = formulas.assertion(Formula::Number(self.rules.number_domain));
        self.obligation(
            formulas.and(&[obligation.requirement, domain]),
            obligation.queries.clone(),
        )
    }

    /// Where a value of a kind begins; `None` if no such value satisfies the obligation.
    pub(crate) fn enter(&self, id: ObligationId, kind: Kind) -> Option<Entry> {
        *self.all.memo(id.0).entries[kind as usize].get_or_init(|| self.find_entry(id, kind))
    }

    /// The kinds of which all values satisfy the obligation, a [`Kind::bit`] for each; none if something
    /// is asked.
    pub(crate) fn free_kinds(&self, id: ObligationId) -> u8 {
        *self.all.memo(id.0).free_kinds.get_or_init(|| {
            let Obligation {
                requirement,
                queries,
            } = self.obligation_of(id);
            let of_kind = |kind: &Kind| self.rules.formulas.of_kind(*requirement, *kind);
            let is_free = |kind: &Kind| queries.is_empty() && of_kind(kind) == FormulaId::TRUE;
            let kinds = Kind::ALL.into_iter().filter(is_free);
            kinds.fold(0, |bits, kind| bits | kind.bit())
        })
    }

    fn find_entry(&self, id: ObligationId, kind: Kind) -> Option<Entry> {
        let obligation = self.obligation_of(id);
        let rules = &self.rules;
        if rules.cost_of_kind(obligation.requirement, kind) == NEVER {
            return None;
        }
        let requirement = rules.formulas.of_kind(obligation.requirement, kind);
        let queries: Box<[FormulaId]> = obligation
            .queries
            .iter()
            .map(|&query| rules.formulas.of_kind(query, kind))
            .collect();
        let scalar = |requirement, language: &dyn Fn(FormulaId) -> NodeId| {
            let queries = queries.iter().map(|&query| language(query)).collect();
            rules.scanner.start(requirement, queries).map(Entry::Scalar)
        };
        match kind {
            Kind::Null | Kind::True | Kind::False => Some(Entry::Literal),
            // What is asked about is a value, however it is written.
            Kind::Number => {
                let all = rules.number_language(requirement);
                scalar(rules.written_numbers(requirement), &|query| {
                    let asked = rules.number_language(query);
                    // No digits are read for a number that is not allowed.
                    let regexes = &rules.scanner.regexes;
                    regexes.numbers_among(all, asked).unwrap_or(asked)
                })
            }
            Kind::String => scalar(rules.string_language(requirement), &|query| {
                rules.string_language(query)
            }),
            Kind::Array => Some(Entry::Array(self.new_array(requirement, queries))),
            Kind::Object => Some(Entry::Object(self.new_object(requirement, queries))),
        }
    }

    /// The verdicts on a literal, which has no content.
    pub(crate) fn literal_verdicts(&self, id: ObligationId, kind: Kind) -> Verdicts {
        let queries = self.obligation_of(id).queries.iter();
        queries
            .map(|&query| self.rules.allows_literal(query, kind))
            .collect()
    }

    /// The rules that matter to a formula and to what is asked.
    pub(crate) fn tracked(&self, requirement: FormulaId, queries: &[FormulaId]) -> Vec<RuleId> {
        self.rules
            .formulas
            .rules(std::iter::once(requirement).chain(queries.iter().copied()))
    }

    /// Whether a finished value satisfied `formula`, one of those that its obligation was made for.
    pub(crate) fn verdict(&self, id: ObligationId, verdicts: &[bool], formula: FormulaId) -> bool {
        let asked = self.all.memo(id.0).asked.get_or_init(|| {
            let queries = self.obligation_of(id).queries.iter().copied();
            queries.zip(0..).collect()
        });
        match asked.get(&formula) {
            Some(&i) => verdicts[i],
            None => formula != FormulaId::FALSE,
        }
    }

    /// The verdicts on a string or number that ends in a state.
    pub(crate) fn scalar_verdicts(&self, id: ScanId) -> Verdicts {
        let queries = self.rules.scanner.scan(id).queries.iter();
        queries
            .map(|&query| self.rules.scanner.regexes.nullable(query))
            .collect()
    }
}

/// The conjunction of `requirement` and those of the `queries` whose indices are `asked`.
pub(crate) fn demand(
    obligations: &Obligations,
    requirement: FormulaId,
    queries: &[FormulaId],
    asked: &[u16],
) -> FormulaId {
    if asked.is_empty() {
        return requirement;
    }
    let parts: Vec<FormulaId> = std::iter::once(requirement)
        .chain(asked.iter().map(|&i| queries[usize::from(i)]))
        .collect();
    obligations.rules.formulas.and(&parts)
}
