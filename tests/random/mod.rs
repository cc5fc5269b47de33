//! Random schemas over all keywords, and a vocabulary to read their texts with.

use std::sync::Arc;

use proptest::prelude::*;
use schemask::{JsonSpelling, Options, PropertyOrder, TokenId, Vocabulary, Whitespace};
use serde_json::{Value, json};

/// Tokens that cross all kinds of borders.
const LONGER: &[&str] = &[
    "ab",
    "aa",
    "abc",
    "a\"",
    "\":",
    "\": ",
    "\":\"",
    "\",\"",
    "\", \"",
    "{\"",
    "{\"a",
    "{\"a\":",
    "\"}",
    "\"}]",
    "}}",
    "},",
    "]}",
    "[[",
    "[]",
    "{}",
    "[1",
    "1,",
    "1, ",
    "12",
    "1.",
    ".5",
    "00",
    "-1",
    "1}",
    "1]",
    "true",
    "false,",
    "null",
    "nul",
    "tru",
    "  ",
    " \"",
    "\n",
    "\n  ",
    " {",
    "\\u",
    "\\u00",
    "\\u0061",
    "\\n",
    "\\\"",
    "u0061",
    "0061\"",
    "\u{e9}",
    "\u{1f600}",
    "b\":1",
    "\"a\":1,\"",
    "\":1,\"a\":",
    "a\":1}",
    "\":{\"a\":\"",
    "e5",
    "E+",
    "\\ud83d",
    "\\ude00",
    "\"a\",\"b\"",
    "\"\"",
    "\":\"\",\"a\":",
];

/// [`LONGER`] tokens, and all bytes.
pub(crate) fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new(), b"<special>".to_vec()];
    tokens.extend((0..=255).map(|byte| vec![byte]));
    tokens.extend(LONGER.iter().map(|token| token.as_bytes().to_vec()));
    Arc::new(Vocabulary::new(&tokens, &[TokenId(0)], &[TokenId(1)]).unwrap())
}

const KEYS: [&str; 4] = ["a", "ab", "b", "\u{e9}"];

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

/// Some keys, none of them twice.
fn keys() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(&KEYS[..], 0..3).prop_shuffle()
}

/// An object whose members are drawn from `names` and `schemas`.
fn members(
    names: impl Strategy<Value = &'static str>,
    schemas: impl Strategy<Value = Value>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let members = prop::collection::vec((names, schemas), count);
    members.prop_map(|all| all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn count() -> impl Strategy<Value = u8> {
    0..4_u8
}

/// What some schema objects say, in one; of a keyword that comes twice, the last counts.
fn merged(parts: Vec<Value>) -> Value {
    let objects = parts.into_iter().filter_map(|part| match part {
        Value::Object(object) => Some(object),
        _ => None,
    });
    Value::Object(objects.flatten().collect())
}

pub(crate) fn schema() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            3 => about("object", on_objects(inner.clone()), "unevaluatedProperties", inner.clone()),
            2 => about("array", on_arrays(inner.clone()), "unevaluatedItems", inner.clone()),
            2 => in_place(inner),
        ]
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    let format = prop::sample::select(vec!["date", "ipv4", "time", "uuid", "email", "hostname"]);
    prop_oneof![
        10 => prop::sample::select(vec![
            json!(true),
            json!({"type": "integer"}),
            json!({"type": "number", "minimum": -1, "exclusiveMaximum": 12.5}),
            json!({"type": "integer", "multipleOf": 3}),
            json!({"maximum": 1e2, "type": ["number", "null"]}),
            json!({"multipleOf": 1e-1, "type": "number", "not": {"type": "integer"}}),
            json!({"enum": [1e2, -1.5e-1, 0, [1e1]]}),
            json!({"type": "string"}),
            json!({"type": "string", "minLength": 1, "maxLength": 3}),
            json!({"type": "string", "pattern": "^a+b?$"}),
            json!({"type": "string", "pattern": "b"}),
            json!({"enum": ["a", "ab", "\u{1f600}", 1, 1.5, null, {"a": [1]}]}),
            json!({"const": "a\"b"}),
            json!({"type": ["null", "boolean"]}),
        ]),
        1 => format.prop_map(|format| json!({"type": "string", "format": format})),
    ]
}

/// Some keywords about values of a type, beside the type itself or in branches.
fn about(
    kind: &'static str,
    keywords: BoxedStrategy<Value>,
    unevaluated: &'static str,
    inner: BoxedStrategy<Value>,
) -> BoxedStrategy<Value> {
    let own = prop::collection::vec(keywords.clone(), 0..4).prop_map(merged);
    let branch = prop_oneof![3 => own.clone(), 1 => inner.clone()].boxed();
    let applied = prop_oneof![2 => Just(json!({})), 3 => in_place(branch)];
    let others = prop_oneof![Just(json!(false)), inner];
    let others = others.prop_map(move |schema| json!({ (unevaluated): schema }));
    let others = prop_oneof![5 => Just(json!({})), 1 => others];
    let parts = (Just(json!({"type": kind})), own, applied, others);
    parts
        .prop_map(|(kind, own, applied, others)| merged(vec![kind, own, applied, others]))
        .boxed()
}

