//! Keywords for arrays: `items`, `prefixItems`, `additionalItems`, `minItems`, `maxItems`,
//! `uniqueItems`, `contains`, `minContains`, `maxContains`, `unevaluatedItems`.

use serde_json::Value;

use crate::schema::draft::Draft;
use crate::schema::fault::Fault;
use crate::schema::fields::wrong;
use crate::schema::keyword::Keyword;
use crate::schema::model::{ArrayKeywords, Contains, SchemaId};
use crate::schema::reader::SchemaReader;

const KEYWORDS: [Keyword; 7] = {
    use Keyword::*;
    [
        Items,
        PrefixItems,
        MinItems,
        MaxItems,
        UniqueItems,
        Contains,
        UnevaluatedItems,
    ]
};

pub(super) fn read<'a>(reader: &mut SchemaReader<'_, 'a>) -> Result<ArrayKeywords, Fault<'a>> {
    use Keyword::{MaxItems, MinItems, UnevaluatedItems};
    if !reader.fields.has_any(&KEYWORDS) {
        return Ok(ArrayKeywords::default());
    }
    let (prefix, items) = items(reader)?;
    Ok(ArrayKeywords {
        prefix,
        items,
        min_items: reader.fields.count(MinItems)?,
        max_items: reader.fields.most(MaxItems)?,
        unique: unique(reader)?,
        contains: contains(reader)?,
        unevaluated: reader.inner(UnevaluatedItems)?,
    })
}

fn unique<'a>(reader: &SchemaReader<'_, 'a>) -> Result<bool, Fault<'a>> {
    match reader.fields.get(Keyword::UniqueItems) {
        None => Ok(false),
        Some(Value::Bool(unique)) => Ok(*unique),
        Some(value) => Err(wrong(value, Keyword::UniqueItems, "a boolean")),
    }
}

/// `contains`, without which `minContains` and `maxContains` say nothing.
fn contains<'a>(reader: &mut SchemaReader<'_, 'a>) -> Result<Option<Contains>, Fault<'a>> {
    let Some(schema) = reader.inner(Keyword::Contains)? else {
        return Ok(None);
    };
    Ok(Some(Contains {
        schema,
        min: reader.fields.count(Keyword::MinContains)?.unwrap_or(1),
        max: reader.fields.most(Keyword::MaxContains)?,
        evaluates: reader.draft() != Some(Draft::V2019),
    }))
}

/// Schemas for the first items, one each, and for all others.
fn items<'a>(
    reader: &mut SchemaReader<'_, 'a>,
) -> Result<(Vec<SchemaId>, Option<SchemaId>), Fault<'a>> {
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
    fn contains_and_unique() {
        let draft =
            |name: &str| format!(r#""$schema": "https://json-schema.org/draft/{name}/schema","#);
        for (draft, text, expected) in [
            ("".to_owned(), r#""contains": {}"#, Some((1, None, true))),
            (
                "".to_owned(),
                r#""contains": {}, "minContains": 0"#,
                Some((0, None, true)),
            ),
            (
                draft("2020-12"),
                r#""contains": {}, "minContains": 2, "maxContains": 3"#,
                Some((2, Some(3), true)),
            ),
            (
                draft("2019-09"),
                r#""contains": {}, "maxContains": 0"#,
                Some((1, Some(0), false)),
            ),
            (
                format!("{DRAFT_7},"),
                r#""contains": {}, "minContains": 2"#,
                Some((1, None, true)),
            ),
            ("".to_owned(), r#""minContains": 2, "maxContains": 1"#, None),
        ] {
            let model = loaded(&format!("{{{draft} {text}}}"));
            let contains = model.top().array.contains;
            let contains = contains.map(|c| (c.min, c.max, c.evaluates));
            assert_eq!(contains, expected, "{draft} {text}");
        }
        assert!(loaded(r#"{"uniqueItems": true}"#).top().array.unique);
        assert!(!loaded(r#"{"uniqueItems": false}"#).top().array.unique);
        let model = loaded(r#"{"unevaluatedItems": {"type": "null"}}"#);
        assert!(model.top().array.unevaluated.is_some());
        assert_invalid(&[
            (r#"{"uniqueItems": "true"}"#, "/uniqueItems", "a boolean"),
            (r#"{"contains": 1}"#, "/contains", "an object or a boolean"),
            (
                r#"{"contains": {}, "minContains": -1}"#,
                "/minContains",
                "non-negative",
            ),
            (
                r#"{"unevaluatedItems": 1}"#,
                "/unevaluatedItems",
                "an object or a boolean",
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
