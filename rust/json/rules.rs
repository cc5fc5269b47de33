//! From the schema model to formulas, and rules for what is inside objects and arrays.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use crate::error::{Error, Kind as ErrorKind};
use crate::json::formula::{ArrayRuleId, Formula, FormulaId, Formulas, Kind, ObjectRuleId};
use crate::json::number::{Numbers, Side};
use crate::limits::Limits;
use crate::regex::lower;
use crate::regex::node::{NodeId, UNBOUNDED};
use crate::regex::scan::Scanner;
use crate::schema::decimal::Decimal;
use crate::schema::model::{
    ArrayKeywords, InPlace, Keywords, Model, NumberKeywords, ObjectKeywords, Schema, SchemaId,
    StringKeywords, TypeSet,
};

/// A value inside an object or array: an index into [`Rules`], resolved once all are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChildId(u32);

#[derive(Debug)]
pub(crate) struct ObjectRule {
    /// In order of appearance.
    pub(crate) properties: Vec<(Arc<str>, ChildId)>,
    by_name: FxHashMap<Arc<str>, ChildId>,
    pub(crate) required: Vec<Arc<str>>,
    additional: ChildId,
}

#[derive(Debug)]
pub(crate) struct ArrayRule {
    prefix: Vec<ChildId>,
    items: ChildId,
    pub(crate) min: u64,
    pub(crate) max: u64,
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
    objects: Vec<ObjectRule>,
    arrays: Vec<ArrayRule>,
    children: Vec<FormulaId>,
    /// All JSON numbers: what a formula without assertions about numbers allows.
    pub(crate) any_number: NodeId,
    /// The bytes of `,` and of `:`, with the whitespace that must follow them.
    pub(crate) separator: u64,
}

impl Rules {
    /// Reads `models`; the formulas of their roots come back in the same order.
    pub(crate) fn new(
        models: &[&Model],
        separator: u64,
        limits: &Limits,
    ) -> Result<(Self, Vec<FormulaId>), Error> {
        let scanner = Scanner::new(limits);
        let any_number = Numbers::new(&scanner.regexes).any();
        let mut rules = Rules {
            scanner,
            formulas: Formulas::new(limits.alternatives),
            objects: Vec::new(),
            arrays: Vec::new(),
            children: vec![FormulaId::TRUE],
            any_number,
            separator,
        };
        let mut roots = Vec::with_capacity(models.len());
        for model in models {
            let first = rules.children.len() as u32;
            rules
                .children
                .resize(first as usize + model.schemas.len(), FormulaId::FALSE);
            let known = vec![None; model.schemas.len()];
            let mut reader = Reader {
                rules: &mut rules,
                model,
                limits,
                first,
                known,
            };
            for id in 0..model.schemas.len() as u32 {
                let formula = reader.schema(SchemaId(id), 0)?;
                reader.check_alternatives(formula)?;
                reader.rules.children[(first + id) as usize] = formula;
            }
            roots.push(rules.children[(first + model.root.0) as usize]);
        }
        Ok((rules, roots))
    }

    pub(crate) fn object(&self, rule: u32) -> &ObjectRule {
        &self.objects[rule as usize]
    }

    pub(crate) fn array(&self, rule: u32) -> &ArrayRule {
        &self.arrays[rule as usize]
    }

    fn child(&self, id: ChildId) -> FormulaId {
        self.children[id.0 as usize]
    }

    /// What a rule demands of the value of a key that is named in `properties`, or of any other.
    pub(crate) fn property(&self, rule: u32, key: Option<&str>) -> FormulaId {
        let rule = self.object(rule);
        let declared = key.and_then(|key| rule.by_name.get(key));
        self.child(*declared.unwrap_or(&rule.additional))
    }

    /// What a rule demands of the item at an index.
    pub(crate) fn item(&self, rule: u32, index: u64) -> FormulaId {
        let rule = self.array(rule);
        let prefix = usize::try_from(index).ok().and_then(|i| rule.prefix.get(i));
        self.child(*prefix.unwrap_or(&rule.items))
    }
}

/// Any value.
const ANYTHING: ChildId = ChildId(0);

struct Reader<'a> {
    rules: &'a mut Rules,
    model: &'a Model,
    limits: &'a Limits,
    /// The child that is the model's first schema.
    first: u32,
    known: Vec<Option<FormulaId>>,
}

