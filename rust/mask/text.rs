//! Masks of grammars' text.
//!
//! What tokens do from a place depends on the innermost frames alone, until those have ended. So
//! that part is found once for all stacks ([`Above`]), with the places in the trie where it may
//! have ended; from there the frames below are walked on. A language that no symbol interrupts is
//! the same in all grammars of a vocabulary.

use std::sync::Arc;

use crate::json::spelling::Partial;
use crate::machine::{Config, SetId, State};
use crate::mask::{Tokens, Walk, set_bits};
use crate::vocab::local::{Above, Chosen};

/// Subtrees with fewer tokens are walked.
const SMALL: usize = 4;

impl Walk<'_> {
    /// The mask of a state of a grammar's text.
    pub(super) fn text(&self, config: Config) -> Tokens {
        let (upper, below) = self.machine.upper_part(config);
        let above = self.above(upper);
        let mut more = Vec::new();
        if let Some(returned) = self.machine.returned(below) {
            let next = self.machine.next_bytes(returned);
            let trie = self.vocabulary.trie();
            for &exit in &above.exits {
                let step = |at, byte: u8, node| {
                    if trie.node(node).depth == trie.node(exit).depth + 1 && !next.contains(byte) {
                        return None;
                    }
                    self.step(at, byte)
                };
                let found = |tokens: &[u32], _| more.extend_from_slice(tokens);
                trie.walk_below(exit, returned, step, found);
            }
        }
        Tokens::Above(above, more.into())
    }

    /// The mask of several configurations at once.
    pub(super) fn many(&self, set: SetId) -> Tokens {
        let mut bits = vec![0; self.vocabulary.mask_words()];
        for &member in self.machine.members(set) {
            let mask = self
                .masks
                .get(self.machine, self.vocabulary, member, self.cap);
            if mask.is_cut_short() {
                self.is_cut_short.set(true);
            }
            mask.add_to(&mut bits);
        }
        Tokens::Many(bits.into())
    }

    fn above(&self, upper: Config) -> Arc<Above> {
        let partial = match upper.state {
            State::Text { partial, .. } => partial,
            _ => Partial::Nothing,
        };
        if let Some((scan, is_base)) = self.machine.plain_language(upper) {
            let scanner = &self.machine.frames.rules.scanner;
            let language = scanner.regexes.fingerprint(scanner.scan(scan).must);
            let key = (language, partial.code() << 1 | u64::from(is_base));
            return self.vocabulary.locals().above.get(key, self.cap, || {
                let above = self.find_above(upper);
                let bytes = above.bytes();
                (above, bytes)
            });
        }
        if let Some((known, cut_short)) = self.masks.above.read().get(&upper) {
            self.is_cut_short.set(self.is_cut_short.get() || *cut_short);
            return known.clone();
        }
        let outer = self.is_cut_short.replace(false);
        let above = Arc::new(self.find_above(upper));
        let cut_short = self.is_cut_short.get();
        self.is_cut_short.set(outer || cut_short);
        self.masks.make_room(64 + above.bytes(), self.cap);
        let mut known = self.masks.above.write();
        known.insert(upper, (above.clone(), cut_short));
        above
    }

    fn find_above(&self, upper: Config) -> Above {
        let trie = self.vocabulary.trie();
        let (mut ranges, mut exits) = (Vec::new(), Vec::new());
        let mut count = 0;
        let mut add = |tokens: &[u32]| {
            count += tokens.len();
            ranges.extend_from_slice(tokens);
        };
        let first = self.machine.next_bytes(upper);
        let mut all: Vec<u32> = Vec::new();
        trie.walk_from(
            upper,
            first,
            |at, byte, node| {
                let next = self.step(at, byte)?;
                if trie.tokens_below(node).len() > trie.tokens_at(node).len() {
                    if self.takes_all_below(next, node) {
                        all.push(node);
                        return None;
                    }
                    if self.machine.reaches_base(next) {
                        exits.push(node);
                    }
                }
                Some(next)
            },
            |found, _| add(found),
        );
        let words = self.vocabulary.mask_words();
        let mut total = count;
        total += all
            .iter()
            .map(|&node| trie.tokens_below(node).len())
            .sum::<usize>();
        let tokens = if total <= words / 4 {
            all.iter()
                .for_each(|&node| ranges.extend_from_slice(trie.tokens_below(node)));
            Chosen::Few(ranges.into())
        } else {
            let mut bits = vec![0; words];
            set_bits(&mut bits, &ranges);
            all.iter()
                .for_each(|&node| set_bits(&mut bits, trie.tokens_below(node)));
            Chosen::Many(bits.into())
        };
        Above {
            tokens,
            exits: exits.into(),
        }
    }

    /// A step of the machine; notes where it follows no further.
    fn step(&self, config: Config, byte: u8) -> Option<Config> {
        let next = self.machine.step(config, byte)?;
        if next.state == State::TooMany {
            self.is_cut_short.set(true);
            return None;
        }
        Some(next)
    }

    /// Whether all tokens below a node of the trie may come, from the configuration at the node.
    fn takes_all_below(&self, config: Config, node: u32) -> bool {
        let trie = self.vocabulary.trie();
        if trie.tokens_below(node).len() < SMALL {
            return false;
        }
        let scanner = &self.machine.frames.rules.scanner;
        let takes = |config: &Config| match config.state {
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => {
                let below = self.vocabulary.plain().below(node);
                below.is_some_and(|below| scanner.calm(scan).allows(below.characters, below.height))
            }
            _ => false,
        };
        match config.state {
            State::Many(set) => self.machine.members(set).iter().any(takes),
            _ => takes(&config),
        }
    }

    /// The tokens that a grammar reads by their ids, if it reads some here.
    pub(super) fn named(&self, config: Config) -> Option<Box<[u32]>> {
        let sets = &self.masks.tokens;
        if sets.is_empty() {
            return None;
        }
        let mut bits: Option<Box<[u32]>> = None;
        for (set, _) in self.machine.token_moves(config) {
            let Some(set) = sets.get(set as usize) else {
                self.is_cut_short.set(true);
                continue;
            };
            let bits = bits.get_or_insert_with(|| vec![0; set.len()].into());
            for (word, more) in bits.iter_mut().zip(&**set) {
                *word |= more;
            }
        }
        bits
    }
}
