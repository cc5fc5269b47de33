//! What reads the schemas of documents, one schema object at a time.

use std::collections::HashMap;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use crate::error::ErrorKind;
use crate::limits::Limits;
use crate::schema::dialect::Dialect;
use crate::schema::documents::Documents;
use crate::schema::draft::Draft;
use crate::schema::fault::Fault;
use crate::schema::fields::Fields;
use crate::schema::keyword::Keyword;
use crate::schema::model::{Schema, SchemaId};
use crate::schema::resolver::{PlaceInDocument, RECURSIVE, ReferenceTarget, Resolver, ResourceId};
use crate::schema::scope::{ScopeId, Scopes};

#[derive(Clone, Copy)]
pub(super) struct ReadingMode {
    /// The dialect if none is declared.
    pub(super) undeclared: Dialect,
    /// Whether a schema is read for each dynamic scope in which it is met. Without dynamic
    /// references, which most documents do not have, there is no telling the scopes apart.
    pub(super) scoped: bool,
}

pub(super) struct Loader<'a> {
    pub(super) limits: &'a Limits,
    strict: bool,
    /// Places whose constraints are left out.
    pub(super) left_out: &'a FxHashSet<*const Value>,
    pub(super) resolver: Resolver<'a>,
    /// The dynamic scopes; `None` if they do not matter.
    scopes: Option<Scopes<'a>>,
    pub(super) needs_scopes: bool,
    /// The place of each schema, by id. Those beyond `schemas` are still to be read: a queue instead
    /// of recursion, so that no chain of references exhausts the stack.
    pub(super) places: Vec<(PlaceInDocument<'a>, ScopeId)>,
    pub(crate) schemas: Vec<Schema>,
    ids: FxHashMap<(*const Value, ScopeId), SchemaId>,
    // Strings of a document are hashed with random keys here, so that no document makes them collide.
    targets: HashMap<(ResourceId, &'a str), ReferenceTarget<'a>>,
    pub(crate) warnings: Vec<Fault<'a>>,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(
        documents: &'a Documents<'a>,
        way: ReadingMode,
        strict: bool,
        left_out: &'a FxHashSet<*const Value>,
        limits: &'a Limits,
    ) -> Self {
        Loader {
            limits,
            strict,
            left_out,
            resolver: Resolver::new(documents, way.undeclared, limits.source_bytes),
            scopes: way.scoped.then(|| Scopes::new(limits.schema_nodes)),
            needs_scopes: false,
            places: Vec::new(),
            schemas: Vec::new(),
            ids: FxHashMap::default(),
            targets: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    /// The part of a document that a schema is.
    pub(super) fn value(&self, id: SchemaId) -> &'a Value {
        self.places[id.0 as usize].0.0
    }

    /// The schema at a place that is met in a scope, to be read later if it is new.
    pub(super) fn schema(
        &mut self,
        place: PlaceInDocument<'a>,
        scope: ScopeId,
    ) -> Result<SchemaId, Fault<'a>> {
        let next = SchemaId(self.places.len() as u32);
        let id = *self.ids.entry((place.0, scope)).or_insert(next);
        if id == next {
            if self.places.len() >= self.limits.schema_nodes {
                let message = format!("there are more than {} schemas", self.limits.schema_nodes);
                return Err(Fault::new(ErrorKind::Limit, place.0, message));
            }
            self.places.push((place, scope));
        }
        Ok(id)
    }

    /// The scope after a resource is entered by the value `at`.
    pub(crate) fn enter(
        &mut self,
        scope: ScopeId,
        resource: ResourceId,
        at: &'a Value,
    ) -> Result<ScopeId, Fault<'a>> {
        let Some(scopes) = &mut self.scopes else {
            return Ok(scope);
        };
        let names = self.resolver.dynamic_names(resource);
        scopes.enter(scope, resource, names).ok_or_else(|| {
            let message = "there are too many ways to enter resources with dynamic anchors";
            Fault::new(ErrorKind::Limit, at, message)
        })
    }

    /// What is not supported: an error if strict, else a warning.
    pub(super) fn unsupported(&mut self, fault: Fault<'a>) -> Result<(), Fault<'a>> {
        if self.strict {
            return Err(fault);
        }
        self.warnings.push(fault);
        Ok(())
    }
}

