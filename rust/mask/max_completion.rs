//! An upper bound of the bytes that finish the text after the tokens of a mask.

use crate::json::cost::NEVER;
use crate::json::object::keys::Key;
use crate::json::texts::TextId;
use crate::machine::{Completer, Config, State};
use crate::mask::guide::{Guide, Visitor};
use crate::mask::string_mask::Unlimited;
use crate::mask::tokens::Tokens;
use crate::mask::walk::{Ended, Walk};
use crate::regex::scan::Scan;
use crate::spelling::Partial;
use crate::vocab::string_mask::StringMask;
use crate::vocab::token::{TokenId, has_bit};

/// Finds an upper bound of the bytes that finish the text.
struct MaxCompletionBytes<'a> {
    completer: Completer<'a>,
    most: u64,
    last: Option<Config>,
}

impl Visitor for MaxCompletionBytes<'_> {
    fn passes(&mut self, bound: u64) -> bool {
        self.most = self.most.max(bound);
        true
    }

    fn wants(&mut self, at: Config) -> bool {
        if self.last.replace(at) != Some(at) {
            let bound = self.completer.quick_max_completion_bytes(at);
            self.most = self.most.max(bound);
        }
        false
    }

    fn spare(&mut self, _: Config) -> Option<u64> {
        None
    }

    fn take(&mut self, _: &[TokenId]) {}
}

/// Up to so many tokens are looked at one by one: to look at the states around them would take
/// longer.
const FEW: u32 = 512;

