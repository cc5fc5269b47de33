//! A grammar in GBNF: it can be walked, printed and read back, or is one error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemask::{Grammar, Options};
use schemask_fuzz::input::{Text, walk_and_print};

fuzz_target!(|input: Text| {
    if let Ok(grammar) = Grammar::from_gbnf(input.text, "root", Options::default()) {
        walk_and_print(&grammar, &input.walk);
    }
});
