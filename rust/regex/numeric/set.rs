//! Sets of decimals: what schemas say about the value of a number.

use crate::decimal::Decimal;
use crate::regex::numeric::divisibility::{Divisibility, TooComplex};
use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::interval::{self, Interval};

/// No set has more clauses than this, for each is read on its own.
const MAX_CLAUSES: usize = 64;

/// The numbers in some intervals that meet a demand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NumberClause {
    pub(super) divisibility: Divisibility,
    /// Sorted and apart; closed ends meet the demand.
    pub(super) intervals: Vec<Interval>,
}

/// How many digits are written at most, in plain spelling: as many as the longest number has that
/// the set was made of, but a few at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Longest {
    /// The digits of a number without fraction and exponent.
    pub(super) whole: u32,
    /// The digits of any other number, from the first that is not zero on.
    pub(super) digits: u32,
}

impl Default for Longest {
    fn default() -> Self {
        Longest {
            whole: 32,
            digits: 17,
        }
    }
}

impl Longest {
    /// Digits enough to write an interval's ends, numbers between them, and a divisor.
    pub(super) fn of(interval: &Interval, divisor: Option<Divisor>) -> Self {
        let mut longest = Longest::default();
        for end in [&interval.lower, &interval.upper].into_iter().flatten() {
            let digits = end.value.digits.len() as u32 + u32::from(end.open);
            longest.digits = longest.digits.max(digits);
            longest.whole = longest.whole.max(end.value.point().max(0) as u32);
        }
        if let Some(divisor) = divisor {
            let digits = divisor.core.ilog10() + 1;
            longest.digits = longest.digits.max(digits);
            let whole = digits as i32 + divisor.scale;
            longest.whole = longest.whole.max(whole.max(0) as u32);
        }
        longest
    }

    pub(super) fn or(self, other: Self) -> Self {
        Longest {
            whole: self.whole.max(other.whole),
            digits: self.digits.max(other.digits),
        }
    }
}

/// A union of clauses, each with a demand of its own. Equal sets may look different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set {
    pub(super) clauses: Vec<NumberClause>,
    pub(super) longest: Longest,
}

type NumberParts = Vec<(Divisibility, Vec<Interval>)>;

impl Set {
    pub(crate) fn interval(interval: Interval) -> Self {
        Set::simple(Divisibility::default(), interval)
    }

    pub(crate) fn multiples(divisor: Divisor) -> Self {
        let divisibility = Divisibility {
            divisor: Some(divisor),
            ..Divisibility::default()
        };
        Set::simple(divisibility, Interval::ALL)
    }

    /// The whole numbers, written without fraction and exponent.
    pub(crate) fn plain_integers() -> Self {
        let divisibility = Divisibility {
            plain: true,
            divisor: Some(Divisor::ONE),
            without: Vec::new(),
        };
        Set::simple(divisibility, Interval::ALL)
    }

    fn simple(divisibility: Divisibility, interval: Interval) -> Self {
        let longest = Longest::of(&interval, divisibility.divisor);
        let intervals = vec![interval];
        Set {
            clauses: vec![NumberClause {
                divisibility,
                intervals,
            }],
            longest,
        }
    }

