//! Whether a value that satisfies a formula exists, and the fewest bytes that write one.
//!
//! The cost of a formula is a least fixpoint over the costs of the values that an object or array
//! must contain: what can only be satisfied by an infinite value has no finite cost, and so is
//! never offered.

use std::cell::RefCell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::json::cost::{NEVER, add};
use crate::json::formula::{Formula, FormulaId};
use crate::json::kind::Kind;
use crate::json::object::completion::ObjectCompletion;
use crate::json::object::completion::REFINED;
use crate::json::object::goal::ObjectGoal;
use crate::json::object::progress::ObjectProgress;
use crate::json::object::residue_steps::ResidueCourse;
use crate::json::object::shape::Shape;
use crate::json::rules::Rules;
use crate::regex::char_cost::NO_WAY;
use crate::regex::node::Spelling;
use crate::work;

/// Once the look at a formula has met so many formulas of unknown cost, it asks for no more of
/// them; it is repeated when these are known.
const AT_ONCE: usize = 4;

/// Costs as known so far: upper bounds that sink to the least fixpoint.
#[derive(Default)]
struct Costs {
    known: FxHashMap<FormulaId, u64>,
    /// For each formula, those whose costs depend on its cost.
    users: FxHashMap<FormulaId, FxHashSet<FormulaId>>,
    /// The formulas that are still to be looked at, for the first time or again.
    open: Vec<FormulaId>,
    is_open: FxHashSet<FormulaId>,
    /// How many formulas of unknown cost the present look has met. What it does without their costs
    /// is mostly in vain, so it soon asks for no others.
    waiting: usize,
}

impl Costs {
    fn look_at(&mut self, id: FormulaId) {
        if self.is_open.insert(id) {
            self.open.push(id);
        }
    }

    fn of(&mut self, id: FormulaId, user: FormulaId) -> u64 {
        self.users.entry(id).or_default().insert(user);
        if let Some(&known) = self.known.get(&id) {
            return known;
        }
        if self.waiting < AT_ONCE {
            self.waiting += 1;
            self.look_at(user);
            self.known.insert(id, NEVER);
            self.look_at(id);
        }
        NEVER
    }
}

impl Rules {
    /// The fewest bytes of a value of a formula; [`NEVER`] if there is none.
    pub(crate) fn cost(&self, id: FormulaId) -> u64 {
        if let Some(cost) = self.direct_cost(id) {
            return cost;
        }
        let costs = RefCell::new(Costs::default());
        costs.borrow_mut().known.insert(id, NEVER);
        costs.borrow_mut().look_at(id);
        loop {
            let next = costs.borrow_mut().open.pop();
            let Some(next) = next else { break };
            costs.borrow_mut().is_open.remove(&next);
            costs.borrow_mut().waiting = 0;
            work::spend(8);
            if let Some(&place) = self.places.get(&next) {
                work::at(Some(place));
            }
            let look_up = |part: FormulaId| match self.direct_cost(part) {
                Some(cost) => cost,
                None => costs.borrow_mut().of(part, next),
            };
            let ways = Kind::ALL
                .iter()
                .map(|&kind| self.look(next, kind, &look_up));
            let best = ways.min().unwrap_or(NEVER);
            let costs = &mut *costs.borrow_mut();
            if best < costs.known[&next] {
                costs.known.insert(next, best);
                let users: Vec<_> = costs
                    .users
                    .get(&next)
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect();
                users.into_iter().for_each(|user| costs.look_at(user));
            }
        }
        for (formula, cost) in costs.into_inner().known {
            self.formulas.cost_memo(formula).get_or_init(|| cost);
        }
        *self.formulas.cost_memo(id).get().expect("it was just set")
    }

    /// What a formula's values cost at least inside an array or object.
    pub(crate) fn cost_inside(&self, id: FormulaId) -> u64 {
        self.separators.deeper(self.cost(id), 1)
    }

    /// The cost of a formula, if it is known or depends on no other formula's.
    fn direct_cost(&self, id: FormulaId) -> Option<u64> {
        let memo = self.formulas.cost_memo(id);
        memo.get().copied().or_else(|| {
            let cost = self.plain_cost(id)?;
            Some(*memo.get_or_init(|| cost))
        })
    }

    /// The cost of a formula that binds neither arrays nor objects.
    fn plain_cost(&self, id: FormulaId) -> Option<u64> {
        let mut best = NEVER;
        for kind in [Kind::Array, Kind::Object] {
            match self.formulas.of_kind(id, kind) {
                FormulaId::FALSE => {}
                // The empty one.
                FormulaId::TRUE => best = 2,
                _ => return None,
            }
        }
        let scalars = Kind::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, Kind::Array | Kind::Object));
        let costs = scalars.map(|kind| self.look(id, kind, &|_| NEVER));
        costs.chain([best]).min()
    }

    /// The fewest bytes of a value of one kind.
    pub(crate) fn cost_of_kind(&self, id: FormulaId, kind: Kind) -> u64 {
        let of_kind = self.formulas.of_kind(id, kind);
        let is_kind = self.formulas.assertion(Formula::Kinds(kind.bit()));
        self.cost(self.formulas.and(&[is_kind, of_kind]))
    }

    /// The fewest bytes of a value of one kind, if `cost` says what others cost.
    fn look(&self, id: FormulaId, kind: Kind, cost: &dyn Fn(FormulaId) -> u64) -> u64 {
        let id = self.formulas.of_kind(id, kind);
        if id == FormulaId::FALSE {
            return NEVER;
        }
        let widen = |cost: u32, more: u64| match cost {
            NO_WAY => NEVER,
            bytes => u64::from(bytes) + more,
        };
        let regexes = &self.scanner.regexes;
        match kind {
            Kind::Null | Kind::True | Kind::False => kind.literal_bytes() as u64,
            Kind::Number => widen(regexes.cost(self.written_numbers(id), Spelling::Raw), 0),
            Kind::String => widen(regexes.cost(self.string_language(id), Spelling::Json), 2),
            Kind::Array => {
                let cheapest = self.cheapest_array(id, cost);
                cheapest.map_or(NEVER, |(completion, _)| add(completion.cost, 1))
            }
            Kind::Object => {
                let cheapest = self.cheapest_object(id, cost);
                cheapest.map_or(NEVER, |(completion, _)| add(completion.cost, 1))
            }
        }
    }
}

impl Rules {
    /// The cheapest object of a formula about objects, and its shape, if `cost` says what values
    /// cost.
    pub(crate) fn cheapest_object(
        &self,
        formula: FormulaId,
        cost: &dyn Fn(FormulaId) -> u64,
    ) -> Option<(ObjectCompletion, &Shape)> {
        let (_, shape) = self.shape(&self.formulas.rules([formula]));
        let progress = ObjectProgress::nothing(shape, false);
        let cost: &dyn Fn(FormulaId) -> u64 = &|member| self.separators.deeper(cost(member), 1);
        if let Some(residues) = self.residues(shape, formula) {
            let course = ResidueCourse::new((self, shape), residues, &progress, false, cost);
            return Some((course.completion()?, shape));
        }
        let completions = self.clauses(formula).iter().filter_map(|clause| {
            let question = ObjectGoal {
                rules: self,
                shape,
                progress: &progress,
                clause,
                cost,
                refinements: REFINED,
            };
            question.completion()
        });
        let completion = completions.min_by_key(|completion| completion.cost)?;
        Some((completion, shape))
    }
}
