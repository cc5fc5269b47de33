//! Keywords for objects: `properties`, `patternProperties`, `additionalProperties`, `propertyNames`,
//! `required`, `dependentRequired`, `minProperties`, `maxProperties`, `unevaluatedProperties`.

use std::sync::Arc;

use serde_json::Value;

use crate::regex::Ast;
use crate::schema::fault::Fault;
use crate::schema::fields::{strings, wrong};
use crate::schema::keyword::Keyword;
use crate::schema::model::{Demanded, ObjectKeywords, SchemaId};
use crate::schema::reader::SchemaReader;
use crate::schema::string;

const KEYWORDS: [Keyword; 10] = {
    use Keyword::*;
    [
        Properties,
        Required,
        AdditionalProperties,
        PatternProperties,
        PropertyNames,
        MinProperties,
        MaxProperties,
        Dependencies,
        DependentRequired,
        UnevaluatedProperties,
    ]
};

pub(super) fn read<'a>(reader: &mut SchemaReader<'_, 'a>) -> Result<ObjectKeywords, Fault<'a>> {
    use Keyword::*;
    if !reader.fields.has_any(&KEYWORDS) {
        return Ok(ObjectKeywords::default());
    }
    Ok(ObjectKeywords {
        properties: properties(reader)?,
        required: match reader.fields.array(Required)? {
            Some(listed) => strings(listed, Required)?,
            None => Vec::new(),
        },
        patterns: patterns(reader)?,
        additional: reader.inner(AdditionalProperties)?,
        names: reader.inner(PropertyNames)?,
        min_properties: reader.fields.count(MinProperties)?,
        max_properties: reader.fields.most(MaxProperties)?,
        dependent_required: dependent_required(reader)?,
        unevaluated: reader.inner(UnevaluatedProperties)?,
    })
}

fn properties<'a>(
    reader: &mut SchemaReader<'_, 'a>,
) -> Result<Vec<(Arc<str>, SchemaId)>, Fault<'a>> {
    let Some(properties) = reader.fields.object(Keyword::Properties)? else {
        return Ok(Vec::new());
    };
    let read = |(name, value): (&String, _)| Ok((Arc::from(&**name), reader.schema(value)?));
    properties.iter().map(read).collect()
}

fn patterns<'a>(reader: &mut SchemaReader<'_, 'a>) -> Result<Vec<(Ast, SchemaId)>, Fault<'a>> {
    static ANYTHING: Value = Value::Bool(true);
    let keyword = Keyword::PatternProperties;
    let mut patterns = Vec::new();
    for (pattern, value) in reader.fields.object(keyword)?.into_iter().flatten() {
        match string::pattern(reader, keyword, pattern, value)? {
            Some(ast) => patterns.push((ast, reader.schema(value)?)),
            // The pattern, which is not supported, may match any name: then `additionalProperties`
            // must say nothing about any.
            None => {
                if let Some(all) = string::pattern(reader, keyword, "", value)? {
                    patterns.push((all, reader.schema(&ANYTHING)?));
                }
            }
        }
    }
    Ok(patterns)
}

