//! Completions of the text of grammars: how a rule ends soonest.

use crate::grammar::program::Symbol;
use crate::grammar::syntax::GrammarSchemaId;
use crate::json::cost::{NEVER, add};
use crate::machine::completer::Completer;
use crate::machine::completion::widen;
use crate::machine::config::{Config, SetId, StackId};
use crate::machine::next_move::NextMove;
use crate::machine::stack::as_text;
use crate::regex::char_cost::{NO_WAY, cheapest};
use crate::regex::node::{NodeId, Spelling, symbol_of};
use crate::regex::scan::ScanId;
use crate::spelling::Partial;

/// How a language goes on most cheaply.
enum TextWay {
    Character(u32),
    Symbol(u32, NodeId),
}

impl Completer<'_> {
    /// The bytes until a rule's text ends.
    pub(super) fn text_cost(&self, scan: ScanId, partial: Partial) -> u64 {
        let scanner = &self.machine.obligations.rules.scanner;
        let node = scanner.scan(scan).language;
        match partial {
            Partial::Nothing => widen(scanner.regexes.cost(node, Spelling::Raw)),
            _ => self.best_way(node, partial).map_or(NEVER, |best| best.1),
        }
    }

    /// The cheapest way on from a state that reads more, and its bytes to the end of the rule.
    fn best_way(&self, node: NodeId, partial: Partial) -> Option<(TextWay, u64)> {
        let regexes = &self.machine.obligations.rules.scanner.regexes;
        let mut best: Option<(TextWay, u64)> = None;
        let mut offer = |way: TextWay, cost: u64| {
            // Control characters only where no other is as cheap.
            let key = |way: &TextWay, cost| (cost, matches!(*way, TextWay::Character(..0x20)));
            if best
                .as_ref()
                .is_none_or(|(other, least)| key(&way, cost) < key(other, *least))
            {
                best = Some((way, cost));
            }
        };
        for piece in regexes.pieces(node) {
            let rest = regexes.cost(piece.to, Spelling::Raw);
            if rest == NO_WAY {
                continue;
            }
            if let Some(symbol) = symbol_of(piece.lo) {
                if partial == Partial::Nothing {
                    let way = TextWay::Symbol(symbol, piece.to);
                    offer(way, add(u64::from(rest), self.symbol_cost(symbol)));
                }
                continue;
            }
            for (lo, hi) in partial.characters() {
                let (lo, hi) = (lo.max(piece.lo), hi.min(piece.hi));
                if lo <= hi {
                    let c = cheapest(lo, hi, Spelling::Raw).0;
                    let cost = raw_rest(partial, c).len() as u64 + u64::from(rest);
                    offer(TextWay::Character(c), cost);
                }
            }
        }
        best
    }

    /// The bytes of a symbol's cheapest text.
    fn symbol_cost(&self, symbol: u32) -> u64 {
        match *self.machine.program().symbol(symbol) {
            Symbol::Rule { start, .. } => self.text_cost(start, Partial::Nothing),
            Symbol::Json(schema) => self.json_cost(schema),
            Symbol::Token(set) => self.machine.program().token_set(set).cost(),
        }
    }

    fn json_cost(&self, schema: GrammarSchemaId) -> u64 {
        let schemas = self.machine.schemas();
        let requirement = self
            .machine
            .obligations
            .obligation_of(schemas[schema.index()])
            .requirement;
        let rules = &self.machine.obligations.rules;
        rules.separators.bytes(rules.cost(requirement), 0)
    }

    pub(super) fn cheapest_member(&self, set: SetId) -> NextMove {
        let members = self.machine.members(set).iter().copied();
        let best =
            members.min_by_key(
                |&member| match self.machine.stepper().is_accepting(member) {
                    true => 0,
                    false => self.max_completion_bytes(member),
                },
            );
        best.map_or(NextMove::Unknown, NextMove::Goto)
    }

    pub(super) fn text_move(&self, scan: ScanId, partial: Partial, stack: StackId) -> NextMove {
        let scanner = &self.machine.obligations.rules.scanner;
        let goto = |scan, stack| NextMove::Goto(Config::text(scan, Partial::Nothing, stack));
        if partial == Partial::Nothing && scanner.can_end(scan) {
            let rests = self.machine.stacks.tops(stack).iter().filter_map(as_text);
            let cheapest = match self.machine.stacks.only(stack) {
                Some(top) => as_text(&top),
                None => rests.min_by_key(|&(rest, below)| {
                    self.max_completion_bytes(Config::text(rest, Partial::Nothing, below))
                }),
            };
            if let Some((rest, below)) = cheapest {
                return goto(rest, below);
            }
        }
        let node = scanner.scan(scan).language;
        match self.best_way(node, partial) {
            None => NextMove::Unknown,
            Some((TextWay::Character(c), _)) => NextMove::Bytes(raw_rest(partial, c)),
            Some((TextWay::Symbol(symbol, rest), _)) => {
                let Some(rest) = scanner.start(rest, Box::new([])) else {
                    return NextMove::Unknown;
                };
                match *self.machine.program().symbol(symbol) {
                    Symbol::Rule { start, .. } => {
                        goto(start, self.machine.text_reader().push_text(rest, stack))
                    }
                    Symbol::Json(schema) => {
                        NextMove::Goto(self.machine.text_reader().enter_json(schema, rest, stack))
                    }
                    Symbol::Token(set) => {
                        NextMove::Token(set, Config::text(rest, Partial::Nothing, stack))
                    }
                }
            }
        }
    }
}

/// The bytes that end a partial with the character `c`, as plain text.
fn raw_rest(partial: Partial, c: u32) -> Vec<u8> {
    match partial {
        Partial::Nothing => char::from_u32(c).map_or_else(Vec::new, |c| c.to_string().into()),
        _ => partial.rest(c),
    }
}
