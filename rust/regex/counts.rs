//! Alternatives that differ only in how often something comes.
//!
//! What has been read of `(.*a){1,20}` can be any number of rounds, and each number leaves an
//! alternative of its own. Most of them are parts of others: `x{0,18}` of `x{0,19}`.

use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::regexes::Regexes;
use crate::work;

/// How many links of a chain of concatenations are looked at.
const LINKS: usize = 8;

/// A chain, apart from how often one link of it comes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    before: Vec<NodeId>,
    body: NodeId,
    after: NodeId,
    min: u32,
    max: u32,
}

impl Counted {
    /// Whether two chains differ in their counts alone, and these meet, so that every count between
    /// the least and the greatest is one of either. The least count of `next` must not be smaller.
    fn touches(&self, next: &Counted) -> bool {
        let chain = |c: &Counted| (c.body, c.after);
        chain(self) == chain(next)
            && self.before == next.before
            && next.min <= self.max.saturating_add(1)
    }
}

impl Regexes {
    /// Replaces alternatives by one where their counts meet.
    pub(super) fn join_counts(&self, parts: &mut Vec<NodeId>) {
        let mut some = parts.iter().filter(|&&part| self.is_counted(part));
        if some.nth(1).is_none() {
            return;
        }
        work::spend(2 * parts.len());
        let counted = parts.iter().filter_map(|&part| self.counted(part));
        let mut all: Vec<Counted> = counted.collect();
        all.sort_unstable();
        if !all.windows(2).any(|pair| pair[0].touches(&pair[1])) {
            return;
        }
        parts.retain(|&part| self.counted(part).is_none());
        let mut joined: Vec<Counted> = Vec::with_capacity(all.len());
        for next in all {
            match joined.last_mut() {
                Some(last) if last.touches(&next) => last.max = last.max.max(next.max),
                _ => joined.push(next),
            }
        }
        parts.extend(joined.into_iter().map(|chain| {
            let counted = self.repeat(chain.body, chain.min, chain.max);
            let links = chain.before.into_iter().rev();
            links.fold(self.concat(counted, chain.after), |rest, link| {
                self.concat(link, rest)
            })
        }));
    }

    /// Whether a chain has a counted link.
    fn is_counted(&self, id: NodeId) -> bool {
        let mut rest = id;
        for _ in 0..LINKS {
            let (link, after) = match *self.node(rest) {
                Node::Concat(link, after) => (link, after),
                _ => (rest, NodeId::EMPTY),
            };
            match *self.node(link) {
                Node::Repeat { min, max, .. } if (min, max) != (0, UNBOUNDED) => return true,
                _ if after == NodeId::EMPTY => return false,
                _ => rest = after,
            }
        }
        false
    }

    /// A chain with its last counted link taken apart, if it has one.
    fn counted(&self, id: NodeId) -> Option<Counted> {
        let mut links = Vec::new();
        let mut found = None;
        let mut rest = id;
        while rest != NodeId::EMPTY && links.len() < LINKS {
            let (link, after) = match *self.node(rest) {
                Node::Concat(link, after) => (link, after),
                _ => (rest, NodeId::EMPTY),
            };
            match *self.node(link) {
                Node::Repeat { body, min, max } if (min, max) != (0, UNBOUNDED) => {
                    found = Some((links.len(), body, after, min, max));
                }
                _ => {}
            }
            links.push(link);
            rest = after;
        }
        let (at, body, after, min, max) = found?;
        links.truncate(at);
        Some(Counted {
            before: links,
            body,
            after,
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::regex::{lower, parse};

    fn language(nodes: &Regexes, pattern: &str) -> NodeId {
        let parsed = parse(pattern, &Limits::default()).unwrap();
        lower::search(&parsed, nodes).unwrap()
    }

    #[test]
    fn counts_that_meet_are_one() {
        let nodes = Regexes::new();
        for (either, one) in [
            ("^(?:c(?:ab){2,5}d|c(?:ab){4,9}d)$", "^c(?:ab){2,9}d$"),
            ("^(?:(?:ab){2,3}|(?:ab){4,6})$", "^(?:ab){2,6}$"),
            ("^(?:x(?:ab){2,}|x(?:ab){1,7})$", "^x(?:ab)+$"),
        ] {
            assert_eq!(language(&nodes, either), language(&nodes, one), "{either}");
        }
        let apart = language(&nodes, "^(?:(?:ab){2,3}|(?:ab){5,6})$");
        for (count, expected) in [(1, false), (2, true), (3, true), (4, false), (5, true)] {
            assert_eq!(
                nodes.matches(apart, &"ab".repeat(count)),
                expected,
                "{count}"
            );
        }
    }

    #[test]
    fn rounds_do_not_multiply_states() {
        let nodes = Regexes::new();
        let start = language(&nodes, "^(.*a){1,20}$");
        let states: std::collections::HashSet<NodeId> = "banana"
            .repeat(10)
            .chars()
            .scan(start, |at, c| {
                *at = nodes.step(*at, c as u32);
                Some(*at)
            })
            .collect();
        assert!(states.len() <= 4, "{}", states.len());
        assert!(nodes.matches(start, "banana") && !nodes.matches(start, "banan"));
    }
}
