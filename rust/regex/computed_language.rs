//! Computed languages as nodes among the others: their derivatives, and which languages hold them.

use crate::regex::computed::{Computed, ComputedRule};
use crate::regex::node::{Node, NodeId};
use crate::regex::pieces::Piece;
use crate::regex::regexes::Regexes;
use crate::work;

impl Regexes {
    /// What may follow in a state of a rule.
    pub(crate) fn computed(&self, rule: &'static ComputedRule, state: &str) -> NodeId {
        let state = state.into();
        if !rule.is_small {
            self.note_computed();
        }
        self.make(Node::Computed(Computed { rule, state }))
    }

    pub(super) fn derive_computed(&self, computed: &Computed) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for c in '\0'..='\x7F' {
            let to = self.step_computed(computed, c);
            match pieces.last_mut() {
                _ if to == NodeId::NEVER => {}
                Some(last) if last.to == to && last.hi + 1 == u32::from(c) => last.hi = c.into(),
                _ => pieces.push(Piece {
                    lo: c.into(),
                    hi: c.into(),
                    to,
                }),
            }
        }
        pieces
    }

    pub(super) fn step_computed(&self, computed: &Computed, c: char) -> NodeId {
        work::spend(1 + computed.state.len() / 4);
        let rule = computed.rule;
        match (rule.way)(&computed.state, c) {
            Some(state) => {
                work::hold(state.len());
                self.make(Node::Computed(Computed { rule, state }))
            }
            None => NodeId::NEVER,
        }
    }

    /// Whether a function says what the next character leads to. Such a language has a state of its
    /// own for nearly every text, so it is cheaper to read single characters than to make the
    /// states that all characters lead to.
    pub(super) fn is_computed(&self, id: NodeId) -> bool {
        if !self.has_computed() {
            return false;
        }
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last) {
            if self.is_computed(a) {
                return true;
            }
            if !self.nullable(a) {
                return false;
            }
            last = b;
        }
        match *self.node(last) {
            Node::Computed(ref computed) => !computed.rule.is_small,
            Node::Or(ref parts) | Node::And(ref parts) => {
                let memo = self.computed_memo(last);
                *memo.get_or_init(|| parts.iter().any(|&part| self.is_computed(part)))
            }
            Node::Not(inner) => self.is_computed(inner),
            Node::Repeat { body, .. } => self.is_computed(body),
            _ => false,
        }
    }

    /// Whether some text of a language may lead into a computed one.
    pub(super) fn leads_to_computed(&self, id: NodeId) -> bool {
        if !self.has_computed() {
            return false;
        }
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last) {
            work::spend(1);
            if self.leads_to_computed(a) {
                return true;
            }
            last = b;
        }
        match *self.node(last) {
            Node::Computed(ref computed) => !computed.rule.is_small,
            Node::Or(ref parts) | Node::And(ref parts) => {
                let memo = self.leads_to_computed_memo(last);
                *memo.get_or_init(|| parts.iter().any(|&part| self.leads_to_computed(part)))
            }
            Node::Not(inner) => self.leads_to_computed(inner),
            Node::Repeat { body, .. } => self.leads_to_computed(body),
            _ => false,
        }
    }

    /// What is left of a language after some text that ends the computed language which it begins
    /// with, if such a text is found at a glance.
    pub(super) fn past_computed(&self, id: NodeId) -> Option<NodeId> {
        self.way_past_computed(id).map(|(_, rest)| rest)
    }

    fn way_past_computed(&self, id: NodeId) -> Option<(String, NodeId)> {
        work::spend(1);
        match *self.node(id) {
            Node::Computed(ref computed) => {
                Some(((computed.rule.ending)(&computed.state)?, NodeId::EMPTY))
            }
            Node::Concat(a, b) => {
                let (text, rest) = self.way_past_computed(a)?;
                Some((text, self.concat(rest, b)))
            }
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.way_past_computed(part)),
            Node::And(ref parts) => parts.iter().enumerate().find_map(|(i, &part)| {
                let (text, rest) = self.way_past_computed(part)?;
                let read = |part| text.chars().fold(part, |at, c| self.step(at, c.into()));
                let others = parts.iter().enumerate().filter(|&(j, _)| j != i);
                let mut rests: Vec<NodeId> = others.map(|(_, &part)| read(part)).collect();
                rests.push(rest);
                let rest = self.and(rests);
                (rest != NodeId::NEVER).then_some((text, rest))
            }),
            _ => None,
        }
    }
}
