//! The ways in which a formula about objects or arrays can hold.
//!
//! What is negated stays together: a clause says of a set of rules that one of them fails, not
//! which. Clauses that contradict themselves at a glance are left out, so that conditions on one
//! key (`if` its value is this, `if` it is that) do not multiply.

use rustc_hash::FxHashSet;

use crate::error::{Error, ErrorKind};
use crate::json::formula::{Alternatives, Clause, Formula, FormulaId, RuleId, dedup};
use crate::json::kind::Kind;
use crate::json::rules::Rules;
use crate::regex::char_cost::NO_WAY;
use crate::regex::node::{NodeId, Spelling};
use crate::work;

/// A conjunction of alternatives is multiplied out to so many clauses at most; further alternatives
/// stay a choice inside each of them.
const MULTIPLIED: usize = 32;

/// How deep [`Rules::excludes`] looks into values.
const GLANCE: u32 = 3;

impl Rules {
    /// The ways in which a formula that is about objects only, or arrays only, can hold.
    pub(crate) fn clauses(&self, id: FormulaId) -> &Alternatives {
        self.formulas.clauses_memo(id).get_or_init(|| {
            let clauses = self.unfold(id);
            work::hold(clauses.iter().map(Clause::bytes).sum());
            clauses.into()
        })
    }