impl Reader<'_> {
    /// A formula that unfolds to too many clauses could not be followed exactly.
    fn check_alternatives(&self, formula: FormulaId) -> Result<(), Error> {
        let formulas = &self.rules.formulas;
        let most = formulas.alternatives;
        let compound = [Kind::Array, Kind::Object].map(|kind| formulas.of_kind(formula, kind));
        if compound
            .into_iter()
            .any(|formula| formulas.count_clauses(formula) > most)
        {
            let message = format!("the branches of a schema combine in more than {most} ways");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    /// The formula of a schema. Schemas in place are followed; the model has no cycles of them.
    fn schema(&mut self, id: SchemaId, depth: usize) -> Result<FormulaId, Error> {
        if let Some(known) = self.known[id.0 as usize] {
            return Ok(known);
        }
        if depth > self.limits.schema_depth {
            let message = format!("more than {} schemas in place of each other", depth - 1);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let model = self.model;
        let formula = match &model[id] {
            Schema::Bool(true) => FormulaId::TRUE,
            Schema::Bool(false) => FormulaId::FALSE,
            Schema::Keywords(keywords) => self.keywords(keywords, depth)?,
        };
        self.known[id.0 as usize] = Some(formula);
        Ok(formula)
    }

    fn keywords(&mut self, keywords: &Keywords, depth: usize) -> Result<FormulaId, Error> {
        let mut parts = Vec::new();
        for part in &keywords.in_place {
            match part {
                InPlace::Own => self.own(keywords, &mut parts)?,
                &InPlace::Ref(target) => parts.push(self.schema(target, depth + 1)?),
                InPlace::AnyOf(branches) => {
                    let branches = self.all(branches, depth + 1)?;
                    match self.rules.formulas.or(&branches) {
                        FormulaId::TRUE => parts.extend(self.order_of(&branches)),
                        any => parts.push(any),
                    }
                }
                _ => todo!("in place: {part:?}"),
            }
        }
        Ok(self.rules.formulas.and(&parts))
    }

    /// A rule that asserts nothing but declares the keys of some branches, for their order: a
    /// branch that allows everything makes the others vanish, and their keys with them.
    fn order_of(&mut self, branches: &[FormulaId]) -> Option<FormulaId> {
        let formulas = &self.rules.formulas;
        let objects = branches.iter().map(|&f| formulas.of_kind(f, Kind::Object));
        let rules = formulas.rules(objects);
        let properties = rules
            .iter()
            .flat_map(|&rule| &self.rules.object(rule).properties);
        let mut properties: Vec<_> = properties.map(|(key, _)| (key.clone(), ANYTHING)).collect();
        let mut seen = FxHashSet::default();
        properties.retain(|(key, _)| seen.insert(key.clone()));
        let declares = !properties.is_empty();
        declares.then(|| self.object_rule(properties, Vec::new(), ANYTHING))
    }

    fn all(&mut self, ids: &[SchemaId], depth: usize) -> Result<Vec<FormulaId>, Error> {
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
            parts.push(self.values(values)?);
        }
        self.string(&keywords.string, parts)?;
        self.number(&keywords.number, parts)?;
        self.array(&keywords.array, parts);
        self.object(&keywords.object, parts);
        Ok(())
    }

    fn assertion(&self, assertion: Formula) -> FormulaId {
        self.rules.formulas.assertion(assertion)
    }

    fn numbers(&self) -> Numbers<'_> {
        Numbers::new(&self.rules.scanner.regexes)
    }

    fn string(&self, string: &StringKeywords, parts: &mut Vec<FormulaId>) -> Result<(), Error> {
        let regexes = &self.rules.scanner.regexes;
        let cap = |n: u64| u32::try_from(n).unwrap_or(UNBOUNDED - 1);
        let min = string.min_length.map_or(0, cap);
        let max = string.max_length.map_or(UNBOUNDED, cap);
        let length = if min > max {
            NodeId::NEVER
        } else {
            regexes.repeat(NodeId::CHAR, min, max)
        };
        let pattern = match &string.pattern {
            Some(ast) => lower::search(ast, regexes)?,
            None => NodeId::ANY,
        };
        parts.push(self.assertion(Formula::Text(regexes.and(vec![length, pattern]))));
        Ok(())
    }

    fn number(&self, number: &NumberKeywords, parts: &mut Vec<FormulaId>) -> Result<(), Error> {
        let cap = self.limits.number_digits;
        let too_long = |what: &str| {
            Error::new(
                ErrorKind::Limit,
                format!("{what} has more than {cap} digits"),
            )
        };
        let numbers = self.numbers();
        let mut languages = Vec::new();
        for (bound, side, name) in [
            (&number.lower, Side::AtLeast, "a lower bound"),
            (&number.upper, Side::AtMost, "an upper bound"),
        ] {
            if let Some((value, exclusive)) = bound {
                let bounded = numbers.bound(value, *exclusive, side, cap);
                languages.push(bounded.ok_or_else(|| too_long(name))?);
            }
        }
        if let Some(divisor) = &number.multiple_of {
            let multiple = numbers.multiple_of(divisor).ok_or_else(|| {
                Error::new(
                    ErrorKind::Limit,
                    "a multipleOf of more than 18 digits".to_owned(),
                )
            })?;
            languages.push(multiple);
        }
        if !languages.is_empty() {
            let language = self.rules.scanner.regexes.and(languages);
            parts.push(self.assertion(Formula::Number(language)));
        }
        Ok(())
    }

    fn child(&self, id: SchemaId) -> ChildId {
        ChildId(self.first + id.0)
    }

    fn array(&mut self, array: &ArrayKeywords, parts: &mut Vec<FormulaId>) {
        let rule = ArrayRule {
            prefix: array.prefix.iter().map(|&id| self.child(id)).collect(),
            items: array.items.map_or(ANYTHING, |id| self.child(id)),
            min: array.min_items.unwrap_or(0),
            max: array.max_items.unwrap_or(u64::MAX),
        };
        if array.prefix.is_empty() && array.items.is_none() && (rule.min, rule.max) == (0, u64::MAX)
        {
            return;
        }
        parts.push(self.array_rule(rule));
    }

    fn array_rule(&mut self, rule: ArrayRule) -> FormulaId {
        let id = ArrayRuleId(self.rules.arrays.len() as u32);
        self.rules.arrays.push(rule);
        self.assertion(Formula::Array(id))
    }

    fn object(&mut self, object: &ObjectKeywords, parts: &mut Vec<FormulaId>) {
        let nothing = object.properties.is_empty() && object.required.is_empty();
        if nothing && object.additional.is_none() {
            return;
        }
        let properties = object.properties.iter();
        let properties = properties
            .map(|(key, id)| (Arc::from(&**key), self.child(*id)))
            .collect();
        let additional = object.additional.map_or(ANYTHING, |id| self.child(id));
        let required = object
            .required
            .iter()
            .map(|key| Arc::from(&**key))
            .collect();
        parts.push(self.object_rule(properties, required, additional));
    }

    fn object_rule(
        &mut self,
        properties: Vec<(Arc<str>, ChildId)>,
        required: Vec<Arc<str>>,
        additional: ChildId,
    ) -> FormulaId {
        let by_name = properties.iter().cloned().collect();
        let id = ObjectRuleId(self.rules.objects.len() as u32);
        self.rules.objects.push(ObjectRule {
            properties,
            by_name,
            required,
            additional,
        });
        self.assertion(Formula::Object(id))
    }

    /// One of `values`, by JSON equality: the kind, and for each kind the values of that kind.
    fn values(&mut self, values: &[Value]) -> Result<FormulaId, Error> {
        let mut kinds = 0;
        let mut strings = Vec::new();
        let mut numbers = Vec::new();
        let mut arrays = Vec::new();
        let mut objects = Vec::new();
        for value in values {
            kinds |= kind_of(value).bit();
            match value {
                Value::String(text) => strings.push(&**text),
                Value::Number(number) => numbers.push(self.number_value(number)?),
                Value::Array(items) => arrays.push(self.array_value(items)?),
                Value::Object(members) => objects.push(self.object_value(members)?),
                Value::Null | Value::Bool(_) => {}
            }
        }
        let mut parts = vec![self.assertion(Formula::Kinds(kinds))];
        let regexes = &self.rules.scanner.regexes;
        if !strings.is_empty() {
            parts.push(self.assertion(Formula::Text(regexes.words(strings))));
        }
        if !numbers.is_empty() {
            parts.push(self.assertion(Formula::Number(regexes.or(numbers))));
        }
        for same_kind in [arrays, objects] {
            if !same_kind.is_empty() {
                parts.push(self.rules.formulas.or(&same_kind));
            }
        }
        Ok(self.rules.formulas.and(&parts))
    }

    fn number_value(&self, number: &serde_json::Number) -> Result<NodeId, Error> {
        let value = Decimal::parse(number.as_str());
        let node = value.and_then(|v| self.numbers().equal(&v, self.limits.number_digits));
        node.ok_or_else(|| {
            let cap = self.limits.number_digits;
            Error::new(
                ErrorKind::Limit,
                format!("the value {number} has more than {cap} digits"),
            )
        })
    }

    /// A child that must equal a value.
    fn value_child(&mut self, value: &Value) -> Result<ChildId, Error> {
        let formula = self.values(std::slice::from_ref(value))?;
        self.rules.children.push(formula);
        Ok(ChildId(self.rules.children.len() as u32 - 1))
    }

    fn array_value(&mut self, items: &[Value]) -> Result<FormulaId, Error> {
        let prefix = items
            .iter()
            .map(|item| self.value_child(item))
            .collect::<Result<_, _>>()?;
        let length = items.len() as u64;
        Ok(self.array_rule(ArrayRule {
            prefix,
            items: ANYTHING,
            min: length,
            max: length,
        }))
    }

    fn object_value(
        &mut self,
        members: &serde_json::Map<String, Value>,
    ) -> Result<FormulaId, Error> {
        let mut properties: Vec<(Arc<str>, ChildId)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            properties.push((Arc::from(&**key), self.value_child(value)?));
        }
        let required = properties.iter().map(|(key, _)| key.clone()).collect();
        self.rules.children.push(FormulaId::FALSE);
        let nothing_else = ChildId(self.rules.children.len() as u32 - 1);
        Ok(self.object_rule(properties, required, nothing_else))
    }
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(true) => Kind::True,
        Value::Bool(false) => Kind::False,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
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
