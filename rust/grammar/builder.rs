//! From the rules of a grammar to the languages and symbols of its [`Program`].

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{Error, ErrorKind};
use crate::grammar::leaves::leaf_languages;
use crate::grammar::left::{filled, without_left_recursion};
use crate::grammar::link::{DEEP, LARGE, link};
use crate::grammar::program::{Pending, Program, TokenSetId};
use crate::grammar::syntax::{Expr, ExprId, GrammarRuleId, Syntax, TokenSet, parts};
use crate::grammar::weigh::{NEVER, Weights, weigh, weigh_filled};
use crate::json::formula::FormulaId;
use crate::json::rules::Rules;
use crate::limits::Limits;
use crate::regex::char_cost::NO_WAY;
use crate::regex::node::{Node, NodeId, Spelling};
use crate::regex::regexes::Regexes;
use crate::work;

impl Program {
    /// The program of a grammar whose schemas are these formulas, and of each of which the JSON
    /// values take at least so many bytes.
    ///
    /// # Errors
    ///
    /// If a rule is not defined, no text satisfies it, or a limit is reached.
    pub(crate) fn new(
        syntax: &Syntax,
        rules: &Rules,
        schemas: &[FormulaId],
        schema_costs: &[u64],
        limits: &Limits,
    ) -> Result<Self, Error> {
        refuse_undefined(syntax)?;
        let scanner = &rules.scanner;
        let nodes = &scanner.regexes;
        let leaves = leaf_languages(syntax, rules, schemas)?;
        let language = |id: ExprId| leaves[id.0 as usize];
        let weight = |node: Option<NodeId>, id: ExprId| match *syntax.expr(id) {
            Expr::Json(schema) => schema_costs[schema.index()],
            Expr::Token(ref set) => set.cost(),
            Expr::Text(ref text) => text.len() as u64,
            _ => match node.map_or(NO_WAY, |node| nodes.cost(node, Spelling::Raw)) {
                NO_WAY => NEVER,
                bytes => u64::from(bytes),
            },
        };
        let all = weigh(syntax, |id| weight(language(id), id));
        refuse_unproductive(syntax, &all)?;
        let without_empty = |id| match syntax.expr(id) {
            Expr::Text(text) if text.is_empty() => NEVER,
            _ => weight(language(id).map(|node| filled(node, nodes)), id),
        };
        let filled_weights = weigh_filled(syntax, &all, without_empty);
        let mut builder = Builder {
            syntax,
            nodes,
            leaves: &leaves,
            all: &all,
            weights: &filled_weights,
            kept: FxHashMap::default(),
            rules: FxHashMap::default(),
            built: vec![None; syntax.len()],
            symbols: Vec::new(),
            tokens: Vec::new(),
            bodies: Vec::new(),
        };
        builder.build_rules();
        let start = builder.build(syntax.start);
        let most = limits.pattern_nodes;
        let bodies = without_left_recursion(&builder.bodies, nodes, most)?;
        let symbols = builder.bodies.iter().map(|body| body.0).zip(bodies);
        let symbols: FxHashMap<u32, NodeId> = symbols.collect();
        let (pending, tokens) = (builder.symbols, builder.tokens);
        Ok(link(scanner, start, symbols, &pending, tokens))
    }
}

struct Builder<'a> {
    syntax: &'a Syntax,
    nodes: &'a Regexes,
    leaves: &'a [Option<NodeId>],
    /// The fewest bytes of all texts, and of those that are not empty.
    all: &'a Weights,
    weights: &'a Weights,
    /// Rules that are symbols.
    kept: FxHashMap<GrammarRuleId, NodeId>,
    /// The languages of the rules that are no symbols.
    rules: FxHashMap<GrammarRuleId, NodeId>,
    /// The languages of expressions that have been built: an expression may be a part of many.
    built: Vec<Option<NodeId>>,
    symbols: Vec<Pending>,
    tokens: Vec<TokenSet>,
    /// The symbols of rules and their languages.
    bodies: Vec<(u32, NodeId)>,
}

