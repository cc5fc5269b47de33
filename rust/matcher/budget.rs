//! Ending in time: a token is allowed only if the text can be finished within the budget after it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::{Error, Kind};
use crate::json::spelling::Partial;
use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::{Mask, Tokens, forget_text};
use crate::matcher::Matcher;
use crate::regex::scan::ScanId;

/// Tokens that finish the text, of which the first ones have come already.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    tokens: Arc<[u32]>,
    from: usize,
}

impl Plan {
    fn next(&self) -> Option<u32> {
        self.tokens.get(self.from).copied()
    }
}

/// After this token the text could not be finished in time.
#[derive(Debug)]
pub(super) struct TooLate;

impl Matcher {
    /// The tokens that are left of the budget.
    pub(super) fn left(&self) -> Option<usize> {
        let most = self.max_tokens?;
        Some(most.saturating_sub(self.before.len()))
    }

    /// A plan for the whole text.
    pub(super) fn first_plan(&self, most: usize) -> Result<Plan, Error> {
        let Some(tokens) = self.finish(self.now.config) else {
            self.completion()?;
            let message = "the vocabulary cannot spell any valid text";
            return Err(Error::new(Kind::Vocabulary, message));
        };
        if tokens.len() > most {
            let message = format!(
                "the shortest valid text takes {} tokens, more than the budget of {most}",
                tokens.len()
            );
            return Err(Error::new(Kind::Limit, message));
        }
        let tokens = tokens.into();
        Ok(Plan { tokens, from: 0 })
    }

    /// The plan for after a token that leads to `config`; none where none is needed.
    pub(super) fn plan_after(
        &self,
        token: Option<u32>,
        config: Config,
    ) -> Result<Option<Plan>, TooLate> {
        let Some(left) = self.left() else {
            return Ok(None);
        };
        if self.is_far(config, left) {
            return Ok(None);
        }
        match &self.now.plan {
            Some(plan) if token.is_some() && plan.next() == token => {
                let tokens = plan.tokens.clone();
                let from = plan.from + 1;
                Ok(Some(Plan { tokens, from }))
            }
            _ => {
                let tokens = self.finish(config).filter(|tokens| tokens.len() < left);
                let tokens = tokens.ok_or(TooLate)?.into();
                Ok(Some(Plan { tokens, from: 0 }))
            }
        }
    }

    /// Whether the end of the budget is so far away that the text can surely be finished: no
    /// token is shorter than a byte.
    fn is_far(&self, config: Config, left: usize) -> bool {
        self.ending_bytes(config) < left as u64
    }

    /// An upper bound of the tokens that finish the text.
    fn ending_bytes(&self, config: Config) -> u64 {
        if self.compiled.vocabulary().unreachable_bytes().is_empty() {
            self.engine.machine.ending_bound(config)
        } else {
            u64::MAX
        }
    }

    /// Tokens that finish the text from a configuration.
    fn finish(&self, config: Config) -> Option<Vec<u32>> {
        let cap = self.compiled.limits().completion_bytes;
        let ending = self
            .engine
            .machine
            .completion(forget_text(&self.engine.machine, config), cap)?;
        self.compiled.vocabulary().tokenize(&ending)
    }

    /// Drops the tokens after which the text could not be finished in time.
    pub(super) fn keep_affordable(&self, mask: &Mask, bits: &mut [u32], left: usize) {
        if left == 0 {
            bits.fill(0);
            return;
        }
        if mask.costliest(|| self.costliest(mask)) < left as u64 {
            return;
        }
        let mut known = FxHashMap::default();
        let mut dropped = Vec::new();
        let mut look = |token: u32| {
            if !self.is_affordable(token, &mut known) {
                dropped.push(token);
            }
        };
        match (mask.tokens(), self.free_inside()) {
            (Tokens::Inside(local, more), Some(inside)) => {
                // All tokens that stay inside and end a character lead to one place, but for
                // those that stay in a key that the object knows.
                let known_keys = self.known_key_tokens();
                let alone = [&local.unfinished[..], more, &known_keys].concat();
                alone.iter().for_each(|&token| look(token));
                if self.plan_after(None, inside).is_err() {
                    let kept: Vec<u32> = alone.iter().copied().filter(|&t| has(bits, t)).collect();
                    let planned = self.now.plan.as_ref().and_then(Plan::next);
                    let planned = planned.filter(|&token| has(bits, token));
                    bits.fill(0);
                    kept.into_iter()
                        .chain(planned)
                        .for_each(|token| set(bits, token, true));
                }
            }
            (tokens, _) => tokens.for_each(look),
        }
        dropped
            .into_iter()
            .for_each(|token| set(bits, token, false));
    }

