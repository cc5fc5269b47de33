//! Patterns with assertions, part by part.
//!
//! An assertion says something about all the text before a place and about all the text after it.
//! Text after is easy: read from the end, "this part, then what follows" is a language, and a
//! lookahead is an intersection with it. So is a lookbehind, read from the start, as long as
//! nothing looked right. In between, what matters of the text before is tracked in a [`State`].
//! In a repeat nothing is last, so there the text after is tracked as well.

use std::cell::RefCell;
use std::slice;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::regex::node::NodeId;
use crate::regex::system::{Reached, System};
use crate::regex::track::{State, Tracker};

/// A piece of a pattern.
#[derive(Debug)]
pub(crate) enum Part {
    /// No assertion is in it.
    Plain(NodeId),
    /// All the text after is in the language.
    Right(NodeId),
    /// What the text after must be depends on the text before.
    Guard(Guard),
    /// A lookahead whose body looks at the text before.
    Ahead {
        body: Vec<Part>,
        negated: bool,
    },
    Concat(Vec<Part>),
    Alternation(Vec<Part>),
    Repeat {
        body: Box<Part>,
        min: u32,
        max: Option<u32>,
    },
}

/// An assertion that holds where one of the cases applies; if negated, where none does.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) cases: Vec<Case>,
    pub(crate) negated: bool,
}

/// Applies if the text before is in a tracked language, or is not if not `holds`, and the text
/// after is in `right`.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) left: usize,
    pub(crate) holds: bool,
    pub(crate) right: NodeId,
}

impl Part {
    /// The tracked languages that it asks about, as bits.
    pub(crate) fn uses(&self) -> u64 {
        match self {
            Part::Plain(_) | Part::Right(_) => 0,
            Part::Guard(guard) => guard.cases.iter().fold(0, |bits, c| bits | 1 << c.left),
            Part::Ahead { body: parts, .. } | Part::Concat(parts) | Part::Alternation(parts) => {
                uses(parts)
            }
            Part::Repeat { body, .. } => body.uses(),
        }
    }
}

fn uses(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |bits, part| bits | part.uses())
}

/// What comes after a list of parts.
pub(crate) enum Next<'a> {
    /// The rest of the text.
    End(NodeId),
    /// More parts, and then `next`. What may follow each state is remembered, because all branches
    /// of an alternation lead here.
    Parts {
        parts: &'a [Part],
        next: &'a Next<'a>,
        memo: RefCell<FxHashMap<State, NodeId>>,
    },
}

impl<'a> Next<'a> {
    fn new(parts: &'a [Part], next: &'a Next<'a>) -> Self {
        Next::Parts {
            parts,
            next,
            memo: RefCell::default(),
        }
    }

    fn uses(&self) -> u64 {
        match self {
            Next::End(_) => 0,
            Next::Parts { parts, next, .. } => uses(parts) | next.uses(),
        }
    }
}

