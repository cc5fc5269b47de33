//! Characters that never lead astray: whatever text of them is read, it can be finished.
//!
//! That `[^\n]*a[^\n]{30}` can be finished after any text without line ends shows in how it is written: it
//! begins with a repetition of those characters, and what comes after it has some text. Likewise
//! `(?=.*a)(?=.*b).*`: wherever its parts are, all are content after `ab`. The states of such languages
//! are more than can be made, but they need not be made to know that.
//!
//! Everything here is for one set of characters S, and says something of all its texts, S\*.

use std::cell::Cell;

use crate::regex::char_blocks::CharBlocks;
use crate::regex::char_cost::NO_WAY;
use crate::regex::facts::Free;
use crate::regex::node::{Node, NodeId, Spelling, UNBOUNDED};
use crate::regex::regexes::Regexes;
use crate::work;

/// How many nodes are looked at for one language.
const LOOKS: usize = 400;

impl Regexes {
    /// Characters any text of which can be finished, as far as that shows in how a language is
    /// written.
    pub(crate) fn free(&self, id: NodeId) -> Free {
        let memo = self.free_memo(id);
        let free = memo.get_or_init(|| {
            let free = match self.is_computed(id) {
                true => self.free_of_computed(id),
                false => self.find_free(id).or_else(|| self.free_within_limit(id)),
            };
            free.map(Box::new)
        });
        free.as_deref().copied().unwrap_or_default()
    }

    fn find_free(&self, id: NodeId) -> Option<Free> {
        let looks = Cell::new(LOOKS);
        let characters = FreeSearch::new(self, CharBlocks::default(), &looks).candidates(id);
        if characters == CharBlocks::default() {
            return None;
        }
        looks.set(LOOKS);
        let rest = FreeSearch::new(self, characters, &looks).before(id, CharBlocks::ALL)?;
        Some(Free {
            characters,
            most: UNBOUNDED,
            rest,
        })
    }

    /// The free characters of texts so short that they do not reach the limit of the repetition
    /// with which the language begins.
    fn free_within_limit(&self, id: NodeId) -> Option<Free> {
        let (first, after) = match *self.node(id) {
            Node::Concat(first, after) => (first, after),
            _ => (id, NodeId::EMPTY),
        };
        if let Node::Repeat { body, max, .. } = *self.node(first)
            && max != UNBOUNDED
            && matches!(self.node(body), Node::Class(_))
            && self.is_live(after)
        {
            return Some(Free {
                characters: self.class_blocks(body).0,
                most: max,
                rest: NO_WAY,
            })
            .filter(|free| free.characters != CharBlocks::default());
        }
        None
    }

    /// The free characters of a computed language, and of what it stands in.
    fn free_of_computed(&self, id: NodeId) -> Option<Free> {
        work::spend(1);
        match *self.node(id) {
            Node::Computed(ref computed) => {
                let (characters, most) = (computed.rule.free)(&computed.state);
                // Its ending, a delimiter and digits, is short.
                const REST: u32 = 8;
                let free = Free {
                    characters,
                    most,
                    rest: REST,
                };
                Some(free).filter(|free| free.most > 0 && free.characters != CharBlocks::default())
            }
            Node::Concat(computed, after) => {
                let free = self.free_of_computed(computed)?;
                let after = self.cost(after, Spelling::Json);
                let rest = free.rest.saturating_add(after);
                (after != NO_WAY).then_some(Free { rest, ..free })
            }
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.free_of_computed(part)),
            Node::And(ref parts) => {
                let [one, other] = **parts else { return None };
                let (part, most) = match (self.as_length(one), self.as_length(other)) {
                    (Some((0, most)), _) => (other, most),
                    (_, Some((0, most))) => (one, most),
                    _ => return None,
                };
                let free = self.free_of_computed(part)?;
                let most = free.most.min(most.checked_sub(free.rest)?);
                (most > 0).then_some(Free { most, ..free })
            }
            _ => None,
        }
    }

    /// A set of characters that holds all those of a language's texts.
    pub(crate) fn alphabet(&self, id: NodeId) -> CharBlocks {
        self.alphabet_in(id, LOOKS)
    }

    /// A set of characters that holds all those of a language's texts, looking at no more than
    /// `looks` nodes.
    pub(super) fn alphabet_in(&self, id: NodeId, looks: usize) -> CharBlocks {
        let looks = Cell::new(looks);
        FreeSearch::new(self, CharBlocks::default(), &looks).alphabet(id)
    }

    /// At least the bytes of the longest text inside a JSON string.
    pub(super) fn longest_text(&self, id: NodeId) -> Option<u32> {
        let looks = Cell::new(LOOKS);
        let longest = FreeSearch::new(self, CharBlocks::default(), &looks).longest(id)?;
        let printable = CharBlocks::around(0x20, 0x7F);
        let escaped = CharBlocks::of(0x22).or(CharBlocks::of(0x5C));
        let alphabet = self.alphabet(id);
        let most = match alphabet {
            _ if alphabet.is_in(printable.without(escaped)) => 1,
            _ if alphabet.is_in(printable) => 2,
            _ => 6,
        };
        Some(longest.saturating_mul(most))
    }

    /// Characters of which each text of a language holds one, if that shows in how it is written.
    pub(super) fn needed(&self, id: NodeId) -> Option<CharBlocks> {
        const FEW: usize = 64;
        let looks = Cell::new(FEW);
        FreeSearch::new(self, CharBlocks::default(), &looks).needed(id)
    }
}

