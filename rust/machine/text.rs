//! The text of grammars: rules within rules, and several ways to read one text.
//!
//! A state of reading a rule's language is one of its automaton. From there a character leads on, or
//! a symbol's text begins, or the language ends and the frame below goes on. Where more than one of
//! these takes a byte, the configuration becomes the set of what they lead to.

use std::sync::OnceLock;

use crate::grammar::character_bytes;
use crate::grammar::program::{Program, Symbol};
use crate::grammar::syntax::TokenSet;
use crate::json::spelling::{Partial, Taken};
use crate::json::texts::TextId;
use crate::machine::{Config, FollowId, Frame, Gap, Machine, SetId, StackId, State};
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::scan::ScanId;
use crate::vocab::ByteSet;

/// What numbers are written with: they may go on with these.
const NUMBER_BYTES: &[u8] = b"0123456789+-.eE";

/// The bytes with which the rest of a rule can begin.
#[derive(Debug)]
pub(super) struct Leads {
    all: ByteSet,
    /// Those of its symbols' texts.
    symbols: ByteSet,
}

/// Configurations that one text leads to.
#[derive(Default)]
struct Ways(Vec<Config>);

impl Ways {
    fn add(&mut self, machine: &Machine, config: Config) {
        match config.state {
            State::Many(set) => self.0.extend_from_slice(machine.members(set)),
            _ => self.0.push(config),
        }
    }
}

impl Machine {
    pub(super) fn program(&self) -> &Program {
        let (program, _) = self.program.as_ref().expect("only a grammar has text");
        program
    }

    /// The configurations of a set.
    pub(crate) fn members(&self, set: SetId) -> &[Config] {
        self.sets.get(set.0)
    }

    /// All of some configurations at once.
    fn together(&self, ways: Ways) -> Option<Config> {
        let Ways(mut ways) = ways;
        if let [] | [_] = ways[..] {
            return ways.pop();
        }
        ways.sort_unstable();
        ways.dedup();
        let state = match ways[..] {
            [one] => return Some(one),
            _ if ways.iter().any(|way| way.state == State::TooMany) => State::TooMany,
            _ if ways.len() > self.frames.rules.limits.readings => State::TooMany,
            _ => State::Many(SetId(self.sets.intern(ways.into()))),
        };
        Some(outermost(state))
    }

    pub(super) fn step_many(&self, set: SetId, byte: u8) -> Option<Config> {
        let mut ways = Ways::default();
        for &member in self.members(set) {
            if let Some(next) = self.step(member, byte) {
                ways.add(self, next);
            }
        }
        self.together(ways)
    }

    /// After a byte with which a number goes on, or ends, or both.
    pub(super) fn step_both(&self, inside: Config, number: Config, byte: u8) -> Option<Config> {
        let mut ways = Ways(vec![inside]);
        let closed = self.close_number(number);
        if let Some(next) = closed.and_then(|closed| self.step(closed, byte)) {
            ways.add(self, next);
        }
        self.together(ways)
    }

    /// Whether what follows a number that ends here never looks like more of it.
    pub(crate) fn is_delimited(&self, stack: StackId) -> bool {
        match *self.stacks.get(stack.0) {
            Some((Frame::Text(scan), below)) => {
                let next = self.next_text_bytes(scan, Partial::Nothing, below);
                !NUMBER_BYTES.iter().any(|&byte| next.contains(byte))
            }
            _ => true,
        }
    }

    pub(super) fn step_text(
        &self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let scanner = &self.frames.rules.scanner;
        let may_leave = partial == Partial::Nothing
            && (self.leads(scan).symbols.contains(byte)
                || scanner.can_end(scan) && self.follow(stack).contains(byte));
        if !may_leave {
            return self.step_character(scan, partial, stack, byte);
        }
        let mut ways = Ways::default();
        let mut places = vec![(scan, stack)];
        let mut at = 0;
        while let Some(&(scan, stack)) = places.get(at) {
            at += 1;
            if let Some(next) = self.step_character(scan, Partial::Nothing, stack, byte) {
                ways.0.push(next);
            }
            for (symbol, rest) in scanner.symbols(scan) {
                match *self.program().symbol(symbol) {
                    Symbol::Rule { start, first } if first.contains(byte) => {
                        add_place(&mut places, (start, self.push_text(rest, stack)));
                    }
                    Symbol::Json(schema) => {
                        if let Some(next) = self.begin_json(schema, rest, stack, byte) {
                            ways.add(self, next);
                        }
                    }
                    Symbol::Rule { .. } | Symbol::Token(_) => {}
                }
            }
            if scanner.can_end(scan)
                && let Some((Frame::Text(rest), below)) = *self.stacks.get(stack.0)
            {
                add_place(&mut places, (rest, below));
            }
            if places.len() > self.frames.rules.limits.readings {
                return Some(outermost(State::TooMany));
            }
        }
        self.together(ways)
    }

