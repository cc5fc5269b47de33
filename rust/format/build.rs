//! Languages from patterns and parts.

use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::limits::Limits;
use crate::regex::lower;
use crate::regex::node::NodeId;
use crate::regex::regexes::Regexes;
use crate::regex::{self, Ast};
use crate::work;

/// The patterns of formats, which are few, each parsed once.
static PARSED: LazyLock<Mutex<FxHashMap<String, Arc<Ast>>>> = LazyLock::new(Mutex::default);

fn parsed(pattern: &str) -> Arc<Ast> {
    if let Some(known) = PARSED.lock().get(pattern) {
        return known.clone();
    }
    let ast = work::once(|| regex::parse(pattern, &Limits::default()));
    let ast = Arc::new(ast.expect("the patterns of formats are small"));
    PARSED.lock().insert(pattern.to_owned(), ast.clone());
    ast
}

/// Makes languages in a store.
#[derive(Clone, Copy)]
pub(super) struct Build<'a>(pub(super) &'a Regexes);

impl Build<'_> {
    /// The texts that an ECMA-262 pattern without assertions matches as a whole.
    pub(super) fn pattern(self, pattern: &str) -> NodeId {
        lower::full(&parsed(pattern), self.0).expect("the patterns of formats need no assertions")
    }

    /// Exactly this text.
    pub(super) fn text(self, text: &str) -> NodeId {
        let chars = text.chars().rev().map(|c| self.0.character(c));
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
