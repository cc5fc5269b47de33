//! From the crate's error to Python's exceptions, which `schemask.errors` defines.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, ErrorKind};
use crate::py::interrupt;

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        Python::attach(|py| exception(py, &error).unwrap_or_else(|failure| failure))
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = match error.kind() {
        ErrorKind::Schema => "SchemaError",
        ErrorKind::Unsupported => "UnsupportedSchemaError",
        ErrorKind::Grammar => "GrammarError",
        ErrorKind::Vocabulary => "VocabularyError",
        ErrorKind::Token => "TokenError",
        ErrorKind::Mask => "MaskError",
        ErrorKind::Limit => "LimitError",
        ErrorKind::Interrupted => return Ok(interrupt::raised(py)),
    };
    let attributes = PyDict::new(py);
    attributes.set_item("pointer", error.pointer())?;
    attributes.set_item("line", error.position().map(|(line, _)| line))?;
    attributes.set_item("column", error.position().map(|(_, column)| column))?;
    let class = py.import("schemask.errors")?.getattr(class)?;
    Ok(PyErr::from_value(
        class.call((error.to_string(),), Some(&attributes))?,
    ))
}

/// What cannot leave the process says so.
pub(super) fn no_pickle(class: &str, instead: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "a {class} lives in one process and cannot be pickled: {instead}"
    ))
}
