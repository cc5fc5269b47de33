//! Grammars, and grammars on a vocabulary.

mod relaxed;

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::error::{Error, ErrorKind};
use crate::grammar::program::Program;
use crate::grammar::syntax::{Expr, Syntax, TokenName, TokenSet};
use crate::grammar::{read_gbnf, read_lark, read_tree};
use crate::json::cost::NEVER;
use crate::json::formula::Literals;
use crate::json::obligations::Obligations;
use crate::json::outline::Outline;
use crate::json::rules::Rules;
use crate::limits::Limits;
use crate::machine::{Machine, Whitespace};
use crate::mask::{
    CompletionTree, Completions, Masks, Reach, Speller, TokenSets, has_bit, set_bits,
};
use crate::regex;
use crate::schema::model::Model;
use crate::schema::{self, LoadOptions, load};
use crate::spelling::JsonSpelling;
use crate::vocab::Vocabulary;
use crate::work::{self, SchemaPlace};

pub(crate) use relaxed::{NamedRule, Relaxation, Relaxed};

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
    /// How null and the booleans are spelled, where JSON values are parts of a grammar.
    pub literals: Literals,
    /// How strings and numbers are spelled.
    pub spelling: JsonSpelling,
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
            literals: Literals::Json,
            spelling: JsonSpelling::Plain,
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
/// let mut matcher = grammar.compile(vocabulary.into())?.matcher(None)?;
/// assert!(matcher.accept(0)?);
/// assert!(!matcher.is_accepting());
/// assert_eq!(matcher.completion()?, b"0");
/// # Ok::<(), schemask::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grammar(Arc<GrammarInner>);

#[derive(Debug)]
struct GrammarInner {
    models: Vec<Loaded>,
    around: GrammarForm,
    options: Options,
    /// `None` until it is needed: a grammar may be but a part of another.
    machine: RwLock<Option<Arc<Machine>>>,
}

/// A schema as read, and the documents that its references may lead to.
#[derive(Clone, Debug)]
struct Loaded {
    model: Arc<Model>,
    resources: Arc<[(String, String)]>,
}

