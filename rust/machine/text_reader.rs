//! The text of a grammar's rules: what may begin where, and what waits on the stack.
//!
//! Nothing here knows JSON values, nor that a text may have several readings: see `step_text.rs` for
//! what a byte makes of a configuration.

use std::sync::OnceLock;

use crate::byte_set::ByteSet;
use crate::grammar::character_bytes;
use crate::grammar::program::{Program, Symbol};
use crate::grammar::syntax::GrammarSchemaId;
use crate::intern::Interner;
use crate::json::kind::Literals;
use crate::json::obligation::ObligationId;
use crate::json::texts::TextId;
use crate::machine::config::{Config, FollowId, Frame, StackId, State};
use crate::machine::stack::{Stacks, as_text};
use crate::machine::whitespace::WhitespaceRun;
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::scan::{ScanId, Scanner};
use crate::spelling::{Decoded, Partial};

/// What numbers are written with: they may go on with these.
const NUMBER_BYTES: &[u8] = b"0123456789+-.eE";

/// A grammar, and what is known of the texts of its rules; nothing if the machine reads a JSON value.
#[derive(Debug)]
pub(super) struct TextTables {
    program: Option<Program>,
    /// What the grammar's schemas ask of their values.
    pub(super) schemas: Vec<ObligationId>,
    /// For each state of a rule's text, by its number, what the rest of the rule begins with.
    beginnings: boxcar::Vec<OnceLock<Beginnings>>,
    follows: Interner<ByteSet>,
}

/// What the rest of a rule begins and ends with.
#[derive(Debug)]
pub(super) struct Beginnings {
    /// The bytes with which it can begin.
    pub(super) all: ByteSet,
    /// The bytes with which the texts of its symbols can begin.
    symbols: ByteSet,
    /// If it ends with x\*: that, and what comes before, if anything does.
    pub(super) star: Option<(NodeId, Option<ScanId>)>,
    /// If it begins with a repetition of many characters, as names and strings go on: that, what
    /// comes after it, and the bytes that it cannot begin with.
    run: Option<(ScanId, ScanId, FollowId)>,
}

impl TextTables {
    pub(super) fn new(program: Option<Program>, schemas: Vec<ObligationId>) -> Self {
        TextTables {
            program,
            schemas,
            beginnings: boxcar::Vec::new(),
            follows: Interner::new(),
        }
    }

    pub(super) fn program(&self) -> &Program {
        self.program.as_ref().expect("only a grammar has text")
    }

    /// The grammar, if there is one.
    pub(super) fn some_program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    pub(super) fn follow(&self, id: FollowId) -> ByteSet {
        *self.follows.get(id.0)
    }
}

/// Reads the text of rules, on stacks: of a machine it touches nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextReader<'a> {
    pub(super) tables: &'a TextTables,
    pub(super) stacks: &'a Stacks,
    pub(super) scanner: &'a Scanner,
    pub(super) literals: Literals,
}

