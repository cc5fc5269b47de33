//! Regular languages as hash-consed expressions with derivatives.
//!
//! A node is a language over code points. What may follow after a character is again a node (its
//! derivative), so nodes are the states of an automaton that is built only as far as text goes.
//! Equal expressions are the same node, and the constructors simplify, so that states stay few.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::intern::Interner;
use crate::regex::codeset::{CodeSet, MAX, SCALARS};
use crate::regex::edges::Edges;
use crate::regex::fingerprint;
use crate::regex::free::Free;
use crate::regex::lengths::Lengths;
use crate::regex::numeric::{self, Among, Plain, Reading};
use crate::regex::pieces::{self, Piece};
use crate::regex::sketch::Sketch;
use crate::regex::told::Told;
use crate::work;

/// A language: an index into [`Regexes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// No text at all.
    pub(crate) const NEVER: NodeId = NodeId(0);
    /// The empty text.
    pub(crate) const EMPTY: NodeId = NodeId(1);
    /// Any one character.
    pub(crate) const CHAR: NodeId = NodeId(2);
    /// Any text.
    pub(crate) const ANY: NodeId = NodeId(3);
}

/// Symbols stand among the characters from here on, each with a gap before it, so that no piece
/// holds a symbol and anything else.
pub(crate) const SYMBOLS: u32 = MAX + 2;

/// The symbol that stands among the characters as `c`.
pub(crate) fn symbol_of(c: u32) -> Option<u32> {
    Some(c.checked_sub(SYMBOLS)? / 2)
}

/// No upper bound of a [`Node::Repeat`].
pub(crate) const UNBOUNDED: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Never,
    Empty,
    Class(CodeSet),
    /// The rests, from byte `depth` on, of the words `lo..hi` of a sorted word list.
    Words {
        list: u32,
        lo: u32,
        hi: u32,
        depth: u32,
    },
    /// The numbers of a set.
    Numbers(u32),
    /// Those of a set in plain spelling; if all are whole, without fraction and exponent.
    PlainNumbers(u32, bool),
    /// What completes a number in plain spelling whose digits have begun.
    Plain(Box<Plain>),
    /// Single numbers, as indices of their values. Sorted.
    Points(Box<[u32]>),
    /// What completes a number whose digits have begun.
    Reading(Box<Reading>),
    /// What completes one of many numbers.
    Among(Box<Among>),
    Told(Told),
    /// What is read by other means: see [`Regexes::symbol`].
    Symbol(u32),
    Concat(NodeId, NodeId),
    Or(Box<[NodeId]>),
    And(Box<[NodeId]>),
    Not(NodeId),
    Repeat {
        body: NodeId,
        min: u32,
        max: u32,
    },
}

#[derive(Debug, Default)]
struct Memo {
    pieces: OnceLock<Box<[Piece]>>,
    fingerprint: OnceLock<u128>,
    json_cost: OnceLock<u32>,
    raw_cost: OnceLock<u32>,
    char_cost: OnceLock<u32>,
    /// Lower bounds of costs that are not known themselves.
    json_bound: OnceLock<u32>,
    raw_bound: OnceLock<u32>,
    char_bound: OnceLock<u32>,
    is_without_symbols: OnceLock<bool>,
    is_nullable: OnceLock<bool>,
    is_live: OnceLock<bool>,
    is_told: OnceLock<bool>,
    leads_to_told: OnceLock<bool>,
    lengths: OnceLock<Option<Lengths>>,
    longest_rest: OnceLock<Option<u32>>,
    free: OnceLock<Option<Box<Free>>>,
}

/// How text is spelled out, which decides what a character costs in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Inside a JSON string: quotes, backslashes and control characters need escapes.
    Json,
    /// As it is, in UTF-8.
    Raw,
    /// Of no interest: what counts is the number of characters.
    Chars,
}

