//! Tails: how texts end, and in how few tokens.
//!
//! From each configuration the machine names one ending, move by move, and endings that meet go on
//! alike. So all of them form a tree whose root is the end of the text, and what is known of the
//! tokens near the root is known for all endings that lead there.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::limits::Limits;
use crate::machine::{Config, Machine, Move, SLACK};
use crate::mask::{TokenSets, bits_of, forget_text};
use crate::vocab::Vocabulary;

/// The endings on one vocabulary that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Tails(Mutex<Tree>, TokenSets);

#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
    /// Where the ending of a configuration begins; `None` if none is known, or it is too long.
    known: FxHashMap<Config, Option<Start>>,
    bytes: usize,
}

/// One move of an ending.
#[derive(Debug)]
struct Node {
    /// The token that is read by its id, if the move is one; then there are no bytes.
    token: Option<u32>,
    bytes: Box<[u8]>,
    /// The fewest tokens from each of the bytes to the end of the text; [`NO_WAY`] if the
    /// vocabulary has none.
    fewest: Box<[u32]>,
    next: Start,
    /// Bytes to the end of the text.
    length: usize,
}

const NO_WAY: u32 = u32::MAX;

/// Where an ending begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// The text may end here.
    End,
    Node(u32),
}

impl Tails {
    /// No endings yet, of a grammar that names these sets of tokens.
    pub(crate) fn new(tokens: TokenSets) -> Self {
        Tails(Mutex::default(), tokens)
    }

    /// The fewest tokens that spell the machine's ending of a text; `None` if there is no ending
    /// within the limits, or the vocabulary cannot spell it.
    pub(crate) fn fewest(
        &self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        config: Config,
        limits: &Limits,
    ) -> Option<usize> {
        let mut tree = self.0.lock();
        if tree.bytes > limits.cache_bytes {
            *tree = Tree::default();
        }
        let start = tree.start(
            machine,
            vocabulary,
            &self.1,
            config,
            limits.completion_bytes,
        )?;
        let fewest = tree.fewest(start);
        (fewest != NO_WAY).then_some(fewest as usize)
    }

    /// The tokens that [`Tails::fewest`] counts.
    pub(crate) fn tokens(
        &self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        config: Config,
        limits: &Limits,
    ) -> Option<Vec<u32>> {
        let mut tree = self.0.lock();
        let mut at = tree.start(
            machine,
            vocabulary,
            &self.1,
            config,
            limits.completion_bytes,
        )?;
        let mut bytes = Vec::with_capacity(tree.length(at));
        let mut tokens = Vec::new();
        while let Start::Node(id) = at {
            let node = &tree.nodes[id as usize];
            bytes.extend_from_slice(&node.bytes);
            if let Some(token) = node.token {
                tokens.extend(vocabulary.tokenize(&std::mem::take(&mut bytes))?);
                tokens.push(token);
            }
            at = node.next;
        }
        tokens.extend(vocabulary.tokenize(&bytes)?);
        Some(tokens)
    }
}

impl Tree {
    fn start(
        &mut self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        sets: &TokenSets,
        config: Config,
        cap: usize,
    ) -> Option<Start> {
        let asked = forget_text(machine, config);
        if let Some(&known) = self.known.get(&asked) {
            return known;
        }
        if machine.ending_bound(asked) > (cap as u64).saturating_add(SLACK) {
            self.remember(asked, None);
            return None;
        }
        let mut moves: Vec<(Config, Vec<u8>, Option<u32>)> = Vec::new();
        let mut at = asked;
        let mut length = 0;
        let mut end = loop {
            if let Some(&known) = self.known.get(&at) {
                break known;
            }
            // Each move but a change of view has a byte, and no two of those follow each other.
            if length > cap || moves.len() > 2 * cap {
                break None;
            }
            let mut token = None;
            let (bytes, next) = match machine.next_move(at) {
                Move::End => {
                    self.remember(at, Some(Start::End));
                    break Some(Start::End);
                }
                Move::Unknown => break None,
                Move::Token(set, next) => {
                    token = sets.get(set as usize).and_then(|set| bits_of(set).next());
                    if token.is_none() {
                        break None;
                    }
                    (Vec::new(), next)
                }
                Move::Goto(same) => (Vec::new(), same),
                Move::Bytes(bytes) => {
                    let mut steps = bytes.iter();
                    match steps.try_fold(at, |at, &byte| machine.step(at, byte)) {
                        Some(next) => (bytes, next),
                        None => break None,
                    }
                }
            };
            length += bytes.len() + usize::from(token.is_some());
            moves.push((at, bytes, token));
            at = forget_text(machine, next);
        };
        if end.is_none() {
            self.remember(asked, None);
        }
        for (config, bytes, token) in moves.into_iter().rev() {
            let longer = match token {
                Some(token) => self.grow_token(token, end?),
                None => self.grow(vocabulary, bytes, end?),
            };
            end = Some(longer).filter(|&end| self.length(end) <= cap);
            self.remember(config, end);
        }
        end
    }

    fn remember(&mut self, config: Config, start: Option<Start>) {
        self.bytes += 2 * size_of::<(Config, Option<Start>)>();
        self.known.insert(config, start);
    }

    /// The ending that begins with a move.
    fn grow(&mut self, vocabulary: &Vocabulary, bytes: Vec<u8>, next: Start) -> Start {
        if bytes.is_empty() {
            return next;
        }
        // The move and what can share a token with it, and the fewest tokens from each place.
        let mut data = bytes.clone();
        let mut fewest = vec![NO_WAY; bytes.len()];
        let mut at = next;
        while let Start::Node(id) = at
            && data.len() < bytes.len() + vocabulary.trie().depth()
            && self.nodes[id as usize].token.is_none()
        {
            let node = &self.nodes[id as usize];
            data.extend_from_slice(&node.bytes);
            fewest.extend_from_slice(&node.fewest);
            at = node.next;
        }
        fewest.push(self.fewest(at));
        for start in (0..bytes.len()).rev() {
            let mut least = NO_WAY;
            vocabulary
                .trie()
                .for_each_prefix(&data[start..], |length, _| {
                    least = least.min(fewest[start + length].saturating_add(1));
                });
            fewest[start] = least;
        }
        fewest.truncate(bytes.len());
        let node = Node {
            token: None,
            length: bytes.len() + self.length(next),
            bytes: bytes.into(),
            fewest: fewest.into(),
            next,
        };
        self.bytes += size_of::<Node>() + 5 * node.bytes.len();
        self.nodes.push(node);
        Start::Node(self.nodes.len() as u32 - 1)
    }

    /// The ending that begins with a token that is read by its id.
    fn grow_token(&mut self, token: u32, next: Start) -> Start {
        self.bytes += size_of::<Node>();
        self.nodes.push(Node {
            token: Some(token),
            bytes: Box::new([]),
            fewest: Box::new([self.fewest(next).saturating_add(1)]),
            length: 1 + self.length(next),
            next,
        });
        Start::Node(self.nodes.len() as u32 - 1)
    }

    fn fewest(&self, start: Start) -> u32 {
        match start {
            Start::End => 0,
            Start::Node(id) => self.nodes[id as usize].fewest[0],
        }
    }

    fn length(&self, start: Start) -> usize {
        match start {
            Start::End => 0,
            Start::Node(id) => self.nodes[id as usize].length,
        }
    }
}
