//! Languages from patterns and parts.

use crate::limits::Limits;
use crate::regex;
use crate::regex::codeset::CodeSet;
use crate::regex::lower;
use crate::regex::node::NodeId;
use crate::regex::regexes::Regexes;

/// Makes languages in a store.
#[derive(Clone, Copy)]
pub(super) struct Build<'a>(pub(super) &'a Regexes);

impl Build<'_> {
    /// The texts that an ECMA-262 pattern without assertions matches as a whole.
    pub(super) fn pattern(self, pattern: &str) -> NodeId {
        regex::parse(pattern, &Limits::default())
            .and_then(|ast| lower::full(&ast, self.0))
            .expect("the patterns of formats are small and need no assertions")
    }

    /// Exactly this text.
    pub(super) fn text(self, text: &str) -> NodeId {
        let chars = text
            .chars()
            .rev()
            .map(|c| self.0.class(CodeSet::single(c.into())));
        chars.fold(NodeId::EMPTY, |rest, c| self.0.concat(c, rest))
    }

    /// One part after the other.
    pub(super) fn concat(self, parts: &[NodeId]) -> NodeId {
        let reversed = parts.iter().rev();
        reversed.fold(NodeId::EMPTY, |rest, &part| self.0.concat(part, rest))
    }

    pub(super) fn or(self, parts: impl Into<Vec<NodeId>>) -> NodeId {
        self.0.or(parts.into())
    }

    pub(super) fn and(self, parts: impl Into<Vec<NodeId>>) -> NodeId {
        self.0.and(parts.into())
    }

    pub(super) fn optional(self, node: NodeId) -> NodeId {
        self.0.repeat_between(node, 0, Some(1))
    }

    pub(super) fn star(self, node: NodeId) -> NodeId {
        self.0.repeat_between(node, 0, None)
    }

    /// `item`, and more of it after a `separator` each.
    pub(super) fn list(self, item: NodeId, separator: NodeId) -> NodeId {
        let more = self.star(self.0.concat(separator, item));
        self.0.concat(item, more)
    }

    /// At most `max` characters.
    pub(super) fn at_most(self, max: u32, node: NodeId) -> NodeId {
        let short = self.0.repeat_between(NodeId::CHAR, 0, Some(max));
        self.and([node, short])
    }

    /// The texts of characters, each of a class and its weight, that weigh `most` together.
    pub(super) fn weighing(self, classes: &[(NodeId, usize)], most: usize) -> NodeId {
        let mut up_to = vec![NodeId::EMPTY];
        for sum in 1..=most {
            let mut ways = vec![NodeId::EMPTY];
            for &(class, weight) in classes {
                if let Some(left) = sum.checked_sub(weight) {
                    ways.push(self.concat(&[class, up_to[left]]));
                }
            }
            up_to.push(self.or(ways));
        }
        up_to[most]
    }
}
