//! Flows: literal texts, free text up to a trigger, and JSON values, one after the other.
//!
//! A flow is a graph whose nodes read text. Which node reads next depends on the text alone, one
//! byte at a time, so a flow needs no more than a node and a position in it.

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::error::{Error, Kind};

/// A node of a [`Flow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FlowId(pub(crate) u32);

#[derive(Debug)]
pub(crate) enum FlowNode {
    /// Exactly this text.
    Literal { text: Box<[u8]>, next: FlowId },
    /// Any text that holds none of the stops; the first stop to be complete leads on.
    Free { stops: Stops, may_end: bool },
    /// One of several texts, none the beginning of another.
    Branch { options: Stops, may_end: bool },
    /// A JSON value of the schema with this index.
    Json { schema: usize, next: FlowId },
    /// Nothing more.
    End,
}

/// A graph of nodes, as read from its description.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) nodes: Vec<FlowNode>,
    pub(crate) start: FlowId,
    /// The schemas of the `Json` nodes, as texts.
    pub(crate) schemas: Vec<String>,
}

/// Texts to look out for, as an automaton over bytes.
#[derive(Debug)]
pub(crate) struct Stops {
    pub(crate) texts: Vec<(Box<[u8]>, FlowId)>,
    /// Each state is a beginning of some text; state 0 is the empty one.
    prefixes: Vec<Box<[u8]>>,
    /// Only the moves that do not lead to state 0.
    moves: FxHashMap<(u32, u8), u32>,
}

impl Stops {
    fn new(texts: Vec<(Box<[u8]>, FlowId)>) -> Self {
        let mut prefixes: Vec<Box<[u8]>> = vec![Box::new([])];
        for (text, _) in &texts {
            for length in 1..text.len() {
                let prefix = &text[..length];
                if !prefixes.iter().any(|p| &**p == prefix) {
                    prefixes.push(prefix.into());
                }
            }
        }
        let mut bytes: Vec<u8> = texts
            .iter()
            .flat_map(|(text, _)| text.iter().copied())
            .collect();
        bytes.sort_unstable();
        bytes.dedup();
        let mut moves = FxHashMap::default();
        for (i, prefix) in prefixes.iter().enumerate() {
            for &byte in &bytes {
                let read = [&**prefix, &[byte]].concat();
                let longest = (0..read.len()).find_map(|from| {
                    prefixes
                        .iter()
                        .position(|p| **p == read[from..])
                        .filter(|&p| p != 0)
                });
                if let Some(to) = longest {
                    moves.insert((i as u32, byte), to as u32);
                }
            }
        }
        Stops {
            texts,
            prefixes,
            moves,
        }
    }

    /// The text that is complete after `byte`, if one is.
    pub(crate) fn completed(&self, state: u32, byte: u8) -> Option<FlowId> {
        let prefix = &self.prefixes[state as usize];
        let found = self.texts.iter().find(|(text, _)| {
            text.split_last()
                .is_some_and(|(last, rest)| *last == byte && prefix.ends_with(rest))
        });
        found.map(|&(_, next)| next)
    }

    /// The state after `byte`, when free text goes on.
    pub(crate) fn search(&self, state: u32, byte: u8) -> u32 {
        self.moves.get(&(state, byte)).copied().unwrap_or(0)
    }

    /// The state after `byte`, when the text must be one of these from its start.
    pub(crate) fn exactly(&self, state: u32, byte: u8) -> Option<u32> {
        let next = self.search(state, byte);
        let grown = self.prefixes[next as usize].len() == self.prefixes[state as usize].len() + 1;
        grown.then_some(next)
    }

    /// The texts that a state is the beginning of, each with what is left of it.
    pub(crate) fn ahead(&self, state: u32) -> impl Iterator<Item = (&[u8], FlowId)> {
        let prefix = &self.prefixes[state as usize];
        self.texts
            .iter()
            .filter_map(|(text, next)| Some((text.strip_prefix(&**prefix)?, *next)))
    }
}

