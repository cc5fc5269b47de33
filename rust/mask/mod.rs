//! Which tokens may come next.
//!
//! A mask is the union of what stays inside the innermost state and what leaves it. Inside a JSON
//! string, the first part is the same wherever the string stands, and is shared by all grammars of
//! a vocabulary ([`Local`]); the second is found by walking what those tokens go on with. Every
//! other state has few tokens, found by a walk of the vocabulary's trie that gives up wherever no
//! valid text goes on.

mod alike;
mod apart;
mod costliest;
mod groups;
mod guide;
mod items;
mod keys;
mod local;
mod plain;
mod reach;
mod tails;
mod text;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::json::shape::Key;
use crate::json::spelling::Partial;
use crate::json::texts::TextId;
use crate::machine::{Config, Machine, SetId, State};
use crate::regex::scan::ScanId;
use crate::spelling::JsonSpelling;
use crate::vocab::local::{Above, Chosen, Exit, Exits, Local, Under};
use crate::vocab::{Trie, Vocabulary};

pub(crate) use alike::Lead;
pub(crate) use groups::Visitor;
use guide::Guide;
use plain::Texts;
pub(crate) use reach::{Reach, Speller};
pub(crate) use tails::{Ends, Tails};

/// The text tokens that may come next.
#[derive(Debug)]
pub(crate) struct Mask {
    tokens: Tokens,
    /// Tokens that are read by their ids, a bit for each.
    named: Option<Box<[u32]>>,
    costliest: OnceLock<u64>,
    late: OnceLock<Late>,
}

/// The tokens of a mask after which it takes many more to finish the text.
#[derive(Debug)]
pub(crate) struct Late {
    /// The most that it takes after any token, by text or by id.
    pub(crate) most: u64,
    /// Those that are read by their text and after which it takes more than `base`, by how many.
    pub(crate) groups: Box<[(u64, Box<[u32]>)]>,
    pub(crate) base: u64,
    /// Whether all of it is the same for each text of the unknown key that is being read.
    pub(crate) is_alike: bool,
}

#[derive(Debug)]
pub(crate) enum Tokens {
    /// The tokens themselves.
    Few(Box<[u32]>),
    /// A bit for each token.
    Many(Box<[u32]>),
    /// Those inside a string, and a few more.
    Inside(Arc<Local>, Box<[u32]>),
    /// Those that what is around a place in a grammar does not matter to, and a few more.
    Above(Arc<Above>, Box<[u32]>),
}

impl Tokens {
    /// From any tokens, none twice.
    fn new(tokens: Vec<u32>, words: usize) -> Self {
        // To set so many bits takes longer than to copy all words.
        if tokens.len() <= words / 4 {
            return Tokens::Few(tokens.into());
        }
        let mut bits = vec![0; words];
        set_bits(&mut bits, &tokens);
        Tokens::Many(bits.into())
    }
}

impl Mask {
    fn new(tokens: Tokens) -> Self {
        Mask {
            tokens,
            named: None,
            costliest: OnceLock::new(),
            late: OnceLock::new(),
        }
    }