/// What stands around the JSON values of a grammar.
#[derive(Debug)]
enum GrammarForm {
    /// Nothing but whitespace: the grammar is one JSON value, whose schema this is, as a text.
    Whitespace(Box<str>),
    Text(Syntax),
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
        let read = |options: &Options| {
            let models = load_models(&[schema], options)?;
            Ok((models, GrammarForm::Whitespace(schema.into())))
        };
        Grammar::read(options, read, || vec![schema.into()])
    }

    /// The texts of a grammar that is given as a tree: see `docs/design.md` for its form.
    ///
    /// # Errors
    ///
    /// If it is no such tree, a rule is not defined, no text satisfies one, or a schema in it is
    /// refused.
    pub fn from_tree(tree: &str, options: Options) -> Result<Self, Error> {
        let limits = options.limits.clone();
        let read = |options: &Options| {
            let syntax = read_tree(tree, &options.limits)?;
            let models = load_models(&syntax.schemas, options)?;
            Ok((models, GrammarForm::Text(syntax)))
        };
        Grammar::read(options, read, || {
            let syntax = read_tree(tree, &limits);
            syntax.map_or(Vec::new(), |syntax| syntax.schemas)
        })
    }

    /// The types of which a grammar's first schema allows values, by their names in JSON Schema;
    /// numbers are one.
    pub fn types(&self) -> Result<Vec<&'static str>, Error> {
        self.0.metered(|| Ok(self.0.known_machine()?.types()))
    }

    /// The order in which the keys of a JSON value are read, for a grammar of one JSON Schema.
    ///
    /// For each object of the value, the numbers that its members have in the text, in the order in
    /// which they are read; objects in the order in which they are read, each before those inside
    /// it. If the value is valid with its keys in some order, it is a text of the grammar in this
    /// one. Where it cannot be valid any more, keys keep their order.
    ///
    /// ```
    /// use schemask::{Grammar, Options};
    ///
    /// let schema = r#"{"properties": {"a": {"properties": {"x": {}, "y": {}}}, "b": {}}}"#;
    /// let grammar = Grammar::from_json_schema(schema, Options::default())?;
    /// let value = br#"{"c": 1, "b": 2, "a": {"y": 3, "x": 4}}"#;
    /// assert_eq!(grammar.key_order(value)?, [2, 1, 0, 1, 0]);
    /// # Ok::<(), schemask::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the grammar is another one, `value` is not JSON, or some piece of it takes more work than
    /// accepting a token may: the pointer is then that of a place in the value.
    pub fn key_order(&self, value: &[u8]) -> Result<Vec<u32>, Error> {
        let machine = self.0.machine()?;
        let Some(root) = machine.root_obligation() else {
            let message = "only the grammar of one JSON Schema has an order of keys";
            return Err(Error::new(ErrorKind::Grammar, message));
        };
        machine.key_order(root, &Outline::new(value)?, &self.0.options.limits)
    }

    /// The texts of the rule `root` of a grammar in GBNF, the notation of llama.cpp.
    ///
    /// ```
    /// use schemask::{Grammar, Options};
    ///
    /// let sums = r#"root ::= root "+" number | number
    ///               number ::= [0-9]+"#;
    /// assert!(Grammar::from_gbnf(sums, "root", Options::default()).is_ok());
    /// let error = Grammar::from_gbnf("root ::= number", "root", Options::default()).unwrap_err();
    /// assert_eq!(error.position(), Some((1, 10)));
    /// ```
    ///
    /// # Errors
    ///
    /// If it cannot be read, a rule is not defined, or no text satisfies one.
    pub fn from_gbnf(text: &str, root: &str, options: Options) -> Result<Self, Error> {
        let read = |options: &Options| {
            let syntax = read_gbnf(text, root, &options.limits)?;
            Ok((Vec::new(), GrammarForm::Text(syntax)))
        };
        Grammar::read(options, read, Vec::new)
    }

    /// The texts of the rule `start` of a grammar in the notation of Lark. The options are those of
    /// the JSON values in it.
    ///
    /// # Errors
    ///
    /// If it cannot be read, uses what is not supported, a rule is not defined, no text satisfies
    /// one, or a schema in it is refused.
    pub fn from_lark(text: &str, start: &str, options: Options) -> Result<Self, Error> {
        let limits = options.limits.clone();
        let read = |options: &Options| {
            let syntax = read_lark(text, start, &options.limits)?;
            let models = load_models(&syntax.schemas, options)?;
            Ok((models, GrammarForm::Text(syntax)))
        };
        Grammar::read(options, read, || {
            let syntax = read_lark(text, start, &limits);
            syntax.map_or(Vec::new(), |syntax| syntax.schemas)
        })
    }

    /// The texts that a regular expression of ECMA-262 matches as a whole; with `search`, those in
    /// which it matches somewhere.
    ///
    /// # Errors
    ///
    /// If it cannot be read, uses what is not supported, or matches nothing.
    pub fn from_regex(pattern: &str, search: bool, options: Options) -> Result<Self, Error> {
        let read = |options: &Options| {
            let expr = Expr::Pattern {
                source: pattern.into(),
                ast: Box::new(regex::parse(pattern, &options.limits)?),
                search,
            };
            Ok((Vec::new(), GrammarForm::Text(Syntax::of(expr))))
        };
        Grammar::read(options, read, Vec::new)
    }

    /// Exactly this text.
    pub fn literal(text: &str) -> Self {
        Grammar::of(Expr::Text(text.into()))
    }

    /// The token with this id, which is matched by its id alone.
    pub fn token(id: u32) -> Self {
        Grammar::of_token(TokenName::Ids(id, id))
    }

    /// The token that the vocabulary spells like this, which is matched by its id alone. Special
    /// tokens are looked at first.
    pub fn named_token(name: &str) -> Self {
        Grammar::of_token(TokenName::Name(name.into()))
    }

    /// Any text up to the first of some stops, each with `inclusive` a part of it; else no stop is
    /// in the text.
    ///
    /// # Errors
    ///
    /// If there are no stops, or one is empty.
    pub fn free_text(stops: &[&str], inclusive: bool) -> Result<Self, Error> {
        if stops.is_empty() && inclusive || stops.contains(&"") {
            let message = "free text ends with one of its stops, and none of them is empty";
            return Err(Error::new(ErrorKind::Grammar, message));
        }
        let stops = stops.iter().map(|&stop| stop.into()).collect();
        Ok(Grammar::of(Expr::Free {
            stops,
            whole: inclusive,
        }))
    }

    /// The texts of a rule of this name, which [`Grammar::define`] is yet to define.
    pub fn reference(name: &str) -> Self {
        Grammar::raw(
            Vec::new(),
            GrammarForm::Text(Syntax::reference(name)),
            Options::default(),
        )
    }

    /// This grammar's texts, each followed by one of another. JSON values have no whitespace around
    /// them then.
    ///
    /// # Errors
    ///
    /// If both hold JSON with different options, or the result nests too deeply.
    pub fn then(&self, other: &Grammar) -> Result<Self, Error> {
        self.with(other, Syntax::then)
    }

    /// The texts of this grammar and of another.
    ///
    /// # Errors
    ///
    /// If both hold JSON with different options, or the result nests too deeply.
    pub fn or(&self, other: &Grammar) -> Result<Self, Error> {
        self.with(other, Syntax::or)
    }

    /// From `min` to `max` texts of this grammar, one after the other; without `max`, any number.
    ///
    /// # Errors
    ///
    /// If `max` is below `min`, or what comes out nests too deeply.
    pub fn repeat(&self, min: u32, max: Option<u32>) -> Result<Self, Error> {
        let syntax = self.syntax().repeated(min, max)?;
        Ok(Grammar::raw(
            self.0.models.clone(),
            GrammarForm::Text(syntax),
            self.0.options.clone(),
        ))
    }

    /// This grammar with definitions of the rules that it [refers to](Grammar::reference). The
    /// definitions may refer to them, too.
    ///
    /// ```
    /// use schemask::{Grammar, Options, Vocabulary};
    ///
    /// let nested = Grammar::literal("(").then(&Grammar::reference("nested"))?;
    /// let nested = nested.then(&Grammar::literal(")"))?.repeat(0, Some(1))?;
    /// let grammar = Grammar::reference("nested").define(&[("nested", &nested)])?;
    /// let vocabulary = Vocabulary::new(&["(", ")", "</s>"], &[2], &[])?;
    /// let mut matcher = grammar.compile(vocabulary.into())?.matcher(None)?;
    /// assert!(matcher.accept_bytes(b"(()") && !matcher.is_accepting());
    /// assert_eq!(matcher.completion()?, b")");
    /// # Ok::<(), schemask::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If nothing refers to a rule, two grammars hold JSON with different options, or the result
    /// nests too deeply.
    pub fn define(&self, rules: &[(&str, &Grammar)]) -> Result<Self, Error> {
        let parts: Vec<&Grammar> = rules.iter().map(|rule| rule.1).collect();
        let definitions: Vec<_> = parts.iter().map(|part| part.syntax()).collect();
        let named = rules
            .iter()
            .zip(&definitions)
            .map(|(rule, body)| (rule.0, &**body));
        let syntax = self.syntax().define(&named.collect::<Vec<_>>())?;
        self.joined(&parts, syntax)
    }

    /// The grammar in GBNF, for tools that only read that. Characters of JSON strings come in one
    /// spelling each, and whole numbers without fraction and exponent; but for that, the texts are
    /// the same.
    ///
    /// # Errors
    ///
    /// If GBNF cannot say it: that keys or items differ, that one value decides what others must
    /// be, free text; or if it takes too many rules, as fractions between bounds do.
    pub fn to_gbnf(&self) -> Result<String, Error> {
        self.0.metered(|| self.print_gbnf())
    }

    fn print_gbnf(&self) -> Result<String, Error> {
        let machine = self.0.known_machine()?;
        match (&self.0.around, machine.root_obligation()) {
            (GrammarForm::Text(syntax), _) => machine.syntax_to_gbnf(syntax, machine.schemas()),
            (GrammarForm::Whitespace(_), Some(obligation)) => machine.value_to_gbnf(obligation),
            _ => {
                let message = "a flow cannot be written in GBNF";
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }

    fn of(expr: Expr) -> Self {
        Grammar::raw(
            Vec::new(),
            GrammarForm::Text(Syntax::of(expr)),
            Options::default(),
        )
    }

    fn of_token(name: TokenName) -> Self {
        let names = Box::new([name]);
        let negated = false;
        Grammar::of(Expr::Token(TokenSet { names, negated }))
    }

    /// A grammar that is known to be readable, read within the limits of compiling. `schemas` are the
    /// texts of its schemas, for the places of errors.
    fn read(
        options: Options,
        read: impl FnOnce(&Options) -> Result<(Vec<Loaded>, GrammarForm), Error>,
        schemas: impl FnOnce() -> Vec<Box<str>>,
    ) -> Result<Self, Error> {
        work::at(None);
        let read = work::within(options.limits.compile(), || {
            let (models, around) = read(&options)?;
            let grammar = Grammar::raw(models, around, options.clone());
            grammar.0.known_machine()?;
            Ok(grammar)
        });
        let (grammar, used) = read.map_err(|error| match (error.is_limit(), work::at(None)) {
            (true, Some(place)) => error.or_at_pointer(pointer_of(place, &schemas(), &options)),
            _ => error,
        })?;
        grammar.0.known_machine()?.hold(used.bytes);
        Ok(grammar)
    }

    fn raw(models: Vec<Loaded>, around: GrammarForm, mut options: Options) -> Self {
        // The resources that the schema refers to are kept with the models.
        options.resources = Vec::new();
        Grammar(Arc::new(GrammarInner {
            models,
            around,
            options,
            machine: RwLock::new(None),
        }))
    }

    /// The grammar as an expression, to be a part of others.
    fn syntax(&self) -> Cow<'_, Syntax> {
        match &self.0.around {
            GrammarForm::Text(syntax) => Cow::Borrowed(syntax),
            GrammarForm::Whitespace(schema) => {
                let mut syntax = Syntax::of(Expr::Json(0));
                syntax.schemas.push(schema.clone());
                Cow::Owned(syntax)
            }
        }
    }

    fn with(
        &self,
        other: &Grammar,
        join: impl Fn(&Syntax, &Syntax) -> Result<Syntax, Error>,
    ) -> Result<Self, Error> {
        let syntax = join(&self.syntax(), &other.syntax())?;
        self.joined(&[other], syntax)
    }

    /// A grammar that was made of this one and of others, in this order.
    fn joined(&self, others: &[&Grammar], syntax: Syntax) -> Result<Self, Error> {
        let mut all = std::iter::once(self).chain(others.iter().copied());
        let with_json = all.clone().filter(|grammar| !grammar.0.models.is_empty());
        let alike = |a: &Options, b: &Options| {
            a.whitespace == b.whitespace
                && a.property_order == b.property_order
                && a.literals == b.literals
                && a.spelling == b.spelling
        };
        let mut options = with_json.map(|grammar| &grammar.0.options);
        let first = options.next().unwrap_or(&self.0.options);
        if !options.all(|other| alike(first, other)) {
            let message = "grammars are joined whose JSON differs in `whitespace`, `property_order` or `spelling`";
            return Err(Error::new(ErrorKind::Grammar, message));
        }
        let models = all
            .by_ref()
            .flat_map(|grammar| grammar.0.models.iter().cloned());
        Ok(Grammar::raw(
            models.collect(),
            GrammarForm::Text(syntax),
            first.clone(),
        ))
    }

    /// What the schema says and the grammar ignores, as (JSON pointer, message); the pointers are
    /// those of [`Error::pointer`].
    pub fn warnings(&self) -> impl Iterator<Item = (&str, &str)> {
        let models = self.0.models.iter();
        let warnings = models.flat_map(|loaded| &loaded.model.warnings);
        warnings.map(|(pointer, message)| (&**pointer, &**message))
    }

    /// The grammar on a vocabulary.
    ///
    /// # Errors
    ///
    /// If it names a token that the vocabulary has not, or the vocabulary can spell none of its
    /// texts; or, of a grammar that was put together, if a rule is not defined, or no text satisfies
    /// one.
    pub fn compile(&self, vocabulary: Arc<Vocabulary>) -> Result<CompiledGrammar, Error> {
        let machine = self.0.machine()?;
        let named = machine.token_sets();
        let sets = named.iter().map(|set| resolve_tokens(set, &vocabulary));
        let tokens: TokenSets = sets.collect::<Result<_, _>>()?;
        vocabulary.strings(self.0.options.spelling);
        // Tags are read as text, too.
        let is_missing = |(set, bits): (&TokenSet, &[u32])| {
            let is_tag = |name: &TokenName| matches!(name, TokenName::Tag(_));
            !set.names.iter().any(is_tag) && bits.iter().all(|&word| word == 0)
        };
        let regexes = &machine.obligations.rules.scanner.regexes;
        let mut unreachable = vocabulary.unreachable_bytes().iter();
        let spells_all = unreachable.all(|&byte| regexes.can_do_without(byte))
            && !named
                .iter()
                .zip(tokens.iter().map(|bits| &**bits))
                .any(is_missing);
        let engine = Arc::new(Engine::new(machine, &tokens, spells_all));
        let compiled = CompiledGrammar(Arc::new(Compiled {
            grammar: self.0.clone(),
            vocabulary,
            tokens,
            spells_all,
            engine: RwLock::new(engine.clone()),
        }));
        let start = engine.machine.start();
        if let Some(speller) = compiled.speller(&engine)
            && !self.0.metered(|| Ok(speller.can_end(start)))?
        {
            return Err(speller.unspellable(start));
        }
        Ok(compiled)
    }
}