fn on_objects(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let properties = || members(key(), inner.clone(), 0..4);
    let pattern = || prop::sample::select(vec!["^a", "b$", "^.$", "^[^a]*$"]);
    let names = prop_oneof![
        pattern().prop_map(|pattern| json!({ "pattern": pattern })),
        count().prop_map(|most| json!({ "maxLength": most })),
        keys().prop_map(|keys| json!({ "enum": keys })),
        inner.clone(),
    ];
    let needs = members(key(), keys().prop_map(|keys| json!(keys)), 1..3);
    let patterns = members(pattern(), inner.clone(), 1..3);
    prop_oneof![
        4 => (properties(), keys())
            .prop_map(|(p, r)| json!({"properties": p, "required": r})),
        2 => properties().prop_map(|p| json!({ "properties": p })),
        1 => keys().prop_map(|r| json!({ "required": r })),
        2 => prop_oneof![Just(json!(false)), inner.clone()]
            .prop_map(|s| json!({ "additionalProperties": s })),
        1 => patterns.prop_map(|p| json!({ "patternProperties": p })),
        1 => names.prop_map(|s| json!({ "propertyNames": s })),
        1 => count().prop_map(|n| json!({ "minProperties": n })),
        1 => count().prop_map(|n| json!({ "maxProperties": n })),
        1 => needs.prop_map(|n| json!({ "dependentRequired": n })),
        1 => members(key(), inner.clone(), 1..3).prop_map(|s| json!({ "dependentSchemas": s })),
    ]
    .boxed()
}

fn on_arrays(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let contains = (inner.clone(), count(), count());
    prop_oneof![
        3 => inner.clone().prop_map(|s| json!({ "items": s })),
        2 => prop::collection::vec(inner.clone(), 1..3)
            .prop_map(|s| json!({ "prefixItems": s })),
        1 => count().prop_map(|n| json!({ "minItems": n })),
        1 => count().prop_map(|n| json!({ "maxItems": n })),
        1 => Just(json!({"uniqueItems": true})),
        1 => inner.prop_map(|s| json!({ "contains": s })),
        1 => contains
            .prop_map(|(s, min, more)| json!({"contains": s, "minContains": min, "maxContains": min + more})),
    ]
    .boxed()
}

/// An applicator of some branches.
fn in_place(branch: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let branches = || prop::collection::vec(branch.clone(), 1..4);
    let condition = prop::collection::vec(branch.clone(), 3);
    prop_oneof![
        2 => branches().prop_map(|schemas| json!({ "anyOf": schemas })),
        2 => branches().prop_map(|schemas| json!({ "oneOf": schemas })),
        1 => branches().prop_map(|schemas| json!({ "allOf": schemas })),
        1 => branch.clone().prop_map(|schema| json!({ "not": schema })),
        1 => condition.prop_map(|s| json!({"if": s[0], "then": s[1], "else": s[2]})),
        1 => (branch.clone(), branch)
            .prop_map(|(condition, then)| json!({"if": condition, "then": then})),
    ]
    .boxed()
}

pub(crate) fn options() -> impl Strategy<Value = Options> {
    let whitespace = prop_oneof![
        Just(Whitespace::Flexible { run: 2 }),
        Just(Whitespace::Compact),
        Just(Whitespace::Spaced),
        Just(Whitespace::SpacedCommas),
        Just(Whitespace::SpacedColons),
    ];
    let order = prop_oneof![Just(PropertyOrder::Schema), Just(PropertyOrder::Any)];
    let spelling = prop_oneof![Just(JsonSpelling::Plain), Just(JsonSpelling::Any)];
    let all = (whitespace, order, spelling);
    all.prop_map(|(whitespace, property_order, spelling)| Options {
        whitespace,
        property_order,
        spelling,
        ..Options::default()
    })
}

/// Items of an array in which no two are equal, and values to begin with.
pub(crate) fn compared() -> impl Strategy<Value = (Value, Vec<Value>)> {
    let numbers = || (0..40).map(|i| json!(i * i)).collect::<Vec<Value>>();
    let words = || {
        (0..20)
            .map(|i| json!("ab".repeat(i % 5) + &"a".repeat(i / 5)))
            .collect()
    };
    prop::sample::select(vec![
        (json!({"type": "integer"}), numbers()),
        (json!({"type": "number"}), numbers()),
        (
            json!({"type": "integer", "minimum": -3, "maximum": 2000}),
            numbers(),
        ),
        (
            json!({"type": "integer", "minimum": 0, "maximum": 25}),
            (0..26).map(Value::from).collect(),
        ),
        (json!({"enum": numbers()}), numbers()),
        (json!({"type": "string"}), words()),
        (json!({"type": "string", "pattern": "^(a|b)*$"}), words()),
        (json!({"enum": words()}), words()),
        (
            json!({"type": ["string", "integer", "null"]}),
            [numbers(), words()].concat(),
        ),
        (
            json!(true),
            vec![
                json!([1]),
                json!({"a": 1}),
                json!(true),
                json!(1),
                json!("a"),
            ],
        ),
    ])
}
