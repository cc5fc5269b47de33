//! Formats that many schemas use, and whose first masks take long to find.

use std::sync::Arc;

use crate::compile::{Grammar, Options};
use crate::error::Error;
use crate::vocab::Vocabulary;
use crate::vocab::token::MaskWord;

/// Texts that meet most of what a format tells apart.
const TEXTS: [(&str, &[&str]); 4] = [
    (
        "email",
        &["ada.lovelace@example.com", "x_1@mail.my-host.co.uk"],
    ),
    ("hostname", &["localhost", "db-1.my-host.example.com"]),
    ("uri", &["https://www.example.com:8080/a/b.html?c=d&e#f"]),
    (
        "date-time",
        &["2026-11-24T12:30:00Z", "2026-11-24T12:30:00.25+02:00"],
    ),
];

/// With fewer tokens, first masks are found in no time.
const MANY_TOKENS: usize = 1 << 14;

impl Vocabulary {
    /// Finds masks of common formats, such as `email`, for all grammars on the vocabulary: those take
    /// milliseconds in large vocabularies, which is long for a step of a generation.
    pub fn prepare_formats(self: &Arc<Self>) {
        if self.size() < MANY_TOKENS {
            return;
        }
        for (format, texts) in TEXTS {
            // A vocabulary that cannot spell a format needs no masks of it.
            let _ = self.read_format(format, texts);
        }
    }

    fn read_format(self: &Arc<Self>, format: &str, texts: &[&str]) -> Result<(), Error> {
        let schema = format!(r#"{{"type": "string", "format": "{format}"}}"#);
        let grammar = Grammar::from_json_schema(&schema, Options::default())?;
        let compiled = grammar.compile(Arc::clone(self))?;
        let mut bits = vec![MaskWord::NONE; self.mask_words()];
        for text in texts {
            let mut matcher = compiled.matcher(None)?;
            for byte in format!("\"{text}").bytes() {
                matcher.fill_mask(&mut bits)?;
                matcher.accept_bytes(&[byte]);
            }
            matcher.fill_mask(&mut bits)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_of_their_formats() {
        let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        let stop = [crate::TokenId(255)];
        let vocabulary = Arc::new(Vocabulary::new(&tokens, &stop, &[]).unwrap());
        for (format, texts) in TEXTS {
            let schema = format!(r#"{{"format": "{format}"}}"#);
            let grammar = Grammar::from_json_schema(&schema, Options::default()).unwrap();
            let compiled = grammar.compile(vocabulary.clone()).unwrap();
            for text in texts {
                let mut matcher = compiled.matcher(None).unwrap();
                let all = format!("\"{text}\"");
                assert!(matcher.accept_bytes(all.as_bytes()), "{all}");
                assert!(matcher.is_accepting(), "{all}");
            }
        }
    }
}
