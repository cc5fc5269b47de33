//! From the languages of rules to a program: the fewest frames that will do.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::byte_set::ByteSet;
use crate::grammar::left::circles;
use crate::grammar::program::{Pending, Program, Symbol};
use crate::grammar::syntax::TokenSet;
use crate::json::kind::Literals;
use crate::regex::node::{Node, NodeId};
use crate::regex::regexes::Regexes;
use crate::regex::scan::{ScanId, Scanner};
use crate::work;

/// Rules that would grow larger, or nest deeper, where they are used stay rules.
pub(super) const LARGE: u64 = 4_000;
pub(super) const DEEP: u32 = 64;

/// A program whose rules have these languages. Rules that are recursive no more, now that left
/// recursion is gone, are spelled out where they are used.
pub(super) fn link(
    scanner: &Scanner,
    start: NodeId,
    bodies: FxHashMap<u32, NodeId>,
    pending: &[Pending],
    tokens: Vec<TokenSet>,
) -> Program {
    let mut linker = Linker {
        nodes: &scanner.regexes,
        bodies,
        spelled: FxHashMap::default(),
        sizes: FxHashMap::default(),
        done: FxHashMap::default(),
    };
    linker.spell_out(start);
    linker.keep_small(start);
    let start_node = linker.resolve(start);
    let languages: Vec<Option<NodeId>> = (0..pending.len() as u32)
        .map(|symbol| match pending[symbol as usize] {
            Pending::Rule if linker.spelled.contains_key(&symbol) => None,
            Pending::Rule => linker.bodies.get(&symbol).copied(),
            Pending::Free(node) => Some(node),
            Pending::Json(_) | Pending::Token(_) => None,
        })
        .collect();
    let starts: Vec<Option<ScanId>> = languages
        .iter()
        .enumerate()
        .map(|(symbol, &node)| {
            let node = match pending[symbol] {
                Pending::Rule => linker.resolve(node?),
                _ => node?,
            };
            scanner.start(node, Box::new([]))
        })
        .collect();
    let first = first_bytes(scanner, &starts, pending);
    let symbols = pending.iter().zip(starts).zip(first);
    let symbols = symbols.map(|((pending, start), first)| match (*pending, start) {
        (Pending::Json(schema), _) => Symbol::Json(schema),
        (Pending::Token(set), _) => Symbol::Token(set),
        (_, Some(start)) => {
            let (first, rank) = first;
            Symbol::Rule { start, first, rank }
        }
        // A rule that is spelled out everywhere is used nowhere any more.
        (_, None) => Symbol::Rule {
            start: ScanId(0),
            first: ByteSet::NONE,
            rank: 0,
        },
    });
    let symbols = symbols.collect();
    let start = scanner.start(start_node, Box::new([]));
    Program {
        symbols,
        tokens,
        start: start.expect("a grammar that nothing satisfies is refused before"),
    }
}

struct Linker<'a> {
    nodes: &'a Regexes,
    /// The languages of the symbols that are rules.
    bodies: FxHashMap<u32, NodeId>,
    /// The languages of the rules that are no symbols any more: they are spelled out where they are
    /// used.
    spelled: FxHashMap<u32, NodeId>,
    sizes: FxHashMap<NodeId, (u64, u32)>,
    done: FxHashMap<NodeId, NodeId>,
}