impl Flow {
    /// Reads the JSON description of a flow.
    ///
    /// # Errors
    ///
    /// If it is not such a description, or a node leads nowhere.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| refuse(format!("a flow is not JSON: {error}")))?;
        let nodes = document.get("nodes").and_then(Value::as_array);
        let nodes = nodes.ok_or_else(|| refuse("a flow needs a list of `nodes`"))?;
        let mut flow = Flow {
            nodes: Vec::new(),
            start: FlowId(0),
            schemas: Vec::new(),
        };
        flow.start = target(document.get("start"), nodes.len())?;
        for node in nodes {
            let node = flow.read_node(node, nodes.len())?;
            flow.nodes.push(node);
        }
        flow.check_progress()?;
        Ok(flow)
    }

    fn read_node(&mut self, node: &Value, count: usize) -> Result<FlowNode, Error> {
        let may_end = node
            .get("may_end")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let next = || target(node.get("next"), count);
        match node.get("kind").and_then(Value::as_str) {
            Some("literal") => {
                let text = node.get("text").and_then(Value::as_str);
                let text = text.ok_or_else(|| refuse("a literal needs a `text`"))?;
                Ok(FlowNode::Literal {
                    text: text.as_bytes().into(),
                    next: next()?,
                })
            }
            Some("free") => Ok(FlowNode::Free {
                stops: stops(node, "stops", count)?,
                may_end,
            }),
            Some("branch") => {
                let options = stops(node, "options", count)?;
                for (i, (a, _)) in options.texts.iter().enumerate() {
                    for (b, _) in &options.texts[..i] {
                        if a.starts_with(b) || b.starts_with(a) {
                            return Err(refuse("an option of a branch begins with another"));
                        }
                    }
                }
                Ok(FlowNode::Branch { options, may_end })
            }
            Some("json") => {
                let schema = node
                    .get("schema")
                    .ok_or_else(|| refuse("json needs a `schema`"))?;
                self.schemas.push(schema.to_string());
                Ok(FlowNode::Json {
                    schema: self.schemas.len() - 1,
                    next: next()?,
                })
            }
            Some("end") => Ok(FlowNode::End),
            other => Err(refuse(format!("unknown kind of flow node: {other:?}"))),
        }
    }

    /// Empty literals must not lead round in a circle.
    fn check_progress(&self) -> Result<(), Error> {
        for start in 0..self.nodes.len() {
            let mut at = FlowId(start as u32);
            let mut steps = 0;
            while let FlowNode::Literal { text, next } = self.node(at)
                && text.is_empty()
            {
                at = *next;
                steps += 1;
                if steps > self.nodes.len() {
                    return Err(refuse("empty literals of a flow lead round in a circle"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn node(&self, id: FlowId) -> &FlowNode {
        &self.nodes[id.0 as usize]
    }
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(Kind::Grammar, message)
}

fn target(value: Option<&Value>, count: usize) -> Result<FlowId, Error> {
    let id = value
        .and_then(Value::as_u64)
        .filter(|&id| id < count as u64);
    id.map(|id| FlowId(id as u32))
        .ok_or_else(|| refuse(format!("a flow node leads to {value:?}, which is no node")))
}

fn stops(node: &Value, field: &str, count: usize) -> Result<Stops, Error> {
    let list = node.get(field).and_then(Value::as_array);
    let list = list.ok_or_else(|| refuse(format!("a flow node needs a list of `{field}`")))?;
    let mut texts = Vec::with_capacity(list.len());
    for entry in list {
        match (entry.get(0).and_then(Value::as_str), entry.get(1)) {
            (Some(text), next) if !text.is_empty() => {
                texts.push((text.as_bytes().into(), target(next, count)?));
            }
            _ => return Err(refuse(format!("an entry of `{field}` is [text, node]"))),
        }
    }
    Ok(Stops::new(texts))
}
