//! The places at which the text of a grammar can go on: in the rules that begin, and in those that end.

use crate::byte_set::ByteSet;
use crate::grammar::program::Symbol;
use crate::machine::config::{Frame, StackId};
use crate::machine::stack::{Floor, StackMemo, as_text};
use crate::machine::text_reader::TextReader;
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::scan::ScanId;
use crate::work;

impl<'a> TextReader<'a> {
    /// The stack on which a symbol's text is read, `rest` being what comes after it.
    pub(super) fn push_text(self, rest: ScanId, stack: StackId) -> StackId {
        let scanner = self.scanner;
        let language = scanner.scan(rest).language;
        // Nothing is left: the frame would only lead to the one below.
        if language == NodeId::EMPTY {
            return stack;
        }
        // y x* before x* is y before x*: so that lists of lists, and sums of sums, do not read one
        // text in ever more ways.
        if let Some((star, before)) = self.beginnings(rest).star
            && self.begins_with_star(stack, star)
        {
            return before.map_or(stack, |before| self.stacks.push(Frame::Text(before), stack));
        }
        self.stacks.push(Frame::Text(rest), stack)
    }

    /// Whether all that can wait innermost begins with a repetition.
    fn begins_with_star(self, stack: StackId, star: NodeId) -> bool {
        let scanner = self.scanner;
        let tops = self.stacks.tops(stack);
        !self.stacks.has_bottom(stack)
            && tops.iter().all(|top| {
                as_text(top).is_some_and(|(rest, _)| {
                    let rest = scanner.scan(rest).language;
                    rest == star
                        || matches!(*scanner.regexes.node(rest), Node::Concat(a, _) if a == star)
                })
            })
    }

    /// The repetition that a rest ends with, and what comes before it.
    pub(super) fn last_star(self, rest: ScanId) -> Option<(NodeId, Option<ScanId>)> {
        let scanner = self.scanner;
        let nodes = &scanner.regexes;
        let mut before = Vec::new();
        let mut last = scanner.scan(rest).language;
        while let Node::Concat(a, b) = *nodes.node(last) {
            work::spend(1);
            before.push(a);
            last = b;
        }
        let is_star = matches!(
            *nodes.node(last),
            Node::Repeat {
                min: 0,
                max: UNBOUNDED,
                ..
            }
        );
        is_star.then(|| {
            let before = before.into_iter().rev();
            let before = before.reduce(|rest, part| nodes.concat(part, rest));
            (
                last,
                before.and_then(|node| scanner.start(node, Box::new([]))),
            )
        })
    }

    /// The bytes with which the text after a rule can begin.
    pub(super) fn follow(self, stack: StackId) -> ByteSet {
        let known = |at: StackId| self.stacks.memo(at).follow.get().copied();
        if let Some(bytes) = known(stack) {
            return bytes;
        }
        let find = |at: StackId| {
            let mut bytes = ByteSet::NONE;
            for &(frame, below) in self.stacks.tops(at) {
                match frame {
                    Frame::Text(rest) => bytes = bytes.or(self.beginnings(rest).all),
                    Frame::Base(follow) => bytes = bytes.or(self.tables.follow(follow)),
                    _ => {}
                }
                if self.can_be_empty(frame) {
                    bytes = bytes.or(known(below).expect("what is below is known first"));
                }
            }
            let memo = &self.stacks.memo(at).follow;
            memo.get_or_init(|| bytes);
        };
        let is_known = |memo: &StackMemo| memo.follow.get().is_some();
        self.stacks
            .settle(stack, is_known, |frame| self.can_be_empty(frame), find);
        known(stack).expect("it was just found")
    }

