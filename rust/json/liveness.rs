//! Whether a value that satisfies a formula exists, and the fewest bytes that write one.
//!
//! The cost of a formula is a least fixpoint over the costs of the values that an object or array
//! must contain: what can only be satisfied by an infinite value has no finite cost, and so is
//! never offered.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::json::formula::{FormulaId, Kind};
use crate::json::rules::Rules;
use crate::regex::cost::NO_WAY;
use crate::regex::node::{NodeId, Spelling};

/// The cost of what cannot be.
pub(crate) const NEVER: u64 = u64::MAX;

/// One way to write a value: so many bytes, and the values of other formulas so many times.
struct Way {
    bytes: u64,
    parts: Vec<(FormulaId, u64)>,
}

impl Way {
    fn cost(&self, cost: impl Fn(FormulaId) -> u64) -> u64 {
        self.parts.iter().fold(self.bytes, |sum, &(part, times)| {
            add(sum, multiply(cost(part), times))
        })
    }
}

pub(crate) fn add(a: u64, b: u64) -> u64 {
    if a == NEVER || b == NEVER {
        NEVER
    } else {
        a.saturating_add(b).min(NEVER - 1)
    }
}

fn multiply(cost: u64, times: u64) -> u64 {
    match (cost, times) {
        (_, 0) => 0,
        (NEVER, _) => NEVER,
        _ => cost.saturating_mul(times).min(NEVER - 1),
    }
}

impl Rules {
    /// The fewest bytes of a value of a formula; [`NEVER`] if there is none.
    pub(crate) fn cost(&self, id: FormulaId) -> u64 {
        if let Some(&known) = self.formulas.cost_memo(id).get() {
            return known;
        }
        // All formulas that the answer hangs on and whose cost is not known yet.
        let mut ways: FxHashMap<FormulaId, Vec<Way>> = FxHashMap::default();
        let mut order = Vec::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            if self.formulas.cost_memo(next).get().is_some() || ways.contains_key(&next) {
                continue;
            }
            let mine: Vec<Way> = Kind::ALL
                .iter()
                .flat_map(|&kind| self.ways(next, kind))
                .collect();
            open.extend(
                mine.iter()
                    .flat_map(|way| way.parts.iter().map(|part| part.0)),
            );
            ways.insert(next, mine);
            order.push(next);
        }
        let mut costs: FxHashMap<FormulaId, u64> = order.iter().map(|&f| (f, NEVER)).collect();
        loop {
            let mut changed = false;
            for formula in order.iter().rev() {
                let known = |part: FormulaId| match self.formulas.cost_memo(part).get() {
                    Some(&cost) => cost,
                    None => costs[&part],
                };
                let best = ways[formula]
                    .iter()
                    .map(|way| way.cost(known))
                    .min()
                    .unwrap_or(NEVER);
                if best < costs[formula] {
                    costs.insert(*formula, best);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for (formula, cost) in costs {
            self.formulas.cost_memo(formula).get_or_init(|| cost);
        }
        *self.formulas.cost_memo(id).get().expect("it was just set")
    }

    /// The fewest bytes of a value of one kind.
    pub(crate) fn cost_of_kind(&self, id: FormulaId, kind: Kind) -> u64 {
        let ways = self.ways(id, kind);
        ways.iter()
            .map(|way| way.cost(|part| self.cost(part)))
            .min()
            .unwrap_or(NEVER)
    }

    fn ways(&self, id: FormulaId, kind: Kind) -> Vec<Way> {
        let id = self.formulas.of_kind(id, kind);
        if id == FormulaId::FALSE {
            return Vec::new();
        }
        let scalar = |bytes: u64| {
            vec![Way {
                bytes,
                parts: Vec::new(),
            }]
        };
        let regexes = &self.scanner.regexes;
        match kind {
            Kind::Null | Kind::True | Kind::False => scalar(kind.literal().len() as u64),
            Kind::Number => {
                let language = self.formulas.language(id, self.any_number, regexes);
                match regexes.cost(language, Spelling::Raw) {
                    NO_WAY => Vec::new(),
                    bytes => scalar(u64::from(bytes)),
                }
            }
            Kind::String => {
                let language = self.formulas.language(id, NodeId::ANY, regexes);
                match regexes.cost(language, Spelling::Json) {
                    NO_WAY => Vec::new(),
                    bytes => scalar(u64::from(bytes) + 2),
                }
            }
            Kind::Array => {
                let clauses = self.formulas.clauses(id).iter();
                clauses
                    .filter_map(|clause| self.array_way(clause))
                    .collect()
            }
            Kind::Object => {
                let clauses = self.formulas.clauses(id).iter();
                clauses.map(|clause| self.object_way(clause)).collect()
            }
        }
    }

    fn array_way(&self, clause: &[u32]) -> Option<Way> {
        let least = clause.iter().map(|&r| self.array(r).min).max().unwrap_or(0);
        let most = clause
            .iter()
            .map(|&r| self.array(r).max)
            .min()
            .unwrap_or(u64::MAX);
        if least > most {
            return None;
        }
        let alike = clause
            .iter()
            .map(|&r| self.array(r).prefix_length())
            .max()
            .unwrap_or(0);
        let mut parts: Vec<(FormulaId, u64)> = (0..least.min(alike))
            .map(|i| (self.clause_item(clause, i), 1))
            .collect();
        if least > alike {
            parts.push((self.clause_item(clause, alike), least - alike));
        }
        let commas = multiply(self.separator, least.saturating_sub(1));
        Some(Way {
            bytes: add(2, commas),
            parts,
        })
    }

    fn object_way(&self, clause: &[u32]) -> Way {
        let required = clause.iter().flat_map(|&rule| &self.object(rule).required);
        let keys: FxHashSet<&str> = required.map(|key| &**key).collect();
        let names: u64 = keys.iter().map(|key| key_bytes(key)).sum();
        // A colon for each key, and a comma for each but the last.
        let separators = (2 * keys.len() as u64).saturating_sub(1);
        let bytes = 2 + names + self.separator * separators;
        let parts = keys
            .iter()
            .map(|key| (self.clause_property(clause, Some(key)), 1))
            .collect();
        Way { bytes, parts }
    }

    /// What all rules of a clause demand of the value of a key, `None` for one that no rule names.
    pub(crate) fn clause_property(&self, clause: &[u32], key: Option<&str>) -> FormulaId {
        let parts: Vec<FormulaId> = clause.iter().map(|&r| self.property(r, key)).collect();
        self.formulas.and(&parts)
    }

    /// What all rules of a clause demand of the item at an index.
    pub(crate) fn clause_item(&self, clause: &[u32], index: u64) -> FormulaId {
        let parts: Vec<FormulaId> = clause.iter().map(|&r| self.item(r, index)).collect();
        self.formulas.and(&parts)
    }
}

/// The bytes of a key with its quotes.
pub(crate) fn key_bytes(key: &str) -> u64 {
    2 + key
        .chars()
        .map(|c| crate::json::spelling::spell_json(u32::from(c)).len() as u64)
        .sum::<u64>()
}
