//! Patterns as languages of whole texts, with every assertion exact.
//!
//! Without assertions this is a translation node by node. Assertions are first brought into the
//! form of [`Part`]: what they ask of all the text before a place and of all the text after it.

use crate::error::{Error, ErrorKind};
use crate::regex::ast::Ast;
use crate::regex::classes;
use crate::regex::node::NodeId;
use crate::regex::parts::{Case, Guard, Part};
use crate::regex::regexes::Regexes;
use crate::regex::track::Tracker;

/// Assertions in one pattern; each may cost some levels of recursion.
const MAX_ASSERTIONS: usize = 256;

/// The texts in which the pattern matches somewhere.
///
/// Errors: [`ErrorKind::Unsupported`] if assertions interact in more ways than can be followed, and
/// [`ErrorKind::Limit`] if there are too many; nothing is approximated.
pub(crate) fn search(ast: &Ast, nodes: &Regexes) -> Result<NodeId, Error> {
    lower(ast, nodes, NodeId::ANY)
}

/// The texts that the pattern matches as a whole. Errors: as [`search`].
pub(crate) fn full(ast: &Ast, nodes: &Regexes) -> Result<NodeId, Error> {
    lower(ast, nodes, NodeId::EMPTY)
}

/// The texts that hold a match with `around` before it and after it.
fn lower(ast: &Ast, nodes: &Regexes, around: NodeId) -> Result<NodeId, Error> {
    if let Ast::Alternation(branches) = ast
        && !is_plain(ast)
    {
        let branches: Result<_, _> = branches.iter().map(|b| lower(b, nodes, around)).collect();
        return Ok(nodes.or(branches?));
    }
    let tracker = Tracker::new(nodes);
    if is_plain(ast) {
        return Ok(tracker.chain(around, tracker.chain(plain(ast, nodes), around)));
    }
    let mut lowering = Lowering {
        tracker,
        assertions: 0,
    };
    let parts = lowering.parts(ast)?;
    lowering.tracker.texts(&parts, around)
}

fn is_plain(ast: &Ast) -> bool {
    match ast {
        Ast::Empty | Ast::Class(_) => true,
        Ast::Concat(parts) | Ast::Alternation(parts) => parts.iter().all(is_plain),
        Ast::Repeat { body, .. } => is_plain(body),
        Ast::Start | Ast::End | Ast::WordBoundary { .. } | Ast::Look { .. } => false,
    }
}

/// The language of a tree without assertions.
fn plain(ast: &Ast, nodes: &Regexes) -> NodeId {
    match ast {
        Ast::Class(set) => nodes.class(set.clone()),
        Ast::Concat(items) => plain_concat(items, nodes),
        Ast::Alternation(branches) => nodes.or(branches.iter().map(|b| plain(b, nodes)).collect()),
        Ast::Repeat { body, min, max } => nodes.repeat_between(plain(body, nodes), *min, *max),
        Ast::Empty | Ast::Start | Ast::End | Ast::WordBoundary { .. } | Ast::Look { .. } => {
            NodeId::EMPTY
        }
    }
}

fn plain_concat(items: &[Ast], nodes: &Regexes) -> NodeId {
    items.iter().rev().fold(NodeId::EMPTY, |rest, item| {
        nodes.concat(plain(item, nodes), rest)
    })
}

struct Lowering<'a> {
    tracker: Tracker<'a>,
    assertions: usize,
}

