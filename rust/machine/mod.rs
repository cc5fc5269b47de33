//! The text machine: what has been read, as a configuration, and what a byte makes of it.

mod completion;
mod describe;
mod ending_key;
mod forced;
mod gap;
mod key_order;
mod object;
mod places;
mod stack;
mod text;
mod text_ending;
mod write_gbnf;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::byte_set::ByteSet;
use crate::grammar::program::Program;
use crate::intern::Interner;
use crate::json::array::ArrayId;
use crate::json::formula::{FormulaId, Kind, Literals};
use crate::json::frames::{Entry, Frames, TaskId};
use crate::json::keys::Prefix;
use crate::json::liveness::NEVER;
use crate::json::object::{MemberId, ObjectId};
use crate::json::shape::Key;
use crate::json::spelling::{Partial, Scanned, needs_escape, scan_string};
use crate::json::texts::TextId;
use crate::regex::codeset::MAX;
use crate::regex::scan::ScanId;
use crate::spelling::JsonSpelling;
use crate::vocab::SPACES;

pub(crate) use completion::{Move, SLACK};
pub(crate) use gap::Gap;
pub use gap::Whitespace;
pub(crate) use stack::StackId;
use stack::{Stacks, Top};
use text::Ways;

/// The innermost thing that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum State {
    /// A value is to begin.
    Value {
        task: TaskId,
        gap: Gap,
    },
    /// `at` bytes of a literal have been read.
    Literal {
        task: TaskId,
        kind: Kind,
        at: u8,
    },
    Number(ScanId),
    String {
        scan: ScanId,
        partial: Partial,
    },
    Array {
        array: ArrayId,
        opened: bool,
        gap: Gap,
    },
    Object {
        object: ObjectId,
        place: Place,
        gap: Gap,
    },
    /// In a key that is, so far, the beginning of a key that the object knows.
    Key {
        object: ObjectId,
        prefix: Prefix,
        partial: Partial,
    },
    /// In a key that the object does not know.
    OtherKey {
        object: ObjectId,
        text: TextId,
        partial: Partial,
    },
    /// In a key of an object that tells keys apart by more than a table of them.
    ScannedKey {
        object: ObjectId,
        scan: ScanId,
        /// The keys of the table that begin like this one, if any do.
        prefix: Option<Prefix>,
        text: TextId,
        partial: Partial,
    },
    /// After a key.
    Colon {
        member: MemberId,
        gap: Gap,
    },
    /// In the text of a grammar's rule.
    Text {
        scan: ScanId,
        partial: Partial,
    },
    /// What has been read can be read in several ways: it is all of these configurations at once.
    Many(SetId),
    /// After the whole text.
    Done {
        gap: Gap,
    },
    /// After a value that is looked at apart from what is around it: anything may follow.
    Beyond,
}

/// Where in an object, outside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// After the opening brace.
    Opened,
    /// After a member.
    AfterMember,
    /// After a comma.
    AfterComma,
}

/// What waits for the value above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Frame {
    Member(MemberId),
    /// `mark` is the record before the item, if the array compares its items.
    Item {
        array: ArrayId,
        mark: TextId,
    },
    /// The rest of the rule that the text or value above it is a part of.
    Text(ScanId),
    /// Any frames: what stands above is looked at by itself.
    Base(FollowId),
    /// Nothing that is looked at.
    Beyond,
}

/// The bytes with which the text below a base can begin: an index into [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FollowId(u32);

/// Configurations, an index into [`Machine`]: sorted, none of them a set itself, and no two that
/// differ in their stacks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SetId(u32);

/// All that matters of what has been read. Equal configurations have equal futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Config {
    pub(crate) state: State,
    pub(crate) stack: StackId,
    /// The bytes of the outermost item that is compared with others, without whitespace;
    /// [`TextId::EMPTY`] outside such items.
    pub(crate) record: TextId,
}

/// The states of all texts of a grammar, made as texts reach them.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) frames: Frames,
    whitespace: Whitespace,
    pub(crate) literals: Literals,
    program: Option<(Program, Vec<TaskId>)>,
    sets: Interner<Box<[Config]>>,
    stacks: Stacks,
    /// What the texts of grammars' states begin with, by the number of the state.
    leads: boxcar::Vec<OnceLock<text::Leads>>,
    follows: Interner<ByteSet>,
    start: Config,
    /// Bytes of all states.
    held: AtomicU64,
}

