//! Objects and their keys.

use crate::json::frames::TextId;
use crate::json::keys::{Known, Prefix};
use crate::json::object::{Key, ObjectId};
use crate::json::spelling::{Partial, Taken};
use crate::machine::{Config, Machine, Place, StackId, State};

impl Machine {
    pub(super) fn step_object(
        &self,
        object: ObjectId,
        place: Place,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        if byte == b'}' && place != Place::AfterComma {
            return Some(self.close(stack, &self.frames.end_object(object)?));
        }
        if !self.frames.plan(object).allows_any_key() {
            return None;
        }
        let state = match (place, byte) {
            (Place::AfterMember, b',') => {
                let gap = self.whitespace.after_separator();
                State::Object {
                    object,
                    place: Place::AfterComma,
                    gap,
                }
            }
            (Place::Opened | Place::AfterComma, b'"') => self.begin_key(object),
            _ => return None,
        };
        Some(Config { state, stack })
    }

    fn begin_key(&self, object: ObjectId) -> State {
        let partial = Partial::Nothing;
        match self.frames.key_table(object).start() {
            Some(prefix) => State::Key {
                object,
                prefix,
                partial,
            },
            None => State::OtherKey {
                object,
                text: TextId::EMPTY,
                partial,
            },
        }
    }

    pub(super) fn step_key(
        &self,
        object: ObjectId,
        prefix: Prefix,
        partial: Partial,
        byte: u8,
    ) -> Option<State> {
        let plan = self.frames.plan(object);
        let table = self.frames.key_table(object);
        match partial.take_json(byte) {
            Taken::Partial(partial) => {
                let leads = |rest: &str| {
                    let next = rest.chars().next().map(u32::from);
                    next.is_some_and(|c| partial.may_become(c))
                };
                let live = plan.other
                    || table
                        .declared(prefix)
                        .any(|(rank, rest)| plan.allows(rank) && leads(rest));
                live.then_some(State::Key {
                    object,
                    prefix,
                    partial,
                })
            }
            Taken::Char(c) => match table.step(prefix, char::from_u32(c)?) {
                Some(prefix) => {
                    let live =
                        plan.other || table.declared(prefix).any(|(rank, _)| plan.allows(rank));
                    let partial = Partial::Nothing;
                    live.then_some(State::Key {
                        object,
                        prefix,
                        partial,
                    })
                }
                None if plan.other => {
                    let text = self.frames.longer(self.frames.text(table.text(prefix)), c);
                    Some(State::OtherKey {
                        object,
                        text,
                        partial: Partial::Nothing,
                    })
                }
                None => None,
            },
            Taken::Close => {
                let key = match table.whole(prefix) {
                    Some(Known::Declared(rank)) if plan.allows(rank) => Key::Declared(rank),
                    None | Some(Known::Wanted) if plan.other => {
                        Key::Other(self.frames.text(table.text(prefix)))
                    }
                    _ => return None,
                };
                Some(self.after_key(object, key))
            }
            Taken::Refused => None,
        }
    }

    /// Whether a byte turns a key that the object knows so far into one that it does not know.
    pub(crate) fn loses_key(&self, state: State, byte: u8) -> bool {
        let State::Key {
            object,
            prefix,
            partial,
        } = state
        else {
            return false;
        };
        let table = self.frames.key_table(object);
        match partial.take_json(byte) {
            Taken::Char(c) => char::from_u32(c).is_none_or(|c| table.step(prefix, c).is_none()),
            Taken::Partial(partial) => !table
                .next_chars(prefix)
                .into_iter()
                .any(|c| partial.may_become(u32::from(c))),
            Taken::Close | Taken::Refused => false,
        }
    }

    pub(super) fn after_key(&self, object: ObjectId, key: Key) -> State {
        let member = self.frames.member(object, key);
        State::Colon {
            member,
            gap: self.whitespace.inside(),
        }
    }
}
