//! Plain numbers against what Python and JavaScript write, and exact arithmetic.

use proptest::prelude::*;

use crate::decimal::Decimal;
use crate::regex::node::NodeId;
use crate::regex::numeric::tests::{
    Demand, SHORT_DEMANDS, assert_ends_at_its_cost, decimal, demand, demands, regexes,
    within_limits,
};
use crate::regex::regexes::Regexes;

/// Whether a text is plain, its value aside, with the fewest digits that are always allowed.
fn is_plain(text: &str, is_whole: bool) -> bool {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (int, fraction) = match mantissa.split_once('.') {
        Some((int, fraction)) => (int, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(int) || int.len() > 1 && int.starts_with('0') || !fraction.is_none_or(is_digits) {
        return false;
    }
    let all = [int, fraction.unwrap_or("")].concat();
    let significant = all.trim_start_matches('0').len();
    match (fraction, exponent) {
        (None, None) => int.len() <= 32 && !(is_negative && int == "0"),
        _ if is_whole => false,
        (Some(fraction), None) => {
            let zeros = fraction.len() - fraction.trim_start_matches('0').len();
            let ends = fraction == "0" || !fraction.ends_with('0');
            ends && significant <= 17 && (int != "0" || zeros <= 5)
        }
        (_, Some(exponent)) => {
            let ends = !fraction.is_some_and(|fraction| fraction.ends_with('0'));
            let size = &exponent[1.min(exponent.len())..];
            let value: u32 = if is_digits(size) {
                size.parse().unwrap_or(0)
            } else {
                0
            };
            let is_written = match exponent.chars().next() {
                Some('-') => match size.len() {
                    1 => value >= 7,
                    2 => value >= 5,
                    _ => value >= 100 && !size.starts_with('0'),
                },
                Some('+') => value >= 16 && !size.starts_with('0'),
                _ => false,
            };
            int.len() == 1 && int != "0" && significant <= 17 && ends && is_written && {
                let size = decimal(unsigned);
                decimal("5e-324") <= size && size <= decimal("1.7976931348623157e308")
            }
        }
    }
}

fn walk(
    nodes: &Regexes,
    demand: &Demand,
    text: &mut String,
    (at, is_whole): (NodeId, bool),
    depth: usize,
) {
    let matches = at != NodeId::NEVER && nodes.nullable(at);
    let allowed = demand.allows(text) && is_plain(text, is_whole);
    assert_eq!(matches, allowed, "{demand:?} {text}");
    if at != NodeId::NEVER && text.len() < 4 {
        assert_ends_at_its_cost(nodes, at, &(demand, &text));
    }
    if depth == 0 {
        return;
    }
    for c in "-+.0126e9".chars() {
        let next = match at {
            NodeId::NEVER => at,
            _ => nodes.step(at, c as u32),
        };
        text.push(c);
        walk(nodes, demand, text, (next, is_whole), depth - 1);
        text.pop();
    }
}

#[test]
fn short_texts_are_plain_and_what_arithmetic_says() {
    // Numbers of hundreds of digits take long to be walked along.
    let short = SHORT_DEMANDS.iter().filter(|demand| demand.2 != "1e308");
    for &(lower, upper, divisor) in short {
        let nodes = regexes();
        let demand = demand(lower, upper, divisor);
        let node = demand.node(&nodes);
        let is_whole = nodes.are_whole(node);
        let start = nodes.plain_numbers(node);
        walk(&nodes, &demand, &mut String::new(), (start, is_whole), 5);
    }
}

#[test]
fn numbers_are_written_as_python_and_javascript_write_them() {
    let nodes = regexes();
    let any = nodes.plain_numbers(demand("", "", "").node(&nodes));
    let integers = nodes.plain_numbers(demand("", "", "1").node(&nodes));
    let ones = "1".repeat(32);
    for (text, is_number, is_integer) in [
        ("0", true, true),
        ("-0", false, false),
        ("-0.0", true, false),
        (&ones, true, true),
        (&format!("{ones}1"), false, false),
        ("1e-05", true, false),
        ("1e-7", true, false),
        ("1.5e-07", true, false),
        ("0.000001", true, false),
        ("0.0000001", false, false),
        ("1e+16", true, false),
        ("1e+15", false, false),
        ("1e16", false, false),
        ("1E+16", false, false),
        ("1e+016", false, false),
        ("1.0e+16", false, false),
        ("1234567890123456.0", true, false),
        ("12345678901234567.0", false, false),
        ("123456789012345.67", true, false),
        ("0.12345678901234567", true, false),
        ("0.123456789012345678", false, false),
        ("1.7976931348623157e+308", true, false),
        ("1.7976931348623158e+308", false, false),
        ("5e-324", true, false),
        ("4e-324", false, false),
        ("1.50", false, false),
        ("0.10", false, false),
        ("1.", false, false),
        ("01", false, false),
    ] {
        assert_eq!(nodes.matches(any, text), is_number, "{text}");
        assert_eq!(nodes.matches(integers, text), is_integer, "{text}");
    }
}

#[test]
fn as_many_digits_as_are_asked_for() {
    let long = "1".repeat(40);
    let divisor = "1".repeat(30);
    let nodes = regexes();
    for (demand, text) in [
        (demand(&long, "", "1"), &*long),
        (demand(&long, &long, ""), &long),
        (
            demand("", "", &format!("{divisor}e10")),
            &format!("{divisor}0000000000"),
        ),
        (
            demand("0.1!", "0.10000000000000000001!", ""),
            "0.100000000000000000001",
        ),
        (
            demand("", "", "0.1234567890123456789012"),
            "0.1234567890123456789012",
        ),
        (demand("1e400", "", ""), "1e+400"),
        (demand("", "1e-400", "1e-400"), "1e-400"),
    ] {
        let plain = nodes.plain_numbers(demand.node(&nodes));
        assert!(nodes.matches(plain, text), "{demand:?} {text}");
        assert_ends_at_its_cost(&nodes, plain, &demand);
    }
}

#[test]
fn integers_take_few_states() {
    for (demand, most) in [
        (demand("", "", "1"), 40),
        (demand("0", "100", "1"), 12),
        (demand("1", "", "1"), 40),
    ] {
        let nodes = regexes();
        let mut states = vec![nodes.plain_numbers(demand.node(&nodes))];
        let mut at = 0;
        while at < states.len() {
            for piece in nodes.pieces(states[at]) {
                if !states.contains(&piece.to) {
                    states.push(piece.to);
                }
            }
            at += 1;
        }
        assert!(states.len() <= most, "{demand:?} {}", states.len());
    }
}

/// Values near what a demand names.
fn near(demand: &Demand) -> Vec<Decimal> {
    let ends = [&demand.lower, &demand.upper].into_iter().flatten();
    let values = ends.map(|end| &end.0).chain(&demand.divisor);
    let near = values.flat_map(|value| {
        let longer = |digit: u8| {
            let digits = [&value.digits[..], &[digit]].concat();
            Decimal::new(value.negative, digits, value.exponent - 1)
        };
        [value.clone(), value.negated(), longer(b'1'), longer(b'9')]
    });
    let zero = Decimal::new(false, Vec::new(), 0);
    near.chain([zero, decimal("1"), decimal("-0.5")]).collect()
}

/// A text of a value; with an exponent where it has to have one.
fn written(value: &Decimal, is_whole: bool) -> String {
    let sign = if value.negative { "-" } else { "" };
    let digits = String::from_utf8(value.digits.clone()).unwrap();
    let point = value.point();
    match point {
        _ if value.is_zero() => "0".to_owned(),
        _ if value.is_integer() && (is_whole || point <= 16) => {
            format!("{sign}{digits}{}", "0".repeat(value.exponent as usize))
        }
        1..=16 => {
            let (int, fraction) = digits.split_at(point as usize);
            format!("{sign}{int}.{fraction}")
        }
        -3..=0 => format!("{sign}0.{}{digits}", "0".repeat(-point as usize)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let exponent = point - 1;
            let minus = if exponent < 0 { '-' } else { '+' };
            format!("{sign}{first}{dot}{rest}e{minus}{:02}", exponent.abs())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_demand_names_can_be_written(demand in demands()) {
        within_limits(|| {
            let nodes = regexes();
            let node = demand.node(&nodes);
            let plain = nodes.plain_numbers(node);
            let is_whole = nodes.are_whole(node);
            if plain != NodeId::NEVER && nodes.is_live(plain) {
                assert_ends_at_its_cost(&nodes, plain, &demand);
            }
            for value in near(&demand) {
                let text = written(&value, is_whole);
                let allowed = demand.allows(&text);
                let matches = nodes.matches(plain, &text);
                prop_assert!(allowed || !matches, "{:?} {}", demand, text);
                let fits = value.digits.len() <= 17 && value.point().abs() < 300;
                let ends = [&demand.lower, &demand.upper];
                let is_end = ends.into_iter().flatten().any(|end| end.0 == value);
                if is_end || fits && (!is_whole || value.point() <= 32) {
                    prop_assert_eq!(matches, allowed, "{:?} {}", demand, text);
                }
            }
            Ok(())
        })?;
    }
}
