//! The lengths that the texts of a language have, and that what is left of them has, as far as they
//! show in how the language is written.
//!
//! A `minLength` far from a cheapest text is nothing to search for: where a language has texts of all
//! lengths from 6 on, one of them has 60 characters.

use crate::regex::char_cost::cheapest;
use crate::regex::facts::Lengths;
use crate::regex::node::{Node, NodeId, Spelling};
use crate::regex::regexes::Regexes;
use crate::work;

impl Regexes {
    /// Some of the lengths that texts of a language have; `None` if that does not show.
    pub(super) fn lengths(&self, id: NodeId) -> Option<Lengths> {
        // From the end of a chain to its start, since texts will reach all its links.
        let mut links = Vec::new();
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last)
            && self.lengths_memo(last).get().is_none()
        {
            work::spend(1);
            links.push((last, a));
            last = b;
        }
        let memo = self.lengths_memo(last);
        let mut found = *memo.get_or_init(|| self.find_lengths(last));
        for (link, part) in links.into_iter().rev() {
            found = match found {
                Some(after) => self.lengths(part).map(|lengths| lengths.then(after)),
                None => None,
            };
            self.lengths_memo(link).get_or_init(|| found);
        }
        found
    }

    fn find_lengths(&self, id: NodeId) -> Option<Lengths> {
        work::spend(1);
        match *self.node(id) {
            Node::Empty => Some(Lengths::NONE),
            Node::Class(ref set) => {
                let ascii = set.ranges().iter().take_while(|&&(lo, _)| lo < 0x80);
                let mut costs = ascii.map(|&(lo, hi)| cheapest(lo, hi, Spelling::Json).1);
                Some(Lengths::only(1, costs.any(|bytes| bytes == 1)))
            }
            Node::Words { .. } => {
                let word = self.first_word(id)?;
                work::spend(word.len() / 8);
                let cost = |c: char| cheapest(c.into(), c.into(), Spelling::Json).1;
                let are_bytes = word.chars().all(|c| cost(c) == 1);
                Some(Lengths::only(word.chars().count() as u32, are_bytes))
            }
            Node::Spans { .. } if self.nullable(id) => Some(Lengths::NONE),
            Node::Spans { .. } => {
                let (rest, cost) = self.cheapest_span(id, Spelling::Json);
                let characters = rest.chars().count() as u32;
                Some(Lengths::only(characters, cost == characters))
            }
            Node::Computed(_) if self.nullable(id) => Some(Lengths::NONE),
            Node::Computed(ref computed) => {
                let ending = (computed.rule.ending)(&computed.state)?;
                Some(Lengths::only(ending.len() as u32, true))
            }
            Node::Or(ref parts) => self.lengths_of_any(parts),
            Node::And(_) | Node::Not(_) if self.nullable(id) => Some(Lengths::NONE),
            Node::And(ref parts) => {
                let [one, other] = **parts else { return None };
                let (part, (min, max)) = match (self.as_length(one), self.as_length(other)) {
                    (Some(length), _) => (other, length),
                    (_, Some(length)) => (one, length),
                    _ => return None,
                };
                self.lengths(part)?.within(min, max)
            }
            Node::Repeat { body, min, max } => match self.lengths(body) {
                Some(lengths) => Some(lengths.repeated(min, max)),
                None => (min == 0).then_some(Lengths::NONE),
            },
            _ => None,
        }
    }

    /// Lengths that texts of some languages have, without a gap: the most of them.
    fn lengths_of_any(&self, parts: &[NodeId]) -> Option<Lengths> {
        work::spend(2 * parts.len());
        let mut all: Vec<Lengths> = parts.iter().filter_map(|&p| self.lengths(p)).collect();
        if all.iter().any(|lengths| lengths.are_bytes) {
            all.retain(|lengths| lengths.are_bytes);
        }
        all.sort_unstable_by_key(|lengths| lengths.least);
        let mut best: Option<Lengths> = None;
        let mut run: Option<Lengths> = None;
        for next in all {
            run = match run {
                Some(run) if next.least <= run.most.saturating_add(1) => Some(Lengths {
                    most: run.most.max(next.most),
                    ..run
                }),
                _ => Some(next),
            };
            let size = |lengths: Lengths| lengths.most - lengths.least;
            if best.is_none_or(|best| run.is_some_and(|run| size(run) > size(best))) {
                best = run;
            }
        }
        best
    }

    /// At least the bytes inside a JSON string of a shortest rest after any text that may begin like
    /// that; `None` if that does not show.
    pub(super) fn longest_rest(&self, id: NodeId) -> Option<u32> {
        // From the end of a chain to its start. What is after a part is in all rests of the part.
        let mut links = Vec::new();
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last) {
            work::spend(1);
            links.push((a, b));
            last = b;
        }
        let memo = self.rest_memo(last);
        let mut found = *memo.get_or_init(|| self.find_longest_rest(last));
        for (part, after) in links.into_iter().rev() {
            let rest = self.longest_rest(part)?;
            let rest = rest.saturating_add(self.cost(after, Spelling::Json));
            found = Some(found?.max(rest));
        }
        found
    }

    fn find_longest_rest(&self, id: NodeId) -> Option<u32> {
        work::spend(1);
        match *self.node(id) {
            Node::Empty => Some(0),
            Node::Class(_) => Some(self.cost(id, Spelling::Json)),
            Node::Words { .. } => {
                let words = self.word_rests(id);
                let bytes = |c: char| cheapest(c.into(), c.into(), Spelling::Json).1;
                words.iter().map(|word| word.chars().map(bytes).sum()).max()
            }
            // No character takes more than six for each of its own.
            Node::Spans { texts, .. } => Some(6 * self.spans_held(texts).longest_gap),
            Node::Or(ref parts) => parts
                .iter()
                .try_fold(0, |most, &part| Some(self.longest_rest(part)?.max(most))),
            Node::And(_) => self.longest_text(id),
            Node::Repeat { body, min, .. } => {
                let rounds = min.saturating_sub(1);
                let more = match rounds {
                    0 => 0,
                    _ => self.cost(body, Spelling::Json).saturating_mul(rounds),
                };
                Some(self.longest_rest(body)?.saturating_add(more))
            }
            _ => None,
        }
    }

    /// If the language is all texts of some lengths: those.
    pub(super) fn as_length(&self, id: NodeId) -> Option<(u32, u32)> {
        match *self.node(id) {
            Node::Repeat {
                body: NodeId::CHAR,
                min,
                max,
            } => Some((min, max)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::regex::node::UNBOUNDED;
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::regex::char_cost::NO_WAY;
    use crate::regex::{lower, parse};

    fn language(regexes: &Regexes, pattern: &str) -> NodeId {
        lower::full(&parse(pattern, &Limits::default()).unwrap(), regexes).unwrap()
    }

    #[test]
    fn lengths_show_in_how_a_pattern_is_written() {
        for (pattern, expected) in [
            ("abc", Some((3, 3))),
            ("a{2,5}b?", Some((2, 6))),
            ("(abc)*", Some((0, 0))),
            ("(a{2,3}){4,9}", Some((8, 27))),
            ("(a{3,4}){0,9}", Some((6, 36))),
            ("(a{5,7}b?){1,9}", Some((10, 72))),
            ("a+|bcdefg", Some((1, UNBOUNDED))),
            ("a{1,3}|b{5,9}", Some((5, 9))),
            ("(a{2,}b){0,3}", Some((3, UNBOUNDED))),
            ("a[]", None),
        ] {
            let regexes = Regexes::new();
            let found = regexes.lengths(language(&regexes, pattern));
            assert_eq!(found.map(|l| (l.least, l.most)), expected, "{pattern}");
        }
    }

    /// Of the texts of one length, by all of their beginnings.
    fn fewest_bytes(regexes: &Regexes, id: NodeId, length: u32) -> Option<u32> {
        let mut level = BTreeMap::from([(id, 0)]);
        for _ in 0..length {
            let mut next = BTreeMap::new();
            for (at, spent) in level {
                for piece in regexes.pieces(at) {
                    let bytes = spent + cheapest(piece.lo, piece.hi, Spelling::Json).1;
                    let known = next.entry(piece.to).or_insert(bytes);
                    *known = bytes.min(*known);
                }
            }
            level = next;
        }
        let ends = level.iter().filter(|&(&at, _)| regexes.nullable(at));
        ends.map(|(_, &bytes)| bytes).min()
    }

    fn pattern() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["a", "[bc]", "é", "[é\"]", "ab", "\\n", ""]);
        leaf.prop_map(String::from)
            .prop_recursive(4, 24, 3, |part| {
                prop_oneof![
                    (part.clone(), part.clone()).prop_map(|(a, b)| format!("{a}{b}")),
                    (part.clone(), part.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
                    (part, 0..4_u32, 0..4_u32)
                        .prop_map(|(a, min, more)| format!("(?:{a}){{{min},{}}}", min + more)),
                ]
            })
    }

    proptest! {
        #[test]
        fn no_rest_is_longer(pattern in pattern(), other in pattern()) {
            let regexes = Regexes::new();
            let parts = [&pattern, &other].map(|pattern| language(&regexes, pattern));
            for id in [parts[0], regexes.and(parts.to_vec())] {
                let Some(longest) = regexes.longest_rest(id) else { continue };
                let mut seen = BTreeSet::from([id]);
                let mut open = vec![id];
                while let Some(at) = open.pop() {
                    let cost = regexes.cost(at, Spelling::Json);
                    prop_assert!(cost == NO_WAY || cost <= longest, "{} {}", pattern, longest);
                    let next = regexes.pieces(at).iter().map(|piece| piece.to);
                    open.extend(next.filter(|&to| seen.insert(to)));
                }
            }
        }

        #[test]
        fn there_is_a_text_of_each_length(pattern in pattern(), least in 0..9_u32, more in 0..9_u32) {
            let regexes = Regexes::new();
            let whole = language(&regexes, &pattern);
            let bounds = regexes.repeat(NodeId::CHAR, least, least + more);
            for id in [whole, regexes.and(vec![whole, bounds])] {
                let Some(lengths) = regexes.lengths(id) else { continue };
                for length in lengths.least..=lengths.most.min(lengths.least + 40) {
                    let cost = fewest_bytes(&regexes, id, length);
                    prop_assert!(cost.is_some(), "{} {}", pattern, length);
                    if lengths.are_bytes {
                        prop_assert_eq!(cost, Some(length));
                    }
                    let exactly = regexes.repeat(NodeId::CHAR, length, length);
                    let both = regexes.and(vec![id, exactly]);
                    prop_assert_eq!(Some(regexes.cost(both, Spelling::Json)), cost);
                }
            }
        }
    }
}
