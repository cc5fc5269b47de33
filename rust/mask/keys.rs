//! Masks inside keys that may become one that a schema names, or another.
//!
//! The named ones are few and their texts are known, so they are looked up in the vocabulary's trie, one
//! by one; only what follows them is walked.

use crate::byte_set::ByteSet;
use crate::json::cost::{NEVER, add};
use crate::json::object::keys::{KeyTable, KnownKey, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::found::FoundTexts;
use crate::mask::string_mask::ScanKey;
use crate::mask::texts::TrieTexts;
use crate::mask::tokens::Tokens;
use crate::mask::walk::{Walk, tokens_of};
use crate::spelling::{JsonSpelling, Partial, max_json_bytes, needs_escape};
use crate::vocab::string_mask::{ClosingTokens, ExitBits};
use crate::vocab::token::{MaskWord, TokenId, has_bit, set_bits};
use crate::vocab::trie::{Trie, TrieNodeId};

/// Where the text of a key leads in a trie.
enum KeyReached<'a> {
    /// To a node inside the key, and at least the bytes that are left of it.
    Inside(TrieNodeId, KnownKey, u64),
    /// To a backslash after a part of it.
    Escape(TrieNodeId, Prefix),
    /// To its closing quote, after this text.
    Closed(TrieNodeId, KnownKey, &'a str),
}

/// The state between two characters of a key that an object knows, outside of records.
pub(super) fn key_place(config: Config) -> Option<(ObjectId, Prefix)> {
    match config.state {
        State::Key {
            object,
            prefix,
            partial: Partial::Nothing,
        } if config.record == TextId::EMPTY => Some((object, prefix)),
        _ => None,
    }
}

impl Walk<'_> {
    /// Adds the texts below a node that go on with a key that an object knows, and with no others.
    pub(super) fn closed_key<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        (object, prefix): (ObjectId, Prefix),
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        let (machine, trie) = (self.machine, of.trie());
        let allowed_keys = machine.obligations.allowed_keys(object);
        let may = |known: KnownKey| known.key().is_some_and(|key| allowed_keys.allows(key));
        let mut left: Vec<(TrieNodeId, Config)> = Vec::new();
        let mut last: Option<(KnownKey, u64)> = None;
        self.look_up(trie, node, (object, prefix), may, |reached| match reached {
            KeyReached::Inside(node, known, left) => {
                out.add_within(trie.items_at(node), || {
                    let after = match last {
                        Some((key, after)) if key == known => after,
                        _ => self.max_completion_bytes_after(config, object, known),
                    };
                    last = Some((known, after));
                    // And there is the quote, and maybe one before.
                    add(after, left + 2)
                });
            }
            KeyReached::Escape(node, prefix) => {
                left.extend(
                    self.stepper()
                        .step(in_key(config, prefix), b'\\')
                        .map(|at| (node, at)),
                );
            }
            KeyReached::Closed(node, known, _) => {
                let closed = |key| machine.key_reader().after_key_config(config, object, key);
                left.extend(known.key().map(|key| (node, closed(key))));
            }
        });
        for (node, at) in left {
            out.add(machine, trie.items_at(node), at);
            self.walk_below(of, node, at, machine.lookahead().next_bytes(at), out);
        }
    }

    /// An upper bound of the bytes that finish the text after a key that the object knows.
    fn max_completion_bytes_after(&self, config: Config, object: ObjectId, known: KnownKey) -> u64 {
        let Some(key) = known.key() else {
            return NEVER;
        };
        let after = self
            .machine
            .key_reader()
            .after_key_config(config, object, key);
        self.completer().quick_max_completion_bytes(after)
    }

    /// In a key that the object knows so far, where unknown keys are fine, too: almost every token
    /// leads to an unknown key; those that close the key while it is known are looked at alone.
    pub(super) fn open_key(&self, config: Config, object: ObjectId, partial: Partial) -> Tokens {
        let string_mask = self.string_mask(ScanKey::Anything, partial);
        let bounds = self.bounds.filter(|_| self.finds_bounds(config));
        let unknown = self.after_unknown_key(config, object);
        let left = self.leave(&string_mask, unknown);
        let reads_key = left.reads_key;
        let exits = &string_mask.exits;
        let mut closed = Closed {
            tokens: Vec::new(),
            exits: ExitBits::none(exits.len()),
            allowed: FoundTexts::new(bounds),
        };
        match key_place(config) {
            Some(place) if !reads_key => self.look_up_closed(config, place, exits, &mut closed),
            _ => {
                let root = self.vocabulary.trie().root();
                self.close_known(root, config, object, reads_key, &mut closed);
            }
        }
        let left = left.exits.iter().copied();
        let lost = left.filter(|&exit| !closed.exits.holds(exit));
        let mut tokens = tokens_of(&string_mask, lost);
        if !closed.tokens.is_empty() {
            let mut bits = vec![MaskWord::NONE; self.vocabulary.mask_words()];
            set_bits(&mut bits, &closed.tokens);
            tokens.retain(|&token| !has_bit(&bits, token));
        }
        let known = closed.allowed.max_completion_bytes();
        self.bound_key(config, (&string_mask, unknown), known);
        tokens.extend(closed.allowed.items);
        Tokens::Inside(string_mask, tokens.into())
    }

    /// Finds the tokens that close a key while the object knows it, if none of them reads another one.
    fn look_up_closed(
        &self,
        config: Config,
        (object, prefix): (ObjectId, Prefix),
        exits: &ClosingTokens,
        closed: &mut Closed<'_>,
    ) {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        let reader = machine.key_reader();
        let allowed_keys = machine.obligations.allowed_keys(object);
        let mut left: Vec<(TrieNodeId, Config)> = Vec::new();
        let all = |_| true;
        self.look_up(
            trie,
            trie.root(),
            (object, prefix),
            all,
            |reached| match reached {
                KeyReached::Inside(..) => {}
                KeyReached::Escape(node, prefix) => {
                    if let Some(at) = self.stepper().step(in_key(config, prefix), b'\\') {
                        self.close_known(node, at, object, false, closed);
                    }
                }
                KeyReached::Closed(node, known, rest) => {
                    closed.exits.insert_all(exits.after(rest.as_bytes()));
                    let key = known.key().filter(|&key| allowed_keys.allows(key));
                    left.extend(
                        key.map(|key| (node, reader.after_key_config(config, object, key))),
                    );
                }
            },
        );
        for (node, at) in left {
            closed.allowed.add(machine, trie.items_at(node), at);
            let first = machine.lookahead().next_bytes(at);
            self.walk_below(self.vocabulary, node, at, first, &mut closed.allowed);
        }
    }

    /// Finds the tokens below a node that close a key while the object knows it.
    fn close_known(
        &self,
        node: TrieNodeId,
        start: Config,
        object: ObjectId,
        reads_key: bool,
        closed: &mut Closed<'_>,
    ) {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        // Still in this key, and not in a later one.
        let in_key = |at: Config| {
            matches!(at.state, State::Key { object: o, .. } if o == object)
                && at.stack == start.stack
        };
        let next = |at: Config| self.next_known_bytes(at, in_key(at));
        let Closed {
            tokens, allowed, ..
        } = closed;
        trie.seek_below(
            node,
            start,
            next(start),
            next,
            |at, byte, child| {
                let node = child.node;
                if in_key(at) {
                    if machine.key_reader().loses_key(at.state, byte) {
                        return None;
                    }
                    if let State::Key {
                        object,
                        prefix,
                        partial: Partial::Nothing,
                    } = at.state
                        && byte == b'"'
                    {
                        // Any other key is an unknown one, and it makes no difference which, unless
                        // a token could read it once more.
                        let table = machine.obligations.key_table(object);
                        if !reads_key && table.whole(prefix).is_none() {
                            return None;
                        }
                        tokens.extend(trie.items_below(node));
                    }
                }
                self.stepper().step(at, byte)
            },
            |found, at| {
                if !in_key(at) {
                    allowed.add(machine, found, at);
                }
            },
        );
    }

    /// Bytes that may come; in the key that is being read, those that go on with one that the object knows.
    pub(super) fn next_known_bytes(&self, at: Config, is_in_key: bool) -> ByteSet {
        let machine = self.machine;
        match at.state {
            State::Key {
                object,
                prefix,
                partial,
            } if is_in_key => machine.key_reader().next_key_bytes(object, prefix, partial),
            _ => machine.lookahead().next_bytes(at),
        }
    }

    /// Looks up the keys of an object that go on from a prefix, those that are wanted, in the
    /// subtree of a node.
    fn look_up<I: Copy>(
        &self,
        trie: &Trie<I>,
        node: TrieNodeId,
        (object, prefix): (ObjectId, Prefix),
        wanted: impl Fn(KnownKey) -> bool,
        mut reached: impl FnMut(KeyReached<'_>),
    ) {
        let table = self.machine.obligations.key_table(object);
        let mut look_up = KeyLookUp {
            trie,
            table,
            prefix,
            is_plain: self.spelling() == JsonSpelling::Plain,
            path: vec![node],
            escapes: Vec::new(),
        };
        if let Some(escape) = trie.child(node, b'\\').filter(|_| !look_up.is_plain) {
            reached(KeyReached::Escape(escape, prefix));
        }
        let mut before = "";
        for (known, rest) in table.ahead(prefix) {
            if !wanted(known) {
                continue;
            }
            let pairs = before.bytes().zip(rest.bytes());
            let shared = pairs.take_while(|(a, b)| a == b).count();
            before = rest;
            if look_up.path.len() <= shared {
                continue;
            }
            look_up.descend(known, rest, shared, &mut reached);
            if let Some(&last) = look_up.path.get(rest.len())
                && let Some(quote) = trie.child(last, b'"')
            {
                reached(KeyReached::Closed(quote, known, rest));
            }
        }
    }
}

