//! Grammars as trees in JSON, as other programs write them.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::grammar::syntax::{
    Expr, ExprId, GrammarRuleId, GrammarSchemaId, SpelledLiterals, Syntax, TokenName, TokenSet,
};
use crate::json::kind::{Kind, Literals};
use crate::limits::Limits;
use crate::regex;
use crate::regex::escaped::Escapes;

/// Reads `{"start": <expression>, "rules": {<name>: <expression>, …}}`.
///
/// # Errors
///
/// If it is no such tree.
pub(crate) fn read_tree(text: &str, limits: &Limits) -> Result<Syntax, Error> {
    let document: Value = serde_json::from_str(text)
        .map_err(|error| refuse(format!("a grammar's tree is not JSON: {error}")))?;
    let mut reader = TreeReader {
        syntax: Syntax::new(),
        rules: FxHashMap::default(),
        schemas: FxHashMap::default(),
        known: FxHashMap::default(),
        limits,
    };
    if let Some(rules) = document.get("rules").and_then(Value::as_object) {
        for name in rules.keys() {
            let rule = reader.syntax.new_rule(name, None);
            reader.rules.insert(name, rule);
        }
        for (name, body) in rules {
            let body = reader.expression(body)?;
            reader.syntax.rules[reader.rules[name.as_str()].0 as usize].body = Some(body);
        }
    }
    let start = document.get("start");
    let start = start.ok_or_else(|| refuse("a grammar's tree needs a `start`"))?;
    reader.syntax.start = reader.expression(start)?;
    reader.syntax.checked()
}

struct TreeReader<'a> {
    syntax: Syntax,
    rules: FxHashMap<&'a str, GrammarRuleId>,
    /// The index of each schema by its text, so that equal schemas are read once.
    schemas: FxHashMap<String, GrammarSchemaId>,
    /// The id of each expression, so that equal ones are one, whose language is found once.
    known: FxHashMap<Expr, ExprId>,
    limits: &'a Limits,
}

impl TreeReader<'_> {
    fn push(&mut self, expr: Expr) -> ExprId {
        if let Some(&known) = self.known.get(&expr) {
            return known;
        }
        let id = self.syntax.push(expr.clone());
        self.known.insert(expr, id);
        id
    }

    fn expression(&mut self, value: &Value) -> Result<ExprId, Error> {
        if let Some(text) = value.as_str() {
            return Ok(self.push(Expr::Text(text.into())));
        }
        let members = value.as_object();
        let members = members.ok_or_else(|| refuse(format!("{value} is no expression")))?;
        let Some((kind, body)) = members.iter().next() else {
            return Err(refuse("an expression is empty"));
        };
        let expr = match kind.as_str() {
            "all" => match *self.list(body)? {
                [item] => return Ok(item),
                ref items => Expr::Sequence(items.into()),
            },
            "any" => match *self.list(body)? {
                [item] => return Ok(item),
                ref items => Expr::Choice(items.into()),
            },
            "repeat" => self.repetition(members, body)?,
            "tag" => self.tag(string(body)?),
            "pattern" => {
                let source = string(body)?;
                Expr::Pattern {
                    source: source.into(),
                    ast: Box::new(regex::parse(source, self.limits)?),
                    search: false,
                }
            }
            "rule" => {
                let name = string(body)?;
                let rule = self.rules.get(name);
                Expr::Rule(*rule.ok_or_else(|| refuse(format!("no rule is named `{name}`")))?)
            }
            "json" => Expr::Json(self.schema(body)),
            "strings" => Expr::Strings {
                schema: self.schema(body),
                stops: match members.get("stops") {
                    Some(stops) => texts(stops)?,
                    None => Box::new([]),
                },
                escapes: match members.get("escapes") {
                    Some(escapes) => Escapes::new(escapes_in(escapes)?)?,
                    None => Escapes::default(),
                },
            },
            "literals" => Expr::Literals {
                schema: self.schema(body),
                spelled: match members.get("spelled") {
                    Some(spelled) => literals_in(spelled)?,
                    None => return Err(refuse("literals need a text for each in `spelled`")),
                },
            },
            "free" => Expr::Free {
                stops: texts(body)?,
                whole: false,
            },
            other => {
                return Err(refuse(format!(
                    "an expression is of unknown kind {other:?}"
                )));
            }
        };
        Ok(self.push(expr))
    }

    fn repetition(&mut self, members: &Map<String, Value>, body: &Value) -> Result<Expr, Error> {
        let body = self.expression(body)?;
        let count = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(count) => {
                let small = count.as_u64().and_then(|count| u32::try_from(count).ok());
                let small = small.ok_or_else(|| refuse(format!("{count} is no count")));
                small.map(Some)
            }
        };
        let (min, max) = (count("min")?.unwrap_or(0), count("max")?);
        if max.is_some_and(|max| max < min) {
            return Err(refuse("a repetition's maximum is below its minimum"));
        }
        Ok(Expr::Repeat { body, min, max })
    }

    /// A text that may also be a token of its own.
    fn tag(&mut self, text: &str) -> Expr {
        let plain = self.push(Expr::Text(text.into()));
        let names = Box::new([TokenName::Tag(text.into())]);
        let negated = false;
        let token = self.push(Expr::Token(TokenSet { names, negated }));
        Expr::Choice(Box::new([plain, token]))
    }

    fn list(&mut self, value: &Value) -> Result<Vec<ExprId>, Error> {
        let items = value.as_array();
        let items = items.ok_or_else(|| refuse(format!("{value} is no list of expressions")))?;
        items.iter().map(|item| self.expression(item)).collect()
    }

    fn schema(&mut self, value: &Value) -> GrammarSchemaId {
        let text = value.to_string();
        let syntax = &mut self.syntax;
        *self
            .schemas
            .entry(text)
            .or_insert_with_key(|text| syntax.new_schema(text))
    }
}

