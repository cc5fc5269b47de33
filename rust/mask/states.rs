//! The tokens inside a string that a pattern constrains, by the states that they lead to.

use rustc_hash::FxHashMap;

use crate::mask::walk::Walk;
use crate::regex::scan::ScanId;
use crate::spelling::{Decoded, Partial};
use crate::vocab::string_mask::Groups;
use crate::vocab::token::TokenId;
use crate::vocab::trie::{ItemRange, TrieNodeId};

impl Walk<'_> {
    /// The tokens inside a string by the states that they lead to.
    pub(super) fn by_state(&self, scan: ScanId, partial: Partial) -> Groups {
        let scanner = &self.machine.obligations.rules.scanner;
        let trie = self.vocabulary.trie();
        let mut groups = TokensByState::default();
        let read = |(scan, partial): (ScanId, Partial), byte: u8| {
            match partial.decode_json(byte, scanner.spelling) {
                Decoded::Char(c) => Some((scanner.step(scan, c)?, Partial::Nothing)),
                // Tokens that end where no character fits are in no mask.
                Decoded::Partial(partial) => Some((scan, partial)),
                Decoded::Close | Decoded::Refused => None,
            }
        };
        let mut passed = Vec::new();
        let step = |at, byte, node| {
            let next = read(at, byte)?;
            if next.1 == Partial::Nothing && self.stays_below(next.0, node) {
                passed.push((node, next));
                return None;
            }
            Some(next)
        };
        trie.walk((scan, partial), step, |tokens, at| groups.add(at, tokens));
        for (node, home) in passed {
            let depth = usize::from(trie.node(node).depth);
            let begun = self
                .vocabulary
                .plain()
                .unfinished(node..trie.node(node).skip);
            let mut rest = trie.range_below(node);
            for &begun in begun {
                let apart = trie.range_at(begun);
                let end = apart.start;
                groups.add(home, trie.items_in(ItemRange { end, ..rest }));
                rest.start = apart.end;
                let tokens = trie.items_at(begun);
                let bytes = self.vocabulary.token(tokens[0]).unwrap_or_default();
                let mut bytes = bytes[depth..].iter();
                if let Some(at) = bytes.try_fold(home, |at, &byte| read(at, byte)) {
                    groups.add(at, tokens);
                }
            }
            groups.add(home, trie.items_in(rest));
        }
        groups.finish()
    }

    /// Whether all texts below a node lead from a state of a string back to it, but for what is begun of a last
    /// character.
    fn stays_below(&self, scan: ScanId, node: TrieNodeId) -> bool {
        let below = self.vocabulary.plain().below(node);
        let lookahead = self.machine.lookahead();
        below.is_some_and(|below| lookahead.stays_in_string(scan, below.characters))
    }
}

/// Tokens by the state of a string that they lead to.
#[derive(Default)]
struct TokensByState {
    groups: FxHashMap<(ScanId, Partial), Vec<TokenId>>,
}

impl TokensByState {
    fn add(&mut self, at: (ScanId, Partial), tokens: &[TokenId]) {
        self.groups.entry(at).or_default().extend_from_slice(tokens);
    }

    /// The groups, those of the first states first.
    fn finish(self) -> Groups {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_unstable_by_key(|&((scan, partial), _)| (scan, partial.code()));
        Groups::new(groups.into_iter().map(|(_, mut tokens)| {
            tokens.sort_unstable();
            tokens.into_iter()
        }))
    }
}
