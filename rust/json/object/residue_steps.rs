//! Steps of an object whose formula is followed as residues: how it can go on, and how it can be
//! finished.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::json::cost::{NEVER, add, key_bytes};
use crate::json::formula::FormulaId;
use crate::json::object::completion::{MemberStep, ObjectCompletion};
use crate::json::object::keys::Key;
use crate::json::object::progress::ObjectProgress;
use crate::json::object::residues::{ResidueStep, ResidueTarget, Residues, Slot};
use crate::json::object::shape::Shape;
use crate::json::rules::Rules;
use crate::json::texts::TextId;
use crate::work;

/// What may become of a key.
#[derive(Clone, Copy, Debug)]
enum Stand {
    /// It has come, or counts as if it had.
    Kept,
    /// It does not come.
    Absent,
    /// It may come. With the bytes of its name, of a colon and of a comma.
    Free(Key, u64),
}

/// A formula's residues, seen from what has been read of an object.
#[derive(Debug)]
pub(crate) struct ResidueCourse<'a> {
    rules: &'a Rules,
    shape: &'a Shape,
    residues: Arc<Residues>,
    progress: &'a ObjectProgress,
    ordered: bool,
    stands: Vec<Stand>,
    /// The fewest bytes of each choice of each step, step after step.
    costs: Vec<u64>,
    /// Where each step's choices begin in `costs`.
    from: Vec<usize>,
    /// The bytes of the keys that must come and that no step asks about.
    fixed: Vec<u64>,
    /// The fewest bytes of the members to come, as long as no key is passed over that may come now.
    ends: OnceCell<ResidueCosts>,
}

/// The fewest bytes of the members to come.
#[derive(Debug)]
struct ResidueCosts {
    /// The bytes from each step on.
    after: Vec<u64>,
    /// The bytes up to each step.
    before: Vec<u64>,
    /// For each slot, the bytes of the ways that ask nothing about it.
    beside: Vec<u64>,
    /// The bytes of the keys that must come and that no step asks about.
    fixed: u64,
}

impl ResidueCosts {
    fn after(&self, to: ResidueTarget) -> u64 {
        match to {
            ResidueTarget::Dead => NEVER,
            ResidueTarget::Done => 0,
            ResidueTarget::Step(step) => self.after[step as usize],
        }
    }
}

impl<'a> ResidueCourse<'a> {
    /// The course of an object before a member or its end; `cost` says what a formula's values cost at
    /// least in a member.
    pub(crate) fn new(
        (rules, shape): (&'a Rules, &'a Shape),
        residues: Arc<Residues>,
        progress: &'a ObjectProgress,
        ordered: bool,
        cost: &dyn Fn(FormulaId) -> u64,
    ) -> Self {
        let mut course = ResidueCourse {
            rules,
            shape,
            progress,
            ordered,
            stands: Vec::with_capacity(residues.slots.len()),
            costs: Vec::new(),
            from: Vec::with_capacity(residues.steps.len()),
            fixed: Vec::with_capacity(residues.fixed.len()),
            ends: OnceCell::new(),
            residues: residues.clone(),
        };
        for &slot in &residues.slots {
            let stand = course.stand(slot, None);
            course.stands.push(stand);
        }
        for step in &residues.steps {
            work::spend(1 + 2 * step.choices.len());
            course.from.push(course.costs.len());
            let values = step.choices.iter().map(|choice| choice.value);
            match course.stands[step.slot] {
                Stand::Free(..) => course.costs.extend(values.map(cost)),
                _ => course.costs.extend(values.map(|_| NEVER)),
            }
        }
        for &(key, value) in &residues.fixed {
            work::spend(2);
            let bytes = match (progress.has(key), progress.is_open(key)) {
                (true, _) => 0,
                (false, false) => NEVER,
                (false, true) => add(course.name_bytes(key), cost(value)),
            };
            course.fixed.push(bytes);
        }
        course
    }

