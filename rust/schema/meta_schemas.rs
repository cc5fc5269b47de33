//! The official meta-schemas, which schemas may refer to like any document.

use std::sync::{Arc, LazyLock};

use referencing::meta;
use serde_json::Value;

use crate::schema::draft;

/// Of all drafts, by what stands after the host; each is parsed when it is first asked for.
static META_SCHEMAS: [(&str, &LazyLock<Arc<Value>>); 19] = [
    ("draft-04/schema", &meta::DRAFT4),
    ("draft-06/schema", &meta::DRAFT6),
    ("draft-07/schema", &meta::DRAFT7),
    ("draft/2019-09/schema", &meta::DRAFT201909),
    ("draft/2019-09/meta/core", &meta::DRAFT201909_CORE),
    (
        "draft/2019-09/meta/applicator",
        &meta::DRAFT201909_APPLICATOR,
    ),
    (
        "draft/2019-09/meta/validation",
        &meta::DRAFT201909_VALIDATION,
    ),
    ("draft/2019-09/meta/meta-data", &meta::DRAFT201909_META_DATA),
    ("draft/2019-09/meta/format", &meta::DRAFT201909_FORMAT),
    ("draft/2019-09/meta/content", &meta::DRAFT201909_CONTENT),
    ("draft/2020-12/schema", &meta::DRAFT202012),
    ("draft/2020-12/meta/core", &meta::DRAFT202012_CORE),
    (
        "draft/2020-12/meta/applicator",
        &meta::DRAFT202012_APPLICATOR,
    ),
    (
        "draft/2020-12/meta/unevaluated",
        &meta::DRAFT202012_UNEVALUATED,
    ),
    (
        "draft/2020-12/meta/validation",
        &meta::DRAFT202012_VALIDATION,
    ),
    ("draft/2020-12/meta/meta-data", &meta::DRAFT202012_META_DATA),
    (
        "draft/2020-12/meta/format-annotation",
        &meta::DRAFT202012_FORMAT_ANNOTATION,
    ),
    (
        "draft/2020-12/meta/format-assertion",
        &meta::DRAFT202012_FORMAT_ASSERTION,
    ),
    ("draft/2020-12/meta/content", &meta::DRAFT202012_CONTENT),
];

/// The meta-schema at a URI.
pub(super) fn find(uri: &str) -> Option<&'static Value> {
    let name = draft::official(uri)?;
    let (_, value) = META_SCHEMAS.iter().find(|(other, _)| *other == name)?;
    Some(&***value)
}

/// All of them that have a URI of their own, with it.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static Value)> {
    META_SCHEMAS.iter().filter_map(|(_, value)| {
        let value: &'static Value = value;
        let uri = value.get("$id").or_else(|| value.get("id"))?.as_str()?;
        Some((uri, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::loaded;

    #[test]
    fn each_is_a_schema_at_its_uri() {
        assert_eq!(all().count(), META_SCHEMAS.len());
        for (uri, value) in all() {
            assert!(std::ptr::eq(find(uri).unwrap(), value), "{uri}");
            let model = loaded(&format!(r#"{{"items": {{"$ref": "{uri}"}}}}"#));
            assert!(model.schemas.len() > 3, "{uri}: {model:?}");
        }
        assert!(find("http://json-schema.org/draft-03/schema").is_none());
        assert!(find("http://example.com/draft-04/schema").is_none());
    }
}
