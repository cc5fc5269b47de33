//! Text around values.

use crate::grammar::flow::{FlowId, FlowNode, Stops};
use crate::json::liveness::{NEVER, add};
use crate::json::spelling::{Partial, Taken};
use crate::json::texts::TextId;
use crate::machine::{Config, Frame, Gap, Machine, StackId, State};

impl Machine {
    pub(super) fn flow_node(&self, id: FlowId) -> &FlowNode {
        let (flow, _) = self.flow.as_ref().expect("only a flow has flow nodes");
        flow.node(id)
    }

    /// Where the text around values goes on at a node.
    pub(super) fn enter_flow(&self, node: FlowId, stack: StackId) -> Config {
        match self.flow_node(node) {
            FlowNode::Literal { text, next } if text.is_empty() => self.enter_flow(*next, stack),
            &FlowNode::Json { schema, next } => {
                let (_, tasks) = self.flow.as_ref().expect("only a flow has flow nodes");
                let state = State::Value {
                    task: tasks[schema],
                    gap: Gap::NONE,
                };
                Config {
                    state,
                    stack: self.push(Frame::Flow(next), stack),
                    record: TextId::EMPTY,
                }
            }
            _ => Config {
                state: State::Flow {
                    node,
                    at: 0,
                    partial: Partial::Nothing,
                },
                stack,
                record: TextId::EMPTY,
            },
        }
    }

    /// As [`Machine::enter_flow`], unless nothing ends the text from there: a text that leads to
    /// such a node is forbidden.
    fn enter_if_live(&self, node: FlowId, stack: StackId) -> Option<Config> {
        (self.flow_cost(node) != NEVER).then(|| self.enter_flow(node, stack))
    }

    pub(super) fn step_flow(
        &self,
        node: FlowId,
        at: u32,
        partial: Partial,
        stack: StackId,
        byte: u8,
    ) -> Option<Config> {
        let stay = |at: u32, partial: Partial| {
            Some(Config {
                state: State::Flow { node, at, partial },
                stack,
                record: TextId::EMPTY,
            })
        };
        match self.flow_node(node) {
            FlowNode::Literal { text, next } => {
                if text[at as usize] != byte {
                    return None;
                }
                if at as usize + 1 == text.len() {
                    return Some(self.enter_flow(*next, stack));
                }
                stay(at + 1, partial)
            }
            FlowNode::Branch { options, .. } => match options.completed(at, byte) {
                Some(next) => self.enter_if_live(next, stack),
                None => {
                    let at = options.exactly(at, byte)?;
                    let live = options
                        .ahead(at)
                        .any(|(_, next)| self.flow_cost(next) != NEVER);
                    live.then_some(Config {
                        state: State::Flow { node, at, partial },
                        stack,
                        record: TextId::EMPTY,
                    })
                }
            },
            FlowNode::Free { stops, .. } => {
                let partial = match partial.take_raw(byte) {
                    Taken::Partial(partial) => partial,
                    Taken::Char(_) => Partial::Nothing,
                    Taken::Close | Taken::Refused => return None,
                };
                match stops.completed(at, byte) {
                    Some(next) => self.enter_if_live(next, stack),
                    None => stay(stops.search(at, byte), partial),
                }
            }
            FlowNode::Json { .. } | FlowNode::End => None,
        }
    }

    /// The fewest bytes from the start of a node to the end of the text.
    pub(super) fn flow_cost(&self, id: FlowId) -> u64 {
        self.flow_costs.get_or_init(|| {
            let Some((flow, tasks)) = &self.flow else {
                return Vec::new();
            };
            let mut costs = vec![NEVER; flow.nodes.len()];
            // Each round settles at least one more node, if any is left to settle.
            for _ in 0..=flow.nodes.len() {
                for i in 0..flow.nodes.len() {
                    let cost_of = |next: FlowId| costs[next.0 as usize];
                    let cheapest_of = |texts: &Stops| {
                        let texts = texts.texts.iter();
                        let costs =
                            texts.map(|(text, next)| add(text.len() as u64, cost_of(*next)));
                        costs.min().unwrap_or(NEVER)
                    };
                    costs[i] = match &flow.nodes[i] {
                        FlowNode::End => 0,
                        FlowNode::Free { may_end: true, .. }
                        | FlowNode::Branch { may_end: true, .. } => 0,
                        FlowNode::Free { stops, .. } => cheapest_of(stops),
                        FlowNode::Branch { options, .. } => cheapest_of(options),
                        FlowNode::Literal { text, next } => add(text.len() as u64, cost_of(*next)),
                        &FlowNode::Json { schema, next } => {
                            let must = self.frames.task_of(tasks[schema]).must;
                            add(self.frames.rules.cost(must), cost_of(next))
                        }
                    };
                }
            }
            costs
        })[id.0 as usize]
    }
}