    /// The cheapest completion.
    pub(crate) fn completion(&self) -> Option<ObjectCompletion> {
        let ends = self.ends.get_or_init(|| self.find_ends(None));
        let mut bytes = add(ends.after(self.residues.start), ends.fixed);
        if bytes == NEVER {
            return None;
        }
        let fixed = self.residues.fixed.iter();
        let mut members: Vec<(Key, FormulaId)> = fixed
            .filter(|(key, _)| !self.progress.has(*key))
            .copied()
            .collect();
        let mut at = self.residues.start;
        while let ResidueTarget::Step(number) = at {
            let end = ends.after(at);
            let step = &self.residues.steps[number as usize];
            at = match self.stands[step.slot] {
                Stand::Kept => step.kept,
                Stand::Absent => step.absent,
                Stand::Free(..) if ends.after(step.absent) == end => step.absent,
                Stand::Free(key, name) => {
                    let choices = step.choices.iter().zip(self.costs_of(number as usize));
                    let mut all = choices.map(|(choice, cost)| (choice, add(name, *cost)));
                    let is_best = |bytes, to| add(bytes, ends.after(to)) == end;
                    let (best, _) = all.find(|(choice, bytes)| is_best(*bytes, choice.to))?;
                    members.push((key, best.value));
                    best.to
                }
            };
        }
        members.sort_unstable_by_key(|member| member.0);
        let separators = self.rules.separators;
        bytes = match (self.progress.is_nothing(), members.is_empty()) {
            (true, true) => bytes,
            (true, false) => add(
                bytes - separators.comma,
                separators.opening + separators.closing,
            ),
            (false, _) => add(bytes, separators.closing),
        };
        Some(ObjectCompletion {
            cost: add(bytes, 1),
            members,
        })
    }

    /// The ways to go on with a key and its value, those left out that demand more than others and
    /// are no cheaper.
    pub(super) fn ways(&self, next: Key) -> Vec<MemberStep> {
        let mut all = self.all_ways(next);
        all.sort_by_key(|(demands, end)| (*end, demands.len()));
        let mut kept: Vec<Vec<FormulaId>> = Vec::new();
        all.retain(|(demands, _)| {
            work::spend(1 + kept.len());
            let is_less = |less: &Vec<FormulaId>| less.iter().all(|d| demands.contains(d));
            let is_new = !kept.iter().any(is_less);
            if is_new {
                kept.push(demands.clone());
            }
            is_new
        });
        let ways = all.into_iter();
        ways.map(|(demands, end)| self.way(next, demands, end))
            .collect()
    }

    /// What the value of a key must satisfy, in as few ways as possible.
    pub(super) fn least_ways(&self, next: Key) -> Vec<MemberStep> {
        let all = self.all_ways(next);
        let end = all.iter().map(|way| way.1).min().unwrap_or(NEVER);
        let demands = all.into_iter().map(|way| way.0).collect();
        let least = self.rules.least(demands).into_iter();
        least.map(|demands| self.way(next, demands, end)).collect()
    }

    /// Whether a key may come next.
    pub(super) fn may(&self, next: Key) -> bool {
        !self.all_ways(next).is_empty()
    }

    fn way(&self, next: Key, demands: Vec<FormulaId>, end: u64) -> MemberStep {
        let mut all = self.certain_demands(next);
        all.extend(demands);
        MemberStep {
            value: self.rules.formulas.and(&all),
            demands: all,
            end,
        }
    }

    fn certain_demands(&self, key: Key) -> Vec<FormulaId> {
        let certain = &self.residues.certain;
        self.shape.demands(self.rules, certain, key)
    }

