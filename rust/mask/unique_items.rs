//! Masks where items of an array must differ (`uniqueItems`).
//!
//! What may follow such an item depends on its value: the next one must differ from it. As long as
//! there are values in plenty, that shows inside the next item only. So masks are found without the
//! values of items that end in a token ([`Machine::loose_stepper`]), and without what has been read of
//! those that are begun: they are then the same wherever in a text the item stands. Of the tokens that
//! this allows, those which read on into the item after one whose value is not known are looked at
//! with all values.
//!
//! [`Machine::loose_stepper`]: crate::machine::Machine::loose_stepper

use std::sync::Arc;

use crate::machine::{Config, State};
use crate::mask::cache::LooseMask;
use crate::mask::tokens::{Mask, Tokens};
use crate::mask::walk::Walk;
use crate::vocab::string_mask::Chosen;
use crate::vocab::token::{MaskWord, TokenId, bits_of, has_bit};
use crate::vocab::trie::Trie;

impl Walk<'_> {
    /// The tokens of a configuration in which nothing is recorded. `alike` is the same without the
    /// text of an unknown key: that is left out unless some token reads a whole key after this one,
    /// which the result tells.
    pub(super) fn loosely(&self, alike: Config, config: Config) -> (LooseMask, bool) {
        let (mut at, (mut tokens, names_itself)) = (alike, self.mask(alike));
        if names_itself && alike != config {
            // Some token closes the key and goes on to another: whether that is the same key
            // again depends on its text.
            (at, tokens) = (config, self.mask(config).0);
        }
        let loose = LooseMask {
            named: self.named(at),
            doubtful: self.doubtful(at, &tokens),
            tokens,
            bounds: Arc::default(),
        };
        (loose, names_itself)
    }

    /// The mask of a configuration, made of its loose one.
    pub(super) fn exactly(&self, config: Config, loose: &LooseMask) -> Mask {
        let doubtful = loose.doubtful.as_ref();
        let forbidden = doubtful.map_or_else(Vec::new, |them| self.forbidden(config, them));
        let words = self.vocabulary.mask_words();
        Mask {
            named: loose.named.clone(),
            bounds: Arc::clone(&loose.bounds),
            ..Mask::new(loose.tokens.without(&forbidden, words))
        }
    }

    /// Those tokens of the loose mask of a configuration that a value may forbid, if there are some.
    fn doubtful(&self, from: Config, tokens: &Tokens) -> Option<Trie<TokenId>> {
        if !self.machine.obligations.rules.compares_items() {
            return None;
        }
        let readers = self.vocabulary.list_readers();
        let of_list = |tokens: &[TokenId], out: &mut Vec<TokenId>| {
            let readers = tokens.iter().filter(|&&token| has_bit(readers, token));
            out.extend(readers);
        };
        let of_bits = |bits: &[MaskWord], out: &mut Vec<TokenId>| {
            out.extend(bits_of(readers).filter(|&token| has_bit(bits, token)));
        };
        let mut found = Vec::new();
        match tokens {
            Tokens::Few(tokens) | Tokens::Inside(_, tokens) => of_list(tokens, &mut found),
            Tokens::Many(bits) => of_bits(bits, &mut found),
            Tokens::Above(above, more) => {
                match &above.tokens {
                    Chosen::Few(tokens) => of_list(tokens, &mut found),
                    Chosen::Many(bits) => of_bits(bits, &mut found),
                }
                of_list(more, &mut found);
            }
        }
        let text = |token| self.vocabulary.token(token).unwrap_or_default();
        found.retain(|&token| !self.is_certain(from, text(token)));
        (!found.is_empty()).then(|| Trie::new(found, text))
    }

    /// Those of the doubtful tokens that the values in a text forbid.
    fn forbidden(&self, from: Config, doubtful: &Trie<TokenId>) -> Vec<TokenId> {
        let machine = self.machine;
        let mut allowed = Vec::new();
        doubtful.seek(
            from,
            |at| machine.lookahead().next_bytes(at),
            |at, byte, _| machine.stepper().step(at, byte),
            |found, _| allowed.extend_from_slice(found),
        );
        let mut forbidden = doubtful.all().to_vec();
        forbidden.retain(|token| !allowed.contains(token));
        forbidden
    }

    /// Whether a token may come whatever the values of items are: it does not go on into the item
    /// after one that is not known, or that item can still become values in plenty.
    fn is_certain(&self, from: Config, bytes: &[u8]) -> bool {
        let machine = self.machine;
        let mut at = from;
        let mut inside = None;
        for &byte in bytes {
            let Some(next) = machine.loose_stepper().step(at, byte) else {
                return false;
            };
            at = next;
            match (inside, at.state) {
                (None, _) if !machine.lookahead().follows_forgotten(at) => {}
                (None, State::String { .. }) => inside = Some(at.stack),
                (Some(stack), State::String { .. }) if stack == at.stack => {}
                _ => return false,
            }
        }
        match at.state {
            State::String { scan, .. } if inside.is_some() => {
                machine.lookahead().has_plenty(at.stack, scan)
            }
            _ => true,
        }
    }
}