impl<'a> TextReader<'a> {
    /// What the rest of a rule can begin with.
    pub(super) fn beginnings(self, scan: ScanId) -> &'a Beginnings {
        // Others may push at the same time; then there are a few more than needed.
        while self.tables.beginnings.count() <= scan.0 as usize {
            self.tables.beginnings.push(OnceLock::new());
        }
        self.tables.beginnings[scan.0 as usize].get_or_init(|| {
            let scanner = self.scanner;
            let mut symbols = ByteSet::NONE;
            for (symbol, _) in scanner.symbols(scan) {
                match *self.tables.program().symbol(symbol) {
                    Symbol::Rule { first, .. } => symbols = symbols.or(first),
                    Symbol::Json(_) => symbols = symbols.or(self.literals.first_bytes()),
                    Symbol::Token(_) => {}
                }
            }
            Beginnings {
                all: character_bytes(scanner, scan).or(symbols),
                symbols,
                star: self.last_star(scan),
                run: self.first_run(scan),
            }
        })
    }

    /// The bytes that may begin something other than the next character of a rule's text: a
    /// symbol's text, or what follows the rule.
    #[inline]
    pub(super) fn turns_away(self, scan: ScanId, stack: StackId) -> ByteSet {
        let symbols = self.beginnings(scan).symbols;
        match self.scanner.can_end(scan) {
            true => symbols.or(self.follow(stack)),
            false => symbols,
        }
    }

    /// Bytes among which are all that may come next in a rule's text.
    pub(super) fn next_text_bytes(self, scan: ScanId, partial: Partial, stack: StackId) -> ByteSet {
        if partial != Partial::Nothing {
            return ByteSet::ALL;
        }
        let bytes = self.beginnings(scan).all;
        match self.scanner.can_end(scan) {
            true => bytes.or(self.follow(stack)),
            false => bytes,
        }
    }

    /// After a byte of a character of the rule itself.
    pub(super) fn step_character(
        self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let scanner = self.scanner;
        let (scan, partial) = match partial.decode_raw(byte) {
            Decoded::Char(c) => (scanner.step(scan, c)?, Partial::Nothing),
            Decoded::Partial(partial) if partial.can_step(scanner, scan) => (scan, partial),
            Decoded::Partial(_) | Decoded::Close | Decoded::Refused => return None,
        };
        Some(Config::text(scan, partial, stack))
    }

    /// Whether what follows a number that ends here never looks like more of it.
    pub(crate) fn is_delimited(self, stack: StackId) -> bool {
        let mut texts = self.stacks.tops(stack).iter().filter_map(as_text);
        texts.all(|(scan, below)| {
            let next = self.next_text_bytes(scan, Partial::Nothing, below);
            !NUMBER_BYTES.iter().any(|&byte| next.contains(byte))
        })
    }

    /// The configuration in which a JSON value is to begin.
    pub(super) fn enter_json(
        self,
        schema: GrammarSchemaId,
        rest: ScanId,
        stack: StackId,
    ) -> Config {
        Config {
            state: State::Value {
                obligation: self.tables.schemas[schema.index()],
                spacing: WhitespaceRun::NONE,
            },
            stack: self.stacks.push(Frame::Text(rest), stack),
            record: TextId::EMPTY,
        }
    }

    /// What [`Beginnings::run`] is.
    fn first_run(self, scan: ScanId) -> Option<(ScanId, ScanId, FollowId)> {
        /// Where it may begin with fewer bytes than this, there is little to share.
        const MANY: usize = 16;
        let scanner = self.scanner;
        let nodes = &scanner.regexes;
        let (run, rest) = match *nodes.node(scanner.scan(scan).language) {
            Node::Concat(run, rest) => (run, rest),
            _ => return None,
        };
        let is_star = matches!(
            *nodes.node(run),
            Node::Repeat {
                min: 0,
                max: UNBOUNDED,
                ..
            }
        );
        if !is_star || !nodes.is_without_symbols(run) {
            return None;
        }
        let run = scanner.start(run, Box::new([]))?;
        let rest = scanner.start(rest, Box::new([]))?;
        let first = character_bytes(scanner, run);
        let after = ByteSet::ALL.without(first);
        (first.len() >= MANY).then(|| (run, rest, FollowId(self.tables.follows.intern(after))))
    }

    /// Whether the rest of a rule's text is read without reading others.
    pub(crate) fn is_one_language(self, scan: ScanId) -> bool {
        let language = self.scanner.scan(scan).language;
        self.scanner.regexes.is_without_symbols(language)
    }

    /// Splits a configuration in a rule's text: its state with the frames that can end as soon as
    /// it ends, on a base, and the stack below the base. Of that stack, only the bytes matter with
    /// which its text can begin.
    pub(crate) fn alone(self, config: Config) -> (Config, StackId) {
        /// Frames that are looked at.
        const MOST: usize = 16;
        let scanner = self.scanner;
        let mut rests = Vec::new();
        let mut below = config.stack;
        let mut is_open = match config.state {
            State::Text { scan, .. } => scanner.can_end(scan),
            _ => false,
        };
        while is_open
            && rests.len() < MOST
            && let Some((Frame::Text(rest), next)) = self.stacks.only(below)
        {
            rests.push(rest);
            is_open = scanner.can_end(rest);
            below = next;
        }
        let follow = FollowId(self.tables.follows.intern(self.follow(below)));
        let base = self.stacks.push(Frame::Base(follow), StackId::BOTTOM);
        let rests = rests.into_iter().rev();
        let stack = rests.fold(base, |stack, rest| {
            self.stacks.push(Frame::Text(rest), stack)
        });
        (Config { stack, ..config }, below)
    }

    /// If a rule's text goes on with a repetition, as names do, and it is clear where that ends:
    /// the repetition by itself on a base, and the stack below the base, on which the rest of the
    /// rule is a frame. So what tokens do in a name is found once for all places where names stand.
    pub(crate) fn run_alone(self, config: Config) -> Option<(Config, StackId)> {
        let State::Text {
            scan,
            partial: Partial::Nothing,
        } = config.state
        else {
            return None;
        };
        let (run, rest, after) = self.beginnings(scan).run?;
        let next = self.next_text_bytes(rest, Partial::Nothing, config.stack);
        if next.without(self.tables.follow(after)) != ByteSet::NONE {
            return None;
        }
        let base = self.stacks.push(Frame::Base(after), StackId::BOTTOM);
        let alone = Config::text(run, Partial::Nothing, base);
        Some((alone, self.stacks.push(Frame::Text(rest), config.stack)))
    }

    /// The bytes that may follow the base of a configuration that [`TextReader::alone`] has split off.
    pub(crate) fn after_base(self, alone: Config) -> ByteSet {
        let mut at = alone.stack;
        loop {
            match self.stacks.tops(at).first() {
                Some((Frame::Base(follow), _)) => return self.tables.follow(*follow),
                Some((_, below)) => at = *below,
                None => return ByteSet::NONE,
            }
        }
    }

    /// Whether a configuration stands directly on a base.
    pub(crate) fn is_on_base(self, config: Config) -> bool {
        matches!(self.stacks.only(config.stack), Some((Frame::Base(_), _)))
    }

    /// Whether all frames above the base can end at once.
    pub(crate) fn is_above_base(self, stack: StackId) -> bool {
        self.floor(stack).base
    }
}
