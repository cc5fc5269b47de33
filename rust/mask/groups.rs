//! Where the tokens of a mask lead.

use std::sync::Arc;

use crate::json::spelling::{Partial, Taken};
use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::local::Unlimited;
use crate::mask::{Mask, Tokens, Walk, clear_bits, forget_text, has_bit};
use crate::regex::node::NodeId;
use crate::regex::scan::{Scan, ScanId};
use crate::vocab::local::{Groups, Local};

/// Who wants to know where tokens lead.
pub(crate) trait Visitor {
    /// Whether tokens after which so many bytes at most finish the text are of no interest.
    fn passes(&mut self, bound: u64) -> bool;

    /// Meets a place; whether the tokens that lead there are of interest.
    fn wants(&mut self, at: Config) -> bool;

    /// Takes the tokens that lead to the place that was met last.
    fn take(&mut self, tokens: &[u32]);

    /// Meets a place with the tokens that lead there.
    fn meet(&mut self, at: Config, tokens: &[u32]) {
        if self.wants(at) {
            self.take(tokens);
        }
    }
}

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
    /// Tells where the tokens of a mask lead, unknown texts of keys forgotten.
    pub(super) fn for_groups(&self, config: Config, mask: &Mask, visitor: &mut impl Visitor) {
        let is_key = matches!(config.state, State::Key { .. } | State::OtherKey { .. });
        match mask.tokens() {
            // All unknown keys are in one place, unless they are recorded.
            Tokens::Inside(local, more) if !is_key || config.record != TextId::EMPTY => {
                self.inside_groups(config, local, more, visitor);
            }
            _ => self.places(config, visitor),
        }
    }

    /// By a walk of the vocabulary's trie that passes subtrees which stay where they are.
    pub(super) fn places(&self, start: Config, visitor: &mut impl Visitor) {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        let mut alike = None;
        let step = |at: Config, byte: u8, node: u32| {
            let mut next = machine.step(at, byte)?;
            if let State::OtherKey { object, .. } = next.state {
                let place = (object, next.stack);
                let known = alike.filter(|&(at, _)| at == place);
                let (_, is_alike) = *alike.insert(known.unwrap_or_else(|| {
                    let is_alike = machine.ends_alike_after_others(object, next.stack);
                    (place, is_alike)
                }));
                if is_alike {
                    next = forget_text(machine, next);
                }
            }
            let (own, below) = (trie.range_at(node), trie.range_below(node));
            if own != below && self.passes_below(next, node, visitor) {
                return None;
            }
            if own.0 < own.1 {
                visitor.meet(forget_text(machine, next), trie.tokens_in(own));
            }
            (own != below).then_some(next)
        };
        trie.seek(start, |at| machine.next_bytes(at), step, |_, _| {});
    }

    /// Visits the tokens below a node at once, if they stay inside what is being read there.
    fn passes_below(&self, config: Config, node: u32, visitor: &mut impl Visitor) -> bool {
        let (machine, trie) = (self.machine, self.vocabulary.trie());
        let plain = self.vocabulary.plain();
        let Some(below) = plain.below(node) else {
            return false;
        };
        // Inside a character, the tokens that finish it are below.
        let home = machine.before_character(config);
        if !machine.stays(home, below.characters) {
            let stays_inside = machine.keeps_inside(config.state, below.characters);
            let bound = stays_inside.then(|| machine.inside_bound(config)).flatten();
            return bound.is_some_and(|bound| visitor.passes(bound));
        }
        let here = forget_text(machine, home);
        let is_wanted = visitor.wants(here);
        let (mut from, end) = trie.range_below(node);
        for &begun in plain.unfinished(node..trie.node(node).skip) {
            let (first, next) = trie.range_at(begun);
            if is_wanted {
                visitor.take(trie.tokens_in((from, first)));
            }
            let tokens = trie.tokens_in((first, next));
            let depth = usize::from(trie.node(node).depth);
            let bytes = self.vocabulary.token(tokens[0]).unwrap_or_default();
            if let Some(after) = self.read(config, &bytes[depth..]) {
                visitor.meet(forget_text(machine, after), tokens);
            }
            from = next;
        }
        if is_wanted {
            visitor.take(trie.tokens_in((from, end)));
        }
        true
    }

    /// The tokens after which the key that is being read is still known, or was when it ended.
    pub(super) fn known_keys(&self, start: Config, visitor: &mut impl Visitor) {
        let machine = self.machine;
        let in_key = |at: Config| match (at.state, start.state) {
            (State::Key { object, .. }, State::Key { object: same, .. }) => {
                object == same && at.stack == start.stack
            }
            _ => false,
        };
        self.vocabulary.trie().seek(
            start,
            |at| machine.next_bytes(at),
            |at, byte, _| match in_key(at) && machine.loses_key(at.state, byte) {
                true => None,
                false => machine.step(at, byte),
            },
            |tokens, at| visitor.meet(at, tokens),
        );
    }

    /// Where bytes lead.
    pub(super) fn read(&self, from: Config, bytes: &[u8]) -> Option<Config> {
        let mut bytes = bytes.iter();
        bytes.try_fold(from, |at, &byte| self.machine.step(at, byte))
    }

    /// Where a token leads, the text of an unknown key forgotten.
    pub(super) fn after(&self, from: Config, token: u32) -> Option<Config> {
        let bytes = self.vocabulary.token(token).unwrap_or_default();
        Some(forget_text(self.machine, self.read(from, bytes)?))
    }

    /// Tells where exits of a string lead that go on from `after`.
    pub(super) fn exits_of(&self, local: &Local, after: Config, visitor: &mut impl Visitor) {
        let machine = self.machine;
        let mut meet = |at, exits: &[u32]| {
            if visitor.wants(at) {
                let open = exits.iter().filter(|&&exit| local.is_open(exit));
                let tokens = open.map(|&exit| local.exits.tokens[exit as usize].token);
                visitor.take(&tokens.collect::<Vec<u32>>());
            }
        };
        meet(after, &local.exits.closing);
        local.exits.beyond.seek(
            after,
            |at| machine.next_bytes(at),
            |at, byte, _| machine.step(at, byte),
            |exits, at| meet(forget_text(machine, at), exits),
        );
    }

    pub(super) fn inside_groups(
        &self,
        start: Config,
        local: &Local,
        more: &[u32],
        visitor: &mut impl Visitor,
    ) {
        let bound = self.inside_bound(start, local);
        if !bound.is_some_and(|bound| visitor.passes(bound)) {
            self.stay_groups(start, local, visitor);
        }
        if let State::String { scan, .. } = start.state
            && start.record == TextId::EMPTY
            && let Some(after) = self.ended(start, scan)
        {
            if let Some(after) = after {
                self.exits_of(local, after, visitor);
            }
            return;
        }
        self.alone(start, more, visitor);
    }

    /// Tells where each of some tokens leads.
    fn alone(&self, start: Config, tokens: &[u32], visitor: &mut impl Visitor) {
        for &token in tokens {
            if let Some(after) = self.after(start, token) {
                visitor.meet(after, &[token]);
            }
        }
    }

    /// Tells where the tokens inside a string lead.
    fn stay_groups(&self, start: Config, local: &Local, visitor: &mut impl Visitor) {
        let (scan, partial) = match start.state {
            State::String { scan, partial } => (Some(scan), partial),
            State::ScannedKey { scan, partial, .. } => (Some(scan), partial),
            State::Key { partial, .. } | State::OtherKey { partial, .. } => (None, partial),
            _ => return,
        };
        let (together, doubtful) = self.inside(scan, partial);
        // Those after which a known key may still come lead to places of their own.
        let mut single = self.known_key_tokens(start);
        single.extend(doubtful);
        single.retain(|&token| has_bit(&local.inside, token));
        let mut rest = local.inside.to_vec();
        clear_bits(&mut rest, &single);
        let held = |group: &[u32], rest: &[u32]| -> Vec<u32> {
            let held = group.iter().filter(|&&token| has_bit(rest, token));
            held.copied().collect()
        };
        if let Together::ByLength(_) = together {
            for group in self.vocabulary.strings(self.spelling()).unfinished.iter() {
                let tokens = held(group, &rest);
                clear_bits(&mut rest, &tokens);
                let after = tokens.first().and_then(|&token| self.after(start, token));
                if let Some(after) = after {
                    visitor.meet(after, &tokens);
                }
            }
        }
        for group in together.groups().iter() {
            let first = group.iter().find(|&&token| has_bit(&rest, token));
            let Some(after) = first.and_then(|&token| self.after(start, token)) else {
                continue;
            };
            if tells_texts(after) {
                single.extend(held(group, &rest));
            } else if visitor.wants(after) {
                visitor.take(&held(group, &rest));
            }
        }
        self.alone(start, &single, visitor);
    }

    /// The tokens inside a string, or in any; and those that may be in no group.
    fn inside(&self, scan: Option<ScanId>, partial: Partial) -> (Together<'_>, Vec<u32>) {
        let scanner = &self.machine.frames.rules.scanner;
        let any = || scanner.start(NodeId::ANY, Box::new([]));
        let scan = scan.or_else(any).expect("any text is text");
        if partial == Partial::Nothing && scanner.is_length_only(scan) {
            let together = Together::ByLength(&self.vocabulary.strings(self.spelling()).lengths);
            return (together, Vec::new());
        }
        let Scan { must, asks } = scanner.scan(scan);
        let unlimited = (asks.is_empty() && partial == Partial::Nothing)
            .then(|| Unlimited::of(scanner, *must))
            .flatten();
        let (must, doubtful) = match unlimited {
            Some(unlimited) => (
                unlimited.free,
                unlimited
                    .doubtful(self.vocabulary.strings(scanner.spelling))
                    .collect(),
            ),
            None => (*must, Vec::new()),
        };
        let parts = std::iter::once(must).chain(asks.iter().copied());
        let key = (
            scanner.regexes.fingerprint_of_all(parts),
            partial.code_in(scanner.spelling),
        );
        let groups = self.vocabulary.locals().groups.get(key, self.cap, || {
            let state = scanner.start(must, asks.clone());
            let groups = self.by_state(state.expect("a state that was reached is live"), partial);
            let bytes = groups.bytes();
            (groups, bytes)
        });
        (Together::ByState(groups), doubtful)
    }

    /// The tokens inside a string by the states that they lead to.
    fn by_state(&self, scan: ScanId, partial: Partial) -> Groups {
        let scanner = &self.machine.frames.rules.scanner;
        let mut places = Vec::new();
        self.vocabulary.trie().walk(
            (scan, partial),
            |(scan, partial), byte, _| match partial.take_json(byte, scanner.spelling) {
                Taken::Char(c) => Some((scanner.step(scan, c)?, Partial::Nothing)),
                // Tokens that end where no character fits are in no mask.
                Taken::Partial(partial) => Some((scan, partial)),
                Taken::Close | Taken::Refused => None,
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
    fn known_key_tokens(&self, start: Config) -> Vec<u32> {
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
                |at, byte, _| match machine.loses_key(at.state, byte) {
                    true => None,
                    false => machine.step(at, byte).filter(knows),
                },
                |found, _| tokens.extend_from_slice(found),
            );
        }
        tokens
    }
}

/// Whether it matters which of the keys that are read alike is being read.
fn tells_texts(config: Config) -> bool {
    let known = |text| text != TextId::WHATEVER && config.record == TextId::EMPTY;
    matches!(config.state, State::ScannedKey { text, .. } if known(text))
}