fn string(value: &Value) -> Result<&str, Error> {
    value
        .as_str()
        .ok_or_else(|| refuse(format!("{value} is no text")))
}

fn texts(value: &Value) -> Result<Box<[Box<str>]>, Error> {
    let items = value.as_array();
    let items = items.ok_or_else(|| refuse(format!("{value} is no list of texts")))?;
    let texts = items.iter().map(|item| match string(item)? {
        "" => Err(refuse("a stop is empty")),
        text => Ok(text.into()),
    });
    texts.collect()
}

/// Members of an object whose values are texts.
fn texts_by_name(value: &Value) -> Result<Vec<(&str, &str)>, Error> {
    let members = value.as_object();
    let members = members.ok_or_else(|| refuse(format!("{value} is no object of texts")))?;
    let texts = members
        .iter()
        .map(|(name, text)| Ok((&**name, string(text)?)));
    texts.collect()
}

fn escapes_in(value: &Value) -> Result<Vec<(char, &str)>, Error> {
    let texts = texts_by_name(value)?.into_iter();
    let escapes = texts.map(|(name, text)| {
        let mut characters = name.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) => Ok((c, text)),
            _ => Err(refuse(format!(
                "{name:?} is not one character to be escaped"
            ))),
        }
    });
    escapes.collect()
}

fn literals_in(value: &Value) -> Result<SpelledLiterals, Error> {
    let texts = texts_by_name(value)?.into_iter();
    let literals = texts.map(|(name, text)| {
        let kinds = [Kind::Null, Kind::True, Kind::False].into_iter();
        let mut named = kinds.filter(|kind| Literals::Json.text(*kind) == name.as_bytes());
        let kind = named.next();
        let kind = kind.ok_or_else(|| refuse(format!("{name:?} is not null, true or false")))?;
        match text {
            "" => Err(refuse(format!("the text of {name} is empty"))),
            _ => Ok((kind, text.into())),
        }
    });
    literals.collect()
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Grammar, message)
}
