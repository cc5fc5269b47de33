//! What is wrong with a schema, while it is being read.

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::schema::document;

/// An [`Error`] whose place is still a part of the document.
///
/// Only when it is reported does the place become a JSON pointer, so that reading a good schema
/// keeps no paths.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    pub(super) kind: Kind,
    /// The value of the keyword at fault, or the schema itself.
    pub(super) at: &'a Value,
    pub(super) message: String,
}

impl<'a> Fault<'a> {
    pub(super) fn new(kind: Kind, at: &'a Value, message: impl Into<String>) -> Self {
        Fault {
            kind,
            at,
            message: message.into(),
        }
    }

    /// The document is not a valid schema here.
    pub(super) fn schema(at: &'a Value, message: impl Into<String>) -> Self {
        Fault::new(Kind::Schema, at, message)
    }

    pub(super) fn into_error(self, document: &Value) -> Error {
        let pointers = document::locate(document, [self.at]);
        match pointers.first() {
            Some((_, pointer)) => Error::at_pointer(self.kind, pointer, self.message),
            None => Error::new(self.kind, self.message),
        }
    }
}

/// Faults as (JSON pointer, message), in document order.
pub(super) fn into_warnings(faults: Vec<Fault<'_>>, document: &Value) -> Vec<(String, String)> {
    if faults.is_empty() {
        return Vec::new();
    }
    let pointers = document::locate(document, faults.iter().map(|fault| fault.at));
    let mut messages: FxHashMap<*const Value, Vec<String>> = FxHashMap::default();
    for fault in faults {
        messages.entry(fault.at).or_default().push(fault.message);
    }
    let mut warnings = Vec::new();
    for (at, pointer) in pointers {
        for message in messages.remove(&at).unwrap_or_default() {
            warnings.push((pointer.clone(), message));
        }
    }
    warnings
}
