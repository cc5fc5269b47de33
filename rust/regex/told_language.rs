//! Languages that a function tells, among the others.

use crate::regex::node::{Node, NodeId};
use crate::regex::pieces::Piece;
use crate::regex::regexes::Regexes;
use crate::regex::told::{Rule, Told};
use crate::work;

impl Regexes {
    /// What may follow in a state of a rule.
    pub(crate) fn told(&self, rule: &'static Rule, state: &str) -> NodeId {
        let state = state.into();
        self.note_told();
        self.make(Node::Told(Told { rule, state }))
    }

    pub(super) fn derive_told(&self, told: &Told) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for c in '\0'..='\x7F' {
            let to = self.step_told(told, c);
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

    pub(super) fn step_told(&self, told: &Told, c: char) -> NodeId {
        work::spend(1 + told.state.len() / 4);
        let rule = told.rule;
        match (rule.way)(&told.state, c) {
            Some(state) => {
                work::hold(state.len());
                self.make(Node::Told(Told { rule, state }))
            }
            None => NodeId::NEVER,
        }
    }

    /// Whether a rule tells what the next character leads to. Such languages have states of their
    /// own for nearly every text: better read a character alone than make a state for each.
    pub(super) fn is_told(&self, id: NodeId) -> bool {
        if !self.has_told() {
            return false;
        }
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last) {
            if self.is_told(a) {
                return true;
            }
            if !self.nullable(a) {
                return false;
            }
            last = b;
        }
        match *self.node(last) {
            Node::Told(_) => true,
            Node::Or(ref parts) | Node::And(ref parts) => {
                let memo = self.told_memo(last);
                *memo.get_or_init(|| parts.iter().any(|&part| self.is_told(part)))
            }
            Node::Not(inner) => self.is_told(inner),
            Node::Repeat { body, .. } => self.is_told(body),
            _ => false,
        }
    }

    /// Whether some text of a language may lead to what a rule tells.
    pub(super) fn leads_to_told(&self, id: NodeId) -> bool {
        if !self.has_told() {
            return false;
        }
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last) {
            work::spend(1);
            if self.leads_to_told(a) {
                return true;
            }
            last = b;
        }
        match *self.node(last) {
            Node::Told(_) => true,
            Node::Or(ref parts) | Node::And(ref parts) => {
                let memo = self.leads_to_told_memo(last);
                *memo.get_or_init(|| parts.iter().any(|&part| self.leads_to_told(part)))
            }
            Node::Not(inner) => self.leads_to_told(inner),
            Node::Repeat { body, .. } => self.leads_to_told(body),
            _ => false,
        }
    }

    /// What is left of a language after some text that ends what rules tell in it, if such a text is
    /// found at a glance.
    pub(super) fn past_told(&self, id: NodeId) -> Option<NodeId> {
        self.way_past_told(id).map(|(_, rest)| rest)
    }

    fn way_past_told(&self, id: NodeId) -> Option<(String, NodeId)> {
        work::spend(1);
        match *self.node(id) {
            Node::Told(ref told) => Some(((told.rule.ending)(&told.state)?, NodeId::EMPTY)),
            Node::Concat(a, b) => {
                let (text, rest) = self.way_past_told(a)?;
                Some((text, self.concat(rest, b)))
            }
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.way_past_told(part)),
            Node::And(ref parts) => parts.iter().enumerate().find_map(|(i, &part)| {
                let (text, rest) = self.way_past_told(part)?;
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
