//! Ending in time: a token is allowed only if the text can be finished within the budget after it.

use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::json::spelling::Partial;
use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::{
    Mask, Tokens, clear_bits, forget_text, groups, has_bit, is_length_only, set_bits,
};
use crate::matcher::Matcher;

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

/// So many tokens before bytes could bound no more, a plan is made.
const MARGIN: usize = 16;

/// The bytes that finish a character, or a key so that it differs from the known ones.
const UNFINISHED: u64 = 64;

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
        let bytes = self.ending_bytes(config);
        if bytes < left.saturating_sub(MARGIN) as u64 {
            return Ok(None);
        }
        if let Some(plan) = &self.now.plan
            && token.is_some()
            && plan.next() == token
        {
            let tokens = plan.tokens.clone();
            let from = plan.from + 1;
            return Ok(Some(Plan { tokens, from }));
        }
        let is_far = bytes < left as u64;
        if is_compared(config) && !is_far {
            return Err(TooLate);
        }
        match self.finish(config).filter(|tokens| tokens.len() < left) {
            Some(tokens) => Ok(Some(Plan {
                tokens: tokens.into(),
                from: 0,
            })),
            None if is_far => Ok(None),
            None => Err(TooLate),
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
        let (engine, vocabulary) = (&self.engine, self.compiled.vocabulary());
        let tails = &engine.tails;
        tails.tokens(&engine.machine, vocabulary, config, self.compiled.limits())
    }

    /// Whether the text can be finished in fewer tokens than `left`.
    fn fits(&self, config: Config, left: usize) -> bool {
        if self.is_far(config, left) {
            return true;
        }
        if is_compared(config) {
            return false;
        }
        let (engine, vocabulary) = (&self.engine, self.compiled.vocabulary());
        let tails = &engine.tails;
        let fewest = tails.fewest(&engine.machine, vocabulary, config, self.compiled.limits());
        fewest.is_some_and(|fewest| fewest < left)
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
        let planned = self.now.plan.as_ref().and_then(Plan::next);
        let planned = planned.filter(|&token| has_bit(bits, token));
        // A token that a grammar reads by its text or by its id is in two groups.
        let mut fitting = Vec::new();
        for (config, mut tokens) in self.groups(mask) {
            if self.fits(config, left) {
                tokens.retain(|_| mask.named().is_some());
                fitting.extend(tokens);
            } else {
                clear_bits(bits, &tokens);
            }
        }
        set_bits(bits, &fitting);
        if let Some(token) = planned {
            set_bits(bits, &[token]);
        }
    }

    fn groups(&self, mask: &Mask) -> Vec<(Config, Vec<u32>)> {
        let vocabulary = self.compiled.vocabulary();
        let cap = self.compiled.limits().cache_bytes;
        let (machine, sets) = (&self.engine.machine, self.engine.masks.token_sets());
        groups(machine, vocabulary, self.now.config, mask, sets, cap)
    }

    /// An upper bound of the tokens that finish the text after any token of a mask.
    pub(super) fn costliest(&self, mask: &Mask) -> u64 {
        let most = |groups: &mut dyn Iterator<Item = Config>| {
            let costs = groups.map(|config| self.ending_bytes(config));
            costs.max().unwrap_or(0)
        };
        match (mask.tokens(), self.inside_bound()) {
            (Tokens::Inside(_, more), Some(inside)) => {
                let mut after = more.iter().filter_map(|&token| self.after(token));
                most(&mut after).max(inside)
            }
            _ => most(&mut self.groups(mask).into_iter().map(|(config, _)| config)),
        }
    }

    /// Where a token leads.
    fn after(&self, token: u32) -> Option<Config> {
        let bytes = self.compiled.vocabulary().token(token)?;
        let start = forget_text(&self.engine.machine, self.now.config);
        self.read(start, bytes)
    }

    /// An upper bound of the tokens that finish the text after any token that stays inside the
    /// string that is being read; `None` if there is no cheap one.
    ///
    /// Where only the length of a string matters, its end is never farther away than now, but for
    /// what finishes a character or, in a key, makes it differ from the known ones.
    fn inside_bound(&self) -> Option<u64> {
        let config = self.now.config;
        let scanner = &self.engine.machine.frames.rules.scanner;
        let (text, partial) = (TextId::WHATEVER, Partial::Nothing);
        let state = match config.state {
            State::String { scan, .. } if is_length_only(scanner, scanner.scan(scan)) => {
                State::String { scan, partial }
            }
            State::Key { object, .. } | State::OtherKey { object, .. } => State::OtherKey {
                object,
                text,
                partial,
            },
            _ => return None,
        };
        let bound = self.ending_bytes(Config { state, ..config });
        Some(bound.saturating_add(UNFINISHED))
    }
}

/// Whether the text is inside an item that is compared with others. Then each text has an ending of
/// its own, and only the bytes of all of them are bounded cheaply.
fn is_compared(config: Config) -> bool {
    config.record != TextId::EMPTY
}
