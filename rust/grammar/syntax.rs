//! Grammars as they are written: expressions, and rules that give them names.

use crate::error::{Error, ErrorKind};
use crate::json::kind::Kind;
use crate::regex::Ast;
use crate::regex::codeset::CodeSet;
use crate::regex::escaped::Escapes;
use crate::vocab::TokenId;
use crate::work;

/// An expression: an index into [`Syntax`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ExprId(pub(crate) u32);

/// A rule: an index into [`Syntax`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GrammarRuleId(pub(crate) u32);

/// A JSON Schema in a grammar: an index into [`Syntax::schemas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct GrammarSchemaId(pub(crate) u32);

impl GrammarSchemaId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expr {
    /// Exactly this text, which may be empty.
    Text(Box<str>),
    /// One character of the set.
    Class(CodeSet),
    /// What a pattern matches as a whole, or, with `search`, texts in which it matches.
    Pattern {
        source: Box<str>,
        ast: Box<Ast>,
        search: bool,
    },
    /// One after the other.
    Sequence(Box<[ExprId]>),
    /// Any one of these.
    Choice(Box<[ExprId]>),
    /// `body`, from `min` to `max` times; without `max`, any number of times.
    Repeat {
        body: ExprId,
        min: u32,
        max: Option<u32>,
    },
    Rule(GrammarRuleId),
    /// A JSON value of the schema.
    Json(GrammarSchemaId),
    /// The strings of the schema, without quotes and written with these escapes, in which none of the
    /// stops is.
    Strings {
        schema: GrammarSchemaId,
        stops: Box<[Box<str>]>,
        escapes: Escapes,
    },
    /// Those of null, true and false that the schema allows and that have a text here, which is how
    /// they are spelled.
    Literals {
        schema: GrammarSchemaId,
        spelled: SpelledLiterals,
    },
    /// One token, by id or name and never by its text.
    Token(TokenSet),
    /// Text that ends with the first of the stops that it holds; or, if not `whole`, the text before.
    Free {
        stops: Box<[Box<str>]>,
        whole: bool,
    },
    /// The texts that are in all of these expressions, which must be regular.
    And(Box<[ExprId]>),
    /// All other texts than those of this one, which must be regular.
    Not(ExprId),
}

/// Texts for some of null, true and false.
pub(crate) type SpelledLiterals = Box<[(Kind, Box<str>)]>;

/// Some tokens of a vocabulary, or all but those.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenSet {
    pub(crate) names: Box<[TokenName]>,
    pub(crate) negated: bool,
}

impl TokenSet {
    /// What one of the tokens counts for where texts are weighed by their bytes. A tag counts for
    /// more than its spelling, so that a shortest text never needs a token that may be missing.
    pub(crate) fn cost(&self) -> u64 {
        match *self.names {
            [TokenName::Tag(ref text)] => text.len() as u64 + 1,
            _ => 1,
        }
    }
}

/// How a grammar speaks of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TokenName {
    /// All ids from the first to the last.
    Ids(TokenId, TokenId),
    /// What the vocabulary calls it.
    Name(Box<str>),
    /// The special token that is spelled like this, if the vocabulary has one. The grammar reads
    /// the spelling as text, too.
    Tag(Box<str>),
}

/// Line and column in a grammar's text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourcePlace {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct GrammarRule {
    pub(crate) name: Box<str>,
    /// `None` until the rule is defined.
    pub(crate) body: Option<ExprId>,
    /// Where the rule is defined, or first mentioned if it is not.
    pub(crate) place: Option<SourcePlace>,
}

/// A grammar as written.
#[derive(Clone, Debug)]
pub(crate) struct Syntax {
    /// The expressions, each after those that it is made of.
    exprs: Vec<Expr>,
    /// How deep each expression is nested.
    heights: Vec<u32>,
    pub(crate) rules: Vec<GrammarRule>,
    /// JSON Schemas, as texts.
    pub(crate) schemas: Vec<Box<str>>,
    pub(crate) start: ExprId,
}

/// Expressions nest no deeper, so that no recursion over them is too deep.
const DEEPEST: u32 = 256;