impl Linker<'_> {
    /// Decides which rules are spelled out, each after those that it uses.
    fn spell_out(&mut self, start: NodeId) {
        let mut entered: FxHashSet<u32> = FxHashSet::default();
        let mut finished: FxHashSet<u32> = FxHashSet::default();
        let mut recursive: FxHashSet<u32> = FxHashSet::default();
        let mut path = vec![(None, self.symbols_in(start), 0)];
        while let Some((symbol, uses, next)) = path.last_mut() {
            if let Some(&used) = uses.get(*next) {
                *next += 1;
                if !finished.contains(&used) && !entered.insert(used) {
                    recursive.insert(used);
                } else if !finished.contains(&used) {
                    let body = self.bodies[&used];
                    let uses = self.symbols_in(body);
                    path.push((Some(used), uses, 0));
                }
                continue;
            }
            let symbol = *symbol;
            path.pop();
            let Some(symbol) = symbol else { continue };
            finished.insert(symbol);
            if recursive.contains(&symbol) {
                self.keep_small(self.bodies[&symbol]);
                continue;
            }
            self.keep_small(self.bodies[&symbol]);
            let resolved = self.resolve(self.bodies[&symbol]);
            let (size, depth) = self.measure(resolved);
            if size <= LARGE && depth <= DEEP {
                self.spelled.insert(symbol, resolved);
            }
        }
    }

    /// Lets the rules that a language uses stay rules, if it grew too large with them.
    fn keep_small(&mut self, body: NodeId) {
        if self.spelled.is_empty() {
            return;
        }
        let mut sizes = FxHashMap::default();
        if self.size_resolved(body, &mut sizes) <= 4 * LARGE {
            return;
        }
        for symbol in self.symbols_in(body) {
            self.spelled.remove(&symbol);
        }
        self.done.clear();
    }

    /// How large a language is when its rules are spelled out.
    fn size_resolved(&mut self, id: NodeId, known: &mut FxHashMap<NodeId, u64>) -> u64 {
        if let Some(&size) = known.get(&id) {
            return size;
        }
        let mut size = 1_u64;
        let mut last = id;
        while let Node::Concat(a, b) = *self.nodes.node(last) {
            size = size.saturating_add(self.size_resolved(a, known));
            last = b;
        }
        size = match *self.nodes.node(last) {
            Node::Symbol(symbol) => match self.spelled.get(&symbol) {
                Some(&body) => size.saturating_add(self.measure(body).0),
                None => size,
            },
            Node::Or(ref parts) => parts.iter().fold(size, |size, &part| {
                size.saturating_add(self.size_resolved(part, known))
            }),
            Node::Repeat { body, .. } => size.saturating_add(self.size_resolved(body, known)),
            _ => size,
        };
        known.insert(id, size);
        size
    }

    /// The rules whose symbols a language holds.
    fn symbols_in(&self, start: NodeId) -> Vec<u32> {
        if self.bodies.is_empty() {
            return Vec::new();
        }
        let mut seen = FxHashSet::from_iter([start]);
        let mut open = vec![start];
        let mut found = Vec::new();
        while let Some(id) = open.pop() {
            work::spend(1);
            let mut add = |part: NodeId| {
                if seen.insert(part) {
                    open.push(part);
                }
            };
            match *self.nodes.node(id) {
                Node::Symbol(symbol) if self.bodies.contains_key(&symbol) => found.push(symbol),
                Node::Concat(a, b) => {
                    add(a);
                    add(b);
                }
                Node::Or(ref parts) => parts.iter().for_each(|&part| add(part)),
                Node::Repeat { body, .. } => add(body),
                _ => {}
            }
        }
        found
    }

    /// A language with the rules that are spelled out in place of their symbols.
    fn resolve(&mut self, id: NodeId) -> NodeId {
        if self.spelled.is_empty() {
            return id;
        }
        if let Some(&done) = self.done.get(&id) {
            return done;
        }
        let nodes = self.nodes;
        let mut items = Vec::new();
        let mut last = id;
        while let Node::Concat(a, b) = *nodes.node(last) {
            items.push(a);
            last = b;
        }
        let mut resolved = match *nodes.node(last) {
            // Whether it is spelled out may be decided later: this must not be remembered.
            Node::Symbol(symbol) => return self.append(&items, self.of_symbol(symbol, last)),
            Node::Or(ref parts) => {
                let parts = parts.iter().map(|&part| self.resolve(part)).collect();
                nodes.or(parts)
            }
            Node::Repeat { body, min, max } => {
                let body = self.resolve(body);
                nodes.repeat(body, min, max)
            }
            _ => last,
        };
        resolved = self.append(&items, resolved);
        self.done.insert(id, resolved);
        resolved
    }

    fn of_symbol(&self, symbol: u32, node: NodeId) -> NodeId {
        self.spelled.get(&symbol).copied().unwrap_or(node)
    }

    fn append(&mut self, items: &[NodeId], last: NodeId) -> NodeId {
        items.iter().rev().fold(last, |rest, &item| {
            let item = self.resolve(item);
            self.nodes.concat(item, rest)
        })
    }

    /// How large a language is when it is written out, and how deep.
    fn measure(&mut self, id: NodeId) -> (u64, u32) {
        if let Some(&known) = self.sizes.get(&id) {
            return known;
        }
        let (mut size, mut depth) = (1_u64, 0);
        let mut add = |(own, below): (u64, u32)| {
            size = size.saturating_add(own);
            depth = depth.max(below);
        };
        let mut last = id;
        while let Node::Concat(a, b) = *self.nodes.node(last) {
            add(self.measure(a));
            last = b;
        }
        match *self.nodes.node(last) {
            Node::Or(ref parts) => parts.iter().for_each(|&part| add(self.measure(part))),
            Node::Repeat { body, .. } => add(self.measure(body)),
            _ => {}
        }
        let found = (size, depth + 1);
        self.sizes.insert(id, found);
        found
    }
}

/// Bytes among which are all with which each symbol's texts can begin, and its rank.
fn first_bytes(
    scanner: &Scanner,
    starts: &[Option<ScanId>],
    pending: &[Pending],
) -> Vec<(ByteSet, u32)> {
    let begins_with = starts.iter().map(|start| match start {
        Some(start) => scanner.symbols(*start).map(|(s, _)| s as usize).collect(),
        None => Vec::new(),
    });
    let begins_with: Vec<Vec<usize>> = begins_with.collect();
    let mut first = vec![(ByteSet::NONE, 0); starts.len()];
    // No rule begins with itself: each group is of one, and after those that it begins with.
    for (symbol, rank) in circles(&begins_with).into_iter().flatten().zip(0..) {
        let mut bytes = match (starts[symbol], pending[symbol]) {
            (Some(start), _) => character_bytes(scanner, start),
            (None, Pending::Json(_)) => Literals::Json
                .first_bytes()
                .or(Literals::Python.first_bytes()),
            (None, _) => ByteSet::NONE,
        };
        for &inner in &begins_with[symbol] {
            bytes = bytes.or(first[inner].0);
        }
        first[symbol] = (bytes, rank);
    }
    first
}

/// The first bytes of the characters that lead on from a state.
pub(crate) fn character_bytes(scanner: &Scanner, state: ScanId) -> ByteSet {
    let mut bytes = ByteSet::NONE;
    for step in scanner.moves(state) {
        bytes.insert_leads(step.lo, step.hi);
    }
    bytes
}
