//! How an array can be finished: which items must still come.
//!
//! Rules that must fail are made to fail in one way or another: by a length, by an item, by how
//! many items satisfy something. So a question becomes one about lengths and counters, which a
//! search for the cheapest sequence of items answers.

use crate::json::array::progress::ArrayProgress;
use crate::json::cost::{NEVER, add, multiply};
use crate::json::formula::{FormulaId, RuleId};
use crate::json::rules::Rules;
use crate::work;

/// How many further ways to make rules fail are tried for a cheaper completion once one is known.
const REFINED: usize = 256;

/// A way to finish an array.
#[derive(Clone, Debug)]
pub(crate) struct ArrayCompletion {
    /// The bytes from after an item or the opening bracket on, the closing bracket included.
    pub(crate) cost: u64,
    /// The items to come, each so many times.
    pub(crate) items: Vec<(FormulaId, u64)>,
}

impl ArrayCompletion {
    pub(crate) fn missing(&self) -> u64 {
        self.items.iter().map(|item| item.1).sum()
    }
}

/// What a completion has to satisfy.
pub(crate) struct ArrayGoal<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) progress: &'a ArrayProgress,
    /// The rules that must hold.
    pub(crate) holding: &'a [RuleId],
    /// Sets of rules. Of each set, one rule at least must fail.
    pub(crate) nots: &'a [&'a [RuleId]],
    /// An item that equals the next one: how many of the items to come stand before it, and what it
    /// satisfies.
    pub(crate) twin: Option<(u64, FormulaId)>,
    /// What a value of a formula costs at least as an item.
    pub(crate) cost: &'a dyn Fn(FormulaId) -> u64,
}

/// The cheapest completion so far.
#[derive(Default)]
struct BestCompletion {
    completion: Option<ArrayCompletion>,
    /// How many ways were tried since the first completion was found.
    refined: usize,
}

/// How many of the items to come satisfy something.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub(super) of: CountedBy,
    pub(super) min: u64,
    pub(super) max: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum CountedBy {
    /// A formula.
    Formula(FormulaId),
    /// What a rule does not demand of the item.
    NotDemanded(RuleId),
    /// A formula, of the item that so many others come before.
    At(u64, FormulaId),
}

/// A goal in which it has been decided how the rules fail that must: what remains are bounds of the
/// length, and counters.
#[derive(Clone, Debug)]
pub(super) struct PlainGoal {
    pub(super) least: u64,
    pub(super) most: Option<u64>,
    pub(super) counters: Vec<Counter>,
    /// Whether two of the items to come must be equal.
    has_equal: bool,
}

impl Counter {
    fn at((ahead, formula): (u64, FormulaId)) -> Self {
        Counter {
            of: CountedBy::At(ahead, formula),
            min: 1,
            max: None,
        }
    }
}

impl Rules {
    /// Divides the values that satisfy `all` of some formulas into parts: within a part, either all
    /// values satisfy one of `others`, or none does. Each part is given as a formula.
    pub(crate) fn told_apart(
        &self,
        all: &[FormulaId],
        others: impl IntoIterator<Item = FormulaId>,
        cost: &dyn Fn(FormulaId) -> u64,
    ) -> Vec<FormulaId> {
        let formulas = &self.formulas;
        let mut parts = vec![formulas.and(all)];
        parts.retain(|&part| cost(part) != NEVER);
        for other in others {
            work::spend(8 * parts.len());
            let split = parts.iter().flat_map(|&part| {
                [other, formulas.not(other)].map(|side| formulas.and(&[part, side]))
            });
            parts = split.filter(|&part| cost(part) != NEVER).collect();
        }
        parts
    }

    /// The cheapest array of a formula about arrays, and whether its items must differ, if `cost`
    /// says what values cost.
    pub(crate) fn cheapest_array(
        &self,
        formula: FormulaId,
        cost: &dyn Fn(FormulaId) -> u64,
    ) -> Option<(ArrayCompletion, bool)> {
        let progress = ArrayProgress::default();
        let cost: &dyn Fn(FormulaId) -> u64 = &|item| self.separators.deeper(cost(item), 1);
        let completions = self.clauses(formula).iter().filter_map(|clause| {
            let nots: Vec<&[RuleId]> = clause.nots.iter().map(|not| &**not).collect();
            let question = ArrayGoal {
                rules: self,
                progress: &progress,
                holding: &clause.rules,
                nots: &nots,
                twin: None,
                cost,
            };
            let unique = self.has_unique(&clause.rules);
            Some((question.completion()?, unique))
        });
        completions.min_by_key(|(completion, _)| completion.cost)
    }
}