    fn of(parts: NumberParts, longest: Longest) -> Result<Self, TooComplex> {
        let mut settled = Vec::with_capacity(parts.len());
        for (divisibility, intervals) in parts {
            settled.extend(divisibility.settled(intervals)?);
        }
        settled.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut clauses: Vec<NumberClause> = Vec::new();
        for (divisibility, intervals) in settled {
            match clauses.last_mut() {
                Some(last) if last.divisibility == divisibility => last.intervals.extend(intervals),
                _ => clauses.push(NumberClause {
                    divisibility,
                    intervals,
                }),
            }
        }
        if clauses.len() > MAX_CLAUSES {
            return Err(TooComplex);
        }
        for clause in &mut clauses {
            clause.intervals = interval::union(std::mem::take(&mut clause.intervals));
        }
        Ok(Set { clauses, longest })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The numbers that it holds, if it names them one by one.
    pub(super) fn values(&self) -> Option<impl Iterator<Item = &Decimal>> {
        let [clause] = &self.clauses[..] else {
            return None;
        };
        let all = clause.divisibility == Divisibility::default()
            && clause.intervals.iter().all(Interval::is_point);
        all.then(|| clause.intervals.iter().filter_map(Interval::value))
    }

    /// The set of the numbers of some intervals, each of which is a point.
    pub(super) fn values_of(points: Vec<Interval>) -> Self {
        let each = points.iter().map(|point| Longest::of(point, None));
        let longest = each.fold(Longest::default(), Longest::or);
        let intervals = interval::union(points);
        let divisibility = Divisibility::default();
        Set {
            clauses: vec![NumberClause {
                divisibility,
                intervals,
            }],
            longest,
        }
    }

    /// Whether it certainly holds more than so many numbers.
    pub(super) fn has_more_than(&self, many: u64) -> bool {
        self.clauses.iter().any(|clause| {
            clause.intervals.iter().any(|interval| {
                let (Some(lower), Some(upper)) = (&interval.lower, &interval.upper) else {
                    return true;
                };
                match clause.divisibility.divisor {
                    None => !interval.is_point(),
                    Some(divisor) if clause.divisibility.without.is_empty() => {
                        let steps = divisor.steps(&lower.value, &upper.value);
                        steps.is_some_and(|steps| steps >= many.into())
                    }
                    Some(_) => false,
                }
            })
        })
    }

    /// Whether it certainly holds more than so many numbers that have a plain spelling.
    pub(super) fn has_more_plain_than(&self, many: u64) -> bool {
        self.clauses.iter().any(|clause| {
            let mut intervals = clause.intervals.iter();
            let is_simple = clause.divisibility.without.is_empty();
            is_simple && intervals.any(|interval| self.has_more_within(clause, interval, many))
        })
    }

    /// Whether one interval of a clause certainly holds more than so many numbers that have a plain
    /// spelling: those on a grid between two ends, which all have few enough digits.
    fn has_more_within(&self, clause: &NumberClause, interval: &Interval, many: u64) -> bool {
        /// Numbers without a grid of their own are counted up to this point.
        const NEAR: i64 = 15;
        let longest = self.longest;
        let (lower, upper) = (interval.lower.as_ref(), interval.upper.as_ref());
        let (grid, point) = match clause.divisibility.divisor {
            Some(divisor) if divisor.is_multiple_of(Divisor::ONE) => (divisor, longest.whole),
            Some(divisor) => {
                let point = i64::from(longest.digits) + i64::from(divisor.scale);
                (divisor, point.max(0) as u32)
            }
            None => {
                let ends = [lower, upper].into_iter().flatten();
                let farthest = ends.map(|end| end.value.point() + 1).max();
                let point = farthest.unwrap_or(NEAR).max(NEAR);
                let scale = point as i32 - longest.digits as i32;
                (Divisor { core: 1, scale }, point as u32)
            }
        };
        let farthest = Decimal::new(false, b"1".to_vec(), point.into());
        let nearest = farthest.negated();
        let from = lower.map_or(&nearest, |end| (&end.value).max(&nearest));
        let to = upper.map_or(&farthest, |end| (&end.value).min(&farthest));
        // The ends need not be on the grid, nor belong to the interval.
        let steps = (from < to).then(|| grid.steps(from, to)).flatten();
        steps.is_some_and(|steps| steps > u128::from(many) + 2)
    }

    /// What is in any; `None` if that has too many clauses.
    pub(crate) fn union<'a>(sets: impl IntoIterator<Item = &'a Set>) -> Option<Set> {
        let mut parts = Vec::new();
        let mut longest = Longest::default();
        for set in sets {
            let clauses = set.clauses.iter();
            parts.extend(clauses.map(|c| (c.divisibility.clone(), c.intervals.clone())));
            longest = longest.or(set.longest);
        }
        Set::of(parts, longest).ok()
    }

    /// What is in both; `None` if that has no such form, because divisors are too long or too
    /// many.
    pub(crate) fn intersection(&self, other: &Set) -> Option<Set> {
        let mut parts = Vec::new();
        for a in &self.clauses {
            for b in &other.clauses {
                let intervals = interval::intersection(&a.intervals, &b.intervals);
                if !intervals.is_empty() {
                    parts.push((a.divisibility.and(&b.divisibility).ok()?, intervals));
                }
            }
        }
        Set::of(parts, self.longest.or(other.longest)).ok()
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
            left = Set::of(parts, self.longest.or(other.longest)).ok()?;
        }
        Some(left)
    }
}

/// What of a clause is not in another.
fn subtract(
    own: &NumberClause,
    other: &NumberClause,
    parts: &mut NumberParts,
) -> Result<(), TooComplex> {
    let outside = interval::complement(&other.intervals);
    let outside = interval::intersection(&own.intervals, &outside);
    if !outside.is_empty() {
        parts.push((own.divisibility.clone(), outside));
    }
    let inside = interval::intersection(&own.intervals, &other.intervals);
    if inside.is_empty() {
        return Ok(());
    }
    if other.divisibility.plain && !own.divisibility.plain {
        return Err(TooComplex);
    }
    if let Some(divisor) = other.divisibility.divisor {
        let mut divisibility = own.divisibility.clone();
        divisibility.without.push(divisor);
        parts.push((divisibility, inside.clone()));
    }
    for &without in &other.divisibility.without {
        let with = Divisibility {
            divisor: Some(without),
            ..Divisibility::default()
        };
        parts.push((own.divisibility.and(&with)?, inside.clone()));
    }
    Ok(())
}
