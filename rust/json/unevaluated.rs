//! `unevaluatedProperties` and `unevaluatedItems`.
//!
//! Which keys and items were evaluated depends on which branches hold. So the parts of a schema are
//! gathered that look at keys and items, each with a formula that says when it does; whatever could
//! be looked at must be so, or be what `unevaluated*` allows. That takes a condition for each key,
//! not one for each combination of branches.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::error::Error;
use crate::json::evaluated::{Evaluated, Evaluation};
use crate::json::formula::FormulaId;
use crate::json::from_model::{PatternKeys, RuleReader, keys};
use crate::json::rules::{ArrayRule, ChildId, ObjectRule};
use crate::regex::node::NodeId;
use crate::schema::model::{InPlace, Keywords, Schema, SchemaId};
use crate::work;

impl RuleReader<'_> {
    /// A schema object with `unevaluatedProperties` or `unevaluatedItems`.
    pub(super) fn with_unevaluated(
        &mut self,
        keywords: &Keywords,
        depth: usize,
    ) -> Result<FormulaId, Error> {
        let mut parts = Vec::new();
        for part in &keywords.in_place {
            self.in_place(keywords, part, depth, &mut parts)?;
        }
        let looks = self.looks_in_place(keywords, depth)?;
        if let Some(schema) = keywords.object.unevaluated {
            self.other_keys(&looks, self.child(schema), &mut parts);
        }
        if let Some(schema) = keywords.array.unevaluated {
            parts.push(self.other_items(&looks, self.child(schema)));
        }
        Ok(self.rules.formulas.and(&parts))
    }

    /// Adds the assertion that the values of keys which nothing looks at satisfy `child`.
    fn other_keys(&self, looks: &[Evaluation], child: ChildId, parts: &mut Vec<FormulaId>) {
        let regexes = &self.rules.scanner.regexes;
        let always = looks.iter().filter(|look| look.holds == FormulaId::TRUE);
        let always = regexes.or(always.map(|look| look.evaluated.patterns).collect());
        if always == NodeId::ANY {
            return;
        }
        let mut keys: BTreeMap<&Arc<str>, Vec<FormulaId>> = BTreeMap::new();
        for look in looks {
            work::spend(look.evaluated.keys.len());
            for key in &look.evaluated.keys {
                keys.entry(key).or_default().push(look.holds);
            }
        }
        let mut patterns: Vec<(NodeId, FormulaId)> = Vec::new();
        for look in looks.iter().filter(|look| look.holds != FormulaId::TRUE) {
            if look.evaluated.patterns != NodeId::NEVER {
                patterns.push((look.evaluated.patterns, look.holds));
            }
        }
        let alike = self.alike_keys(&keys, &patterns, always);
        let words = regexes.words(keys.keys());
        // The classes of other keys, and when each is looked at.
        let undecided = regexes.not(regexes.or(vec![words, always]));
        let classes = self.split_by_patterns(undecided, patterns);
        for (holds, keys) in alike {
            if holds != FormulaId::TRUE {
                let rule = self.rules.new_object_rule(ObjectRule {
                    properties: keys.into_iter().map(|key| (key, child)).collect(),
                    ..ObjectRule::default()
                });
                parts.push(self.rules.formulas.or(&[rule, holds]));
            }
        }
        for (class, holds) in classes {
            let rule = match (holds, always) {
                // Told apart by a table, which is simpler.
                (FormulaId::FALSE, NodeId::NEVER) if class == undecided => ObjectRule {
                    properties: keys
                        .keys()
                        .map(|&key| (key.clone(), ChildId::ANYTHING))
                        .collect(),
                    additional: child,
                    ..ObjectRule::default()
                },
                _ => ObjectRule {
                    patterns: vec![(class, child)],
                    ..ObjectRule::default()
                },
            };
            let rule = self.rules.new_object_rule(rule);
            parts.push(self.rules.formulas.or(&[rule, holds]));
        }
    }

    /// Keys with when they are looked at; those that are under one condition are alike. `keys` says when
    /// each is by its name, `patterns` when those of a language are, but for those in `always`.
    fn alike_keys(
        &self,
        keys: &BTreeMap<&Arc<str>, Vec<FormulaId>>,
        patterns: &[(NodeId, FormulaId)],
        always: NodeId,
    ) -> Vec<(FormulaId, Vec<Arc<str>>)> {
        let regexes = &self.rules.scanner.regexes;
        let mut alike: Vec<(FormulaId, Vec<Arc<str>>)> = Vec::new();
        for (&key, holds) in keys {
            let mut holds = holds.clone();
            work::spend(patterns.len() + alike.len());
            let matching = patterns.iter().filter(|(p, _)| regexes.matches(*p, key));
            holds.extend(matching.map(|pattern| pattern.1));
            let holds = match regexes.matches(always, key) {
                true => FormulaId::TRUE,
                false => self.rules.formulas.or(&holds),
            };
            match alike.iter_mut().find(|(known, _)| *known == holds) {
                Some((_, keys)) => keys.push(key.clone()),
                None => alike.push((holds, vec![key.clone()])),
            }
        }
        alike
    }

    /// The parts of a class of keys that patterns tell apart, and when each is looked at.
    fn split_by_patterns(
        &self,
        class: NodeId,
        patterns: Vec<(NodeId, FormulaId)>,
    ) -> Vec<(NodeId, FormulaId)> {
        let regexes = &self.rules.scanner.regexes;
        let mut classes = vec![(class, FormulaId::FALSE)];
        for (pattern, holds) in patterns {
            let mut next = Vec::new();
            for (class, known) in classes {
                work::spend(8);
                let inside = regexes.and(vec![class, pattern]);
                if regexes.is_live(inside) {
                    next.push((inside, self.rules.formulas.or(&[known, holds])));
                }
                let outside = regexes.and(vec![class, regexes.not(pattern)]);
                if regexes.is_live(outside) {
                    next.push((outside, known));
                }
            }
            classes = next;
        }
        classes
    }

    /// The assertion that items which nothing looks at satisfy `child`.
    fn other_items(&self, looks: &[Evaluation], child: ChildId) -> FormulaId {
        let formulas = &self.rules.formulas;
        let mut lengths: BTreeMap<u64, Vec<FormulaId>> = BTreeMap::new();
        // An item that satisfies something is looked at only where that is asked for.
        let mut ways: Vec<(FormulaId, Vec<ChildId>)> = vec![(FormulaId::TRUE, Vec::new())];
        for look in looks {
            let Evaluated {
                items, contains, ..
            } = *look.evaluated;
            lengths.entry(items).or_default().push(look.holds);
            let Some(contains) = contains else { continue };
            let is_always = look.holds == FormulaId::TRUE;
            for i in 0..ways.len() {
                let (holds, mut all) = ways[i].clone();
                work::spend(8 + all.len());
                all.push(contains);
                let with = (formulas.and(&[holds, look.holds]), all);
                match is_always {
                    true => ways[i] = with,
                    false => ways.push(with),
                }
            }
        }
        let ways = ways.into_iter().map(|(holds, or_items)| {
            let mut parts = vec![holds];
            let mut from = 0;
            // The items from a length on, unless a greater length is looked at.
            for (&length, holds) in &lengths {
                let longer = lengths.range(length..).flat_map(|(_, holds)| holds);
                let longer: Vec<FormulaId> = longer.copied().collect();
                work::spend(longer.len());
                if length > from && !holds.is_empty() {
                    let rule = self.items_from(from, child, &or_items);
                    parts.push(formulas.or(&[&[rule], &longer[..]].concat()));
                }
                from = length;
            }
            if from != u64::MAX {
                parts.push(self.items_from(from, child, &or_items));
            }
            formulas.and(&parts)
        });
        let ways: Vec<FormulaId> = ways.collect();
        formulas.or(&ways)
    }

    fn items_from(&self, index: u64, child: ChildId, or_items: &[ChildId]) -> FormulaId {
        work::spend(index as usize);
        work::hold(4 * index as usize);
        self.rules.new_array_rule(ArrayRule {
            prefix: vec![ChildId::ANYTHING; index as usize],
            items: child,
            or_items: or_items.to_vec(),
            ..ArrayRule::default()
        })
    }

    /// What the parts of a schema look at, where it holds.
    fn looks(&mut self, id: SchemaId, depth: usize) -> Result<Rc<[Evaluation]>, Error> {
        if let Some(known) = self.looks.get(&id) {
            return Ok(known.clone());
        }
        let model = self.model;
        // Also guards the depth.
        self.schema(id, depth)?;
        let mut looks = match &model[id] {
            Schema::Bool(_) => Vec::new(),
            Schema::Keywords(keywords) => {
                let mut looks = self.looks_in_place(keywords, depth)?;
                // Whatever was left is looked at now, or the schema does not hold.
                let (object, array) = (&keywords.object, &keywords.array);
                let mut rest = Evaluated::NOTHING;
                if object.unevaluated.is_some() {
                    rest.patterns = NodeId::ANY;
                }
                if array.unevaluated.is_some() {
                    rest.items = u64::MAX;
                }
                if rest != Evaluated::NOTHING {
                    looks.push(Evaluation {
                        holds: FormulaId::TRUE,
                        evaluated: Rc::new(rest),
                    });
                }
                looks
            }
        };
        // What is looked at anyway is looked at under no condition.
        let always = |look: &&Evaluation| look.holds == FormulaId::TRUE;
        let has_all = |of: fn(&Evaluated) -> bool| {
            let mut certain = looks.iter().filter(always);
            certain.any(|look| of(&look.evaluated))
        };
        let all_keys = has_all(|evaluated| evaluated.patterns == NodeId::ANY);
        let all_items = has_all(|evaluated| evaluated.items == u64::MAX);
        looks.retain(|look| {
            let evaluated = &*look.evaluated;
            let keys = !evaluated.keys.is_empty() || evaluated.patterns != NodeId::NEVER;
            let items = evaluated.items > 0 || evaluated.contains.is_some();
            look.holds == FormulaId::TRUE || keys && !all_keys || items && !all_items
        });
        let looks: Rc<[Evaluation]> = looks.into();
        self.looks.insert(id, looks.clone());
        Ok(looks)
    }

    /// What a schema object looks at, but for its own `unevaluated*`.
    fn looks_in_place(
        &mut self,
        keywords: &Keywords,
        depth: usize,
    ) -> Result<Vec<Evaluation>, Error> {
        let mut all = Vec::new();
        for part in &keywords.in_place {
            self.looks_of(keywords, part, depth + 1, &mut all)?;
        }
        Ok(all)
    }

    fn looks_of(
        &mut self,
        keywords: &Keywords,
        part: &InPlace,
        depth: usize,
        out: &mut Vec<Evaluation>,
    ) -> Result<(), Error> {
        match part {
            InPlace::Own => {
                let evaluated = self.evaluated_by(keywords)?;
                if evaluated != Evaluated::NOTHING {
                    out.push(Evaluation {
                        holds: FormulaId::TRUE,
                        evaluated: Rc::new(evaluated),
                    });
                }
            }
            &InPlace::Ref(target) => out.extend_from_slice(&self.looks(target, depth)?),
            InPlace::AnyOf(branches) | InPlace::OneOf(branches) => {
                for &branch in branches {
                    let holds = self.schema(branch, depth)?;
                    self.looks_if(holds, branch, depth, out)?;
                }
            }
            InPlace::Not(_) => {}
            &InPlace::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.schema(condition, depth)?;
                self.looks_if(holds, condition, depth, out)?;
                if let Some(then) = then {
                    self.looks_if(holds, then, depth, out)?;
                }
                if let Some(otherwise) = otherwise {
                    let fails = self.rules.formulas.not(holds);
                    self.looks_if(fails, otherwise, depth, out)?;
                }
            }
            InPlace::Dependent(key, schema) => {
                let has_key = self.has_key(key);
                self.looks_if(has_key, *schema, depth, out)?;
            }
        }
        Ok(())
    }

    /// What a schema looks at that is applied only if a formula holds.
    fn looks_if(
        &mut self,
        holds: FormulaId,
        id: SchemaId,
        depth: usize,
        out: &mut Vec<Evaluation>,
    ) -> Result<(), Error> {
        for look in self.looks(id, depth)?.iter() {
            work::spend(4);
            out.push(Evaluation {
                holds: self.rules.formulas.and(&[holds, look.holds]),
                evaluated: look.evaluated.clone(),
            });
        }
        Ok(())
    }

    /// What a schema object looks at itself.
    fn evaluated_by(&self, keywords: &Keywords) -> Result<Evaluated, Error> {
        let (object, array) = (&keywords.object, &keywords.array);
        let mut evaluated = Evaluated::NOTHING;
        if object.additional.is_some() {
            evaluated.patterns = NodeId::ANY;
        } else {
            let declared = object.properties.iter().map(|(key, _)| Arc::from(&**key));
            evaluated.keys = declared.collect();
            let regexes = &self.rules.scanner.regexes;
            let mut patterns = Vec::new();
            for (pattern, _) in &object.patterns {
                match keys(pattern, regexes)? {
                    PatternKeys::Words(words) => evaluated.keys.extend(words),
                    PatternKeys::Language(language) => patterns.push(language),
                }
            }
            evaluated.keys.sort_unstable();
            evaluated.keys.dedup();
            evaluated.patterns = regexes.or(patterns);
        }
        evaluated.items = match array.items {
            Some(_) => u64::MAX,
            None => array.prefix.len() as u64,
        };
        if let Some(contains) = array.contains.filter(|contains| contains.evaluates) {
            evaluated.contains = Some(self.child(contains.schema));
        }
        Ok(evaluated)
    }
}
