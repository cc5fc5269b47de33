//! The keywords of one schema object, looked up by [`Keyword`] and checked for their type.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::{Map, Value};

use crate::decimal::Decimal;
use crate::error::ErrorKind;
use crate::schema::dialect::Dialect;
use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::misspelt;

const _: () = assert!(Keyword::COUNT <= u64::BITS as usize);

/// The values of the keywords of one schema object; annotations are left out.
pub(super) struct Fields<'a> {
    values: [Option<&'a Value>; Keyword::COUNT],
    /// Bit `k` is set if keyword `k` is there.
    present: u64,
}

impl<'a> Fields<'a> {
    /// Reads a schema object. What its dialect tells to ignore is left out, and told to `ignored`
    /// with the reason.
    pub(super) fn gather(
        object: &'a Map<String, Value>,
        dialect: Dialect,
        mut ignored: impl FnMut(Fault<'a>),
    ) -> Self {
        let mut fields = Fields {
            values: [None; Keyword::COUNT],
            present: 0,
        };
        let alone = dialect.ignores_beside_ref() && object.contains_key("$ref");
        for (name, value) in object {
            let Some(keyword) = Keyword::named(name) else {
                if let Some(meant) = misspelt::meant(name) {
                    let meant = meant.name();
                    let message = format!("`{name}` is no keyword; is `{meant}` meant?");
                    ignored(Fault::schema(value, message));
                }
                continue;
            };
            if dialect.has(keyword) && (!alone || keyword == Keyword::Ref) {
                fields.values[keyword as usize] = Some(value);
                fields.present |= 1 << keyword as u8;
            } else if keyword.asserts() {
                let reason = dialect.why_ignored(keyword);
                ignored(Fault::schema(value, format!("`{name}` {reason}")));
            }
        }
        fields
    }

    /// Leaves out the keywords whose values stand at some places, as far as they can be left out.
    pub(super) fn leave_out(&mut self, places: &FxHashSet<*const Value>) {
        if places.is_empty() {
            return;
        }
        for &keyword in Keyword::ALL {
            let value = self.get(keyword);
            let is_there = value.is_some_and(|value| places.contains(&std::ptr::from_ref(value)));
            if is_there && keyword.can_be_left_out() {
                self.values[keyword as usize] = None;
                self.present &= !(1 << keyword as u8);
            }
        }
    }

    pub(super) fn get(&self, keyword: Keyword) -> Option<&'a Value> {
        self.values[keyword as usize]
    }

    pub(super) fn has_any(&self, keywords: &[Keyword]) -> bool {
        keywords
            .iter()
            .any(|&keyword| self.present & (1 << keyword as u8) != 0)
    }

    /// A non-negative integer; `2.0` is one. Saturates.
    pub(super) fn count(&self, keyword: Keyword) -> Result<Option<u64>, Fault<'a>> {
        let Some(value) = self.get(keyword) else {
            return Ok(None);
        };
        if let Some(count) = value.as_u64() {
            return Ok(Some(count));
        }
        let number = self
            .decimal(keyword)?
            .filter(|d| d.is_integer() && !d.negative);
        let Some(number) = number else {
            return Err(wrong(value, keyword, "a non-negative integer"));
        };
        let digits = number
            .plain(20)
            .and_then(|(int, _)| String::from_utf8(int).ok());
        Ok(Some(match digits {
            Some(digits) if digits.is_empty() => 0,
            Some(digits) => digits.parse().unwrap_or(u64::MAX),
            None => u64::MAX,
        }))
    }

    /// An upper bound of a count. One too large for 64 bits is no bound at all: no value is that
    /// large, nor larger.
    pub(super) fn most(&self, keyword: Keyword) -> Result<Option<u64>, Fault<'a>> {
        Ok(self.count(keyword)?.filter(|&most| most < u64::MAX))
    }

    pub(super) fn decimal(&self, keyword: Keyword) -> Result<Option<Decimal>, Fault<'a>> {
        let Some(value) = self.get(keyword) else {
            return Ok(None);
        };
        let Value::Number(number) = value else {
            return Err(wrong(value, keyword, "a number"));
        };
        let message = || format!("the exponent of `{}` does not fit 32 bits", keyword.name());
        let decimal = Decimal::parse(number.as_str());
        decimal
            .map(Some)
            .ok_or_else(|| Fault::new(ErrorKind::Limit, value, message()))
    }

    pub(super) fn string(&self, keyword: Keyword) -> Result<Option<&'a str>, Fault<'a>> {
        match self.get(keyword) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(wrong(value, keyword, "a string")),
        }
    }

    pub(super) fn array(&self, keyword: Keyword) -> Result<Option<&'a [Value]>, Fault<'a>> {
        match self.get(keyword) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(value) => Err(wrong(value, keyword, "an array")),
        }
    }

    /// An array of schemas, which all drafts require not to be empty.
    pub(super) fn schemas(&self, keyword: Keyword) -> Result<&'a [Value], Fault<'a>> {
        match (self.array(keyword)?, self.get(keyword)) {
            (Some([]), Some(value)) => Err(wrong(value, keyword, "a non-empty array")),
            (schemas, _) => Ok(schemas.unwrap_or_default()),
        }
    }

    pub(super) fn object(
        &self,
        keyword: Keyword,
    ) -> Result<Option<&'a Map<String, Value>>, Fault<'a>> {
        match self.get(keyword) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(value) => Err(wrong(value, keyword, "an object")),
        }
    }
}

