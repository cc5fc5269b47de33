//! The options of a grammar: whitespace, the order of keys, spelling, strictness, resources, limits.

use crate::json::kind::Literals;
use crate::limits::Limits;
use crate::machine::Whitespace;
use crate::spelling::JsonSpelling;

/// In which order an object's keys may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PropertyOrder {
    /// In the order of their first appearance in the schema; keys that it does not declare last.
    #[default]
    Schema,
    /// In any order.
    Any,
}

/// How a grammar is read, and which of several spellings of the same value it allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whitespace between JSON tokens.
    pub whitespace: Whitespace,
    /// The order of keys.
    pub property_order: PropertyOrder,
    /// How null and the booleans are spelled, where JSON values are parts of a grammar.
    pub literals: Literals,
    /// How strings and numbers are spelled.
    pub spelling: JsonSpelling,
    /// Whether what is not supported exactly is an error; if not, it is ignored and listed in the
    /// warnings.
    pub strict: bool,
    /// Documents that references of a schema may lead to: their URIs and their JSON texts. The
    /// official meta-schemas are always at hand; nothing is ever fetched.
    ///
    /// ```
    /// use schemask::{Grammar, Options};
    ///
    /// let age = ("https://example.com/age", r#"{"type": "integer", "minimum": 0}"#);
    /// let options = Options {
    ///     resources: vec![(age.0.to_owned(), age.1.to_owned())],
    ///     ..Options::default()
    /// };
    /// let schema = r#"{"type": "array", "items": {"$ref": "https://example.com/age"}}"#;
    /// assert!(Grammar::from_json_schema(schema, options).is_ok());
    /// assert!(Grammar::from_json_schema(schema, Options::default()).is_err());
    /// ```
    pub resources: Vec<(String, String)>,
    /// Caps.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits::default();
        Options {
            whitespace: Whitespace::Flexible {
                run: limits.whitespace_run,
            },
            property_order: PropertyOrder::Schema,
            literals: Literals::Json,
            spelling: JsonSpelling::Plain,
            strict: true,
            resources: Vec::new(),
            limits,
        }
    }
}
