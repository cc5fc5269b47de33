//! Numbers: bounds and multiples as languages of decimal text.
//!
//! A number that a schema constrains is written without exponent; an unconstrained one may have
//! one. The languages compare text with text, so no digit is lost whatever the length.

use crate::regex::codeset::CodeSet;
use crate::regex::multiple::Multiple;
use crate::regex::node::{NodeId, Regexes, UNBOUNDED};
use crate::schema::decimal::Decimal;

/// Builds the languages of numbers.
pub(crate) struct Numbers<'a> {
    nodes: &'a Regexes,
    digit: NodeId,
    digits: NodeId,
    /// An optional fraction.
    fraction: NodeId,
    /// An integer part: no leading zeros.
    int: NodeId,
}

/// Which side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    AtLeast,
    AtMost,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::AtLeast => Side::AtMost,
            Side::AtMost => Side::AtLeast,
        }
    }
}

impl<'a> Numbers<'a> {
    pub(crate) fn new(nodes: &'a Regexes) -> Self {
        let digit = range(nodes, b'0', b'9');
        let digits = nodes.repeat(digit, 0, UNBOUNDED);
        let some_digits = nodes.repeat(digit, 1, UNBOUNDED);
        let fraction = nodes.concat(range(nodes, b'.', b'.'), some_digits);
        let fraction = nodes.or(vec![NodeId::EMPTY, fraction]);
        let positive = nodes.concat(range(nodes, b'1', b'9'), digits);
        let int = nodes.or(vec![range(nodes, b'0', b'0'), positive]);
        Numbers {
            nodes,
            digit,
            digits,
            fraction,
            int,
        }
    }

    /// Every JSON number.
    pub(crate) fn any(&self) -> NodeId {
        let n = self.nodes;
        let sign = n.or(vec![
            NodeId::EMPTY,
            n.class(CodeSet::new([(43, 43), (45, 45)])),
        ]);
        let e = n.class(CodeSet::new([(69, 69), (101, 101)]));
        let exponent = self.chain(&[e, sign, n.repeat(self.digit, 1, UNBOUNDED)]);
        let exponent = n.or(vec![NodeId::EMPTY, exponent]);
        n.concat(self.plain(), exponent)
    }

    /// The numbers within which assertions about numbers are negated.
    pub(crate) fn domain(&self) -> NodeId {
        self.plain()
    }

    /// Every number in one spelling: without exponent, needless zeros, or a sign before zero.
    pub(crate) fn plainest(&self) -> NodeId {
        let n = self.nodes;
        let nonzero = range(n, b'1', b'9');
        let fraction = self.chain(&[range(n, b'.', b'.'), self.digits, nonzero]);
        let positive = n.concat(nonzero, self.digits);
        let with_fraction = n.concat(self.int, fraction);
        let negative = n.concat(range(n, b'-', b'-'), n.or(vec![positive, with_fraction]));
        n.or(vec![self.int, with_fraction, negative])
    }

    /// Every number without exponent.
    pub(crate) fn plain(&self) -> NodeId {
        self.chain(&[self.optional_minus(), self.int, self.fraction])
    }

    /// Every number without exponent and fraction.
    pub(crate) fn plain_integer(&self) -> NodeId {
        self.nodes.concat(self.optional_minus(), self.int)
    }

    /// Every number without exponent whose fraction, if it has one, is zero.
    pub(crate) fn integer(&self) -> NodeId {
        self.chain(&[self.optional_minus(), self.int, self.zero_fraction(0)])
    }

    /// Every number without exponent that equals `value`; `None` if it is longer than `cap` digits.
    pub(crate) fn equal(&self, value: &Decimal, cap: usize) -> Option<NodeId> {
        let n = self.nodes;
        if value.is_zero() {
            return Some(n.concat(self.optional_minus(), self.zero()));
        }
        let size = Size::new(value, cap)?;
        let literal = |digits: &[u8], rest: NodeId| {
            digits
                .iter()
                .rev()
                .fold(rest, |rest, &d| n.concat(range(n, d, d), rest))
        };
        let fraction = if size.fraction.is_empty() {
            self.zero_fraction(0)
        } else {
            let digits = literal(&size.fraction, self.zero_fraction(1));
            n.concat(range(n, b'.', b'.'), digits)
        };
        let int: &[u8] = if size.int.is_empty() { b"0" } else { &size.int };
        let unsigned = literal(int, fraction);
        let minus = range(n, b'-', b'-');
        Some(if value.negative {
            n.concat(minus, unsigned)
        } else {
            unsigned
        })
    }

