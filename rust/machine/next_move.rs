//! Completions, written move by move: the bytes or the token with which the text ends soonest.

use crate::grammar::program::TokenSetId;
use crate::json::array::state::ArrayId;
use crate::json::cost::add;
use crate::json::kind::Kind;
use crate::json::object::state::ObjectId;
use crate::json::obligation::ObligationId;
use crate::json::obligations::Entry;
use crate::machine::completer::Completer;
use crate::machine::completion::{SLACK, easiest};
use crate::machine::config::{Config, ObjectPlace, State};
use crate::machine::whitespace::WhitespaceRun;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;
use crate::spelling::{Partial, spell_json};

/// The next move of a completion.
#[derive(Debug)]
pub(crate) enum NextMove {
    Bytes(Vec<u8>),
    /// A token of a set, which is read by its id, and what it leads to.
    Token(TokenSetId, Config),
    /// No text: the completion goes on from this configuration, one of several that the text so far
    /// is in.
    Goto(Config),
    End,
    /// A search for a witness ran out of its budget, so that no completion is known.
    Unknown,
}

impl Completer<'_> {
    /// The bytes of a shortest ending of the text, empty where the text may end; `None` if it is
    /// longer than `cap` bytes, or none is known. `spell` is how a token of a set is written that is
    /// read by its id.
    pub(crate) fn completion<'a>(
        &self,
        mut config: Config,
        cap: usize,
        spell: impl Fn(TokenSetId) -> &'a [u8],
    ) -> Option<Vec<u8>> {
        let most = (cap as u64).saturating_add(SLACK);
        let mut bound = self.max_completion_bytes(config);
        let (mut out, mut tokens) = (Vec::new(), 0);
        loop {
            let written = (out.len() as u64).saturating_sub(tokens);
            if written > bound {
                // An item must equal one whose length no bound knows before it has ended.
                bound = add(written, self.max_completion_bytes(config));
            }
            if bound > most {
                return None;
            }
            match self.next_move(config) {
                NextMove::End => return Some(out),
                NextMove::Unknown => return None,
                NextMove::Goto(same) => config = same,
                NextMove::Token(set, next) => {
                    out.extend_from_slice(spell(set));
                    tokens += spell(set).len() as u64;
                    config = next;
                }
                NextMove::Bytes(bytes) => {
                    config = bytes
                        .iter()
                        .try_fold(config, |at, &byte| self.machine.stepper().step(at, byte))?;
                    out.extend(bytes);
                }
            }
        }
    }

    pub(crate) fn next_move(&self, config: Config) -> NextMove {
        let state = config.state;
        if let State::Ambiguous(set) = state {
            return self.cheapest_member(set);
        }
        if self.machine.stepper().is_accepting(config) {
            return NextMove::End;
        }
        let asked = self.best_demands(config);
        match state {
            _ if self.machine.next_due(state).is_some() => {
                NextMove::Bytes(self.machine.due_whitespace(config))
            }
            State::Array { spacing, .. } if self.machine.whitespace.is_after_line(spacing) => {
                NextMove::Bytes(vec![b']'])
            }
            State::Object {
                place: ObjectPlace::AfterMember,
                spacing,
                ..
            } if self.machine.whitespace.is_after_line(spacing) => NextMove::Bytes(vec![b'}']),
            State::Value { obligation, .. } => self.value_move(obligation, asked, config),
            State::Literal { kind, at, .. } => {
                NextMove::Bytes(self.machine.literals.text(kind)[usize::from(at)..].to_vec())
            }
            State::Number(scan) => {
                let after = self.machine.stepper().close_number(config);
                self.scalar_move(scan, Partial::Nothing, asked, after.map(NextMove::Goto))
            }
            State::String { scan, partial } => {
                let close = (partial == Partial::Nothing).then(|| NextMove::Bytes(vec![b'"']));
                self.scalar_move(scan, partial, asked, close)
            }
            State::Array { array, opened, .. } => self.array_move(array, opened, asked, config),
            State::Object {
                place: ObjectPlace::AfterComma,
                ..
            } => {
                let key = self.best_key(state, asked);
                key.map_or(NextMove::Unknown, |(rest, _)| {
                    NextMove::Bytes([b"\"", &rest[..], b"\""].concat())
                })
            }
            State::Object { object, place, .. } => self.object_move(object, place, asked, config),
            State::Key { .. } | State::ScannedKey { .. } => {
                let key = self.best_key(state, asked);
                key.map_or(NextMove::Unknown, |(rest, _)| {
                    NextMove::Bytes([&rest[..], b"\""].concat())
                })
            }
            State::OtherKey {
                partial: Partial::Nothing,
                ..
            } => NextMove::Bytes(vec![b'"']),
            State::OtherKey { partial, .. } => NextMove::Bytes(any_rest(partial)),
            State::Colon { .. } => NextMove::Bytes(vec![b':']),
            State::Text { scan, partial } => self.text_move(scan, partial, config.stack),
            State::Ambiguous(_) => NextMove::Unknown,
            State::Done { .. } | State::Detached => NextMove::End,
        }
    }

    fn value_move(&self, obligation: ObligationId, asked: &[u16], config: Config) -> NextMove {
        let obligations = &self.machine.obligations;

        let formula = self.demanded(obligations.obligation_of(obligation), asked);
        let kinds = Kind::ALL.into_iter();
        let kind = kinds.min_by_key(|&kind| obligations.rules.cost_of_kind(formula, kind));
        match kind.expect("there are seven kinds") {
            Kind::Number => match obligations.enter(obligation, Kind::Number) {
                Some(Entry::Scalar(scan)) => NextMove::Goto(Config {
                    state: State::Number(scan),
                    ..config
                }),
                _ => NextMove::End,
            },
            Kind::String => NextMove::Bytes(vec![b'"']),
            Kind::Array => NextMove::Bytes(vec![b'[']),
            Kind::Object => NextMove::Bytes(vec![b'{']),
            literal => NextMove::Bytes(self.machine.literals.text(literal).to_vec()),
        }
    }

    /// In a string or number: `close`, which ends it, if its text satisfies the demands, or its next
    /// character.
    fn scalar_move(
        &self,
        scan: ScanId,
        partial: Partial,
        asked: &[u16],
        close: Option<NextMove>,
    ) -> NextMove {
        let node = self.language(scan, asked);
        let regexes = &self.machine.obligations.rules.scanner.regexes;
        match close {
            Some(close) if regexes.nullable(node) => close,
            _ => self.char_move(node, partial),
        }
    }

    fn char_move(&self, node: NodeId, partial: Partial) -> NextMove {
        let best = self.best_char(node, partial);
        best.map_or(NextMove::Unknown, |(c, _)| NextMove::Bytes(partial.rest(c)))
    }

    fn array_move(&self, array: ArrayId, opened: bool, asked: &[u16], config: Config) -> NextMove {
        let ways = self
            .machine
            .obligations
            .array_ways(array, self.machine.obligations.array_demand(array, asked));
        let Some(way) = ways.iter().min_by_key(|way| way.completion.cost) else {
            return NextMove::Unknown;
        };
        match (way.completion.missing(), opened) {
            (0, true) => NextMove::Bytes(vec![b']']),
            (0, false) => NextMove::Bytes(self.after_whitespace(config, b"]")),
            (_, false) => NextMove::Bytes(vec![b',']),
            (_, true) if !self.machine.due_whitespace(config).is_empty() => {
                NextMove::Bytes(self.machine.due_whitespace(config))
            }
            (_, true) => {
                let obligation = self
                    .machine
                    .obligations
                    .item(array)
                    .expect("an item is missing");
                let (stack, record) =
                    self.machine
                        .stepper()
                        .begin_item(array, config.stack, config.record);
                let spacing = WhitespaceRun::NONE;
                let state = State::Value {
                    obligation,
                    spacing,
                };
                NextMove::Goto(Config {
                    state,
                    stack,
                    record,
                })
            }
        }
    }

    /// The whitespace that must come, and what comes after it.
    fn after_whitespace(&self, config: Config, text: &[u8]) -> Vec<u8> {
        [&self.machine.due_whitespace(config)[..], text].concat()
    }

    fn object_move(
        &self,
        object: ObjectId,
        place: ObjectPlace,
        asked: &[u16],
        config: Config,
    ) -> NextMove {
        let obligations = &self.machine.obligations;
        let ways = obligations.object_ways(object, obligations.object_demand(object, asked));
        let way = ways.iter().min_by_key(|way| way.completion.cost);
        let Some(way) = way else {
            return NextMove::Unknown;
        };
        match way.next_missing() {
            None if place == ObjectPlace::Opened => NextMove::Bytes(vec![b'}']),
            None => NextMove::Bytes(self.after_whitespace(config, b"}")),
            Some(_) if place == ObjectPlace::AfterMember => NextMove::Bytes(vec![b',']),
            Some(key) => {
                let text = obligations.key_text(object, key);
                let mut bytes = self.after_whitespace(config, b"\"");
                bytes.extend(text.chars().flat_map(|c| spell_json(u32::from(c))));
                bytes.push(b'"');
                NextMove::Bytes(bytes)
            }
        }
    }
}

/// The bytes that finish a character, whichever.
fn any_rest(partial: Partial) -> Vec<u8> {
    let rests = partial
        .ranges()
        .map(|(lo, hi)| partial.rest(easiest(partial, lo, hi)));
    rests
        .min_by_key(Vec::len)
        .expect("a partial can become some character")
}
