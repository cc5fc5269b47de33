//! Objects that are being read: which keys may come next, and what a member makes of the object.

use crate::json::formula::{FormulaId, RuleId, truth};
use crate::json::object::keys::{Key, KeyRank, KeyTable, KnownKey};
use crate::json::object::progress::{ObjectProgress, bit, set_bit};
use crate::json::object::shape::Shape;
use crate::json::object::state::{AllowedKeys, Member, MemberId, Object, ObjectId};
use crate::json::obligation::{ObligationId, Verdicts, value_obligation};
use crate::json::obligations::{Obligations, demand};
use crate::json::texts::TextId;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;
use crate::work;

impl Obligations {
    pub(crate) fn new_object(&self, requirement: FormulaId, queries: Box<[FormulaId]>) -> ObjectId {
        let (shape, keys) = self.rules.shape(&self.tracked(requirement, &queries));
        ObjectId(self.objects.intern(Object {
            shape,
            requirement,
            queries,
            progress: ObjectProgress::nothing(keys, self.ordered),
        }))
    }

    pub(crate) fn shape_of(&self, id: ObjectId) -> &Shape {
        self.rules.shape_of(self.objects.get(id.0).shape)
    }

    /// Whether it makes no difference which undeclared key is being read, except that the same one
    /// must not come again: every class that it can still fall into has plenty of keys.
    pub(crate) fn is_plentiful(&self, id: ObjectId, scan: ScanId) -> bool {
        let others = self.objects.get(id.0).progress.others.len();
        let shape = self.shape_of(id);
        let regexes = &self.rules.scanner.regexes;
        self.classes_left(id, scan).all(|(class, left)| {
            shape.is_plentiful(&self.rules, class, others) || !regexes.is_live(left)
        })
    }

    /// Whether the text of an undeclared key that has come is forgotten.
    pub(crate) fn has_forgotten(&self, id: ObjectId) -> bool {
        let others = &self.objects.get(id.0).progress.others;
        let forgotten = |key: &Key| matches!(key, Key::Other(TextId::WHATEVER, _));
        others.iter().any(forgotten)
    }

    /// The keys that an object treats in a way of their own.
    pub(crate) fn key_table(&self, id: ObjectId) -> &KeyTable {
        let object = self.objects.get(id.0);
        let shape = self.rules.shape_of(object.shape);
        if object.progress.others.is_empty() {
            return &shape.table;
        }
        self.objects.memo(id.0).keys.get_or_init(|| {
            let taken = object.progress.others.iter();
            let entries = shape.table.len() + taken.len();
            work::spend(entries * (1 + taken.len()));
            work::hold(48 * entries);
            shape
                .table
                .with(taken.map(|&key| (self.key_text(id, key), KnownKey::Used)))
        })
    }

    pub(crate) fn key_text(&self, object: ObjectId, key: Key) -> String {
        match key {
            Key::Declared(rank) => self.shape_of(object).keys[rank.index()].to_string(),
            Key::Other(text, _) => self.rules.texts.spell(text),
        }
    }

    /// Where a key begins, in an object that tells undeclared keys apart by their text; the keys
    /// that have come are not in it.
    pub(crate) fn key_scan(&self, id: ObjectId) -> Option<ScanId> {
        *self.objects.memo(id.0).scan.get_or_init(|| {
            let allowed_keys = self.allowed_keys(id);
            let shape = self.shape_of(id);
            let regexes = &self.rules.scanner.regexes;
            let declared = shape.keys.iter().zip((0..).map(KeyRank));
            let declared = declared.filter(|&(_, rank)| allowed_keys.allows(Key::Declared(rank)));
            let mut words: Vec<String> = declared.map(|(key, _)| key.to_string()).collect();
            let wanted = allowed_keys.wanted.iter().filter(|(_, may)| *may);
            words.extend(wanted.map(|&(key, _)| self.key_text(id, key)));
            let classes = 0..shape.classes.len() as u16;
            let open: Vec<NodeId> = classes
                .filter_map(|class| self.open_keys(id, class))
                .collect();
            // The one class of keys, if there is nothing else, is what must be read anyway.
            let queries = match open[..] {
                [_] if words.is_empty() => Box::default(),
                _ => open.as_slice().into(),
            };
            let all = regexes.or([&open[..], &[regexes.words(words)]].concat());
            self.rules.scanner.start(all, queries)
        })
    }

