//! Bitmasks in numpy arrays and torch tensors.

use numpy::{PyArrayDyn, PyArrayMethods, PyReadwriteArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::error::{Error, Kind};

/// A bitmask that is borrowed from Python: rows of 32-bit words.
pub(super) struct Bitmask<'py> {
    array: PyReadwriteArrayDyn<'py, i32>,
    pub(super) rows: usize,
    pub(super) row_words: usize,
}

impl<'py> Bitmask<'py> {
    /// From an int32 array or CPU tensor of one or two dimensions, writable and C-contiguous.
    pub(super) fn borrow(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = match object.cast::<PyArrayDyn<i32>>() {
            Ok(array) => array.clone(),
            Err(_) => from_tensor(object)?,
        };
        let (rows, row_words) = match *array.shape() {
            [words] => (1, words),
            [rows, words] => (rows, words),
            _ => {
                let message = format!("a bitmask has one or two dimensions, not {}", array.ndim());
                return Err(refuse(message));
            }
        };
        if !array.is_c_contiguous() {
            return Err(refuse("a bitmask must be C-contiguous"));
        }
        let array = array
            .try_readwrite()
            .map_err(|_| refuse("a bitmask must be writable, and not in use elsewhere"))?;
        Ok(Bitmask {
            array,
            rows,
            row_words,
        })
    }

    /// All words, row after row.
    pub(super) fn words(&mut self) -> PyResult<&mut [u32]> {
        let words = self
            .array
            .as_slice_mut()
            .map_err(|_| refuse("a bitmask must be contiguous"))?;
        Ok(bytemuck::cast_slice_mut(words))
    }

    /// The words of one row.
    pub(super) fn row(&mut self, row: i64) -> PyResult<&mut [u32]> {
        let index = usize::try_from(row).ok().filter(|&index| index < self.rows);
        let Some(index) = index else {
            let message = format!(
                "the bitmask has no row {row}, its rows number {}",
                self.rows
            );
            return Err(refuse(message));
        };
        let width = self.row_words;
        Ok(&mut self.words()?[index * width..(index + 1) * width])
    }
}

/// The numpy array that shares a torch tensor's memory.
fn from_tensor<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let wrong = || {
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
    };
    if !object.hasattr("data_ptr")? {
        return Err(wrong());
    }
    let array = object.call_method0("numpy").map_err(|_| wrong())?;
    array.cast_into::<PyArrayDyn<i32>>().map_err(|_| wrong())
}

fn refuse(message: impl Into<String>) -> PyErr {
    Error::new(Kind::Mask, message).into()
}
