//! From the schema model to formulas and rules.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{Error, ErrorKind};
use crate::json::evaluated::Evaluation;
use crate::json::formula::{Formula, FormulaId};
use crate::json::kind::Kind;
use crate::json::number::{LimitSide, Numbers};
use crate::json::rules::{ArrayRule, ChildId, ContainsRule, ObjectRule, Rules, SeparatorBytes};
use crate::limits::Limits;
use crate::regex::node::{NodeId, UNBOUNDED};
use crate::regex::regexes::Regexes;
use crate::regex::{Ast, lower};
use crate::schema::model::{
    ArrayKeywords, InPlace, Keywords, Model, NumberKeywords, ObjectKeywords, Schema, SchemaId,
    StringKeywords, TypeSet,
};
use crate::spelling::JsonSpelling;
use crate::work::{self, SchemaPlace};

impl Rules {
    /// Reads `models`; the formulas of their roots come back in the same order.
    pub(crate) fn new(
        models: &[&Model],
        separators: SeparatorBytes,
        spelling: JsonSpelling,
        limits: &Limits,
    ) -> Result<(Box<Self>, Vec<FormulaId>), Error> {
        let mut rules = Rules::empty(separators, spelling, limits);
        let mut formulas = Vec::new();
        let mut roots = Vec::with_capacity(models.len());
        for (number, model) in (0..).zip(models) {
            let first = rules.new_children(model.schemas.len());
            let mut reader = RuleReader {
                rules: &rules,
                model,
                number,
                first,
                known: vec![None; model.schemas.len()],
                has_keys: HashMap::new(),
                looks: FxHashMap::default(),
            };
            for id in 0..model.schemas.len() as u32 {
                let formula = reader.schema(SchemaId(id), 0)?;
                rules.set_child(reader.child(SchemaId(id)), formula);
                formulas.push((formula, reader.place(SchemaId(id))));
            }
            roots.push(rules.child(reader.child(model.root)));
        }
        // The outermost of those that say the same.
        rules.places = formulas.iter().rev().copied().collect();
        for (formula, place) in formulas {
            work::at(Some(place));
            rules.check_alternatives(formula)?;
        }
        work::at(None);
        Ok((rules, roots))
    }
}

/// A pattern that matches no more words than this is read as a list of them.
const LISTED: usize = 64;

/// The keys that a pattern matches.
pub(super) enum PatternKeys {
    /// A few words, such as those of `^(a|b)$`.
    Words(Vec<Arc<str>>),
    Language(NodeId),
}

/// The keys that a pattern of `patternProperties` matches.
pub(super) fn keys(pattern: &Ast, regexes: &Regexes) -> Result<PatternKeys, Error> {
    let language = regexes.listed(lower::search(pattern, regexes)?, LISTED);
    if !regexes.is_words(language) {
        return Ok(PatternKeys::Language(language));
    }
    let words = regexes.word_rests(language);
    Ok(PatternKeys::Words(
        words.iter().map(|word| Arc::from(&**word)).collect(),
    ))
}

pub(super) struct RuleReader<'a> {
    pub(super) rules: &'a Rules,
    pub(super) model: &'a Model,
    /// The index of the model among those of the grammar.
    number: u32,
    /// The child that is the model's first schema.
    first: ChildId,
    known: Vec<Option<FormulaId>>,
    /// Formulas of having a key.
    has_keys: HashMap<String, FormulaId>,
    /// What each schema looks at of objects and arrays, for `unevaluated*`, as far as it was asked
    /// for.
    pub(super) looks: FxHashMap<SchemaId, Rc<[Evaluation]>>,
}

