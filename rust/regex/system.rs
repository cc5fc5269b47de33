//! Automata whose edges are languages, and the languages that lead through them.

use std::collections::BTreeMap;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::regex::node::NodeId;
use crate::regex::regexes::Regexes;

/// States, each with the texts that lead to it; in the order in which they were added.
#[derive(Debug)]
pub(crate) struct ReachedStates<S>(Vec<(S, NodeId)>);

impl<S: Clone + Eq> ReachedStates<S> {
    /// Nothing is reached.
    pub(crate) fn none() -> Self {
        ReachedStates(Vec::new())
    }

    /// `state`, by reading `text`.
    pub(crate) fn one(state: S, text: NodeId) -> Self {
        ReachedStates(vec![(state, text)])
    }

    pub(crate) fn add(&mut self, nodes: &Regexes, state: S, text: NodeId) {
        if text == NodeId::NEVER {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == state) {
            Some((_, texts)) => *texts = nodes.or(vec![*texts, text]),
            None => self.0.push((state, text)),
        }
    }

    /// Adds all of `more`, each text behind `text`.
    pub(crate) fn extend(&mut self, nodes: &Regexes, text: NodeId, more: ReachedStates<S>) {
        for (state, rest) in more.0 {
            self.add(nodes, state, nodes.concat(text, rest));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&S, NodeId)> {
        self.0.iter().map(|(state, text)| (state, *text))
    }

    /// The one state that is reached, if it is one.
    pub(crate) fn only(&self) -> Option<(&S, NodeId)> {
        match &self.0[..] {
            [(state, text)] => Some((state, *text)),
            _ => None,
        }
    }
}

/// An automaton under construction: a row for each state, and outcomes where a run may end.
pub(crate) struct System<S, O> {
    states: Vec<S>,
    rows: FxHashMap<S, usize>,
    edges: Vec<BTreeMap<usize, NodeId>>,
    /// For the states in which a run may end: the outcome, and the texts that still follow.
    ends: Vec<Option<(O, NodeId)>>,
    /// States before this one have their edges.
    done: usize,
}

impl<S: Clone + Eq + Hash, O: Clone + Eq> System<S, O> {
    pub(crate) fn new(start: S) -> Self {
        let mut system = System {
            states: Vec::new(),
            rows: FxHashMap::default(),
            edges: Vec::new(),
            ends: Vec::new(),
            done: 0,
        };
        system.row(start);
        system
    }

    fn row(&mut self, state: S) -> usize {
        *self.rows.entry(state).or_insert_with_key(|state| {
            self.states.push(state.clone());
            self.edges.push(BTreeMap::new());
            self.ends.push(None);
            self.states.len() - 1
        })
    }

    /// States so far.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// A state that has no edges yet, and its row.
    pub(crate) fn next(&mut self) -> Option<(usize, S)> {
        let row = self.done;
        let state = self.states.get(row)?.clone();
        self.done += 1;
        Some((row, state))
    }

    pub(crate) fn edge(&mut self, nodes: &Regexes, row: usize, to: S, text: NodeId) {
        let to = self.row(to);
        insert(nodes, &mut self.edges[row], to, text);
    }

    pub(crate) fn end(&mut self, row: usize, outcome: O, text: NodeId) {
        self.ends[row] = Some((outcome, text));
    }

    pub(crate) fn ends(&self) -> impl Iterator<Item = (&S, &O)> {
        let ends = self.states.iter().zip(&self.ends);
        ends.filter_map(|(state, end)| Some((state, &end.as_ref()?.0)))
    }

    /// For each outcome, the texts that lead from the start to an end with that outcome.
    ///
    /// States are eliminated one by one from the last: what can be read from a state is written
    /// in terms of the states before it. `step` is asked before each step whether to go on.
    pub(crate) fn solve(
        mut self,
        nodes: &Regexes,
        step: impl Fn() -> Result<(), Error>,
    ) -> Result<ReachedStates<O>, Error> {
        let count = self.states.len();
        let mut outcomes: Vec<O> = Vec::new();
        for (row, end) in self.ends.into_iter().enumerate() {
            if let Some((outcome, text)) = end {
                let known = outcomes.iter().position(|o| *o == outcome);
                let i = known.unwrap_or_else(|| {
                    outcomes.push(outcome);
                    outcomes.len() - 1
                });
                self.edges[row].insert(count + i, text);
            }
        }
        let mut solved = BTreeMap::new();
        for k in (0..count).rev() {
            solved = std::mem::take(&mut self.edges[k]);
            if let Some(own) = solved.remove(&k) {
                let again = nodes.repeat_between(own, 0, None);
                for text in solved.values_mut() {
                    *text = nodes.concat(again, *text);
                }
            }
            for row in &mut self.edges[..k] {
                if let Some(text) = row.remove(&k) {
                    for (&to, &rest) in &solved {
                        step()?;
                        insert(nodes, row, to, nodes.concat(text, rest));
                    }
                }
            }
        }
        let solved = solved
            .into_iter()
            .filter(|(_, text)| *text != NodeId::NEVER);
        Ok(ReachedStates(
            solved
                .map(|(column, text)| (outcomes[column - count].clone(), text))
                .collect(),
        ))
    }
}

fn insert(nodes: &Regexes, row: &mut BTreeMap<usize, NodeId>, to: usize, text: NodeId) {
    let known = row.get(&to).copied().unwrap_or(NodeId::NEVER);
    row.insert(to, nodes.or(vec![known, text]));
}
