//! The order in which the keys of a value are read.

use std::vec::IntoIter;

use crate::error::Error;
use crate::json::formula::FormulaId;
use crate::json::obligation::ObligationId;
use crate::json::outline::{Outline, OutlineMember, OutlinePart};
use crate::json::texts::TextId;
use crate::limits::Limits;
use crate::machine::config::{Config, ObjectPlace, StackId, State};
use crate::machine::store::Machine;
use crate::schema::extend_pointer;
use crate::work;

/// Bytes that are read within one allowance, like a token.
const PIECE: usize = 4;

/// For each object of a value, the order in which its members are read: their numbers in the
/// text. Objects come in the order in which they are read, each before those inside it.
///
/// Of a value that is not valid, whatever its order, the keys come in the order in which they would
/// be read if any value might come and it were only asked whether it is valid: once it
/// cannot be any more, objects that begin keep their order.
///
/// # Errors
///
/// If some piece of the text takes more work than accepting a token may, with the pointer of the place
/// in the value.
pub(crate) fn key_order(
    machine: &Machine,
    root: ObligationId,
    outline: &Outline<'_>,
    limits: &Limits,
) -> Result<Vec<u32>, Error> {
    let valid = read_in_order(machine, root, outline, limits)?;
    if valid
        .config
        .is_some_and(|end| machine.stepper().is_accepting(end))
    {
        return Ok(valid.order);
    }
    let queries = Box::new([machine.obligations.obligation_of(root).requirement]);
    let any = machine.obligations.obligation(FormulaId::TRUE, queries);
    Ok(read_in_order(machine, any, outline, limits)?.order)
}

fn read_in_order<'a>(
    machine: &'a Machine,
    obligation: ObligationId,
    outline: &'a Outline<'a>,
    limits: &'a Limits,
) -> Result<OutlineReading<'a>, Error> {
    let spacing = machine.whitespace.outside();
    let mut reading = OutlineReading {
        machine,
        outline,
        limits,
        config: Some(Config {
            state: State::Value {
                obligation,
                spacing,
            },
            stack: StackId::BOTTOM,
            record: TextId::EMPTY,
        }),
        bytes: 0,
        open: Vec::new(),
        order: Vec::new(),
    };
    let result = reading.read();
    machine.hold(reading.bytes);
    match result {
        Ok(()) => Ok(reading),
        Err(error) => Err(match reading.open.is_empty() {
            true => error,
            false => error.or_at_pointer(Some(reading.pointer())),
        }),
    }
}

/// An array or object that is being read.
struct Open {
    part: usize,
    /// The items or members that are to come, by their numbers.
    rest: IntoIter<u32>,
    /// The one that is being read.
    now: Option<u32>,
}

struct OutlineReading<'a> {
    machine: &'a Machine,
    outline: &'a Outline<'a>,
    limits: &'a Limits,
    /// `None` once the text cannot go on as it does.
    config: Option<Config>,
    /// Bytes of states that were made.
    bytes: u64,
    open: Vec<Open>,
    order: Vec<u32>,
}

impl OutlineReading<'_> {
    fn read(&mut self) -> Result<(), Error> {
        self.begin(0)?;
        while let Some(open) = self.open.last_mut() {
            let part = open.part;
            let is_first = open.now.is_none();
            open.now = open.rest.next();
            match (&self.outline.parts[part], open.now) {
                (OutlinePart::Array(items), Some(now)) => {
                    self.before_next(is_first)?;
                    self.begin(items[now as usize])?;
                }
                (OutlinePart::Object(members), Some(now)) => {
                    self.before_next(is_first)?;
                    let member = &members[now as usize];
                    self.feed(&self.outline.text[member.key.clone()])?;
                    self.feed(b":")?;
                    self.feed_whitespace()?;
                    self.begin(member.value)?;
                }
                (part, _) => {
                    let is_array = matches!(part, OutlinePart::Array(_));
                    if !is_first {
                        self.feed_whitespace()?;
                    }
                    self.feed(if is_array { b"]" } else { b"}" })?;
                    self.open.pop();
                }
            }
        }
        Ok(())
    }

    /// Reads a scalar, or the bracket that begins an array or object.
    fn begin(&mut self, part: usize) -> Result<(), Error> {
        let rest: Vec<u32> = match &self.outline.parts[part] {
            OutlinePart::Scalar(text) => return self.feed(&self.outline.text[text.clone()]),
            OutlinePart::Array(items) => {
                self.feed(b"[")?;
                (0..items.len() as u32).collect()
            }
            OutlinePart::Object(members) => {
                self.feed(b"{")?;
                let sorted = self.sorted(members);
                self.order.extend(&sorted);
                sorted
            }
        };
        let rest = rest.into_iter();
        let now = None;
        self.open.push(Open { part, rest, now });
        Ok(())
    }

    /// The order of the members of an object that has just begun: declared keys by their ranks, then
    /// the others.
    fn sorted(&self, members: &[OutlineMember]) -> Vec<u32> {
        let mut order: Vec<u32> = (0..members.len() as u32).collect();
        let obligations = &self.machine.obligations;
        if let Some(State::Object {
            object,
            place: ObjectPlace::Opened,
            ..
        }) = self.config.map(|config| config.state)
            && obligations.ordered
        {
            let shape = obligations.shape_of(object);
            let rank = |key: String| shape.rank(&key);
            order.sort_by_cached_key(|&i| {
                let rank = self.outline.key(&members[i as usize]).and_then(rank);
                rank.map_or(u32::MAX, |rank| rank.0)
            });
        }
        order
    }

    /// Reads what comes before an item or a member.
    fn before_next(&mut self, is_first: bool) -> Result<(), Error> {
        if !is_first {
            self.feed(b",")?;
        }
        self.feed_whitespace()
    }

    /// Reads the whitespace that must come.
    fn feed_whitespace(&mut self) -> Result<(), Error> {
        let due = self
            .config
            .map(|config| self.machine.due_whitespace(config));
        self.feed(&due.unwrap_or_default())
    }

    fn feed(&mut self, text: &[u8]) -> Result<(), Error> {
        for piece in text.chunks(PIECE) {
            let Some(config) = self.config else { break };
            let mut allowance = self.limits.accept();
            allowance.bytes = allowance.bytes.saturating_sub(self.bytes);
            let mut bytes = piece.iter();
            let (next, used) = work::within(allowance, || {
                Ok(bytes.try_fold(config, |config, &byte| {
                    self.machine.stepper().step(config, byte)
                }))
            })?;
            self.config = next;
            self.bytes += used.bytes;
        }
        Ok(())
    }

    /// The JSON pointer of what is being read.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for open in &self.open {
            let Some(now) = open.now else { break };
            let token = match &self.outline.parts[open.part] {
                OutlinePart::Object(members) => self.outline.key(&members[now as usize]),
                _ => Some(now.to_string()),
            };
            extend_pointer(&mut pointer, &token.unwrap_or_default());
        }
        pointer
    }
}
