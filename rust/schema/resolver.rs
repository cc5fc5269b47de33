//! What references lead to: `$id` bases, anchors and JSON pointers, in one document or several.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::error::ErrorKind;
use crate::schema::dialect::Dialect;
use crate::schema::documents::{Documents, without_fragment};
use crate::schema::draft::Draft;
use crate::schema::fault::Fault;
use crate::schema::keyword::{Holds, Keyword};
use crate::schema::uri;

/// The name by which a resource with `"$recursiveAnchor": true` is bound; no anchor has it.
pub(super) const RECURSIVE: &str = "";

/// A schema resource: a document, or a schema in one with an `$id` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ResourceId(u32);

impl ResourceId {
    pub(super) const DOCUMENT: ResourceId = ResourceId(0);
}

struct Resource<'a> {
    /// The resource's URI without fragment; it is absolute if the document says so much.
    uri: String,
    root: &'a Value,
    dialect: Dialect,
    /// The names of its dynamic anchors, once its document is scanned.
    dynamic: Vec<&'a str>,
}

/// A value and the resource that it lies in, by the values around it.
pub(super) type PlaceInDocument<'a> = (&'a Value, ResourceId);

/// What a reference leads to.
#[derive(Clone, Copy)]
pub(super) struct ReferenceTarget<'a> {
    pub(super) place: PlaceInDocument<'a>,
    /// The dynamic anchor that it names, if it does. Then the dynamic scope may say otherwise.
    pub(super) dynamic: Option<&'a str>,
}

pub(super) struct Resolver<'a> {
    documents: &'a Documents<'a>,
    resources: Vec<Resource<'a>>,
    by_root: FxHashMap<*const Value, ResourceId>,
    /// The documents in use, and the rest filled by `scan`. The first of equal names counts.
    by_uri: HashMap<String, ResourceId>,
    anchors: HashMap<(ResourceId, &'a str), ReferenceTarget<'a>>,
    /// The documents in use. Most documents refer by JSON pointer only, and need no search for
    /// names: the first `scanned` of these have been searched.
    used: Vec<ResourceId>,
    scanned: usize,
    /// Bytes of URIs that may still be put together: each `$id` lengthens those inside it.
    uri_bytes: usize,
    uris_too_long: bool,
    /// What `$schema` says and is ignored, until the loader takes it over as warnings.
    pub(super) told: Vec<Fault<'a>>,
    /// Whether some reference led to nothing.
    pub(super) has_failed: bool,
}

impl<'a> Resolver<'a> {
    /// `undeclared` is the dialect of the schema's document if it declares none.
    pub(super) fn new(documents: &'a Documents<'a>, undeclared: Dialect, uri_bytes: usize) -> Self {
        let mut resolver = Resolver {
            documents,
            resources: Vec::new(),
            by_root: FxHashMap::default(),
            by_uri: HashMap::new(),
            anchors: HashMap::new(),
            used: Vec::new(),
            scanned: 0,
            uri_bytes,
            uris_too_long: false,
            told: Vec::new(),
            has_failed: false,
        };
        resolver.document(&documents.root, "", undeclared);
        resolver
    }

    /// A document that was found at a URI.
    fn document(&mut self, root: &'a Value, at: &str, otherwise: Dialect) -> ResourceId {
        if let Some(&known) = self.by_root.get(&std::ptr::from_ref(root)) {
            self.by_uri.entry(at.to_owned()).or_insert(known);
            return known;
        }
        let told = &mut self.told;
        let dialect = Dialect::declared(root, otherwise, self.documents, |fault| told.push(fault));
        let own = identifier(root, dialect).map_or("", without_fragment);
        let uri = if at.is_empty() {
            own.to_owned()
        } else if own.is_empty() {
            at.to_owned()
        } else {
            uri::resolve(at, own)
        };
        let id = self.resource(uri.clone(), root, dialect);
        self.used.push(id);
        self.by_uri.entry(uri).or_insert(id);
        if !at.is_empty() {
            self.by_uri.entry(at.to_owned()).or_insert(id);
        }
        id
    }

