//! Numbers in plain spelling, as nodes among other languages.

use crate::decimal::Decimal;
use crate::regex::node::{Node, NodeId, Spelling};
use crate::regex::numeric::divisor::Divisor;
use crate::regex::numeric::exponent;
use crate::regex::numeric::interval::Interval;
use crate::regex::numeric::plain_reading::{EXPONENTS, Form, PlainReading};
use crate::regex::numeric::set::{Longest, NumberClause, Set};
use crate::regex::pieces::{self, Piece};
use crate::regex::regexes::Regexes;

impl Regexes {
    /// The numbers of a language, which is about values only, in plain spelling.
    pub(crate) fn plain_numbers(&self, id: NodeId) -> NodeId {
        self.spelled_plainly(id, self.are_whole(id))
    }

    /// Whether all numbers of a language are certainly whole.
    pub(super) fn are_whole(&self, id: NodeId) -> bool {
        match self.node(id) {
            Node::Numbers(set) => self.numeric().set(*set).clauses.iter().all(is_whole),
            Node::Points(values) => values.iter().all(|&id| self.value(id).is_integer()),
            Node::And(parts) => parts.iter().any(|&part| self.are_whole(part)),
            Node::Or(parts) => parts.iter().all(|&part| self.are_whole(part)),
            _ => false,
        }
    }

    fn spelled_plainly(&self, id: NodeId, are_whole: bool) -> NodeId {
        let all = |parts: &[NodeId]| {
            let parts = parts.iter();
            parts
                .map(|&part| self.spelled_plainly(part, are_whole))
                .collect()
        };
        match self.node(id) {
            &Node::Numbers(set) => self.plain_set(self.numeric().set(set), are_whole),
            Node::Points(values) => self.plain_set(&self.set_of_points(values), are_whole),
            Node::And(parts) => self.and(all(parts)),
            Node::Or(parts) => self.or(all(parts)),
            // What numbers must not be stands beside what they are.
            _ => id,
        }
    }

    fn plain_set(&self, set: &Set, are_whole: bool) -> NodeId {
        let mut texts = Vec::new();
        let mut others = set.clone();
        for clause in &mut others.clauses {
            let are_whole = are_whole || clause.divisibility.plain;
            clause.intervals.retain(|interval| {
                let value = interval.value();
                if let Some(value) = value {
                    plain_texts(value, are_whole, set.longest, &mut texts);
                }
                value.is_none()
            });
        }
        others.clauses.retain(|clause| !clause.intervals.is_empty());
        let others = match others.is_empty() {
            true => NodeId::NEVER,
            false => {
                let set = self.numeric().intern(others);
                let forms =
                    [true, false].map(|negative| self.begun_plainly(set, are_whole, negative));
                match forms {
                    [NodeId::NEVER, NodeId::NEVER] => NodeId::NEVER,
                    _ => self.make(Node::PlainNumbers(set, are_whole)),
                }
            }
        };
        self.or(vec![self.words(texts), others])
    }

    /// The state before the digits of the set's numbers of one sign.
    fn begun_plainly(&self, set: u32, are_whole: bool, negative: bool) -> NodeId {
        let find = || self.find_begun_plainly(set, are_whole, negative);
        self.numeric().begun((set, are_whole, negative), find)
    }

    fn find_begun_plainly(&self, set: u32, are_whole: bool, negative: bool) -> NodeId {
        let set = self.numeric().set(set);
        let mut all = Vec::new();
        for clause in &set.clauses {
            for interval in &clause.intervals {
                let starts =
                    |negative, longest| self.starts(clause, interval, are_whole, negative, longest);
                let mut own = starts(negative, set.longest);
                // What lies between the bounds can need more digits than they have.
                if own.is_empty() && starts(!negative, set.longest).is_empty() {
                    let longest = Longest::of(interval, clause.divisibility.divisor);
                    own = starts(negative, set.longest.or(longest));
                }
                all.extend(own);
            }
        }
        let all = all.into_iter().map(|start| self.plain(Some(start)));
        self.or(all.collect())
    }

    /// The states before the digits of an interval's numbers of one sign, one for each form.
    fn starts(
        &self,
        clause: &NumberClause,
        interval: &Interval,
        are_whole: bool,
        negative: bool,
        longest: Longest,
    ) -> Vec<PlainReading> {
        let digits = self.numeric().digits();
        let forms = match are_whole || clause.divisibility.plain {
            true => &Form::ALL[..1],
            false => &Form::ALL[..],
        };
        let size = match negative {
            true => interval.negated(),
            false => interval.clone(),
        };
        let start = |&form: &Form| {
            let most = match form {
                Form::Whole => longest.whole,
                Form::Fixed | Form::Scientific => longest.digits,
            };
            let start = PlainReading::start(form, &clause.divisibility, &size, most, digits)?;
            match negative {
                true => start.after_minus(digits),
                false => Some(start),
            }
        };
        forms.iter().filter_map(start).collect()
    }

