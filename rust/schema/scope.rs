//! Dynamic scopes: what `$dynamicRef` and `$recursiveRef` lead to depends on the way to them.
//!
//! Of the resources that were entered on the way, only the outermost one with a dynamic anchor of a
//! name can matter. So a way is told by that resource for each name, and there are finitely many.

use rustc_hash::FxHashMap;

use crate::schema::resolver::ResourceId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ScopeId(u32);

/// Sorted by name.
type Bindings<'a> = Box<[(&'a str, ResourceId)]>;

/// Interned scopes. The scope 0 is that before any resource is entered.
pub(super) struct Scopes<'a> {
    all: Vec<Bindings<'a>>,
    // Keyed by names out of documents: hashed with random keys.
    ids: std::collections::HashMap<Bindings<'a>, ScopeId>,
    entered: FxHashMap<(ScopeId, ResourceId), ScopeId>,
    /// How many more bindings all scopes may have together.
    rest: usize,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(cap: usize) -> Self {
        Scopes {
            all: vec![Box::default()],
            ids: std::iter::once((Bindings::default(), ScopeId(0))).collect(),
            entered: FxHashMap::default(),
            rest: cap,
        }
    }

    /// The scope after a resource with dynamic anchors of some names is entered; `None` if the cap
    /// is reached.
    pub(super) fn enter(
        &mut self,
        scope: ScopeId,
        resource: ResourceId,
        names: &[&'a str],
    ) -> Option<ScopeId> {
        if names.is_empty() {
            return Some(scope);
        }
        if let Some(&known) = self.entered.get(&(scope, resource)) {
            return Some(known);
        }
        let mut bindings = self.all[scope.0 as usize].to_vec();
        let outer = bindings.len();
        for &name in names {
            if bindings[..outer]
                .binary_search_by_key(&name, |&(name, _)| name)
                .is_err()
            {
                bindings.push((name, resource));
            }
        }
        bindings.sort_unstable();
        bindings.dedup();
        let bindings = Bindings::from(bindings);
        let next = ScopeId(self.all.len() as u32);
        let id = match self.ids.get(&bindings) {
            Some(&known) => known,
            None => {
                self.rest = self.rest.checked_sub(bindings.len())?;
                self.all.push(bindings.clone());
                self.ids.insert(bindings, next);
                next
            }
        };
        self.entered.insert((scope, resource), id);
        Some(id)
    }

    /// The outermost resource with a dynamic anchor of a name.
    pub(super) fn outermost(&self, scope: ScopeId, name: &str) -> Option<ResourceId> {
        let bindings = &self.all[scope.0 as usize];
        let at = bindings
            .binary_search_by_key(&name, |&(name, _)| name)
            .ok()?;
        Some(bindings[at].1)
    }
}

#[cfg(test)]
mod tests {
    use crate::limits::Limits;
    use crate::schema::load::{LoadOptions, load};
    use crate::schema::model::{InPlace, Model, SchemaId};
    use crate::schema::testing::{assert_invalid, loaded};

    /// The `minLength` of what `items` leads to, and the number of schemas.
    fn target(text: &str) -> (Option<u64>, usize) {
        let model = loaded(text);
        (min_length(&model, model.root), model.schemas.len())
    }

    fn min_length(model: &Model, id: SchemaId) -> Option<u64> {
        let keywords = model.keywords(id);
        let referred = keywords.in_place.iter().find_map(|part| match part {
            InPlace::Ref(id) => Some(*id),
            _ => None,
        });
        let next = keywords.array.items.or(referred);
        next.map_or(keywords.string.min_length, |id| min_length(model, id))
    }