    fn resource(&mut self, uri: String, root: &'a Value, dialect: Dialect) -> ResourceId {
        let id = ResourceId(self.resources.len() as u32);
        self.resources.push(Resource {
            uri,
            root,
            dialect,
            dynamic: Vec::new(),
        });
        self.by_root.insert(root, id);
        id
    }

    fn get(&self, id: ResourceId) -> &Resource<'a> {
        &self.resources[id.0 as usize]
    }

    pub(super) fn dialect(&self, id: ResourceId) -> Dialect {
        self.get(id).dialect
    }

    /// The schema that a resource is.
    pub(super) fn root(&self, id: ResourceId) -> &'a Value {
        self.get(id).root
    }

    /// The names of the dynamic anchors of a resource.
    pub(super) fn dynamic_names(&mut self, id: ResourceId) -> &[&'a str] {
        self.scan();
        &self.get(id).dynamic
    }

    /// The place of a dynamic anchor that a resource has.
    pub(super) fn dynamic_place(&self, id: ResourceId, name: &'a str) -> PlaceInDocument<'a> {
        match self.anchors.get(&(id, name)) {
            Some(target) => target.place,
            // Not the anchor of a name, but `$recursiveAnchor`.
            None => (self.root(id), id),
        }
    }

    /// A URI reference as seen from a resource; `None` if the cap is reached.
    fn absolute(&mut self, reference: &str, base: ResourceId) -> Option<String> {
        let base = &self.resources[base.0 as usize].uri;
        match self.uri_bytes.checked_sub(base.len() + reference.len()) {
            Some(rest) => self.uri_bytes = rest,
            None => self.uris_too_long = true,
        }
        (!self.uris_too_long).then(|| uri::resolve(base, reference))
    }

    /// The resource that the inside of a schema belongs to, if the schema itself lies in `around`.
    /// Wrong once [`check`](Self::check) fails.
    pub(super) fn resource_of(&mut self, schema: &'a Value, around: ResourceId) -> ResourceId {
        if let Some(&known) = self.by_root.get(&std::ptr::from_ref(schema)) {
            return known;
        }
        let outer = self.dialect(around);
        if outer.ignores_beside_ref() && schema.get("$ref").is_some() {
            return around;
        }
        let mut told = Vec::new();
        let dialect = Dialect::declared(schema, outer, self.documents, |fault| told.push(fault));
        let reference = identifier(schema, dialect).map_or("", without_fragment);
        // Where nothing is declared, an embedded draft 4 does not make `id` a base either: such
        // collections of schemas mean their references from the document's root.
        let is_tried = outer.draft.is_some() || outer.has(Keyword::OldId);
        // Up to draft 7, `"$id": "#name"` is an anchor.
        if reference.is_empty() || (dialect.draft == Some(Draft::V4) && !is_tried) {
            return around;
        }
        let Some(uri) = self.absolute(reference, around) else {
            return around;
        };
        self.told.extend(told);
        self.resource(uri, schema, dialect)
    }

    /// Fails once the cap on URIs is reached.
    pub(super) fn check(&self) -> Result<(), (ErrorKind, String)> {
        if self.uris_too_long {
            return Err((
                ErrorKind::Limit,
                "the URIs of all `$id` are too long together".to_owned(),
            ));
        }
        Ok(())
    }

    /// What a reference in the resource `from`, the value of `keyword`, leads to, or why it leads
    /// nowhere.
    pub(super) fn resolve(
        &mut self,
        keyword: Keyword,
        reference: &str,
        from: ResourceId,
    ) -> Result<ReferenceTarget<'a>, (ErrorKind, String)> {
        let target = self.target_of(reference, from);
        self.check()?;
        self.has_failed |= target.is_err();
        target.map_err(|reason| {
            let name = keyword.name();
            (
                ErrorKind::Schema,
                format!("`{name}` {reference:?} {reason}"),
            )
        })
    }

    fn target_of(
        &mut self,
        reference: &str,
        from: ResourceId,
    ) -> Result<ReferenceTarget<'a>, String> {
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let resource = self.resource_named(uri, from)?;
        let fragment = uri::percent_decode(fragment).ok_or("is malformed after the `#`")?;
        if fragment.is_empty() {
            let Resource { root, dialect, .. } = *self.get(resource);
            return Ok(ReferenceTarget {
                place: (root, resource),
                dynamic: is_recursive(root, dialect).then_some(RECURSIVE),
            });
        }
        if let Some(pointer) = fragment.strip_prefix('/') {
            let place = self.walk(pointer, resource);
            let place = place.ok_or_else(|| "leads to nothing in this document".to_owned())?;
            return Ok(ReferenceTarget {
                place,
                dynamic: None,
            });
        }
        self.scan();
        let anchor = self.anchors.get(&(resource, fragment.as_str())).copied();
        anchor.ok_or_else(|| "names an anchor that is not there".to_owned())
    }

    fn resource_named(&mut self, uri: &str, from: ResourceId) -> Result<ResourceId, String> {
        if uri.is_empty() {
            return Ok(from);
        }
        let uri = self.absolute(uri, from).unwrap_or_default();
        if let Some(&resource) = self.by_uri.get(&uri) {
            return Ok(resource);
        }
        self.scan();
        if let Some(&resource) = self.by_uri.get(&uri) {
            return Ok(resource);
        }
        // A document without `$schema` is of the dialect of the one that uses it.
        let dialect = self.dialect(ResourceId::DOCUMENT);
        if let Some(found) = self.documents.find(&uri) {
            let root = found.map_err(|error| format!("leads nowhere: {error}"))?;
            return Ok(self.document(root, &uri, dialect));
        }
        // Some document may have, or hold, an `$id` other than the URI that it was given with.
        for given in self.documents.given() {
            let (at, root) = given.map_err(|error| format!("leads nowhere: {error}"))?;
            self.document(root, at, dialect);
        }
        self.scan();
        let found = self.by_uri.get(&uri).copied();
        found.ok_or_else(|| format!("leads to another document, which is not at hand: {uri}"))
    }

    /// Follows a JSON pointer, given without the `/` it starts with.
    fn walk(&mut self, pointer: &str, resource: ResourceId) -> Option<PlaceInDocument<'a>> {
        let (mut value, mut resource) = (self.root(resource), resource);
        let mut holds = Holds::Schema;
        for token in pointer.split('/') {
            let token = unescape(token);
            if holds == Holds::Schema {
                resource = self.resource_of(value, resource);
            }
            let child = match value {
                Value::Object(object) => object.get(&*token)?,
                Value::Array(array) => array.get(index(&token)?)?,
                _ => return None,
            };
            holds = inside(holds, &token, child, self.dialect(resource));
            value = child;
        }
        Some((value, resource))
    }

    /// Finds all names in the documents that are in use.
    fn scan(&mut self) {
        while let Some(&document) = self.used.get(self.scanned) {
            self.scanned += 1;
            self.scan_from(self.root(document), Holds::Schema, document);
        }
    }

    fn scan_from(&mut self, value: &'a Value, holds: Holds, around: ResourceId) {
        if holds == Holds::Data {
            return;
        }
        let mut resource = around;
        if holds == Holds::Schema {
            resource = self.resource_of(value, around);
            let uri = &self.resources[resource.0 as usize].uri;
            if !self.by_uri.contains_key(uri) {
                self.by_uri.insert(uri.clone(), resource);
            }
            self.scan_anchors(value, around, resource);
        }
        match value {
            Value::Object(object) => {
                let dialect = self.dialect(resource);
                for (name, child) in object {
                    let holds = inside(holds, name, child, dialect);
                    self.scan_from(child, holds, resource);
                }
            }
            Value::Array(array) if holds == Holds::List => {
                for child in array {
                    self.scan_from(child, Holds::Schema, resource);
                }
            }
            _ => {}
        }
    }

    fn scan_anchors(&mut self, schema: &'a Value, around: ResourceId, resource: ResourceId) {
        let dialect = self.dialect(resource);
        let old = identifier(schema, dialect).and_then(|id| id.split_once('#'));
        let named = |keyword: Keyword| {
            let name = schema.get(keyword.name()).filter(|_| dialect.has(keyword));
            name.and_then(Value::as_str)
        };
        let dynamic = named(Keyword::DynamicAnchor);
        let names = [old.map(|(_, name)| name), named(Keyword::Anchor), dynamic];
        for name in names.into_iter().flatten().filter(|name| !name.is_empty()) {
            let target = ReferenceTarget {
                place: (schema, around),
                dynamic: dynamic.filter(|&other| other == name),
            };
            let entry = self.anchors.entry((resource, name));
            if let std::collections::hash_map::Entry::Vacant(entry) = entry {
                entry.insert(target);
                self.resources[resource.0 as usize]
                    .dynamic
                    .extend(target.dynamic);
            }
        }
        let root = self.root(resource);
        if std::ptr::eq(schema, root) && is_recursive(root, dialect) {
            self.resources[resource.0 as usize].dynamic.push(RECURSIVE);
        }
    }
}

