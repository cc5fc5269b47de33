//! Keywords that apply schemas to the same value: `$ref`, `allOf`, `anyOf`, `oneOf` of one schema.

use serde_json::{Map, Value};

use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::load::Reader;
use crate::schema::model::InPlace;

/// The applicators of a schema `object`, in its order, with [`InPlace::Own`] once among them: where
/// `properties` stands, else the first keyword that tells names of properties, else first.
pub(super) fn read<'a>(
    reader: &mut Reader<'_, 'a>,
    object: &'a Map<String, Value>,
) -> Result<Vec<InPlace>, Fault<'a>> {
    use Keyword::{AllOf, AnyOf, Const, Enum, OneOf, Properties, Ref, Required};
    if !reader.fields.has_any(&[Ref, AllOf, AnyOf, OneOf]) {
        return Ok(vec![InPlace::Own]);
    }
    let has_properties = reader.fields.has_any(&[Properties]);
    let mut in_place = Vec::new();
    let mut own = None;
    for name in object.keys() {
        let keyword = Keyword::named(name).filter(|&keyword| reader.fields.has_any(&[keyword]));
        match keyword {
            Some(Ref) => in_place.extend(reference(reader)?),
            Some(AllOf) => {
                let schemas = reader.schemas(reader.fields.schemas(AllOf)?)?;
                in_place.extend(schemas.into_iter().map(InPlace::Ref));
            }
            Some(AnyOf) => {
                in_place.push(InPlace::AnyOf(
                    reader.schemas(reader.fields.schemas(AnyOf)?)?,
                ));
            }
            // Exactly one of one schema.
            Some(OneOf) => {
                if let [schema] = reader.fields.schemas(OneOf)? {
                    in_place.push(InPlace::Ref(reader.schema(schema)?));
                }
            }
            Some(Properties) => own = Some(in_place.len()),
            Some(Required | Enum | Const) if !has_properties => {
                own = own.or(Some(in_place.len()));
            }
            _ => {}
        }
    }
    in_place.insert(own.unwrap_or(0), InPlace::Own);
    Ok(in_place)
}

fn reference<'a>(reader: &mut Reader<'_, 'a>) -> Result<Option<InPlace>, Fault<'a>> {
    let reference = reader.fields.string(Keyword::Ref)?;
    let Some((reference, at)) = reference.zip(reader.fields.get(Keyword::Ref)) else {
        return Ok(None);
    };
    Ok(Some(InPlace::Ref(reader.referred(reference, at)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{assert_invalid, loaded};

    #[test]
    fn order_is_that_of_the_document() {
        use InPlace::{AnyOf, Own, Ref};
        let shape = |text: &str| {
            let model = loaded(text);
            let letter = |in_place: &InPlace| match in_place {
                Own => "own".to_owned(),
                Ref(_) => "ref".to_owned(),
                AnyOf(schemas) => format!("any{}", schemas.len()),
                other => format!("{other:?}"),
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
        ]);
    }
}
