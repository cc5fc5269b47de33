//! The walk that finds a mask: what stays inside the innermost state, and what leaves it.

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::json::object::keys::Key;
use crate::json::texts::TextId;
use crate::machine::{Config, Machine, SetId, State};
use crate::mask::cache::{Left, Masks};
use crate::mask::local::{ScanKey, local};
use crate::mask::texts::Texts;
use crate::mask::tokens::Tokens;
use crate::regex::scan::ScanId;
use crate::spelling::{JsonSpelling, Partial};
use crate::vocab::local::{Exit, Exits, Local};
use crate::vocab::{Trie, Vocabulary};

pub(super) struct Walk<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) masks: &'a Masks,
    pub(super) cap: usize,
    /// Steps from sets of configurations.
    pub(super) steps: RefCell<FxHashMap<(SetId, u8), Option<Config>>>,
}

impl Walk<'_> {
    /// The mask, and whether some token reads a whole key after leaving an unknown key.
    pub(crate) fn mask(&self, config: Config) -> (Tokens, bool) {
        // Inside a record, what closes a string depends on its text.
        let is_recorded = config.record != TextId::EMPTY;
        match config.state {
            State::String { scan, partial } if !self.machine.is_narrow(config.state) => {
                (self.string(config, scan, partial), false)
            }
            State::ScannedKey { scan, partial, .. } => {
                let local = self.local(ScanKey::Scan(scan), partial);
                self.grouped(config, local)
            }
            State::OtherKey { partial, .. } if is_recorded => {
                let local = self.local(ScanKey::Anything, partial);
                (self.one_by_one(config, local), false)
            }
            State::Key {
                object, partial, ..
            } if is_recorded && self.machine.frames.plan(object).other() => {
                let local = self.local(ScanKey::Anything, partial);
                (self.one_by_one(config, local), false)
            }
            State::OtherKey {
                object,
                text,
                partial,
            } => {
                let local = self.local(ScanKey::Anything, partial);
                let after = self
                    .machine
                    .after_key_config(config, object, Key::Other(text, 0));
                let left = self.leave(&local, after);
                let more = tokens_of(&local, &left.exits);
                (Tokens::Inside(local, more), left.reads_key)
            }
            State::Key {
                object, partial, ..
            } if self.machine.frames.plan(object).other() => {
                (self.open_key(config, object, partial), false)
            }
            State::Text { .. } => (self.text(config), false),
            State::Many(set) => (self.many(set), false),
            _ => (self.plain(config), false),
        }
    }

    pub(super) fn spelling(&self) -> JsonSpelling {
        self.machine.frames.rules.scanner.spelling
    }

    pub(super) fn local(&self, key: ScanKey, partial: Partial) -> Arc<Local> {
        local(self.machine, self.vocabulary, key, partial, self.cap)
    }

    /// The exits that go on from `after` once the string is closed.
    pub(super) fn leave(&self, local: &Local, after: Config) -> Arc<Left> {
        let shared = Arc::ptr_eq(
            &local.exits,
            &self.vocabulary.strings(self.spelling()).exits,
        );
        let known = shared.then(|| self.masks.left.read().get(&after).cloned());
        known.flatten().unwrap_or_else(|| {
            let left = Arc::new(self.find_left(&local.exits, after, shared));
            if shared {
                self.masks.make_room(64 + 4 * left.exits.len(), self.cap);
                self.masks.left.write().insert(after, left.clone());
            }
            left
        })
    }

    fn find_left(&self, exits: &Exits, after: Config, shared: bool) -> Left {
        let of = Beyond {
            exits,
            vocabulary: self.vocabulary,
            shared,
        };
        let mut found = exits.closing.to_vec();
        let first = self.machine.next_bytes(after);
        self.walk(&of, exits.beyond.root(), after, first, &mut found);
        Left {
            reads_key: exits.keys.iter().any(|exit| found.contains(exit)),
            exits: found.into(),
            costliest: OnceLock::new(),
        }
    }

    fn string(&self, config: Config, scan: ScanId, partial: Partial) -> Tokens {
        let local = self.local(ScanKey::Scan(scan), partial);
        if let Some(closed) = self.ended(config, scan) {
            let more = closed.map(|after| {
                let left = self.leave(&local, after);
                if config.record == TextId::EMPTY {
                    return tokens_of(&local, &left.exits);
                }
                let may = |exit: &u32| {
                    let Exit { token, before, .. } = local.exits.tokens[*exit as usize];
                    let bytes = self.vocabulary.token(token).unwrap_or_default();
                    let beyond = &bytes[usize::from(before) + 1..];
                    local.is_open(*exit)
                        && !self.differs(after, beyond, || self.goes_on(config, bytes))
                };
                let exits: Vec<u32> = left.exits.iter().copied().filter(may).collect();
                tokens_of(&local, &exits)
            });
            let more = more.unwrap_or_default();
            return Tokens::Inside(local, more);
        }
        match config.record {
            TextId::EMPTY => self.grouped(config, local).0,
            _ => self.one_by_one(config, local),
        }
    }

    /// Calls `f` with each place where open exits stand before their quote, and those exits.
    fn before_quotes(&self, config: Config, local: &Local, mut f: impl FnMut(Config, &[u32])) {
        let exits = &local.exits;
        let mut visit = |at, found: &[u32]| {
            let open: Vec<u32> = found
                .iter()
                .copied()
                .filter(|&e| local.is_open(e))
                .collect();
            if !open.is_empty() {
                f(at, &open);
            }
        };
        visit(config, &exits.bare);
        let step = |at, byte, _| self.machine.step(at, byte);
        exits
            .before
            .walk(config, step, |found, at| visit(at, found));
    }

    /// The tokens inside a string, and of those that close it the ones that may, group by group:
    /// most lead to few places after the quote. Also whether some token reads a whole key after it.
    fn grouped(&self, config: Config, local: Arc<Local>) -> (Tokens, bool) {
        let mut groups: FxHashMap<Config, FxHashSet<u32>> = FxHashMap::default();
        self.before_quotes(config, &local, |at, exits| {
            if let Some(after) = self.machine.step(at, b'"') {
                groups.entry(after).or_default().extend(exits);
            }
        });
        let mut more = Vec::new();
        let mut reads_key = false;
        for (after, group) in groups {
            let left = self.leave(&local, after);
            reads_key |= left.reads_key;
            let exits = left.exits.iter().copied();
            more.extend(exits.filter(|exit| group.contains(exit)));
        }
        let more = tokens_of(&local, &more);
        (Tokens::Inside(local, more), reads_key)
    }

    /// Tries each token that closes the string.
    fn one_by_one(&self, config: Config, local: Arc<Local>) -> Tokens {
        let mut more = Vec::new();
        self.before_quotes(config, &local, |at, exits| {
            let Some(closed) = self.machine.step(at, b'"') else {
                return;
            };
            for &exit in exits {
                let Exit { token, before, .. } = local.exits.tokens[exit as usize];
                let bytes = self.vocabulary.token(token).unwrap_or_default();
                if self.goes_on(closed, &bytes[usize::from(before) + 1..]) {
                    more.push(exit);
                }
            }
        });
        let more = tokens_of(&local, &more);
        Tokens::Inside(local, more)
    }
}

/// What exits of strings go on with after the quote.
struct Beyond<'a> {
    exits: &'a Exits,
    vocabulary: &'a Vocabulary,
    /// Whether they are the exits of all strings of the vocabulary.
    shared: bool,
}

impl Texts for Beyond<'_> {
    fn trie(&self) -> &Trie {
        &self.exits.beyond
    }

    fn bytes(&self, exit: u32) -> &[u8] {
        let Exit { token, before, .. } = self.exits.tokens[exit as usize];
        let bytes = self.vocabulary.token(token).unwrap_or_default();
        &bytes[usize::from(before) + 1..]
    }

    fn code(&self) -> Option<u64> {
        self.shared.then_some(2)
    }
}

/// The tokens of those exits that may come.
pub(super) fn tokens_of(local: &Local, exits: &[u32]) -> Box<[u32]> {
    let open = exits.iter().filter(|&&exit| local.is_open(exit));
    let mut out = Vec::with_capacity(exits.len());
    out.extend(open.map(|&exit| local.exits.tokens[exit as usize].token));
    out.into()
}
