//! Which draft of the specification a document follows.

use serde_json::Value;

use crate::error::Kind;
use crate::schema::fault::Fault;

/// A draft of JSON Schema, in the order of publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    V4,
    V6,
    V7,
    V2019,
    V2020,
}

impl Draft {
    pub(super) fn name(self) -> &'static str {
        match self {
            Draft::V4 => "draft 4",
            Draft::V6 => "draft 6",
            Draft::V7 => "draft 7",
            Draft::V2019 => "draft 2019-09",
            Draft::V2020 => "draft 2020-12",
        }
    }
}

/// The draft that `$schema` declares. `None` reads as 2020-12 with the spellings of older drafts
/// understood as well. A `$schema` further inside is not read: one draft holds for the document.
///
/// A `$schema` that names no draft declares nothing; the fault, if any, is a warning about that, and
/// of kind [`Kind::Unsupported`] for drafts before 4.
pub(super) fn declared(document: &Value) -> Result<(Option<Draft>, Option<Fault<'_>>), Fault<'_>> {
    let Some(value) = document.get("$schema") else {
        return Ok((None, None));
    };
    let Some(uri) = value.as_str() else {
        return Err(Fault::schema(value, "`$schema` must be a string"));
    };
    let name = uri.strip_suffix('#').unwrap_or(uri);
    let name = name
        .strip_prefix("http://")
        .or_else(|| name.strip_prefix("https://"));
    let draft = match name.and_then(|name| name.strip_prefix("json-schema.org/")) {
        Some("draft-04/schema") => Draft::V4,
        Some("draft-06/schema") => Draft::V6,
        Some("draft-07/schema") => Draft::V7,
        Some("draft/2019-09/schema") => Draft::V2019,
        Some("draft/2020-12/schema") => Draft::V2020,
        // The alias for whatever is the latest.
        Some("schema") => return Ok((None, None)),
        Some("draft-00/schema" | "draft-01/schema" | "draft-02/schema" | "draft-03/schema") => {
            let message = format!("drafts before 4 are not supported: {uri}");
            return Ok((None, Some(Fault::new(Kind::Unsupported, value, message))));
        }
        _ => {
            let message = format!("`$schema` names no known draft, read as draft 2020-12: {uri}");
            return Ok((None, Some(Fault::schema(value, message))));
        }
    };
    Ok((Some(draft), None))
}

#[cfg(test)]
mod tests {
    use crate::error::Kind;
    use crate::schema::testing::{assert_errors, assert_invalid, leniently, loaded};

    /// `const` came with draft 6 and siblings of `$ref` count since 2019-09: two probes for the draft.
    fn probe(schema: &str) -> (bool, bool) {
        let text = format!(
            r##"{{"$schema": {schema}, "definitions": {{"a": {{}}}},
                "properties": {{"p": {{"const": 1}}, "q": {{"$ref": "#/definitions/a", "minLength": 1}}}}}}"##
        );
        let model = loaded(&text);
        let values = model.keywords(model.property("p")).values.is_some();
        let sibling = model
            .keywords(model.property("q"))
            .string
            .min_length
            .is_some();
        (values, sibling)
    }

    #[test]
    fn declared_by_schema() {
        for (schema, expected) in [
            ("http://json-schema.org/draft-04/schema#", (false, false)),
            ("http://json-schema.org/draft-04/schema", (false, false)),
            ("https://json-schema.org/draft-06/schema#", (true, false)),
            ("http://json-schema.org/draft-07/schema#", (true, false)),
            ("https://json-schema.org/draft/2019-09/schema", (true, true)),
            ("https://json-schema.org/draft/2020-12/schema", (true, true)),
            ("http://json-schema.org/schema#", (true, true)),
            ("http://example.com/mine", (true, true)),
        ] {
            assert_eq!(probe(&format!("{schema:?}")), expected, "{schema}");
        }
    }

    #[test]
    fn unknown_and_old_drafts_are_told() {
        let model = loaded(r#"{"$schema": "http://example.com/mine#"}"#);
        assert_eq!(model.warnings.len(), 1);
        assert_eq!(model.warnings[0].0, "/$schema");
        let old = r#"{"$schema": "http://json-schema.org/draft-03/schema#"}"#;
        assert_errors(Kind::Unsupported, &[(old, "/$schema", "draft-03")]);
        assert_eq!(leniently(old).warnings.len(), 1);
        assert_invalid(&[(r#"{"$schema": 7}"#, "/$schema", "string")]);
    }
}
