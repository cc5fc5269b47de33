//! The tokens of a mask, by where they lead.

use std::sync::Arc;

use crate::json::spelling::{Partial, Taken};
use crate::json::texts::TextId;
use crate::machine::{Config, Machine, State};
use crate::mask::local::is_length_only;
use crate::mask::{Mask, Tokens, bits_of, clear_bits, forget_text, has_bit};
use crate::regex::node::NodeId;
use crate::regex::scan::Scan;
use crate::vocab::Vocabulary;
use crate::vocab::local::Groups;

/// The tokens of a mask and the configurations after them, texts of unknown keys forgotten. Inside
/// a string many tokens lead to one place, and one of them is read for all; if what is read is
/// recorded, to places that differ in the record alone.
pub(crate) fn groups(
    machine: &Machine,
    vocabulary: &Vocabulary,
    config: Config,
    mask: &Mask,
    sets: &[Box<[u32]>],
    cap: usize,
) -> Vec<(Config, Vec<u32>)> {
    let start = forget_text(machine, config);
    let mut out = Vec::new();
    let (local, more) = match mask.tokens() {
        Tokens::Inside(local, more) => (local, more),
        Tokens::Few(_) | Tokens::Many(_) | Tokens::Above(..) => {
            vocabulary.trie().seek(
                start,
                |at| machine.next_bytes(at),
                |at, byte, _| machine.step(at, byte),
                |tokens, at| out.push((forget_text(machine, at), tokens.to_vec())),
            );
            if mask.named().is_some() {
                for (set, next) in machine.token_moves(start) {
                    let Some(set) = sets.get(set as usize) else {
                        continue;
                    };
                    out.push((next, bits_of(set).collect()));
                }
            }
            return out;
        }
    };
    let read = |token: u32| {
        let bytes = vocabulary.token(token).unwrap_or_default();
        let after = bytes.iter().try_fold(start, |at, &b| machine.step(at, b));
        after.map(|after| forget_text(machine, after))
    };
    let mut alone: Vec<u32> = more.to_vec();
    let mut alike = Vec::new();
    match uniform(machine, start) {
        Some((scan, partial)) => {
            let mut rest = local.inside.to_vec();
            let together = inside(machine, vocabulary, &scan, partial, cap);
            let mut single = known_key_tokens(machine, vocabulary, start);
            if let Together::ByLength(_) = together {
                single.extend(&vocabulary.strings().unfinished);
            }
            single.retain(|&token| {
                let held = has_bit(&rest, token);
                clear_bits(&mut rest, &[token]);
                held
            });
            alone.extend(single);
            let holds = |&&token: &&u32| has_bit(&rest, token);
            let groups = together.groups().iter();
            alike.extend(groups.map(|group| group.iter().filter(holds).copied().collect()));
        }
        // What is read matters itself, byte by byte.
        None => alone.extend(local.tokens()),
    }
    alike.extend(alone.into_iter().map(|token| vec![token]));
    for tokens in alike {
        let Some(after) = tokens.first().and_then(|&token| read(token)) else {
            continue;
        };
        if tells_texts(after) {
            let each = tokens.iter();
            out.extend(each.filter_map(|&token| Some((read(token)?, vec![token]))));
        } else {
            out.push((after, tokens));
        }
    }
    out
}

/// The tokens inside a string, grouped.
enum Together<'a> {
    /// By how many characters they add, if they finish the last.
    ByLength(&'a Groups),
    ByState(Arc<Groups>),
}

impl Together<'_> {
    fn groups(&self) -> &Groups {
        match self {
            Together::ByLength(groups) => groups,
            Together::ByState(groups) => groups,
        }
    }
}

fn inside<'a>(
    machine: &Machine,
    vocabulary: &'a Vocabulary,
    scan: &Scan,
    partial: Partial,
    cap: usize,
) -> Together<'a> {
    let scanner = &machine.frames.rules.scanner;
    if partial == Partial::Nothing && is_length_only(scanner, scan) {
        return Together::ByLength(&vocabulary.strings().lengths);
    }
    let parts = std::iter::once(scan.must).chain(scan.asks.iter().copied());
    let key = (scanner.regexes.fingerprint_of_all(parts), partial.code());
    let compute = || {
        let state = scanner.start(scan.must, scan.asks.clone());
        let start = (state.expect("a state that was reached is live"), partial);
        let mut places = Vec::new();
        vocabulary.trie().walk(
            start,
            |(scan, partial), byte, _| match partial.take_json(byte) {
                Taken::Char(c) => Some((scanner.step(scan, c)?, Partial::Nothing)),
                // Tokens that end where no character fits are in no mask.
                Taken::Partial(partial) => Some((scan, partial)),
                Taken::Close | Taken::Refused => None,
            },
            |tokens, (scan, partial)| {
                places.extend(tokens.iter().map(|&token| (scan, partial.code(), token)));
            },
        );
        places.sort_unstable();
        let groups = places.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let groups = Groups::new(groups.map(|group| group.iter().map(|&(.., token)| token)));
        let bytes = groups.bytes();
        (groups, bytes)
    };
    Together::ByState(vocabulary.locals().groups.get(key, cap, compute))
}

/// Whether it matters which of the keys that are read alike is being read.
fn tells_texts(config: Config) -> bool {
    let known = |text| text != TextId::WHATEVER && config.record == TextId::EMPTY;
    matches!(config.state, State::ScannedKey { text, .. } if known(text))
}

/// How the string that is being read is read. Where a token leads depends on that alone, but for
/// tokens that stay in a known key, and texts of keys that are scarce.
fn uniform(machine: &Machine, config: Config) -> Option<(Scan, Partial)> {
    let scanner = &machine.frames.rules.scanner;
    let any = || Scan {
        must: NodeId::ANY,
        asks: Box::new([]),
    };
    match config.state {
        State::String { scan, partial } => Some((scanner.scan(scan).clone(), partial)),
        State::Key { partial, .. } | State::OtherKey { partial, .. } => Some((any(), partial)),
        State::ScannedKey { scan, partial, .. } => Some((scanner.scan(scan).clone(), partial)),
        _ => None,
    }
}

/// The tokens after which the key that is being read is still one that the object may know.
fn known_key_tokens(machine: &Machine, vocabulary: &Vocabulary, start: Config) -> Vec<u32> {
    let mut tokens = Vec::new();
    let knows = |state| {
        matches!(
            state,
            State::Key { .. }
                | State::ScannedKey {
                    prefix: Some(_),
                    ..
                }
        )
    };
    if !knows(start.state) {
        return tokens;
    }
    vocabulary.trie().walk(
        start,
        |at, byte, _| {
            if machine.loses_key(at.state, byte) {
                return None;
            }
            machine.step(at, byte).filter(|at| knows(at.state))
        },
        |found, _| tokens.extend_from_slice(found),
    );
    tokens
}
