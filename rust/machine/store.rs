//! The store of all states that texts of a grammar reach.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::grammar::program::Program;
use crate::grammar::syntax::TokenSet;
use crate::intern::Interner;
use crate::json::cost::NEVER;
use crate::json::formula::FormulaId;
use crate::json::kind::{Kind, Literals};
use crate::json::obligation::ObligationId;
use crate::json::obligations::Obligations;
use crate::json::texts::TextId;
use crate::machine::config::{Config, ObjectPlace, SetId, StackId, State};
use crate::machine::key_reader::KeyReader;
use crate::machine::stack::Stacks;
use crate::machine::text_reader::{TextReader, TextTables};
use crate::machine::whitespace::Whitespace;
use crate::spelling::{JsonSpelling, Partial};

/// The states of all texts of a grammar, made as texts reach them, in one store.
///
/// What is done with them is done by parts that borrow it: [`TextReader`] and [`KeyReader`] borrow some
/// of its tables only; `Stepper` makes configurations; `Lookahead`, `Completer` and `Describer`
/// ask those, and make none of their own.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) obligations: Obligations,
    pub(super) whitespace: Whitespace,
    pub(crate) literals: Literals,
    pub(crate) sets: Interner<Box<[Config]>>,
    pub(super) stacks: Stacks,
    pub(super) texts: TextTables,
    pub(crate) start: Config,
    /// Bytes of all states.
    held: AtomicU64,
}

impl Machine {
    /// A machine for a single JSON value.
    pub(crate) fn of_value(
        obligations: Obligations,
        root: FormulaId,
        whitespace: Whitespace,
    ) -> Self {
        let obligation = obligations.obligation(root, Box::new([]));
        let spacing = whitespace.outside();
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
        machine.texts = TextTables::new(Some(program), schemas);
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
            sets: Interner::new(),
            texts: TextTables::new(None, Vec::new()),
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
        let first = self.schemas().first().copied();
        let Some(obligation) = first.or(self.root_obligation()) else {
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

    /// Tells how this machine writes free values from how others do, in twelve bits; `None` where that
    /// depends on what is around them.
    pub(crate) fn writing_code(&self) -> Option<u64> {
        let is_plain = self.obligations.rules.scanner.spelling == JsonSpelling::Plain;
        let is_python = self.literals == Literals::Python;
        let code = self.whitespace.code()?;
        Some(code << 2 | u64::from(is_plain) << 1 | u64::from(is_python))
    }

    /// How many more characters of whitespace may come, where they may come freely.
    pub(crate) fn spacing_left(&self, state: State) -> Option<u8> {
        state
            .spacing()
            .and_then(|spacing| self.whitespace.left(spacing))
    }

    /// How many arrays and objects the line that begins here is inside, if one does.
    pub(super) fn line_depth(&self, config: Config) -> u64 {
        let is_opened = match config.state {
            State::Array { opened, .. } => opened,
            State::Object { place, .. } => place != ObjectPlace::AfterMember,
            _ => false,
        };
        self.stacks.depth(config.stack) + u64::from(is_opened)
    }

    /// The whitespace that must come next, or must unless what needs none comes.
    pub(super) fn due_whitespace(&self, config: Config) -> Vec<u8> {
        let Some(spacing) = config.state.spacing() else {
            return Vec::new();
        };
        let depth = match self.whitespace {
            Whitespace::Indented { .. } => self.line_depth(config),
            _ => 0,
        };
        self.whitespace.due(spacing, depth)
    }

    /// The next byte, if nothing but whitespace may come.
    pub(super) fn next_due(&self, state: State) -> Option<u8> {
        self.whitespace.next_due(state.spacing()?)
    }

    /// What reads the text of rules.
    #[inline]
    pub(crate) fn text_reader(&self) -> TextReader<'_> {
        TextReader {
            tables: &self.texts,
            stacks: &self.stacks,
            scanner: &self.obligations.rules.scanner,
            literals: self.literals,
        }
    }

    /// What reads the keys of objects.
    #[inline]
    pub(crate) fn key_reader(&self) -> KeyReader<'_> {
        KeyReader {
            obligations: &self.obligations,
            whitespace: self.whitespace,
        }
    }

    pub(super) fn program(&self) -> &Program {
        self.texts.program()
    }

    /// What the schemas of a grammar ask of their values.
    pub(crate) fn schemas(&self) -> &[ObligationId] {
        &self.texts.schemas
    }

    /// What a single value must satisfy.
    pub(crate) fn root_obligation(&self) -> Option<ObligationId> {
        match self.start.state {
            State::Value { obligation, .. } => Some(obligation),
            _ => None,
        }
    }

    /// The configurations that one stands for.
    pub(super) fn each<'a>(&'a self, config: &'a Config) -> &'a [Config] {
        match config.state {
            State::Ambiguous(set) => self.members(set),
            _ => std::slice::from_ref(config),
        }
    }

    /// The configurations of a set.
    pub(crate) fn members(&self, set: SetId) -> &[Config] {
        self.sets.get(set.0)
    }

    /// The sets of tokens that the grammar names.
    pub(crate) fn token_sets(&self) -> &[TokenSet] {
        let program = self.texts.some_program();
        program.map_or(&[], |program| &program.tokens)
    }
}
