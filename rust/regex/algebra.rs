//! The constructors of languages, which simplify what they are given.

use crate::regex::char_blocks::CharBlocks;
use crate::regex::codeset::{CodeSet, SCALARS};
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::regexes::Regexes;
use crate::work;

impl Regexes {
    /// One character of a set. Surrogates are never in it: no text holds them.
    pub(crate) fn class(&self, set: CodeSet) -> NodeId {
        let set = match set.holds_surrogates() {
            true => set.intersection(&CodeSet::new(SCALARS)),
            false => set,
        };
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

    /// Exactly this text and then `rest`, character by character, so that equal ends are one state.
    pub(crate) fn spell(&self, text: &str, rest: NodeId) -> NodeId {
        let characters = text.chars().rev();
        characters.fold(rest, |rest, c| self.concat(self.character(c), rest))
    }

    /// A place for texts that are not read character by character. All that the store knows of them
    /// is that none is empty and that the cheapest has `cost` bytes. In the pieces of a language a
    /// symbol is a character of its own, see `symbol_of`. Complements and intersections must hold
    /// no symbols.
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
                // No other kind of node holds a symbol.
                _ => true,
            };
        *memo.get_or_init(|| found)
    }

    /// The class among alternatives, if there is one.
    pub(super) fn class_among(&self, parts: &[NodeId]) -> Option<NodeId> {
        work::spend(parts.len() / 8);
        let is_class = |&part: &NodeId| matches!(self.node(part), Node::Class(_));
        parts.iter().copied().find(is_class)
    }

    /// The largest set of blocks that is in a class, and the smallest that the class is in.
    pub(super) fn class_blocks(&self, id: NodeId) -> (CharBlocks, CharBlocks) {
        if id == NodeId::CHAR {
            return (CharBlocks::ALL, CharBlocks::ALL);
        }
        let Node::Class(set) = self.node(id) else {
            return (CharBlocks::default(), CharBlocks::ALL);
        };
        if let Some(&known) = self.class_blocks.lock().get(&id) {
            return known;
        }
        let ranges = set.ranges();
        work::spend(2 * ranges.len());
        let around = ranges.iter().map(|&(lo, hi)| CharBlocks::around(lo, hi));
        let around = around.fold(CharBlocks::default(), CharBlocks::or);
        let found = (CharBlocks::within(ranges.iter().copied()), around);
        self.class_blocks.lock().insert(id, found);
        found
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

    /// Between `min` and `max` times `body`; [`UNBOUNDED`] is no upper bound.
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
        // A body that may be empty can come fewer times and stand for the same texts.
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

    /// Replaces several excluded lists of words by one.
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

    /// Whether one part is the negation of another, or of several others together.
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

    /// The language, as a list of words if it holds no more than `most` and is written as a
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
}
