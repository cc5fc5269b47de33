//! The core's own times, without Python: `cargo bench`, or `cargo bench -- mask` for a part.
//!
//! The vocabulary is made up, of as many tokens as Llama 3 has, so that nothing need be installed.
//! What these times are good for is to be compared with those of another commit; `compare.py`
//! measures real vocabularies.

// What `criterion_group!` makes has no documentation.
#![allow(missing_docs)]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use schemask::{CompiledGrammar, Grammar, MaskWord, Matcher, Options, TokenId, Vocabulary};

const TOKENS: usize = 128_256;

const TICKET: &str = r##"{
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "priority": {"enum": ["low", "normal", "high", "urgent"]},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
        "due": {"type": "string", "format": "date-time"},
        "people": {"type": "array", "items": {"$ref": "#/$defs/person"}, "minItems": 1}
    },
    "required": ["id", "title", "priority", "people"],
    "additionalProperties": false,
    "$defs": {"person": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "mail": {"type": "string", "pattern": "^\\S+@\\S+$"}},
        "required": ["name"]
    }}
}"##;

const TICKET_TEXT: &str = r#"{"id": 4711, "title": "The lamp on the stairs flickers", "priority": "high",
    "due": "2026-11-24T12:00:00Z", "people": [{"name": "Ada", "mail": "ada@example.org"}]}"#;

/// Pseudo-random numbers that are the same everywhere.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }

    fn word(&mut self) -> String {
        let syllables = 1 + self.below(4);
        let letter = |from: &str, at: usize| char::from(from.as_bytes()[at % from.len()]);
        (0..syllables)
            .flat_map(|_| {
                let (first, second) = (self.below(18), self.below(5));
                [letter("bcdfghjklmnprstvwz", first), letter("aeiou", second)]
            })
            .collect()
    }
}

/// All bytes, words with and without a space or a quote, numbers, and runs of punctuation.
fn tokens() -> Vec<Vec<u8>> {
    let mut draws = Draws(1);
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new()];
    tokens.extend((0..=255).map(|byte| vec![byte]));
    tokens.extend((0..1000).map(|number| number.to_string().into_bytes()));
    while tokens.len() < TOKENS {
        let word = draws.word();
        let token = match draws.below(100) {
            0 => (0..=draws.below(4))
                .map(|_| char::from(br#"{}[]":, \"#[draws.below(9)]))
                .collect(),
            1 => format!("\"{word}"),
            2 => format!("{word}\""),
            3..50 => format!(" {word}"),
            50..60 => word[..1].to_uppercase() + &word[1..],
            _ => word,
        };
        tokens.push(token.into_bytes());
    }
    tokens
}

fn vocabulary(tokens: &[Vec<u8>]) -> Arc<Vocabulary> {
    Arc::new(Vocabulary::new(tokens, &[TokenId(0)], &[]).expect("it has a stop token and text"))
}

fn grammar(schema: &str) -> Grammar {
    Grammar::from_json_schema(schema, Options::default()).expect("it is supported")
}

fn matcher(compiled: &CompiledGrammar, text: &str) -> Matcher {
    let mut matcher = compiled.matcher(None).expect("there is no budget");
    assert!(matcher.accept_bytes(text.as_bytes()), "{text}");
    matcher
}

/// `count` objects that differ by the constant of `kind`.
fn branches(count: usize) -> String {
    let mut out = String::from(r#"{"anyOf": ["#);
    for i in 0..count {
        let comma = if i == 0 { "" } else { "," };
        write!(
            out,
            r#"{comma}{{"type": "object", "properties": {{"kind": {{"const": "kind-{i}"}}, "a{i}": {{"type": "string"}}}},
               "required": ["kind", "a{i}"], "additionalProperties": false}}"#
        )
        .expect("strings take all");
    }
    out + "]}"
}

