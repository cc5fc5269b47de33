//! The cost of a language: the fewest bytes that spell a text of it, and so whether there is one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::regex::char_blocks::CharBlocks;
use crate::regex::facts::Free;
use crate::regex::node::{Node, NodeId, Spelling, symbol_of};
use crate::regex::regexes::Regexes;
use crate::work;

/// The cost of what cannot be.
pub(crate) const NO_WAY: u32 = u32::MAX;

/// Characters from cheap to dear, as (first, last, bytes); within a kind the pleasant ones first.
const JSON_COSTS: &[(u32, u32, u32)] = &[
    (0x61, 0x7A, 1),
    (0x30, 0x39, 1),
    (0x20, 0x21, 1),
    (0x23, 0x5B, 1),
    (0x5D, 0x7F, 1),
    (0x22, 0x22, 2),
    (0x5C, 0x5C, 2),
    (0x08, 0x0A, 2),
    (0x0C, 0x0D, 2),
    (0x80, 0x7FF, 2),
    (0x800, 0xD7FF, 3),
    (0xE000, 0xFFFF, 3),
    (0x1_0000, 0x10_FFFF, 4),
    (0x00, 0x1F, 6),
];
const RAW_COSTS: &[(u32, u32, u32)] = &[
    (0x61, 0x7A, 1),
    (0x20, 0x7F, 1),
    (0x00, 0x1F, 1),
    (0x80, 0x7FF, 2),
    (0x800, 0xD7FF, 3),
    (0xE000, 0xFFFF, 3),
    (0x1_0000, 0x10_FFFF, 4),
];

const CHAR_COSTS: &[(u32, u32, u32)] = &[(0x61, 0x7A, 1), (0, 0x10_FFFF, 1)];

/// The cheapest character of `lo..=hi` and its bytes.
pub(crate) fn cheapest(lo: u32, hi: u32, spelling: Spelling) -> (u32, u32) {
    costs(spelling)
        .iter()
        .find(|&&(first, last, _)| lo <= last && hi >= first)
        .map(|&(first, _, bytes)| (lo.max(first), bytes))
        .expect("every scalar value has a cost, and pieces hold no others")
}

/// The `most` cheapest characters of `lo..=hi` and their bytes.
fn cheapest_of(
    lo: u32,
    hi: u32,
    most: usize,
    spelling: Spelling,
) -> impl Iterator<Item = (char, u32)> {
    let kinds = costs(spelling)
        .iter()
        .flat_map(move |&(first, last, bytes)| {
            let chars = (lo.max(first)..=hi.min(last)).filter_map(char::from_u32);
            chars.map(move |c| (c, bytes))
        });
    let mut seen = Vec::new();
    // The kinds overlap.
    let new = kinds.filter(move |&(c, _)| {
        !seen.contains(&c) && {
            seen.push(c);
            true
        }
    });
    new.take(most)
}

fn costs(spelling: Spelling) -> &'static [(u32, u32, u32)] {
    match spelling {
        Spelling::Json => JSON_COSTS,
        Spelling::Raw => RAW_COSTS,
        Spelling::Chars => CHAR_COSTS,
    }
}

/// The bytes that spell `text`.
fn text_cost(text: &str, spelling: Spelling) -> u32 {
    text.chars()
        .map(|c| cheapest(c as u32, c as u32, spelling).1)
        .sum()
}

impl Regexes {
    /// Whether some text is in the language.
    pub(crate) fn is_live(&self, id: NodeId) -> bool {
        match self.node(id) {
            // There are none that cannot be finished.
            Node::Numbers(_) | Node::Points(_) | Node::Reading(_) | Node::NumberList(_) => true,
            Node::PlainNumbers(..) | Node::PlainReading(_) => true,
            Node::Or(parts) => {
                // First what is known at once.
                let is_live = |&part: &NodeId| self.is_live(part);
                parts.iter().any(|&part| self.lengths(part).is_some()) || parts.iter().any(is_live)
            }
            _ => *self.live_memo(id).get_or_init(|| {
                if self.lengths(id).is_some() {
                    return true;
                }
                if self.is_computed(id)
                    && let Some(rest) = self.past_computed(id)
                    && self.is_live(rest)
                {
                    return true;
                }
                if let Node::And(parts) = self.node(id)
                    && self.has_common(parts)
                {
                    return true;
                }
                match self.direct_cost(id, Spelling::Json) {
                    Some(cost) => cost != NO_WAY,
                    // To know which text is cheapest can be much harder.
                    None => {
                        self.free(id) != Free::default() || self.cost(id, Spelling::Json) != NO_WAY
                    }
                }
            }),
        }
    }