    /// The tokens that are read by their ids, a bit for each, if there are some.
    pub(crate) fn named(&self) -> Option<&[u32]> {
        self.named.as_deref()
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// What finishing the text can cost after one of the tokens; `compute` is called once.
    pub(crate) fn costliest(&self, compute: impl FnOnce() -> u64) -> u64 {
        *self.costliest.get_or_init(compute)
    }

    /// The tokens after which the text ends late; `compute` is called once.
    pub(crate) fn late(&self, compute: impl FnOnce() -> Late) -> &Late {
        self.late.get_or_init(compute)
    }

    /// What [`Mask::costliest`] has computed, if it has.
    pub(crate) fn known_costliest(&self) -> Option<u64> {
        self.costliest.get().copied()
    }

    /// Writes the mask: one bit for each token, the lowest first.
    pub(crate) fn write(&self, bits: &mut [u32]) {
        self.write_text(bits);
        if let Some(named) = &self.named {
            add_bits(bits, named);
        }
    }

    /// Writes the tokens that are read by their text.
    pub(crate) fn write_text(&self, bits: &mut [u32]) {
        match &self.tokens {
            Tokens::Few(tokens) => {
                bits.fill(0);
                set_bits(bits, tokens);
            }
            Tokens::Many(all) => bits.copy_from_slice(all),
            Tokens::Inside(local, more) => {
                bits.copy_from_slice(&local.inside);
                set_bits(bits, more);
            }
            Tokens::Above(above, more) => {
                match &above.tokens {
                    Chosen::Few(tokens) => {
                        bits.fill(0);
                        set_bits(bits, tokens);
                    }
                    Chosen::Many(all) => bits.copy_from_slice(all),
                }
                set_bits(bits, more);
            }
        }
    }

    /// Sets the bits of the mask's tokens.
    fn add_to(&self, bits: &mut [u32]) {
        match &self.tokens {
            Tokens::Few(tokens) => set_bits(bits, tokens),
            Tokens::Many(all) => add_bits(bits, all),
            Tokens::Inside(local, more) => {
                add_bits(bits, &local.inside);
                set_bits(bits, more);
            }
            Tokens::Above(above, more) => {
                match &above.tokens {
                    Chosen::Few(tokens) => set_bits(bits, tokens),
                    Chosen::Many(all) => add_bits(bits, all),
                }
                set_bits(bits, more);
            }
        }
        if let Some(named) = &self.named {
            add_bits(bits, named);
        }
    }

    /// The memory that it takes; `free` is what all free strings share.
    fn bytes(&self, free: &Arc<[u32]>) -> usize {
        64 + match &self.tokens {
            Tokens::Few(list) | Tokens::Many(list) => 4 * list.len(),
            // Other masks may share the local, and the vocabulary may have forgotten it.
            Tokens::Inside(local, list) => local.own_bytes(free) + 4 * list.len(),
            Tokens::Above(_, list) => 4 * list.len(),
        } + self.named.as_ref().map_or(0, |named| size_of_val(&**named))
    }
}

/// Sets the bits that are set in others.
pub(crate) fn add_bits(bits: &mut [u32], more: &[u32]) {
    for (word, more) in bits.iter_mut().zip(more) {
        *word |= more;
    }
}

/// Sets the bits of tokens.
pub(crate) fn set_bits(bits: &mut [u32], tokens: &[u32]) {
    for &token in tokens {
        bits[token as usize / 32] |= 1 << (token % 32);
    }
}

/// Clears the bits of tokens.
pub(crate) fn clear_bits(bits: &mut [u32], tokens: &[u32]) {
    for &token in tokens {
        bits[token as usize / 32] &= !(1 << (token % 32));
    }
}

/// The tokens whose bits are set.
pub(crate) fn bits_of(bits: &[u32]) -> impl Iterator<Item = u32> {
    let words = (0_u32..).zip(bits).filter(|(_, bits)| **bits != 0);
    words.flat_map(|(word, &(mut bits))| {
        std::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(word * 32 + bit)
        })
    })
}

/// Whether the bit of a token is set.
pub(crate) fn has_bit(bits: &[u32], token: u32) -> bool {
    bits[token as usize / 32] >> (token % 32) & 1 == 1
}

/// The exits of any string that go on from one place after it.
#[derive(Debug)]
struct Left {
    exits: Box<[u32]>,
    /// Whether one of them may read a whole key.
    reads_key: bool,
    /// An upper bound of the bytes that finish the text after any of them.
    costliest: OnceLock<u64>,
}

/// The masks of one grammar on one vocabulary.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    known: RwLock<FxHashMap<Config, Arc<Mask>>>,
    /// What the exits of strings lead to from where the string is closed.
    left: RwLock<FxHashMap<Config, Arc<Left>>>,
    /// What the innermost frames of a grammar's text read.
    above: RwLock<FxHashMap<Config, Arc<Above>>>,
    /// The same for what is below a node of the trie.
    under: RwLock<FxHashMap<(Config, u32), Arc<Under>>>,
    /// The sets of tokens that the grammar names, a bit for each token.
    tokens: TokenSets,
    bytes: AtomicUsize,
}

/// Sets of tokens on a vocabulary, each a bit for each token.
pub(crate) type TokenSets = Arc<[Box<[u32]>]>;

impl Masks {
    /// No masks yet, of a grammar that names these sets of tokens.
    pub(crate) fn new(tokens: TokenSets) -> Self {
        Masks {
            tokens,
            ..Masks::default()
        }
    }

    /// The sets of tokens that the grammar names.
    pub(crate) fn token_sets(&self) -> &TokenSets {
        &self.tokens
    }

    /// The mask of a configuration after [`forget_text`], if it has been asked for before.
    pub(crate) fn known(&self, alike: Config) -> Option<Arc<Mask>> {
        self.known.read().get(&alike).cloned()
    }