impl Grammar {
    /// The grammar on one line, cut to so many characters.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn shown(&self, most: usize) -> String {
        let mut line = Line {
            text: String::new(),
            most,
        };
        // What is cut ends the writing.
        let _ = write!(line, "{self}");
        line.text
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

impl fmt::Display for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.syntax().fmt(f)
    }
}

/// The tokens of a set: a bit for each.
fn resolve_tokens(set: &TokenSet, vocabulary: &Vocabulary) -> Result<Box<[u32]>, Error> {
    let mut named = vec![0; vocabulary.mask_words()];
    for name in &set.names {
        match name {
            &TokenName::Ids(first, last) => {
                if last as usize >= vocabulary.size() {
                    let message = format!(
                        "the grammar names token {last}, which is outside the vocabulary of {} tokens",
                        vocabulary.size()
                    );
                    return Err(Error::new(ErrorKind::Vocabulary, message));
                }
                (first..=last).for_each(|id| set_bits(&mut named, &[id]));
            }
            TokenName::Tag(name) => {
                let special = vocabulary.special_token_ids().iter();
                let is_named = |id: &&u32| vocabulary.token(**id) == Some(name.as_bytes());
                special
                    .filter(is_named)
                    .for_each(|&id| set_bits(&mut named, &[id]));
            }
            TokenName::Name(name) => {
                let Some(id) = vocabulary.token_named(name) else {
                    let message =
                        format!("the vocabulary has no token {name:?}, which the grammar names");
                    return Err(Error::new(ErrorKind::Vocabulary, message));
                };
                set_bits(&mut named, &[id]);
            }
        }
    }
    if set.negated {
        let others = (0..vocabulary.size() as u32).filter(|&id| {
            let is_stop = vocabulary.stop_token_ids().binary_search(&id).is_ok();
            let is_empty = vocabulary.token(id).is_none_or(<[u8]>::is_empty);
            !is_stop && !is_empty && !has_bit(&named, id)
        });
        let mut bits = vec![0; vocabulary.mask_words()];
        others.for_each(|id| set_bits(&mut bits, &[id]));
        named = bits;
    }
    Ok(named.into())
}

