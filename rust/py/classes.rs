//! The classes of the extension module.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use crate::error::{Error, ErrorKind};
use crate::json::formula::Literals;
use crate::machine::Whitespace;
use crate::py::arrays;
use crate::py::explain::{Allowed, Explanation};
use crate::py::integer::Integer;
use crate::py::interrupt::detached;
use crate::py::text::{text, texts};
use crate::spelling::JsonSpelling;
use crate::{batch, compile, matcher, vocab};

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
#[pyclass(module = "schemask._native", subclass, frozen)]
pub(super) struct Vocabulary(Arc<vocab::Vocabulary>);

#[pymethods]
impl Vocabulary {
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
        let vocabulary = py.detach(|| vocab::Vocabulary::new(&tokens, &stop, &special))?;
        Ok(Vocabulary(Arc::new(vocabulary)))
    }

    /// How many tokens there are, unused ids included.
    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    /// Ids that end a generation, ascending.
    #[getter]
    fn stop_token_ids(&self) -> Vec<u32> {
        self.0.stop_token_ids().to_vec()
    }

    /// Ids that are never text, ascending; their bytes are only a name.
    #[getter]
    fn special_token_ids(&self) -> Vec<u32> {
        self.0.special_token_ids().to_vec()
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
        let bytes = u32::try_from(id.0).ok().and_then(|id| self.0.token(id));
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
        tokens.ok_or_else(|| {
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
        let other = other.cast::<Vocabulary>();
        other.is_ok_and(|other| self.0.is_equal(&other.get().0))
    }

    fn __hash__(&self) -> u64 {
        self.0.size() as u64
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle("Vocabulary", "read it again from its tokenizer"))
    }

    fn __repr__(&self) -> String {
        let stop = self.0.stop_token_ids();
        let shown: Vec<String> = stop.iter().take(4).map(u32::to_string).collect();
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

fn token_ids(what: &str, ids: &[Integer]) -> PyResult<Vec<u32>> {
    let convert = |&Integer(id): &Integer| {
        u32::try_from(id).map_err(|_| {
            Error::new(
                ErrorKind::Vocabulary,
                format!("{what} token {id} is no token id"),
            )
            .into()
        })
    };
    ids.iter().map(convert).collect()
}

fn outside(id: i64, size: usize) -> PyErr {
    Error::new(
        ErrorKind::Token,
        format!("token {id} is outside the vocabulary of {size} tokens"),
    )
    .into()
}

/// What cannot leave the process says so.
fn no_pickle(class: &str, instead: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "a {class} lives in one process and cannot be pickled: {instead}"
    ))
}

/// What a `schemask.Grammar` holds, whose methods say what these take.
#[pyclass(module = "schemask._native", frozen)]
pub(super) struct Grammar(compile::Grammar);

#[pymethods]
impl Grammar {
    // One argument for each option of Python's.
    #[allow(clippy::too_many_arguments)]
    #[staticmethod]
    fn from_json_schema(
        py: Python<'_>,
        schema: &Bound<'_, PyString>,
        whitespace: &Bound<'_, PyString>,
        property_order: &Bound<'_, PyString>,
        spelling: &Bound<'_, PyString>,
        strict: bool,
        resources: Vec<(Bound<'_, PyString>, Bound<'_, PyString>)>,
        limits: HashMap<String, f64>,
    ) -> PyResult<Self> {
        let schema = text(schema, ErrorKind::Schema)?;
        let own = |string| text(string, ErrorKind::Schema).map(str::to_owned);
        let resources = resources.iter();
        let resources = resources.map(|(uri, document)| PyResult::Ok((own(uri)?, own(document)?)));
        let options = compile::Options {
            resources: resources.collect::<PyResult<_>>()?,
            ..options(whitespace, property_order, spelling, strict, &limits)?
        };
        Ok(Grammar(detached(py, || {
            compile::Grammar::from_json_schema(schema, options)
        })?))
    }

    // One argument for each option of Python's.
    #[allow(clippy::too_many_arguments)]
    #[staticmethod]
    fn from_tree(
        py: Python<'_>,
        tree: &Bound<'_, PyString>,
        whitespace: &Bound<'_, PyString>,
        property_order: &Bound<'_, PyString>,
        spelling: &Bound<'_, PyString>,
        strict: bool,
        python_literals: bool,
        limits: HashMap<String, f64>,
    ) -> PyResult<Self> {
        let tree = text(tree, ErrorKind::Grammar)?;
        let literals = match python_literals {
            true => Literals::Python,
            false => Literals::Json,
        };
        let options = compile::Options {
            literals,
            ..options(whitespace, property_order, spelling, strict, &limits)?
        };
        Ok(Grammar(detached(py, || {
            compile::Grammar::from_tree(tree, options)
        })?))
    }

