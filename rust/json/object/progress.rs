//! What has been read of an object, as far as it matters.

use crate::json::formula::RuleId;
use crate::json::object::keys::{Key, KeyRank};
use crate::json::object::shape::Shape;
use crate::json::rules::Rules;
use crate::json::texts::TextId;

/// What has been read of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ObjectProgress {
    /// Keys come in order: declared keys of lower rank are past.
    pub(super) rank: KeyRank,
    /// A bit for each declared key that was read; all zero where nothing depends on which were.
    used: Box<[u64]>,
    /// Other keys that were read, sorted.
    pub(crate) others: Box<[Key]>,
    /// Members that were read, as far as their number matters.
    pub(super) count: u64,
}

/// Whether the bit of a declared key is set.
pub(crate) fn bit(bits: &[u64], KeyRank(rank): KeyRank) -> bool {
    bits.get(rank as usize / 64)
        .is_some_and(|word| word >> (rank % 64) & 1 != 0)
}

pub(crate) fn set_bit(bits: &mut [u64], KeyRank(rank): KeyRank) {
    bits[rank as usize / 64] |= 1 << (rank % 64);
}

impl ObjectProgress {
    pub(crate) fn nothing(shape: &Shape, ordered: bool) -> ObjectProgress {
        let words = match ordered && !shape.has_dependent {
            true => 0,
            false => shape.keys.len().div_ceil(64),
        };
        ObjectProgress {
            used: vec![0; words].into(),
            ..ObjectProgress::default()
        }
    }

    /// The progress after one more member.
    pub(crate) fn with(&self, shape: &Shape, ordered: bool, key: Key) -> ObjectProgress {
        let mut next = self.clone();
        next.count = (self.count + 1).min(shape.counted);
        match key {
            Key::Declared(rank) => {
                if ordered {
                    next.rank = rank.next();
                }
                if !next.used.is_empty() {
                    set_bit(&mut next.used, rank);
                }
            }
            Key::Other(..) => {
                if ordered {
                    next.rank = shape.end_of_ranks();
                }
                let mut others = next.others.into_vec();
                let at = others.partition_point(|&other| other < key);
                others.insert(at, key);
                next.others = others.into();
            }
        }
        next
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.rank == KeyRank(0) && self.others.is_empty() && self.used.iter().all(|&word| word == 0)
    }

    /// Whether a key may come, as far as the order of keys and their number go.
    pub(crate) fn is_open(&self, key: Key) -> bool {
        match key {
            Key::Declared(rank) => rank >= self.rank && !bit(&self.used, rank),
            // Some key that has not come.
            Key::Other(TextId::WHATEVER, _) => true,
            Key::Other(..) => self.others.binary_search(&key).is_err(),
        }
    }

    /// Whether a key has come. In order, and where nothing depends on keys, one that was passed
    /// over counts as if it had: rules that require it are dropped when that happens.
    pub(crate) fn has(&self, key: Key) -> bool {
        match key {
            Key::Declared(rank) if self.used.is_empty() => rank < self.rank,
            Key::Declared(rank) => bit(&self.used, rank),
            Key::Other(..) => self.others.binary_search(&key).is_ok(),
        }
    }

    /// The keys that a rule requires and that have not come.
    pub(crate) fn missing(&self, shape: &Shape, rule: RuleId) -> impl Iterator<Item = Key> {
        let required = shape.required(rule);
        let declared = required.declared.iter().map(|&rank| Key::Declared(rank));
        let all = declared.chain(required.others.iter().copied());
        all.filter(|&key| !self.has(key))
    }

    /// Whether a rule that holds so far cannot hold any more if `key` comes next, whatever its
    /// value.
    pub(crate) fn breaks(
        &self,
        rules: &Rules,
        shape: &Shape,
        ordered: bool,
        rule: RuleId,
        key: Key,
    ) -> bool {
        let most = rules.object(rule).max;
        if most.is_some_and(|max| self.count + 1 > max) {
            return true;
        }
        if !ordered {
            return false;
        }
        let passes = |other: Key| match (other, key) {
            (Key::Declared(rank), Key::Declared(next)) => rank < next && !self.has(other),
            (Key::Declared(_), Key::Other(..)) => !self.has(other),
            _ => false,
        };
        let required = shape.required(rule);
        required
            .declared
            .iter()
            .any(|&rank| passes(Key::Declared(rank)))
            || required.dependent.iter().any(|(of, needs)| {
                (*of == key || self.has(*of)) && needs.iter().any(|&need| passes(need))
            })
    }

    /// Whether a rule that holds so far holds if the object ends here.
    pub(crate) fn holds(&self, rules: &Rules, shape: &Shape, rule: RuleId) -> bool {
        let counts = rules.object(rule);
        let dependent = &shape.required(rule).dependent;
        self.missing(shape, rule).next().is_none()
            && counts.min <= self.count
            && counts.max.is_none_or(|max| self.count <= max)
            && dependent
                .iter()
                .all(|(of, needs)| !self.has(*of) || needs.iter().all(|&need| self.has(need)))
    }
}
