//! Locals: what tokens do inside a string.

use std::sync::Arc;

use crate::json::spelling::{Partial, Taken};
use crate::machine::Machine;
use crate::mask::{ScanKey, set_bits};
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::scan::{ScanId, Scanner};
use crate::vocab::Vocabulary;
use crate::vocab::local::{Exit, Exits, Lengths, Local};

/// The local of a string's state, from the vocabulary's cache or made anew.
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
    vocabulary
        .locals()
        .get(key, cap, || match *scanner.regexes.node(must) {
            Node::Repeat {
                body: NodeId::CHAR,
                min,
                max,
            } if must != NodeId::ANY && partial == Partial::Nothing => {
                let any = local(machine, vocabulary, ScanKey::Anything, partial, cap);
                of_length(vocabulary, scanner, &any, min, max)
            }
            _ => {
                let scan = scanner.start(must, Box::new([]));
                walk(
                    scanner,
                    vocabulary,
                    scan.expect("a state that was reached is live"),
                    partial,
                )
            }
        })
}

/// By a walk of the vocabulary's trie.
fn walk(scanner: &Scanner, vocabulary: &Vocabulary, scan: ScanId, partial: Partial) -> Local {
    let trie = vocabulary.trie();
    let mut inside = vec![0_u32; vocabulary.mask_words()];
    let mut unfinished = Vec::new();
    let mut exits = Vec::new();
    trie.walk(
        (scan, partial, 0_u16),
        |(scan, partial, characters), byte, node| match partial.take_json(byte) {
            Taken::Char(c) => Some((scanner.step(scan, c)?, Partial::Nothing, characters + 1)),
            Taken::Partial(partial) => {
                let mut ranges = partial.ranges();
                let live = ranges.any(|(lo, hi)| scanner.can_step(scan, lo, hi));
                live.then_some((scan, partial, characters))
            }
            Taken::Close => {
                if scanner.can_end(scan) {
                    let before = trie.node(node).depth - 1;
                    let tokens = trie.tokens_below(node).iter();
                    exits.extend(tokens.map(|&token| Exit {
                        token,
                        before,
                        characters,
                    }));
                }
                None
            }
            Taken::Refused => None,
        },
        |tokens, (_, partial, _)| {
            set_bits(&mut inside, tokens);
            if partial != Partial::Nothing {
                unfinished.extend_from_slice(tokens);
            }
        },
    );
    let exits = Exits::new(exits, |token| vocabulary.token(token).unwrap_or_default());
    Local {
        inside: inside.into(),
        unfinished: unfinished.into(),
        exits: Arc::new(exits),
    }
}

/// Of a string that is free but for its length, from the local of a free one.
fn of_length(vocabulary: &Vocabulary, scanner: &Scanner, any: &Local, min: u32, max: u32) -> Local {
    let lengths = vocabulary
        .locals()
        .lengths
        .get_or_init(|| measure(vocabulary, scanner, any));
    let mut inside = any.inside.clone();
    if max != UNBOUNDED {
        let too_long = lengths
            .inside
            .iter()
            .take_while(|(length, _)| u32::from(*length) > max);
        for &(_, token) in too_long {
            inside[token as usize / 32] &= !(1 << (token % 32));
        }
    }
    let holds = |&&token: &&u32| inside[token as usize / 32] >> (token % 32) & 1 == 1;
    let unfinished = any.unfinished.iter().filter(holds).copied().collect();
    if min == 0 && u32::from(lengths.longest_exit) <= max {
        return Local {
            inside,
            unfinished,
            exits: any.exits.clone(),
        };
    }
    let fitting = |exit: &&Exit| (min..=max).contains(&u32::from(exit.characters));
    let exits = any.exits.tokens.iter().filter(fitting).copied().collect();
    let exits = Exits::new(exits, |token| vocabulary.token(token).unwrap_or_default());
    Local {
        inside,
        unfinished,
        exits: Arc::new(exits),
    }
}

/// How many characters each token adds to a free string.
fn measure(vocabulary: &Vocabulary, scanner: &Scanner, any: &Local) -> Lengths {
    let mut inside = Vec::new();
    let start = scanner
        .start(NodeId::ANY, Box::new([]))
        .expect("any text is a text");
    vocabulary.trie().walk(
        (start, Partial::Nothing, 0_u16),
        |(scan, partial, characters), byte, _| match partial.take_json(byte) {
            Taken::Char(_) => Some((scan, Partial::Nothing, characters + 1)),
            Taken::Partial(partial) => Some((scan, partial, characters)),
            Taken::Close | Taken::Refused => None,
        },
        |tokens, (_, partial, characters)| {
            let begun = u16::from(partial != Partial::Nothing);
            inside.extend(tokens.iter().map(|&token| (characters + begun, token)));
        },
    );
    inside.sort_unstable_by(|a, b| b.cmp(a));
    let longest_exit = any
        .exits
        .tokens
        .iter()
        .map(|exit| exit.characters)
        .max()
        .unwrap_or(0);
    Lengths {
        inside: inside.into(),
        longest_exit,
    }
}
