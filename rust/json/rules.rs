//! What schemas say about the inside of objects and arrays.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::intern::Interner;
use crate::json::cost::{LINE, NEVER, add, multiply};
use crate::json::formula::{Formula, FormulaId, Formulas, RuleId};
use crate::json::kind::Kind;
use crate::json::object::shape::{Shape, ShapeKey};
use crate::json::texts::Texts;
use crate::limits::Limits;
use crate::regex::node::NodeId;
use crate::regex::scan::Scanner;
use crate::spelling::JsonSpelling;
use crate::work::SchemaPlace;

/// A value inside an object or array: an index into [`Rules`], resolved once all are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChildId(pub(super) u32);

impl ChildId {
    /// Any value.
    pub(crate) const ANYTHING: ChildId = ChildId(0);
    /// No value.
    pub(crate) const NOTHING: ChildId = ChildId(1);
}

/// What one schema object says about objects.
#[derive(Debug, Default)]
pub(crate) struct ObjectRule {
    /// In order of appearance.
    pub(crate) properties: Vec<(Arc<str>, ChildId)>,
    /// Keys that patterns of single words match, whether in `properties` or not.
    pub(crate) words: Vec<(Arc<str>, ChildId)>,
    /// The children of each key that `properties` or `words` names.
    pub(super) by_name: FxHashMap<Arc<str>, Vec<ChildId>>,
    /// Keys in these languages, whether in `properties` or not.
    pub(crate) patterns: Vec<(NodeId, ChildId)>,
    /// Keys neither in `properties` nor in `words` nor in `patterns`.
    pub(crate) additional: ChildId,
    /// What all keys must be, as strings.
    pub(crate) names: Option<ChildId>,
    pub(crate) required: Vec<Arc<str>>,
    /// What a key requires.
    pub(crate) dependent: Vec<(Arc<str>, Vec<Arc<str>>)>,
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
}

impl Default for ChildId {
    fn default() -> Self {
        ChildId::ANYTHING
    }
}

impl ObjectRule {
    /// Whether it says something about keys that are told apart by their text only.
    pub(crate) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty() || self.names.is_some()
    }

    pub(crate) fn has_counts(&self) -> bool {
        self.min > 0 || self.max.is_some()
    }
}

/// What one schema object says about arrays.
#[derive(Debug, Default)]
pub(crate) struct ArrayRule {
    pub(crate) prefix: Vec<ChildId>,
    pub(crate) items: ChildId,
    /// What items after the prefix may satisfy instead.
    pub(crate) or_items: Vec<ChildId>,
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
    pub(crate) unique: bool,
    pub(crate) contains: Option<ContainsRule>,
}

/// How many items satisfy a formula.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContainsRule {
    pub(crate) child: ChildId,
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
}

impl ArrayRule {
    /// From this index on, all items are alike.
    pub(crate) fn prefix_length(&self) -> u64 {
        self.prefix.len() as u64
    }
}

/// All obligations of one or more schemas, with the stores of what they are made of.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) scanner: Scanner,
    pub(crate) formulas: Formulas,
    pub(crate) texts: Texts,
    objects: boxcar::Vec<ObjectRule>,
    arrays: boxcar::Vec<ArrayRule>,
    /// Whether one of them demands that all items differ.
    compares_items: AtomicBool,
    children: boxcar::Vec<OnceLock<FormulaId>>,
    pub(super) shapes: Interner<ShapeKey, OnceLock<Shape>>,
    /// Values as formulas, by their canonical text.
    pub(super) constants: Mutex<FxHashMap<String, FormulaId>>,
    /// For pairs of formulas that were compared, whether they exclude each other.
    pub(super) exclusions: Mutex<FxHashMap<(FormulaId, FormulaId), bool>>,
    /// The schema that a formula stands for, where it is that of a whole schema.
    pub(super) places: FxHashMap<FormulaId, SchemaPlace>,
    /// All JSON numbers: what a formula without assertions about numbers allows.
    pub(crate) any_number: NodeId,
    /// The numbers within which assertions about numbers are negated.
    pub(crate) number_domain: NodeId,
    pub(crate) separators: SeparatorBytes,
    pub(crate) limits: Limits,
}

