//! Patterns with assertions, part by part.
//!
//! An assertion says something about all the text before a place and about all the text after it.
//! Text after is easy: read from the end, "this part, then what follows" is a language, and a
//! lookahead is an intersection with it. So is a lookbehind, read from the start, as long as
//! nothing looked right. In between, what matters of the text before is tracked in a [`TrackState`].
//! In a repeat nothing is last, so there the text after is tracked as well.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::regex::node::NodeId;
use crate::regex::system::{ReachedStates, System};
use crate::regex::track::{TrackState, Tracker};

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

/// Parts one after the other, and what comes after them.
pub(crate) struct Sequence<'a> {
    parts: &'a [Part],
    next: Next<'a>,
    /// What may follow, by place and state: many ways lead there.
    memo: RefCell<FxHashMap<(usize, TrackState), NodeId>>,
}

/// A place in the pattern.
#[derive(Clone, Copy)]
pub(crate) enum Next<'a> {
    /// The end; the rest of the text is in the language.
    End(NodeId),
    /// Before a part of a sequence.
    Part(&'a Sequence<'a>, usize),
}

impl<'a> Sequence<'a> {
    fn new(parts: &'a [Part], next: Next<'a>) -> Self {
        Sequence {
            parts,
            next,
            memo: RefCell::default(),
        }
    }
}

impl<'a> Next<'a> {
    /// The next part, and the place after it; at the end, the language of the rest of the text.
    fn part(mut self) -> Result<(&'a Part, Next<'a>), NodeId> {
        loop {
            match self {
                Next::End(rest) => return Err(rest),
                Next::Part(sequence, at) => match sequence.parts.get(at) {
                    Some(part) => return Ok((part, Next::Part(sequence, at + 1))),
                    None => self = sequence.next,
                },
            }
        }
    }

    /// The tracked languages that what comes asks about, as bits: all, and of those the ones that
    /// only guards right here ask about.
    fn uses(mut self) -> (u64, u64) {
        let (mut here, mut later) = (0, 0);
        let mut is_here = true;
        while let Ok((part, next)) = self.part() {
            is_here &= matches!(part, Part::Guard(_) | Part::Right(_));
            *(if is_here { &mut here } else { &mut later }) |= part.uses();
            self = next;
        }
        (here | later, here & !later)
    }
}

