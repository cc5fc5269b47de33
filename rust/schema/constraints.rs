//! What each keyword of a schema demands of values, in words, and schemas that are read without some
//! of it.
//!
//! To find out which keywords refuse a text, a schema is read again without some of them, and asked
//! whether the text is refused still. So what is left out must only ever allow more:
//!
//! - `properties`, `items` and others that hold schemas stay where they are, since others go by what
//!   they say: of a schema `false` in them, only that nothing is valid is left out.
//! - `oneOf` without what it demands is `anyOf`.
//! - Inside `not`, `if` and `contains`, what demands less allows less: these are left out as a whole.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use crate::error::Error;
use crate::limits::Limits;
use crate::schema::documents::Documents;
use crate::schema::keyword::Keyword;
use crate::schema::load::{LoadOptions, load_without, read};
use crate::schema::model::{InPlace, Model, Schema, SchemaId};

/// Something that a schema demands of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint {
    /// The JSON pointer of the keyword, or of a schema that is `false`, after the URI of its document
    /// and `#` if that is not the schema's own.
    pub(crate) pointer: String,
    /// What it wants, in words.
    pub(crate) words: String,
    pub(crate) kind: ConstraintKind,
}

/// How a [`Constraint`] is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConstraintKind {
    /// By itself.
    Keyword,
    /// It stands for all that a schema elsewhere demands.
    Reference,
    /// That no two schemas of a `oneOf` hold.
    Exclusive,
}

/// All that a schema demands of the values that its root applies to, in the order of its documents.
pub(crate) fn constraints(
    text: &str,
    options: LoadOptions<'_>,
    limits: &Limits,
) -> Result<Vec<Constraint>, Error> {
    let documents = Documents::new(text, options.resources, limits)?;
    let nothing = FxHashSet::default();
    let loader = read(&documents, options, &nothing, limits);
    let loader = loader.map_err(|fault| fault.into_error(&documents))?;
    let mut found: Vec<(&Value, String, ConstraintKind)> = Vec::new();
    for id in asserted(&loader.schemas) {
        match loader.value(id) {
            value @ Value::Bool(false) => {
                found.push((value, String::new(), ConstraintKind::Keyword));
            }
            Value::Object(object) => found.extend(object.iter().filter_map(|(name, value)| {
                let keyword = Keyword::named(name)?;
                let words = words(keyword, value)?;
                Some((value, words, kind_of(keyword)))
            })),
            _ => {}
        }
    }
    let parts: Vec<&Value> = found.iter().map(|&(value, ..)| value).collect();
    let found = found.into_iter();
    let mut by_place: FxHashMap<*const Value, _> = found
        .map(|(value, words, kind)| (std::ptr::from_ref(value), (words, kind)))
        .collect();
    let constraints = documents.locate(&parts).into_iter();
    let constraints = constraints.filter_map(|(at, pointer)| {
        let (mut words, kind) = by_place.remove(&at)?;
        if words.is_empty() {
            words = nothing_words(&pointer).to_owned();
        }
        Some(Constraint {
            pointer,
            words,
            kind,
        })
    });
    Ok(constraints.collect())
}

/// A schema read without some constraints, which are given by their pointers.
pub(crate) fn load_relaxed(
    text: &str,
    options: LoadOptions<'_>,
    left_out: &[&str],
    limits: &Limits,
) -> Result<Model, Error> {
    let documents = Documents::new(text, options.resources, limits)?;
    let mut parts: FxHashSet<*const Value> = FxHashSet::default();
    for pointer in left_out {
        let part = match pointer.split_once('#') {
            Some((uri, pointer)) if !pointer_is_local(uri) => {
                let document = documents.find(uri).and_then(Result::ok);
                document.and_then(|document| document.pointer(pointer))
            }
            _ => documents.root.pointer(pointer),
        };
        parts.extend(part.map(std::ptr::from_ref));
    }
    load_without(&documents, options, &parts, limits)
}

/// Pointers into the schema's own document start with a slash, or are empty; those into others with a
/// URI.
fn pointer_is_local(before_hash: &str) -> bool {
    before_hash.is_empty() || before_hash.starts_with('/')
}