/// One schema object being read.
pub(super) struct SchemaReader<'l, 'a> {
    pub(super) loader: &'l mut Loader<'a>,
    pub(super) fields: Fields<'a>,
    pub(super) dialect: Dialect,
    /// The resource that relative references in it start from.
    pub(super) resource: ResourceId,
    pub(super) scope: ScopeId,
}

impl<'a> SchemaReader<'_, 'a> {
    pub(super) fn draft(&self) -> Option<Draft> {
        self.dialect.draft
    }

    /// A schema inside this one.
    pub(super) fn schema(&mut self, value: &'a Value) -> Result<SchemaId, Fault<'a>> {
        self.loader.schema((value, self.resource), self.scope)
    }

    /// The schema that a keyword holds.
    pub(super) fn inner(&mut self, keyword: Keyword) -> Result<Option<SchemaId>, Fault<'a>> {
        let value = self.fields.get(keyword);
        value.map(|value| self.schema(value)).transpose()
    }

    pub(super) fn schemas(&mut self, values: &'a [Value]) -> Result<Vec<SchemaId>, Fault<'a>> {
        values.iter().map(|value| self.schema(value)).collect()
    }

    /// The schema that the reference in `keyword` leads to.
    pub(super) fn referred(&mut self, keyword: Keyword) -> Result<Option<SchemaId>, Fault<'a>> {
        let reference = self.fields.string(keyword)?;
        let Some((at, reference)) = self.fields.get(keyword).zip(reference) else {
            return Ok(None);
        };
        let target = self.target(keyword, reference, at)?;
        let mut place = target.place;
        let dynamic = target.dynamic.filter(|&name| match keyword {
            Keyword::DynamicRef => name != RECURSIVE,
            Keyword::RecursiveRef => name == RECURSIVE,
            _ => false,
        });
        if let Some(name) = dynamic {
            self.loader.needs_scopes = self.loader.scopes.is_none();
            let scopes = self.loader.scopes.as_ref();
            if let Some(outermost) = scopes.and_then(|scopes| scopes.outermost(self.scope, name)) {
                place = self.loader.resolver.dynamic_place(outermost, name);
            }
        }
        let mut scope = self.scope;
        if self.loader.scopes.is_some() {
            // A pointer may end at the root of another resource: only that one is entered.
            let entered = self.loader.resolver.resource_of(place.0, place.1);
            scope = self.loader.enter(scope, entered, at)?;
        }
        self.loader.schema(place, scope).map(Some)
    }

    fn target(
        &mut self,
        keyword: Keyword,
        reference: &'a str,
        at: &'a Value,
    ) -> Result<ReferenceTarget<'a>, Fault<'a>> {
        let key = (self.resource, reference);
        if let Some(&target) = self.loader.targets.get(&key) {
            return Ok(target);
        }
        let resolver = &mut self.loader.resolver;
        let target = resolver.resolve(keyword, reference, self.resource);
        let target = target.map_err(|(kind, message)| Fault::new(kind, at, message))?;
        self.loader.targets.insert(key, target);
        Ok(target)
    }

    /// Leaves out what is not supported, or fails, as the options say.
    pub(super) fn unsupported(
        &mut self,
        at: &'a Value,
        message: impl Into<String>,
    ) -> Result<(), Fault<'a>> {
        self.loader
            .unsupported(Fault::new(ErrorKind::Unsupported, at, message))
    }

    /// Warns of something that is ignored although nothing is wrong with it.
    pub(super) fn warn(&mut self, at: &'a Value, message: String) {
        self.loader.warnings.push(Fault::schema(at, message));
    }
}
