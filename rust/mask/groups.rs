//! Where the tokens of a mask lead, group by group.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::alike::key_text;
use crate::mask::guide::{Guide, Visitor};
use crate::mask::key_ends::in_unknown_key;
use crate::mask::string_mask::Unlimited;
use crate::mask::tokens::{Mask, Tokens};
use crate::mask::walk::{Ended, Walk};
use crate::regex::node::NodeId;
use crate::regex::scan::{Scan, ScanId};
use crate::spelling::Partial;
use crate::vocab::string_mask::{ExitId, Groups, StringMask};
use crate::vocab::token::{MaskWord, TokenId, bits_of, clear_bits, has_bit};
use crate::vocab::trie::TrieChild;

/// The tokens inside a string, grouped.
enum Together<'a> {
    /// By how many characters they add, if they finish the last.
    ByLength(&'a Groups),
    ByState(Arc<Groups>),
}

impl Together<'_> {
    fn groups(&self) -> &Groups {
        match self {
            Together::ByLength(groups) => groups,
            Together::ByState(groups) => groups,
        }
    }
}

impl Walk<'_> {
    /// Tells a guide where the tokens of a mask lead.
    pub(super) fn for_groups<V: Visitor>(
        &self,
        config: Config,
        mask: &Mask,
        guide: &mut Guide<'_, V>,
    ) {
        let is_key = matches!(config.state, State::Key { .. } | State::OtherKey { .. });
        match mask.tokens() {
            // All unknown keys are in one place, unless they are recorded.
            Tokens::Inside(string_mask, more) if !is_key || config.record != TextId::EMPTY => {
                self.inside_groups(config, string_mask, more, guide);
            }
            Tokens::Inside(string_mask, _) if self.key_groups(config, string_mask, guide) => {}
            _ => self.places(config, guide),
        }
    }

    /// Tells a guide where the tokens lead that go on with a key, which may be an unknown one, or end
    /// it; not if unknown keys make a difference to endings.
    fn key_groups<V: Visitor>(
        &self,
        config: Config,
        string_mask: &StringMask,
        guide: &mut Guide<'_, V>,
    ) -> bool {
        let (State::Key {
            object,
            partial: Partial::Nothing,
            ..
        }
        | State::OtherKey {
            object,
            partial: Partial::Nothing,
            ..
        }) = config.state
        else {
            return false;
        };
        let home = in_unknown_key(config, object);
        if !guide.forgets_keys(home) {
            return false;
        }
        let mut known = Vec::new();
        if let State::Key { .. } = config.state {
            self.for_known_keys(config, |tokens, at| {
                known.extend_from_slice(tokens);
                guide.meet(at, || tokens.to_vec());
            });
        }
        let mut rest = string_mask.inside.to_vec();
        clear_bits(&mut rest, &known);
        self.free_groups(home, rest, guide);
        let after = self.after_unknown_key(home, object);
        known.sort_unstable();
        self.exits_but(string_mask, after, &known, guide);
        true
    }

    /// Where bytes lead.
    pub(super) fn read(&self, from: Config, bytes: &[u8]) -> Option<Config> {
        let mut bytes = bytes.iter();
        bytes.try_fold(from, |at, &byte| self.machine.stepper().step(at, byte))
    }

    /// Tells a guide where the closing tokens of a string lead; `after` is the configuration after
    /// the closing quote.
    pub(super) fn exits_of<V: Visitor>(
        &self,
        string_mask: &StringMask,
        after: Config,
        guide: &mut Guide<'_, V>,
    ) {
        self.exits_but(string_mask, after, &[], guide);
    }

    /// The same without some tokens, which rise.
    fn exits_but<V: Visitor>(
        &self,
        string_mask: &StringMask,
        after: Config,
        but: &[TokenId],
        guide: &mut Guide<'_, V>,
    ) {
        let machine = self.machine;
        let tokens_of = |exits: &[ExitId]| {
            let open = exits.iter().filter(|&&exit| string_mask.is_open(exit));
            let tokens = open.map(|&exit| string_mask.exits.get(exit).token);
            tokens
                .filter(|token| but.binary_search(token).is_err())
                .collect()
        };
        guide.meet(after, || tokens_of(&string_mask.exits.closing));
        let step = |at: Config, byte: u8, child: TrieChild| {
            let next = guide.step(at, byte)?;
            let exits = string_mask.exits.beyond.items_at(child.node);
            if !exits.is_empty() {
                guide.meet(next, || tokens_of(exits));
            }
            Some(next)
        };
        let next = |at| machine.lookahead().next_bytes(at);
        string_mask.exits.beyond.seek(after, next, step, |_, _| {});
    }

    pub(super) fn inside_groups<V: Visitor>(
        &self,
        start: Config,
        string_mask: &StringMask,
        more: &[TokenId],
        guide: &mut Guide<'_, V>,
    ) {
        let bound = self.max_completion_bytes_inside(start, string_mask);
        let passes = bound.is_some_and(|bound| guide.passes(bound));
        if !passes && !self.passes_states(start, guide) {
            self.stay_groups(start, string_mask, guide);
        }
        if let State::String { scan, .. } = start.state
            && start.record == TextId::EMPTY
        {
            match self.ended(start, scan) {
                Ended::At(after) => return self.exits_of(string_mask, after, guide),
                Ended::Never => return,
                Ended::ByText => {}
            }
        }
        self.alone(start, more, guide);
    }

    /// Whether a guide passes over all tokens that stay inside a string, since it passes over all states
    /// that these could lead to.
    fn passes_states<V: Visitor>(&self, start: Config, guide: &mut Guide<'_, V>) -> bool {
        let State::String { scan, .. } = start.state else {
            return false;
        };
        let scanner = &self.machine.obligations.rules.scanner;
        let begun = Partial::most_rest(scanner.spelling);
        let mut passes = |scan| {
            let partial = Partial::Nothing;
            let state = State::String { scan, partial };
            let at = Config { state, ..start };
            guide.spare(at).is_some_and(|spare| spare >= begun)
        };
        passes(scan)
            && scanner.scan(scan).queries.is_empty()
            && (scanner.reachable(scan)).is_some_and(|states| states.iter().all(|&at| passes(at)))
    }

    /// Tells a guide where each of some tokens leads.
    fn alone<V: Visitor>(&self, start: Config, tokens: &[TokenId], guide: &mut Guide<'_, V>) {
        for &token in tokens {
            if let Some(after) = guide.after(start, token) {
                guide.meet(after, || vec![token]);
            }
        }
    }

    /// Tells a guide where the tokens inside a string lead.
    fn stay_groups<V: Visitor>(
        &self,
        start: Config,
        string_mask: &StringMask,
        guide: &mut Guide<'_, V>,
    ) {
        let (scan, partial) = match start.state {
            State::String { scan, partial } => (Some(scan), partial),
            State::ScannedKey { scan, partial, .. } => (Some(scan), partial),
            State::Key { partial, .. } | State::OtherKey { partial, .. } => (None, partial),
            _ => return,
        };
        let (together, doubtful) = self.inside(scan, partial);
        // Tokens after which a known key may still come lead to places of their own.
        let mut single = self.known_key_tokens(start);
        single.extend(doubtful);
        single.retain(|&token| has_bit(&string_mask.inside, token));
        let mut rest = string_mask.inside.to_vec();
        clear_bits(&mut rest, &single);
        if self.machine.lookahead().is_free(start) && partial == Partial::Nothing {
            self.free_groups(start, rest, guide);
            return self.alone(start, &single, guide);
        }
        if let Together::ByLength(_) = together {
            for group in self.vocabulary.strings(self.spelling()).unfinished.iter() {
                let tokens = held(group, &rest);
                clear_bits(&mut rest, &tokens);
                let first = tokens.first();
                if let Some(after) = first.and_then(|&token| guide.after(start, token)) {
                    guide.meet(after, || tokens);
                }
            }
        }
        for group in together.groups().iter() {
            let first = group.iter().find(|&&token| has_bit(&rest, token));
            let Some(after) = first.and_then(|&token| guide.after(start, token)) else {
                continue;
            };
            match guide.shared(after, key_text(start)) {
                Some(place) => guide.meet_place(place, || held(group, &rest)),
                None => match guide.shared_but(after) {
                    Some((place, keys)) => {
                        let telling = self.tokens_of_keys(start, &keys);
                        let (apart, alike) = held(group, &rest)
                            .into_iter()
                            .partition(|token| telling.contains(token));
                        single.extend::<Vec<TokenId>>(apart);
                        guide.meet_place(place, || alike);
                    }
                    None => single.extend(held(group, &rest)),
                },
            }
        }
        self.alone(start, &single, guide);
    }

    /// Tells a guide where tokens lead that stay inside a free string or an unknown key, from between
    /// two characters of it: all that do not end inside a character lead back there.
    fn free_groups<V: Visitor>(
        &self,
        home: Config,
        mut tokens: Vec<MaskWord>,
        guide: &mut Guide<'_, V>,
    ) {
        let spare = self.spare(home, guide);
        for group in self.vocabulary.strings(self.spelling()).unfinished.iter() {
            let first = group.iter().find(|&&token| has_bit(&tokens, token));
            let bytes = first.and_then(|&first| self.vocabulary.token(first));
            if let Some(bytes) = bytes
                && !self.is_spared(home, bytes, spare)
                && let Some(after) = guide.follow(home, bytes)
            {
                guide.meet(after, || held(group, &tokens));
            }
            clear_bits(&mut tokens, group);
        }
        guide.meet(home, || bits_of(&tokens).collect());
    }

    /// The tokens inside a string (without `scan`, inside any string) in groups that lead to one
    /// state each; and further tokens that must be looked at alone.
    fn inside(&self, scan: Option<ScanId>, partial: Partial) -> (Together<'_>, Vec<TokenId>) {
        let scanner = &self.machine.obligations.rules.scanner;
        let any = || scanner.start(NodeId::ANY, Box::new([]));
        let scan = scan.or_else(any).expect("any text is text");
        if partial == Partial::Nothing && scanner.is_length_only(scan) {
            let together = Together::ByLength(&self.vocabulary.strings(self.spelling()).lengths);
            return (together, Vec::new());
        }
        let Scan { language, queries } = scanner.scan(scan);
        let unlimited = (queries.is_empty() && partial == Partial::Nothing)
            .then(|| Unlimited::of(scanner, self.vocabulary, *language, self.cap))
            .flatten();
        let (language, doubtful) = match unlimited {
            Some(unlimited) => (
                unlimited.free,
                unlimited.doubtful(scanner, self.vocabulary, self.cap),
            ),
            None => (*language, Vec::new()),
        };
        let parts = std::iter::once(language).chain(queries.iter().copied());
        let key = (
            scanner.regexes.fingerprint_of_all(parts),
            partial.code_in(scanner.spelling),
        );
        let groups = self
            .vocabulary
            .shared_masks()
            .groups
            .get(key, self.cap, || {
                let state = scanner.start(language, queries.clone());
                let groups =
                    self.by_state(state.expect("a state that was reached is live"), partial);
                let bytes = groups.bytes();
                (groups, bytes)
            });
        (Together::ByState(groups), doubtful)
    }

    /// The tokens after which the key that is being read is still one that the object may know.
    fn known_key_tokens(&self, start: Config) -> Vec<TokenId> {
        let machine = self.machine;
        let knows = |at: &Config| {
            matches!(
                at.state,
                State::Key { .. }
                    | State::ScannedKey {
                        prefix: Some(_),
                        ..
                    }
            )
        };
        let mut tokens = Vec::new();
        if knows(&start) {
            self.vocabulary.trie().walk(
                start,
                |at, byte, _| match machine.key_reader().loses_key(at.state, byte) {
                    true => None,
                    false => machine.stepper().step(at, byte).filter(knows),
                },
                |found, _| tokens.extend_from_slice(found),
            );
        }
        tokens
    }

    /// The tokens after which the key that is being read is one of some keys, or begins one.
    fn tokens_of_keys(&self, start: Config, keys: &[TextId]) -> FxHashSet<TokenId> {
        let texts = &self.machine.obligations.rules.texts;
        let begins = |at: &Config| {
            let text = key_text(*at);
            text.is_some_and(|text| keys.iter().any(|&key| texts.begins_with(key, text)))
        };
        let mut tokens = FxHashSet::default();
        self.vocabulary.trie().walk(
            start,
            |at, byte, _| self.machine.stepper().step(at, byte).filter(begins),
            |found, _| tokens.extend(found),
        );
        tokens
    }
}

/// Those of some tokens that are in a set, which has a bit for each.
fn held(group: &[TokenId], tokens: &[MaskWord]) -> Vec<TokenId> {
    let held = group.iter().filter(|&&token| has_bit(tokens, token));
    held.copied().collect()
}
