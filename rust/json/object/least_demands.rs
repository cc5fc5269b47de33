//! The least lists of demands of which one must be satisfied.

use crate::json::formula::FormulaId;
use crate::json::rules::Rules;
use crate::work;

impl Rules {
    /// The least lists of demands of which one is satisfied if and only if one of these is.
    pub(super) fn least(&self, mut all: Vec<Vec<FormulaId>>) -> Vec<Vec<FormulaId>> {
        loop {
            let mut kept: Vec<Vec<FormulaId>> = Vec::new();
            all.sort_by_key(Vec::len);
            for demands in all {
                work::spend(1 + kept.len());
                let is_implied = |less: &Vec<FormulaId>| less.iter().all(|d| demands.contains(d));
                if !kept.iter().any(is_implied) {
                    kept.push(demands);
                }
            }
            // Of two that differ in whether one thing is satisfied, what they have in common is left.
            let both = (0..kept.len()).find_map(|i| {
                work::spend(kept.len());
                kept[..i].iter().find_map(|other| {
                    let [extra] = self.opposite(other, &kept[i])?;
                    let rest = kept[i].iter().copied().filter(|&one| one != extra);
                    Some(rest.collect::<Vec<_>>())
                })
            });
            match both {
                Some(common) => kept.push(common),
                None => return kept,
            }
            all = kept;
        }
    }

    /// What the second of two lists of demands has in place of its negation in the first, if they
    /// differ in nothing else.
    fn opposite(&self, one: &[FormulaId], other: &[FormulaId]) -> Option<[FormulaId; 1]> {
        if one.len() != other.len() {
            return None;
        }
        let mut extra = other.iter().filter(|demand| !one.contains(demand));
        let (&only, None) = (extra.next()?, extra.next()) else {
            return None;
        };
        one.contains(&self.formulas.not(only)).then_some([only])
    }
}
