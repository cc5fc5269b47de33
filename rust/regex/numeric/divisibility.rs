//! What a number must be a multiple of, and what it must not.

use std::ops::ControlFlow;

use crate::decimal::Decimal;
use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::interval::{self, End, Interval};

/// How many divisors may be excluded: with n of them, states ask about 2^n values in a row.
const MAX_WITHOUT: usize = 6;

/// So that many multiples in a row fit into 128 bits.
const MAX_CORE: u128 = 10_u128.pow(35);

/// What a number must be, besides where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Divisibility {
    /// Written without fraction and exponent, which only whole numbers can be.
    pub(super) plain: bool,
    pub(super) divisor: Option<Divisor>,
    /// What the number must not be a multiple of. Sorted; if there is a divisor, all are multiples
    /// of it.
    pub(super) without: Vec<Divisor>,
}

/// A demand that has no [`Divisibility`]: its divisors are too long, or too many.
pub(super) struct TooComplex;

impl Divisibility {
    pub(super) fn and(&self, other: &Divisibility) -> Result<Divisibility, TooComplex> {
        let divisor = match (self.divisor, other.divisor) {
            (Some(a), Some(b)) => Some(a.common(b).ok_or(TooComplex)?),
            (a, b) => a.or(b),
        };
        Ok(Divisibility {
            plain: self.plain || other.plain,
            divisor,
            without: [&self.without[..], &other.without].concat(),
        })
    }

    /// The demand in normal form, and the intervals without what is in their ends' way: an end
    /// that is closed meets the demand. `None` if no number does.
    pub(super) fn settled(
        mut self,
        mut intervals: Vec<Interval>,
    ) -> Result<Option<(Divisibility, Vec<Interval>)>, TooComplex> {
        if !self.settle_without()? {
            return Ok(None);
        }
        if !self.without.is_empty() {
            // Zero is a multiple of all.
            let zero = Interval::point(&Decimal::new(false, Vec::new(), 0));
            intervals = interval::intersection(&intervals, &interval::complement(&[zero]));
        }
        if self.divisor.is_some() || !self.without.is_empty() {
            let narrow = intervals.iter().map(|interval| self.narrowed(interval));
            intervals = narrow.filter(|interval| !interval.is_empty()).collect();
        }
        // Points that are left meet the demand, so that it need not be said.
        if !self.plain && intervals.iter().all(Interval::is_point) {
            self = Divisibility::default();
        }
        Ok((!intervals.is_empty()).then_some((self, intervals)))
    }

    /// Leaves only what matters of the divisors that must not be; whether anything can meet them.
    fn settle_without(&mut self) -> Result<bool, TooComplex> {
        if let Some(divisor) = self.divisor {
            for without in &mut self.without {
                *without = divisor.common(*without).ok_or(TooComplex)?;
                if *without == divisor {
                    return Ok(false);
                }
                without.in_units_of(divisor).ok_or(TooComplex)?;
            }
        }
        let all = self.without.clone();
        self.without.retain(|&own| {
            let implies = |&other: &Divisor| other != own && own.is_multiple_of(other);
            !all.iter().any(implies)
        });
        self.without.sort_unstable();
        self.without.dedup();
        let cores = self.divisor.iter().chain(&self.without);
        let is_long = !self.without.is_empty() && cores.into_iter().any(|d| d.core > MAX_CORE);
        if is_long || self.without.len() > MAX_WITHOUT {
            return Err(TooComplex);
        }
        Ok(true)
    }

    fn excludes(&self, value: &Decimal) -> bool {
        self.without.iter().any(|without| without.divides(value))
    }

    /// The numbers in an interval, between ends that are such numbers themselves or open.
    fn narrowed(&self, interval: &Interval) -> Interval {
        let Some(divisor) = self.divisor else {
            let open = |end: &End| End {
                value: end.value.clone(),
                open: end.open || self.excludes(&end.value),
            };
            return Interval {
                lower: interval.lower.as_ref().map(open),
                upper: interval.upper.as_ref().map(open),
            };
        };
        // Among so many multiples in a row, at least one is not excluded.
        let first = |end: &End, next: &dyn Fn(&Decimal, bool) -> Decimal| {
            let start = next(&end.value, end.open);
            let found = (0..1 << self.without.len()).try_fold(start, |value, _| {
                if self.excludes(&value) {
                    ControlFlow::Continue(next(&value, true))
                } else {
                    ControlFlow::Break(value)
                }
            });
            let (ControlFlow::Break(value) | ControlFlow::Continue(value)) = found;
            End { value, open: false }
        };
        let up = |end: &End| first(end, &|value, open| divisor.round_up(value, open));
        let down = |end: &End| first(end, &|value, open| divisor.round_down(value, open));
        Interval {
            lower: interval.lower.as_ref().map(up),
            upper: interval.upper.as_ref().map(down),
        }
    }
}