impl Tracker<'_> {
    /// The texts that are `around`, then `parts`, then `around`. What only looks left is read from
    /// the start, as far as that goes; the rest from the end.
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
        let rest = Sequence::new(rest, Next::End(around));
        let start = Next::Part(&rest, 0);
        let reached = self.split(before, &self.start(start.uses().0), start.uses())?;
        self.follow(reached, |state| self.after(start, state))
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

    /// The texts that match `parts` up to the end of the text, where `state` is what matters of
    /// the text before.
    pub(crate) fn ahead(&self, parts: &[Part], state: &TrackState) -> Result<NodeId, Error> {
        let sequence = Sequence::new(parts, Next::End(NodeId::ANY));
        self.after(Next::Part(&sequence, 0), state)
    }

    /// The texts that go on as from `place`, where `state` is what matters of the text before.
    fn after(&self, place: Next, state: &TrackState) -> Result<NodeId, Error> {
        let (sequence, at) = match place {
            Next::End(rest) => return Ok(rest),
            Next::Part(sequence, at) if at == sequence.parts.len() => {
                return self.after(sequence.next, state);
            }
            Next::Part(sequence, at) => (sequence, at),
        };
        let key = (at, state.clone());
        if let Some(&known) = sequence.memo.borrow().get(&key) {
            return Ok(known);
        }
        let texts = self.with(&sequence.parts[at], Next::Part(sequence, at + 1), state)?;
        sequence.memo.borrow_mut().insert(key, texts);
        Ok(texts)
    }

    /// The texts that match `part` and go on as from `next`.
    fn with(&self, part: &Part, next: Next, state: &TrackState) -> Result<NodeId, Error> {
        self.work(1)?;
        let uses = next.uses();
        match part {
            Part::Plain(text) => {
                let reached = self.split(*text, state, uses)?;
                self.follow(reached, |state| self.after(next, state))
            }
            Part::Right(_) | Part::Guard(_) | Part::Ahead { .. } => {
                match self.right(part, state)? {
                    NodeId::NEVER => Ok(NodeId::NEVER),
                    right => {
                        let after = self.after(next, &self.keep(state, uses))?;
                        Ok(self.ask(right, after))
                    }
                }
            }
            Part::Concat(parts) => self.after(Next::Part(&Sequence::new(parts, next), 0), state),
            Part::Alternation(branches) => {
                let branches = branches.iter().map(|branch| self.with(branch, next, state));
                Ok(self.nodes.or(branches.collect::<Result<_, _>>()?))
            }
            Part::Repeat { body, min, max } => {
                let then = |state: &TrackState| self.after(next, &self.keep(state, uses));
                let end = |state: &TrackState| Ok(((), self.go_on(state, then)?));
                let texts = self.repeat(body, (*min, *max), state, uses.0 | body.uses(), end)?;
                Ok(texts.only().map_or(NodeId::NEVER, |((), texts)| texts))
            }
        }
    }

    /// The texts that lead to one of the states `reached`, and then go on as `then` says.
    fn follow(
        &self,
        reached: ReachedStates<TrackState>,
        then: impl Fn(&TrackState) -> Result<NodeId, Error>,
    ) -> Result<NodeId, Error> {
        let texts = reached
            .iter()
            .map(|(state, text)| Ok(self.chain(text, self.go_on(state, &then)?)));
        Ok(self.nodes.or(texts.collect::<Result<_, Error>>()?))
    }

    /// What `then` says of a state, cut to what was asked of the text after.
    fn go_on(
        &self,
        state: &TrackState,
        then: impl Fn(&TrackState) -> Result<NodeId, Error>,
    ) -> Result<NodeId, Error> {
        let free = TrackState {
            right: NodeId::ANY,
            ..state.clone()
        };
        Ok(self.ask(state.right, then(&free)?))
    }

    /// What an assertion asks of the text after a place with `state`.
    fn right(&self, assertion: &Part, state: &TrackState) -> Result<NodeId, Error> {
        match assertion {
            Part::Right(right) => Ok(*right),
            Part::Guard(guard) => {
                let cases = guard.cases.iter();
                let apply = cases.filter(|c| self.nodes.nullable(state.lefts[c.left]) == c.holds);
                let right = self.nodes.or(apply.map(|c| c.right).collect());
                Ok(self.signed(right, !guard.negated))
            }
            Part::Ahead { body, negated } => {
                let state = TrackState {
                    right: NodeId::ANY,
                    ..state.clone()
                };
                let right = self.ahead(body, &state)?;
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
        state: &TrackState,
        live: u64,
    ) -> Result<ReachedStates<TrackState>, Error> {
        self.work(1)?;
        match part {
            Part::Plain(text) => self.split(*text, state, (live, 0)),
            Part::Right(_) | Part::Guard(_) | Part::Ahead { .. } => {
                let mut reached = ReachedStates::none();
                let right = self.meet(state.right, self.right(part, state)?);
                if right != NodeId::NEVER {
                    let state = TrackState {
                        right,
                        ..self.keep(state, (live, 0))
                    };
                    reached.add(self.nodes, state, NodeId::EMPTY);
                }
                Ok(reached)
            }
            Part::Concat(parts) => {
                let mut reached = ReachedStates::one(state.clone(), NodeId::EMPTY);
                for (i, part) in parts.iter().enumerate() {
                    reached = self.step(&reached, part, live | uses(&parts[i + 1..]))?;
                }
                Ok(reached)
            }
            Part::Alternation(branches) => {
                let mut reached = ReachedStates::none();
                for branch in branches {
                    reached.extend(self.nodes, NodeId::EMPTY, self.run(branch, state, live)?);
                }
                Ok(reached)
            }
            Part::Repeat { body, min, max } => {
                let end = |state: &TrackState| Ok((self.keep(state, (live, 0)), NodeId::EMPTY));
                self.repeat(body, (*min, *max), state, live | body.uses(), end)
            }
        }
    }

    /// Applies [`Tracker::run`] to several states, each with the texts that led there.
    fn step(
        &self,
        from: &ReachedStates<TrackState>,
        part: &Part,
        live: u64,
    ) -> Result<ReachedStates<TrackState>, Error> {
        let mut reached = ReachedStates::none();
        for (state, text) in from.iter() {
            reached.extend(self.nodes, text, self.run(part, state, live)?);
        }
        Ok(reached)
    }

    /// [`Tracker::run`] for `body`, from `min` to `max` times; `end` says what becomes of each
    /// state after that, and which texts still follow. `live` includes what `body` asks for.
    fn repeat<O: Clone + Eq>(
        &self,
        body: &Part,
        (min, max): (u32, Option<u32>),
        state: &TrackState,
        live: u64,
        end: impl Fn(&TrackState) -> Result<(O, NodeId), Error>,
    ) -> Result<ReachedStates<O>, Error> {
        let mut rounds: FxHashMap<TrackState, ReachedStates<TrackState>> = FxHashMap::default();
        let mut system = System::new((0, self.keep(state, (live, 0))));
        while let Some((row, (done, state))) = system.next() {
            self.check(system.len())?;
            if !rounds.contains_key(&state) {
                rounds.insert(state.clone(), self.run(body, &state, live)?);
            }
            let round = &rounds[&state];
            let (least, most) = (min.saturating_sub(done), max.map(|max| max - done));
            // A state that a round leads back to, and nowhere else, needs no counting.
            if let Some((to, text)) = round.only()
                && *to == state
            {
                let rounds = self.nodes.repeat_between(text, least, most);
                let (outcome, rest) = end(&state)?;
                system.end(row, outcome, self.nodes.concat(rounds, rest));
                continue;
            }
            if least == 0 {
                let (outcome, rest) = end(&state)?;
                system.end(row, outcome, rest);
            }
            if most == Some(0) {
                continue;
            }
            let done = if max.is_some() {
                done + 1
            } else {
                min.min(done + 1)
            };
            for (to, text) in round.iter() {
                system.edge(self.nodes, row, (done, to.clone()), text);
            }
        }
        system.solve(self.nodes, || self.work(1))
    }
}