    /// Every multiple of a positive number, without exponent; `None` if it has too many digits.
    pub(crate) fn multiple_of(&self, divisor: &Decimal) -> Option<NodeId> {
        let scale = u32::try_from((-divisor.exponent).max(0)).ok()?;
        let zeros = usize::try_from(divisor.exponent.max(0)).ok()?;
        if divisor.digits.len() + zeros > 18 || scale > 1_000 {
            return None;
        }
        let digits = divisor
            .digits
            .iter()
            .chain(std::iter::repeat_n(&b'0', zeros));
        let modulus = digits.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        let multiple = Multiple {
            modulus,
            scale,
            rest: 0,
            fraction: None,
        };
        let multiple = self.nodes.multiple(multiple);
        let shape = self.nodes.concat(self.int, self.fraction);
        let unsigned = self.nodes.and(vec![shape, multiple]);
        Some(self.nodes.concat(self.optional_minus(), unsigned))
    }

    /// Every number without exponent on one side of a bound; `None` if the bound, written without
    /// exponent, is longer than `cap` digits.
    pub(crate) fn bound(
        &self,
        bound: &Decimal,
        exclusive: bool,
        side: Side,
        cap: usize,
    ) -> Option<NodeId> {
        let size = Size::new(bound, cap)?;
        // The other sign of the bound mirrors the question: x ≥ -2 is -x ≤ 2.
        let side = if bound.negative { side.other() } else { side };
        let unsigned = match side {
            Side::AtLeast => self.at_least(&size, exclusive),
            Side::AtMost => self.at_most(&size, exclusive),
        };
        let minus = range(self.nodes, b'-', b'-');
        let all = self.nodes.concat(self.int, self.fraction);
        // Numbers of the bound's own sign compare by size. Those of the other sign are all on the
        // far side of zero, and a zero may carry either sign.
        let far = match side {
            Side::AtMost if !(bound.is_zero() && exclusive) => all,
            Side::AtMost => {
                let zero = Size {
                    int: Vec::new(),
                    fraction: Vec::new(),
                };
                self.at_least(&zero, true)
            }
            Side::AtLeast if bound.is_zero() && !exclusive => self.zero(),
            Side::AtLeast => NodeId::NEVER,
        };
        let (positive, negative) = if bound.negative {
            (far, unsigned)
        } else {
            (unsigned, far)
        };
        Some(
            self.nodes
                .or(vec![positive, self.nodes.concat(minus, negative)]),
        )
    }

    fn zero(&self) -> NodeId {
        self.nodes
            .concat(range(self.nodes, b'0', b'0'), self.zero_fraction(0))
    }

    /// An optional fraction of zeros; with `read` digits read already, more zeros.
    fn zero_fraction(&self, read: usize) -> NodeId {
        let n = self.nodes;
        let zero = range(n, b'0', b'0');
        if read > 0 {
            return n.repeat(zero, 0, UNBOUNDED);
        }
        let fraction = n.concat(range(n, b'.', b'.'), n.repeat(zero, 1, UNBOUNDED));
        n.or(vec![NodeId::EMPTY, fraction])
    }

    fn optional_minus(&self) -> NodeId {
        self.nodes
            .or(vec![NodeId::EMPTY, range(self.nodes, b'-', b'-')])
    }

    /// Unsigned numbers of at most a size.
    fn at_most(&self, size: &Size, exclusive: bool) -> NodeId {
        let n = self.nodes;
        // After the same integer part: the fraction decides, from its last digit back.
        let mut tail = if exclusive {
            NodeId::NEVER
        } else {
            self.zero_fraction(1)
        };
        for (i, &digit) in size.fraction.iter().enumerate().rev() {
            let lower = self.below(digit, b'0', self.digits);
            // The fraction may end early: what is missing is zeros, and the last digit is not.
            let may_end = if i > 0 { NodeId::EMPTY } else { NodeId::NEVER };
            tail = n.or(vec![may_end, lower, n.concat(range(n, digit, digit), tail)]);
        }
        let no_fraction = if exclusive && size.fraction.is_empty() {
            NodeId::NEVER
        } else {
            NodeId::EMPTY
        };
        let point = range(n, b'.', b'.');
        if size.fraction.is_empty() && !exclusive {
            tail = n.repeat(range(n, b'0', b'0'), 1, UNBOUNDED);
        }
        let mut rest = n.or(vec![no_fraction, n.concat(point, tail)]);
        self.same_length(size, &mut rest, |numbers, digit, least, digits_left| {
            numbers.below(digit, least, numbers.rest_of_int(digits_left))
        });
        let shorter = match size.int.len() {
            0 => return n.concat(range(n, b'0', b'0'), rest),
            1 => NodeId::NEVER,
            length => {
                let more = n.repeat(self.digit, 0, length as u32 - 2);
                let positive = n.concat(range(n, b'1', b'9'), more);
                let int = n.or(vec![range(n, b'0', b'0'), positive]);
                n.concat(int, self.fraction)
            }
        };
        // 0 is shorter than a one-digit number in value, not in length.
        n.or(vec![shorter, rest])
    }

