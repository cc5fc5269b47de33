//! Reasons in words.

use crate::compile::Options;
use crate::machine::Whitespace;
use crate::matcher::explain::explanation::{Explanation, Refusal};
use crate::matcher::explain::search::Unit;

/// Says which constraints refuse the text.
pub(super) fn name_groups(
    explanation: &mut Explanation,
    options: &Options,
    groups: &[Vec<Unit>],
    all: bool,
) {
    let sentences: Vec<String> = groups
        .iter()
        .map(|group| name_group(explanation, options, group))
        .collect();
    explanation.reason = sentences.join("; besides, ");
    if !all {
        explanation.reason += "; more was not found out within the limit `explain_work`";
    }
    explanation.refusal = Some(match explanation.keywords.is_empty() {
        true => Refusal::Option,
        false => Refusal::Keyword,
    });
}

fn name_group(explanation: &mut Explanation, settings: &Options, group: &[Unit]) -> String {
    let (mut keywords, mut options) = (Vec::new(), Vec::new());
    for unit in group {
        match unit {
            Unit::Keyword(_, constraint) => {
                explanation.keywords.push(constraint.pointer.clone());
                let pointer = match &*constraint.pointer {
                    "" => "the schema",
                    pointer => pointer,
                };
                keywords.push(format!("{pointer} ({})", constraint.words));
            }
            option => options.push(option),
        }
    }
    for &option in &options {
        explanation.options.push(option_words(settings, option).0);
    }
    let words = options.iter().map(|option| option_words(settings, option));
    let reason = match &keywords[..] {
        [] => {
            let words: Vec<String> = words.map(|(.., what)| what).collect();
            return words.join(", and ");
        }
        [keyword] => format!("refused by {keyword}"),
        _ => format!("refused by {} together", listed(&keywords)),
    };
    let with = words.map(|(_, setting, _)| format!(", with {setting}"));
    reason + &with.collect::<String>()
}

/// An option of the grammar: its name, its setting, and what it refuses, in words.
fn option_words(settings: &Options, option: &Unit) -> (&'static str, &'static str, String) {
    let (name, setting, words) = match (option, settings.whitespace) {
        (Unit::Whitespace, Whitespace::Flexible { run }) => {
            let words = format!("at most {run} characters of whitespace may come in a row");
            return ("whitespace", "whitespace=\"flexible\"", words);
        }
        (Unit::Whitespace, Whitespace::Compact) => (
            "whitespace",
            "whitespace=\"compact\"",
            "there is no whitespace",
        ),
        (Unit::Whitespace, Whitespace::Spaced) => (
            "whitespace",
            "whitespace=\"spaced\"",
            "one space, and no other whitespace, comes after each comma and colon",
        ),
        (Unit::Whitespace, Whitespace::SpacedCommas) => (
            "whitespace",
            "whitespace=(\", \", \":\")",
            "one space, and no other whitespace, comes after each comma",
        ),
        (Unit::Whitespace, Whitespace::SpacedColons) => (
            "whitespace",
            "whitespace=(\",\", \": \")",
            "one space, and no other whitespace, comes after each colon",
        ),
        (Unit::Whitespace, Whitespace::Indented { .. }) => (
            "indent",
            "indent=…",
            "each item and member is on a line of its own, indented as json.dumps does it",
        ),
        (Unit::Spelling, _) => (
            "spelling",
            "spelling=\"plain\"",
            "strings and numbers are written as json.dumps writes them",
        ),
        (Unit::PropertyOrder | Unit::Keyword(..), _) => (
            "property_order",
            "property_order=\"schema\"",
            "keys come in the order of the schema",
        ),
    };
    (name, setting, format!("with {setting}, {words}"))
}

/// Some things one after the other, not too many.
pub(super) fn listed(words: &[String]) -> String {
    const MOST: usize = 8;
    match words {
        [first @ .., last] if !first.is_empty() && first.len() < MOST => {
            format!("{} and {last}", first.join(", "))
        }
        _ if words.len() > MOST => {
            let more = words.len() - MOST;
            format!("{} and {more} more", words[..MOST].join(", "))
        }
        _ => words.join(", "),
    }
}

/// Line and character of the end of a text, from 1.
pub(super) fn position(text: &[u8]) -> (usize, usize) {
    let line = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = text
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let before = String::from_utf8_lossy(&text[start..]);
    (line, before.chars().count() + 1)
}

/// Bytes as text in quotes, shortened.
pub(super) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 60;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::Value::from(text).to_string(),
        Err(_) => format!("b\"{}\"", bytes.escape_ascii()),
    };
    match text.char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