/// The `$id` of a schema (`id` in draft 4).
fn identifier(schema: &Value, dialect: Dialect) -> Option<&str> {
    let object = schema.as_object()?;
    if dialect.ignores_beside_ref() && object.contains_key("$ref") {
        return None;
    }
    let named = |keyword: Keyword| object.get(keyword.name()).filter(|_| dialect.has(keyword));
    let id = named(Keyword::Id).and_then(Value::as_str);
    id.or_else(|| named(Keyword::OldId).and_then(Value::as_str))
}

/// Whether a resource's schema lets the dynamic scope decide what `"$recursiveRef": "#"` leads to.
fn is_recursive(root: &Value, dialect: Dialect) -> bool {
    let keyword = Keyword::RecursiveAnchor;
    dialect.has(keyword) && root.get(keyword.name()) == Some(&Value::Bool(true))
}

/// What the child `name` holds, if the value that it is in holds `holds`.
fn inside(holds: Holds, name: &str, child: &Value, dialect: Dialect) -> Holds {
    match holds {
        Holds::Schema => match Keyword::named(name).filter(|&k| dialect.has(k)) {
            Some(keyword) => match (keyword.holds(), child) {
                (Holds::SchemaOrList, Value::Array(_)) => Holds::List,
                (Holds::SchemaOrList, _) => Holds::Schema,
                (holds, _) => holds,
            },
            None => Holds::Data,
        },
        Holds::Map | Holds::List => Holds::Schema,
        Holds::Data | Holds::SchemaOrList => Holds::Data,
    }
}

