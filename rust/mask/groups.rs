//! Where the tokens of a mask lead, group by group.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::alike::key_text;
use crate::mask::guide::{Guide, Visitor};
use crate::mask::string_mask::Unlimited;
use crate::mask::tokens::{Mask, Tokens};
use crate::mask::walk::{Ended, Walk};
use crate::regex::node::NodeId;
use crate::regex::scan::{Scan, ScanId};
use crate::spelling::{Decoded, Partial};
use crate::vocab::string_mask::{ExitId, Groups, StringMask};
use crate::vocab::token::{MaskWord, TokenId, clear_bits, has_bit};
use crate::vocab::trie::{ItemRange, TrieNodeId};

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
            _ => self.places(config, guide),
        }
    }

    /// Finds where tokens lead by a walk of the vocabulary's trie that passes over subtrees whose
    /// tokens all lead back to where they begin.
    pub(super) fn places<V: Visitor>(&self, start: Config, guide: &mut Guide<'_, V>) {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        let start = guide.forget(start);
        let step = |at: Config, byte: u8, node: TrieNodeId| {
            let next = guide.step(at, byte)?;
            let (own, below) = (trie.range_at(node), trie.range_below(node));
            if own != below && self.passes_below(next, node, guide) {
                return None;
            }
            if !own.is_empty() {
                guide.meet(next, || trie.items_in(own).to_vec());
            }
            (own != below).then_some(next)
        };
        trie.seek(
            start,
            |at| machine.lookahead().next_bytes(at),
            step,
            |_, _| {},
        );
    }

    /// Visits the tokens below a node at once, if they stay inside what is being read there.
    fn passes_below<V: Visitor>(
        &self,
        config: Config,
        node: TrieNodeId,
        guide: &mut Guide<'_, V>,
    ) -> bool {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        let plain = self.vocabulary.plain();
        let Some(below) = plain.below(node) else {
            return false;
        };
        // Inside a character, the tokens that finish it are below.
        let home = machine.lookahead().before_character(config);
        if !machine.lookahead().stays(home, below.characters) {
            let stays_inside = machine
                .lookahead()
                .keeps_inside(config.state, below.characters);
            let bound = stays_inside
                .then(|| machine.completer().max_completion_bytes_inside(config))
                .flatten();
            return bound.is_some_and(|bound| guide.passes(bound));
        }
        let Some(here) = guide.shared(home, key_text(home)) else {
            return false;
        };
        let below = trie.range_below(node);
        let begun = plain.unfinished(node..trie.node(node).skip);
        guide.meet_place(here, || {
            let mut tokens = Vec::with_capacity(below.len());
            let mut rest = below;
            for &begun in begun {
                let apart = trie.range_at(begun);
                let end = apart.start;
                tokens.extend_from_slice(trie.items_in(ItemRange { end, ..rest }));
                rest.start = apart.end;
            }
            tokens.extend_from_slice(trie.items_in(rest));
            tokens
        });
        let depth = usize::from(trie.node(node).depth);
        for &begun in begun {
            let tokens = trie.items_at(begun);
            let bytes = self.vocabulary.token(tokens[0]).unwrap_or_default();
            if let Some(after) = guide.follow(config, &bytes[depth..]) {
                guide.meet(after, || tokens.to_vec());
            }
        }
        true
    }

    /// Tells a guide where the tokens lead that leave the key which is being read a known one, or
    /// end it as one.
    pub(super) fn known_keys<V: Visitor>(&self, start: Config, guide: &mut Guide<'_, V>) {
        let machine = self.machine;
        let in_key = |at: Config| match (at.state, start.state) {
            (State::Key { object, .. }, State::Key { object: same, .. }) => {
                object == same && at.stack == start.stack
            }
            _ => false,
        };
        self.vocabulary.trie().seek(
            start,
            |at| machine.lookahead().next_bytes(at),
            |at, byte, _| match in_key(at) && machine.key_reader().loses_key(at.state, byte) {
                true => None,
                false => machine.stepper().step(at, byte),
            },
            |tokens, at| guide.meet(at, || tokens.to_vec()),
        );
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
        let machine = self.machine;
        let tokens_of = |exits: &[ExitId]| {
            let open = exits.iter().filter(|&&exit| string_mask.is_open(exit));
            open.map(|&exit| string_mask.exits.get(exit).token)
                .collect()
        };
        guide.meet(after, || tokens_of(&string_mask.exits.closing));
        let step = |at: Config, byte: u8, node: TrieNodeId| {
            let next = guide.step(at, byte)?;
            let exits = string_mask.exits.beyond.items_at(node);
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
        if !bound.is_some_and(|bound| guide.passes(bound)) {
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
        let held = |group: &[TokenId], rest: &[MaskWord]| -> Vec<TokenId> {
            let held = group.iter().filter(|&&token| has_bit(rest, token));
            held.copied().collect()
        };
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
            .then(|| Unlimited::of(scanner, *language))
            .flatten();
        let (language, doubtful) = match unlimited {
            Some(unlimited) => (
                unlimited.free,
                unlimited
                    .doubtful(self.vocabulary.strings(scanner.spelling))
                    .collect(),
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

    /// The tokens inside a string by the states that they lead to.
    fn by_state(&self, scan: ScanId, partial: Partial) -> Groups {
        let scanner = &self.machine.obligations.rules.scanner;
        let mut places = Vec::new();
        self.vocabulary.trie().walk(
            (scan, partial),
            |(scan, partial), byte, _| match partial.decode_json(byte, scanner.spelling) {
                Decoded::Char(c) => Some((scanner.step(scan, c)?, Partial::Nothing)),
                // Tokens that end where no character fits are in no mask.
                Decoded::Partial(partial) => Some((scan, partial)),
                Decoded::Close | Decoded::Refused => None,
            },
            |tokens, (scan, partial)| {
                places.extend(tokens.iter().map(|&token| (scan, partial.code(), token)));
            },
        );
        places.sort_unstable();
        let groups = places.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        Groups::new(groups.map(|group| group.iter().map(|&(.., token)| token)))
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