    fn plain(&self, plain: Option<PlainReading>) -> NodeId {
        plain.map_or(NodeId::NEVER, |plain| {
            self.make(Node::PlainReading(Box::new(plain)))
        })
    }

    pub(in crate::regex) fn derive_plain_numbers(&self, set: u32, are_whole: bool) -> Vec<Piece> {
        let minus = Piece {
            lo: '-' as u32,
            hi: '-' as u32,
            to: self.begun_plainly(set, are_whole, true),
        };
        let unsigned = self.pieces(self.begun_plainly(set, are_whole, false));
        let all = std::iter::once(minus).chain(unsigned.iter().copied());
        pieces::map(&all.collect::<Vec<_>>(), |to| to)
    }

    pub(in crate::regex) fn derive_plain(&self, plain: &PlainReading) -> Vec<Piece> {
        let digits = self.numeric().digits();
        let at = |c: char, to| Piece {
            lo: c as u32,
            hi: c as u32,
            to,
        };
        let mut all = vec![at('.', self.plain(plain.clone().point(digits)))];
        all.extend(digit_pieces(
            |digit| self.plain(plain.clone().digit(digit, digits)),
            |pair| plain.reads_alike(pair, digits),
        ));
        let exponents = plain.exponents();
        let exponents = exponents.iter();
        let exponents = exponents.map(|&(lo, hi)| {
            let find = || exponent::plain_between(self, lo, hi);
            self.numeric().exponents((lo, hi), find)
        });
        all.push(at('e', self.or(exponents.collect())));
        pieces::map(&all, |to| to)
    }

    /// The fewest characters of a set's numbers in plain spelling.
    pub(in crate::regex) fn shortest_plain(&self, set: u32, are_whole: bool) -> u32 {
        let cost = |negative| {
            let begun = self.begun_plainly(set, are_whole, negative);
            self.cost(begun, Spelling::Raw)
        };
        cost(false).min(cost(true).saturating_add(1))
    }
}

/// The derivatives by the ten digits: `read` gives the one by a digit, and `are_alike` says whether
/// two digits other than zero surely have the same one.
pub(super) fn digit_pieces(
    read: impl Fn(u8) -> NodeId,
    are_alike: impl Fn([u8; 2]) -> bool,
) -> Vec<Piece> {
    let piece = |digit, to| {
        let c = u32::from(b'0' + digit);
        Piece { lo: c, hi: c, to }
    };
    let mut all = vec![piece(0, read(0)), piece(1, read(1))];
    for digit in 2..10 {
        match all.last_mut() {
            Some(last) if are_alike([digit - 1, digit]) => {
                debug_assert_eq!(read(digit), last.to);
                last.hi += 1;
            }
            _ => all.push(piece(digit, read(digit))),
        }
    }
    all
}

/// Whether all numbers of a clause are whole.
fn is_whole(clause: &NumberClause) -> bool {
    let points = || clause.intervals.iter().map(Interval::value);
    let are_multiples = clause
        .divisibility
        .divisor
        .is_some_and(|d| d.is_multiple_of(Divisor::ONE));
    clause.divisibility.plain
        || are_multiples
        || points().all(|value| value.is_some_and(Decimal::is_integer))
}

/// All plain spellings of a number.
fn plain_texts(value: &Decimal, are_whole: bool, longest: Longest, texts: &mut Vec<String>) {
    let digits = String::from_utf8_lossy(&value.digits);
    let sign = if value.negative { "-" } else { "" };
    let count = value.digits.len();
    if value.is_zero() {
        texts.push("0".into());
        if !are_whole {
            texts.extend(["0.0".into(), "-0.0".into()]);
        }
        return;
    }
    let point = value.point();
    let most = (longest.digits as usize).max(count);
    if value.is_integer() {
        let whole = format!("{sign}{digits}{}", "0".repeat(value.exponent as usize));
        if !are_whole && point < most as i64 {
            texts.push(format!("{whole}.0"));
        }
        texts.push(whole);
    } else if point > 0 {
        let (whole, fraction) = digits.split_at(point as usize);
        texts.push(format!("{sign}{whole}.{fraction}"));
    } else if -point <= 5 {
        let zeros = "0".repeat(-point as usize);
        texts.push(format!("{sign}0.{zeros}{digits}"));
    }
    let exponent = point - 1;
    let is_written = |&(lo, hi): &(i32, i32)| (i64::from(lo)..=hi.into()).contains(&exponent);
    if are_whole || !EXPONENTS.iter().any(is_written) {
        return;
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let size = exponent.abs();
    let mut write = |size: String| {
        let minus = if exponent < 0 { "-" } else { "+" };
        texts.push(format!("{sign}{first}{point}{rest}e{minus}{size}"));
    };
    write(format!("{size:02}"));
    if (7..10).contains(&size) {
        write(format!("{size}"));
    }
}
