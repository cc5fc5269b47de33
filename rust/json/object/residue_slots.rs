//! The order in which the keys of a formula are looked at.
//!
//! What belongs together stays together, so that few residues differ at a time: assertions come
//! before what is nested beside them, and alternatives of one condition before what it is made of.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::json::formula::{Formula, FormulaId, RuleId};
use crate::json::kind::Kind;
use crate::json::object::keys::{Key, KeyRank};
use crate::json::object::residue_builder::{Interest, ResidueBuilder};
use crate::json::object::residues::Slot;
use crate::json::texts::TextId;
use crate::work;

/// Undeclared keys of one class that come in order to break rules.
const MOST_FRESH: usize = 3;

/// If more rules than this tell the values of one key apart, a diagram is larger than what it saves.
const MOST_TOLD: usize = 200;

impl ResidueBuilder<'_> {
    /// The rules of a formula in an order that keeps together what belongs together: assertions
    /// before what is nested beside them.
    pub(super) fn visit(
        &mut self,
        id: FormulaId,
        negated: bool,
        order: &mut Vec<RuleId>,
        seen: &mut FxHashSet<(FormulaId, bool)>,
    ) {
        work::spend(2);
        if !seen.insert((id, negated)) {
            return;
        }
        let formulas = &self.rules.formulas;
        match formulas.get(id) {
            &Formula::Object(rule) => {
                if negated {
                    self.negative.insert(rule);
                }
                order.push(rule);
            }
            Formula::And(parts) | Formula::Or(parts) => {
                let is_nested = |&&part: &&FormulaId| self.is_nested(part);
                let (nested, plain): (Vec<FormulaId>, Vec<FormulaId>) =
                    parts.iter().partition(is_nested);
                for part in plain {
                    self.visit(part, negated, order, seen);
                }
                for alike in self.with_common_rules(&nested) {
                    // `if` this, then that, or else another: what depends on it comes first.
                    if alike.len() > 1 {
                        for &part in &alike {
                            self.visit_assertions(part, negated, order, seen);
                        }
                    }
                    for part in alike {
                        self.visit(part, negated, order, seen);
                    }
                }
            }
            &Formula::Not(part) => self.visit(part, !negated, order, seen),
            _ => {}
        }
    }

    /// The assertions of a formula that are not nested in it.
    fn visit_assertions(
        &mut self,
        id: FormulaId,
        negated: bool,
        order: &mut Vec<RuleId>,
        seen: &mut FxHashSet<(FormulaId, bool)>,
    ) {
        match self.rules.formulas.get(id) {
            Formula::And(parts) | Formula::Or(parts) => {
                work::spend(parts.len());
                for &part in parts {
                    if !self.is_nested(part) {
                        self.visit(part, negated, order, seen);
                    }
                }
            }
            &Formula::Not(part) => self.visit_assertions(part, !negated, order, seen),
            _ => {}
        }
    }

    /// Whether a formula is more than one assertion.
    pub(super) fn is_nested(&self, id: FormulaId) -> bool {
        match *self.rules.formulas.get(id) {
            Formula::Not(inner) => matches!(self.rules.formulas.get(inner), Formula::And(_)),
            Formula::And(_) | Formula::Or(_) => true,
            _ => false,
        }
    }

    /// Formulas, those together that have rules in common, as far as the first and the last tell.
    fn with_common_rules(&mut self, formulas: &[FormulaId]) -> Vec<Vec<FormulaId>> {
        let mut groups: Vec<Vec<FormulaId>> = Vec::new();
        let mut group_of: FxHashMap<RuleId, usize> = FxHashMap::default();
        for &formula in formulas {
            let (first, last) = self.span(formula);
            let known = [first, last].iter().find_map(|rule| group_of.get(rule));
            let group = known.copied().unwrap_or(groups.len());
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push(formula);
            group_of.entry(first).or_insert(group);
            group_of.entry(last).or_insert(group);
        }
        groups
    }

    /// The first and the last of a formula's rules, by their numbers.
    fn span(&mut self, id: FormulaId) -> (RuleId, RuleId) {
        if let Some(&known) = self.spans.get(&id) {
            return known;
        }
        work::spend(2);
        let span = match self.rules.formulas.get(id) {
            &Formula::Object(rule) => (rule, rule),
            Formula::And(parts) | Formula::Or(parts) => {
                let spans = parts.iter().map(|&part| self.span(part));
                spans.fold((RuleId::LAST, RuleId::FIRST), |a, b| {
                    (a.0.min(b.0), a.1.max(b.1))
                })
            }
            &Formula::Not(part) => self.span(part),
            _ => (RuleId::LAST, RuleId::FIRST),
        };
        self.spans.insert(id, span);
        span
    }

    fn slot(&mut self, slot: Slot) -> usize {
        let slots = &mut self.slots;
        *self.slot_of.entry(slot).or_insert_with(|| {
            slots.push(slot);
            slots.len() - 1
        })
    }

    /// Numbers the keys that rules look at, and finds out what they want of them.
    pub(super) fn find_slots(
        &mut self,
        order: &[RuleId],
        fixed: &mut Vec<(Key, FormulaId)>,
    ) -> Option<()> {
        let shape = self.shape;
        for class in 0..shape.classes.len() as u16 {
            self.find_class(order, class)?;
        }
        // Rules that hold in any case name the most keys, and none of their own doing.
        let (certain, others): (Vec<RuleId>, Vec<RuleId>) =
            order.iter().partition(|rule| self.certain.contains(rule));
        self.find_named(&others)?;
        let mut is_fixed = FxHashSet::default();
        for &rule in &certain {
            self.interests.entry(rule).or_default();
            let required = shape.required(rule);
            let declared = required.declared.iter().map(|&rank| Key::Declared(rank));
            for key in declared.chain(required.others.iter().copied()) {
                work::spend(1);
                if let Some(&slot) = self.slot_of.get(&Slot::Key(key)) {
                    let interests = self.interests.entry(rule).or_default();
                    interests.push(Interest {
                        slot,
                        demand: FormulaId::TRUE,
                        required: true,
                    });
                } else if is_fixed.insert(key) {
                    fixed.push((key, self.base(key)));
                }
            }
        }
        for rule in order {
            let interests = self.interests.entry(*rule).or_default();
            interests.sort_by_key(|interest| interest.slot);
            interests.dedup_by_key(|interest| interest.slot);
        }
        Some(())
    }

    /// What rules that may fail want of the keys that some rule names.
    fn find_named(&mut self, rules: &[RuleId]) -> Option<()> {
        let shape = self.shape;
        let declared = shape.ranks_from(KeyRank(0)).map(Key::Declared);
        let all: Vec<Key> = declared.chain(shape.wanted.iter().copied()).collect();
        let mut told: FxHashMap<Key, usize> = FxHashMap::default();
        for &rule in rules {
            work::spend(2 * all.len());
            let required = shape.required(rule);
            let demanded = all.iter().filter_map(|&key| {
                let demand = shape.demand(self.rules, rule, key);
                let required = match key {
                    Key::Declared(rank) => required.declared.contains(&rank),
                    other => required.others.contains(&other),
                };
                (demand != FormulaId::TRUE || required).then_some((key, demand, required))
            });
            for (key, demand, required) in demanded.collect::<Vec<_>>() {
                if !self.tells_only_kinds(demand) {
                    let told = told.entry(key).or_default();
                    *told += 1;
                    if *told > MOST_TOLD || !self.is_soon_weighed(demand) {
                        return None;
                    }
                }
                let slot = self.slot(Slot::Key(key));
                let interests = self.interests.entry(rule).or_default();
                interests.push(Interest {
                    slot,
                    demand,
                    required,
                });
            }
        }
        Some(())
    }

    /// What rules want of keys that none of them names.
    fn find_class(&mut self, order: &[RuleId], class: u16) -> Option<()> {
        let any = Key::Other(TextId::WHATEVER, class);
        let mut breakable = FxHashSet::default();
        let mut wants = Vec::new();
        for &rule in order.iter().filter(|rule| !self.certain.contains(rule)) {
            let demand = self.shape.demand(self.rules, rule, any);
            if !self.is_soon_weighed(demand) {
                return None;
            }
            if demand != FormulaId::TRUE && !wants.contains(&(rule, demand)) {
                wants.push((rule, demand));
                if self.negative.contains(&rule) {
                    breakable.insert(demand);
                }
            }
            work::spend(1 + wants.len());
        }
        if wants.is_empty() {
            return Some(());
        }
        if breakable.len() > MOST_FRESH {
            return None;
        }
        let fresh = (0..breakable.len()).map(|number| Slot::Fresh(class, number));
        for slot in std::iter::once(Slot::Next(class)).chain(fresh) {
            let slot = self.slot(slot);
            for &(rule, demand) in &wants {
                let interests = self.interests.entry(rule).or_default();
                interests.push(Interest {
                    slot,
                    demand,
                    required: false,
                });
            }
        }
        Some(())
    }

    /// Whether a demand tells nothing apart but kinds of values.
    fn tells_only_kinds(&self, demand: FormulaId) -> bool {
        Kind::ALL.into_iter().all(|kind| {
            let of_kind = self.rules.formulas.of_kind(demand, kind);
            of_kind == FormulaId::TRUE || of_kind == FormulaId::FALSE
        })
    }

    /// Whether a demand tells nothing apart but kinds of values, numbers and single strings: a diagram
    /// weighs all values that tell its steps apart, also those that a search for one completion
    /// would never look at.
    fn is_soon_weighed(&self, demand: FormulaId) -> bool {
        Kind::ALL.into_iter().all(|kind| {
            let of_kind = self.rules.formulas.of_kind(demand, kind);
            match *self.rules.formulas.get(of_kind) {
                Formula::Text(language) => self.rules.scanner.regexes.is_words(language),
                Formula::Number(_) => true,
                _ => of_kind == FormulaId::TRUE || of_kind == FormulaId::FALSE,
            }
        })
    }
}
