//! GBNF, the notation of llama.cpp.

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::grammar::source::Source;
use crate::grammar::syntax::{Expr, ExprId, GrammarRuleId, Syntax, TokenName, TokenSet};
use crate::limits::Limits;
use crate::regex::codeset::{CodeSet, MAX, SCALARS};
use crate::vocab::TokenId;

/// Reads a grammar in GBNF whose texts are those of the rule `root`.
///
/// Errors: [`ErrorKind::Grammar`](crate::error::ErrorKind::Grammar), with line, column and what
/// stands there.
pub(crate) fn read_gbnf(text: &str, root: &str, limits: &Limits) -> Result<Syntax, Error> {
    let mut reader = GbnfReader {
        source: Source::new(text, limits)?,
        syntax: Syntax::new(),
        rules: FxHashMap::default(),
    };
    reader.space(true);
    while reader.source.peek().is_some() {
        reader.rule()?;
    }
    let Some(&start) = reader.rules.get(root) else {
        let end = reader.source.at;
        return Err(reader
            .source
            .error(end, format!("no rule is named `{root}`")));
    };
    let mut syntax = reader.syntax;
    syntax.start = syntax.push(Expr::Rule(start));
    Ok(syntax)
}

struct GbnfReader {
    source: Source,
    syntax: Syntax,
    rules: FxHashMap<String, GrammarRuleId>,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

impl GbnfReader {
    /// Passes spaces and comments, and with `lines` the ends of lines.
    fn space(&mut self, lines: bool) {
        while let Some(c) = self.source.peek() {
            match c {
                ' ' | '\t' => self.source.at += 1,
                '\n' | '\r' if lines => self.source.at += 1,
                '#' => {
                    self.source.take_while(|c| c != '\n' && c != '\r');
                }
                _ => break,
            }
        }
    }

    fn name(&mut self) -> Result<String, Error> {
        let from = self.source.at;
        let name = self.source.take_while(is_word);
        if name.is_empty() {
            return Err(self.source.error(from, "a rule's name is missing"));
        }
        Ok(name)
    }

    /// The rule of a name, which is mentioned or defined at a position.
    fn rule_named(&mut self, name: String, at: usize) -> GrammarRuleId {
        if let Some(&known) = self.rules.get(&name) {
            return known;
        }
        let rule = self.syntax.new_rule(&name, Some(self.source.place(at)));
        self.rules.insert(name, rule);
        rule
    }

    fn rule(&mut self) -> Result<(), Error> {
        let from = self.source.at;
        let name = self.name()?;
        self.space(false);
        if !self.source.eat("::=") {
            return Err(self.source.error(self.source.at, "`::=` is missing"));
        }
        self.space(true);
        let rule = self.rule_named(name, from);
        if self.syntax.rule(rule).body.is_some() {
            let message = "a rule of this name is defined already";
            return Err(self.source.error(from, message));
        }
        let body = self.choice(false)?;
        let place = self.source.place(from);
        let rule = &mut self.syntax.rules[rule.0 as usize];
        rule.body = Some(body);
        rule.place = Some(place);
        if !matches!(self.source.peek(), None | Some('\n' | '\r')) {
            let message = "what follows the rule is no part of it";
            return Err(self.source.error(self.source.at, message));
        }
        self.space(true);
        Ok(())
    }

    /// Alternatives; inside parentheses they may go on in the next line.
    fn choice(&mut self, nested: bool) -> Result<ExprId, Error> {
        let mut ways = vec![self.sequence(nested)?];
        while self.source.eat("|") {
            self.space(true);
            ways.push(self.sequence(nested)?);
        }
        Ok(self.syntax.choice(ways))
    }

    fn sequence(&mut self, nested: bool) -> Result<ExprId, Error> {
        let mut items: Vec<ExprId> = Vec::new();
        while let Some(c) = self.source.peek() {
            let from = self.source.at;
            let item = match c {
                '"' => self.literal()?,
                '[' => self.class()?,
                '<' | '!' => self.token()?,
                '.' => {
                    self.source.at += 1;
                    self.syntax.push(Expr::Class(CodeSet::new(SCALARS)))
                }
                '(' => {
                    self.source.open()?;
                    self.source.at += 1;
                    self.space(true);
                    let inner = self.choice(true)?;
                    if !self.source.eat(")") {
                        return Err(self.source.error(self.source.at, "`)` is missing"));
                    }
                    self.source.close();
                    inner
                }
                '*' | '+' | '?' | '{' => {
                    let Some(body) = items.pop() else {
                        let message = "there is nothing to be repeated before it";
                        return Err(self.source.error(from, message));
                    };
                    let (min, max) = self.times(nested)?;
                    self.syntax.repeat(body, min, max)
                }
                c if is_word(c) => {
                    let name = self.name()?;
                    let rule = self.rule_named(name, from);
                    self.syntax.push(Expr::Rule(rule))
                }
                _ => break,
            };
            items.push(item);
            self.space(nested);
        }
        Ok(self.syntax.sequence(items))
    }

