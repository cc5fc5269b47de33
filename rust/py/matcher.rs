//! `schemask.Matcher`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::batch::{self, Preparation};
use crate::matcher::Matcher;
use crate::py::arrays;
use crate::py::errors::no_pickle;
use crate::py::explain::{PyAllowed, PyExplanation};
use crate::py::integer::{Integer, numbers};
use crate::py::interrupt::{attached, detached};
use crate::py::vocabulary::outside;

/// Follows one text, token by token, and says which tokens may come next.
///
/// `CompiledGrammar.matcher` makes it. One thread at a time may use it. What takes more work than
/// the grammar's limits allow is a `LimitError`, and changes nothing.
#[pyclass(name = "Matcher", module = "schemask._native")]
pub(super) struct PyMatcher {
    pub(super) matcher: Matcher,
    /// Whether the text has ended where only a stop token could come.
    pub(super) ends_alone: bool,
}

#[pymethods]
impl PyMatcher {
    /// Writes which tokens may come next: bit `t % 32` of word `t // 32` is 1 if token `t` may.
    ///
    /// After the end, only the stop tokens may come.
    ///
    /// Args:
    ///     bitmask: int32, writable, of shape `(batch, words)` or `(words,)`: a numpy array, as
    ///         `allocate_mask` makes it, or a torch tensor on the CPU. Words past the vocabulary
    ///         become 0.
    ///     row: The row to write, from 0.
    ///
    /// Raises:
    ///     MaskError: A bitmask of another type or shape, or no such row.
    ///     LimitError: The mask takes too much work.
    #[pyo3(signature = (bitmask, row = Integer(0)), text_signature = "($self, bitmask, row=0)")]
    fn fill_mask(&self, py: Python<'_>, bitmask: &Bound<'_, PyAny>, row: Integer) -> PyResult<()> {
        let bitmask = arrays::bitmask(bitmask)?;
        let mut memory = arrays::one_row(&bitmask, row.0)?;
        let row = arrays::words(&mut memory)?;
        // To let other threads run costs about as much as to copy a mask.
        if attached(py, || batch::copy_row(&self.matcher, row)) {
            return Ok(());
        }
        Ok(detached(py, || batch::fill_row(&self.matcher, row))?)
    }

    /// Writes which tokens the budget alone forbids, and `fill_mask` leaves out for that reason.
    ///
    /// As long as there have been none at any step, a model has written what it would have written
    /// without a budget.
    ///
    /// Args:
    ///     bitmask: int32, writable, of shape `(batch, words)` or `(words,)`, as for `fill_mask`.
    ///     row: The row to write, from 0.
    ///
    /// Returns:
    ///     Whether there are any.
    ///
    /// Raises:
    ///     MaskError: A bitmask of another type or shape, or no such row.
    ///     LimitError: To find the tokens takes too much work.
    #[pyo3(signature = (bitmask, row = Integer(0)), text_signature = "($self, bitmask, row=0)")]
    fn fill_unaffordable(
        &self,
        py: Python<'_>,
        bitmask: &Bound<'_, PyAny>,
        row: Integer,
    ) -> PyResult<bool> {
        let bitmask = arrays::bitmask(bitmask)?;
        let mut memory = arrays::one_row(&bitmask, row.0)?;
        let row = arrays::words(&mut memory)?;
        Ok(detached(py, || {
            batch::fill_unaffordable(&self.matcher, row)
        })?)
    }

    /// Goes on with a token. If it may not come, the answer is False and nothing has changed.
    ///
    /// Args:
    ///     token_id: The token; a stop token ends the text.
    ///
    /// Returns:
    ///     Whether it may come, as the bit of the token in the mask says; `explain` says why not.
    ///
    /// Raises:
    ///     TokenError: The vocabulary has no such token.
    ///     LimitError: It takes too much work; nothing has changed.
    fn accept(&mut self, py: Python<'_>, token_id: Integer) -> PyResult<bool> {
        match token_id.token() {
            Some(id) => Ok(attached(py, || self.matcher.accept(id))?),
            None => Err(outside(
                token_id.0,
                self.matcher.compiled().vocabulary().size(),
            )),
        }
    }

