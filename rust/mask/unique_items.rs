//! Masks inside an item of `uniqueItems`, which is compared with others.
//!
//! What may follow such an item depends on its value: the next one must differ from it. As long as
//! there are values in plenty, that shows inside the next item only. So the item is closed without
//! its value, once for all tokens, and only those that read on into the next item are looked at
//! alone.

use crate::json::texts::TextId;
use crate::machine::{Config, State};
use crate::mask::walk::{Ended, Walk};
use crate::regex::scan::ScanId;
use crate::spelling::SPACES;

impl Walk<'_> {
    /// What comes after the string or number that is being read.
    pub(super) fn ended(&self, config: Config, scan: ScanId) -> Ended {
        let machine = self.machine;
        if !machine
            .obligations
            .rules
            .scanner
            .scan(scan)
            .queries
            .is_empty()
        {
            return Ended::ByText;
        }
        match config.record {
            TextId::EMPTY => match machine.stepper().close_scalar(config.stack, scan) {
                Some(after) => Ended::At(after),
                None => Ended::Never,
            },
            _ => match machine.stepper().close_any_item(config) {
                Some(after) => Ended::At(after),
                None => Ended::ByText,
            },
        }
    }

    /// Whether a token cannot go on with bytes after `ended` once the value is known. `goes_on` says
    /// whether it can, value and all.
    pub(super) fn differs(
        &self,
        ended: Config,
        beyond: &[u8],
        goes_on: impl FnOnce() -> bool,
    ) -> bool {
        reads_item(beyond) && !self.is_certain(ended, beyond) && !goes_on()
    }

    /// Whether valid texts go on with these bytes.
    pub(super) fn goes_on(&self, from: Config, bytes: &[u8]) -> bool {
        self.read(from, bytes).is_some()
    }

    /// Whether the next item has, after what these bytes read of it, values in plenty.
    fn is_certain(&self, ended: Config, beyond: &[u8]) -> bool {
        let machine = self.machine;
        let mut at = ended;
        let mut items = 0;
        for &byte in beyond {
            let Some(next) = machine.stepper().step(at, byte) else {
                return false;
            };
            let began = matches!(at.state, State::Value { .. }) && at.stack == next.stack;
            items += u32::from(began && !matches!(next.state, State::Value { .. }));
            at = next;
        }
        match (items, at.state) {
            (1, State::String { scan, .. }) => machine.stepper().has_plenty(ended, scan),
            _ => false,
        }
    }
}

/// Whether what follows an item goes on into the next one.
fn reads_item(beyond: &[u8]) -> bool {
    let mut rest = beyond.iter().skip_while(|byte| SPACES.contains(byte));
    rest.next() == Some(&b',') && rest.any(|byte| !SPACES.contains(byte))
}