impl GrammarInner {
    /// The machine, or a fresh one if the texts so far have made it large.
    fn machine(&self) -> Result<Arc<Machine>, Error> {
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
        let fresh = Arc::new(fresh);
        *self.machine.write() = Some(fresh.clone());
        Ok(fresh)
    }

    /// The machine, however large; made now if there is none yet.
    fn known_machine(&self) -> Result<Arc<Machine>, Error> {
        if let Some(known) = self.machine.read().clone() {
            return Ok(known);
        }
        let fresh = Arc::new(self.build()?);
        *self.machine.write() = Some(fresh.clone());
        Ok(fresh)
    }

    /// Does something within the limits of compiling.
    fn metered<T>(&self, f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let (value, used) = work::within(self.options.limits.compile(), f)?;
        self.known_machine()?.hold(used.bytes);
        Ok(value)
    }

    fn build(&self) -> Result<Machine, Error> {
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
        let machine = match &self.around {
            GrammarForm::Whitespace(_) => Machine::of_value(obligations, roots[0], whitespace),
            GrammarForm::Text(syntax) => {
                let costs: Vec<u64> = roots
                    .iter()
                    .map(|&root| obligations.rules.cost(root))
                    .collect();
                if costs.contains(&NEVER) {
                    return Err(unsatisfied());
                }
                let rules = &obligations.rules;
                let program = Program::new(syntax, rules, &roots, &costs, limits)?;
                Machine::of_program(obligations, program, &roots, whitespace, literals)
            }
        };
        if !machine.is_live() {
            return Err(unsatisfied());
        }
        Ok(machine)
    }
}