/// The schemas that are applied to values as they are: not those inside `not`, `if` and `contains`.
fn asserted(schemas: &[Schema]) -> Vec<SchemaId> {
    let mut found = Vec::new();
    let mut seen = vec![false; schemas.len()];
    let mut open = VecDeque::from([SchemaId(0)]);
    while let Some(id) = open.pop_front() {
        if std::mem::replace(&mut seen[id.0 as usize], true) {
            continue;
        }
        found.push(id);
        let Schema::Keywords(keywords) = &schemas[id.0 as usize] else {
            continue;
        };
        let (array, object) = (&keywords.array, &keywords.object);
        open.extend(object.properties.iter().map(|property| property.1));
        open.extend(object.patterns.iter().map(|pattern| pattern.1));
        open.extend(
            [object.additional, object.names, object.unevaluated]
                .into_iter()
                .flatten(),
        );
        open.extend(array.prefix.iter().copied());
        open.extend([array.items, array.unevaluated].into_iter().flatten());
        for applied in &keywords.in_place {
            match applied {
                InPlace::Own | InPlace::Not(_) => {}
                &InPlace::Ref(id) | &InPlace::Dependent(_, id) => open.push_back(id),
                InPlace::AnyOf(all) | InPlace::OneOf(all) => open.extend(all),
                InPlace::If {
                    then, otherwise, ..
                } => open.extend([then, otherwise].into_iter().flatten()),
            }
        }
    }
    found
}

fn kind_of(keyword: Keyword) -> ConstraintKind {
    match keyword {
        Keyword::OneOf => ConstraintKind::Exclusive,
        _ if keyword.is_reference() => ConstraintKind::Reference,
        _ => ConstraintKind::Keyword,
    }
}

/// What a keyword demands; `None` if it demands nothing by itself.
fn words(keyword: Keyword, value: &Value) -> Option<String> {
    use Keyword::*;
    if !keyword.can_be_left_out() && keyword != OneOf {
        return None;
    }
    let shown = shown(value);
    Some(match keyword {
        Type => match value {
            Value::Array(types) => format!("one of the types {}", listed(types)),
            _ => format!("the type {shown}"),
        },
        Enum => one_or_more(value, "the value", "one of")?,
        Const => format!("the value {shown}"),
        MinLength => format!("at least {shown} characters"),
        MaxLength => format!("at most {shown} characters"),
        Pattern => format!("the pattern {shown}"),
        Format => format!("the format {shown}"),
        Minimum => format!("at least {shown}"),
        Maximum => format!("at most {shown}"),
        ExclusiveMinimum if value.is_number() => format!("more than {shown}"),
        ExclusiveMaximum if value.is_number() => format!("less than {shown}"),
        ExclusiveMinimum if *value == Value::Bool(true) => "more than the minimum".to_owned(),
        ExclusiveMaximum if *value == Value::Bool(true) => "less than the maximum".to_owned(),
        MultipleOf => format!("a multiple of {shown}"),
        MinItems => format!("at least {shown} items"),
        MaxItems => format!("at most {shown} items"),
        UniqueItems if *value == Value::Bool(true) => "items that all differ".to_owned(),
        Contains => "items that are valid against its schema".to_owned(),
        // Only from 2 on does it demand more than `contains` does without it.
        MinContains if value.as_f64().is_some_and(|least| least > 1.0) => {
            format!("at least {shown} items that `contains` is about")
        }
        MaxContains => format!("at most {shown} items that `contains` is about"),
        Required if value.as_array().is_some_and(|keys| !keys.is_empty()) => {
            one_or_more(value, "the key", "the keys")?
        }
        MinProperties => format!("at least {shown} keys"),
        MaxProperties => format!("at most {shown} keys"),
        DependentRequired => format!("keys that others require: {shown}"),
        Dependencies => format!("what keys depend on: {shown}"),
        Not => format!("a value that is not valid against {shown}"),
        If => format!("`then` or `else`, by whether the value is valid against {shown}"),
        OneOf => match value.as_array() {
            Some(branches) if branches.len() > 1 => {
                "a value that is valid against one of the schemas alone".to_owned()
            }
            _ => return None,
        },
        Ref | DynamicRef | RecursiveRef => format!("what {shown} wants"),
        _ => return None,
    })
}

/// In words, what is wanted of the values of a list.
fn one_or_more(values: &Value, of_one: &str, of_more: &str) -> Option<String> {
    Some(match &values.as_array()?[..] {
        [value] => format!("{of_one} {}", shown(value)),
        values => format!("{of_more} {}", listed(values)),
    })
}

/// What a schema at a place demands that is `false`.
fn nothing_words(pointer: &str) -> &'static str {
    let mut tokens = pointer.rsplit('/');
    match (tokens.next(), tokens.next()) {
        (_, Some("properties" | "patternProperties")) => "the key may not come",
        (Some("additionalProperties" | "unevaluatedProperties"), _) => "no other keys",
        (Some("items" | "additionalItems" | "unevaluatedItems"), _) => "no more items",
        _ => "no value at all",
    }
}

fn listed(values: &[Value]) -> String {
    const MOST: usize = 6;
    let mut all: Vec<String> = values.iter().take(MOST).map(shown).collect();
    if values.len() > MOST {
        all.push(format!("… ({} in all)", values.len()));
    }
    all.join(", ")
}

/// A value as JSON, shortened.
fn shown(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