    /// The classes of keys that may come, each with what is left of its language after what has
    /// been read of a key, up to a state from [`Obligations::key_scan`].
    pub(crate) fn classes_left(
        &self,
        id: ObjectId,
        scan: ScanId,
    ) -> impl Iterator<Item = (u16, NodeId)> {
        let open = self.allowed_keys(id).classes.iter();
        let open = (0..).zip(open).filter(|(_, may)| **may);
        let scan = self.rules.scanner.scan(scan);
        let left = match scan.queries.is_empty() {
            true => std::slice::from_ref(&scan.language),
            false => &scan.queries,
        };
        open.map(|(class, _)| class).zip(left.iter().copied())
    }

    /// The class of an undeclared key that ends in a state.
    pub(crate) fn key_class(&self, id: ObjectId, scan: ScanId) -> u16 {
        let mut classes = self.classes_left(id, scan);
        let ended = classes.find(|&(_, left)| self.rules.scanner.regexes.nullable(left));
        ended.map_or(u16::MAX, |(class, _)| class)
    }

    /// What an object must satisfy, together with those of its queries whose indices are `asked`.
    pub(crate) fn object_demand(&self, id: ObjectId, asked: &[u16]) -> FormulaId {
        let object = self.objects.get(id.0);
        demand(self, object.requirement, &object.queries, asked)
    }

    /// What may come next.
    pub(crate) fn allowed_keys(&self, id: ObjectId) -> &AllowedKeys {
        self.objects.memo(id.0).allowed_keys.get_or_init(|| {
            let object = self.objects.get(id.0);
            let shape = self.rules.shape_of(object.shape);
            let keys = shape.keys.len();
            work::spend(keys + shape.wanted.len() + shape.classes.len());
            let mut allowed = vec![0; keys.div_ceil(64)];
            let mut classes = vec![false; shape.classes.len()];
            let mut wanted: Vec<(Key, bool)> =
                shape.wanted.iter().map(|&key| (key, false)).collect();
            for way in self.object_ways_once(id, object.requirement) {
                for rank in shape.ranks_from(object.progress.rank) {
                    if !bit(&allowed, rank) && self.allows(id, &way, Key::Declared(rank)) {
                        set_bit(&mut allowed, rank);
                    }
                }
                for (class, may) in (0..).zip(&mut classes) {
                    // All of them that no rule names are alike, so that any text stands for them.
                    let any = Key::Other(TextId::WHATEVER, class);
                    let language = shape.classes[usize::from(class)].language;
                    let regexes = &self.rules.scanner.regexes;
                    let more =
                        || language == NodeId::ANY || regexes.is_live(self.left_of(id, class));
                    *may = *may || more() && self.allows(id, &way, any);
                }
                for (key, may) in &mut wanted {
                    *may = *may || self.allows(id, &way, *key);
                }
            }
            AllowedKeys {
                allowed: allowed.into(),
                classes: classes.into(),
                wanted: wanted.into(),
            }
        })
    }

    /// The keys of a class that may come, and have not, if the plan allows any of them.
    fn open_keys(&self, id: ObjectId, class: u16) -> Option<NodeId> {
        self.allowed_keys(id).classes[usize::from(class)].then(|| self.left_of(id, class))
    }

    /// The keys of a class that no rule names and that have not come.
    fn left_of(&self, id: ObjectId, class: u16) -> NodeId {
        let shape = self.shape_of(id);
        let language = shape.classes[usize::from(class)].language;
        let others = self.objects.get(id.0).progress.others.iter();
        let named = others.chain(&shape.wanted);
        let named = named.filter(|key| matches!(key, Key::Other(_, c) if *c == class));
        let named: Vec<String> = named.map(|&key| self.key_text(id, key)).collect();
        let regexes = &self.rules.scanner.regexes;
        match named.is_empty() {
            true => language,
            false => regexes.and(vec![language, regexes.not(regexes.words(named))]),
        }
    }

    /// A key in an object; it must be one that the plan allows.
    pub(crate) fn member(&self, object: ObjectId, key: Key) -> MemberId {
        MemberId(self.members.intern(Member { object, key }))
    }

    pub(crate) fn member_of(&self, id: MemberId) -> Member {
        *self.members.get(id.0)
    }