impl Lowering<'_> {
    /// A tree as a sequence of parts, those without assertions as long as possible.
    fn parts(&mut self, ast: &Ast) -> Result<Vec<Part>, Error> {
        let Ast::Concat(items) = ast else {
            return Ok(vec![self.part(ast)?]);
        };
        items
            .chunk_by(|a, b| is_plain(a) && is_plain(b))
            .map(|chunk| match chunk {
                [one] => self.part(one),
                _ => Ok(Part::Plain(plain_concat(chunk, self.tracker.nodes))),
            })
            .collect()
    }

    fn part(&mut self, ast: &Ast) -> Result<Part, Error> {
        let nodes = self.tracker.nodes;
        if is_plain(ast) {
            return Ok(Part::Plain(plain(ast, nodes)));
        }
        match ast {
            Ast::Alternation(branches) => self.alternation(branches),
            Ast::Repeat { max: Some(0), .. } => Ok(Part::Plain(NodeId::EMPTY)),
            Ast::Repeat {
                body,
                min: 0,
                max: Some(1),
            } => {
                let body = self.part(body)?;
                Ok(Part::Alternation(vec![body, Part::Plain(NodeId::EMPTY)]))
            }
            Ast::Repeat {
                body,
                min: 1,
                max: Some(1),
            } => self.part(body),
            Ast::Repeat { body, min, max } => Ok(Part::Repeat {
                body: Box::new(self.part(body)?),
                min: *min,
                max: *max,
            }),
            Ast::Start => self.before(NodeId::EMPTY, false),
            Ast::End => self.assertion(Part::Right(NodeId::EMPTY)),
            Ast::WordBoundary { negated } => self.word_boundary(*negated),
            Ast::Look {
                ahead: true,
                negated,
                body,
            } => self.lookahead(body, *negated),
            Ast::Look {
                ahead: false,
                negated,
                body,
            } => self.lookbehind(body, *negated),
            Ast::Empty | Ast::Class(_) | Ast::Concat(_) => Ok(Part::Concat(self.parts(ast)?)),
        }
    }

    fn alternation(&mut self, branches: &[Ast]) -> Result<Part, Error> {
        let (plains, others): (Vec<_>, Vec<_>) = branches.iter().partition(|b| is_plain(b));
        let mut parts = Vec::with_capacity(others.len() + 1);
        for branch in others {
            parts.push(self.part(branch)?);
        }
        if !plains.is_empty() {
            let nodes = self.tracker.nodes;
            let plains = plains.into_iter().map(|b| plain(b, nodes)).collect();
            parts.push(Part::Plain(nodes.or(plains)));
        }
        Ok(Part::Alternation(parts))
    }

    fn assertion(&mut self, part: Part) -> Result<Part, Error> {
        self.assertions += 1;
        if self.assertions > MAX_ASSERTIONS {
            let message = format!("the pattern has more than {MAX_ASSERTIONS} assertions");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(part)
    }

    /// An assertion that all the text before is (or, negated, is not) in `language`.
    fn before(&mut self, language: NodeId, negated: bool) -> Result<Part, Error> {
        let (left, holds) = self.tracker.track(language)?;
        let case = Case {
            left,
            holds: holds != negated,
            right: NodeId::ANY,
        };
        self.assertion(Part::Guard(Guard {
            cases: vec![case],
            negated: false,
        }))
    }

    fn word_boundary(&mut self, negated: bool) -> Result<Part, Error> {
        let nodes = self.tracker.nodes;
        let word = nodes.class(classes::word());
        let (left, holds) = self.tracker.track(nodes.concat(NodeId::ANY, word))?;
        let word_next = nodes.concat(word, NodeId::ANY);
        let case = |word_before: bool| Case {
            left,
            holds: word_before == holds,
            right: if word_before == negated {
                word_next
            } else {
                nodes.not(word_next)
            },
        };
        self.assertion(Part::Guard(Guard {
            cases: vec![case(true), case(false)],
            negated: false,
        }))
    }

    fn lookahead(&mut self, body: &Ast, negated: bool) -> Result<Part, Error> {
        let body = self.parts(body)?;
        if body.iter().any(|part| part.uses() != 0) {
            return self.assertion(Part::Ahead { body, negated });
        }
        let state = self.tracker.start(0);
        let right = self.tracker.ahead(&body, &state)?;
        self.assertion(Part::Right(self.tracker.signed(right, !negated)))
    }

    fn lookbehind(&mut self, body: &Ast, negated: bool) -> Result<Part, Error> {
        let body = Part::Concat(self.parts(body)?);
        if let Some(left) = self.tracker.prefix(NodeId::ANY, &body) {
            return self.before(left, negated);
        }
        // What was read and what it asks of the text that follows, pair by pair.
        let whole = Part::Concat(vec![Part::Plain(NodeId::ANY), body]);
        let start = self.tracker.start(whole.uses());
        let mut cases = Vec::new();
        for (state, language) in self.tracker.run(&whole, &start, 0)?.iter() {
            let (left, holds) = self.tracker.track(language)?;
            cases.push(Case {
                left,
                holds,
                right: state.right,
            });
        }
        self.assertion(Part::Guard(Guard { cases, negated }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::regex::codeset::CodeSet;
    use crate::regex::parse;

    /// All texts over `alphabet` of at most `length` characters.
    fn texts(alphabet: &[char], length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..length {
            longest = longest
                .iter()
                .flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}")))
                .collect();
            all.extend_from_slice(&longest);
        }
        all
    }

    /// Where matches of `ast` that start at `from` end, by the definition.
    fn ends(ast: &Ast, text: &[char], from: usize) -> BTreeSet<usize> {
        let here_if = |holds: bool| holds.then_some(from).into_iter().collect();
        let is_word = |c: Option<&char>| c.is_some_and(|&c| classes::word().contains(c.into()));
        match ast {
            Ast::Empty => here_if(true),
            Ast::Class(set) => {
                let next = text.get(from).filter(|&&c| set.contains(c.into()));
                next.map(|_| from + 1).into_iter().collect()
            }
            Ast::Concat(items) => items.iter().fold(here_if(true), |froms, item| {
                froms
                    .iter()
                    .flat_map(|&from| ends(item, text, from))
                    .collect()
            }),
            Ast::Alternation(branches) => branches
                .iter()
                .flat_map(|branch| ends(branch, text, from))
                .collect(),
            Ast::Repeat { body, min, max } => {
                let mut now: BTreeSet<usize> = here_if(true);
                let mut all = BTreeSet::new();
                // More rounds than characters bring nothing new.
                let rounds = max.unwrap_or(u32::MAX).min(min + text.len() as u32);
                for round in 0..=rounds {
                    if round >= *min {
                        all.extend(&now);
                    }
                    now = now
                        .iter()
                        .flat_map(|&from| ends(body, text, from))
                        .collect();
                }
                all
            }
            Ast::Start => here_if(from == 0),
            Ast::End => here_if(from == text.len()),
            Ast::WordBoundary { negated } => {
                let before = from.checked_sub(1).and_then(|i| text.get(i));
                here_if((is_word(before) != is_word(text.get(from))) != *negated)
            }
            Ast::Look {
                ahead: true,
                negated,
                body,
            } => here_if(ends(body, text, from).is_empty() == *negated),
            Ast::Look {
                ahead: false,
                negated,
                body,
            } => {
                let found = (0..=from).any(|start| ends(body, text, start).contains(&from));
                here_if(found != *negated)
            }
        }
    }

    /// Whether a repeat is inside a repeat, which `regress` 0.12 gets wrong: it finds no
    /// `(?:(?:a{1,3})+){2}` in `aa`.
    fn repeats_nest(ast: &Ast, inside: bool) -> bool {
        match ast {
            Ast::Concat(parts) | Ast::Alternation(parts) => {
                parts.iter().any(|part| repeats_nest(part, inside))
            }
            Ast::Repeat { body, .. } => inside || repeats_nest(body, true),
            Ast::Look { body, .. } => repeats_nest(body, inside),
            _ => false,
        }
    }

    /// The first text of at most four characters on which a language is not what the definition
    /// or `regress` says. Errors: those of [`search`].
    fn difference(pattern: &str) -> Result<Option<String>, Error> {
        let nodes = Regexes::new();
        let ast = parse(pattern, &Limits::default())?;
        let (found, whole) = (search(&ast, &nodes)?, full(&ast, &nodes)?);
        let oracle = (!repeats_nest(&ast, false)).then(|| {
            regress::Regex::with_flags(pattern, "u")
                .or_else(|_| regress::Regex::new(pattern))
                .expect(pattern)
        });
        Ok(texts(&['a', 'b', '-'], 4).into_iter().find(|text| {
            let chars: Vec<char> = text.chars().collect();
            let is_found = (0..=chars.len()).any(|i| !ends(&ast, &chars, i).is_empty());
            let is_whole = ends(&ast, &chars, 0).contains(&chars.len());
            nodes.matches(found, text) != is_found
                || nodes.matches(whole, text) != is_whole
                || oracle
                    .as_ref()
                    .is_some_and(|o| o.find(text).is_some() != is_found)
        }))
    }

    fn found(pattern: &str, nodes: &Regexes) -> NodeId {
        let ast = parse(pattern, &Limits::default()).expect(pattern);
        search(&ast, nodes).expect(pattern)
    }

    #[test]
    fn common_patterns_become_small_languages() {
        let nodes = Regexes::new();
        let a = nodes.class(CodeSet::single('a'.into()));
        let b = nodes.class(CodeSet::single('b'.into()));
        let then_any = |node| nodes.concat(node, NodeId::ANY);
        let after_any = |node| nodes.concat(NodeId::ANY, node);
        let word = nodes.class(classes::word());
        let not_after_word = nodes.not(after_any(word));
        let not_before_word = nodes.not(then_any(word));
        for (pattern, node) in [
            ("", NodeId::ANY),
            ("a*", NodeId::ANY),
            ("a", after_any(then_any(a))),
            ("^a", then_any(a)),
            ("a$", after_any(a)),
            ("^a+$", nodes.repeat_between(a, 1, None)),
            ("^(?:a|b$)", nodes.or(vec![then_any(a), b])),
            ("^a|b$", nodes.or(vec![then_any(a), after_any(b)])),
            ("(?<=a)b", after_any(then_any(nodes.concat(a, b)))),
            ("^(?!a)b", then_any(b)),
            ("^(?!b)b", NodeId::NEVER),
            ("a^", NodeId::NEVER),
            ("$^", NodeId::EMPTY),
            (
                r"\ba\b",
                nodes.concat(not_after_word, nodes.concat(a, not_before_word)),
            ),
        ] {
            assert_eq!(found(pattern, &nodes), node, "{pattern}");
        }
        let a = parse("a|^b", &Limits::default()).expect("a pattern");
        assert_eq!(
            full(&a, &nodes).expect("a language"),
            found("^[ab]$", &nodes)
        );
    }

    #[test]
    fn assertions_hold_on_long_texts() {
        let label = r"(?!-)[a-z0-9-]{1,63}(?<!-)";
        let host = format!(r"^{label}(?:\.{label})*$");
        let (long, longer) = ("a".repeat(63), "a".repeat(64));
        for (pattern, accepted, refused) in [
            (
                "^(?=.*[A-Z])(?=.*[0-9]).{8,20}$",
                &["Passw0rd", "0123456789ABC"][..],
                &["password1", "PASSWORD", "Pass0", "Passw0rd\n"][..],
            ),
            (
                "^(?:(?!foo|bar).)*$",
                &["", "fo", "ofobaofo", "ba"][..],
                &["foo", "a bar", "fofoo", "babar"][..],
            ),
            (
                &host,
                &["a", "a-b.c--d.e", &long][..],
                &["", "-a", "a-", "a-.b", "a.-b", "a..b", &longer][..],
            ),
            (
                r"\bcat\b(?! food)",
                &["cat", "a cat foot", "cat food, cat"][..],
                &["cats", "tomcat", "a cat food"][..],
            ),
            (
                r"^(?:\b\w+\b ?)+$",
                &["one", "one two three "][..],
                &["", " one", "one  two", "one-two"][..],
            ),
            (
                r"(?<=\$)\d+(?!\.)\b",
                &["$42", "a $42!", "$4.2 $42"][..],
                &["42", "$42x", "$4.2"][..],
            ),
            (
                r"^(?!.*\b(?:drop|delete)\b).*;$",
                &["backdrop;", "select;"][..],
                &["drop;", "a; delete b;", "select"][..],
            ),
        ] {
            let nodes = Regexes::new();
            let node = found(pattern, &nodes);
            for text in accepted {
                assert!(nodes.matches(node, text), "{pattern} {text:?}");
            }
            for text in refused {
                assert!(!nodes.matches(node, text), "{pattern} {text:?}");
            }
        }
    }

    #[test]
    fn assertions_hold_at_any_place() {
        for pattern in [
            "(^a|b)a",
            "a(b$|a)",
            "(?:^|-)a(?:-|$)",
            "(?:^a|b|-$)+",
            "(?:a^|b)*",
            "(?:^|a){2}b",
            "(?:$|a){2,3}$",
            r"(?:\ba)*-",
            r"(?:a\b|-)+b",
            r"(?:\Ba|\b-){2,}",
            r"(?:\b){0,1000}a",
            "(?:(?!ab).)*$",
            "(?:(?!ab).)+-",
            "^(?:a(?!b)|b)*$",
            "(?:(?<!a)b|a)*-",
            "(?=a|b$)(?<!b)[ab](?<=b)",
            "(?=.*b)(?!.*-)a*",
            "(?<=^a)b",
            "(?<!^)a",
            "(?<=a$)",
            "(?<!a$|b)$",
            r"(?<=\ba\b)-",
            r"(?=\Bb)",
            r"(?!^a|\bb)[ab]",
            "(?=(?<=a)b)",
            "(?<=(?=ab)a)",
            "(?<=(?:(?=a).)+)b",
            "(?!(?!a))b?-",
            "(?=a)*b",
            "a{0}b|(?:^){0}-",
        ] {
            assert_eq!(difference(pattern).expect(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let refused = |pattern: &str| {
            let nodes = Regexes::new();
            let ast = parse(pattern, &Limits::default()).expect(pattern);
            search(&ast, &nodes).expect_err(pattern)
        };
        assert!(refused("(?:(?!a.{20}b).)*-").is_unsupported());
        assert!(refused(r"(?:\b.){0,100000}").is_unsupported());
        assert!(refused(&"(?=a)".repeat(MAX_ASSERTIONS + 1)).is_limit());
        let lookbehinds: String = (0..65).map(|i| format!("(?=a)(?<=a{{{i}}}b)")).collect();
        assert!(refused(&lookbehinds).is_limit());
    }

    #[test]
    fn many_assertions_need_no_deep_stack() {
        for assertion in ["^", r"\b", "(?=a)", "(?<=a)", "(?:a|$)", r"(?:\B|a)"] {
            let nodes = Regexes::new();
            found(&assertion.repeat(MAX_ASSERTIONS), &nodes);
        }
        let nodes = Regexes::new();
        found(&("(?=a".repeat(120) + &")".repeat(120)), &nodes);
        found(&(r"(?:\ba".repeat(120) + &")*".repeat(120)), &nodes);
    }

    fn patterns() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            8 => prop::sample::select(vec!["a", "b", "-", ".", "[ab]", "[^a]", r"\w", r"\W", "ab"]),
            4 => prop::sample::select(vec!["^", "$", r"\b", r"\B"]),
            1 => Just("(?:)"),
        ];
        let quantifier =
            prop::sample::select(vec!["*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}", "*?"]);
        let look = prop::sample::select(vec!["?=", "?!", "?<=", "?<!"]);
        let part = leaf
            .prop_map(str::to_owned)
            .prop_recursive(4, 24, 4, move |inner| {
                let several = |n| prop::collection::vec(inner.clone(), n);
                prop_oneof![
                    4 => several(2..5).prop_map(|parts| parts.concat()),
                    2 => several(2..4).prop_map(|branches| format!("(?:{})", branches.join("|"))),
                    2 => (inner.clone(), quantifier.clone())
                        .prop_map(|(body, quantifier)| format!("(?:{body}){quantifier}")),
                    2 => (inner.clone(), look.clone())
                        .prop_map(|(body, look)| format!("({look}{body})")),
                ]
            });
        prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn random_patterns_match_what_ecmascript_matches(pattern in patterns()) {
            match difference(&pattern) {
                Ok(difference) => prop_assert_eq!(difference, None),
                Err(error) => prop_assert!(error.is_unsupported()),
            }
        }
    }
}
