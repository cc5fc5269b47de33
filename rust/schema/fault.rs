//! What is wrong with a schema, while it is being read.

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::schema::documents::Documents;

/// An [`Error`] whose place is still a part of a document.
///
/// Only when it is reported does the place become a JSON pointer, so that reading a good schema
/// keeps no paths.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    pub(super) kind: ErrorKind,
    /// The value of the keyword at fault, or the schema itself.
    pub(super) at: &'a Value,
    pub(super) message: String,
}

impl<'a> Fault<'a> {
    pub(super) fn new(kind: ErrorKind, at: &'a Value, message: impl Into<String>) -> Self {
        Fault {
            kind,
            at,
            message: message.into(),
        }
    }

    /// The document is not a valid schema here.
    pub(super) fn schema(at: &'a Value, message: impl Into<String>) -> Self {
        Fault::new(ErrorKind::Schema, at, message)
    }

    pub(super) fn into_error(self, documents: &Documents<'_>) -> Error {
        match documents.locate(&[self.at]).first() {
            Some((_, pointer)) => Error::at_pointer(self.kind, pointer, self.message),
            None => Error::new(self.kind, self.message),
        }
    }
}

/// Faults as (JSON pointer, message), in document order.
pub(super) fn into_warnings(
    faults: Vec<Fault<'_>>,
    documents: &Documents<'_>,
) -> Vec<(String, String)> {
    if faults.is_empty() {
        return Vec::new();
    }
    let mut messages: FxHashMap<*const Value, Vec<String>> = FxHashMap::default();
    let mut parts = Vec::new();
    for fault in faults {
        let here = messages.entry(fault.at).or_default();
        if here.is_empty() {
            parts.push(fault.at);
        }
        // A schema is read once for each dynamic scope.
        if !here.contains(&fault.message) {
            here.push(fault.message);
        }
    }
    let mut warnings = Vec::new();
    for (at, pointer) in documents.locate(&parts) {
        for message in messages.remove(&at).unwrap_or_default() {
            warnings.push((pointer.clone(), message));
        }
    }
    warnings
}
