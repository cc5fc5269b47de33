//! Sets of decimals: what schemas say about the value of a number.

use crate::decimal::Decimal;
use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::how::{How, TooComplex};
use crate::regex::numeric::interval::{self, Interval};

/// No set has more clauses than this, for each is read on its own.
const MAX_CLAUSES: usize = 64;

/// The numbers in some intervals that meet a demand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Clause {
    pub(super) how: How,
    /// Sorted and apart; closed ends meet the demand.
    pub(super) intervals: Vec<Interval>,
}

/// A union of clauses, each with a demand of its own. Equal sets may look different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set {
    pub(super) clauses: Vec<Clause>,
}

type Parts = Vec<(How, Vec<Interval>)>;

impl Set {
    pub(crate) fn interval(interval: Interval) -> Self {
        Set::simple(How::default(), interval)
    }

    pub(crate) fn multiples(divisor: Divisor) -> Self {
        let how = How {
            divisor: Some(divisor),
            ..How::default()
        };
        Set::simple(how, Interval::ALL)
    }

    /// The whole numbers, written without fraction and exponent.
    pub(crate) fn plain_integers() -> Self {
        let how = How {
            plain: true,
            divisor: Some(Divisor::ONE),
            without: Vec::new(),
        };
        Set::simple(how, Interval::ALL)
    }

    fn simple(how: How, interval: Interval) -> Self {
        let intervals = vec![interval];
        Set {
            clauses: vec![Clause { how, intervals }],
        }
    }

    fn of(parts: Parts) -> Result<Self, TooComplex> {
        let mut settled = Vec::with_capacity(parts.len());
        for (how, intervals) in parts {
            settled.extend(how.settled(intervals)?);
        }
        settled.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut clauses: Vec<Clause> = Vec::new();
        for (how, intervals) in settled {
            match clauses.last_mut() {
                Some(last) if last.how == how => last.intervals.extend(intervals),
                _ => clauses.push(Clause { how, intervals }),
            }
        }
        if clauses.len() > MAX_CLAUSES {
            return Err(TooComplex);
        }
        for clause in &mut clauses {
            clause.intervals = interval::union(std::mem::take(&mut clause.intervals));
        }
        Ok(Set { clauses })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The numbers that it holds, if it names them one by one.
    pub(super) fn values(&self) -> Option<impl Iterator<Item = &Decimal>> {
        let [clause] = &self.clauses[..] else {
            return None;
        };
        let all = clause.how == How::default() && clause.intervals.iter().all(Interval::is_point);
        all.then(|| clause.intervals.iter().filter_map(Interval::value))
    }

    /// Of intervals that are points.
    pub(super) fn values_of(points: Vec<Interval>) -> Self {
        let intervals = interval::union(points);
        let how = How::default();
        Set {
            clauses: vec![Clause { how, intervals }],
        }
    }

    /// Whether it certainly holds more than so many numbers.
    pub(super) fn has_more_than(&self, many: u64) -> bool {
        self.clauses.iter().any(|clause| {
            clause.intervals.iter().any(|interval| {
                let (Some(lower), Some(upper)) = (&interval.lower, &interval.upper) else {
                    return true;
                };
                match clause.how.divisor {
                    None => !interval.is_point(),
                    Some(divisor) if clause.how.without.is_empty() => {
                        let steps = divisor.steps(&lower.value, &upper.value);
                        steps.is_some_and(|steps| steps >= many.into())
                    }
                    Some(_) => false,
                }
            })
        })
    }

    /// What is in any; `None` if that has too many clauses.
    pub(crate) fn union<'a>(sets: impl IntoIterator<Item = &'a Set>) -> Option<Set> {
        let clauses = sets.into_iter().flat_map(|set| &set.clauses);
        let parts = clauses.map(|c| (c.how.clone(), c.intervals.clone()));
        Set::of(parts.collect()).ok()
    }

    /// What is in both; `None` if that has no such form, because divisors are too long or too
    /// many.
    pub(crate) fn intersection(&self, other: &Set) -> Option<Set> {
        let mut parts = Vec::new();
        for a in &self.clauses {
            for b in &other.clauses {
                let intervals = interval::intersection(&a.intervals, &b.intervals);
                if !intervals.is_empty() {
                    parts.push((a.how.and(&b.how).ok()?, intervals));
                }
            }
        }
        Set::of(parts).ok()
    }

    /// What is in this set and not in the other; `None` if that has no such form, which is so as
    /// well if it would say how a number is *not* written.
    pub(crate) fn difference(&self, other: &Set) -> Option<Set> {
        let mut left = self.clone();
        for clause in &other.clauses {
            let mut parts = Vec::new();
            for own in left.clauses {
                subtract(&own, clause, &mut parts).ok()?;
            }
            left = Set::of(parts).ok()?;
        }
        Some(left)
    }
}

/// What of a clause is not in another.
fn subtract(own: &Clause, other: &Clause, parts: &mut Parts) -> Result<(), TooComplex> {
    let outside = interval::complement(&other.intervals);
    let outside = interval::intersection(&own.intervals, &outside);
    if !outside.is_empty() {
        parts.push((own.how.clone(), outside));
    }
    let inside = interval::intersection(&own.intervals, &other.intervals);
    if inside.is_empty() {
        return Ok(());
    }
    if other.how.plain && !own.how.plain {
        return Err(TooComplex);
    }
    if let Some(divisor) = other.how.divisor {
        let mut how = own.how.clone();
        how.without.push(divisor);
        parts.push((how, inside.clone()));
    }
    for &without in &other.how.without {
        let with = How {
            divisor: Some(without),
            ..How::default()
        };
        parts.push((own.how.and(&with)?, inside.clone()));
    }
    Ok(())
}
