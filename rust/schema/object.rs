//! Keywords for objects: `properties`, `required`, `additionalProperties`.

use std::collections::HashSet;

use crate::schema::fault::Fault;
use crate::schema::fields::wrong;
use crate::schema::keyword::Keyword;
use crate::schema::load::Reader;
use crate::schema::model::{ObjectKeywords, SchemaId};

pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>) -> Result<ObjectKeywords, Fault<'a>> {
    use Keyword::{AdditionalProperties, Properties, Required};
    if !reader
        .fields
        .has_any(&[Properties, Required, AdditionalProperties])
    {
        return Ok(ObjectKeywords::default());
    }
    let additional = reader.fields.get(AdditionalProperties);
    Ok(ObjectKeywords {
        properties: properties(reader)?,
        required: required(reader)?,
        additional: additional.map(|value| reader.schema(value)).transpose()?,
        ..ObjectKeywords::default()
    })
}

fn properties<'a>(reader: &mut Reader<'_, 'a>) -> Result<Vec<(String, SchemaId)>, Fault<'a>> {
    let Some(properties) = reader.fields.object(Keyword::Properties)? else {
        return Ok(Vec::new());
    };
    let read = |(name, value)| Ok((String::clone(name), reader.schema(value)?));
    properties.iter().map(read).collect()
}

fn required<'a>(reader: &Reader<'_, 'a>) -> Result<Vec<String>, Fault<'a>> {
    let names = reader.fields.array(Keyword::Required)?.unwrap_or_default();
    let mut seen = HashSet::new();
    let mut required = Vec::with_capacity(names.len());
    for value in names {
        let Some(name) = value.as_str() else {
            return Err(wrong(value, Keyword::Required, "an array of strings"));
        };
        if seen.insert(name) {
            required.push(name.to_owned());
        }
    }
    Ok(required)
}

#[cfg(test)]
mod tests {
    use crate::schema::model::Schema;
    use crate::schema::testing::{assert_invalid, loaded};

    #[test]
    fn properties_keep_their_order() {
        let model = loaded(
            r#"{"additionalProperties": false, "required": ["z", "a", "z"],
                "properties": {"z": {}, "not": {"type": "null"}, "$ref": {}, "a": true}}"#,
        );
        let object = &model.top().object;
        let names: Vec<_> = object
            .properties
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["z", "not", "$ref", "a"]);
        assert_eq!(object.required, ["z", "a"]);
        assert!(matches!(
            model[object.additional.unwrap()],
            Schema::Bool(false)
        ));
        assert!(matches!(model[model.property("a")], Schema::Bool(true)));
        assert!(loaded("{}").top().object.additional.is_none());
    }

    #[test]
    fn of_duplicate_keys_the_last_counts() {
        let model = loaded(r#"{"properties": {"a": 5, "b": {}, "a": {"minLength": 2}}}"#);
        assert_eq!(model.top().object.properties.len(), 2);
        assert_eq!(
            model.keywords(model.property("a")).string.min_length,
            Some(2)
        );
    }

    #[test]
    fn malformed() {
        assert_invalid(&[
            (
                r#"{"properties": []}"#,
                "/properties",
                "must be an object, not an empty array",
            ),
            (
                r#"{"properties": {"a/b": {"required": true}}}"#,
                "/properties/a~1b/required",
                "array",
            ),
            (
                r#"{"properties": {"a": "string"}}"#,
                "/properties/a",
                "an object or a boolean",
            ),
            (r#"{"required": ["a", 1]}"#, "/required/1", "strings"),
            (
                r#"{"additionalProperties": "false"}"#,
                "/additionalProperties",
                "boolean",
            ),
        ]);
    }
}
