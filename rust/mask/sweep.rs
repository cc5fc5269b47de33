//! String masks from between two characters, by walks over the characters of tokens.

use std::sync::Arc;

use crate::regex::char_blocks::CharBlocks;
use crate::regex::codeset::MAX;
use crate::regex::facts::Free;
use crate::regex::scan::{SafeChars, ScanId, ScanMoves, Scanner};
use crate::vocab::Vocabulary;
use crate::vocab::string_mask::{ExitBits, ExitId, StringMask};
use crate::vocab::strings::{StringSubtree, Strings, WalkVerdict};
use crate::vocab::token::{MaskWord, clear_bits, set_bits};
use crate::vocab::trie::ItemRange;

/// The mask of a state between two characters, by walks that pass over subtrees of safe
/// characters.
pub(super) fn sweep(scanner: &Scanner, vocabulary: &Vocabulary, start: ScanId) -> StringMask {
    let strings = vocabulary.strings(scanner.spelling);
    scanner.find_safe_chars_around(start);
    let first = first_characters(scanner, start);
    StringMask {
        inside: sweep_inside(scanner, vocabulary, start, &first),
        exits: strings.exits.clone(),
        open: sweep_exits(scanner, strings, start, &first),
    }
}

/// The tokens after which the string goes on. `first` are ranges of characters among which are all
/// that it can begin with.
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
        exits.iter().for_each(|&exit| open.insert(exit));
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

/// A place of a sweep: a state, and what is looked up of it again and again.
#[derive(Clone, Copy)]
struct SweepPlace<'a> {
    state: ScanId,
    /// The moves of the state, unless it is hard to make.
    moves: Option<&'a ScanMoves>,
    safe_chars: Option<&'a SafeChars>,
    free: Free,
}

impl<'a> SweepPlace<'a> {
    fn new(scanner: &'a Scanner, state: ScanId) -> Self {
        SweepPlace {
            moves: scanner.all_moves_unless_computed(state),
            ..SweepPlace::passing(scanner, state)
        }
    }

    /// The place of a state after which few characters follow, so that its moves are not all made.
    fn passing(scanner: &'a Scanner, state: ScanId) -> Self {
        SweepPlace {
            state,
            moves: scanner.known_moves(state),
            safe_chars: None,
            free: scanner.free(state),
        }
    }

    fn step(
        self,
        scanner: &'a Scanner,
        c: u32,
        below: StringSubtree,
    ) -> WalkVerdict<SweepPlace<'a>> {
        /// Subtrees whose texts add fewer characters than this are walked character by character.
        const SMALL: u32 = 2;
        /// So are subtrees of fewer nodes, unless the safe characters are known already: to find
        /// them would look at as many states.
        const FEW: u32 = 48;
        /// In subtrees of at most so many nodes, only the moves of the characters there are made.
        const VERY_FEW: u32 = 6;
        let StringSubtree {
            characters,
            height,
            nodes,
        } = below;
        if self
            .free
            .allows(characters.or(CharBlocks::of(c)), height + 1)
        {
            return WalkVerdict::All;
        }
        let to = match self.moves {
            Some(moves) => moves.to(c),
            None => scanner.step_once(self.state, c),
        };
        let Some(to) = to else {
            return WalkVerdict::Nothing;
        };
        let mut next = match to {
            _ if to == self.state => self,
            // Nothing is below.
            _ if height == 0 => SweepPlace {
                state: to,
                moves: None,
                safe_chars: None,
                free: Free::default(),
            },
            // No moves are made where they are not needed.
            _ if height >= SMALL && scanner.free(to).allows(characters, height) => {
                return WalkVerdict::All;
            }
            _ if nodes <= VERY_FEW => SweepPlace::passing(scanner, to),
            _ => SweepPlace::new(scanner, to),
        };
        if height >= SMALL && (nodes >= FEW || next.safe_chars.is_some()) {
            let safe_chars = next.safe_chars.unwrap_or_else(|| scanner.safe_chars(to));
            if safe_chars.allows(characters, height) {
                return WalkVerdict::All;
            }
            next.safe_chars = Some(safe_chars);
        }
        WalkVerdict::More(next)
    }
}

/// Ranges of characters, rising, among which are all that lead anywhere.
fn first_characters(scanner: &Scanner, start: ScanId) -> Vec<(u32, u32)> {
    if scanner.is_computed(start) {
        return vec![(0, MAX)];
    }
    let moves = scanner.moves(start).iter();
    moves.map(|step| (step.lo, step.hi)).collect()
}