    /// How often the item before is to come.
    fn times(&mut self, nested: bool) -> Result<(u32, Option<u32>), Error> {
        let from = self.source.at;
        match self.source.next() {
            Some('*') => return Ok((0, None)),
            Some('+') => return Ok((1, None)),
            Some('?') => return Ok((0, Some(1))),
            _ => {}
        }
        self.space(nested);
        let min = self.source.number()?;
        self.space(nested);
        let mut max = Some(min);
        if self.source.eat(",") {
            self.space(nested);
            max = match self.source.peek() {
                Some(c) if c.is_ascii_digit() => Some(self.source.number()?),
                _ => None,
            };
            self.space(nested);
        }
        if !self.source.eat("}") {
            return Err(self.source.error(self.source.at, "`}` is missing"));
        }
        if max.is_some_and(|max| max < min) {
            let message = "the maximum is below the minimum";
            return Err(self.source.error(from, message));
        }
        Ok((min, max))
    }

    fn literal(&mut self) -> Result<ExprId, Error> {
        let from = self.source.at;
        self.source.at += 1;
        let mut text = String::new();
        while !self.source.eat("\"") {
            text.push(self.character(from, "the literal is not closed")?);
        }
        Ok(self.syntax.push(Expr::Text(text.into())))
    }

    fn class(&mut self) -> Result<ExprId, Error> {
        let unclosed = "the class is not closed";
        let from = self.source.at;
        self.source.at += 1;
        let negated = self.source.eat("^");
        let mut ranges = Vec::new();
        while !self.source.eat("]") {
            let begun = self.source.at;
            let first = self.code(from, unclosed)?;
            let is_range = self.source.peek() == Some('-') && self.source.peek_at(1) != Some(']');
            let last = if is_range {
                self.source.at += 1;
                self.code(from, unclosed)?
            } else {
                first
            };
            if last < first {
                let message = "the range ends before it begins";
                return Err(self.source.error(begun, message));
            }
            ranges.push((first, last));
        }
        if ranges.is_empty() {
            return Err(self.source.error(from, "the class is empty"));
        }
        let set = CodeSet::new(ranges);
        let set = if negated { set.complement() } else { set };
        // Surrogates may be named, as ends of ranges mostly, but no text holds one.
        let set = set.intersection(&CodeSet::new(SCALARS));
        if set.is_empty() {
            return Err(self.source.error(from, "no character is in the class"));
        }
        Ok(self.syntax.push(Expr::Class(set)))
    }

    /// A character of a literal, escaped or not.
    fn character(&mut self, opened: usize, unclosed: &str) -> Result<char, Error> {
        let from = self.source.at;
        let code = self.code(opened, unclosed)?;
        self.source.character(code, from)
    }

    /// The code point of a character of a literal or class, escaped or not.
    fn code(&mut self, opened: usize, unclosed: &str) -> Result<u32, Error> {
        let from = self.source.at;
        let c = match self.source.next() {
            None => return Err(self.source.error(opened, unclosed)),
            Some('\\') => match self.source.next() {
                Some('x') => return self.source.hex(2, from),
                Some('u') => return self.source.hex(4, from),
                Some('U') => return self.source.hex(8, from),
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some(c @ ('\\' | '"' | '[' | ']' | '-')) => c,
                _ => return Err(self.source.error(from, "unknown escape")),
            },
            Some(c) => c,
        };
        Ok(c.into())
    }

    /// `<[id]>` or `<name>`, or all tokens but that.
    fn token(&mut self) -> Result<ExprId, Error> {
        let negated = self.source.eat("!");
        let from = self.source.at;
        if !self.source.eat("<") {
            return Err(self
                .source
                .error(from, "a token is missing: `<name>` or `<[id]>`"));
        }
        let name = if self.source.eat("[") {
            let id = TokenId(self.source.number()?);
            if !self.source.eat("]>") {
                return Err(self.source.error(self.source.at, "`]>` is missing"));
            }
            TokenName::Ids(id, id)
        } else {
            self.source.token_name(from)?
        };
        let names = Box::new([name]);
        Ok(self.syntax.push(Expr::Token(TokenSet { names, negated })))
    }
}

/// How GBNF writes a character of a literal.
pub(crate) fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' | '"' | '[' | ']' => out.extend(['\\', c]),
        c if u32::from(c) < 0x20 || c == '\x7F' => {
            out.push_str(&format!("\\x{:02X}", u32::from(c)));
        }
        c => out.push(c),
    }
}

/// How GBNF writes a set of characters.
pub(crate) fn show_class(set: &CodeSet) -> String {
    let all = CodeSet::new(SCALARS);
    if set.intersection(&all) == all {
        return ".".to_owned();
    }
    let is_negated = set.ranges().last().is_some_and(|&(_, hi)| hi == MAX);
    let shown = if is_negated {
        set.complement()
    } else {
        set.clone()
    };
    let mut out = String::from(if is_negated { "[^" } else { "[" });
    for &(lo, hi) in shown.intersection(&all).ranges() {
        show_bound(lo, &mut out);
        if hi > lo {
            if hi > lo + 1 {
                out.push('-');
            }
            show_bound(hi, &mut out);
        }
    }
    out.push(']');
    out
}

fn show_bound(c: u32, out: &mut String) {
    match char::from_u32(c) {
        // What would be read as a range or a negation.
        Some('-') => out.push_str("\\x2D"),
        Some('^') => out.push_str("\\x5E"),
        Some(c) if c.is_ascii() || c.is_alphanumeric() => escape(c, out),
        _ => out.push_str(&format!("\\U{c:08X}")),
    }
}
