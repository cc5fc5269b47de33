//! What the nodes of numbers refer to.

use crate::decimal::Decimal;
use crate::intern::Interner;
use crate::regex::numeric::bound::Digits;
use crate::regex::numeric::set::Set;

/// What the nodes of numbers refer to.
#[derive(Debug)]
pub(crate) struct Store {
    sets: Interner<Set>,
    pub(super) digits: Digits,
    pub(super) values: Interner<Decimal>,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            sets: Interner::new(),
            digits: Digits::new(),
            values: Interner::new(),
        }
    }
}

impl Store {
    pub(super) fn intern(&self, set: Set) -> u32 {
        self.sets.intern(set)
    }

    pub(crate) fn set(&self, id: u32) -> &Set {
        self.sets.get(id)
    }

    pub(crate) fn digits(&self) -> &Digits {
        &self.digits
    }
}
