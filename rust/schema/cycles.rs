//! References that lead back to the same schema for the same value.

use rustc_hash::FxHashSet;
use serde_json::Value;

use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::model::{InPlace, Schema, SchemaId};

/// Refuses a schema that applies itself to the same value, at once or through others: whether a
/// value is valid would depend on itself, which the specification leaves undefined.
///
/// `value_of` is where a schema was read.
pub(super) fn check<'a>(
    schemas: &[Schema],
    value_of: impl Fn(SchemaId) -> &'a Value,
) -> Result<(), Fault<'a>> {
    let mut done = vec![false; schemas.len()];
    let mut path: Vec<(SchemaId, Vec<SchemaId>)> = Vec::new();
    let mut on_path = FxHashSet::default();
    for start in 0..schemas.len() {
        let mut next = Some(SchemaId(start as u32));
        loop {
            if let Some(id) = next.filter(|id| !done[id.0 as usize]) {
                if on_path.contains(&id) {
                    return Err(fault(&path, id, &value_of));
                }
                let applied = applied_in_place(&schemas[id.0 as usize]);
                if applied.is_empty() {
                    done[id.0 as usize] = true;
                } else {
                    on_path.insert(id);
                    path.push((id, applied));
                }
            }
            let Some((id, applied)) = path.last_mut() else {
                break;
            };
            next = applied.pop();
            if next.is_none() {
                done[id.0 as usize] = true;
                on_path.remove(id);
                path.pop();
            }
        }
    }
    Ok(())
}

fn applied_in_place(schema: &Schema) -> Vec<SchemaId> {
    let Schema::Keywords(keywords) = schema else {
        return Vec::new();
    };
    let mut applied = Vec::new();
    for in_place in &keywords.in_place {
        match in_place {
            InPlace::Own => {}
            InPlace::Ref(id) => applied.push(*id),
            InPlace::AnyOf(ids) | InPlace::OneOf(ids) => applied.extend(ids),
            InPlace::Not(id) | InPlace::Dependent(_, id) => applied.push(*id),
            InPlace::If {
                condition,
                then,
                otherwise,
            } => {
                applied.push(*condition);
                applied.extend(then);
                applied.extend(otherwise);
            }
        }
    }
    applied
}

/// The fault at the first reference of the cycle that ends at `id` again.
fn fault<'a>(
    path: &[(SchemaId, Vec<SchemaId>)],
    id: SchemaId,
    value_of: &impl Fn(SchemaId) -> &'a Value,
) -> Fault<'a> {
    let reference = |value: &'a Value| {
        let keywords = [Keyword::Ref, Keyword::DynamicRef, Keyword::RecursiveRef];
        keywords
            .iter()
            .find_map(|keyword| value.get(keyword.name()))
    };
    let start = path.iter().position(|&(other, _)| other == id).unwrap_or(0);
    let values = path[start..].iter().map(|&(id, _)| value_of(id));
    let references: Vec<&Value> = values.filter_map(reference).collect();
    let names: Vec<_> = references
        .iter()
        .take(8)
        .map(|value| value.to_string())
        .collect();
    let more = if references.len() > names.len() {
        " → …"
    } else {
        ""
    };
    let message = format!(
        "the references lead in a circle without reading anything: {}{more}",
        names.join(" → "),
    );
    Fault::schema(
        references.first().copied().unwrap_or_else(|| value_of(id)),
        message,
    )
}

#[cfg(test)]
mod tests {
    use crate::schema::testing::{assert_invalid, loaded};

    #[test]
    fn circles_without_reading_are_refused() {
        assert_invalid(&[
            (r##"{"$ref": "#"}"##, "/$ref", r##""#""##),
            (
                r##"{"$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/b"}]},
                    "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}"##,
                "/$defs/a/anyOf/1/$ref",
                r##""#/$defs/b" → "#/$defs/a""##,
            ),
            (
                r##"{"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"$ref": "#/$defs/a"}}}"##,
                "/$defs/a/$ref",
                "circle",
            ),
        ]);
    }

    #[test]
    fn recursion_through_properties_and_items_is_fine() {
        let model = loaded(
            r##"{"properties": {"next": {"$ref": "#"}, "both": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}},
                "items": {"$ref": "#"}}"##,
        );
        assert_eq!(model.schemas.len(), 6);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let last = 20_000;
        let definition = |i: usize| format!(r##""{i}": {{"$ref": "#/$defs/{}"}}"##, i + 1);
        let definitions: Vec<_> = (0..last).map(definition).collect();
        let definitions = definitions.join(",");
        let start = r##""$ref": "#/$defs/0""##;
        let text = format!(r#"{{{start}, "$defs": {{{definitions}, "{last}": {{}}}}}}"#);
        assert_eq!(loaded(&text).schemas.len(), last + 2);
        let text = format!(r#"{{{start}, "$defs": {{{definitions}, "{last}": {{{start}}}}}}}"#);
        assert_invalid(&[(&text, "/$defs/0/$ref", "…")]);
    }
}
