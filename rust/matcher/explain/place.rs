//! Where in a JSON value a text that has begun it stands.

use crate::schema::extend_pointer;

/// The values around the end of a text that begins a JSON value.
///
/// The text is taken to be well-formed: a matcher has read it.
#[derive(Debug, Default)]
pub(super) struct JsonPlace {
    around: Vec<Container>,
    state: PlaceState,
    /// The bytes of the string or key that is open, from its quote on.
    open: Vec<u8>,
}

#[derive(Debug)]
enum Container {
    /// `key` is that of the member that has begun last.
    Object {
        keys: Vec<String>,
        key: Option<String>,
    },
    /// Items that have ended or begun.
    Array { index: usize },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PlaceState {
    /// A value is to begin.
    #[default]
    Before,
    /// An object or array has just been opened.
    Opened,
    /// A key is to begin, after a comma.
    BeforeKey,
    InKey,
    InString,
    InLiteral,
    InNumber,
    After,
}

impl JsonPlace {
    pub(super) fn after(text: &[u8]) -> Self {
        let mut place = JsonPlace::default();
        let mut escaped = false;
        for &byte in text {
            match place.state {
                PlaceState::InKey | PlaceState::InString => {
                    place.open.push(byte);
                    if escaped || byte == b'\\' {
                        escaped = !escaped;
                    } else if byte == b'"' {
                        place.end_string();
                    }
                }
                _ => place.read(byte),
            }
        }
        place
    }

    fn read(&mut self, byte: u8) {
        let in_object = matches!(self.around.last(), Some(Container::Object { .. }));
        match byte {
            b'{' => {
                let (keys, key) = (Vec::new(), None);
                self.around.push(Container::Object { keys, key });
                self.state = PlaceState::Opened;
            }
            b'[' => {
                self.around.push(Container::Array { index: 0 });
                self.state = PlaceState::Opened;
            }
            b'}' | b']' => {
                self.around.pop();
                self.state = PlaceState::After;
            }
            b',' => {
                if let Some(Container::Array { index }) = self.around.last_mut() {
                    *index += 1;
                }
                self.state = if in_object {
                    PlaceState::BeforeKey
                } else {
                    PlaceState::Before
                };
            }
            b':' => self.state = PlaceState::Before,
            b'"' => {
                let is_key =
                    in_object && matches!(self.state, PlaceState::Opened | PlaceState::BeforeKey);
                self.state = if is_key {
                    PlaceState::InKey
                } else {
                    PlaceState::InString
                };
                self.open = vec![byte];
            }
            b'-' | b'0'..=b'9' => self.state = PlaceState::InNumber,
            byte if byte.is_ascii_whitespace() => {
                if self.state == PlaceState::InNumber {
                    self.state = PlaceState::After;
                }
            }
            _ if self.state == PlaceState::InNumber => {}
            byte => {
                if self.state != PlaceState::InLiteral {
                    self.open.clear();
                }
                self.open.push(byte);
                let words: [&[u8]; 6] = [b"null", b"true", b"false", b"None", b"True", b"False"];
                let is_whole = words.contains(&&*self.open);
                self.state = if is_whole {
                    PlaceState::After
                } else {
                    PlaceState::InLiteral
                };
            }
        }
    }

    fn end_string(&mut self) {
        if self.state == PlaceState::InKey
            && let Some(Container::Object { keys, key }) = self.around.last_mut()
        {
            let text: String = serde_json::from_slice(&self.open).unwrap_or_default();
            keys.push(text.clone());
            *key = Some(text);
        }
        self.state = PlaceState::After;
    }

    /// Takes a number to have ended, if one is being read.
    pub(super) fn end_number(&mut self) {
        if self.state == PlaceState::InNumber {
            self.state = PlaceState::After;
        }
    }

    /// The JSON pointer of the innermost value that a next byte is about: the value that is being
    /// read or is to begin, else the object or array around it.
    pub(super) fn pointer(&self, next: u8) -> String {
        let mut pointer = String::new();
        for (depth, container) in self.around.iter().enumerate() {
            let is_inside = depth + 1 < self.around.len()
                || match self.state {
                    PlaceState::Before
                    | PlaceState::InString
                    | PlaceState::InLiteral
                    | PlaceState::InNumber => true,
                    PlaceState::Opened => {
                        matches!(container, Container::Array { .. }) && next != b']'
                    }
                    _ => false,
                };
            match container {
                _ if !is_inside => {}
                Container::Object { key, .. } => {
                    extend_pointer(&mut pointer, key.as_deref().unwrap_or_default());
                }
                Container::Array { index } => extend_pointer(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }

    /// The key that a next byte ends, if the object has it already.
    pub(super) fn repeated_key(&self, next: u8) -> Option<String> {
        let Some(Container::Object { keys, .. }) = self.around.last() else {
            return None;
        };
        if self.state != PlaceState::InKey || next != b'"' {
            return None;
        }
        let mut whole = self.open.clone();
        whole.push(next);
        let key: String = serde_json::from_slice(&whole).ok()?;
        keys.contains(&key).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_pointers() {
        for (text, next, pointer) in [
            ("", b'x', ""),
            ("{", b'x', ""),
            (r#"{"a"#, b'x', ""),
            (r#"{"a\"/b": "#, b'x', "/a\"~1b"),
            (r#"{"a": 1"#, b'x', "/a"),
            (r#"{"a": 1 "#, b'x', ""),
            (r#"{"a": 1e"#, b'x', "/a"),
            (r#"{"a": "b"#, b'x', "/a"),
            (r#"{"a": "b","#, b'x', ""),
            (r#"{"a": tru"#, b'x', "/a"),
            (r#"{"a": true"#, b'x', ""),
            (r#"{"a": {"b": [1, [], {"c": "#, b'x', "/a/b/2/c"),
            ("[", b'x', "/0"),
            ("[", b']', ""),
            ("[1, 2", b'x', "/1"),
            ("[\"\", ", b'x', "/1"),
            ("[[]", b'x', ""),
            (r#"{"\u0061": "x", "b": {}, "c": "#, b'x', "/c"),
        ] {
            assert_eq!(
                JsonPlace::after(text.as_bytes()).pointer(next),
                pointer,
                "{text}"
            );
        }
    }

    #[test]
    fn keys_that_come_twice_are_told() {
        let repeated = |text: &str| JsonPlace::after(text.as_bytes()).repeated_key(b'"');
        assert_eq!(repeated(r#"{"a": 1, "\u0061"#), Some("a".to_owned()));
        assert_eq!(repeated(r#"{"b": {"a": 1}, "a"#), None);
        assert_eq!(repeated(r#"{"a": "a"#), None);
    }
}