/// The strings that an array lists, once each.
pub(super) fn strings(listed: &[Value], keyword: Keyword) -> Result<Vec<Arc<str>>, Fault<'_>> {
    let mut seen = FxHashSet::default();
    let mut strings = Vec::with_capacity(listed.len());
    for value in listed {
        let Some(string) = value.as_str() else {
            return Err(wrong(value, keyword, "an array of strings"));
        };
        if seen.insert(string) {
            strings.push(Arc::from(string));
        }
    }
    Ok(strings)
}

/// A keyword with a value that it cannot have.
pub(super) fn wrong<'a>(value: &'a Value, keyword: Keyword, expected: &str) -> Fault<'a> {
    let got = match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) if number.as_str().len() <= 40 => value.to_string(),
        Value::String(text) if text.len() <= 40 => value.to_string(),
        Value::Number(_) => "a long number".to_owned(),
        Value::String(_) => "a long string".to_owned(),
        Value::Array(array) if array.is_empty() => "an empty array".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Fault::schema(
        value,
        format!("`{}` must be {expected}, not {got}", keyword.name()),
    )
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::schema::testing::{assert_errors, assert_invalid, loaded};

    #[test]
    fn counts_are_integers_of_any_spelling() {
        for (count, expected) in [
            ("0", 0),
            ("2.0", 2),
            ("20e-1", 2),
            ("1e2", 100),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("1e300", u64::MAX),
            ("-0.0", 0),
        ] {
            let model = loaded(&format!(
                r#"{{"minLength": {count}, "maxLength": {count}}}"#
            ));
            let string = &model.top().string;
            assert_eq!(string.min_length, Some(expected), "{count}");
            let most = (expected < u64::MAX).then_some(expected);
            assert_eq!(string.max_length, most, "{count}");
        }
        assert_invalid(&[
            (
                r#"{"minLength": -1}"#,
                "/minLength",
                "non-negative integer, not -1",
            ),
            (r#"{"minItems": 1.5}"#, "/minItems", "non-negative integer"),
            (r#"{"maxItems": "1"}"#, "/maxItems", "must be a number"),
            (r#"{"maxLength": null}"#, "/maxLength", "not null"),
        ]);
        assert_errors(
            ErrorKind::Limit,
            &[(r#"{"maxLength": 1e99999999999}"#, "/maxLength", "exponent")],
        );
    }

    #[test]
    fn what_the_declared_draft_ignores_is_told() {
        let model = loaded(
            r##"{"$schema": "http://json-schema.org/draft-04/schema#", "const": 1, "$anchor": 2,
                "definitions": {"a": {"type": "string"}},
                "properties": {"p": {"maxLength": -1, "$ref": "#/definitions/a", "title": "t"}}}"##,
        );
        let expected = [
            ("/const", "`const` is not a keyword of draft 4"),
            (
                "/properties/p/maxLength",
                "`maxLength` beside `$ref` is ignored by draft 4",
            ),
        ];
        let expected = expected.map(|(pointer, message)| (pointer.into(), message.into()));
        assert_eq!(model.warnings, expected);
        assert!(model.top().values.is_none());
    }

    #[test]
    fn long_values_are_not_repeated() {
        let text = format!(r#"{{"properties": "{0}", "type": {0}}}"#, "1".repeat(1000));
        assert_invalid(&[(&text, "/type", "a long number")]);
    }
}
