//! Text that comes from Python, whose strings may hold lone surrogates, which Rust's cannot.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::{Error, ErrorKind};

/// The text of a string, to be read as what errors of `kind` are about.
///
/// Errors: of that kind, with line and column of a lone surrogate.
pub(super) fn text<'a>(string: &'a Bound<'_, PyString>, kind: ErrorKind) -> PyResult<&'a str> {
    string
        .to_str()
        .or_else(|_| Err(lone_surrogate(string, kind)?.into()))
}

/// The texts of several strings.
pub(super) fn texts<'a>(
    strings: &'a [Bound<'_, PyString>],
    kind: ErrorKind,
) -> PyResult<Vec<&'a str>> {
    strings.iter().map(|string| text(string, kind)).collect()
}

fn lone_surrogate(string: &Bound<'_, PyString>, kind: ErrorKind) -> PyResult<Error> {
    let encoded = string.call_method1("encode", ("utf-8", "surrogatepass"))?;
    let encoded = encoded.cast::<PyBytes>()?.as_bytes();
    let before = match std::str::from_utf8(encoded) {
        Ok(all) => all,
        Err(error) => {
            let (valid, _) = encoded.split_at(error.valid_up_to());
            std::str::from_utf8(valid).unwrap_or_default()
        }
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    let message = "a lone surrogate, which no text in UTF-8 can hold";
    Ok(Error::at_position(kind, line, column, message))
}
