//! Patterns of ECMA-262, as its grammar has them with the `u` flag.
//!
//! That grammar is not regular, so this language is smaller. It holds only valid patterns, but
//!
//! - groups nest at most [`DEPTH`] deep,
//! - there are no backreferences, as in the keyword `pattern`, and at most one group has a name
//!   (names must differ),
//! - bounds that must be in order are compared where that takes few states: those of a
//!   quantifier up to 999, those of a class's range as [`char_class`] says,
//! - `\0` stands only before the hyphen of a range, where no digit can follow.

use crate::format::build::Build;
use crate::format::char_class::{self, DIGIT, HEX};
use crate::format::ordered;
use crate::format::property_names::{BINARY, CATEGORIES, SCRIPTS};
use crate::regex;
use crate::regex::codeset::CodeSet;
use crate::regex::node::NodeId;

/// How deep groups nest.
const DEPTH: usize = 16;

/// `SyntaxCharacter`, escaped for a class.
const SYNTAX: &str = r"\^$\\.*+?()\[\]{}|";

/// `Pattern` of ECMA-262, section 22.2.1, with `u`.
pub(super) fn regex(build: Build) -> NodeId {
    let quantifier = build.optional(quantifier(build));
    let flat = flat_term(build, quantifier);
    let group_start = build.pattern(r"\((?:\?:)?");
    let name_start = build.concat(&[build.text("(?<"), group_name(build), build.text(">")]);
    let look_start = build.pattern(r"\(\?<?[=!]");
    let close = build.text(")");
    let group = |start, inner| build.concat(&[start, inner, close, quantifier]);
    // With `u`, no lookahead can be repeated.
    let look = |inner| build.concat(&[look_start, inner, close]);
    let mut nameless = build.star(flat);
    // Patterns in which exactly one group has a name.
    let mut named = NodeId::NEVER;
    for _ in 0..DEPTH {
        let name_here = group(name_start, nameless);
        let name_inside = build.or([name_here, group(group_start, named), look(named)]);
        let inner = nameless;
        nameless = build.star(build.or([flat, group(group_start, inner), look(inner)]));
        named = build.concat(&[nameless, name_inside, nameless]);
    }
    build.or([nameless, named])
}

/// A `|`, or a `Term` without groups.
fn flat_term(build: Build, quantifier: NodeId) -> NodeId {
    let atom = build.or([
        build.pattern(&format!("[^{SYNTAX}]|\\.")),
        escape(build),
        char_class::brackets(build, escape(build)),
    ]);
    build.or([
        build.pattern(r"[|^$]|\\[bB]"),
        build.concat(&[atom, quantifier]),
    ])
}

/// `AtomEscape` and `ClassEscape`, as far as they agree.
fn escape(build: Build) -> NodeId {
    build.or([
        build.pattern(&format!(
            r"\\(?:[dDsSwWfnrtv{SYNTAX}/]|c[A-Za-z]|x{HEX}{{2}}|u{HEX}{{4}}|u\{{0*(?:10{HEX}{{4}}|{HEX}{{1,5}})\}})"
        )),
        property(build),
    ])
}

/// `\p{…}` and `\P{…}`.
fn property(build: Build) -> NodeId {
    let words = |names: &str| build.0.words(names.split_ascii_whitespace());
    let name = build.or([
        build.0.words(
            CATEGORIES
                .split_ascii_whitespace()
                .chain(BINARY.split_ascii_whitespace()),
        ),
        build.concat(&[build.pattern("(?:General_Category|gc)="), words(CATEGORIES)]),
        build.concat(&[
            build.pattern("(?:Script|sc|Script_Extensions|scx)="),
            words(SCRIPTS),
        ]),
    ]);
    build.concat(&[build.pattern(r"\\[pP]\{"), name, build.text("}")])
}

/// `RegExpIdentifierName`, without escapes.
fn group_name(build: Build) -> NodeId {
    let property = |name| regex::property(name).expect("ECMA-262 names it");
    let dollar = CodeSet::single('$'.into());
    let low_line = CodeSet::single('_'.into());
    let joiners = CodeSet::new([(0x200C, 0x200D)]);
    let start = property("ID_Start").union(&dollar).union(&low_line);
    let part = property("ID_Continue").union(&dollar).union(&joiners);
    build.concat(&[build.0.class(start), build.star(build.0.class(part))])
}

