//! What a byte makes of the text of a grammar: rules within rules, and several ways to read one
//! text.
//!
//! A state of reading a rule's language is one of its automaton. From there a character leads on, or
//! a symbol's text begins, or the language ends and the frame below goes on. Where more than one of
//! these takes a byte, the configuration becomes the set of what they lead to; those that are in one
//! state are one configuration, on all of their stacks.

use crate::grammar::program::{Symbol, TokenSetId};
use crate::grammar::syntax::GrammarSchemaId;
use crate::machine::ambiguous::Configs;
use crate::machine::config::{Config, StackId, State};
use crate::machine::stack::as_text;
use crate::machine::stepper::Stepper;
use crate::regex::scan::ScanId;
use crate::spelling::Partial;

impl Stepper<'_> {
    pub(super) fn step_text(
        self,
        scan: ScanId,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let scanner = &self.machine.obligations.rules.scanner;
        let reader = self.machine.text_reader();
        let may_leave =
            partial == Partial::Nothing && reader.turns_away(scan, stack).contains(byte);
        if !may_leave {
            return reader.step_character(scan, partial, stack, byte);
        }
        let mut ways = Configs::default();
        reader.for_places(scan, stack, Some(byte), |scan, stack| {
            if let Some(next) = reader.step_character(scan, Partial::Nothing, stack, byte) {
                ways.0.push(next);
            }
            for (symbol, rest) in scanner.symbols(scan) {
                if let Symbol::Json(schema) = *self.machine.program().symbol(symbol)
                    && let Some(next) = self.begin_json(schema, rest, stack, byte)
                {
                    ways.add(self.machine, next);
                }
            }
        });
        self.together(ways)
    }

    fn begin_json(
        self,
        schema: GrammarSchemaId,
        rest: ScanId,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        if !self.machine.literals.first_bytes().contains(byte) {
            return None;
        }
        let value = self.machine.text_reader().enter_json(schema, rest, stack);
        self.step(value, byte)
    }

    /// The tokens that a configuration reads by id, and where they lead.
    pub(crate) fn token_moves(self, config: Config) -> Vec<(TokenSetId, Config)> {
        let scanner = &self.machine.obligations.rules.scanner;
        let mut moves = Vec::new();
        let mut visit = |scan: ScanId, stack| {
            for (symbol, rest) in scanner.symbols(scan) {
                if let Symbol::Token(set) = *self.machine.program().symbol(symbol) {
                    moves.push((set, Config::text(rest, Partial::Nothing, stack)));
                }
            }
        };
        let mut from = |config: Config| {
            if let State::Text {
                scan,
                partial: Partial::Nothing,
            } = config.state
            {
                self.machine
                    .text_reader()
                    .for_places(scan, config.stack, None, &mut visit);
            }
        };
        for &config in self.machine.each(&config) {
            from(config);
            if let Some(closed) = self.close_number(config) {
                self.machine
                    .each(&closed)
                    .iter()
                    .copied()
                    .for_each(&mut from);
            }
        }
        moves
    }

    /// Whether the state and all frames above the base may end here.
    pub(crate) fn reaches_base(self, config: Config) -> bool {
        match config.state {
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => {
                self.machine.obligations.rules.scanner.can_end(scan)
                    && self.machine.text_reader().floor(config.stack).base
            }
            State::Number(_) => match self.close_number(config) {
                Some(closed) => self.reaches_base(closed),
                None => false,
            },
            State::Ambiguous(set) => self
                .machine
                .members(set)
                .iter()
                .any(|&member| self.reaches_base(member)),
            _ => false,
        }
    }

    /// The configuration when the rule that is being read has ended.
    pub(crate) fn returned(self, stack: StackId) -> Option<Config> {
        let rests = self.machine.stacks.tops(stack).iter().filter_map(as_text);
        let rests = rests.map(|(rest, below)| Config::text(rest, Partial::Nothing, below));
        self.together(Configs(rests.collect()))
    }
}
