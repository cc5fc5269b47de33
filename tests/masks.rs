//! Masks against trying each token, on random schemas, vocabularies and texts.

use std::sync::Arc;

use proptest::prelude::*;
use schemask::{Grammar, Matcher, Options, PropertyOrder, Vocabulary, Whitespace};
use serde_json::{Value, json};

/// Tokens that cross all kinds of borders, and all bytes.
fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new(), b"<special>".to_vec()];
    tokens.extend((0..=255).map(|byte| vec![byte]));
    let longer = [
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
    tokens.extend(longer.iter().map(|token| token.as_bytes().to_vec()));
    Arc::new(Vocabulary::new(&tokens, &[0], &[1]).unwrap())
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({"type": "integer"})),
        Just(json!({"type": "number", "minimum": -1, "exclusiveMaximum": 12.5})),
        Just(json!({"type": "integer", "multipleOf": 3})),
        Just(json!({"type": "string"})),
        Just(json!({"type": "string", "minLength": 1, "maxLength": 3})),
        Just(json!({"type": "string", "pattern": "^a+b?$"})),
        Just(json!({"type": "string", "pattern": "b"})),
        Just(json!({"enum": ["a", "ab", "\u{1f600}", 1, 1.5, null, {"a": [1]}]})),
        Just(json!({"const": "a\"b"})),
        Just(json!({"type": ["null", "boolean"]})),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![Just("a"), Just("ab"), Just("b"), Just("\u{e9}")];
        let properties = prop::collection::vec((key, inner.clone()), 0..4);
        let object = (properties, 0..3_usize, prop::option::of(inner.clone())).prop_map(
            |(properties, required, additional)| {
                let mut names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
                names.truncate(required);
                names.dedup();
                let properties: serde_json::Map<String, Value> = properties
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect();
                let mut schema = json!({"type": "object", "properties": properties});
                schema["required"] = json!(names);
                if let Some(additional) = additional {
                    schema["additionalProperties"] = additional;
                }
                schema
            },
        );
        let array = (
            inner.clone(),
            prop::collection::vec(inner.clone(), 0..3),
            0..3_u8,
        )
            .prop_map(|(items, prefix, min)| {
                json!({"type": "array", "items": items, "prefixItems": prefix,
                       "minItems": min, "maxItems": min + 2})
            });
        let any_of = prop::collection::vec(inner.clone(), 1..4);
        let all_of = prop::collection::vec(inner, 1..3);
        prop_oneof![
            3 => object,
            1 => array,
            2 => any_of.prop_map(|branches| json!({"anyOf": branches})),
            1 => all_of.prop_map(|branches| json!({"allOf": branches})),
        ]
    })
}

fn options() -> impl Strategy<Value = Options> {
    let whitespace = prop_oneof![
        Just(Whitespace::Flexible { run: 2 }),
        Just(Whitespace::Compact),
        Just(Whitespace::Spaced),
    ];
    let order = prop_oneof![Just(PropertyOrder::Schema), Just(PropertyOrder::Any)];
    (whitespace, order).prop_map(|(whitespace, property_order)| Options {
        whitespace,
        property_order,
        ..Options::default()
    })
}

fn mask(matcher: &Matcher) -> Vec<u32> {
    let size = matcher.compiled().vocabulary().size();
    let mut bits = vec![u32::MAX; matcher.compiled().vocabulary().mask_words()];
    matcher.fill_mask(&mut bits).unwrap();
    let allowed =
        (0..size as u32).filter(|&token| bits[token as usize / 32] >> (token % 32) & 1 == 1);
    allowed.collect()
}

fn tried(matcher: &Matcher) -> Vec<u32> {
    let size = matcher.compiled().vocabulary().size() as u32;
    (0..size)
        .filter(|&token| matcher.clone().accept(token).unwrap())
        .collect()
}

/// The text can be finished along its completion, token by token, and within the budget.
fn finish(matcher: &Matcher) -> Result<(), TestCaseError> {
    let mut matcher = matcher.clone();
    let ending = matcher.completion().unwrap();
    for token in matcher.compiled().vocabulary().tokenize(&ending).unwrap() {
        prop_assert!(
            matcher.accept(token).unwrap(),
            "{:?}",
            String::from_utf8_lossy(&ending)
        );
    }
    prop_assert!(matcher.is_accepting());
    prop_assert!(matcher.accept(0).unwrap());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn masks_are_what_can_be_accepted(
        schema in schema(),
        options in options(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 12),
        budget in prop::option::of(0..40_usize),
    ) {
        let Ok(grammar) = Grammar::from_json_schema(&schema.to_string(), options) else {
            return Ok(());
        };
        let compiled = grammar.compile(vocabulary());
        let Ok(mut matcher) = compiled.matcher(budget) else { return Ok(()) };
        for choice in choices {
            let allowed = mask(&matcher);
            prop_assert_eq!(&allowed, &tried(&matcher), "{} after {:?}", schema, matcher.completion().unwrap());
            prop_assert!(!allowed.is_empty());
            finish(&matcher)?;
            let forced = matcher.forced_tokens();
            let mut follower = matcher.clone();
            for token in forced {
                prop_assert!(mask(&follower).contains(&token));
                prop_assert!(follower.accept(token).unwrap());
            }
            let token = *choice.get(&allowed);
            let before = matcher.clone();
            prop_assert!(matcher.accept(token).unwrap());
            if matcher.is_terminated() {
                break;
            }
            let mut back = matcher.clone();
            back.rollback(1).unwrap();
            prop_assert_eq!(mask(&back), mask(&before));
        }
        if let Some(most) = budget {
            prop_assert!(matcher.token_count() <= most + 1);
        }
    }

    #[test]
    fn texts_are_the_same_however_they_are_tokenized(
        schema in schema(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let Ok(grammar) = Grammar::from_json_schema(&schema.to_string(), Options::default()) else {
            return Ok(());
        };
        let compiled = grammar.compile(vocabulary());
        let mut by_token = compiled.matcher(None).unwrap();
        let mut by_byte = compiled.matcher(None).unwrap();
        for choice in choices {
            let allowed: Vec<u32> = mask(&by_token).into_iter().filter(|&t| t != 0).collect();
            if allowed.is_empty() {
                break;
            }
            let token = *choice.get(&allowed);
            prop_assert!(by_token.accept(token).unwrap());
            let bytes = by_token.compiled().vocabulary().token(token).unwrap().to_vec();
            for byte in bytes {
                prop_assert!(by_byte.accept(u32::from(byte) + 2).unwrap());
            }
            prop_assert_eq!(mask(&by_token), mask(&by_byte));
            prop_assert_eq!(by_token.completion().unwrap(), by_byte.completion().unwrap());
        }
    }
}