impl Builder<'_> {
    /// The languages of all rules, each that is no symbol before those that use it.
    fn build_rules(&mut self) {
        let order = self.choose_kept();
        for &rule in &order {
            if self.kept.contains_key(&rule) {
                continue;
            }
            let body = self.syntax.rule(rule).body.expect("all rules are defined");
            let node = self.build(body);
            self.rules.insert(rule, node);
        }
        for rule in order {
            if let Some(&symbol) = self.kept.get(&rule)
                && let &Node::Symbol(symbol) = self.nodes.node(symbol)
            {
                let body = self.syntax.rule(rule).body.expect("all rules are defined");
                let node = self.build(body);
                self.bodies.push((symbol, node));
            }
        }
    }

    fn symbol(&mut self, cost: u64, what: Pending) -> NodeId {
        self.symbols.push(what);
        let cost = u32::try_from(cost).unwrap_or(NO_WAY - 1);
        self.nodes.symbol(cost.min(NO_WAY - 1))
    }

    /// Decides which rules are symbols: of each circle of rules one that the others lead back to,
    /// and those that are too large. The rules that are reached, each after those that it uses.
    fn choose_kept(&mut self) -> Vec<GrammarRuleId> {
        let mut order = Vec::new();
        // Rules on the path, and those that are done with their size and depth.
        let mut entered: FxHashSet<GrammarRuleId> = FxHashSet::default();
        let mut done: FxHashMap<GrammarRuleId, (u64, u32)> = FxHashMap::default();
        let mut path = vec![(None, mentions(self.syntax, self.syntax.start), 0)];
        while let Some((rule, uses, next)) = path.last_mut() {
            if let Some(&used) = uses.get(*next) {
                *next += 1;
                if done.contains_key(&used) {
                } else if !entered.insert(used) {
                    self.keep(used);
                } else {
                    let body = self.syntax.rule(used).body.expect("all rules are defined");
                    path.push((Some(used), mentions(self.syntax, body), 0));
                }
                continue;
            }
            let rule = *rule;
            path.pop();
            let Some(rule) = rule else { continue };
            let body = self.syntax.rule(rule).body.expect("all rules are defined");
            let (size, depth) = self.measure(body, &done);
            if size > LARGE || depth > DEEP {
                self.keep(rule);
            }
            let measure = match self.kept.contains_key(&rule) {
                true => (1, 1),
                false => (size, depth),
            };
            done.insert(rule, measure);
            order.push(rule);
        }
        order
    }

    fn keep(&mut self, rule: GrammarRuleId) {
        if self.kept.contains_key(&rule) {
            return;
        }
        let node = match self.weights.rules[rule.0 as usize] {
            NEVER => NodeId::EMPTY,
            cost => self.symbol(cost, Pending::Rule),
        };
        self.kept.insert(rule, node);
    }

    /// How large and how deep an expression is where its rules are spelled out.
    fn measure(&self, start: ExprId, done: &FxHashMap<GrammarRuleId, (u64, u32)>) -> (u64, u32) {
        let (mut size, mut deepest) = (0_u64, 0);
        let mut open = vec![(start, 0)];
        while let Some((id, depth)) = open.pop() {
            work::spend(1);
            let (own, below) = match self.syntax.expr(id) {
                Expr::Rule(rule) => done.get(rule).copied().unwrap_or((1, 1)),
                Expr::Text(text) => (text.len() as u64, 1),
                _ => (1, 1),
            };
            size = size.saturating_add(own);
            deepest = deepest.max(depth + below);
            open.extend(parts(self.syntax.expr(id)).map(|part| (part, depth + 1)));
        }
        (size, deepest)
    }

    fn build(&mut self, id: ExprId) -> NodeId {
        if let Some(built) = self.built[id.0 as usize] {
            return built;
        }
        let built = self.build_new(id);
        self.built[id.0 as usize] = Some(built);
        built
    }

    fn build_new(&mut self, id: ExprId) -> NodeId {
        let nodes = self.nodes;
        match *self.syntax.expr(id) {
            Expr::Sequence(ref items) => {
                let items = items.iter().rev();
                items.fold(NodeId::EMPTY, |rest, &item| match self.syntax.expr(item) {
                    Expr::Text(text) => nodes.spell(text, rest),
                    _ => nodes.concat(self.build(item), rest),
                })
            }
            Expr::Choice(ref items) => self.build_choice(items),
            Expr::Repeat { body, min, max } => {
                let body = self.build(body);
                nodes.repeat_between(body, min, max)
            }
            Expr::Rule(rule) => match self.kept.get(&rule) {
                Some(&symbol) => self.or_empty(symbol, self.all.rules[rule.0 as usize] == 0),
                None => self.rules[&rule],
            },
            Expr::Json(schema) => {
                let cost = self.weights.of(id);
                self.symbol(cost, Pending::Json(schema))
            }
            Expr::Token(ref set) => {
                let known = self.tokens.iter().position(|known| known == set);
                let index = known.unwrap_or_else(|| {
                    self.tokens.push(set.clone());
                    self.tokens.len() - 1
                });
                self.symbol(set.cost(), Pending::Token(TokenSetId(index as u32)))
            }
            Expr::Free { .. } | Expr::Strings { .. } => {
                let language = self.leaves[id.0 as usize].expect("free text is a language");
                let is_nullable = nodes.nullable(language);
                let cost = self.weights.of(id);
                let symbol = self.symbol(cost, Pending::Free(filled(language, nodes)));
                self.or_empty(symbol, is_nullable)
            }
            Expr::Text(ref text) => nodes.spell(text, NodeId::EMPTY),
            Expr::Class(_)
            | Expr::Pattern { .. }
            | Expr::And(_)
            | Expr::Not(_)
            | Expr::Literals { .. } => self.leaves[id.0 as usize].expect("it is a language"),
        }
    }

    /// The language of a choice. Many literals in it become one list of words.
    fn build_choice(&mut self, items: &[ExprId]) -> NodeId {
        const MANY: usize = 16;
        let syntax = self.syntax;
        let is_word = |item: &&ExprId| matches!(syntax.expr(**item), Expr::Text(_));
        let are_many = items.iter().filter(is_word).count() >= MANY;
        let mut words: Vec<&str> = Vec::new();
        let mut ways = Vec::new();
        for &item in items {
            match syntax.expr(item) {
                Expr::Text(text) if are_many && !text.is_empty() => words.push(text),
                _ => ways.push(self.build(item)),
            }
        }
        if !words.is_empty() {
            ways.push(self.nodes.words(words));
        }
        self.nodes.or(ways)
    }

    fn or_empty(&self, symbol: NodeId, may_be_empty: bool) -> NodeId {
        if may_be_empty {
            self.nodes.repeat(symbol, 0, 1)
        } else {
            symbol
        }
    }
}

