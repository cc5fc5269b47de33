//! Numbers: the languages of what schemas say about them.
//!
//! An unconstrained number is any that JSON knows. A constrained one is the decimal text of a value
//! in a set, exactly and whatever its length, with an exponent of at most [`MAX_EXPONENT`]. So is a
//! number that must *not* be in such a set: both are relative to [`Numbers::domain`].
//!
//! [`MAX_EXPONENT`]: crate::regex::numeric::MAX_EXPONENT

use crate::decimal::Decimal;
use crate::regex::codeset::CodeSet;
use crate::regex::node::{NodeId, UNBOUNDED};
use crate::regex::numeric::{Divisor, End, Interval, Set};
use crate::regex::regexes::Regexes;

/// Builds the languages of numbers.
pub(crate) struct Numbers<'a> {
    nodes: &'a Regexes,
}

/// Which side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitSide {
    AtLeast,
    AtMost,
}

impl<'a> Numbers<'a> {
    pub(crate) fn new(nodes: &'a Regexes) -> Self {
        Numbers { nodes }
    }

    /// Every JSON number.
    pub(crate) fn any(&self) -> NodeId {
        let n = self.nodes;
        let class = |set: &[(u8, u8)]| {
            let ranges = set.iter().map(|&(lo, hi)| (lo.into(), hi.into()));
            n.class(CodeSet::new(ranges))
        };
        let digit = class(&[(b'0', b'9')]);
        let digits = n.repeat(digit, 1, UNBOUNDED);
        let optional = |node| n.or(vec![NodeId::EMPTY, node]);
        let minus = optional(class(&[(b'-', b'-')]));
        let positive = n.concat(class(&[(b'1', b'9')]), n.repeat(digit, 0, UNBOUNDED));
        let int = n.or(vec![class(&[(b'0', b'0')]), positive]);
        let fraction = optional(n.concat(class(&[(b'.', b'.')]), digits));
        let sign = optional(class(&[(b'+', b'+'), (b'-', b'-')]));
        let exponent = n.concat(class(&[(b'E', b'E'), (b'e', b'e')]), n.concat(sign, digits));
        let parts = [minus, int, fraction, optional(exponent)];
        let chain = |rest, &part: &NodeId| n.concat(part, rest);
        parts.iter().rev().fold(NodeId::EMPTY, chain)
    }

    /// Every number in one spelling: without exponent, needless zeros, or a sign before zero.
    pub(crate) fn plainest(&self) -> NodeId {
        let n = self.nodes;
        let class = |lo: u8, hi: u8| n.class(CodeSet::new([(lo.into(), hi.into())]));
        let nonzero = class(b'1', b'9');
        let digits = n.repeat(class(b'0', b'9'), 0, UNBOUNDED);
        let positive = n.concat(nonzero, digits);
        let int = n.or(vec![class(b'0', b'0'), positive]);
        let fraction = n.concat(class(b'.', b'.'), n.concat(digits, nonzero));
        let with_fraction = n.concat(int, fraction);
        let negative = n.concat(class(b'-', b'-'), n.or(vec![positive, with_fraction]));
        n.or(vec![int, with_fraction, negative])
    }

    /// Every number that a constrained one can be. What is not in a language of the others is
    /// `domain ∧ ¬language`.
    pub(crate) fn domain(&self) -> NodeId {
        self.nodes.numbers(Set::interval(Interval::ALL))
    }

    /// Every whole number, written without exponent and fraction.
    pub(crate) fn plain_integer(&self) -> NodeId {
        self.nodes.numbers(Set::plain_integers())
    }

    /// Every whole number.
    pub(crate) fn integer(&self) -> NodeId {
        self.nodes.numbers(Set::multiples(Divisor::ONE))
    }

    /// Every number that equals `value`; `None` if it is longer than `cap` digits.
    pub(crate) fn equal(&self, value: &Decimal, cap: usize) -> Option<NodeId> {
        value.plain(cap)?;
        let set = Set::interval(Interval::point(value));
        Some(self.nodes.numbers(set))
    }

    /// Every multiple of a positive number; `None` if it has more than 37 digits, zeros at either
    /// end aside.
    pub(crate) fn multiple_of(&self, divisor: &Decimal) -> Option<NodeId> {
        let set = Set::multiples(Divisor::new(divisor)?);
        Some(self.nodes.numbers(set))
    }

