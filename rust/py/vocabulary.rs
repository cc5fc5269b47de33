//! `schemask.Vocabulary`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::{Error, ErrorKind};
use crate::py::integer::{Integer, numbers};
use crate::vocab::{TokenId, Vocabulary};

/// The tokens of a model as bytes, its stop tokens and its special tokens. Immutable.
///
/// Args:
///     tokens: The bytes of each token, by id; empty for ids that no text can hold.
///     stop_token_ids: Ids that end a generation; at least one.
///     special_token_ids: Ids that are never text; their bytes are only a name.
///
/// Raises:
///     VocabularyError: No stop token, an id outside the vocabulary, or tokens that are too long or
///         too many.
#[pyclass(name = "Vocabulary", module = "schemask._native", subclass, frozen)]
pub(super) struct PyVocabulary(pub(super) Arc<Vocabulary>);

#[pymethods]
impl PyVocabulary {
    #[new]
    #[pyo3(signature = (tokens, stop_token_ids, special_token_ids = Vec::new()))]
    fn new(
        py: Python<'_>,
        tokens: Vec<PyBackedBytes>,
        stop_token_ids: Vec<Integer>,
        special_token_ids: Vec<Integer>,
    ) -> PyResult<Self> {
        let stop = token_ids("stop", &stop_token_ids)?;
        let special = token_ids("special", &special_token_ids)?;
        let vocabulary = py.detach(|| {
            let vocabulary = Arc::new(Vocabulary::new(&tokens, &stop, &special)?);
            vocabulary.prepare_formats();
            Ok::<_, Error>(vocabulary)
        });
        Ok(PyVocabulary(vocabulary?))
    }

    /// How many tokens there are, unused ids included.
    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    /// Ids that end a generation, ascending.
    #[getter]
    fn stop_token_ids(&self) -> Vec<u32> {
        numbers(self.0.stop_token_ids())
    }

    /// Ids that are never text, ascending; their bytes are only a name.
    #[getter]
    fn special_token_ids(&self) -> Vec<u32> {
        numbers(self.0.special_token_ids())
    }

    /// Bytes that can occur in UTF-8 and that no token spells alone.
    ///
    /// Text that needs one where no longer token fits cannot be written with this vocabulary.
    #[getter]
    fn unreachable_bytes(&self) -> Vec<u32> {
        self.0
            .unreachable_bytes()
            .iter()
            .map(|&byte| u32::from(byte))
            .collect()
    }

    /// The bytes of a token: of a special one its name, of an id that no text can hold none.
    ///
    /// Args:
    ///     id: The token, from 0 to `size - 1`.
    ///
    /// Raises:
    ///     TokenError: No token has that id.
    fn token<'py>(&self, py: Python<'py>, id: Integer) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = id.token().and_then(|id| self.0.token(id));
        let bytes = bytes.ok_or_else(|| outside(id.0, self.0.size()))?;
        Ok(PyBytes::new(py, bytes))
    }

    /// Ids of the fewest tokens that spell `data`.
    ///
    /// They spell the same bytes as the model's own tokenizer, but are not always the same tokens.
    ///
    /// Args:
    ///     data: Any bytes; UTF-8 if they are text.
    ///
    /// Raises:
    ///     VocabularyError: No tokens spell it.
    fn tokenize(&self, data: &[u8]) -> PyResult<Vec<u32>> {
        let tokens = self.0.tokenize(data);
        tokens.map(|tokens| numbers(&tokens)).ok_or_else(|| {
            Error::new(
                ErrorKind::Vocabulary,
                "the vocabulary cannot spell these bytes",
            )
            .into()
        })
    }

    fn __len__(&self) -> usize {
        self.0.size()
    }

    /// Whether every token has the same bytes and the same part, so that masks mean the same.
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let other = other.cast::<PyVocabulary>();
        other.is_ok_and(|other| self.0.is_equal(&other.get().0))
    }

    fn __hash__(&self) -> u64 {
        self.0.size() as u64
    }

    /// The bytes of all tokens, one after the other, and where each begins and the last ends:
    /// 32-bit integers, the low byte first.
    fn packed<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let (bytes, starts) = self.0.packed();
        let starts: Vec<u8> = starts.iter().flat_map(|at| at.to_le_bytes()).collect();
        (PyBytes::new(py, bytes), PyBytes::new(py, &starts))
    }

    fn __repr__(&self) -> String {
        let stop = self.0.stop_token_ids();
        let shown: Vec<String> = stop.iter().take(4).map(TokenId::to_string).collect();
        let more = if stop.len() > shown.len() {
            ", …"
        } else {
            ""
        };
        let special = match self.0.special_token_ids().len() {
            0 => String::new(),
            count => format!(", {count} special"),
        };
        let size = self.0.size();
        format!(
            "<Vocabulary of {size} tokens: stop {}{more}{special}>",
            shown.join(", ")
        )
    }
}

pub(super) fn token_ids(what: &str, ids: &[Integer]) -> PyResult<Vec<TokenId>> {
    let convert = |id: &Integer| {
        id.token().ok_or_else(|| {
            Error::new(
                ErrorKind::Vocabulary,
                format!("{what} token {} is no token id", id.0),
            )
            .into()
        })
    };
    ids.iter().map(convert).collect()
}

pub(super) fn outside(id: i64, size: usize) -> PyErr {
    Error::new(
        ErrorKind::Token,
        format!("token {id} is outside the vocabulary of {size} tokens"),
    )
    .into()
}
