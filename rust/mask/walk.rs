//! The walk that finds a mask: what stays inside the innermost state, and what leaves it.

use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::json::texts::TextId;
use crate::machine::{Completer, Config, Machine, SetId, State, Stepper};
use crate::mask::bounds::KnownBounds;
use crate::mask::cache::{ClosingAfter, Masks};
use crate::mask::found::FoundTexts;
use crate::mask::string_mask::{ScanKey, string_mask};
use crate::mask::texts::TrieTexts;
use crate::mask::tokens::Tokens;
use crate::regex::scan::ScanId;
use crate::spelling::{JsonSpelling, Partial};
use crate::vocab::Vocabulary;
use crate::vocab::string_mask::{
    BegunValues, ClosingToken, ClosingTokens, ExitBits, ExitId, StringMask,
};
use crate::vocab::token::{MaskWord, TokenId};
use crate::vocab::trie::Trie;

pub(super) struct Walk<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) masks: &'a Masks,
    pub(super) cap: usize,
    /// Whether, and how, it is found how far the end of the text is after the tokens that are found.
    pub(super) bounds: Option<Completer<'a>>,
    /// An upper bound of the bytes that finish the text after the tokens that were found last, if it
    /// was found with them.
    pub(super) max_completion_bytes: Cell<Option<u64>>,
    /// Steps from sets of configurations, as far as this walk has made them.
    pub(super) steps: RefCell<FxHashMap<(SetId, u8), Option<Config>>>,
}

/// What comes after a string or number, whatever its text is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    At(Config),
    /// Nothing: it must not end.
    Never,
    /// That depends on the text.
    ByText,
}