    fn step_character(
        &self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let scanner = &self.frames.rules.scanner;
        let (scan, partial) = match partial.take_raw(byte) {
            Taken::Char(c) => (scanner.step(scan, c)?, Partial::Nothing),
            Taken::Partial(partial) if partial.can_step(scanner, scan) => (scan, partial),
            Taken::Partial(_) | Taken::Close | Taken::Refused => return None,
        };
        Some(text(scan, partial, stack))
    }

    /// The stack on which a symbol's text is read, `rest` being what comes after it.
    pub(super) fn push_text(&self, rest: ScanId, stack: StackId) -> StackId {
        let scanner = &self.frames.rules.scanner;
        let must = scanner.scan(rest).must;
        // Nothing is left: the frame would only lead to the one below.
        if must == NodeId::EMPTY {
            return stack;
        }
        // x* before x* is x*: so that lists of lists do not read one text in ever more ways.
        if let Node::Repeat {
            min: 0,
            max: UNBOUNDED,
            ..
        } = *scanner.regexes.node(must)
            && let Some((Frame::Text(below), _)) = *self.stacks.get(stack.0)
        {
            let below = scanner.scan(below).must;
            if below == must
                || matches!(*scanner.regexes.node(below), Node::Concat(a, _) if a == must)
            {
                return stack;
            }
        }
        self.push(Frame::Text(rest), stack)
    }

    /// The configuration in which a JSON value is to begin.
    pub(super) fn enter_json(&self, schema: u32, rest: ScanId, stack: StackId) -> Config {
        let (_, tasks) = self.program.as_ref().expect("only a grammar has text");
        Config {
            state: State::Value {
                task: tasks[schema as usize],
                gap: Gap::NONE,
            },
            stack: self.push(Frame::Text(rest), stack),
            record: TextId::EMPTY,
        }
    }

    fn begin_json(&self, schema: u32, rest: ScanId, stack: StackId, byte: u8) -> Option<Config> {
        if !self.literals.first_bytes().contains(byte) {
            return None;
        }
        self.step(self.enter_json(schema, rest, stack), byte)
    }

    /// The frames that remain if the language and all that may end with it end here; `None` if it
    /// cannot end.
    pub(super) fn where_text_ends(&self, mut scan: ScanId, mut stack: StackId) -> Option<StackId> {
        let scanner = &self.frames.rules.scanner;
        let mut ended = None;
        while scanner.can_end(scan) {
            ended = Some(stack);
            match *self.stacks.get(stack.0) {
                Some((Frame::Text(rest), below)) => (scan, stack) = (rest, below),
                _ => break,
            }
        }
        ended
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
        let bytes = self.leads(scan).all;
        match self.frames.rules.scanner.can_end(scan) {
            true => bytes.or(self.follow(stack)),
            false => bytes,
        }
    }

    /// What the rest of a rule can begin with.
    fn leads(&self, scan: ScanId) -> &Leads {
        // Others may push at the same time; then there are a few more than needed.
        while self.leads.count() <= scan.0 as usize {
            self.leads.push(OnceLock::new());
        }
        self.leads[scan.0 as usize].get_or_init(|| {
            let scanner = &self.frames.rules.scanner;
            let mut symbols = ByteSet::NONE;
            for (symbol, _) in scanner.symbols(scan) {
                match *self.program().symbol(symbol) {
                    Symbol::Rule { first, .. } => symbols = symbols.or(first),
                    Symbol::Json(_) => symbols = symbols.or(self.literals.first_bytes()),
                    Symbol::Token(_) => {}
                }
            }
            Leads {
                all: character_bytes(scanner, scan).or(symbols),
                symbols,
            }
        })
    }

    /// The bytes with which the text after a rule can begin.
    fn follow(&self, stack: StackId) -> ByteSet {
        // From the outermost frame that is not known yet, so that deep texts need no recursion.
        let mut unknown = Vec::new();
        let mut at = stack;
        let mut bytes = loop {
            if let Some(&known) = self.stacks.memo(at.0).follow.get() {
                break known;
            }
            match *self.stacks.get(at.0) {
                Some((Frame::Text(rest), below)) => {
                    unknown.push((at, rest));
                    at = below;
                }
                Some((Frame::Base(follow), _)) => break *self.follows.get(follow.0),
                _ => break ByteSet::NONE,
            }
        };
        for (at, rest) in unknown.into_iter().rev() {
            let lead = self.leads(rest).all;
            bytes = match self.frames.rules.scanner.can_end(rest) {
                true => lead.or(bytes),
                false => lead,
            };
            self.stacks.memo(at.0).follow.get_or_init(|| bytes);
        }
        bytes
    }

