//! Languages without their far limits of repetition, which tokens cannot reach.

use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::regexes::Regexes;
use crate::work;

/// How deep nested expressions are looked at.
const DEPTH: u32 = 16;

impl Regexes {
    /// A language without those limits of repetition that texts of `near` characters do not reach,
    /// and a number of characters: texts of at most so many are in both languages or in neither.
    /// `None` if there are no such limits.
    pub(crate) fn without_far_limits(&self, id: NodeId, near: u32) -> Option<(NodeId, u32)> {
        let mut limits = CountLimits::default();
        self.unlimit(id, DEPTH, &mut limits);
        // Limits that are about as far are gone at once.
        limits.near = near.max(limits.farthest / 2);
        if limits.farthest <= limits.near {
            return None;
        }
        let freed = self.unlimit(id, DEPTH, &mut limits);
        Some((freed, limits.nearest_freed))
    }

    fn unlimit(&self, id: NodeId, depth: u32, limits: &mut CountLimits) -> NodeId {
        work::spend(1);
        if depth == 0 {
            return id;
        }
        match *self.node(id) {
            Node::Concat(..) => {
                // Chains may be long: no recursion.
                let mut chain = Vec::new();
                let mut last = id;
                while let Node::Concat(part, rest) = *self.node(last) {
                    chain.push(part);
                    last = rest;
                }
                chain.push(last);
                let freed = self.unlimit_all(&chain, depth, limits);
                if freed == chain {
                    return id;
                }
                let freed = freed.into_iter().rev();
                freed.fold(NodeId::EMPTY, |rest, part| self.concat(part, rest))
            }
            Node::Or(ref parts) => match self.unlimit_all(parts, depth, limits) {
                freed if freed[..] == parts[..] => id,
                freed => self.or(freed),
            },
            Node::And(ref parts) => match self.unlimit_all(parts, depth, limits) {
                freed if freed[..] == parts[..] => id,
                freed => self.and(freed),
            },
            Node::Repeat { body, min, max } => {
                let freed = self.unlimit(body, depth - 1, limits);
                // Rounds that take nothing need not count.
                let round = self.fewest_characters(body).max(1);
                let max = match limits.frees(max, round) {
                    true => UNBOUNDED,
                    false => max,
                };
                self.repeat(freed, min, max)
            }
            _ => id,
        }
    }

    fn unlimit_all(&self, parts: &[NodeId], depth: u32, limits: &mut CountLimits) -> Vec<NodeId> {
        let freed = parts
            .iter()
            .map(|&part| self.unlimit(part, depth - 1, limits));
        freed.collect()
    }
}

/// How many characters it takes to reach limits of repetition.
struct CountLimits {
    farthest: u32,
    nearest_freed: u32,
    /// Limits that texts of so many characters do not reach are dropped.
    near: u32,
}

impl Default for CountLimits {
    fn default() -> Self {
        CountLimits {
            farthest: 0,
            nearest_freed: UNBOUNDED,
            near: UNBOUNDED,
        }
    }
}

impl CountLimits {
    /// Whether a limit of `max` rounds, each of at least `round` characters, is dropped.
    fn frees(&mut self, max: u32, round: u32) -> bool {
        if max == UNBOUNDED {
            return false;
        }
        let reach = max.saturating_mul(round).min(UNBOUNDED - 1);
        self.farthest = self.farthest.max(reach);
        let is_far = reach > self.near;
        if is_far {
            self.nearest_freed = self.nearest_freed.min(reach);
        }
        is_far
    }
}
