//! Exponents: the languages of what follows an `e`.

use crate::regex::codeset::CodeSet;
use crate::regex::node::{NodeId, UNBOUNDED};
use crate::regex::numeric::bound::MAX_EXPONENT;
use crate::regex::regexes::Regexes;

/// The digits of [`MAX_EXPONENT`].
const DIGITS: u32 = 3;

/// Exponents between `lo` and `hi`, with or without sign and leading zeros.
pub(super) fn between(nodes: &Regexes, lo: i32, hi: i32) -> NodeId {
    debug_assert!(-MAX_EXPONENT <= lo && lo <= hi && hi <= MAX_EXPONENT);
    let mut ways = Vec::new();
    if hi >= 0 {
        let plus = nodes.or(vec![NodeId::EMPTY, range(nodes, '+', '+')]);
        ways.push(nodes.concat(plus, size(nodes, lo.max(0), hi)));
    }
    if lo <= 0 {
        let minus = range(nodes, '-', '-');
        ways.push(nodes.concat(minus, size(nodes, (-hi).max(0), -lo)));
    }
    nodes.or(ways)
}

/// Exponents between `lo` and `hi`, as Python writes them, with two digits or more, and as JavaScript
/// does, with as few as there are. All are of numbers that both write with an exponent.
pub(super) fn plain_between(nodes: &Regexes, lo: i32, hi: i32) -> NodeId {
    // Where they have a sign and a length, and what they are at least.
    const KINDS: [(char, u32, i32); 5] = [
        ('-', 1, 7),
        ('-', 2, 5),
        ('-', 3, 100),
        ('+', 2, 16),
        ('+', 3, 100),
    ];
    let mut ways = Vec::new();
    for (sign, length, least) in KINDS {
        let (from, to) = match sign {
            '-' => (-hi, -lo),
            _ => (lo, hi),
        };
        let (from, to) = (from.max(least), to.min(10_i32.pow(length) - 1));
        if from <= to {
            let size = fixed(nodes, from, to, length);
            ways.push(nodes.concat(range(nodes, sign, sign), size));
        }
    }
    nodes.or(ways)
}

/// Digits of a value between `lo` and `hi`.
fn size(nodes: &Regexes, lo: i32, hi: i32) -> NodeId {
    let mut ways = Vec::new();
    if lo == 0 {
        ways.push(range(nodes, '0', '0'));
    }
    for length in 1..=DIGITS {
        let (least, most) = (10_i32.pow(length - 1), 10_i32.pow(length) - 1);
        if lo <= most && least <= hi {
            ways.push(fixed(nodes, lo.max(least), hi.min(most), length));
        }
    }
    let zeros = nodes.repeat(range(nodes, '0', '0'), 0, UNBOUNDED);
    nodes.concat(zeros, nodes.or(ways))
}

/// A value between `lo` and `hi`, written with exactly `length` digits, zeros in front included.
fn fixed(nodes: &Regexes, lo: i32, hi: i32, length: u32) -> NodeId {
    let all = 10_i32.pow(length);
    if (lo, hi) == (0, all - 1) {
        return nodes.repeat(range(nodes, '0', '9'), length, length);
    }
    let unit = all / 10;
    let (mut first, mut last) = (lo / unit, hi / unit);
    let digit = |value: i32| char::from(b'0' + value as u8);
    let after = |from: i32, to: i32, lo: i32, hi: i32| {
        let rest = fixed(nodes, lo, hi, length - 1);
        nodes.concat(range(nodes, digit(from), digit(to)), rest)
    };
    if first == last {
        return after(first, last, lo % unit, hi % unit);
    }
    let mut ways = Vec::new();
    if lo % unit > 0 {
        ways.push(after(first, first, lo % unit, unit - 1));
        first += 1;
    }
    if hi % unit < unit - 1 {
        ways.push(after(last, last, 0, hi % unit));
        last -= 1;
    }
    if first <= last {
        ways.push(after(first, last, 0, unit - 1));
    }
    nodes.or(ways)
}

fn range(nodes: &Regexes, lo: char, hi: char) -> NodeId {
    nodes.class(CodeSet::new([(lo as u32, hi as u32)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_is_in_its_range_in_every_spelling() {
        let nodes = Regexes::new();
        for (lo, hi) in [
            (-999, 999),
            (0, 0),
            (-7, -7),
            (-120, 5),
            (3, 10),
            (99, 100),
            (-999, -101),
            (250, 731),
        ] {
            let language = between(&nodes, lo, hi);
            for value in -1_100_i32..=1_100 {
                let sign = if value < 0 { "-" } else { "" };
                let size = value.abs();
                for text in [
                    format!("{sign}{size}"),
                    format!("{sign}0{size}"),
                    format!("{sign}000000{size}"),
                ] {
                    let expected = (lo..=hi).contains(&value);
                    assert_eq!(nodes.matches(language, &text), expected, "{text} {lo} {hi}");
                }
            }
            assert_eq!(nodes.matches(language, "-0"), lo <= 0 && 0 <= hi);
            assert_eq!(nodes.matches(language, "+05"), lo <= 5 && 5 <= hi);
            for junk in ["", "+", "-", "--1", "1.", "1e1", " 1"] {
                assert!(!nodes.matches(language, junk), "{junk}");
            }
        }
    }

    #[test]
    fn all_exponents_take_few_states() {
        let nodes = Regexes::new();
        let mut states = vec![between(&nodes, -MAX_EXPONENT, MAX_EXPONENT)];
        let mut at = 0;
        while at < states.len() {
            for piece in nodes.pieces(states[at]) {
                if !states.contains(&piece.to) {
                    states.push(piece.to);
                }
            }
            at += 1;
        }
        assert!(states.len() <= 9, "{}", states.len());
    }
}
