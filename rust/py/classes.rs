//! The classes of the extension module.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use crate::error::{Error, Kind};
use crate::json::formula::Literals;
use crate::machine::Whitespace;
use crate::py::arrays;
use crate::py::text::{text, texts};
use crate::{batch, compile, matcher, vocab};

/// Tokens as bytes, stop tokens and special tokens.
#[pyclass(module = "schemask._native", subclass, frozen)]
pub(super) struct Vocabulary(Arc<vocab::Vocabulary>);

#[pymethods]
impl Vocabulary {
    #[new]
    #[pyo3(signature = (tokens, stop_token_ids, special_token_ids = Vec::new()))]
    fn new(
        py: Python<'_>,
        tokens: Vec<PyBackedBytes>,
        stop_token_ids: Vec<i64>,
        special_token_ids: Vec<i64>,
    ) -> PyResult<Self> {
        let stop = token_ids("stop", &stop_token_ids)?;
        let special = token_ids("special", &special_token_ids)?;
        let vocabulary = py.detach(|| vocab::Vocabulary::new(&tokens, &stop, &special))?;
        Ok(Vocabulary(Arc::new(vocabulary)))
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    #[getter]
    fn stop_token_ids(&self) -> Vec<u32> {
        self.0.stop_token_ids().to_vec()
    }

    #[getter]
    fn special_token_ids(&self) -> Vec<u32> {
        self.0.special_token_ids().to_vec()
    }

    #[getter]
    fn unreachable_bytes(&self) -> Vec<u32> {
        self.0
            .unreachable_bytes()
            .iter()
            .map(|&byte| u32::from(byte))
            .collect()
    }

    fn token<'py>(&self, py: Python<'py>, id: i64) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = u32::try_from(id).ok().and_then(|id| self.0.token(id));
        let bytes = bytes.ok_or_else(|| outside(id, self.0.size()))?;
        Ok(PyBytes::new(py, bytes))
    }

    fn tokenize(&self, data: &[u8]) -> PyResult<Vec<u32>> {
        let tokens = self.0.tokenize(data);
        tokens.ok_or_else(|| {
            Error::new(Kind::Vocabulary, "the vocabulary cannot spell these bytes").into()
        })
    }

    fn __len__(&self) -> usize {
        self.0.size()
    }

    fn __repr__(&self) -> String {
        format!("<Vocabulary of {} tokens>", self.0.size())
    }
}

fn token_ids(what: &str, ids: &[i64]) -> PyResult<Vec<u32>> {
    let convert = |&id: &i64| {
        u32::try_from(id).map_err(|_| {
            Error::new(
                Kind::Vocabulary,
                format!("{what} token {id} is no token id"),
            )
            .into()
        })
    };
    ids.iter().map(convert).collect()
}

fn outside(id: i64, size: usize) -> PyErr {
    Error::new(
        Kind::Token,
        format!("token {id} is outside the vocabulary of {size} tokens"),
    )
    .into()
}

/// A set of valid texts.
#[pyclass(module = "schemask._native", frozen)]
pub(super) struct Grammar(compile::Grammar);

#[pymethods]
impl Grammar {
    #[staticmethod]
    fn from_json_schema(
        py: Python<'_>,
        schema: &Bound<'_, PyString>,
        whitespace: &Bound<'_, PyString>,
        property_order: &Bound<'_, PyString>,
        strict: bool,
        resources: Vec<(Bound<'_, PyString>, Bound<'_, PyString>)>,
    ) -> PyResult<Self> {
        let schema = text(schema, Kind::Schema)?;
        let own = |string| text(string, Kind::Schema).map(str::to_owned);
        let resources = resources.iter();
        let resources = resources.map(|(uri, document)| PyResult::Ok((own(uri)?, own(document)?)));
        let options = compile::Options {
            resources: resources.collect::<PyResult<_>>()?,
            ..options(whitespace, property_order, strict)?
        };
        Ok(Grammar(py.detach(|| {
            compile::Grammar::from_json_schema(schema, options)
        })?))
    }

    #[staticmethod]
    fn from_tree(
        py: Python<'_>,
        tree: &Bound<'_, PyString>,
        whitespace: &Bound<'_, PyString>,
        property_order: &Bound<'_, PyString>,
        strict: bool,
        python_literals: bool,
    ) -> PyResult<Self> {
        let tree = text(tree, Kind::Grammar)?;
        let literals = match python_literals {
            true => Literals::Python,
            false => Literals::Json,
        };
        let options = compile::Options {
            literals,
            ..options(whitespace, property_order, strict)?
        };
        Ok(Grammar(
            py.detach(|| compile::Grammar::from_tree(tree, options))?,
        ))
    }

