//! Reads a schema document into a [`Model`].

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::schema::draft::{self, Draft};
use crate::schema::fault::{self, Fault};
use crate::schema::fields::Fields;
use crate::schema::keyword::Keyword;
use crate::schema::model::{Keywords, Model, Schema, SchemaId};
use crate::schema::resolver::{Place, Resolver, ResourceId};
use crate::schema::values;
use crate::schema::{applicators, array, cycles, document, number, object, string, unsupported};

/// How a schema is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadOptions {
    /// Whether a keyword that is not supported is an error. Otherwise it is ignored, with a warning.
    pub(crate) strict: bool,
}

/// Reads a schema document, given as JSON text.
///
/// Only what the root can reach is read; a definition that nothing refers to may hold anything.
/// Errors and warnings carry the JSON pointer of the keyword that they are about.
pub(crate) fn load(text: &str, options: LoadOptions, limits: &Limits) -> Result<Model, Error> {
    let document = document::parse(text, limits)?;
    let loaded = Loader::new(&document, options, limits).and_then(Loader::run);
    let (schemas, warnings) = loaded.map_err(|fault| fault.into_error(&document))?;
    let warnings = fault::into_warnings(warnings, &document);
    Ok(Model {
        schemas,
        root: SchemaId(0),
        warnings,
    })
}

pub(super) struct Loader<'a> {
    pub(super) limits: &'a Limits,
    options: LoadOptions,
    draft: Option<Draft>,
    resolver: Resolver<'a>,
    /// The place of each schema, by id. Those beyond `schemas` are still to be read: a queue instead
    /// of recursion, so that no chain of references exhausts the stack.
    places: Vec<Place<'a>>,
    schemas: Vec<Schema>,
    ids: FxHashMap<*const Value, SchemaId>,
    // Strings of a document are hashed with random keys here, so that no document makes them collide.
    references: HashMap<(ResourceId, &'a str), SchemaId>,
    warnings: Vec<Fault<'a>>,
}

