//! Masks inside the text of a grammar.
//!
//! What tokens do from a place depends on the innermost frame alone, until its rule has ended. So
//! that part is found once for all stacks ([`Above`]), with the places in the trie where the rule
//! may have ended; from there the frames below are walked on. A language that no symbol interrupts
//! is the same in all grammars of a vocabulary. In large subtrees of the trie, states are looked at
//! by themselves again ([`Under`]): a name begins in many places, and goes on alike.

use std::sync::Arc;

use crate::byte_set::ByteSet;
use crate::machine::{Config, SetId, State};
use crate::mask::tokens::Tokens;
use crate::mask::walk::Walk;
use crate::spelling::Partial;
use crate::vocab::string_mask::{Above, Chosen, Leaving, Under};
use crate::vocab::token::{MaskWord, TokenId, add_bits, set_bits};
use crate::vocab::trie::{ItemRange, TrieChild, TrieNodeId};

/// What a state does in a subtree is kept if the subtree has at least so many tokens.
const LARGE: usize = 12;

/// The tokens found from one configuration.
#[derive(Default)]
struct FoundTokens {
    /// Ranges of the trie's tokens.
    ranges: Vec<ItemRange>,
    /// Nodes of the trie before which the text may have ended.
    exits: Vec<TrieNodeId>,
}

impl FoundTokens {
    fn add(&mut self, range: ItemRange) {
        range.add_to(&mut self.ranges);
    }
}

