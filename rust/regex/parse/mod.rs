//! ECMA-262 patterns, read as with the `u` flag: a character is a code point.
//!
//! The laxer spellings of Annex B are read where they can mean only one thing (`\-`, a lone `}`,
//! `[\w-.]`). Where they would turn another dialect's syntax into letters (`\A`, `\Z`, `{,3}`),
//! they are errors, as they are with the `u` flag.

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::regex::ast::Ast;
use crate::regex::classes;
use crate::regex::codeset::CodeSet;

/// Reads a pattern.
///
/// Errors: [`ErrorKind::Grammar`] if it is not ECMA-262, [`ErrorKind::Unsupported`] for backreferences and
/// inline modifiers, [`ErrorKind::Limit`] if it is too large or too deep; with line and column.
pub(crate) fn parse(pattern: &str, limits: &Limits) -> Result<Ast, Error> {
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        at: 0,
        depth: 0,
        nodes: 0,
        limits,
    };
    let ast = parser.alternation()?;
    match parser.peek() {
        None => Ok(ast),
        Some(_) => Err(parser.grammar(parser.at, "`)` closes no group")),
    }
}

struct Parser<'a> {
    chars: Vec<char>,
    at: usize,
    /// Open groups.
    depth: usize,
    nodes: usize,
    limits: &'a Limits,
}

/// What an escape or a character of a class stands for.
enum Item {
    Char(u32),
    Set(CodeSet),
}

impl Item {
    fn set(self) -> CodeSet {
        match self {
            Item::Char(c) => CodeSet::single(c),
            Item::Set(set) => set,
        }
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn looking_at(&self, text: &str) -> bool {
        let rest = self.chars[self.at..].iter().copied();
        text.chars().count() <= self.chars.len() - self.at
            && rest.zip(text.chars()).all(|(a, b)| a == b)
    }

    /// The text from `from` to the current position, for messages.
    fn piece(&self, from: usize) -> String {
        self.chars[from..self.at.min(self.chars.len())]
            .iter()
            .collect()
    }

    fn error(&self, kind: ErrorKind, at: usize, message: impl Into<String>) -> Error {
        let before = &self.chars[..at.min(self.chars.len())];
        let line = 1 + before.iter().filter(|&&c| c == '\n').count();
        let column = 1 + before.iter().rev().take_while(|&&c| c != '\n').count();
        Error::at_position(kind, line, column, message)
    }

    fn grammar(&self, at: usize, message: impl Into<String>) -> Error {
        self.error(ErrorKind::Grammar, at, message)
    }

    fn unsupported(&self, at: usize, message: impl Into<String>) -> Error {
        self.error(ErrorKind::Unsupported, at, message)
    }

    /// Accounts for a node, a set with many ranges counting as several.
    fn spend(&mut self, set: &CodeSet) -> Result<(), Error> {
        self.nodes += 1 + set.ranges().len() / 8;
        if self.nodes > self.limits.pattern_nodes {
            let message = format!(
                "the pattern has more than {} nodes",
                self.limits.pattern_nodes
            );
            return Err(self.error(ErrorKind::Limit, self.at, message));
        }
        Ok(())
    }

    fn class(&mut self, set: CodeSet) -> Result<Ast, Error> {
        self.spend(&set)?;
        Ok(Ast::Class(set))
    }

    fn alternation(&mut self) -> Result<Ast, Error> {
        let mut branches = vec![self.concat()?];
        while self.eat("|") {
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
        while !matches!(self.peek(), None | Some('|' | ')')) {
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
        let quantifier_at = self.at;
        let Some((min, max)) = self.quantifier()? else {
            return Ok(atom);
        };
        let quantifier = self.piece(quantifier_at);
        if bare_assertion {
            return Err(self.grammar(
                quantifier_at,
                format!("nothing to repeat before `{quantifier}`"),
            ));
        }
        self.eat("?");
        let again = self.at;
        if self.quantifier()?.is_some() {
            let message = match self.piece(again).as_str() {
                "+" => format!("`{quantifier}+` is possessive, which ECMA-262 does not know"),
                extra => format!("nothing to repeat before `{extra}`: it follows `{quantifier}`"),
            };
            return Err(self.grammar(again, message));
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
            self.chars[self.at..],
            ['^' | '$', ..] | ['\\', 'b' | 'B', ..] | ['(', '?', '<', '=' | '!', ..]
        )
    }

    /// A quantifier, but not the `?` that makes it lazy.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let simple = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.braces(),
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(simple))
    }

    /// `{n}`, `{n,}` or `{n,m}`. Any other brace is a letter.
    fn braces(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let start = self.at;
        self.at += 1;
        let min = self.digits();
        let max = if self.eat(",") {
            self.digits()
        } else {
            min.clone()
        };
        if !self.eat("}") || (min.is_empty() && max.is_empty()) {
            self.at = start;
            return Ok(None);
        }
        let piece = self.piece(start);
        if min.is_empty() {
            let message = format!("`{piece}` has no lower bound; write `{{0,{max}}}`");
            return Err(self.grammar(start, message));
        }
        let min = self.count(start, &min)?;
        let max = if max.is_empty() {
            None
        } else {
            Some(self.count(start, &max)?)
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.grammar(start, format!("the bounds of `{piece}` are out of order")));
        }
        Ok(Some((min, max)))
    }