/// `Quantifier`, its bounds in order.
fn quantifier(build: Build) -> NodeId {
    let simple = build.pattern(r"[*+?]|\{\d+,?\}");
    let comma = build.text(",");
    let mut bounds = vec![build.pattern("0+,[0-9]+")];
    for digits in 1..=3 {
        bounds.push(ordered::pairs(build, &DIGIT, digits, comma));
        let shorter = build.pattern(&format!(r"\d{{{digits}}},[1-9]\d{{{digits},}}"));
        bounds.push(shorter);
    }
    let braces = build.concat(&[build.text("{"), build.or(bounds), build.text("}")]);
    build.concat(&[build.or([simple, braces]), build.pattern(r"\??")])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::format::Format;
    use crate::format::testing::{check, reader};

    #[test]
    fn patterns_follow_the_grammar() {
        let valid = [
            "",
            "a",
            "|",
            "a||b",
            "^$",
            r"\b\B",
            "([abc])+\\s+$",
            "(?<name>x)",
            "(?<=a+)b",
            "(?<!a)(?=b)(?!c)",
            "(?:a|b)*?",
            "[]",
            "[^]",
            r"\cA",
            r"\x41\u0041\u{1F600}\u{010FFFF}",
            r"\p{L}\P{Script=Greek}\p{scx=Latn}\p{gc=Lu}",
            r"\p{Emoji}",
            "a{0}b{1,}c{2,10}d{9,9}?",
            "a{12,99}b{0,007}",
            r"\/\.\^\$\*\+\?\(\)\[\]\{\}\|\\",
            "a-b",
            "é😀",
            "((((((((((((((((a))))))))))))))))",
            r"\ud83d\ude00",
            "(a(?<n>b)c)(d)",
            "(?=(?<n>a)?)(b)+",
            "[(?<n>](?<n>[(?<n>])",
        ];
        let invalid = [
            "^(abc]",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "a{",
            "a{1",
            "{1}",
            "*",
            "a**",
            "a{1}{2}",
            "a???",
            "^*",
            r"\b+",
            "(?=a)*",
            "(?<=a)?",
            "(?i)a",
            "(?i:a)",
            "(?P<n>a)",
            "(?#c)",
            "(?<>a)",
            "(?<1>a)",
            "(?<n>a)(?<n>b)",
            "((?<n>a))(?:(?<n>b))",
            "(?<n>a(?<n>b))",
            r"\a",
            r"\-",
            r"\1",
            r"\k<n>",
            r"\00",
            r"\c1",
            r"\x4",
            r"\u004",
            r"\u{110000}",
            r"\p{Elvish}",
            r"\pL",
            r"\p{Script}",
            r"\p{l}",
            "a{2,1}",
            "a{10,9}",
            "a{,3}",
            "\\",
            "(?",
            "(?a)",
        ];
        check(Format::Regex, &valid, &invalid);
    }

    #[test]
    fn classes_follow_the_grammar() {
        let valid = [
            "[a-z]",
            "[a-a]",
            "[-a]",
            "[a-]",
            "[-]",
            "[--]",
            "[^-a-z-]",
            "[a-z0-9-_]",
            "[a-c-e]",
            r"[0-9-\w]",
            r"[\w-]",
            r"[\d\b\-\]\\]",
            "[[(*]",
            r"[ -~]",
            r"[!-\/]",
            r"[\t-\r]",
            r"[\0-\x1f]",
            r"[\x00-\x7F]",
            r"[\u0400-\u04FF]",
            r"[\u4e00-\u9fa5]",
            r"[\u{1F600}-\u{1F64f}]",
            r"[a-\u00ff]",
            r"[\x20-~]",
            "[À-ÿ]",
            "[一-龥]",
            "[а-яё]",
            r"[\xff-\u0100]",
            r"[\ud83d\ude00]",
            r"[\uD800-\uDFFF]",
        ];
        let invalid = [
            "[z-a]",
            "[a",
            r"[a\]",
            r"[\w-a]",
            r"[a-\w]",
            r"[\w-\d]",
            "[b-a-c]",
            r"[\x7F-\x00]",
            r"[\u04FF-\u0400]",
            r"[\r-\t]",
            r"[\u{1F64f}-\u{1F600}]",
            r"[\B]",
            r"[\a]",
            r"[\_]",
            "[~- ]",
            r"[\ud83d\ude00-\uDFFF]",
            r"[\u00e9-\x41]",
        ];
        check(Format::Regex, &valid, &invalid);
    }

    /// Soundness, by another engine.
    #[test]
    fn patterns_are_valid_ecmascript() {
        let is_pattern = reader(Format::Regex);
        let config = ProptestConfig {
            cases: 4000,
            failure_persistence: None,
            ..Default::default()
        };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let parts = prop::sample::select(vec![
            "a", "z", "0", "9", "-", "-", "[", "[^", "]", "(", "(?:", "(?<n>", "(?=", "(?<!", ")",
            "|", "*", "?", "{", "}", ",", "{2,3}", r"\d", r"\w", r"\b", r"\-", r"\x41", r"\u0041",
            r"\uD83D", r"\uDE00", r"\u{41}", r"\p{L}", ".", "^", "é",
        ]);
        let texts = prop::collection::vec(parts, 1..9).prop_map(|parts| parts.concat());
        let outcome = runner.run(&texts, |text| {
            if is_pattern(&text) {
                // The other engine takes a lone surrogate before `\u{` for half of a pair.
                let text = text.replace(r"\uD83D\u{41}", r"\uD83D\x41");
                prop_assert!(regress::Regex::with_flags(&text, "u").is_ok());
            }
            Ok(())
        });
        outcome.expect("only valid patterns");
    }

    #[test]
    fn property_names_are_those_of_another_engine() {
        use crate::format::property_names::{BINARY, CATEGORIES, SCRIPTS};
        let alone = CATEGORIES
            .split_ascii_whitespace()
            .chain(BINARY.split_ascii_whitespace());
        let scripts = SCRIPTS
            .split_ascii_whitespace()
            .map(|name| format!("Script={name}"));
        for name in alone.map(str::to_owned).chain(scripts) {
            let pattern = format!("\\p{{{name}}}");
            assert!(
                regress::Regex::with_flags(&pattern, "u").is_ok(),
                "{pattern}"
            );
        }
    }
}