    /// Where tokens lead that stay inside the string that is being read and end a character, if
    /// that is one place: the string is free, or the key unknown.
    fn free_inside(&self) -> Option<Config> {
        self.inside(|scan| self.engine.machine.is_free(scan))
    }

    /// The string that is being read, between two characters, if it is one that `counts`; of a key,
    /// an unknown one.
    fn inside(&self, counts: impl Fn(ScanId) -> bool) -> Option<Config> {
        let config = self.now.config;
        if config.record != TextId::EMPTY {
            return None;
        }
        let (text, partial) = (TextId::WHATEVER, Partial::Nothing);
        let state = match config.state {
            State::String { scan, .. } if counts(scan) => State::String { scan, partial },
            State::Key { object, .. } | State::OtherKey { object, .. } => State::OtherKey {
                object,
                text,
                partial,
            },
            _ => return None,
        };
        Some(Config { state, ..config })
    }

    /// The tokens after which the key that is being read is still one that the object knows.
    fn known_key_tokens(&self) -> Vec<u32> {
        let machine = &self.engine.machine;
        let mut tokens = Vec::new();
        if matches!(self.now.config.state, State::Key { .. }) {
            self.compiled.vocabulary().trie().walk(
                self.now.config,
                |at, byte, _| {
                    let closes = byte == b'"'
                        && matches!(
                            at.state,
                            State::Key {
                                partial: Partial::Nothing,
                                ..
                            }
                        );
                    let stays = !closes && !machine.loses_key(at.state, byte);
                    stays.then(|| machine.step(at, byte)).flatten()
                },
                |found, _| tokens.extend_from_slice(found),
            );
        }
        tokens
    }

    /// Whether the text can be finished in time after a token that may come. `known` remembers
    /// the answers by where tokens lead: most lead to few places.
    fn is_affordable(&self, token: u32, known: &mut FxHashMap<Config, bool>) -> bool {
        if self.now.plan.as_ref().and_then(Plan::next) == Some(token) {
            return true;
        }
        self.after(token).is_some_and(|config| {
            let fits = || self.plan_after(None, config).is_ok();
            *known.entry(config).or_insert_with(fits)
        })
    }

    /// Where a token leads, texts of unknown keys forgotten.
    fn after(&self, token: u32) -> Option<Config> {
        let bytes = self.compiled.vocabulary().token(token)?;
        let start = forget_text(&self.engine.machine, self.now.config);
        let after = self.read(start, bytes)?;
        Some(forget_text(&self.engine.machine, after))
    }

    /// An upper bound of the tokens that finish the text after any token of a mask.
    fn costliest(&self, mask: &Mask) -> u64 {
        let mut known: FxHashMap<Config, u64> = FxHashMap::default();
        let mut most = 0;
        let mut look = |token: u32| {
            let bound = self.after(token).map_or(0, |config| {
                *known
                    .entry(config)
                    .or_insert_with(|| self.ending_bytes(config))
            });
            most = bound.max(most);
        };
        match (mask.tokens(), self.inside_bound()) {
            (Tokens::Inside(_, more), Some(inside)) => {
                more.iter().for_each(|&token| look(token));
                most = inside.max(most);
            }
            (tokens, _) => tokens.for_each(look),
        }
        most
    }

    /// An upper bound of the tokens that finish the text after any token that stays inside the
    /// string that is being read; `None` if there is no cheap one.
    ///
    /// Where only the length of a string matters, its end is never farther away than now, but for
    /// what finishes a character or, in a key, makes it differ from the known ones.
    fn inside_bound(&self) -> Option<u64> {
        const MARGIN: u64 = 64;
        let inside = self.inside(|scan| self.engine.machine.is_length_only(scan))?;
        let bound = self.ending_bytes(inside);
        Some(bound.saturating_add(MARGIN))
    }
}

fn has(bits: &[u32], token: u32) -> bool {
    bits[token as usize / 32] >> (token % 32) & 1 == 1
}

fn set(bits: &mut [u32], token: u32, value: bool) {
    let bit = 1 << (token % 32);
    let word = &mut bits[token as usize / 32];
    *word = if value { *word | bit } else { *word & !bit };
}
