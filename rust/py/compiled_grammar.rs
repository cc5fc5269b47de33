//! `schemask.CompiledGrammar`.

use pyo3::prelude::*;

use crate::compile::CompiledGrammar;
use crate::py::errors::no_pickle;
use crate::py::integer::Integer;
use crate::py::interrupt::detached;
use crate::py::matcher::PyMatcher;
use crate::py::vocabulary::PyVocabulary;

/// A grammar on a vocabulary, as `Grammar.compile` makes it.
///
/// It is immutable, and threads may share it.
#[pyclass(name = "CompiledGrammar", module = "schemask._native", frozen)]
pub(super) struct PyCompiledGrammar {
    pub(super) compiled: CompiledGrammar,
    pub(super) vocabulary: Py<PyVocabulary>,
}

#[pymethods]
impl PyCompiledGrammar {
    /// A matcher at the start of a text.
    ///
    /// Args:
    ///     max_tokens: A budget: only tokens are allowed after which the text can still be finished
    ///         within so many, stop token not counted. None is no budget.
    ///
    /// Returns:
    ///     A matcher of its own; those of one grammar share what they find out.
    ///
    /// Raises:
    ///     LimitError: No valid text is that short.
    ///     TokenError: A negative number.
    #[pyo3(signature = (max_tokens = None))]
    fn matcher(&self, py: Python<'_>, max_tokens: Option<Integer>) -> PyResult<PyMatcher> {
        let max_tokens = max_tokens.map(|tokens| tokens.count("max_tokens"));
        let max_tokens = max_tokens.transpose()?;
        Ok(PyMatcher(detached(py, || {
            self.compiled.matcher(max_tokens)
        })?))
    }

    /// The vocabulary that the grammar was compiled for.
    #[getter]
    fn vocabulary(&self, py: Python<'_>) -> Py<PyVocabulary> {
        self.vocabulary.clone_ref(py)
    }

    fn __repr__(&self) -> String {
        let size = self.compiled.vocabulary().size();
        format!(
            "<CompiledGrammar on {size} tokens: {}>",
            self.compiled.shown(60)
        )
    }

    fn __reduce__(&self) -> PyResult<()> {
        let instead = "compile the grammar anew in the other process";
        Err(no_pickle("CompiledGrammar", instead))
    }
}