/// A store of languages, closed under concatenation, repetition and the boolean operations.
#[derive(Debug)]
pub(crate) struct Regexes {
    nodes: Interner<Node, Memo>,
    words: boxcar::Vec<WordList>,
    /// The fewest bytes of each symbol's texts.
    symbols: boxcar::Vec<u32>,
    numeric: numeric::Store,
    edges: Edges,
    /// Whether there is any language that a rule tells.
    has_told: AtomicBool,
    /// Of classes: the largest sketch that is in it, and the smallest that it is in.
    sketches: Mutex<FxHashMap<NodeId, (Sketch, Sketch)>>,
}

/// Sorted, without duplicates.
#[derive(Debug)]
struct WordList {
    words: Box<[Box<str>]>,
    /// At least the characters of the longest.
    longest: u32,
    fingerprint: u128,
}

impl Regexes {
    pub(crate) fn new() -> Self {
        let nodes = Interner::new();
        nodes.intern(Node::Never);
        nodes.intern(Node::Empty);
        let all = nodes.intern(Node::Class(CodeSet::new(SCALARS)));
        nodes.intern(Node::Repeat {
            body: NodeId(all),
            min: 0,
            max: UNBOUNDED,
        });
        Regexes {
            nodes,
            words: boxcar::Vec::new(),
            symbols: boxcar::Vec::new(),
            numeric: numeric::Store::default(),
            edges: Edges::default(),
            has_told: AtomicBool::new(false),
            sketches: Mutex::default(),
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0)
    }

