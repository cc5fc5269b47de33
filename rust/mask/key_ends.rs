//! Where keys end, in objects that take keys which they do not name: which of those it is makes no
//! difference, but for a token that reads another key after it.

use rustc_hash::FxHashMap;

use crate::byte_set::ByteSet;
use crate::json::object::keys::{Key, Prefix};
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

    /// What is the same for all keys that an object does not name, at the beginning of a key.
    fn unknown_key(&self, start: Config) -> Option<UnknownKey> {
        let reader = self.machine.key_reader();
        if start.record != TextId::EMPTY {
            return None;
        }
        let after = |object| {
            let key = Key::Other(TextId::WHATEVER, 0);
            Some(reader.after_key_config(start, object, key))
        };
        let partial = Partial::Nothing;
        let (object, prefix, inside, closed) = match start.state {
            State::Key { object, prefix, .. } => {
                let text = TextId::WHATEVER;
                let state = State::OtherKey {
                    object,
                    text,
                    partial,
                };
                let inside = Config { state, ..start };
                (object, Some(prefix), inside, after(object))
            }
            State::OtherKey { object, .. } => {
                (object, None, reader.canonical(start), after(object))
            }
            State::ScannedKey { object, prefix, .. } => {
                let inside = reader.canonical(start);
                if inside == start {
                    return None;
                }
                (object, prefix, inside, None)
            }
            _ => return None,
        };
        let known = prefix.map(|prefix| reader.next_key_bytes(object, prefix, partial));
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
                let group = groups.entry(after).or_insert_with(|| ExitBits::none(count));
                exits.iter().for_each(|&exit| group.insert(exit));
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
