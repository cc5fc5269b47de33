//! Where keys end, in objects that take keys which they do not name: which of those it is makes no
//! difference, but for a token that reads another key after it.

use rustc_hash::FxHashMap;

use crate::byte_set::ByteSet;
use crate::json::object::keys::{Key, Prefix};
use crate::json::object::state::ObjectId;
use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::found::FoundTexts;
use crate::mask::sweep::first_characters;
use crate::mask::texts::TrieTexts;
use crate::mask::walk::Walk;
use crate::regex::scan::ScanId;
use crate::spelling::Partial;
use crate::vocab::characters::WalkVerdict;
use crate::vocab::string_mask::{
    ExitBits, ExitId, OpenedScalar, ScalarEnd, StringMask, may_hold_key,
};

/// In a key that an object does not name, whatever its text is.
pub(super) fn in_unknown_key(config: Config, object: ObjectId) -> Config {
    let (text, partial) = (TextId::WHATEVER, Partial::Nothing);
    let state = State::OtherKey {
        object,
        text,
        partial,
    };
    Config { state, ..config }
}

/// Where a key leads that an object does not name.
struct UnknownKey {
    /// Bytes with which keys begin that are told apart from it.
    known: ByteSet,
    /// In such a key.
    inside: Config,
    /// After any such key, if all are alike.
    closed: Option<Config>,
}

impl Walk<'_> {
    /// Adds the texts of a subtree that end the key which has begun there, if what they go on with
    /// may come.
    pub(super) fn leave_key_below<T: TrieTexts>(
        &self,
        of: &T,
        start: Config,
        below: &OpenedScalar<T::Item>,
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        let first = const { ByteSet::of(b" \t\n\r:") };
        let unknown = self.unknown_key(start);
        for exit in &below.exits {
            if exit.next.is_some_and(|byte| !first.contains(byte)) {
                continue;
            }
            let unknown = unknown.as_ref();
            let unknown = unknown.filter(|key| !key.known.contains(exit.first));
            let closed = unknown.and_then(|key| key.closed);
            let end = match (closed, exit.next) {
                (Some(closed), None) => Some(closed),
                _ => self.end_of_key(of, start, unknown, *exit),
            };
            if let Some(end) = end {
                out.add(self.machine, &[exit.item], end);
            }
        }
    }

    /// Where a text leads that ends the key which it begins; `unknown` if the key is such a one.
    fn end_of_key<T: TrieTexts>(
        &self,
        of: &T,
        start: Config,
        unknown: Option<&UnknownKey>,
        exit: ScalarEnd<T::Item>,
    ) -> Option<Config> {
        let bytes = of.bytes(exit.item);
        let text = &bytes[usize::from(exit.begin)..];
        let rest = &bytes[usize::from(exit.end) + 1..];
        match unknown.filter(|_| !may_hold_key(rest)) {
            None => self.follow(start, text),
            Some(UnknownKey { inside, closed, .. }) => match closed {
                Some(closed) => self.follow(*closed, rest),
                None => self.follow(*inside, text),
            },
        }
    }

    /// After a key that an object does not name, whatever its text is.
    pub(super) fn after_unknown_key(&self, config: Config, object: ObjectId) -> Config {
        let key = Key::Other(TextId::WHATEVER, 0);
        self.machine
            .key_reader()
            .after_key_config(config, object, key)
    }

    /// What is the same for all keys that an object does not name, at the beginning of a key.
    fn unknown_key(&self, start: Config) -> Option<UnknownKey> {
        let reader = self.machine.key_reader();
        if start.record != TextId::EMPTY {
            return None;
        }
        let (object, prefix) = match start.state {
            State::Key { object, prefix, .. } => (object, Some(prefix)),
            State::OtherKey { object, .. } => (object, None),
            State::ScannedKey { object, prefix, .. } => (object, prefix),
            _ => return None,
        };
        let (inside, closed) = match start.state {
            // Patterns tell such keys apart.
            State::ScannedKey { .. } => (reader.canonical(start), None),
            _ => {
                let closed = self.after_unknown_key(start, object);
                (in_unknown_key(start, object), Some(closed))
            }
        };
        if closed.is_none() && inside == start {
            return None;
        }
        let known = prefix.map(|prefix| reader.next_key_bytes(object, prefix, Partial::Nothing));
        Some(UnknownKey {
            known: known.unwrap_or(ByteSet::NONE),
            inside,
            closed,
        })
    }

    /// The closing tokens of a key that is told apart from others by patterns, by where they lead
    /// after the quote; `None` if its text makes a difference.
    pub(super) fn ends_of_key(
        &self,
        config: Config,
        string_mask: &StringMask,
    ) -> Option<FxHashMap<Config, ExitBits>> {
        let State::ScannedKey {
            object,
            scan,
            prefix,
            text: TextId::WHATEVER,
            partial: Partial::Nothing,
        } = config.state
        else {
            return None;
        };
        let obligations = &self.machine.obligations;
        let scanner = &obligations.rules.scanner;
        let table = obligations.key_table(object);
        let count = string_mask.exits.len();
        let mut groups: FxHashMap<Config, ExitBits> = FxHashMap::default();
        let mut add = |(scan, prefix): (ScanId, Option<Prefix>), exits: &[ExitId]| {
            if !scanner.can_end(scan) {
                return;
            }
            let key = match prefix.and_then(|prefix| table.whole(prefix)) {
                Some(known) => known.key(),
                None => {
                    let class = obligations.key_class(object, scan);
                    Some(Key::Other(TextId::WHATEVER, class))
                }
            };
            if let Some(key) = key {
                let reader = self.machine.key_reader();
                let after = reader.after_key_config(config, object, key);
                let none = || ExitBits::none(count);
                groups.entry(after).or_insert_with(none).insert_all(exits);
            }
        };
        let before = &self.vocabulary.strings(self.spelling()).before;
        add((scan, prefix), before.bare());
        before.walk(
            (scan, prefix),
            &first_characters(scanner, scan),
            |(scan, prefix), c, _| {
                let Some(scan) = scanner.step(scan, c) else {
                    return WalkVerdict::Nothing;
                };
                let next = |prefix| table.step(prefix, char::from_u32(c)?);
                WalkVerdict::More((scan, prefix.and_then(next)))
            },
            |_, _| false,
            |range, end| {
                if let Some(end) = end {
                    add(end, before.items(range));
                }
            },
        );
        Some(groups)
    }
}
