//! The tree of completions: how texts end, and in how few tokens.
//!
//! From each configuration the machine names one ending, move by move, and endings that meet go on
//! alike. So all of them form a tree whose root is the end of the text, and what is known of the
//! tokens near the root is known for all endings that lead there.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use rustc_hash::FxHashMap;

use crate::json::texts::TextId;
use crate::limits::Limits;
use crate::machine::{Config, CountTokens, Machine, NextMove, SLACK, StackId};
use crate::mask::token_sets::TokenSets;
use crate::vocab::Vocabulary;
use crate::vocab::token::TokenId;

/// The endings on one vocabulary that were asked for.
#[derive(Debug, Default)]
pub(crate) struct CompletionTree {
    tree: Mutex<Tree>,
    /// What [`Completions::count_after`] has found.
    after: RwLock<FxHashMap<StackId, Option<u64>>>,
    sets: TokenSets,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<TreeNode>,
    /// Where the ending of a configuration begins; `None` if none is known, or it is too long.
    known: FxHashMap<Config, Option<Start>>,
    bytes: usize,
}

/// One move of an ending.
#[derive(Debug)]
struct TreeNode {
    /// The token that is read by its id, if the move is one; then there are no bytes.
    token: Option<TokenId>,
    bytes: Box<[u8]>,
    /// The fewest tokens from each of the bytes to the end of the text; [`NO_WAY`] if the
    /// vocabulary has none.
    fewest: Box<[u32]>,
    next: Start,
    /// Bytes to the end of the text.
    length: usize,
    /// The unknown keys that the ending writes in objects of which another one is forgotten.
    keys: CompletionKeys,
}

/// Texts of keys.
pub(super) type CompletionKeys = Arc<[TextId]>;

const NO_WAY: u32 = u32::MAX;

/// Where an ending begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// The text may end here.
    End,
    Node(TreeNodeId),
}

/// A move of an ending: an index into [`Tree::nodes`].
#[derive(Clone, Copy, Debug)]
struct TreeNodeId(u32);

impl CompletionTree {
    /// An empty tree for a grammar that names these sets of tokens.
    pub(crate) fn new(tokens: TokenSets) -> Self {
        CompletionTree {
            sets: tokens,
            ..CompletionTree::default()
        }
    }
}

/// The endings of a machine's texts on a vocabulary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completions<'a> {
    pub(crate) tree: &'a CompletionTree,
    pub(crate) machine: &'a Machine,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) limits: &'a Limits,
}

impl<'a> Completions<'a> {
    /// The fewest tokens that spell the machine's ending of a text; `None` if there is no ending
    /// within the limits, or the vocabulary cannot spell it.
    pub(crate) fn fewest(self, config: Config) -> Option<usize> {
        let (tree, start) = self.start(config);
        let fewest = tree.fewest(start?);
        (fewest != NO_WAY).then_some(fewest as usize)
    }

    /// The tokens that [`Completions::fewest`] counts.
    pub(crate) fn tokens(self, config: Config) -> Option<Vec<TokenId>> {
        let (tree, start) = self.start(config);
        let mut at = start?;
        let mut bytes = Vec::with_capacity(tree.length(at));
        let mut tokens = Vec::new();
        while let Start::Node(id) = at {
            let node = tree.node(id);
            bytes.extend_from_slice(&node.bytes);
            if let Some(token) = node.token {
                tokens.extend(self.vocabulary.tokenize(&std::mem::take(&mut bytes))?);
                tokens.push(token);
            }
            at = node.next;
        }
        tokens.extend(self.vocabulary.tokenize(&bytes)?);
        Some(tokens)
    }

    /// The unknown keys that the machine's ending writes in objects of which another one, that has
    /// come, is forgotten: it is no ending if one of them is that one.
    pub(super) fn keys(self, config: Config) -> CompletionKeys {
        let (tree, start) = self.start(config);
        start.map_or_else(CompletionKeys::default, |start| tree.keys(start))
    }

    fn start(self, config: Config) -> (MutexGuard<'a, Tree>, Option<Start>) {
        let mut tree = self.tree.tree.lock();
        if tree.bytes > self.limits.cache_bytes {
            *tree = Tree::default();
            self.tree.after.write().clear();
        }
        let start = tree.start(self, config);
        (tree, start)
    }
}

impl CountTokens for Completions<'_> {
    fn count(&self, config: Config) -> Option<u64> {
        if self.machine.obligations.rules.compares_items() {
            return None;
        }
        let (tree, start) = self.start(config);
        let start = start.filter(|&start| tree.keys(start).is_empty());
        let fewest = start.map(|start| tree.fewest(start));
        fewest.filter(|&fewest| fewest != NO_WAY).map(u64::from)
    }

    fn count_after(&self, stack: StackId) -> Option<u64> {
        // The values of items that differ are part of how the text ends.
        if self.machine.obligations.rules.compares_items() {
            return None;
        }
        if let Some(&known) = self.tree.after.read().get(&stack) {
            return known;
        }
        let after = self.machine.completer().after_any_value(stack);
        let count = after.and_then(|after| self.count(after));
        self.tree.after.write().insert(stack, count);
        count
    }
}

