//! ECMA-262 patterns, read as with the `u` flag: a character is a code point.
//!
//! The laxer spellings of Annex B are read where they can mean only one thing (`\-`, a lone `}`,
//! `[\w-.]`). Where they would turn another dialect's syntax into letters (`\A`, `\Z`, `{,3}`),
//! they are errors, as they are with the `u` flag.

mod cursor;
mod escape;

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::regex::ast::Ast;
use crate::regex::classes;
use crate::regex::codeset::CodeSet;
use crate::regex::parse::cursor::Cursor;
use crate::regex::parse::escape::Item;

/// Reads a pattern.
///
/// Errors: [`ErrorKind::Grammar`] if it is not ECMA-262, [`ErrorKind::Unsupported`] for backreferences and
/// inline modifiers, [`ErrorKind::Limit`] if it is too large or too deep; with line and column.
pub(crate) fn parse(pattern: &str, limits: &Limits) -> Result<Ast, Error> {
    let mut parser = Parser {
        text: Cursor {
            chars: pattern.chars().collect(),
            at: 0,
        },
        depth: 0,
        nodes: 0,
        limits,
    };
    let ast = parser.alternation()?;
    match parser.text.peek() {
        None => Ok(ast),
        Some(_) => Err(parser.text.grammar(parser.text.at, "`)` closes no group")),
    }
}

struct Parser<'a> {
    text: Cursor,
    /// Open groups.
    depth: usize,
    nodes: usize,
    limits: &'a Limits,
}

