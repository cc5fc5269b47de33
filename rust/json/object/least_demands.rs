//! Alternatives between lists of demands, made as few and as short as possible.

use crate::json::formula::FormulaId;
use crate::json::rules::Rules;
use crate::work;

impl Rules {
    /// Lists of demands, as few and short as possible. A value satisfies one of them if and only if
    /// it satisfies one of `all`.
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
            // If two lists differ only in whether one demand is satisfied or not, what they have in
            // common replaces both.
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

    /// The demand of `other` whose negation `one` has in its place, if the two lists differ in
    /// nothing else.
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
