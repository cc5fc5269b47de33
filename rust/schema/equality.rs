//! Equality of JSON values as JSON Schema defines it.

use serde_json::Value;

use crate::decimal::Decimal;

/// Numbers are equal by value (`1` and `1.0`), objects regardless of the order of their keys.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_str(), b.as_str());
            match (Decimal::parse(a), Decimal::parse(b)) {
                (Some(a), Some(b)) => a == b,
                // An exponent beyond 32 bits.
                _ => a == b,
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_value() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (a, b, expected) in [
            ("1", "1.0", true),
            ("100", "1e2", true),
            ("9007199254740993", "9007199254740992", false),
            (r#"{"a": 1, "b": [2]}"#, r#"{"b": [2.0], "a": 1}"#, true),
            (r#"{"a": 1}"#, r#"{"a": 1, "b": 1}"#, false),
            (r#"{"a": 1}"#, r#"{"b": 1}"#, false),
            ("[1, 2]", "[2, 1]", false),
            ("[1]", "[1, 2]", false),
            ("0", "false", false),
            (r#""1""#, "1", false),
            ("null", "null", true),
        ] {
            assert_eq!(equal(&value(a), &value(b)), expected, "{a} {b}");
        }
    }
}
