//! Texts inside what is being read, interned.

use crate::intern::Interner;

/// A text inside an object that is being read: a chain of characters, so that equal texts are equal
/// ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TextId(pub(crate) u32);

/// No character: the one character of [`TextId::WHATEVER`].
const WHATEVER: u32 = u32::MAX;
/// No character: the one character of [`TextId::START`].
const START: u32 = u32::MAX - 1;

impl TextId {
    pub(crate) const EMPTY: TextId = TextId(0);
    /// Stands for the text of any undeclared key, whichever it is. No token spells it.
    pub(crate) const WHATEVER: TextId = TextId(1);
    /// An empty text that is being recorded.
    pub(crate) const START: TextId = TextId(2);
}

/// A store of texts.
#[derive(Debug)]
pub(crate) struct Texts(Interner<Option<(TextId, u32)>>);

impl Texts {
    pub(crate) fn new() -> Self {
        let texts = Interner::new();
        texts.intern(None);
        texts.intern(Some((TextId::EMPTY, WHATEVER)));
        texts.intern(Some((TextId::EMPTY, START)));
        Texts(texts)
    }

    /// The text `before` with one more character.
    pub(crate) fn longer(&self, before: TextId, c: u32) -> TextId {
        if before == TextId::WHATEVER {
            return before;
        }
        TextId(self.0.intern(Some((before, c))))
    }

    pub(crate) fn text(&self, text: &str) -> TextId {
        text.chars()
            .fold(TextId::EMPTY, |before, c| self.longer(before, u32::from(c)))
    }

    pub(crate) fn spell(&self, id: TextId) -> String {
        self.characters(id)
            .into_iter()
            .map(|c| char::from_u32(c).unwrap_or(char::MAX))
            .collect()
    }

    /// Whether a text begins with another.
    pub(crate) fn begins_with(&self, mut text: TextId, start: TextId) -> bool {
        while text != start
            && let &Some((shorter, _)) = self.0.get(text.0)
        {
            text = shorter;
        }
        text == start
    }

    /// The characters of a text. That of [`TextId::WHATEVER`] is none.
    fn characters(&self, id: TextId) -> Vec<u32> {
        match id {
            TextId::WHATEVER => vec![WHATEVER; 64],
            _ => self.since(TextId::EMPTY, id),
        }
    }

    /// The characters of a text after those of `before`, with which it begins.
    fn since(&self, before: TextId, mut id: TextId) -> Vec<u32> {
        let mut reversed = Vec::new();
        while id != before
            && let &Some((shorter, c)) = self.0.get(id.0)
        {
            reversed.push(c);
            id = shorter;
        }
        reversed.reverse();
        reversed
    }

    /// The JSON value that was recorded, byte by byte, after `before`.
    pub(crate) fn value_since(&self, before: TextId, id: TextId) -> Option<serde_json::Value> {
        let bytes = self.since(before, id);
        let bytes: Vec<u8> = bytes
            .into_iter()
            .filter_map(|b| u8::try_from(b).ok())
            .collect();
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        reader.disable_recursion_limit();
        serde::Deserialize::deserialize(&mut reader).ok()
    }
}
