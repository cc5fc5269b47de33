//! What a grammar is made of, and the machine that reads it.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::compile::options::{Options, PropertyOrder};
use crate::error::{Error, ErrorKind};
use crate::grammar::program::Program;
use crate::grammar::syntax::{Expr, GrammarSchemaId, Syntax};
use crate::json::cost::NEVER;
use crate::json::obligations::Obligations;
use crate::json::rules::Rules;
use crate::machine::Machine;
use crate::schema::model::Model;
use crate::schema::{self, LoadOptions, load};
use crate::work::{self, SchemaPlace};

/// A grammar: its schemas, what is around their values, and how it is read.
#[derive(Debug)]
pub(super) struct GrammarDefinition {
    pub(super) models: Vec<Loaded>,
    pub(super) around: GrammarForm,
    pub(super) options: Options,
    /// `None` until it is needed: a grammar may be but a part of another.
    pub(super) machine: RwLock<Option<Arc<Machine>>>,
}

/// A schema as read, and the documents that its references may lead to.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) model: Arc<Model>,
    pub(super) resources: Arc<[(String, String)]>,
}

/// What stands around the JSON values of a grammar.
#[derive(Debug)]
pub(super) enum GrammarForm {
    /// Nothing but whitespace: the grammar is one JSON value, whose schema this is, as a text.
    Whitespace(Box<str>),
    Text(Syntax),
}

impl GrammarDefinition {
    /// The machine, or a fresh one if the texts so far have made it large.
    pub(super) fn machine(&self) -> Result<Arc<Machine>, Error> {
        let known = self.machine.read().clone();
        if let Some(machine) = &known
            && machine.held() < self.options.limits.machine_bytes
        {
            return Ok(machine.clone());
        }
        let (fresh, used) = work::within(self.options.limits.compile(), || self.build())?;
        fresh.hold(used.bytes);
        // A grammar that is large from the start gains nothing by a second copy.
        if let Some(machine) = known
            && fresh.held() * 2 > machine.held()
        {
            return Ok(machine);
        }
        *self.machine.write() = Some(fresh.clone());
        Ok(fresh)
    }

    /// The machine, however large; made now if there is none yet.
    pub(super) fn known_machine(&self) -> Result<Arc<Machine>, Error> {
        if let Some(known) = self.machine.read().clone() {
            return Ok(known);
        }
        let fresh = self.build()?;
        *self.machine.write() = Some(fresh.clone());
        Ok(fresh)
    }

    /// Does something within the limits of compiling.
    pub(super) fn metered<T>(&self, f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let (value, used) = work::within(self.options.limits.compile(), f)?;
        self.known_machine()?.hold(used.bytes);
        Ok(value)
    }

    /// The grammar as an expression, to be a part of others.
    pub(super) fn syntax(&self) -> Cow<'_, Syntax> {
        match &self.around {
            GrammarForm::Text(syntax) => Cow::Borrowed(syntax),
            GrammarForm::Whitespace(schema) => {
                let mut syntax = Syntax::of(Expr::Json(GrammarSchemaId(0)));
                syntax.schemas.push(schema.clone());
                Cow::Owned(syntax)
            }
        }
    }

    /// The texts of the schemas, by index.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &str> {
        let schemas = match &self.around {
            GrammarForm::Whitespace(schema) => std::slice::from_ref(schema),
            GrammarForm::Text(syntax) => &syntax.schemas,
        };
        schemas.iter().map(|schema| &**schema)
    }

    /// The grammar on one line, cut to so many characters.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(super) fn shown(&self, most: usize) -> String {
        let mut line = Line {
            text: String::new(),
            most,
        };
        // What is cut ends the writing.
        let _ = write!(line, "{}", self.syntax());
        line.text
    }

    pub(super) fn build(&self) -> Result<Arc<Machine>, Error> {
        let Options {
            whitespace,
            property_order,
            literals,
            spelling,
            ref limits,
            ..
        } = self.options;
        let models: Vec<&Model> = self.models.iter().map(|loaded| &*loaded.model).collect();
        let (rules, roots) = Rules::new(&models, whitespace.separator_bytes(), spelling, limits)?;
        let obligations = Obligations::new(rules, property_order == PropertyOrder::Schema);
        let machine = Arc::new(match &self.around {
            GrammarForm::Whitespace(_) => Machine::of_value(obligations, roots[0], whitespace),
            GrammarForm::Text(syntax) => {
                let rules = &obligations.rules;
                let bytes = |&root| rules.separators.bytes(rules.cost(root), 0);
                let costs: Vec<u64> = roots.iter().map(bytes).collect();
                if costs.contains(&NEVER) {
                    return Err(unsatisfied());
                }
                let program = Program::new(syntax, rules, &roots, &costs, limits)?;
                Machine::of_program(obligations, program, &roots, whitespace, literals)
            }
        });
        if !machine.is_live() {
            return Err(unsatisfied());
        }
        Ok(machine)
    }
}

/// Text on one line that is cut where it would be too long.
struct Line {
    text: String,
    most: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c.is_whitespace() {
                true if self.text.ends_with(' ') => continue,
                true => self.text.push(' '),
                false => self.text.push(c),
            }
            if self.text.len() > self.most {
                self.text.push('…');
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

pub(super) fn unsatisfied() -> Error {
    let message = "nothing satisfies this schema: no JSON value is valid";
    Error::at_pointer(ErrorKind::Schema, "", message)
}

pub(super) fn load_models(
    schemas: &[impl AsRef<str>],
    options: &Options,
) -> Result<Vec<Loaded>, Error> {
    let resources: Arc<[(String, String)]> = options.resources.clone().into();
    let models = schemas.iter().map(|schema| {
        let model = load(schema.as_ref(), load_options(options), &options.limits)?;
        Ok(Loaded {
            model: Arc::new(model),
            resources: resources.clone(),
        })
    });
    models.collect()
}

pub(super) fn load_options(options: &Options) -> LoadOptions<'_> {
    LoadOptions {
        strict: options.strict,
        resources: &options.resources,
    }
}

/// The JSON pointer of a schema, in that of `schemas` which holds it.
pub(super) fn pointer_of(
    place: SchemaPlace,
    schemas: &[Box<str>],
    options: &Options,
) -> Option<String> {
    let text = schemas.get(place.model as usize)?;
    schema::pointer_of(place.schema, text, load_options(options), &options.limits)
}
