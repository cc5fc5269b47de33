//! Numbers against exact arithmetic on their decimals.

use proptest::prelude::*;
use proptest::sample::select;

use crate::decimal::Decimal;
use crate::regex::char_cost::NO_WAY;
use crate::regex::node::{Node, NodeId, Spelling};
use crate::regex::numeric::{Divisor, End, Interval, MAX_EXPONENT, Set};
use crate::regex::regexes::Regexes;
use crate::work;
use crate::work::tests::allowance;

pub(super) fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// What a schema says of a number, as it says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand {
    pub(super) lower: Option<(Decimal, bool)>,
    pub(super) upper: Option<(Decimal, bool)>,
    pub(super) divisor: Option<Decimal>,
    /// What it must not be a multiple of.
    pub(super) without: Vec<Decimal>,
    plain: bool,
}

impl Demand {
    pub(super) fn node(&self, nodes: &Regexes) -> NodeId {
        let end = |end: &(Decimal, bool)| End {
            value: end.0.clone(),
            open: end.1,
        };
        let interval = Interval {
            lower: self.lower.as_ref().map(end),
            upper: self.upper.as_ref().map(end),
        };
        // Nothing is between ends in the wrong order: they meet only in conjunctions.
        let lower = Interval {
            upper: None,
            ..interval.clone()
        };
        let upper = Interval {
            lower: None,
            ..interval
        };
        let mut sets = vec![Set::interval(lower), Set::interval(upper)];
        if let Some(divisor) = &self.divisor {
            sets.push(Set::multiples(Divisor::new(divisor).unwrap()));
        }
        if self.plain {
            sets.push(Set::plain_integers());
        }
        let mut parts: Vec<NodeId> = sets.into_iter().map(|set| nodes.numbers(set)).collect();
        for divisor in &self.without {
            let multiples = nodes.numbers(Set::multiples(Divisor::new(divisor).unwrap()));
            parts.push(nodes.not(multiples));
        }
        nodes.and(parts)
    }

    pub(super) fn allows(&self, text: &str) -> bool {
        let Some(value) = in_domain(text) else {
            return false;
        };
        let above =
            |(end, open): &(Decimal, bool)| if *open { value > *end } else { value >= *end };
        let below =
            |(end, open): &(Decimal, bool)| if *open { value < *end } else { value <= *end };
        self.lower.as_ref().is_none_or(above)
            && self.upper.as_ref().is_none_or(below)
            && self.divisor.as_ref().is_none_or(|d| is_multiple(&value, d))
            && !self.without.iter().any(|d| is_multiple(&value, d))
            && (!self.plain || !text.contains(['.', 'e', 'E']))
    }
}

