//! The walk of the vocabulary's trie: masks of states that few tokens may follow, such as declared
//! keys.
//!
//! The vocabulary's trie is walked with configurations. What is the same wherever it stands is not
//! walked again: runs of whitespace, and what stays inside a string or a number that a token opens.

use crate::byte_set::ByteSet;
use crate::machine::{Completer, Config, State};
use crate::mask::found::FoundTexts;
use crate::mask::keys::key_place;
use crate::mask::scalars::opened;
use crate::mask::texts::TrieTexts;
use crate::mask::tokens::Tokens;
use crate::mask::walk::{Ended, Walk};
use crate::spelling::SPACES;
use crate::vocab::Vocabulary;
use crate::vocab::spaces::SpacedId;
use crate::vocab::string_mask::BegunValues;
use crate::vocab::token::TokenId;
use crate::vocab::trie::{Trie, TrieNodeId};

/// The whitespace of JSON.
pub(super) const SPACE_BYTES: ByteSet = ByteSet::of(&SPACES);

/// Subtrees with fewer tokens are walked.
const SMALL: u8 = 24;

impl Walk<'_> {
    pub(super) fn plain(&self, config: Config) -> Tokens {
        let bounds = self.bounds.filter(|_| self.finds_bounds(config));
        let found = self.find(config, bounds);
        self.max_completion_bytes.set(found.max_completion_bytes());
        Tokens::found(found, self.vocabulary.mask_words())
    }

    /// The tokens that may come, found by walks; `bounds` asks how far the end is after them.
    pub(super) fn find<'b>(
        &self,
        config: Config,
        bounds: Option<Completer<'b>>,
    ) -> FoundTexts<'b, TokenId> {
        let mut tokens = FoundTexts::sharing(bounds);
        if let Some(place) = key_place(config)
            && !self.machine.obligations.allowed_keys(place.0).other()
        {
            let trie = self.vocabulary.trie();
            self.closed_key(self.vocabulary, trie.root(), config, place, &mut tokens);
            return tokens;
        }
        match config.state {
            State::Number(scan) if self.machine.text_reader().is_delimited(config.stack) => {
                let root = self.vocabulary.trie().root();
                self.number(self.vocabulary, root, config, &mut tokens);
                let scanner = &self.machine.obligations.rules.scanner;
                let closed = match scanner.can_end(scan) {
                    true => match self.ended(config, scan) {
                        Ended::At(closed) => Some(closed),
                        Ended::Never => None,
                        Ended::ByText => self.stepper().close_number(config),
                    },
                    false => self.stepper().close_number(config),
                };
                if let Some(closed) = closed {
                    let inside = ByteSet::of_ascii(scanner.ascii(scan));
                    let after = self.machine.lookahead().next_bytes(closed).without(inside);
                    self.tokens(closed, after, &mut tokens);
                }
            }
            _ => self.tokens(
                config,
                self.machine.lookahead().next_bytes(config),
                &mut tokens,
            ),
        }
        tokens
    }

    /// The tokens that may come and begin with some bytes.
    fn tokens(&self, config: Config, mut first: ByteSet, tokens: &mut FoundTexts<'_, TokenId>) {
        let machine = self.machine;
        if let Some(run) = self.free_spacing(config, first) {
            first = first.without(SPACE_BYTES);
            let spaces = self.vocabulary.spaces();
            tokens.add(machine, spaces.runs(run), config);
            if let Some(after) = machine.loose_stepper().step(config, b' ') {
                let mut found = tokens.beside();
                let rests = Rests(self.vocabulary);
                self.walk(&rests, rests.trie().root(), after, first, &mut found);
                let all = std::mem::take(&mut found.items);
                tokens.join(found, spaces.fitting(&all, run));
            }
        }
        let root = self.vocabulary.trie().root();
        self.walk(self.vocabulary, root, config, first, tokens);
    }

    /// How much whitespace may come, if any of it may among the bytes that come first.
    pub(super) fn free_spacing(&self, config: Config, first: ByteSet) -> Option<u8> {
        let is_free = SPACE_BYTES.without(first) == ByteSet::NONE;
        let run = self.machine.spacing_left(config.state);
        run.filter(|_| is_free)
    }

    /// What may come below a node of a trie and begins with some bytes.
    pub(super) fn walk<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        mut first: ByteSet,
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        let numbers = const { ByteSet::of(b"-0123456789") };
        if numbers.without(first) == ByteSet::NONE
            && let Some(start) = self.stepper().number_start(config)
        {
            first = first.without(numbers);
            self.number(of, node, start, out);
        }
        first = first.without(self.value_apart(of, node, config, first, out));
        self.walk_below(of, node, config, first, out);
    }

    /// What may come in a number, below a node of a trie.
    fn number<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        if let State::Number(scan) = config.state {
            let language = self.machine.obligations.rules.scanner.scan(scan).language;
            let below = self.below(of, node, language, false);
            self.stay_below(of, node, config, &below, out);
            self.leave_below(of, config, &below, out);
        }
    }

    /// What may come below a node of a trie and begins with some bytes, from a configuration in
    /// which no value is to begin; [`Walk::walk`] is for all configurations.
    pub(super) fn walk_below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        first: ByteSet,
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        let machine = self.machine;
        let trie = of.trie();
        let (mut keys, mut values, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        trie.seek_below(
            node,
            config,
            first,
            |at| machine.lookahead().next_bytes(at),
            |at, byte, child| {
                let node = child.node;
                let next = machine.loose_stepper().step(at, byte)?;
                if byte == b'"'
                    && let Some(place) = key_place(next)
                    && !machine.obligations.allowed_keys(place.0).other()
                {
                    keys.push((node, next, place));
                    return None;
                }
                if child.texts < SMALL {
                    return Some(next);
                }
                if let State::Value { .. } = next.state {
                    values.push((node, next));
                    return None;
                }
                if let Some(scan) = opened(machine, next, byte) {
                    let below = self.below(of, node, scan, byte == b'"');
                    passed.push((node, next, below));
                    return None;
                }
                Some(next)
            },
            |found, at| out.add(machine, found, at),
        );
        for (node, start) in values {
            out.add(machine, trie.items_at(node), start);
            let first = machine.lookahead().next_bytes(start);
            self.walk(of, node, start, first, out);
        }
        for (node, start, place) in keys {
            out.add(machine, trie.items_at(node), start);
            self.closed_key(of, node, start, place, out);
        }
        for (node, start, below) in passed {
            out.add(machine, trie.items_at(node), start);
            self.stay_below(of, node, start, &below, out);
            self.leave_below(of, start, &below, out);
        }
    }

    /// Adds the texts of a small trie that may come.
    pub(super) fn go_on<I: Copy>(
        &self,
        trie: &Trie<I>,
        config: Config,
        out: &mut FoundTexts<'_, I>,
    ) {
        let machine = self.machine;
        trie.seek(
            config,
            |at| machine.lookahead().next_bytes(at),
            |at, byte, _| machine.loose_stepper().step(at, byte),
            |found, at| out.add(machine, found, at),
        );
    }
}

/// What follows the whitespace with which tokens begin, as texts for a walk.
struct Rests<'a>(&'a Vocabulary);

impl TrieTexts for Rests<'_> {
    type Item = SpacedId;

    fn trie(&self) -> &Trie<SpacedId> {
        &self.0.spaces().rests
    }

    fn bytes(&self, item: SpacedId) -> &[u8] {
        let spaced = self.0.spaces().spaced(item);
        let bytes = self.0.token(spaced.token).unwrap_or_default();
        &bytes[usize::from(spaced.before)..]
    }

    fn begun_values(&self) -> Option<&BegunValues<SpacedId>> {
        Some(&self.0.shared_masks().spaced)
    }
}