    /// A formula about arrays that unfolds to too many clauses could not be followed exactly.
    pub(super) fn check_alternatives(&self, formula: FormulaId) -> Result<(), Error> {
        let most = self.limits.alternatives;
        let formula = self.formulas.of_kind(formula, Kind::Array);
        if self.count_clauses(formula) > most && self.clauses(formula).len() > most {
            let message = format!("the branches of a schema combine in more than {most} ways");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    /// At least as many clauses as a formula has, and at most `usize::MAX`.
    pub(super) fn count_clauses(&self, id: FormulaId) -> usize {
        *self.formulas.count_memo(id).get_or_init(|| {
            let sum = |counts: &mut dyn Iterator<Item = usize>| {
                counts.fold(0, |all: usize, count| all.saturating_add(count))
            };
            match self.formulas.get(id) {
                Formula::And(parts) => {
                    work::spend(parts.len());
                    let counts = parts.iter().map(|&part| self.count_clauses(part));
                    counts.fold(1, usize::saturating_mul)
                }
                Formula::Or(parts) => {
                    work::spend(parts.len());
                    sum(&mut parts.iter().map(|&part| self.count_clauses(part)))
                }
                &Formula::Not(part) => match self.formulas.get(part) {
                    Formula::And(parts) => {
                        work::spend(parts.len());
                        let others = parts.iter().filter(|&&part| !self.is_rule(part));
                        let mut counts =
                            others.map(|&part| self.count_clauses(self.formulas.not(part)));
                        sum(&mut counts).saturating_add(1)
                    }
                    _ => 1,
                },
                _ => 1,
            }
        })
    }

    fn is_rule(&self, id: FormulaId) -> bool {
        matches!(
            self.formulas.get(id),
            Formula::Object(_) | Formula::Array(_)
        )
    }

    fn unfold(&self, id: FormulaId) -> Vec<Clause> {
        match self.formulas.get(id) {
            Formula::True => vec![Clause::default()],
            &(Formula::Object(rule) | Formula::Array(rule)) => {
                vec![Clause {
                    rules: [rule].into(),
                    ..Clause::default()
                }]
            }
            Formula::Or(parts) => self.union(parts),
            Formula::And(parts) => self.product(parts),
            &Formula::Not(part) => self.unfold_not(part),
            _ => Vec::new(),
        }
    }

    fn union(&self, parts: &[FormulaId]) -> Vec<Clause> {
        let mut out: Vec<Clause> = Vec::new();
        for &part in parts {
            self.extend(&mut out, self.clauses(part));
        }
        dedup(&mut out);
        out
    }

    fn extend(&self, out: &mut Vec<Clause>, more: &[Clause]) {
        work::spend(more.iter().map(Clause::work).sum());
        out.extend(more.iter().cloned());
    }

    fn product(&self, parts: &[FormulaId]) -> Vec<Clause> {
        let mut out = vec![Clause::default()];
        let mut all = parts.iter().map(|&part| self.clauses(part)).peekable();
        while let Some(more) = all.next() {
            // Many that must fail, such as the items before, are looked at as one.
            let mut nots = only_nots(more).unwrap_or_default().to_vec();
            while let Some(others) =
                all.next_if(|more| !nots.is_empty() && only_nots(more).is_some())
            {
                nots.extend_from_slice(&others[0].nots);
            }
            let failing = Alternatives::from(vec![Clause {
                nots: nots.into(),
                ..Clause::default()
            }]);
            let more = match only_nots(more) {
                Some(_) => &failing,
                None => more,
            };
            if out.len() * more.len() > MULTIPLIED && !more.iter().any(is_about_arrays) {
                out = out
                    .iter()
                    .filter_map(|left| self.with_or(left, more))
                    .collect();
                continue;
            }
            let mut next = Vec::new();
            for left in &out {
                next.extend(more.iter().filter_map(|right| self.both(left, right)));
            }
            dedup(&mut next);
            out = next;
        }
        out
    }

    fn unfold_not(&self, id: FormulaId) -> Vec<Clause> {
        let not_all = |rules: &[FormulaId]| Clause {
            nots: [self.formulas.rules(rules.iter().copied()).into()].into(),
            ..Clause::default()
        };
        match self.formulas.get(id) {
            Formula::And(parts) => {
                let (rules, others): (Vec<FormulaId>, Vec<FormulaId>) =
                    parts.iter().partition(|&&part| self.is_rule(part));
                let mut out = Vec::new();
                if !rules.is_empty() {
                    out.push(not_all(&rules));
                }
                for part in others {
                    self.extend(&mut out, self.clauses(self.formulas.not(part)));
                }
                dedup(&mut out);
                out
            }
            _ if self.is_rule(id) => vec![not_all(&[id])],
            _ => Vec::new(),
        }
    }

    /// Each of some clauses with each of others.
    pub(super) fn all_of(&self, left: &[Clause], right: &[Clause]) -> Vec<Clause> {
        let mut out = Vec::new();
        for left in left {
            out.extend(right.iter().filter_map(|right| self.both(left, right)));
        }
        dedup(&mut out);
        out
    }

    /// Both of two clauses, unless they contradict each other at a glance.
    fn both(&self, left: &Clause, right: &Clause) -> Option<Clause> {
        work::spend(left.work() + right.work());
        let mut rules = [&left.rules[..], &right.rules].concat();
        dedup(&mut rules);
        let is_new = rules.len() > left.rules.len().max(right.rules.len());
        if is_new && self.contradict(&left.rules, &right.rules) {
            return None;
        }
        let mut nots: Vec<Box<[RuleId]>> = Vec::new();
        for not in left.nots.iter().chain(&right.nots) {
            let open: Box<[RuleId]> = not.iter().copied().filter(|r| !rules.contains(r)).collect();
            if open.is_empty() {
                return None;
            }
            // A rule that cannot hold beside the others fails for sure.
            if open.iter().any(|&rule| self.contradict(&rules, &[rule])) {
                continue;
            }
            let implied = nots
                .iter()
                .any(|known| known.iter().all(|r| open.contains(r)));
            if !implied {
                nots.retain(|known| !open.iter().all(|r| known.contains(r)));
                nots.push(open);
            }
        }
        nots.sort_unstable();
        let mut both = Clause {
            rules: rules.into(),
            nots: nots.into(),
            ors: Box::default(),
        };
        for or in left.ors.iter().chain(&right.ors) {
            both = self.with_or(&both, or)?;
        }
        Some(both)
    }

    /// A clause and one of some others, unless they contradict each other at a glance.
    fn with_or(&self, left: &Clause, or: &Alternatives) -> Option<Clause> {
        work::spend(or.len() + left.work());
        let fits = |right: &&Clause| !self.contradict(&left.rules, &right.rules);
        let fitting = match or.iter().all(|right| fits(&right)) {
            true => or.clone(),
            false => {
                let fitting: Vec<Clause> = or.iter().filter(fits).cloned().collect();
                work::spend(fitting.iter().map(Clause::work).sum());
                fitting.into()
            }
        };
        match &fitting[..] {
            [] => None,
            [only] => self.both(left, only),
            _ if fitting.iter().any(|or| implies(left, or)) => Some(left.clone()),
            _ => {
                let mut left = left.clone();
                let mut ors = left.ors.into_vec();
                ors.push(fitting);
                left.ors = ors.into();
                Some(left)
            }
        }
    }

    /// Whether some key that `left` or `right` requires has no value that suits both, at a glance.
    fn contradict(&self, left: &[RuleId], right: &[RuleId]) -> bool {
        self.rules_exclude(left, right, GLANCE)
    }

    fn rules_exclude(&self, left: &[RuleId], right: &[RuleId], depth: u32) -> bool {
        work::spend(left.len() + right.len());
        let mut all = left.iter().chain(right);
        if all.clone().any(|&rule| rule.is_of_arrays()) {
            return false;
        }
        // Most rules of deep alternatives only require keys.
        let telling = |rules: &[RuleId]| -> Vec<RuleId> {
            let rules = rules.iter().copied();
            rules.filter(|&rule| self.tells_values(rule)).collect()
        };
        let (left, right) = (telling(left), telling(right));
        if left.is_empty() && right.is_empty() {
            return false;
        }
        let mut seen = FxHashSet::default();
        all.any(|&rule| {
            let required = self.object(rule).required.iter();
            let mut new = required.filter(|key| seen.insert(&***key));
            new.any(|key| self.values_exclude(&left, &right, key, depth))
        })
    }

    /// Whether no value of a key suits both `left` and `right`.
    fn values_exclude(&self, left: &[RuleId], right: &[RuleId], key: &str, depth: u32) -> bool {
        let demands = |rules: &[RuleId]| {
            let demands = rules.iter().map(|&rule| self.property(rule, key));
            demands
                .filter(|&demand| demand != FormulaId::TRUE)
                .collect()
        };
        let (left, right): (Vec<FormulaId>, Vec<FormulaId>) = (demands(left), demands(right));
        let is_false = |demands: &[FormulaId]| demands.contains(&FormulaId::FALSE);
        is_false(&left)
            || is_false(&right)
            || left
                .iter()
                .any(|&a| right.iter().any(|&b| self.excludes(a, b, depth)))
    }

    /// Whether no value satisfies both formulas, as far as a glance tells.
    pub(crate) fn excludes(&self, a: FormulaId, b: FormulaId, depth: u32) -> bool {
        let key = (a.min(b), a.max(b));
        if let Some(&known) = self.exclusions.lock().get(&key) {
            return known;
        }
        let excludes = Kind::ALL.into_iter().all(|kind| {
            let (a, b) = (
                self.formulas.of_kind(a, kind),
                self.formulas.of_kind(b, kind),
            );
            let asserts = a != FormulaId::TRUE && b != FormulaId::TRUE;
            a == FormulaId::FALSE
                || b == FormulaId::FALSE
                || asserts && self.kind_excludes(a, b, kind, depth)
        });
        self.exclusions.lock().insert(key, excludes);
        excludes
    }

    fn kind_excludes(&self, a: FormulaId, b: FormulaId, kind: Kind, depth: u32) -> bool {
        let regexes = &self.scanner.regexes;
        match kind {
            Kind::Null | Kind::True | Kind::False => false,
            Kind::String => {
                let languages = vec![self.string_language(a), self.string_language(b)];
                let both = regexes.and(languages);
                both == NodeId::NEVER || !regexes.nullable(both) && regexes.pieces(both).is_empty()
            }
            Kind::Number => {
                let languages = vec![self.number_language(a), self.number_language(b)];
                regexes.cost(regexes.and(languages), Spelling::Raw) == NO_WAY
            }
            Kind::Array => false,
            Kind::Object => {
                let rule = |id: FormulaId| match *self.formulas.get(id) {
                    Formula::Object(rule) => Some(rule),
                    _ => None,
                };
                let pair = rule(a).zip(rule(b));
                depth > 0 && pair.is_some_and(|(a, b)| self.rules_exclude(&[a], &[b], depth - 1))
            }
        }
    }
}

/// The sets of rules of which one each fails, if `clauses` is a single clause that says nothing
/// else.
fn only_nots(clauses: &[Clause]) -> Option<&[Box<[RuleId]>]> {
    match clauses {
        [Clause { rules, nots, ors }] if rules.is_empty() && ors.is_empty() => Some(nots),
        _ => None,
    }
}

fn is_about_arrays(clause: &Clause) -> bool {
    let mut rules = clause.rules.iter().chain(clause.nots.iter().flatten());
    rules.any(|&rule| rule.is_of_arrays())
}

/// Whether all that `some` says is among what `all` says.
fn implies(all: &Clause, some: &Clause) -> bool {
    some.ors.is_empty()
        && some.rules.iter().all(|rule| all.rules.contains(rule))
        && some.nots.iter().all(|not| all.nots.contains(not))
}
