//! The Python bindings: conversion and the GIL, nothing else.

mod arrays;
mod compiled_grammar;
mod errors;
mod explain;
mod grammar;
mod integer;
mod interrupt;
mod logits;
mod matcher;
mod memory;
mod text;
mod vocabulary;

use mimalloc::MiMalloc;
use pyo3::prelude::*;

use compiled_grammar::PyCompiledGrammar;
use explain::{PyAllowed, PyExplanation};
use grammar::PyGrammar;
use matcher::{PyMatcher, PyPreparation};
use vocabulary::PyVocabulary;

/// States and masks come and go in great numbers. glibc's allocator gives their memory back to the
/// system and takes it anew page by page, in the middle of a step.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The extension module `schemask._native`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<PyVocabulary>()?;
    module.add_class::<PyGrammar>()?;
    module.add_class::<PyCompiledGrammar>()?;
    module.add_class::<PyMatcher>()?;
    module.add_class::<PyPreparation>()?;
    module.add_class::<PyExplanation>()?;
    module.add_class::<PyAllowed>()?;
    module.add_function(wrap_pyfunction!(matcher::fill_masks, module)?)?;
    module.add_function(wrap_pyfunction!(matcher::prepare, module)?)?;
    module.add_function(wrap_pyfunction!(logits::apply_mask, module)?)?;
    Ok(())
}
