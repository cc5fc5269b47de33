//! How the rules of an object tell its keys apart: the making of a [`Shape`].

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::json::cost::key_bytes;
use crate::json::formula::{FormulaId, RuleId};
use crate::json::object::keys::{Key, KeyRank, KeyTable, KnownKey};
use crate::json::object::shape::{KeyClass, Required, Shape, ShapeId};
use crate::json::rules::{ObjectRule, Rules};
use crate::regex::node::NodeId;
use crate::work;

impl Rules {
    /// What an object whose keys these rules tell apart knows of its keys.
    pub(crate) fn shape(&self, rules: &[RuleId]) -> (ShapeId, &Shape) {
        let id = ShapeId(self.shapes.intern(rules.into()));
        (id, self.shape_of(id))
    }

    pub(crate) fn shape_of(&self, id: ShapeId) -> &Shape {
        let shape = self.shapes.memo(id.0);
        shape.get_or_init(|| Shape::new(self, self.shapes.get(id.0)))
    }
}

impl Shape {
    pub(super) fn new(rules: &Rules, ids: &[RuleId]) -> Shape {
        let mut ranks: FxHashMap<Arc<str>, KeyRank> = FxHashMap::default();
        let mut keys: Vec<Arc<str>> = Vec::new();
        for &rule in ids {
            for (key, _) in &rules.object(rule).properties {
                ranks.entry(key.clone()).or_insert_with(|| {
                    keys.push(key.clone());
                    KeyRank(keys.len() as u32 - 1)
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
            bounds: Mutex::default(),
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
            shape.add_rule(rules, id);
        }
        shape.wanted.sort_unstable();
        shape.wanted.dedup();
        shape.table = shape.key_table(rules);
        shape
    }

    /// Notes what a rule says of keys.
    fn add_rule(&mut self, rules: &Rules, id: RuleId) {
        let rule = rules.object(id);
        work::spend(1 + rule.required.len() + rule.dependent.len());
        if rule.has_patterns() {
            work::spend(keys_work(rule, self));
            work::hold(4 * self.keys.len());
            let demands = self.keys.iter().map(|key| rules.property(id, key));
            let demands = demands.collect();
            self.demands.insert(id, demands);
        }
        let most = rule.max.map_or(0, |max| max.saturating_add(1));
        self.counted = self.counted.max(rule.min).max(most);
        self.has_dependent |= !rule.dependent.is_empty();
        let required = self.required_by(rules, id);
        self.wanted.extend(required.named());
        work::spend(4 * rule.words.len());
        for (word, _) in &rule.words {
            if let key @ Key::Other(text, _) = self.key(rules, word) {
                self.wanted.push(key);
                let demand = rules.property(id, word);
                self.of_words.insert((id, text), demand);
            }
        }
        self.required.insert(id, required);
    }

    /// The keys that are told apart, by their spelling.
    fn key_table(&self, rules: &Rules) -> KeyTable {
        let declared = self.keys.iter().zip((0..).map(KeyRank));
        let declared = declared.map(|(key, rank)| (key.to_string(), KnownKey::Declared(rank)));
        let wanted = self.wanted.iter().map(|&key| {
            let Key::Other(text, _) = key else {
                unreachable!("declared keys are not wanted")
            };
            (rules.texts.spell(text), KnownKey::Wanted(key))
        });
        KeyTable::new(declared.chain(wanted))
    }

    fn required_by(&self, rules: &Rules, id: RuleId) -> Required {
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
}

/// Units of work of finding what a rule with patterns demands of the declared keys.
fn keys_work(rule: &ObjectRule, shape: &Shape) -> usize {
    let bytes: u64 = shape.key_bytes.iter().sum();
    bytes as usize * (1 + rule.patterns.len())
}

/// The classes of undeclared keys: those that are in the same languages of all rules.
fn classes(rules: &Rules, ids: &[RuleId], keys: &[Arc<str>]) -> Vec<KeyClass> {
    const MOST: usize = 256;
    let additional = |id: RuleId| rules.child(rules.object(id).additional);
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
fn class_demand(rules: &Rules, id: RuleId, inside: &[NodeId]) -> FormulaId {
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
