//! Grammars in a notation to be read by people: GBNF, with what it has no words for.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::grammar::gbnf::{escape, show_class};
use crate::grammar::syntax::{Expr, ExprId, GrammarRuleId, Syntax, TokenName, TokenSet};
use crate::json::kind::Literals;

/// How tightly what is around an expression binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Choice,
    Sequence,
    Repeat,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printer = Printer {
            syntax: self,
            names: names(self),
        };
        // A grammar that is one rule needs no other to begin with.
        let start = match self.expr(self.start) {
            Expr::Rule(rule) if printer.names[&rule.0] == "root" => None,
            _ => Some(("root", Some(self.start))),
        };
        // Rules come in the order in which they were written; those of grammars that were put
        // together come last.
        let mut order: Vec<GrammarRuleId> =
            (0..self.rules.len() as u32).map(GrammarRuleId).collect();
        order.sort_by_key(|&id| (self.rule(id).place.is_none(), self.rule(id).place));
        let rules = order.into_iter().map(|id| {
            let name = printer.names[&id.0].as_str();
            (name, self.rule(id).body)
        });
        let mut first = true;
        for (name, body) in start.into_iter().chain(rules) {
            let Some(body) = body else { continue };
            if !std::mem::take(&mut first) {
                writeln!(f)?;
            }
            let mut text = String::new();
            printer.show(body, Precedence::Choice, &mut text);
            write!(f, "{name} ::= {text}")?;
        }
        Ok(())
    }
}

/// A name for each rule, none twice.
fn names(syntax: &Syntax) -> FxHashMap<u32, String> {
    let is_root = |id| matches!(syntax.expr(syntax.start), Expr::Rule(rule) if rule.0 == id);
    let mut taken: FxHashMap<String, u32> = FxHashMap::default();
    let mut names = FxHashMap::default();
    for (id, rule) in (0..).zip(&syntax.rules) {
        let mut name = rule.name.to_string();
        // `root` is the name of the whole grammar's rule.
        let reserved = name == "root" && !is_root(id);
        let count = taken.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count > 1 || reserved {
            name = format!("{name}-{}", *count + u32::from(reserved && *count == 1));
        }
        names.insert(id, name);
    }
    names
}

struct Printer<'a> {
    syntax: &'a Syntax,
    names: FxHashMap<u32, String>,
}

impl Syntax {
    /// An expression, for messages.
    pub(crate) fn show(&self, id: ExprId) -> String {
        let printer = Printer {
            syntax: self,
            names: names(self),
        };
        let mut text = String::new();
        printer.show(id, Precedence::Choice, &mut text);
        text
    }
}

impl Printer<'_> {
    fn show(&self, id: ExprId, around: Precedence, out: &mut String) {
        match self.syntax.expr(id) {
            Expr::Text(text) => quote(text, out),
            Expr::Class(set) => out.push_str(&show_class(set)),
            Expr::Pattern { source, search, .. } => {
                out.push_str(if *search { "%search /" } else { "/" });
                out.push_str(source);
                out.push('/');
            }
            Expr::Sequence(items) => {
                self.group(
                    around > Precedence::Sequence,
                    items,
                    " ",
                    Precedence::Repeat,
                    out,
                );
            }
            Expr::Choice(items) => {
                self.group(
                    around > Precedence::Choice,
                    items,
                    " | ",
                    Precedence::Sequence,
                    out,
                );
            }
            Expr::And(items) => self.group(true, items, " & ", Precedence::Repeat, out),
            Expr::Not(body) => {
                out.push('~');
                self.show(*body, Precedence::Repeat, out);
            }
            &Expr::Repeat { body, min, max } => {
                self.show(body, Precedence::Repeat, out);
                quantify(min, max, out);
            }
            Expr::Rule(rule) => out.push_str(&self.names[&rule.0]),
            Expr::Json(schema) => {
                out.push_str("%json ");
                out.push_str(&self.syntax.schemas[schema.index()]);
            }
            Expr::Strings {
                schema,
                stops,
                escapes,
            } => {
                out.push_str("%strings(");
                out.push_str(&self.syntax.schemas[schema.index()]);
                for stop in stops {
                    out.push_str(" - ");
                    quote(stop, out);
                }
                for (c, text) in escapes.iter() {
                    out.push_str(", ");
                    quote(c.encode_utf8(&mut [0; 4]), out);
                    out.push_str(" as ");
                    quote(text, out);
                }
                out.push(')');
            }
            Expr::Literals { schema, spelled } => {
                out.push_str("%literals(");
                out.push_str(&self.syntax.schemas[schema.index()]);
                for (kind, text) in spelled {
                    out.push_str(", ");
                    out.push_str(&String::from_utf8_lossy(Literals::Json.text(*kind)));
                    out.push_str(" as ");
                    quote(text, out);
                }
                out.push(')');
            }
            Expr::Token(set) => show_tokens(set, out),
            Expr::Free { stops, whole } => {
                out.push_str(if *whole { "%until(" } else { "%without(" });
                quote_all(stops, " | ", out);
                out.push(')');
            }
        }
    }

    fn group(
        &self,
        parentheses: bool,
        items: &[ExprId],
        between: &str,
        around: Precedence,
        out: &mut String,
    ) {
        if parentheses {
            out.push('(');
        }
        for (i, &item) in items.iter().enumerate() {
            if i > 0 {
                out.push_str(between);
            }
            self.show(item, around, out);
        }
        if parentheses {
            out.push(')');
        }
    }
}

/// How often something is repeated.
fn quantify(min: u32, max: Option<u32>, out: &mut String) {
    match (min, max) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (min, None) => out.push_str(&format!("{{{min},}}")),
        (min, Some(max)) if min == max => out.push_str(&format!("{{{min}}}")),
        (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
    }
}

/// Texts with something between them.
fn quote_all(texts: &[Box<str>], between: &str, out: &mut String) {
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push_str(between);
        }
        quote(text, out);
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    text.chars().for_each(|c| escape(c, out));
    out.push('"');
}

/// Tokens by id or name.
pub(crate) fn show_tokens(set: &TokenSet, out: &mut String) {
    for (i, name) in set.names.iter().enumerate() {
        if i > 0 {
            out.push_str(" | ");
        }
        if set.negated {
            out.push('!');
        }
        match name {
            TokenName::Ids(first, last) if first == last => {
                out.push_str(&format!("<[{first}]>"));
            }
            TokenName::Ids(first, last) => out.push_str(&format!("<[{first}-{last}]>")),
            TokenName::Name(name) | TokenName::Tag(name) => out.push_str(name),
        }
    }
}
