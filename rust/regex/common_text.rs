//! Texts of several languages at once, and reasons why there are none, as far as they show in how the
//! languages are written: what saves most searches for a cheapest text.

use crate::regex::char_blocks::CharBlocks;
use crate::regex::char_cost::cheapest;
use crate::regex::node::{Node, NodeId, Spelling};
use crate::regex::regexes::Regexes;
use crate::work;

impl Regexes {
    /// Whether a cheapest text of one part, which costs so much, is one of all.
    pub(super) fn is_common(
        &self,
        part: NodeId,
        cost: u32,
        parts: &[NodeId],
        spelling: Spelling,
    ) -> bool {
        let mut text = Vec::new();
        if !self.write_cheapest(part, spelling, &mut text) {
            return false;
        }
        work::spend(text.len() * parts.len());
        let bytes = text.iter().map(|&c| cheapest(c, c, spelling).1);
        bytes.sum::<u32>() == cost
            && parts.iter().all(|&other| {
                let step = |at: NodeId, &c: &u32| match at {
                    NodeId::NEVER => at,
                    _ => self.step(at, c),
                };
                other == part || self.nullable(text.iter().fold(other, step))
            })
    }

    /// Whether a text that is in all of some languages is found at a glance. Single characters are
    /// tried; then, again and again, what one of the languages still needs is read by all, until
    /// none needs more. So `ab` is found for `.*a.*` and `.*b`.
    pub(super) fn has_common(&self, parts: &[NodeId]) -> bool {
        const ROUNDS: usize = 6;
        let takes = |c: char| {
            let ends = |&part: &NodeId| self.nullable(self.step_once(part, u32::from(c)));
            parts.iter().all(ends)
        };
        if ['a', '0'].into_iter().any(takes) {
            return true;
        }
        let mut at = parts.to_vec();
        for _ in 0..ROUNDS {
            work::spend(at.len());
            let Some(&needy) = at.iter().find(|&&part| !self.nullable(part)) else {
                return true;
            };
            let mut text = Vec::new();
            if !self.write_cheapest(needy, Spelling::Json, &mut text) {
                return false;
            }
            for &c in &text {
                for part in &mut at {
                    *part = self.step_once(*part, c);
                    if *part == NodeId::NEVER {
                        return false;
                    }
                }
            }
        }
        false
    }

    /// Appends a cheapest text of a language to `text`, if it is short and shows in how the
    /// language is written.
    fn write_cheapest(&self, id: NodeId, spelling: Spelling, text: &mut Vec<u32>) -> bool {
        /// Texts of more characters than this are not written out.
        const LONGEST: usize = 64;
        work::spend(1);
        if text.len() > LONGEST {
            return false;
        }
        match *self.node(id) {
            Node::Empty => true,
            Node::Class(ref set) => {
                let ranges = set.ranges().iter();
                let all = ranges.map(|&(lo, hi)| cheapest(lo, hi, spelling));
                let best = all.min_by_key(|&(_, bytes)| bytes);
                text.extend(best.map(|(c, _)| c));
                best.is_some()
            }
            Node::Words { .. } => match self.first_word(id) {
                Some(word) => {
                    text.extend(word.chars().take(LONGEST + 1).map(u32::from));
                    true
                }
                None => false,
            },
            Node::Spans { .. } if self.nullable(id) => true,
            Node::Spans { .. } => {
                let (rest, _) = self.cheapest_span(id, spelling);
                text.extend(rest.chars().take(LONGEST + 1).map(u32::from));
                true
            }
            Node::Concat(..) => {
                let mut last = id;
                while let Node::Concat(a, b) = *self.node(last) {
                    if !self.write_cheapest(a, spelling, text) {
                        return false;
                    }
                    last = b;
                }
                self.write_cheapest(last, spelling, text)
            }
            Node::Or(ref parts) => {
                work::spend(parts.len());
                let bound = |part: &&NodeId| self.lower_bound(**part, spelling).0;
                let best = parts.iter().min_by_key(bound);
                best.is_some_and(|&part| self.write_cheapest(part, spelling, text))
            }
            Node::Repeat { body, min, .. } => {
                (0..min).all(|_| self.write_cheapest(body, spelling, text))
            }
            Node::And(_) | Node::Not(_) => self.nullable(id),
            _ => false,
        }
    }

    /// A lower bound of the characters of a text that is in all of some languages: each language
    /// needs a character of some set, and sets that have nothing in common need one character each.
    pub(super) fn needs_apart(&self, parts: &[NodeId]) -> u32 {
        let needs = parts.iter().filter_map(|&part| self.needed(part));
        let mut needs: Vec<CharBlocks> = needs.collect();
        needs.sort_unstable_by_key(|needed| needed.size());
        let mut taken = CharBlocks::default();
        let mut count = 0;
        for needed in needs {
            if needed.misses(taken) {
                taken = taken.or(needed);
                count += 1;
            }
        }
        count
    }

    /// Whether one language needs a character that another never has, as far as that shows in how
    /// they are written. Then no text is in both.
    pub(super) fn are_apart(&self, parts: &[NodeId]) -> bool {
        /// How many nodes are looked at: as many as a large format has.
        const MANY: usize = 4_000;
        let alphabets = parts.iter().map(|&part| self.alphabet_in(part, MANY));
        let common = alphabets.fold(CharBlocks::ALL, CharBlocks::and);
        let mut needs = parts.iter().filter_map(|&part| self.needed(part));
        needs.any(|needed| needed.misses(common))
    }
}
