//! Lark, as engines for constrained decoding read it.
//!
//! Names in capitals are terminals, others rules. Between terminals of rules, what is ignored may
//! come; inside terminals it may not. A grammar stands for all texts that some division into
//! terminals explains: nothing is matched greedily.

mod atom;
mod common;
mod pattern;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::grammar::source::Source;
use crate::grammar::syntax::{Expr, ExprId, GrammarRuleId, Syntax};
use crate::limits::Limits;

/// Reads a grammar in the notation of Lark whose texts are those of the rule `start`.
///
/// Errors: [`ErrorKind::Grammar`](crate::error::ErrorKind::Grammar), with line, column and what
/// stands there.
pub(crate) fn read_lark(text: &str, start: &str, limits: &Limits) -> Result<Syntax, Error> {
    let mut reader = LarkReader::new(text, limits)?;
    reader.read()?;
    let end = reader.source.at;
    let Some(&rule) = reader.rules.get(start) else {
        return Err(reader
            .source
            .error(end, format!("no rule is named `{start}`")));
    };
    let mut begin = vec![];
    if let Some(ignored) = reader.ignored {
        let ways = std::mem::take(&mut reader.ignores);
        let body = reader.syntax.choice(ways);
        let body = reader.syntax.repeat(body, 0, None);
        reader.syntax.rules[ignored.0 as usize].body = Some(body);
        begin.push(reader.syntax.push(Expr::Rule(ignored)));
    }
    begin.push(reader.syntax.push(Expr::Rule(rule)));
    let mut syntax = reader.syntax;
    syntax.start = syntax.sequence(begin);
    Ok(syntax)
}