    /// Nodes made so far.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn numeric(&self) -> &numeric::Store {
        &self.numeric
    }

    pub(super) fn make(&self, node: Node) -> NodeId {
        NodeId(self.nodes.intern(node))
    }

    /// One character of a set. Surrogates are never in it: no text holds them.
    pub(crate) fn class(&self, set: CodeSet) -> NodeId {
        let set = set.intersection(&CodeSet::new(SCALARS));
        if set.is_empty() {
            return NodeId::NEVER;
        }
        work::spend(set.ranges().len() / 2);
        work::hold(size_of_val(set.ranges()));
        self.edges.add_set(&set);
        self.make(Node::Class(set))
    }

    /// Just this character.
    pub(crate) fn character(&self, c: char) -> NodeId {
        let set = CodeSet::single(u32::from(c));
        self.edges.add_set(&set);
        self.make(Node::Class(set))
    }

    /// Notes that these texts are told from others, by whatever means.
    pub(crate) fn tell_apart(&self, text: &str) {
        self.edges.add_text(text);
    }

    /// Whether texts without any character that begins with a byte, in UTF-8, are as good as all: each
    /// text in a language, or rest of one, is no shorter than one without them.
    pub(crate) fn can_do_without(&self, byte: u8) -> bool {
        match byte {
            // No text has these.
            0xC0 | 0xC1 | 0xF5..=0xFF => true,
            // What JSON and other forms need is left out, and what has no character before it.
            0x01..=0x08 | 0x0B | 0x0C | 0x0E..=0x1F | 0x7F | 0xC2..=0xF4 => {
                !self.edges.contains(byte)
            }
            _ => false,
        }
    }

    /// A place for what is not read character by character: texts that the store knows nothing of,
    /// but that the cheapest has so many bytes, and none is empty. In the pieces of a language it is
    /// a character that [`symbol_of`] knows. Complements and intersections must hold none.
    pub(crate) fn symbol(&self, cost: u32) -> NodeId {
        let symbol = self.symbols.push(cost) as u32;
        self.make(Node::Symbol(symbol))
    }

    /// Whether no symbol stands in a language.
    pub(crate) fn is_without_symbols(&self, id: NodeId) -> bool {
        let memo = &self.nodes.memo(id.0).is_without_symbols;
        if let Some(&known) = memo.get() {
            return known;
        }
        let mut last = id;
        let mut found = true;
        while let Node::Concat(a, b) = *self.node(last)
            && found
        {
            found = self.is_without_symbols(a);
            last = b;
        }
        found = found
            && match *self.node(last) {
                Node::Symbol(_) | Node::Concat(..) => false,
                Node::Or(ref parts) => parts.iter().all(|&part| self.is_without_symbols(part)),
                Node::Repeat { body, .. } => self.is_without_symbols(body),
                // Of these, none holds one.
                _ => true,
            };
        *memo.get_or_init(|| found)
    }

    pub(super) fn symbol_cost(&self, symbol: u32) -> u32 {
        self.symbols[symbol as usize]
    }

    /// One of `words`, whole.
    pub(crate) fn words<S: AsRef<str>>(&self, words: impl IntoIterator<Item = S>) -> NodeId {
        let mut list: Vec<Box<str>> = words.into_iter().map(|w| w.as_ref().into()).collect();
        list.sort_unstable();
        list.dedup();
        if list.is_empty() {
            return NodeId::NEVER;
        }
        let hi = list.len() as u32;
        let bytes: usize = list.iter().map(|word| word.len()).sum();
        work::spend(4 * list.len() + bytes / 8);
        work::hold(size_of_val(&*list) + bytes);
        list.iter().for_each(|word| self.tell_apart(word));
        let fingerprint = fingerprint::of_words(&list);
        let longest = list.iter().map(|word| word.len()).max();
        let list = self.words.push(WordList {
            longest: longest.map_or(0, |longest| longest as u32),
            words: list.into(),
            fingerprint,
        }) as u32;
        self.words_node(list, 0, hi, 0)
    }

    fn words_node(&self, list: u32, lo: u32, hi: u32, depth: u32) -> NodeId {
        if lo + 1 == hi && self.word_list(list)[lo as usize].len() == depth as usize {
            return NodeId::EMPTY;
        }
        self.make(Node::Words {
            list,
            lo,
            hi,
            depth,
        })
    }

    fn word_list(&self, list: u32) -> &[Box<str>] {
        &self.words[list as usize].words
    }

    /// The first of a list of words, if the language is one.
    pub(super) fn first_word(&self, id: NodeId) -> Option<&str> {
        match *self.node(id) {
            Node::Words {
                list, lo, depth, ..
            } => Some(&self.word_list(list)[lo as usize][depth as usize..]),
            _ => None,
        }
    }

    /// At least the characters of the longest word of a list.
    pub(super) fn longest_word(&self, id: NodeId) -> u32 {
        match *self.node(id) {
            Node::Words { list, .. } => self.words[list as usize].longest,
            _ => 0,
        }
    }

    /// The class among alternatives, if there is one.
    pub(super) fn class_among(&self, parts: &[NodeId]) -> Option<NodeId> {
        work::spend(parts.len() / 8);
        let is_class = |&part: &NodeId| matches!(self.node(part), Node::Class(_));
        parts.iter().copied().find(is_class)
    }

    /// The largest sketch that is in a class, and the smallest that it is in.
    pub(super) fn sketches(&self, id: NodeId) -> (Sketch, Sketch) {
        if id == NodeId::CHAR {
            return (Sketch::ALL, Sketch::ALL);
        }
        let Node::Class(set) = self.node(id) else {
            return (Sketch::default(), Sketch::ALL);
        };
        if let Some(&known) = self.sketches.lock().get(&id) {
            return known;
        }
        let ranges = set.ranges();
        work::spend(2 * ranges.len());
        let around = ranges.iter().map(|&(lo, hi)| Sketch::around(lo, hi));
        let around = around.fold(Sketch::default(), Sketch::or);
        let found = (Sketch::within(ranges.iter().copied()), around);
        self.sketches.lock().insert(id, found);
        found
    }

    /// Whether a language is a list of words.
    pub(crate) fn is_words(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Words { .. })
    }

    /// The words of a [`Node::Words`], each cut to what is still to come.
    fn rests(&self, list: u32, lo: u32, hi: u32, depth: u32) -> Vec<String> {
        self.word_list(list)[lo as usize..hi as usize]
            .iter()
            .map(|w| {
                work::spend(1);
                w[depth as usize..].to_owned()
            })
            .collect()
    }

    /// `a` and then `b`.
    pub(crate) fn concat(&self, a: NodeId, b: NodeId) -> NodeId {
        if a == NodeId::NEVER || b == NodeId::NEVER {
            return NodeId::NEVER;
        }
        // Chains nest to the right; they may be long, so no recursion.
        let mut spine = Vec::new();
        let mut last = a;
        while let &Node::Concat(x, y) = self.node(last) {
            spine.push(x);
            last = y;
        }
        spine.push(last);
        work::spend(spine.len());
        spine
            .into_iter()
            .rev()
            .fold(b, |tail, x| self.prepend(x, tail))
    }

    /// `a`, which is no concatenation, before `b`.
    fn prepend(&self, a: NodeId, b: NodeId) -> NodeId {
        if a == NodeId::EMPTY {
            return b;
        }
        if b == NodeId::EMPTY {
            return a;
        }
        if let &Node::Repeat { body, min, max } = self.node(a) {
            // x{2,3}x{1,} is x{3,}: so that lengths count down in one place.
            let (next, rest) = match *self.node(b) {
                Node::Concat(next, rest) => (next, rest),
                _ => (b, NodeId::EMPTY),
            };
            if let Node::Repeat {
                body: other,
                min: m,
                max: n,
            } = *self.node(next)
                && other == body
                && let Some(min) = min.checked_add(m)
            {
                let max = if max == UNBOUNDED || n == UNBOUNDED {
                    UNBOUNDED
                } else {
                    max.saturating_add(n)
                };
                return self.prepend(self.repeat(body, min, max), rest);
            }
        }
        self.make(Node::Concat(a, b))
    }

    /// Between `min` and `max` times `body`; `None` is no upper bound.
    pub(crate) fn repeat_between(&self, body: NodeId, min: u32, max: Option<u32>) -> NodeId {
        self.repeat(body, min, max.unwrap_or(UNBOUNDED))
    }

    /// As [`Regexes::repeat_between`], with [`UNBOUNDED`] for no upper bound.
    pub(crate) fn repeat(&self, body: NodeId, min: u32, max: u32) -> NodeId {
        debug_assert!(min <= max);
        if max == 0 || body == NodeId::EMPTY {
            return NodeId::EMPTY;
        }
        if body == NodeId::NEVER {
            return if min == 0 {
                NodeId::EMPTY
            } else {
                NodeId::NEVER
            };
        }
        if (min, max) == (1, 1) {
            return body;
        }
        // Of an optional body, any smaller number of times is as good.
        let min = if self.nullable(body) { 0 } else { min };
        if matches!(
            self.node(body),
            Node::Repeat {
                min: 0,
                max: UNBOUNDED,
                ..
            }
        ) {
            return body;
        }
        self.make(Node::Repeat { body, min, max })
    }

    /// Any of `parts`.
    pub(crate) fn or(&self, parts: Vec<NodeId>) -> NodeId {
        let mut flat = Vec::with_capacity(parts.len());
        let mut class: Option<CodeSet> = None;
        let mut stack = parts;
        while let Some(part) = stack.pop() {
            work::spend(2);
            match self.node(part) {
                Node::Never => {}
                Node::Or(inner) => stack.extend(inner.iter()),
                Node::Class(set) => {
                    class = Some(class.map_or_else(|| set.clone(), |c| c.union(set)));
                }
                _ if part == NodeId::ANY => return NodeId::ANY,
                _ => flat.push(part),
            }
        }
        if let Some(set) = class {
            flat.push(self.class(set));
        }
        self.unite_numbers(&mut flat);
        self.join_counts(&mut flat);
        flat.sort_unstable();
        flat.dedup();
        if flat.first() == Some(&NodeId::EMPTY) && flat[1..].iter().any(|&n| self.nullable(n)) {
            flat.remove(0);
        }
        match flat[..] {
            [] => NodeId::NEVER,
            [one] => one,
            _ => {
                work::hold(size_of_val(&*flat));
                self.make(Node::Or(flat.into()))
            }
        }
    }

    /// All of `parts` at once.
    pub(crate) fn and(&self, parts: Vec<NodeId>) -> NodeId {
        let mut flat = Vec::with_capacity(parts.len());
        let mut class: Option<CodeSet> = None;
        let mut length: Option<(u32, u32)> = None;
        let mut stack = parts;
        while let Some(part) = stack.pop() {
            work::spend(2);
            match self.node(part) {
                Node::Never => return NodeId::NEVER,
                Node::And(inner) => stack.extend(inner.iter()),
                Node::Class(set) => {
                    class = Some(class.map_or_else(|| set.clone(), |c| c.intersection(set)));
                }
                &Node::Repeat {
                    body: NodeId::CHAR,
                    min,
                    max,
                } => {
                    let (m, n) = length.unwrap_or((0, UNBOUNDED));
                    length = Some((m.max(min), n.min(max)));
                }
                _ => flat.push(part),
            }
        }
        if let Some(set) = class {
            flat.push(self.class(set));
        }
        if let Some((min, max)) = length {
            if min > max {
                return NodeId::NEVER;
            }
            match self.repeat(NodeId::CHAR, min, max) {
                NodeId::ANY => {}
                node => flat.push(node),
            }
        }
        self.join_numbers(&mut flat);
        self.join_excluded_words(&mut flat);
        flat.sort_unstable();
        flat.dedup();
        match flat[..] {
            [] => NodeId::ANY,
            [NodeId::NEVER, ..] => NodeId::NEVER,
            [one] => one,
            [NodeId::EMPTY, ..] if flat.iter().all(|&n| self.nullable(n)) => NodeId::EMPTY,
            [NodeId::EMPTY, ..] => NodeId::NEVER,
            _ if self.holds_opposites(&flat) => NodeId::NEVER,
            _ => match self.filter_words(&flat) {
                Some(node) => node,
                None => {
                    work::hold(size_of_val(&*flat));
                    self.make(Node::And(flat.into()))
                }
            },
        }
    }

    /// Replaces words that must not be by all of them as one.
    fn join_excluded_words(&self, parts: &mut Vec<NodeId>) {
        let is_word = |id: NodeId| matches!(self.node(id), Node::Empty | Node::Words { .. });
        let excluded = |&part: &NodeId| match *self.node(part) {
            Node::Not(inner) => match self.node(inner) {
                Node::Or(words) => words.iter().all(|&word| is_word(word)).then_some(inner),
                _ => is_word(inner).then_some(inner),
            },
            _ => None,
        };
        if parts.iter().filter_map(excluded).nth(1).is_some() {
            let words = parts.iter().filter_map(excluded).collect();
            parts.retain(|part| excluded(part).is_none());
            parts.push(self.not(self.or(words)));
        }
    }

    /// Whether one part denies others.
    fn holds_opposites(&self, parts: &[NodeId]) -> bool {
        work::spend(parts.len());
        parts.iter().any(|&part| match *self.node(part) {
            Node::Not(inner) => match self.node(inner) {
                Node::And(inner) => inner.iter().all(|one| parts.contains(one)),
                _ => parts.contains(&inner),
            },
            _ => false,
        })
    }

    /// A conjunction with a word list is the words that the others accept.
    fn filter_words(&self, parts: &[NodeId]) -> Option<NodeId> {
        let i = parts
            .iter()
            .position(|&p| matches!(self.node(p), Node::Words { .. }))?;
        let &Node::Words {
            list,
            lo,
            hi,
            depth,
        } = self.node(parts[i])
        else {
            return None;
        };
        let all = self.rests(list, lo, hi, depth);
        work::spend(all.len() * parts.len());
        let kept: Vec<&String> = all
            .iter()
            .filter(|word| {
                parts
                    .iter()
                    .enumerate()
                    .all(|(j, &part)| i == j || self.matches(part, word))
            })
            .collect();
        Some(if kept.len() == all.len() {
            parts[i]
        } else {
            self.words(kept)
        })
    }

    /// Every text that `a` does not hold.
    pub(crate) fn not(&self, a: NodeId) -> NodeId {
        match self.node(a) {
            Node::Never => NodeId::ANY,
            &Node::Not(inner) => inner,
            _ if a == NodeId::ANY => NodeId::NEVER,
            _ => self.make(Node::Not(a)),
        }
    }

    /// The same language, as a list of words if it holds no more than `most` and is written as a
    /// sequence of choices. Word lists exclude each other at a glance.
    pub(crate) fn listed(&self, id: NodeId, most: usize) -> NodeId {
        match self.enumerate(id, most) {
            Some(words) => self.words(words),
            None => id,
        }
    }

    fn enumerate(&self, id: NodeId, most: usize) -> Option<Vec<String>> {
        let product = |a: Vec<String>, b: Vec<String>| {
            let all = a
                .iter()
                .flat_map(|a| b.iter().map(move |b| format!("{a}{b}")));
            (a.len() * b.len() <= most).then(|| all.collect())
        };
        match *self.node(id) {
            Node::Empty => Some(vec![String::new()]),
            Node::Class(ref set) => {
                let count = set
                    .ranges()
                    .iter()
                    .map(|&(lo, hi)| (hi - lo) as usize + 1)
                    .sum::<usize>();
                let chars = set.ranges().iter().flat_map(|&(lo, hi)| lo..=hi);
                let words = chars.map(|c| char::from_u32(c).map(String::from));
                (count <= most).then(|| words.collect())?
            }
            Node::Concat(a, b) => product(self.enumerate(a, most)?, self.enumerate(b, most)?),
            Node::Or(ref parts) => {
                let mut all = Vec::new();
                for &part in parts {
                    all.extend(self.enumerate(part, most)?);
                }
                (all.len() <= most).then_some(all)
            }
            _ => None,
        }
    }

    /// Whether the empty text is in the language.
    pub(crate) fn nullable(&self, id: NodeId) -> bool {
        // All links of a chain up to the first that must read something are alike.
        let mut links = Vec::new();
        let mut at = id;
        let found = loop {
            work::spend(1);
            let memo = &self.nodes.memo(at.0).is_nullable;
            match *self.node(at) {
                Node::Concat(a, b) => {
                    if let Some(&known) = memo.get() {
                        break known;
                    }
                    links.push(at);
                    if !self.nullable(a) {
                        break false;
                    }
                    at = b;
                }
                Node::Or(ref parts) => {
                    break *memo.get_or_init(|| parts.iter().any(|&p| self.nullable(p)));
                }
                Node::And(ref parts) => {
                    break *memo.get_or_init(|| parts.iter().all(|&p| self.nullable(p)));
                }
                Node::Not(a) => break *memo.get_or_init(|| !self.nullable(a)),
                Node::Never | Node::Class(_) | Node::Symbol(_) => break false,
                Node::Empty => break true,
                Node::Words {
                    list, lo, depth, ..
                } => break self.word_list(list)[lo as usize].len() == depth as usize,
                Node::Numbers(_) | Node::PlainNumbers(..) | Node::Points(_) => break false,
                Node::Plain(ref plain) => break plain.holds(),
                Node::Reading(ref reading) => break reading.holds(),
                Node::Among(ref among) => break among.holds(self.numeric().digits()),
                Node::Told(ref told) => {
                    break *memo.get_or_init(|| (told.rule.holds)(&told.state));
                }
                // An optional body is normalised to min 0.
                Node::Repeat { min, .. } => break min == 0,
            }
        };
        for link in links {
            self.nodes.memo(link.0).is_nullable.get_or_init(|| found);
        }
        found
    }

    /// The derivatives: what follows after each character, for those after which anything can.
    pub(crate) fn pieces(&self, id: NodeId) -> &[Piece] {
        self.nodes.memo(id.0).pieces.get_or_init(|| {
            let pieces: Box<[Piece]> = self.derive(id).into();
            work::hold(size_of_val(&*pieces));
            pieces
        })
    }

    fn derive(&self, id: NodeId) -> Vec<Piece> {
        match *self.node(id) {
            Node::Never | Node::Empty => Vec::new(),
            Node::Class(ref set) => pieces::of_class(set, NodeId::EMPTY),
            Node::Words {
                list,
                lo,
                hi,
                depth,
            } => self.derive_words(list, lo, hi, depth),
            Node::Numbers(set) => self.derive_numbers(set),
            Node::PlainNumbers(set, are_whole) => self.derive_plain_numbers(set, are_whole),
            Node::Plain(ref plain) => self.derive_plain(plain),
            Node::Points(ref values) => self.derive_points(values),
            Node::Reading(ref reading) => self.derive_reading(reading),
            Node::Among(ref among) => self.derive_among(among),
            Node::Told(ref told) => self.derive_told(told),
            Node::Symbol(symbol) => vec![Piece {
                lo: SYMBOLS + 2 * symbol,
                hi: SYMBOLS + 2 * symbol,
                to: NodeId::EMPTY,
            }],
            Node::Concat(..) => self.derive_concat(id),
            Node::Or(ref parts) => {
                let all: Vec<&[Piece]> = parts.iter().map(|&p| self.pieces(p)).collect();
                pieces::union(&all, |to| self.or(to.to_vec()))
            }
            Node::And(ref parts) => {
                let all: Vec<&[Piece]> = parts.iter().map(|&p| self.pieces(p)).collect();
                pieces::intersection(&all, |to| self.and(to.to_vec()))
            }
            Node::Not(a) => pieces::complement(self.pieces(a), NodeId::ANY, |x| self.not(x)),
            Node::Repeat { body, .. } => {
                let rest = self.round_less(id);
                pieces::map(self.pieces(body), |x| self.concat(x, rest))
            }
        }
    }

    /// The first part that must read something reads; so may each optional one before it.
    fn derive_concat(&self, mut id: NodeId) -> Vec<Piece> {
        let mut maps = Vec::new();
        while let Node::Concat(a, b) = *self.node(id) {
            maps.push(pieces::map(self.pieces(a), |x| self.concat(x, b)));
            id = b;
            if !self.nullable(a) {
                break;
            }
            if !matches!(self.node(b), Node::Concat(..)) {
                maps.push(self.pieces(b).to_vec());
            }
        }
        match &mut maps[..] {
            [only] => std::mem::take(only),
            _ => {
                let maps: Vec<&[Piece]> = maps.iter().map(Vec::as_slice).collect();
                pieces::union(&maps, |to| self.or(to.to_vec()))
            }
        }
    }

    /// A repetition after one more round.
    pub(super) fn round_less(&self, id: NodeId) -> NodeId {
        match *self.node(id) {
            Node::Repeat { body, min, max } => {
                let max = if max == UNBOUNDED { max } else { max - 1 };
                self.repeat(body, min.saturating_sub(1), max)
            }
            _ => NodeId::EMPTY,
        }
    }

    fn derive_words(&self, list: u32, lo: u32, hi: u32, depth: u32) -> Vec<Piece> {
        let words = self.word_list(list);
        let mut out = Vec::new();
        let mut i = lo;
        while i < hi {
            let Some(c) = words[i as usize][depth as usize..].chars().next() else {
                i += 1;
                continue;
            };
            let rest = &words[i as usize + 1..hi as usize];
            let same = rest.partition_point(|w| w[depth as usize..].starts_with(c)) as u32;
            let to = self.words_node(list, i, i + 1 + same, depth + c.len_utf8() as u32);
            out.push(Piece {
                lo: c as u32,
                hi: c as u32,
                to,
            });
            i += 1 + same;
        }
        out
    }

    /// The language after one character, `NEVER` if there is none.
    pub(crate) fn step(&self, id: NodeId, c: u32) -> NodeId {
        match self.nodes.memo(id.0).pieces.get() {
            None if self.is_told(id) => self.step_once(id, c),
            _ => pieces::find(self.pieces(id), c),
        }
    }

    /// As [`Regexes::step`], without finding out what other characters lead to.
    pub(crate) fn step_once(&self, id: NodeId, c: u32) -> NodeId {
        if let Some(pieces) = self.nodes.memo(id.0).pieces.get() {
            return pieces::find(pieces, c);
        }
        work::spend(1);
        let step = |&part: &NodeId| self.step_once(part, c);
        match *self.node(id) {
            Node::Class(ref set) if set.contains(c) => NodeId::EMPTY,
            Node::Class(_) => NodeId::NEVER,
            Node::Told(ref told) => {
                char::from_u32(c).map_or(NodeId::NEVER, |c| self.step_told(told, c))
            }
            Node::Concat(..) => {
                let mut ways = Vec::new();
                let mut last = id;
                while let Node::Concat(a, b) = *self.node(last) {
                    ways.push(self.concat(self.step_once(a, c), b));
                    last = b;
                    if !self.nullable(a) {
                        return self.or(ways);
                    }
                }
                ways.push(self.step_once(last, c));
                self.or(ways)
            }
            Node::Or(ref parts) => self.or(parts.iter().map(step).collect()),
            Node::And(ref parts) => self.and(parts.iter().map(step).collect()),
            Node::Not(inner) => self.not(self.step_once(inner, c)),
            Node::Repeat { body, .. } => self.concat(self.step_once(body, c), self.round_less(id)),
            _ => pieces::find(self.pieces(id), c),
        }
    }

    /// Whether `text` as a whole is in the language.
    pub(crate) fn matches(&self, id: NodeId, text: &str) -> bool {
        let end = text.chars().fold(id, |node, c| self.step(node, c as u32));
        self.nullable(end)
    }

    /// The memo of the shortest spelled length, which `cost.rs` fills.
    pub(crate) fn cost_memo(&self, id: NodeId, spelling: Spelling) -> &OnceLock<u32> {
        let memo = self.nodes.memo(id.0);
        match spelling {
            Spelling::Json => &memo.json_cost,
            Spelling::Raw => &memo.raw_cost,
            Spelling::Chars => &memo.char_cost,
        }
    }

    /// The memo of a lower bound of that, likewise.
    pub(super) fn bound_memo(&self, id: NodeId, spelling: Spelling) -> &OnceLock<u32> {
        let memo = self.nodes.memo(id.0);
        match spelling {
            Spelling::Json => &memo.json_bound,
            Spelling::Raw => &memo.raw_bound,
            Spelling::Chars => &memo.char_bound,
        }
    }

    /// The memo of whether some text is in the language, likewise.
    pub(super) fn live_memo(&self, id: NodeId) -> &OnceLock<bool> {
        &self.nodes.memo(id.0).is_live
    }

    pub(super) fn has_told(&self) -> bool {
        self.has_told.load(Ordering::Relaxed)
    }

    pub(super) fn note_told(&self) {
        self.has_told.store(true, Ordering::Relaxed);
    }

    /// The memo of [`Regexes::is_told`].
    pub(super) fn told_memo(&self, id: NodeId) -> &OnceLock<bool> {
        &self.nodes.memo(id.0).is_told
    }

    /// The memo of [`Regexes::leads_to_told`].
    pub(super) fn leads_to_told_memo(&self, id: NodeId) -> &OnceLock<bool> {
        &self.nodes.memo(id.0).leads_to_told
    }

    /// The memo of [`Regexes::lengths`].
    pub(super) fn lengths_memo(&self, id: NodeId) -> &OnceLock<Option<Lengths>> {
        &self.nodes.memo(id.0).lengths
    }

    /// The memo of [`Regexes::longest_rest`].
    pub(super) fn rest_memo(&self, id: NodeId) -> &OnceLock<Option<u32>> {
        &self.nodes.memo(id.0).longest_rest
    }

    /// The memo of [`Regexes::free`].
    pub(super) fn free_memo(&self, id: NodeId) -> &OnceLock<Option<Box<Free>>> {
        &self.nodes.memo(id.0).free
    }

    /// The memo of the fingerprint, which `fingerprint.rs` fills.
    pub(super) fn fingerprint_memo(&self, id: NodeId) -> &OnceLock<u128> {
        &self.nodes.memo(id.0).fingerprint
    }

    pub(super) fn words_fingerprint(&self, list: u32) -> u128 {
        self.words[list as usize].fingerprint
    }

    /// The rests of the words of a word-list node.
    pub(crate) fn word_rests(&self, id: NodeId) -> Vec<String> {
        match *self.node(id) {
            Node::Words {
                list,
                lo,
                hi,
                depth,
            } => self.rests(list, lo, hi, depth),
            _ => Vec::new(),
        }
    }
}