impl<'a> Loader<'a> {
    fn new(
        document: &'a Value,
        options: LoadOptions,
        limits: &'a Limits,
    ) -> Result<Self, Fault<'a>> {
        let (draft, fault) = draft::declared(document)?;
        let mut loader = Loader {
            limits,
            options,
            draft,
            resolver: Resolver::new(document, draft, limits.source_bytes),
            places: Vec::new(),
            schemas: Vec::new(),
            ids: FxHashMap::default(),
            references: HashMap::new(),
            warnings: Vec::new(),
        };
        match fault {
            Some(fault) if fault.kind == Kind::Unsupported => loader.unsupported(fault)?,
            fault => loader.warnings.extend(fault),
        }
        loader.schema((document, ResourceId::DOCUMENT))?;
        Ok(loader)
    }

    fn run(mut self) -> Result<(Vec<Schema>, Vec<Fault<'a>>), Fault<'a>> {
        while let Some(&place) = self.places.get(self.schemas.len()) {
            let schema = self.read(place)?;
            self.schemas.push(schema);
        }
        cycles::check(&self.schemas, &self.places)?;
        Ok((self.schemas, self.warnings))
    }

    /// The schema at a place, to be read later if it is new.
    fn schema(&mut self, place: Place<'a>) -> Result<SchemaId, Fault<'a>> {
        let next = SchemaId(self.places.len() as u32);
        let id = *self.ids.entry(place.0).or_insert(next);
        if id == next {
            if self.places.len() >= self.limits.schema_nodes {
                let message = format!("there are more than {} schemas", self.limits.schema_nodes);
                return Err(Fault::new(Kind::Limit, place.0, message));
            }
            self.places.push(place);
        }
        Ok(id)
    }

    fn read(&mut self, (value, around): Place<'a>) -> Result<Schema, Fault<'a>> {
        let object = match value {
            Value::Bool(verdict) => return Ok(Schema::Bool(*verdict)),
            Value::Object(object) => object,
            _ => {
                return Err(Fault::schema(
                    value,
                    "a schema must be an object or a boolean",
                ));
            }
        };
        let fields = Fields::gather(object, self.draft, |fault| self.warnings.push(fault));
        let mut resource = around;
        for keyword in [Keyword::Id, Keyword::OldId] {
            if let Some(at) = fields.get(keyword) {
                fields.string(keyword)?;
                resource = self.resolver.resource_of(value, around);
                let checked = self.resolver.check();
                checked.map_err(|(kind, message)| Fault::new(kind, at, message))?;
            }
        }
        let mut reader = Reader {
            loader: self,
            fields,
            resource,
        };
        let types = values::types(&reader)?;
        let keywords = Keywords {
            types,
            values: values::values(&reader)?,
            string: string::read(&mut reader)?,
            number: number::read(&reader)?,
            array: array::read(&mut reader)?,
            object: object::read(&mut reader)?,
            in_place: applicators::read(&mut reader, object)?,
        };
        unsupported::check(&mut reader, types)?;
        Ok(Schema::Keywords(Box::new(keywords)))
    }

    /// What is not supported: an error if strict, else a warning.
    fn unsupported(&mut self, fault: Fault<'a>) -> Result<(), Fault<'a>> {
        if self.options.strict {
            return Err(fault);
        }
        self.warnings.push(fault);
        Ok(())
    }
}

/// One schema object being read.
pub(super) struct Reader<'l, 'a> {
    pub(super) loader: &'l mut Loader<'a>,
    pub(super) fields: Fields<'a>,
    /// The resource that relative references in it start from.
    resource: ResourceId,
}

impl<'a> Reader<'_, 'a> {
    pub(super) fn draft(&self) -> Option<Draft> {
        self.loader.draft
    }

    /// A schema inside this one.
    pub(super) fn schema(&mut self, value: &'a Value) -> Result<SchemaId, Fault<'a>> {
        self.loader.schema((value, self.resource))
    }

    pub(super) fn schemas(&mut self, values: &'a [Value]) -> Result<Vec<SchemaId>, Fault<'a>> {
        values.iter().map(|value| self.schema(value)).collect()
    }

    /// The schema that `reference`, the value `at`, refers to.
    pub(super) fn referred(
        &mut self,
        reference: &'a str,
        at: &'a Value,
    ) -> Result<SchemaId, Fault<'a>> {
        let key = (self.resource, reference);
        if let Some(&id) = self.loader.references.get(&key) {
            return Ok(id);
        }
        let place = self.loader.resolver.resolve(reference, self.resource);
        let place = place.map_err(|(kind, message)| Fault::new(kind, at, message))?;
        let id = self.loader.schema(place)?;
        self.loader.references.insert(key, id);
        Ok(id)
    }

    /// Leaves out what is not supported, or fails, as the options say.
    pub(super) fn unsupported(
        &mut self,
        at: &'a Value,
        message: impl Into<String>,
    ) -> Result<(), Fault<'a>> {
        self.loader
            .unsupported(Fault::new(Kind::Unsupported, at, message))
    }

    /// Tells what is not honoured although nothing is wrong.
    pub(super) fn warn(&mut self, at: &'a Value, message: String) {
        self.loader.warnings.push(Fault::schema(at, message));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::testing::{assert_invalid, documents, error, loaded};

    #[test]
    fn boolean_schemas() {
        assert!(matches!(loaded("true").schemas[..], [Schema::Bool(true)]));
        assert!(matches!(
            loaded(" false ").schemas[..],
            [Schema::Bool(false)]
        ));
        assert_invalid(&[
            ("5", "", "an object or a boolean"),
            ("[]", "", "boolean"),
            ("null", "", "boolean"),
        ]);
    }

    #[test]
    fn warnings_are_in_document_order() {
        let text =
            r#"{"items": {"items": {"format": "x"}, "not": {}}, "oneOf": [{}, {}], "not": {}}"#;
        let model = load(text, LoadOptions { strict: false }, &Limits::default()).unwrap();
        let pointers: Vec<_> = model
            .warnings
            .iter()
            .map(|(pointer, _)| pointer.as_str())
            .collect();
        assert_eq!(
            pointers,
            ["/items/items/format", "/items/not", "/oneOf", "/not"]
        );
    }

    #[test]
    fn schemas_are_capped() {
        let limits = Limits {
            schema_nodes: 3,
            ..Limits::default()
        };
        let count = |n: usize| {
            let text = json!({"anyOf": vec![json!({}); n]}).to_string();
            load(&text, LoadOptions { strict: true }, &limits)
        };
        assert!(count(2).is_ok());
        let error = count(3).unwrap_err();
        assert!(error.is_limit());
        assert_eq!(error.pointer(), Some("/anyOf/2"));
    }

    #[test]
    fn deep_schemas_need_little_stack() {
        let nested = |n: usize| r#"{"items":"#.repeat(n) + "true" + &"}".repeat(n);
        assert_eq!(loaded(&nested(512)).schemas.len(), 513);
        assert!(error(&nested(513)).is_limit());
        let deep = r#"{"items":"#.repeat(511) + r#"{"not": {}}"# + &"}".repeat(511);
        // The braces of `not` are one level too deep.
        assert!(error(&deep).is_limit());
        let deep = deep.replace("{}", "5");
        assert_eq!(
            error(&deep).pointer(),
            Some(&*("/items".repeat(511) + "/not"))
        );
    }

    proptest! {
        #[test]
        fn any_json_gives_a_model_or_an_error_with_its_place(document in documents()) {
            let text = document.to_string();
            let limits = Limits::default();
            let strict = load(&text, LoadOptions { strict: true }, &limits);
            let lenient = load(&text, LoadOptions { strict: false }, &limits);
            for result in [&strict, &lenient] {
                match result {
                    Ok(model) => for (pointer, _) in &model.warnings {
                        prop_assert!(document.pointer(pointer).is_some(), "{}", pointer);
                    },
                    Err(error) => {
                        let pointer = error.pointer().expect("no place");
                        prop_assert!(document.pointer(pointer).is_some(), "{}", pointer);
                    }
                }
            }
            match (strict, lenient) {
                (Ok(strict), Ok(lenient)) => {
                    prop_assert_eq!(format!("{strict:?}"), format!("{lenient:?}"));
                }
                (Err(error), Ok(lenient)) => {
                    prop_assert!(error.is_unsupported(), "{}", error);
                    prop_assert!(!lenient.warnings.is_empty());
                }
                (Ok(_), Err(error)) => prop_assert!(false, "only if not strict: {}", error),
                (Err(_), Err(error)) => prop_assert!(!error.is_unsupported(), "{}", error),
            }
        }

        #[test]
        fn any_text_gives_a_model_or_an_error(text in ".{0,40}") {
            let _ = load(&text, LoadOptions { strict: true }, &Limits::default());
        }
    }
}
