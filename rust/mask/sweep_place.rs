//! A place in a walk over the characters of tokens: a step passes whole subtrees where it can.

use crate::regex::char_blocks::CharBlocks;
use crate::regex::facts::Free;
use crate::regex::scan::{SafeChars, ScanId, ScanMoves, Scanner};
use crate::vocab::characters::{StringSubtree, WalkVerdict};

/// A place of a sweep: a state, and what is looked up of it again and again.
#[derive(Clone, Copy)]
pub(super) struct SweepPlace<'a> {
    pub(super) state: ScanId,
    /// The moves of the state, unless it is hard to make.
    moves: Option<&'a ScanMoves>,
    safe_chars: Option<&'a SafeChars>,
    free: Free,
}

impl<'a> SweepPlace<'a> {
    pub(super) fn new(scanner: &'a Scanner, state: ScanId) -> Self {
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

    pub(super) fn step(
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
