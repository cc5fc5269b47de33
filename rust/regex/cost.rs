//! The cost of a language: the fewest bytes that spell a text of it, and so whether there is one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::regex::char_cost::{NO_WAY, add, cheapest, text_cost, times};
use crate::regex::facts::Free;
use crate::regex::node::{Node, NodeId, Spelling, symbol_of};
use crate::regex::regexes::Regexes;
use crate::work;

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
    pub(super) fn lower_bound(&self, id: NodeId, spelling: Spelling) -> (u32, bool) {
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

    /// [`Regexes::lower_bound`] of what is no chain, by how it is written.
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
            Node::Spans { .. } if self.nullable(id) => (0, true),
            Node::Spans { .. } => (self.cheapest_span(id, spelling).1, true),
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
            Node::Or(ref parts) => self.bound_any(parts, spelling),
            Node::And(ref parts) => self.bound_all(id, parts, spelling),
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

    /// [`Regexes::lower_bound`] of a language whose texts are those of any of some.
    fn bound_any(&self, parts: &[NodeId], spelling: Spelling) -> (u32, bool) {
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

    /// [`Regexes::lower_bound`] of `id`, whose texts are in all of some languages.
    fn bound_all(&self, id: NodeId, parts: &[NodeId], spelling: Spelling) -> (u32, bool) {
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