impl Walk<'_> {
    /// The mask, and whether some token reads a whole key after leaving an unknown key.
    pub(crate) fn mask(&self, config: Config) -> (Tokens, bool) {
        // Inside a record, what closes a string depends on its text.
        let is_recorded = config.record != TextId::EMPTY;
        match config.state {
            State::String { scan, partial } if !self.is_narrow(config) => {
                (self.string(config, scan, partial), false)
            }
            State::ScannedKey { scan, partial, .. } => {
                let string_mask = self.string_mask(ScanKey::Scan(scan), partial);
                self.grouped(config, string_mask)
            }
            State::OtherKey { partial, .. } if is_recorded => {
                let string_mask = self.string_mask(ScanKey::Anything, partial);
                (self.one_by_one(config, string_mask), false)
            }
            State::Key {
                object, partial, ..
            } if is_recorded && self.machine.obligations.allowed_keys(object).other() => {
                let string_mask = self.string_mask(ScanKey::Anything, partial);
                (self.one_by_one(config, string_mask), false)
            }
            State::OtherKey {
                object,
                text,
                partial,
            } => {
                let string_mask = self.string_mask(ScanKey::Anything, partial);
                let after = self.after_unknown_key(config, object);
                let left = self.leave(&string_mask, after);
                // One that reads a whole key may read this one again, whatever it makes of it first.
                let is_new = |exit: &ExitId| {
                    let exits = &string_mask.exits;
                    !exits.keys.holds(*exit) || {
                        let token = self.vocabulary.token(exits.get(*exit).token);
                        self.goes_on(config, token.unwrap_or_default())
                    }
                };
                let more = match left.reads_key && text != TextId::WHATEVER {
                    true => {
                        let new = left.exits.iter().copied().filter(is_new);
                        tokens_of(&string_mask, new)
                    }
                    false => tokens_of(&string_mask, left.exits.iter().copied()),
                };
                (Tokens::Inside(string_mask, more.into()), left.reads_key)
            }
            State::Key {
                object, partial, ..
            } if self.machine.obligations.allowed_keys(object).other() => {
                (self.open_key(config, object, partial), false)
            }
            State::Text { .. } => (self.text(config), false),
            State::Ambiguous(set) => (self.ambiguous(set), false),
            _ => (self.plain(config), false),
        }
    }

    /// Whether few texts may go on in the string that is being read, and few tokens begin like them.
    fn is_narrow(&self, config: Config) -> bool {
        /// A space begins more tokens than this, most other characters begin fewer.
        const MANY: usize = 1 << 14;
        let lookahead = self.machine.lookahead();
        let trie = self.vocabulary.trie();
        let tokens = |byte| {
            let below = trie.child(trie.root(), byte);
            below.map_or(0, |node| trie.items_below(node).len())
        };
        lookahead.is_narrow(config.state)
            && lookahead
                .next_bytes(config)
                .iter()
                .map(tokens)
                .sum::<usize>()
                < MANY
    }

    /// What finds the bounds of single places.
    pub(super) fn completer(&self) -> Completer<'_> {
        self.bounds.unwrap_or_else(|| self.machine.completer())
    }

    /// What reads on, without the values of items that end.
    pub(super) fn stepper(&self) -> Stepper<'_> {
        self.machine.loose_stepper()
    }

    /// What comes after the string or number that is being read.
    pub(super) fn ended(&self, config: Config, scan: ScanId) -> Ended {
        let queries = &self.machine.obligations.rules.scanner.scan(scan).queries;
        if !queries.is_empty() || config.record != TextId::EMPTY {
            return Ended::ByText;
        }
        let after = self.stepper().close_scalar(config.stack, scan);
        after.map_or(Ended::Never, Ended::At)
    }

    /// Where bytes lead, if no item that ends in them is compared with others.
    pub(super) fn follow(&self, from: Config, bytes: &[u8]) -> Option<Config> {
        let mut bytes = bytes.iter();
        bytes.try_fold(from, |at, &byte| self.stepper().step(at, byte))
    }

    /// Whether texts go on with these bytes, if no item that ends in them is compared with others.
    pub(super) fn goes_on(&self, from: Config, bytes: &[u8]) -> bool {
        self.follow(from, bytes).is_some()
    }

    /// The tokens inside any string, which the masks of free strings share.
    pub(super) fn free_strings(&self) -> &Arc<[MaskWord]> {
        &self.vocabulary.strings(self.spelling()).inside
    }

    pub(super) fn spelling(&self) -> JsonSpelling {
        self.machine.obligations.rules.scanner.spelling
    }

    pub(super) fn string_mask(&self, key: ScanKey, partial: Partial) -> Arc<StringMask> {
        string_mask(self.machine, self.vocabulary, key, partial, self.cap)
    }

    /// The closing tokens that go on from `after` once the string is closed.
    pub(super) fn leave(&self, string_mask: &StringMask, after: Config) -> Arc<ClosingAfter> {
        let shared = Arc::ptr_eq(
            &string_mask.exits,
            &self.vocabulary.strings(self.spelling()).exits,
        );
        let known = shared.then(|| self.masks.left.read().get(&after).cloned());
        known.flatten().unwrap_or_else(|| {
            let left = Arc::new(self.find_left(&string_mask.exits, after, shared));
            if shared {
                self.masks
                    .make_room(64 + size_of_val(&*left.exits), self.cap);
                self.masks.left.write().insert(after, left.clone());
            }
            left
        })
    }

    fn find_left(&self, exits: &ClosingTokens, after: Config, shared: bool) -> ClosingAfter {
        let of = AfterQuote {
            exits,
            vocabulary: self.vocabulary,
            shared,
        };
        let reads_key = |&exit: &ExitId| exits.keys.holds(exit);
        let bounds = self.bounds.filter(|_| self.finds_bounds(after));
        let mut found = FoundTexts::new(bounds);
        found.add(self.machine, &exits.closing, after);
        let first = self.machine.lookahead().next_bytes(after);
        self.walk(&of, exits.beyond.root(), after, first, &mut found);
        let known = KnownBounds::default();
        if let (Some(completer), Some(bytes)) = (bounds, found.max_completion_bytes()) {
            known.get(completer, || bytes);
        }
        ClosingAfter {
            reads_key: found.items.iter().any(reads_key),
            exits: found.items.into(),
            bounds: known,
        }
    }

    fn string(&self, config: Config, scan: ScanId, partial: Partial) -> Tokens {
        let string_mask = self.string_mask(ScanKey::Scan(scan), partial);
        match self.ended(config, scan) {
            Ended::Never => Tokens::Inside(string_mask, Arc::default()),
            Ended::At(after) => {
                let left = self.leave(&string_mask, after);
                let more = tokens_of(&string_mask, left.exits.iter().copied());
                Tokens::Inside(string_mask, more.into())
            }
            Ended::ByText => match config.record {
                TextId::EMPTY => self.grouped(config, string_mask).0,
                _ => self.one_by_one(config, string_mask),
            },
        }
    }

    /// Calls `f` with each place where closing tokens that may come stand before their quote, and
    /// those tokens.
    fn before_quotes(
        &self,
        config: Config,
        string_mask: &StringMask,
        mut f: impl FnMut(Config, &[ExitId]),
    ) {
        let exits = &string_mask.exits;
        let mut visit = |at, found: &[ExitId]| {
            let open: Vec<ExitId> = found
                .iter()
                .copied()
                .filter(|&e| string_mask.is_open(e))
                .collect();
            if !open.is_empty() {
                f(at, &open);
            }
        };
        visit(config, &exits.bare);
        let step = |at, byte, _| self.stepper().step(at, byte);
        exits
            .before
            .walk(config, step, |found, at| visit(at, found));
    }

    /// The closing tokens that may come, by where they lead after the quote.
    fn ends(&self, config: Config, string_mask: &StringMask) -> FxHashMap<Config, ExitBits> {
        let mut groups: FxHashMap<Config, ExitBits> = FxHashMap::default();
        self.before_quotes(config, string_mask, |at, exits| {
            if let Some(after) = self.stepper().step(at, b'"') {
                let none = || ExitBits::none(string_mask.exits.len());
                groups.entry(after).or_insert_with(none).insert_all(exits);
            }
        });
        groups
    }

    /// The tokens inside a string, and of those that close it the ones that may, group by group:
    /// most lead to few places after the quote. Also whether some token reads a whole key after it.
    fn grouped(&self, config: Config, string_mask: Arc<StringMask>) -> (Tokens, bool) {
        let groups = self.ends_of_key(config, &string_mask);
        let groups = groups.unwrap_or_else(|| self.ends(config, &string_mask));
        let mut more = Vec::new();
        let mut reads_key = false;
        for (after, group) in groups {
            let left = self.leave(&string_mask, after);
            reads_key |= left.reads_key;
            let exits = left.exits.iter().copied();
            more.extend(exits.filter(|&exit| group.holds(exit)));
        }
        let more = tokens_of(&string_mask, more.into_iter());
        (Tokens::Inside(string_mask, more.into()), reads_key)
    }

    /// Tries each token that closes the string.
    fn one_by_one(&self, config: Config, string_mask: Arc<StringMask>) -> Tokens {
        let mut more = Vec::new();
        self.before_quotes(config, &string_mask, |at, exits| {
            let Some(closed) = self.stepper().step(at, b'"') else {
                return;
            };
            for &exit in exits {
                let ClosingToken { token, before, .. } = string_mask.exits.get(exit);
                let bytes = self.vocabulary.token(token).unwrap_or_default();
                if self.goes_on(closed, &bytes[usize::from(before) + 1..]) {
                    more.push(exit);
                }
            }
        });
        let more = tokens_of(&string_mask, more.into_iter());
        Tokens::Inside(string_mask, more.into())
    }
}

