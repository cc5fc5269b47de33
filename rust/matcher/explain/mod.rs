//! Why a token is refused, and what may come, in words.

mod explanation;
mod place;
mod search;
mod wording;

use crate::error::Error;
use crate::limits::Limits;
use crate::machine::Config;
use crate::matcher::Matcher;
use crate::vocab::token::{MaskWord, TokenId, bits_of};
use crate::work;
use place::JsonPlace;
use search::{Found, Last, Search};
use wording::{listed, position, shown};

pub use explanation::{Allowed, Explanation, Refusal};
pub(super) use search::TextPiece;

impl Matcher {
    /// What may come next: in words, and the first `limit` tokens that may.
    ///
    /// # Errors
    ///
    /// If the text so far can be read in too many ways (see [`Limits::readings`]), or the mask
    /// takes too much work.
    pub fn allowed(&self, limit: usize) -> Result<Allowed, Error> {
        let mut bits = vec![MaskWord::NONE; self.compiled.vocabulary().mask_words()];
        self.fill_mask(&mut bits)?;
        Ok(Allowed {
            description: self.description(self.now.config)?,
            count: bits.iter().map(|word| word.0.count_ones() as usize).sum(),
            tokens: bits_of(&bits).take(limit).collect(),
            may_end: self.is_terminated() || self.is_accepting(),
        })
    }

    /// Why a token may not come next, or that it may. Nothing is accepted.
    ///
    /// # Errors
    ///
    /// If the vocabulary has no such token, or the text so far can be read in too many ways: see
    /// [`Limits::readings`]. What takes more work than [`Limits::explain_work`] is no error but a
    /// refusal that is [`Refusal::Undecided`].
    pub fn explain(&self, token: TokenId) -> Result<Explanation, Error> {
        let vocabulary = self.compiled.vocabulary();
        let is_allowed = self.clone().accept(token)?;
        let bytes = vocabulary.token(token).unwrap_or_default();
        let subject = match bytes {
            [] => format!("token {token}"),
            bytes => format!("token {token}, {}", shown(bytes)),
        };
        if is_allowed {
            return self.explained(subject);
        }
        if self.now.terminated {
            return self.refused(subject, Refusal::Ended, "the text has ended");
        }
        let is_stop = vocabulary.stop_token_ids().binary_search(&token).is_ok();
        let named = self.metered(Limits::accept, || Ok(self.read_named(token)))?;
        if is_stop && named.is_empty() {
            let subject = format!("{subject}, which ends the text,");
            return self.refused_end(subject);
        }
        if vocabulary.is_text(token) && named.is_empty() {
            return self.refused_bytes(subject, bytes);
        }
        if !named.is_empty() {
            return self.refused_ending(self.explained(subject)?, named[0]);
        }
        match bytes {
            [] => self.refused(subject, Refusal::Empty, "no text has this token"),
            _ => {
                let reason = "it is a special token, known by its id alone, and the grammar does not name it";
                self.refused(subject, Refusal::Special, reason)
            }
        }
    }

    /// Why bytes may not come next, or that they may, as [`Matcher::explain`] does for a token.
    ///
    /// # Errors
    ///
    /// If the text so far can be read in too many ways: see [`Limits::readings`]. What takes more
    /// work than [`Limits::explain_work`] is no error but a refusal that is [`Refusal::Undecided`].
    pub fn explain_bytes(&self, data: &[u8]) -> Result<Explanation, Error> {
        let subject = format!("the text {}", shown(data));
        if self.clone().try_accept_bytes(data)? {
            return self.explained(subject);
        }
        if self.now.terminated {
            return self.refused(subject, Refusal::Ended, "the text has ended");
        }
        self.refused_bytes(subject, data)
    }

    /// Why the text may not end here, or that it may.
    ///
    /// # Errors
    ///
    /// If the text so far can be read in too many ways: see [`Limits::readings`]. What takes more
    /// work than [`Limits::explain_work`] is no error but a refusal that is [`Refusal::Undecided`].
    pub fn explain_end(&self) -> Result<Explanation, Error> {
        let subject = "the end of the text".to_owned();
        match self.now.terminated || self.is_accepting() {
            true => self.explained(subject),
            false => self.refused_end(subject),
        }
    }

