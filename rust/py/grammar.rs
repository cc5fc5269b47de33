//! What `schemask.Grammar` holds.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::compile::{Grammar, Options, PropertyOrder};
use crate::error::{Error, ErrorKind};
use crate::json::kind::Literals;
use crate::machine::{Indent, Whitespace};
use crate::py::compiled_grammar::PyCompiledGrammar;
use crate::py::integer::Integer;
use crate::py::interrupt::detached;
use crate::py::text::{text, texts};
use crate::py::vocabulary::{PyVocabulary, token_ids};
use crate::spelling::JsonSpelling;

/// What a `schemask.Grammar` holds, whose methods say what these take.
#[pyclass(name = "Grammar", module = "schemask._native", frozen)]
pub(super) struct PyGrammar(Grammar);

#[pymethods]
impl PyGrammar {
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
        let options = Options {
            resources: resources.collect::<PyResult<_>>()?,
            ..options(whitespace, property_order, spelling, strict, &limits)?
        };
        Ok(PyGrammar(detached(py, || {
            Grammar::from_json_schema(schema, options)
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
        let options = Options {
            literals,
            ..options(whitespace, property_order, spelling, strict, &limits)?
        };
        Ok(PyGrammar(detached(py, || {
            Grammar::from_tree(tree, options)
        })?))
    }

    #[getter]
    fn types(&self, py: Python<'_>) -> PyResult<Vec<&'static str>> {
        Ok(detached(py, || self.0.types())?)
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
        Ok(PyGrammar(detached(py, || {
            Grammar::from_gbnf(rules, root, options)
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
        Ok(PyGrammar(detached(py, || {
            Grammar::from_lark(rules, start, options)
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
        Ok(PyGrammar(detached(py, || {
            Grammar::from_regex(pattern, search, options)
        })?))
    }

    #[staticmethod]
    fn literal(text: &Bound<'_, PyString>) -> PyResult<Self> {
        let literal = self::text(text, ErrorKind::Grammar)?;
        Ok(PyGrammar(Grammar::literal(literal)))
    }

    #[staticmethod]
    fn token(id: Integer) -> PyResult<Self> {
        let [id] = token_ids("the grammar's", &[id])?[..] else {
            unreachable!("one id is one id")
        };
        Ok(PyGrammar(Grammar::token(id)))
    }

    #[staticmethod]
    fn named_token(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = text(name, ErrorKind::Grammar)?;
        Ok(PyGrammar(Grammar::named_token(name)))
    }

    #[staticmethod]
    fn free_text(stops: Vec<Bound<'_, PyString>>, inclusive: bool) -> PyResult<Self> {
        let stops = texts(&stops, ErrorKind::Grammar)?;
        Ok(PyGrammar(Grammar::free_text(&stops, inclusive)?))
    }

    #[staticmethod]
    fn reference(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = text(name, ErrorKind::Grammar)?;
        Ok(PyGrammar(Grammar::reference(name)))
    }

    fn then(&self, other: &Self) -> PyResult<Self> {
        Ok(PyGrammar(self.0.then(&other.0)?))
    }

    #[pyo3(name = "or_")]
    fn or(&self, other: &Self) -> PyResult<Self> {
        Ok(PyGrammar(self.0.or(&other.0)?))
    }

    fn repeat(&self, min: u32, max: Option<u32>) -> PyResult<Self> {
        Ok(PyGrammar(self.0.repeat(min, max)?))
    }

    fn define(&self, rules: Vec<(Bound<'_, PyString>, PyRef<'_, Self>)>) -> PyResult<Self> {
        let rules = rules.iter();
        let rules =
            rules.map(|(name, rule)| PyResult::Ok((text(name, ErrorKind::Grammar)?, &rule.0)));
        Ok(PyGrammar(
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

    #[getter]
    fn warnings(&self) -> Vec<(String, String)> {
        let warnings = self.0.warnings();
        warnings
            .map(|(pointer, message)| (pointer.to_owned(), message.to_owned()))
            .collect()
    }

    #[pyo3(signature = (vocabulary, source = None))]
    fn compile(
        slf: Bound<'_, Self>,
        py: Python<'_>,
        vocabulary: Bound<'_, PyVocabulary>,
        source: Option<Py<PyAny>>,
    ) -> PyResult<PyCompiledGrammar> {
        let (grammar, tokens) = (&slf.get().0, vocabulary.get().0.clone());
        let compiled = detached(py, || grammar.compile(tokens))?;
        Ok(PyCompiledGrammar {
            compiled,
            grammar: source.unwrap_or_else(|| slf.clone().into_any().unbind()),
            vocabulary: vocabulary.unbind(),
        })
    }
}

/// The default options, with some limits of their own.
fn limited(limits: &HashMap<String, f64>) -> PyResult<Options> {
    let mut options = Options::default();
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
) -> PyResult<Options> {
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
    let (separators, indent) = match whitespace.split_once(" indented by ") {
        Some((separators, indent)) => (separators, Some(Indent::new(indent)?)),
        None => (whitespace, None),
    };
    let whitespace = match separators {
        "flexible" => Whitespace::Flexible {
            run: defaults.limits.whitespace_run,
        },
        "compact" => Whitespace::Compact,
        "spaced" => Whitespace::Spaced,
        "spaced commas" => Whitespace::SpacedCommas,
        "spaced colons" => Whitespace::SpacedColons,
        other => {
            return Err(refuse("whitespace", other, "'flexible', 'compact', 'spaced'").into());
        }
    };
    let whitespace = match indent {
        Some(indent) => whitespace.indented(indent),
        None => whitespace,
    };
    let property_order = match property_order {
        "schema" => PropertyOrder::Schema,
        "any" => PropertyOrder::Any,
        other => return Err(refuse("property_order", other, "'schema', 'any'").into()),
    };
    let spelling = match spelling {
        "plain" => JsonSpelling::Plain,
        "any" => JsonSpelling::Any,
        other => return Err(refuse("spelling", other, "'plain', 'any'").into()),
    };
    Ok(Options {
        whitespace,
        property_order,
        spelling,
        strict,
        ..defaults
    })
}
