//! What `$ref` refers to: `$id` bases, `$anchor` names and JSON pointers within one document.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::error::Kind;
use crate::schema::draft::Draft;
use crate::schema::keyword::{Holds, Keyword};
use crate::schema::uri;

/// A schema resource: the document, or a schema in it with an `$id` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ResourceId(u32);

impl ResourceId {
    pub(super) const DOCUMENT: ResourceId = ResourceId(0);
}

struct Resource<'a> {
    /// Absolute as far as the document says; without fragment.
    uri: String,
    root: &'a Value,
}

/// A value and the resource that it lies in, by the values around it.
pub(super) type Place<'a> = (&'a Value, ResourceId);

pub(super) struct Resolver<'a> {
    draft: Option<Draft>,
    resources: Vec<Resource<'a>>,
    by_root: FxHashMap<*const Value, ResourceId>,
    /// Filled by `scan`, but for the document itself. The first of equal names counts.
    by_uri: HashMap<String, ResourceId>,
    anchors: HashMap<(ResourceId, &'a str), Place<'a>>,
    /// Most documents refer by JSON pointer only, and need no search for names.
    scanned: bool,
    /// Bytes of URIs that may still be put together: each `$id` lengthens those inside it.
    uri_bytes: usize,
    uris_too_long: bool,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(document: &'a Value, draft: Option<Draft>, uri_bytes: usize) -> Self {
        let mut resolver = Resolver {
            draft,
            resources: Vec::new(),
            by_root: FxHashMap::default(),
            by_uri: HashMap::new(),
            anchors: HashMap::new(),
            scanned: false,
            uri_bytes,
            uris_too_long: false,
        };
        let uri = resolver.identifier(document).unwrap_or_default();
        let uri = uri.split('#').next().unwrap_or_default().to_owned();
        resolver.resources.push(Resource {
            uri: uri.clone(),
            root: document,
        });
        resolver.by_root.insert(document, ResourceId::DOCUMENT);
        resolver.by_uri.insert(uri, ResourceId::DOCUMENT);
        resolver
    }

    /// The `$id` of a schema (`id` in draft 4).
    fn identifier(&self, schema: &'a Value) -> Option<&'a str> {
        let object = schema.as_object()?;
        match self.draft {
            Some(draft) if draft <= Draft::V7 && object.contains_key("$ref") => None,
            Some(Draft::V4) => object.get("id")?.as_str(),
            _ => object.get("$id")?.as_str(),
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
        let identifier = self.identifier(schema).unwrap_or_default();
        let reference = identifier.split('#').next().unwrap_or_default();
        // Up to draft 7, `"$id": "#name"` is an anchor.
        if reference.is_empty() {
            return around;
        }
        let Some(uri) = self.absolute(reference, around) else {
            return around;
        };
        let id = ResourceId(self.resources.len() as u32);
        self.resources.push(Resource { uri, root: schema });
        self.by_root.insert(schema, id);
        id
    }

    /// Fails once the cap on URIs is reached.
    pub(super) fn check(&self) -> Result<(), (Kind, String)> {
        if self.uris_too_long {
            return Err((
                Kind::Limit,
                "the URIs of all `$id` are too long together".to_owned(),
            ));
        }
        Ok(())
    }

    /// What a reference in the resource `from` leads to, or why it leads nowhere.
    pub(super) fn resolve(
        &mut self,
        reference: &str,
        from: ResourceId,
    ) -> Result<Place<'a>, (Kind, String)> {
        let place = self.place_of(reference, from);
        self.check()?;
        place.map_err(|reason| (Kind::Schema, format!("`$ref` {reference:?} {reason}")))
    }

    fn place_of(&mut self, reference: &str, from: ResourceId) -> Result<Place<'a>, String> {
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let resource = self
            .resource_named(uri, from)
            .map_err(|uri| format!("leads to another document, which is not at hand: {uri}"))?;
        let fragment = uri::percent_decode(fragment).ok_or("is malformed after the `#`")?;
        if fragment.is_empty() {
            return Ok((self.resources[resource.0 as usize].root, resource));
        }
        if let Some(pointer) = fragment.strip_prefix('/') {
            let place = self.walk(pointer, resource);
            return place.ok_or_else(|| "leads to nothing in this document".to_owned());
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
        self.by_uri.get(&uri).copied().ok_or(uri)
    }

    /// Follows a JSON pointer, given without the `/` it starts with.
    fn walk(&mut self, pointer: &str, resource: ResourceId) -> Option<Place<'a>> {
        let (mut value, mut resource) = (self.resources[resource.0 as usize].root, resource);
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
            holds = self.inside(holds, &token, child);
            value = child;
        }
        Some((value, resource))
    }

    /// What the child `name` holds, if the value that it is in holds `holds`.
    fn inside(&self, holds: Holds, name: &str, child: &Value) -> Holds {
        match holds {
            Holds::Schema => match Keyword::named(name).filter(|k| k.is_in(self.draft)) {
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

    /// Finds all names in the document.
    fn scan(&mut self) {
        if !std::mem::replace(&mut self.scanned, true) {
            let document = self.resources[0].root;
            self.scan_from(document, Holds::Schema, ResourceId::DOCUMENT);
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
                for (name, child) in object {
                    let holds = self.inside(holds, name, child);
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
        let fragment = self.identifier(schema).and_then(|id| id.split_once('#'));
        let mut names = [fragment.map(|(_, name)| name), None, None];
        for (name, keyword) in names[1..]
            .iter_mut()
            .zip([Keyword::Anchor, Keyword::DynamicAnchor])
        {
            if keyword.is_in(self.draft) {
                *name = schema.get(keyword.name()).and_then(Value::as_str);
            }
        }
        for name in names.into_iter().flatten().filter(|name| !name.is_empty()) {
            self.anchors
                .entry((resource, name))
                .or_insert((schema, around));
        }
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
    use crate::schema::testing::{assert_invalid, error, loaded};

    /// The `minLength` by which the target of the `$ref` in property `r` is told from others.
    fn target(text: &str) -> Option<u64> {
        use crate::schema::model::InPlace;
        let model = loaded(text);
        let applied = &model.keywords(model.property("r")).in_place;
        let [InPlace::Own, InPlace::Ref(id)] = applied[..] else {
            panic!("{text}: {applied:?}");
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
                "http://json-schema.org/draft-07/schema#",
                "http://json-schema.org/draft-07/schema",
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
    fn nested_bases_are_capped() {
        let long = "a".repeat(10_000);
        let opening = format!(r#"{{"$id": "{long}/", "items": "#).repeat(400);
        let text = opening + r##"{"$ref": "#"}"## + &"}".repeat(400);
        let error = error(&text);
        assert!(error.is_limit(), "{error}");
        assert!(error.pointer().unwrap().ends_with("/items/$id"));
    }
}
