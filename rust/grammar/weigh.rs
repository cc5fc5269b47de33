//! The fewest bytes of each expression and rule, and so what is productive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::grammar::syntax::{Expr, ExprId, Syntax, parts};
use crate::work;

/// The weight of what no text satisfies.
pub(crate) const NEVER: u64 = u64::MAX;

/// The fewest bytes of a text of each expression and rule; [`NEVER`] if there is none.
#[derive(Debug)]
pub(crate) struct Weights {
    exprs: Vec<u64>,
    pub(crate) rules: Vec<u64>,
}

impl Weights {
    pub(crate) fn of(&self, expr: ExprId) -> u64 {
        self.exprs[expr.0 as usize]
    }
}

/// Weighs all expressions; `leaf` weighs those that are not made of others.
pub(crate) fn weigh(syntax: &Syntax, leaf: impl Fn(ExprId) -> u64) -> Weights {
    // What a sequence still waits for, and the weight of the others.
    let mut open: Vec<(usize, u64)> = syntax
        .ids()
        .map(|id| (parts(syntax.expr(id)).count(), 0))
        .collect();
    let start = |id| match syntax.expr(id) {
        Expr::Sequence(items) if items.is_empty() => 0,
        Expr::Repeat { min: 0, .. } | Expr::Repeat { max: Some(0), .. } => 0,
        expr if is_leaf(expr) => leaf(id),
        _ => NEVER,
    };
    settle(syntax, start, |user, _, found| match *syntax.expr(user) {
        Expr::Sequence(_) => {
            let (missing, sum) = &mut open[user.0 as usize];
            *missing -= 1;
            *sum = add(*sum, found);
            if *missing == 0 { *sum } else { NEVER }
        }
        Expr::Repeat { min, .. } => times(found, min),
        _ => found,
    })
}

/// The fewest bytes of a text that is not empty, for each expression and rule; [`NEVER`] if there
/// is none. `all` is what [`weigh`] gives, which counts empty texts, too.
pub(crate) fn weigh_filled(
    syntax: &Syntax,
    all: &Weights,
    leaf: impl Fn(ExprId) -> u64,
) -> Weights {
    let start = |id| match syntax.expr(id) {
        expr if is_leaf(expr) => leaf(id),
        _ => NEVER,
    };
    settle(syntax, start, |user, part, found| {
        match *syntax.expr(user) {
            Expr::Sequence(_) => match all.of(user) {
                NEVER => NEVER,
                total => add(found, total - all.of(part)),
            },
            Expr::Repeat { max: Some(0), .. } => NEVER,
            Expr::Repeat { min, .. } => add(found, times(all.of(part), min.saturating_sub(1))),
            _ => found,
        }
    })
}

fn is_leaf(expr: &Expr) -> bool {
    !matches!(
        expr,
        Expr::Sequence(_) | Expr::Choice(_) | Expr::Repeat { .. } | Expr::Rule(_)
    )
}

/// What is lightest is settled first, as in a search for shortest paths: nothing is lighter than
/// what it is made of. So rules may be recursive. `user` weighs an expression of which a part has
/// just been settled.
fn settle(
    syntax: &Syntax,
    start: impl Fn(ExprId) -> u64,
    mut user: impl FnMut(ExprId, ExprId, u64) -> u64,
) -> Weights {
    let mut users: Vec<Vec<ExprId>> = vec![Vec::new(); syntax.len()];
    let mut mentions: Vec<Vec<ExprId>> = vec![Vec::new(); syntax.rules.len()];
    let mut bodies: Vec<Vec<usize>> = vec![Vec::new(); syntax.len()];
    for id in syntax.ids() {
        // An intersection is weighed as a whole: it may be empty though its parts are not.
        if !is_leaf(syntax.expr(id)) {
            for part in parts(syntax.expr(id)) {
                users[part.0 as usize].push(id);
            }
        }
        if let &Expr::Rule(rule) = syntax.expr(id) {
            mentions[rule.0 as usize].push(id);
        }
    }
    for (i, rule) in syntax.rules.iter().enumerate() {
        if let Some(body) = rule.body {
            bodies[body.0 as usize].push(i);
        }
    }
    let mut weights = Weights {
        exprs: vec![NEVER; syntax.len()],
        rules: vec![NEVER; syntax.rules.len()],
    };
    let begun = syntax.ids().map(|id| Reverse((start(id), id)));
    let mut open: BinaryHeap<_> = begun.filter(|entry| entry.0.0 != NEVER).collect();
    while let Some(Reverse((found, id))) = open.pop() {
        work::spend(4);
        if weights.of(id) != NEVER {
            continue;
        }
        weights.exprs[id.0 as usize] = found;
        for &whole in &users[id.0 as usize] {
            let weight = user(whole, id, found);
            if weight != NEVER && weights.of(whole) == NEVER {
                open.push(Reverse((weight, whole)));
            }
        }
        for &rule in &bodies[id.0 as usize] {
            weights.rules[rule] = found;
            let named = mentions[rule].iter();
            open.extend(named.map(|&mention| Reverse((found, mention))));
        }
    }
    weights
}

fn add(a: u64, b: u64) -> u64 {
    match (a, b) {
        (NEVER, _) | (_, NEVER) => NEVER,
        _ => a.saturating_add(b).min(NEVER - 1),
    }
}

fn times(weight: u64, count: u32) -> u64 {
    match (weight, count) {
        (_, 0) => 0,
        (NEVER, _) => NEVER,
        _ => weight.saturating_mul(u64::from(count)).min(NEVER - 1),
    }
}
