//! The one error of the crate.

use std::fmt;

/// What went wrong, for the crate's own use; the public type is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The schema is not a JSON Schema, refers to nothing, or nothing satisfies it.
    Schema,
    /// The schema is fine, but uses what is not supported exactly.
    Unsupported,
    /// A grammar text or a pattern could not be read.
    Grammar,
    /// The vocabulary is inconsistent.
    Vocabulary,
    /// A token id outside the vocabulary.
    Token,
    /// A bitmask or logits array of the wrong shape or type.
    Mask,
    /// A cap of [`Limits`](crate::Limits) was reached.
    Limit,
    /// The caller asked to stop.
    Interrupted,
}

/// Why a schema, grammar, pattern or vocabulary was refused, or how the library was misused.
///
/// Text that a model writes never causes an error: a matcher refuses it and keeps its state.
#[derive(Clone, Debug)]
pub struct Error(Box<ErrorInner>);

#[derive(Clone, Debug)]
struct ErrorInner {
    kind: ErrorKind,
    message: String,
    pointer: Option<String>,
    position: Option<(usize, usize)>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(ErrorInner {
            kind,
            message: message.into(),
            pointer: None,
            position: None,
        }))
    }

    /// An error about the part of a schema that `pointer` (a JSON pointer) names.
    pub(crate) fn at_pointer(kind: ErrorKind, pointer: &str, message: impl Into<String>) -> Self {
        let mut error = Error::new(kind, message);
        error.0.pointer = Some(pointer.to_owned());
        error
    }

    /// This error, placed at the part of a schema that `pointer` names, unless it has a place
    /// already.
    pub(crate) fn or_at_pointer(mut self, pointer: Option<String>) -> Self {
        if self.0.pointer.is_none() && self.0.position.is_none() {
            self.0.pointer = pointer;
        }
        self
    }

    /// An error at a line and a column of a grammar text, both counted from 1.
    pub(crate) fn at_position(
        kind: ErrorKind,
        line: usize,
        column: usize,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Error::new(kind, message);
        error.0.position = Some((line, column));
        error
    }

    /// The kind, by which the Python bindings choose the exception class.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The JSON pointer of the part of the schema that is at fault, if it is one part. In another
    /// document than the schema's own, it comes after the document's URI and `#`.
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// Line and column (from 1) in a grammar or pattern text.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.0.position
    }

    /// Whether the input asks for something that is valid but not supported exactly.
    pub fn is_unsupported(&self) -> bool {
        self.0.kind == ErrorKind::Unsupported
    }

    /// Whether a cap of [`Limits`](crate::Limits) was reached.
    pub fn is_limit(&self) -> bool {
        self.0.kind == ErrorKind::Limit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.pointer, self.0.position) {
            (Some(pointer), _) if pointer.is_empty() => {
                write!(f, "{} (at the root of the schema)", self.0.message)
            }
            (Some(pointer), _) => write!(f, "{} (at {pointer})", self.0.message),
            (None, Some((line, column))) => {
                write!(f, "{} (line {line}, column {column})", self.0.message)
            }
            (None, None) => f.write_str(&self.0.message),
        }
    }
}

impl std::error::Error for Error {}
