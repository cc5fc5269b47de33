//! Texts of unknown keys that make no difference to how a text ends.
//!
//! Which unknown key is being read matters to an ending only if that key comes again in it. So where a
//! token leads is looked at with such texts forgotten: tokens by the thousand then lead to one
//! place. What a token's place is depends on where it begins and on its bytes, and on nothing else;
//! whether the text can be finished in time after it is asked of that place alone.

use crate::json::texts::TextId;
use crate::machine::{Config, Machine, State};
use crate::mask::completion_tree::{CompletionKeys, Completions};

/// Where a token leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead {
    along: Config,
    pub(crate) place: Config,
}

impl Lead {
    /// What the token leads to with texts forgotten on the way, outside keys. If the text surely ends
    /// soon enough from there, its place need not be found: a key that must differ from a forgotten one
    /// takes a few bytes more, and the bound of all bytes is larger than that.
    pub(crate) fn bound(self) -> Option<Config> {
        Lead::bounded(self.along)
    }

    pub(super) fn bounded(along: Config) -> Option<Config> {
        key_text(along).is_none().then_some(along)
    }
}

impl Completions<'_> {
    /// Where bytes lead from `from`; `real` is the configuration that they lead to with no text
    /// forgotten.
    pub(crate) fn lead(self, from: Config, bytes: &[u8], real: Config) -> Lead {
        let mut bytes = bytes.iter();
        let along = bytes.try_fold(self.forget(from), |at, &byte| {
            Some(self.forget(self.machine.stepper().step(at, byte)?))
        });
        let along = along.unwrap_or(real);
        let computed = along != real && self.tells(along);
        let place = self.settle(if computed { real } else { along });
        Lead { along, place }
    }

    /// Where a token leads that is read by its id.
    pub(crate) fn lead_by_id(self, real: Config) -> Lead {
        Lead {
            along: real,
            place: self.settle(real),
        }
    }

    /// The configuration without the text of the unknown key in it, if the completion writes no
    /// other unknown key in that object.
    fn forget(self, at: Config) -> Config {
        let forgotten = self.machine.key_reader().canonical(at);
        match forgotten != at && self.tells(forgotten) {
            true => at,
            false => forgotten,
        }
    }

    /// Whether the completion writes an unknown key, which a forgotten key could equal.
    pub(super) fn tells(self, at: Config) -> bool {
        !self.keys(at).is_empty()
    }

    /// The place of the texts that lead to `at`: without the text of the unknown key that is being
    /// read, if that makes no difference.
    pub(super) fn settle(self, at: Config) -> Config {
        match key_text(at) {
            None => at,
            text => shared(self.machine, at, text, |at| self.keys(at)).unwrap_or(at),
        }
    }
}

/// The place that all texts share which lead to `at` except for the text of an unknown key, of
/// which the beginning `begun` may be known; `None` if they do not share one. `keys` is
/// [`Completions::keys`].
pub(super) fn shared(
    machine: &Machine,
    at: Config,
    begun: Option<TextId>,
    keys: impl FnOnce(Config) -> CompletionKeys,
) -> Option<Config> {
    let forgotten = machine.key_reader().canonical(at);
    match key_text(forgotten) {
        // Only the bytes of its endings are looked at, which do not depend on the record.
        _ if forgotten.record != TextId::EMPTY => Some(forgotten),
        None => keys(forgotten).is_empty().then_some(forgotten),
        Some(TextId::WHATEVER) => {
            let texts = &machine.obligations.rules.texts;
            let begun = begun.filter(|&text| text != TextId::WHATEVER);
            let may_be = |&key: &TextId| {
                key == TextId::WHATEVER || begun.is_none_or(|text| texts.begins_with(key, text))
            };
            (!keys(forgotten).iter().any(may_be)).then_some(forgotten)
        }
        Some(_) => None,
    }
}

/// The text of the unknown key that is being read, if it is one.
pub(super) fn key_text(config: Config) -> Option<TextId> {
    match config.state {
        State::OtherKey { text, .. } | State::ScannedKey { text, .. } => Some(text),
        _ => None,
    }
}
