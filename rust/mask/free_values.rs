//! Free values, which no rule binds, by themselves.
//!
//! What a token does in a literal, array or object that is free is the same in all grammars, up to
//! where it ends. It is found once for a vocabulary; only what goes on after the value is walked where
//! it stands.

use crate::byte_set::ByteSet;
use crate::json::cost::{NEVER, add};
use crate::json::kind::Kind;
use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::found::FoundTexts;
use crate::mask::texts::TrieTexts;
use crate::mask::walk::Walk;
use crate::vocab::string_mask::FreeValueTexts;
use crate::vocab::trie::{Trie, TrieNodeId};

/// The kinds that are looked at apart.
const KINDS: [Kind; 5] = [
    Kind::Null,
    Kind::True,
    Kind::False,
    Kind::Array,
    Kind::Object,
];

impl Walk<'_> {
    /// Adds the texts below a node that go on with a value that is to begin there, if it begins with
    /// some bytes and can be looked at apart; the first bytes of the values that can.
    pub(super) fn value_apart<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        first: ByteSet,
        out: &mut FoundTexts<'_, T::Item>,
    ) -> ByteSet {
        let machine = self.machine;
        let State::Value { obligation, .. } = config.state else {
            return ByteSet::NONE;
        };
        let kept = of.begun_values();
        let Some(kept) = kept.filter(|_| config.record == TextId::EMPTY) else {
            return ByteSet::NONE;
        };
        let Some(writing) = machine.writing_code() else {
            return ByteSet::NONE;
        };
        let free = machine.obligations.free_kinds(obligation);
        let (mut kinds, mut begin) = (0, ByteSet::NONE);
        for kind in KINDS {
            let byte = machine.literals.first_byte(kind);
            if let Some(byte) = byte.filter(|&b| free & kind.bit() != 0 && first.contains(b)) {
                kinds |= kind.bit();
                begin.insert(byte);
            }
        }
        if kinds == 0 {
            return begin;
        }
        let place = writing << 8 | u64::from(kinds);
        let key = (u128::from(place), u64::from(node.0));
        let apart = kept.free.get(key, self.cap, || {
            let apart = self.find_apart(of, node, config, begin);
            let bytes = apart.bytes();
            (apart, bytes)
        });
        let closed = self.stepper().close_value(config.stack);
        out.add_within(&apart.inside, || {
            let after = closed.map(|closed| self.completer().max_completion_bytes(closed));
            add(after.unwrap_or(NEVER), apart.rest)
        });
        if let Some(closed) = closed {
            self.go_on(&apart.beyond, closed, out);
        }
        begin
    }

    fn find_apart<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        config: Config,
        first: ByteSet,
    ) -> FreeValueTexts<T::Item> {
        let start = self.stepper().detached(config);
        let mut all = FoundTexts::new(None);
        self.walk_below(of, node, start, first, &mut all);
        let begin = usize::from(of.trie().node(node).depth);
        let mut rest = 0;
        // How many bytes of a text the value takes, if it ends before the text does.
        let mut ended = |item: T::Item| {
            let bytes = of.bytes(item);
            let mut at = start;
            for (i, &byte) in bytes.iter().enumerate().skip(begin) {
                at = self.stepper().step(at, byte)?;
                if at.state == State::Detached {
                    return (i + 1 < bytes.len()).then_some(i + 1);
                }
            }
            rest = self.machine.completer().max_completion_bytes(at).max(rest);
            None
        };
        let (mut inside, mut others) = (Vec::new(), Vec::new());
        for item in all.items {
            match ended(item) {
                None => inside.push(item),
                Some(end) => others.push((item, end)),
            }
        }
        let beyond = Trie::new(others, |(item, end)| &of.bytes(item)[end..]);
        FreeValueTexts {
            inside: inside.into(),
            rest,
            beyond: beyond.map(|(item, _)| item),
        }
    }
}
