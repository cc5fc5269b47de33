//! Keywords that apply schemas to the same value: references, `allOf`, `anyOf`, `oneOf`, `not`, `if`,
//! `dependentSchemas`.

use serde_json::{Map, Value};

use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::model::InPlace;
use crate::schema::reader::SchemaReader;

const APPLICATORS: [Keyword; 10] = {
    use Keyword::*;
    [
        Ref,
        RecursiveRef,
        DynamicRef,
        AllOf,
        AnyOf,
        OneOf,
        Not,
        If,
        Dependencies,
        DependentSchemas,
    ]
};

/// The applicators of a schema `object`, in its order, with [`InPlace::Own`] once among them: where
/// `properties` stands, else the first keyword that tells names of properties, else first.
pub(super) fn read<'a>(
    reader: &mut SchemaReader<'_, 'a>,
    object: &'a Map<String, Value>,
) -> Result<Vec<InPlace>, Fault<'a>> {
    use Keyword::{Const, Enum, Properties, Required};
    if !reader.fields.has_any(&APPLICATORS) {
        return Ok(vec![InPlace::Own]);
    }
    let has_properties = reader.fields.has_any(&[Properties]);
    let mut in_place = Vec::new();
    let mut own = None;
    for name in object.keys() {
        let keyword = Keyword::named(name).filter(|&keyword| reader.fields.has_any(&[keyword]));
        match keyword {
            Some(Properties) => own = Some(in_place.len()),
            Some(Required | Enum | Const) if !has_properties => {
                own = own.or(Some(in_place.len()));
            }
            Some(keyword) => applicator(reader, keyword, &mut in_place)?,
            None => {}
        }
    }
    in_place.insert(own.unwrap_or(0), InPlace::Own);
    Ok(in_place)
}

