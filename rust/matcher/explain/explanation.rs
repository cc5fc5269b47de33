//! What is told of a token: the answers of a matcher that is asked for reasons.

use crate::vocab::TokenId;
use std::fmt;

/// Why something may not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A stop token has ended the text.
    Ended,
    /// The text may not end here.
    Unfinished,
    /// The token is known by its id only, and the grammar does not name it.
    Special,
    /// The token has no text.
    Empty,
    /// Keywords of a schema refuse it.
    Keyword,
    /// Options of the grammar alone refuse it, such as the spelling of numbers.
    Option,
    /// The key has come already.
    RepeatedKey,
    /// It is no JSON.
    Syntax,
    /// The rules of a grammar in which it stands do not go on like that.
    Rule,
    /// The text could not be finished within `max_tokens`.
    Budget,
    /// The vocabulary has no tokens that finish the text.
    Unspellable,
    /// It takes more work than [`Limits::explain_work`](crate::Limits::explain_work) to tell.
    Undecided,
}

impl Refusal {
    /// The name of the kind, as the Python package gives it in `Explanation.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Ended => "ended",
            Refusal::Unfinished => "unfinished",
            Refusal::Special => "special",
            Refusal::Empty => "empty",
            Refusal::Keyword => "keyword",
            Refusal::Option => "option",
            Refusal::RepeatedKey => "repeated_key",
            Refusal::Syntax => "syntax",
            Refusal::Rule => "rule",
            Refusal::Budget => "budget",
            Refusal::Unspellable => "unspellable",
            Refusal::Undecided => "undecided",
        }
    }
}

/// Whether a token or bytes may come next, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked about, in words.
    pub subject: String,
    /// Why it may not come; `None` if it may.
    pub refusal: Option<Refusal>,
    /// Why it may not come, in words; empty if it may.
    pub reason: String,
    /// Where in the text it is refused: the bytes before that place.
    pub offset: usize,
    /// The line of that place, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The first byte that does not fit: an index into the bytes that were asked about. `None` if none
    /// of them is at fault.
    pub refused_byte: Option<usize>,
    /// The JSON pointer of the value that is being read there; `None` outside of JSON.
    pub value_pointer: Option<String>,
    /// The JSON pointers of the keywords that refuse it, in the schema.
    pub keywords: Vec<String>,
    /// The options of the grammar that refuse it: `whitespace`, `indent`,
    /// `property_order`, `spelling`.
    pub options: Vec<&'static str>,
    /// The rules of the grammar of which one would have to allow more, from the outermost, each with its
    /// line if it has one.
    pub rules: Vec<(String, Option<usize>)>,
    /// What may come in its place, in words.
    pub expected: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(refusal) = self.refusal else {
            return write!(f, "{} is allowed", self.subject);
        };
        write!(
            f,
            "{} is refused at line {}, column {} (byte {})",
            self.subject, self.line, self.column, self.offset
        )?;
        if let Some(pointer) = &self.value_pointer {
            match &**pointer {
                "" => write!(f, ", in the outermost value")?,
                pointer => write!(f, ", in the value at {pointer}")?,
            }
        }
        write!(f, ": {}", self.reason)?;
        match refusal {
            Refusal::Ended | Refusal::Budget => Ok(()),
            _ => write!(f, ". What may come there: {}", self.expected),
        }
    }
}

/// What may come next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// In words, whatever the vocabulary and the budget.
    pub description: String,
    /// How many tokens may come, stop tokens included.
    pub count: usize,
    /// The first of these, by rising id.
    pub tokens: Vec<TokenId>,
    /// Whether the text may end here.
    pub may_end: bool,
}