    /// Goes on with bytes, as if they were one token; with a budget they count as one.
    ///
    /// If they may not come, the answer is False and nothing has changed.
    ///
    /// Args:
    ///     data: The bytes, of any length; they need not end between two characters.
    ///
    /// Returns:
    ///     Whether they may come; `explain_bytes` says why not.
    ///
    /// Raises:
    ///     LimitError: It takes too much work; nothing has changed.
    fn accept_bytes(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<bool> {
        Ok(attached(py, || self.matcher.try_accept_bytes(data))?)
    }

    /// Why a token may not come next, or that it may. Nothing is accepted.
    ///
    /// To find the keywords that refuse it, the schema is read again without some of them, many
    /// times over: this is for people who look for a reason, not for each step of a generation.
    ///
    /// Args:
    ///     token_id: The token.
    ///
    /// Returns:
    ///     Where it is refused, and why, with the JSON pointers of the keywords; `str()` of it is a
    ///     sentence.
    ///
    /// Raises:
    ///     TokenError: The vocabulary has no such token.
    ///     LimitError: It takes too much work to find out whether the token may come.
    ///         If only the reason takes more than the limit `explain_work`, that is no error: then
    ///         `kind` is `"undecided"`.
    fn explain(&self, py: Python<'_>, token_id: Integer) -> PyResult<PyExplanation> {
        match token_id.token() {
            Some(id) => Ok(PyExplanation(detached(py, || self.matcher.explain(id))?)),
            None => Err(outside(
                token_id.0,
                self.matcher.compiled().vocabulary().size(),
            )),
        }
    }

    /// Why bytes may not come next, or that they may. Nothing is accepted.
    ///
    /// Args:
    ///     data: The bytes, of any length; they need not end between two characters.
    ///
    /// Returns:
    ///     Where they are refused, and why, with the JSON pointers of the keywords; `str()` of it
    ///     is a sentence.
    ///
    /// Raises:
    ///     LimitError: It takes too much work to find out whether they may come.
    ///         If only the reason takes more than the limit `explain_work`, that is no error: then
    ///         `kind` is `"undecided"`.
    fn explain_bytes(&self, py: Python<'_>, data: &[u8]) -> PyResult<PyExplanation> {
        Ok(PyExplanation(detached(py, || {
            self.matcher.explain_bytes(data)
        })?))
    }

    /// Why the text may not end here, or that it may. Nothing is accepted.
    ///
    /// Returns:
    ///     Why it may not, with the JSON pointers of the keywords that ask for more; `str()` of it
    ///     is a sentence.
    ///
    /// Raises:
    ///     LimitError: It takes too much work to find out whether it may.
    ///         If only the reason takes more than the limit `explain_work`, that is no error: then
    ///         `kind` is `"undecided"`.
    fn explain_end(&self, py: Python<'_>) -> PyResult<PyExplanation> {
        Ok(PyExplanation(detached(py, || self.matcher.explain_end())?))
    }

    /// What may come next: in words, and the first tokens that may.
    ///
    /// Args:
    ///     limit: How many tokens are listed, by rising id, which in most vocabularies is from the
    ///         most to the least frequent.
    ///
    /// Returns:
    ///     The description, the number of all tokens that may come, and those that are listed.
    ///
    /// Raises:
    ///     TokenError: A negative limit.
    ///     LimitError: The mask takes too much work.
    #[pyo3(signature = (limit = Integer(10)), text_signature = "($self, limit=10)")]
    fn allowed(&self, py: Python<'_>, limit: Integer) -> PyResult<PyAllowed> {
        let limit = limit.count("limit")?;
        let found = detached(py, || self.matcher.allowed(limit))?;
        Ok(PyAllowed::new(found, self.matcher.compiled().vocabulary()))
    }

    /// Tokens that spell the text that must follow, as far as there is no choice.
    ///
    /// Empty where the text may end. Characters of a string that have several spellings count as no
    /// choice; they come in the shortest one. Nothing is accepted.
    ///
    /// Raises:
    ///     LimitError: It takes too much work.
    fn forced_tokens(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        Ok(numbers(&detached(py, || self.matcher.forced_tokens())?))
    }

    /// The bytes of a shortest valid ending; empty where the text may end.
    ///
    /// A token that must come by its id counts as one byte, and is spelled as the vocabulary spells
    /// it. Where no tokens spell the shortest ending, it is another one that some do.
    ///
    /// Raises:
    ///     LimitError: It is too long, or none was found within the limits.
    fn completion<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(
            py,
            &detached(py, || self.matcher.completion())?,
        ))
    }

    /// Takes back the last `count` tokens; what `accept_bytes` took counts as one.
    ///
    /// Args:
    ///     count: How many, from 0 to `token_count`.
    ///
    /// Raises:
    ///     TokenError: Fewer tokens have been accepted; nothing has changed.
    fn rollback(&mut self, count: Integer) -> PyResult<()> {
        Ok(self.matcher.rollback(count.count("count")?)?)
    }

    /// Back to the start of the text, with the whole budget.
    fn reset(&mut self) {
        self.matcher.reset();
    }

    /// Another matcher at the same place of the same text; each then goes its own way.
    fn clone(&self) -> Self {
        PyMatcher {
            matcher: self.matcher.clone(),
            ends_alone: self.ends_alone,
        }
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.clone()
    }

    /// Whether the text may end here.
    #[getter]
    fn is_accepting(&self, py: Python<'_>) -> bool {
        attached(py, || self.matcher.is_accepting())
    }

    /// Whether a stop token has ended the text.
    ///
    /// With `terminate_without_stop_token`, also whether nothing but one may come.
    #[getter]
    fn is_terminated(&self, py: Python<'_>) -> PyResult<bool> {
        if self.matcher.is_terminated() || !self.ends_alone {
            return Ok(self.matcher.is_terminated());
        }
        if !attached(py, || self.matcher.is_accepting()) {
            return Ok(false);
        }
        Ok(detached(py, || self.matcher.must_end())?)
    }

    /// How many tokens have been accepted, stop tokens included.
    #[getter]
    fn token_count(&self) -> usize {
        self.matcher.token_count()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let budget = self.matcher.max_tokens();
        let budget = budget.map_or(String::new(), |most| format!(" of at most {most}"));
        let (count, bytes) = (self.matcher.token_count(), self.matcher.text().len());
        let next = match (
            self.matcher.is_terminated(),
            attached(py, || self.matcher.brief_description()),
        ) {
            (true, _) => "ended".to_owned(),
            (false, Some(next)) => format!("next: {next}"),
            (false, None) => "unfinished".to_owned(),
        };
        format!("<Matcher after {count} tokens{budget}, {bytes} bytes; {next}>")
    }

    fn __reduce__(&self) -> PyResult<()> {
        let instead = "make one of the grammar in the other process, and accept its tokens";
        Err(no_pickle("Matcher", instead))
    }
}