/// The rules that an expression uses.
fn mentions(syntax: &Syntax, start: ExprId) -> Vec<GrammarRuleId> {
    let mut found = Vec::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        work::spend(1);
        match syntax.expr(id) {
            // These are languages by themselves.
            Expr::And(_) | Expr::Not(_) => {}
            &Expr::Rule(rule) => found.push(rule),
            expr => open.extend(parts(expr)),
        }
    }
    found
}

fn refuse_undefined(syntax: &Syntax) -> Result<(), Error> {
    refuse_rules(syntax, "undefined", |id| syntax.rule(id).body.is_none())
}

fn refuse_unproductive(syntax: &Syntax, weights: &Weights) -> Result<(), Error> {
    refuse_rules(syntax, "unproductive (no text satisfies them)", |id| {
        weights.rules[id.0 as usize] == NEVER
    })?;
    // What an intersection or a complement is made of may be empty.
    let mut inside = FxHashSet::default();
    for id in syntax.ids().rev() {
        let expr = syntax.expr(id);
        if inside.contains(&id) || matches!(expr, Expr::And(_) | Expr::Not(_)) {
            inside.extend(parts(expr));
        }
    }
    let is_empty = |id: &ExprId| weights.of(*id) == NEVER && !inside.contains(id);
    match syntax.ids().find(is_empty) {
        None => Ok(()),
        Some(id) => {
            let message = format!("no text satisfies {}", syntax.show(id));
            Err(Error::new(ErrorKind::Grammar, message))
        }
    }
}

/// An error that names the rules that are `wrong`, each with its place.
fn refuse_rules(
    syntax: &Syntax,
    what: &str,
    wrong: impl Fn(GrammarRuleId) -> bool,
) -> Result<(), Error> {
    let all = (0..syntax.rules.len() as u32).map(GrammarRuleId);
    let wrong: Vec<_> = all
        .filter(|&id| wrong(id))
        .map(|id| syntax.rule(id))
        .collect();
    let names = wrong.iter().map(|rule| match rule.place {
        // The error itself says where a single one is.
        Some(place) if wrong.len() > 1 => format!("`{}` (line {})", rule.name, place.line),
        _ => format!("`{}`", rule.name),
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    let s = if names.len() == 1 { "" } else { "s" };
    let message = format!("rule{s} {what}: {}", names.join(", "));
    Err(match wrong.iter().filter_map(|rule| rule.place).min() {
        Some(place) => Error::at_position(ErrorKind::Grammar, place.line, place.column, message),
        None => Error::new(ErrorKind::Grammar, message),
    })
}