impl Parser<'_> {
    /// Accounts for a node, a set with many ranges counting as several.
    fn spend(&mut self, set: &CodeSet) -> Result<(), Error> {
        self.nodes += 1 + set.ranges().len() / 8;
        if self.nodes > self.limits.pattern_nodes {
            let message = format!(
                "the pattern has more than {} nodes",
                self.limits.pattern_nodes
            );
            return Err(self.text.error(ErrorKind::Limit, self.text.at, message));
        }
        Ok(())
    }

    fn class(&mut self, set: CodeSet) -> Result<Ast, Error> {
        self.spend(&set)?;
        Ok(Ast::Class(set))
    }

    fn alternation(&mut self) -> Result<Ast, Error> {
        let mut branches = vec![self.concat()?];
        while self.text.eat("|") {
            self.spend(&CodeSet::default())?;
            branches.push(self.concat()?);
        }
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Ast::Alternation(branches),
        })
    }

    fn concat(&mut self) -> Result<Ast, Error> {
        let mut items = Vec::new();
        while !matches!(self.text.peek(), None | Some('|' | ')')) {
            match self.term()? {
                Ast::Empty => {}
                Ast::Concat(inner) => items.extend(inner),
                item => items.push(item),
            }
        }
        Ok(match items.len() {
            0 => Ast::Empty,
            1 => items.remove(0),
            _ => Ast::Concat(items),
        })
    }

    fn term(&mut self) -> Result<Ast, Error> {
        let bare_assertion = self.at_bare_assertion();
        let atom = self.atom()?;
        let quantifier_at = self.text.at;
        let Some((min, max)) = self.quantifier()? else {
            return Ok(atom);
        };
        let quantifier = self.text.piece(quantifier_at);
        if bare_assertion {
            return Err(self.text.grammar(
                quantifier_at,
                format!("nothing to repeat before `{quantifier}`"),
            ));
        }
        self.text.eat("?");
        let again = self.text.at;
        if self.quantifier()?.is_some() {
            let message = match self.text.piece(again).as_str() {
                "+" => format!("`{quantifier}+` is possessive, which ECMA-262 does not know"),
                extra => format!("nothing to repeat before `{extra}`: it follows `{quantifier}`"),
            };
            return Err(self.text.grammar(again, message));
        }
        self.spend(&CodeSet::default())?;
        Ok(Ast::Repeat {
            body: Box::new(atom),
            min,
            max,
        })
    }

    /// Whether an assertion starts here that no quantifier may follow. Annex B lets lookaheads be
    /// repeated, but no other assertion.
    fn at_bare_assertion(&self) -> bool {
        matches!(
            self.text.chars[self.text.at..],
            ['^' | '$', ..] | ['\\', 'b' | 'B', ..] | ['(', '?', '<', '=' | '!', ..]
        )
    }

    /// A quantifier, but not the `?` that makes it lazy.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let simple = match self.text.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.braces(),
            _ => return Ok(None),
        };
        self.text.at += 1;
        Ok(Some(simple))
    }

    /// `{n}`, `{n,}` or `{n,m}`. Any other brace is a letter.
    fn braces(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let start = self.text.at;
        self.text.at += 1;
        let min = self.text.digits();
        let max = if self.text.eat(",") {
            self.text.digits()
        } else {
            min.clone()
        };
        if !self.text.eat("}") || (min.is_empty() && max.is_empty()) {
            self.text.at = start;
            return Ok(None);
        }
        let piece = self.text.piece(start);
        if min.is_empty() {
            let message = format!("`{piece}` has no lower bound; write `{{0,{max}}}`");
            return Err(self.text.grammar(start, message));
        }
        let min = self.count(start, &min)?;
        let max = if max.is_empty() {
            None
        } else {
            Some(self.count(start, &max)?)
        };
        if max.is_some_and(|max| max < min) {
            return Err(self
                .text
                .grammar(start, format!("the bounds of `{piece}` are out of order")));
        }
        Ok(Some((min, max)))
    }

    fn count(&self, at: usize, digits: &str) -> Result<u32, Error> {
        digits.parse().map_err(|_| {
            self.text
                .error(ErrorKind::Limit, at, "a repeat counts past 4,294,967,295")
        })
    }

    fn atom(&mut self) -> Result<Ast, Error> {
        let start = self.text.at;
        if self.quantifier()?.is_some() {
            let message = format!("nothing to repeat before `{}`", self.text.piece(start));
            return Err(self.text.grammar(start, message));
        }
        // Neither the end nor `|` nor `)`: the caller looked.
        let c = self.text.chars[start];
        self.text.at += 1;
        match c {
            '^' => self.assertion(Ast::Start),
            '$' => self.assertion(Ast::End),
            '.' => self.class(classes::dot()),
            '(' => self.group(start),
            '[' => self.brackets(start),
            '\\' => match self.text.peek() {
                Some(b @ ('b' | 'B')) => {
                    self.text.at += 1;
                    self.assertion(Ast::WordBoundary { negated: b == 'B' })
                }
                _ => {
                    let item = self.text.escape(start)?;
                    self.class(item.set())
                }
            },
            _ => self.class(CodeSet::single(c.into())),
        }
    }

    fn assertion(&mut self, ast: Ast) -> Result<Ast, Error> {
        self.spend(&CodeSet::default())?;
        Ok(ast)
    }

    /// What follows `(`.
    fn group(&mut self, start: usize) -> Result<Ast, Error> {
        self.depth += 1;
        if self.depth > self.limits.pattern_depth {
            let message = format!("groups nest deeper than {}", self.limits.pattern_depth);
            return Err(self.text.error(ErrorKind::Limit, start, message));
        }
        let look = self.group_kind(start)?;
        let body = self.alternation()?;
        if !self.text.eat(")") {
            return Err(self.text.grammar(start, "`(` is never closed"));
        }
        self.depth -= 1;
        match look {
            None => Ok(body),
            Some((ahead, negated)) => self.assertion(Ast::Look {
                ahead,
                negated,
                body: Box::new(body),
            }),
        }
    }

    /// Reads what says of which kind a group is; (ahead, negated) for lookarounds.
    fn group_kind(&mut self, start: usize) -> Result<Option<(bool, bool)>, Error> {
        if !self.text.eat("?") || self.text.eat(":") {
            return Ok(None);
        }
        for (text, look) in [
            ("=", (true, false)),
            ("!", (true, true)),
            ("<=", (false, false)),
            ("<!", (false, true)),
        ] {
            if self.text.eat(text) {
                return Ok(Some(look));
            }
        }
        if self.text.eat("<") {
            return self.group_name(start).map(|()| None);
        }
        let flags = self.text.chars[self.text.at..]
            .iter()
            .take_while(|c| matches!(c, 'i' | 'm' | 's' | '-'));
        let end = self.text.at + flags.count();
        if end > self.text.at && self.text.chars.get(end) == Some(&':') {
            self.text.at = end + 1;
            let message = format!(
                "the modifiers `{}` are not supported",
                self.text.piece(start)
            );
            return Err(self.text.unsupported(start, message));
        }
        self.text.at = (end + 1).min(self.text.chars.len());
        let message = format!(
            "ECMA-262 has no group that starts with `{}`",
            self.text.piece(start)
        );
        Err(self.text.grammar(start, message))
    }

    fn group_name(&mut self, start: usize) -> Result<(), Error> {
        let name = self.text.at;
        while self
            .text
            .peek()
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
        {
            self.text.at += 1;
        }
        let valid = self.text.at > name && !self.text.chars[name].is_numeric();
        if !(valid && self.text.eat(">")) {
            self.text.at = (self.text.at + 1).min(self.text.chars.len());
            let message = format!("`{}` does not name a group", self.text.piece(start));
            return Err(self.text.grammar(start, message));
        }
        Ok(())
    }

    /// What follows `[`.
    fn brackets(&mut self, start: usize) -> Result<Ast, Error> {
        let negated = self.text.eat("^");
        let mut set = Vec::new();
        while !self.text.eat("]") {
            if self.text.at == self.text.chars.len() {
                return Err(self.text.grammar(start, "`[` is never closed"));
            }
            let from = self.text.at;
            let lo = self.text.class_item()?;
            let is_range = self.text.peek() == Some('-')
                && !matches!(self.text.chars.get(self.text.at + 1), None | Some(']'));
            if !is_range {
                set.extend_from_slice(lo.set().ranges());
                continue;
            }
            self.text.at += 1;
            let hi = self.text.class_item()?;
            match (lo, hi) {
                (Item::Char(lo), Item::Char(hi)) if lo > hi => {
                    let message = format!("the range `{}` is out of order", self.text.piece(from));
                    return Err(self.text.grammar(from, message));
                }
                (Item::Char(lo), Item::Char(hi)) => set.push((lo, hi)),
                // With the `u` flag no set bounds a range, and without it there are no properties.
                (Item::Property(_), _) | (_, Item::Property(_)) => {
                    let message = format!(
                        "a property bounds no range, as in `{}`; a hyphen is `\\-`",
                        self.text.piece(from)
                    );
                    return Err(self.text.grammar(from, message));
                }
                // Annex B: a set bounds no range, so the hyphen is a character.
                (lo, hi) => {
                    set.extend_from_slice(lo.set().ranges());
                    set.push(('-' as u32, '-' as u32));
                    set.extend_from_slice(hi.set().ranges());
                }
            }
        }
        let set = CodeSet::new(set);
        self.class(if negated { set.complement() } else { set })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(pattern: &str) -> CodeSet {
        match parse(pattern, &Limits::default()) {
            Ok(Ast::Class(set)) => set,
            other => panic!("{pattern}: {other:?}"),
        }
    }

    fn refused(pattern: &str, limits: &Limits) -> Error {
        parse(pattern, limits).expect_err(pattern)
    }

    #[test]
    fn escapes_stand_for_one_character() {
        for (pattern, c) in [
            (r"\-", '-'),
            (r"\_", '_'),
            (r"\@", '@'),
            (r"\ ", ' '),
            (r"\/", '/'),
            (r"\é", 'é'),
            ("{", '{'),
            ("}", '}'),
            ("]", ']'),
            (r"\0", '\0'),
            (r"\t", '\t'),
            (r"\cJ", '\n'),
            (r"\x41", 'A'),
            (r"\u0041", 'A'),
            (r"\uD83D\uDE00", '😀'),
            (r"\u{1F600}", '😀'),
            ("😀", '😀'),
            (r"[\b]", '\u{8}'),
            (r"[\uD83D\uDE00]", '😀'),
            ("(a)", 'a'),
            ("(?:a)", 'a'),
            ("(?<n>a)", 'a'),
        ] {
            assert_eq!(class(pattern), CodeSet::single(c.into()), "{pattern}");
        }
    }

    #[test]
    fn sets_hold_what_they_say() {
        let points = |text: &str| CodeSet::new(text.chars().map(|c| (c.into(), c.into())));
        for (pattern, set) in [
            ("[]", CodeSet::default()),
            ("[^]", CodeSet::all()),
            ("[a-c]", points("abc")),
            ("[^a]", points("a").complement()),
            ("[-a]", points("-a")),
            ("[a-]", points("a-")),
            (r"[+--]", points("+,-")),
            ("[[:a]", points("[:a")),
            (r"[\d.-]", classes::digit().union(&points(".-"))),
            (r"[\d-x]", classes::digit().union(&points("-x"))),
            (r"[x-\d]", classes::digit().union(&points("-x"))),
            (r"[\s\S]", CodeSet::all()),
            (r"\W", classes::word().complement()),
            (".", points("\n\r\u{2028}\u{2029}").complement()),
            (
                r"\P{L}",
                classes::property("L").expect("a property").complement(),
            ),
        ] {
            assert_eq!(class(pattern), set, "{pattern}");
        }
    }

    #[test]
    fn structure_is_kept_and_groups_dissolve() {
        let letter = |c: char| Ast::Class(CodeSet::single(c.into()));
        let repeat = |body, min, max| Ast::Repeat {
            body: Box::new(body),
            min,
            max,
        };
        let look = |ahead, negated| Ast::Look {
            ahead,
            negated,
            body: Box::new(letter('a')),
        };
        for (pattern, ast) in [
            ("", Ast::Empty),
            ("()", Ast::Empty),
            (
                "a(bc)",
                Ast::Concat(vec![letter('a'), letter('b'), letter('c')]),
            ),
            ("a|", Ast::Alternation(vec![letter('a'), Ast::Empty])),
            ("a*?", repeat(letter('a'), 0, None)),
            ("a{2}", repeat(letter('a'), 2, Some(2))),
            ("a{2,}?", repeat(letter('a'), 2, None)),
            ("(?:a){0,3}", repeat(letter('a'), 0, Some(3))),
            ("(?=a)*", repeat(look(true, false), 0, None)),
            ("(^)*", repeat(Ast::Start, 0, None)),
            ("(?!a)", look(true, true)),
            ("(?<=a)", look(false, false)),
            ("(?<!a)", look(false, true)),
            (
                r"^\B$",
                Ast::Concat(vec![
                    Ast::Start,
                    Ast::WordBoundary { negated: true },
                    Ast::End,
                ]),
            ),
            (
                "a{x",
                Ast::Concat(vec![letter('a'), letter('{'), letter('x')]),
            ),
        ] {
            assert_eq!(
                parse(pattern, &Limits::default()).expect(pattern),
                ast,
                "{pattern}"
            );
        }
    }

    #[test]
    fn other_dialects_and_mistakes_are_errors_with_a_place() {
        for (pattern, column, piece) in [
            ("(?i)a", 1, "(?i)"),
            ("a(?P<n>b)", 2, "(?P"),
            ("(?>a)", 1, "(?>"),
            ("(?#c)", 1, "(?#"),
            (r"\Aa", 1, r"\A"),
            (r"a\Z", 2, r"\Z"),
            (r"a\z", 2, r"\z"),
            (r"\a", 1, r"\a"),
            (r"\01", 1, r"\0"),
            (r"[\1]", 2, "not regular"),
            (r"\xZ1", 1, r"\x"),
            (r"\u12", 1, r"\u"),
            (r"\u{110000}", 1, r"\u"),
            (r"\c1", 1, r"\c"),
            (r"\pL", 1, r"\p"),
            (r"\p{Elvish}", 1, r"\p{Elvish}"),
            (r"\p{L", 1, r"\p"),
            (r"[\B]", 2, r"\B"),
            ("a++", 3, "possessive"),
            ("a**", 3, "*"),
            ("a{,3}", 2, "{,3}"),
            ("a{2,1}", 2, "{2,1}"),
            ("*", 1, "*"),
            ("a|{2}", 3, "{2}"),
            ("^*", 2, "*"),
            (r"\b+", 3, "+"),
            ("(?<=a)?", 7, "?"),
            ("[b-a]", 2, "b-a"),
            (r"[^{-\p{L}]", 3, r"{-\p{L}"),
            (r"[\P{L}-a]", 2, r"\P{L}-a"),
            ("[a", 1, "["),
            ("(a", 1, "("),
            ("a)", 2, ")"),
            ("(?<1>a)", 1, "(?<1"),
            ("(?", 1, "(?"),
            ("\\", 1, "\\"),
            (r"(a)\1", 4, "not regular"),
            (r"(?<n>a)\k<n>", 8, "not regular"),
            ("(?i:a)", 1, "(?i:"),
        ] {
            let error = refused(pattern, &Limits::default());
            assert!(error.message().contains(piece), "{pattern}: {error}");
            assert_eq!(error.position(), Some((1, column)), "{pattern}: {error}");
            let is_ecmascript = piece == "not regular" || piece == "(?i:";
            assert_eq!(error.is_unsupported(), is_ecmascript, "{pattern}: {error}");
        }
        assert_eq!(
            refused("é\nü*\n(", &Limits::default()).position(),
            Some((3, 1))
        );
    }

    #[test]
    fn limits_end_in_errors() {
        let limits = Limits {
            pattern_nodes: 10,
            pattern_depth: 3,
            ..Limits::default()
        };
        assert!(parse("aaaaaaaaaa", &limits).is_ok());
        assert!(parse("(((a)))", &limits).is_ok());
        for pattern in [
            "aaaaaaaaaaa",
            "||||||||||a",
            r"\p{L}",
            "((((a))))",
            "a{4294967296}",
        ] {
            assert!(refused(pattern, &limits).is_limit(), "{pattern}");
        }
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a", "é", "-", ",", "1", "0", "{", "}", "{2}", "{1,2}", "[", "]", "[^", "(", ")",
            "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?", "|", "*", "+", "?", "^", "$", ".", r"\",
            r"\d", r"\W", r"\.", r"\u", r"\x", r"\x41", r"\u{", r"\p{L}", r"\c",
        ]);
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_ecmascript_reads_is_read_and_nothing_else(pattern in pieces()) {
            let strict = regress::Regex::with_flags(&pattern, "u").is_ok();
            let lax = regress::Regex::new(&pattern).is_ok();
            match parse(&pattern, &Limits::default()) {
                Ok(_) => prop_assert!(strict || lax),
                Err(error) => prop_assert!(!strict || error.is_unsupported(), "{}", error),
            }
        }

        #[test]
        fn any_text_is_read_or_refused(pattern in any::<String>()) {
            if let Err(error) = parse(&pattern, &Limits::default()) {
                prop_assert!(error.position().is_some());
            }
        }
    }
}
