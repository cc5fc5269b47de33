//! Grammars, and grammars on a vocabulary.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::error::{Error, Kind};
use crate::grammar::flow::Flow;
use crate::json::frames::Frames;
use crate::json::rules::Rules;
use crate::limits::Limits;
use crate::machine::{Machine, Whitespace};
use crate::mask::{Masks, Tails};
use crate::schema::model::Model;
use crate::schema::{LoadOptions, load};
use crate::vocab::Vocabulary;

/// In which order an object's keys may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PropertyOrder {
    /// In the order of their first appearance in the schema; keys that it does not declare last.
    #[default]
    Schema,
    /// In any order.
    Any,
}

/// How a grammar is read, and which of several spellings of the same value it allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whitespace between JSON tokens.
    pub whitespace: Whitespace,
    /// The order of keys.
    pub property_order: PropertyOrder,
    /// Whether what is not supported exactly is an error; if not, it is ignored and listed in the
    /// warnings.
    pub strict: bool,
    /// Documents that references of a schema may lead to: their URIs and their JSON texts. The
    /// official meta-schemas are always at hand; nothing is ever fetched.
    ///
    /// ```
    /// use schemask::{Grammar, Options};
    ///
    /// let age = ("https://example.com/age", r#"{"type": "integer", "minimum": 0}"#);
    /// let options = Options {
    ///     resources: vec![(age.0.to_owned(), age.1.to_owned())],
    ///     ..Options::default()
    /// };
    /// let schema = r#"{"type": "array", "items": {"$ref": "https://example.com/age"}}"#;
    /// assert!(Grammar::from_json_schema(schema, options).is_ok());
    /// assert!(Grammar::from_json_schema(schema, Options::default()).is_err());
    /// ```
    pub resources: Vec<(String, String)>,
    /// Caps.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits::default();
        Options {
            whitespace: Whitespace::Flexible {
                run: limits.whitespace_run,
            },
            property_order: PropertyOrder::Schema,
            strict: true,
            resources: Vec::new(),
            limits,
        }
    }
}

/// A set of valid texts. Immutable and cheap to share.
///
/// ```
/// use schemask::{Grammar, Options, Vocabulary};
///
/// let grammar = Grammar::from_json_schema(r#"{"type": "integer", "minimum": 10}"#, Options::default())?;
/// let vocabulary = Vocabulary::new(&["1", "2", "0", "-", "</s>"], &[4], &[])?;
/// let mut matcher = grammar.compile(vocabulary.into()).matcher(None)?;
/// assert!(matcher.accept(0)?);
/// assert!(!matcher.is_accepting());
/// assert_eq!(matcher.completion()?, b"0");
/// # Ok::<(), schemask::Error>(())
/// ```
#[derive(Debug)]
pub struct Grammar(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    models: Vec<Model>,
    /// The description of the flow around the models' values, if there is one.
    flow: Option<String>,
    options: Options,
    machine: RwLock<Arc<Machine>>,
}

impl Grammar {
    /// All texts that are JSON values which a schema accepts.
    ///
    /// `schema` is the JSON text of a JSON Schema.
    ///
    /// # Errors
    ///
    /// If it is no schema, refers to nothing, is satisfied by nothing, exceeds a limit, or, with
    /// [`Options::strict`], uses what is not supported exactly.
    pub fn from_json_schema(schema: &str, options: Options) -> Result<Self, Error> {
        let model = load_model(schema, &options)?;
        Grammar::new(vec![model], None, options)
    }

    /// Texts around JSON values: see `docs/design.md` for the description's form.
    ///
    /// # Errors
    ///
    /// If it is no such description, or a schema in it is refused.
    pub fn from_flow(description: &str, options: Options) -> Result<Self, Error> {
        let flow = Flow::read(description)?;
        let models = flow
            .schemas
            .iter()
            .map(|schema| load_model(schema, &options));
        let models = models.collect::<Result<_, _>>()?;
        Grammar::new(models, Some(description.to_owned()), options)
    }

    fn new(models: Vec<Model>, flow: Option<String>, mut options: Options) -> Result<Self, Error> {
        // Read by now.
        options.resources = Vec::new();
        let machine = build(&models, flow.as_deref(), &options)?;
        if !machine.is_live() {
            let message = "nothing satisfies this schema: no JSON value is valid";
            return Err(Error::at_pointer(Kind::Schema, "", message));
        }
        let machine = RwLock::new(Arc::new(machine));
        Ok(Grammar(Arc::new(Inner {
            models,
            flow,
            options,
            machine,
        })))
    }

