//! A schema and a walk: masks are what `accept` takes, a text can always be ended, and is valid then.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use schemask::Grammar;
use schemask_fuzz::input::Writing;
use schemask_fuzz::judge::Judge;
use schemask_fuzz::schema::Document;
use schemask_fuzz::walk::Walk;

#[derive(Arbitrary, Debug)]
struct Input {
    schema: Document,
    writing: Writing,
    walk: Walk,
}

fuzz_target!(|input: Input| {
    let schema = input.schema.to_json();
    let Ok(grammar) = Grammar::from_json_schema(&schema.to_string(), input.writing.options())
    else {
        return;
    };
    let Some(text) = input.walk.text(&grammar) else {
        return;
    };
    let text = str::from_utf8(&text).expect("tokens that spell no UTF-8 are never allowed");
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    if let Some(judge) = Judge::new(&schema) {
        assert_ne!(judge.verdict(&value), Some(false), "{text} of {schema}");
    }
});
