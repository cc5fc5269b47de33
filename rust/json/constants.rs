//! JSON values as formulas, by JSON equality.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::Value;

use crate::decimal::Decimal;
use crate::error::{Error, ErrorKind};
use crate::json::formula::{Formula, FormulaId};
use crate::json::kind::Kind;
use crate::json::number::Numbers;
use crate::json::rules::{ArrayRule, ChildId, ObjectRule, Rules};
use crate::regex::node::NodeId;

/// No cap on digits, for values that a text already holds.
const ANY_DIGITS: usize = 1 << 40;

impl Rules {
    /// The formula of the values that equal one of `values`. No number may have more than `cap`
    /// digits.
    pub(crate) fn values(&self, values: &[Value], cap: usize) -> Result<FormulaId, Error> {
        let mut kinds = 0;
        let mut strings = Vec::new();
        let mut numbers = Vec::new();
        let mut arrays = Vec::new();
        let mut objects = Vec::new();
        for value in values {
            kinds |= kind_of(value).bit();
            match value {
                Value::String(text) => strings.push(&**text),
                Value::Number(number) => numbers.push(self.number_value(number, cap)?),
                Value::Array(items) => arrays.push(self.array_value(items, cap)?),
                Value::Object(members) => objects.push(self.object_value(members, cap)?),
                Value::Null | Value::Bool(_) => {}
            }
        }
        let mut parts = vec![self.formulas.assertion(Formula::Kinds(kinds))];
        let regexes = &self.scanner.regexes;
        if !strings.is_empty() {
            parts.push(
                self.formulas
                    .assertion(Formula::Text(regexes.words(strings))),
            );
        }
        if !numbers.is_empty() {
            parts.push(
                self.formulas
                    .assertion(Formula::Number(regexes.or(numbers))),
            );
        }
        for same_kind in [arrays, objects] {
            if !same_kind.is_empty() {
                parts.push(self.formulas.or(&same_kind));
            }
        }
        Ok(self.formulas.and(&parts))
    }

    /// The formula of the values that equal this one; equal values have the same formula.
    pub(crate) fn constant(&self, value: &Value) -> Result<FormulaId, Error> {
        let text = canonical(value);
        if let Some(&known) = self.constants.lock().get(&text) {
            return Ok(known);
        }
        let formula = self.values(std::slice::from_ref(value), ANY_DIGITS)?;
        self.constants.lock().insert(text, formula);
        Ok(formula)
    }

    fn number_value(&self, number: &serde_json::Number, cap: usize) -> Result<NodeId, Error> {
        let value = Decimal::parse(number.as_str());
        let numbers = Numbers::new(&self.scanner.regexes);
        let node = value.and_then(|v| numbers.equal(&v, cap));
        node.ok_or_else(|| {
            let beginning: String = number.as_str().chars().take(20).collect();
            Error::new(
                ErrorKind::Limit,
                format!("the value {beginning}… has more than {cap} digits"),
            )
        })
    }

    /// A child whose value must equal `value`.
    fn value_child(&self, value: &Value, cap: usize) -> Result<ChildId, Error> {
        let formula = self.values(std::slice::from_ref(value), cap)?;
        Ok(self.new_child(formula))
    }

    fn array_value(&self, items: &[Value], cap: usize) -> Result<FormulaId, Error> {
        let prefix = items.iter().map(|item| self.value_child(item, cap));
        let length = items.len() as u64;
        Ok(self.new_array_rule(ArrayRule {
            prefix: prefix.collect::<Result<_, _>>()?,
            min: length,
            max: Some(length),
            ..ArrayRule::default()
        }))
    }

    fn object_value(
        &self,
        members: &serde_json::Map<String, Value>,
        cap: usize,
    ) -> Result<FormulaId, Error> {
        let mut properties: Vec<(Arc<str>, ChildId)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            properties.push((Arc::from(&**key), self.value_child(value, cap)?));
        }
        let required = properties.iter().map(|(key, _)| key.clone()).collect();
        Ok(self.new_object_rule(ObjectRule {
            properties,
            required,
            additional: ChildId::NOTHING,
            ..ObjectRule::default()
        }))
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

/// A text that equal values share, and no others.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => match Decimal::parse(number.as_str()) {
            Some(decimal) => {
                let sign = if decimal.negative { "-" } else { "" };
                let digits = String::from_utf8_lossy(&decimal.digits);
                let _ = write!(out, "{sign}{digits}e{}", decimal.exponent);
            }
            None => out.push_str(number.as_str()),
        },
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, member) in sorted {
                let _ = write!(out, "{}:", Value::String(key.clone()));
                write_canonical(member, out);
                out.push(',');
            }
            out.push('}');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}