impl Walk<'_> {
    /// The mask of a state of a grammar's text.
    pub(super) fn text(&self, config: Config) -> Tokens {
        let (alone, below) = self.machine.text_reader().alone(config);
        let above = self.above(alone);
        let mut more = Vec::new();
        if let Some(exits) = &above.exits
            && let Some(after) = self.stepper().returned(below)
        {
            exits.beyond.seek(
                after,
                |at| self.machine.lookahead().next_bytes(at),
                |at, byte, _| self.step(at, byte),
                |tokens, _| more.extend_from_slice(tokens),
            );
            let mut found = FoundTokens::default();
            for &node in &exits.nodes {
                self.go_on_below(after, node, ByteSet::NONE, &mut found);
            }
            let trie = self.vocabulary.trie();
            more.extend(found.ranges.iter().flat_map(|&range| trie.items_in(range)));
        }
        Tokens::Above(above, more.into())
    }

    /// The mask of several configurations at once.
    pub(super) fn ambiguous(&self, set: SetId) -> Tokens {
        let mut bits = vec![MaskWord::NONE; self.vocabulary.mask_words()];
        for &member in self.machine.members(set) {
            let mask = self
                .masks
                .get(self.machine, self.vocabulary, member, self.cap, None);
            mask.add_to(&mut bits);
        }
        Tokens::Many(bits.into())
    }

    /// What all tokens do from a state by itself, as `TextReader::alone` gives it.
    fn above(&self, alone: Config) -> Arc<Above> {
        if let State::Text { scan, partial } = alone.state
            && self.machine.text_reader().is_on_base(alone)
            && self.machine.text_reader().is_one_language(scan)
        {
            let scanner = &self.machine.obligations.rules.scanner;
            let language = scanner.regexes.fingerprint(scanner.scan(scan).language);
            let key = (
                language,
                partial.code(),
                self.machine.text_reader().after_base(alone),
            );
            return self.vocabulary.shared_masks().above.get(key, self.cap, || {
                let above = self.find_above(alone);
                let bytes = above.bytes();
                (above, bytes)
            });
        }
        if let Some(known) = self.masks.above.read().get(&alone) {
            return known.clone();
        }
        let above = Arc::new(self.find_above(alone));
        self.masks.make_room(64 + above.bytes(), self.cap);
        self.masks.above.write().insert(alone, above.clone());
        above
    }

    fn find_above(&self, alone: Config) -> Above {
        let trie = self.vocabulary.trie();
        let mut found = FoundTokens::default();
        let after = self.machine.text_reader().after_base(alone);
        self.explore(alone, None, after, &mut found);
        let words = self.vocabulary.mask_words();
        let count: usize = found.ranges.iter().map(|range| range.len()).sum();
        let ranges = found.ranges.iter().map(|&range| trie.items_in(range));
        let tokens = if count <= words / 4 {
            let mut tokens: Vec<TokenId> = ranges.flatten().copied().collect();
            tokens.sort_unstable();
            tokens.dedup();
            Chosen::Few(tokens.into())
        } else {
            let mut bits = vec![MaskWord::NONE; words];
            ranges.for_each(|tokens| set_bits(&mut bits, tokens));
            Chosen::Many(bits.into())
        };
        let (mut leaving, mut nodes) = (Vec::new(), Vec::new());
        found.exits.sort_unstable();
        found.exits.dedup();
        for exit in found.exits {
            if trie.items_below(exit).len() >= LARGE {
                nodes.push(exit);
                continue;
            }
            let from = trie.node(exit).depth - 1;
            let below = trie.items_below(exit).iter();
            let others = below.filter(|&&token| !tokens.holds(token));
            leaving.extend(others.map(|&token| (token, from)));
        }
        let exits = (!leaving.is_empty() || !nodes.is_empty()).then(|| {
            let bytes = |token| self.vocabulary.token(token).unwrap_or_default();
            Leaving::new(leaving, nodes, bytes)
        });
        Above { tokens, exits }
    }

    /// What the tokens below a node of the trie do from a state by itself that is reached at the
    /// node.
    fn under(&self, alone: Config, node: TrieNodeId) -> Arc<Under> {
        if let Some(known) = self.masks.under.read().get(&(alone, node)) {
            return known.clone();
        }
        let mut found = FoundTokens::default();
        let after = self.machine.text_reader().after_base(alone);
        self.explore(alone, Some(node), after, &mut found);
        found.ranges.sort_unstable();
        found.ranges.dedup();
        let trie = self.vocabulary.trie();
        let byte = |exit: TrieNodeId| trie.node(exit).byte;
        found.exits.sort_unstable_by_key(|&exit| (byte(exit), exit));
        let groups = found.exits.chunk_by(|&a, &b| byte(a) == byte(b));
        let under = Arc::new(Under {
            ranges: found.ranges.into(),
            exits: groups.map(|exits| (byte(exits[0]), exits.into())).collect(),
        });
        self.masks.make_room(64 + under.bytes(), self.cap);
        let mut known = self.masks.under.write();
        known.insert((alone, node), under.clone());
        under
    }

    /// Finds the tokens below a node, or all tokens, from a configuration that stands on a base.
    /// Where all above the base may end, the nodes that come next are exits if their bytes are
    /// among `after`.
    fn explore(
        &self,
        start: Config,
        node: Option<TrieNodeId>,
        after: ByteSet,
        out: &mut FoundTokens,
    ) {
        let trie = self.vocabulary.trie();
        let next = |at: Config| match self.stepper().reaches_base(at) {
            true => self.machine.lookahead().next_bytes(at).or(after),
            false => self.machine.lookahead().next_bytes(at),
        };
        let step = |at: Config, byte: u8, child: TrieChild| {
            let node = child.node;
            if after.contains(byte) && self.stepper().reaches_base(at) {
                out.exits.push(node);
            }
            self.arrive(self.step(at, byte)?, node, Some(start), after, out)
        };
        let node = node.unwrap_or(trie.root());
        trie.seek_below(node, start, next(start), next, step, |_, _| {});
    }

    /// Takes the tokens of a node to which a configuration leads; the configuration, if the walk is
    /// to go on below. `start` is where the walk began, if it did so with a state by itself.
    fn arrive(
        &self,
        config: Config,
        node: TrieNodeId,
        start: Option<Config>,
        after: ByteSet,
        out: &mut FoundTokens,
    ) -> Option<Config> {
        let trie = self.vocabulary.trie();
        let (own, below) = (trie.range_at(node), trie.range_below(node));
        if own == below {
            out.add(own);
            return None;
        }
        if self.takes_all_below(config, node) {
            out.add(below);
            return None;
        }
        out.add(own);
        if below.len() >= LARGE {
            let members = match config.state {
                State::Ambiguous(set) => self.machine.members(set),
                _ => &[config],
            };
            let is_text = |member: &Config| {
                matches!(
                    member.state,
                    State::Text {
                        partial: Partial::Nothing,
                        ..
                    }
                )
            };
            let is_new =
                start != Some(config) || self.machine.text_reader().run_alone(config).is_some();
            if members.iter().all(is_text) && is_new {
                for &member in members {
                    self.pass(member, node, after, out);
                }
                return None;
            }
        }
        Some(config)
    }

    /// Adds what a configuration does below a node: what its state does by itself, and what goes on
    /// after that has ended.
    fn pass(&self, config: Config, node: TrieNodeId, after: ByteSet, out: &mut FoundTokens) {
        let run = self.machine.text_reader().run_alone(config);
        let (alone, below) = run.unwrap_or_else(|| self.machine.text_reader().alone(config));
        let under = self.under(alone, node);
        under.ranges.iter().for_each(|&range| out.add(range));
        let is_above_base = self.machine.text_reader().is_above_base(below);
        let returned = self.stepper().returned(below);
        let next = returned.map_or(ByteSet::NONE, |at| self.machine.lookahead().next_bytes(at));
        for &(byte, ref exits) in &under.exits {
            if is_above_base && after.contains(byte) {
                out.exits.extend_from_slice(exits);
            }
            let Some(returned) = returned.filter(|_| next.contains(byte)) else {
                continue;
            };
            for &exit in exits {
                self.go_on_below(returned, exit, after, out);
            }
        }
    }

    /// Reads the byte of a node, and goes on below it.
    fn go_on_below(&self, config: Config, node: TrieNodeId, after: ByteSet, out: &mut FoundTokens) {
        let next = self.step(config, self.vocabulary.trie().node(node).byte);
        if let Some(next) = next.and_then(|next| self.arrive(next, node, None, after, out)) {
            self.explore(next, Some(node), after, out);
        }
    }

    /// A step of the machine.
    fn step(&self, config: Config, byte: u8) -> Option<Config> {
        match config.state {
            // Tokens are full of runs, in which sets lead to themselves.
            State::Ambiguous(set) => {
                let known = self.steps.borrow().get(&(set, byte)).copied();
                known.unwrap_or_else(|| {
                    let next = self.stepper().step(config, byte);
                    self.steps.borrow_mut().insert((set, byte), next);
                    next
                })
            }
            _ => self.stepper().step(config, byte),
        }
    }

    /// Whether all tokens below a node of the trie may come, from the configuration at the node.
    fn takes_all_below(&self, config: Config, node: TrieNodeId) -> bool {
        let scanner = &self.machine.obligations.rules.scanner;
        let takes = |config: &Config| match config.state {
            // Inside a character, those that it can become are below, too.
            State::Text { scan, .. } => {
                let below = self.vocabulary.plain().below(node);
                below.is_some_and(|below| scanner.allows(scan, below.characters, below.height))
            }
            _ => false,
        };
        match config.state {
            State::Ambiguous(set) => self.machine.members(set).iter().any(takes),
            _ => takes(&config),
        }
    }

    /// The tokens that a grammar reads by their ids, if it reads some here.
    pub(super) fn named(&self, config: Config) -> Option<Box<[MaskWord]>> {
        let sets = &self.masks.tokens;
        if sets.is_empty() {
            return None;
        }
        let mut bits: Option<Box<[MaskWord]>> = None;
        for (set, _) in self.stepper().token_moves(config) {
            let set = sets.get(set);
            let bits = bits.get_or_insert_with(|| vec![MaskWord::NONE; set.len()].into());
            add_bits(bits, set);
        }
        bits
    }
}