/// The costs of separators, with the whitespace that must follow them, in an array or object that
/// stands by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeparatorBytes {
    pub(crate) comma: u64,
    pub(crate) colon: u64,
    /// The line break after the bracket that opens what is not empty.
    pub(crate) opening: u64,
    /// The line break before the bracket that closes it.
    pub(crate) closing: u64,
    /// By how many bytes each level makes a line break longer.
    pub(crate) indent: u64,
}

impl SeparatorBytes {
    /// The cost of what stands so many levels deeper than by itself.
    pub(crate) fn deeper(self, cost: u64, levels: u64) -> u64 {
        match cost {
            NEVER => NEVER,
            _ => add(cost, multiply(self.indent * (cost / LINE), levels)),
        }
    }

    /// The bytes of what costs so much and stands at some depth.
    pub(crate) fn bytes(self, cost: u64, depth: u64) -> u64 {
        match (cost, self.closing) {
            (NEVER, _) | (_, 0) => cost,
            _ => self.deeper(cost, depth) % LINE,
        }
    }

    /// The cost of all but the items or members until an array or object has ended, closing bracket
    /// included: `missing` are to come, and others have come or not.
    pub(crate) fn around(self, is_empty: bool, missing: u64) -> u64 {
        let (commas, lines) = match (is_empty, missing) {
            (true, 0) => (0, 0),
            // The first of all has no comma before it.
            (true, _) => (missing - 1, self.opening + self.closing),
            (false, _) => (missing, self.closing),
        };
        add(multiply(self.comma, commas), 1 + lines)
    }
}

impl Rules {
    pub(super) fn empty(
        separators: SeparatorBytes,
        spelling: JsonSpelling,
        limits: &Limits,
    ) -> Box<Self> {
        let scanner = Scanner::new(spelling);
        let numbers = super::number::Numbers::new(&scanner.regexes);
        let number_domain = numbers.domain();
        let any_number = match spelling {
            JsonSpelling::Plain => number_domain,
            JsonSpelling::Any => numbers.any(),
        };
        // Large, and so never moved again.
        let rules = Box::new(Rules {
            scanner,
            formulas: Formulas::new(),
            texts: Texts::new(),
            objects: boxcar::Vec::new(),
            arrays: boxcar::Vec::new(),
            compares_items: AtomicBool::new(false),
            children: boxcar::Vec::new(),
            shapes: Interner::new(),
            constants: Mutex::default(),
            exclusions: Mutex::default(),
            places: FxHashMap::default(),
            any_number,
            number_domain,
            separators,
            limits: limits.clone(),
        });
        rules.new_child(FormulaId::TRUE);
        rules.new_child(FormulaId::FALSE);
        rules
    }

    pub(super) fn new_child(&self, formula: FormulaId) -> ChildId {
        let id = self.new_children(1);
        self.set_child(id, formula);
        id
    }

    /// Places for so many more children; the first of them.
    pub(super) fn new_children(&self, count: usize) -> ChildId {
        let first = self.children.count() as u32;
        for _ in 0..count {
            self.children.push(OnceLock::new());
        }
        ChildId(first)
    }

    pub(super) fn set_child(&self, id: ChildId, formula: FormulaId) {
        self.children[id.0 as usize].get_or_init(|| formula);
    }

    pub(crate) fn child(&self, id: ChildId) -> FormulaId {
        *self.children[id.0 as usize]
            .get()
            .expect("children are used once all are read")
    }

    pub(super) fn new_object_rule(&self, mut rule: ObjectRule) -> FormulaId {
        rule.by_name
            .reserve(rule.properties.len() + rule.words.len());
        for (key, child) in rule.properties.iter().chain(&rule.words) {
            rule.by_name.entry(key.clone()).or_default().push(*child);
        }
        let declared = rule.properties.iter().map(|(key, _)| key);
        let dependent = rule.dependent.iter();
        let dependent = dependent.flat_map(|(key, others)| others.iter().chain([key]));
        let keys = declared.chain(&rule.required).chain(dependent);
        keys.for_each(|key| self.scanner.regexes.tell_apart(key));
        let id = RuleId::of_objects(self.objects.push(rule));
        self.formulas.assertion(Formula::Object(id))
    }

