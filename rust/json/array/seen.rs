//! The items of a `uniqueItems` array that have been read: a later one must differ from them.

use crate::json::formula::{Formula, FormulaId};
use crate::json::kind::Kind;
use crate::json::rules::Rules;
use crate::regex::node::NodeId;

/// Values that have been seen: strings and numbers as one language each, so that excluding them is one
/// demand however many they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeenValues {
    strings: NodeId,
    numbers: NodeId,
    /// Formulas of all other values. Sorted.
    others: Box<[FormulaId]>,
    /// How many there are.
    count: u64,
}

impl Default for SeenValues {
    fn default() -> Self {
        SeenValues {
            strings: NodeId::NEVER,
            numbers: NodeId::NEVER,
            others: Box::default(),
            count: 0,
        }
    }
}

impl SeenValues {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Adds a value, as the formula of just that value.
    pub(crate) fn insert(&mut self, rules: &Rules, value: FormulaId) {
        let regexes = &rules.scanner.regexes;
        let of_kind = |kind| rules.formulas.of_kind(value, kind);
        match (
            rules.formulas.get(of_kind(Kind::String)),
            rules.formulas.get(of_kind(Kind::Number)),
        ) {
            (&Formula::Text(word), _) => {
                let strings = regexes.or(vec![self.strings, word]);
                self.count += u64::from(strings != self.strings);
                self.strings = strings;
            }
            (_, &Formula::Number(number)) => {
                let numbers = regexes.unite_points(self.numbers, number);
                let numbers = numbers.expect("a value is a single number");
                self.count += u64::from(numbers != self.numbers);
                self.numbers = numbers;
            }
            _ => {
                if let Err(at) = self.others.binary_search(&value) {
                    let mut others = std::mem::take(&mut self.others).into_vec();
                    others.insert(at, value);
                    self.others = others.into();
                    self.count += 1;
                }
            }
        }
    }

    /// Adds what a value must satisfy that differs from all.
    pub(crate) fn exclude(&self, rules: &Rules, parts: &mut Vec<FormulaId>) {
        let (formulas, regexes) = (&rules.formulas, &rules.scanner.regexes);
        if self.strings != NodeId::NEVER {
            parts.push(formulas.assertion(Formula::Text(regexes.not(self.strings))));
        }
        if self.numbers != NodeId::NEVER {
            let others = regexes.and(vec![rules.number_domain, regexes.not(self.numbers)]);
            parts.push(formulas.assertion(Formula::Number(others)));
        }
        parts.extend(self.others.iter().map(|&value| formulas.not(value)));
    }
}