impl Machine {
    /// A machine for a single JSON value.
    pub(crate) fn of_value(frames: Frames, root: FormulaId, whitespace: Whitespace) -> Self {
        let task = frames.task(root, Box::new([]));
        let gap = whitespace.inside();
        Machine::new(frames, whitespace, State::Value { task, gap })
    }

    /// A machine for a grammar whose schemas have these formulas.
    pub(crate) fn of_program(
        frames: Frames,
        program: Program,
        schemas: &[FormulaId],
        whitespace: Whitespace,
        literals: Literals,
    ) -> Self {
        let tasks = schemas
            .iter()
            .map(|&f| frames.task(f, Box::new([])))
            .collect();
        let state = State::Text {
            scan: program.start,
            partial: Partial::Nothing,
        };
        let mut machine = Machine::new(frames, whitespace, state);
        machine.program = Some((program, tasks));
        machine.literals = literals;
        machine
    }

    fn new(frames: Frames, whitespace: Whitespace, state: State) -> Self {
        let start = Config {
            state,
            stack: StackId::BOTTOM,
            record: TextId::EMPTY,
        };
        Machine {
            frames,
            whitespace,
            literals: Literals::Json,
            program: None,
            sets: Interner::new(),
            leads: boxcar::Vec::new(),
            follows: Interner::new(),
            stacks: Stacks::new(),
            start,
            held: AtomicU64::new(0),
        }
    }

    /// Before the first byte.
    pub(crate) fn start(&self) -> Config {
        self.start
    }

