//! The key with which an object ends soonest.

use crate::json::formula::FormulaId;
use crate::json::keys::{KeyTable, Prefix};
use crate::json::liveness::{NEVER, add};
use crate::json::object::{Key, ObjectId};
use crate::json::spelling::{Partial, spell_json};
use crate::machine::Machine;

impl Machine {
    /// The bytes after a key's closing quote: colon, value, and the rest of the object.
    pub(super) fn key_cost(&self, object: ObjectId, formula: FormulaId, key: Key) -> u64 {
        let frames = &self.frames;
        let ways = frames.object_ways(object, formula);
        let costs = ways.iter().filter_map(|way| {
            let value = frames.object_value_way(object, way, key)?;
            let value = add(frames.rules.cost(value), frames.rules.separator);
            Some(add(value, frames.object_end_cost(object, way, Some(key))))
        });
        costs.min().unwrap_or(NEVER)
    }

    /// The rest of the key, without the closing quote, with which the object ends soonest, and the
    /// bytes to the end of the object.
    pub(super) fn best_key(
        &self,
        object: ObjectId,
        asked: &[u16],
        prefix: Option<Prefix>,
        partial: Partial,
    ) -> Option<(Vec<u8>, u64)> {
        let frames = &self.frames;
        let plan = frames.plan(object);
        let table = frames.key_table(object);
        let formula = frames.object_demand(object, asked);
        let mut best: Option<(Vec<u8>, u64)> = None;
        let mut consider = |rest: &str, key: Key| {
            let Some(bytes) = spell_rest(rest, partial) else {
                return;
            };
            let cost = add(bytes.len() as u64 + 1, self.key_cost(object, formula, key));
            if cost != NEVER && best.as_ref().is_none_or(|&(_, least)| cost < least) {
                best = Some((bytes, cost));
            }
        };
        if let Some(prefix) = prefix {
            // Of equal costs the lowest rank wins, as where a key is begun: so the rest of an
            // ending is the ending of the rest.
            let allowed = table
                .declared(prefix)
                .filter(|&(rank, _)| plan.allows(rank));
            let mut allowed: Vec<(u32, &str)> = allowed.collect();
            allowed.sort_unstable();
            for (rank, rest) in allowed {
                consider(rest, Key::Declared(rank));
            }
        }
        for way in frames.object_ways(object, formula) {
            if let Some(Key::Other(text)) = way.next_missing() {
                let whole = frames.spell(text);
                let read = prefix.map_or("", |prefix| table.text(prefix));
                if let Some(rest) = whole.strip_prefix(read) {
                    consider(rest, Key::Other(text));
                }
            }
        }
        if plan.other {
            let rest = shortest_other(table, prefix, partial);
            let read = prefix.map_or("", |prefix| table.text(prefix));
            let text = frames.text(&format!("{read}{rest}"));
            consider(&rest, Key::Other(text));
        }
        best
    }
}

/// The bytes of `rest` after a partial, which its first character must complete.
fn spell_rest(rest: &str, partial: Partial) -> Option<Vec<u8>> {
    let mut chars = rest.chars();
    let mut bytes = Vec::with_capacity(rest.len());
    if partial != Partial::Nothing {
        let c = u32::from(chars.next()?);
        if !partial.may_become(c) {
            return None;
        }
        bytes.extend(partial.rest(c));
    }
    bytes.extend(chars.flat_map(|c| spell_json(u32::from(c))));
    Some(bytes)
}

/// The shortest rest of a key that the table does not know.
fn shortest_other(table: &KeyTable, prefix: Option<Prefix>, partial: Partial) -> String {
    let Some(prefix) = prefix else {
        return String::new();
    };
    if partial == Partial::Nothing && table.whole(prefix).is_none() {
        return String::new();
    }
    let mut queue = std::collections::VecDeque::from([(prefix, String::new())]);
    while let Some((prefix, text)) = queue.pop_front() {
        let ranges = if text.is_empty() {
            partial.characters()
        } else {
            Partial::Nothing.characters()
        };
        let known = table.next_chars(prefix);
        for (lo, hi) in ranges {
            if let Some(c) = cheapest_unknown(lo, hi, &known) {
                return format!("{text}{c}");
            }
        }
        for c in known.into_iter().filter(|&c| {
            ranges
                .iter()
                .any(|&(lo, hi)| (lo..=hi).contains(&u32::from(c)))
        }) {
            if let Some(next) = table.step(prefix, c) {
                let text = format!("{text}{c}");
                if table.whole(next).is_none() {
                    return text;
                }
                queue.push_back((next, text));
            }
        }
    }
    unreachable!("a table of finitely many keys does not know all texts")
}

/// The cheapest character of a range that is not in a sorted list.
fn cheapest_unknown(lo: u32, hi: u32, known: &[char]) -> Option<char> {
    let free = |c: &char| (lo..=hi).contains(&u32::from(*c)) && known.binary_search(c).is_err();
    ('a'..='z')
        .chain('0'..='9')
        .chain('A'..='Z')
        .find(free)
        .or_else(|| (lo..=hi).filter_map(char::from_u32).find(free))
}