    /// What the value of the next member can satisfy, and the fewest bytes after it.
    fn all_ways(&self, next: Key) -> Vec<(Vec<FormulaId>, u64)> {
        let base = self.rules.formulas.and(&self.certain_demands(next));
        if !self.progress.is_open(next) || self.rules.cost(base) == NEVER {
            return Vec::new();
        }
        let own;
        let ends = match self.changes_others(next) {
            true => {
                own = self.find_ends(Some(next));
                &own
            }
            false => self.ends.get_or_init(|| self.find_ends(None)),
        };
        let mut fixed = ends.fixed;
        let mut all_fixed = self.residues.fixed.iter().zip(&self.fixed);
        if fixed != NEVER
            && let Some((_, bytes)) = all_fixed.find(|(known, _)| known.0 == next)
        {
            fixed -= bytes;
        }
        work::spend(4 + self.fixed.len() / 8);
        let mut out: Vec<(Vec<FormulaId>, u64)> = Vec::new();
        let mut push = |demands: &[FormulaId], end: u64| {
            let end = add(add(end, fixed), 1 + self.rules.separators.closing);
            if end != NEVER {
                out.push((demands.to_vec(), end));
            }
        };
        let asked = match next {
            Key::Other(_, class) if !self.is_named(next) => Slot::Next(class),
            key => Slot::Key(key),
        };
        let Some(&slot) = self.residues.slot_of.get(&asked) else {
            push(&[], ends.after(self.residues.start));
            return out;
        };
        push(&[], ends.beside[slot]);
        let first = self.residues.steps.partition_point(|step| step.slot < slot);
        for (number, step) in self.residues.steps.iter().enumerate().skip(first) {
            if step.slot != slot {
                break;
            }
            work::spend(1 + step.choices.len());
            for choice in &step.choices {
                let bytes = add(ends.before[number], ends.after(choice.to));
                if bytes != NEVER && self.rules.cost(choice.value) != NEVER {
                    push(&choice.demands, bytes);
                }
            }
        }
        out
    }

    /// Whether a member makes a difference to other keys: in order it passes them over, or it is
    /// one of a class of keys of which others are still to come.
    fn changes_others(&self, next: Key) -> bool {
        work::spend(1 + (self.stands.len() + self.fixed.len()) / 8);
        let passes = |key: Key| self.is_passed(key, Some(next));
        let fixed = self.residues.fixed.iter().zip(&self.fixed);
        let mut stands = self.residues.slots.iter().zip(&self.stands);
        stands.any(|(&slot, &stand)| match (slot, stand) {
            (_, Stand::Kept | Stand::Absent) | (Slot::Next(_), _) => false,
            (Slot::Key(key), _) => passes(key),
            (Slot::Fresh(class, _), _) => matches!(next, Key::Other(_, of) if of == class),
        }) || fixed
            .into_iter()
            .any(|((key, _), &bytes)| bytes > 0 && passes(*key))
    }

    fn costs_of(&self, step: usize) -> &[u64] {
        let from = self.from[step];
        &self.costs[from..from + self.residues.steps[step].choices.len()]
    }

    /// The fewest bytes of the members to come once `next` has come, or from here on without one.
    fn find_ends(&self, next: Option<Key>) -> ResidueCosts {
        let steps = &self.residues.steps;
        let stands = self.stands_after(next);
        work::spend((stands.len() + steps.len() + self.costs.len()) / 2);
        let fixed = self.residues.fixed.iter().zip(&self.fixed);
        let fixed = fixed.map(
            |((key, _), &bytes)| match bytes > 0 && self.is_passed(*key, next) {
                true => NEVER,
                false => bytes,
            },
        );
        let mut ends = ResidueCosts {
            after: vec![NEVER; steps.len()],
            before: vec![NEVER; steps.len()],
            beside: vec![NEVER; stands.len()],
            fixed: fixed.fold(0, add),
        };
        for (number, step) in steps.iter().enumerate().rev() {
            let mut least = NEVER;
            self.each_way(number, step, stands[step.slot], |to, bytes| {
                least = least.min(add(bytes, ends.after(to)));
            });
            ends.after[number] = least;
        }
        self.find_before(&stands, &mut ends);
        ends
    }

    /// What may become of the keys once a member has come.
    fn stands_after(&self, next: Option<Key>) -> Vec<Stand> {
        let slots = self.residues.slots.iter().zip(&self.stands);
        slots
            .map(|(&slot, &stand)| match (slot, stand) {
                (_, Stand::Kept | Stand::Absent) => stand,
                (Slot::Key(key), _) if self.is_passed(key, next) => Stand::Absent,
                (Slot::Fresh(class, _), _)
                    if matches!(next, Some(Key::Other(_, of)) if of == class) =>
                {
                    self.stand(slot, next)
                }
                _ => stand,
            })
            .collect()
    }

