//! The judge: the `jsonschema` crate, which shares no code with schemask.

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// A validator of one schema.
pub struct Judge(Validator);

impl Judge {
    /// `None` if the judge cannot read the schema.
    pub fn new(schema: &Value) -> Option<Self> {
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .offline();
        options.build(schema).ok().map(Judge)
    }

    /// Whether a value is an instance of the schema; `None` where the judge is known to be wrong.
    pub fn verdict(&self, value: &Value) -> Option<bool> {
        Some(self.0.is_valid(value))
    }
}
