//! The states that texts can lead to.

use rustc_hash::FxHashSet;

use crate::regex::scan::{Effort, ScanId, Scanner};

/// Of so many states at most all are named.
const MOST: usize = 160;

/// Ranges of characters that are looked at to find them.
const RANGES: usize = 1200;

impl Scanner {
    /// The states that texts can lead to from a state, and maybe some more; `None` if they are many.
    pub(crate) fn reachable(&self, from: ScanId) -> Option<Box<[ScanId]>> {
        let mut seen = FxHashSet::from_iter([from]);
        let mut found = vec![from];
        let mut effort = Effort::new(self, MOST, RANGES);
        let mut next = 0;
        while let Some(&state) = found.get(next) {
            next += 1;
            if self.is_computed(state) || !effort.spend(state) {
                return None;
            }
            let around = self.around(state).iter().map(|&(to, _)| to);
            found.extend(around.filter(|&to| seen.insert(to)));
            if found.len() > MOST {
                return None;
            }
        }
        Some(found.into())
    }
}