impl RuleReader<'_> {
    /// The formula of a schema. Schemas in place are followed; the model has no cycles of them.
    pub(super) fn schema(&mut self, id: SchemaId, depth: usize) -> Result<FormulaId, Error> {
        if let Some(known) = self.known[id.0 as usize] {
            return Ok(known);
        }
        if depth > self.rules.limits.schema_depth {
            let message = format!("more than {} schemas in place of each other", depth - 1);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let model = self.model;
        let around = work::at(Some(self.place(id)));
        let formula = match &model[id] {
            Schema::Bool(true) => FormulaId::TRUE,
            Schema::Bool(false) => FormulaId::FALSE,
            Schema::Keywords(keywords) => self.keywords(keywords, depth)?,
        };
        work::at(around);
        self.known[id.0 as usize] = Some(formula);
        Ok(formula)
    }

    fn place(&self, id: SchemaId) -> SchemaPlace {
        SchemaPlace {
            model: self.number,
            schema: id.0,
        }
    }

    fn keywords(&mut self, keywords: &Keywords, depth: usize) -> Result<FormulaId, Error> {
        if keywords.object.unevaluated.is_some() || keywords.array.unevaluated.is_some() {
            return self.with_unevaluated(keywords, depth);
        }
        let mut parts = Vec::new();
        for part in &keywords.in_place {
            self.in_place(keywords, part, depth, &mut parts)?;
        }
        Ok(self.rules.formulas.and(&parts))
    }

    /// What one applicator in place, or the schema object itself, asserts.
    pub(super) fn in_place(
        &mut self,
        keywords: &Keywords,
        part: &InPlace,
        depth: usize,
        parts: &mut Vec<FormulaId>,
    ) -> Result<(), Error> {
        let formulas = &self.rules.formulas;
        match part {
            InPlace::Own => self.own(keywords, parts)?,
            &InPlace::Ref(target) => parts.push(self.schema(target, depth + 1)?),
            InPlace::AnyOf(branches) => {
                let branches = self.all(branches, depth + 1)?;
                match formulas.or(&branches) {
                    FormulaId::TRUE => parts.extend(self.order_of(&branches)),
                    any => parts.push(any),
                }
            }
            InPlace::OneOf(branches) => {
                let branches = self.all(branches, depth + 1)?;
                parts.push(match branches[..] {
                    [a, b] => formulas.either(a, b),
                    _ => {
                        let one = (0..branches.len()).map(|i| self.only(&branches, i, branches[i]));
                        formulas.or(&one.collect::<Vec<FormulaId>>())
                    }
                });
            }
            &InPlace::Not(schema) => {
                let schema = self.schema(schema, depth + 1)?;
                parts.push(formulas.not(schema));
            }
            &InPlace::If {
                condition,
                then,
                otherwise,
            } => {
                let condition = self.schema(condition, depth + 1)?;
                let then = self.optional(then, depth + 1)?;
                let otherwise = self.optional(otherwise, depth + 1)?;
                let held = formulas.and(&[condition, then]);
                let failed = formulas.and(&[formulas.not(condition), otherwise]);
                match (then, otherwise) {
                    (FormulaId::TRUE, FormulaId::TRUE) => parts.extend(self.order_of(&[condition])),
                    // A smaller formula that says the same.
                    (FormulaId::TRUE, _) => parts.push(formulas.or(&[condition, otherwise])),
                    (_, FormulaId::TRUE) => {
                        parts.push(formulas.or(&[formulas.not(condition), then]));
                    }
                    _ => parts.push(formulas.or(&[held, failed])),
                }
            }
            InPlace::Dependent(key, schema) => {
                let schema = self.schema(*schema, depth + 1)?;
                let absent = formulas.not(self.has_key(key));
                parts.push(formulas.or(&[absent, schema]));
            }
        }
        Ok(())
    }

    fn optional(&mut self, id: Option<SchemaId>, depth: usize) -> Result<FormulaId, Error> {
        id.map_or(Ok(FormulaId::TRUE), |id| self.schema(id, depth))
    }

    /// `formula`, which is one way for branch `i` to hold, and that no other branch holds.
    pub(super) fn only(&self, branches: &[FormulaId], i: usize, formula: FormulaId) -> FormulaId {
        let formulas = &self.rules.formulas;
        let others = branches.iter().enumerate().filter(|&(j, _)| j != i);
        let nots = others.map(|(_, &other)| formulas.not(other));
        let parts: Vec<FormulaId> = std::iter::once(formula).chain(nots).collect();
        formulas.and(&parts)
    }

    /// Objects that have a key.
    pub(super) fn has_key(&mut self, key: &str) -> FormulaId {
        if let Some(&known) = self.has_keys.get(key) {
            return known;
        }
        let rule = self.rules.new_object_rule(ObjectRule {
            required: vec![key.into()],
            ..ObjectRule::default()
        });
        let object = self.assertion(Formula::Kinds(Kind::Object.bit()));
        let has_key = self.rules.formulas.and(&[object, rule]);
        self.has_keys.insert(key.to_owned(), has_key);
        has_key
    }

    /// A rule that asserts nothing but declares the keys of some branches, for their order: a
    /// branch that allows everything makes the others vanish, and their keys with them.
    fn order_of(&self, branches: &[FormulaId]) -> Option<FormulaId> {
        let formulas = &self.rules.formulas;
        let objects = branches.iter().map(|&f| formulas.of_kind(f, Kind::Object));
        let rules = formulas.rules(objects);
        let properties = rules
            .iter()
            .flat_map(|&rule| &self.rules.object(rule).properties);
        let mut properties: Vec<_> = properties
            .map(|(key, _)| (key.clone(), ChildId::ANYTHING))
            .collect();
        let mut seen = FxHashSet::default();
        properties.retain(|(key, _)| seen.insert(key.clone()));
        let rule = ObjectRule {
            properties,
            ..ObjectRule::default()
        };
        (!rule.properties.is_empty()).then(|| self.rules.new_object_rule(rule))
    }

    pub(super) fn all(&mut self, ids: &[SchemaId], depth: usize) -> Result<Vec<FormulaId>, Error> {
        ids.iter().map(|&id| self.schema(id, depth)).collect()
    }

    /// What a schema object asserts itself.
    fn own(&mut self, keywords: &Keywords, parts: &mut Vec<FormulaId>) -> Result<(), Error> {
        if let Some(types) = keywords.types {
            parts.push(self.assertion(Formula::Kinds(kinds(types))));
            if types.has(ANY_NUMBER) && !types.has(TypeSet::NUMBER) {
                let integer = match types.has(TypeSet::INTEGER) {
                    true => self.numbers().integer(),
                    false => self.numbers().plain_integer(),
                };
                parts.push(self.assertion(Formula::Number(integer)));
            }
        }
        if let Some(values) = &keywords.values {
            parts.push(self.rules.values(values, self.rules.limits.number_digits)?);
        }
        self.string(&keywords.string, parts)?;
        self.number(&keywords.number, parts)?;
        self.array(&keywords.array, parts);
        self.object(&keywords.object, parts)
    }

    fn assertion(&self, assertion: Formula) -> FormulaId {
        self.rules.formulas.assertion(assertion)
    }

    fn numbers(&self) -> Numbers<'_> {
        Numbers::new(&self.rules.scanner.regexes)
    }

    fn string(&self, string: &StringKeywords, parts: &mut Vec<FormulaId>) -> Result<(), Error> {
        if string.says_nothing() {
            return Ok(());
        }
        let regexes = &self.rules.scanner.regexes;
        let cap = |n: u64| u32::try_from(n).unwrap_or(UNBOUNDED - 1);
        let min = string.min_length.map_or(0, cap);
        let max = string.max_length.map_or(UNBOUNDED, cap);
        let mut languages = vec![match min > max {
            true => NodeId::NEVER,
            false => regexes.repeat(NodeId::CHAR, min, max),
        }];
        if let Some(pattern) = &string.pattern {
            languages.push(regexes.listed(lower::search(pattern, regexes)?, LISTED));
        }
        languages.extend(string.format.map(|format| format.language(regexes)));
        languages.extend(string.spans_of.as_ref().map(|texts| regexes.spans(texts)));
        parts.push(self.assertion(Formula::Text(regexes.and(languages))));
        Ok(())
    }

    fn number(&self, number: &NumberKeywords, parts: &mut Vec<FormulaId>) -> Result<(), Error> {
        let cap = self.rules.limits.number_digits;
        let too_long = |what: &str| {
            Error::new(
                ErrorKind::Limit,
                format!("{what} has more than {cap} digits"),
            )
        };
        let numbers = self.numbers();
        let mut languages = Vec::new();
        for (bound, side, name) in [
            (&number.lower, LimitSide::AtLeast, "a lower bound"),
            (&number.upper, LimitSide::AtMost, "an upper bound"),
        ] {
            if let Some((value, exclusive)) = bound {
                let bounded = numbers.bound(value, *exclusive, side, cap);
                languages.push(bounded.ok_or_else(|| too_long(name))?);
            }
        }
        if let Some(divisor) = &number.multiple_of {
            let multiple = numbers.multiple_of(divisor);
            languages.push(multiple.ok_or_else(|| too_long("`multipleOf`"))?);
        }
        if !languages.is_empty() {
            let language = self.rules.scanner.regexes.and(languages);
            parts.push(self.assertion(Formula::Number(language)));
        }
        Ok(())
    }

    pub(super) fn child(&self, id: SchemaId) -> ChildId {
        ChildId(self.first.0 + id.0)
    }

    fn array(&self, array: &ArrayKeywords, parts: &mut Vec<FormulaId>) {
        let contains = array.contains.map(|contains| ContainsRule {
            child: self.child(contains.schema),
            min: contains.min,
            max: contains.max,
        });
        let rule = ArrayRule {
            prefix: array.prefix.iter().map(|&id| self.child(id)).collect(),
            items: array.items.map_or(ChildId::ANYTHING, |id| self.child(id)),
            min: array.min_items.unwrap_or(0),
            max: array.max_items,
            unique: array.unique,
            contains: contains.filter(|c| c.min > 0 || c.max.is_some()),
            ..ArrayRule::default()
        };
        let says_nothing = rule.prefix.is_empty()
            && array.items.is_none()
            && (rule.min, rule.max) == (0, None)
            && !rule.unique
            && rule.contains.is_none();
        if !says_nothing {
            parts.push(self.rules.new_array_rule(rule));
        }
    }

    fn object(&self, object: &ObjectKeywords, parts: &mut Vec<FormulaId>) -> Result<(), Error> {
        let properties = object.properties.iter();
        let regexes = &self.rules.scanner.regexes;
        let (mut words, mut patterns) = (Vec::new(), Vec::new());
        for (pattern, schema) in &object.patterns {
            let child = self.child(*schema);
            match keys(pattern, regexes)? {
                PatternKeys::Words(keys) => words.extend(keys.into_iter().map(|key| (key, child))),
                PatternKeys::Language(language) => patterns.push((language, child)),
            }
        }
        let rule = ObjectRule {
            properties: properties
                .map(|(key, id)| (key.clone(), self.child(*id)))
                .collect(),
            words,
            patterns,
            additional: object
                .additional
                .map_or(ChildId::ANYTHING, |id| self.child(id)),
            names: object.names.map(|id| self.child(id)),
            required: object.required.clone(),
            dependent: object.dependent_required.clone(),
            min: object.min_properties.unwrap_or(0),
            max: object.max_properties,
            ..ObjectRule::default()
        };
        let says_nothing = rule.properties.is_empty()
            && object.patterns.is_empty()
            && object.additional.is_none()
            && rule.names.is_none()
            && rule.required.is_empty()
            && rule.dependent.is_empty()
            && !rule.has_counts();
        if !says_nothing {
            parts.push(self.rules.new_object_rule(rule));
        }
        Ok(())
    }
}

const ANY_NUMBER: TypeSet =
    TypeSet(TypeSet::NUMBER.0 | TypeSet::INTEGER.0 | TypeSet::PLAIN_INTEGER.0);

/// The kinds of the values of some JSON types.
fn kinds(types: TypeSet) -> u8 {
    let table = [
        (TypeSet::NULL, Kind::Null.bit()),
        (TypeSet::BOOLEAN, Kind::True.bit() | Kind::False.bit()),
        (ANY_NUMBER, Kind::Number.bit()),
        (TypeSet::STRING, Kind::String.bit()),
        (TypeSet::ARRAY, Kind::Array.bit()),
        (TypeSet::OBJECT, Kind::Object.bit()),
    ];
    let bits = table
        .iter()
        .filter(|(kind, _)| types.has(*kind))
        .map(|(_, bits)| bits);
    bits.fold(0, |all, bits| all | bits)
}