/// The value of a JSON number with an exponent within the cap.
fn in_domain(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (int, fraction) = match mantissa.split_once('.') {
        Some((int, fraction)) => (int, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = |exponent: &str| {
        let size = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        is_digits(size) && size.trim_start_matches('0').len() <= 3
    };
    let is_number = is_digits(int)
        && (int == "0" || !int.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(exponent_fits);
    is_number.then(|| decimal(text))
}

fn is_multiple(value: &Decimal, divisor: &Decimal) -> bool {
    let core: u128 = std::str::from_utf8(&divisor.digits)
        .unwrap()
        .parse()
        .unwrap();
    let zeros = value.exponent - divisor.exponent;
    if value.is_zero() {
        return true;
    }
    // The digits do not end in a zero, and no ten divides the core: a fraction stays one, unless
    // the core takes it away.
    let digits = value.digits.iter().copied();
    let zeros = std::iter::repeat_n(b'0', usize::try_from(zeros).unwrap_or(usize::MAX));
    if value.exponent < divisor.exponent {
        return false;
    }
    let rest = digits.chain(zeros).fold(0, |rest, digit| {
        (rest * 10 + u128::from(digit - b'0')) % core
    });
    rest == 0
}

/// Follows the cheapest way to an end: each step must cost what the costs say.
pub(super) fn assert_ends_at_its_cost(nodes: &Regexes, start: NodeId, what: &dyn std::fmt::Debug) {
    let mut at = start;
    loop {
        let cost = nodes.cost(at, Spelling::Json);
        assert_eq!(
            cost == 0,
            nodes.nullable(at),
            "{what:?} {:?}",
            nodes.node(at)
        );
        if cost == 0 {
            return;
        }
        let next = nodes
            .pieces(at)
            .iter()
            .map(|piece| (nodes.cost(piece.to, Spelling::Json), piece.to));
        let (least, to) = next.min().unwrap_or((NO_WAY, NodeId::NEVER));
        assert!(
            least < NO_WAY && least + 1 == cost,
            "{what:?}: {cost} then {least} at {:?}",
            nodes.node(at)
        );
        at = to;
    }
}

pub(super) fn regexes() -> Regexes {
    Regexes::new()
}

/// A check within the work that an operation may take: rare demands, such as divisors a thousand digits
/// apart, take more and say nothing.
pub(super) fn within_limits(
    check: impl FnOnce() -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    match work::within(allowance(500_000, 1 << 28), || Ok(check())) {
        Ok((result, _)) => result,
        Err(error) => Err(TestCaseError::reject(error.message().to_owned())),
    }
}

/// A bound with an exclamation mark is exclusive. After the divisor comes what must not be one.
pub(super) fn demand(lower: &str, upper: &str, divisors: &str) -> Demand {
    let (divisor, without) = divisors.split_once('!').unwrap_or((divisors, ""));
    let end = |text: &str| match text.strip_suffix('!') {
        _ if text.is_empty() => None,
        Some(open) => Some((decimal(open), true)),
        None => Some((decimal(text), false)),
    };
    Demand {
        lower: end(lower),
        upper: end(upper),
        divisor: (!divisor.is_empty()).then(|| decimal(divisor)),
        without: without.split_terminator('!').map(decimal).collect(),
        plain: false,
    }
}

/// Reads all texts of a few characters.
fn walk(nodes: &Regexes, demand: &Demand, text: &mut String, at: NodeId, depth: usize) {
    let matches = at != NodeId::NEVER && nodes.nullable(at);
    assert_eq!(matches, demand.allows(text), "{demand:?} {text}");
    if at != NodeId::NEVER && text.len() < 4 {
        assert_ends_at_its_cost(nodes, at, &(demand, &text));
    }
    if depth == 0 {
        return;
    }
    for c in "-+.0125e9".chars() {
        let next = if at == NodeId::NEVER {
            at
        } else {
            nodes.step(at, c as u32)
        };
        text.push(c);
        walk(nodes, demand, text, next, depth - 1);
        text.pop();
    }
}

/// Bounds and divisors, as [`demand`] reads them.
pub(super) const SHORT_DEMANDS: [(&str, &str, &str); 37] = [
    ("", "", ""),
    ("", "", "1"),
    ("0", "", ""),
    ("0!", "", ""),
    ("", "0", ""),
    ("", "0!", ""),
    ("0", "0", ""),
    ("5", "", "1"),
    ("0", "100", "1"),
    ("-12", "105", "1"),
    ("0.5", "2.25!", ""),
    ("1!", "2!", ""),
    ("-2.5", "-1!", ""),
    ("12", "12", ""),
    ("0.1", "0.1", ""),
    ("", "", "7"),
    ("", "", "0.25"),
    ("", "", "12"),
    ("", "", "100"),
    ("10", "50", "15"),
    ("1e3", "", "0.01"),
    ("", "", "1e-8"),
    ("1e-5!", "1e-3", ""),
    ("99", "120", "8"),
    ("9.99", "10.01!", ""),
    ("", "", "1e308"),
    ("", "", "!1"),
    ("0", "5", "!1"),
    ("4.5", "5", "!1"),
    ("0", "10", "1!2"),
    ("8", "9", "1!2"),
    ("", "", "1!2!3!5"),
    ("2", "8", "1!2!3!5"),
    ("2", "4", "!0.1!0.03"),
    ("", "", "0.5!1.5!2"),
    ("-3", "20", "!100!7"),
    ("1e22", "", "7!20"),
];

#[test]
fn short_texts_are_what_arithmetic_says() {
    for (lower, upper, divisor) in SHORT_DEMANDS {
        for plain in [false, true] {
            let nodes = regexes();
            let demand = Demand {
                plain,
                ..demand(lower, upper, divisor)
            };
            let start = demand.node(&nodes);
            walk(&nodes, &demand, &mut String::new(), start, 5);
        }
    }
}

/// A decimal near zero or of many digits.
fn decimals() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![
        "[0-9]{1,2}",
        "[0-9]{1,5}",
        "[0-9]{1,40}",
        "(0|9|10|99){1,4}"
    ];
    let exponent = prop_oneof![Just(0), -4..5_i64, -45..45_i64, -300..300_i64];
    (any::<bool>(), digits, exponent)
        .prop_map(|(negative, digits, exponent)| Decimal::new(negative, digits.into(), exponent))
}

fn divisors() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![
        select(vec![
            "1", "2", "5", "3", "7", "25", "8", "125", "64", "12", "1000", "99"
        ])
        .prop_map(str::to_owned),
        "[1-9][0-9]{0,4}",
        "[1-9][0-9]{0,36}",
    ];
    let exponent = prop_oneof![
        Just(0),
        -3..3_i64,
        -30..30_i64,
        select(vec![-1000, 308, 1000])
    ];
    (digits, exponent).prop_map(|(digits, exponent)| Decimal::new(false, digits.into(), exponent))
}

fn short_divisors() -> impl Strategy<Value = Decimal> {
    (1..200_u32, -3..3_i64)
        .prop_map(|(value, exponent)| Decimal::new(false, value.to_string().into(), exponent))
}

pub(super) fn demands() -> impl Strategy<Value = Demand> {
    let end = || prop::option::of((decimals(), any::<bool>()));
    let width = prop_oneof![Just(None), decimals().prop_map(Some)];
    let without =
        prop_oneof![4 => Just(vec![]), 1 => prop::collection::vec(short_divisors(), 1..4)];
    let plain = prop::bool::weighted(0.15);
    (
        end(),
        end(),
        prop::option::of(divisors()),
        without,
        plain,
        width,
    )
        .prop_map(|(lower, mut upper, divisor, without, plain, width)| {
            // Ends that are close together, and in the right order.
            if let (Some((low, _)), Some(_), Some(width)) = (&lower, &upper, width) {
                let digits = [&low.digits[..], &width.digits].concat();
                let exponent = low.exponent - width.digits.len() as i64;
                let value = Decimal::new(low.negative, digits, exponent);
                upper = Some((value.max(low.clone()), false));
            }
            Demand {
                lower,
                upper,
                divisor,
                without,
                plain,
            }
        })
}

/// One of the ways to write a value; `None` if its exponent would be too large.
fn spelled(value: &Decimal, point: i64, zeros: usize, style: u8) -> Option<String> {
    let mut digits = value.digits.clone();
    digits.extend(std::iter::repeat_n(b'0', zeros));
    let mut exponent = value.exponent - zeros as i64;
    let mut text = String::from(if value.negative { "-" } else { "" });
    if digits.is_empty() {
        digits.push(b'0');
    }
    if digits.iter().all(|&d| d == b'0') {
        digits.truncate(1);
    }
    let length = digits.len() as i64;
    if point <= 0 {
        text += "0.";
        text.extend(std::iter::repeat_n('0', -point as usize));
        text += std::str::from_utf8(&digits).unwrap();
        exponent += length - point;
    } else if point < length {
        let (int, fraction) = digits.split_at(point as usize);
        text += std::str::from_utf8(int).unwrap();
        text.push('.');
        text += std::str::from_utf8(fraction).unwrap();
        exponent += length - point;
    } else {
        text += std::str::from_utf8(&digits).unwrap();
        if digits != b"0" {
            text.extend(std::iter::repeat_n('0', (point - length) as usize));
            exponent -= point - length;
        }
    }
    if exponent != 0 || style & 1 == 1 {
        text.push(if style & 2 == 2 { 'e' } else { 'E' });
        text += if exponent < 0 {
            "-"
        } else {
            ["", "+"][usize::from(style & 4 == 4)]
        };
        text += ["", "0", "000"][usize::from(style >> 3) % 3];
        text += &exponent.abs().to_string();
    }
    Some(text)
}

/// Texts that are likely to matter to a demand: its ends and their neighbours, in many spellings.
fn candidates(demand: &Demand, noise: &Decimal, pick: u8) -> Decimal {
    let ends = [&demand.lower, &demand.upper];
    let end = ends[usize::from(pick & 1)]
        .as_ref()
        .map_or(noise, |end| &end.0);
    let mut value = match &demand.divisor {
        Some(divisor) if pick & 2 == 2 => {
            let divisor = Divisor::new(divisor).unwrap();
            if pick & 1 == 0 {
                divisor.round_up(end, pick & 4 == 4)
            } else {
                divisor.round_down(end, pick & 4 == 4)
            }
        }
        _ => end.clone(),
    };
    if pick & 24 == 8 {
        // A little more, or the beginning of it.
        value.digits.extend(&noise.digits);
        let exponent = value.exponent - noise.digits.len() as i64;
        value = Decimal::new(value.negative, value.digits, exponent);
    } else if pick & 24 == 16 {
        value.digits.truncate(3);
        value = Decimal::new(value.negative, value.digits, value.exponent);
    }
    if pick & 96 == 96 {
        noise.clone()
    } else {
        value
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn texts_of_any_length_are_what_arithmetic_says(
        demand in demands(),
        noise in decimals(),
        picks in prop::collection::vec((any::<u8>(), -8..50_i64, 0..4_usize, any::<u8>()), 1..12),
    ) {
        within_limits(|| {
            let nodes = regexes();
            let language = demand.node(&nodes);
            let domain = nodes.numbers(Set::interval(Interval::ALL));
            let complement = nodes.and(vec![domain, nodes.not(language)]);
            for (pick, point, zeros, style) in picks {
                let value = candidates(&demand, &noise, pick);
                let Some(text) = spelled(&value, point, zeros, style) else { continue };
                if let Some(back) = in_domain(&text) {
                    prop_assert_eq!(&back, &value, "{}", text);
                }
                let allowed = demand.allows(&text);
                prop_assert_eq!(nodes.matches(language, &text), allowed, "{}", text);
                let is_other = in_domain(&text).is_some() && !allowed;
                prop_assert_eq!(nodes.matches(complement, &text), is_other, "not {}", text);
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_has_begun_can_be_finished(
        demand in demands(),
        noise in decimals(),
        (pick, point, zeros, style) in (any::<u8>(), -8..50_i64, 0..4_usize, any::<u8>()),
        cut in any::<prop::sample::Index>(),
    ) {
        within_limits(|| {
            let nodes = regexes();
            let mut at = demand.node(&nodes);
            // Divisors may be too long to be joined: then what is left is a search.
            prop_assume!(at == NodeId::NEVER || matches!(nodes.node(at), Node::Numbers(_)));
            let value = candidates(&demand, &noise, pick);
            let Some(text) = spelled(&value, point, zeros, style) else { return Ok(()) };
            for c in text[..cut.index(text.len() + 1)].chars() {
                at = nodes.step(at, c as u32);
            }
            if at != NodeId::NEVER {
                assert_ends_at_its_cost(&nodes, at, &(&demand, &text));
            }
            Ok(())
        })?;
    }
}

/// Single numbers, some of which share their digits.
fn points() -> impl Strategy<Value = Vec<Decimal>> {
    let few = (any::<bool>(), "[0-9]{1,3}", -4..5_i64)
        .prop_map(|(negative, digits, exponent)| Decimal::new(negative, digits.into(), exponent));
    prop::collection::vec(prop_oneof![4 => few, 1 => decimals()], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn many_numbers_are_read_as_each_alone(
        points in points(),
        demand in demands(),
        picks in prop::collection::vec(
            (any::<prop::sample::Index>(), -8..50_i64, 0..4_usize, any::<u8>(), any::<bool>()), 1..12),
    ) {
        within_limits(|| {
            let nodes = regexes();
            let equal = |value: &Decimal| Set::interval(Interval::point(value));
            let all = Set::union(&points.iter().map(equal).collect::<Vec<_>>()).unwrap();
            let base = demand.node(&nodes);
            let number_list = nodes.numbers(all.clone());
            let joined = nodes.and(vec![base, nodes.not(number_list)]);
            // The set with each number cut out of it must be the same language.
            let cut = match nodes.node(base) {
                &Node::Numbers(set) => nodes.numeric().set(set).difference(&all).map(|s| nodes.numbers(s)),
                _ => None,
            };
            for (pick, point, zeros, style, is_point) in picks {
                let mut value = pick.get(&points).clone();
                if !is_point {
                    value = Decimal::new(value.negative, [&value.digits[..], b"7"].concat(), value.exponent - 1);
                }
                let Some(text) = spelled(&value, point, zeros, style) else { continue };
                let is_among = in_domain(&text).is_some() && points.contains(&value);
                let is_left = demand.allows(&text) && !points.contains(&value);
                let mut at = (number_list, joined, cut);
                for c in text.chars() {
                    prop_assert_eq!(nodes.is_live(at.0), at.0 != NodeId::NEVER);
                    if at.0 != NodeId::NEVER {
                        assert_ends_at_its_cost(&nodes, at.0, &(&points, &text));
                    }
                    if let Some(cut) = at.2 {
                        let costs = [at.1, cut].map(|node| nodes.cost(node, Spelling::Json));
                        prop_assert_eq!(costs[0], costs[1], "{} {}", text, c);
                    }
                    let step = |node| if node == NodeId::NEVER { node } else { nodes.step(node, c as u32) };
                    at = (step(at.0), step(at.1), at.2.map(step));
                }
                prop_assert_eq!(nodes.nullable(at.0), is_among, "{}", text);
                prop_assert_eq!(nodes.nullable(at.1), is_left, "not {}", text);
            }
            Ok(())
        })?;
    }
}

#[test]
fn many_numbers_share_their_states() {
    let nodes = regexes();
    let numbers: Vec<String> = (0..10_000_u64).map(|i| (i * 99_991).to_string()).collect();
    let sets: Vec<Set> = numbers
        .iter()
        .map(|n| Set::interval(Interval::point(&decimal(n))))
        .collect();
    let start = nodes.numbers(Set::union(&sets).unwrap());
    let before = nodes.len();
    assert!(nodes.matches(start, "999810009") && !nodes.matches(start, "999810010"));
    assert!(nodes.len() - before < 500, "{}", nodes.len() - before);
}

/// The states that reading texts makes.
fn states<'t>(nodes: &Regexes, start: NodeId, texts: impl IntoIterator<Item = &'t str>) -> usize {
    let mut seen = std::collections::HashSet::from([start]);
    for text in texts {
        let mut at = start;
        for c in text.chars() {
            at = nodes.step(at, c as u32);
            seen.insert(at);
        }
    }
    seen.remove(&NodeId::NEVER);
    seen.len()
}

#[test]
fn ordinary_numbers_take_few_states() {
    let texts: Vec<String> = (1..2_000_u64)
        .map(|i| {
            let x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (i % 60);
            let sign = ["", "-"][i as usize % 2];
            format!("{sign}{x}")
        })
        .collect();
    let fractions: Vec<String> = texts
        .iter()
        .map(|t| format!("{t}.{}", t.trim_start_matches('-')))
        .collect();
    for (demand, fraction, most) in [
        (demand("", "", ""), true, 8),
        (demand("", "", "1"), false, 9),
        (demand("0", "", "1"), false, 9),
        (demand("1", "", "1"), false, 9),
        (demand("0", "100", "1"), false, 14),
        (demand("0", "", ""), true, 12),
    ] {
        let nodes = regexes();
        let start = demand.node(&nodes);
        let texts = if fraction { &fractions } else { &texts };
        let count = states(&nodes, start, texts.iter().map(String::as_str));
        assert!(count <= most, "{demand:?} {count}");
    }
}

#[test]
fn digits_after_the_least_exponent_need_a_point() {
    let nodes = regexes();
    let near_zero = demand("0!", "1e-998!", "!1e-999").node(&nodes);
    let at = "3"
        .chars()
        .fold(near_zero, |at, c| nodes.step(at, c as u32));
    assert_ends_at_its_cost(&nodes, at, &"3");
    assert!(nodes.matches(near_zero, "3.1e-999") && !nodes.matches(near_zero, "3e-999"));
}

#[test]
fn ranges_without_multiples_are_empty() {
    for (lower, upper, divisor) in [
        ("1", "999", "1000"),
        ("0!", "1e37", "9999999999999999999999999999999999999"),
        ("0.1", "0.9", "1"),
        ("1!", "2!", "1"),
        ("5", "4", ""),
        ("5!", "5", ""),
        ("1e-1000", "1e307", "1e308"),
    ] {
        let nodes = regexes();
        let most = if upper == "1e37" {
            "9999999999999999999999999999999999998"
        } else {
            upper
        };
        assert_eq!(demand(lower, most, divisor).node(&nodes), NodeId::NEVER);
    }
}

#[test]
fn exponents_are_capped() {
    let nodes = regexes();
    let all = nodes.numbers(Set::interval(Interval::ALL));
    for (text, expected) in [
        (format!("1e{MAX_EXPONENT}"), true),
        (format!("1e{}", MAX_EXPONENT + 1), false),
        (format!("1e-000{MAX_EXPONENT}"), true),
        (format!("1e-{}", MAX_EXPONENT + 1), false),
        (format!("{}e5", "7".repeat(3_000)), true),
        (format!("0.{}7E-9", "0".repeat(3_000)), true),
    ] {
        assert_eq!(nodes.matches(all, &text), expected, "{text}");
    }
}
