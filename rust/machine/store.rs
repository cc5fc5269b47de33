//! The store of all states that texts of a grammar reach.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::byte_set::ByteSet;
use crate::grammar::program::Program;
use crate::grammar::syntax::TokenSet;
use crate::intern::Interner;
use crate::json::cost::NEVER;
use crate::json::formula::FormulaId;
use crate::json::kind::{Kind, Literals};
use crate::json::obligation::ObligationId;
use crate::json::obligations::Obligations;
use crate::json::texts::TextId;
use crate::machine::config::{Config, FollowId, Frame, SetId, StackId, State};
use crate::machine::stack::Stacks;
use crate::machine::whitespace::Whitespace;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;
use crate::spelling::{JsonSpelling, Partial};

/// The states of all texts of a grammar, made as texts reach them.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) obligations: Obligations,
    pub(super) whitespace: Whitespace,
    pub(crate) literals: Literals,
    pub(super) program: Option<(Program, Vec<ObligationId>)>,
    pub(crate) sets: Interner<Box<[Config]>>,
    pub(super) stacks: Stacks,
    /// For each state of a rule's text, by its number, what the rest of the rule begins with.
    pub(super) beginnings: boxcar::Vec<OnceLock<Beginnings>>,
    pub(super) follows: Interner<ByteSet>,
    pub(crate) start: Config,
    /// Bytes of all states.
    held: AtomicU64,
}

/// What the rest of a rule begins and ends with.
#[derive(Debug)]
pub(super) struct Beginnings {
    /// The bytes with which it can begin.
    pub(super) all: ByteSet,
    /// The bytes with which the texts of its symbols can begin.
    pub(crate) symbols: ByteSet,
    /// If it ends with x\*: that, and what comes before, if anything does.
    pub(super) star: Option<(NodeId, Option<ScanId>)>,
    /// If it begins with a repetition of many characters, as names and strings go on: that, what
    /// comes after it, and the bytes that it cannot begin with.
    pub(super) run: Option<(ScanId, ScanId, FollowId)>,
}

impl Machine {
    /// A machine for a single JSON value.
    pub(crate) fn of_value(
        obligations: Obligations,
        root: FormulaId,
        whitespace: Whitespace,
    ) -> Self {
        let obligation = obligations.obligation(root, Box::new([]));
        let spacing = whitespace.inside();
        Machine::new(
            obligations,
            whitespace,
            State::Value {
                obligation,
                spacing,
            },
        )
    }

    /// A machine for a grammar whose schemas have these formulas.
    pub(crate) fn of_program(
        obligations: Obligations,
        program: Program,
        schemas: &[FormulaId],
        whitespace: Whitespace,
        literals: Literals,
    ) -> Self {
        let schemas = schemas
            .iter()
            .map(|&f| obligations.obligation(f, Box::new([])))
            .collect();
        let state = State::Text {
            scan: program.start,
            partial: Partial::Nothing,
        };
        let mut machine = Machine::new(obligations, whitespace, state);
        machine.program = Some((program, schemas));
        machine.literals = literals;
        machine
    }

    fn new(obligations: Obligations, whitespace: Whitespace, state: State) -> Self {
        let start = Config {
            state,
            stack: StackId::BOTTOM,
            record: TextId::EMPTY,
        };
        Machine {
            obligations,
            whitespace,
            literals: Literals::Json,
            program: None,
            sets: Interner::new(),
            beginnings: boxcar::Vec::new(),
            follows: Interner::new(),
            stacks: Stacks::new(),
            start,
            held: AtomicU64::new(0),
        }
    }

    /// The configuration before the first byte.
    pub(crate) fn start(&self) -> Config {
        self.start
    }

    /// The types of which the values of a grammar's first schema can be.
    pub(crate) fn types(&self) -> Vec<&'static str> {
        let obligation = match (&self.program, self.start.state) {
            (Some((_, schemas)), _) => schemas.first().copied(),
            (None, State::Value { obligation, .. }) => Some(obligation),
            _ => None,
        };
        let Some(obligation) = obligation else {
            return Vec::new();
        };
        let language = self.obligations.obligation_of(obligation).requirement;
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let name = kind.type_name();
            if self.obligations.rules.cost_of_kind(language, kind) != NEVER
                && !found.contains(&name)
            {
                found.push(name);
            }
        }
        found
    }

    /// The bytes of the machine's states, as far as operations have reported them.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Reports that an operation has made states of so many bytes.
    pub(crate) fn hold(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn push(&self, frame: Frame, below: StackId) -> StackId {
        self.stacks.push(frame, below)
    }

    /// Whether any text is valid at all.
    pub(crate) fn is_live(&self) -> bool {
        match self.start.state {
            State::Value { obligation, .. } => {
                self.obligations
                    .rules
                    .cost(self.obligations.obligation_of(obligation).requirement)
                    != NEVER
            }
            _ => true,
        }
    }

    /// Tells how this machine writes free values from how others do, in twelve bits.
    pub(crate) fn writing_code(&self) -> u64 {
        let is_plain = self.obligations.rules.scanner.spelling == JsonSpelling::Plain;
        let is_python = self.literals == Literals::Python;
        self.whitespace.code() << 2 | u64::from(is_plain) << 1 | u64::from(is_python)
    }

    /// How many more characters of whitespace may come, where they may come freely.
    pub(crate) fn spacing_left(&self, state: State) -> Option<u8> {
        state
            .spacing()
            .and_then(|spacing| self.whitespace.left(spacing))
    }

    pub(super) fn program(&self) -> &Program {
        let (program, _) = self.program.as_ref().expect("only a grammar has text");
        program
    }

    /// The configurations of a set.
    pub(crate) fn members(&self, set: SetId) -> &[Config] {
        self.sets.get(set.0)
    }

    /// The sets of tokens that the grammar names.
    pub(crate) fn token_sets(&self) -> &[TokenSet] {
        self.program
            .as_ref()
            .map_or(&[], |(program, _)| &program.tokens)
    }
}
