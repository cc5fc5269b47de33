//! Where the parts of a JSON value are in its text.

use std::ops::Range;

use serde::de::IgnoredAny;

use crate::error::{Error, ErrorKind};

/// A JSON value: where its parts are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OutlinePart {
    /// The bytes of a string, a number or a word.
    Scalar(Range<usize>),
    /// The items, as indices into [`Outline::parts`].
    Array(Vec<usize>),
    Object(Vec<OutlineMember>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutlineMember {
    /// The bytes of the key, with its quotes.
    pub(crate) key: Range<usize>,
    /// An index into [`Outline::parts`].
    pub(crate) value: usize,
}

/// A JSON text and all values in it.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    pub(crate) text: &'a [u8],
    /// Each value before those inside it.
    pub(crate) parts: Vec<OutlinePart>,
}

impl<'a> Outline<'a> {
    /// Reads a text. Lone surrogates in escapes are allowed.
    ///
    /// # Errors
    ///
    /// If the text is not JSON.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, Error> {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|error| {
            let (line, column) = (error.line().max(1), error.column().max(1));
            let message = "the value is not valid JSON";
            Error::at_position(ErrorKind::Grammar, line, column, message)
        })?;
        let mut parts = Vec::new();
        let mut open = Vec::new();
        let mut key = None;
        let mut at = 0;
        while at < text.len() {
            let start = at;
            at = end_of_token(text, start);
            match text[start] {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => continue,
                b'}' | b']' => {
                    open.pop();
                    continue;
                }
                _ => {}
            }
            let value = parts.len();
            match open.last().map(|&around: &usize| &mut parts[around]) {
                Some(OutlinePart::Object(members)) => match key.take() {
                    Some(key) => members.push(OutlineMember { key, value }),
                    None => {
                        key = Some(start..at);
                        continue;
                    }
                },
                Some(OutlinePart::Array(items)) => items.push(value),
                Some(OutlinePart::Scalar(_)) | None => {}
            }
            parts.push(match text[start] {
                b'{' => OutlinePart::Object(Vec::new()),
                b'[' => OutlinePart::Array(Vec::new()),
                _ => OutlinePart::Scalar(start..at),
            });
            if !matches!(parts[value], OutlinePart::Scalar(_)) {
                open.push(value);
            }
        }
        Ok(Outline { text, parts })
    }

    /// The text of a member's key, unless it is no text of Unicode.
    pub(crate) fn key(&self, member: &OutlineMember) -> Option<String> {
        serde_json::from_slice(&self.text[member.key.clone()]).ok()
    }
}

/// Where the token that begins at `start` ends, in a text that is JSON.
fn end_of_token(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    match text[start] {
        b'"' => {
            while text[at] != b'"' {
                at += if text[at] == b'\\' { 2 } else { 1 };
            }
            at + 1
        }
        byte if is_of_word(byte) => {
            while at < text.len() && is_of_word(text[at]) {
                at += 1;
            }
            at
        }
        _ => at,
    }
}

/// Whether a byte is one of a number, or of `true`, `false` and `null`.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_place() {
        let text = br#" {"a\"}": [1.5e-3, {}, "x]"], "b" : null} "#;
        let outline = Outline::new(text).unwrap();
        let shown = |range: &Range<usize>| std::str::from_utf8(&text[range.clone()]).unwrap();
        let [
            OutlinePart::Object(members),
            OutlinePart::Array(items),
            one,
            two,
            three,
            four,
        ] = &outline.parts[..]
        else {
            panic!("{outline:?}");
        };
        let keys: Vec<&str> = members.iter().map(|member| shown(&member.key)).collect();
        assert_eq!(keys, [r#""a\"}""#, r#""b""#]);
        assert_eq!(outline.key(&members[0]).unwrap(), r#"a"}"#);
        assert_eq!((members[0].value, members[1].value), (1, 5));
        assert_eq!(
            (&items[..], two),
            (&[2, 3, 4][..], &OutlinePart::Object(vec![]))
        );
        for (part, expected) in [(one, "1.5e-3"), (three, "\"x]\""), (four, "null")] {
            let OutlinePart::Scalar(range) = part else {
                panic!("{part:?}")
            };
            assert_eq!(shown(range), expected);
        }
    }

    #[test]
    fn what_is_not_json_has_a_position() {
        for text in ["", "[1,]", "{\"a\" 1}", "NaN", "{}{}", "\"\n\"", "[1"] {
            let error = Outline::new(text.as_bytes()).unwrap_err();
            assert!(error.position().is_some(), "{text}: {error}");
        }
        let outline = Outline::new(br#"{"\ud800": "\udfff"}"#).unwrap();
        let OutlinePart::Object(members) = &outline.parts[0] else {
            panic!("{outline:?}")
        };
        assert_eq!(outline.key(&members[0]), None);
        let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        assert_eq!(Outline::new(deep.as_bytes()).unwrap().parts.len(), 100_000);
    }
}