/// `dependentRequired`, and the form of `dependencies` that lists names.
fn dependent_required<'a>(reader: &SchemaReader<'_, 'a>) -> Result<Vec<Demanded>, Fault<'a>> {
    let mut dependent = Vec::new();
    for keyword in [Keyword::Dependencies, Keyword::DependentRequired] {
        for (key, value) in reader.fields.object(keyword)?.into_iter().flatten() {
            match value {
                Value::Array(listed) if listed.is_empty() => {}
                Value::Array(listed) => {
                    dependent.push((Arc::from(&**key), strings(listed, keyword)?))
                }
                _ if keyword == Keyword::Dependencies => {}
                _ => return Err(wrong(value, keyword, "an object of arrays")),
            }
        }
    }
    Ok(dependent)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::error::ErrorKind;
    use crate::limits::Limits;
    use crate::schema::model::Schema;
    use crate::schema::testing::{assert_errors, assert_invalid, leniently, loaded};

    #[test]
    fn properties_keep_their_order() {
        let model = loaded(
            r#"{"additionalProperties": false, "required": ["z", "a", "z"],
                "properties": {"z": {}, "not": {"type": "null"}, "$ref": {}, "a": true}}"#,
        );
        let object = &model.top().object;
        let names: Vec<_> = object.properties.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["z", "not", "$ref", "a"]);
        assert_eq!(object.required, ["z", "a"].map(Arc::from));
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
    fn patterns_names_and_counts() {
        let model = loaded(
            r#"{"patternProperties": {"^b": {"minLength": 1}, "^a": true, "": {}}, "propertyNames": {"maxLength": 3},
                "minProperties": 1, "maxProperties": 2.0, "unevaluatedProperties": false}"#,
        );
        let object = &model.top().object;
        let patterns: Vec<_> = object.patterns.iter().map(|(ast, _)| ast.clone()).collect();
        let expected =
            ["^b", "^a", ""].map(|p| crate::regex::parse(p, &Limits::default()).unwrap());
        assert_eq!(patterns, expected);
        assert_eq!(
            model.keywords(object.patterns[0].1).string.min_length,
            Some(1)
        );
        let names = model.keywords(object.names.unwrap());
        assert_eq!(names.string.max_length, Some(3));
        assert_eq!(
            (object.min_properties, object.max_properties),
            (Some(1), Some(2))
        );
        assert!(matches!(
            model[object.unevaluated.unwrap()],
            Schema::Bool(false)
        ));
    }

    #[test]
    fn a_pattern_that_is_left_out_may_hold_for_any_name() {
        let text = r#"{"patternProperties": {"(a)\\1": 5}, "additionalProperties": false}"#;
        assert_errors(
            ErrorKind::Unsupported,
            &[(text, "/patternProperties/(a)\\1", "`patternProperties`")],
        );
        let model = leniently(text);
        assert_eq!(model.warnings[0].0, "/patternProperties/(a)\\1");
        let [(ast, schema)] = &model.top().object.patterns[..] else {
            panic!("{model:?}");
        };
        assert_eq!(*ast, crate::regex::parse("", &Limits::default()).unwrap());
        assert!(matches!(model[*schema], Schema::Bool(true)));
    }

    #[test]
    fn names_that_a_name_demands() {
        for text in [
            r#"{"dependentRequired": {"a": ["b", "c", "b"], "d": []}}"#,
            r#"{"dependencies": {"x": {}, "a": ["b", "c"], "d": []}}"#,
            r#"{"dependencies": {"a": ["b", "c"]}, "dependentRequired": {}}"#,
        ] {
            let model = loaded(text);
            let expected = [("a".into(), vec!["b".into(), "c".into()])];
            assert_eq!(model.top().object.dependent_required, expected, "{text}");
        }
        let both = r#"{"dependentRequired": {"a": ["b"]}, "dependencies": {"a": ["c"]}}"#;
        assert_eq!(loaded(both).top().object.dependent_required.len(), 2);
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
            (
                r#"{"patternProperties": {"a": {}, "b/(": {}}}"#,
                "/patternProperties/b~1(",
                "character",
            ),
            (
                r#"{"patternProperties": {"a": 5}}"#,
                "/patternProperties/a",
                "boolean",
            ),
            (r#"{"propertyNames": "a"}"#, "/propertyNames", "boolean"),
            (
                r#"{"minProperties": -1}"#,
                "/minProperties",
                "non-negative integer",
            ),
            (r#"{"maxProperties": "1"}"#, "/maxProperties", "number"),
            (
                r#"{"dependentRequired": {"a": {}}}"#,
                "/dependentRequired/a",
                "arrays",
            ),
            (
                r#"{"dependentRequired": {"a": [1]}}"#,
                "/dependentRequired/a/0",
                "strings",
            ),
            (
                r#"{"dependencies": {"a": [1]}}"#,
                "/dependencies/a/0",
                "strings",
            ),
            (
                r#"{"unevaluatedProperties": 1}"#,
                "/unevaluatedProperties",
                "boolean",
            ),
        ]);
    }
}
