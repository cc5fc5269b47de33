//! Keywords that are known but not supported yet.
//!
//! Each is an error, or a warning if not strict, unless it says nothing at its place.

use serde_json::Value;

use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::load::Reader;
use crate::schema::model::TypeSet;

/// The formats that the drafts define. Others are annotations, by the specification.
const FORMATS: [&str; 19] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

const ANY: TypeSet = TypeSet(0x7f);

/// The keywords, and the types of values about which each says something.
const UNSUPPORTED: [(Keyword, TypeSet); 17] = [
    (Keyword::RecursiveRef, ANY),
    (Keyword::DynamicRef, ANY),
    (Keyword::OneOf, ANY),
    (Keyword::Not, ANY),
    (Keyword::If, ANY),
    (Keyword::Format, TypeSet::STRING),
    (Keyword::UniqueItems, TypeSet::ARRAY),
    (Keyword::Contains, TypeSet::ARRAY),
    (Keyword::UnevaluatedItems, TypeSet::ARRAY),
    (Keyword::PatternProperties, TypeSet::OBJECT),
    (Keyword::PropertyNames, TypeSet::OBJECT),
    (Keyword::MinProperties, TypeSet::OBJECT),
    (Keyword::MaxProperties, TypeSet::OBJECT),
    (Keyword::Dependencies, TypeSet::OBJECT),
    (Keyword::DependentRequired, TypeSet::OBJECT),
    (Keyword::DependentSchemas, TypeSet::OBJECT),
    (Keyword::UnevaluatedProperties, TypeSet::OBJECT),
];

/// Looks for unsupported keywords in a schema whose `type` is `types`.
pub(super) fn check<'a>(
    reader: &mut Reader<'_, 'a>,
    types: Option<TypeSet>,
) -> Result<(), Fault<'a>> {
    if !reader
        .fields
        .has_any(&UNSUPPORTED.map(|(keyword, _)| keyword))
    {
        return Ok(());
    }
    for (keyword, about) in UNSUPPORTED {
        let Some(value) = reader.fields.get(keyword) else {
            continue;
        };
        if types.is_some_and(|types| !types.has(about)) || says_nothing(reader, keyword, value) {
            continue;
        }
        match value.as_str().filter(|_| keyword == Keyword::Format) {
            Some(format) if FORMATS.contains(&format) => {
                reader.unsupported(value, format!("`format` {format:?} is not supported"))?;
            }
            Some(format) => {
                let message = format!("`format` {format:?} is not one of JSON Schema: ignored");
                reader.warn(value, message);
            }
            None => reader.unsupported(value, format!("`{}` is not supported", keyword.name()))?,
        }
    }
    Ok(())
}

/// Whether a keyword holds for every value.
fn says_nothing(reader: &Reader<'_, '_>, keyword: Keyword, value: &Value) -> bool {
    let fields = &reader.fields;
    match keyword {
        // Read as an applicator.
        Keyword::OneOf => value.as_array().is_some_and(|schemas| schemas.len() == 1),
        Keyword::Not => *value == Value::Bool(false),
        Keyword::If => [Keyword::Then, Keyword::Else]
            .iter()
            .all(|&keyword| fields.get(keyword).is_none_or(allows_all)),
        Keyword::UniqueItems => *value == Value::Bool(false),
        Keyword::Contains => {
            let is_zero = |minimum: &Value| minimum.as_u64() == Some(0);
            fields.get(Keyword::MinContains).is_some_and(is_zero)
                && fields.get(Keyword::MaxContains).is_none()
        }
        Keyword::MinProperties => value.as_u64() == Some(0),
        Keyword::PatternProperties
        | Keyword::Dependencies
        | Keyword::DependentRequired
        | Keyword::DependentSchemas => value.as_object().is_some_and(|map| map.is_empty()),
        Keyword::PropertyNames | Keyword::UnevaluatedItems | Keyword::UnevaluatedProperties => {
            allows_all(value)
        }
        _ => false,
    }
}

/// Whether a schema obviously allows every value.
fn allows_all(schema: &Value) -> bool {
    match schema {
        Value::Bool(verdict) => *verdict,
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Kind;
    use crate::schema::testing::{assert_errors, leniently, loaded};

    #[test]
    fn each_is_named_with_its_place() {
        for (keyword, value) in [
            ("$recursiveRef", r##""#""##),
            ("$dynamicRef", r##""#a""##),
            ("oneOf", "[{}, {}]"),
            ("not", "{}"),
            ("if", r#"{}, "then": false"#),
            ("if", r#"{}, "else": {"type": "null"}"#),
            ("format", r#""date-time""#),
            ("uniqueItems", "true"),
            ("contains", "{}"),
            ("contains", r#"{}, "minContains": 0, "maxContains": 1"#),
            ("unevaluatedItems", "false"),
            ("patternProperties", r#"{"a": {}}"#),
            ("propertyNames", r#"{"minLength": 1}"#),
            ("minProperties", "1"),
            ("maxProperties", "1"),
            ("dependencies", r#"{"a": ["b"]}"#),
            ("dependentRequired", r#"{"a": ["b"]}"#),
            ("dependentSchemas", r#"{"a": {}}"#),
            ("unevaluatedProperties", "false"),
        ] {
            let text = format!(r#"{{"properties": {{"a": {{"{keyword}": {value}}}}}}}"#);
            let pointer = format!("/properties/a/{keyword}");
            let name = format!("`{keyword}`");
            assert_errors(Kind::Unsupported, &[(&text, &pointer, &name)]);
            let warnings = leniently(&text).warnings;
            assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
            assert_eq!(warnings[0].0, pointer);
            assert!(warnings[0].1.contains(&name), "{warnings:?}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_error() {
        for text in [
            r#"{"not": false}"#,
            r#"{"if": {"not": {}}}"#,
            r#"{"if": {}, "then": true, "else": {}}"#,
            r#"{"then": false, "else": false}"#,
            r#"{"uniqueItems": false}"#,
            r#"{"minContains": 2, "maxContains": 1}"#,
            r#"{"contains": {"not": {}}, "minContains": 0}"#,
            r#"{"minProperties": 0, "patternProperties": {}, "dependencies": {}}"#,
            r#"{"dependentRequired": {}, "dependentSchemas": {}, "propertyNames": {}}"#,
            r#"{"unevaluatedProperties": true, "unevaluatedItems": {}}"#,
            r#"{"type": "number", "format": "date", "minProperties": 1, "uniqueItems": true}"#,
            r#"{"type": ["object", "string"], "contains": {}, "uniqueItems": true}"#,
            r#"{"title": 1, "default": {"not": 1}, "examples": [{"not": 1}], "x-not": {"not": 1}}"#,
            r#"{"enum": [{"not": 1}], "properties": {"not": {}}, "$comment": "", "version": 2}"#,
            r#"{"$defs": {"a": {"not": {}}, "b": 5}, "definitions": [1]}"#,
        ] {
            assert_eq!(loaded(text).warnings, [], "{text}");
        }
    }

    #[test]
    fn unknown_formats_are_annotations() {
        let model = loaded(r#"{"items": {"format": "int32"}, "format": "a/b"}"#);
        let pointers: Vec<_> = model.warnings.iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/items/format", "/format"]);
        assert!(model.warnings[0].1.contains("int32"));
    }

    #[test]
    fn definitions_count_once_something_refers_to_them() {
        let text = r##"{"$ref": "#/$defs/a", "$defs": {"a": {"items": {"not": {}}}}}"##;
        assert_errors(Kind::Unsupported, &[(text, "/$defs/a/items/not", "`not`")]);
    }
}
