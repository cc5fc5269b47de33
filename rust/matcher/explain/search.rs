//! Which constraints of a grammar refuse a text: found by leaving some out, and asking again.
//!
//! The engine is not asked why it refuses, but whether a grammar that demands less refuses, too. So
//! what is named is what refuses, whatever the engine makes of it.

use std::sync::Arc;

use crate::compile::{CompiledGrammar, NamedRule, Relaxation, Relaxed};
use crate::error::Error;
use crate::machine::Config;
use crate::schema::{Constraint, ConstraintKind};
use crate::vocab::TokenId;
use crate::work;

/// How many groups of constraints are looked for at most.
const MOST: usize = 8;

/// What a text was continued with.
#[derive(Clone, Debug)]
pub(crate) enum TextPiece {
    Token(TokenId),
    Bytes(Arc<[u8]>),
}

/// What can be left out of a grammar.
#[derive(Clone, Debug)]
pub(super) enum Unit {
    Whitespace,
    PropertyOrder,
    Spelling,
    /// A constraint of the schema with this index.
    Keyword(usize, Constraint),
}

/// What comes after the text that has been read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last<'a> {
    Bytes(&'a [u8]),
    /// The text ends.
    End,
}

/// What was found out.
#[derive(Debug)]
pub(super) enum Found {
    /// Demands that refuse the text. Those of a group do so together, and not without any of them, if
    /// nothing else is demanded; without all of all groups, the text is read, if `all` are found.
    Groups { groups: Vec<Vec<Unit>>, all: bool },
    /// Whatever is left out, the text is refused.
    Refused,
    /// It took too much work.
    Undecided,
}

