//! The rest of a clause once it is known that some rules fail, and that some sets of rules are
//! broken.

use rustc_hash::FxHashMap;

use crate::json::formula::{Alternatives, Clause, RuleId};
use crate::work;

/// What is left of a clause once some rules fail and some sets of rules are broken; `None` if it
/// cannot hold.
pub(super) fn unbroken(
    clause: &Clause,
    fails: &impl Fn(RuleId) -> bool,
    breaks: &impl Fn(&[RuleId]) -> bool,
) -> Option<Clause> {
    match (RestFinder { fails, breaks }).of(clause, &mut FxHashMap::default()) {
        ClauseRest::All => Some(clause.clone()),
        ClauseRest::Some(left) => Some(left),
        ClauseRest::Nothing => None,
    }
}

/// What is left of a clause, or of a list of them.
#[derive(Clone)]
enum ClauseRest<T> {
    All,
    Some(T),
    Nothing,
}

/// What is left of nested clauses if some rules fail and some sets of rules are broken.
struct RestFinder<'f, F, B> {
    fails: &'f F,
    breaks: &'f B,
}

/// What is left of the lists of clauses that were met, by their places in memory.
type KnownRests = FxHashMap<*const Clause, ClauseRest<Alternatives>>;

impl<F: Fn(RuleId) -> bool, B: Fn(&[RuleId]) -> bool> RestFinder<'_, F, B> {
    fn of(&self, clause: &Clause, lefts: &mut KnownRests) -> ClauseRest<Clause> {
        work::spend(clause.work());
        if clause.rules.iter().any(|&rule| (self.fails)(rule)) {
            return ClauseRest::Nothing;
        }
        // Most of a deep clause stays, and is shared.
        let mut is_all = true;
        let mut ors = Vec::with_capacity(clause.ors.len());
        for or in &clause.ors {
            match self.of_list(or, lefts) {
                ClauseRest::All => ors.push(or.clone()),
                ClauseRest::Some(left) => {
                    is_all = false;
                    // One that asks for nothing is met.
                    if !left.contains(&Clause::default()) {
                        ors.push(left);
                    }
                }
                ClauseRest::Nothing => return ClauseRest::Nothing,
            }
        }
        let nots = clause.nots.iter().filter(|not| !(self.breaks)(not));
        let nots: Box<[Box<[RuleId]>]> = nots.cloned().collect();
        if is_all && nots.len() == clause.nots.len() {
            return ClauseRest::All;
        }
        ClauseRest::Some(Clause {
            rules: clause.rules.clone(),
            nots,
            ors: ors.into(),
        })
    }

    fn of_list(&self, or: &Alternatives, lefts: &mut KnownRests) -> ClauseRest<Alternatives> {
        if let Some(known) = lefts.get(&or.place()) {
            return known.clone();
        }
        let mut left: Option<Vec<Clause>> = None;
        for (i, inner) in or.iter().enumerate() {
            let before = || or[..i].to_vec();
            match self.of(inner, lefts) {
                ClauseRest::All => left.iter_mut().for_each(|left| left.push(inner.clone())),
                ClauseRest::Some(less) => left.get_or_insert_with(before).push(less),
                ClauseRest::Nothing => _ = left.get_or_insert_with(before),
            }
        }
        let left = match left {
            None => ClauseRest::All,
            Some(left) if left.is_empty() => ClauseRest::Nothing,
            Some(left) => ClauseRest::Some(left.into()),
        };
        lefts.insert(or.place(), left.clone());
        left
    }
}

/// Whether a clause asks for a rule that `concerns` says yes to.
pub(super) fn mentions(clause: &Clause, concerns: &impl Fn(RuleId) -> bool) -> bool {
    mentions_known(clause, concerns, &mut FxHashMap::default())
}

fn mentions_known(
    clause: &Clause,
    concerns: &impl Fn(RuleId) -> bool,
    known: &mut FxHashMap<*const Clause, bool>,
) -> bool {
    work::spend(clause.rules.len() + clause.ors.len());
    clause.rules.iter().any(|&rule| concerns(rule))
        || clause.ors.iter().any(|or| match known.get(&or.place()) {
            Some(&all) => all,
            None => {
                let all = or
                    .iter()
                    .all(|clause| mentions_known(clause, concerns, known));
                known.insert(or.place(), all);
                all
            }
        })
}