fn applicator<'a>(
    reader: &mut SchemaReader<'_, 'a>,
    keyword: Keyword,
    in_place: &mut Vec<InPlace>,
) -> Result<(), Fault<'a>> {
    use Keyword::*;
    match keyword {
        Ref | RecursiveRef | DynamicRef => {
            in_place.extend(reader.referred(keyword)?.map(InPlace::Ref));
        }
        AllOf => {
            let schemas = reader.schemas(reader.fields.schemas(AllOf)?)?;
            in_place.extend(schemas.into_iter().map(InPlace::Ref));
        }
        AnyOf => in_place.push(InPlace::AnyOf(
            reader.schemas(reader.fields.schemas(AnyOf)?)?,
        )),
        OneOf => {
            let schemas = reader.schemas(reader.fields.schemas(OneOf)?)?;
            let value = reader.fields.get(OneOf).map(std::ptr::from_ref);
            let is_left_out = value.is_some_and(|at| reader.loader.left_out.contains(&at));
            // Exactly one of one schema.
            in_place.push(match schemas[..] {
                [schema] => InPlace::Ref(schema),
                _ if is_left_out => InPlace::AnyOf(schemas),
                _ => InPlace::OneOf(schemas),
            });
        }
        Not => in_place.extend(reader.inner(Not)?.map(InPlace::Not)),
        // `then` and `else` say nothing without it. Without them it is still looked at: what it
        // holds for counts as evaluated.
        If => {
            if let Some(condition) = reader.inner(If)? {
                in_place.push(InPlace::If {
                    condition,
                    then: reader.inner(Then)?,
                    otherwise: reader.inner(Else)?,
                });
            }
        }
        Dependencies | DependentSchemas => {
            for (name, value) in reader.fields.object(keyword)?.into_iter().flatten() {
                // The form of `dependencies` that lists names is read with the keywords for objects.
                if keyword == DependentSchemas || !value.is_array() {
                    in_place.push(InPlace::Dependent(name.clone(), reader.schema(value)?));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{assert_invalid, loaded};

    #[test]
    fn order_is_that_of_the_document() {
        use InPlace::{AnyOf, Dependent, If, Not, OneOf, Own, Ref};
        let shape = |text: &str| {
            let model = loaded(text);
            let letter = |in_place: &InPlace| match in_place {
                Own => "own".to_owned(),
                Ref(_) => "ref".to_owned(),
                AnyOf(schemas) => format!("any{}", schemas.len()),
                OneOf(schemas) => format!("one{}", schemas.len()),
                Not(_) => "not".to_owned(),
                If {
                    then, otherwise, ..
                } => {
                    let then = then.map_or("", |_| "+then");
                    format!("if{then}{}", otherwise.map_or("", |_| "+else"))
                }
                Dependent(key, _) => format!("{key}→"),
            };
            model
                .top()
                .in_place
                .iter()
                .map(letter)
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (text, expected) in [
            ("{}", "own"),
            (r##"{"$ref": "#/$defs/a", "$defs": {"a": {}}}"##, "own ref"),
            (
                r#"{"anyOf": [{}, {}], "properties": {}, "allOf": [{}, {}]}"#,
                "any2 own ref ref",
            ),
            (
                r#"{"required": [], "anyOf": [{}], "properties": {}}"#,
                "any1 own",
            ),
            (
                r#"{"allOf": [{}], "required": [], "anyOf": [{}], "enum": []}"#,
                "ref own any1",
            ),
            (r#"{"anyOf": [{}], "minLength": 1}"#, "own any1"),
            (r#"{"properties": {}, "oneOf": [{}]}"#, "own ref"),
            (r#"{"oneOf": [{}, {}], "not": false}"#, "own one2 not"),
            // `if` stands for all three; they say nothing without it.
            (
                r#"{"then": {}, "not": {}, "else": {}, "if": {}, "properties": {}}"#,
                "not if+then+else own",
            ),
            (r#"{"if": {}, "else": false}"#, "own if+else"),
            (r#"{"if": {}}"#, "own if"),
            (r#"{"then": 5, "else": false}"#, "own"),
            (
                r#"{"dependentSchemas": {"a": {}, "b": true}, "allOf": [{}], "properties": {}}"#,
                "a→ b→ ref own",
            ),
            (
                r#"{"properties": {}, "dependencies": {"a": ["b"], "c": {}, "d": false}}"#,
                "own c→ d→",
            ),
            (
                r##"{"$dynamicRef": "#/$defs/a", "$recursiveRef": "#/$defs/a", "$defs": {"a": {}}}"##,
                "own ref ref",
            ),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn malformed() {
        assert_invalid(&[
            (r#"{"anyOf": []}"#, "/anyOf", "non-empty array"),
            (r#"{"allOf": {}}"#, "/allOf", "an array, not an object"),
            (r#"{"oneOf": []}"#, "/oneOf", "non-empty array"),
            (
                r#"{"anyOf": [{}, null]}"#,
                "/anyOf/1",
                "an object or a boolean",
            ),
            (r#"{"$ref": {"a": 1}}"#, "/$ref", "must be a string"),
            (r#"{"$dynamicRef": 1}"#, "/$dynamicRef", "must be a string"),
            (
                r##"{"$recursiveRef": "#a"}"##,
                "/$recursiveRef",
                "`$recursiveRef` \"#a\" names",
            ),
            (r#"{"not": 5}"#, "/not", "an object or a boolean"),
            (
                r#"{"if": {}, "then": []}"#,
                "/then",
                "an object or a boolean",
            ),
            (
                r#"{"dependentSchemas": []}"#,
                "/dependentSchemas",
                "must be an object",
            ),
            (
                r#"{"dependentSchemas": {"a": ["b"]}}"#,
                "/dependentSchemas/a",
                "boolean",
            ),
            (
                r#"{"dependencies": {"a": "b"}}"#,
                "/dependencies/a",
                "boolean",
            ),
        ]);
    }
}