/// Looks at languages with one set of characters, S, in mind. Bytes are those of JSON strings.
struct FreeSearch<'a> {
    nodes: &'a Regexes,
    of: CharBlocks,
    left: &'a Cell<usize>,
}

impl<'a> FreeSearch<'a> {
    fn new(nodes: &'a Regexes, of: CharBlocks, left: &'a Cell<usize>) -> Self {
        FreeSearch { nodes, of, left }
    }

    fn node(&self, id: NodeId) -> Option<&'a Node> {
        work::spend(1);
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        Some(self.nodes.node(id))
    }

    /// The bytes of a text t of characters `with` such that S\*t is in the language.
    fn before(&self, id: NodeId, with: CharBlocks) -> Option<u32> {
        match *self.node(id)? {
            Node::Repeat { body, min, max } => {
                if max == UNBOUNDED && self.is_all(body) {
                    return Some(min.saturating_mul(bytes_of(self.of)));
                }
                let first = self.before(body, with)?;
                self.more(first, min.saturating_sub(1), body, with)
            }
            Node::Concat(a, b) => {
                if let Some(first) = self.before(a, with) {
                    return add(first, self.some(b, with)?);
                }
                self.nodes.nullable(a).then(|| self.before(b, with))?
            }
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.before(part, with)),
            Node::And(ref parts) => self.all_but_one(parts, |part| self.before(part, self.of)),
            Node::Not(_) => self.around(id),
            _ => None,
        }
    }

    /// The bytes of a text t of characters `with` such that tS\* is in the language.
    fn after(&self, id: NodeId, with: CharBlocks) -> Option<u32> {
        match *self.node(id)? {
            Node::Repeat { body, min, max } => {
                if max == UNBOUNDED && self.is_all(body) {
                    return Some(min.saturating_mul(bytes_of(self.of)));
                }
                let last = self.after(body, with)?;
                self.more(last, min.saturating_sub(1), body, with)
            }
            Node::Concat(a, b) => {
                if let Some(last) = self.after(b, with) {
                    return add(last, self.some(a, with)?);
                }
                self.nodes.nullable(b).then(|| self.after(a, with))?
            }
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.after(part, with)),
            Node::And(ref parts) => self.all_but_one(parts, |part| self.after(part, self.of)),
            Node::Not(_) => self.around(id),
            _ => None,
        }
    }

    /// The bytes of a text t of characters of S such that S\*tS\* is in the language.
    fn around(&self, id: NodeId) -> Option<u32> {
        match *self.node(id)? {
            Node::Repeat { body, min, max } => {
                if max == UNBOUNDED && self.is_all(body) {
                    return Some(min.saturating_mul(bytes_of(self.of)));
                }
                if min <= 1
                    && let Some(bytes) = self.around(body)
                {
                    return Some(bytes);
                }
                if max < 2 {
                    return None;
                }
                let both = add(self.before(body, self.of)?, self.after(body, self.of)?)?;
                self.more(both, min.saturating_sub(2), body, self.of)
            }
            Node::Concat(a, b) => {
                if let Some(first) = self.before(a, self.of)
                    && let Some(last) = self.after(b, self.of)
                {
                    return add(first, last);
                }
                if self.nodes.nullable(b)
                    && let Some(bytes) = self.around(a)
                {
                    return Some(bytes);
                }
                self.nodes.nullable(a).then(|| self.around(b))?
            }
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.around(part)),
            Node::And(ref parts) => parts
                .iter()
                .try_fold(0, |sum, &part| add(sum, self.around(part)?)),
            Node::Not(inner) if self.misses(inner) => Some(0),
            // What is longer than all of them is none of them.
            Node::Not(inner) => {
                let longest = self.longest(inner)?;
                Some(longest.saturating_add(1).saturating_mul(bytes_of(self.of)))
            }
            _ => None,
        }
    }

    /// The bytes of such a text for a conjunction: the texts of its parts one after the other. Each
    /// part holds its own text whatever of S stands around it, except for one part, whose text must
    /// stand at the end or at the start and which `outermost` gives.
    fn all_but_one(
        &self,
        parts: &[NodeId],
        outermost: impl Fn(NodeId) -> Option<u32>,
    ) -> Option<u32> {
        let mut has_outermost = false;
        parts.iter().try_fold(0, |sum, &part| {
            if let Some(bytes) = self.around(part) {
                return add(sum, bytes);
            }
            if std::mem::replace(&mut has_outermost, true) {
                return None;
            }
            add(sum, outermost(part)?)
        })
    }

    /// The bytes of some text of characters `with` that is in the language.
    fn some(&self, id: NodeId, with: CharBlocks) -> Option<u32> {
        if with == CharBlocks::ALL
            && let Some(&known) = self.nodes.cost_memo(id, Spelling::Json).get()
        {
            return (known != NO_WAY).then_some(known);
        }
        match *self.node(id)? {
            Node::Empty => Some(0),
            Node::Class(_) => {
                let fitting = self.nodes.class_blocks(id).1.and(with);
                (fitting != CharBlocks::default()).then(|| bytes_of(fitting))
            }
            Node::Words { .. } => {
                let word = self.nodes.first_word(id)?;
                let class_blocks = word.chars().map(|c| CharBlocks::of(c.into()));
                class_blocks.take(LOOKS).try_fold(0, |sum, c| {
                    work::spend(1);
                    c.is_in(with).then(|| add(sum, bytes_of(c)))?
                })
            }
            Node::Spans { .. } if with == CharBlocks::ALL => {
                self.nodes.direct_cost(id, Spelling::Json)
            }
            Node::Concat(a, b) => add(self.some(a, with)?, self.some(b, with)?),
            Node::Or(ref parts) => parts.iter().find_map(|&part| self.some(part, with)),
            Node::Repeat { min: 0, .. } => Some(0),
            Node::Repeat { body, min, .. } => self.more(0, min, body, with),
            Node::And(_) | Node::Not(_) if self.nodes.nullable(id) => Some(0),
            Node::And(_) | Node::Computed(_) | Node::Symbol(_) if with == CharBlocks::ALL => {
                let known = self.nodes.direct_cost(id, Spelling::Json);
                let known = known.filter(|&cost| cost != NO_WAY);
                known.or_else(|| self.before(id, with).or_else(|| self.after(id, with)))
            }
            Node::And(_) => self.before(id, with).or_else(|| self.after(id, with)),
            Node::Not(_) => self.around(id),
            _ => None,
        }
    }

    /// `bytes` and those of a text of `body` that comes `times` times.
    fn more(&self, bytes: u32, times: u32, body: NodeId, with: CharBlocks) -> Option<u32> {
        match times {
            0 => Some(bytes),
            _ => add(bytes, self.some(body, with)?.saturating_mul(times)),
        }
    }

    /// Whether all characters of S are in the language.
    fn is_all(&self, id: NodeId) -> bool {
        match self.nodes.node(id) {
            _ if id == NodeId::CHAR => true,
            Node::Class(_) => self.of.is_in(self.nodes.class_blocks(id).0),
            Node::Or(parts) => self
                .nodes
                .class_among(parts)
                .is_some_and(|class| self.of.is_in(self.nodes.class_blocks(class).0)),
            _ => false,
        }
    }

    /// Whether no text of S is in the language.
    fn misses(&self, id: NodeId) -> bool {
        match self.node(id) {
            None => false,
            Some(Node::Never) => true,
            Some(Node::Class(_)) => self.nodes.class_blocks(id).1.misses(self.of),
            Some(&Node::Concat(a, b)) => self.misses(a) || self.misses(b),
            Some(Node::Or(parts)) => parts.iter().all(|&part| self.misses(part)),
            Some(Node::And(parts)) => parts.iter().any(|&part| self.misses(part)),
            Some(&Node::Repeat { body, min, .. }) => min > 0 && self.misses(body),
            Some(_) => false,
        }
    }

    /// The characters of the longest text, or more.
    fn longest(&self, id: NodeId) -> Option<u32> {
        match *self.node(id)? {
            Node::Never | Node::Empty => Some(0),
            Node::Class(_) => Some(1),
            Node::Words { .. } => Some(self.nodes.longest_word(id)),
            Node::Spans { texts, .. } => Some(self.nodes.spans_held(texts).longest),
            Node::Concat(a, b) => add(self.longest(a)?, self.longest(b)?),
            Node::Or(ref parts) => parts
                .iter()
                .try_fold(0, |most, &part| Some(self.longest(part)?.max(most))),
            Node::And(ref parts) => parts.iter().find_map(|&part| self.longest(part)),
            Node::Repeat { max, .. } if max == UNBOUNDED => None,
            Node::Repeat { body, max, .. } => Some(self.longest(body)?.saturating_mul(max)),
            _ => None,
        }
    }

    /// A set of characters that may be free in the language.
    fn candidates(&self, id: NodeId) -> CharBlocks {
        let Some(node) = self.node(id) else {
            return CharBlocks::default();
        };
        match *node {
            Node::Repeat { body, max, .. } => {
                let class = match self.nodes.node(body) {
                    Node::Class(_) => Some(body),
                    Node::Or(parts) => self.nodes.class_among(parts),
                    _ => None,
                };
                match class {
                    Some(class) if max == UNBOUNDED => self.nodes.class_blocks(class).0,
                    _ => self.candidates(body),
                }
            }
            Node::Concat(a, b) => {
                let first = self.candidates(a);
                match self.nodes.nullable(a) {
                    true => larger(first, self.candidates(b)),
                    false => first,
                }
            }
            Node::Or(ref parts) => parts.iter().fold(CharBlocks::default(), |best, &part| {
                larger(best, self.candidates(part))
            }),
            Node::And(ref parts) => parts.iter().fold(CharBlocks::ALL, |all, &part| {
                match all == CharBlocks::default() {
                    true => all,
                    false => all.and(self.candidates(part)),
                }
            }),
            Node::Not(inner) if self.longest(inner).is_some() => CharBlocks::ALL,
            Node::Not(inner) => match self.needed(inner) {
                Some(needed) => CharBlocks::ALL.without(needed),
                None => CharBlocks::default(),
            },
            _ => CharBlocks::default(),
        }
    }

    /// Characters of which each text holds one; the fewest that are found.
    fn needed(&self, id: NodeId) -> Option<CharBlocks> {
        match *self.node(id)? {
            Node::Class(_) => Some(self.nodes.class_blocks(id).1),
            Node::Concat(a, b) => smaller(self.needed(a), self.needed(b)),
            Node::Or(ref parts) => parts.iter().try_fold(CharBlocks::default(), |all, &part| {
                Some(all.or(self.needed(part)?))
            }),
            Node::And(ref parts) => parts
                .iter()
                .fold(None, |best, &part| smaller(best, self.needed(part))),
            Node::Repeat { body, min, .. } if min > 0 => self.needed(body),
            _ => None,
        }
    }

    fn alphabet(&self, id: NodeId) -> CharBlocks {
        match self.node(id) {
            Some(Node::Never | Node::Empty) => CharBlocks::default(),
            Some(Node::Computed(computed)) => computed.rule.alphabet_blocks(),
            Some(Node::Class(_)) => self.nodes.class_blocks(id).1,
            Some(&Node::Concat(a, b)) => self.alphabet(a).or(self.alphabet(b)),
            Some(Node::Or(parts)) => parts.iter().fold(CharBlocks::default(), |all, &part| {
                all.or(self.alphabet(part))
            }),
            Some(Node::And(parts)) => parts
                .iter()
                .fold(CharBlocks::ALL, |all, &part| all.and(self.alphabet(part))),
            Some(&Node::Repeat { body, .. }) => self.alphabet(body),
            _ => CharBlocks::ALL,
        }
    }
}

fn add(a: u32, b: u32) -> Option<u32> {
    Some(a.saturating_add(b))
}

/// The bytes of some character of a set, or more.
fn bytes_of(set: CharBlocks) -> u32 {
    let plain =
        CharBlocks::around(0x20, 0x7E).without(CharBlocks::of(0x22).or(CharBlocks::of(0x5C)));
    if set.misses(plain) { 6 } else { 1 }
}

fn larger(a: CharBlocks, b: CharBlocks) -> CharBlocks {
    if b.size() > a.size() { b } else { a }
}

fn smaller(a: Option<CharBlocks>, b: Option<CharBlocks>) -> Option<CharBlocks> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.size() < a.size() { b } else { a }),
        (a, b) => a.or(b),
    }
}
