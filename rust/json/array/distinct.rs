//! Values that differ from each other: whether there are enough, and what they cost.

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use crate::decimal::Decimal;
use crate::json::constants::canonical;
use crate::json::cost::{NEVER, add, key_bytes};
use crate::json::formula::FormulaId;
use crate::json::kind::Kind;
use crate::json::number::Numbers;
use crate::json::object::keys::Key;
use crate::json::rules::Rules;
use crate::regex::node::Spelling;
use crate::spelling::JsonSpelling;
use crate::work;

/// How many values of one formula are looked at; a formula with more is taken to have enough.
const MOST: u64 = 4_096;

/// A number has at most so many plain spellings, such as `0`, `0.0` and `-0.0`.
const SPELLINGS: usize = 3;

/// How deep questions about distinct values may nest: distinct values may be arrays of distinct
/// values.
const DEPTH: u32 = 4;

thread_local! {
    static DEPTH_NOW: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Asks a question about distinct values, one level deeper than the one that is being answered.
fn nested<T>(query: impl FnOnce() -> T) -> T {
    let depth = DEPTH_NOW.get();
    if depth == DEPTH {
        work::undecided("values differ that are nested so deep");
    }
    DEPTH_NOW.set(depth + 1);
    // Also where `query` is left by unwinding.
    struct Reset(u32);
    impl Drop for Reset {
        fn drop(&mut self) {
            DEPTH_NOW.set(self.0);
        }
    }
    let _reset = Reset(depth);
    query()
}

/// A value and what it costs at least to write it.
type Priced = (u64, Value);

impl Rules {
    /// The cost of items that all differ, each formula so many times; `None` if there are not
    /// enough values.
    pub(crate) fn distinct_bytes(
        &self,
        items: &[(FormulaId, u64)],
        cost: &dyn Fn(FormulaId) -> u64,
    ) -> Option<u64> {
        let total: u64 = items.iter().map(|item| item.1).sum();
        if let [(only, 1)] = *items {
            return Some(cost(only)).filter(|&cost| cost != NEVER);
        }
        if total > MOST {
            work::undecided("so many items can all differ");
        }
        let slots = slots(items);
        let values = nested(|| self.matching(&slots))?;
        let inside = values
            .iter()
            .map(|(price, _)| self.separators.deeper(*price, 1));
        Some(inside.fold(0, add))
    }

    /// Of the values of `item`, those after which the `others` could not all differ from it and
    /// from each other.
    pub(crate) fn scarce_values(&self, others: &[(FormulaId, u64)]) -> Vec<Value> {
        let total: u64 = others.iter().map(|item| item.1).sum();
        if total == 0 || total > MOST {
            return Vec::new();
        }
        let slots = slots(others);
        let mut values: FxHashMap<String, Value> = FxHashMap::default();
        for &(item, _) in others {
            let all = self.some_values(item, total as usize + 1);
            if all.len() as u64 <= total {
                values.extend(all.into_iter().map(|(_, value)| (canonical(&value), value)));
            }
        }
        let mut scarce: Vec<Value> = values
            .into_values()
            .filter(|value| {
                let Ok(constant) = self.constant(value) else {
                    return false;
                };
                let not = self.formulas.not(constant);
                let slots: Vec<FormulaId> = slots
                    .iter()
                    .map(|&slot| self.formulas.and(&[slot, not]))
                    .collect();
                self.matching(&slots).is_none()
            })
            .collect();
        scarce.sort_unstable_by_key(canonical);
        scarce
    }

    /// A value for each slot, no two equal.
    fn matching(&self, slots: &[FormulaId]) -> Option<Vec<Priced>> {
        let mut known: FxHashMap<FormulaId, Vec<(String, Priced)>> = FxHashMap::default();
        for &slot in slots {
            known.entry(slot).or_insert_with(|| {
                let values = self.some_values(slot, slots.len());
                let values = values.into_iter();
                values.map(|value| (canonical(&value.1), value)).collect()
            });
        }
        // Augmenting paths from each slot to a value that is free.
        let mut owner: FxHashMap<&str, usize> = FxHashMap::default();
        for slot in 0..slots.len() {
            let mut seen = FxHashSet::default();
            if !augment(slot, slots, &known, &mut owner, &mut seen) {
                return None;
            }
        }
        let mut out = vec![None; slots.len()];
        for (text, slot) in owner {
            let values = known[&slots[slot]].iter();
            out[slot] = values.clone().find(|(other, _)| other == text);
        }
        out.into_iter()
            .map(|found| found.map(|(_, value)| value.clone()))
            .collect()
    }

    /// Up to `most` values of a formula, cheap ones first; fewer only if there are no more.
    fn some_values(&self, formula: FormulaId, most: usize) -> Vec<Priced> {
        let mut out: Vec<Priced> = Vec::new();
        for kind in Kind::ALL {
            // No array or object takes fewer bytes than two, and they take the longest to find.
            let is_enough = out.iter().filter(|(bytes, _)| *bytes <= 2).count() >= most;
            let is_compound = matches!(kind, Kind::Array | Kind::Object);
            if is_compound && is_enough || self.cost_of_kind(formula, kind) == NEVER {
                continue;
            }
            match kind {
                Kind::Null => out.push((4, Value::Null)),
                Kind::True => out.push((4, Value::Bool(true))),
                Kind::False => out.push((5, Value::Bool(false))),
                Kind::String => {
                    let language = self.string_language(formula);
                    let regexes = &self.scanner.regexes;
                    for text in regexes.cheapest_words(language, most, Spelling::Json) {
                        let bytes = key_bytes(&text);
                        out.push((bytes, Value::String(text)));
                    }
                }
                Kind::Number => out.extend(self.some_numbers(formula, most)),
                Kind::Array | Kind::Object => out.extend(self.some_compounds(formula, kind, most)),
            }
        }
        out.sort_by_key(|(bytes, _)| *bytes);
        out.truncate(most);
        out
    }

    fn some_numbers(&self, formula: FormulaId, most: usize) -> Vec<Priced> {
        let regexes = &self.scanner.regexes;
        let language = self.number_language(formula);
        // Sets of few values have them all in plain spelling; of the others some are enough, but where
        // all but a few take very many digits.
        let plain = regexes.plain_numbers(language);
        let mut texts = regexes.cheap_words(plain, SPELLINGS * most, Spelling::Raw);
        if self.scanner.spelling == JsonSpelling::Any
            && texts.len() < most
            && regexes.has_numbers(language, most as u64, JsonSpelling::Any)
        {
            // One spelling for each value.
            let plainest = regexes.and(vec![language, Numbers::new(regexes).plainest()]);
            texts = regexes.cheap_words(plainest, most, Spelling::Raw);
        }
        let mut seen = FxHashSet::default();
        let values = texts.iter().filter_map(|text| {
            let is_new = seen.insert(Decimal::parse(text)?);
            let value = serde_json::from_str(text).ok()?;
            is_new.then_some((text.len() as u64, value))
        });
        values.take(most).collect()
    }

    fn some_compounds(&self, formula: FormulaId, kind: Kind, most: usize) -> Vec<Priced> {
        let mut rest = self.formulas.of_kind(formula, kind);
        let mut out = Vec::new();
        while out.len() < most {
            let Some(value) = self.witness(rest, kind) else {
                break;
            };
            let Ok(constant) = self.constant(&value) else {
                break;
            };
            let not = self.formulas.not(self.formulas.of_kind(constant, kind));
            rest = self.formulas.and(&[rest, not]);
            out.push((self.written_cost(&value), value));
        }
        out
    }

    /// What it costs to write a value.
    fn written_cost(&self, value: &Value) -> u64 {
        let separators = self.separators;
        let inside = |value| separators.deeper(self.written_cost(value), 1);
        let (count, items) = match value {
            Value::Array(items) => (items.len(), items.iter().map(inside).fold(0, add)),
            Value::Object(members) => {
                let costs = members
                    .iter()
                    .map(|(key, value)| add(key_bytes(key) + separators.colon, inside(value)));
                (members.len(), costs.fold(0, add))
            }
            scalar => return scalar.to_string().len() as u64,
        };
        add(add(items, 1), separators.around(true, count as u64))
    }

    /// A cheapest value of a formula.
    fn cheapest_value(&self, formula: FormulaId) -> Option<Value> {
        let kind = Kind::ALL
            .into_iter()
            .min_by_key(|&kind| self.cost_of_kind(formula, kind))?;
        match kind {
            Kind::Array | Kind::Object => self.witness(self.formulas.of_kind(formula, kind), kind),
            _ => self.some_values(formula, 1).pop().map(|(_, value)| value),
        }
    }

    /// A cheapest array or object of a formula of that kind.
    fn witness(&self, formula: FormulaId, kind: Kind) -> Option<Value> {
        nested(|| self.find_witness(formula, kind))
    }

    fn find_witness(&self, formula: FormulaId, kind: Kind) -> Option<Value> {
        let cost = |formula| self.cost(formula);
        if kind == Kind::Array {
            let (completion, unique) = self.cheapest_array(formula, &cost)?;
            let mut slots = slots(&completion.items);
            slots.truncate(MOST as usize);
            let items = match unique {
                true => self.matching(&slots)?.into_iter().map(|v| v.1).collect(),
                false => slots
                    .iter()
                    .map(|&slot| self.cheapest_value(slot))
                    .collect::<Option<Vec<Value>>>()?,
            };
            return Some(Value::Array(items));
        }
        let (completion, shape) = self.cheapest_object(formula, &cost)?;
        let members = completion.members.iter().map(|&(key, value)| {
            let name = match key {
                Key::Declared(rank) => shape.keys[rank.index()].to_string(),
                Key::Other(text, _) => self.texts.spell(text),
            };
            Some((name, self.cheapest_value(value)?))
        });
        Some(Value::Object(members.collect::<Option<_>>()?))
    }
}

/// A slot for each of some items, which come so many times.
fn slots(items: &[(FormulaId, u64)]) -> Vec<FormulaId> {
    let most = items.iter().map(|&(item, times)| (item, times.min(MOST)));
    most.flat_map(|(item, times)| std::iter::repeat_n(item, times as usize))
        .collect()
}

/// Finds a value for a slot, moving other slots to other values where that helps.
fn augment<'a>(
    slot: usize,
    slots: &[FormulaId],
    known: &'a FxHashMap<FormulaId, Vec<(String, Priced)>>,
    owner: &mut FxHashMap<&'a str, usize>,
    seen: &mut FxHashSet<&'a str>,
) -> bool {
    let values = &known[&slots[slot]];
    work::spend(values.len());
    // A free value needs no moving.
    if let Some((text, _)) = values.iter().find(|(text, _)| !owner.contains_key(&**text)) {
        owner.insert(text, slot);
        return true;
    }
    for (text, _) in values {
        if !seen.insert(text) {
            continue;
        }
        let other = owner[&**text];
        if augment(other, slots, known, owner, seen) {
            owner.insert(text, slot);
            return true;
        }
    }
    false
}
