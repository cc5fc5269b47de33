//! Finite languages that are too large to spell out: functions tell what may follow.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::regex::node::{Node, NodeId, Regexes, Spelling};
use crate::regex::pieces::{self, Piece};

/// What tells a language. Its texts are of characters that take one byte, also in JSON.
pub(crate) struct Rule {
    /// Tells rules apart, in all stores of a process.
    pub(crate) name: &'static str,
    /// The ways on from a state, by rising character. Each leads to an end.
    pub(crate) ways: fn(state: &str) -> Vec<Way>,
    /// The way on with one character.
    pub(crate) way: fn(state: &str, c: char) -> Option<Way>,
    /// The characters with which the rule gets from a state to an end, zero in an end; `None` if it
    /// finds no way. There may be nearer ends, as long as one of the ways from a state that is not
    /// an end leads to one whose distance is one less.
    pub(crate) distance: fn(state: &str) -> Option<u32>,
}

/// The characters `lo..=hi` lead to the state `to`, which is `distance` from an end.
pub(crate) struct Way {
    pub(crate) lo: char,
    pub(crate) hi: char,
    pub(crate) to: Box<str>,
    pub(crate) distance: u32,
}

/// What may follow in a state of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Told {
    pub(crate) rule: &'static Rule,
    pub(crate) state: Box<str>,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Rule {}

impl Hash for Rule {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.name.hash(hasher);
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Regexes {
    /// What may follow in a state of a rule.
    pub(crate) fn told(&self, rule: &'static Rule, state: &str) -> NodeId {
        let state = state.into();
        self.make(Node::Told(Told { rule, state }))
    }

    pub(super) fn derive_told(&self, told: &Told) -> Vec<Piece> {
        let ways = (told.rule.ways)(&told.state).into_iter();
        let pieces = ways.map(|way| Piece {
            lo: way.lo.into(),
            hi: way.hi.into(),
            to: self.go(told.rule, way),
        });
        pieces.collect()
    }

    fn go(&self, rule: &'static Rule, way: Way) -> NodeId {
        let to = self.make(Node::Told(Told {
            rule,
            state: way.to,
        }));
        for spelling in [Spelling::Json, Spelling::Raw, Spelling::Chars] {
            self.cost_memo(to, spelling).get_or_init(|| way.distance);
        }
        to
    }

    /// Whether a rule tells what the next character leads to. Such languages have states of their
    /// own for nearly every text: better read a character alone than make a state for each.
    pub(super) fn is_told(&self, id: NodeId) -> bool {
        // Conjunctions of alternatives of chains, to not search long for what is rare.
        self.is_told_within(id, 3)
    }

    fn is_told_within(&self, id: NodeId, depth: u32) -> bool {
        match self.node(id) {
            Node::Told(_) => true,
            _ if depth == 0 => false,
            &Node::Concat(a, _) => self.is_told_within(a, 0),
            Node::Or(parts) | Node::And(parts) => {
                let mut parts = parts.iter();
                parts.any(|&part| self.is_told_within(part, depth - 1))
            }
            _ => false,
        }
    }

    /// As [`Regexes::step`], without finding out what other characters lead to.
    pub(super) fn step_alone(&self, id: NodeId, c: u32) -> NodeId {
        match *self.node(id) {
            Node::Told(ref told) => char::from_u32(c)
                .and_then(|c| (told.rule.way)(&told.state, c))
                .map_or(NodeId::NEVER, |way| self.go(told.rule, way)),
            Node::Concat(a, b) if self.is_told(a) => {
                let first = self.concat(self.step(a, c), b);
                if self.nullable(a) {
                    self.or(vec![first, self.step(b, c)])
                } else {
                    first
                }
            }
            Node::Or(ref parts) => self.or(parts.iter().map(|&p| self.step(p, c)).collect()),
            Node::And(ref parts) => self.and(parts.iter().map(|&p| self.step(p, c)).collect()),
            _ => pieces::find(self.pieces(id), c),
        }
    }
}
