//! `unevaluatedProperties` and `unevaluatedItems`.
//!
//! Which keys and items were evaluated depends on which branches hold. A schema is unfolded into
//! the alternatives of that: in each, some formula holds, and what it evaluates is known. More
//! evaluation allows more, so an alternative need not say that other branches fail.

use std::sync::Arc;

use crate::error::{Error, Kind as ErrorKind};
use crate::json::formula::FormulaId;
use crate::json::read::Reader;
use crate::json::rules::{ArrayRule, ChildId, ObjectRule};
use crate::regex::lower;
use crate::regex::node::NodeId;
use crate::schema::model::{InPlace, Keywords, Schema, SchemaId};
use crate::work;

/// What was looked at of an object and an array.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Evaluated {
    /// Sorted.
    keys: Vec<Arc<str>>,
    /// Further keys.
    patterns: NodeId,
    /// The first so many items.
    items: u64,
    /// And those that satisfy one of these. Sorted.
    contains: Vec<ChildId>,
}

impl Evaluated {
    const NOTHING: Evaluated = Evaluated {
        keys: Vec::new(),
        patterns: NodeId::NEVER,
        items: 0,
        contains: Vec::new(),
    };
}

/// A way in which a schema can hold, and what it evaluates then.
type Alternative = (FormulaId, Evaluated);

