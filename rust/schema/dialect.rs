//! The dialect of a document or resource: which keywords it has, by its `$schema`.

use serde_json::Value;

use crate::error::ErrorKind;
use crate::schema::documents::Documents;
use crate::schema::draft::{Draft, Named};
use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::vocabulary;

/// A draft, and those of its keywords that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// `None` reads as 2020-12 with the spellings of older drafts understood as well.
    pub(super) draft: Option<Draft>,
    /// Bit `k` is set if keyword `k` is read.
    keywords: u64,
}

/// A meta-schema may have a meta-schema of its own, and so on.
const META_DEPTH: usize = 16;

impl Dialect {
    pub(super) const UNDECLARED: Dialect = Dialect::of(None);
    /// The dialect of a document that declares itself one of OpenAPI, of whichever version.
    const OPEN_API: Dialect = Dialect::UNDECLARED;
    /// The dialect of a document that declares the latest draft, whichever that is. Spellings of
    /// older drafts are understood; `nullable` of OpenAPI is not.
    const LATEST: Dialect = Dialect {
        draft: None,
        keywords: Dialect::UNDECLARED.keywords & !(1 << Keyword::Nullable as u8),
    };
    /// The dialect of a document that declares none, but in which `id` names schemas, as in draft
    /// 4.
    pub(super) const WITH_OLD_ID: Dialect = Dialect {
        draft: None,
        keywords: Dialect::UNDECLARED.keywords | 1 << Keyword::OldId as u8,
    };

    const fn of(draft: Option<Draft>) -> Dialect {
        let mut keywords = 0;
        let mut k = 0;
        while k < Keyword::COUNT {
            if Keyword::ALL[k].is_in(draft) {
                keywords |= 1 << k;
            }
            k += 1;
        }
        Dialect { draft, keywords }
    }

    pub(super) fn of_draft(draft: Draft) -> Dialect {
        static OF_DRAFTS: [Dialect; 5] = {
            let mut all = [Dialect::UNDECLARED; 5];
            let mut i = 0;
            while i < all.len() {
                all[i] = Dialect::of(Some(Draft::ALL[i]));
                i += 1;
            }
            all
        };
        OF_DRAFTS[draft as usize]
    }

    pub(super) fn has(self, keyword: Keyword) -> bool {
        self.keywords & (1 << keyword as u8) != 0
    }

    /// Up to draft 7, "all other properties in a `$ref` object MUST be ignored". Later drafts, and
    /// so documents that declare none, apply them as well.
    pub(super) fn ignores_beside_ref(self) -> bool {
        self.draft.is_some_and(|draft| draft <= Draft::V7)
    }

    /// Says why a keyword is not read.
    pub(super) fn why_ignored(self, keyword: Keyword) -> String {
        match self.draft {
            Some(draft) if !keyword.is_in(self.draft) => {
                format!("is not a keyword of {}", draft.name())
            }
            Some(draft) if self.has(keyword) => {
                format!("beside `$ref` is ignored by {}", draft.name())
            }
            _ if keyword == Keyword::Nullable => "is a keyword of OpenAPI alone".to_owned(),
            _ => "is in no vocabulary of its meta-schema".to_owned(),
        }
    }

    /// What `$schema` in `schema` declares; `otherwise`, if it is not there or says nothing known.
    ///
    /// `told` is called with what the declaration says and is ignored. These faults are
    /// [`ErrorKind::Unsupported`] where a schema could mean something else than is read.
    pub(super) fn declared<'a>(
        schema: &'a Value,
        otherwise: Dialect,
        documents: &'a Documents<'a>,
        mut told: impl FnMut(Fault<'a>),
    ) -> Dialect {
        // That it is a string is checked when the schema is read.
        let Some((at, uri)) = schema
            .get("$schema")
            .and_then(|at| Some((at, at.as_str()?)))
        else {
            return otherwise;
        };
        match Draft::named(uri) {
            Named::Draft(draft) => Dialect::of_draft(draft),
            Named::Latest => Dialect::LATEST,
            Named::OpenApi => Dialect::OPEN_API,
            Named::Old => {
                let message = format!("drafts before 4 are not supported: {uri}");
                told(Fault::new(ErrorKind::Unsupported, at, message));
                otherwise
            }
            Named::Other => match documents.meta_schema(uri) {
                Some(meta) => Dialect::of_meta_schema(meta, documents, |message| {
                    told(Fault::new(ErrorKind::Unsupported, at, message));
                }),
                None => {
                    let message =
                        format!("`$schema` names no known draft, read as draft 2020-12: {uri}");
                    told(Fault::schema(at, message));
                    otherwise
                }
            },
        }
    }

