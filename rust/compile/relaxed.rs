//! Grammars of which something is left out, to find out what it is that refuses a text.

use std::sync::Arc;

use crate::compile::compiled::{CompiledGrammar, resolve_tokens};
use crate::compile::definition::{
    GrammarDefinition, GrammarForm, Loaded, load_options, unsatisfied,
};
use crate::compile::options::PropertyOrder;
use crate::error::Error;
use crate::grammar::syntax::{Expr, ExprId, GrammarRuleId, Syntax, parts};
use crate::machine::{Config, Machine, Whitespace};
use crate::mask::TokenSets;
use crate::schema::{Constraint, constraints, load_relaxed};
use crate::spelling::JsonSpelling;
use crate::vocab::Vocabulary;
use crate::vocab::token::{TokenId, has_bit};
use crate::work;

/// What is left out of a grammar.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relaxation<'a> {
    /// Whitespace may come wherever JSON allows it.
    pub(crate) whitespace: bool,
    /// Keys may come in any order.
    pub(crate) property_order: bool,
    /// Strings and numbers may be spelled as JSON allows.
    pub(crate) spelling: bool,
    /// Constraints of the schemas, by their pointers, each with the index of its schema.
    pub(crate) constraints: Vec<(usize, &'a str)>,
    /// A rule in whose place any text may stand.
    pub(crate) rule: Option<GrammarRuleId>,
}

/// A grammar of which something is left out, ready to be read.
#[derive(Debug)]
pub(crate) struct Relaxed {
    pub(crate) machine: Arc<Machine>,
    tokens: TokenSets,
}

/// A rule of a grammar's text.
#[derive(Clone, Debug)]
pub(crate) struct NamedRule {
    pub(crate) id: GrammarRuleId,
    pub(crate) name: Box<str>,
    /// Counted from 1, if the rule was written in a text.
    pub(crate) line: Option<usize>,
}

impl Relaxed {
    /// The configurations to which a token leads that the grammar reads by its id.
    pub(crate) fn read_named(&self, config: Config, token: TokenId) -> Vec<Config> {
        if self.tokens.is_empty() {
            return Vec::new();
        }
        let moves = self.machine.stepper().token_moves(config).into_iter();
        let held = moves.filter(|&(set, _)| has_bit(self.tokens.get(set), token));
        held.map(|(_, next)| next).collect()
    }
}

impl CompiledGrammar {
    /// What the schemas of the grammar demand, each constraint with the index of its schema.
    pub(crate) fn constraints(&self) -> Result<Vec<(usize, Constraint)>, Error> {
        let grammar = &self.0.grammar;
        let mut all = Vec::new();
        for (index, (text, loaded)) in grammar.schemas().zip(&grammar.models).enumerate() {
            let mut options = load_options(&grammar.options);
            options.resources = &loaded.resources;
            let constraints = constraints(text, options, &grammar.options.limits)?;
            all.extend(
                constraints
                    .into_iter()
                    .map(|constraint| (index, constraint)),
            );
        }
        Ok(all)
    }

    /// Whether the grammar is a single JSON value with nothing but whitespace around it.
    pub(crate) fn is_value(&self) -> bool {
        matches!(self.0.grammar.around, GrammarForm::Whitespace(_))
    }

    /// The rules that the grammar's text can come to, each after one that uses it.
    pub(crate) fn rules(&self) -> Vec<NamedRule> {
        let GrammarForm::Text(syntax) = &self.0.grammar.around else {
            return Vec::new();
        };
        reached(syntax)
            .into_iter()
            .map(|id| {
                let rule = syntax.rule(id);
                NamedRule {
                    id,
                    name: rule.name.clone(),
                    line: rule.place.map(|place| place.line),
                }
            })
            .collect()
    }

