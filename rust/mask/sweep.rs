//! String masks from between two characters, by walks over the characters of tokens.

use std::sync::Arc;

use crate::mask::class_sweep::sweep_class;
use crate::mask::sweep_place::SweepPlace;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::codeset::MAX;
use crate::regex::scan::{ScanId, Scanner};
use crate::vocab::Vocabulary;
use crate::vocab::characters::WalkVerdict;
use crate::vocab::string_mask::{ExitBits, ExitId, StringMask};
use crate::vocab::strings::Strings;
use crate::vocab::token::{MaskWord, clear_bits, set_bits};
use crate::vocab::trie::ItemRange;

/// The mask of a state between two characters, by walks that pass over subtrees of safe
/// characters.
pub(super) fn sweep(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    start: ScanId,
    cap: usize,
) -> StringMask {
    let strings = vocabulary.strings(scanner.spelling);
    let first = first_characters(scanner, start);
    StringMask {
        inside: inside(scanner, vocabulary, start, &first, cap),
        exits: strings.exits.clone(),
        open: sweep_exits(scanner, strings, start, &first),
    }
}

/// The tokens after which the string goes on. `first` are ranges of characters among which are all
/// that it can begin with.
fn inside(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    start: ScanId,
    first: &[(u32, u32)],
    cap: usize,
) -> Arc<[MaskWord]> {
    let strings = vocabulary.strings(scanner.spelling);
    // One character more may have begun.
    if scanner
        .free(start)
        .allows(CharBlocks::ALL, strings.longest + 1)
    {
        return strings.inside.clone();
    }
    match sweep_class(scanner, vocabulary, start, cap) {
        Some(inside) if *inside == *strings.inside => strings.inside.clone(),
        Some(inside) => inside,
        None => {
            scanner.find_safe_chars_around(start);
            sweep_inside(scanner, vocabulary, start, first)
        }
    }
}

/// The same by a walk over the characters of all tokens.
fn sweep_inside(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    start: ScanId,
    first: &[(u32, u32)],
) -> Arc<[MaskWord]> {
    let strings = vocabulary.strings(scanner.spelling);
    let mut wanted: Vec<ItemRange> = Vec::new();
    let mut count = 0;
    strings.tokens.walk(
        SweepPlace::new(scanner, start),
        first,
        |at, c, below| at.step(scanner, c, below),
        |at, partial| partial.can_step(scanner, at.state),
        |range, _| {
            count += range.len();
            range.add_to(&mut wanted);
        },
    );
    let total = strings.tokens.len();
    if count == total {
        return strings.inside.clone();
    }
    if count <= total / 2 {
        let mut inside = vec![MaskWord::NONE; vocabulary.mask_words()];
        for range in wanted {
            set_bits(&mut inside, strings.tokens.items(range));
        }
        return inside.into();
    }
    let mut inside = strings.inside.to_vec();
    let starts = std::iter::once(0).chain(wanted.iter().map(|range| range.end));
    let ends = wanted.iter().map(|range| range.start);
    let ends = ends.chain(std::iter::once(total as u32));
    for (start, end) in starts.zip(ends) {
        clear_bits(&mut inside, strings.tokens.items(ItemRange { start, end }));
    }
    inside.into()
}

/// The closing tokens that may come, if not all may.
fn sweep_exits(
    scanner: &Scanner,
    strings: &Strings,
    start: ScanId,
    first: &[(u32, u32)],
) -> Option<ExitBits> {
    let mut open = ExitBits::none(strings.exits.len());
    let mut count = 0;
    let mut allow = |exits: &[ExitId]| {
        count += exits.len();
        open.insert_all(exits);
    };
    if scanner.can_end(start) {
        allow(strings.before.bare());
    }
    let step = |state, c, _| {
        scanner
            .step(state, c)
            .map_or(WalkVerdict::Nothing, WalkVerdict::More)
    };
    let never = |_, _| false;
    let before = &strings.before;
    before.walk(start, first, step, never, |range, state| {
        if state.is_some_and(|state| scanner.can_end(state)) {
            allow(before.items(range));
        }
    });
    (count < strings.exits.len()).then_some(open)
}

/// Ranges of characters, rising, among which are all that lead anywhere.
pub(super) fn first_characters(scanner: &Scanner, start: ScanId) -> Vec<(u32, u32)> {
    if scanner.is_computed(start) {
        return vec![(0, MAX)];
    }
    let moves = scanner.moves(start).iter();
    moves.map(|step| (step.lo, step.hi)).collect()
}