    #[getter]
    fn types(&self) -> PyResult<Vec<&'static str>> {
        Ok(self.0.types()?)
    }

    #[staticmethod]
    fn from_gbnf(
        py: Python<'_>,
        text: &Bound<'_, PyString>,
        root: &Bound<'_, PyString>,
    ) -> PyResult<Self> {
        let (rules, root) = (
            self::text(text, Kind::Grammar)?,
            self::text(root, Kind::Grammar)?,
        );
        let options = compile::Options::default();
        Ok(Grammar(py.detach(|| {
            compile::Grammar::from_gbnf(rules, root, options)
        })?))
    }

    #[staticmethod]
    fn from_lark(
        py: Python<'_>,
        text: &Bound<'_, PyString>,
        start: &Bound<'_, PyString>,
        whitespace: &Bound<'_, PyString>,
        property_order: &Bound<'_, PyString>,
        strict: bool,
    ) -> PyResult<Self> {
        let (rules, start) = (
            self::text(text, Kind::Grammar)?,
            self::text(start, Kind::Grammar)?,
        );
        let options = options(whitespace, property_order, strict)?;
        Ok(Grammar(py.detach(|| {
            compile::Grammar::from_lark(rules, start, options)
        })?))
    }

    #[staticmethod]
    fn from_regex(py: Python<'_>, pattern: &Bound<'_, PyString>, search: bool) -> PyResult<Self> {
        let pattern = text(pattern, Kind::Grammar)?;
        let options = compile::Options::default();
        Ok(Grammar(py.detach(|| {
            compile::Grammar::from_regex(pattern, search, options)
        })?))
    }

    #[staticmethod]
    fn literal(text: &Bound<'_, PyString>) -> PyResult<Self> {
        let literal = self::text(text, Kind::Grammar)?;
        Ok(Grammar(compile::Grammar::literal(literal)))
    }

    #[staticmethod]
    fn token(id: i64) -> PyResult<Self> {
        let [id] = token_ids("the grammar's", &[id])?[..] else {
            unreachable!("one id is one id")
        };
        Ok(Grammar(compile::Grammar::token(id)))
    }

    #[staticmethod]
    fn named_token(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = text(name, Kind::Grammar)?;
        Ok(Grammar(compile::Grammar::named_token(name)))
    }

    #[staticmethod]
    fn free_text(stops: Vec<Bound<'_, PyString>>, inclusive: bool) -> PyResult<Self> {
        let stops = texts(&stops, Kind::Grammar)?;
        Ok(Grammar(compile::Grammar::free_text(&stops, inclusive)?))
    }

    #[staticmethod]
    fn reference(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = text(name, Kind::Grammar)?;
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
        let rules = rules.map(|(name, rule)| PyResult::Ok((text(name, Kind::Grammar)?, &rule.0)));
        Ok(Grammar(
            self.0.define(&rules.collect::<PyResult<Vec<_>>>()?)?,
        ))
    }

    fn to_gbnf(&self, py: Python<'_>) -> PyResult<String> {
        Ok(py.detach(|| self.0.to_gbnf())?)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
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
        let compiled = py.detach(|| grammar.compile(tokens))?;
        Ok(CompiledGrammar {
            compiled,
            vocabulary: vocabulary.unbind(),
        })
    }
}

fn options(
    whitespace: &Bound<'_, PyString>,
    property_order: &Bound<'_, PyString>,
    strict: bool,
) -> PyResult<compile::Options> {
    let whitespace = text(whitespace, Kind::Grammar)?;
    let property_order = text(property_order, Kind::Grammar)?;
    let defaults = compile::Options::default();
    let refuse = |what: &str, value: &str, known: &str| {
        Error::new(
            Kind::Grammar,
            format!("{what} is one of {known}, not '{value}'"),
        )
    };
    let whitespace = match whitespace {
        "flexible" => defaults.whitespace,
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
    Ok(compile::Options {
        whitespace,
        property_order,
        strict,
        ..defaults
    })
}

/// A grammar on a vocabulary.
#[pyclass(module = "schemask._native", frozen)]
pub(super) struct CompiledGrammar {
    compiled: compile::CompiledGrammar,
    vocabulary: Py<Vocabulary>,
}

#[pymethods]
impl CompiledGrammar {
    #[pyo3(signature = (max_tokens = None))]
    fn matcher(&self, py: Python<'_>, max_tokens: Option<usize>) -> PyResult<Matcher> {
        Ok(Matcher(py.detach(|| self.compiled.matcher(max_tokens))?))
    }

    #[getter]
    fn vocabulary(&self, py: Python<'_>) -> Py<Vocabulary> {
        self.vocabulary.clone_ref(py)
    }
}

/// Follows one text.
#[pyclass(module = "schemask._native")]
pub(super) struct Matcher(matcher::Matcher);

#[pymethods]
impl Matcher {
    #[pyo3(signature = (bitmask, row = 0))]
    fn fill_mask(&self, py: Python<'_>, bitmask: &Bound<'_, PyAny>, row: i64) -> PyResult<()> {
        let bitmask = arrays::bitmask(bitmask)?;
        let mut memory = arrays::one_row(&bitmask, row)?;
        let row = arrays::words(&mut memory)?;
        // To let other threads run costs about as much as to copy a mask.
        if batch::copy_row(&self.0, row) {
            return Ok(());
        }
        Ok(py.detach(|| batch::fill_row(&self.0, row))?)
    }

    fn accept(&mut self, token_id: i64) -> PyResult<bool> {
        match u32::try_from(token_id) {
            Ok(id) => Ok(self.0.accept(id)?),
            Err(_) => Err(outside(token_id, self.0.compiled().vocabulary().size())),
        }
    }

    fn accept_bytes(&mut self, data: &[u8]) -> PyResult<bool> {
        Ok(self.0.try_accept_bytes(data)?)
    }

    fn forced_tokens(&self, py: Python<'_>) -> Vec<u32> {
        py.detach(|| self.0.forced_tokens())
    }

    fn completion<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &py.detach(|| self.0.completion())?))
    }

    fn rollback(&mut self, count: usize) -> PyResult<()> {
        Ok(self.0.rollback(count)?)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn clone(&self) -> Self {
        Matcher(self.0.clone())
    }

    fn __copy__(&self) -> Self {
        Matcher(self.0.clone())
    }

    #[getter]
    fn is_accepting(&self) -> bool {
        self.0.is_accepting()
    }

    #[getter]
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }

    #[getter]
    fn token_count(&self) -> usize {
        self.0.token_count()
    }
}

/// Fills row `i` of a bitmask for matcher `i`, on all processors and without the GIL.
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
    Ok(py.detach(|| batch::fill_masks(&matchers, words, row_words))?)
}
