//! Leads a visitor to the places that tokens lead to.

use crate::json::texts::TextId;
use crate::machine::{Completer, Config, Machine};
use crate::mask::alike::{Lead, key_text, shared};
use crate::mask::completion_tree::{CompletionKeys, Completions};
use crate::vocab::Vocabulary;
use crate::vocab::token::TokenId;

/// Who wants to know where tokens lead.
pub(crate) trait Visitor {
    /// Whether tokens after which so many bytes at most finish the text are of no interest.
    fn passes(&mut self, bound: u64) -> bool;

    /// Meets a place; whether the tokens that lead there are of interest.
    fn wants(&mut self, at: Config) -> bool;

    /// How many bytes more may lead to a place so that the tokens before them are of no interest;
    /// `None` if those that lead to the place itself are of interest.
    fn spare(&mut self, at: Config) -> Option<u64>;

    /// Takes the tokens that lead to the place that was met last.
    fn take(&mut self, tokens: &[TokenId]);
}

/// Leads a visitor to the places of tokens. They are exact, as [`Completions::lead`] gives them,
/// or, where only upper bounds are asked for, rough: with the text of every unknown key forgotten.
pub(super) struct Guide<'a, V> {
    machine: &'a Machine,
    /// What finds bounds.
    completer: Completer<'a>,
    vocabulary: &'a Vocabulary,
    /// How texts end, and where the tokens begin.
    exact: Option<(Completions<'a>, Config)>,
    visitor: &'a mut V,
    /// Whether a text has been forgotten.
    forgets: bool,
    /// What [`Completions::keys`] said last of a key.
    last: Option<(Config, CompletionKeys)>,
    /// Whether some place that was met depends on the text of an unknown key.
    tells: bool,
}

impl<'a, V: Visitor> Guide<'a, V> {
    /// A guide to the exact places of the tokens after `from`.
    pub(super) fn exactly(completions: Completions<'a>, from: Config, visitor: &'a mut V) -> Self {
        Guide {
            machine: completions.machine,
            completer: completions.machine.completer(),
            vocabulary: completions.vocabulary,
            exact: Some((completions, from)),
            visitor,
            forgets: false,
            last: None,
            tells: false,
        }
    }

    /// A guide to places where the texts of all unknown keys are forgotten.
    pub(super) fn roughly(
        machine: &'a Machine,
        completer: Completer<'a>,
        vocabulary: &'a Vocabulary,
        visitor: &'a mut V,
    ) -> Self {
        Guide {
            machine,
            completer,
            vocabulary,
            exact: None,
            visitor,
            forgets: false,
            last: None,
            tells: false,
        }
    }

    /// Whether what was met is the same for all texts of the unknown key in which the tokens begin.
    pub(super) fn is_alike(&self) -> bool {
        !self.tells
    }

    /// Forgets the text of the unknown key in a configuration as [`Completions::forget`] does, or
    /// always if this guide is a rough one.
    pub(super) fn forget(&mut self, at: Config) -> Config {
        let forgotten = self.machine.key_reader().canonical(at);
        if forgotten == at {
            return at;
        }
        self.forgets = true;
        match self.keys(forgotten).is_empty() {
            true => forgotten,
            false => at,
        }
    }

    /// Whether all texts of an unknown key are alike to endings; `forgotten` is inside any of them.
    pub(super) fn forgets_keys(&mut self, forgotten: Config) -> bool {
        self.forgets = true;
        self.keys(forgotten).is_empty()
    }

    /// What [`Completions::keys`] gives, remembering the last answer; nothing while no text has
    /// been forgotten, and nothing in a rough guide.
    fn keys(&mut self, at: Config) -> CompletionKeys {
        let Some((completions, _)) = self.exact.filter(|_| self.forgets) else {
            return CompletionKeys::default();
        };
        match &self.last {
            Some((last, keys)) if *last == at => keys.clone(),
            _ => {
                let keys = completions.keys(at);
                self.tells |= !keys.is_empty();
                if key_text(at).is_some() {
                    self.last = Some((at, keys.clone()));
                }
                keys
            }
        }
    }

    /// The configuration after one more byte, with [`Guide::forget`] applied to it.
    pub(super) fn step(&mut self, at: Config, byte: u8) -> Option<Config> {
        let next = self.machine.stepper().step(at, byte)?;
        Some(self.forget(next))
    }

    /// Where bytes lead if texts are forgotten after each of them.
    pub(super) fn follow(&mut self, from: Config, bytes: &[u8]) -> Option<Config> {
        let mut bytes = bytes.iter();
        bytes.try_fold(from, |at, &byte| self.step(at, byte))
    }

    /// Where a token leads if texts are forgotten after each of its bytes.
    pub(super) fn after(&mut self, start: Config, token: TokenId) -> Option<Config> {
        let start = self.forget(start);
        self.follow(start, self.vocabulary.token(token).unwrap_or_default())
    }

    /// What the function [`shared`] gives, with the keys of this guide.
    pub(super) fn shared(&mut self, at: Config, begun: Option<TextId>) -> Option<Config> {
        let machine = self.machine;
        shared(machine, at, begun, |at| self.keys(at))
    }

    /// The place of all texts that lead to `at` but for the text of an unknown key, unless that is one
    /// of these keys or begins one.
    pub(super) fn shared_but(&mut self, at: Config) -> Option<(Config, CompletionKeys)> {
        let forgotten = self.machine.key_reader().canonical(at);
        let is_forgotten = key_text(forgotten) == Some(TextId::WHATEVER);
        let keys = is_forgotten.then(|| self.keys(forgotten));
        let keys = keys.filter(|keys| !keys.contains(&TextId::WHATEVER));
        keys.map(|keys| (forgotten, keys))
    }

    /// Meets the places of some tokens that lead to `at` if texts are forgotten after each byte.
    pub(super) fn meet(&mut self, at: Config, tokens: impl FnOnce() -> Vec<TokenId>) {
        if self.forgets && self.passes_by_bytes(at) {
            return;
        }
        if let Some((completions, from)) = self.exact
            && !self.keys(at).is_empty()
        {
            for token in tokens() {
                let bytes = self.vocabulary.token(token).unwrap_or_default();
                let mut bytes = bytes.iter();
                let real = bytes.try_fold(from, |at, &byte| self.machine.stepper().step(at, byte));
                if let Some(real) = real {
                    self.meet_place(completions.settle(real), || vec![token]);
                }
            }
            return;
        }
        let place = self.shared(at, key_text(at)).unwrap_or(at);
        self.meet_place(place, tokens);
    }

    /// Meets the place of some tokens.
    pub(super) fn meet_place(&mut self, place: Config, tokens: impl FnOnce() -> Vec<TokenId>) {
        if self.visitor.wants(place) {
            self.visitor.take(&tokens());
        }
    }

    /// Whether the visitor passes over all texts that lead to a place outside keys, since few
    /// enough bytes finish them; see [`Lead::bound`].
    fn passes_by_bytes(&mut self, at: Config) -> bool {
        let bounded = Lead::bounded(at);
        bounded.is_some_and(|at| self.visitor.passes(self.completer.max_completion_bytes(at)))
    }

    /// How many bytes more may lead to a place, for the visitor to pass over the tokens before them.
    pub(super) fn spare(&mut self, at: Config) -> Option<u64> {
        self.visitor.spare(at)
    }

    /// Whether the visitor passes over tokens after which at most `bound` bytes finish the text.
    pub(super) fn passes(&mut self, bound: u64) -> bool {
        self.visitor.passes(bound)
    }
}
