//! What is told in words: what may come next, and why something may not.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::matcher::{Allowed, Explanation, Refusal};
use crate::py::integer::numbers;
use crate::vocab::Vocabulary;

/// Why a token or bytes may not come next, or that they may: what `Matcher.explain` returns.
///
/// Immutable. `str()` of it is a sentence.
#[pyclass(name = "Explanation", module = "schemask._native", frozen)]
pub(super) struct PyExplanation(pub(super) Explanation);

#[pymethods]
impl PyExplanation {
    /// Whether it may come.
    #[getter]
    fn allowed(&self) -> bool {
        self.0.refusal.is_none()
    }

    /// What kind of reason speaks against it; None if it may come.
    ///
    /// `"keyword"`: keywords of a schema, which `keywords` names, maybe together with `options`.
    /// `"option"`: options of the grammar alone, which `options` names. `"rule"`: the rules of a
    /// grammar, which `rules` names. `"repeated_key"`: the object has the key already. `"syntax"`:
    /// no JSON goes on like that. `"unfinished"`: the text may not end here; `keywords` names those
    /// that are to blame, if it would do without them. `"ended"`: the text has ended. `"special"`:
    /// the token is known by its id only, and the grammar does not name it. `"empty"`: the token
    /// has no text. `"budget"`: the text could not be finished within `max_tokens`.
    /// `"unspellable"`: the vocabulary has no tokens that finish the text. `"undecided"`: to tell
    /// takes more than the limit `explain_work`.
    #[getter]
    fn kind(&self) -> Option<&'static str> {
        self.0.refusal.map(Refusal::name)
    }

    /// The reason in words; empty if it may come.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What may come in its place, in words, as in `Allowed.description`.
    #[getter]
    fn expected(&self) -> &str {
        &self.0.expected
    }

    /// Where it is refused: how many bytes of the text come before, from its start on.
    #[getter]
    fn offset(&self) -> usize {
        self.0.offset
    }

    /// The line of that place, from 1.
    #[getter]
    fn line(&self) -> usize {
        self.0.line
    }

    /// The character in that line, from 1.
    #[getter]
    fn column(&self) -> usize {
        self.0.column
    }

    /// Which byte of the token, or of the bytes, is the first that does not fit, from 0.
    ///
    /// None if none of them is to blame.
    #[getter]
    fn refused_byte(&self) -> Option<usize> {
        self.0.refused_byte
    }

    /// The JSON pointer of the value that is being read there, such as `"/items/3/price"`.
    ///
    /// It is `""` for the outermost value, and None outside of JSON.
    #[getter]
    fn value_pointer(&self) -> Option<&str> {
        self.0.value_pointer.as_deref()
    }

    /// The JSON pointers in the schema of the keywords that refuse it.
    ///
    /// For example `"/properties/price/maximum"`. A schema that is `false` is named, too. Without
    /// all that is named here, it would not be refused; `oneOf` is read as `anyOf` then, unless it
    /// is named itself. A pointer into another document than the schema's own comes after the URI
    /// of the document and `#`.
    #[getter]
    fn keywords(&self) -> Vec<String> {
        self.0.keywords.clone()
    }

    /// The arguments of the grammar that refuse it.
    ///
    /// They are among `"whitespace"`, `"indent"`, `"property_order"` and `"spelling"`.
    #[getter]
    fn options(&self) -> Vec<&'static str> {
        self.0.options.clone()
    }

    /// The rules of the grammar of which one would have to allow more, from the outermost.
    ///
    /// Each is its name, and the line on which it stands if it was written in a text.
    #[getter]
    fn rules(&self) -> Vec<(String, Option<usize>)> {
        self.0.rules.clone()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Explanation: {}>", self.0)
    }
}

/// What may come next: what `Matcher.allowed` returns.
///
/// Immutable. `str()` of it is one line.
#[pyclass(name = "Allowed", module = "schemask._native", frozen)]
pub(super) struct PyAllowed {
    found: Allowed,
    texts: Vec<Vec<u8>>,
}

impl PyAllowed {
    pub(super) fn new(found: Allowed, vocabulary: &Vocabulary) -> Self {
        let texts = found.tokens.iter();
        let texts = texts.map(|&token| vocabulary.token(token).unwrap_or_default().to_vec());
        PyAllowed {
            texts: texts.collect(),
            found,
        }
    }
}

#[pymethods]
impl PyAllowed {
    /// What may come, in words, such as `the key "city" or "}"`.
    ///
    /// This says what the grammar allows, even if the vocabulary cannot spell it or the budget
    /// forbids it. Whitespace between JSON tokens is left out.
    #[getter]
    fn description(&self) -> &str {
        &self.found.description
    }

    /// How many tokens may come, stop tokens included.
    #[getter]
    fn count(&self) -> usize {
        self.found.count
    }

    /// The first of these tokens, by rising id; at most as many as were asked for.
    #[getter]
    fn token_ids(&self) -> Vec<u32> {
        numbers(&self.found.tokens)
    }

    /// The bytes of each of `token_ids`; of special tokens their names.
    #[getter]
    fn texts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.texts.iter().map(|text| PyBytes::new(py, text)))
    }

    /// Whether the text may end here.
    #[getter]
    fn may_end(&self) -> bool {
        self.found.may_end
    }

    fn __str__(&self) -> String {
        let shown = self.texts.iter().filter(|text| !text.is_empty());
        let shown: Vec<String> = shown
            .map(|text| match std::str::from_utf8(text) {
                Ok(text) => serde_json::Value::from(text).to_string(),
                Err(_) => format!("b\"{}\"", text.escape_ascii()),
            })
            .collect();
        let tokens = match self.found.count {
            1 => "1 token".to_owned(),
            count => format!("{count} tokens"),
        };
        let more = match self.texts.len() < self.found.count {
            true if shown.is_empty() => "",
            true => ", …",
            false => "",
        };
        let separator = if shown.is_empty() { "" } else { ": " };
        let description = &self.found.description;
        format!(
            "{description} ({tokens}{separator}{}{more})",
            shown.join(", ")
        )
    }

    fn __repr__(&self) -> String {
        format!("<Allowed: {}>", self.__str__())
    }
}