    /// The fewest bytes up to each step and beside each slot, of those from each step on.
    fn find_before(&self, stands: &[Stand], ends: &mut ResidueCosts) {
        let steps = &self.residues.steps;
        let slot_of = |to: ResidueTarget| match to {
            ResidueTarget::Step(step) => steps[step as usize].slot,
            _ => stands.len(),
        };
        let start = self.residues.start;
        let all = ends.after(start);
        ends.beside[..slot_of(start)].fill(all);
        if let ResidueTarget::Step(start) = start {
            ends.before[start as usize] = 0;
        }
        for (number, step) in steps.iter().enumerate() {
            let before = ends.before[number];
            if before == NEVER {
                continue;
            }
            self.each_way(number, step, stands[step.slot], |to, bytes| {
                let bytes = add(before, bytes);
                let all = add(bytes, ends.after(to));
                if all == NEVER {
                    return;
                }
                for beside in &mut ends.beside[step.slot + 1..slot_of(to)] {
                    *beside = all.min(*beside);
                }
                if let ResidueTarget::Step(to) = to {
                    let least = &mut ends.before[to as usize];
                    *least = bytes.min(*least);
                }
            });
        }
    }

    /// Calls `f` with each way to go on from a step, and the bytes of its member.
    fn each_way(
        &self,
        number: usize,
        step: &ResidueStep,
        stand: Stand,
        mut f: impl FnMut(ResidueTarget, u64),
    ) {
        match stand {
            Stand::Kept => f(step.kept, 0),
            Stand::Absent => f(step.absent, 0),
            Stand::Free(_, name) => {
                f(step.absent, 0);
                for (choice, cost) in step.choices.iter().zip(self.costs_of(number)) {
                    f(choice.to, add(name, *cost));
                }
            }
        }
    }

    /// Whether a key cannot come any more once the next member has come.
    fn is_passed(&self, key: Key, next: Option<Key>) -> bool {
        self.ordered
            && match (key, next) {
                (Key::Declared(rank), Some(Key::Declared(next))) => rank < next,
                (Key::Declared(_), Some(Key::Other(..))) => true,
                _ => false,
            }
    }

    fn stand(&self, slot: Slot, next: Option<Key>) -> Stand {
        work::spend(1);
        let free = |key| Stand::Free(key, self.name_bytes(key));
        match slot {
            Slot::Key(key) if self.progress.has(key) => Stand::Kept,
            Slot::Key(key) if !self.progress.is_open(key) => Stand::Absent,
            Slot::Key(key) => free(key),
            Slot::Next(_) => Stand::Absent,
            Slot::Fresh(class, number) => {
                let fresh = self.fresh(class, number, next);
                fresh.map_or(Stand::Absent, free)
            }
        }
    }

    fn is_named(&self, key: Key) -> bool {
        self.shape.wanted.binary_search(&key).is_ok()
    }

    /// The bytes of a key, of a colon and of a comma.
    fn name_bytes(&self, key: Key) -> u64 {
        let name = match key {
            Key::Declared(rank) => self.shape.key_bytes[rank.index()],
            Key::Other(text, _) => key_bytes(&self.rules.texts.spell(text)),
        };
        name + self.rules.separators.colon + self.rules.separators.comma
    }

    /// One of the cheapest keys of a class that have not come.
    fn fresh(&self, class: u16, number: usize, next: Option<Key>) -> Option<Key> {
        let progress = self.progress.others.iter().chain(&next);
        let here = progress.filter(|key| matches!(key, Key::Other(_, c) if *c == class));
        let here: Vec<Key> = here.copied().collect();
        // A key that has come but is not known may be any: so one word less is left.
        let unknown = Key::Other(TextId::WHATEVER, class);
        let skip = here.iter().filter(|&&key| key == unknown).count();
        let most = here.len() + self.shape.wanted.len() + number + 2;
        let keys = self.shape.cheapest_keys(self.rules, class, most);
        work::spend(keys.len());
        let mut free = keys
            .iter()
            .filter(|&&key| !here.contains(&key) && !self.is_named(key));
        free.nth(skip + number).copied()
    }
}