struct LarkReader<'a> {
    source: Source,
    syntax: Syntax,
    rules: FxHashMap<String, GrammarRuleId>,
    /// What may come between terminals, if anything may.
    ignored: Option<GrammarRuleId>,
    ignores: Vec<ExprId>,
    limits: &'a Limits,
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Context {
    /// In a terminal, nothing is ignored.
    in_terminal: bool,
    /// In parentheses, an expression goes on after the end of a line.
    in_group: bool,
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a name is that of a terminal.
fn is_terminal(name: &str) -> bool {
    name.trim_start_matches('_')
        .starts_with(|c: char| c.is_ascii_uppercase())
}

impl<'a> LarkReader<'a> {
    fn new(text: &str, limits: &'a Limits) -> Result<Self, Error> {
        let mut syntax = Syntax::new();
        let ignores = text.contains("%ignore");
        let ignored = ignores.then(|| syntax.new_rule("ignored", None));
        Ok(LarkReader {
            source: Source::new(text, limits)?,
            syntax,
            rules: FxHashMap::default(),
            ignored,
            ignores: Vec::new(),
            limits,
        })
    }

    fn read(&mut self) -> Result<(), Error> {
        loop {
            self.space(true);
            match self.source.peek() {
                None => return Ok(()),
                Some('%') => self.directive()?,
                Some(_) => self.definition()?,
            }
            self.space(false);
            if !matches!(self.source.peek(), None | Some('\n' | '\r')) {
                let message = "what follows the definition is no part of it";
                return Err(self.source.error(self.source.at, message));
            }
        }
    }

    /// Passes spaces and comments, and with `lines` the ends of lines.
    fn space(&mut self, lines: bool) {
        while let Some(c) = self.source.peek() {
            match c {
                ' ' | '\t' | '\u{c}' => self.source.at += 1,
                '\n' | '\r' if lines => self.source.at += 1,
                '#' => self.line(),
                '/' if self.source.peek_at(1) == Some('/') => self.line(),
                _ => break,
            }
        }
    }

    /// Passes the rest of a line.
    fn line(&mut self) {
        self.source.take_while(|c| c != '\n' && c != '\r');
    }

    fn name(&mut self) -> Result<String, Error> {
        let from = self.source.at;
        let name = self.source.take_while(is_name);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.source.error(from, "a name is missing"));
        }
        Ok(name)
    }

    fn rule_named(&mut self, name: &str, at: usize) -> GrammarRuleId {
        if let Some(&known) = self.rules.get(name) {
            return known;
        }
        let rule = self.syntax.new_rule(name, Some(self.source.place(at)));
        self.rules.insert(name.to_owned(), rule);
        rule
    }

    fn directive(&mut self) -> Result<(), Error> {
        let from = self.source.at;
        self.source.at += 1;
        let name = self.source.take_while(is_name);
        self.space(false);
        match name.as_str() {
            "ignore" => {
                let context = Context {
                    in_terminal: true,
                    in_group: false,
                };
                let ignored = self.choice(context)?;
                self.ignores.push(ignored);
                Ok(())
            }
            "import" => self.import(),
            "declare" => {
                let message = "declared terminals have no text: `%declare` is not supported";
                Err(self.source.error(from, message))
            }
            _ => {
                let message = format!("`%{name}` is not supported here");
                Err(self.source.error(from, message))
            }
        }
    }

    /// `common.NAME`, `common.NAME -> OTHER` or `common (A, B)`.
    fn import(&mut self) -> Result<(), Error> {
        let from = self.source.at;
        if self.name()? != "common" {
            return Err(self
                .source
                .error(from, "only `common` can be imported from"));
        }
        self.space(false);
        if self.source.eat(".") {
            let at = self.source.at;
            let name = self.name()?;
            self.space(false);
            let alias = match self.source.eat("->") {
                true => {
                    self.space(false);
                    self.name()?
                }
                false => name.clone(),
            };
            return self.import_one(&name, &alias, at);
        }
        if !self.source.eat("(") {
            return Err(self.source.error(self.source.at, "`.` or `(` is missing"));
        }
        loop {
            self.space(true);
            let at = self.source.at;
            let name = self.name()?;
            self.import_one(&name, &name, at)?;
            self.space(true);
            if self.source.eat(")") {
                return Ok(());
            }
            if !self.source.eat(",") {
                return Err(self.source.error(self.source.at, "`)` is missing"));
            }
        }
    }

    fn import_one(&mut self, name: &str, alias: &str, at: usize) -> Result<(), Error> {
        let Some(text) = common::terminal(name) else {
            let message = format!("`common` has no terminal `{name}`");
            return Err(self.source.error(at, message));
        };
        let rule = self.rule_named(alias, at);
        if self.syntax.rule(rule).body.is_some() {
            let message = "a terminal of this name is defined already";
            return Err(self.source.error(at, message));
        }
        // A pattern or a sequence of them, without names of others.
        let outside = std::mem::replace(&mut self.source, Source::new(text, self.limits)?);
        let body = self.choice(Context {
            in_terminal: true,
            in_group: false,
        });
        self.source = outside;
        self.syntax.rules[rule.0 as usize].body = Some(body?);
        Ok(())
    }

    fn definition(&mut self) -> Result<(), Error> {
        // What they say of parse trees is of no interest.
        while self.source.eat("?") || self.source.eat("!") {}
        let from = self.source.at;
        let name = self.name()?;
        if self.source.peek() == Some('.') {
            let message = "priorities are not supported: a grammar stands for all that it can read";
            return Err(self.source.error(self.source.at, message));
        }
        if self.source.peek() == Some('{') {
            return Err(self
                .source
                .error(self.source.at, "templates are not supported"));
        }
        self.space(false);
        if self.source.peek() == Some('[') {
            return Err(self
                .source
                .error(self.source.at, "attributes are not supported"));
        }
        if !self.source.eat(":") {
            return Err(self.source.error(self.source.at, "`:` is missing"));
        }
        let rule = self.rule_named(&name, from);
        if self.syntax.rule(rule).body.is_some() {
            return Err(self.source.error(from, "this name is defined already"));
        }
        let body = self.choice(Context {
            in_terminal: is_terminal(&name),
            in_group: false,
        })?;
        let place = self.source.place(from);
        let rule = &mut self.syntax.rules[rule.0 as usize];
        rule.body = Some(body);
        rule.place = Some(place);
        Ok(())
    }

    /// Passes what may stand between parts of an expression; outside of groups, a line goes on only
    /// if the next begins with `|`.
    fn between(&mut self, context: Context) {
        self.space(context.in_group);
        let here = self.source.at;
        self.space(true);
        if !context.in_group && self.source.peek() != Some('|') {
            self.source.at = here;
        }
    }

    fn choice(&mut self, context: Context) -> Result<ExprId, Error> {
        let mut ways = vec![self.conjunction(context)?];
        while self.source.eat("|") {
            ways.push(self.conjunction(context)?);
        }
        Ok(self.syntax.choice(ways))
    }

    fn conjunction(&mut self, context: Context) -> Result<ExprId, Error> {
        let mut all = vec![self.sequence(context)?];
        loop {
            let from = self.source.at;
            if !self.source.eat("&") {
                break;
            }
            if !context.in_terminal {
                return Err(self.source.error(from, "`&` stands in terminals only"));
            }
            all.push(self.sequence(context)?);
        }
        if self.source.eat("->") {
            self.space(false);
            self.name()?;
            self.between(context);
        }
        Ok(match all[..] {
            [one] => one,
            _ => self.syntax.push(Expr::And(all.into())),
        })
    }

    fn sequence(&mut self, context: Context) -> Result<ExprId, Error> {
        let mut items = Vec::new();
        self.between(context);
        while let Some(atom) = self.atom(context)? {
            let item = self.repeated(atom, context)?;
            items.push(item);
            self.between(context);
        }
        Ok(self.syntax.sequence(items))
    }

    /// An atom with the operators after it.
    fn repeated(&mut self, mut body: ExprId, context: Context) -> Result<ExprId, Error> {
        loop {
            let from = self.source.at;
            let (min, max) = match self.source.peek() {
                Some('?') => (0, Some(1)),
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('{') => {
                    self.source.at += 1;
                    let bounds = self.bounds(context)?;
                    body = self.repeat(body, bounds, from)?;
                    continue;
                }
                _ => {
                    self.space(false);
                    if !self.source.eat("~") {
                        self.source.at = from;
                        return Ok(body);
                    }
                    self.space(false);
                    let min = self.source.number()?;
                    let max = match self.source.eat("..") {
                        true => self.source.number()?,
                        false => min,
                    };
                    body = self.repeat(body, (min, Some(max)), from)?;
                    continue;
                }
            };
            self.source.at += 1;
            body = self.syntax.repeat(body, min, max);
        }
    }

    fn repeat(
        &mut self,
        body: ExprId,
        (min, max): (u32, Option<u32>),
        from: usize,
    ) -> Result<ExprId, Error> {
        if max.is_some_and(|max| max < min) {
            return Err(self.source.error(from, "the maximum is below the minimum"));
        }
        Ok(self.syntax.repeat(body, min, max))
    }

    /// `m}`, `m,}`, `,n}` or `m,n}`.
    fn bounds(&mut self, context: Context) -> Result<(u32, Option<u32>), Error> {
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        self.space(context.in_group);
        if !is_digit(self.source.peek()) && self.source.peek() != Some(',') {
            return Err(self
                .source
                .error(self.source.at, "templates are not supported"));
        }
        let min = match is_digit(self.source.peek()) {
            true => self.source.number()?,
            false => 0,
        };
        self.space(context.in_group);
        let mut max = Some(min);
        if self.source.eat(",") {
            self.space(context.in_group);
            max = match is_digit(self.source.peek()) {
                true => Some(self.source.number()?),
                false => None,
            };
            self.space(context.in_group);
        }
        if !self.source.eat("}") {
            return Err(self.source.error(self.source.at, "`}` is missing"));
        }
        Ok((min, max))
    }
}
