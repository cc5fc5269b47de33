//! How far the end of the text can be after the tokens of a mask.

use crate::json::object::keys::Key;
use crate::json::texts::TextId;
use crate::machine::{Config, Machine, State};
use crate::mask::bits::has_bit;
use crate::mask::guide::{Guide, Visitor};
use crate::mask::local::Unlimited;
use crate::mask::tokens::{Mask, Tokens};
use crate::mask::walk::Walk;
use crate::regex::scan::Scan;
use crate::spelling::Partial;
use crate::vocab::local::Local;

/// Finds an upper bound of the bytes that finish the text.
struct Costliest<'a> {
    machine: &'a Machine,
    most: u64,
    last: Option<Config>,
}

impl Visitor for Costliest<'_> {
    fn passes(&mut self, bound: u64) -> bool {
        self.most = self.most.max(bound);
        true
    }

    fn wants(&mut self, at: Config) -> bool {
        if self.last.replace(at) != Some(at) {
            self.most = self.most.max(self.machine.ending_ceiling(at));
        }
        false
    }

    fn take(&mut self, _: &[u32]) {}
}

/// So few tokens are looked at sooner than the states around them.
const FEW: u32 = 512;

impl Walk<'_> {
    /// An upper bound of the bytes that finish the text after any of a mask's tokens.
    pub(super) fn costliest(&self, config: Config, mask: &Mask) -> u64 {
        let machine = self.machine;
        let named = mask.named().map(|_| machine.token_moves(config));
        let named = named.into_iter().flatten();
        let named = named.map(|(_, next)| machine.ending_bound(next)).max();
        let text = match mask.tokens() {
            Tokens::Inside(local, more) => self.costliest_inside(config, local, more),
            Tokens::Few(_) | Tokens::Many(_) | Tokens::Above(..) => {
                self.costliest_of(|guide| self.places(config, guide))
            }
        };
        text.max(named.unwrap_or(0))
    }

    /// The costliest of what a walk meets.
    fn costliest_of(&self, walk: impl FnOnce(&mut Guide<'_, Costliest<'_>>)) -> u64 {
        let mut visitor = Costliest {
            machine: self.machine,
            most: 0,
            last: None,
        };
        walk(&mut Guide::roughly(
            self.machine,
            self.vocabulary,
            &mut visitor,
        ));
        visitor.most
    }

    fn costliest_inside(&self, config: Config, local: &Local, more: &[u32]) -> u64 {
        let machine = self.machine;
        let Some(inside) = self.inside_bound(config, local) else {
            return self.costliest_of(|guide| self.inside_groups(config, local, more, guide));
        };
        let unknown = |object, text| machine.after_key_config(config, object, Key::Other(text, 0));
        let left = match config.state {
            _ if config.record != TextId::EMPTY => None,
            State::String { scan, .. } => self.ended(config, scan),
            State::OtherKey { object, text, .. } => Some(Some(unknown(object, text))),
            State::Key { object, .. } => {
                let known = self.costliest_of(|guide| self.known_keys(config, guide));
                let after = unknown(object, TextId::WHATEVER);
                return inside.max(known).max(self.costliest_left(local, after));
            }
            _ => None,
        };
        match left {
            Some(left) => left.map_or(inside, |after| {
                inside.max(self.costliest_left(local, after))
            }),
            None => {
                let after = more.iter().filter_map(|&token| self.after(config, token));
                let costs = after.map(|after| machine.ending_bound(after));
                costs.max().unwrap_or(0).max(inside)
            }
        }
    }

    /// The same of the tokens that stay inside the string or key; `None` if that would be costly.
    pub(super) fn inside_bound(&self, config: Config, local: &Local) -> Option<u64> {
        let machine = self.machine;
        if let Some(bound) = machine.inside_bound(config) {
            return Some(bound);
        }
        let State::String { scan, partial } = config.state else {
            return None;
        };
        let scanner = &machine.frames.rules.scanner;
        let Scan { must, asks } = scanner.scan(scan);
        let count: u32 = local.inside.iter().map(|word| word.count_ones()).sum();
        if !asks.is_empty() || count < FEW {
            return None;
        }
        if let Some(rest) = scanner.longest_rest(scan) {
            return Some(machine.string_bound(config.stack, rest));
        }
        if partial != Partial::Nothing {
            return None;
        }
        let unlimited = Unlimited::of(scanner, *must)?;
        let doubtful = unlimited.doubtful(self.vocabulary.strings(scanner.spelling));
        let doubtful = doubtful.filter(|&token| has_bit(&local.inside, token));
        let after = doubtful.filter_map(|token| self.after(config, token));
        let costs = after.map(|after| machine.ending_bound(after));
        let certain = machine.string_bound(config.stack, unlimited.rest);
        Some(costs.max().unwrap_or(0).max(certain))
    }

    /// The same of any exit of a string that goes on from `after`.
    fn costliest_left(&self, local: &Local, after: Config) -> u64 {
        let left = self.leave(local, after);
        *left
            .costliest
            .get_or_init(|| self.costliest_of(|guide| self.exits_of(local, after, guide)))
    }

    /// Where a token leads, the text of an unknown key forgotten.
    fn after(&self, from: Config, token: u32) -> Option<Config> {
        let bytes = self.vocabulary.token(token).unwrap_or_default();
        Some(self.machine.canonical(self.read(from, bytes)?))
    }
}