    /// The dialect that a meta-schema of somebody's own describes.
    fn of_meta_schema<'a>(
        meta: &'a Value,
        documents: &'a Documents<'a>,
        mut told: impl FnMut(String),
    ) -> Dialect {
        let mut dialect = Dialect::UNDECLARED;
        let mut next = meta;
        for _ in 0..META_DEPTH {
            let Some(uri) = next.get("$schema").and_then(Value::as_str) else {
                break;
            };
            match Draft::named(uri) {
                Named::Draft(draft) => {
                    dialect = Dialect::of_draft(draft);
                    break;
                }
                Named::Other => match documents.meta_schema(uri) {
                    Some(meta) => next = meta,
                    None => break,
                },
                Named::Latest | Named::OpenApi | Named::Old => break,
            }
        }
        if let Some(Value::Object(vocabularies)) = meta.get("$vocabulary") {
            let mut keywords = vocabulary::ALWAYS;
            for (uri, required) in vocabularies {
                match vocabulary::keywords(uri) {
                    Some(known) => keywords |= known,
                    None if *required == Value::Bool(true) => told(format!(
                        "the meta-schema demands a vocabulary that is not known: {uri}"
                    )),
                    None => {}
                }
            }
            dialect.keywords &= keywords;
        }
        dialect
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::schema::testing::{
        assert_errors, assert_invalid, error_with, leniently, loaded, loaded_with,
    };

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
        assert_errors(ErrorKind::Unsupported, &[(old, "/$schema", "draft-03")]);
        assert_eq!(leniently(old).warnings.len(), 1);
        assert_invalid(&[(r#"{"$schema": 7}"#, "/$schema", "string")]);
    }

    #[test]
    fn an_embedded_resource_may_declare_another() {
        let model = loaded(
            r##"{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"x": {}}, "properties": {
                "a": {"$id": "a", "$schema": "https://json-schema.org/draft/2020-12/schema",
                      "$ref": "#/definitions/x", "minLength": 3},
                "b": {"$schema": "https://json-schema.org/draft/2020-12/schema", "minContains": 3},
                "c": {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "c",
                      "dependentRequired": {"a": ["b"]}},
                "d": {"$schema": "http://json-schema.org/draft-04/schema#", "id": "d", "type": "integer"}}}"##,
        );
        // What names a resource beside `$ref` counts by the rules of the draft around it.
        assert_eq!(model.keywords(model.property("a")).string.min_length, None);
        let c = model.keywords(model.property("c"));
        assert_eq!(c.object.dependent_required.len(), 1);
        use crate::schema::model::TypeSet;
        let d = model.keywords(model.property("d"));
        assert_eq!(d.types, Some(TypeSet::PLAIN_INTEGER));
        let pointers: Vec<_> = model
            .warnings
            .iter()
            .map(|(pointer, _)| &**pointer)
            .collect();
        assert_eq!(
            pointers,
            ["/properties/a/minLength", "/properties/b/minContains"]
        );
    }

    #[test]
    fn vocabularies_of_a_meta_schema() {
        let vocab = "https://json-schema.org/draft/2020-12/vocab";
        let meta = format!(
            r#"{{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "http://x.org/meta",
                "$vocabulary": {{"{vocab}/core": true, "{vocab}/applicator": true, "http://x.org/own": false}}}}"#
        );
        let text =
            r#"{"$schema": "http://x.org/meta", "minLength": 3, "items": {}, "contains": {}}"#;
        for uri in ["http://x.org/meta", "meta", "http://x.org/elsewhere"] {
            let model = loaded_with(text, &[(uri, &meta)]);
            assert_eq!(model.top().string.min_length, None);
            assert!(model.top().array.items.is_some() && model.top().array.contains.is_some());
            let [(pointer, message)] = &model.warnings[..] else {
                panic!("{:?}", model.warnings);
            };
            assert_eq!(pointer, "/minLength");
            assert!(message.contains("vocabulary"), "{message}");
        }
        let demanding = meta.replace("false", "true");
        let error = error_with(text, &[("http://x.org/meta", &demanding)]);
        assert!(error.is_unsupported());
        assert_eq!(error.pointer(), Some("/$schema"));
        assert!(error.message().contains("http://x.org/own"), "{error}");
        // Without `$vocabulary` it is the draft of the meta-schema.
        let plain = r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#;
        let model = loaded_with(r#"{"$schema": "m", "const": 1}"#, &[("m", plain)]);
        assert!(model.top().values.is_none());
    }
}
