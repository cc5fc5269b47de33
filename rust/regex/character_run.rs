//! Runs of characters that lead the same way.

use crate::regex::char_blocks::CharBlocks;
use crate::regex::scan::{ScanId, Scanner};

/// The characters of a state that lead to the same state, where those are the most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SameWay {
    pub(crate) characters: CharBlocks,
    pub(crate) to: ScanId,
}

impl Scanner {
    /// The most characters of a state that lead to one state; `None` if none lead anywhere, or the
    /// moves of the state are not to be made.
    pub(crate) fn same_way(&self, id: ScanId) -> Option<SameWay> {
        self.all_moves_unless_computed(id)?;
        let size = |&(_, around): &(ScanId, CharBlocks)| around.size();
        let (to, _) = self.around(id).iter().copied().max_by_key(size)?;
        let moves = self.moves(id).iter().filter(|step| step.to == to);
        Some(SameWay {
            characters: CharBlocks::within(moves.map(|step| (step.lo, step.hi))),
            to,
        })
    }
}
