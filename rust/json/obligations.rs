//! The interned obligations of values that are being read.
//!
//! A [`Task`] is what a value must satisfy, and what else is asked about it. An object or array
//! that is being read is a task with what has been read of it; when a value inside is to begin, the
//! task of that value follows, and when it has ended, its verdicts choose the next state.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::intern::Interner;
use crate::json::array::state::{Array, ArrayId};
use crate::json::cost::NEVER;
use crate::json::formula::{Formula, FormulaId, Kind};
use crate::json::object::state::{Member, MemberMemo, Object, ObjectId, ObjectMemo};
use crate::json::obligation::{Task, TaskId, Verdicts};
use crate::json::rules::Rules;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;

/// Where a value of one kind begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    Literal,
    Scalar(ScanId),
    Array(ArrayId),
    Object(ObjectId),
}

#[derive(Debug, Default)]
pub(crate) struct TaskMemo {
    entries: [OnceLock<Option<Entry>>; 7],
    free_kinds: OnceLock<u8>,
    /// Which of the `asks` a formula is.
    asked: OnceLock<FxHashMap<FormulaId, usize>>,
}

/// All states of values under obligations. Shared by all texts of a grammar, and grown by them.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) rules: Rules,
    /// Whether keys come in the order of the schema.
    pub(crate) ordered: bool,
    pub(crate) tasks: Interner<Task, TaskMemo>,
    pub(crate) arrays: Interner<Array, crate::json::array::state::ArrayMemo>,
    pub(crate) objects: Interner<Object, ObjectMemo>,
    pub(crate) members: Interner<Member, MemberMemo>,
}

impl Frames {
    pub(crate) fn new(rules: Rules, ordered: bool) -> Self {
        Frames {
            rules,
            ordered,
            tasks: Interner::new(),
            arrays: Interner::new(),
            objects: Interner::new(),
            members: Interner::new(),
        }
    }

    pub(crate) fn task(&self, must: FormulaId, asks: Box<[FormulaId]>) -> TaskId {
        TaskId(self.tasks.intern(Task { must, asks }))
    }

    pub(crate) fn task_of(&self, id: TaskId) -> &Task {
        self.tasks.get(id.0)
    }

    /// The task with numbers that can be compared with others.
    pub(crate) fn comparable(&self, id: TaskId) -> TaskId {
        let task = self.task_of(id);
        let formulas = &self.rules.formulas;
        let domain = formulas.assertion(Formula::Number(self.rules.number_domain));
        self.task(formulas.and(&[task.must, domain]), task.asks.clone())
    }

    /// Where a value of a kind begins; `None` if no such value satisfies the task.
    pub(crate) fn enter(&self, id: TaskId, kind: Kind) -> Option<Entry> {
        *self.tasks.memo(id.0).entries[kind as usize].get_or_init(|| self.find_entry(id, kind))
    }

    /// The kinds of which all values satisfy the task, a [`Kind::bit`] for each; none if something
    /// is asked.
    pub(crate) fn free_kinds(&self, id: TaskId) -> u8 {
        *self.tasks.memo(id.0).free_kinds.get_or_init(|| {
            let Task { must, asks } = self.task_of(id);
            let of_kind = |kind: &Kind| self.rules.formulas.of_kind(*must, *kind);
            let is_free = |kind: &Kind| asks.is_empty() && of_kind(kind) == FormulaId::TRUE;
            let kinds = Kind::ALL.into_iter().filter(is_free);
            kinds.fold(0, |bits, kind| bits | kind.bit())
        })
    }

    fn find_entry(&self, id: TaskId, kind: Kind) -> Option<Entry> {
        let task = self.task_of(id);
        let rules = &self.rules;
        if rules.cost_of_kind(task.must, kind) == NEVER {
            return None;
        }
        let must = rules.formulas.of_kind(task.must, kind);
        let asks: Box<[FormulaId]> = task
            .asks
            .iter()
            .map(|&ask| rules.formulas.of_kind(ask, kind))
            .collect();
        let scalar = |must, language: &dyn Fn(FormulaId) -> NodeId| {
            let asks = asks.iter().map(|&ask| language(ask)).collect();
            rules.scanner.start(must, asks).map(Entry::Scalar)
        };
        match kind {
            Kind::Null | Kind::True | Kind::False => Some(Entry::Literal),
            // What is asked about is a value, however it is written.
            Kind::Number => scalar(rules.written_numbers(must), &|ask| {
                rules.number_language(ask)
            }),
            Kind::String => scalar(rules.string_language(must), &|ask| {
                rules.string_language(ask)
            }),
            Kind::Array => Some(Entry::Array(self.new_array(must, asks))),
            Kind::Object => Some(Entry::Object(self.new_object(must, asks))),
        }
    }

    /// The verdicts on a literal, which has no content.
    pub(crate) fn literal_verdicts(&self, id: TaskId, kind: Kind) -> Verdicts {
        let asks = self.task_of(id).asks.iter();
        asks.map(|&ask| self.rules.formulas.of_kind(ask, kind) == FormulaId::TRUE)
            .collect()
    }

    /// The rules that matter to a formula and to what is asked.
    pub(crate) fn tracked(&self, must: FormulaId, asks: &[FormulaId]) -> Vec<u32> {
        self.rules
            .formulas
            .rules(std::iter::once(must).chain(asks.iter().copied()))
    }

    /// Whether a finished value satisfied `formula`, one of those that its task was made for.
    pub(crate) fn verdict(&self, id: TaskId, verdicts: &[bool], formula: FormulaId) -> bool {
        let asked = self.tasks.memo(id.0).asked.get_or_init(|| {
            let asks = self.task_of(id).asks.iter().copied();
            asks.zip(0..).collect()
        });
        match asked.get(&formula) {
            Some(&i) => verdicts[i],
            None => formula != FormulaId::FALSE,
        }
    }

    /// The verdicts on a string or number that ends in a state.
    pub(crate) fn scalar_verdicts(&self, id: ScanId) -> Verdicts {
        let asks = self.rules.scanner.scan(id).asks.iter();
        asks.map(|&ask| self.rules.scanner.regexes.nullable(ask))
            .collect()
    }
}

/// `must` and the asked formulas with the given indices.
pub(crate) fn demand(
    frames: &Frames,
    must: FormulaId,
    asks: &[FormulaId],
    asked: &[u16],
) -> FormulaId {
    if asked.is_empty() {
        return must;
    }
    let parts: Vec<FormulaId> = std::iter::once(must)
        .chain(asked.iter().map(|&i| asks[usize::from(i)]))
        .collect();
    frames.rules.formulas.and(&parts)
}
