//! What rules demand of the values of the keys of an object.

use std::sync::Arc;

use crate::json::cost::key_bytes;
use crate::json::formula::{FormulaId, RuleId};
use crate::json::object::keys::Key;
use crate::json::object::shape::{KeyClass, Shape};
use crate::json::rules::Rules;
use crate::regex::node::{NodeId, Spelling};
use crate::work;

impl Shape {
    /// The key of a text. One that is in no class, for want of room for classes, has a class of its
    /// own, which no rule allows.
    pub(crate) fn key(&self, rules: &Rules, text: &str) -> Key {
        if let Some(rank) = self.rank(text) {
            return Key::Declared(rank);
        }
        let regexes = &rules.scanner.regexes;
        let is_in = |class: &KeyClass| regexes.matches(class.language, text);
        let class = match self.is_scanned() {
            false => 0,
            true => self
                .classes
                .iter()
                .position(is_in)
                .unwrap_or(self.classes.len()),
        };
        Key::Other(rules.texts.text(text), class as u16)
    }

    /// The bytes of a key with its quotes.
    pub(super) fn name_bytes(&self, rules: &Rules, key: Key) -> u64 {
        match key {
            Key::Declared(rank) => self.key_bytes[rank.index()],
            Key::Other(text, _) => key_bytes(&rules.texts.spell(text)),
        }
    }

    /// Whether a class has so many keys that it makes no difference which of them have come, in an
    /// object that holds `others` undeclared keys.
    pub(crate) fn is_plentiful(&self, rules: &Rules, class: u16, others: usize) -> bool {
        let find = || {
            let classes = self.classes.iter();
            classes.map(|c| is_plentiful(rules, c.language)).collect()
        };
        (others as u64) < PLENTY / 2 && self.plentiful.get_or_init(find)[usize::from(class)]
    }

    /// The cheapest keys of a class, so many or more if it has as many.
    pub(crate) fn cheapest_keys(&self, rules: &Rules, class: u16, most: usize) -> Arc<[Key]> {
        // Rounded, so that an object that grows does not search anew for each key.
        let most = most.next_power_of_two();
        if let Some(known) = self.cheapest.lock().get(&(class, most)) {
            return known.clone();
        }
        let regexes = &rules.scanner.regexes;
        let language = match self.classes.get(usize::from(class)) {
            // Declared keys are told apart from those that are not by a table.
            Some(all) if all.language == NodeId::ANY => regexes.not(regexes.words(&self.keys)),
            Some(class) => class.language,
            None => NodeId::NEVER,
        };
        let words = regexes.cheapest_words(language, most, Spelling::Json);
        let keys = words
            .iter()
            .map(|word| Key::Other(rules.texts.text(word), class));
        let keys: Arc<[Key]> = keys.collect();
        self.cheapest
            .lock()
            .entry((class, most))
            .or_insert(keys)
            .clone()
    }

    /// What a rule demands of the value of a key.
    pub(crate) fn demand(&self, rules: &Rules, rule: RuleId, key: Key) -> FormulaId {
        match key {
            Key::Declared(rank) => match self.demands.get(&rule) {
                Some(demands) => demands[rank.index()],
                None => rules.property(rule, &self.keys[rank.index()]),
            },
            Key::Other(text, class) => {
                if !self.of_words.is_empty()
                    && let Some(&demand) = self.of_words.get(&(rule, text))
                {
                    return demand;
                }
                match self.classes.get(usize::from(class)) {
                    Some(class) => class.demands[&rule],
                    None => FormulaId::FALSE,
                }
            }
        }
    }

    /// Whether a member breaks one of some rules for sure: its value excludes what the rule demands.
    pub(crate) fn breaks(&self, rules: &Rules, of: &[RuleId], key: Key, value: FormulaId) -> bool {
        work::spend(of.len());
        of.iter().any(|&rule| {
            let demand = self.demand(rules, rule, key);
            demand == FormulaId::FALSE
                || demand != FormulaId::TRUE && rules.excludes(value, demand, 1)
        })
    }

    /// What some rules demand of the value of a key.
    pub(crate) fn demands(&self, rules: &Rules, of: &[RuleId], key: Key) -> Vec<FormulaId> {
        work::spend(of.len());
        of.iter()
            .map(|&rule| self.demand(rules, rule, key))
            .collect()
    }
}

/// So many keys of a class are plenty: see [`Shape::is_plentiful`].
const PLENTY: u64 = 256;

fn is_plentiful(rules: &Rules, language: NodeId) -> bool {
    /// Units of work that counting keys may take. Where it takes more, the answer would not pay for
    /// itself, and the class counts as one with few keys.
    const UNITS: u64 = 1 << 16;
    let has_plenty = || rules.scanner.regexes.has_words(language, PLENTY);
    language == NodeId::ANY || work::attempt(UNITS, has_plenty).unwrap_or(false)
}
