//! The text machine: what has been read, as a configuration, and what a byte makes of it.

mod completion;
mod ending_key;
mod flow;
mod forced;
mod gap;
mod object;

use std::sync::OnceLock;

use crate::grammar::flow::{Flow, FlowId, FlowNode};
use crate::intern::Interner;
use crate::json::array::ArrayId;
use crate::json::formula::{FormulaId, Kind};
use crate::json::frames::{Entry, Frames, TaskId, TextId};
use crate::json::keys::Prefix;
use crate::json::liveness::NEVER;
use crate::json::object::{Key, MemberId, ObjectId};
use crate::json::spelling::{Partial, Taken};
use crate::regex::node::{Node, NodeId};
use crate::regex::scan::ScanId;

pub(crate) use gap::Gap;
pub use gap::Whitespace;

/// The innermost thing that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// After a key.
    Colon {
        member: MemberId,
        gap: Gap,
    },
    /// In the text around values: `at` is a position in the node.
    Flow {
        node: FlowId,
        at: u32,
        partial: Partial,
    },
    /// After the whole text.
    Done {
        gap: Gap,
    },
}

/// Where in an object, outside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// After the opening brace.
    Opened,
    /// After a member.
    AfterMember,
    /// After a comma.
    AfterComma,
}

/// What waits for the value above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    Member(MemberId),
    Item(ArrayId),
    Flow(FlowId),
}

/// What waits, from the innermost frame outwards: an index into [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StackId(u32);

impl StackId {
    const BOTTOM: StackId = StackId(0);
}

/// All that matters of what has been read. Equal configurations have equal futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Config {
    pub(crate) state: State,
    pub(crate) stack: StackId,
}

/// The states of all texts of a grammar, made as texts reach them.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) frames: Frames,
    whitespace: Whitespace,
    flow: Option<(Flow, Vec<TaskId>)>,
    stacks: Interner<Option<(Frame, StackId)>, OnceLock<completion::Endings>>,
    flow_costs: OnceLock<Vec<u64>>,
    start: Config,
}

impl Machine {
    /// A machine for a single JSON value.
    pub(crate) fn of_value(frames: Frames, root: FormulaId, whitespace: Whitespace) -> Self {
        let task = frames.task(root, Box::new([]));
        let gap = whitespace.inside();
        Machine::new(frames, whitespace, None, State::Value { task, gap })
    }

    /// A machine for a flow whose schemas have these formulas.
    pub(crate) fn of_flow(
        frames: Frames,
        flow: Flow,
        schemas: &[FormulaId],
        whitespace: Whitespace,
    ) -> Self {
        let tasks = schemas
            .iter()
            .map(|&f| frames.task(f, Box::new([])))
            .collect();
        let start = flow.start;
        let done = State::Done { gap: Gap::NONE };
        let mut machine = Machine::new(frames, whitespace, Some((flow, tasks)), done);
        machine.start = machine.enter_flow(start, StackId::BOTTOM);
        machine
    }

    fn new(
        frames: Frames,
        whitespace: Whitespace,
        flow: Option<(Flow, Vec<TaskId>)>,
        state: State,
    ) -> Self {
        let stacks = Interner::new();
        stacks.intern(None);
        let start = Config {
            state,
            stack: StackId::BOTTOM,
        };
        Machine {
            frames,
            whitespace,
            flow,
            stacks,
            flow_costs: OnceLock::new(),
            start,
        }
    }

    /// Before the first byte.
    pub(crate) fn start(&self) -> Config {
        self.start
    }

