//! Configurations: what has been read of a text, as far as it matters.

use crate::json::array::state::ArrayId;
use crate::json::kind::Kind;
use crate::json::object::keys::Prefix;
use crate::json::object::state::{MemberId, ObjectId};
use crate::json::obligation::ObligationId;
use crate::json::texts::TextId;
use crate::machine::whitespace::WhitespaceRun;
use crate::regex::scan::ScanId;
use crate::spelling::Partial;

/// The innermost thing that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum State {
    /// A value is to begin.
    Value {
        obligation: ObligationId,
        spacing: WhitespaceRun,
    },
    /// `at` bytes of a literal have been read.
    Literal {
        obligation: ObligationId,
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
        spacing: WhitespaceRun,
    },
    Object {
        object: ObjectId,
        place: ObjectPlace,
        spacing: WhitespaceRun,
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
        spacing: WhitespaceRun,
    },
    /// In the text of a grammar's rule.
    Text {
        scan: ScanId,
        partial: Partial,
    },
    /// The text so far has several readings: the state is all of these configurations at once.
    Ambiguous(SetId),
    /// After the whole text.
    Done {
        spacing: WhitespaceRun,
    },
    /// After a value that is looked at by itself, without what is around it: anything may follow.
    Detached,
}

impl State {
    /// The whitespace that has been read, where some may come.
    pub(super) fn spacing(self) -> Option<WhitespaceRun> {
        match self {
            State::Value { spacing, .. }
            | State::Array { spacing, .. }
            | State::Object { spacing, .. }
            | State::Colon { spacing, .. }
            | State::Done { spacing } => Some(spacing),
            _ => None,
        }
    }

    /// The state after other whitespace, where some may come.
    pub(super) fn with_spacing(mut self, read: WhitespaceRun) -> Self {
        if let State::Value { spacing, .. }
        | State::Array { spacing, .. }
        | State::Object { spacing, .. }
        | State::Colon { spacing, .. }
        | State::Done { spacing } = &mut self
        {
            *spacing = read;
        }
        self
    }
}

/// Where in an object, outside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ObjectPlace {
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
    /// Stands for any frames that can begin with certain bytes: what is above is looked at by
    /// itself.
    Base(FollowId),
    /// What is around a value that is looked at by itself.
    Detached,
}

/// The bytes with which the text below a [`Frame::Base`] can begin: an index into `Machine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FollowId(pub(super) u32);

/// A set of configurations: an index into `Machine`. They are sorted, none is a set itself, and
/// no two differ in their stacks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SetId(pub(super) u32);

/// All that matters of what has been read. Equal configurations have equal futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Config {
    pub(crate) state: State,
    pub(crate) stack: StackId,
    /// The bytes of the outermost item that is compared with others, without whitespace;
    /// [`TextId::EMPTY`] outside such items.
    pub(crate) record: TextId,
}

impl Config {
    /// In the text of a rule.
    pub(super) fn text(scan: ScanId, partial: Partial, stack: StackId) -> Self {
        Config {
            state: State::Text { scan, partial },
            stack,
            record: TextId::EMPTY,
        }
    }
}

/// What waits, from the innermost frame outwards: one stack or several, an index into `Stacks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StackId(pub(super) u32);

impl StackId {
    /// Nothing waits.
    pub(super) const BOTTOM: StackId = StackId(0);
}