/// What closing tokens of strings go on with after the quote.
struct AfterQuote<'a> {
    exits: &'a ClosingTokens,
    vocabulary: &'a Vocabulary,
    /// Whether they are the closing tokens of all strings of the vocabulary.
    shared: bool,
}

impl TrieTexts for AfterQuote<'_> {
    type Item = ExitId;

    fn trie(&self) -> &Trie<ExitId> {
        &self.exits.beyond
    }

    fn bytes(&self, exit: ExitId) -> &[u8] {
        let ClosingToken { token, before, .. } = self.exits.get(exit);
        let bytes = self.vocabulary.token(token).unwrap_or_default();
        &bytes[usize::from(before) + 1..]
    }

    fn begun_values(&self) -> Option<&BegunValues<ExitId>> {
        self.shared.then(|| &self.vocabulary.shared_masks().exits)
    }
}

/// The ids of those closing tokens that may come.
pub(super) fn tokens_of(
    string_mask: &StringMask,
    exits: impl Iterator<Item = ExitId>,
) -> Vec<TokenId> {
    let mut tokens = Vec::with_capacity(exits.size_hint().1.unwrap_or(0));
    let open = exits.filter(|&exit| string_mask.is_open(exit));
    tokens.extend(open.map(|exit| string_mask.exits.get(exit).token));
    tokens
}