    /// Unsigned numbers of at least a size.
    fn at_least(&self, size: &Size, exclusive: bool) -> NodeId {
        let n = self.nodes;
        let zeros = n.repeat(range(n, b'0', b'0'), 0, UNBOUNDED);
        let something = n.concat(range(n, b'1', b'9'), self.digits);
        let mut tail = if exclusive {
            n.concat(zeros, something)
        } else {
            self.digits
        };
        if size.fraction.is_empty() && !exclusive {
            tail = n.repeat(self.digit, 1, UNBOUNDED);
        }
        for &digit in size.fraction.iter().rev() {
            let higher = self.above(digit, self.digits);
            tail = n.or(vec![higher, n.concat(range(n, digit, digit), tail)]);
        }
        let no_fraction = if !exclusive && size.fraction.is_empty() {
            NodeId::EMPTY
        } else {
            NodeId::NEVER
        };
        let mut rest = n.or(vec![no_fraction, n.concat(range(n, b'.', b'.'), tail)]);
        self.same_length(size, &mut rest, |numbers, digit, _, digits_left| {
            numbers.above(digit, numbers.rest_of_int(digits_left))
        });
        if size.int.is_empty() {
            let positive = self.chain(&[range(n, b'1', b'9'), self.digits, self.fraction]);
            return n.or(vec![n.concat(range(n, b'0', b'0'), rest), positive]);
        }
        let more = n.repeat(self.digit, size.int.len() as u32, UNBOUNDED);
        let longer = self.chain(&[range(n, b'1', b'9'), more, self.fraction]);
        n.or(vec![longer, rest])
    }

    /// Puts the integer digits before `rest`: each the same, or different and then free.
    fn same_length(
        &self,
        size: &Size,
        rest: &mut NodeId,
        different: impl Fn(&Self, u8, u8, usize) -> NodeId,
    ) {
        let n = self.nodes;
        for (i, &digit) in size.int.iter().enumerate().rev() {
            let least = if i == 0 && size.int.len() > 1 {
                b'1'
            } else {
                b'0'
            };
            let other = different(self, digit, least, size.int.len() - 1 - i);
            *rest = n.or(vec![other, n.concat(range(n, digit, digit), *rest)]);
        }
    }

    /// So many more digits and an optional fraction.
    fn rest_of_int(&self, digits: usize) -> NodeId {
        let digits = digits as u32;
        self.nodes
            .concat(self.nodes.repeat(self.digit, digits, digits), self.fraction)
    }

    fn below(&self, digit: u8, least: u8, rest: NodeId) -> NodeId {
        if digit <= least {
            return NodeId::NEVER;
        }
        self.nodes.concat(range(self.nodes, least, digit - 1), rest)
    }

    fn above(&self, digit: u8, rest: NodeId) -> NodeId {
        if digit == b'9' {
            return NodeId::NEVER;
        }
        self.nodes.concat(range(self.nodes, digit + 1, b'9'), rest)
    }

    fn chain(&self, parts: &[NodeId]) -> NodeId {
        parts
            .iter()
            .rev()
            .fold(NodeId::EMPTY, |rest, &part| self.nodes.concat(part, rest))
    }
}

/// The digits of an absolute value, before and after the point, without needless zeros.
struct Size {
    int: Vec<u8>,
    fraction: Vec<u8>,
}

impl Size {
    fn new(value: &Decimal, cap: usize) -> Option<Size> {
        let (int, fraction) = value.plain(cap)?;
        Some(Size { int, fraction })
    }
}

fn range(nodes: &Regexes, lo: u8, hi: u8) -> NodeId {
    nodes.class(CodeSet::new([(u32::from(lo), u32::from(hi))]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

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
        let nodes = Regexes::new(&Limits::default());
        let numbers = Numbers::new(&nodes);
        for bound in BOUNDS {
            let b = decimal(bound);
            for exclusive in [false, true] {
                let least = numbers.bound(&b, exclusive, Side::AtLeast, 100).unwrap();
                let most = numbers.bound(&b, exclusive, Side::AtMost, 100).unwrap();
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
                for junk in ["", "-", "01", "1.", ".5", "+1", "1e1", "00", "-01"] {
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
        let nodes = Regexes::new(&Limits::default());
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
        let nodes = Regexes::new(&Limits::default());
        let numbers = Numbers::new(&nodes);
        for (text, integer, any) in [
            ("1", true, true),
            ("-0", true, true),
            ("1.0", true, true),
            ("1.5", false, true),
            ("1e5", false, true),
            ("1E+05", false, true),
            ("1.e5", false, false),
            ("007", false, false),
            ("", false, false),
        ] {
            assert_eq!(nodes.matches(numbers.integer(), text), integer, "{text}");
            assert_eq!(nodes.matches(numbers.any(), text), any, "{text}");
        }
    }
}
