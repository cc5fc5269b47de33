//! Strings and numbers that a token opens: what stays inside them is the same wherever they stand.

use std::sync::Arc;
use std::sync::OnceLock;

use rustc_hash::FxHashSet;

use crate::byte_set::ByteSet;
use crate::machine::{Config, Machine, State};
use crate::mask::found::FoundTexts;
use crate::mask::texts::TrieTexts;
use crate::mask::walk::{Ended, Walk};
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;
use crate::regex::scan_string::{Scanned, scan_string};
use crate::spelling::{JsonSpelling, Partial};
use crate::vocab::string_mask::{OpenedScalar, ScalarEnd};
use crate::vocab::token::MaskWord;
use crate::vocab::trie::{Trie, TrieNodeId};

impl Walk<'_> {
    /// Adds the texts of a subtree that stay inside the string or number which has begun there.
    pub(super) fn stay_below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        start: Config,
        below: &Arc<OpenedScalar<T::Item>>,
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        let scanner = &self.machine.obligations.rules.scanner;
        let completer = self.completer();
        let begin = usize::from(of.trie().node(node).depth);
        let rests = || below.inside.iter().map(|&item| &of.bytes(item)[begin..]);
        out.add_inside(below, || match start.state {
            State::String { scan, .. } | State::Number(scan)
                if scanner.scan(scan).queries.is_empty() =>
            {
                let rest = *below.rest.get_or_init(|| {
                    let longest = scanner.longest_rest(scan);
                    longest.unwrap_or_else(|| self.longest_rest_after(start, rests()))
                });
                completer.max_completion_bytes_of_string(start.stack, rest)
            }
            _ => completer
                .max_completion_bytes_inside(start)
                .unwrap_or_else(|| {
                    let places = rests().filter_map(|rest| self.follow(start, rest));
                    let bounds = places.map(|at| completer.max_completion_bytes(at));
                    bounds.max().unwrap_or(0)
                }),
        });
    }

    /// At least the bytes that finish a string or number after any of some texts that stay inside
    /// it, whatever is around it.
    fn longest_rest_after<'t>(&self, start: Config, texts: impl Iterator<Item = &'t [u8]>) -> u32 {
        let scanner = &self.machine.obligations.rules.scanner;
        let step = |state: State, &byte: &u8| match state {
            State::String { scan, partial } => match scan_string(scanner, scan, partial, byte) {
                Scanned::Stays(scan, partial, _) => Some(State::String { scan, partial }),
                Scanned::Closes | Scanned::Refused => None,
            },
            State::Number(scan) => {
                let next = scanner.step(scan, u32::from(byte))?;
                Some(State::Number(next))
            }
            _ => None,
        };
        let alone = self.stepper().detached(start);
        let ends = texts.filter_map(|text| text.iter().try_fold(start.state, step));
        let ends: FxHashSet<State> = ends.collect();
        let bounds = ends.into_iter().map(|state| {
            let completer = self.machine.completer();
            completer.max_completion_bytes(Config { state, ..alone })
        });
        u32::try_from(bounds.max().unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Adds the texts of a subtree that end the string or number which has begun there, if what
    /// they go on with may come.
    pub(super) fn leave_below<T: TrieTexts>(
        &self,
        of: &T,
        start: Config,
        below: &OpenedScalar<T::Item>,
        out: &mut FoundTexts<'_, T::Item>,
    ) {
        let ended = match start.state {
            State::String { scan, .. } | State::Number(scan) => self.ended(start, scan),
            _ => Ended::ByText,
        };
        match (start.state, ended) {
            (_, Ended::Never) => {}
            (_, Ended::At(closed)) => {
                out.add(self.machine, &below.closing, closed);
                self.go_on(&below.beyond, closed, out);
            }
            (State::Number(_) | State::String { .. }, Ended::ByText) => {
                for exit in &below.exits {
                    let bytes = &of.bytes(exit.item)[usize::from(exit.begin)..];
                    if let Some(at) = self.follow(start, bytes) {
                        out.add(self.machine, &[exit.item], at);
                    }
                }
            }
            _ => self.leave_key_below(of, start, below, out),
        }
    }

    /// What the tokens of a subtree do in a string or number that has just begun there.
    pub(super) fn below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        language: NodeId,
        is_string: bool,
    ) -> Arc<OpenedScalar<T::Item>> {
        let scanner = &self.machine.obligations.rules.scanner;
        let find = || {
            let start = scanner.start(language, Box::new([]));
            let start = start.expect("a state that was reached is live");
            self.find_below(of, node, start, is_string)
        };
        let Some(kept) = of.begun_values() else {
            return find().into();
        };
        let is_plain = u64::from(self.spelling() == JsonSpelling::Plain);
        let place = u64::from(node.0) << 2 | is_plain << 1 | u64::from(is_string);
        let key = (scanner.regexes.fingerprint(language), place);
        kept.scalars.get(key, self.cap, || {
            let below = find();
            let shared = match below.is_shared() {
                true => size_of::<MaskWord>() * self.vocabulary.mask_words(),
                false => 0,
            };
            let bytes = below.bytes() + shared;
            (below, bytes)
        })
    }

    fn find_below<T: TrieTexts>(
        &self,
        of: &T,
        node: TrieNodeId,
        start: ScanId,
        is_string: bool,
    ) -> OpenedScalar<T::Item> {
        let trie = of.trie();
        let scanner = &self.machine.obligations.rules.scanner;
        let (mut inside, mut exits) = (Vec::new(), Vec::new());
        let begin = trie.node(node).depth;
        let first = match is_string {
            true => ByteSet::ALL,
            false => ByteSet::of_ascii(scanner.ascii(start)),
        };
        let next = |(scan, _): (ScanId, Partial)| match is_string {
            false if !scanner.can_end(scan) => ByteSet::of_ascii(scanner.ascii(scan)),
            _ => ByteSet::ALL,
        };
        trie.seek_below(
            node,
            (start, Partial::Nothing),
            first,
            next,
            |(scan, partial), byte, child| {
                let node = child.node;
                let next = match is_string {
                    true => scan_string(scanner, scan, partial, byte),
                    false => match scanner.step(scan, u32::from(byte)) {
                        Some(scan) => Scanned::Stays(scan, Partial::Nothing, None),
                        None if scanner.can_end(scan) => Scanned::Closes,
                        None => Scanned::Refused,
                    },
                };
                match next {
                    Scanned::Stays(scan, partial, _) => return Some((scan, partial)),
                    Scanned::Closes => {
                        let end = trie.node(node).depth - 1;
                        let left = trie.items_below(node).iter();
                        let ends = |&item| ScalarEnd::new(item, of.bytes(item), begin, end);
                        exits.extend(left.map(ends));
                    }
                    Scanned::Refused => {}
                }
                None
            },
            |found, _| inside.extend_from_slice(found),
        );
        let quote = usize::from(is_string);
        let beyond =
            |exit: ScalarEnd<T::Item>| &of.bytes(exit.item)[usize::from(exit.end) + quote..];
        let all = exits.iter().copied();
        let (closing, others): (Vec<_>, Vec<_>) = all.partition(|&exit| beyond(exit).is_empty());
        OpenedScalar {
            closing: closing.iter().map(|exit| exit.item).collect(),
            beyond: Trie::new(others, beyond).map(|exit| exit.item),
            inside: inside.into(),
            exits: exits.into(),
            rest: OnceLock::new(),
            shared: OnceLock::new(),
        }
    }
}

/// The language of a string or number that a byte has just opened, if all texts that begin in it
/// are fine.
pub(super) fn opened(machine: &Machine, config: Config, byte: u8) -> Option<NodeId> {
    let scanner = &machine.obligations.rules.scanner;
    match config.state {
        State::String {
            scan,
            partial: Partial::Nothing,
        } if byte == b'"' => Some(scanner.scan(scan).language),
        State::ScannedKey {
            scan,
            partial: Partial::Nothing,
            ..
        } if byte == b'"' => Some(scanner.scan(scan).language),
        State::OtherKey {
            partial: Partial::Nothing,
            ..
        } if byte == b'"' => Some(NodeId::ANY),
        State::Key {
            object,
            partial: Partial::Nothing,
            ..
        } if byte == b'"' && machine.obligations.allowed_keys(object).other() => Some(NodeId::ANY),
        State::Number(scan) if machine.text_reader().is_delimited(config.stack) => {
            Some(scanner.scan(scan).language)
        }
        _ => None,
    }
}
