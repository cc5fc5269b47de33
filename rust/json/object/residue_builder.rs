//! The making of the diagram of a formula's residues.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::json::formula::{Clause, Formula, FormulaId, RuleId};
use crate::json::object::keys::Key;
use crate::json::object::residues::{ResidueChoice, ResidueStep, ResidueTarget, Residues, Slot};
use crate::json::object::shape::Shape;
use crate::json::rules::Rules;
use crate::json::texts::TextId;
use crate::work;

/// A formula with more clauses than this is followed by its residues, if it can be, and not clause
/// by clause.
const UNFOLDED: usize = 512;

/// How many steps a diagram may have.
const MOST_STEPS: usize = 4096;

/// How many different things the value of one key may do to the rules.
const MOST_CHOICES: usize = 256;

/// Only so few parts of a formula are compared with each other's negations.
const FEW: usize = 4;

/// What a rule wants of a key.
#[derive(Clone, Copy)]
pub(super) struct Interest {
    pub(super) slot: usize,
    pub(super) demand: FormulaId,
    pub(super) required: bool,
}

/// What is decided about the demands on a value.
#[derive(Clone)]
struct ValueWay {
    /// What the value satisfies in any case, and what is satisfied.
    holds: Vec<FormulaId>,
    /// What it must satisfy for that.
    satisfied: Vec<FormulaId>,
    /// The demands that it does not satisfy.
    broken: Vec<FormulaId>,
}

pub(super) struct ResidueBuilder<'a> {
    pub(super) rules: &'a Rules,
    pub(super) shape: &'a Shape,
    /// The rules that hold in any case, in order.
    pub(super) certain: Vec<RuleId>,
    /// Rules that must fail somewhere.
    pub(super) negative: FxHashSet<RuleId>,
    pub(super) slots: Vec<Slot>,
    pub(super) slot_of: FxHashMap<Slot, usize>,
    /// What each rule wants of keys, by rising slots.
    pub(super) interests: FxHashMap<RuleId, Vec<Interest>>,
    /// The first and the last rules of formulas.
    pub(super) spans: FxHashMap<FormulaId, (RuleId, RuleId)>,
    /// The first slots that formulas look at.
    pub(super) first: FxHashMap<FormulaId, usize>,
    pub(super) steps: Vec<ResidueStep>,
    /// The steps of each slot.
    pub(super) known: Vec<Vec<(FormulaId, u32)>>,
    pub(super) numbers: FxHashMap<(usize, FormulaId), u32>,
}

impl Rules {
    /// The ways in which a formula about objects can hold, if it is better followed key by key than
    /// clause by clause, and can be.
    pub(crate) fn residues(&self, shape: &Shape, formula: FormulaId) -> Option<Arc<Residues>> {
        if !self.is_nested(formula) {
            return None;
        }
        if let Some(known) = shape.residues.lock().get(&formula) {
            return known.clone();
        }
        let found = ResidueBuilder::new(self, shape).build(formula);
        let bytes = found.as_ref().map_or(0, Residues::bytes);
        work::hold(64 + bytes);
        let found = found.map(Arc::new);
        shape.residues.lock().insert(formula, found.clone());
        found
    }

    /// Whether a formula is more than alternatives of rules that hold. Where a few must fail for their
    /// values, the search for a completion looks at fewer values than a diagram does.
    fn is_nested(&self, formula: FormulaId) -> bool {
        let is_nested = |clause: &Clause| {
            let mut failing = clause.nots.iter().flatten().peekable();
            !clause.ors.is_empty()
                || failing.peek().is_some() && !failing.any(|&rule| self.tells_values(rule))
        };
        match self.formulas.get(formula) {
            Formula::And(_) | Formula::Or(_) | Formula::Not(_) => {
                self.count_clauses(formula) > UNFOLDED
                    || self.clauses(formula).iter().any(is_nested)
            }
            _ => false,
        }
    }
}