fn unsatisfied() -> Error {
    let message = "nothing satisfies this schema: no JSON value is valid";
    Error::at_pointer(ErrorKind::Schema, "", message)
}

fn load_models(schemas: &[impl AsRef<str>], options: &Options) -> Result<Vec<Loaded>, Error> {
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

fn load_options(options: &Options) -> LoadOptions<'_> {
    LoadOptions {
        strict: options.strict,
        resources: &options.resources,
    }
}

/// The JSON pointer of a schema, in that of `schemas` which holds it.
fn pointer_of(place: SchemaPlace, schemas: &[Box<str>], options: &Options) -> Option<String> {
    let text = schemas.get(place.model as usize)?;
    schema::pointer_of(place.schema, text, load_options(options), &options.limits)
}

/// A grammar on a vocabulary. Immutable, cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct CompiledGrammar(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    grammar: Arc<GrammarInner>,
    vocabulary: Arc<Vocabulary>,
    /// The sets of tokens that the grammar names.
    tokens: TokenSets,
    /// Whether the vocabulary can spell, after every beginning of a text, one of its shortest
    /// endings.
    spells_all: bool,
    engine: RwLock<Arc<Engine>>,
}

/// A machine, and the masks and endings of its configurations.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) machine: Arc<Machine>,
    pub(crate) masks: Masks,
    pub(crate) tree: CompletionTree,
    /// What the vocabulary can spell of the grammar; `None` if that is every text.
    reach: Option<Reach>,
}

