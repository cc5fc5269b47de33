//! Helpers for the tests of this module.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::schema::keyword::{Holds, Keyword};
use crate::schema::load::{LoadOptions, load};
use crate::schema::model::{Keywords, Model, Schema, SchemaId};

fn try_load(text: &str, strict: bool, resources: &[(&str, &str)]) -> Result<Model, Error> {
    let resources = resources
        .iter()
        .map(|&(uri, text)| (uri.into(), text.into()));
    let resources: Vec<_> = resources.collect();
    let options = LoadOptions {
        strict,
        resources: &resources,
    };
    load(text, options, &Limits::default())
}

pub(super) fn loaded(text: &str) -> Model {
    loaded_with(text, &[])
}

/// The model of a schema that may refer to these documents, given as (URI, text).
pub(super) fn loaded_with(text: &str, resources: &[(&str, &str)]) -> Model {
    try_load(text, true, resources).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(super) fn leniently(text: &str) -> Model {
    try_load(text, false, &[]).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(super) fn error(text: &str) -> Error {
    error_with(text, &[])
}

pub(super) fn error_with(text: &str, resources: &[(&str, &str)]) -> Error {
    match try_load(text, true, resources) {
        Ok(model) => panic!("{text} was accepted: {model:?}"),
        Err(error) => error,
    }
}

impl Model {
    pub(super) fn keywords(&self, id: SchemaId) -> &Keywords {
        match &self[id] {
            Schema::Keywords(keywords) => keywords,
            Schema::Bool(verdict) => panic!("{verdict} has no keywords"),
        }
    }

    pub(super) fn top(&self) -> &Keywords {
        self.keywords(self.root)
    }

    /// The schema of a property of the root.
    pub(super) fn property(&self, name: &str) -> SchemaId {
        let properties = &self.top().object.properties;
        properties
            .iter()
            .find(|(other, _)| **other == *name)
            .expect("no such property")
            .1
    }
}

/// Asserts that each schema fails with the kind, at the pointer, with the part in its message.
pub(super) fn assert_errors(kind: ErrorKind, cases: &[(&str, &str, &str)]) {
    for (text, pointer, part) in cases {
        let error = error(text);
        assert_eq!(
            (error.kind(), error.pointer()),
            (kind, Some(*pointer)),
            "{text}: {error}"
        );
        assert!(error.message().contains(part), "{text}: {error}");
    }
}

/// Asserts that each schema is an error of [`ErrorKind::Schema`].
pub(super) fn assert_invalid(cases: &[(&str, &str, &str)]) {
    assert_errors(ErrorKind::Schema, cases);
}

/// The URI of another document that [`documents`] refer to.
pub(super) const OTHER: &str = "http://x.org/other";

/// Documents that resemble schemas: keywords, most with values of the right shape.
pub(super) fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), Just(json!({})), data()];
    leaf.prop_recursive(5, 60, 4, |inner| {
        let field = select(Keyword::ALL).prop_flat_map(move |keyword| {
            let inner = inner.clone();
            let schemas = prop::collection::vec(inner.clone(), 1..3).prop_map(Value::from);
            let map = prop::collection::vec((name(), inner.clone()), 0..3)
                .prop_map(|fields| Value::Object(Map::from_iter(fields)));
            let value = match keyword.holds() {
                Holds::Data => plausible(keyword).boxed(),
                Holds::Schema => inner.boxed(),
                Holds::List => schemas.boxed(),
                Holds::SchemaOrList => prop_oneof![inner, schemas].boxed(),
                Holds::Map => map.boxed(),
            };
            let value = prop_oneof![50 => value, 1 => data()];
            value.prop_map(move |value| (keyword.name().to_owned(), value))
        });
        let fields = prop::collection::vec(field, 0..5);
        fields.prop_map(|fields| Value::Object(Map::from_iter(fields)))
    })
}

fn name() -> impl Strategy<Value = String> {
    select(&["a", "b", "$ref", "items", "title", "a/b~", "(a)\\1"][..]).prop_map(str::to_owned)
}

fn plausible(keyword: Keyword) -> BoxedStrategy<Value> {
    let words: &[&str] = match keyword {
        Keyword::Type => &["string", "object", "array", "integer", "null"],
        Keyword::Ref | Keyword::DynamicRef => &[
            "#",
            "#/$defs/a",
            "#/properties/b",
            "#/items",
            "#a",
            "x",
            "x#/$defs/a",
            "x#a",
            OTHER,
            "http://x.org/y",
            "https://json-schema.org/draft/2020-12/schema",
        ],
        Keyword::RecursiveRef => &["#", "x"],
        Keyword::Id | Keyword::OldId => &["x", "#a", "http://x.org/y"],
        Keyword::Anchor | Keyword::DynamicAnchor => &["a"],
        Keyword::Pattern => &["^a", "[b-d]+$", "(", "(a)\\1"],
        Keyword::Format => &["ipv4", "int32"],
        Keyword::Schema => &[
            "http://json-schema.org/draft-04/schema#",
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft/2019-09/schema",
            "https://json-schema.org/draft/2020-12/schema",
            "http://json-schema.org/draft-03/schema#",
            OTHER,
        ],
        Keyword::Enum => {
            return prop::collection::vec(data(), 0..3)
                .prop_map(Value::from)
                .boxed();
        }
        Keyword::SpansOf => return Just(json!(["a b", ""])).boxed(),
        Keyword::Required => return Just(json!(["a", "b"])).boxed(),
        Keyword::DependentRequired => return Just(json!({"a": ["b"]})).boxed(),
        Keyword::Nullable | Keyword::UniqueItems | Keyword::RecursiveAnchor => {
            return any::<bool>().prop_map(Value::from).boxed();
        }
        Keyword::Const => return data().boxed(),
        _ => return (0..4u64).prop_map(Value::from).boxed(),
    };
    select(words).prop_map(Value::from).boxed()
}

fn data() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..5i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
        Just(json!([1, {"not": 1}])),
        Just(json!({"$id": "x", "$ref": "#", "a": []})),
    ]
}