impl Reader<'_> {
    /// A schema object with `unevaluatedProperties` or `unevaluatedItems`.
    pub(super) fn with_unevaluated(
        &mut self,
        keywords: &Keywords,
        depth: usize,
    ) -> Result<FormulaId, Error> {
        let alternatives = self.alternatives_of(keywords, depth)?;
        let formulas = alternatives.into_iter().map(|(formula, evaluated)| {
            let mut parts = vec![formula];
            if let Some(schema) = keywords.object.unevaluated {
                parts.push(self.other_keys(&evaluated, self.child(schema)));
            }
            if let Some(schema) = keywords.array.unevaluated {
                parts.push(self.other_items(&evaluated, self.child(schema)));
            }
            self.rules.formulas.and(&parts)
        });
        let formulas: Vec<FormulaId> = formulas.collect();
        Ok(self.rules.formulas.or(&formulas))
    }

    fn other_keys(&self, evaluated: &Evaluated, child: ChildId) -> FormulaId {
        let regexes = &self.rules.scanner.regexes;
        let keys = evaluated.keys.iter();
        self.rules
            .new_object_rule(if evaluated.patterns == NodeId::NEVER {
                ObjectRule {
                    properties: keys.map(|key| (key.clone(), ChildId::ANYTHING)).collect(),
                    additional: child,
                    ..ObjectRule::default()
                }
            } else {
                let seen = regexes.or(vec![regexes.words(keys), evaluated.patterns]);
                ObjectRule {
                    patterns: vec![(regexes.not(seen), child)],
                    ..ObjectRule::default()
                }
            })
    }

    fn other_items(&self, evaluated: &Evaluated, child: ChildId) -> FormulaId {
        if evaluated.items == u64::MAX {
            return FormulaId::TRUE;
        }
        self.rules.new_array_rule(ArrayRule {
            prefix: vec![ChildId::ANYTHING; evaluated.items as usize],
            items: child,
            or_items: evaluated.contains.clone(),
            ..ArrayRule::default()
        })
    }

    fn alternatives(&mut self, id: SchemaId, depth: usize) -> Result<Vec<Alternative>, Error> {
        let model = self.model;
        // Also guards the depth.
        let formula = self.schema(id, depth)?;
        match &model[id] {
            Schema::Bool(_) => Ok(vec![(formula, Evaluated::NOTHING)]),
            Schema::Keywords(keywords) => {
                let mut all = self.alternatives_of(keywords, depth)?;
                let (object, array) = (&keywords.object, &keywords.array);
                if object.unevaluated.is_some() || array.unevaluated.is_some() {
                    // Whatever was left is evaluated now, or the schema does not hold.
                    for (alternative, evaluated) in &mut all {
                        *alternative = self.rules.formulas.and(&[*alternative, formula]);
                        if object.unevaluated.is_some() {
                            evaluated.keys.clear();
                            evaluated.patterns = NodeId::ANY;
                        }
                        if array.unevaluated.is_some() {
                            evaluated.items = u64::MAX;
                        }
                    }
                }
                Ok(all)
            }
        }
    }

    /// The alternatives of a schema object but for its own `unevaluated*`.
    fn alternatives_of(
        &mut self,
        keywords: &Keywords,
        depth: usize,
    ) -> Result<Vec<Alternative>, Error> {
        let mut all = vec![(FormulaId::TRUE, Evaluated::NOTHING)];
        for part in &keywords.in_place {
            let part = self.alternatives_in_place(keywords, part, depth + 1)?;
            all = self.product(&all, &part)?;
        }
        Ok(all)
    }

    fn alternatives_in_place(
        &mut self,
        keywords: &Keywords,
        part: &InPlace,
        depth: usize,
    ) -> Result<Vec<Alternative>, Error> {
        match part {
            InPlace::Own => {
                let evaluated = self.evaluated_by(keywords)?;
                Ok(vec![(self.formula_of(keywords, part, depth)?, evaluated)])
            }
            &InPlace::Ref(target) => self.alternatives(target, depth),
            InPlace::AnyOf(branches) => {
                // Those that are known to hold, starting with none.
                let mut all = vec![(FormulaId::TRUE, Evaluated::NOTHING)];
                let mut chosen: Vec<Alternative> = Vec::new();
                for &branch in branches {
                    let branch = self.alternatives(branch, depth)?;
                    let with = self.product(&all, &branch)?;
                    chosen.extend(with.iter().cloned());
                    all.extend(with);
                    all = self.merged(all)?;
                    chosen = self.merged(chosen)?;
                }
                Ok(chosen)
            }
            InPlace::OneOf(branches) => {
                let formulas = self.all(branches, depth)?;
                let mut out = Vec::new();
                for (i, &branch) in branches.iter().enumerate() {
                    for (formula, evaluated) in self.alternatives(branch, depth)? {
                        out.push((self.only(&formulas, i, formula), evaluated));
                    }
                }
                self.merged(out)
            }
            InPlace::Not(_) => {
                let formula = self.formula_of(keywords, part, depth)?;
                Ok(vec![(formula, Evaluated::NOTHING)])
            }
            &InPlace::If {
                condition,
                then,
                otherwise,
            } => {
                let failed = self.rules.formulas.not(self.schema(condition, depth)?);
                let mut out = self.alternatives(condition, depth)?;
                if let Some(then) = then {
                    let then = self.alternatives(then, depth)?;
                    out = self.product(&out, &then)?;
                }
                let mut other = vec![(failed, Evaluated::NOTHING)];
                if let Some(otherwise) = otherwise {
                    let otherwise = self.alternatives(otherwise, depth)?;
                    other = self.product(&other, &otherwise)?;
                }
                out.extend(other);
                self.merged(out)
            }
            InPlace::Dependent(key, schema) => {
                let has_key = self.has_key(key);
                let has = vec![(has_key, Evaluated::NOTHING)];
                let schema = self.alternatives(*schema, depth)?;
                let mut out = self.product(&has, &schema)?;
                out.push((self.rules.formulas.not(has_key), Evaluated::NOTHING));
                self.merged(out)
            }
        }
    }

    fn formula_of(
        &mut self,
        keywords: &Keywords,
        part: &InPlace,
        depth: usize,
    ) -> Result<FormulaId, Error> {
        let mut parts = Vec::new();
        self.in_place(keywords, part, depth, &mut parts)?;
        Ok(self.rules.formulas.and(&parts))
    }

    /// What a schema object looks at itself.
    fn evaluated_by(&self, keywords: &Keywords) -> Result<Evaluated, Error> {
        let (object, array) = (&keywords.object, &keywords.array);
        let mut evaluated = Evaluated::NOTHING;
        if object.additional.is_some() {
            evaluated.patterns = NodeId::ANY;
        } else {
            let keys = object.properties.iter().map(|(key, _)| Arc::from(&**key));
            evaluated.keys = keys.collect();
            evaluated.keys.sort_unstable();
            let regexes = &self.rules.scanner.regexes;
            let patterns = object.patterns.iter();
            let patterns = patterns.map(|(pattern, _)| lower::search(pattern, regexes));
            evaluated.patterns = regexes.or(patterns.collect::<Result<_, _>>()?);
        }
        evaluated.items = match array.items {
            Some(_) => u64::MAX,
            None => array.prefix.len() as u64,
        };
        if let Some(contains) = array.contains.filter(|contains| contains.evaluates) {
            evaluated.contains.push(self.child(contains.schema));
        }
        Ok(evaluated)
    }

    fn product(&self, a: &[Alternative], b: &[Alternative]) -> Result<Vec<Alternative>, Error> {
        let mut out = Vec::with_capacity(a.len() * b.len());
        for (left, seen) in a {
            for (right, more) in b {
                work::spend(1 + seen.keys.len() + more.keys.len());
                let formula = self.rules.formulas.and(&[*left, *right]);
                out.push((formula, self.both(seen, more)));
                self.check_count(out.len())?;
            }
        }
        self.merged(out)
    }

    fn both(&self, a: &Evaluated, b: &Evaluated) -> Evaluated {
        let sorted = |keys: &mut Vec<Arc<str>>| {
            keys.sort_unstable();
            keys.dedup();
        };
        let regexes = &self.rules.scanner.regexes;
        let mut keys = [&a.keys[..], &b.keys].concat();
        sorted(&mut keys);
        let patterns = regexes.or(vec![a.patterns, b.patterns]);
        if patterns == NodeId::ANY {
            keys.clear();
        }
        let mut contains = [&a.contains[..], &b.contains].concat();
        contains.sort_unstable();
        contains.dedup();
        Evaluated {
            keys,
            patterns,
            items: a.items.max(b.items),
            contains,
        }
    }

    /// Alternatives that evaluate the same are one.
    fn merged(&self, all: Vec<Alternative>) -> Result<Vec<Alternative>, Error> {
        let mut out: Vec<Alternative> = Vec::new();
        for (formula, evaluated) in all {
            if formula == FormulaId::FALSE {
                continue;
            }
            work::spend(1 + out.len());
            match out.iter_mut().find(|(_, known)| *known == evaluated) {
                Some((known, _)) => *known = self.rules.formulas.or(&[*known, formula]),
                None => out.push((formula, evaluated)),
            }
        }
        self.check_count(out.len())?;
        Ok(out)
    }

    fn check_count(&self, count: usize) -> Result<(), Error> {
        let most = self.rules.limits.alternatives;
        if count > most {
            let message = format!("what is unevaluated depends on more than {most} combinations");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }
}
