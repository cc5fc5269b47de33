//! The Python bindings: conversion and the GIL, nothing else.

mod arrays;
mod classes;
mod errors;
mod explain;
mod integer;
mod interrupt;
mod logits;
mod memory;
mod text;

use pyo3::prelude::*;

use classes::{CompiledGrammar, Grammar, Matcher, Vocabulary};
use explain::{Allowed, Explanation};

/// The extension module `schemask._native`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Vocabulary>()?;
    module.add_class::<Grammar>()?;
    module.add_class::<CompiledGrammar>()?;
    module.add_class::<Matcher>()?;
    module.add_class::<Explanation>()?;
    module.add_class::<Allowed>()?;
    module.add_function(wrap_pyfunction!(classes::fill_masks, module)?)?;
    module.add_function(wrap_pyfunction!(logits::apply_mask, module)?)?;
    Ok(())
}
