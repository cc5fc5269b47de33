//! Derivatives: what is left of a language after a character.

use crate::regex::node::{Node, NodeId, SYMBOLS, UNBOUNDED};
use crate::regex::pieces;
use crate::regex::pieces::Piece;
use crate::regex::regexes::Regexes;
use crate::work;

impl Regexes {
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
                Node::Spans {
                    texts,
                    lo,
                    hi,
                    depth,
                } => break *memo.get_or_init(|| self.spans_may_end(texts, lo, hi, depth)),
                Node::Numbers(_) | Node::PlainNumbers(..) | Node::Points(_) => break false,
                Node::PlainReading(ref plain) => break plain.holds(),
                Node::Reading(ref reading) => break reading.holds(),
                Node::NumberList(ref number_list) => {
                    break number_list.holds(self.numeric().digits());
                }
                Node::Computed(ref computed) => {
                    break *memo.get_or_init(|| (computed.rule.holds)(&computed.state));
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

    /// The derivatives of a language by all characters that lead anywhere, as ranges of characters
    /// that have the same one.
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
            Node::Spans {
                texts,
                lo,
                hi,
                depth,
            } => self.derive_spans(texts, lo, hi, depth),
            Node::Numbers(set) => self.derive_numbers(set),
            Node::PlainNumbers(set, are_whole) => self.derive_plain_numbers(set, are_whole),
            Node::PlainReading(ref plain) => self.derive_plain(plain),
            Node::Points(ref values) => self.derive_points(values),
            Node::Reading(ref reading) => self.derive_reading(reading),
            Node::NumberList(ref number_list) => self.derive_number_list(number_list),
            Node::Computed(ref computed) => self.derive_computed(computed),
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

    /// The derivatives of a concatenation: those of its first part that must read something, and of
    /// each part before that, which may be empty.
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

    /// What is left of a repetition once another round of it has begun.
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
            None if self.is_computed(id) => self.step_once(id, c),
            _ => pieces::find(self.pieces(id), c),
        }
    }

    /// The language after one character, `NEVER` if there is none, without finding out what other
    /// characters lead to.
    pub(crate) fn step_once(&self, id: NodeId, c: u32) -> NodeId {
        if let Some(pieces) = self.nodes.memo(id.0).pieces.get() {
            return pieces::find(pieces, c);
        }
        work::spend(1);
        let step = |&part: &NodeId| self.step_once(part, c);
        match *self.node(id) {
            Node::Class(ref set) if set.contains(c) => NodeId::EMPTY,
            Node::Class(_) => NodeId::NEVER,
            Node::Computed(ref computed) => {
                char::from_u32(c).map_or(NodeId::NEVER, |c| self.step_computed(computed, c))
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
}
