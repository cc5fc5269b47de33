//! What an object whose value must answer to some rules knows of its keys.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::json::formula::FormulaId;
use crate::json::keys::{KeyTable, Known};
use crate::json::liveness::key_bytes;
use crate::json::residues::Residues;
use crate::json::rules::{ObjectRule, Rules};
use crate::json::texts::TextId;
use crate::regex::node::{NodeId, Spelling};
use crate::work;

/// The rules that an object began with: they fix its declared keys and their ranks.
pub(crate) type ShapeKey = Box<[u32]>;

/// A key: declared in the object's shape, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// With its rank.
    Declared(u32),
    /// With the class of such keys.
    Other(TextId, u16),
}

/// Undeclared keys that the rules do not tell apart.
#[derive(Debug)]
pub(crate) struct KeyClass {
    /// Declared keys are not in it.
    pub(crate) language: NodeId,
    /// What each rule demands of the value.
    demands: FxHashMap<u32, FormulaId>,
}

/// The cheapest keys of a class, by the class and how many they are.
type CheapestKeys = FxHashMap<(u16, usize), Arc<[Key]>>;

#[derive(Debug)]
pub(crate) struct Shape {
    /// The declared keys by rank: in the order of their first appearance.
    pub(crate) keys: Vec<Arc<str>>,
    ranks: FxHashMap<Arc<str>, u32>,
    /// The bytes of each declared key with its quotes.
    pub(crate) key_bytes: Vec<u64>,
    /// What each rule requires.
    required: FxHashMap<u32, Required>,
    /// The keys that an object of this shape knows before it holds any other.
    pub(crate) table: KeyTable,
    /// Undeclared keys that some rule names. Sorted.
    pub(crate) wanted: Vec<Key>,
    /// What rules that name undeclared keys demand of their values, by rule and text.
    of_words: FxHashMap<(u32, TextId), FormulaId>,
    /// One class of all undeclared keys, if nothing looks at their text.
    pub(crate) classes: Vec<KeyClass>,
    /// Whether each class has so many keys that one more or less makes no difference.
    plentiful: OnceLock<Box<[bool]>>,
    cheapest: Mutex<CheapestKeys>,
    /// Formulas that are followed key by key, if they can be.
    pub(super) residues: Mutex<FxHashMap<FormulaId, Option<Arc<Residues>>>>,
    /// What rules with patterns demand of declared keys, by rank.
    demands: FxHashMap<u32, Box<[FormulaId]>>,
    /// Members beyond so many make no difference; 0 if their number never does.
    pub(crate) counted: u64,
    /// Whether some key requires others.
    pub(crate) has_dependent: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Required {
    /// Ranks of declared keys, rising.
    pub(crate) declared: Vec<u32>,
    pub(crate) others: Vec<Key>,
    /// What a key requires.
    pub(crate) dependent: Vec<(Key, Vec<Key>)>,
}

impl Required {
    /// The undeclared keys in it.
    fn named(&self) -> impl Iterator<Item = Key> {
        let dependent = self.dependent.iter();
        let dependent = dependent.flat_map(|(key, needs)| std::iter::once(key).chain(needs));
        let all = self.others.iter().chain(dependent).copied();
        all.filter(|key| matches!(key, Key::Other(..)))
    }
}

impl Shape {
    pub(super) fn new(rules: &Rules, ids: &[u32]) -> Shape {
        let mut ranks: FxHashMap<Arc<str>, u32> = FxHashMap::default();
        let mut keys: Vec<Arc<str>> = Vec::new();
        for &rule in ids {
            for (key, _) in &rules.object(rule).properties {
                ranks.entry(key.clone()).or_insert_with(|| {
                    keys.push(key.clone());
                    keys.len() as u32 - 1
                });
            }
        }
        work::spend(4 * keys.len() + ids.len());
        work::hold(keys.len() * 160 + ids.len() * 128);
        let classes = classes(rules, ids, &keys);
        let mut shape = Shape {
            key_bytes: keys.iter().map(|key| key_bytes(key)).collect(),
            plentiful: OnceLock::new(),
            cheapest: Mutex::default(),
            residues: Mutex::default(),
            classes,
            demands: FxHashMap::default(),
            required: FxHashMap::default(),
            table: KeyTable::new([]),
            wanted: Vec::new(),
            of_words: FxHashMap::default(),
            counted: 0,
            has_dependent: false,
            keys,
            ranks,
        };
        for &id in ids {
            let rule = rules.object(id);
            work::spend(1 + rule.required.len() + rule.dependent.len());
            if rule.has_patterns() {
                work::spend(keys_work(rule, &shape));
                work::hold(4 * shape.keys.len());
                let demands = shape.keys.iter().map(|key| rules.property(id, key));
                let demands = demands.collect();
                shape.demands.insert(id, demands);
            }
            let most = rule.max.map_or(0, |max| max.saturating_add(1));
            shape.counted = shape.counted.max(rule.min).max(most);
            shape.has_dependent |= !rule.dependent.is_empty();
            let required = shape.required_by(rules, id);
            shape.wanted.extend(required.named());
            work::spend(4 * rule.words.len());
            for (word, _) in &rule.words {
                if let key @ Key::Other(text, _) = shape.key(rules, word) {
                    shape.wanted.push(key);
                    let demand = rules.property(id, word);
                    shape.of_words.insert((id, text), demand);
                }
            }
            shape.required.insert(id, required);
        }
        shape.wanted.sort_unstable();
        shape.wanted.dedup();
        let declared = shape.keys.iter().zip(0..);
        let declared = declared.map(|(key, rank)| (key.to_string(), Known::Declared(rank)));
        let wanted = shape.wanted.iter().map(|&key| {
            let Key::Other(text, _) = key else {
                unreachable!("declared keys are not wanted")
            };
            (rules.texts.spell(text), Known::Wanted(key))
        });
        shape.table = KeyTable::new(declared.chain(wanted));
        shape
    }