    /// What may come next in words, if it takes little to say.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn brief_description(&self) -> Option<String> {
        let machine = &self.engine.machine;
        let describe = || Ok(machine.describer().describe(self.now.config));
        self.metered(Limits::brief, describe).ok()
    }

    /// The bytes that have been accepted; of tokens that are no text, how the vocabulary spells them.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in &self.pieces {
            match piece {
                TextPiece::Bytes(bytes) => text.extend_from_slice(bytes),
                &TextPiece::Token(token) => {
                    text.extend_from_slice(
                        self.compiled.vocabulary().token(token).unwrap_or_default(),
                    );
                }
            }
        }
        text
    }

    fn description(&self, config: Config) -> Result<String, Error> {
        if self.now.terminated {
            return Ok("nothing, since the text has ended".to_owned());
        }
        let machine = &self.engine.machine;
        self.metered(Limits::completion, || {
            Ok(machine.describer().describe(config))
        })
    }

    /// The explanation of something that may come.
    fn explained(&self, subject: String) -> Result<Explanation, Error> {
        let text = self.text();
        let (line, column) = position(&text);
        Ok(Explanation {
            subject,
            refusal: None,
            reason: String::new(),
            offset: text.len(),
            line,
            column,
            refused_byte: None,
            value_pointer: None,
            keywords: Vec::new(),
            options: Vec::new(),
            rules: Vec::new(),
            expected: self.description(self.now.config)?,
        })
    }

    /// The explanation of something that may not come for a reason that has nothing to do with its
    /// text.
    fn refused(
        &self,
        subject: String,
        refusal: Refusal,
        reason: &str,
    ) -> Result<Explanation, Error> {
        Ok(Explanation {
            refusal: Some(refusal),
            reason: reason.to_owned(),
            ..self.explained(subject)?
        })
    }

    fn refused_end(&self, subject: String) -> Result<Explanation, Error> {
        let ending = match self.completion() {
            Ok(ending) => format!(
                "the text is unfinished, and would end with {}",
                shown(&ending)
            ),
            Err(error) if error.is_limit() => "the text is unfinished".to_owned(),
            Err(error) => return Err(error),
        };
        let mut explanation = self.refused(subject, Refusal::Unfinished, &ending)?;
        explanation.value_pointer = self.value_pointer(&self.text(), self.now.config, b' ')?;
        let mut search = Search::new(&self.compiled, &self.pieces, Last::End);
        if let Found::Groups { groups, all } = search.groups()? {
            wording::name_groups(&mut explanation, self.compiled.options(), &groups, all);
            explanation.refusal = Some(Refusal::Unfinished);
            explanation.reason = format!("{ending}: {}", explanation.reason);
        }
        Ok(explanation)
    }

    fn refused_bytes(&self, subject: String, data: &[u8]) -> Result<Explanation, Error> {
        let mut at = self.now.config;
        let mut refused = None;
        for (index, &byte) in data.iter().enumerate() {
            let next = self.metered(Limits::accept, || {
                Ok(self.engine.machine.stepper().step(at, byte))
            })?;
            match next {
                Some(next) => at = next,
                None => {
                    refused = Some(index);
                    break;
                }
            }
        }
        let mut text = self.text();
        text.extend_from_slice(&data[..refused.unwrap_or(0)]);
        let (line, column) = position(&text);
        let mut explanation = Explanation {
            offset: text.len(),
            line,
            column,
            refused_byte: refused,
            ..self.explained(subject)?
        };
        let Some(index) = refused else {
            return self.refused_ending(explanation, at);
        };
        explanation.expected = self.description(at)?;
        explanation.value_pointer = self.value_pointer(&text, at, data[index])?;
        if data.len() > 1 {
            explanation.subject +=
                &format!(", at its byte {index}, {},", shown(&data[index..=index]));
        }
        let mut search = Search::new(&self.compiled, &self.pieces, Last::Bytes(&data[..=index]));
        match search.groups()? {
            Found::Groups { groups, all } => {
                wording::name_groups(&mut explanation, self.compiled.options(), &groups, all)
            }
            Found::Refused => {
                self.name_syntax(&mut explanation, &mut search, &text, data[index])?
            }
            Found::Undecided => self.give_up(&mut explanation),
        }
        Ok(explanation)
    }

    /// Why text is refused that the grammar goes on with.
    fn refused_ending(&self, found: Explanation, at: Config) -> Result<Explanation, Error> {
        if !self.metered(Limits::accept, || Ok(self.can_end(at)))? {
            let reason = "the vocabulary has no tokens that finish the text after it";
            return Ok(Explanation {
                refusal: Some(Refusal::Unspellable),
                reason: reason.to_owned(),
                ..found
            });
        }
        let (most, left) = (self.max_tokens.unwrap_or(0), self.left().unwrap_or(0));
        let needed = self.metered(Limits::completion, || Ok(self.tokens_to_end(at)))?;
        let needed = match needed {
            Some(needed) => format!("{needed} more tokens"),
            None => "more tokens than were looked at".to_owned(),
        };
        let after = left.saturating_sub(1);
        let reason = match left {
            0 => format!("all {most} tokens of the budget (`max_tokens`) are spent"),
            _ => format!(
                "after it, {after} of the {most} tokens of the budget (`max_tokens`) are left, and the text takes {needed} to end"
            ),
        };
        Ok(Explanation {
            refusal: Some(Refusal::Budget),
            reason,
            ..found
        })
    }

    /// The JSON pointer of the value that a byte after a text is about, which has led to a configuration;
    /// `None` outside of JSON.
    fn value_pointer(&self, text: &[u8], at: Config, byte: u8) -> Result<Option<String>, Error> {
        let start = match self.compiled.is_value() {
            true => Some(0),
            false => self.metered(Limits::completion, || Ok(self.json_start(text)))?,
        };
        let Some(start) = start else {
            return Ok(None);
        };
        let mut place = JsonPlace::after(&text[start..]);
        let machine = &self.engine.machine;
        let ends_number = b",]} \t\n\r".contains(&byte)
            && self.metered(Limits::accept, || {
                Ok(machine.describer().can_end_number(at))
            })?;
        if ends_number {
            place.end_number();
        }
        Ok(Some(place.pointer(byte)))
    }

    /// Where the JSON value begins that a text ends in, if it ends in one.
    fn json_start(&self, text: &[u8]) -> Option<usize> {
        let machine = &self.engine.machine;
        let mut config = machine.start();
        let mut start = None;
        let mut pieces = self.pieces.iter();
        let mut at = 0;
        while at < text.len() {
            let token = pieces.next();
            let bytes = match token {
                Some(TextPiece::Bytes(bytes)) => bytes,
                Some(&TextPiece::Token(token)) => self.compiled.vocabulary().token(token)?,
                None => &text[at..],
            };
            let before = config;
            let mut spelled = Some(before);
            for &byte in bytes {
                work::spend(1);
                spelled = spelled.and_then(|config| machine.stepper().step(config, byte));
                let is_inside =
                    spelled.is_some_and(|config| machine.describer().is_in_json(config));
                start = is_inside.then(|| start.unwrap_or(at));
                at += 1;
            }
            let named = match token {
                Some(&TextPiece::Token(token)) => self.named_from(before, token),
                _ => Vec::new(),
            };
            if let (None, [first, ..]) = (spelled, &named[..]) {
                start = machine.describer().is_in_json(*first).then_some(at);
            }
            config = machine.stepper().all_of(spelled.into_iter().chain(named))?;
        }
        start
    }

    /// Says why a byte is refused that no keyword or option refuses.
    fn name_syntax(
        &self,
        explanation: &mut Explanation,
        search: &mut Search<'_>,
        text: &[u8],
        byte: u8,
    ) -> Result<(), Error> {
        let start = match self.compiled.is_value() {
            true => Some(0),
            false => self.metered(Limits::completion, || Ok(self.json_start(text)))?,
        };
        let repeated = start.and_then(|start| JsonPlace::after(&text[start..]).repeated_key(byte));
        if let Some(key) = repeated {
            explanation.refusal = Some(Refusal::RepeatedKey);
            let key = serde_json::Value::from(key);
            explanation.reason = format!("the object has the key {key} already");
            return Ok(());
        }
        if self.compiled.is_value() {
            explanation.refusal = Some(Refusal::Syntax);
            explanation.reason = "no JSON value goes on like that".to_owned();
            return Ok(());
        }
        let (rules, all) = search.rules()?;
        explanation.refusal = Some(Refusal::Rule);
        let names = rules.iter().map(|rule| match rule.line {
            Some(line) => format!("`{}` (line {line})", rule.name),
            None => format!("`{}`", rule.name),
        });
        let names: Vec<String> = names.collect();
        explanation.reason = match &names[..] {
            [] => "the grammar does not go on like that".to_owned(),
            [name] => format!("the rule {name} does not go on like that"),
            names => format!(
                "none of the rules that are read here goes on like that: {}",
                listed(names)
            ),
        };
        if !all {
            explanation.reason += "; not all rules were looked at within the limit `explain_work`";
        }
        let rules = rules.into_iter();
        explanation.rules = rules.map(|rule| (rule.name.into(), rule.line)).collect();
        Ok(())
    }

    fn give_up(&self, explanation: &mut Explanation) {
        let units = self.compiled.limits().explain_work;
        explanation.refusal = Some(Refusal::Undecided);
        explanation.reason = format!(
            "which keyword refuses it was not found out within the limit `explain_work` of {units} units"
        );
    }
}
