//! The judge: the `jsonschema` crate, which shares no code with schemask, and where it is wrong.

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// A validator of one schema.
pub struct Judge {
    validator: Validator,
    /// A pattern has word boundaries: those of ECMA-262 know ASCII letters alone, the judge's know
    /// all letters.
    has_boundaries: bool,
}

impl Judge {
    /// `None` if the judge cannot read the schema.
    pub fn new(schema: &Value) -> Option<Self> {
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .offline();
        Some(Judge {
            validator: options.build(schema).ok()?,
            has_boundaries: schema.to_string().to_lowercase().contains(r"\\b"),
        })
    }

    /// Whether a value is an instance of the schema; `None` where the judge is known to be wrong.
    pub fn verdict(&self, value: &Value) -> Option<bool> {
        let is_wrong = self.has_boundaries && !value.to_string().is_ascii();
        (!is_wrong).then(|| self.validator.is_valid(value))
    }
}
