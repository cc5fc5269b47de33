//! The walk of the vocabulary's trie: masks of states that few tokens may follow, such as declared
//! keys.
//!
//! The vocabulary's trie is walked with configurations. What is the same wherever it stands is not
//! walked again: runs of whitespace, and what stays inside a string or a number that a token opens.

use std::sync::Arc;
use std::sync::OnceLock;

use rustc_hash::FxHashSet;

use crate::byte_set::ByteSet;
use crate::machine::{Config, Machine, State};
use crate::mask::found::FoundTexts;
use crate::mask::keys::key_place;
use crate::mask::texts::TrieTexts;
use crate::mask::tokens::Tokens;
use crate::mask::walk::{Ended, Walk};
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;
use crate::regex::scan_string::{Scanned, scan_string};
use crate::spelling::{JsonSpelling, Partial, SPACES};
use crate::vocab::Vocabulary;
use crate::vocab::spaces::SpacedId;
use crate::vocab::string_mask::{BegunValues, OpenedScalar, ScalarEnd};
use crate::vocab::token::{MaskWord, TokenId};
use crate::vocab::trie::{Trie, TrieNodeId};

/// Subtrees with fewer tokens are walked.
const SMALL: usize = 24;

impl Walk<'_> {
    pub(super) fn plain(&self, config: Config) -> Tokens {
        let found = self.find(config, self.is_bounded && self.finds_bounds(config));
        self.max_completion_bytes.set(found.max_completion_bytes());
        Tokens::found(found, self.vocabulary.mask_words())
    }

    /// The tokens that may come, found by walks; `is_bounded` asks how far the end is after them.
    pub(super) fn find(&self, config: Config, is_bounded: bool) -> FoundTexts<TokenId> {
        let mut tokens = FoundTexts::sharing(is_bounded);
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
    fn tokens(&self, config: Config, mut first: ByteSet, tokens: &mut FoundTexts<TokenId>) {
        let machine = self.machine;
        if let Some(run) = machine.spacing_left(config.state)
            && const { ByteSet::of(&SPACES) }.without(first) == ByteSet::NONE
        {
            first = first.without(const { ByteSet::of(&SPACES) });
            let spaces = self.vocabulary.spaces();
            tokens.add(machine, spaces.runs(run), config);
            if let Some(after) = machine.loose_stepper().step(config, b' ') {
                let mut found = tokens.beside();
                let rests = Rests(self.vocabulary);
                self.walk(&rests, rests.trie().root(), after, first, &mut found);
                let all = std::mem::take(&mut found.items);
                let spaced = all.into_iter().map(|id| spaces.spaced(id));
                let fits = spaced.filter(|spaced| spaced.length <= run);
                tokens.join(found, fits.map(|spaced| spaced.token));
            }
        }
        let root = self.vocabulary.trie().root();
        self.walk(self.vocabulary, root, config, first, tokens);
    }

    /// What may come below a node of a trie and begins with some bytes.
    pub(super) fn walk<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        mut first: ByteSet,
        out: &mut FoundTexts<T::Item>,
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
        out: &mut FoundTexts<T::Item>,
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
        out: &mut FoundTexts<T::Item>,
    ) {
        let machine = self.machine;
        let trie = of.trie();
        let (mut keys, mut values, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        trie.seek_below(
            node,
            config,
            first,
            |at| machine.lookahead().next_bytes(at),
            |at, byte, node| {
                let next = machine.loose_stepper().step(at, byte)?;
                if byte == b'"'
                    && let Some(place) = key_place(next)
                    && !machine.obligations.allowed_keys(place.0).other()
                {
                    keys.push((node, next, place));
                    return None;
                }
                if trie.items_below(node).len() < SMALL {
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

    /// Adds the texts of a subtree that stay inside the string or number which has begun there.
    fn stay_below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        start: Config,
        below: &Arc<OpenedScalar<T::Item>>,
        out: &mut FoundTexts<T::Item>,
    ) {
        let scanner = &self.machine.obligations.rules.scanner;
        let completer = self.machine.completer();
        let begin = usize::from(of.trie().node(node).depth);
        let rests = || below.inside.iter().map(|&item| &of.bytes(item)[begin..]);
        out.add_inside(below, || match start.state {
            State::String { scan, .. } | State::Number(scan)
                if scanner.scan(scan).queries.is_empty() =>
            {
                let rest = *below.rest.get_or_init(|| {
                    let longest = scanner.longest_rest(scan);
                    longest.unwrap_or_else(|| self.longest_rest_after(start, rests()))
                });
                completer.max_completion_bytes_of_string(start.stack, rest)
            }
            _ => completer
                .max_completion_bytes_inside(start)
                .unwrap_or_else(|| {
                    let places = rests().filter_map(|rest| self.follow(start, rest));
                    let bounds = places.map(|at| completer.max_completion_bytes(at));
                    bounds.max().unwrap_or(0)
                }),
        });
    }

    /// At least the bytes that finish a string or number after any of some texts that stay inside
    /// it, whatever is around it.
    fn longest_rest_after<'t>(&self, start: Config, texts: impl Iterator<Item = &'t [u8]>) -> u32 {
        let scanner = &self.machine.obligations.rules.scanner;
        let step = |state: State, &byte: &u8| match state {
            State::String { scan, partial } => match scan_string(scanner, scan, partial, byte) {
                Scanned::Stays(scan, partial, _) => Some(State::String { scan, partial }),
                Scanned::Closes | Scanned::Refused => None,
            },
            State::Number(scan) => {
                let next = scanner.step(scan, u32::from(byte))?;
                Some(State::Number(next))
            }
            _ => None,
        };
        let alone = self.stepper().detached(start);
        let ends = texts.filter_map(|text| text.iter().try_fold(start.state, step));
        let ends: FxHashSet<State> = ends.collect();
        let bounds = ends.into_iter().map(|state| {
            let completer = self.machine.completer();
            completer.max_completion_bytes(Config { state, ..alone })
        });
        u32::try_from(bounds.max().unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Adds the texts of a subtree that end the string or number which has begun there, if what
    /// they go on with may come.
    fn leave_below<T: TrieTexts>(
        &self,
        of: &T,
        start: Config,
        below: &OpenedScalar<T::Item>,
        out: &mut FoundTexts<T::Item>,
    ) {
        let ended = match start.state {
            State::String { scan, .. } | State::Number(scan) => self.ended(start, scan),
            _ => Ended::ByText,
        };
        match (start.state, ended) {
            (_, Ended::Never) => {}
            (_, Ended::At(closed)) => {
                out.add(self.machine, &below.closing, closed);
                self.go_on(&below.beyond, closed, out);
            }
            (State::Number(_) | State::String { .. }, Ended::ByText) => {
                for exit in &below.exits {
                    let bytes = &of.bytes(exit.item)[usize::from(exit.begin)..];
                    if let Some(at) = self.follow(start, bytes) {
                        out.add(self.machine, &[exit.item], at);
                    }
                }
            }
            _ => {
                let first = const { ByteSet::of(b" \t\n\r:") };
                for exit in &below.exits {
                    let bytes = of.bytes(exit.item);
                    let next = bytes.get(usize::from(exit.end) + 1);
                    let may = next.is_none_or(|&byte| first.contains(byte));
                    if may && let Some(at) = self.follow(start, &bytes[usize::from(exit.begin)..]) {
                        out.add(self.machine, &[exit.item], at);
                    }
                }
            }
        }
    }

    /// Adds the texts of a small trie that may come.
    pub(super) fn go_on<I: Copy>(&self, trie: &Trie<I>, config: Config, out: &mut FoundTexts<I>) {
        let machine = self.machine;
        trie.seek(
            config,
            |at| machine.lookahead().next_bytes(at),
            |at, byte, _| machine.loose_stepper().step(at, byte),
            |found, at| out.add(machine, found, at),
        );
    }

    /// What the tokens of a subtree do in a string or number that has just begun there.
    fn below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        language: NodeId,
        is_string: bool,
    ) -> Arc<OpenedScalar<T::Item>> {
        let scanner = &self.machine.obligations.rules.scanner;
        let find = || {
            let start = scanner.start(language, Box::new([]));
            let start = start.expect("a state that was reached is live");
            self.find_below(of, node, start, is_string)
        };
        let Some(kept) = of.begun_values() else {
            return find().into();
        };
        let is_plain = u64::from(self.spelling() == JsonSpelling::Plain);
        let place = u64::from(node.0) << 2 | is_plain << 1 | u64::from(is_string);
        let key = (scanner.regexes.fingerprint(language), place);
        kept.scalars.get(key, self.cap, || {
            let below = find();
            let shared = match below.is_shared() {
                true => size_of::<MaskWord>() * self.vocabulary.mask_words(),
                false => 0,
            };
            let bytes = below.bytes() + shared;
            (below, bytes)
        })
    }

    fn find_below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        start: ScanId,
        is_string: bool,
    ) -> OpenedScalar<T::Item> {
        let trie = of.trie();
        let scanner = &self.machine.obligations.rules.scanner;
        let (mut inside, mut exits) = (Vec::new(), Vec::new());
        let begin = trie.node(node).depth;
        let first = match is_string {
            true => ByteSet::ALL,
            false => ByteSet::of_ascii(scanner.ascii(start)),
        };
        let next = |(scan, _): (ScanId, Partial)| match is_string {
            false if !scanner.can_end(scan) => ByteSet::of_ascii(scanner.ascii(scan)),
            _ => ByteSet::ALL,
        };
        trie.seek_below(
            node,
            (start, Partial::Nothing),
            first,
            next,
            |(scan, partial), byte, node| {
                let next = match is_string {
                    true => scan_string(scanner, scan, partial, byte),
                    false => match scanner.step(scan, u32::from(byte)) {
                        Some(scan) => Scanned::Stays(scan, Partial::Nothing, None),
                        None if scanner.can_end(scan) => Scanned::Closes,
                        None => Scanned::Refused,
                    },
                };
                match next {
                    Scanned::Stays(scan, partial, _) => return Some((scan, partial)),
                    Scanned::Closes => {
                        let end = trie.node(node).depth - 1;
                        let left = trie.items_below(node).iter();
                        exits.extend(left.map(|&item| ScalarEnd { item, begin, end }));
                    }
                    Scanned::Refused => {}
                }
                None
            },
            |found, _| inside.extend_from_slice(found),
        );
        let quote = usize::from(is_string);
        let beyond =
            |exit: ScalarEnd<T::Item>| &of.bytes(exit.item)[usize::from(exit.end) + quote..];
        let all = exits.iter().copied();
        let (closing, others): (Vec<_>, Vec<_>) = all.partition(|&exit| beyond(exit).is_empty());
        OpenedScalar {
            closing: closing.iter().map(|exit| exit.item).collect(),
            beyond: Trie::new(others, beyond).map(|exit| exit.item),
            inside: inside.into(),
            exits: exits.into(),
            rest: OnceLock::new(),
            shared: OnceLock::new(),
        }
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

/// The language of a string or number that a byte has just opened, if all texts that begin in it
/// are fine.
fn opened(machine: &Machine, config: Config, byte: u8) -> Option<NodeId> {
    let scanner = &machine.obligations.rules.scanner;
    match config.state {
        State::String {
            scan,
            partial: Partial::Nothing,
        } if byte == b'"' => Some(scanner.scan(scan).language),
        State::ScannedKey {
            scan,
            partial: Partial::Nothing,
            ..
        } if byte == b'"' => Some(scanner.scan(scan).language),
        State::OtherKey {
            partial: Partial::Nothing,
            ..
        } if byte == b'"' => Some(NodeId::ANY),
        State::Key {
            object,
            partial: Partial::Nothing,
            ..
        } if byte == b'"' && machine.obligations.allowed_keys(object).other() => Some(NodeId::ANY),
        State::Number(scan) if machine.text_reader().is_delimited(config.stack) => {
            Some(scanner.scan(scan).language)
        }
        _ => None,
    }
}
