//! Reads a schema document into a [`Model`].

use rustc_hash::FxHashSet;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::schema::dialect::Dialect;
use crate::schema::documents::Documents;
use crate::schema::fault::{self, Fault};
use crate::schema::fields::Fields;
use crate::schema::keyword::Keyword;
use crate::schema::model::{Keywords, Model, Schema, SchemaId};
use crate::schema::reader::{Loader, ReadingMode, SchemaReader};
use crate::schema::resolver::{PlaceInDocument, ResourceId};
use crate::schema::scope::ScopeId;
use crate::schema::{applicators, array, cycles, number, object, string, values};

/// How a schema is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadOptions<'a> {
    /// Whether a keyword that is not supported is an error. Otherwise it is ignored, with a warning.
    pub(crate) strict: bool,
    /// Documents that references may lead to: their URIs and their JSON texts.
    pub(crate) resources: &'a [(String, String)],
}

/// Reads a schema document, given as JSON text.
///
/// Only what the root can reach is read; a definition that nothing refers to may hold anything.
/// Errors and warnings carry the JSON pointer of the keyword that they are about, after the URI of
/// its document and `#` if that is one of the resources.
pub(crate) fn load(text: &str, options: LoadOptions<'_>, limits: &Limits) -> Result<Model, Error> {
    let documents = Documents::new(text, options.resources, limits)?;
    load_without(&documents, options, &FxHashSet::default(), limits)
}

/// Reads a schema of these documents without the demands that stand at some places; see
/// [`constraints`](mod@crate::schema::constraints).
pub(super) fn load_without(
    documents: &Documents<'_>,
    options: LoadOptions<'_>,
    left_out: &FxHashSet<*const Value>,
    limits: &Limits,
) -> Result<Model, Error> {
    let loader = read(documents, options, left_out, limits);
    let loader = loader.map_err(|fault| fault.into_error(documents))?;
    let warnings = fault::into_warnings(loader.warnings, documents);
    Ok(Model {
        schemas: loader.schemas,
        root: SchemaId(0),
        warnings,
    })
}

/// The JSON pointer of a schema of the model that [`load`] makes of a document. It is read once more, so
/// that reading a good schema keeps no paths.
pub(crate) fn pointer_of(
    schema: u32,
    text: &str,
    options: LoadOptions<'_>,
    limits: &Limits,
) -> Option<String> {
    let documents = Documents::new(text, options.resources, limits).ok()?;
    let nothing = FxHashSet::default();
    let loader = read(&documents, options, &nothing, limits).ok()?;
    let ((value, _), _) = loader.places.get(schema as usize)?;
    let mut found = documents.locate(&[value]);
    found.pop().map(|(_, pointer)| pointer)
}

/// Reads the document in the simplest way first, and in another if that turns out not to do.
pub(super) fn read<'a>(
    documents: &'a Documents<'a>,
    options: LoadOptions<'_>,
    left_out: &'a FxHashSet<*const Value>,
    limits: &'a Limits,
) -> Result<Loader<'a>, Fault<'a>> {
    let mut way = ReadingMode {
        undeclared: Dialect::UNDECLARED,
        scoped: false,
    };
    let mut first_fault = None;
    loop {
        let mut loader = Loader::new(documents, way, options.strict, left_out, limits);
        let loaded = loader.run();
        if loader.needs_scopes {
            way.scoped = true;
            continue;
        }
        return match (loaded, first_fault) {
            (Ok(()), _) => Ok(loader),
            (Err(_), Some(fault)) => Err(fault),
            // A document without `$schema` may mean the `id` of draft 4: if nothing else does.
            (Err(fault), None)
                if loader.resolver.has_failed
                    && loader.resolver.dialect(ResourceId::DOCUMENT) == way.undeclared =>
            {
                first_fault = Some(fault);
                way.undeclared = Dialect::WITH_OLD_ID;
                continue;
            }
            (Err(fault), None) => Err(fault),
        };
    }
}