/// Fills row `i` of a bitmask for matcher `i`, on all processors and without the GIL.
///
/// Args:
///     matchers: The matchers, of one vocabulary or of several.
///     bitmask: int32, of shape `(batch, words)` with at least as many rows as there are matchers;
///         see `Matcher.fill_mask`.
///
/// Raises:
///     MaskError: A bitmask of another type or shape.
///     LimitError: A mask takes too much work.
#[pyfunction]
pub(super) fn fill_masks(
    py: Python<'_>,
    matchers: Vec<PyRef<'_, PyMatcher>>,
    bitmask: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let bitmask = arrays::bitmask(bitmask)?;
    let mut memory = arrays::all_rows(&bitmask)?;
    let row_words = memory.columns;
    let words = arrays::words(&mut memory)?;
    let matchers: Vec<&Matcher> = matchers.iter().map(|matcher| &matcher.matcher).collect();
    Ok(detached(py, || {
        batch::fill_masks(&matchers, words, row_words)
    })?)
}

/// Masks that are being made while the model runs: what `prepare` returns.
#[pyclass(name = "Preparation", module = "schemask._native", frozen)]
pub(super) struct PyPreparation {
    matchers: Vec<Py<PyMatcher>>,
    begun: Preparation,
}

#[pymethods]
impl PyPreparation {
    /// Fills row `i` of a bitmask for matcher `i`, as `fill_masks` does.
    ///
    /// What is ready is copied, the rest is made now.
    ///
    /// Args:
    ///     bitmask: int32, of shape `(batch, words)`, as for `fill_masks`.
    ///
    /// Raises:
    ///     MaskError: A bitmask of another type or shape.
    ///     LimitError: A mask takes too much work.
    fn fill(&self, py: Python<'_>, bitmask: &Bound<'_, PyAny>) -> PyResult<()> {
        self.begun.stop();
        let matchers = self
            .matchers
            .iter()
            .map(|matcher| matcher.bind(py).try_borrow());
        fill_masks(py, matchers.collect::<Result<_, _>>()?, bitmask)
    }

    /// Stops making masks. Those that are ready are kept with their grammars.
    fn stop(&self) {
        self.begun.stop();
    }

    fn __repr__(&self) -> String {
        format!("<Preparation of {} masks>", self.matchers.len())
    }
}

/// Begins to make the masks that come next, and returns at once.
///
/// They are made on threads of its own and without the GIL: call it when the tokens of a step have
/// been accepted and the model begins to run. On a single processor none are made, so that nothing
/// takes the model's time.
///
/// What is made is kept with the grammars, so that `Preparation.fill`, or `fill_masks`, finds it.
/// The matchers may go on meanwhile.
///
/// Args:
///     matchers: The matchers, of one vocabulary or of several.
///
/// Returns:
///     What fills the masks once they are needed, and stops making others then. If it is dropped,
///     that stops, too.
#[pyfunction]
pub(super) fn prepare(py: Python<'_>, matchers: Vec<Py<PyMatcher>>) -> PyResult<PyPreparation> {
    let borrowed = matchers.iter().map(|matcher| matcher.bind(py).try_borrow());
    let borrowed: Vec<PyRef<'_, PyMatcher>> = borrowed.collect::<Result<_, _>>()?;
    let inner: Vec<&Matcher> = borrowed.iter().map(|matcher| &matcher.matcher).collect();
    let begun = py.detach(|| batch::prepare(&inner));
    drop(borrowed);
    Ok(PyPreparation { matchers, begun })
}
