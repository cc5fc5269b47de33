//! A pattern: a grammar that can be walked, printed and read back, or one error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemask::{Grammar, Options};
use schemask_fuzz::input::{Text, walk_and_print};

fuzz_target!(|input: Text| {
    for search in [false, true] {
        if let Ok(grammar) = Grammar::from_regex(input.text, search, Options::default()) {
            walk_and_print(&grammar, &input.walk);
        }
    }
});