    /// The types of which the values of a grammar's first schema can be.
    pub(crate) fn types(&self) -> Vec<&'static str> {
        let task = match (&self.program, self.start.state) {
            (Some((_, tasks)), _) => tasks.first().copied(),
            (None, State::Value { task, .. }) => Some(task),
            _ => None,
        };
        let Some(task) = task else { return Vec::new() };
        let must = self.frames.task_of(task).must;
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let name = kind.type_name();
            if self.frames.rules.cost_of_kind(must, kind) != NEVER && !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }

    /// The bytes of its states, as far as they were told of.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Operations have made states of so many bytes.
    pub(crate) fn hold(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn push(&self, frame: Frame, below: StackId) -> StackId {
        self.stacks.push(frame, below)
    }

    /// The configuration after one more byte; `None` if no valid text goes on like that.
    pub(crate) fn step(&self, config: Config, byte: u8) -> Option<Config> {
        let Config {
            state,
            stack,
            record,
        } = config;
        let wait = |state: State| Some(Config { state, ..config });
        let stay = |state: State| {
            let record = self.recorded(record, byte);
            Some(Config {
                state,
                stack,
                record,
            })
        };
        let close = |verdicts: &[bool]| self.close(stack, self.recorded(record, byte), verdicts);
        let scanner = &self.frames.rules.scanner;
        match state {
            State::Value { task, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => wait(State::Value { task, gap }),
                None => self.begin_value(task, stack, record, byte),
            },
            State::Literal { task, kind, at } => {
                let place = usize::from(at);
                if self.literals.text(kind)[place] != byte {
                    return None;
                }
                // What is recorded is compared as JSON.
                let record = self.recorded(record, Literals::Json.text(kind)[place]);
                if place + 1 < kind.literal_bytes() {
                    let at = at + 1;
                    let state = State::Literal { task, kind, at };
                    return Some(Config {
                        state,
                        stack,
                        record,
                    });
                }
                self.close(stack, record, &self.frames.literal_verdicts(task, kind))
            }
            State::Number(scan) => match scanner.step(scan, u32::from(byte)) {
                Some(next) if self.is_delimited(stack) => stay(State::Number(next)),
                Some(next) => self.step_both(stay(State::Number(next))?, config, byte),
                // A number ends before a byte that is not its own.
                None if self.may_follow(stack, byte) => self.step(self.close_number(config)?, byte),
                None => None,
            },
            State::String { scan, partial } => match scan_string(scanner, scan, partial, byte) {
                Scanned::Stays(scan, partial, _) => stay(State::String { scan, partial }),
                Scanned::Closes => close(&self.frames.scalar_verdicts(scan)),
                Scanned::Refused => None,
            },
            State::Array { array, opened, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => wait(State::Array { array, opened, gap }),
                None => self.step_array(array, opened, config, byte),
            },
            State::Object { object, place, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => wait(State::Object { object, place, gap }),
                None => self.step_object(object, place, config, byte),
            },
            State::Key { .. } | State::OtherKey { .. } | State::ScannedKey { .. } => {
                stay(self.step_key(state, byte)?)
            }
            State::Colon { member, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => wait(State::Colon { member, gap }),
                None if byte == b':' => {
                    let task = self.frames.member_task(member);
                    let gap = self.whitespace.after_separator();
                    Some(Config {
                        state: State::Value { task, gap },
                        stack: self.push(Frame::Member(member), stack),
                        record: self.recorded(record, byte),
                    })
                }
                None => None,
            },
            State::Text { scan, partial } => self.step_text(scan, partial, stack, byte),
            State::Many(set) => self.step_many(set, byte),
            State::Done { gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => wait(State::Done { gap }),
                None => None,
            },
            State::Beyond => Some(config),
        }
    }

    /// A record with one more byte, if there is one.
    fn recorded(&self, record: TextId, byte: u8) -> TextId {
        match record {
            TextId::EMPTY => record,
            _ => self.frames.rules.texts.longer(record, u32::from(byte)),
        }
    }

    fn begin_value(
        &self,
        task: TaskId,
        stack: StackId,
        record: TextId,
        byte: u8,
    ) -> Option<Config> {
        let kind = self.literals.kind_of(byte)?;
        let gap = self.whitespace.inside();
        let task = match record {
            TextId::EMPTY => task,
            _ => self.frames.comparable(task),
        };
        let state = match self.frames.enter(task, kind)? {
            Entry::Literal => State::Literal { task, kind, at: 1 },
            Entry::Scalar(scan) if kind == Kind::String => State::String {
                scan,
                partial: Partial::Nothing,
            },
            Entry::Scalar(scan) => {
                State::Number(self.frames.rules.scanner.step(scan, u32::from(byte))?)
            }
            Entry::Array(array) => State::Array {
                array,
                opened: true,
                gap,
            },
            Entry::Object(object) => State::Object {
                object,
                place: Place::Opened,
                gap,
            },
        };
        let record = self.recorded(record, byte);
        Some(Config {
            state,
            stack,
            record,
        })
    }

    /// The configuration after the value above `stack` has ended with these verdicts; `None` if the
    /// value cannot be compared with others for its size.
    fn close(&self, stack: StackId, record: TextId, verdicts: &[bool]) -> Option<Config> {
        if let Some(top) = self.stacks.only(stack) {
            return self.close_in(top, record, verdicts);
        }
        let mut ways = Ways::default();
        if self.stacks.has_bottom(stack) {
            let gap = self.whitespace.inside();
            ways.add(
                self,
                Config {
                    state: State::Done { gap },
                    stack: StackId::BOTTOM,
                    record,
                },
            );
        }
        for &top in self.stacks.tops(stack) {
            if let Some(closed) = self.close_in(top, record, verdicts) {
                ways.add(self, closed);
            }
        }
        self.together(ways)
    }

    /// The same, where one frame waits for the value.
    fn close_in(&self, (frame, stack): Top, record: TextId, verdicts: &[bool]) -> Option<Config> {
        let gap = self.whitespace.inside();
        match frame {
            Frame::Member(member) => {
                let object = self.frames.after_member(member, verdicts);
                let place = Place::AfterMember;
                let state = State::Object { object, place, gap };
                Some(Config {
                    state,
                    stack,
                    record,
                })
            }
            Frame::Item { array, mark } => {
                let rules = &self.frames.rules;
                let value = match mark {
                    TextId::EMPTY => None,
                    _ => Some(
                        rules
                            .constant(&rules.texts.value_since(mark, record)?)
                            .ok()?,
                    ),
                };
                let array = self.frames.after_item(array, verdicts, value);
                let opened = false;
                let state = State::Array { array, opened, gap };
                let record = if mark == TextId::START {
                    TextId::EMPTY
                } else {
                    record
                };
                Some(Config {
                    state,
                    stack,
                    record,
                })
            }
            Frame::Text(scan) => Some(Config {
                state: State::Text {
                    scan,
                    partial: Partial::Nothing,
                },
                stack,
                record,
            }),
            Frame::Base(_) => None,
            Frame::Beyond => Some(Config {
                state: State::Beyond,
                stack,
                record,
            }),
        }
    }

    /// Whether a byte can follow the value above `stack`, at a glance.
    fn may_follow(&self, stack: StackId, byte: u8) -> bool {
        let closing = match self.stacks.only(stack) {
            Some((Frame::Member(_), _)) => b'}',
            Some((Frame::Item { .. }, _)) => b']',
            _ => return true,
        };
        byte == b',' || byte == closing || SPACES.contains(&byte)
    }

    /// The configuration if the number that is being read ends here.
    pub(crate) fn close_number(&self, config: Config) -> Option<Config> {
        match config.state {
            State::Number(scan) if self.frames.rules.scanner.can_end(scan) => {
                let verdicts = self.frames.scalar_verdicts(scan);
                self.close(config.stack, config.record, &verdicts)
            }
            _ => None,
        }
    }

    fn step_array(&self, array: ArrayId, opened: bool, config: Config, byte: u8) -> Option<Config> {
        let record = self.recorded(config.record, byte);
        if byte == b']' {
            return self.close(config.stack, record, &self.frames.end_array(array)?);
        }
        let task = self.frames.item(array)?;
        if opened {
            let (stack, record) = self.begin_item(array, config.stack, config.record);
            return self.begin_value(task, stack, record, byte);
        }
        if byte != b',' {
            return None;
        }
        let (stack, record) = self.begin_item(array, config.stack, record);
        let gap = self.whitespace.after_separator();
        let state = State::Value { task, gap };
        Some(Config {
            state,
            stack,
            record,
        })
    }

    /// The stack and the record for the next item of an array.
    fn begin_item(&self, array: ArrayId, stack: StackId, record: TextId) -> (StackId, TextId) {
        let (mark, record) = match (self.frames.is_unique(array), record) {
            (false, _) => (TextId::EMPTY, record),
            (true, TextId::EMPTY) => (TextId::START, TextId::START),
            (true, _) => (record, record),
        };
        (self.push(Frame::Item { array, mark }, stack), record)
    }

    /// The configuration after the key that is being read has ended as `key`.
    pub(crate) fn after_key_config(&self, config: Config, object: ObjectId, key: Key) -> Config {
        Config {
            state: self.after_key(object, key),
            ..config
        }
    }

    /// The same value with nothing around it that is looked at.
    pub(crate) fn apart(&self, config: Config) -> Config {
        Config {
            stack: self.push(Frame::Beyond, StackId::BOTTOM),
            ..config
        }
    }

    /// Tells how this machine writes free values from how others do, in twelve bits.
    pub(crate) fn writing_code(&self) -> u64 {
        let is_plain = self.frames.rules.scanner.spelling == JsonSpelling::Plain;
        let is_python = self.literals == Literals::Python;
        self.whitespace.code() << 2 | u64::from(is_plain) << 1 | u64::from(is_python)
    }

    /// The configuration after a value about which nothing is asked, outside of records.
    pub(crate) fn close_value(&self, stack: StackId) -> Option<Config> {
        self.close(stack, TextId::EMPTY, &[])
    }

    /// Before the first byte of a number, where one may begin, outside of records and where it is
    /// clear where it ends.
    pub(crate) fn number_start(&self, config: Config) -> Option<Config> {
        let (task, stack, record) = match config.state {
            State::Value { task, .. } => (task, config.stack, config.record),
            State::Array {
                array,
                opened: true,
                ..
            } => {
                let task = self.frames.item(array)?;
                let (stack, record) = self.begin_item(array, config.stack, config.record);
                (task, stack, record)
            }
            _ => return None,
        };
        let Some(Entry::Scalar(scan)) = self.frames.enter(task, Kind::Number) else {
            return None;
        };
        let is_apart = record == TextId::EMPTY && self.is_delimited(stack);
        is_apart.then_some(Config {
            state: State::Number(scan),
            stack,
            record,
        })
    }

    /// The configuration after a string or number has ended in a state, outside of records.
    pub(crate) fn close_scalar(&self, stack: StackId, scan: ScanId) -> Option<Config> {
        self.close(stack, TextId::EMPTY, &self.frames.scalar_verdicts(scan))
    }

    /// The configuration after an item that is compared with others of its array, whatever its value
    /// is; `None` if that could make a difference to more than the next item's value.
    pub(crate) fn close_any_item(&self, config: Config) -> Option<Config> {
        match self.stacks.only(config.stack) {
            Some((Frame::Item { array, mark }, stack)) if mark == TextId::START => {
                let array = self.frames.after_item(array, &[], None);
                self.frames.spare_values(array)?;
                let (opened, gap) = (false, self.whitespace.inside());
                Some(Config {
                    state: State::Array { array, opened, gap },
                    stack,
                    record: TextId::EMPTY,
                })
            }
            _ => None,
        }
    }

    /// Whether the string that has begun as the next item has more values than can be taken, where
    /// `ended` is what [`Machine::close_any_item`] gives.
    pub(crate) fn has_plenty(&self, ended: Config, next: ScanId) -> bool {
        let spare = match ended.state {
            State::Array { array, .. } => self.frames.spare_values(array),
            _ => None,
        };
        let scanner = &self.frames.rules.scanner;
        spare.is_some_and(|least| scanner.regexes.has_words(scanner.scan(next).must, least))
    }

    /// How many more characters of whitespace may come, where they may come freely.
    pub(crate) fn gap_left(&self, state: State) -> Option<u8> {
        match state {
            State::Value { gap, .. }
            | State::Array { gap, .. }
            | State::Object { gap, .. }
            | State::Colon { gap, .. }
            | State::Done { gap } => self.whitespace.left(gap),
            _ => None,
        }
    }

    /// Bytes among which are all that may come next.
    pub(crate) fn next_bytes(&self, config: Config) -> ByteSet {
        let mut bytes = match config.state {
            State::Value { gap, .. } => {
                return self.or_spaces(gap, self.literals.first_bytes());
            }
            State::Array {
                opened: true, gap, ..
            } => {
                let mut bytes = self.literals.first_bytes();
                bytes.insert(b']');
                return self.or_spaces(gap, bytes);
            }
            State::Array { gap, .. } => return self.or_spaces(gap, const { ByteSet::of(b"],") }),
            State::Object { place, gap, .. } => {
                let own: &[u8] = match place {
                    Place::Opened => b"\"}",
                    Place::AfterMember => b",}",
                    Place::AfterComma => b"\"",
                };
                return self.or_spaces(gap, ByteSet::of(own));
            }
            State::Colon { gap, .. } => return self.or_spaces(gap, const { ByteSet::of(b":") }),
            State::Done { gap } => return self.or_spaces(gap, ByteSet::NONE),
            State::Literal { kind, at, .. } => {
                return ByteSet::of(&self.literals.text(kind)[usize::from(at)..=usize::from(at)]);
            }
            State::Number(scan) => ByteSet::of_ascii(self.frames.rules.scanner.ascii(scan)),
            State::Key {
                object,
                prefix,
                partial,
            } if !self.frames.plan(object).other() => {
                return self.next_key_bytes(object, prefix, partial);
            }
            State::String {
                scan,
                partial: Partial::Nothing,
            } => return self.next_string_bytes(scan),
            State::String { partial, .. } => return partial_bytes(partial),
            State::Text { scan, partial } => {
                return self.next_text_bytes(scan, partial, config.stack);
            }
            State::Many(set) => {
                let members = self.members(set).iter();
                let bytes = members.map(|&member| self.next_bytes(member));
                return bytes.fold(ByteSet::NONE, ByteSet::or);
            }
            _ => return ByteSet::ALL,
        };
        if let Some(closed) = self.close_number(config) {
            bytes = bytes.or(self.next_bytes(closed));
        }
        bytes
    }

    /// Some bytes, and whitespace if it may come, or alone if it must.
    fn or_spaces(&self, gap: Gap, mut bytes: ByteSet) -> ByteSet {
        if gap == Gap::SPACE {
            return const { ByteSet::of(b" ") };
        }
        for space in SPACES {
            if matches!(self.whitespace.take(gap, space), Some(Some(_))) {
                bytes.insert(space);
            }
        }
        bytes
    }

    /// Bytes among which are all that go on with a key that the object knows.
    pub(crate) fn next_key_bytes(
        &self,
        object: ObjectId,
        prefix: Prefix,
        partial: Partial,
    ) -> ByteSet {
        if partial != Partial::Nothing {
            return partial_bytes(partial);
        }
        let mut bytes = const { ByteSet::of(b"\"") };
        if self.frames.rules.scanner.spelling == JsonSpelling::Any {
            bytes.insert(b'\\');
        }
        for c in self.frames.key_table(object).next_chars(prefix) {
            bytes.insert(match needs_escape(u32::from(c)) {
                true => b'\\',
                false => c.encode_utf8(&mut [0; 4]).as_bytes()[0],
            });
        }
        bytes
    }

    /// Bytes among which are all that go on with a string, between two characters.
    fn next_string_bytes(&self, scan: ScanId) -> ByteSet {
        let scanner = &self.frames.rules.scanner;
        if scanner.is_told(scan) {
            return ByteSet::ALL;
        }
        /// The characters that must be escaped, a bit for each.
        const ESCAPED: u128 = 0xFFFF_FFFF | 1 << b'"' | 1 << b'\\';
        let ascii = scanner.ascii(scan);
        let mut bytes = ByteSet::of_ascii(ascii & !ESCAPED);
        if scanner.can_step(scan, 0x80, MAX) {
            bytes = bytes.or(ByteSet::BEYOND_ASCII);
        }
        bytes.insert(b'"');
        if ascii & ESCAPED != 0 || scanner.spelling == JsonSpelling::Any {
            bytes.insert(b'\\');
        }
        bytes
    }

    /// Whether few texts may go on with what is being read.
    pub(crate) fn is_narrow(&self, state: State) -> bool {
        const FEW: u32 = 4;
        let State::String {
            scan,
            partial: Partial::Nothing,
        } = state
        else {
            return false;
        };
        let scanner = &self.frames.rules.scanner;
        if scanner.is_told(scan) {
            return false;
        }
        let mut left = FEW;
        scanner.regexes.is_words(scanner.scan(scan).must)
            || scanner.moves(scan).iter().all(|step| {
                let room = left.checked_sub(step.hi - step.lo + 1);
                left = room.unwrap_or(0);
                room.is_some()
            })
    }

    /// Whether the text may end here.
    pub(crate) fn is_accepting(&self, config: Config) -> bool {
        match config.state {
            State::Done { .. } | State::Beyond => true,
            State::Text { scan, partial } => {
                partial == Partial::Nothing
                    && self.frames.rules.scanner.can_end(scan)
                    && self.floor(config.stack).bottom
            }
            State::Many(set) => self
                .members(set)
                .iter()
                .any(|&member| self.is_accepting(member)),
            State::Number(_) => self
                .close_number(config)
                .is_some_and(|after| self.is_accepting(after)),
            _ => false,
        }
    }

    /// Whether any text is valid at all.
    pub(crate) fn is_live(&self) -> bool {
        match self.start.state {
            State::Value { task, .. } => {
                self.frames.rules.cost(self.frames.task_of(task).must) != NEVER
            }
            _ => true,
        }
    }
}

/// Bytes among which are all that go on with a character.
fn partial_bytes(partial: Partial) -> ByteSet {
    match partial {
        Partial::Nothing => ByteSet::ALL,
        Partial::Utf8 { .. } => ByteSet::BEYOND_ASCII,
        Partial::Escape => const { ByteSet::of(b"\"\\/bfnrtu") },
        Partial::PlainEscape => const { ByteSet::of(b"\"\\bfnrtu") },
        Partial::PlainHex { .. } => const { ByteSet::of(b"0123456789abcdef") },
        Partial::Hex { .. } | Partial::HighHex { .. } => {
            const { ByteSet::of(b"0123456789abcdefABCDEF") }
        }
        Partial::High(_) => const { ByteSet::of(b"\\") },
        Partial::HighEscape(_) => const { ByteSet::of(b"u") },
    }
}