/// Looks up keys that go on from a prefix, one after the other.
struct KeyLookUp<'a, I> {
    trie: &'a Trie<I>,
    table: &'a KeyTable,
    prefix: Prefix,
    /// Where only what must be escaped is, few keys are.
    is_plain: bool,
    /// The nodes of what has been looked up of the key before.
    path: Vec<TrieNodeId>,
    /// The backslashes that have been reached.
    escapes: Vec<TrieNodeId>,
}

impl<I: Copy> KeyLookUp<'_, I> {
    /// Follows what is left of a key, of which so many bytes are those of the one before.
    fn descend(
        &mut self,
        known: KnownKey,
        rest: &str,
        shared: usize,
        reached: &mut impl FnMut(KeyReached<'_>),
    ) {
        let trie = self.trie;
        self.path.truncate(shared + 1);
        for (i, byte) in rest.bytes().enumerate().skip(shared) {
            // These are only spelled with a backslash.
            if needs_escape(u32::from(byte)) {
                if let Some(escape) = trie.child(self.path[i], b'\\')
                    && self.is_plain
                    && !self.escapes.contains(&escape)
                {
                    self.escapes.push(escape);
                    reached(KeyReached::Escape(escape, self.after(&rest[..i])));
                }
                break;
            }
            let Some(node) = trie.child(self.path[i], byte) else {
                break;
            };
            self.path.push(node);
            let left = max_json_bytes(&rest.as_bytes()[i + 1..]);
            reached(KeyReached::Inside(node, known, left));
            if let Some(escape) = trie.child(node, b'\\')
                && !self.is_plain
                && let Some(read) = rest.get(..=i)
            {
                reached(KeyReached::Escape(escape, self.after(read)));
            }
        }
    }

    fn after(&self, read: &str) -> Prefix {
        let mut read = read.chars();
        let prefix = read.try_fold(self.prefix, |at, c| self.table.step(at, c));
        prefix.expect("a key goes on with its own characters")
    }
}

/// Tokens that close a key while the object knows it.
struct Closed<'a> {
    tokens: Vec<TokenId>,
    /// Some more of them.
    exits: ExitBits,
    /// Those of both that may come.
    allowed: FoundTexts<'a, TokenId>,
}

fn in_key(config: Config, prefix: Prefix) -> Config {
    match config.state {
        State::Key {
            object, partial, ..
        } => Config {
            state: State::Key {
                object,
                prefix,
                partial,
            },
            ..config
        },
        _ => config,
    }
}
