//! Locals: what tokens do inside a string.

use std::sync::Arc;

use crate::json::spelling::{Partial, Taken};
use crate::machine::Machine;
use crate::mask::{ScanKey, set_bits};
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::scan::{Scan, ScanId, Scanner};
use crate::vocab::Vocabulary;
use crate::vocab::local::{Exit, Exits, Groups, Lengths, Local};

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
        .locals
        .get(key, cap, || match *scanner.regexes.node(must) {
            Node::Repeat {
                body: NodeId::CHAR,
                min,
                max,
            } if must != NodeId::ANY && partial == Partial::Nothing => {
                let any = local(machine, vocabulary, ScanKey::Anything, partial, cap);
                let lengths = lengths(machine, vocabulary, cap);
                of_length(vocabulary, lengths, &any, min, max)
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
fn of_length(vocabulary: &Vocabulary, lengths: &Lengths, any: &Local, min: u32, max: u32) -> Local {
    let mut inside = any.inside.clone();
    if max != UNBOUNDED {
        let too_long = lengths
            .characters
            .partition_point(|&characters| u32::from(characters) > max);
        for &token in lengths.inside.iter().take(too_long).flatten() {
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

/// Whether a string in this state is free but for its length.
pub(crate) fn is_length_only(scanner: &Scanner, scan: &Scan) -> bool {
    let body = match *scanner.regexes.node(scan.must) {
        Node::Repeat { body, .. } => body,
        _ => scan.must,
    };
    scan.asks.is_empty() && matches!(body, NodeId::CHAR | NodeId::EMPTY)
}

/// How many characters each token adds to a free string.
pub(super) fn lengths<'a>(
    machine: &Machine,
    vocabulary: &'a Vocabulary,
    cap: usize,
) -> &'a Lengths {
    vocabulary.locals().lengths.get_or_init(|| {
        let any = local(
            machine,
            vocabulary,
            ScanKey::Anything,
            Partial::Nothing,
            cap,
        );
        measure(vocabulary, &any)
    })
}

fn measure(vocabulary: &Vocabulary, any: &Local) -> Lengths {
    let mut inside = Vec::new();
    vocabulary.trie().walk(
        (Partial::Nothing, 0_u16),
        |(partial, characters), byte, _| match partial.take_json(byte) {
            Taken::Char(_) => Some((Partial::Nothing, characters + 1)),
            Taken::Partial(partial) => Some((partial, characters)),
            Taken::Close | Taken::Refused => None,
        },
        |tokens, (partial, characters)| {
            let begun = u16::from(partial != Partial::Nothing);
            inside.extend(tokens.iter().map(|&token| (characters + begun, token)));
        },
    );
    inside.sort_unstable_by(|a, b| b.cmp(a));
    let groups = || inside.chunk_by(|a, b| a.0 == b.0);
    let longest_exit = any
        .exits
        .tokens
        .iter()
        .map(|exit| exit.characters)
        .max()
        .unwrap_or(0);
    Lengths {
        characters: groups().map(|group| group[0].0).collect(),
        inside: Groups::new(groups().map(|group| group.iter().map(|&(_, token)| token))),
        longest_exit,
    }
}
