//! What matters of the text before a place: tracked languages, stepped along.

use std::cell::Cell;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::error::{Error, ErrorKind};
use crate::regex::codeset::{CodeSet, MAX};
use crate::regex::node::{Node, NodeId};
use crate::regex::regexes::Regexes;
use crate::regex::system::{ReachedStates, System};

/// Languages tracked at once: bits of a set.
const MAX_LEFTS: usize = 64;
/// States of one automaton that is solved.
const MAX_STATES: usize = 512;
/// States of a text together with what is tracked, up to which both are followed as one.
const MAX_JOINT_STATES: usize = 24;
/// Steps of the translation of one pattern.
const MAX_WORK: usize = 20_000;

/// What the texts before and after a place can still decide.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TrackState {
    /// For each tracked language, what is left of it after the text before. `NEVER` if nothing
    /// asks for it any more.
    pub(crate) lefts: Box<[NodeId]>,
    /// What was asked of the text after.
    pub(crate) right: NodeId,
}

/// The tracked languages of one pattern, and the store that its languages go to.
pub(crate) struct Tracker<'a> {
    pub(crate) nodes: &'a Regexes,
    lefts: Vec<NodeId>,
    work: Cell<usize>,
}

impl<'a> Tracker<'a> {
    pub(crate) fn new(nodes: &'a Regexes) -> Self {
        Tracker {
            nodes,
            lefts: Vec::new(),
            work: Cell::new(0),
        }
    }