    /// The tokens that a configuration reads by id, and where they lead.
    pub(crate) fn token_moves(&self, config: Config) -> Vec<(u32, Config)> {
        let scanner = &self.frames.rules.scanner;
        let mut moves = Vec::new();
        let mut places = Vec::new();
        let mut add = |config: Config| match config.state {
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => add_place(&mut places, (scan, config.stack)),
            State::Number(_) => {
                if let Some(closed) = self.close_number(config)
                    && let State::Text { scan, .. } = closed.state
                {
                    add_place(&mut places, (scan, closed.stack));
                }
            }
            _ => {}
        };
        match config.state {
            State::Many(set) => self.members(set).iter().for_each(|&member| add(member)),
            _ => add(config),
        }
        let mut at = 0;
        while let Some(&(scan, stack)) = places.get(at) {
            at += 1;
            for (symbol, rest) in scanner.symbols(scan) {
                match *self.program().symbol(symbol) {
                    Symbol::Token(set) => moves.push((set, text(rest, Partial::Nothing, stack))),
                    Symbol::Rule { start, .. } => {
                        add_place(&mut places, (start, self.push_text(rest, stack)));
                    }
                    Symbol::Json(_) => {}
                }
            }
            if scanner.can_end(scan)
                && let Some((Frame::Text(rest), below)) = *self.stacks.get(stack.0)
            {
                add_place(&mut places, (rest, below));
            }
            if places.len() > self.frames.rules.limits.readings {
                moves.push((u32::MAX, outermost(State::TooMany)));
                break;
            }
        }
        moves
    }

    /// A state of a rule's text by itself, with the frames that can end as soon as it ends, down to
    /// one that must read something; and what is below. Of that, only the bytes matter with which
    /// it can begin.
    pub(crate) fn alone(&self, config: Config) -> (Config, StackId) {
        /// Frames that are looked at.
        const MOST: usize = 16;
        let scanner = &self.frames.rules.scanner;
        let mut frames = Vec::new();
        let mut below = config.stack;
        let mut is_open = match config.state {
            State::Text { scan, .. } => scanner.can_end(scan),
            _ => false,
        };
        while is_open
            && frames.len() < MOST
            && let Some((Frame::Text(rest), next)) = *self.stacks.get(below.0)
        {
            frames.push(rest);
            is_open = scanner.can_end(rest);
            below = next;
        }
        let follow = FollowId(self.follows.intern(self.follow(below)));
        let base = self.push(Frame::Base(follow), StackId::BOTTOM);
        let frames = frames.into_iter().rev();
        let stack = frames.fold(base, |stack, rest| self.push(Frame::Text(rest), stack));
        (Config { stack, ..config }, below)
    }

    /// The bytes that may follow a rule's text that is read by itself.
    pub(crate) fn after_base(&self, alone: Config) -> ByteSet {
        let mut at = alone.stack;
        loop {
            match *self.stacks.get(at.0) {
                Some((Frame::Base(follow), _)) => return *self.follows.get(follow.0),
                Some((_, below)) => at = below,
                None => return ByteSet::NONE,
            }
        }
    }

    /// Whether nothing but the base is below.
    pub(crate) fn is_on_base(&self, config: Config) -> bool {
        matches!(self.stacks.get(config.stack.0), Some((Frame::Base(_), _)))
    }

    /// Whether all that stands above the base may end here.
    pub(crate) fn reaches_base(&self, config: Config) -> bool {
        let reaches = |scan, stack| {
            let end = self.where_text_ends(scan, stack);
            let frame = end.and_then(|end| *self.stacks.get(end.0));
            matches!(frame, Some((Frame::Base(_), _)))
        };
        match config.state {
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => reaches(scan, config.stack),
            State::Number(_) => match self.close_number(config) {
                Some(closed) => self.reaches_base(closed),
                None => false,
            },
            State::Many(set) => self
                .members(set)
                .iter()
                .any(|&member| self.reaches_base(member)),
            _ => false,
        }
    }

    /// The configuration when the rule that is being read has ended.
    pub(crate) fn returned(&self, stack: StackId) -> Option<Config> {
        match *self.stacks.get(stack.0) {
            Some((Frame::Text(rest), below)) => Some(text(rest, Partial::Nothing, below)),
            _ => None,
        }
    }

    /// Whether the rest of a rule's text is read without reading others.
    pub(crate) fn is_one_language(&self, scan: ScanId) -> bool {
        let scanner = &self.frames.rules.scanner;
        scanner.regexes.is_without_symbols(scanner.scan(scan).must)
    }

    /// The sets of tokens that the grammar names.
    pub(crate) fn token_sets(&self) -> &[TokenSet] {
        self.program
            .as_ref()
            .map_or(&[], |(program, _)| &program.tokens)
    }

    /// All of some configurations at once, where a token leads to each.
    pub(crate) fn all_of(&self, configs: impl Iterator<Item = Config>) -> Option<Config> {
        let mut ways = Ways::default();
        configs.for_each(|config| ways.add(self, config));
        self.together(ways)
    }
}

fn add_place(places: &mut Vec<(ScanId, StackId)>, place: (ScanId, StackId)) {
    if !places.contains(&place) {
        places.push(place);
    }
}

fn text(scan: ScanId, partial: Partial, stack: StackId) -> Config {
    Config {
        state: State::Text { scan, partial },
        stack,
        record: TextId::EMPTY,
    }
}

/// A configuration without frames of its own.
fn outermost(state: State) -> Config {
    Config {
        state,
        stack: StackId::BOTTOM,
        record: TextId::EMPTY,
    }
}
