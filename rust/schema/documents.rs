//! The documents that a schema is spread over: its own, and others that it may refer to.

use std::cell::OnceCell;

use serde_json::Value;

use crate::error::Error;
use crate::limits::Limits;
use crate::schema::{document, meta_schemas};

/// The schema's own document, and the others at hand. Those are parsed when they are first needed.
pub(super) struct Documents<'t> {
    pub(super) root: Value,
    given: Vec<Given<'t>>,
    limits: &'t Limits,
}

struct Given<'t> {
    uri: &'t str,
    text: &'t str,
    value: OnceCell<Result<Value, Error>>,
}

/// A document and the URI that it was given with.
pub(super) type FoundDocument<'a> = (&'a str, &'a Value);

impl<'t> Documents<'t> {
    pub(super) fn new(
        text: &str,
        resources: &'t [(String, String)],
        limits: &'t Limits,
    ) -> Result<Self, Error> {
        let given = |(uri, text): &'t (String, String)| Given {
            uri: without_fragment(uri),
            text,
            value: OnceCell::new(),
        };
        Ok(Documents {
            root: document::parse(text, limits)?,
            given: resources.iter().map(given).collect(),
            limits,
        })
    }

    /// The document at a URI: one that was given, else a meta-schema of the specification.
    pub(super) fn find(&self, uri: &str) -> Option<Result<&Value, String>> {
        match self.given.iter().find(|given| given.uri == uri) {
            Some(given) => Some(self.parsed(given).map(|(_, value)| value)),
            None => meta_schemas::find(uri).map(Ok),
        }
    }

    /// All documents that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = Result<FoundDocument<'_>, String>> {
        self.given.iter().map(|given| self.parsed(given))
    }

    /// The given document that `$schema` names, by the URI that it was given with or its own.
    pub(super) fn meta_schema<'a>(&'a self, uri: &str) -> Option<&'a Value> {
        let uri = without_fragment(uri);
        let by_uri = self.given.iter().filter(|given| given.uri == uri);
        let mut values = by_uri.chain(&self.given).filter_map(|given| {
            let (known, value) = self.parsed(given).ok()?;
            let own = value
                .get("$id")
                .or_else(|| value.get("id"))
                .and_then(Value::as_str);
            (known == uri || own.map(without_fragment) == Some(uri)).then_some(value)
        });
        values.next()
    }

    fn parsed<'a>(&'a self, given: &'a Given<'t>) -> Result<FoundDocument<'a>, String> {
        let value = given
            .value
            .get_or_init(|| document::parse(given.text, self.limits));
        match value {
            Ok(value) => Ok((given.uri, value)),
            Err(error) => Err(format!(
                "the document {} cannot be read: {error}",
                given.uri
            )),
        }
    }

    /// Where parts of the documents are, in the order of documents and in document order. Places in
    /// other documents than the schema's own start with the URI of the document and `#`.
    pub(super) fn locate(&self, parts: &[&Value]) -> Vec<(*const Value, String)> {
        let mut found = document::locate(&self.root, parts.iter().copied());
        let parsed = |given: &Given<'t>| given.value.get().is_some_and(Result::is_ok);
        let given = self.given.iter().filter(|given| parsed(given));
        let given = given.filter_map(|given| self.parsed(given).ok());
        let mut others = given
            .chain(meta_schemas::all().map(|(uri, value)| -> FoundDocument<'_> { (uri, value) }));
        while found.len() < parts.len()
            && let Some((uri, value)) = others.next()
        {
            let uri = without_fragment(uri);
            let places = document::locate(value, parts.iter().copied());
            let places = places.into_iter();
            found.extend(places.map(|(at, pointer)| (at, format!("{uri}#{pointer}"))));
        }
        found
    }
}

/// A URI up to its `#`.
pub(super) fn without_fragment(uri: &str) -> &str {
    uri.split_once('#').map_or(uri, |(uri, _)| uri)
}

#[cfg(test)]
mod tests {
    use crate::schema::testing::{error_with, loaded_with};

    const STRING: &str = r#"{"type": "string", "items": {"format": "int32", "type": "strng"}}"#;

    #[test]
    fn documents_are_read_when_needed() {
        let text = r#"{"properties": {"a": {"$ref": "http://x.org/a#"}}}"#;
        let model = loaded_with(text, &[("http://x.org/b", "{"), ("http://x.org/a#", "{}")]);
        assert_eq!(model.schemas.len(), 3);
        let error = error_with(text, &[("http://x.org/a", r#"{"a": 01}"#)]);
        assert_eq!(error.pointer(), Some("/properties/a/$ref"));
        let message = "the document http://x.org/a cannot be read: the schema is not valid JSON";
        assert!(error.message().contains(message), "{error}");
        assert!(error.message().contains("line 1, column 8"), "{error}");
    }

    #[test]
    fn places_in_other_documents_have_their_uri() {
        let text = r#"{"items": {"$ref": "http://x.org/a"}, "format": "x"}"#;
        let error = error_with(text, &[("http://x.org/a", STRING)]);
        assert_eq!(error.pointer(), Some("http://x.org/a#/items/type"));
        let fine = STRING.replace("strng", "string");
        let model = loaded_with(text, &[("http://x.org/a", &fine)]);
        let pointers: Vec<_> = model
            .warnings
            .iter()
            .map(|(pointer, _)| &**pointer)
            .collect();
        assert_eq!(pointers, ["/format", "http://x.org/a#/items/format"]);
    }
}