fn words(count: usize) -> String {
    let mut draws = Draws(2);
    let words: Vec<String> = (0..count)
        .map(|i| format!("\"{}{i}\"", draws.word()))
        .collect();
    format!(r#"{{"enum": [{}]}}"#, words.join(","))
}

fn compile(c: &mut Criterion) {
    let vocabulary = vocabulary(&tokens());
    let mut group = c.benchmark_group("compile");
    for (name, schema) in [
        ("string", r#"{"type": "string"}"#.to_owned()),
        ("ticket", TICKET.to_owned()),
        ("anyOf of 40 objects", branches(40)),
        ("enum of 1,000 words", words(1000)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                matcher(
                    &grammar(black_box(&schema))
                        .compile(vocabulary.clone())
                        .unwrap(),
                    "",
                )
            });
        });
    }
}

fn step(c: &mut Criterion) {
    let compiled = grammar(TICKET).compile(vocabulary(&tokens())).unwrap();
    let start = matcher(&compiled, "");
    let tokens = compiled.vocabulary().tokenize(TICKET_TEXT.as_bytes());
    let tokens = tokens.expect("all bytes are tokens");
    c.bench_function("step/accept a ticket", |b| {
        b.iter_batched_ref(
            || start.clone(),
            |matcher| {
                for &token in black_box(&tokens) {
                    assert!(matches!(matcher.accept(token), Ok(true)));
                }
            },
            BatchSize::SmallInput,
        );
    });
}

/// States whose masks are few tokens, or most of them; where each is seen for the first time, and
/// again.
fn mask(c: &mut Criterion) {
    let tokens = tokens();
    let warm = vocabulary(&tokens);
    let mut bits = vec![MaskWord::NONE; warm.mask_words()];
    let mut group = c.benchmark_group("mask");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    for (name, schema, text) in [
        ("key", TICKET, "{\""),
        ("enum", TICKET, r#"{"id": 1, "title": "a", "priority": ""#),
        ("integer", TICKET, r#"{"id": 1"#),
        ("plain string", r#"{"type": "string"}"#, "\"a"),
        (
            "string of a length",
            r#"{"type": "string", "maxLength": 40}"#,
            "\"a",
        ),
        (
            "pattern",
            r#"{"type": "string", "pattern": "^[a-z]+( [a-z]+)*$"}"#,
            "\"a",
        ),
        ("unknown key", "{}", "{\"a"),
    ] {
        let again = matcher(&grammar(schema).compile(warm.clone()).unwrap(), text);
        again.fill_mask(&mut bits).expect("it has the right size");
        group.bench_function(format!("{name}, again"), |b| {
            b.iter(|| again.fill_mask(black_box(&mut bits)));
        });
        group.bench_function(format!("{name}, new to the grammar"), |b| {
            b.iter_batched_ref(
                || matcher(&grammar(schema).compile(warm.clone()).unwrap(), text),
                |matcher| matcher.fill_mask(black_box(&mut bits)),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(format!("{name}, new to the vocabulary"), |b| {
            b.iter_batched_ref(
                || matcher(&grammar(schema).compile(vocabulary(&tokens)).unwrap(), text),
                |matcher| matcher.fill_mask(black_box(&mut bits)),
                BatchSize::PerIteration,
            );
        });
    }
}

fn completion(c: &mut Criterion) {
    let vocabulary = vocabulary(&tokens());
    let mut group = c.benchmark_group("completion");
    let ticket = grammar(TICKET);
    let known = matcher(&ticket.compile(vocabulary.clone()).unwrap(), "{\"");
    group.bench_function("ticket, again", |b| b.iter(|| known.completion()));
    let kinds = branches(40);
    group.bench_function("anyOf of 40 objects, first", |b| {
        b.iter_batched_ref(
            || {
                matcher(
                    &grammar(&kinds).compile(vocabulary.clone()).unwrap(),
                    "{\"kind\":\"kind-39\",",
                )
            },
            |matcher| matcher.completion(),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, compile, step, mask, completion);
criterion_main!(benches);