    /// The obligation of the value of a member.
    pub(crate) fn member_obligation(&self, id: MemberId) -> ObligationId {
        *self.members.memo(id.0).obligation.get_or_init(|| {
            let Member {
                object: object_id,
                key,
            } = self.member_of(id);
            let object = self.objects.get(object_id.0);
            if let Some(value) = self.settled_value(object, key) {
                return self.obligation(value, Box::default());
            }
            let all_ways = self.object_ways_once(object_id, object.requirement);
            let ways = all_ways
                .iter()
                .flat_map(|way| self.member_steps(object_id, way, key));
            let ways: Vec<Vec<FormulaId>> = ways.map(|way| way.demands).collect();
            let tracked = self.tracked(object.requirement, &object.queries);
            let shape = self.rules.shape_of(object.shape);
            let mut all = shape.demands(&self.rules, &tracked, key);
            let completions = self.completion_steps(object_id, &all_ways, key);
            all.extend(completions.into_iter().flat_map(|way| way.demands));
            for &query in &object.queries {
                let formula = self.rules.formulas.and(&[object.requirement, query]);
                let ways = self.object_ways_once(object_id, formula);
                let completions = self.completion_steps(object_id, &ways, key);
                all.extend(completions.into_iter().flat_map(|way| way.demands));
            }
            let obligation = value_obligation(&self.rules.formulas, &ways, all);
            self.obligation(obligation.requirement, obligation.queries)
        })
    }

    /// What the value of a key must satisfy, if only rules that hold in any case say anything about
    /// it; `None` if the value may decide between alternatives.
    fn settled_value(&self, object: &Object, key: Key) -> Option<FormulaId> {
        let shape = self.rules.shape_of(object.shape);
        let certain = self.rules.formulas.certain_rules(object.requirement);
        let mut demands = Vec::new();
        for rule in self.tracked(object.requirement, &object.queries) {
            match shape.demand(&self.rules, rule, key) {
                FormulaId::TRUE => {}
                demand if certain.contains(&rule) => demands.push(demand),
                _ => return None,
            }
        }
        Some(self.rules.formulas.and(&demands))
    }

    /// The object after a member's value with these verdicts.
    pub(crate) fn after_member(&self, id: MemberId, verdicts: &[bool]) -> ObjectId {
        let memo = self.members.memo(id.0);
        if verdicts.is_empty() {
            return *memo.after.get_or_init(|| self.find_after(id, verdicts));
        }
        if let Some(&known) = memo.after_judged.lock().get(verdicts) {
            return known;
        }
        let after = self.find_after(id, verdicts);
        work::hold(2 * (size_of::<(Verdicts, ObjectId)>() + verdicts.len()));
        memo.after_judged.lock().insert(verdicts.into(), after);
        after
    }

    fn find_after(&self, id: MemberId, verdicts: &[bool]) -> ObjectId {
        let Member {
            object: object_id,
            key,
        } = self.member_of(id);
        let object = self.objects.get(object_id.0);
        let shape = self.rules.shape_of(object.shape);
        let obligation = self.member_obligation(id);
        let judge = |rule: RuleId, own: FormulaId| {
            let fine = self.verdict(obligation, verdicts, shape.demand(&self.rules, rule, key));
            if fine
                && !object
                    .progress
                    .breaks(&self.rules, shape, self.ordered, rule, key)
            {
                own
            } else {
                FormulaId::FALSE
            }
        };
        let substitute = |formula| self.rules.formulas.substitute(formula, &judge);
        ObjectId(
            self.objects.intern(Object {
                shape: object.shape,
                requirement: substitute(object.requirement),
                queries: object
                    .queries
                    .iter()
                    .map(|&query| substitute(query))
                    .collect(),
                progress: object.progress.with(shape, self.ordered, key),
            }),
        )
    }

    /// The verdicts if the object ends here; `None` if it must not.
    pub(crate) fn end_object(&self, id: ObjectId) -> Option<&Verdicts> {
        let memo = &self.objects.memo(id.0).end;
        let end = memo.get_or_init(|| {
            let object = self.objects.get(id.0);
            let shape = self.rules.shape_of(object.shape);
            let judge = |rule: RuleId, _| truth(object.progress.holds(&self.rules, shape, rule));
            let holds = |formula: FormulaId| {
                self.rules.formulas.substitute(formula, &judge) == FormulaId::TRUE
            };
            holds(object.requirement)
                .then(|| object.queries.iter().map(|&query| holds(query)).collect())
        });
        end.as_ref()
    }
}
