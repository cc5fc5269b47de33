//! What escapes and the characters of classes stand for.

use crate::error::Error;
use crate::regex::classes;
use crate::regex::codeset::{self, CodeSet};
use crate::regex::parse::cursor::Cursor;

/// What an escape or a character of a class stands for.
pub(super) enum Item {
    Char(u32),
    Set(CodeSet),
    /// What `\p{…}` or `\P{…}` stands for.
    Property(CodeSet),
}

impl Item {
    pub(super) fn set(self) -> CodeSet {
        match self {
            Item::Char(c) => CodeSet::single(c),
            Item::Set(set) | Item::Property(set) => set,
        }
    }
}

impl Cursor {
    /// A character of a class, or what an escape in it stands for.
    pub(super) fn class_item(&mut self) -> Result<Item, Error> {
        let start = self.at;
        let c = self.chars[start];
        self.at += 1;
        if c != '\\' {
            return Ok(Item::Char(c.into()));
        }
        if self.eat("b") {
            return Ok(Item::Char(0x08));
        }
        self.escape(start)
    }

    /// What follows the `\` at `start`, but for word boundaries.
    pub(super) fn escape(&mut self, start: usize) -> Result<Item, Error> {
        let Some(c) = self.peek() else {
            return Err(self.grammar(start, "`\\` escapes nothing"));
        };
        self.at += 1;
        let next_is_digit = self.peek().is_some_and(|c| c.is_ascii_digit());
        Ok(match c {
            'd' => Item::Set(classes::digit()),
            'D' => Item::Set(classes::digit().complement()),
            'w' => Item::Set(classes::word()),
            'W' => Item::Set(classes::word().complement()),
            's' => Item::Set(classes::space()),
            'S' => Item::Set(classes::space().complement()),
            'p' | 'P' => Item::Property(self.property(start, c == 'P')?),
            'f' => Item::Char(0x0C),
            'n' => Item::Char(0x0A),
            'r' => Item::Char(0x0D),
            't' => Item::Char(0x09),
            'v' => Item::Char(0x0B),
            '0' if !next_is_digit => Item::Char(0),
            'c' => Item::Char(self.control(start)?),
            'x' => Item::Char(self.hex(start, 2)?),
            'u' => Item::Char(self.unicode(start)?),
            '1'..='9' => return Err(self.backreference(start)),
            'k' if self.peek() == Some('<') => return Err(self.backreference(start)),
            'A' | 'Z' | 'z' => {
                let anchor = if c == 'A' { '^' } else { '$' };
                let message = format!("ECMA-262 has no `\\{c}`; its anchor is `{anchor}`");
                return Err(self.grammar(start, message));
            }
            '0' | 'a'..='z' | 'A'..='Z' => {
                return Err(self.grammar(start, format!("ECMA-262 has no escape `\\{c}`")));
            }
            // Annex B: any other character escapes to itself.
            _ => Item::Char(c.into()),
        })
    }

    fn backreference(&self, start: usize) -> Error {
        self.unsupported(start, "backreferences are not regular")
    }

    /// `\cX`, X a letter.
    fn control(&mut self, start: usize) -> Result<u32, Error> {
        match self.peek() {
            Some(c) if c.is_ascii_alphabetic() => {
                self.at += 1;
                Ok(u32::from(c) % 32)
            }
            _ => Err(self.grammar(start, "`\\c` needs a letter")),
        }
    }

    /// Exactly `count` hexadecimal digits.
    fn hex(&mut self, start: usize, count: usize) -> Result<u32, Error> {
        let digits: String = self.chars[self.at..].iter().take(count).collect();
        let is_hex = digits.len() == count && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(&digits, 16) {
            Ok(value) if is_hex => {
                self.at += count;
                Ok(value)
            }
            _ => {
                let message = format!("`{}` needs {count} hexadecimal digits", self.piece(start));
                Err(self.grammar(start, message))
            }
        }
    }

    /// `\uHHHH`, a surrogate pair of two, or `\u{…}`.
    fn unicode(&mut self, start: usize) -> Result<u32, Error> {
        if self.eat("{") {
            let from = self.at;
            while self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
                self.at += 1;
            }
            let value = u32::from_str_radix(&self.piece(from), 16).ok();
            return match value.filter(|&v| v <= codeset::MAX) {
                Some(value) if self.eat("}") => Ok(value),
                _ => Err(self.grammar(start, "`\\u{…}` holds no code point")),
            };
        }
        let lead = self.hex(start, 4)?;
        let after_lead = self.at;
        if (0xD800..0xDC00).contains(&lead) && self.eat("\\u") {
            if let Ok(trail @ 0xDC00..=0xDFFF) = self.hex(after_lead, 4) {
                return Ok(0x1_0000 + ((lead - 0xD800) << 10) + (trail - 0xDC00));
            }
            self.at = after_lead;
        }
        Ok(lead)
    }

    /// What follows `\p` or `\P`.
    fn property(&mut self, start: usize, negated: bool) -> Result<CodeSet, Error> {
        let open = self.eat("{");
        let name: String = self.chars[self.at..]
            .iter()
            .take_while(|&&c| c != '}')
            .collect();
        if open && self.at + name.chars().count() < self.chars.len() {
            self.at += name.chars().count() + 1;
            if let Some(set) = classes::property(&name) {
                return Ok(if negated { set.complement() } else { set });
            }
        }
        let message = format!("`{}` names no known Unicode property", self.piece(start));
        Err(self.grammar(start, message))
    }
}
