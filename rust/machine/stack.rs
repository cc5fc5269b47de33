//! The graph-structured stack: what waits around what is being read.
//!
//! A stack is a list of frames. Where a text can be read in several ways, those that are in one
//! state differ in their stacks alone, and a [`StackId`] is then several stacks at once, which
//! share what they have in common: below each innermost frame stands what any of them has there. So
//! a text is never in more states than its grammar has, however many readings it has.

use std::sync::OnceLock;

use crate::byte_set::ByteSet;
use crate::intern::Interner;
use crate::machine::config::{Frame, StackId};
use crate::regex::scan::ScanId;

/// An innermost frame and what is below it.
pub(super) type Top = (Frame, StackId);

/// The rest of a rule that waits, and what is below it.
pub(super) fn as_text(&(frame, below): &Top) -> Option<(ScanId, StackId)> {
    match frame {
        Frame::Text(rest) => Some((rest, below)),
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Stack {
    One(Top),
    /// Several stacks, or [`StackId::BOTTOM`]. The innermost frames rise; none is there twice,
    /// unless the stacks were too different to be looked through.
    Any {
        bottom: bool,
        is_rough: bool,
        tops: Box<[Top]>,
    },
}

/// Indices of an obligation's `queries` that the value must satisfy, and the bytes that follow the value
/// then, to the end of the text.
pub(super) type CompletionCosts = Box<[(Box<[u16]>, u64)]>;

/// What is known of the ways to the end of the text.
#[derive(Debug, Default)]
pub(super) struct StackEndings {
    pub(super) costs: OnceLock<CompletionCosts>,
    /// What [`Completer::rough_bound_around`](crate::machine::completer::Completer) finds.
    pub(super) rough_bound: OnceLock<u64>,
}

impl StackMemo {
    pub(super) fn endings(&self) -> &StackEndings {
        self.endings.get_or_init(Box::default)
    }
}

#[derive(Debug, Default)]
pub(super) struct StackMemo {
    /// Of few stacks it is asked how the text ends.
    endings: OnceLock<Box<StackEndings>>,
    /// The bytes with which the text after a rule can begin.
    pub(super) follow: OnceLock<ByteSet>,
    /// Where a text can go on after a rule has ended, and others with it.
    pub(super) pops: OnceLock<Box<[(ScanId, StackId)]>>,
    /// What is below all frames that can end at once, if they all can.
    pub(super) floor: OnceLock<Floor>,
}

/// What the frames stand on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Floor {
    pub(super) bottom: bool,
    pub(super) base: bool,
}

/// Pairs of stacks that are looked at to join one pair.
const MOST: usize = 256;

/// All stacks, made as texts reach them.
#[derive(Debug)]
pub(super) struct Stacks {
    all: Interner<Stack, StackMemo>,
    /// Two stacks, the lesser first, and what they are together.
    unions: Interner<(StackId, StackId), OnceLock<StackId>>,
}

impl Stacks {
    pub(super) fn new() -> Self {
        let all = Interner::new();
        all.intern(Stack::Any {
            bottom: true,
            is_rough: false,
            tops: Box::new([]),
        });
        Stacks {
            all,
            unions: Interner::new(),
        }
    }

    pub(super) fn memo(&self, stack: StackId) -> &StackMemo {
        self.all.memo(stack.0)
    }

    pub(super) fn push(&self, frame: Frame, below: StackId) -> StackId {
        let top = (frame, below);
        StackId(self.all.intern(match self.is_rough(below) {
            false => Stack::One(top),
            true => Stack::Any {
                bottom: false,
                is_rough: true,
                tops: Box::new([top]),
            },
        }))
    }

    /// The innermost frames, each with what is below it.
    pub(super) fn tops(&self, stack: StackId) -> &[Top] {
        match self.all.get(stack.0) {
            Stack::One(top) => std::slice::from_ref(top),
            Stack::Any { tops, .. } => tops,
        }
    }

    /// The innermost frame, if there is one and no other.
    pub(super) fn only(&self, stack: StackId) -> Option<Top> {
        match *self.all.get(stack.0) {
            Stack::One(top) => Some(top),
            Stack::Any { .. } => None,
        }
    }

    /// Whether it may be that nothing waits.
    pub(super) fn has_bottom(&self, stack: StackId) -> bool {
        matches!(self.all.get(stack.0), Stack::Any { bottom: true, .. })
    }

    /// How many arrays and objects are around what is being read. It is the same on all stacks that are
    /// one, where that matters.
    pub(super) fn depth(&self, mut stack: StackId) -> u64 {
        let mut depth = 0;
        while let Some(&(Frame::Member(_) | Frame::Item { .. }, below)) = self.tops(stack).first() {
            depth += 1;
            stack = below;
        }
        depth
    }

    /// Calls `find` with a stack and with those below it, each after what is below it, where it is
    /// not known yet; `is_asked` says which frames are looked below. Deep texts need no recursion.
    pub(super) fn settle(
        &self,
        stack: StackId,
        is_known: impl Fn(&StackMemo) -> bool,
        is_asked: impl Fn(Frame) -> bool,
        mut find: impl FnMut(StackId),
    ) {
        let mut open = vec![stack];
        while let Some(&at) = open.last() {
            let before = open.len();
            if !is_known(self.memo(at)) {
                let asked = self.tops(at).iter().filter(|top| is_asked(top.0));
                let below = asked.map(|top| top.1);
                open.extend(below.filter(|&below| !is_known(self.memo(below))));
                if open.len() > before {
                    continue;
                }
                find(at);
            }
            open.pop();
        }
    }

    /// Whether the stacks were too different to be looked through when they were joined.
    pub(super) fn is_rough(&self, stack: StackId) -> bool {
        matches!(self.all.get(stack.0), Stack::Any { is_rough: true, .. })
    }

    /// Either of two stacks.
    ///
    /// Where both have an innermost frame in common, the union has that frame once, above the union
    /// of what is below it. So equal sets of stacks are equal ids, and what was joined once is
    /// known for all stacks above. Where that takes too many steps, the stacks are put side by side
    /// unjoined, and the result counts as rough.
    pub(super) fn union(&self, a: StackId, b: StackId) -> StackId {
        self.union_within(a, b, MOST)
    }

    fn union_within(&self, a: StackId, b: StackId, most: usize) -> StackId {
        if let Some(known) = self.known_union(a, b) {
            return known;
        }
        let mut left = most;
        let mut open = vec![(a, b)];
        while let Some(&(a, b)) = open.last() {
            let before = open.len();
            if self.known_union(a, b).is_none() {
                let together = self.join(a, b, |a, b| {
                    let known = self.known_union(a, b);
                    if known.is_none() && left > 0 {
                        left -= 1;
                        open.push((a, b));
                    }
                    known
                });
                if open.len() > before {
                    continue;
                }
                let memo = self.union_memo(a, b);
                memo.get_or_init(|| StackId(self.all.intern(together)));
            }
            open.pop();
        }
        self.known_union(a, b).expect("it was just found")
    }

    fn union_memo(&self, a: StackId, b: StackId) -> &OnceLock<StackId> {
        self.unions.memo(self.unions.intern((a.min(b), a.max(b))))
    }

    fn known_union(&self, a: StackId, b: StackId) -> Option<StackId> {
        match a == b {
            true => Some(a),
            false => self.union_memo(a, b).get().copied(),
        }
    }

    /// Either of two stacks. `union` gives either of two stacks below them, or `None` if it has to
    /// give up.
    fn join(
        &self,
        a: StackId,
        b: StackId,
        mut union: impl FnMut(StackId, StackId) -> Option<StackId>,
    ) -> Stack {
        let mut is_rough = self.is_rough(a) || self.is_rough(b);
        let mut tops = [self.tops(a), self.tops(b)].concat();
        tops.sort_unstable();
        tops.dedup();
        let mut joined: Vec<Top> = Vec::with_capacity(tops.len());
        for top in tops {
            match joined.last_mut() {
                Some(last) if last.0 == top.0 && !is_rough => match union(last.1, top.1) {
                    Some(below) => {
                        is_rough = self.is_rough(below);
                        last.1 = below;
                    }
                    None => {
                        is_rough = true;
                        joined.push(top);
                    }
                },
                _ => joined.push(top),
            }
        }
        let bottom = self.has_bottom(a) || self.has_bottom(b);
        match joined[..] {
            [one] if !bottom && !is_rough => Stack::One(one),
            _ => Stack::Any {
                bottom,
                is_rough,
                tops: joined.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The frames of all stacks, from the innermost outwards.
    fn spelled(stacks: &Stacks, stack: StackId) -> BTreeSet<Vec<Frame>> {
        let mut all = BTreeSet::new();
        if stacks.has_bottom(stack) {
            all.insert(Vec::new());
        }
        for &(frame, below) in stacks.tops(stack) {
            let below = spelled(stacks, below).into_iter();
            all.extend(below.map(|rest| [vec![frame], rest].concat()));
        }
        all
    }

    proptest! {
        #[test]
        fn equal_sets_of_stacks_are_equal_ids(
            words in prop::collection::vec(prop::collection::vec(0..3_u32, 0..5), 1..12),
            most in 0..4_usize,
            order in any::<prop::sample::Index>(),
        ) {
            let stacks = Stacks::new();
            let stack = |word: &Vec<u32>| {
                let obligations = word.iter().rev().map(|&i| Frame::Text(ScanId(i)));
                obligations.fold(StackId::BOTTOM, |below, frame| stacks.push(frame, below))
            };
            let within = |words: &[Vec<u32>], most| {
                let all = words.iter().map(stack);
                all.reduce(|a, b| stacks.union_within(a, b, most)).unwrap()
            };
            // Rough or not, they are the same stacks.
            let found = spelled(&stacks, within(&words, most));
            let all = |words| within(words, MOST);
            let expected: BTreeSet<Vec<Frame>> = words
                .iter()
                .map(|word| word.iter().map(|&i| Frame::Text(ScanId(i))).collect())
                .collect();
            prop_assert_eq!(found, expected);
            let (first, last) = words.split_at(order.index(words.len()));
            let turned = [last, first].concat();
            if !stacks.is_rough(all(&words)) {
                prop_assert_eq!(all(&words), all(&turned));
            }
        }
    }

    #[test]
    fn deep_stacks_are_joined_within_bounds() {
        let stacks = Stacks::new();
        let grow = |start: u32| {
            let bottom = stacks.push(Frame::Text(ScanId(start)), StackId::BOTTOM);
            (0..20_000).fold(bottom, |below, _| {
                stacks.push(Frame::Text(ScanId(9)), below)
            })
        };
        let (a, b) = (grow(1), grow(2));
        let before = stacks.all.len();
        let both = stacks.union(a, b);
        assert_eq!(both, stacks.union(b, a));
        assert!(stacks.is_rough(both) && stacks.all.len() - before < 3 * MOST);
    }
}