impl Walk<'_> {
    /// An upper bound of the bytes that finish the text after any of a mask's tokens, `is_named` saying
    /// whether some are read by their ids.
    pub(super) fn max_completion_bytes(
        &self,
        config: Config,
        tokens: &Tokens,
        is_named: bool,
    ) -> u64 {
        let machine = self.machine;
        let named = is_named.then(|| machine.stepper().token_moves(config));
        let named = named.into_iter().flatten();
        let named = named
            .map(|(_, next)| self.completer().max_completion_bytes(next))
            .max();
        let text = match tokens {
            Tokens::Inside(string_mask, more) => {
                self.max_completion_bytes_of_inside(config, string_mask, more)
            }
            Tokens::Few(_) | Tokens::Many(_) | Tokens::Above(..) if self.finds_bounds(config) => {
                let found = self.find(config, self.bounds);
                found.max_completion_bytes().unwrap_or(NEVER)
            }
            Tokens::Few(_) | Tokens::Many(_) | Tokens::Above(..) => {
                self.max_completion_bytes_of(|guide| self.places(config, guide))
            }
        };
        text.max(named.unwrap_or(0))
    }

    /// Whether the walk that finds a mask finds the bounds of its tokens as well.
    pub(super) fn finds_bounds(&self, config: Config) -> bool {
        let is_set = matches!(config.state, State::Ambiguous(_) | State::Text { .. });
        !is_set && !self.machine.obligations.rules.compares_items()
    }

    /// The greatest bound of what a walk meets.
    fn max_completion_bytes_of(
        &self,
        walk: impl FnOnce(&mut Guide<'_, MaxCompletionBytes<'_>>),
    ) -> u64 {
        let mut visitor = MaxCompletionBytes {
            completer: self.completer(),
            most: 0,
            last: None,
        };
        walk(&mut Guide::roughly(
            self.machine,
            self.completer(),
            self.vocabulary,
            &mut visitor,
        ));
        visitor.most
    }

    fn max_completion_bytes_of_inside(
        &self,
        config: Config,
        string_mask: &StringMask,
        more: &[TokenId],
    ) -> u64 {
        let machine = self.machine;
        let Some(inside) = self.max_completion_bytes_inside(config, string_mask) else {
            return self.max_completion_bytes_of(|guide| {
                self.inside_groups(config, string_mask, more, guide)
            });
        };
        let unknown = |object, text| {
            machine
                .key_reader()
                .after_key_config(config, object, Key::Other(text, 0))
        };
        let ended = match config.state {
            _ if config.record != TextId::EMPTY => Ended::ByText,
            State::String { scan, .. } => self.ended(config, scan),
            State::OtherKey { object, text, .. } => Ended::At(unknown(object, text)),
            State::Key { object, .. } => {
                let known = self.max_completion_bytes_of(|guide| self.known_keys(config, guide));
                let after = unknown(object, TextId::WHATEVER);
                return inside
                    .max(known)
                    .max(self.costliest_left(string_mask, after));
            }
            _ => Ended::ByText,
        };
        match ended {
            Ended::At(after) => inside.max(self.costliest_left(string_mask, after)),
            Ended::Never => inside,
            Ended::ByText => {
                let after = more.iter().filter_map(|&token| self.after(config, token));
                let costs = after.map(|after| self.completer().max_completion_bytes(after));
                costs.max().unwrap_or(0).max(inside)
            }
        }
    }

    /// An upper bound of the bytes that finish the text after any token that stays inside the
    /// string or key; `None` if that would be costly.
    pub(super) fn max_completion_bytes_inside(
        &self,
        config: Config,
        string_mask: &StringMask,
    ) -> Option<u64> {
        let machine = self.machine;
        if let Some(bound) = self.completer().max_completion_bytes_inside(config) {
            return Some(bound);
        }
        let State::String { scan, partial } = config.state else {
            return None;
        };
        let scanner = &machine.obligations.rules.scanner;
        let Scan { language, queries } = scanner.scan(scan);
        let count: u32 = string_mask
            .inside
            .iter()
            .map(|word| word.0.count_ones())
            .sum();
        if !queries.is_empty() || count < FEW {
            return None;
        }
        if let Some(rest) = scanner.longest_rest(scan) {
            return Some(
                self.completer()
                    .max_completion_bytes_of_string(config.stack, rest),
            );
        }
        if partial != Partial::Nothing {
            return None;
        }
        let unlimited = Unlimited::of(scanner, self.vocabulary, *language, self.cap)?;
        let doubtful = unlimited.doubtful(scanner, self.vocabulary, self.cap);
        let doubtful = doubtful.into_iter();
        let doubtful = doubtful.filter(|&token| has_bit(&string_mask.inside, token));
        let after = doubtful.filter_map(|token| self.after(config, token));
        let costs = after.map(|after| self.completer().max_completion_bytes(after));
        let certain = self
            .completer()
            .max_completion_bytes_of_string(config.stack, unlimited.rest);
        Some(costs.max().unwrap_or(0).max(certain))
    }

    /// Takes note of a bound of what finishes the text after any token that stays inside a key, known or not, or
    /// closes it: as an unknown one, after which comes `unknown`, or as a known one, of which a bound is given
    /// if it is asked for.
    pub(super) fn bound_key(
        &self,
        config: Config,
        (string_mask, unknown): (&StringMask, Config),
        known: Option<u64>,
    ) {
        if let Some(known) = known
            && let Some(inside) = self.max_completion_bytes_inside(config, string_mask)
        {
            let others = self.costliest_left(string_mask, unknown);
            let bound = known.max(inside).max(others);
            self.max_completion_bytes.set(Some(bound));
        }
    }

    /// An upper bound of the bytes that finish the text after any closing token of a string that
    /// goes on from `after`.
    fn costliest_left(&self, string_mask: &StringMask, after: Config) -> u64 {
        let left = self.leave(string_mask, after);
        left.bounds.get(self.completer(), || {
            self.max_completion_bytes_of(|guide| self.exits_of(string_mask, after, guide))
        })
    }

    /// Where a token leads, without the text of an unknown key that is being read.
    fn after(&self, from: Config, token: TokenId) -> Option<Config> {
        let bytes = self.vocabulary.token(token).unwrap_or_default();
        Some(self.machine.key_reader().canonical(self.read(from, bytes)?))
    }
}
