//! Bitmasks in numpy arrays and torch tensors.

use std::ops::Range;

use pyo3::intern;
use pyo3::prelude::*;

use crate::error::{Error, ErrorKind};
use crate::py::memory::{Access, Memory, MemoryRefusal, Number, Rows};
use crate::vocab::MaskWord;

/// An int32 array, or the array of a CPU tensor, of one or two axes and C-contiguous.
pub(super) fn bitmask<'py>(object: &Bound<'py, PyAny>) -> PyResult<Rows<'py>> {
    let array = match Rows::of(object) {
        Some(array) => array,
        None => from_tensor(object)?,
    };
    if array.number() != Number::INT32 {
        return Err(wrong(object));
    }
    let axes = array.shape().len();
    if axes > 2 {
        let message = format!("a bitmask has one or two dimensions, not {axes}");
        return Err(refuse(message));
    }
    if !array.is_contiguous() {
        return Err(refuse("a bitmask must be C-contiguous"));
    }
    Ok(array)
}

/// The memory of all rows of a bitmask, for writing.
pub(super) fn all_rows<'a>(bitmask: &'a Rows<'_>) -> PyResult<Memory<'a>> {
    borrow(bitmask, 0..bitmask.count())
}

/// The memory of one row, for writing.
pub(super) fn one_row<'a>(bitmask: &'a Rows<'_>, row: i64) -> PyResult<Memory<'a>> {
    let rows = bitmask.count();
    match usize::try_from(row) {
        Ok(row) if row < rows => borrow(bitmask, row..row + 1),
        _ => {
            let message = format!("the bitmask has no row {row}, its rows number {rows}");
            Err(refuse(message))
        }
    }
}

fn borrow<'a>(bitmask: &'a Rows<'_>, rows: Range<usize>) -> PyResult<Memory<'a>> {
    bitmask.borrow(rows, Access::Write).map_err(|refusal| {
        refuse(match refusal {
            MemoryRefusal::ReadOnly => "a bitmask must be writable",
            MemoryRefusal::InUse => "the bitmask is being filled by another call",
        })
    })
}

/// All words, row after row.
pub(super) fn words<'a>(memory: &'a mut Memory<'_>) -> PyResult<&'a mut [MaskWord]> {
    let words = memory.all_mut();
    words.ok_or_else(|| refuse("a bitmask must be aligned"))
}

/// The numpy array that shares a torch tensor's memory.
fn from_tensor<'py>(object: &Bound<'py, PyAny>) -> PyResult<Rows<'py>> {
    let py = object.py();
    if !object.hasattr(intern!(py, "data_ptr"))? {
        return Err(wrong(object));
    }
    let array = object.call_method0(intern!(py, "numpy"));
    let array = array.ok().and_then(|array| Rows::of(&array));
    array.ok_or_else(|| wrong(object))
}

fn wrong(object: &Bound<'_, PyAny>) -> PyErr {
    let kind = object.get_type();
    let name = kind
        .name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    let dtype = object
        .getattr("dtype")
        .map_or(String::new(), |dtype| format!(" of {dtype}"));
    refuse(format!(
        "a bitmask is an int32 numpy array or torch CPU tensor, not {name}{dtype}"
    ))
}

fn refuse(message: impl Into<String>) -> PyErr {
    Error::new(ErrorKind::Mask, message).into()
}