/// Asks about one text.
pub(super) struct Search<'a> {
    compiled: &'a CompiledGrammar,
    pieces: &'a [TextPiece],
    last: Last<'a>,
    /// Units of work.
    left: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        compiled: &'a CompiledGrammar,
        pieces: &'a [TextPiece],
        last: Last<'a>,
    ) -> Self {
        Search {
            compiled,
            pieces,
            last,
            left: compiled.limits().explain_work,
        }
    }

    /// The groups of constraints that refuse the text.
    pub(super) fn groups(&mut self) -> Result<Found, Error> {
        let Some(constraints) = self.ask(CompiledGrammar::constraints)? else {
            return Ok(Found::Undecided);
        };
        let of_kind = |kind: ConstraintKind| -> Vec<Unit> {
            let of_kind = constraints.iter().filter(|(_, found)| found.kind == kind);
            let unit =
                |(schema, found): &(usize, Constraint)| Unit::Keyword(*schema, found.clone());
            of_kind.map(unit).collect()
        };
        // Where less is demanded inside `oneOf`, it may refuse more. So it is left out of all questions
        // about other keywords, and named only if without it the text is read.
        let exclusive = of_kind(ConstraintKind::Exclusive);
        match self.refuses(&exclusive)? {
            Some(true) => {}
            Some(false) => {
                let (group, _, all) = self.least(&[], exclusive)?;
                let groups = vec![group];
                return Ok(Found::Groups { groups, all });
            }
            None => return Ok(Found::Undecided),
        }
        let mut units = self.options();
        units.extend(of_kind(ConstraintKind::Keyword));
        let mut refuses = self.refuses(&[&exclusive[..], &units].concat())?;
        if refuses == Some(true) {
            // What stands in documents that nobody has written here is left out by its reference.
            units.extend(of_kind(ConstraintKind::Reference));
            refuses = self.refuses(&[&exclusive[..], &units].concat())?;
        }
        match refuses {
            Some(false) => self.groups_among(units, exclusive),
            Some(true) => Ok(Found::Refused),
            None => Ok(Found::Undecided),
        }
    }

    /// The options of the grammar that can be left out.
    fn options(&self) -> Vec<Unit> {
        let narrow = self.compiled.narrow_options();
        let options = [
            (narrow.whitespace, Unit::Whitespace),
            (narrow.property_order, Unit::PropertyOrder),
            (narrow.spelling, Unit::Spelling),
        ];
        let options = options.into_iter().filter(|option| option.0);
        options.map(|option| option.1).collect()
    }

    /// The groups among units without all of which the text is read, if what is to be left out is.
    fn groups_among(
        &mut self,
        mut units: Vec<Unit>,
        mut left_out: Vec<Unit>,
    ) -> Result<Found, Error> {
        let mut groups = Vec::new();
        let mut all = true;
        while groups.len() < MOST {
            let (group, rest, is_least) = self.least(&left_out, units)?;
            all &= is_least;
            left_out.extend(group.iter().cloned());
            groups.push(group);
            units = rest;
            match self.refuses(&left_out)? {
                Some(false) => return Ok(Found::Groups { groups, all }),
                None => break,
                Some(true) => {}
            }
        }
        Ok(Found::Groups { groups, all: false })
    }

    /// Units that refuse the text together, such that none of them could be left out; the other
    /// units; and whether there was work left to ask all that had to be asked.
    ///
    /// Larger and then smaller parts of the units are left out for as long as the text is refused.
    /// Those at the front stay if others could stay in their place.
    #[allow(clippy::type_complexity)]
    fn least(
        &mut self,
        left_out: &[Unit],
        units: Vec<Unit>,
    ) -> Result<(Vec<Unit>, Vec<Unit>, bool), Error> {
        let (mut kept, mut rest) = (units, Vec::new());
        let mut is_least = true;
        let mut size = kept.len().div_ceil(2).max(1);
        loop {
            let mut end = kept.len();
            while end > 0 {
                let start = end.saturating_sub(size);
                let without = [left_out, &rest, &kept[start..end]].concat();
                match self.refuses(&without)? {
                    Some(true) => rest.extend(kept.drain(start..end)),
                    Some(false) => {}
                    None => is_least = false,
                }
                end = start;
            }
            if size == 1 {
                return Ok((kept, rest, is_least));
            }
            size = size.div_ceil(2);
        }
    }

    /// The rules of which one would have to allow more for the text to be read, from the outermost: if it
    /// allowed any text, this one would be. And whether all rules were asked about.
    pub(super) fn rules(&mut self) -> Result<(Vec<NamedRule>, bool), Error> {
        let mut found = Vec::new();
        let mut all = true;
        for rule in self.compiled.rules() {
            let relaxation = Relaxation {
                rule: Some(rule.id),
                ..Relaxation::default()
            };
            match self.refuses_without(&relaxation)? {
                Some(false) => found.push(rule),
                Some(true) => {}
                None => all = false,
            }
        }
        Ok((found, all))
    }

    fn refuses(&mut self, left_out: &[Unit]) -> Result<Option<bool>, Error> {
        let mut relaxation = Relaxation::default();
        for unit in left_out {
            match unit {
                Unit::Whitespace => relaxation.whitespace = true,
                Unit::PropertyOrder => relaxation.property_order = true,
                Unit::Spelling => relaxation.spelling = true,
                Unit::Keyword(schema, constraint) => {
                    relaxation.constraints.push((*schema, &constraint.pointer));
                }
            }
        }
        self.refuses_without(&relaxation)
    }

    /// Whether the text is refused still; `None` if it takes too much work to say.
    fn refuses_without(&mut self, left_out: &Relaxation<'_>) -> Result<Option<bool>, Error> {
        let (pieces, last) = (self.pieces, self.last);
        self.ask(|compiled| {
            let relaxed = compiled.relaxed(left_out)?;
            Ok(relaxed.is_none_or(|relaxed| !reads(&relaxed, compiled, pieces, last)))
        })
    }

    /// Does something within what is left; `None` if that is not enough.
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&CompiledGrammar) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let allowance = self.compiled.limits().question(self.left);
        let result = work::within(allowance, || Ok(question(self.compiled)));
        match result {
            Ok((answer, used)) => {
                self.left -= used.units;
                // A schema without some keywords is one that can be read, or takes too much.
                Ok(answer.ok())
            }
            Err(error) if error.is_limit() => {
                self.left -= allowance.units;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a text can be read, and, if it ends, may end there.
fn reads(
    relaxed: &Relaxed,
    compiled: &CompiledGrammar,
    pieces: &[TextPiece],
    last: Last<'_>,
) -> bool {
    let machine = &relaxed.machine;
    let read = |config: Config, bytes: &[u8]| {
        work::spend(bytes.len());
        let mut bytes = bytes.iter();
        bytes.try_fold(config, |at, &byte| machine.stepper().step(at, byte))
    };
    let mut config = machine.start();
    for piece in pieces {
        let next = match piece {
            TextPiece::Bytes(bytes) => read(config, bytes),
            &TextPiece::Token(token) => {
                let vocabulary = compiled.vocabulary();
                let text = vocabulary
                    .token(token)
                    .filter(|_| vocabulary.is_text(token));
                let spelled = text.and_then(|text| read(config, text));
                let named = relaxed.read_named(config, token);
                machine.stepper().all_of(spelled.into_iter().chain(named))
            }
        };
        match next {
            Some(next) => config = next,
            None => return false,
        }
    }
    match last {
        Last::Bytes(bytes) => read(config, bytes).is_some(),
        Last::End => machine.stepper().is_accepting(config),
    }
}
