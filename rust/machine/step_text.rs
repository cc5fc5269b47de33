//! What a byte makes of the text of a grammar: rules within rules, and several ways to read one
//! text.
//!
//! A state of reading a rule's language is one of its automaton. From there a character leads on, or
//! a symbol's text begins, or the language ends and the frame below goes on. Where more than one of
//! these takes a byte, the configuration becomes the set of what they lead to; those that are in one
//! state are one configuration, on all of their stacks.

use std::sync::OnceLock;

use crate::byte_set::ByteSet;
use crate::grammar::character_bytes;
use crate::grammar::program::{Symbol, TokenSetId};
use crate::grammar::syntax::GrammarSchemaId;
use crate::json::texts::TextId;
use crate::machine::config::{Config, FollowId, Frame, SetId, StackId, State};
use crate::machine::stack::Top;
use crate::machine::store::{Beginnings, Machine};
use crate::machine::whitespace::WhitespaceRun;
use crate::regex::node::{Node, UNBOUNDED};
use crate::regex::scan::ScanId;
use crate::spelling::{Decoded, Partial};

/// What numbers are written with: they may go on with these.
const NUMBER_BYTES: &[u8] = b"0123456789+-.eE";

/// Configurations that one text leads to.
#[derive(Default)]
pub(super) struct Configs(Vec<Config>);

impl Configs {
    pub(super) fn add(&mut self, machine: &Machine, config: Config) {
        match config.state {
            State::Ambiguous(set) => self.0.extend_from_slice(machine.members(set)),
            _ => self.0.push(config),
        }
    }
}

impl Machine {
    /// Whether a text has more readings than are followed.
    pub(crate) fn is_too_ambiguous(&self, config: Config) -> bool {
        let members = self.each(&config);
        members.len() > self.obligations.rules.limits.readings
            || members
                .iter()
                .any(|member| self.stacks.is_rough(member.stack))
    }

    /// All of some configurations at once.
    pub(super) fn together(&self, ways: Configs) -> Option<Config> {
        let Configs(mut ways) = ways;
        if let [] | [_] = ways[..] {
            return ways.pop();
        }
        ways.sort_unstable_by_key(|way| (way.state, way.record, way.stack));
        ways.dedup_by(|way, kept| {
            let is_alike = (way.state, way.record) == (kept.state, kept.record);
            if is_alike {
                kept.stack = self.stacks.union(kept.stack, way.stack);
            }
            is_alike
        });
        if let [one] = ways[..] {
            return Some(one);
        }
        Some(Config {
            state: State::Ambiguous(SetId(self.sets.intern(ways.into()))),
            stack: StackId::BOTTOM,
            record: TextId::EMPTY,
        })
    }

    pub(super) fn step_ambiguous(&self, set: SetId, byte: u8) -> Option<Config> {
        let mut ways = Configs::default();
        for &member in self.members(set) {
            if let Some(next) = self.step(member, byte) {
                ways.add(self, next);
            }
        }
        self.together(ways)
    }

    /// After a byte with which a number goes on, or ends, or both.
    pub(super) fn step_both(&self, inside: Config, number: Config, byte: u8) -> Option<Config> {
        let mut ways = Configs(vec![inside]);
        let closed = self.close_number(number);
        if let Some(next) = closed.and_then(|closed| self.step(closed, byte)) {
            ways.add(self, next);
        }
        self.together(ways)
    }

    /// Whether what follows a number that ends here never looks like more of it.
    pub(crate) fn is_delimited(&self, stack: StackId) -> bool {
        let mut texts = self.stacks.tops(stack).iter().filter_map(as_text);
        texts.all(|(scan, below)| {
            let next = self.next_text_bytes(scan, Partial::Nothing, below);
            !NUMBER_BYTES.iter().any(|&byte| next.contains(byte))
        })
    }

    pub(super) fn step_text(
        &self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let scanner = &self.obligations.rules.scanner;
        let may_leave = partial == Partial::Nothing && self.turns_away(scan, stack).contains(byte);
        if !may_leave {
            return self.step_character(scan, partial, stack, byte);
        }
        let mut ways = Configs::default();
        self.for_places(scan, stack, Some(byte), |scan, stack| {
            if let Some(next) = self.step_character(scan, Partial::Nothing, stack, byte) {
                ways.0.push(next);
            }
            for (symbol, rest) in scanner.symbols(scan) {
                if let Symbol::Json(schema) = *self.program().symbol(symbol)
                    && let Some(next) = self.begin_json(schema, rest, stack, byte)
                {
                    ways.add(self, next);
                }
            }
        });
        self.together(ways)
    }

