//! The JSON text of a schema document, and the places in it.

use std::fmt::Write;

use rustc_hash::FxHashSet;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;

/// Parses a document. Of duplicate keys the last value counts.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Value, Error> {
    if text.len() > limits.source_bytes {
        let message = format!("the schema is longer than {} bytes", limits.source_bytes);
        return Err(Error::new(ErrorKind::Limit, message));
    }
    check_depth(text, limits.schema_depth)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // The depth is checked above, against a cap of ours instead of the fixed 128.
    deserializer.disable_recursion_limit();
    Value::deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            let place = format!(" at line {line} column {column}");
            let message = match message.strip_suffix(place.as_str()).unwrap_or(&message) {
                "unexpected end of hex escape" | "lone leading surrogate in hex escape" => {
                    "a lone surrogate, which no text in UTF-8 can hold"
                }
                message => message,
            };
            let message = format!("the schema is not valid JSON: {message}");
            Error::at_position(ErrorKind::Schema, line.max(1), column.max(1), message)
        })
}

/// Refuses text in which more than `cap` brackets are open at once.
fn check_depth(text: &str, cap: usize) -> Result<(), Error> {
    let bytes = text.as_bytes();
    let (mut depth, mut i) = (0usize, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'"' => {
                i += 1;
                while i < bytes.len() && bytes[i] != b'"' {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > cap {
                    let before = &bytes[..i];
                    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
                    let start = before
                        .iter()
                        .rposition(|&b| b == b'\n')
                        .map_or(0, |n| n + 1);
                    let message = format!("the schema is nested deeper than {cap} levels");
                    return Err(Error::at_position(
                        ErrorKind::Limit,
                        line,
                        i - start + 1,
                        message,
                    ));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        i += 1;
    }
    Ok(())
}

/// The JSON pointers of parts of the document, in document order.
pub(super) fn locate<'a>(
    document: &Value,
    parts: impl IntoIterator<Item = &'a Value>,
) -> Vec<(*const Value, String)> {
    let parts = parts.into_iter().map(std::ptr::from_ref).collect();
    let mut search = PlaceSearch {
        parts,
        pointer: String::new(),
        found: Vec::new(),
    };
    search.visit(document);
    search.found
}

struct PlaceSearch {
    parts: FxHashSet<*const Value>,
    /// Of the value being visited.
    pointer: String,
    found: Vec<(*const Value, String)>,
}

impl PlaceSearch {
    fn visit(&mut self, value: &Value) {
        if self.parts.contains(&std::ptr::from_ref(value)) {
            self.found.push((value, self.pointer.clone()));
        }
        let length = self.pointer.len();
        match value {
            Value::Object(object) => {
                for (name, child) in object {
                    extend_pointer(&mut self.pointer, name);
                    self.visit(child);
                    self.pointer.truncate(length);
                }
            }
            Value::Array(array) => {
                for (i, child) in array.iter().enumerate() {
                    let _ = write!(self.pointer, "/{i}");
                    self.visit(child);
                    self.pointer.truncate(length);
                }
            }
            _ => {}
        }
    }
}

/// A JSON pointer with one more token.
pub(crate) fn extend_pointer(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_json_has_a_position() {
        for (text, position, part) in [
            ("", (1, 1), "EOF"),
            ("{\n  \"a\": trux\n}", (2, 11), "expected"),
            ("{} {}", (1, 4), "trailing"),
            ("{\"a\": 01}", (1, 8), "number"),
            (r#""\ud800""#, (1, 8), "lone surrogate"),
        ] {
            let error = parse(text, &Limits::default()).unwrap_err();
            assert_eq!(
                (error.kind(), error.position()),
                (ErrorKind::Schema, Some(position)),
                "{text}"
            );
            assert!(error.message().contains(part), "{error}");
            assert!(!error.message().contains("column"), "{error}");
        }
    }

    #[test]
    fn depth_is_capped_before_parsing() {
        let limits = Limits::default();
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(parse(&nested(limits.schema_depth), &limits).is_ok());
        let error = parse(&nested(limits.schema_depth + 1), &limits).unwrap_err();
        assert!(error.is_limit());
        assert_eq!(error.position(), Some((1, limits.schema_depth + 1)));
        assert!(
            parse(&"[".repeat(1_000_000), &limits)
                .unwrap_err()
                .is_limit()
        );
        let flat = format!("[\"{}\\\"[\"]", "[".repeat(1000));
        assert!(parse(&flat, &limits).is_ok());
    }

    #[test]
    fn size_is_capped() {
        let limits = Limits {
            source_bytes: 3,
            ..Limits::default()
        };
        assert!(parse("{ }", &limits).is_ok());
        assert!(parse("{  }", &limits).unwrap_err().is_limit());
    }

    #[test]
    fn pointers_are_escaped_and_in_document_order() {
        let document = parse(r#"{"a/b": [1, {"~": 2}], "c": 3}"#, &Limits::default()).unwrap();
        let inner = &document["a/b"][1]["~"];
        let pointers = locate(&document, [&document["c"], inner, &document]);
        let pointers: Vec<_> = pointers.into_iter().map(|(_, pointer)| pointer).collect();
        assert_eq!(pointers, ["", "/a~1b/1/~0", "/c"]);
    }
}
