//! Sets of numbers and states of reading them, as nodes among other languages.

use crate::decimal::Decimal;
use crate::regex::node::{Node, NodeId};
use crate::regex::numeric::divisibility::Divisibility;
use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::interval::Interval;
use crate::regex::numeric::number_list::{FEW, ListedNumber, NEAR, NumberList};
use crate::regex::numeric::plain_language::digit_pieces;
use crate::regex::numeric::reading::{Phase, Reading};
use crate::regex::numeric::set::{NumberClause, Set};
use crate::regex::numeric::{exponent, number_list};
use crate::regex::pieces::{self, Piece};
use crate::regex::regexes::Regexes;
use crate::spelling::JsonSpelling;

/// From so many on, single numbers that are excluded from a set are kept apart from it, and do not
/// cut its intervals to pieces.
const APART: u64 = 16;

impl Regexes {
    /// The numbers of a set.
    pub(crate) fn numbers(&self, set: Set) -> NodeId {
        if set.is_empty() {
            return NodeId::NEVER;
        }
        let set = self.numeric().intern(set);
        self.make(Node::Numbers(set))
    }

    pub(super) fn reading(&self, reading: Option<Reading>) -> NodeId {
        reading.map_or(NodeId::NEVER, |reading| {
            self.make(Node::Reading(Box::new(reading)))
        })
    }

    /// The states before the digits of the set's numbers of one sign.
    fn readings(&self, set: u32, negative: bool) -> Vec<NodeId> {
        let digits = self.numeric().digits();
        let mut out = Vec::new();
        for clause in &self.numeric().set(set).clauses {
            let are_free = clause.divisibility == Divisibility::default();
            let is_near = |interval: &&Interval| {
                are_free && interval.value().is_some_and(number_list::is_near)
            };
            let (near, others): (Vec<&Interval>, Vec<&Interval>) =
                clause.intervals.iter().partition(is_near);
            let near = near.into_iter().filter_map(Interval::value);
            out.push(self.number_list(near.filter(|value| value.negative == negative)));
            for interval in others {
                let start = if negative {
                    Reading::start(&clause.divisibility, &interval.negated(), digits)
                } else {
                    Reading::start(&clause.divisibility, interval, digits)
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
        let digits = self.numeric().digits();
        all.extend(digit_pieces(
            |digit| self.reading(reading.clone().digit(digit, digits)),
            |pair| reading.reads_alike(pair, digits),
        ));
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
        let excluded = self.excluded_points(parts);
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
        if let (Some(set), false) = (self.set_of(joined), excluded.is_empty()) {
            let many = excluded.len() as u64;
            if many >= APART && set.has_more_than(many) {
                // Cut out, they would make as many intervals, of which each is read on its own.
                parts.push(self.not(self.points(excluded)));
            } else {
                let left = set.difference(&self.set_of_points(&excluded));
                joined = self.numbers(left.expect("points have no demand"));
            }
        }
        parts.push(joined);
    }

    /// Whether a language of numbers certainly holds `least` values that have a spelling of this
    /// kind.
    pub(crate) fn has_numbers(&self, id: NodeId, least: u64, spelling: JsonSpelling) -> bool {
        let parts = match self.node(id) {
            Node::And(parts) => &**parts,
            _ => &[id],
        };
        let mut excluded = 0;
        let mut sets = Vec::new();
        for &part in parts {
            match *self.node(part) {
                Node::Numbers(set) => sets.push(self.numeric().set(set)),
                Node::Not(inner) => match self.points_of(inner) {
                    Some(points) => excluded += points.len() as u64,
                    None => return false,
                },
                _ => return false,
            }
        }
        let [set] = sets[..] else {
            return false;
        };
        match spelling {
            JsonSpelling::Plain => set.has_more_plain_than(least + excluded),
            JsonSpelling::Any => set.has_more_than(least + excluded),
        }
    }

    /// Takes out the parts that exclude single numbers, and gives all these numbers.
    fn excluded_points(&self, parts: &mut Vec<NodeId>) -> Vec<u32> {
        let mut all = Vec::new();
        parts.retain(|&part| {
            let points = match *self.node(part) {
                Node::Not(inner) => self.points_of(inner),
                _ => None,
            };
            let is_other = points.is_none();
            all.extend(points.unwrap_or_default());
            is_other
        });
        all
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

    /// The numbers of a set, if all of them are whole, written without fraction and exponent.
    pub(crate) fn written_plainly(&self, id: NodeId) -> Option<NodeId> {
        let clauses = &self.set_of(id)?.clauses;
        let is_whole =
            |clause: &NumberClause| clause.divisibility.divisor.as_ref() == Some(&Divisor::ONE);
        let plain = self.numbers(Set::plain_integers());
        clauses
            .iter()
            .all(is_whole)
            .then(|| self.and(vec![id, plain]))
    }

    /// The numbers in both of two languages; `None` if they are not known as sets of few intervals.
    pub(crate) fn numbers_among(&self, a: NodeId, b: NodeId) -> Option<NodeId> {
        const FEW_INTERVALS: usize = 64;
        let few = |id| {
            let set = self.set_of(id)?;
            let intervals = set.clauses.iter().map(|clause| clause.intervals.len());
            (intervals.sum::<usize>() <= FEW_INTERVALS).then_some(set)
        };
        let both = few(a)?.intersection(few(b)?)?;
        Some(self.numbers(both))
    }

    pub(super) fn set_of(&self, id: NodeId) -> Option<&Set> {
        match *self.node(id) {
            Node::Numbers(set) => Some(self.numeric().set(set)),
            _ => None,
        }
    }
}

impl Regexes {
    /// The state before the digits of near numbers of one sign.
    pub(super) fn number_list<'a>(&self, values: impl Iterator<Item = &'a Decimal>) -> NodeId {
        let store = self.numeric().digits();
        let points = values.map(|value| ListedNumber {
            digits: store.intern(value.digits.as_slice().into()),
            gap: value.point() as i32,
        });
        self.make_number_list(NumberList {
            points: points.collect(),
            phase: Phase::Start,
            leading: true,
            matched: 0,
        })
    }

    fn make_number_list(&self, number_list: NumberList) -> NodeId {
        let is_far = |point: &ListedNumber| point.gap.abs() > NEAR;
        if number_list.points.len() >= FEW && !number_list.points.iter().any(is_far) {
            return self.make(Node::NumberList(Box::new(number_list)));
        }
        let store = self.numeric().digits();
        let each = number_list.points.iter();
        let each = each.map(|&point| self.reading(number_list.alone(point, store).settled()));
        self.or(each.collect())
    }

    pub(in crate::regex) fn derive_number_list(&self, number_list: &NumberList) -> Vec<Piece> {
        let store = self.numeric().digits();
        let at = |c: char, to| Piece {
            lo: c as u32,
            hi: c as u32,
            to,
        };
        let mut all = Vec::new();
        if matches!(number_list.phase, Phase::Zero | Phase::Int) {
            let phase = Phase::Point;
            let number_list = NumberList {
                phase,
                ..number_list.clone()
            };
            all.push(at('.', self.make_number_list(number_list)));
        }
        for (digit, next) in number_list.after_digits(store) {
            all.push(at(char::from(b'0' + digit), self.make_number_list(next)));
        }
        let exponents = number_list.exponents(store);
        let runs = exponents.chunk_by(|a, b| a + 1 == *b);
        let runs = runs.map(|run| exponent::between(self, run[0], run[run.len() - 1]));
        let exponent = self.or(runs.collect());
        all.extend([at('E', exponent), at('e', exponent)]);
        pieces::map(&all, |to| to)
    }
}