    /// The bytes with which something else may go on than the characters of a rule's text.
    pub(super) fn turns_away(&self, scan: ScanId, stack: StackId) -> ByteSet {
        let symbols = self.beginnings(scan).symbols;
        match self.obligations.rules.scanner.can_end(scan) {
            true => symbols.or(self.follow(stack)),
            false => symbols,
        }
    }

    fn step_character(
        &self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let scanner = &self.obligations.rules.scanner;
        let (scan, partial) = match partial.decode_raw(byte) {
            Decoded::Char(c) => (scanner.step(scan, c)?, Partial::Nothing),
            Decoded::Partial(partial) if partial.can_step(scanner, scan) => (scan, partial),
            Decoded::Partial(_) | Decoded::Close | Decoded::Refused => return None,
        };
        Some(text(scan, partial, stack))
    }

    /// The configuration in which a JSON value is to begin.
    pub(super) fn enter_json(
        &self,
        schema: GrammarSchemaId,
        rest: ScanId,
        stack: StackId,
    ) -> Config {
        let (_, schemas) = self.program.as_ref().expect("only a grammar has text");
        Config {
            state: State::Value {
                obligation: schemas[schema.index()],
                spacing: WhitespaceRun::NONE,
            },
            stack: self.push(Frame::Text(rest), stack),
            record: TextId::EMPTY,
        }
    }

    fn begin_json(
        &self,
        schema: GrammarSchemaId,
        rest: ScanId,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        if !self.literals.first_bytes().contains(byte) {
            return None;
        }
        self.step(self.enter_json(schema, rest, stack), byte)
    }

    /// Bytes among which are all that may come next in a rule's text.
    pub(super) fn next_text_bytes(
        &self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
    ) -> ByteSet {
        if partial != Partial::Nothing {
            return ByteSet::ALL;
        }
        let bytes = self.beginnings(scan).all;
        match self.obligations.rules.scanner.can_end(scan) {
            true => bytes.or(self.follow(stack)),
            false => bytes,
        }
    }

