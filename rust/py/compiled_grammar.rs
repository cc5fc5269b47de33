//! `schemask.CompiledGrammar`.

use pyo3::prelude::*;

use crate::compile::CompiledGrammar;
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
    /// The `schemask.Grammar`.
    pub(super) grammar: Py<PyAny>,
    pub(super) vocabulary: Py<PyVocabulary>,
}

#[pymethods]
impl PyCompiledGrammar {
    /// A matcher at the start of a text.
    ///
    /// Args:
    ///     max_tokens: A budget: only tokens are allowed after which the text can still be finished
    ///         within so many, stop token not counted. None is no budget.
    ///     terminate_without_stop_token: Whether the text has ended (`Matcher.is_terminated`) as
    ///         soon as it may end and nothing else may come, also without a stop token.
    ///
    /// Returns:
    ///     A matcher of its own; those of one grammar share what they find out.
    ///
    /// Raises:
    ///     LimitError: No valid text is that short.
    ///     TokenError: A negative number.
    #[pyo3(signature = (max_tokens = None, *, terminate_without_stop_token = false))]
    fn matcher(
        &self,
        py: Python<'_>,
        max_tokens: Option<Integer>,
        terminate_without_stop_token: bool,
    ) -> PyResult<PyMatcher> {
        let max_tokens = max_tokens.map(|tokens| tokens.count("max_tokens"));
        let max_tokens = max_tokens.transpose()?;
        let matcher = detached(py, || self.compiled.matcher(max_tokens))?;
        Ok(PyMatcher {
            matcher,
            ends_alone: terminate_without_stop_token,
        })
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

    /// The grammar that was compiled.
    #[getter]
    fn grammar(&self, py: Python<'_>) -> Py<PyAny> {
        self.grammar.clone_ref(py)
    }

    /// Writes it to a file, from which `load` makes it again.
    ///
    /// The file is JSON: how the grammar was made, and the digest of the vocabulary. A grammar
    /// is compiled about as fast as its text is read, so nothing that was compiled is kept.
    ///
    /// Args:
    ///     path: The file; what was there before is replaced.
    ///
    /// Raises:
    ///     DataError: It cannot be written.
    fn save(slf: &Bound<'_, Self>, path: &Bound<'_, PyAny>) -> PyResult<()> {
        saved(slf.py())?.call_method1("save", (slf, path))?;
        Ok(())
    }

    /// A grammar that `save` wrote.
    ///
    /// Args:
    ///     path: The file.
    ///     vocabulary: The vocabulary that it was compiled for; another one with equal tokens will
    ///         do.
    ///
    /// Raises:
    ///     DataError: The file cannot be read, or holds no grammar that this version knows.
    ///     VocabularyError: It was compiled for other tokens.
    ///     Error: What making and compiling the grammar raises.
    #[staticmethod]
    fn load<'py>(
        path: &Bound<'py, PyAny>,
        vocabulary: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        saved(path.py())?.call_method1("load", (path, vocabulary))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    /// Another process makes it anew.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Py<PyVocabulary>,))> {
        let compile = self.grammar.bind(py).getattr("compile")?;
        Ok((compile, (self.vocabulary.clone_ref(py),)))
    }
}

fn saved(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("schemask.core.saved")
}