    /// The fewest bytes that spell a text of the language; [`NO_WAY`] if it is empty.
    pub(crate) fn cost(&self, id: NodeId, spelling: Spelling) -> u32 {
        let memo = self.cost_memo(id, spelling);
        if let Some(&known) = memo.get() {
            return known;
        }
        if let Some(cost) = self.direct_cost(id, spelling) {
            return *memo.get_or_init(|| cost);
        }
        work::spend(1);
        let cost = match *self.node(id) {
            Node::Concat(..) => {
                let (mut sum, mut last) = (0, id);
                while let Node::Concat(a, b) = *self.node(last)
                    && sum != NO_WAY
                {
                    sum = add(sum, self.cost(a, spelling));
                    last = b;
                }
                match sum {
                    NO_WAY => NO_WAY,
                    _ => add(sum, self.cost(last, spelling)),
                }
            }
            Node::Repeat { body, min, .. } => times(self.cost(body, spelling), min),
            _ => return self.search(id, spelling),
        };
        *memo.get_or_init(|| cost)
    }

    /// The exact cost, if it follows from the costs of the parts.
    pub(super) fn direct_cost(&self, id: NodeId, spelling: Spelling) -> Option<u32> {
        let (bound, exact) = self.lower_bound(id, spelling);
        exact.then_some(bound)
    }

    /// A lower bound of the characters of a text of the language.
    pub(super) fn fewest_characters(&self, id: NodeId) -> u32 {
        self.lower_bound(id, Spelling::Chars).0
    }

    /// A lower bound of the cost, and whether it is the cost.
    fn lower_bound(&self, id: NodeId, spelling: Spelling) -> (u32, bool) {
        if let Some(&known) = self.cost_memo(id, spelling).get() {
            return (known, true);
        }
        if let Some(&known) = self.bound_memo(id, spelling).get() {
            return (known, false);
        }
        // From the end of a chain to its start: each link is asked about when texts reach it.
        let mut links = Vec::new();
        let mut last = id;
        while let Node::Concat(a, b) = *self.node(last)
            && self.cost_memo(last, spelling).get().is_none()
        {
            work::spend(1);
            links.push((last, a));
            last = b;
        }
        if links.is_empty() {
            let (cost, exact) = self.bound_part(id, spelling);
            if exact {
                self.cost_memo(id, spelling).get_or_init(|| cost);
            } else if let Node::And(_) = self.node(id) {
                // What is made of others gets exact when they do.
                self.bound_memo(id, spelling).get_or_init(|| cost);
            }
            return (cost, exact);
        }
        let (mut sum, mut all_exact) = self.lower_bound(last, spelling);
        for (link, part) in links.into_iter().rev() {
            let (cost, exact) = self.lower_bound(part, spelling);
            sum = add(sum, cost);
            all_exact &= exact;
            if all_exact {
                self.cost_memo(link, spelling).get_or_init(|| sum);
            }
        }
        (sum, all_exact)
    }

    fn bound_part(&self, id: NodeId, spelling: Spelling) -> (u32, bool) {
        work::spend(1);
        match *self.node(id) {
            Node::Never => (NO_WAY, true),
            Node::Empty => (0, true),
            Node::Class(ref set) => {
                let ranges = set.ranges().iter();
                (
                    ranges
                        .map(|&(lo, hi)| cheapest(lo, hi, spelling).1)
                        .min()
                        .unwrap_or(NO_WAY),
                    true,
                )
            }
            Node::Words { .. } => {
                let rests = self.word_rests(id);
                let costs = rests.iter().map(|w| text_cost(w, spelling));
                (costs.min().unwrap_or(NO_WAY), true)
            }
            Node::Numbers(_) | Node::Points(_) => (1, false),
            Node::PlainNumbers(set, are_whole) => (self.shortest_plain(set, are_whole), true),
            Node::PlainReading(ref plain) => (plain.shortest(self.numeric().digits()), true),
            Node::Reading(ref reading) => reading.shortest(self.numeric().digits()),
            Node::Symbol(symbol) => (self.symbol_cost(symbol), true),
            Node::NumberList(ref number_list) => {
                let bound = number_list.shortest(self.numeric().digits());
                (bound, bound == 0)
            }
            Node::Computed(ref computed) => (
                (computed.rule.distance)(&computed.state).unwrap_or(NO_WAY),
                true,
            ),
            Node::Concat(..) => unreachable!("the links of a chain are bounded one by one"),
            Node::Or(ref parts) => {
                work::spend(parts.len());
                let (mut exact, mut least) = (NO_WAY, NO_WAY);
                for &part in parts {
                    match self.lower_bound(part, spelling) {
                        (cost, true) => exact = exact.min(cost),
                        (bound, false) => least = least.min(bound),
                    }
                }
                (exact.min(least), exact <= least)
            }
            Node::And(ref parts) => {
                work::spend(2 * parts.len());
                let mut bound = 0;
                let mut deciding = None;
                for &part in parts {
                    let (cost, exact) = self.lower_bound(part, spelling);
                    if cost > bound || cost == bound && deciding.is_none() {
                        deciding = exact.then_some(part);
                    }
                    bound = bound.max(cost);
                }
                if bound == NO_WAY || self.nullable(id) {
                    return (bound, true);
                }
                if let Some(cost) = self.cost_within_length(parts, spelling) {
                    return (cost, true);
                }
                if let Some(part) = deciding
                    && self.is_common(part, bound, parts, spelling)
                {
                    return (bound, true);
                }
                (bound.max(self.needs_apart(parts)), false)
            }
            Node::Not(_) => (u32::from(!self.nullable(id)), self.nullable(id)),
            Node::Repeat { body, min, .. } => {
                let (cost, exact) = self.lower_bound(body, spelling);
                if min == 0 {
                    (0, true)
                } else {
                    (times(cost, min), exact)
                }
            }
        }
    }

