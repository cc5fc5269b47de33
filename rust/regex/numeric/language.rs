//! Sets of numbers and states of reading them, as nodes among other languages.

use crate::intern::Interner;
use crate::regex::node::{Node, NodeId, Regexes};
use crate::regex::numeric::bound::Digits;
use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::exponent;
use crate::regex::numeric::reading::Reading;
use crate::regex::numeric::set::{Clause, Set};
use crate::regex::pieces::{self, Piece};

/// What the nodes of numbers refer to.
#[derive(Debug)]
pub(crate) struct Store {
    sets: Interner<Set>,
    pub(super) digits: Digits,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            sets: Interner::new(),
            digits: Digits::new(),
        }
    }
}

impl Store {
    pub(crate) fn set(&self, id: u32) -> &Set {
        self.sets.get(id)
    }

    pub(crate) fn digits(&self) -> &Digits {
        &self.digits
    }
}

impl Regexes {
    /// The numbers of a set.
    pub(crate) fn numbers(&self, set: Set) -> NodeId {
        if set.is_empty() {
            return NodeId::NEVER;
        }
        let set = self.numeric().sets.intern(set);
        self.make(Node::Numbers(set))
    }

    fn reading(&self, reading: Option<Reading>) -> NodeId {
        reading.map_or(NodeId::NEVER, |reading| {
            self.make(Node::Reading(Box::new(reading)))
        })
    }

    /// The states before the digits of the set's numbers of one sign.
    fn readings(&self, set: u32, negative: bool) -> Vec<NodeId> {
        let digits = self.numeric().digits();
        let mut out = Vec::new();
        for clause in &self.numeric().set(set).clauses {
            for interval in &clause.intervals {
                let start = if negative {
                    Reading::start(&clause.how, &interval.negated(), digits)
                } else {
                    Reading::start(&clause.how, interval, digits)
                };
                out.push(self.reading(start));
            }
        }
        out
    }

    pub(in crate::regex) fn derive_numbers(&self, set: u32) -> Vec<Piece> {
        let minus = Piece {
            lo: '-' as u32,
            hi: '-' as u32,
            to: self.or(self.readings(set, true)),
        };
        let unsigned = self.pieces(self.or(self.readings(set, false)));
        let all = std::iter::once(minus).chain(unsigned.iter().copied());
        pieces::map(&all.collect::<Vec<_>>(), |to| to)
    }

    pub(in crate::regex) fn derive_reading(&self, reading: &Reading) -> Vec<Piece> {
        let at = |c: char, to| Piece {
            lo: c as u32,
            hi: c as u32,
            to,
        };
        let mut all = vec![at('.', self.reading(reading.clone().point()))];
        for digit in 0..10 {
            let next = reading.clone().digit(digit, self.numeric().digits());
            all.push(at(char::from(b'0' + digit), self.reading(next)));
        }
        if !reading.plain
            && let Some((lo, hi)) = reading.exponents()
        {
            let exponent = exponent::between(self, lo, hi);
            all.extend([at('E', exponent), at('e', exponent)]);
        }
        pieces::map(&all, |to| to)
    }

    /// Replaces the sets among the parts of a conjunction, and the complements of sets, by one set
    /// as far as it can be said.
    pub(in crate::regex) fn join_numbers(&self, parts: &mut Vec<NodeId>) {
        let Some(first) = parts.iter().position(|&part| self.set_of(part).is_some()) else {
            return;
        };
        let mut joined = parts.swap_remove(first);
        parts.retain(|&part| {
            let set = self.set_of(joined);
            let both = match (set, self.node(part)) {
                (None, _) => return true,
                (Some(set), &Node::Numbers(other)) => set.intersection(self.numeric().set(other)),
                (Some(set), &Node::Not(inner)) => match self.set_of(inner) {
                    Some(other) => set.difference(other),
                    None => None,
                },
                _ => None,
            };
            let is_joined = both.is_some();
            if let Some(both) = both {
                joined = self.numbers(both);
            }
            !is_joined
        });
        parts.push(joined);
    }

    /// Replaces the sets among the parts of a disjunction by their union.
    pub(in crate::regex) fn unite_numbers(&self, parts: &mut Vec<NodeId>) {
        let sets = parts.iter().filter_map(|&part| self.set_of(part));
        if sets.clone().nth(1).is_none() {
            return;
        }
        let Some(union) = Set::union(sets) else {
            return;
        };
        parts.retain(|&part| self.set_of(part).is_none());
        parts.push(self.numbers(union));
    }

    /// The same numbers written without fraction and exponent, if all of a set are whole.
    pub(crate) fn written_plainly(&self, id: NodeId) -> Option<NodeId> {
        let clauses = &self.set_of(id)?.clauses;
        let is_whole = |clause: &Clause| clause.how.divisor.as_ref() == Some(&Divisor::ONE);
        let plain = self.numbers(Set::plain_integers());
        clauses
            .iter()
            .all(is_whole)
            .then(|| self.and(vec![id, plain]))
    }

    fn set_of(&self, id: NodeId) -> Option<&Set> {
        match *self.node(id) {
            Node::Numbers(set) => Some(self.numeric().set(set)),
            _ => None,
        }
    }
}
