//! The text of a schema: a grammar that can be walked, or one error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemask::{Grammar, Options};
use schemask_fuzz::input::Text;

fuzz_target!(|input: Text| {
    if let Ok(grammar) = Grammar::from_json_schema(input.text, Options::default()) {
        input.walk.text(&grammar);
    }
});
