//! How a text goes on where there is no choice, and how it ends soonest.

use crate::error::{Error, ErrorKind};
use crate::grammar::program::TokenSetId;
use crate::limits::Limits;
use crate::matcher::Matcher;
use crate::vocab::TokenId;
use crate::vocab::token::{MaskWord, set_bits};

/// How many bytes of forced text are looked for at once.
const FORCED_BYTES: usize = 4_096;

fn no_completion(cap: usize) -> Error {
    let message = format!("no valid ending of at most {cap} bytes was found");
    Error::new(ErrorKind::Limit, message)
}

impl Matcher {
    /// Whether the text may end here and no token may come but those that end it.
    ///
    /// # Errors
    ///
    /// As those of [`Matcher::fill_mask`].
    pub fn must_end(&self) -> Result<bool, Error> {
        if self.now.terminated || !self.is_accepting() {
            return Ok(self.now.terminated);
        }
        let vocabulary = self.compiled.vocabulary();
        let mut bits = vec![MaskWord::NONE; vocabulary.mask_words()];
        self.fill_mask(&mut bits)?;
        let mut ends = vec![MaskWord::NONE; vocabulary.mask_words()];
        set_bits(&mut ends, vocabulary.stop_token_ids());
        Ok(bits == ends)
    }

    /// The bytes of a shortest valid ending; empty where the text may end. A token that must come
    /// by its id counts as one byte, and is spelled as the vocabulary spells it. Where no tokens
    /// spell the shortest ending, it is another one that some do.
    ///
    /// # Errors
    ///
    /// If it is longer than [`Limits::completion_bytes`](crate::Limits::completion_bytes), or none
    /// was found within the limits.
    pub fn completion(&self) -> Result<Vec<u8>, Error> {
        if self.now.terminated {
            return Ok(Vec::new());
        }
        self.metered(Limits::completion, || self.shortest_ending())
    }

    fn shortest_ending(&self) -> Result<Vec<u8>, Error> {
        let cap = self.compiled.limits().completion_bytes;
        let vocabulary = self.compiled.vocabulary();
        if let Some(speller) = self.speller() {
            let tokens = speller.finish(self.now.config);
            let tokens = tokens.ok_or_else(|| no_completion(cap))?;
            let bytes = tokens.iter().filter_map(|&token| vocabulary.token(token));
            return Ok(bytes.flatten().copied().collect());
        }
        let sets = self.engine.masks.token_sets();
        let spell = |set: TokenSetId| {
            sets.first(set)
                .and_then(|token| vocabulary.token(token))
                .unwrap_or_default()
        };
        let ending = self
            .engine
            .machine
            .completer()
            .completion(self.now.config, cap, spell);
        ending.ok_or_else(|| no_completion(cap))
    }

    /// Tokens that spell the text that must follow, as far as there is no choice. Empty where the
    /// text may end. Characters of a string that have several spellings count as no choice; they
    /// come in the shortest one.
    ///
    /// The longest tokens are taken; where a longer one could reach beyond the forced text, the
    /// list stops before it, so that the model is not led to a spelling that it would not choose.
    ///
    /// # Errors
    ///
    /// If that takes more work than [`Limits::completion_work`](crate::Limits::completion_work).
    pub fn forced_tokens(&self) -> Result<Vec<TokenId>, Error> {
        if self.now.terminated {
            return Ok(Vec::new());
        }
        self.metered(Limits::completion, || Ok(self.find_forced()))
    }

    fn find_forced(&self) -> Vec<TokenId> {
        let text = self.forced_text();
        let trie = self.compiled.vocabulary().trie();
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() && !trie.goes_on(&text[at..]) {
            let mut longest = None;
            trie.for_each_prefix(&text[at..], |length, token| longest = Some((length, token)));
            let Some((length, token)) = longest else {
                break;
            };
            out.push(token);
            at += length;
        }
        if self.max_tokens.is_some() || self.speller().is_some() {
            // The longest tokens need not be the fewest, and the budget may ask for those; nor need
            // others go on with the rest.
            let mut follower = self.clone();
            let refused = |&token: &TokenId| !matches!(follower.accept(token), Ok(true));
            let fitting = out.iter().position(refused);
            out.truncate(fitting.unwrap_or(out.len()));
        }
        out
    }

    fn forced_text(&self) -> Vec<u8> {
        let machine = &self.engine.machine;
        let mut text = Vec::new();
        let mut config = self.now.config;
        while text.len() < FORCED_BYTES
            && self.check_readings(config).is_ok()
            && let Some((bytes, next)) = machine.lookahead().forced(config)
        {
            text.extend(bytes);
            config = next;
        }
        text
    }
}