    /// Calls `visit`, once each, with the places where a text between two characters may go on:
    /// after rules that end here, and in rules that begin here. If the next `byte` is known, rules
    /// that cannot begin with it are left out.
    pub(super) fn for_places(
        self,
        scan: ScanId,
        stack: StackId,
        byte: Option<u8>,
        mut visit: impl FnMut(ScanId, StackId),
    ) {
        let scanner = self.scanner;
        // By their ranks: none begins with one that has a higher rank.
        let mut begun: Vec<(u32, ScanId, StackId)> = Vec::new();
        let mut enter = |scan: ScanId, stack, begun: &mut Vec<(u32, ScanId, StackId)>| {
            visit(scan, stack);
            for (symbol, rest) in scanner.symbols(scan) {
                if let Symbol::Rule { start, first, rank } = *self.tables.program().symbol(symbol)
                    && byte.is_none_or(|byte| first.contains(byte))
                {
                    let stack = self.push_text(rest, stack);
                    match begun.binary_search_by_key(&rank, |place| place.0) {
                        Ok(i) => begun[i].2 = self.stacks.union(begun[i].2, stack),
                        Err(i) => begun.insert(i, (rank, start, stack)),
                    }
                }
            }
        };
        enter(scan, stack, &mut begun);
        if scanner.can_end(scan) {
            for &(scan, stack) in self.pops(stack) {
                if byte.is_none_or(|byte| self.beginnings(scan).all.contains(byte)) {
                    enter(scan, stack, &mut begun);
                }
            }
        }
        while let Some((_, start, stack)) = begun.pop() {
            enter(start, stack, &mut begun);
        }
    }

    /// Where a text goes on after the rule above a stack has ended, together with rules below it
    /// that can end at once.
    fn pops(self, stack: StackId) -> &'a [(ScanId, StackId)] {
        let scanner = self.scanner;
        let known = |at: StackId| self.stacks.memo(at).pops.get();
        let find = |at: StackId| {
            let mut places: Vec<(ScanId, StackId)> = Vec::new();
            let mut add = |(scan, stack): (ScanId, StackId)| match places
                .iter_mut()
                .find(|place| place.0 == scan)
            {
                Some(place) => place.1 = self.stacks.union(place.1, stack),
                None => places.push((scan, stack)),
            };
            for (rest, below) in self.stacks.tops(at).iter().filter_map(as_text) {
                add((rest, below));
                if scanner.can_end(rest) {
                    let further = known(below).expect("what is below is known first");
                    further.iter().copied().for_each(&mut add);
                }
            }
            let memo = &self.stacks.memo(at).pops;
            memo.get_or_init(|| places.into());
        };
        let is_known = |memo: &StackMemo| memo.pops.get().is_some();
        self.stacks
            .settle(stack, is_known, |frame| self.can_be_empty(frame), find);
        known(stack).expect("it was just found")
    }

    /// Whether the text that a frame waits for may be empty.
    fn can_be_empty(self, frame: Frame) -> bool {
        matches!(frame, Frame::Text(rest) if self.scanner.can_end(rest))
    }

    /// What is below the frames of a stack that can end at once, if they all can.
    pub(super) fn floor(self, stack: StackId) -> Floor {
        let known = |at: StackId| self.stacks.memo(at).floor.get().copied();
        if let Some(floor) = known(stack) {
            return floor;
        }
        let find = |at: StackId| {
            let mut floor = Floor {
                bottom: self.stacks.has_bottom(at),
                base: false,
            };
            for &(frame, below) in self.stacks.tops(at) {
                if let Frame::Base(_) = frame {
                    floor.base = true;
                } else if self.can_be_empty(frame) {
                    let below = known(below).expect("what is below is known first");
                    floor.bottom |= below.bottom;
                    floor.base |= below.base;
                }
            }
            let memo = &self.stacks.memo(at).floor;
            memo.get_or_init(|| floor);
        };
        let is_known = |memo: &StackMemo| memo.floor.get().is_some();
        self.stacks
            .settle(stack, is_known, |frame| self.can_be_empty(frame), find);
        known(stack).expect("it was just found")
    }
}