    #[getter]
    fn types(&self) -> PyResult<Vec<&'static str>> {
        Ok(self.0.types()?)
    }

    /// The order in which the keys of a JSON value are read, for a grammar of one JSON Schema.
    ///
    /// Args:
    ///     value: The value as JSON.
    ///
    /// Returns:
    ///     For each object, the numbers of its members in the text, in the order in which they are
    ///     read; objects in the order in which they are read, each before those inside it.
    ///
    /// Raises:
    ///     GrammarError: The grammar is another one, or the value is not JSON.
    ///     LimitError: It takes too much work; `pointer` is that of a place in the value.
    fn key_order(&self, py: Python<'_>, value: &[u8]) -> PyResult<Vec<u32>> {
        Ok(detached(py, || self.0.key_order(value))?)
    }

    #[staticmethod]
    fn from_gbnf(
        py: Python<'_>,
        text: &Bound<'_, PyString>,
        root: &Bound<'_, PyString>,
        limits: HashMap<String, f64>,
    ) -> PyResult<Self> {
        let (rules, root) = (
            self::text(text, ErrorKind::Grammar)?,
            self::text(root, ErrorKind::Grammar)?,
        );
        let options = limited(&limits)?;
        Ok(Grammar(detached(py, || {
            compile::Grammar::from_gbnf(rules, root, options)
        })?))
    }

    // One argument for each option of Python's.
    #[allow(clippy::too_many_arguments)]
    #[staticmethod]
    fn from_lark(
        py: Python<'_>,
        text: &Bound<'_, PyString>,
        start: &Bound<'_, PyString>,
        whitespace: &Bound<'_, PyString>,
        property_order: &Bound<'_, PyString>,
        spelling: &Bound<'_, PyString>,
        strict: bool,
        limits: HashMap<String, f64>,
    ) -> PyResult<Self> {
        let (rules, start) = (
            self::text(text, ErrorKind::Grammar)?,
            self::text(start, ErrorKind::Grammar)?,
        );
        let options = options(whitespace, property_order, spelling, strict, &limits)?;
        Ok(Grammar(detached(py, || {
            compile::Grammar::from_lark(rules, start, options)
        })?))
    }

    #[staticmethod]
    fn from_regex(
        py: Python<'_>,
        pattern: &Bound<'_, PyString>,
        search: bool,
        limits: HashMap<String, f64>,
    ) -> PyResult<Self> {
        let pattern = text(pattern, ErrorKind::Grammar)?;
        let options = limited(&limits)?;
        Ok(Grammar(detached(py, || {
            compile::Grammar::from_regex(pattern, search, options)
        })?))
    }

    #[staticmethod]
    fn literal(text: &Bound<'_, PyString>) -> PyResult<Self> {
        let literal = self::text(text, ErrorKind::Grammar)?;
        Ok(Grammar(compile::Grammar::literal(literal)))
    }

    #[staticmethod]
    fn token(id: Integer) -> PyResult<Self> {
        let [id] = token_ids("the grammar's", &[id])?[..] else {
            unreachable!("one id is one id")
        };
        Ok(Grammar(compile::Grammar::token(id)))
    }

    #[staticmethod]
    fn named_token(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = text(name, ErrorKind::Grammar)?;
        Ok(Grammar(compile::Grammar::named_token(name)))
    }

    #[staticmethod]
    fn free_text(stops: Vec<Bound<'_, PyString>>, inclusive: bool) -> PyResult<Self> {
        let stops = texts(&stops, ErrorKind::Grammar)?;
        Ok(Grammar(compile::Grammar::free_text(&stops, inclusive)?))
    }

    #[staticmethod]
    fn reference(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = text(name, ErrorKind::Grammar)?;
        Ok(Grammar(compile::Grammar::reference(name)))
    }

    fn then(&self, other: &Self) -> PyResult<Self> {
        Ok(Grammar(self.0.then(&other.0)?))
    }

    #[pyo3(name = "or_")]
    fn or(&self, other: &Self) -> PyResult<Self> {
        Ok(Grammar(self.0.or(&other.0)?))
    }

    fn repeat(&self, min: u32, max: Option<u32>) -> PyResult<Self> {
        Ok(Grammar(self.0.repeat(min, max)?))
    }

    fn define(&self, rules: Vec<(Bound<'_, PyString>, PyRef<'_, Self>)>) -> PyResult<Self> {
        let rules = rules.iter();
        let rules =
            rules.map(|(name, rule)| PyResult::Ok((text(name, ErrorKind::Grammar)?, &rule.0)));
        Ok(Grammar(
            self.0.define(&rules.collect::<PyResult<Vec<_>>>()?)?,
        ))
    }

    fn to_gbnf(&self, py: Python<'_>) -> PyResult<String> {
        Ok(detached(py, || self.0.to_gbnf())?)
    }

    fn shown(&self, length: usize) -> String {
        self.0.shown(length)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(no_pickle(
            "Grammar",
            "make it again from its schema or text",
        ))
    }

    #[getter]
    fn warnings(&self) -> Vec<(String, String)> {
        let warnings = self.0.warnings();
        warnings
            .map(|(pointer, message)| (pointer.to_owned(), message.to_owned()))
            .collect()
    }

    fn compile(
        slf: Bound<'_, Self>,
        py: Python<'_>,
        vocabulary: Bound<'_, Vocabulary>,
    ) -> PyResult<CompiledGrammar> {
        let (grammar, tokens) = (&slf.get().0, vocabulary.get().0.clone());
        let compiled = detached(py, || grammar.compile(tokens))?;
        Ok(CompiledGrammar {
            compiled,
            vocabulary: vocabulary.unbind(),
        })
    }
}