/// An array index in a JSON pointer.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| canonical)
}

/// Undoes the escapes `~1` and `~0` of a JSON pointer.
fn unescape(token: &str) -> std::borrow::Cow<'_, str> {
    if token.contains('~') {
        token.replace("~1", "/").replace("~0", "~").into()
    } else {
        token.into()
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::model::{InPlace, Model};
    use crate::schema::testing::{assert_invalid, error, error_with, loaded, loaded_with};

    /// The `minLength` by which the target of the `$ref` in property `r` is told from others.
    fn target(text: &str) -> Option<u64> {
        target_in(&loaded(text))
    }

    fn target_in(model: &Model) -> Option<u64> {
        let applied = &model.keywords(model.property("r")).in_place;
        let [InPlace::Own, InPlace::Ref(id)] = applied[..] else {
            panic!("{applied:?}");
        };
        model.keywords(id).string.min_length
    }

    #[test]
    fn pointers() {
        for (reference, definitions) in [
            ("#/$defs/a", r#""$defs": {"a": {"minLength": 7}}"#),
            (
                "#/definitions/a",
                r#""definitions": {"a": {"minLength": 7}}"#,
            ),
            ("#/$defs/a~1b~0c", r#""$defs": {"a/b~c": {"minLength": 7}}"#),
            ("#/$defs/~01", r#""$defs": {"~1": {"minLength": 7}}"#),
            (
                "#/$defs/a%25b%20%C3%A9",
                r#""$defs": {"a%b é": {"minLength": 7}}"#,
            ),
            ("#/$defs/", r#""$defs": {"": {"minLength": 7}}"#),
            (
                "#/prefixItems/1",
                r#""prefixItems": [{}, {"minLength": 7}]"#,
            ),
            ("#/x-own/list/0", r#""x-own": {"list": [{"minLength": 7}]}"#),
            (
                "#/$defs/a/items",
                r#""$defs": {"a": {"items": {"minLength": 7}}}"#,
            ),
            ("#", r#""minLength": 7"#),
            ("", r#""minLength": 7"#),
            (
                "http://x.org/root.json",
                r#""$id": "http://x.org/root.json#", "minLength": 7"#,
            ),
            (
                "root.json#/$defs/a",
                r#""$id": "http://x.org/root.json", "$defs": {"a": {"minLength": 7}}"#,
            ),
            ("#a", r#""$defs": {"b": {"$anchor": "a", "minLength": 7}}"#),
            (
                "#a",
                r#""$defs": {"b": {"$dynamicAnchor": "a", "minLength": 7}}"#,
            ),
            (
                "#a",
                r##""definitions": {"b": {"$id": "#a", "minLength": 7}}"##,
            ),
            (
                "urn:a:b",
                r#""$defs": {"b": {"$id": "urn:a:b", "minLength": 7}}"#,
            ),
        ] {
            let text =
                format!(r#"{{"properties": {{"r": {{"$ref": "{reference}"}}}}, {definitions}}}"#);
            assert_eq!(target(&text), Some(7), "{text}");
        }
    }

    #[test]
    fn bases() {
        for text in [
            // A relative reference starts from the nearest `$id` around it, its own included.
            r##"{"$id": "http://x.org/", "properties": {"r": {"$id": "dir/", "$ref": "item.json"}},
                "$defs": {"a": {"$id": "dir/item.json", "minLength": 7}, "b": {"$id": "item.json"}}}"##,
            // `#` is the nearest resource, not the document.
            r##"{"properties": {"r": {"$id": "inner", "$ref": "#/$defs/a", "$defs": {"a": {"minLength": 7}}}},
                "$defs": {"a": {}}}"##,
            // A pointer from the document into another resource.
            r##"{"properties": {"r": {"$ref": "#/$defs/i/$defs/a"}},
                "$defs": {"i": {"$id": "inner", "$defs": {"a": {"minLength": 7}}}}}"##,
            // An anchor belongs to its resource.
            r##"{"properties": {"r": {"$ref": "inner#a"}}, "$defs": {"x": {"$anchor": "a"},
                "i": {"$id": "inner", "$defs": {"y": {"$anchor": "a", "minLength": 7}}}}}"##,
            // Neither data nor unknown keywords have names.
            r##"{"properties": {"r": {"$ref": "a.json"}}, "enum": [{"$id": "a.json"}],
                "x": {"$id": "a.json"}, "$defs": {"a": {"$id": "a.json", "minLength": 7}}}"##,
            // A property of the name `$id` is none.
            r##"{"properties": {"r": {"$ref": "#/$defs/a"}, "$id": {"type": "string"}},
                "$defs": {"a": {"minLength": 7}}}"##,
            // Draft 4 has `id`, and ignores it beside `$ref`.
            r##"{"$schema": "http://json-schema.org/draft-04/schema#", "id": "http://x.org/a",
                "properties": {"r": {"id": "dir/", "$ref": "b"}}, "$id": 5,
                "definitions": {"b": {"id": "b", "minLength": 7}, "c": {"id": "dir/b"}}}"##,
            r##"{"$schema": "http://json-schema.org/draft-04/schema#",
                "properties": {"r": {"$ref": "#a"}}, "definitions": {"b": {"id": "#a", "minLength": 7}}}"##,
            // Where no draft is declared, `id` is an annotation.
            r##"{"id": "http://x.org/a", "properties": {"r": {"$ref": "#/definitions/b"}},
                "definitions": {"b": {"id": 5, "minLength": 7}}}"##,
        ] {
            assert_eq!(target(text), Some(7), "{text}");
        }
    }

    #[test]
    fn one_schema_for_one_place() {
        let model = loaded(
            r##"{"properties": {"a": {"$ref": "#/properties/c"}, "b": {"$ref": "x#/properties/c"}, "c": {}},
                "$id": "x"}"##,
        );
        assert_eq!(model.schemas.len(), 4);
    }

    #[test]
    fn dangling() {
        let cases = [
            ("#/$defs/b", "\"#/$defs/b\" leads to nothing"),
            ("#/prefixItems/1", "leads to nothing"),
            ("#/prefixItems/00", "leads to nothing"),
            ("#/prefixItems/-1", "leads to nothing"),
            ("#/prefixItems/+0", "leads to nothing"),
            ("#/title/a", "leads to nothing"),
            ("#nobody", "\"#nobody\" names an anchor"),
            ("#/%zz", "malformed"),
            (
                "other.json#/a",
                "another document, which is not at hand: http://x.org/other.json",
            ),
            (
                "http://json-schema.org/draft-03/schema#",
                "http://json-schema.org/draft-03/schema",
            ),
            (
                "http://json-schema.org/draft-07/schema#/nobody",
                "leads to nothing",
            ),
        ];
        for (reference, part) in cases {
            let text = format!(
                r##"{{"$id": "http://x.org/", "title": "t", "prefixItems": [{{}}],
                    "items": {{"$ref": "{reference}"}}}}"##
            );
            assert_invalid(&[(&text, "/items/$ref", part)]);
        }
        assert_invalid(&[
            (
                r##"{"$ref": "#/title", "title": "t"}"##,
                "/title",
                "an object or a boolean",
            ),
            (
                r##"{"items": {"$id": 5}}"##,
                "/items/$id",
                "`$id` must be a string",
            ),
        ]);
    }
    #[test]
    fn id_of_draft_4_where_no_draft_is_declared() {
        for (text, expected) in [
            // Only if nothing else does.
            (
                r##"{"id": "http://x.org/a", "properties": {"r": {"$ref": "http://x.org/a#/definitions/b"}},
                    "definitions": {"b": {"minLength": 7}, "c": {"id": 5}}}"##,
                7,
            ),
            (
                r##"{"properties": {"r": {"$ref": "#b"}}, "definitions": {"b": {"id": "#b", "minLength": 7}}}"##,
                7,
            ),
            (
                r##"{"properties": {"r": {"$ref": "item.json"}},
                    "definitions": {"b": {"id": "item.json", "minLength": 7}}}"##,
                7,
            ),
            (
                r##"{"id": "http://x.org/a/", "properties": {"r": {"$ref": "#/definitions/b"}},
                    "definitions": {"b": {"id": "b", "$ref": "#/definitions/c", "minLength": 7}, "c": {}}}"##,
                7,
            ),
            (
                r##"{"properties": {"r": {"$ref": "#/definitions/a/definitions/b"}}, "definitions": {"a": {
                    "$schema": "http://json-schema.org/draft-04/schema", "id": "schemata/a",
                    "properties": {"b": {"$ref": "#/definitions/a/definitions/b"}},
                    "definitions": {"b": {"minLength": 7}}}}}"##,
                7,
            ),
        ] {
            assert_eq!(target(text), Some(expected), "{text}");
        }
        // The error is that of the plain reading.
        let text = r##"{"id": "http://x.org/a", "items": {"$ref": "b"}}"##;
        assert_invalid(&[(text, "/items/$ref", "not at hand: b")]);
        let declared = r##"{"$schema": "http://json-schema.org/draft-07/schema#", "id": "http://x.org/a",
            "items": {"$ref": "http://x.org/a"}}"##;
        assert_invalid(&[(declared, "/items/$ref", "not at hand: http://x.org/a")]);
    }

    #[test]
    fn other_documents() {
        let own_id = r##"{"$id": "http://x.org/dir/own", "$ref": "#/$defs/b", "minLength": 7,
            "$defs": {"b": {"$id": "b", "$ref": "own#x"}, "c": {"$anchor": "x"}}}"##;
        for (reference, resources) in [
            (
                "http://x.org/a",
                &[("http://x.org/a", r#"{"minLength": 7}"#)] as &[_],
            ),
            ("a", &[("http://x.org/a", r#"{"minLength": 7}"#)]),
            ("a#", &[("http://x.org/a#", r#"{"minLength": 7}"#)]),
            (
                "a#/items",
                &[("http://x.org/a", r#"{"items": {"minLength": 7}}"#)],
            ),
            (
                "a#x",
                &[(
                    "http://x.org/a",
                    r#"{"items": {"$anchor": "x", "minLength": 7}}"#,
                )],
            ),
            // By an `$id` of its own, or in it.
            ("dir/own", &[("http://x.org/a", own_id)]),
            (
                "dir/own",
                &[("urn:other", r#"{"$id": "urn:own"}"#), ("urn:a", own_id)],
            ),
            (
                "i",
                &[(
                    "http://x.org/a",
                    r#"{"items": {"$id": "i", "minLength": 7}}"#,
                )],
            ),
            // By way of another, and back.
            (
                "a",
                &[
                    (
                        "http://x.org/b/c",
                        r#"{"minLength": 7, "items": {"$ref": "http://x.org/root"}}"#,
                    ),
                    ("http://x.org/a", r#"{"minLength": 7, "$ref": "b/c"}"#),
                ],
            ),
            // What the document holds itself comes first.
            ("here", &[("http://x.org/here", "{}")]),
        ] {
            let text = format!(
                r##"{{"$id": "http://x.org/root", "properties": {{"r": {{"$ref": "{reference}"}}}},
                    "$defs": {{"h": {{"$id": "here", "minLength": 7}}}}}}"##
            );
            let model = loaded_with(&text, resources);
            assert_eq!(target_in(&model), Some(7), "{reference} {resources:?}");
        }
        let error = error_with(
            r#"{"items": {"$ref": "http://x.org/b"}}"#,
            &[("http://x.org/a", "{}")],
        );
        assert_eq!(error.pointer(), Some("/items/$ref"));
        assert!(
            error.message().ends_with("not at hand: http://x.org/b"),
            "{error}"
        );
    }

    #[test]
    fn other_documents_have_a_dialect_of_their_own() {
        let draft_4 = r##""$schema": "http://json-schema.org/draft-04/schema#""##;
        for (root, other, expected) in [
            (
                "",
                r##""$ref": "#/definitions/a", "minLength": 7"##.to_owned(),
                Some(7),
            ),
            (
                "",
                format!(r##"{draft_4}, "$ref": "#/definitions/a", "minLength": 7"##),
                None,
            ),
            // Without `$schema`, that of the document that refers to it.
            (
                draft_4,
                r##""$ref": "#/definitions/a", "minLength": 7"##.to_owned(),
                None,
            ),
        ] {
            let comma = if root.is_empty() { "" } else { "," };
            let text = format!(r#"{{{root}{comma} "properties": {{"r": {{"$ref": "urn:a"}}}}}}"#);
            let other = format!(r#"{{{other}, "definitions": {{"a": {{}}}}}}"#);
            let model = loaded_with(&text, &[("urn:a", &other)]);
            assert_eq!(target_in(&model), expected, "{text} {other}");
        }
    }

    #[test]
    fn nested_bases_are_capped() {
        let long = "a".repeat(10_000);
        let opening = format!(r#"{{"$id": "{long}/", "items": "#).repeat(400);
        let text = opening + r##"{"$ref": "#"}"## + &"}".repeat(400);
        let error = error(&text);
        assert!(error.is_limit(), "{error}");
        assert!(error.pointer().unwrap().ends_with("/items/$id"));
    }
}
