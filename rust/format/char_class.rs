//! Character classes of ECMA-262 patterns, `[…]`, with the `u` flag.
//!
//! A range must not be out of order. Its first bound may be
//!
//! - an ASCII character, escaped or not: the last is compared exactly;
//! - another character: the last must be beyond the first's neighbourhood, see [`NEIGHBOURS`];
//! - a control character or space (`\t`, `\cA`, `\0`, `\x20`, …): the last is a space or
//!   beyond, but both may be among `\t`, `\n`, `\v`, `\f`, `\r`, and `\0` may be followed by any;
//! - `\x…`, `\u…` or `\u{…}`: the last is written in the same way, with as many digits, or it is
//!   beyond what that many digits can write.

use crate::format::build::Build;
use crate::format::ordered;
use crate::regex::codeset::{CodeSet, MAX};
use crate::regex::node::NodeId;

/// A hexadecimal digit.
pub(super) const HEX: &str = "[0-9A-Fa-f]";

/// The decimal digits.
pub(super) const DIGIT: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

const HEX_DIGITS: [&str; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "[aA]", "[bB]", "[cC]", "[dD]", "[eE]",
    "[fF]",
];

/// Where characters beyond ASCII are compared by neighbourhoods, and how large those are.
const NEIGHBOURS: [(u32, u32, usize); 3] = [
    (0x80, 0x600, 0x10),
    (0x600, 0x1_0000, 0x400),
    (0x1_0000, MAX + 1, 0x1_0000),
];

/// `CharacterClass`, by the escapes that may stand in one.
pub(super) fn brackets(build: Build, escape: NodeId) -> NodeId {
    let ranges = Ranges {
        build,
        hyphen: build.text("-"),
        backslash: build.text("\\"),
    };
    let single = build.or([ranges.literal(0, MAX), escape, build.pattern(r"\\[b-]")]);
    // A hyphen that is not escaped stands where it makes no range: at an edge or after a range.
    let hyphen = build.optional(ranges.hyphen);
    let range = build.concat(&[ranges.all(), hyphen]);
    let items = build.star(build.or([single, range]));
    build.concat(&[
        build.pattern(r"\[\^?"),
        hyphen,
        items,
        hyphen,
        build.text("]"),
    ])
}

struct Ranges<'a> {
    build: Build<'a>,
    hyphen: NodeId,
    backslash: NodeId,
}

impl Ranges<'_> {
    /// The characters `lo..=hi` that stand for themselves in a class.
    fn literal(&self, lo: u32, hi: u32) -> NodeId {
        let special = CodeSet::new(['-', '\\', ']'].map(|c| (c.into(), c.into())));
        let range = CodeSet::new([(lo, hi)]);
        self.build
            .0
            .class(range.intersection(&special.complement()))
    }

    /// The characters `lo..=hi`, by themselves or after a backslash that means just them.
    fn spelled(&self, lo: u32, hi: u32) -> NodeId {
        let escapable = "^$\\.*+?()[]{}|/-".chars().map(u32::from);
        let in_range = escapable.filter(|c| (lo..=hi).contains(c)).map(|c| (c, c));
        let escaped = self.build.0.class(CodeSet::new(in_range));
        let escaped = self.build.concat(&[self.backslash, escaped]);
        self.build.or([self.literal(lo, hi), escaped])
    }

    fn range(&self, lo: NodeId, hi: NodeId) -> NodeId {
        self.build.concat(&[lo, self.hyphen, hi])
    }

    fn all(&self) -> NodeId {
        let mut ranges = self.of_ascii();
        ranges.extend(self.of_neighbourhoods());
        ranges.push(self.of_controls());
        ranges.extend(self.of_numbers());
        self.build.or(ranges)
    }

    fn of_ascii(&self) -> Vec<NodeId> {
        let number = self.build.pattern(&format!(
            r"\\(?:x[89A-Fa-f]{HEX}|u00[89A-Fa-f]{HEX}|u(?:0[1-9A-Fa-f]|[1-9A-Fa-f]{HEX}){HEX}{{2}})"
        ));
        (0..0x80)
            .map(|c| {
                let hi = self.build.or([self.spelled(c, MAX), number]);
                self.range(self.spelled(c, c), hi)
            })
            .collect()
    }

    fn of_neighbourhoods(&self) -> impl Iterator<Item = NodeId> {
        NEIGHBOURS.into_iter().flat_map(move |(from, to, size)| {
            (from..to).step_by(size).map(move |lo| {
                let hi = lo + size as u32 - 1;
                self.range(self.literal(lo, hi), self.literal(hi, MAX))
            })
        })
    }

    /// Ranges whose first bound is an escape of U+0020 or of a character before it.
    fn of_controls(&self) -> NodeId {
        let build = self.build;
        let lo = build.pattern(&format!(
            r"\\(?:[0fnrtv]|c[A-Za-z]|x[01]{HEX}|x20|u00[01]{HEX}|u0020)"
        ));
        let number = build.pattern(&format!(
            r"\\(?:x[2-9A-Fa-f]{HEX}|u00[2-9A-Fa-f]{HEX}|u(?:0[1-9A-Fa-f]|[1-9A-Fa-f]{HEX}){HEX}{{2}})"
        ));
        let printable = self.range(lo, build.or([self.spelled(0x20, MAX), number]));
        let from_zero = build.pattern(&format!(
            r"\\0-\\(?:[fnrtv]|c[A-Za-z]|x{HEX}{{2}}|u{HEX}{{4}})"
        ));
        let named = build.pattern(r"\\(?:t-\\[tnvfr]|n-\\[nvfr]|v-\\[vfr]|f-\\[fr]|r-\\r)");
        build.or([printable, from_zero, named])
    }

    fn of_numbers(&self) -> Vec<NodeId> {
        let build = self.build;
        let numbers = |prefix: &str, digits, suffix: &str| {
            let between = build.text(&format!("{suffix}-{prefix}"));
            let pairs = ordered::pairs(build, &HEX_DIGITS, digits, between);
            build.concat(&[build.text(prefix), pairs, build.text(suffix)])
        };
        // Before a trail surrogate, there may be the other half of a pair, so that it is no
        // number of its own.
        let trail = build.pattern(r"\\u[dD][c-fC-F]");
        let no_trail = build.0.not(build.concat(&[trail, NodeId::ANY]));
        let two = build.pattern(&format!(r"\\x{HEX}{{2}}"));
        let four = build.pattern(&format!(r"\\u{HEX}{{4}}"));
        let beyond_two = build.pattern(&format!(r"\\u(?:0[1-9A-Fa-f]|[1-9A-Fa-f]{HEX}){HEX}{{2}}"));
        let beyond_four = build.pattern(&format!(r"\\u\{{(?:10|[1-9A-Fa-f]){HEX}{{4}}\}}"));
        vec![
            numbers(r"\x", 2, ""),
            build.and([numbers(r"\u", 4, ""), no_trail]),
            numbers(r"\u{", 4, "}"),
            numbers(r"\u{", 5, "}"),
            self.range(two, build.or([beyond_two, self.literal(0x100, MAX)])),
            self.range(
                build.and([four, no_trail]),
                build.or([beyond_four, self.literal(0x1_0000, MAX)]),
            ),
        ]
    }
}
