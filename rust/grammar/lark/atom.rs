//! What expressions of Lark are made of.

use crate::error::{Error, ErrorKind};
use crate::grammar::lark::pattern::{ecmascript, either_case, fold_case, looks_around};
use crate::grammar::lark::{Context, LarkReader, is_name, is_terminal};
use crate::grammar::syntax::{Expr, ExprId, TokenName, TokenSet};
use crate::regex;
use crate::regex::codeset::CodeSet;
use crate::vocab::TokenId;

impl LarkReader<'_> {
    /// An atom, if one stands here.
    pub(super) fn atom(&mut self, context: Context) -> Result<Option<ExprId>, Error> {
        let from = self.source.at;
        let Some(c) = self.source.peek() else {
            return Ok(None);
        };
        let expr = match c {
            '(' | '[' => return self.group(context, c).map(Some),
            '"' => self.literal()?,
            '/' => self.pattern()?,
            '<' => self.token()?,
            '~' => {
                self.source.at += 1;
                if !context.in_terminal {
                    return Err(self.source.error(from, "`~` stands in terminals only"));
                }
                self.space(context.in_group);
                let Some(body) = self.atom(context)? else {
                    return Err(self.source.error(from, "there is nothing to be negated"));
                };
                return Ok(Some(self.syntax.push(Expr::Not(body))));
            }
            '%' => {
                if !self.source.eat("%json") {
                    let message = "of what begins with `%`, only `%json` stands in expressions";
                    return Err(self.source.error(from, message));
                }
                if context.in_terminal {
                    return Err(self.source.error(from, "`%json` stands in rules only"));
                }
                self.json()?
            }
            c if is_name(c) => {
                let name = self.name()?;
                let rule = self.rule_named(&name, from);
                let expr = self.syntax.push(Expr::Rule(rule));
                return match is_terminal(&name) {
                    true => Ok(Some(self.terminal(expr, context))),
                    false if context.in_terminal => {
                        let message = "a terminal is made of terminals, not of rules";
                        Err(self.source.error(from, message))
                    }
                    false => Ok(Some(expr)),
                };
            }
            _ => return Ok(None),
        };
        Ok(Some(self.terminal(expr, context)))
    }

    /// A terminal where it stands: in a rule, what is ignored may follow.
    fn terminal(&mut self, expr: ExprId, context: Context) -> ExprId {
        match self.ignored {
            Some(ignored) if !context.in_terminal => {
                let ignored = self.syntax.push(Expr::Rule(ignored));
                self.syntax.sequence(vec![expr, ignored])
            }
            _ => expr,
        }
    }

    fn group(&mut self, context: Context, opening: char) -> Result<ExprId, Error> {
        self.source.open()?;
        self.source.at += 1;
        let body = self.choice(Context {
            in_group: true,
            ..context
        })?;
        let closing = if opening == '(' { ")" } else { "]" };
        if !self.source.eat(closing) {
            let message = format!("`{closing}` is missing");
            return Err(self.source.error(self.source.at, message));
        }
        self.source.close();
        Ok(match opening {
            '(' => body,
            _ => self.syntax.repeat(body, 0, Some(1)),
        })
    }

    /// `"text"`, `"text"i` or `"a".."z"`.
    fn literal(&mut self) -> Result<ExprId, Error> {
        let from = self.source.at;
        let text = self.quoted()?;
        if self.source.peek() == Some('i') && !self.source.peek_at(1).is_some_and(is_name) {
            self.source.at += 1;
            let letters = text
                .chars()
                .map(|c| either_case(&CodeSet::single(u32::from(c))));
            let letters: Vec<CodeSet> = letters.collect();
            let letters = letters
                .into_iter()
                .map(|set| self.syntax.push(Expr::Class(set)));
            let letters: Vec<ExprId> = letters.collect();
            return Ok(self.syntax.sequence(letters));
        }
        if !self.source.eat("..") {
            return Ok(self.syntax.push(Expr::Text(text.into())));
        }
        let last = self.quoted()?;
        let single = |text: &str| {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        };
        match (single(&text), single(&last)) {
            (Some(first), Some(last)) if first <= last => {
                let set = CodeSet::new([(u32::from(first), u32::from(last))]);
                Ok(self.syntax.push(Expr::Class(set)))
            }
            _ => {
                let message = "a range goes from one character to a later one";
                Err(self.source.error(from, message))
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Error> {
        let opened = self.source.at;
        if !self.source.eat("\"") {
            return Err(self.source.error(opened, "a literal is missing"));
        }
        let mut text = String::new();
        loop {
            let from = self.source.at;
            match self.source.next() {
                None | Some('\n') => {
                    return Err(self.source.error(opened, "the literal is not closed"));
                }
                Some('"') => return Ok(text),
                Some('\\') => text.push(match self.source.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('f') => '\u{c}',
                    Some('b') => '\u{8}',
                    Some(c @ ('x' | 'u' | 'U')) => {
                        let digits = match c {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let code = self.source.hex(digits, from)?;
                        self.source.character(code, from)?
                    }
                    Some(c @ ('\\' | '"' | '/')) => c,
                    _ => return Err(self.source.error(from, "unknown escape")),
                }),
                Some(c) => text.push(c),
            }
        }
    }

    /// `/pattern/flags`.
    fn pattern(&mut self) -> Result<ExprId, Error> {
        let opened = self.source.at;
        self.source.at += 1;
        let mut text = String::new();
        loop {
            match self.source.next() {
                None | Some('\n') => {
                    return Err(self.source.error(opened, "the pattern is not closed"));
                }
                Some('/') => break,
                Some('\\') => match self.source.next() {
                    Some('/') => text.push('/'),
                    next => {
                        text.push('\\');
                        text.extend(next);
                    }
                },
                Some(c) => text.push(c),
            }
        }
        let flags = self.source.take_while(|c| c.is_ascii_alphabetic());
        let at = opened + 1;
        if let Some(unknown) = flags.chars().find(|c| !"ismu".contains(*c)) {
            let message = format!("the flag `{unknown}` of a pattern is not supported");
            return Err(self.source.error(at, message));
        }
        let fold = flags.contains('i');
        if fold && text.contains("[^") {
            let message = "a negated class and the flag `i` are not supported together";
            return Err(self.source.error(at, message));
        }
        let source = ecmascript(&text, flags.contains('s'));
        let ast = regex::parse(&source, self.limits).map_err(|error| {
            // Where in the pattern is of no use: its dots were rewritten.
            self.source.error_of(error.kind(), at, error.message())
        })?;
        if looks_around(&ast) {
            let message = "anchors, word boundaries and lookarounds are not supported in terminals";
            return Err(self.source.error_of(ErrorKind::Grammar, at, message));
        }
        let ast = if fold { fold_case(ast) } else { ast };
        Ok(self.syntax.push(Expr::Pattern {
            source: source.into(),
            ast: Box::new(ast),
            search: false,
        }))
    }

    /// `<name>`, or ids as in `<[1,5-8]>`, `<[^1]>` and `<[*]>`.
    fn token(&mut self) -> Result<ExprId, Error> {
        let from = self.source.at;
        self.source.at += 1;
        let mut names = Vec::new();
        let mut negated = false;
        if self.source.eat("[*]>") {
            negated = true;
        } else if self.source.eat("[") {
            negated = self.source.eat("^");
            loop {
                let first = self.source.number()?;
                let last = match self.source.eat("-") {
                    true => self.source.number()?,
                    false => first,
                };
                if last < first {
                    return Err(self.source.error(from, "the range ends before it begins"));
                }
                names.push(TokenName::Ids(TokenId(first), TokenId(last)));
                if self.source.eat("]>") {
                    break;
                }
                if !self.source.eat(",") {
                    return Err(self.source.error(self.source.at, "`]>` is missing"));
                }
            }
        } else {
            names.push(self.source.token_name(from)?);
        }
        let names = names.into();
        Ok(self.syntax.push(Expr::Token(TokenSet { names, negated })))
    }

    /// The schema after `%json`.
    fn json(&mut self) -> Result<ExprId, Error> {
        self.space(true);
        let from = self.source.at;
        let rest = self.source.rest();
        let mut values = serde_json::Deserializer::from_str(&rest).into_iter::<serde_json::Value>();
        match values.next() {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let message = format!("the schema after `%json` is not JSON: {error}");
                return Err(self.source.error(from, message));
            }
            None => {
                return Err(self
                    .source
                    .error(from, "the schema after `%json` is missing"));
            }
        }
        let text = &rest[..values.byte_offset()];
        self.source.at += text.chars().count();
        let schema = self.syntax.new_schema(text);
        Ok(self.syntax.push(Expr::Json(schema)))
    }
}