    /// A resource with a list whose items are extensible, and its own idea of them.
    const LIST: &str = r##""list": {"$id": "list", "items": {"$dynamicRef": "#item"},
        "$defs": {"item": {"$dynamicAnchor": "item", "minLength": 1}}}"##;

    #[test]
    fn the_outermost_dynamic_anchor_counts() {
        for (expected, text) in [
            (1, format!(r##"{{"$ref": "list", "$defs": {{{LIST}}}}}"##)),
            (
                7,
                format!(
                    r##"{{"$ref": "list", "$defs": {{{LIST}, "a": {{"$dynamicAnchor": "item", "minLength": 7}}}}}}"##
                ),
            ),
            // An ordinary anchor is none.
            (
                1,
                format!(
                    r##"{{"$ref": "list", "$defs": {{{LIST}, "a": {{"$anchor": "item", "minLength": 7}}}}}}"##
                ),
            ),
            // A resource that is not entered says nothing.
            (
                1,
                format!(
                    r##"{{"$ref": "list", "$defs": {{{LIST},
                        "a": {{"$id": "a", "$dynamicAnchor": "item", "minLength": 7}}}}}}"##
                ),
            ),
            (
                7,
                format!(
                    r##"{{"$ref": "a", "$defs": {{{LIST},
                        "a": {{"$id": "a", "$ref": "list", "$defs": {{"a":
                            {{"$dynamicAnchor": "item", "minLength": 7}}}}}}}}}}"##
                ),
            ),
            // Without a dynamic anchor to begin with, it is an ordinary reference.
            (
                2,
                r##"{"$dynamicAnchor": "item", "items": {"$id": "i", "$dynamicRef": "#item",
                    "$defs": {"a": {"$anchor": "item", "minLength": 2}}}}"##
                    .to_owned(),
            ),
            (
                2,
                r##"{"items": {"$dynamicRef": "#/$defs/a"}, "$defs": {"a": {"$dynamicAnchor": "b", "minLength": 2}}}"##
                    .to_owned(),
            ),
            // `$ref` to a dynamic anchor is one as well.
            (
                1,
                format!(
                    r##"{{"$ref": "list", "$defs": {{{}, "a": {{"$dynamicAnchor": "item", "minLength": 7}}}}}}"##,
                    LIST.replace("$dynamicRef", "$ref")
                ),
            ),
        ] {
            assert_eq!(target(&text).0, Some(expected), "{text}");
        }
    }

    #[test]
    fn recursive_references() {
        for (expected, anchor) in [(Some(1), ""), (Some(7), r#""$recursiveAnchor": true,"#)] {
            let text = format!(
                r##"{{"$schema": "https://json-schema.org/draft/2019-09/schema", "$id": "http://x.org/a",
                    {anchor} "minLength": 7, "anyOf": [true, {{"$ref": "list"}}],
                    "$defs": {{"list": {{"$id": "list", "$recursiveAnchor": true, "minLength": 1,
                        "anyOf": [true, {{"items": {{"$recursiveRef": "#"}}}}]}}}}}}"##
            );
            let model = loaded(&text);
            let inner = |id| match &model.keywords(id).in_place[1] {
                InPlace::AnyOf(ids) => ids[1],
                other => panic!("{other:?}"),
            };
            let reference = model.keywords(inner(model.root)).in_place[1..].first();
            let Some(InPlace::Ref(list)) = reference else {
                panic!("{reference:?}");
            };
            let items = model.keywords(inner(*list)).array.items.unwrap();
            let Some(InPlace::Ref(target)) = model.keywords(items).in_place.last() else {
                panic!("no reference");
            };
            assert_eq!(
                model.keywords(*target).string.min_length,
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_schema_is_read_for_each_scope() {
        let user = |name: &str, length| {
            format!(
                r##""{name}": {{"$id": "{name}", "$ref": "list",
                    "$defs": {{"i": {{"$dynamicAnchor": "item", "minLength": {length}}}}}}}"##
            )
        };
        let (a, b) = (user("a", 2), user("b", 3));
        let text = format!(r##"{{"properties": {{{a}, {b}}}, "$defs": {{{LIST}}}}}"##);
        let model = loaded(&text);
        let lengths = ["a", "b"].map(|name| min_length(&model, model.property(name)));
        assert_eq!(lengths, [Some(2), Some(3)]);
        // Without a dynamic reference there are no scopes.
        let text = text.replace("$dynamicRef", "$ref");
        assert_eq!(loaded(&text).schemas.len(), 6);
    }

    #[test]
    fn circles() {
        assert_invalid(&[(
            r##"{"$dynamicAnchor": "a", "$dynamicRef": "#a"}"##,
            "/$dynamicRef",
            "circle",
        )]);
        let tree = r##"{"$dynamicAnchor": "node", "items": {"$dynamicRef": "#node"}}"##;
        assert_eq!(loaded(tree).schemas.len(), 2);
    }

    #[test]
    fn ways_through_resources_are_capped() {
        // Each resource leads to all others: as many scopes as subsets of them.
        let references: Vec<_> = (0..30).map(|i| format!(r#"{{"$ref": "{i}"}}"#)).collect();
        let references = references.join(",");
        let resource = |i: usize| {
            format!(
                r##""{i}": {{"$id": "{i}", "$dynamicAnchor": "a{i}", "properties": {{"x": {{"$dynamicRef": "#a{i}"}}}},
                    "items": {{"anyOf": [{references}]}}}}"##
            )
        };
        let resources: Vec<_> = (0..30).map(resource).collect();
        let text = format!(r##"{{"$ref": "0", "$defs": {{{}}}}}"##, resources.join(","));
        let limits = Limits {
            schema_nodes: 10_000,
            ..Limits::default()
        };
        let options = LoadOptions {
            strict: true,
            resources: &[],
        };
        assert!(load(&text, options, &limits).unwrap_err().is_limit());
    }
}