impl Tracker<'_> {
    /// The texts that are `around`, then `parts`, then `around`.
    pub(crate) fn texts(&self, parts: &[Part], around: NodeId) -> Result<NodeId, Error> {
        let (mut before, mut rest) = (around, parts);
        let mut read = around;
        for (i, part) in parts.iter().enumerate() {
            let Some(next) = self.prefix(read, part) else {
                break;
            };
            read = next;
            if part.uses() != 0 {
                (before, rest) = (read, &parts[i + 1..]);
            }
        }
        let live = uses(rest);
        let reached = self.split(before, &self.start(live), live, 0)?;
        self.follow(reached, |state| self.after(rest, &Next::End(around), state))
    }

    /// The texts that are in `before`, then match `part`; none if it looks right, or repeats.
    pub(crate) fn prefix(&self, before: NodeId, part: &Part) -> Option<NodeId> {
        match part {
            Part::Plain(text) => Some(self.chain(before, *text)),
            Part::Guard(guard) => Some(self.meet(before, self.left_only(guard)?)),
            Part::Concat(parts) => parts
                .iter()
                .try_fold(before, |b, part| self.prefix(b, part)),
            Part::Alternation(branches) => {
                let branches: Option<_> = branches.iter().map(|b| self.prefix(before, b)).collect();
                Some(self.nodes.or(branches?))
            }
            Part::Right(_) | Part::Ahead { .. } | Part::Repeat { .. } => None,
        }
    }

    /// The texts before the places where a guard holds, if it never looks right.
    fn left_only(&self, guard: &Guard) -> Option<NodeId> {
        let cases = guard.cases.iter().map(|case| {
            (case.right == NodeId::ANY).then(|| self.signed(self.left(case.left), case.holds))
        });
        let before = self.nodes.or(cases.collect::<Option<_>>()?);
        Some(self.signed(before, !guard.negated))
    }

    /// The texts that match `parts` and go on as `next` says, where `state` is what matters of the
    /// text before.
    pub(crate) fn after(
        &self,
        parts: &[Part],
        next: &Next,
        state: &State,
    ) -> Result<NodeId, Error> {
        let Some((part, rest)) = parts.split_first() else {
            return self.resume(next, state);
        };
        let live = uses(rest) | next.uses();
        match part {
            Part::Plain(text) => {
                // Of a language that only the next guard asks for, its answer there is enough.
                let (tested, live) = match rest {
                    [guard @ Part::Guard(_), rest @ ..] => (guard.uses(), uses(rest) | next.uses()),
                    _ => (0, live),
                };
                let reached = self.split(*text, state, live, tested)?;
                self.follow(reached, |state| self.after(rest, next, state))
            }
            Part::Right(_) | Part::Guard(_) | Part::Ahead { .. } => {
                match self.right(part, state)? {
                    NodeId::NEVER => Ok(NodeId::NEVER),
                    right => {
                        let state = self.keep(state, live, 0);
                        Ok(self.ask(right, self.after(rest, next, &state)?))
                    }
                }
            }
            Part::Concat(inner) => self.after(inner, &Next::new(rest, next), state),
            Part::Alternation(branches) => {
                let next = Next::new(rest, next);
                let branches = branches
                    .iter()
                    .map(|branch| self.after(slice::from_ref(branch), &next, state));
                Ok(self.nodes.or(branches.collect::<Result<_, _>>()?))
            }
            Part::Repeat { body, min, max } => {
                let next = Next::new(rest, next);
                let then = |state: &State| self.resume(&next, &self.keep(state, live, 0));
                if max.is_some() {
                    return self.follow(self.repeat(body, (*min, *max), state, live)?, then);
                }
                let inside = live | body.uses();
                let least = self.repeat(body, (*min, Some(*min)), state, inside)?;
                self.follow(least, |state| {
                    let end = |state: &State| Ok(((), self.go_on(state, then)?));
                    let texts = self.star(body, state, inside, end)?;
                    Ok(texts.only().map_or(NodeId::NEVER, |((), texts)| texts))
                })
            }
        }
    }

    fn resume(&self, next: &Next, state: &State) -> Result<NodeId, Error> {
        match next {
            Next::End(rest) => Ok(*rest),
            Next::Parts { parts, next, memo } => {
                if let Some(&known) = memo.borrow().get(state) {
                    return Ok(known);
                }
                let text = self.after(parts, next, state)?;
                memo.borrow_mut().insert(state.clone(), text);
                Ok(text)
            }
        }
    }

    /// The texts that lead to one of the states `reached`, and then go on as `then` says.
    fn follow(
        &self,
        reached: Reached<State>,
        then: impl Fn(&State) -> Result<NodeId, Error>,
    ) -> Result<NodeId, Error> {
        let texts = reached
            .iter()
            .map(|(state, text)| Ok(self.chain(text, self.go_on(state, &then)?)));
        Ok(self.nodes.or(texts.collect::<Result<_, Error>>()?))
    }

    /// What `then` says of a state, cut to what was asked of the text after.
    fn go_on(
        &self,
        state: &State,
        then: impl Fn(&State) -> Result<NodeId, Error>,
    ) -> Result<NodeId, Error> {
        let free = State {
            right: NodeId::ANY,
            ..state.clone()
        };
        Ok(self.ask(state.right, then(&free)?))
    }

    /// What an assertion asks of the text after a place with `state`.
    fn right(&self, assertion: &Part, state: &State) -> Result<NodeId, Error> {
        match assertion {
            Part::Right(right) => Ok(*right),
            Part::Guard(guard) => {
                let cases = guard.cases.iter();
                let apply = cases.filter(|c| self.nodes.nullable(state.lefts[c.left]) == c.holds);
                let right = self.nodes.or(apply.map(|c| c.right).collect());
                Ok(self.signed(right, !guard.negated))
            }
            Part::Ahead { body, negated } => {
                let state = State {
                    right: NodeId::ANY,
                    ..state.clone()
                };
                let right = self.after(body, &Next::End(NodeId::ANY), &state)?;
                Ok(self.signed(right, !negated))
            }
            _ => Ok(NodeId::ANY),
        }
    }

    /// The states to which `part` leads from `state`, and the texts that lead to each. Unlike
    /// [`Tracker::after`] this also tracks what was asked of the text after, so that it can go
    /// round in a repeat. `live` are the tracked languages that something after `part` asks for.
    pub(crate) fn run(
        &self,
        part: &Part,
        state: &State,
        live: u64,
    ) -> Result<Reached<State>, Error> {
        self.work()?;
        match part {
            Part::Plain(text) => self.split(*text, state, live, 0),
            Part::Right(_) | Part::Guard(_) | Part::Ahead { .. } => {
                let mut reached = Reached::none();
                let right = self.meet(state.right, self.right(part, state)?);
                if right != NodeId::NEVER {
                    let state = State {
                        right,
                        ..self.keep(state, live, 0)
                    };
                    reached.add(self.nodes, state, NodeId::EMPTY);
                }
                Ok(reached)
            }
            Part::Concat(parts) => {
                let mut reached = Reached::one(state.clone(), NodeId::EMPTY);
                for (i, part) in parts.iter().enumerate() {
                    reached = self.step(&reached, part, live | uses(&parts[i + 1..]))?;
                }
                Ok(reached)
            }
            Part::Alternation(branches) => {
                let mut reached = Reached::none();
                for branch in branches {
                    reached.extend(self.nodes, NodeId::EMPTY, self.run(branch, state, live)?);
                }
                Ok(reached)
            }
            Part::Repeat { body, min, max } => self.repeat(body, (*min, *max), state, live),
        }
    }

    /// [`Tracker::run`] from several states, each with the texts that led there.
    fn step(&self, from: &Reached<State>, part: &Part, live: u64) -> Result<Reached<State>, Error> {
        let mut reached = Reached::none();
        for (state, text) in from.iter() {
            reached.extend(self.nodes, text, self.run(part, state, live)?);
        }
        Ok(reached)
    }

    /// [`Tracker::run`] for `body`, between `min` and `max` times.
    fn repeat(
        &self,
        body: &Part,
        (min, max): (u32, Option<u32>),
        state: &State,
        live: u64,
    ) -> Result<Reached<State>, Error> {
        let inside = live | body.uses();
        let mut reached = Reached::none();
        let mut now = Reached::one(self.keep(state, inside, 0), NodeId::EMPTY);
        for done in 0.. {
            if done >= min && max.is_none() {
                for (state, text) in now.iter() {
                    let end = |state: &State| Ok((self.keep(state, live, 0), NodeId::EMPTY));
                    reached.extend(self.nodes, text, self.star(body, state, inside, end)?);
                }
                break;
            }
            let mut next = Reached::none();
            if max != Some(done) {
                for (state, text) in now.iter() {
                    let once = self.run(body, state, inside)?;
                    if let (Some(_), Some((to, more))) = (now.only(), once.only())
                        && to == state
                    {
                        let left = (min.saturating_sub(done), max.map(|max| max - done));
                        let more = self.nodes.repeat_between(more, left.0, left.1);
                        let state = self.keep(state, live, 0);
                        reached.add(self.nodes, state, self.nodes.concat(text, more));
                        return Ok(reached);
                    }
                    next.extend(self.nodes, text, once);
                }
            }
            if done >= min {
                for (state, text) in now.iter() {
                    reached.add(self.nodes, self.keep(state, live, 0), text);
                }
            }
            if next.is_empty() {
                break;
            }
            now = next;
        }
        Ok(reached)
    }

    /// [`Tracker::run`] for `body`, any number of times; `end` says what becomes of each state
    /// after that, and which texts still follow. `inside` are the languages that matter within.
    fn star<O: Clone + Eq>(
        &self,
        body: &Part,
        state: &State,
        inside: u64,
        end: impl Fn(&State) -> Result<(O, NodeId), Error>,
    ) -> Result<Reached<O>, Error> {
        let mut system = System::new(self.keep(state, inside, 0));
        while let Some((row, state)) = system.next() {
            self.check(system.len())?;
            for (to, text) in self.run(body, &state, inside)?.iter() {
                system.edge(self.nodes, row, to.clone(), text);
            }
            let (outcome, text) = end(&state)?;
            system.end(row, outcome, text);
        }
        Ok(system.solve(self.nodes))
    }
}
