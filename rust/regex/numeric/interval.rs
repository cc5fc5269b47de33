//! Intervals of decimals, and sorted lists of them.

use std::cmp::Ordering;

use crate::decimal::Decimal;

/// An end of an interval; it belongs to the interval unless it is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) value: Decimal,
    pub(crate) open: bool,
}

impl End {
    /// The end of what is on the other side.
    fn other_side(&self) -> End {
        End {
            value: self.value.clone(),
            open: !self.open,
        }
    }

    fn negated(&self) -> End {
        End {
            value: self.value.negated(),
            open: self.open,
        }
    }
}

/// All decimals between two ends; without an end, all on that side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Interval {
    pub(crate) lower: Option<End>,
    pub(crate) upper: Option<End>,
}

impl Interval {
    pub(crate) const ALL: Interval = Interval {
        lower: None,
        upper: None,
    };

    pub(crate) fn point(value: &Decimal) -> Self {
        let end = End {
            value: value.clone(),
            open: false,
        };
        Interval {
            lower: Some(end.clone()),
            upper: Some(end),
        }
    }

    pub(super) fn is_point(&self) -> bool {
        self.lower.is_some() && self.lower == self.upper
    }

    /// The only number of the interval, if it is a point.
    pub(super) fn value(&self) -> Option<&Decimal> {
        let lower = self.lower.as_ref().filter(|_| self.is_point());
        lower.map(|end| &end.value)
    }

    pub(super) fn is_empty(&self) -> bool {
        match (&self.lower, &self.upper) {
            (Some(lower), Some(upper)) => match lower.value.cmp(&upper.value) {
                Ordering::Less => false,
                Ordering::Equal => lower.open || upper.open,
                Ordering::Greater => true,
            },
            _ => false,
        }
    }

    pub(super) fn negated(&self) -> Self {
        Interval {
            lower: self.upper.as_ref().map(End::negated),
            upper: self.lower.as_ref().map(End::negated),
        }
    }
}

/// Which lower end lets fewer values through.
fn cmp_lower(a: Option<&End>, b: Option<&End>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => a.value.cmp(&b.value).then(a.open.cmp(&b.open)),
    }
}

/// Which upper end lets more values through.
fn cmp_upper(a: Option<&End>, b: Option<&End>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.value.cmp(&b.value).then(b.open.cmp(&a.open)),
    }
}

/// Sorted and apart: no two that meet or touch.
pub(super) fn union(mut all: Vec<Interval>) -> Vec<Interval> {
    all.sort_by(|a, b| cmp_lower(a.lower.as_ref(), b.lower.as_ref()));
    let mut out: Vec<Interval> = Vec::with_capacity(all.len());
    for next in all {
        let Some(last) = out.last_mut() else {
            out.push(next);
            continue;
        };
        let gap = Interval {
            lower: last.upper.as_ref().map(End::other_side),
            upper: next.lower.as_ref().map(End::other_side),
        };
        if gap.lower.is_some() && gap.upper.is_some() && !gap.is_empty() {
            out.push(next);
        } else if cmp_upper(last.upper.as_ref(), next.upper.as_ref()) == Ordering::Less {
            last.upper = next.upper;
        }
    }
    out
}

/// What is in both of two sorted lists.
pub(super) fn intersection(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        let lower = match cmp_lower(a.lower.as_ref(), b.lower.as_ref()) {
            Ordering::Less => &b.lower,
            _ => &a.lower,
        };
        let a_ends_first = cmp_upper(a.upper.as_ref(), b.upper.as_ref()) == Ordering::Less;
        let upper = if a_ends_first { &a.upper } else { &b.upper };
        let both = Interval {
            lower: lower.clone(),
            upper: upper.clone(),
        };
        if !both.is_empty() {
            out.push(both);
        }
        if a_ends_first {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

/// What is in none of a sorted list.
pub(super) fn complement(list: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::with_capacity(list.len() + 1);
    let mut rest = Interval::ALL;
    for interval in list {
        if let Some(lower) = &interval.lower {
            rest.upper = Some(lower.other_side());
            if !rest.is_empty() {
                out.push(rest);
            }
        }
        let Some(upper) = &interval.upper else {
            return out;
        };
        rest = Interval {
            lower: Some(upper.other_side()),
            upper: None,
        };
    }
    out.push(rest);
    out
}