    pub(super) fn new_array_rule(&self, rule: ArrayRule) -> FormulaId {
        if rule.unique {
            self.compares_items.store(true, Ordering::Relaxed);
        }
        let id = RuleId::of_arrays(self.arrays.push(rule));
        self.formulas.assertion(Formula::Array(id))
    }

    pub(crate) fn object(&self, rule: RuleId) -> &ObjectRule {
        &self.objects[rule.index()]
    }

    pub(crate) fn array(&self, rule: RuleId) -> &ArrayRule {
        &self.arrays[rule.index()]
    }

    /// Whether some rule demands that all items of an array differ.
    pub(crate) fn compares_items(&self) -> bool {
        self.compares_items.load(Ordering::Relaxed)
    }

    /// Whether some of these rules about arrays demand that all items differ.
    pub(crate) fn has_unique(&self, rules: &[RuleId]) -> bool {
        rules.iter().any(|&rule| self.array(rule).unique)
    }

    /// The keys that a rule allows, by its `names`.
    pub(crate) fn names(&self, rule: &ObjectRule) -> NodeId {
        match rule.names {
            Some(names) => self.string_language(self.child(names)),
            None => NodeId::ANY,
        }
    }

    /// What a rule demands of the value of a key.
    pub(crate) fn property(&self, rule: RuleId, key: &str) -> FormulaId {
        let rule = self.object(rule);
        let named = rule.by_name.get(key).map_or(&[][..], Vec::as_slice);
        let mut parts: Vec<FormulaId> = named.iter().map(|&child| self.child(child)).collect();
        if !rule.has_patterns() {
            return match parts[..] {
                [] => self.child(rule.additional),
                [only] => only,
                _ => self.formulas.and(&parts),
            };
        }
        let regexes = &self.scanner.regexes;
        if !regexes.matches(self.names(rule), key) {
            return FormulaId::FALSE;
        }
        let patterns = rule.patterns.iter();
        let matching = patterns.filter(|(language, _)| regexes.matches(*language, key));
        parts.extend(matching.map(|&(_, child)| self.child(child)));
        if parts.is_empty() {
            return self.child(rule.additional);
        }
        self.formulas.and(&parts)
    }

    /// Whether a rule demands anything of any property.
    pub(crate) fn tells_values(&self, rule: RuleId) -> bool {
        let rule = self.object(rule);
        let is_free = rule.by_name.is_empty() && !rule.has_patterns();
        !is_free || self.child(rule.additional) != FormulaId::TRUE
    }

    /// What a rule demands of the item at an index, whatever the other items are.
    pub(crate) fn item(&self, rule: RuleId, index: u64) -> FormulaId {
        let rule = self.array(rule);
        if let Some(&child) = usize::try_from(index).ok().and_then(|i| rule.prefix.get(i)) {
            return self.child(child);
        }
        if rule.or_items.is_empty() {
            return self.child(rule.items);
        }
        let all = std::iter::once(&rule.items).chain(&rule.or_items);
        let all: Vec<FormulaId> = all.map(|&child| self.child(child)).collect();
        self.formulas.or(&all)
    }

    /// Whether a formula allows null, true or false, whichever is this kind.
    pub(crate) fn allows_literal(&self, id: FormulaId, kind: Kind) -> bool {
        self.formulas.of_kind(id, kind) == FormulaId::TRUE
    }

    /// The strings that satisfy a formula.
    pub(crate) fn string_language(&self, id: FormulaId) -> NodeId {
        let id = self.formulas.of_kind(id, Kind::String);
        let all = (NodeId::ANY, NodeId::ANY);
        self.formulas.language(id, all, &self.scanner.regexes)
    }

    /// The numbers that satisfy a formula, in all spellings of their values.
    pub(crate) fn number_language(&self, id: FormulaId) -> NodeId {
        let id = self.formulas.of_kind(id, Kind::Number);
        let all = (self.any_number, self.number_domain);
        self.formulas.language(id, all, &self.scanner.regexes)
    }

    /// The numbers that satisfy a formula, as they may be written.
    pub(crate) fn written_numbers(&self, id: FormulaId) -> NodeId {
        let values = self.number_language(id);
        match self.scanner.spelling {
            JsonSpelling::Plain => self.scanner.regexes.plain_numbers(values),
            JsonSpelling::Any => values,
        }
    }
}