    /// Tracks a language. Returns its number, and whether being in it (or not) is asked for: a
    /// language and its complement share a number.
    pub(crate) fn track(&mut self, language: NodeId) -> Result<(usize, bool), Error> {
        for (i, &known) in self.lefts.iter().enumerate() {
            if known == language || known == self.nodes.not(language) {
                return Ok((i, known == language));
            }
        }
        if self.lefts.len() == MAX_LEFTS {
            let message = format!("the pattern looks back in more than {MAX_LEFTS} ways");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        self.lefts.push(language);
        Ok((self.lefts.len() - 1, true))
    }

    pub(crate) fn left(&self, i: usize) -> NodeId {
        self.lefts[i]
    }

    /// The state before any text, of the languages `live`.
    pub(crate) fn start(&self, live: u64) -> TrackState {
        let all = TrackState {
            lefts: self.lefts.as_slice().into(),
            right: NodeId::ANY,
        };
        self.keep(&all, (live, 0))
    }

    /// Forgets what nothing asks for. Of the languages `live`, which something asks for, those in
    /// `tested` are asked for at this very place only, so that the answer is enough.
    pub(crate) fn keep(&self, state: &TrackState, (live, tested): (u64, u64)) -> TrackState {
        let kept = state.lefts.iter().enumerate().map(|(i, &left)| {
            match (live >> i & 1, tested >> i & 1) {
                (0, _) => NodeId::NEVER,
                (_, 0) => left,
                _ if self.nodes.nullable(left) => NodeId::ANY,
                _ => NodeId::NEVER,
            }
        });
        TrackState {
            lefts: kept.collect(),
            right: state.right,
        }
    }

    /// Counts steps, so that patterns that unfold exponentially end in an error.
    pub(crate) fn work(&self, steps: usize) -> Result<(), Error> {
        self.work.set(self.work.get() + steps);
        if self.work.get() > MAX_WORK {
            Err(too_involved())
        } else {
            Ok(())
        }
    }

    /// Refuses an automaton that is too large to be solved.
    pub(crate) fn check(&self, states: usize) -> Result<(), Error> {
        if states > MAX_STATES {
            Err(too_involved())
        } else {
            Ok(())
        }
    }

    /// `a`, then `b`.
    pub(crate) fn chain(&self, a: NodeId, b: NodeId) -> NodeId {
        let nodes = self.nodes;
        let absorbs =
            a == NodeId::ANY && nodes.nullable(b) || b == NodeId::ANY && nodes.nullable(a);
        if absorbs {
            NodeId::ANY
        } else {
            nodes.concat(a, b)
        }
    }

    /// Both `a` and `b`.
    pub(crate) fn meet(&self, a: NodeId, b: NodeId) -> NodeId {
        self.nodes.and(vec![a, b])
    }

    /// Those of the texts `after` that are in `right` too, which an assertion asks for. The first
    /// characters often tell: then nothing, or little, of the intersection remains.
    pub(crate) fn ask(&self, mut right: NodeId, mut after: NodeId) -> NodeId {
        if right == NodeId::ANY {
            return after;
        }
        let nodes = self.nodes;
        let mut read = Vec::new();
        loop {
            let nullable = nodes.nullable(after);
            let mut rests: Vec<NodeId> = Vec::new();
            for (lo, _) in self.intervals(&[right, after]) {
                if nodes.step(after, lo) != NodeId::NEVER {
                    rests.push(nodes.step(right, lo));
                }
            }
            rests.dedup();
            match (&rests[..], nodes.node(after)) {
                ([NodeId::ANY], _) if !nullable || nodes.nullable(right) => break,
                ([NodeId::NEVER], _) if !nullable => after = NodeId::NEVER,
                (&[rest], &Node::Concat(first, next))
                    if right != rest && matches!(nodes.node(first), Node::Class(_)) =>
                {
                    read.push(first);
                    (right, after) = (rest, next);
                    continue;
                }
                _ => after = self.meet(right, after),
            }
            break;
        }
        read.into_iter()
            .rev()
            .fold(after, |rest, first| nodes.concat(first, rest))
    }

    /// `language`, or its complement if not `holds`.
    pub(crate) fn signed(&self, language: NodeId, holds: bool) -> NodeId {
        if holds {
            language
        } else {
            self.nodes.not(language)
        }
    }

    /// The states to which the texts of `text` lead from `state`, with those that lead to each.
    /// The states are cut to what [`Tracker::keep`] keeps.
    pub(crate) fn split(
        &self,
        text: NodeId,
        state: &TrackState,
        uses: (u64, u64),
    ) -> Result<ReachedStates<TrackState>, Error> {
        self.work(1)?;
        let state = self.keep(state, (uses.0, 0));
        if text == NodeId::EMPTY || self.is_inert(&state) {
            return Ok(ReachedStates::one(self.keep(&state, uses), text));
        }
        let joint = self.explore(text, &state, uses, MAX_JOINT_STATES)?;
        let (automaton, whole) = match joint {
            Some(joint) if matches!(self.nodes.node(text), Node::Class(_)) => {
                return joint.system.solve(self.nodes, || self.work(1));
            }
            Some(joint) => (joint, true),
            None => {
                let alone = self.explore(NodeId::ANY, &state, uses, MAX_STATES)?;
                (alone.ok_or_else(too_involved)?, text == NodeId::ANY)
            }
        };
        if let Some(outcome) = automaton.only_outcome() {
            return Ok(ReachedStates::one(outcome, text));
        }
        if let Some(reached) = self.by_tests(text, &state, &automaton) {
            return Ok(reached);
        }
        let solved = automaton.system.solve(self.nodes, || self.work(1))?;
        if whole {
            return Ok(solved);
        }
        let mut reached = ReachedStates::none();
        for (state, cut) in solved.iter() {
            reached.add(self.nodes, state.clone(), self.meet(text, cut));
        }
        Ok(reached)
    }

    /// Whether no text changes the state.
    fn is_inert(&self, state: &TrackState) -> bool {
        let fixed = |&left: &NodeId| left == NodeId::ANY || left == NodeId::NEVER;
        state.right == NodeId::ANY && state.lefts.iter().all(fixed)
    }

    /// The automaton of `text` and `state` together; nothing if it is larger than `max`.
    fn explore(
        &self,
        text: NodeId,
        state: &TrackState,
        uses: (u64, u64),
        max: usize,
    ) -> Result<Option<Automaton>, Error> {
        let mut automaton = Automaton {
            system: System::new((text, state.clone())),
            is_total: true,
        };
        while let Some((row, (text, state))) = automaton.system.next() {
            if automaton.system.len() > max {
                return Ok(None);
            }
            let mut moves: FxHashMap<(NodeId, TrackState), Vec<(u32, u32)>> = FxHashMap::default();
            let stepped = [&[text, state.right], &*state.lefts].concat();
            let intervals = self.intervals(&stepped);
            self.work(intervals.len() / 64)?;
            for (lo, hi) in intervals {
                let text = self.nodes.step(text, lo);
                let right = self.nodes.step(state.right, lo);
                if text == NodeId::NEVER {
                    continue;
                }
                if right == NodeId::NEVER {
                    automaton.is_total = false;
                    continue;
                }
                let lefts = state
                    .lefts
                    .iter()
                    .map(|&left| self.nodes.step(left, lo))
                    .collect();
                moves
                    .entry((text, TrackState { lefts, right }))
                    .or_default()
                    .push((lo, hi));
            }
            let mut moves: Vec<_> = moves
                .into_iter()
                .map(|(to, set)| (CodeSet::new(set), to))
                .collect();
            moves.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            for (set, to) in moves {
                automaton
                    .system
                    .edge(self.nodes, row, to, self.nodes.class(set));
            }
            if self.nodes.nullable(text) {
                let outcome = self.keep(&state, uses);
                automaton.system.end(row, outcome, NodeId::EMPTY);
            }
        }
        Ok(Some(automaton))
    }

    /// Intervals of characters on which each of `languages` steps alike.
    fn intervals(&self, languages: &[NodeId]) -> Vec<(u32, u32)> {
        let mut starts: BTreeSet<u32> = BTreeSet::from([0]);
        for piece in languages
            .iter()
            .flat_map(|&language| self.nodes.pieces(language))
        {
            starts.extend([piece.lo, piece.hi + 1]);
        }
        let ends = starts.iter().skip(1).map(|&next| next - 1).chain([MAX]);
        starts
            .iter()
            .zip(ends)
            .map(|(&lo, hi)| (lo, hi))
            .filter(|(lo, hi)| lo <= hi)
            .collect()
    }

    /// [`Tracker::split`] without solving anything, where the outcome depends on no more than
    /// which of the tracked languages the texts are in.
    fn by_tests(
        &self,
        text: NodeId,
        start: &TrackState,
        automaton: &Automaton,
    ) -> Option<ReachedStates<TrackState>> {
        if start.right != NodeId::ANY {
            return None;
        }
        let mut outcomes: FxHashMap<Vec<bool>, &TrackState> = FxHashMap::default();
        let mut tests = Vec::new();
        for ((_, state), outcome) in automaton.system.ends() {
            let test: Vec<bool> = state
                .lefts
                .iter()
                .map(|&left| self.nodes.nullable(left))
                .collect();
            match outcomes.insert(test.clone(), outcome) {
                None => tests.push(test),
                Some(other) if other == outcome => {}
                Some(_) => return None,
            }
        }
        let mut reached = ReachedStates::none();
        for test in tests {
            let mut cut = vec![text];
            for (&left, &holds) in start.lefts.iter().zip(&test) {
                cut.push(self.signed(left, holds));
            }
            reached.add(self.nodes, outcomes[&test].clone(), self.nodes.and(cut));
        }
        Some(reached)
    }
}

struct Automaton {
    system: System<(NodeId, TrackState), TrackState>,
    /// Whether every text leads to some outcome; none was dropped because it is not what was asked
    /// of the text after.
    is_total: bool,
}

impl Automaton {
    /// Where all texts lead, if that is one state.
    fn only_outcome(&self) -> Option<TrackState> {
        let mut ends = self.system.ends().map(|(_, outcome)| outcome);
        let first = ends.next()?;
        (self.is_total && ends.all(|end| end == first)).then(|| first.clone())
    }
}

fn too_involved() -> Error {
    let message = "the assertions of the pattern interact in more ways than can be followed";
    Error::new(ErrorKind::Unsupported, message)
}
