//! One text that is being generated.

mod budget;
mod common_formats;
mod ending;
mod explain;
mod plan;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compile::{CompiledGrammar, Engine};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::machine::Config;
use crate::mask::{Mask, Speller};
use crate::matcher::plan::{EndPlan, soon};
use crate::vocab::token::{MaskWord, TokenId, has_bit, set_bits};
use crate::work::{self, Allowance};
use explain::TextPiece;

pub use explain::{Allowed, Explanation, Refusal};

/// The identity of a mask, as long as a matcher of its grammar lives: which grammar, and which
/// configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NewMask {
    engine: usize,
    config: Config,
}

/// Follows one text, token by token, and says which tokens may come next.
#[derive(Clone, Debug)]
pub struct Matcher {
    compiled: CompiledGrammar,
    engine: Arc<Engine>,
    now: Moment,
    /// The moments before each token that was accepted.
    before: Vec<Moment>,
    /// What was accepted after each of these moments.
    pieces: Vec<TextPiece>,
    max_tokens: Option<usize>,
    held: Held,
}

/// The bytes of states that a text has made.
#[derive(Debug, Default)]
struct Held(AtomicU64);

impl Clone for Held {
    fn clone(&self) -> Self {
        Held(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

/// The state of a matcher between two tokens: all that accepting one changes.
#[derive(Clone, Debug)]
struct Moment {
    config: Config,
    terminated: bool,
    /// Tokens that finish the text within the budget, if there is one and it is nearly spent.
    plan: Option<EndPlan>,
}

/// Bytes that are read at once, each such piece like a token.
const PIECE: usize = 4;

impl CompiledGrammar {
    /// A matcher at the start of a text. With `max_tokens`, it only allows tokens after which the
    /// text can still be finished within so many tokens, stop token not counted.
    ///
    /// # Errors
    ///
    /// If no valid text is that short, or a limit, a timeout or an interrupt ends the making of a fresh
    /// machine.
    pub fn matcher(&self, max_tokens: Option<usize>) -> Result<Matcher, Error> {
        Matcher::new(self.clone(), self.engine()?, max_tokens)
    }
}

impl Matcher {
    fn new(
        compiled: CompiledGrammar,
        engine: Arc<Engine>,
        max_tokens: Option<usize>,
    ) -> Result<Self, Error> {
        let config = engine.machine.start();
        let now = Moment {
            config,
            terminated: false,
            plan: None,
        };
        let mut matcher = Matcher {
            compiled,
            engine,
            now,
            before: Vec::new(),
            pieces: Vec::new(),
            max_tokens,
            held: Held::default(),
        };
        if let Some(most) = max_tokens {
            let plan = matcher.metered(Limits::completion, || matcher.first_plan(most))?;
            matcher.now.plan = Some(plan);
        }
        Ok(matcher)
    }

    /// Does something within an allowance, of which the text has used some memory already.
    fn metered<T>(
        &self,
        allowance: fn(&Limits) -> Allowance,
        operation: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut allowance = allowance(self.compiled.limits());
        let held = self.held.0.load(Ordering::Relaxed);
        allowance.bytes = allowance.bytes.saturating_sub(held);
        let (value, used) = work::within(allowance, operation)?;
        if used.bytes > 0 {
            self.held.0.fetch_add(used.bytes, Ordering::Relaxed);
            self.engine.machine.hold(used.bytes);
        }
        Ok(value)
    }

    /// The grammar that is followed.
    pub fn compiled(&self) -> &CompiledGrammar {
        &self.compiled
    }

    /// The budget that the matcher was made with, if any.
    pub fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// Another matcher at the same place, that does not know how the text came there.
    pub(crate) fn here(&self) -> Self {
        Matcher {
            compiled: self.compiled.clone(),
            engine: Arc::clone(&self.engine),
            now: self.now.clone(),
            before: Vec::new(),
            pieces: Vec::new(),
            max_tokens: self.max_tokens,
            held: self.held.clone(),
        }
    }

    /// How many tokens have been accepted, stop tokens included.
    pub fn token_count(&self) -> usize {
        self.before.len()
    }

    /// Whether the text may end here.
    pub fn is_accepting(&self) -> bool {
        self.engine.machine.stepper().is_accepting(self.now.config)
    }

    /// Whether a stop token has ended the text.
    pub fn is_terminated(&self) -> bool {
        self.now.terminated
    }

    /// Writes which tokens may come next: bit `id % 32` of word `id / 32` is 1 if token `id` may.
    ///
    /// After the end, only the stop tokens may come.
    ///
    /// # Errors
    ///
    /// If `bits` has not [`Vocabulary::mask_words`](crate::Vocabulary::mask_words) words, or the text
    /// so far can be read in too many ways: see [`Limits::readings`](crate::Limits::readings).
    pub fn fill_mask(&self, bits: &mut [MaskWord]) -> Result<(), Error> {
        self.check_words(bits)?;
        if self.copy_mask(bits) {
            return Ok(());
        }
        self.check_readings(self.now.config)?;
        self.metered(Limits::mask, || {
            if let Some(speller) = self.speller() {
                bits.copy_from_slice(&speller.mask(self.now.config));
                self.keep_spelled(bits)?;
            } else {
                let mask = self.mask();
                mask.write(bits);
                if let Some(left) = self.left() {
                    self.keep_affordable(&mask, bits, left);
                }
            }
            self.set_stop_tokens(bits);
            Ok(())
        })
    }

    /// Writes which tokens the budget alone forbids: those that the grammar allows next and
    /// [`Matcher::fill_mask`] leaves out. The result says whether there are any.
    ///
    /// As long as there have been none at any step, a model has written just what it would have
    /// written without a budget.
    ///
    /// # Errors
    ///
    /// If `bits` has not [`Vocabulary::mask_words`](crate::Vocabulary::mask_words) words, or the
    /// text so far can be read in too many ways: see [`Limits::readings`](crate::Limits::readings).
    pub fn fill_unaffordable(&self, bits: &mut [MaskWord]) -> Result<bool, Error> {
        self.check_words(bits)?;
        bits.fill(MaskWord::NONE);
        let Some(left) = self.left().filter(|_| !self.now.terminated) else {
            return Ok(false);
        };
        self.check_readings(self.now.config)?;
        self.metered(Limits::mask, || {
            let mut affordable;
            if let Some(speller) = self.speller() {
                bits.copy_from_slice(&speller.mask(self.now.config));
                affordable = bits.to_vec();
                self.keep_spelled(&mut affordable)?;
            } else {
                let mask = self.mask();
                if mask.bounds.are_within(left as u64) {
                    return Ok(false);
                }
                mask.write(bits);
                affordable = bits.to_vec();
                self.keep_affordable(&mask, &mut affordable, left);
            }
            self.set_stop_tokens(&mut affordable);
            let pairs = bits.iter_mut().zip(&affordable);
            pairs.for_each(|(bits, kept)| bits.0 &= !kept.0);
            Ok(bits.iter().any(|&word| word != MaskWord::NONE))
        })
    }

    fn check_words(&self, bits: &[MaskWord]) -> Result<(), Error> {
        let vocabulary = self.compiled.vocabulary();
        if bits.len() == vocabulary.mask_words() {
            return Ok(());
        }
        let message = format!(
            "a bitmask row for {} tokens has {} words, not {}",
            vocabulary.size(),
            vocabulary.mask_words(),
            bits.len()
        );
        Err(Error::new(ErrorKind::Mask, message))
    }

    /// What says which tokens lead to an end, if the vocabulary cannot spell every text.
    fn speller(&self) -> Option<Speller<'_>> {
        self.compiled.speller(&self.engine)
    }

    /// Writes the mask if it is known, and surely within the budget; else nothing has changed.
    ///
    /// `bits` are as many words as the vocabulary needs.
    pub(crate) fn copy_mask(&self, bits: &mut [MaskWord]) -> bool {
        if self.now.terminated {
            bits.fill(MaskWord::NONE);
        } else if self.speller().is_some() {
            return false;
        } else {
            let Some((_, Some(mask))) = self.glance() else {
                return false;
            };
            if let Some(left) = self.left()
                && !mask.bounds.are_within(left as u64)
            {
                return false;
            }
            mask.write(bits);
        }
        self.set_stop_tokens(bits);
        true
    }

    /// The identity of the mask that comes next, unless it is cached already.
    pub(crate) fn new_mask(&self) -> Option<NewMask> {
        if self.now.terminated || self.speller().is_some() {
            return None;
        }
        let (config, known) = self.glance().unwrap_or((self.now.config, None));
        let is_new = known.is_none() && self.check_readings(self.now.config).is_ok();
        is_new.then_some(NewMask {
            engine: Arc::as_ptr(&self.engine) as usize,
            config,
        })
    }

    /// The configuration under which the mask is kept, and the mask if it is. `None` if it takes more
    /// than a glance to tell which masks are alike.
    fn glance(&self) -> Option<(Config, Option<Arc<Mask>>)> {
        let look = || {
            let alike = self.engine.machine.key_reader().canonical(self.now.config);
            Ok((alike, self.engine.masks.known(alike)))
        };
        let (found, _) = work::within(self.compiled.limits().glance(), look).ok()?;
        Some(found)
    }

    fn mask(&self) -> Arc<Mask> {
        let (machine, vocabulary) = (&self.engine.machine, self.compiled.vocabulary());
        let cap = self.compiled.limits().cache_bytes;
        let masks = &self.engine.masks;
        let completions = self.completions();
        let bounds = self.left().map(|left| {
            let kind = self.first_kind(left);
            kind.completer(&completions, soon(left as u64))
        });
        masks.get(machine, vocabulary, self.now.config, cap, bounds)
    }

    fn set_stop_tokens(&self, bits: &mut [MaskWord]) {
        if self.now.terminated || self.is_accepting() {
            set_bits(bits, self.compiled.vocabulary().stop_token_ids());
        }
    }

    /// Goes on with a token. If it may not come, the answer is `false` and nothing has changed.
    ///
    /// # Errors
    ///
    /// If the vocabulary has no such token, or the text so far can be read in too many ways: see
    /// [`Limits::readings`](crate::Limits::readings).
    pub fn accept(&mut self, token: TokenId) -> Result<bool, Error> {
        let next = self.metered(Limits::accept, || self.after(token))?;
        Ok(self.go_to(next, || TextPiece::Token(token)))
    }

    /// The moment after a token; `None` if it may not come.
    fn after(&self, token: TokenId) -> Result<Option<Moment>, Error> {
        let vocabulary = self.compiled.vocabulary();
        let Some(bytes) = vocabulary.token(token) else {
            let message = format!(
                "token {token} is outside the vocabulary of {} tokens",
                vocabulary.size()
            );
            return Err(Error::new(ErrorKind::Token, message));
        };
        if self.now.terminated {
            return Ok(None);
        }
        self.check_readings(self.now.config)?;
        let is_stop = vocabulary.stop_token_ids().binary_search(&token).is_ok();
        // A stop token that a grammar reads ends the text where it cannot be read within the budget.
        let ends = || {
            (is_stop && self.is_accepting()).then(|| Moment {
                terminated: true,
                ..self.now.clone()
            })
        };
        Ok(self.after_text(token, bytes, is_stop).or_else(ends))
    }

    /// The moment after a token that the grammar reads; `None` if it does not, or nothing ends within
    /// the budget then.
    fn after_text(&self, token: TokenId, bytes: &[u8], is_stop: bool) -> Option<Moment> {
        let named = self.read_named(token);
        if is_stop && named.is_empty() {
            return None;
        }
        let machine = &self.engine.machine;
        let spelled = match self.compiled.vocabulary().is_text(token) {
            true => self.read(self.now.config, bytes),
            false => None,
        };
        let config = machine
            .stepper()
            .all_of(spelled.into_iter().chain(named.iter().copied()))?;
        if !self.can_end(config) {
            return None;
        }
        let leads = || {
            let completions = self.completions();
            let spelled = spelled.map(|real| completions.lead(self.now.config, bytes, real));
            let named = named.iter().map(|&real| completions.lead_by_id(real));
            spelled.into_iter().chain(named).collect()
        };
        let plan = self.plan_after(Some(token), leads).ok()?;
        Some(Moment {
            config,
            terminated: is_stop && machine.stepper().is_accepting(config),
            plan,
        })
    }

    /// Goes on to the next moment, if there is one.
    fn go_to(&mut self, next: Option<Moment>, piece: impl FnOnce() -> TextPiece) -> bool {
        let Some(next) = next else {
            return false;
        };
        self.before.push(std::mem::replace(&mut self.now, next));
        self.pieces.push(piece());
        true
    }

    /// Where a token leads that a grammar reads by its id.
    fn read_named(&self, token: TokenId) -> Vec<Config> {
        self.named_from(self.now.config, token)
    }

    /// Where a token that the grammar reads by its id leads from a configuration.
    fn named_from(&self, config: Config, token: TokenId) -> Vec<Config> {
        let sets = self.engine.masks.token_sets();
        if sets.is_empty() {
            return Vec::new();
        }
        let moves = self
            .engine
            .machine
            .stepper()
            .token_moves(config)
            .into_iter();
        let holds = |set| has_bit(sets.get(set), token);
        let held = moves.filter(|&(set, _)| holds(set));
        held.map(|(_, next)| next).collect()
    }

    /// An error if the text has more readings than are followed. That shows between tokens only, so that
    /// a token which a mask allows is always accepted.
    fn check_readings(&self, config: Config) -> Result<(), Error> {
        if !self.engine.machine.stepper().is_too_ambiguous(config) {
            return Ok(());
        }
        let message = "the text can be read in too many ways at once";
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// Goes on with bytes, as if they were one token. With a budget they count as one. Text that
    /// could be read in more ways than [`Limits::readings`](crate::Limits::readings) is refused.
    pub fn accept_bytes(&mut self, bytes: &[u8]) -> bool {
        self.try_accept_bytes(bytes).unwrap_or(false)
    }

    /// Goes on with bytes, as if they were one token, and says whether they may come; an error if
    /// the text could be read in too many ways.
    pub(crate) fn try_accept_bytes(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        if self.now.terminated {
            return Ok(false);
        }
        let mut config = self.now.config;
        for piece in bytes.chunks(PIECE) {
            match self.metered(Limits::accept, || self.read_checked(config, piece))? {
                Some(next) => config = next,
                None => return Ok(false),
            }
        }
        let next = self.metered(Limits::accept, || Ok(self.after_bytes(bytes, config)))?;
        Ok(self.go_to(next, || TextPiece::Bytes(bytes.into())))
    }

    /// The moment after bytes that lead to `config`; `None` if the text could not be finished in time.
    fn after_bytes(&self, bytes: &[u8], config: Config) -> Option<Moment> {
        if !self.can_end(config) {
            return None;
        }
        let lead = || vec![self.completions().lead(self.now.config, bytes, config)];
        let plan = self.plan_after(None, lead).ok()?;
        Some(Moment {
            config,
            terminated: false,
            plan,
        })
    }

    fn read_checked(&self, mut config: Config, bytes: &[u8]) -> Result<Option<Config>, Error> {
        work::spend(bytes.len());
        for &byte in bytes {
            self.check_readings(config)?;
            match self.engine.machine.stepper().step(config, byte) {
                Some(next) => config = next,
                None => return Ok(None),
            }
        }
        Ok(Some(config))
    }

    /// Whether the vocabulary has tokens that lead from there to an end of the text.
    fn can_end(&self, config: Config) -> bool {
        self.speller().is_none_or(|speller| speller.can_end(config))
    }

    fn read(&self, config: Config, bytes: &[u8]) -> Option<Config> {
        work::spend(bytes.len());
        bytes.iter().try_fold(config, |at, &byte| {
            self.engine.machine.stepper().step(at, byte)
        })
    }

    /// Takes back the last `count` tokens; what [`Matcher::accept_bytes`] took counts as one.
    ///
    /// # Errors
    ///
    /// If fewer tokens have been accepted; then nothing has changed.
    pub fn rollback(&mut self, count: usize) -> Result<(), Error> {
        let Some(keep) = self.before.len().checked_sub(count) else {
            let message = format!(
                "cannot take back {count} tokens: {} were accepted",
                self.before.len()
            );
            return Err(Error::new(ErrorKind::Token, message));
        };
        if let Some(moment) = self.before.drain(keep..).next() {
            self.now = moment;
        }
        self.pieces.truncate(keep);
        Ok(())
    }

    /// Back to the start of the text.
    pub fn reset(&mut self) {
        if let Some(moment) = self.before.drain(..).next() {
            self.now = moment;
        }
        self.pieces.clear();
    }
}