impl<'a> Loader<'a> {
    fn run(&mut self) -> Result<(), Fault<'a>> {
        let root = self.resolver.root(ResourceId::DOCUMENT);
        let scope = self.enter(ScopeId::default(), ResourceId::DOCUMENT, root)?;
        self.schema((root, ResourceId::DOCUMENT), scope)?;
        while let Some(&(place, scope)) = self.places.get(self.schemas.len()) {
            let schema = self.read(place, scope)?;
            self.schemas.push(schema);
            for fault in std::mem::take(&mut self.resolver.told) {
                match fault.kind {
                    ErrorKind::Unsupported => self.unsupported(fault)?,
                    _ => self.warnings.push(fault),
                }
            }
            if self.needs_scopes {
                return Ok(());
            }
        }
        cycles::check(&self.schemas, |id| self.places[id.0 as usize].0.0)
    }

    fn read(
        &mut self,
        (value, around): PlaceInDocument<'a>,
        scope: ScopeId,
    ) -> Result<Schema, Fault<'a>> {
        let object = match value {
            Value::Bool(verdict) => {
                let is_left_out = self.left_out.contains(&std::ptr::from_ref(value));
                return Ok(Schema::Bool(*verdict || is_left_out));
            }
            Value::Object(object) => object,
            _ => {
                return Err(Fault::schema(
                    value,
                    "a schema must be an object or a boolean",
                ));
            }
        };
        let mut dialect = self.resolver.dialect(around);
        let told = self.warnings.len();
        let mut fields = Fields::gather(object, dialect, |fault| self.warnings.push(fault));
        let (mut resource, mut inner) = (around, scope);
        if fields.has_any(&[Keyword::Id, Keyword::OldId, Keyword::Schema]) {
            resource = self.resource_of(value, around, &fields)?;
            inner = self.enter(scope, resource, value)?;
            let own = self.resolver.dialect(resource);
            if own != dialect {
                dialect = own;
                self.warnings.truncate(told);
                fields = Fields::gather(object, dialect, |fault| self.warnings.push(fault));
            }
        }
        fields.leave_out(self.left_out);
        let mut reader = SchemaReader {
            loader: self,
            fields,
            dialect,
            resource,
            scope: inner,
        };
        let types = values::types(&reader)?;
        Ok(Schema::Keywords(Box::new(Keywords {
            types,
            values: values::values(&reader)?,
            string: string::read(&mut reader, types)?,
            number: number::read(&reader)?,
            array: array::read(&mut reader)?,
            object: object::read(&mut reader)?,
            in_place: applicators::read(&mut reader, object)?,
        })))
    }

    /// The resource of a schema that has a keyword by which it could be one.
    fn resource_of(
        &mut self,
        value: &'a Value,
        around: ResourceId,
        fields: &Fields<'a>,
    ) -> Result<ResourceId, Fault<'a>> {
        fields.string(Keyword::Id)?;
        // Where `id` is only tried, it may be anything.
        if self.resolver.dialect(around).draft.is_some() {
            fields.string(Keyword::OldId)?;
        }
        let resource = self.resolver.resource_of(value, around);
        if std::ptr::eq(self.resolver.root(resource), value) {
            fields.string(Keyword::Schema)?;
        }
        let at = fields.get(Keyword::Id).or(fields.get(Keyword::OldId));
        let checked = self.resolver.check();
        checked.map_err(|(kind, message)| Fault::new(kind, at.unwrap_or(value), message))?;
        Ok(resource)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::testing::{OTHER, assert_invalid, documents, error, leniently, loaded};

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
        let text = r#"{"items": {"items": {"format": "x"}, "pattern": "(a)\\1"}, "oneOf": [{}, {}],
            "not": {"format": "x"}, "format": "x"}"#;
        let model = leniently(text);
        let pointers: Vec<_> = model
            .warnings
            .iter()
            .map(|(pointer, _)| pointer.as_str())
            .collect();
        let expected = [
            "/items/items/format",
            "/items/pattern",
            "/not/format",
            "/format",
        ];
        assert_eq!(pointers, expected);
    }

    #[test]
    fn schemas_are_capped() {
        let limits = Limits {
            schema_nodes: 3,
            ..Limits::default()
        };
        let count = |n: usize| {
            let text = json!({"anyOf": vec![json!({}); n]}).to_string();
            load(
                &text,
                LoadOptions {
                    strict: true,
                    resources: &[],
                },
                &limits,
            )
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
        fn any_json_gives_a_model_or_an_error_with_its_place(document in documents(), other in documents()) {
            let text = document.to_string();
            let limits = Limits::default();
            let resources = [(OTHER.to_owned(), other.to_string())];
            let [strict, lenient] = [true, false].map(|strict| {
                let options = LoadOptions { strict, resources: &resources };
                load(&text, options, &limits)
            });
            let exists = |pointer: &str| match pointer.strip_prefix(OTHER) {
                Some(pointer) => other.pointer(&pointer[1..]).is_some(),
                None if pointer.starts_with("http") => true,
                None => document.pointer(pointer).is_some(),
            };
            for result in [&strict, &lenient] {
                match result {
                    Ok(model) => for (pointer, _) in &model.warnings {
                        prop_assert!(exists(pointer), "{}", pointer);
                    },
                    Err(error) => {
                        let pointer = error.pointer().expect("no place");
                        prop_assert!(exists(pointer), "{}", pointer);
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
            let _ = load(&text, LoadOptions { strict: true, resources: &[] }, &Limits::default());
        }
    }
}