/// The default options, with some limits of their own.
fn limited(limits: &HashMap<String, f64>) -> PyResult<compile::Options> {
    let mut options = compile::Options::default();
    for (name, &value) in limits {
        options.limits.set(name, value)?;
    }
    Ok(options)
}

fn options(
    whitespace: &Bound<'_, PyString>,
    property_order: &Bound<'_, PyString>,
    spelling: &Bound<'_, PyString>,
    strict: bool,
    limits: &HashMap<String, f64>,
) -> PyResult<compile::Options> {
    let whitespace = text(whitespace, ErrorKind::Grammar)?;
    let property_order = text(property_order, ErrorKind::Grammar)?;
    let spelling = text(spelling, ErrorKind::Grammar)?;
    let defaults = limited(limits)?;
    let refuse = |what: &str, value: &str, known: &str| {
        Error::new(
            ErrorKind::Grammar,
            format!("{what} is one of {known}, not '{value}'"),
        )
    };
    let whitespace = match whitespace {
        "flexible" => Whitespace::Flexible {
            run: defaults.limits.whitespace_run,
        },
        "compact" => Whitespace::Compact,
        "spaced" => Whitespace::Spaced,
        other => {
            return Err(refuse("whitespace", other, "'flexible', 'compact', 'spaced'").into());
        }
    };
    let property_order = match property_order {
        "schema" => compile::PropertyOrder::Schema,
        "any" => compile::PropertyOrder::Any,
        other => return Err(refuse("property_order", other, "'schema', 'any'").into()),
    };
    let spelling = match spelling {
        "plain" => JsonSpelling::Plain,
        "any" => JsonSpelling::Any,
        other => return Err(refuse("spelling", other, "'plain', 'any'").into()),
    };
    Ok(compile::Options {
        whitespace,
        property_order,
        spelling,
        strict,
        ..defaults
    })
}

/// A grammar on a vocabulary, as `Grammar.compile` makes it.
///
/// It is immutable, and threads may share it.
#[pyclass(module = "schemask._native", frozen)]
pub(super) struct CompiledGrammar {
    compiled: compile::CompiledGrammar,
    vocabulary: Py<Vocabulary>,
}

#[pymethods]
impl CompiledGrammar {
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
    fn matcher(&self, py: Python<'_>, max_tokens: Option<Integer>) -> PyResult<Matcher> {
        let max_tokens = max_tokens.map(|tokens| tokens.count("max_tokens"));
        let max_tokens = max_tokens.transpose()?;
        Ok(Matcher(detached(py, || self.compiled.matcher(max_tokens))?))
    }