/// One move of an ending that is not known yet.
struct TreeStep {
    from: Config,
    bytes: Vec<u8>,
    token: Option<TokenId>,
    /// The unknown key that it writes in an object of which another one is forgotten.
    key: Option<TextId>,
}

impl TreeStep {
    /// Of a move from a configuration, and where it leads; `None` if it leads nowhere.
    fn of(next_move: NextMove, from: Config, ends: Completions<'_>) -> Option<(Self, Config)> {
        let machine = ends.machine;
        let (bytes, token, next) = match next_move {
            NextMove::End | NextMove::Unknown => return None,
            NextMove::Token(set, next) => (Vec::new(), Some(ends.tree.sets.first(set)?), next),
            NextMove::Goto(same) => (Vec::new(), None, same),
            NextMove::Bytes(bytes) => {
                let mut steps = bytes.iter();
                let next = steps.try_fold(from, |at, &byte| machine.stepper().step(at, byte))?;
                (bytes, None, next)
            }
        };
        let step = TreeStep {
            from,
            bytes,
            token,
            key: machine.key_reader().key_beside_forgotten(next),
        };
        Some((step, next))
    }
}

impl Tree {
    fn start(&mut self, ends: Completions<'_>, asked: Config) -> Option<Start> {
        let (machine, cap) = (ends.machine, ends.limits.completion_bytes);
        if let Some(&known) = self.known.get(&asked) {
            return known;
        }
        if machine.completer().max_completion_bytes(asked) > (cap as u64).saturating_add(SLACK) {
            self.remember(asked, None);
            return None;
        }
        let mut steps: Vec<TreeStep> = Vec::new();
        let mut at = asked;
        let mut length = 0;
        let mut end = loop {
            if let Some(&known) = self.known.get(&at) {
                break known;
            }
            // Each move but a change of view has a byte, and no two of those follow each other.
            if length > cap || steps.len() > 2 * cap {
                break None;
            }
            let next_move = machine.completer().next_move(at);
            if let NextMove::End = next_move {
                self.remember(at, Some(Start::End));
                break Some(Start::End);
            }
            let Some((step, next)) = TreeStep::of(next_move, at, ends) else {
                break None;
            };
            length += step.bytes.len() + usize::from(step.token.is_some());
            steps.push(step);
            at = next;
        };
        if end.is_none() {
            self.remember(asked, None);
        }
        for step in steps.into_iter().rev() {
            let from = step.from;
            let longer = self.grow(ends.vocabulary, step, end?);
            end = Some(longer).filter(|&end| self.length(end) <= cap);
            self.remember(from, end);
        }
        end
    }

    fn remember(&mut self, config: Config, start: Option<Start>) {
        self.bytes += 2 * size_of::<(Config, Option<Start>)>();
        self.known.insert(config, start);
    }

    /// The ending that begins with a move.
    fn grow(&mut self, vocabulary: &Vocabulary, step: TreeStep, next: Start) -> Start {
        let TreeStep {
            bytes, token, key, ..
        } = step;
        if bytes.is_empty() && token.is_none() {
            return next;
        }
        let mut keys = self.keys(next);
        if let Some(key) = key.filter(|key| !keys.contains(key)) {
            keys = keys.iter().copied().chain([key]).collect();
            self.bytes += size_of_val(&*keys);
        }
        let (fewest, length) = match token {
            Some(_) => (Box::from([self.fewest(next).saturating_add(1)]), 1),
            None => (self.fewest_from_each(vocabulary, &bytes, next), bytes.len()),
        };
        self.bytes += size_of::<TreeNode>() + 5 * bytes.len();
        self.nodes.push(TreeNode {
            token,
            bytes: bytes.into(),
            fewest,
            next,
            length: length + self.length(next),
            keys,
        });
        Start::Node(TreeNodeId(self.nodes.len() as u32 - 1))
    }

    /// The fewest tokens from each of a move's bytes to the end of the text.
    fn fewest_from_each(&self, vocabulary: &Vocabulary, bytes: &[u8], next: Start) -> Box<[u32]> {
        // The move and what can share a token with it.
        let mut data = bytes.to_vec();
        let mut fewest = vec![NO_WAY; bytes.len()];
        let mut at = next;
        while let Start::Node(id) = at
            && data.len() < bytes.len() + vocabulary.trie().depth()
            && self.node(id).token.is_none()
        {
            let node = self.node(id);
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
        fewest.into()
    }

    fn node(&self, TreeNodeId(id): TreeNodeId) -> &TreeNode {
        &self.nodes[id as usize]
    }

    fn fewest(&self, start: Start) -> u32 {
        match start {
            Start::End => 0,
            Start::Node(id) => self.node(id).fewest[0],
        }
    }

    fn length(&self, start: Start) -> usize {
        match start {
            Start::End => 0,
            Start::Node(id) => self.node(id).length,
        }
    }

    fn keys(&self, start: Start) -> CompletionKeys {
        match start {
            Start::End => CompletionKeys::default(),
            Start::Node(id) => self.node(id).keys.clone(),
        }
    }
}