    fn required_by(&self, rules: &Rules, id: u32) -> Required {
        let rule = rules.object(id);
        let mut required = Required::default();
        for key in &rule.required {
            match self.key(rules, key) {
                Key::Declared(rank) => required.declared.push(rank),
                other @ Key::Other(..) => required.others.push(other),
            }
        }
        required.declared.sort_unstable();
        for (key, needs) in &rule.dependent {
            let needs = needs.iter().map(|need| self.key(rules, need)).collect();
            required.dependent.push((self.key(rules, key), needs));
        }
        required
    }

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

    /// The rank of a declared key.
    pub(crate) fn rank(&self, text: &str) -> Option<u32> {
        self.ranks.get(text).copied()
    }

    /// Whether undeclared keys are told apart by their text.
    pub(crate) fn is_scanned(&self) -> bool {
        self.classes.len() != 1 || self.classes[0].language != NodeId::ANY
    }

    /// Whether a class has so many keys that it makes no difference which of them has come, in an
    /// object with so many undeclared ones.
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

    pub(crate) fn required(&self, rule: u32) -> &Required {
        &self.required[&rule]
    }

    /// What a rule demands of the value of a key.
    pub(crate) fn demand(&self, rules: &Rules, rule: u32, key: Key) -> FormulaId {
        match key {
            Key::Declared(rank) => match self.demands.get(&rule) {
                Some(demands) => demands[rank as usize],
                None => rules.property(rule, &self.keys[rank as usize]),
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
    pub(crate) fn breaks(&self, rules: &Rules, of: &[u32], key: Key, value: FormulaId) -> bool {
        work::spend(of.len());
        of.iter().any(|&rule| {
            let demand = self.demand(rules, rule, key);
            demand == FormulaId::FALSE
                || demand != FormulaId::TRUE && rules.excludes(value, demand, 1)
        })
    }

    /// What some rules demand of the value of a key.
    pub(crate) fn demands(&self, rules: &Rules, of: &[u32], key: Key) -> Vec<FormulaId> {
        work::spend(of.len());
        of.iter()
            .map(|&rule| self.demand(rules, rule, key))
            .collect()
    }
}

/// Units of work of finding what a rule with patterns demands of the declared keys.
fn keys_work(rule: &ObjectRule, shape: &Shape) -> usize {
    let bytes: u64 = shape.key_bytes.iter().sum();
    bytes as usize * (1 + rule.patterns.len())
}

/// Keys that are plenty.
const PLENTY: u64 = 256;

fn is_plentiful(rules: &Rules, language: NodeId) -> bool {
    /// More work than this spares none.
    const UNITS: u64 = 1 << 16;
    let has_plenty = || rules.scanner.regexes.has_words(language, PLENTY);
    language == NodeId::ANY || work::attempt(UNITS, has_plenty).unwrap_or(false)
}

/// The classes of undeclared keys: those that are in the same languages of all rules.
fn classes(rules: &Rules, ids: &[u32], keys: &[Arc<str>]) -> Vec<KeyClass> {
    const MOST: usize = 256;
    let additional = |id: u32| rules.child(rules.object(id).additional);
    if !ids.iter().any(|&id| rules.object(id).has_patterns()) {
        return vec![KeyClass {
            language: NodeId::ANY,
            demands: ids.iter().map(|&id| (id, additional(id))).collect(),
        }];
    }
    let regexes = &rules.scanner.regexes;
    let mut languages: Vec<NodeId> = Vec::new();
    for &id in ids {
        let rule = rules.object(id);
        languages.push(rules.names(rule));
        languages.extend(rule.patterns.iter().map(|(language, _)| *language));
    }
    languages.sort_unstable();
    languages.dedup();
    let undeclared = regexes.not(regexes.words(keys));
    let mut split: Vec<(NodeId, Vec<NodeId>)> = vec![(undeclared, Vec::new())];
    for &language in &languages {
        let mut next = Vec::new();
        for (class, inside) in split {
            work::spend(1 + inside.len());
            let both = regexes.and(vec![class, language]);
            if both != NodeId::NEVER && regexes.is_live(both) {
                next.push((both, [&inside[..], &[language]].concat()));
            }
            let rest = regexes.and(vec![class, regexes.not(language)]);
            if rest != NodeId::NEVER && regexes.is_live(rest) {
                next.push((rest, inside));
            }
        }
        if next.len() > MOST {
            work::undecided("a key may come: too many combinations of patterns match some key");
        }
        split = next;
    }
    let class = |(language, inside): (NodeId, Vec<NodeId>)| KeyClass {
        language,
        demands: ids
            .iter()
            .map(|&id| (id, class_demand(rules, id, &inside)))
            .collect(),
    };
    split.into_iter().map(class).collect()
}

/// What a rule demands of the values of undeclared keys that are in the languages `inside`.
fn class_demand(rules: &Rules, id: u32, inside: &[NodeId]) -> FormulaId {
    let rule = rules.object(id);
    if !inside.contains(&rules.names(rule)) {
        return FormulaId::FALSE;
    }
    let patterns = rule.patterns.iter();
    let matching = patterns.filter(|(language, _)| inside.contains(language));
    let parts: Vec<FormulaId> = matching.map(|&(_, child)| rules.child(child)).collect();
    if parts.is_empty() {
        return rules.child(rule.additional);
    }
    rules.formulas.and(&parts)
}
