//! A place in a pattern's text.

use crate::error::{Error, ErrorKind};

pub(super) struct Cursor {
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
}

impl Cursor {
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Goes past a text, if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// Whether a text comes next.
    fn looking_at(&self, text: &str) -> bool {
        let rest = self.chars[self.at..].iter().copied();
        text.chars().count() <= self.chars.len() - self.at
            && rest.zip(text.chars()).all(|(a, b)| a == b)
    }

    /// The text from `from` to the current position, for messages.
    pub(super) fn piece(&self, from: usize) -> String {
        self.chars[from..self.at.min(self.chars.len())]
            .iter()
            .collect()
    }

    /// An error at a place, given as the index of a character.
    pub(super) fn error(&self, kind: ErrorKind, at: usize, message: impl Into<String>) -> Error {
        let before = &self.chars[..at.min(self.chars.len())];
        let line = 1 + before.iter().filter(|&&c| c == '\n').count();
        let column = 1 + before.iter().rev().take_while(|&&c| c != '\n').count();
        Error::at_position(kind, line, column, message)
    }

    pub(super) fn grammar(&self, at: usize, message: impl Into<String>) -> Error {
        self.error(ErrorKind::Grammar, at, message)
    }

    pub(super) fn unsupported(&self, at: usize, message: impl Into<String>) -> Error {
        self.error(ErrorKind::Unsupported, at, message)
    }

    /// Decimal digits, maybe none.
    pub(super) fn digits(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.piece(start)
    }
}
