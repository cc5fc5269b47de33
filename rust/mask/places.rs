//! Where tokens lead, by a walk of the vocabulary's trie.

use crate::machine::{Config, State};
use crate::mask::alike::key_text;
use crate::mask::guide::{Guide, Visitor};
use crate::mask::trie_walk::SPACE_BYTES;
use crate::mask::walk::Walk;
use crate::spelling::{Decoded, Partial};
use crate::vocab::token::TokenId;
use crate::vocab::trie::{ItemRange, TrieChild, TrieNodeId};

impl Walk<'_> {
    /// Finds where tokens lead by a walk of the vocabulary's trie that passes over subtrees whose
    /// tokens all lead back to where they begin.
    pub(super) fn places<V: Visitor>(&self, start: Config, guide: &mut Guide<'_, V>) {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        let start = guide.forget(start);
        let mut first = machine.lookahead().next_bytes(start);
        // Whitespace ends a number, and nothing else may be meant by it.
        let spaced = match start.state {
            State::Number(_) if machine.text_reader().is_delimited(start.stack) => {
                machine.stepper().close_number(start)
            }
            _ => Some(start),
        };
        if let Some(spaced) = spaced
            && let Some(run) = self.free_spacing(spaced, first)
        {
            first = first.without(SPACE_BYTES);
            self.spaced_places(guide.forget(spaced), run, guide);
        }
        let step = |at: Config, byte: u8, child: TrieChild| {
            let node = child.node;
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
        let next = |at| machine.lookahead().next_bytes(at);
        trie.seek_below(trie.root(), start, first, next, step, |_, _| {});
    }

    /// Finds where tokens lead that begin with at most so much whitespace. How much it is makes no
    /// difference to endings.
    fn spaced_places<V: Visitor>(&self, start: Config, run: u8, guide: &mut Guide<'_, V>) {
        let (machine, spaces) = (self.machine, self.vocabulary.spaces());
        let Some(after) = guide.step(start, b' ') else {
            return;
        };
        guide.meet(after, || spaces.runs(run).to_vec());
        let step = |at: Config, byte: u8, child: TrieChild| {
            let next = guide.step(at, byte)?;
            let ids = spaces.rests.items_at(child.node);
            if !ids.is_empty() {
                guide.meet(next, || spaces.fitting(ids, run).collect());
            }
            Some(next)
        };
        let next = |at| machine.lookahead().next_bytes(at);
        let first = next(after).without(SPACE_BYTES);
        let root = spaces.rests.root();
        spaces
            .rests
            .seek_below(root, after, first, next, step, |_, _| {});
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
                .then(|| self.completer().max_completion_bytes_inside(config))
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
        let spare = self.spare(home, guide);
        for &begun in begun {
            let tokens = trie.items_at(begun);
            let bytes = self.vocabulary.token(tokens[0]).unwrap_or_default();
            let bytes = &bytes[depth..];
            if !self.is_spared(config, bytes, spare)
                && let Some(after) = guide.follow(config, bytes)
            {
                guide.meet(after, || tokens.to_vec());
            }
        }
        true
    }

    /// With how many bytes at most the character that tokens end in may be left unfinished in a free
    /// string, for a guide to pass over those tokens.
    pub(super) fn spare<V: Visitor>(
        &self,
        config: Config,
        guide: &mut Guide<'_, V>,
    ) -> Option<u64> {
        let home = self.machine.lookahead().before_character(config);
        let is_free = self.machine.lookahead().is_free(config);
        is_free.then(|| guide.spare(home)).flatten()
    }

    /// Whether a guide passes over tokens that go on with bytes inside a free string.
    pub(super) fn is_spared(&self, config: Config, bytes: &[u8], spare: Option<u64>) -> bool {
        let (State::String { partial, .. } | State::OtherKey { partial, .. }) = config.state else {
            return false;
        };
        let read = |partial: Partial, &byte: &u8| match partial.decode_json(byte, self.spelling()) {
            Decoded::Char(_) => Some(Partial::Nothing),
            Decoded::Partial(next) => Some(next),
            Decoded::Close | Decoded::Refused => None,
        };
        let rest = || bytes.iter().try_fold(partial, read);
        spare.is_some_and(|spare| {
            spare >= Partial::MOST_REST || rest().is_some_and(|rest| rest.least_rest() <= spare)
        })
    }

    /// Tells a guide where the tokens lead that leave the key which is being read a known one, or
    /// end it as one.
    pub(super) fn known_keys<V: Visitor>(&self, start: Config, guide: &mut Guide<'_, V>) {
        self.for_known_keys(start, |tokens, at| guide.meet(at, || tokens.to_vec()));
    }

    /// Calls `f` with the tokens that leave the key which is being read a known one, or end it as
    /// one, and where they lead.
    pub(super) fn for_known_keys(&self, start: Config, f: impl FnMut(&[TokenId], Config)) {
        let machine = self.machine;
        let in_key = |at: Config| match (at.state, start.state) {
            (State::Key { object, .. }, State::Key { object: same, .. }) => {
                object == same && at.stack == start.stack
            }
            _ => false,
        };
        self.vocabulary.trie().seek(
            start,
            |at| self.next_known_bytes(at, in_key(at)),
            |at, byte, _| match in_key(at) && machine.key_reader().loses_key(at.state, byte) {
                true => None,
                false => machine.stepper().step(at, byte),
            },
            f,
        );
    }
}