    /// The mask of a configuration. Above `cap` bytes the masks start anew.
    pub(crate) fn get(
        &self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        config: Config,
        cap: usize,
    ) -> Arc<Mask> {
        let alike = forget_text(machine, config);
        if let Some(known) = self.known(alike) {
            return known;
        }
        let walk = self.walk(machine, vocabulary, cap);
        let (mask, names_itself) = walk.mask(alike);
        if names_itself && alike != config {
            // Some token closes the key and goes on to another: whether that is the same key
            // again depends on its text.
            return Arc::new(Mask::new(walk.mask(config).0));
        }
        let mask = Arc::new(Mask {
            named: walk.named(alike),
            ..Mask::new(mask)
        });
        if !names_itself {
            let spelling = machine.frames.rules.scanner.spelling;
            let own = mask.bytes(&vocabulary.strings(spelling).inside);
            self.make_room(own, cap);
            self.known.write().insert(alike, mask.clone());
        }
        mask
    }

    /// What a mask is found with.
    fn walk<'a>(
        &'a self,
        machine: &'a Machine,
        vocabulary: &'a Vocabulary,
        cap: usize,
    ) -> Walk<'a> {
        Walk {
            machine,
            vocabulary,
            masks: self,
            cap,
            steps: RefCell::default(),
        }
    }

    /// An upper bound of the bytes that finish a text after any token of its mask.
    pub(crate) fn costliest(
        &self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        config: Config,
        mask: &Mask,
        cap: usize,
    ) -> u64 {
        let walk = self.walk(machine, vocabulary, cap);
        walk.costliest(forget_text(machine, config), mask)
    }

    /// Tells where the tokens of a mask lead, and perhaps some that may not come. Whether that is the
    /// same for each text of the unknown key that is being read.
    pub(crate) fn for_groups(
        &self,
        ends: Ends<'_>,
        (config, mask): (Config, &Mask),
        visitor: &mut impl Visitor,
    ) -> bool {
        let walk = self.walk(ends.machine, ends.vocabulary, ends.limits.cache_bytes);
        let mut guide = Guide::exactly(ends, config, visitor);
        walk.for_groups(config, mask, &mut guide);
        guide.is_alike()
    }

    /// Counts bytes that are about to be kept; above `cap` the masks start anew.
    pub(crate) fn make_room(&self, bytes: usize, cap: usize) {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > cap {
            self.known.write().clear();
            self.left.write().clear();
            self.above.write().clear();
            self.under.write().clear();
            self.bytes.store(bytes, Ordering::Relaxed);
        }
    }
}

/// The same configuration, but for the text of an unknown key: all of them have the same mask, and
/// the same completion.
pub(crate) fn forget_text(machine: &Machine, config: Config) -> Config {
    match config.state {
        // What is recorded is compared later, text and all.
        _ if config.record != TextId::EMPTY => config,
        State::OtherKey {
            object, partial, ..
        } => {
            let state = State::OtherKey {
                object,
                text: TextId::WHATEVER,
                partial,
            };
            Config { state, ..config }
        }
        State::ScannedKey {
            object,
            scan,
            prefix,
            partial,
            ..
        } if machine.frames.is_plentiful(object, scan) => {
            let state = State::ScannedKey {
                object,
                scan,
                prefix,
                text: TextId::WHATEVER,
                partial,
            };
            Config { state, ..config }
        }
        _ => config,
    }
}

struct Walk<'a> {
    machine: &'a Machine,
    vocabulary: &'a Vocabulary,
    masks: &'a Masks,
    cap: usize,
    /// Steps from sets of configurations.
    steps: RefCell<FxHashMap<(SetId, u8), Option<Config>>>,
}

impl Walk<'_> {
    /// The mask, and whether some token reads a whole key after leaving an unknown key.
    fn mask(&self, config: Config) -> (Tokens, bool) {
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

    fn spelling(&self) -> JsonSpelling {
        self.machine.frames.rules.scanner.spelling
    }

    fn local(&self, key: ScanKey, partial: Partial) -> Arc<Local> {
        local::local(self.machine, self.vocabulary, key, partial, self.cap)
    }

    /// The exits that go on from `after` once the string is closed.
    fn leave(&self, local: &Local, after: Config) -> Arc<Left> {
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
fn tokens_of(local: &Local, exits: &[u32]) -> Box<[u32]> {
    let open = exits.iter().filter(|&&exit| local.is_open(exit));
    let mut out = Vec::with_capacity(exits.len());
    out.extend(open.map(|&exit| local.exits.tokens[exit as usize].token));
    out.into()
}

/// Which strings are read.
#[derive(Clone, Copy, Debug)]
enum ScanKey {
    Anything,
    Scan(ScanId),
}