    /// Whether a cheapest text of one part, which costs so much, is one of all.
    fn is_common(&self, part: NodeId, cost: u32, parts: &[NodeId], spelling: Spelling) -> bool {
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
    fn has_common(&self, parts: &[NodeId]) -> bool {
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
    fn needs_apart(&self, parts: &[NodeId]) -> u32 {
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
    fn are_apart(&self, parts: &[NodeId]) -> bool {
        /// How many nodes are looked at: as many as a large format has.
        const MANY: usize = 4_000;
        let alphabets = parts.iter().map(|&part| self.alphabet_in(part, MANY));
        let common = alphabets.fold(CharBlocks::ALL, CharBlocks::and);
        let mut needs = parts.iter().filter_map(|&part| self.needed(part));
        needs.any(|needed| needed.misses(common))
    }

    /// The exact cost of a conjunction with a length, where lengths decide it.
    fn cost_within_length(&self, parts: &[NodeId], spelling: Spelling) -> Option<u32> {
        let (length, (min, max)) = parts
            .iter()
            .find_map(|&part| Some((part, self.as_length(part)?)))?;
        let others = || parts.iter().copied().filter(|&p| p != length);
        let fewest = others().map(|p| self.lower_bound(p, Spelling::Chars).0);
        let fewest = fewest.max().unwrap_or(0);
        if fewest > max {
            return Some(NO_WAY);
        }
        let [_, _] = parts else { return None };
        let other = others().next()?;
        let (cost, exact) = self.lower_bound(other, spelling);
        // A character takes a byte or more: the cheapest text has no more characters than bytes.
        if exact && cost <= max && fewest >= min {
            return Some(cost);
        }
        let least = cost.max(min);
        let lengths = self.lengths(other).filter(|lengths| lengths.are_bytes)?;
        (lengths.least..=lengths.most.min(max))
            .contains(&least)
            .then_some(least)
    }

    /// A search for the cheapest text, the most promising state first.
    fn search(&self, start: NodeId, spelling: Spelling) -> u32 {
        /// After so many states, it is worth asking whether there can be a text at all.
        const HARD: usize = 64;
        let mut looked = 0;
        let mut best: FxHashMap<NodeId, (u32, Option<NodeId>)> = FxHashMap::default();
        let mut open = BinaryHeap::new();
        best.insert(start, (0, None));
        open.push(Reverse((
            self.lower_bound(start, spelling).0,
            Reverse(0),
            start,
        )));
        while let Some(Reverse((_, Reverse(spent), node))) = open.pop() {
            if best[&node].0 < spent {
                continue;
            }
            looked += 1;
            if looked == HARD
                && let Node::And(parts) = self.node(start)
                && self.are_apart(parts)
            {
                return NO_WAY;
            }
            let known = self.cost_memo(node, spelling).get().copied();
            if known == Some(NO_WAY) {
                continue;
            }
            if self.nullable(node) || known.is_some() {
                let total = spent + known.unwrap_or(0);
                self.settle_path(node, total, &best, spelling);
                return total;
            }
            for piece in self.pieces(node) {
                work::spend(2);
                let bytes = match symbol_of(piece.lo) {
                    Some(symbol) => self.symbol_cost(symbol),
                    None => cheapest(piece.lo, piece.hi, spelling).1,
                };
                let spent = add(spent, bytes);
                let (rest, _) = self.lower_bound(piece.to, spelling);
                if rest == NO_WAY
                    || best
                        .get(&piece.to)
                        .is_some_and(|&(known, _)| known <= spent)
                {
                    continue;
                }
                best.insert(piece.to, (spent, Some(node)));
                open.push(Reverse((
                    spent.saturating_add(rest),
                    Reverse(spent),
                    piece.to,
                )));
            }
        }
        // No state that was reached leads anywhere.
        for &node in best.keys() {
            self.cost_memo(node, spelling).get_or_init(|| NO_WAY);
        }
        NO_WAY
    }

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

    /// Keeps the costs of the states on the way to a cheapest text: they follow from that of the
    /// first.
    fn settle_path(
        &self,
        end: NodeId,
        total: u32,
        best: &FxHashMap<NodeId, (u32, Option<NodeId>)>,
        spelling: Spelling,
    ) {
        let mut at = Some(end);
        while let Some(node) = at {
            let (spent, before) = best[&node];
            self.cost_memo(node, spelling).get_or_init(|| total - spent);
            at = before;
        }
    }
}

fn add(a: u32, b: u32) -> u32 {
    if a == NO_WAY || b == NO_WAY {
        NO_WAY
    } else {
        a.saturating_add(b).min(NO_WAY - 1)
    }
}

fn times(cost: u32, n: u32) -> u32 {
    if cost == NO_WAY {
        NO_WAY
    } else {
        cost.saturating_mul(n).min(NO_WAY - 1)
    }
}
