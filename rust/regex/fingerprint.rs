//! Names of languages that mean the same in all stores of a process.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::regex::node::{Node, NodeId};
use crate::regex::regexes::Regexes;
use crate::work;

/// The per-process keys of fingerprints.
fn process_keys() -> (u64, u64) {
    use std::hash::{BuildHasher, RandomState};
    static KEYS: OnceLock<(u64, u64)> = OnceLock::new();
    *KEYS.get_or_init(|| {
        let state = RandomState::new();
        (state.hash_one(0_u8), state.hash_one(1_u8))
    })
}

/// A hasher whose keys are the same in one process, so that equal languages of different stores
/// meet in the mask cache, and unpredictable, so that nobody can craft a collision.
fn hasher() -> SipHasher13 {
    let (a, b) = process_keys();
    SipHasher13::new_with_keys(a, b)
}

/// What tells nodes of one kind from those of others.
fn tag(node: &Node) -> u8 {
    match node {
        Node::Never => 0,
        Node::Empty => 1,
        Node::Class(_) => 2,
        Node::Words { .. } => 3,
        Node::Numbers(_) => 4,
        Node::Concat(..) => 5,
        Node::Or(_) => 6,
        Node::And(_) => 7,
        Node::Not(_) => 8,
        Node::Repeat { .. } => 9,
        Node::Reading(_) => 10,
        Node::Computed(_) => 11,
        Node::NumberList(_) => 12,
        Node::Points(_) => 13,
        Node::PlainNumbers(..) => 14,
        Node::PlainReading(_) => 15,
        Node::Symbol(_) => 16,
        Node::Spans { .. } => 17,
    }
}

/// The fingerprint of a word list.
pub(super) fn of_words(words: &[Box<str>]) -> u128 {
    let mut hasher = hasher();
    for word in words {
        hasher.write_usize(word.len());
        hasher.write(word.as_bytes());
    }
    hasher.finish128().as_u128()
}

/// The fingerprint of texts with their spans.
pub(super) fn of_spans(bytes: &[u8], starts: &[u32], ends: &[u32]) -> u128 {
    let mut hasher = hasher();
    (bytes, starts, ends).hash(&mut hasher);
    hasher.finish128().as_u128()
}

impl Regexes {
    /// A key that equal expressions share across stores in one process.
    pub(crate) fn fingerprint(&self, id: NodeId) -> u128 {
        if let Some(&known) = self.fingerprint_memo(id).get() {
            return known;
        }
        // From the end of a chain to its start, so that no long recursion is needed.
        let mut chain = vec![id];
        while let Node::Concat(_, b) = *self.node(chain[chain.len() - 1])
            && self.fingerprint_memo(b).get().is_none()
        {
            chain.push(b);
        }
        for link in chain.into_iter().rev() {
            let key = self.compute_fingerprint(link);
            self.fingerprint_memo(link).get_or_init(|| key);
        }
        self.fingerprint(id)
    }

    /// A key of several expressions in their order, which stores of one process share.
    pub(crate) fn fingerprint_of_all(&self, ids: impl Iterator<Item = NodeId>) -> u128 {
        let mut hasher = hasher();
        for id in ids {
            hasher.write_u128(self.fingerprint(id));
        }
        hasher.finish128().as_u128()
    }

    fn compute_fingerprint(&self, id: NodeId) -> u128 {
        work::spend(2);
        let mut hasher = hasher();
        hasher.write_u8(tag(self.node(id)));
        match self.node(id) {
            Node::Never | Node::Empty => {}
            Node::Class(set) => {
                for &(lo, hi) in set.ranges() {
                    hasher.write_u32(lo);
                    hasher.write_u32(hi);
                }
            }
            &Node::Words {
                list,
                lo,
                hi,
                depth,
            } => {
                hasher.write_u128(self.words_fingerprint(list));
                hasher.write_u32(lo);
                hasher.write_u32(hi);
                hasher.write_u32(depth);
            }
            &Node::Spans {
                texts,
                lo,
                hi,
                depth,
            } => {
                hasher.write_u128(self.spans_held(texts).fingerprint);
                hasher.write_u32(lo);
                hasher.write_u32(hi);
                hasher.write_u32(depth);
            }
            node @ (Node::Numbers(_)
            | Node::PlainNumbers(..)
            | Node::PlainReading(_)
            | Node::Points(_)
            | Node::Reading(_)
            | Node::NumberList(_)) => self.hash_numeric(node, &mut hasher),
            Node::Computed(computed) => {
                hasher.write_usize(computed.rule.name.len());
                hasher.write(computed.rule.name.as_bytes());
                hasher.write(computed.state.as_bytes());
            }
            &Node::Symbol(symbol) => {
                hasher.write_u32(symbol);
            }
            &Node::Concat(a, b) => {
                hasher.write_u128(self.fingerprint(a));
                hasher.write_u128(self.fingerprint(b));
            }
            Node::Or(parts) | Node::And(parts) => {
                // Ids differ from store to store, so does the order of the parts.
                let mut keys: Vec<u128> = parts.iter().map(|&p| self.fingerprint(p)).collect();
                keys.sort_unstable();
                for key in keys {
                    hasher.write_u128(key);
                }
            }
            &Node::Not(a) => {
                hasher.write_u128(self.fingerprint(a));
            }
            &Node::Repeat { body, min, max } => {
                hasher.write_u128(self.fingerprint(body));
                hasher.write_u32(min);
                hasher.write_u32(max);
            }
        }
        hasher.finish128().as_u128()
    }

    /// What a language of numbers adds to a fingerprint.
    fn hash_numeric(&self, node: &Node, hasher: &mut SipHasher13) {
        match node {
            &Node::Numbers(set) => {
                self.numeric().set(set).hash(hasher);
            }
            &Node::PlainNumbers(set, are_whole) => {
                hasher.write_u8(are_whole.into());
                self.numeric().set(set).hash(hasher);
            }
            Node::PlainReading(plain) => {
                plain.fingerprint(self.numeric().digits(), hasher);
            }
            Node::Points(values) => {
                // Their order differs from store to store.
                let of = |&id: &u32| {
                    let mut hasher = self::hasher();
                    self.value(id).hash(&mut hasher);
                    hasher.finish128().as_u128()
                };
                let sum = values.iter().map(of).fold(0, u128::wrapping_add);
                hasher.write_u128(sum);
            }
            Node::Reading(reading) => {
                reading.fingerprint(self.numeric().digits(), hasher);
            }
            Node::NumberList(number_list) => {
                number_list.fingerprint(self.numeric().digits(), hasher, |digits, gap| {
                    let mut hasher = self::hasher();
                    hasher.write(digits);
                    hasher.write_i32(gap);
                    hasher.finish128().as_u128()
                });
            }
            _ => unreachable!("only languages of numbers are asked about"),
        }
    }
}
