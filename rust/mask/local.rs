//! Locals: what tokens do inside a string.

use std::sync::Arc;

use crate::json::spelling::{Partial, Taken};
use crate::machine::Machine;
use crate::mask::ScanKey;
use crate::regex::node::NodeId;
use crate::regex::scan::{ScanId, Scanner};
use crate::vocab::Vocabulary;
use crate::vocab::local::Local;
use crate::vocab::Trie;

/// The local of a string's state, from the vocabulary's cache or by a walk of its trie.
pub(super) fn local(
    machine: &Machine,
    vocabulary: &Vocabulary,
    key: ScanKey,
    partial: Partial,
    cap: usize,
) -> Arc<Local> {
    let scanner = &machine.frames.rules.scanner;
    let must = match key {
        ScanKey::Anything => NodeId::ANY,
        ScanKey::Scan(scan) => scanner.scan(scan).must,
    };
    let key = (scanner.regexes.fingerprint(must), partial.code());
    vocabulary.locals().get(key, cap, || {
        let scan = scanner.start(must, Box::new([])).expect("the state was reached, so it is live");
        compute(scanner, vocabulary, scan, partial)
    })
}

fn compute(scanner: &Scanner, vocabulary: &Vocabulary, scan: ScanId, partial: Partial) -> Local {
    let trie = vocabulary.trie();
    let mut inside = vec![0_u32; vocabulary.mask_words()];
    let mut closing = Vec::new();
    let mut exits = Vec::new();
    trie.walk(
        (scan, partial),
        |(scan, partial), byte, node| match partial.take_json(byte) {
            Taken::Char(c) => Some((scanner.step(scan, c)?, Partial::Nothing)),
            Taken::Partial(partial) => {
                let mut ranges = partial.characters().into_iter();
                let live = ranges.any(|(lo, hi)| lo <= hi && scanner.can_step(scan, lo, hi));
                live.then_some((scan, partial))
            }
            Taken::Close => {
                if scanner.can_end(scan) {
                    let before = trie.node(node).depth - 1;
                    exits.extend(trie.tokens_below(node).iter().map(|&token| (token, before)));
                    closing.extend_from_slice(trie.tokens_at(node));
                }
                None
            }
            Taken::Refused => None,
        },
        |tokens, _| {
            for &token in tokens {
                inside[token as usize / 32] |= 1 << (token % 32);
            }
        },
    );
    let before: rustc_hash::FxHashMap<u32, u16> = exits.iter().copied().collect();
    let beyond = |token: u32| {
        let bytes = vocabulary.token(token).unwrap_or_default();
        &bytes[usize::from(before[&token]) + 1..]
    };
    let going_on = exits.iter().map(|&(token, _)| token).filter(|&t| !beyond(t).is_empty());
    Local {
        beyond: Trie::new(going_on.collect(), beyond),
        inside: inside.into(),
        closing: closing.into(),
        exits: exits.into(),
    }
}
