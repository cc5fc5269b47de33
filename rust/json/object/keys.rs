//! The keys that an object knows, sorted, so that a prefix is a range of them.

use crate::json::texts::TextId;

/// A declared key: its place among those of its object's shape, in the order in which they appear
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct KeyRank(pub(crate) u32);

impl KeyRank {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn next(self) -> Self {
        KeyRank(self.0 + 1)
    }
}

/// A key: declared in the object's shape, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A declared key, by its rank.
    Declared(KeyRank),
    /// An undeclared key, by its text and the class of undeclared keys that it is in.
    Other(TextId, u16),
}

/// What an object knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KnownKey {
    /// It is declared, with this rank.
    Declared(KeyRank),
    /// It is not declared but named by some rule, and has not come.
    Wanted(Key),
    /// It is not declared, and has come.
    Used,
}

impl KnownKey {
    /// The key, unless it has come.
    pub(crate) fn key(self) -> Option<Key> {
        match self {
            KnownKey::Declared(rank) => Some(Key::Declared(rank)),
            KnownKey::Wanted(key) => Some(key),
            KnownKey::Used => None,
        }
    }
}

/// All keys that an object treats in a way of their own; all others are alike to it.
#[derive(Debug)]
pub(crate) struct KeyTable {
    /// Sorted by text, without duplicates.
    entries: Box<[(Box<str>, KnownKey)]>,
}

/// The keys that begin with what has been read of a key: a range of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Prefix {
    lo: u32,
    hi: u32,
    /// Bytes read.
    depth: u32,
}

impl KeyTable {
    pub(crate) fn new(entries: impl IntoIterator<Item = (String, KnownKey)>) -> Self {
        let mut entries: Vec<(Box<str>, KnownKey)> = entries
            .into_iter()
            .map(|(key, known)| (key.into(), known))
            .collect();
        entries.sort_unstable();
        entries.dedup_by(|a, b| a.0 == b.0);
        KeyTable {
            entries: entries.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The table with more keys, which replace those of the same text.
    pub(crate) fn with(&self, more: impl Iterator<Item = (String, KnownKey)>) -> Self {
        let more: Vec<(Box<str>, KnownKey)> =
            more.map(|(key, known)| (key.into(), known)).collect();
        let known = self
            .entries
            .iter()
            .filter(|(key, _)| more.iter().all(|(k, _)| k != key));
        let mut entries: Vec<_> = known.cloned().chain(more.iter().cloned()).collect();
        entries.sort_unstable();
        KeyTable {
            entries: entries.into(),
        }
    }

    /// The prefix before the first character; `None` if the table is empty.
    pub(crate) fn start(&self) -> Option<Prefix> {
        let hi = self.entries.len() as u32;
        (hi > 0).then_some(Prefix {
            lo: 0,
            hi,
            depth: 0,
        })
    }

    fn range(&self, prefix: Prefix) -> &[(Box<str>, KnownKey)] {
        &self.entries[prefix.lo as usize..prefix.hi as usize]
    }

    /// The prefix with one more character; `None` if no key goes on like that.
    pub(crate) fn step(&self, prefix: Prefix, c: char) -> Option<Prefix> {
        let depth = prefix.depth as usize;
        // The key that ends here sorts first and has no next character.
        let next = |key: &str| key[depth..].chars().next();
        let range = self.range(prefix);
        let lo = range.partition_point(|(key, _)| next(key) < Some(c));
        let hi = range.partition_point(|(key, _)| next(key) <= Some(c));
        (lo < hi).then_some(Prefix {
            lo: prefix.lo + lo as u32,
            hi: prefix.lo + hi as u32,
            depth: prefix.depth + c.len_utf8() as u32,
        })
    }

    /// What has been read.
    pub(crate) fn text(&self, prefix: Prefix) -> &str {
        &self.range(prefix)[0].0[..prefix.depth as usize]
    }

    /// What is known of the key that has been read, if it ends here.
    pub(crate) fn whole(&self, prefix: Prefix) -> Option<KnownKey> {
        let (key, known) = &self.range(prefix)[0];
        (key.len() == prefix.depth as usize).then_some(*known)
    }

    /// The characters with which known keys go on, sorted.
    pub(crate) fn next_chars(&self, prefix: Prefix) -> impl Iterator<Item = char> {
        let depth = prefix.depth as usize;
        let next = move |key: &str| key[depth..].chars().next();
        let mut range = self.range(prefix);
        // The key that ends here sorts first.
        if self.whole(prefix).is_some() {
            range = &range[1..];
        }
        std::iter::from_fn(move || {
            let c = next(&range.first()?.0)?;
            let alike = match range.last() {
                Some((last, _)) if next(last) == Some(c) => range.len(),
                _ => range.partition_point(|(key, _)| next(key) <= Some(c)),
            };
            range = &range[alike..];
            Some(c)
        })
    }

    /// What is known of the keys that go on from here, each with what is left of its text.
    pub(crate) fn ahead(&self, prefix: Prefix) -> impl Iterator<Item = (KnownKey, &str)> {
        let range = self.range(prefix).iter();
        range.map(move |(key, known)| (*known, &key[prefix.depth as usize..]))
    }

    /// The keys that go on from here and have not come, each with what is left of its text.
    pub(crate) fn open(&self, prefix: Prefix) -> impl Iterator<Item = (Key, &str)> {
        let ahead = self.ahead(prefix);
        ahead.filter_map(|(known, rest)| Some((known.key()?, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_ranges() {
        let table = KeyTable::new([
            ("name".to_owned(), KnownKey::Declared(KeyRank(0))),
            ("né".to_owned(), KnownKey::Declared(KeyRank(1))),
            ("n".to_owned(), KnownKey::Declared(KeyRank(2))),
            ("age".to_owned(), KnownKey::Declared(KeyRank(3))),
            ("nap".to_owned(), KnownKey::Used),
        ]);
        let n = table.step(table.start().unwrap(), 'n').unwrap();
        assert_eq!(table.text(n), "n");
        assert_eq!(table.whole(n), Some(KnownKey::Declared(KeyRank(2))));
        let na = table.step(n, 'a').unwrap();
        assert_eq!(table.whole(na), None);
        assert_eq!(
            table.open(na).collect::<Vec<_>>(),
            [(Key::Declared(KeyRank(0)), "me")]
        );
        assert!(table.next_chars(na).eq(['m', 'p']));
        assert_eq!(
            table.whole(table.step(na, 'p').unwrap()),
            Some(KnownKey::Used)
        );
        assert_eq!(table.step(na, 'x'), None);
        assert_eq!(
            table.whole(table.step(n, 'é').unwrap()),
            Some(KnownKey::Declared(KeyRank(1)))
        );
        assert_eq!(table.step(n, 'e'), None);
    }
}