    /// Every number on one side of a bound; `None` if the bound, written without exponent, is
    /// longer than `cap` digits.
    pub(crate) fn bound(
        &self,
        bound: &Decimal,
        exclusive: bool,
        side: LimitSide,
        cap: usize,
    ) -> Option<NodeId> {
        bound.plain(cap)?;
        let end = Some(End {
            value: bound.clone(),
            open: exclusive,
        });
        let interval = match side {
            LimitSide::AtLeast => Interval {
                lower: end,
                upper: None,
            },
            LimitSide::AtMost => Interval {
                lower: None,
                upper: end,
            },
        };
        Some(self.nodes.numbers(Set::interval(interval)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    const TEXTS: [&str; 40] = [
        "0",
        "-0",
        "0.0",
        "-0.00",
        "1",
        "-1",
        "1.0",
        "1.5",
        "-1.5",
        "9",
        "10",
        "10.0",
        "10.01",
        "11",
        "99",
        "100",
        "100.5",
        "101",
        "0.1",
        "0.05",
        "0.10",
        "0.11",
        "-0.1",
        "-0.05",
        "-10",
        "-10.0",
        "-10.01",
        "-11",
        "-9.99",
        "9.99",
        "12.5",
        "12.50",
        "12.51",
        "12.49",
        "12",
        "13",
        "-12.5",
        "1000",
        "0.001",
        "123456789012345678901234567890",
    ];
    const BOUNDS: [&str; 16] = [
        "0",
        "1",
        "-1",
        "10",
        "-10",
        "0.1",
        "-0.1",
        "12.5",
        "-12.5",
        "100",
        "9",
        "9.99",
        "0.05",
        "1e2",
        "-11",
        "123456789012345678901234567890",
    ];

    #[test]
    fn bounds_compare_by_value() {
        let nodes = Regexes::new();
        let numbers = Numbers::new(&nodes);
        for bound in BOUNDS {
            let b = decimal(bound);
            for exclusive in [false, true] {
                let least = numbers
                    .bound(&b, exclusive, LimitSide::AtLeast, 100)
                    .unwrap();
                let most = numbers
                    .bound(&b, exclusive, LimitSide::AtMost, 100)
                    .unwrap();
                for text in TEXTS {
                    let t = decimal(text);
                    let (above, below) = if exclusive {
                        (t > b, t < b)
                    } else {
                        (t >= b, t <= b)
                    };
                    assert_eq!(
                        nodes.matches(least, text),
                        above,
                        "{text} >= {bound} {exclusive}"
                    );
                    assert_eq!(
                        nodes.matches(most, text),
                        below,
                        "{text} <= {bound} {exclusive}"
                    );
                }
                for junk in ["", "-", "01", "1.", ".5", "+1", "1e", "00", "-01", "1e1000"] {
                    assert!(
                        !nodes.matches(least, junk) && !nodes.matches(most, junk),
                        "{junk}"
                    );
                }
            }
            let equal = numbers.equal(&b, 100).unwrap();
            for text in TEXTS {
                assert_eq!(
                    nodes.matches(equal, text),
                    decimal(text) == b,
                    "{text} = {bound}"
                );
            }
        }
    }

    #[test]
    fn multiples() {
        let nodes = Regexes::new();
        let numbers = Numbers::new(&nodes);
        for (divisor, yes, no) in [
            (
                "3",
                &["0", "3", "-3", "9.0", "300"][..],
                &["1", "3.5", "10", "-4", "3.03"][..],
            ),
            (
                "0.01",
                &["0", "0.1", "1.25", "-7.250", "3"],
                &["0.001", "1.255"],
            ),
            ("2.5", &["2.5", "5", "7.50", "0.0"], &["2", "2.55", "1.25"]),
            ("100", &["0", "100", "-200.0"], &["10", "150", "100.1"]),
        ] {
            let node = numbers.multiple_of(&decimal(divisor)).unwrap();
            for text in yes {
                assert!(nodes.matches(node, text), "{text} of {divisor}");
            }
            for text in no {
                assert!(!nodes.matches(node, text), "{text} of {divisor}");
            }
        }
    }

    #[test]
    fn integers_and_any() {
        let nodes = Regexes::new();
        let numbers = Numbers::new(&nodes);
        for (text, integer, any) in [
            ("1", true, true),
            ("-0", true, true),
            ("1.0", true, true),
            ("1.5", false, true),
            ("1e5", true, true),
            ("1E+05", true, true),
            ("125e-2", false, true),
            ("12.50e+1", true, true),
            ("1e1000", false, true),
            ("1.e5", false, false),
            ("007", false, false),
            ("", false, false),
        ] {
            assert_eq!(nodes.matches(numbers.integer(), text), integer, "{text}");
            assert_eq!(nodes.matches(numbers.any(), text), any, "{text}");
        }
    }
}