    /// What was not honoured or could not be decided, as (JSON pointer, message); the pointers are
    /// those of [`Error::pointer`].
    pub fn warnings(&self) -> impl Iterator<Item = (&str, &str)> {
        let warnings = self.0.models.iter().flat_map(|model| &model.warnings);
        let exhausted = self.0.machine.read().is_exhausted();
        let undecided = exhausted.then_some((
            "",
            "whether some value exists could not be decided within the limits: \
             strings and numbers are treated as if they did, other values and keys are refused",
        ));
        let listed = warnings.map(|(pointer, message)| (&**pointer, &**message));
        listed.chain(undecided)
    }

    /// The grammar on a vocabulary.
    pub fn compile(&self, vocabulary: Arc<Vocabulary>) -> CompiledGrammar {
        let engine = Engine {
            machine: self.0.machine(),
            masks: Masks::default(),
            tails: Tails::default(),
        };
        CompiledGrammar(Arc::new(Compiled {
            grammar: self.0.clone(),
            vocabulary,
            engine: RwLock::new(Arc::new(engine)),
        }))
    }
}

impl Inner {
    /// The machine, or a fresh one if the texts so far have made it large.
    fn machine(&self) -> Arc<Machine> {
        let machine = self.machine.read().clone();
        if machine.len() < self.options.limits.states {
            return machine;
        }
        let fresh = build(&self.models, self.flow.as_deref(), &self.options);
        let fresh = Arc::new(fresh.expect("it was built before from the same parts"));
        // A grammar that is large from the start gains nothing by a second copy.
        if fresh.len() * 2 > machine.len() {
            return machine;
        }
        *self.machine.write() = fresh.clone();
        fresh
    }
}

fn load_model(schema: &str, options: &Options) -> Result<Model, Error> {
    load(
        schema,
        LoadOptions {
            strict: options.strict,
            resources: &options.resources,
        },
        &options.limits,
    )
}

fn build(models: &[Model], flow: Option<&str>, options: &Options) -> Result<Machine, Error> {
    let separator = options.whitespace.separator_bytes();
    let models: Vec<&Model> = models.iter().collect();
    let (rules, roots) = Rules::new(&models, separator, &options.limits)?;
    let frames = Frames::new(rules, options.property_order == PropertyOrder::Schema);
    Ok(match flow {
        None => Machine::of_value(frames, roots[0], options.whitespace),
        Some(text) => Machine::of_flow(frames, Flow::read(text)?, &roots, options.whitespace),
    })
}

/// A grammar on a vocabulary. Immutable, cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct CompiledGrammar(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    grammar: Arc<Inner>,
    vocabulary: Arc<Vocabulary>,
    engine: RwLock<Arc<Engine>>,
}

/// A machine, and the masks and endings of its configurations.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) machine: Arc<Machine>,
    pub(crate) masks: Masks,
    pub(crate) tails: Tails,
}

impl CompiledGrammar {
    pub(crate) fn engine(&self) -> Arc<Engine> {
        let engine = self.0.engine.read().clone();
        if engine.machine.len() < self.limits().states {
            return engine;
        }
        let machine = self.0.grammar.machine();
        if Arc::ptr_eq(&machine, &engine.machine) {
            return engine;
        }
        let fresh = Arc::new(Engine {
            machine,
            masks: Masks::default(),
            tails: Tails::default(),
        });
        *self.0.engine.write() = fresh.clone();
        fresh
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.0.vocabulary
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.grammar.options.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_decided_is_a_warning() {
        let mut options = Options::default();
        options.limits.witness_states = 50;
        let schema = r#"{"allOf": [{"pattern": "^(a|b)*a(a|b){9}$"}, {"pattern": "^(a|b)*b(a|b){9}$"}],
                         "type": "string"}"#;
        let grammar = Grammar::from_json_schema(schema, options).unwrap();
        assert_eq!(grammar.warnings().count(), 1);
        let error = Grammar::from_json_schema(schema, Options::default()).unwrap_err();
        assert!(error.message().contains("nothing satisfies"), "{error}");
    }

    #[test]
    fn texts_that_make_many_states_do_not_keep_them() {
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        tokens.push(Vec::new());
        let vocabulary = Arc::new(Vocabulary::new(&tokens, &[256], &[]).unwrap());
        let mut options = Options::default();
        options.limits.states = 2_000;
        let grammar = Grammar::from_json_schema(r#"{"type": "object"}"#, options).unwrap();
        let compiled = grammar.compile(vocabulary);
        for i in 0..200 {
            let mut matcher = compiled.matcher(None).unwrap();
            let text = format!("{{\"key number {i}\": {{\"{i}\": [{i}]}}, \"{i}\": {i}}}");
            assert!(matcher.accept_bytes(text.as_bytes()) && matcher.is_accepting());
            assert!(compiled.engine().machine.len() < 3_000);
        }
    }
}