    /// The vocabulary that the grammar was compiled for.
    #[getter]
    fn vocabulary(&self, py: Python<'_>) -> Py<Vocabulary> {
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

/// Follows one text, token by token, and says which tokens may come next.
///
/// `CompiledGrammar.matcher` makes it. One thread at a time may use it. What takes more work than
/// the grammar's limits allow is a `LimitError`, and changes nothing.
#[pyclass(module = "schemask._native")]
pub(super) struct Matcher(matcher::Matcher);

#[pymethods]
impl Matcher {
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
        if batch::copy_row(&self.0, row) {
            return Ok(());
        }
        Ok(detached(py, || batch::fill_row(&self.0, row))?)
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
        Ok(detached(py, || batch::fill_unaffordable(&self.0, row))?)
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
    fn accept(&mut self, token_id: Integer) -> PyResult<bool> {
        match u32::try_from(token_id.0) {
            Ok(id) => Ok(self.0.accept(id)?),
            Err(_) => Err(outside(token_id.0, self.0.compiled().vocabulary().size())),
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
    fn accept_bytes(&mut self, data: &[u8]) -> PyResult<bool> {
        Ok(self.0.try_accept_bytes(data)?)
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
    fn explain(&self, py: Python<'_>, token_id: Integer) -> PyResult<Explanation> {
        match u32::try_from(token_id.0) {
            Ok(id) => Ok(Explanation(detached(py, || self.0.explain(id))?)),
            Err(_) => Err(outside(token_id.0, self.0.compiled().vocabulary().size())),
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
    fn explain_bytes(&self, py: Python<'_>, data: &[u8]) -> PyResult<Explanation> {
        Ok(Explanation(detached(py, || self.0.explain_bytes(data))?))
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
    fn explain_end(&self, py: Python<'_>) -> PyResult<Explanation> {
        Ok(Explanation(detached(py, || self.0.explain_end())?))
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
    fn allowed(&self, py: Python<'_>, limit: Integer) -> PyResult<Allowed> {
        let limit = limit.count("limit")?;
        let found = detached(py, || self.0.allowed(limit))?;
        Ok(Allowed::new(found, self.0.compiled().vocabulary()))
    }

    /// Tokens that spell the text that must follow, as far as there is no choice.
    ///
    /// Empty where the text may end. Characters of a string that have several spellings count as no
    /// choice; they come in the shortest one. Nothing is accepted.
    ///
    /// Raises:
    ///     LimitError: It takes too much work.
    fn forced_tokens(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        Ok(detached(py, || self.0.forced_tokens())?)
    }

    /// The bytes of a shortest valid ending; empty where the text may end.
    ///
    /// A token that must come by its id counts as one byte, and is spelled as the vocabulary spells
    /// it. Where no tokens spell the shortest ending, it is another one that some do.
    ///
    /// Raises:
    ///     LimitError: It is too long, or none was found within the limits.
    fn completion<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &detached(py, || self.0.completion())?))
    }

    /// Takes back the last `count` tokens; what `accept_bytes` took counts as one.
    ///
    /// Args:
    ///     count: How many, from 0 to `token_count`.
    ///
    /// Raises:
    ///     TokenError: Fewer tokens have been accepted; nothing has changed.
    fn rollback(&mut self, count: Integer) -> PyResult<()> {
        Ok(self.0.rollback(count.count("count")?)?)
    }

    /// Back to the start of the text, with the whole budget.
    fn reset(&mut self) {
        self.0.reset();
    }

    /// Another matcher at the same place of the same text; each then goes its own way.
    fn clone(&self) -> Self {
        Matcher(self.0.clone())
    }

    fn __copy__(&self) -> Self {
        Matcher(self.0.clone())
    }

    /// Whether the text may end here.
    #[getter]
    fn is_accepting(&self) -> bool {
        self.0.is_accepting()
    }

    /// Whether a stop token has ended the text.
    #[getter]
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }

    /// How many tokens have been accepted, stop tokens included.
    #[getter]
    fn token_count(&self) -> usize {
        self.0.token_count()
    }

    fn __repr__(&self) -> String {
        let budget = self.0.max_tokens();
        let budget = budget.map_or(String::new(), |most| format!(" of at most {most}"));
        let (count, bytes) = (self.0.token_count(), self.0.text().len());
        let next = match (self.0.is_terminated(), self.0.brief_description()) {
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
    matchers: Vec<PyRef<'_, Matcher>>,
    bitmask: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let bitmask = arrays::bitmask(bitmask)?;
    let mut memory = arrays::all_rows(&bitmask)?;
    let row_words = memory.columns;
    let words = arrays::words(&mut memory)?;
    let matchers: Vec<&matcher::Matcher> = matchers.iter().map(|matcher| &matcher.0).collect();
    Ok(detached(py, || {
        batch::fill_masks(&matchers, words, row_words)
    })?)
}
