//! Grammars, and how they are put together.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::compile::compiled::CompiledGrammar;
use crate::compile::definition::{GrammarDefinition, GrammarForm, Loaded, load_models, pointer_of};
use crate::compile::options::Options;
use crate::error::{Error, ErrorKind};
use crate::grammar::syntax::{Expr, Syntax, TokenName, TokenSet};
use crate::grammar::{read_gbnf, read_lark, read_tree};
use crate::json::outline::Outline;
use crate::machine::{key_order, syntax_to_gbnf, value_to_gbnf};
use crate::regex;
use crate::vocab::{TokenId, Vocabulary};
use crate::work;

/// A set of valid texts. Immutable and cheap to share.
///
/// ```
/// use schemask::{Grammar, Options, TokenId, Vocabulary};
///
/// let grammar = Grammar::from_json_schema(r#"{"type": "integer", "minimum": 10}"#, Options::default())?;
/// let vocabulary = Vocabulary::new(&["1", "2", "0", "-", "</s>"], &[TokenId(4)], &[])?;
/// let mut matcher = grammar.compile(vocabulary.into())?.matcher(None)?;
/// assert!(matcher.accept(TokenId(0))?);
/// assert!(!matcher.is_accepting());
/// assert_eq!(matcher.completion()?, b"0");
/// # Ok::<(), schemask::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grammar(Arc<GrammarDefinition>);

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
        key_order(
            &machine,
            root,
            &Outline::new(value)?,
            &self.0.options.limits,
        )
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
    pub fn token(id: TokenId) -> Self {
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
        let syntax = self.0.syntax().repeated(min, max)?;
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
    /// use schemask::{Grammar, Options, TokenId, Vocabulary};
    ///
    /// let nested = Grammar::literal("(").then(&Grammar::reference("nested"))?;
    /// let nested = nested.then(&Grammar::literal(")"))?.repeat(0, Some(1))?;
    /// let grammar = Grammar::reference("nested").define(&[("nested", &nested)])?;
    /// let vocabulary = Vocabulary::new(&["(", ")", "</s>"], &[TokenId(2)], &[])?;
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
        let definitions: Vec<_> = parts.iter().map(|part| part.0.syntax()).collect();
        let named = rules
            .iter()
            .zip(&definitions)
            .map(|(rule, body)| (rule.0, &**body));
        let syntax = self.0.syntax().define(&named.collect::<Vec<_>>())?;
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
            (GrammarForm::Text(syntax), _) => syntax_to_gbnf(&machine, syntax),
            (GrammarForm::Whitespace(_), Some(obligation)) => value_to_gbnf(&machine, obligation),
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
        Grammar(Arc::new(GrammarDefinition {
            models,
            around,
            options,
            machine: RwLock::new(None),
        }))
    }

    fn with(
        &self,
        other: &Grammar,
        join: impl Fn(&Syntax, &Syntax) -> Result<Syntax, Error>,
    ) -> Result<Self, Error> {
        let syntax = join(&self.0.syntax(), &other.0.syntax())?;
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
        CompiledGrammar::new(self.0.clone(), vocabulary)
    }

    /// The grammar on one line, cut to so many characters.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn shown(&self, most: usize) -> String {
        self.0.shown(most)
    }
}

impl fmt::Display for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.syntax().fmt(f)
    }
}