impl ArrayGoal<'_> {
    /// The cheapest completion.
    pub(crate) fn completion(&self) -> Option<ArrayCompletion> {
        let mut plain = PlainGoal {
            least: 0,
            most: None,
            counters: self.twin.into_iter().map(Counter::at).collect(),
            has_equal: false,
        };
        for &rule in self.holding {
            let hits = self.progress.hits(rule);
            let rule = self.rules.array(rule);
            plain.least = plain.least.max(rule.min);
            plain.most = [plain.most, rule.max].into_iter().flatten().min();
            if let Some(contains) = rule.contains {
                plain.counters.push(Counter {
                    of: CountedBy::Formula(self.rules.child(contains.child)),
                    min: contains.min.saturating_sub(hits),
                    max: match contains.max {
                        Some(max) => Some(max.checked_sub(hits)?),
                        None => None,
                    },
                });
            }
        }
        let mut best = BestCompletion::default();
        self.visit(plain, self.nots, &mut best);
        best.completion
    }

    fn visit(&self, plain: PlainGoal, nots: &[&[RuleId]], best: &mut BestCompletion) {
        if best.refined > REFINED {
            return;
        }
        work::spend(8 + plain.counters.len());
        let Some((not, rest)) = nots.split_first() else {
            match plain.has_equal {
                true => self.equal_pairs(&plain, |pair| self.consider(pair, best)),
                false => self.consider(&plain, best),
            }
            return;
        };
        for &rule in *not {
            for mode in self.modes(&plain, rule) {
                self.visit(mode, rest, best);
            }
        }
    }

    fn consider(&self, plain: &PlainGoal, best: &mut BestCompletion) {
        if best.refined > REFINED {
            return;
        }
        best.refined += usize::from(best.completion.is_some());
        let most = best.completion.as_ref().map_or(NEVER, |known| known.cost);
        if let Some(completion) = self.plain_ending(plain, most) {
            best.completion = Some(completion);
        }
    }

    /// The ways to make a rule fail.
    fn modes(&self, plain: &PlainGoal, id: RuleId) -> Vec<PlainGoal> {
        let rule = self.rules.array(id);
        let with = |change: &dyn Fn(&mut PlainGoal)| {
            let mut plain = plain.clone();
            change(&mut plain);
            plain
        };
        let count = |of: CountedBy, min: u64, max: Option<u64>| {
            with(&|plain| plain.counters.push(Counter { of, min, max }))
        };
        let mut out = Vec::new();
        if let Some(shorter) = rule.min.checked_sub(1) {
            let most = plain.most.map_or(shorter, |most| most.min(shorter));
            out.push(with(&|plain| plain.most = Some(most)));
        }
        if let Some(max) = rule.max {
            out.push(with(&|plain| plain.least = plain.least.max(max + 1)));
        }
        if let Some(contains) = rule.contains {
            let of = CountedBy::Formula(self.rules.child(contains.child));
            let hits = self.progress.hits(id);
            if let Some(fewer) = contains.min.checked_sub(1 + hits) {
                out.push(count(of, 0, Some(fewer)));
            }
            if let Some(max) = contains.max {
                out.push(count(of, (max + 1).saturating_sub(hits), None));
            }
        }
        let is_vacuous = rule.prefix.is_empty()
            && self.rules.item(id, 0) == FormulaId::TRUE
            && self.progress.seen.is_empty();
        if !is_vacuous {
            out.push(count(CountedBy::NotDemanded(id), 1, None));
        }
        if rule.unique && !self.rules.has_unique(self.holding) {
            out.push(with(&|plain| plain.has_equal = true));
        }
        out
    }

    /// Calls `with` with the goal in which a pair of the items to come is equal, for each pair that
    /// can be. What is counted of one item of the pair is then counted of the other as well. Of the
    /// items of which all rules demand the same, one pair is enough.
    fn equal_pairs(&self, plain: &PlainGoal, mut with: impl FnMut(&PlainGoal)) {
        let alike = self.alike(plain).saturating_sub(self.progress.count);
        for first in 0..=alike {
            for second in first + 1..=alike + 1 {
                let both = [first, second].map(|ahead| self.value(ahead));
                let counted = plain.counters.iter().flat_map(|counter| match counter.of {
                    CountedBy::Formula(formula) => vec![formula],
                    CountedBy::NotDemanded(rule) => [first, second]
                        .map(|ahead| self.progress.demand(self.rules, rule, ahead))
                        .to_vec(),
                    CountedBy::At(..) => Vec::new(),
                });
                for both in self.rules.told_apart(&both, counted, self.cost) {
                    let mut plain = plain.clone();
                    let ends = [first, second].map(|ahead| Counter::at((ahead, both)));
                    plain.counters.extend(ends);
                    with(&plain);
                }
            }
        }
    }

    /// The index from which on the rules demand the same of all items.
    pub(super) fn alike(&self, plain: &PlainGoal) -> u64 {
        let failing = plain
            .counters
            .iter()
            .filter_map(|counter| match counter.of {
                CountedBy::NotDemanded(rule) => Some(rule),
                CountedBy::Formula(_) | CountedBy::At(..) => None,
            });
        let rules = self.holding.iter().copied().chain(failing);
        let lengths = rules.map(|rule| self.rules.array(rule).prefix_length());
        lengths.max().unwrap_or(0)
    }

    /// What the rules that hold demand of the item to come that `ahead` others stand before.
    pub(super) fn value(&self, ahead: u64) -> FormulaId {
        let demands = self.holding.iter();
        let demands = demands.map(|&rule| self.progress.demand(self.rules, rule, ahead));
        let demands: Vec<FormulaId> = demands.collect();
        self.rules.formulas.and(&demands)
    }

    /// The cheapest completion, if it costs less than `most`.
    fn plain_ending(&self, plain: &PlainGoal, most: u64) -> Option<ArrayCompletion> {
        let count = self.progress.count;
        if plain.most.is_some_and(|most| plain.least.max(count) > most) {
            return None;
        }
        let unique = self.rules.has_unique(self.holding);
        let are_counted = !plain.counters.iter().all(|c| c.min == 0 && c.max.is_none());
        let mut items = match are_counted {
            true => self.counted(plain, false)?,
            false => self.uncounted(plain)?,
        };
        // What counts in one way may leave too few values for the others.
        if unique && are_counted && self.distinct(&items).is_none() {
            items = self.counted(plain, true)?;
        }
        let missing: u64 = items.iter().map(|item| item.1).sum();
        let around = self.rules.separators.around(count == 0, missing);
        let price = |bytes| add(bytes, around);
        let alike = items.iter().fold(0, |sum, &(item, times)| {
            add(sum, multiply((self.cost)(item), times))
        });
        // Items that must differ cost no less than these.
        if price(alike) >= most {
            return None;
        }
        let bytes = match unique {
            true => self.distinct(&items)?,
            false => alike,
        };
        let cost = price(bytes);
        (cost < most).then_some(ArrayCompletion { cost, items })
    }

    /// The fewest bytes of these items if no two may be equal; `None` if there are not so many
    /// values.
    pub(super) fn distinct(&self, items: &[(FormulaId, u64)]) -> Option<u64> {
        self.rules.distinct_bytes(items, self.cost)
    }

    /// The cheapest items to come, where only their number matters.
    fn uncounted(&self, plain: &PlainGoal) -> Option<Vec<(FormulaId, u64)>> {
        let (count, alike) = (self.progress.count, self.alike(plain));
        let mut items = Vec::new();
        for index in count..plain.least.min(alike) {
            items.push((self.value(index - count), 1));
        }
        let from = count.max(alike);
        if plain.least > from {
            items.push((self.value(from - count), plain.least - from));
        }
        let live = items.iter().all(|&(item, _)| (self.cost)(item) != NEVER);
        live.then_some(items)
    }
}
