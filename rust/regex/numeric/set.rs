//! Sets of decimals: what schemas say about the value of a number.

use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::interval::{self, Interval};

/// The multiples of a divisor in some intervals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Clause {
    pub(super) how: How,
    /// Sorted and apart. If there is a divisor, the ends are multiples of it.
    pub(super) intervals: Vec<Interval>,
}

/// What a clause demands besides where the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct How {
    /// Written without fraction and exponent, which only whole numbers can be.
    pub(super) plain: bool,
    pub(super) divisor: Option<Divisor>,
}

impl How {
    fn and(self, other: How) -> Option<How> {
        let divisor = match (self.divisor, other.divisor) {
            (Some(a), Some(b)) => Some(a.common(b)?),
            (a, b) => a.or(b),
        };
        let plain = self.plain || other.plain;
        Some(How { plain, divisor })
    }

    /// Whether what meets this demand meets the other.
    fn implies(self, other: How) -> bool {
        let divides = match (self.divisor, other.divisor) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own.is_multiple_of(other),
        };
        divides && (self.plain || !other.plain)
    }
}

/// A union of clauses, each with demands of its own. Equal sets may look different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set {
    pub(super) clauses: Vec<Clause>,
}

impl Set {
    pub(crate) fn interval(interval: Interval) -> Self {
        let how = How {
            plain: false,
            divisor: None,
        };
        Set::of(vec![(how, vec![interval])])
    }

    pub(crate) fn multiples(divisor: Divisor) -> Self {
        let how = How {
            plain: false,
            divisor: Some(divisor),
        };
        Set::of(vec![(how, vec![Interval::ALL])])
    }

    /// The whole numbers, written without fraction and exponent.
    pub(crate) fn plain_integers() -> Self {
        let how = How {
            plain: true,
            divisor: Some(Divisor::ONE),
        };
        Set::of(vec![(how, vec![Interval::ALL])])
    }

    fn of(parts: Vec<(How, Vec<Interval>)>) -> Self {
        let mut narrow: Vec<(How, Vec<Interval>)> = Vec::with_capacity(parts.len());
        for (mut how, mut intervals) in parts {
            if let Some(divisor) = how.divisor {
                intervals = interval::narrowed(&intervals, divisor);
                // The points that are left are multiples, so that nothing need be said.
                if !how.plain && intervals.iter().all(Interval::is_point) {
                    how.divisor = None;
                }
            }
            if !intervals.is_empty() {
                narrow.push((how, intervals));
            }
        }
        narrow.sort_by_key(|&(how, _)| how);
        let mut clauses: Vec<Clause> = Vec::new();
        for (how, intervals) in narrow {
            match clauses.last_mut() {
                Some(last) if last.how == how => last.intervals.extend(intervals),
                _ => clauses.push(Clause { how, intervals }),
            }
        }
        for clause in &mut clauses {
            clause.intervals = interval::union(std::mem::take(&mut clause.intervals));
        }
        Set { clauses }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    pub(crate) fn union<'a>(sets: impl IntoIterator<Item = &'a Set>) -> Set {
        let clauses = sets.into_iter().flat_map(|set| &set.clauses);
        Set::of(clauses.map(|c| (c.how, c.intervals.clone())).collect())
    }

    /// What is in both; `None` if that has no such form, because a divisor is too long.
    pub(crate) fn intersection(&self, other: &Set) -> Option<Set> {
        let mut parts = Vec::new();
        for a in &self.clauses {
            for b in &other.clauses {
                let intervals = interval::intersection(&a.intervals, &b.intervals);
                if !intervals.is_empty() {
                    parts.push((a.how.and(b.how)?, intervals));
                }
            }
        }
        Some(Set::of(parts))
    }

    /// What is in this set and not in the other; `None` if that has no such form, because it
    /// would say of what a number is no multiple, or how it is not written.
    pub(crate) fn difference(&self, other: &Set) -> Option<Set> {
        let mut parts = Vec::new();
        for a in &self.clauses {
            let mut left = a.intervals.clone();
            for b in &other.clauses {
                if a.how.implies(b.how) {
                    left = interval::intersection(&left, &interval::complement(&b.intervals));
                    continue;
                }
                let shared = interval::intersection(&left, &b.intervals);
                let shared = match a.how.and(b.how)?.divisor {
                    Some(divisor) => interval::narrowed(&shared, divisor),
                    None => shared,
                };
                if !shared.iter().all(Interval::is_point) || (b.how.plain && !shared.is_empty()) {
                    return None;
                }
                left = interval::intersection(&left, &interval::complement(&shared));
            }
            parts.push((a.how, left));
        }
        Some(Set::of(parts))
    }
}