impl Engine {
    fn new(machine: Arc<Machine>, tokens: &TokenSets, spells_all: bool) -> Self {
        Engine {
            reach: (!spells_all).then(Reach::default),
            machine,
            masks: Masks::new(tokens.clone()),
            tree: CompletionTree::new(tokens.clone()),
        }
    }
}

impl CompiledGrammar {
    /// What new texts are read with: a fresh machine, if the texts so far have made it large.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, Error> {
        let engine = self.0.engine.read().clone();
        if engine.machine.held() < self.limits().machine_bytes {
            return Ok(engine);
        }
        // An engine of these parts has been built before, so that no limit can be reached; but the
        // time may run out, or the caller may interrupt.
        let machine = self.0.grammar.machine()?;
        if Arc::ptr_eq(&machine, &engine.machine) {
            return Ok(engine);
        }
        let fresh = Arc::new(Engine::new(machine, &self.0.tokens, self.0.spells_all));
        *self.0.engine.write() = fresh.clone();
        Ok(fresh)
    }

    /// What says which tokens lead to an end, if the vocabulary cannot spell every text.
    pub(crate) fn speller<'a>(&'a self, engine: &'a Engine) -> Option<Speller<'a>> {
        let reach = engine.reach.as_ref()?;
        let completions = Completions {
            tree: &engine.tree,
            machine: &engine.machine,
            vocabulary: &self.0.vocabulary,
            limits: self.limits(),
        };
        Some(Speller {
            completions,
            sets: &self.0.tokens,
            reach,
        })
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.0.vocabulary
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.grammar.options.limits
    }

    /// The grammar on one line, cut to so many characters.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn shown(&self, most: usize) -> String {
        Grammar(self.0.grammar.clone()).shown(most)
    }

    /// How the grammar is read.
    pub(crate) fn options(&self) -> &Options {
        &self.0.grammar.options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_much_work_is_an_error() {
        let mut options = Options::default();
        options.limits.compile_work = 500;
        let schema = r#"{"allOf": [{"pattern": "^(a|b)*a(a|b){9}$"}, {"pattern": "^(a|b)*b(a|b){9}$"}],
                         "type": "string"}"#;
        let error = Grammar::from_json_schema(schema, options).unwrap_err();
        assert!(
            error.is_limit() && error.message().contains("compile_work"),
            "{error}"
        );
        let error = Grammar::from_json_schema(schema, Options::default()).unwrap_err();
        assert!(error.message().contains("nothing satisfies"), "{error}");
    }

    #[test]
    fn texts_that_make_many_states_do_not_keep_them() {
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        tokens.push(Vec::new());
        let vocabulary = Arc::new(Vocabulary::new(&tokens, &[256], &[]).unwrap());
        let mut options = Options::default();
        options.limits.machine_bytes = 1 << 20;
        let grammar = Grammar::from_json_schema(r#"{"type": "object"}"#, options).unwrap();
        let compiled = grammar.compile(vocabulary).unwrap();
        for i in 0..200 {
            let mut matcher = compiled.matcher(None).unwrap();
            let text = format!("{{\"key number {i}\": {{\"{i}\": [{i}]}}, \"{i}\": {i}}}");
            assert!(matcher.accept_bytes(text.as_bytes()) && matcher.is_accepting());
            assert!(compiled.engine().unwrap().machine.held() < 2 << 20);
        }
    }
}
