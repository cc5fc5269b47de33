//! Keywords for every type: `type`, `nullable`, `enum`, `const`.

use serde_json::Value;

use crate::schema::draft::Draft;
use crate::schema::equality;
use crate::schema::fault::Fault;
use crate::schema::fields::wrong;
use crate::schema::keyword::Keyword;
use crate::schema::model::TypeSet;
use crate::schema::reader::SchemaReader;

/// The types that are allowed; `None` if all are.
pub(super) fn types<'a>(reader: &SchemaReader<'_, 'a>) -> Result<Option<TypeSet>, Fault<'a>> {
    let Some(value) = reader.fields.get(Keyword::Type) else {
        return Ok(None);
    };
    let mut types = match value {
        Value::Array(names) if !names.is_empty() => names
            .iter()
            .map(|name| named(name, reader.draft()))
            .try_fold(TypeSet(0), |all, one| one.map(|one| all.union(one)))?,
        Value::Array(_) => return Err(wrong(value, Keyword::Type, "a type or a list of types")),
        name => named(name, reader.draft())?,
    };
    // OpenAPI 3.0.3: "A true value adds "null" to the allowed type specified by the type keyword,
    // only if type is explicitly defined within the same Schema Object." An `enum` still applies.
    if reader.fields.get(Keyword::Nullable) == Some(&Value::Bool(true)) {
        types = types.union(TypeSet::NULL);
    }
    Ok(Some(types))
}

fn named(value: &Value, draft: Option<Draft>) -> Result<TypeSet, Fault<'_>> {
    Ok(match value.as_str() {
        Some("null") => TypeSet::NULL,
        Some("boolean") => TypeSet::BOOLEAN,
        // Draft 4: "A JSON number without a fraction or exponent part."
        Some("integer") if draft == Some(Draft::V4) => TypeSet::PLAIN_INTEGER,
        Some("integer") => TypeSet::INTEGER,
        Some("number") => TypeSet::NUMBER,
        Some("string") => TypeSet::STRING,
        Some("array") => TypeSet::ARRAY,
        Some("object") => TypeSet::OBJECT,
        _ => return Err(wrong(value, Keyword::Type, "the name of a JSON type")),
    })
}

/// The values that are allowed, if they are listed.
pub(super) fn values<'a>(reader: &SchemaReader<'_, 'a>) -> Result<Option<Vec<Value>>, Fault<'a>> {
    let listed = reader.fields.array(Keyword::Enum)?;
    Ok(match (listed, reader.fields.get(Keyword::Const)) {
        (None, None) => None,
        (Some(values), None) => Some(values.to_vec()),
        (None, Some(value)) => Some(vec![value.clone()]),
        (Some(values), Some(value)) => {
            let listed = values.iter().any(|other| equality::equal(value, other));
            Some(if listed {
                vec![value.clone()]
            } else {
                Vec::new()
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{assert_invalid, loaded};

    #[test]
    fn types_are_sets() {
        let both = TypeSet::NULL.union(TypeSet::STRING);
        for (text, expected) in [
            ("{}", None),
            (r#"{"type": "string"}"#, Some(TypeSet::STRING)),
            (r#"{"type": ["string", "null", "string"]}"#, Some(both)),
            (r#"{"type": "string", "nullable": true}"#, Some(both)),
            (
                r#"{"type": "string", "nullable": false}"#,
                Some(TypeSet::STRING),
            ),
            (r#"{"nullable": true}"#, None),
            (
                r#"{"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}"#,
                Some(TypeSet::PLAIN_INTEGER),
            ),
        ] {
            assert_eq!(loaded(text).top().types, expected, "{text}");
        }
        assert_invalid(&[
            (r#"{"type": "strng"}"#, "/type", "\"strng\""),
            (r#"{"type": ["string", "any"]}"#, "/type/1", "\"any\""),
            (r#"{"type": []}"#, "/type", "an empty array"),
            (r#"{"type": {"type": "string"}}"#, "/type", "an object"),
        ]);
    }

    #[test]
    fn enum_and_const() {
        for (text, expected) in [
            (
                r#"{"enum": [1, "a", {"type": 5}]}"#,
                r#"[1, "a", {"type": 5}]"#,
            ),
            (r#"{"enum": []}"#, "[]"),
            (r#"{"const": null}"#, "[null]"),
            (r#"{"const": 1.0, "enum": [0, 1]}"#, "[1.0]"),
            (r#"{"const": "b", "enum": ["a"]}"#, "[]"),
        ] {
            let values = Value::Array(loaded(text).top().values.clone().unwrap());
            assert_eq!(values.to_string(), expected.replace(' ', ""), "{text}");
        }
        assert_eq!(loaded("{}").top().values, None);
        assert_invalid(&[(
            r#"{"enum": {"a": 1}}"#,
            "/enum",
            "must be an array, not an object",
        )]);
    }
}
