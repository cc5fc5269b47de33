//! A grammar in the notation of Lark: it can be walked, printed and read back, or is one error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemask::{Grammar, Options};
use schemask_fuzz::input::{Text, walk_and_print};

fuzz_target!(|input: Text| {
    if let Ok(grammar) = Grammar::from_lark(input.text, "start", Options::default()) {
        walk_and_print(&grammar, &input.walk);
    }
});
