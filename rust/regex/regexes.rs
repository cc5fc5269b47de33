//! The store of languages: hash-consed expressions, and what is found out about each.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::intern::Interner;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::codeset::{CodeSet, SCALARS};
use crate::regex::edges::Edges;
use crate::regex::facts::{Free, Lengths};
use crate::regex::node::{Node, NodeId, Spelling, UNBOUNDED};
use crate::regex::numeric;
use crate::regex::pieces::Piece;
use crate::regex::span_texts::SpanTexts;

#[derive(Debug, Default)]
pub(super) struct NodeMemo {
    pub(super) pieces: OnceLock<Box<[Piece]>>,
    fingerprint: OnceLock<u128>,
    json_cost: OnceLock<u32>,
    raw_cost: OnceLock<u32>,
    char_cost: OnceLock<u32>,
    /// Lower bounds of the costs, for those that are not known.
    json_bound: OnceLock<u32>,
    raw_bound: OnceLock<u32>,
    char_bound: OnceLock<u32>,
    pub(super) is_without_symbols: OnceLock<bool>,
    pub(super) is_nullable: OnceLock<bool>,
    is_live: OnceLock<bool>,
    is_computed: OnceLock<bool>,
    leads_to_computed: OnceLock<bool>,
    lengths: OnceLock<Option<Lengths>>,
    longest_rest: OnceLock<Option<u32>>,
    free: OnceLock<Option<Box<Free>>>,
}

/// A store of languages, closed under concatenation, repetition and the boolean operations.
#[derive(Debug)]
pub(crate) struct Regexes {
    pub(super) nodes: Interner<Node, NodeMemo>,
    pub(super) words: boxcar::Vec<WordList>,
    pub(super) span_texts: boxcar::Vec<SpanTexts>,
    /// The fewest bytes of each symbol's texts.
    pub(crate) symbols: boxcar::Vec<u32>,
    numeric: numeric::Store,
    pub(super) edges: Edges,
    /// Whether there is any computed language.
    has_computed: AtomicBool,
    /// Of each class: the largest set of blocks that is in it, and the smallest that it is in.
    pub(super) class_blocks: Mutex<FxHashMap<NodeId, (CharBlocks, CharBlocks)>>,
}

/// A list of words, sorted and without duplicates.
#[derive(Debug)]
pub(super) struct WordList {
    pub(crate) words: Box<[Box<str>]>,
    /// At least the characters of the longest.
    pub(crate) longest: u32,
    pub(super) fingerprint: u128,
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
            span_texts: boxcar::Vec::new(),
            symbols: boxcar::Vec::new(),
            numeric: numeric::Store::default(),
            edges: Edges::default(),
            has_computed: AtomicBool::new(false),
            class_blocks: Mutex::default(),
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

    /// Notes that the grammar treats this text otherwise than others, so that its characters are
    /// needed.
    pub(crate) fn tell_apart(&self, text: &str) {
        // Of these bytes nobody asks.
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.edges.add_text(text);
        }
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

    pub(super) fn symbol_cost(&self, symbol: u32) -> u32 {
        self.symbols[symbol as usize]
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

    /// The memo of a lower bound of the shortest spelled length, which `cost.rs` fills.
    pub(super) fn bound_memo(&self, id: NodeId, spelling: Spelling) -> &OnceLock<u32> {
        let memo = self.nodes.memo(id.0);
        match spelling {
            Spelling::Json => &memo.json_bound,
            Spelling::Raw => &memo.raw_bound,
            Spelling::Chars => &memo.char_bound,
        }
    }

    /// The memo of whether some text is in the language, which `cost.rs` fills.
    pub(super) fn live_memo(&self, id: NodeId) -> &OnceLock<bool> {
        &self.nodes.memo(id.0).is_live
    }

    pub(super) fn has_computed(&self) -> bool {
        self.has_computed.load(Ordering::Relaxed)
    }

    pub(super) fn note_computed(&self) {
        self.has_computed.store(true, Ordering::Relaxed);
    }

    /// The memo of [`Regexes::is_computed`].
    pub(super) fn computed_memo(&self, id: NodeId) -> &OnceLock<bool> {
        &self.nodes.memo(id.0).is_computed
    }

    /// The memo of [`Regexes::leads_to_computed`].
    pub(super) fn leads_to_computed_memo(&self, id: NodeId) -> &OnceLock<bool> {
        &self.nodes.memo(id.0).leads_to_computed
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