    fn digits(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.piece(start)
    }

    fn count(&self, at: usize, digits: &str) -> Result<u32, Error> {
        digits
            .parse()
            .map_err(|_| self.error(ErrorKind::Limit, at, "a repeat counts past 4,294,967,295"))
    }

    fn atom(&mut self) -> Result<Ast, Error> {
        let start = self.at;
        if self.quantifier()?.is_some() {
            let message = format!("nothing to repeat before `{}`", self.piece(start));
            return Err(self.grammar(start, message));
        }
        // Neither the end nor `|` nor `)`: the caller looked.
        let c = self.chars[start];
        self.at += 1;
        match c {
            '^' => self.assertion(Ast::Start),
            '$' => self.assertion(Ast::End),
            '.' => self.class(classes::dot()),
            '(' => self.group(start),
            '[' => self.brackets(start),
            '\\' => match self.peek() {
                Some(b @ ('b' | 'B')) => {
                    self.at += 1;
                    self.assertion(Ast::WordBoundary { negated: b == 'B' })
                }
                _ => {
                    let item = self.escape(start)?;
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
            return Err(self.error(ErrorKind::Limit, start, message));
        }
        let look = self.group_kind(start)?;
        let body = self.alternation()?;
        if !self.eat(")") {
            return Err(self.grammar(start, "`(` is never closed"));
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
        if !self.eat("?") || self.eat(":") {
            return Ok(None);
        }
        for (text, look) in [
            ("=", (true, false)),
            ("!", (true, true)),
            ("<=", (false, false)),
            ("<!", (false, true)),
        ] {
            if self.eat(text) {
                return Ok(Some(look));
            }
        }
        if self.eat("<") {
            return self.group_name(start).map(|()| None);
        }
        let flags = self.chars[self.at..]
            .iter()
            .take_while(|c| matches!(c, 'i' | 'm' | 's' | '-'));
        let end = self.at + flags.count();
        if end > self.at && self.chars.get(end) == Some(&':') {
            self.at = end + 1;
            let message = format!("the modifiers `{}` are not supported", self.piece(start));
            return Err(self.unsupported(start, message));
        }
        self.at = (end + 1).min(self.chars.len());
        let message = format!(
            "ECMA-262 has no group that starts with `{}`",
            self.piece(start)
        );
        Err(self.grammar(start, message))
    }

    fn group_name(&mut self, start: usize) -> Result<(), Error> {
        let name = self.at;
        while self
            .peek()
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
        {
            self.at += 1;
        }
        let valid = self.at > name && !self.chars[name].is_numeric();
        if !(valid && self.eat(">")) {
            self.at = (self.at + 1).min(self.chars.len());
            let message = format!("`{}` does not name a group", self.piece(start));
            return Err(self.grammar(start, message));
        }
        Ok(())
    }

    /// What follows `[`.
    fn brackets(&mut self, start: usize) -> Result<Ast, Error> {
        let negated = self.eat("^");
        let mut set = Vec::new();
        while !self.eat("]") {
            if self.at == self.chars.len() {
                return Err(self.grammar(start, "`[` is never closed"));
            }
            let from = self.at;
            let lo = self.class_item()?;
            let is_range = self.peek() == Some('-')
                && !matches!(self.chars.get(self.at + 1), None | Some(']'));
            if !is_range {
                set.extend_from_slice(lo.set().ranges());
                continue;
            }
            self.at += 1;
            let hi = self.class_item()?;
            match (lo, hi) {
                (Item::Char(lo), Item::Char(hi)) if lo > hi => {
                    let message = format!("the range `{}` is out of order", self.piece(from));
                    return Err(self.grammar(from, message));
                }
                (Item::Char(lo), Item::Char(hi)) => set.push((lo, hi)),
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

    fn class_item(&mut self) -> Result<Item, Error> {
        let start = self.at;
        let c = self.chars[start];
        self.at += 1;
        if c != '\\' {
            return Ok(Item::Char(c.into()));
        }
        if self.eat("b") {
            return Ok(Item::Char(0x08));
        }
        self.escape(start)
    }

    /// What follows the `\` at `start`, but for word boundaries.
    fn escape(&mut self, start: usize) -> Result<Item, Error> {
        let Some(c) = self.peek() else {
            return Err(self.grammar(start, "`\\` escapes nothing"));
        };
        self.at += 1;
        let next_is_digit = self.peek().is_some_and(|c| c.is_ascii_digit());
        Ok(match c {
            'd' => Item::Set(classes::digit()),
            'D' => Item::Set(classes::digit().complement()),
            'w' => Item::Set(classes::word()),
            'W' => Item::Set(classes::word().complement()),
            's' => Item::Set(classes::space()),
            'S' => Item::Set(classes::space().complement()),
            'p' | 'P' => Item::Set(self.property(start, c == 'P')?),
            'f' => Item::Char(0x0C),
            'n' => Item::Char(0x0A),
            'r' => Item::Char(0x0D),
            't' => Item::Char(0x09),
            'v' => Item::Char(0x0B),
            '0' if !next_is_digit => Item::Char(0),
            'c' => Item::Char(self.control(start)?),
            'x' => Item::Char(self.hex(start, 2)?),
            'u' => Item::Char(self.unicode(start)?),
            '1'..='9' => return Err(self.backreference(start)),
            'k' if self.peek() == Some('<') => return Err(self.backreference(start)),
            'A' | 'Z' | 'z' => {
                let anchor = if c == 'A' { '^' } else { '$' };
                let message = format!("ECMA-262 has no `\\{c}`; its anchor is `{anchor}`");
                return Err(self.grammar(start, message));
            }
            '0' | 'a'..='z' | 'A'..='Z' => {
                return Err(self.grammar(start, format!("ECMA-262 has no escape `\\{c}`")));
            }
            // Annex B: any other character escapes to itself.
            _ => Item::Char(c.into()),
        })
    }

    fn backreference(&self, start: usize) -> Error {
        self.unsupported(start, "backreferences are not regular")
    }

    /// `\cX`, X a letter.
    fn control(&mut self, start: usize) -> Result<u32, Error> {
        match self.peek() {
            Some(c) if c.is_ascii_alphabetic() => {
                self.at += 1;
                Ok(u32::from(c) % 32)
            }
            _ => Err(self.grammar(start, "`\\c` needs a letter")),
        }
    }

    /// Exactly `count` hexadecimal digits.
    fn hex(&mut self, start: usize, count: usize) -> Result<u32, Error> {
        let digits: String = self.chars[self.at..].iter().take(count).collect();
        let is_hex = digits.len() == count && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(&digits, 16) {
            Ok(value) if is_hex => {
                self.at += count;
                Ok(value)
            }
            _ => {
                let message = format!("`{}` needs {count} hexadecimal digits", self.piece(start));
                Err(self.grammar(start, message))
            }
        }
    }

    /// `\uHHHH`, a surrogate pair of two, or `\u{…}`.
    fn unicode(&mut self, start: usize) -> Result<u32, Error> {
        if self.eat("{") {
            let from = self.at;
            while self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
                self.at += 1;
            }
            let value = u32::from_str_radix(&self.piece(from), 16).ok();
            return match value.filter(|&v| v <= crate::regex::codeset::MAX) {
                Some(value) if self.eat("}") => Ok(value),
                _ => Err(self.grammar(start, "`\\u{…}` holds no code point")),
            };
        }
        let lead = self.hex(start, 4)?;
        let after_lead = self.at;
        if (0xD800..0xDC00).contains(&lead) && self.eat("\\u") {
            if let Ok(trail @ 0xDC00..=0xDFFF) = self.hex(after_lead, 4) {
                return Ok(0x1_0000 + ((lead - 0xD800) << 10) + (trail - 0xDC00));
            }
            self.at = after_lead;
        }
        Ok(lead)
    }

    /// What follows `\p` or `\P`.
    fn property(&mut self, start: usize, negated: bool) -> Result<CodeSet, Error> {
        let open = self.eat("{");
        let name: String = self.chars[self.at..]
            .iter()
            .take_while(|&&c| c != '}')
            .collect();
        if open && self.at + name.chars().count() < self.chars.len() {
            self.at += name.chars().count() + 1;
            if let Some(set) = classes::property(&name) {
                return Ok(if negated { set.complement() } else { set });
            }
        }
        let message = format!("`{}` names no known Unicode property", self.piece(start));
        Err(self.grammar(start, message))
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
