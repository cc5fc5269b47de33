//! Keywords for arrays: `items`, `prefixItems`, `additionalItems`, `minItems`, `maxItems`.

use serde_json::Value;

use crate::schema::draft::Draft;
use crate::schema::fault::Fault;
use crate::schema::fields::wrong;
use crate::schema::keyword::Keyword;
use crate::schema::load::Reader;
use crate::schema::model::{ArrayKeywords, SchemaId};

pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>) -> Result<ArrayKeywords, Fault<'a>> {
    use Keyword::{Items, MaxItems, MinItems, PrefixItems};
    if !reader
        .fields
        .has_any(&[Items, PrefixItems, MinItems, MaxItems])
    {
        return Ok(ArrayKeywords::default());
    }
    let (prefix, items) = items(reader)?;
    Ok(ArrayKeywords {
        prefix,
        items,
        min_items: reader.fields.count(MinItems)?,
        max_items: reader.fields.count(MaxItems)?,
        ..ArrayKeywords::default()
    })
}

/// Schemas for the first items, one each, and for all others.
fn items<'a>(reader: &mut Reader<'_, 'a>) -> Result<(Vec<SchemaId>, Option<SchemaId>), Fault<'a>> {
    let items = reader.fields.get(Keyword::Items);
    // Before 2020-12, an array of `items` is what `prefixItems` is since, and `additionalItems` is
    // what `items` is since. `additionalItems` means nothing beside another form of `items`.
    if let Some(value @ Value::Array(prefix)) = items {
        let is_new = reader.fields.has_any(&[Keyword::PrefixItems]);
        if is_new || reader.draft() == Some(Draft::V2020) {
            return Err(wrong(
                value,
                Keyword::Items,
                "a schema, as `prefixItems` has the array form",
            ));
        }
        let rest = reader.fields.get(Keyword::AdditionalItems);
        let rest = rest.map(|rest| reader.schema(rest)).transpose()?;
        return Ok((reader.schemas(prefix)?, rest));
    }
    let prefix = reader.fields.schemas(Keyword::PrefixItems)?;
    let items = items.map(|items| reader.schema(items)).transpose()?;
    Ok((reader.schemas(prefix)?, items))
}

#[cfg(test)]
mod tests {
    use crate::schema::testing::{assert_invalid, loaded};

    const DRAFT_7: &str = r#""$schema": "http://json-schema.org/draft-07/schema#""#;
    const DRAFT_2020: &str = r#""$schema": "https://json-schema.org/draft/2020-12/schema""#;

    #[test]
    fn prefix_and_rest() {
        for (text, prefix, rest) in [
            ("{}".to_owned(), 0, false),
            (r#"{"items": {}}"#.to_owned(), 0, true),
            (
                r#"{"items": true, "prefixItems": [{}, {}]}"#.to_owned(),
                2,
                true,
            ),
            (r#"{"prefixItems": [{}]}"#.to_owned(), 1, false),
            (r#"{"items": [{}, {}]}"#.to_owned(), 2, false),
            (r#"{"items": []}"#.to_owned(), 0, false),
            (
                r#"{"items": [{}], "additionalItems": false}"#.to_owned(),
                1,
                true,
            ),
            // `additionalItems` means nothing without an array of `items`.
            (r#"{"items": {}, "additionalItems": 5}"#.to_owned(), 0, true),
            (r#"{"additionalItems": false}"#.to_owned(), 0, false),
            (
                r#"{"prefixItems": [{}], "additionalItems": false}"#.to_owned(),
                1,
                false,
            ),
            // Draft 7 has no `prefixItems`.
            (
                format!(r#"{{{DRAFT_7}, "prefixItems": [{{}}], "items": [{{}}, {{}}]}}"#),
                2,
                false,
            ),
        ] {
            let model = loaded(&text);
            let array = &model.top().array;
            assert_eq!(
                (array.prefix.len(), array.items.is_some()),
                (prefix, rest),
                "{text}"
            );
        }
    }

    #[test]
    fn malformed() {
        let new = format!(r#"{{{DRAFT_2020}, "items": [{{}}]}}"#);
        assert_invalid(&[
            (&new, "/items", "prefixItems"),
            (
                r#"{"prefixItems": [{}], "items": [{}]}"#,
                "/items",
                "prefixItems",
            ),
            (r#"{"prefixItems": []}"#, "/prefixItems", "non-empty"),
            (r#"{"prefixItems": {}}"#, "/prefixItems", "an array"),
            (
                r#"{"items": "string"}"#,
                "/items",
                "must be an object or a boolean",
            ),
            (
                r#"{"items": [{}, 5]}"#,
                "/items/1",
                "must be an object or a boolean",
            ),
            (
                r#"{"items": [{}], "additionalItems": 5}"#,
                "/additionalItems",
                "boolean",
            ),
        ]);
    }

    #[test]
    fn lengths() {
        let model = loaded(r#"{"minItems": 2, "maxItems": 3.0}"#);
        assert_eq!(
            (model.top().array.min_items, model.top().array.max_items),
            (Some(2), Some(3))
        );
    }
}