impl Syntax {
    /// A grammar of the empty text, to be built upon.
    pub(crate) fn new() -> Self {
        let mut syntax = Syntax {
            exprs: Vec::new(),
            heights: Vec::new(),
            rules: Vec::new(),
            schemas: Vec::new(),
            start: ExprId(0),
        };
        syntax.push(Expr::Text("".into()));
        syntax
    }

    /// A grammar of one expression without parts.
    pub(crate) fn of(expr: Expr) -> Self {
        let mut syntax = Syntax::new();
        syntax.start = syntax.push(expr);
        syntax
    }

    pub(crate) fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    /// All expressions, each after those it is made of.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = ExprId> + use<> {
        (0..self.exprs.len() as u32).map(ExprId)
    }

    pub(crate) fn len(&self) -> usize {
        self.exprs.len()
    }

    pub(crate) fn push(&mut self, expr: Expr) -> ExprId {
        work::spend(20 + 2 * parts(&expr).count());
        work::hold(2 * size_of::<Expr>() + size_of::<ExprId>() * parts(&expr).count());
        if let Expr::Text(text) = &expr {
            // Each character becomes a node of a language.
            work::spend(2 * text.len());
            work::hold(text.len());
        }
        let height = parts(&expr).map(|part| self.heights[part.0 as usize] + 1);
        self.heights.push(height.max().unwrap_or(0));
        self.exprs.push(expr);
        ExprId(self.exprs.len() as u32 - 1)
    }

    pub(crate) fn empty(&mut self) -> ExprId {
        ExprId(0)
    }

    /// One after the other; a single one is itself.
    pub(crate) fn sequence(&mut self, mut items: Vec<ExprId>) -> ExprId {
        match items.len() {
            0 => self.empty(),
            1 => items.remove(0),
            _ => self.push(Expr::Sequence(items.into())),
        }
    }

    /// Any of these; a single one is itself.
    pub(crate) fn choice(&mut self, mut items: Vec<ExprId>) -> ExprId {
        match items.len() {
            1 => items.remove(0),
            _ => self.push(Expr::Choice(items.into())),
        }
    }

    pub(crate) fn repeat(&mut self, body: ExprId, min: u32, max: Option<u32>) -> ExprId {
        self.push(Expr::Repeat { body, min, max })
    }

    pub(crate) fn rule(&self, id: GrammarRuleId) -> &GrammarRule {
        &self.rules[id.0 as usize]
    }

    pub(crate) fn new_schema(&mut self, text: &str) -> GrammarSchemaId {
        self.schemas.push(text.into());
        GrammarSchemaId(self.schemas.len() as u32 - 1)
    }

    pub(crate) fn new_rule(&mut self, name: &str, place: Option<SourcePlace>) -> GrammarRuleId {
        work::spend(32);
        work::hold(2 * size_of::<GrammarRule>() + 4 * name.len());
        self.rules.push(GrammarRule {
            name: name.into(),
            body: None,
            place,
        });
        GrammarRuleId(self.rules.len() as u32 - 1)
    }

    /// Takes over all of another grammar; where it starts.
    fn absorb(&mut self, other: &Syntax) -> ExprId {
        let (exprs, schemas) = (self.exprs.len() as u32, self.schemas.len() as u32);
        let mut rules = Vec::with_capacity(other.rules.len());
        for rule in &other.rules {
            // What is not defined yet means the same in both.
            let same = |known: &GrammarRule| known.body.is_none() && known.name == rule.name;
            let known = match rule.body {
                None => self.rules.iter().position(same),
                Some(_) => None,
            };
            rules.push(known.unwrap_or(self.rules.len()) as u32);
            if known.is_none() {
                let body = rule.body.map(|body| ExprId(body.0 + exprs));
                self.rules.push(GrammarRule {
                    body,
                    ..rule.clone()
                });
            }
        }
        let moved_schema = |id: GrammarSchemaId| GrammarSchemaId(id.0 + schemas);
        let all = |ids: &[ExprId]| ids.iter().map(|id| ExprId(id.0 + exprs)).collect();
        for (expr, &height) in other.exprs.iter().zip(&other.heights) {
            let moved = match expr {
                Expr::Sequence(items) => Expr::Sequence(all(items)),
                Expr::Choice(items) => Expr::Choice(all(items)),
                Expr::And(items) => Expr::And(all(items)),
                &Expr::Not(body) => Expr::Not(ExprId(body.0 + exprs)),
                &Expr::Repeat { body, min, max } => Expr::Repeat {
                    body: ExprId(body.0 + exprs),
                    min,
                    max,
                },
                &Expr::Rule(rule) => Expr::Rule(GrammarRuleId(rules[rule.0 as usize])),
                &Expr::Json(schema) => Expr::Json(moved_schema(schema)),
                &Expr::Strings {
                    schema,
                    ref stops,
                    ref escapes,
                } => Expr::Strings {
                    schema: moved_schema(schema),
                    stops: stops.clone(),
                    escapes: escapes.clone(),
                },
                &Expr::Literals {
                    schema,
                    ref spelled,
                } => Expr::Literals {
                    schema: moved_schema(schema),
                    spelled: spelled.clone(),
                },
                Expr::Text(_) | Expr::Class(_) | Expr::Pattern { .. } => expr.clone(),
                Expr::Token(_) | Expr::Free { .. } => expr.clone(),
            };
            self.exprs.push(moved);
            self.heights.push(height);
        }
        self.schemas.extend(other.schemas.iter().cloned());
        ExprId(other.start.0 + exprs)
    }

    /// This grammar and then another.
    pub(crate) fn then(&self, other: &Syntax) -> Result<Self, Error> {
        let mut all = self.clone();
        let next = all.absorb(other);
        let mut items = match all.expr(all.start) {
            Expr::Sequence(items) => items.to_vec(),
            _ => vec![all.start],
        };
        items.push(next);
        all.start = all.sequence(items);
        all.checked()
    }

    /// This grammar or another.
    pub(crate) fn or(&self, other: &Syntax) -> Result<Self, Error> {
        let mut all = self.clone();
        let next = all.absorb(other);
        let mut items = match all.expr(all.start) {
            Expr::Choice(items) => items.to_vec(),
            _ => vec![all.start],
        };
        items.push(next);
        all.start = all.choice(items);
        all.checked()
    }

    /// This grammar, from `min` to `max` times.
    pub(crate) fn repeated(&self, min: u32, max: Option<u32>) -> Result<Self, Error> {
        if max.is_some_and(|max| max < min) {
            let message = "a repetition ends before it begins: its maximum is below its minimum";
            return Err(Error::new(ErrorKind::Grammar, message));
        }
        let mut all = self.clone();
        all.start = all.repeat(all.start, min, max);
        all.checked()
    }

    /// The grammar of a rule of this name, which is yet to be defined.
    pub(crate) fn reference(name: &str) -> Self {
        let mut syntax = Syntax::new();
        let rule = syntax.new_rule(name, None);
        syntax.start = syntax.push(Expr::Rule(rule));
        syntax
    }

    /// Defines rules that are not defined yet, those in the definitions themselves included.
    pub(crate) fn define(&self, rules: &[(&str, &Syntax)]) -> Result<Self, Error> {
        let mut all = self.clone();
        let bodies: Vec<ExprId> = rules.iter().map(|(_, body)| all.absorb(body)).collect();
        for ((name, _), body) in rules.iter().zip(bodies) {
            let open = |rule: &&mut GrammarRule| rule.body.is_none() && *rule.name == **name;
            // There is one of a name at most: those that are not defined yet mean the same.
            let Some(rule) = all.rules.iter_mut().find(open) else {
                let message =
                    format!("nothing refers to a rule {name:?} that is yet to be defined");
                return Err(Error::new(ErrorKind::Grammar, message));
            };
            rule.body = Some(body);
        }
        all.checked()
    }

    pub(super) fn checked(self) -> Result<Self, Error> {
        match self.heights.iter().max() {
            Some(&height) if height > DEEPEST => {
                let message = format!("a grammar's expressions nest deeper than {DEEPEST}");
                Err(Error::new(ErrorKind::Limit, message))
            }
            _ => Ok(self),
        }
    }
}

/// The expressions that another is made of.
pub(crate) fn parts(expr: &Expr) -> impl Iterator<Item = ExprId> + '_ {
    let (one, many): (Option<ExprId>, &[ExprId]) = match expr {
        Expr::Sequence(items) | Expr::Choice(items) | Expr::And(items) => (None, items),
        &Expr::Repeat { body, .. } | &Expr::Not(body) => (Some(body), &[]),
        _ => (None, &[]),
    };
    one.into_iter().chain(many.iter().copied())
}
