//! The text of a grammar, read from left to right.

use crate::error::{Error, ErrorKind};
use crate::grammar::syntax::{SourcePlace, TokenName};
use crate::limits::Limits;
use crate::regex::codeset::MAX;
use crate::work;

const NO_CHARACTER: &str = "the escape stands for no character";

/// A place in a text.
#[derive(Debug)]
pub(super) struct Source {
    chars: Vec<char>,
    pub(super) at: usize,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Open groups.
    depth: usize,
    deepest: usize,
}

impl Source {
    pub(super) fn new(text: &str, limits: &Limits) -> Result<Self, Error> {
        if text.len() > limits.source_bytes {
            let message = format!("the grammar has more than {} bytes", limits.source_bytes);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        work::spend(text.len() / 4);
        work::hold(size_of::<char>() * text.len());
        let chars: Vec<char> = text.chars().collect();
        let ends = (0..chars.len())
            .filter(|&i| chars[i] == '\n' || chars[i] == '\r' && chars.get(i + 1) != Some(&'\n'));
        let lines: Vec<usize> = std::iter::once(0).chain(ends.map(|i| i + 1)).collect();
        work::hold(size_of_val(&*lines));
        Ok(Source {
            chars,
            at: 0,
            lines,
            depth: 0,
            deepest: limits.pattern_depth,
        })
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    pub(super) fn looks_at(&self, text: &str) -> bool {
        let mut rest = self.chars[self.at..].iter();
        text.chars().all(|c| rest.next() == Some(&c))
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.looks_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// Reads characters as long as they are wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.text(from)
    }

    /// The rest of a token's name that began at `from`, up to its `>`.
    pub(super) fn token_name(&mut self, from: usize) -> Result<TokenName, Error> {
        self.take_while(|c| c != '>' && c != '\n' && c != '\r');
        if !self.eat(">") {
            return Err(self.error(from, "the token's name is not closed by `>`"));
        }
        Ok(TokenName::Name(self.text(from).into()))
    }

    /// The text from a position to here.
    pub(super) fn text(&self, from: usize) -> String {
        self.chars[from..self.at].iter().collect()
    }

    /// Everything from here on.
    pub(super) fn rest(&self) -> String {
        self.chars[self.at..].iter().collect()
    }

    pub(super) fn place(&self, at: usize) -> SourcePlace {
        let line = self.lines.partition_point(|&start| start <= at);
        SourcePlace {
            line,
            column: at - self.lines[line - 1] + 1,
        }
    }

    /// An error at a position, with what stands there.
    pub(super) fn error(&self, at: usize, message: impl AsRef<str>) -> Error {
        self.error_of(ErrorKind::Grammar, at, message)
    }

    pub(super) fn error_of(&self, kind: ErrorKind, at: usize, message: impl AsRef<str>) -> Error {
        /// Characters of the text that a message shows.
        const SHOWN: usize = 24;
        let SourcePlace { line, column } = self.place(at);
        let here = self.chars[at.min(self.chars.len())..].iter().copied();
        let here = here.take_while(|&c| c != '\n' && c != '\r');
        let here: String = here.take(SHOWN).collect();
        let message = match here.is_empty() && at >= self.chars.len() {
            true => format!("{}, at the end of the grammar", message.as_ref()),
            false if here.is_empty() => format!("{}, at the end of the line", message.as_ref()),
            false => format!("{}, at `{here}`", message.as_ref()),
        };
        Error::at_position(kind, line, column, message)
    }

    /// Enters a group.
    pub(super) fn open(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > self.deepest {
            let message = format!("groups nest deeper than {}", self.deepest);
            return Err(self.error_of(ErrorKind::Limit, self.at, message));
        }
        Ok(())
    }

    /// Leaves a group.
    pub(super) fn close(&mut self) {
        self.depth -= 1;
    }

    /// A decimal number.
    pub(super) fn number(&mut self) -> Result<u32, Error> {
        let from = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.error(from, "a number is missing"));
        }
        let number = digits.parse();
        number.map_err(|_| self.error(from, "the number is too large"))
    }

    /// A code point by so many hexadecimal digits; `from` is where it began.
    pub(super) fn hex(&mut self, digits: usize, from: usize) -> Result<u32, Error> {
        let mut bits = 0_u32;
        for _ in 0..digits {
            let digit = self.peek().and_then(|c| c.to_digit(16));
            let digit = digit.ok_or_else(|| {
                self.error(from, format!("an escape needs {digits} hexadecimal digits"))
            })?;
            bits = bits << 4 | digit;
            self.at += 1;
        }
        match bits {
            0..=MAX => Ok(bits),
            _ => Err(self.error(from, NO_CHARACTER)),
        }
    }

    /// The character of a code point that was written at `from`; surrogates are none.
    pub(super) fn character(&self, code: u32, from: usize) -> Result<char, Error> {
        char::from_u32(code).ok_or_else(|| self.error(from, NO_CHARACTER))
    }
}