impl<'a> ResidueBuilder<'a> {
    fn new(rules: &'a Rules, shape: &'a Shape) -> Self {
        ResidueBuilder {
            rules,
            shape,
            certain: Vec::new(),
            negative: FxHashSet::default(),
            slots: Vec::new(),
            slot_of: FxHashMap::default(),
            interests: FxHashMap::default(),
            spans: FxHashMap::default(),
            first: FxHashMap::default(),
            steps: Vec::new(),
            known: Vec::new(),
            numbers: FxHashMap::default(),
        }
    }

    fn build(mut self, formula: FormulaId) -> Option<Residues> {
        let mut order = Vec::new();
        self.visit(formula, false, &mut order, &mut FxHashSet::default());
        let is_counted = |&rule: &RuleId| {
            let rule = self.rules.object(rule);
            rule.has_counts() || !rule.dependent.is_empty()
        };
        if order.iter().any(is_counted) {
            return None;
        }
        let certain = self.rules.formulas.certain_rules(formula);
        let all = self.rules.formulas.rules([formula]).into_iter();
        self.certain = all.filter(|rule| certain.contains(rule)).collect();
        let mut fixed = Vec::new();
        self.find_slots(&order, &mut fixed)?;
        self.known = vec![Vec::new(); self.slots.len()];
        let formula = self
            .rules
            .formulas
            .substitute(
                formula,
                &|rule, own| match self.interests[&rule].is_empty() {
                    true => FormulaId::TRUE,
                    false => own,
                },
            );
        let start = self.target(formula, 0);
        for slot in 0..self.slots.len() {
            for at in 0..self.known[slot].len() {
                let (formula, number) = self.known[slot][at];
                self.expand(formula, slot, number as usize)?;
            }
        }
        Some(self.sorted(start, fixed))
    }

    /// The finished diagram, its steps by rising slots.
    fn sorted(self, start: ResidueTarget, fixed: Vec<(Key, FormulaId)>) -> Residues {
        let mut place = vec![0; self.steps.len()];
        let in_order = self.known.iter().flatten().map(|known| known.1);
        for (new, old) in in_order.enumerate() {
            place[old as usize] = new as u32;
        }
        let moved = |to: ResidueTarget| match to {
            ResidueTarget::Step(step) => ResidueTarget::Step(place[step as usize]),
            other => other,
        };
        let mut steps = self.steps;
        for step in &mut steps {
            step.absent = moved(step.absent);
            step.kept = moved(step.kept);
            for choice in &mut step.choices {
                choice.to = moved(choice.to);
            }
        }
        steps.sort_by_key(|step| step.slot);
        Residues {
            slots: self.slots,
            slot_of: self.slot_of,
            steps,
            start: moved(start),
            fixed,
            certain: self.certain,
        }
    }

    /// What the value of a key must satisfy in any case.
    pub(super) fn base(&self, key: Key) -> FormulaId {
        let demands = self.shape.demands(self.rules, &self.certain, key);
        self.rules.formulas.and(&demands)
    }

    /// The first slot that a formula looks at.
    fn first(&mut self, id: FormulaId) -> usize {
        if let Some(&known) = self.first.get(&id) {
            return known;
        }
        work::spend(2);
        let first = match self.rules.formulas.get(id) {
            Formula::Object(rule) => {
                let interests = &self.interests[rule];
                interests.first().map_or(usize::MAX, |one| one.slot)
            }
            Formula::And(parts) | Formula::Or(parts) => {
                let firsts = parts.iter().map(|&part| self.first(part));
                firsts.min().unwrap_or(usize::MAX)
            }
            &Formula::Not(part) => self.first(part),
            _ => usize::MAX,
        };
        self.first.insert(id, first);
        first
    }

    /// The step at which a residue goes on from a slot.
    fn target(&mut self, id: FormulaId, from: usize) -> ResidueTarget {
        match id {
            FormulaId::TRUE => return ResidueTarget::Done,
            FormulaId::FALSE => return ResidueTarget::Dead,
            _ => {}
        }
        let mut slot = self.first(id).max(from);
        while self.interested(id, slot).is_empty() {
            slot += 1;
        }
        let next = self.steps.len() as u32;
        let number = *self.numbers.entry((slot, id)).or_insert(next);
        if number == next {
            self.known[slot].push((id, number));
            self.steps.push(ResidueStep {
                slot,
                absent: ResidueTarget::Dead,
                kept: ResidueTarget::Dead,
                choices: Vec::new(),
            });
        }
        ResidueTarget::Step(number)
    }

