//! A schema and values: the compact text of a value is accepted exactly if the judge calls it valid.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use schemask::{Grammar, JsonSpelling, Options, PropertyOrder, Whitespace};
use schemask_fuzz::input::Edit;
use schemask_fuzz::judge::Judge;
use schemask_fuzz::schema::{Document, Literal};
use schemask_fuzz::walk::{Walk, accepts, bytes};
use serde_json::Value;

#[derive(Arbitrary, Debug)]
struct Input {
    schema: Document,
    value: Literal,
    /// A value that the schema allows, which the edits make nearly one.
    walk: Walk,
    edits: Vec<Edit>,
}

fuzz_target!(|input: Input| {
    let schema = input.schema.to_json();
    let Some(judge) = Judge::new(&schema) else {
        return;
    };
    let options = Options {
        whitespace: Whitespace::Compact,
        property_order: PropertyOrder::Any,
        spelling: JsonSpelling::Any,
        ..Options::default()
    };
    let mut values = vec![input.value.to_json()];
    let grammar = match Grammar::from_json_schema(&schema.to_string(), options) {
        Ok(grammar) => {
            let text = input.walk.text(&grammar).unwrap_or_default();
            values.extend(serde_json::from_slice::<Value>(&text));
            Some(grammar)
        }
        Err(error) if error.message().starts_with("nothing satisfies") => None,
        Err(error) if error.is_limit() => return,
        // References that lead back without reading anything: their meaning is undefined.
        Err(error) if error.message().contains("in a circle") => return,
        Err(error) => panic!("{schema}: {error}"),
    };
    for edit in &input.edits {
        let mut edited = values.last().cloned().unwrap_or_default();
        edit.apply(&mut edited);
        values.push(edited);
    }
    for value in values {
        let Some(valid) = judge.verdict(&value) else {
            continue;
        };
        let text = value.to_string();
        let accepted = match &grammar {
            Some(grammar) => accepts(grammar, &bytes(&text)),
            None => Some(false),
        };
        if accepted.is_some_and(|accepted| accepted != valid) {
            panic!("{text} of {schema}: accepted is {accepted:?}, valid is {valid}");
        }
    }
});
