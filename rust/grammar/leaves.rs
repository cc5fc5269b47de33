//! The expressions of a grammar that are languages by themselves.

use crate::error::{Error, ErrorKind};
use crate::grammar::syntax::{Expr, ExprId, GrammarRuleId, Syntax};
use crate::json::formula::FormulaId;
use crate::json::rules::Rules;
use crate::regex::lower;
use crate::regex::node::{NodeId, UNBOUNDED};
use crate::regex::regexes::Regexes;

/// The languages of the expressions of which the others are made: classes, patterns, free text,
/// strings, literals, conjunctions and negations. `None` for sequences, choices, repetitions and
/// rules, for symbols, and for texts, which are spelled where they stand. `schemas` are the formulas
/// of the schemas.
pub(super) fn leaf_languages(
    syntax: &Syntax,
    rules: &Rules,
    schemas: &[FormulaId],
) -> Result<Vec<Option<NodeId>>, Error> {
    let reader = LeafReader {
        syntax,
        nodes: &rules.scanner.regexes,
        rules,
        schemas,
    };
    let leaf = |id| match syntax.expr(id) {
        Expr::Sequence(_) | Expr::Choice(_) | Expr::Repeat { .. } | Expr::Rule(_) => Ok(None),
        // Texts are spelled where they stand, before what follows them.
        Expr::Json(_) | Expr::Token(_) | Expr::Text(_) => Ok(None),
        _ => reader.language(id, &mut Vec::new()).map(Some),
    };
    syntax.ids().map(leaf).collect()
}

struct LeafReader<'a> {
    syntax: &'a Syntax,
    nodes: &'a Regexes,
    rules: &'a Rules,
    schemas: &'a [FormulaId],
}

impl LeafReader<'_> {
    /// The language of an expression, which must be regular; `inside` are the rules around it.
    fn language(&self, id: ExprId, inside: &mut Vec<GrammarRuleId>) -> Result<NodeId, Error> {
        let nodes = self.nodes;
        Ok(match *self.syntax.expr(id) {
            Expr::Text(ref text) => nodes.spell(text, NodeId::EMPTY),
            Expr::Class(ref set) => nodes.class(set.clone()),
            Expr::Pattern {
                ref ast, search, ..
            } => match search {
                true => lower::search(ast, nodes)?,
                false => lower::full(ast, nodes)?,
            },
            Expr::Sequence(ref items) => {
                let items = items.iter().map(|&item| self.language(item, inside));
                let items: Vec<NodeId> = items.collect::<Result<_, _>>()?;
                let backwards = items.into_iter().rev();
                backwards.fold(NodeId::EMPTY, |rest, item| nodes.concat(item, rest))
            }
            Expr::Choice(ref items) => {
                let items = items.iter().map(|&item| self.language(item, inside));
                nodes.or(items.collect::<Result<_, _>>()?)
            }
            Expr::And(ref items) => {
                let items = items.iter().map(|&item| self.language(item, inside));
                nodes.and(items.collect::<Result<_, _>>()?)
            }
            Expr::Not(body) => nodes.not(self.language(body, inside)?),
            Expr::Repeat { body, min, max } => {
                nodes.repeat_between(self.language(body, inside)?, min, max)
            }
            Expr::Rule(rule) => self.rule_language(rule, inside)?,
            Expr::Free { ref stops, whole } => free(stops, whole, nodes),
            Expr::Strings {
                schema,
                ref stops,
                ref escapes,
            } => {
                let strings = self.rules.string_language(self.schemas[schema.index()]);
                let written = nodes.escaped(strings, escapes)?;
                nodes.and(vec![written, free(stops, false, nodes)])
            }
            Expr::Literals {
                schema,
                ref spelled,
            } => {
                let schema = self.schemas[schema.index()];
                let allowed = spelled
                    .iter()
                    .filter(|(kind, _)| self.rules.allows_literal(schema, *kind));
                nodes.words(allowed.map(|(_, text)| text))
            }
            Expr::Json(_) | Expr::Token(_) => {
                let message =
                    "`&` and `~` take regular expressions, which hold no JSON and no tokens";
                return Err(Error::new(ErrorKind::Grammar, message));
            }
        })
    }

    fn rule_language(
        &self,
        rule: GrammarRuleId,
        inside: &mut Vec<GrammarRuleId>,
    ) -> Result<NodeId, Error> {
        /// Rules that may be used in each other.
        const DEEPEST: usize = 64;
        let of = self.syntax.rule(rule);
        if inside.contains(&rule) || inside.len() > DEEPEST {
            let message = format!(
                "`{}` must be regular, but is recursive or too deep",
                of.name
            );
            return Err(match of.place {
                Some(at) => Error::at_position(ErrorKind::Grammar, at.line, at.column, message),
                None => Error::new(ErrorKind::Grammar, message),
            });
        }
        inside.push(rule);
        let body = of.body.expect("all rules are defined");
        let language = self.language(body, inside)?;
        inside.pop();
        Ok(language)
    }
}

/// Text up to the first of some stops, with it or before it.
fn free(stops: &[Box<str>], whole: bool, nodes: &Regexes) -> NodeId {
    let stop = nodes.words(stops);
    let held = nodes.concat(NodeId::ANY, nodes.concat(stop, NodeId::ANY));
    if !whole {
        return nodes.not(held);
    }
    let more = nodes.repeat(NodeId::CHAR, 1, UNBOUNDED);
    let early = nodes.concat(NodeId::ANY, nodes.concat(stop, more));
    let ended = nodes.concat(NodeId::ANY, stop);
    nodes.and(vec![ended, nodes.not(early)])
}
