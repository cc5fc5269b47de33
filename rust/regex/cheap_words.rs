//! The cheapest texts of a language, and whether it has many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::regex::char_cost::{NO_WAY, cheapest_of};
use crate::regex::node::{NodeId, Spelling};
use crate::regex::regexes::Regexes;
use crate::work;

impl Regexes {
    /// Whether a language has at least `least` texts, unless they are too far to be seen.
    pub(crate) fn has_words(&self, id: NodeId, least: u64) -> bool {
        const LOOKS: usize = 4_096;
        let mut found = 0_u64;
        let mut looks = 0;
        // The rests of texts of one length, and of how many texts each.
        let mut level = FxHashMap::from_iter([(id, 1_u64)]);
        while !level.is_empty() && looks < LOOKS {
            looks += level.len();
            let mut next: FxHashMap<NodeId, u64> = FxHashMap::default();
            for (node, texts) in level {
                if self.nullable(node) {
                    found = found.saturating_add(texts);
                }
                for piece in self.pieces(node).iter().filter(|p| self.is_live(p.to)) {
                    work::spend(1);
                    let characters = u64::from(piece.hi - piece.lo) + 1;
                    let more = texts.saturating_mul(characters);
                    let known = next.entry(piece.to).or_default();
                    *known = known.saturating_add(more);
                }
            }
            if found >= least {
                return true;
            }
            level = next;
        }
        false
    }

    /// The `most` cheapest texts of a language, the cheapest first; fewer if it has no more.
    pub(crate) fn cheapest_words(
        &self,
        id: NodeId,
        most: usize,
        spelling: Spelling,
    ) -> Vec<String> {
        self.words_by(id, most, spelling, |node| self.cost(node, spelling))
    }

    /// The `most` cheapest texts of a language, as [`Regexes::cheapest_words`] gives them. The
    /// exact cost of what is left after each character is not computed; that is faster for
    /// languages in which each such cost takes a search of its own.
    pub(crate) fn cheap_words(&self, id: NodeId, most: usize, spelling: Spelling) -> Vec<String> {
        self.words_by(id, most, spelling, |node| {
            self.lower_bound(node, spelling).0
        })
    }

    fn words_by(
        &self,
        id: NodeId,
        most: usize,
        spelling: Spelling,
        bound: impl Fn(NodeId) -> u32,
    ) -> Vec<String> {
        let mut out = Vec::new();
        if !self.is_live(id) {
            return out;
        }
        let mut open = BinaryHeap::new();
        // Among equal costs, longer texts come first, and whole ones, which carry `NEVER`.
        open.push(Reverse((0, Reverse(0), String::new(), id)));
        while let Some(Reverse((_, Reverse(spent), text, node))) = open.pop() {
            if node == NodeId::NEVER {
                out.push(text);
                if out.len() == most {
                    break;
                }
                continue;
            }
            if self.nullable(node) {
                open.push(Reverse((
                    spent,
                    Reverse(spent),
                    text.clone(),
                    NodeId::NEVER,
                )));
            }
            for piece in self.pieces(node) {
                let rest = bound(piece.to);
                if rest == NO_WAY {
                    continue;
                }
                work::spend(1);
                for (c, bytes) in cheapest_of(piece.lo, piece.hi, most - out.len(), spelling) {
                    let spent = spent + bytes;
                    let bound = spent.saturating_add(rest);
                    open.push(Reverse((
                        bound,
                        Reverse(spent),
                        format!("{text}{c}"),
                        piece.to,
                    )));
                }
            }
        }
        out
    }
}