    /// Whether something that no text may satisfy is treated as possible, for want of a proof.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.frames.rules.scanner.regexes.is_exhausted()
    }

    /// How many states there are, of all sorts: a measure of the memory they take.
    pub(crate) fn len(&self) -> usize {
        self.frames.len() + self.stacks.len()
    }

    fn push(&self, frame: Frame, below: StackId) -> StackId {
        StackId(self.stacks.intern(Some((frame, below))))
    }

    /// The configuration after one more byte; `None` if no valid text goes on like that.
    pub(crate) fn step(&self, config: Config, byte: u8) -> Option<Config> {
        let Config { state, stack } = config;
        let stay = |state: State| Some(Config { state, stack });
        match state {
            State::Value { task, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => stay(State::Value { task, gap }),
                None => self.begin_value(task, stack, byte),
            },
            State::Literal { task, kind, at } => {
                if kind.literal()[usize::from(at)] != byte {
                    return None;
                }
                if usize::from(at) + 1 < kind.literal().len() {
                    return stay(State::Literal {
                        task,
                        kind,
                        at: at + 1,
                    });
                }
                Some(self.close(stack, &self.frames.literal_verdicts(task, kind)))
            }
            State::Number(scan) => {
                match self.frames.rules.scanner.step(scan, u32::from(byte)) {
                    Some(next) => stay(State::Number(next)),
                    // A number ends before a byte that is not its own.
                    None => self.step(self.close_number(config)?, byte),
                }
            }
            State::String { scan, partial } => match partial.take_json(byte) {
                Taken::Partial(partial) => {
                    let scanner = &self.frames.rules.scanner;
                    let mut ranges = partial.ranges();
                    let live = ranges.any(|(lo, hi)| scanner.can_step(scan, lo, hi));
                    live.then_some(Config {
                        state: State::String { scan, partial },
                        stack,
                    })
                }
                Taken::Char(c) => {
                    let scan = self.frames.rules.scanner.step(scan, c)?;
                    stay(State::String {
                        scan,
                        partial: Partial::Nothing,
                    })
                }
                Taken::Close if self.frames.rules.scanner.can_end(scan) => {
                    Some(self.close(stack, &self.frames.scalar_verdicts(scan)))
                }
                Taken::Close | Taken::Refused => None,
            },
            State::Array { array, opened, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => stay(State::Array { array, opened, gap }),
                None => self.step_array(array, opened, stack, byte),
            },
            State::Object { object, place, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => stay(State::Object { object, place, gap }),
                None => self.step_object(object, place, stack, byte),
            },
            State::Key {
                object,
                prefix,
                partial,
            } => stay(self.step_key(object, prefix, partial, byte)?),
            State::OtherKey {
                object,
                text,
                partial,
            } => stay(match partial.take_json(byte) {
                Taken::Partial(partial) => State::OtherKey {
                    object,
                    text,
                    partial,
                },
                Taken::Char(c) => {
                    let text = self.frames.longer(text, c);
                    State::OtherKey {
                        object,
                        text,
                        partial: Partial::Nothing,
                    }
                }
                Taken::Close => self.after_key(object, Key::Other(text)),
                Taken::Refused => return None,
            }),
            State::Colon { member, gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => stay(State::Colon { member, gap }),
                None if byte == b':' => {
                    let task = self.frames.member_task(member);
                    let gap = self.whitespace.after_separator();
                    let stack = self.push(Frame::Member(member), stack);
                    Some(Config {
                        state: State::Value { task, gap },
                        stack,
                    })
                }
                None => None,
            },
            State::Flow { node, at, partial } => self.step_flow(node, at, partial, stack, byte),
            State::Done { gap } => match self.whitespace.take(gap, byte)? {
                Some(gap) => stay(State::Done { gap }),
                None => None,
            },
        }
    }

    fn begin_value(&self, task: TaskId, stack: StackId, byte: u8) -> Option<Config> {
        let kind = Kind::of_first_byte(byte)?;
        let gap = self.whitespace.inside();
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
        Some(Config { state, stack })
    }

    /// The configuration after the value above `stack` has ended with these verdicts.
    fn close(&self, stack: StackId, verdicts: &[bool]) -> Config {
        let gap = self.whitespace.inside();
        let Some((frame, stack)) = *self.stacks.get(stack.0) else {
            return Config {
                state: State::Done { gap },
                stack,
            };
        };
        let state = match frame {
            Frame::Member(member) => {
                let object = self.frames.after_member(member, verdicts);
                State::Object {
                    object,
                    place: Place::AfterMember,
                    gap,
                }
            }
            Frame::Item(array) => {
                let array = self.frames.after_item(array, verdicts);
                State::Array {
                    array,
                    opened: false,
                    gap,
                }
            }
            Frame::Flow(next) => return self.enter_flow(next, stack),
        };
        Config { state, stack }
    }

    /// The configuration if the number that is being read ends here.
    fn close_number(&self, config: Config) -> Option<Config> {
        match config.state {
            State::Number(scan) if self.frames.rules.scanner.can_end(scan) => {
                Some(self.close(config.stack, &self.frames.scalar_verdicts(scan)))
            }
            _ => None,
        }
    }

    fn step_array(&self, array: ArrayId, opened: bool, stack: StackId, byte: u8) -> Option<Config> {
        if byte == b']' {
            return Some(self.close(stack, &self.frames.end_array(array)?));
        }
        let task = self.frames.item(array)?;
        let above = || self.push(Frame::Item(array), stack);
        if opened {
            return self.begin_value(task, above(), byte);
        }
        let gap = self.whitespace.after_separator();
        (byte == b',').then(|| Config {
            state: State::Value { task, gap },
            stack: above(),
        })
    }

    /// The configuration after the key that is being read has ended as `key`.
    pub(crate) fn after_key_config(&self, config: Config, object: ObjectId, key: Key) -> Config {
        Config {
            state: self.after_key(object, key),
            ..config
        }
    }

    /// The configuration after a string has ended in a state.
    pub(crate) fn close_string(&self, stack: StackId, scan: ScanId) -> Config {
        self.close(stack, &self.frames.scalar_verdicts(scan))
    }

    /// Whether a string in this state may go on and end in any way.
    pub(crate) fn is_free(&self, scan: ScanId) -> bool {
        let scan = self.frames.rules.scanner.scan(scan);
        scan.asks.is_empty() && scan.must == NodeId::ANY
    }

    /// Whether a string in this state is free but for its length.
    pub(crate) fn is_length_only(&self, scan: ScanId) -> bool {
        let scanner = &self.frames.rules.scanner;
        let scan = scanner.scan(scan);
        let body = match *scanner.regexes.node(scan.must) {
            Node::Repeat { body, .. } => body,
            _ => scan.must,
        };
        scan.asks.is_empty() && matches!(body, NodeId::CHAR | NodeId::EMPTY)
    }

    /// Whether the text may end here.
    pub(crate) fn is_accepting(&self, config: Config) -> bool {
        match config.state {
            State::Done { .. } => true,
            State::Flow { node, at, partial } => match self.flow_node(node) {
                FlowNode::End => true,
                FlowNode::Free { may_end, .. } => *may_end && partial == Partial::Nothing,
                FlowNode::Branch { may_end, .. } => *may_end && at == 0,
                FlowNode::Literal { .. } | FlowNode::Json { .. } => false,
            },
            State::Number(_) => self
                .close_number(config)
                .is_some_and(|after| self.is_accepting(after)),
            _ => false,
        }
    }

    /// Whether any text is valid at all.
    pub(crate) fn is_live(&self) -> bool {
        match &self.flow {
            None => match self.start.state {
                State::Value { task, .. } => {
                    self.frames.rules.cost(self.frames.task_of(task).must) != NEVER
                }
                _ => true,
            },
            Some((flow, _)) => self.flow_cost(flow.start) != NEVER,
        }
    }
}