    /// The options by which the grammar reads JSON, as far as they refuse what JSON allows.
    pub(crate) fn narrow_options(&self) -> Relaxation<'static> {
        let options = &self.0.grammar.options;
        Relaxation {
            whitespace: options.whitespace != WIDEST,
            property_order: options.property_order == PropertyOrder::Schema,
            spelling: options.spelling == JsonSpelling::Plain,
            ..Relaxation::default()
        }
    }

    /// The grammar without some of what it demands; `None` if nothing satisfies even that.
    ///
    /// # Errors
    ///
    /// If reading it takes more work than the operation may.
    pub(crate) fn relaxed(&self, left_out: &Relaxation<'_>) -> Result<Option<Relaxed>, Error> {
        let grammar = &self.0.grammar;
        let mut options = grammar.options.clone();
        if left_out.whitespace {
            options.whitespace = WIDEST;
        }
        if left_out.property_order {
            options.property_order = PropertyOrder::Any;
        }
        if left_out.spelling {
            options.spelling = JsonSpelling::Any;
        }
        let mut models = Vec::new();
        for (index, (text, loaded)) in grammar.schemas().zip(&grammar.models).enumerate() {
            let of_model = left_out
                .constraints
                .iter()
                .filter(|constraint| constraint.0 == index);
            let pointers: Vec<&str> = of_model.map(|constraint| constraint.1).collect();
            if pointers.is_empty() {
                models.push(loaded.clone());
                continue;
            }
            let mut load_options = load_options(&options);
            load_options.resources = &loaded.resources;
            work::spend(1 + text.len() / 8);
            let model = load_relaxed(text, load_options, &pointers, &options.limits)?;
            models.push(Loaded {
                model: Arc::new(model),
                resources: loaded.resources.clone(),
            });
        }
        let around = match (&grammar.around, left_out.rule) {
            (GrammarForm::Whitespace(_), _) => GrammarForm::Whitespace("".into()),
            (GrammarForm::Text(syntax), None) => GrammarForm::Text(syntax.clone()),
            (GrammarForm::Text(syntax), Some(rule)) => {
                GrammarForm::Text(with_any_text(syntax, rule))
            }
        };
        let machine = GrammarDefinition {
            models,
            around,
            options,
            machine: None.into(),
        }
        .build();
        let machine = match machine {
            Err(error) if error.message() == unsatisfied().message() => return Ok(None),
            machine => machine?,
        };
        let tokens = named_tokens(&machine, &self.0.vocabulary)?;
        Ok(Some(Relaxed { machine, tokens }))
    }
}

const WIDEST: Whitespace = Whitespace::Flexible { run: u8::MAX };

fn named_tokens(machine: &Machine, vocabulary: &Vocabulary) -> Result<TokenSets, Error> {
    let sets = machine.token_sets().iter();
    sets.map(|set| resolve_tokens(set, vocabulary)).collect()
}

/// The rules that a grammar uses, each after one that uses it.
fn reached(syntax: &Syntax) -> Vec<GrammarRuleId> {
    let mut found: Vec<GrammarRuleId> = Vec::new();
    let mut seen = vec![false; syntax.len()];
    let mut open = std::collections::VecDeque::from([syntax.start]);
    while let Some(id) = open.pop_front() {
        if std::mem::replace(&mut seen[id.0 as usize], true) {
            continue;
        }
        match *syntax.expr(id) {
            // What they are made of is one language, and no rule is read in it.
            Expr::And(_) | Expr::Not(_) => {}
            Expr::Rule(rule) if !found.contains(&rule) => {
                found.push(rule);
                open.extend(syntax.rule(rule).body);
            }
            ref expr => open.extend(parts(expr)),
        }
    }
    found
}

/// The grammar with a rule of which any text is one.
fn with_any_text(syntax: &Syntax, rule: GrammarRuleId) -> Syntax {
    let mut syntax = syntax.clone();
    let stops = Box::new([]);
    let any = syntax.push(Expr::Free {
        stops,
        whole: false,
    });
    let body: Vec<ExprId> = syntax.rule(rule).body.into_iter().chain([any]).collect();
    let body = syntax.choice(body);
    syntax.rules[rule.0 as usize].body = Some(body);
    syntax
}