    /// What the rest of a rule can begin with.
    pub(super) fn beginnings(&self, scan: ScanId) -> &Beginnings {
        // Others may push at the same time; then there are a few more than needed.
        while self.beginnings.count() <= scan.0 as usize {
            self.beginnings.push(OnceLock::new());
        }
        self.beginnings[scan.0 as usize].get_or_init(|| {
            let scanner = &self.obligations.rules.scanner;
            let mut symbols = ByteSet::NONE;
            for (symbol, _) in scanner.symbols(scan) {
                match *self.program().symbol(symbol) {
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

    /// The tokens that a configuration reads by id, and where they lead.
    pub(crate) fn token_moves(&self, config: Config) -> Vec<(TokenSetId, Config)> {
        let scanner = &self.obligations.rules.scanner;
        let mut moves = Vec::new();
        let mut visit = |scan: ScanId, stack| {
            for (symbol, rest) in scanner.symbols(scan) {
                if let Symbol::Token(set) = *self.program().symbol(symbol) {
                    moves.push((set, text(rest, Partial::Nothing, stack)));
                }
            }
        };
        let mut from = |config: Config| {
            if let State::Text {
                scan,
                partial: Partial::Nothing,
            } = config.state
            {
                self.for_places(scan, config.stack, None, &mut visit);
            }
        };
        for &config in self.each(&config) {
            from(config);
            if let Some(closed) = self.close_number(config) {
                self.each(&closed).iter().copied().for_each(&mut from);
            }
        }
        moves
    }

    /// The configurations that one stands for.
    fn each<'a>(&'a self, config: &'a Config) -> &'a [Config] {
        match config.state {
            State::Ambiguous(set) => self.members(set),
            _ => std::slice::from_ref(config),
        }
    }

    /// A state of a rule's text by itself, with the frames that can end as soon as it ends, down to
    /// one that must read something; and what is below. Of that, only the bytes matter with which
    /// it can begin.
    pub(crate) fn alone(&self, config: Config) -> (Config, StackId) {
        /// Frames that are looked at.
        const MOST: usize = 16;
        let scanner = &self.obligations.rules.scanner;
        let mut obligations = Vec::new();
        let mut below = config.stack;
        let mut is_open = match config.state {
            State::Text { scan, .. } => scanner.can_end(scan),
            _ => false,
        };
        while is_open
            && obligations.len() < MOST
            && let Some((Frame::Text(rest), next)) = self.stacks.only(below)
        {
            obligations.push(rest);
            is_open = scanner.can_end(rest);
            below = next;
        }
        let follow = FollowId(self.follows.intern(self.follow(below)));
        let base = self.push(Frame::Base(follow), StackId::BOTTOM);
        let obligations = obligations.into_iter().rev();
        let stack = obligations.fold(base, |stack, rest| self.push(Frame::Text(rest), stack));
        (Config { stack, ..config }, below)
    }

    /// The repetition that a rest begins with, if it is clear where it ends: by itself, and below it
    /// the rest as a frame. Wherever names are read, they are read alike.
    pub(crate) fn run_alone(&self, config: Config) -> Option<(Config, StackId)> {
        let State::Text {
            scan,
            partial: Partial::Nothing,
        } = config.state
        else {
            return None;
        };
        let (run, rest, after) = self.beginnings(scan).run?;
        let next = self.next_text_bytes(rest, Partial::Nothing, config.stack);
        if next.without(*self.follows.get(after.0)) != ByteSet::NONE {
            return None;
        }
        let base = self.push(Frame::Base(after), StackId::BOTTOM);
        let alone = text(run, Partial::Nothing, base);
        Some((alone, self.push(Frame::Text(rest), config.stack)))
    }

    fn first_run(&self, scan: ScanId) -> Option<(ScanId, ScanId, FollowId)> {
        /// Of fewer bytes, there is little to share.
        const MANY: usize = 16;
        let scanner = &self.obligations.rules.scanner;
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
        (first.len() >= MANY).then(|| (run, rest, FollowId(self.follows.intern(after))))
    }

    /// The bytes that may follow a rule's text that is read by itself.
    pub(crate) fn after_base(&self, alone: Config) -> ByteSet {
        let mut at = alone.stack;
        loop {
            match self.stacks.tops(at).first() {
                Some((Frame::Base(follow), _)) => return *self.follows.get(follow.0),
                Some((_, below)) => at = *below,
                None => return ByteSet::NONE,
            }
        }
    }

    /// Whether nothing but the base is below.
    pub(crate) fn is_on_base(&self, config: Config) -> bool {
        matches!(self.stacks.only(config.stack), Some((Frame::Base(_), _)))
    }

    /// Whether all that waits may end at once, down to the base.
    pub(crate) fn is_above_base(&self, stack: StackId) -> bool {
        self.floor(stack).base
    }

    /// Whether all that stands above the base may end here.
    pub(crate) fn reaches_base(&self, config: Config) -> bool {
        match config.state {
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => self.obligations.rules.scanner.can_end(scan) && self.floor(config.stack).base,
            State::Number(_) => match self.close_number(config) {
                Some(closed) => self.reaches_base(closed),
                None => false,
            },
            State::Ambiguous(set) => self
                .members(set)
                .iter()
                .any(|&member| self.reaches_base(member)),
            _ => false,
        }
    }

    /// The configuration when the rule that is being read has ended.
    pub(crate) fn returned(&self, stack: StackId) -> Option<Config> {
        let rests = self.stacks.tops(stack).iter().filter_map(as_text);
        let rests = rests.map(|(rest, below)| text(rest, Partial::Nothing, below));
        self.together(Configs(rests.collect()))
    }

    /// Whether the rest of a rule's text is read without reading others.
    pub(crate) fn is_one_language(&self, scan: ScanId) -> bool {
        let scanner = &self.obligations.rules.scanner;
        scanner
            .regexes
            .is_without_symbols(scanner.scan(scan).language)
    }

    /// All of some configurations at once, where a token leads to each.
    pub(crate) fn all_of(&self, configs: impl Iterator<Item = Config>) -> Option<Config> {
        let mut ways = Configs::default();
        configs.for_each(|config| ways.add(self, config));
        self.together(ways)
    }
}

/// The rest of a rule that waits, and what is below it.
pub(super) fn as_text(&(frame, below): &Top) -> Option<(ScanId, StackId)> {
    match frame {
        Frame::Text(rest) => Some((rest, below)),
        _ => None,
    }
}

pub(super) fn text(scan: ScanId, partial: Partial, stack: StackId) -> Config {
    Config {
        state: State::Text { scan, partial },
        stack,
        record: TextId::EMPTY,
    }
}
