//! Integers of Python, which have no largest one.

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

use crate::error::{Error, ErrorKind};
use crate::vocab::TokenId;

/// An integer. One that does not fit 64 bits becomes the largest or smallest that does, which is no
/// valid id or count either.
pub(super) struct Integer(pub(super) i64);

/// Tokens as Python knows them.
pub(super) fn numbers(tokens: &[TokenId]) -> Vec<u32> {
    tokens.iter().map(|token| token.0).collect()
}

impl<'a, 'py> FromPyObject<'a, 'py> for Integer {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract() {
            Ok(value) => Ok(Integer(value)),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                let value = if object.lt(0)? { i64::MIN } else { i64::MAX };
                Ok(Integer(value))
            }
            Err(error) => Err(error),
        }
    }
}

impl Integer {
    /// The token of this id; `None` if no vocabulary can have it.
    pub(super) fn token(&self) -> Option<TokenId> {
        u32::try_from(self.0).ok().map(TokenId)
    }

    /// A number of tokens.
    pub(super) fn count(&self, name: &str) -> PyResult<usize> {
        usize::try_from(self.0).map_err(|_| {
            let message = format!("{name} is {}, which is no number of tokens", self.0);
            Error::new(ErrorKind::Token, message).into()
        })
    }
}