    /// The rules of a residue that look at a slot, with what they want there.
    fn interested(&mut self, id: FormulaId, slot: usize) -> Vec<(RuleId, Interest)> {
        let mut out = Vec::new();
        let mut seen = FxHashSet::default();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            work::spend(2);
            if self.first(id) > slot || !seen.insert(id) {
                continue;
            }
            match self.rules.formulas.get(id) {
                &Formula::Object(rule) => {
                    let interests = &self.interests[&rule];
                    if let Ok(at) = interests.binary_search_by_key(&slot, |one| one.slot) {
                        out.push((rule, interests[at]));
                    }
                }
                Formula::And(parts) | Formula::Or(parts) => stack.extend(parts.iter().copied()),
                &Formula::Not(part) => stack.push(part),
                _ => {}
            }
        }
        out.sort_unstable_by_key(|(rule, _)| *rule);
        out
    }

    /// What is left of a residue behind a slot, if these of its rules fail there.
    fn residue(&mut self, id: FormulaId, slot: usize, fails: &FxHashSet<RuleId>) -> FormulaId {
        self.residue_known(id, slot, fails, &mut FxHashMap::default())
    }

    fn residue_known(
        &mut self,
        id: FormulaId,
        slot: usize,
        fails: &FxHashSet<RuleId>,
        known: &mut FxHashMap<FormulaId, FormulaId>,
    ) -> FormulaId {
        if self.first(id) > slot {
            return id;
        }
        if let Some(&known) = known.get(&id) {
            return known;
        }
        work::spend(2);
        let formulas = &self.rules.formulas;
        let residue = match formulas.get(id) {
            Formula::Object(rule) => match self.interests[rule].last() {
                _ if fails.contains(rule) => FormulaId::FALSE,
                Some(last) if last.slot <= slot => FormulaId::TRUE,
                _ => id,
            },
            Formula::And(parts) | Formula::Or(parts) => {
                let is_or = matches!(formulas.get(id), Formula::Or(_));
                let mut rest = Vec::with_capacity(parts.len());
                for &part in parts {
                    rest.push(self.residue_known(part, slot, fails, known));
                }
                match is_or {
                    true if self.holds_opposites(&rest) => FormulaId::TRUE,
                    true => formulas.or(&rest),
                    false if self.holds_opposites(&rest) => FormulaId::FALSE,
                    false => formulas.and(&rest),
                }
            }
            &Formula::Not(part) => formulas.not(self.residue_known(part, slot, fails, known)),
            _ => id,
        };
        known.insert(id, residue);
        residue
    }

    /// Whether one of a few residues is the negation of another.
    fn holds_opposites(&self, parts: &[FormulaId]) -> bool {
        let formulas = &self.rules.formulas;
        let is_nested = |part: &FormulaId| self.is_nested(*part);
        parts.len() <= FEW
            && parts.iter().filter(|part| is_nested(part)).count() > 1
            && parts
                .iter()
                .any(|&part| parts.contains(&formulas.not(part)))
    }

    /// Finds out what becomes of a residue with a key.
    fn expand(&mut self, id: FormulaId, slot: usize, number: usize) -> Option<()> {
        if self.steps.len() > MOST_STEPS {
            return None;
        }
        let interested = self.interested(id, slot);
        let requiring = interested.iter().filter(|(_, interest)| interest.required);
        let requiring: FxHashSet<RuleId> = requiring.map(|(rule, _)| *rule).collect();
        let kept = self.residue(id, slot, &FxHashSet::default());
        let absent = self.residue(id, slot, &requiring);
        let key = match self.slots[slot] {
            Slot::Key(key) => key,
            Slot::Next(class) | Slot::Fresh(class, _) => Key::Other(TextId::WHATEVER, class),
        };
        let base = self.base(key);
        let mut choices: Vec<ResidueChoice> = Vec::new();
        for (demands, fails) in self.choices(&interested, base)? {
            let residue = self.residue(id, slot, &fails);
            let to = self.target(residue, slot + 1);
            if to != ResidueTarget::Dead {
                let value = self.rules.formulas.and(&[&[base], &demands[..]].concat());
                if value != FormulaId::FALSE {
                    choices.push(ResidueChoice { demands, value, to });
                }
            }
        }
        self.steps[number].absent = self.target(absent, slot + 1);
        self.steps[number].kept = self.target(kept, slot + 1);
        self.steps[number].choices = self.merged(base, choices);
        Some(())
    }

    /// What the value of a key can do to the rules that look at it: what it satisfies for that, and
    /// which rules fail then.
    fn choices(
        &self,
        interested: &[(RuleId, Interest)],
        base: FormulaId,
    ) -> Option<Vec<(Vec<FormulaId>, FxHashSet<RuleId>)>> {
        let mut demands: Vec<FormulaId> = Vec::new();
        for (_, interest) in interested {
            if interest.demand != FormulaId::TRUE && !demands.contains(&interest.demand) {
                demands.push(interest.demand);
            }
            work::spend(1 + demands.len());
        }
        let given = match self.rules.formulas.get(base) {
            Formula::And(parts) => parts.to_vec(),
            _ => vec![base],
        };
        let mut ways = vec![ValueWay {
            holds: given,
            satisfied: Vec::new(),
            broken: Vec::new(),
        }];
        for demand in demands {
            let is_broken = interested
                .iter()
                .any(|(rule, interest)| interest.demand == demand && self.negative.contains(rule));
            let mut next = Vec::new();
            for way in ways {
                self.decide(way, demand, is_broken, &mut next);
            }
            if next.len() > MOST_CHOICES {
                return None;
            }
            ways = next;
        }
        let failing = |broken: &[FormulaId]| {
            let fails = interested
                .iter()
                .filter(|(_, interest)| broken.contains(&interest.demand));
            fails.map(|(rule, _)| *rule).collect()
        };
        work::spend(ways.len() * interested.len());
        Some(
            ways.into_iter()
                .map(|way| (way.satisfied, failing(&way.broken)))
                .collect(),
        )
    }

    /// Adds the ways in which a value satisfies a demand, or does not. Only if the demand `is_broken` by
    /// some rule is it said that it does not.
    fn decide(&self, way: ValueWay, demand: FormulaId, is_broken: bool, out: &mut Vec<ValueWay>) {
        work::spend(4 + way.holds.len() + way.satisfied.len() + way.broken.len());
        let excludes = |&one: &FormulaId| self.rules.excludes(one, demand, 1);
        if way.holds.contains(&demand) && demand != FormulaId::FALSE {
            out.push(way);
            return;
        }
        let mut denied = way.clone();
        denied.broken.push(demand);
        if demand == FormulaId::FALSE || way.holds.iter().any(excludes) {
            out.push(denied);
            return;
        }
        if is_broken {
            denied.satisfied.push(self.rules.formulas.not(demand));
        }
        out.push(denied);
        // What this one excludes anyway need not be denied.
        let mut met = way;
        let broken = &met.broken;
        met.satisfied.retain(|&one| {
            let inner = self.rules.formulas.not(one);
            !broken.contains(&inner) || !self.rules.excludes(inner, demand, 1)
        });
        met.satisfied.push(demand);
        met.holds.push(demand);
        out.push(met);
    }

    /// Choices without those that demand more than others and lead nowhere else.
    fn merged(&self, base: FormulaId, choices: Vec<ResidueChoice>) -> Vec<ResidueChoice> {
        let mut by_target: Vec<(ResidueTarget, Vec<Vec<FormulaId>>)> = Vec::new();
        for choice in choices {
            work::spend(1 + by_target.len());
            match by_target.iter_mut().find(|(to, _)| *to == choice.to) {
                Some((_, all)) => all.push(choice.demands),
                None => by_target.push((choice.to, vec![choice.demands])),
            }
        }
        let formulas = &self.rules.formulas;
        let mut out = Vec::new();
        for (to, all) in by_target {
            for demands in self.rules.least(all) {
                let value = formulas.and(&[&[base], &demands[..]].concat());
                out.push(ResidueChoice { demands, value, to });
            }
        }
        out
    }
}
