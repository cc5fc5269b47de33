//! Grammars on a vocabulary.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::compile::definition::GrammarDefinition;
use crate::compile::options::Options;
use crate::error::{Error, ErrorKind};
use crate::grammar::syntax::{TokenName, TokenSet};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::mask::{CompletionTree, Completions, Masks, Reach, Speller, TokenSets};
use crate::vocab::Vocabulary;
use crate::vocab::token::{MaskWord, TokenId, has_bit, set_bits};

/// A grammar on a vocabulary. Immutable, cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct CompiledGrammar(pub(super) Arc<Compiled>);

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) grammar: Arc<GrammarDefinition>,
    pub(super) vocabulary: Arc<Vocabulary>,
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
    /// As [`Grammar::compile`](crate::Grammar::compile).
    pub(super) fn new(
        grammar: Arc<GrammarDefinition>,
        vocabulary: Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        let machine = grammar.machine()?;
        let named = machine.token_sets();
        let sets = named.iter().map(|set| resolve_tokens(set, &vocabulary));
        let tokens: TokenSets = sets.collect::<Result<_, _>>()?;
        vocabulary.strings(grammar.options.spelling);
        // Tags are read as text, too.
        let is_missing = |(set, bits): (&TokenSet, &[MaskWord])| {
            let is_tag = |name: &TokenName| matches!(name, TokenName::Tag(_));
            !set.names.iter().any(is_tag) && bits.iter().all(|&word| word == MaskWord::NONE)
        };
        let regexes = &machine.obligations.rules.scanner.regexes;
        let mut unreachable = vocabulary.unreachable_bytes().iter();
        let spells_all = unreachable.all(|&byte| regexes.can_do_without(byte))
            && !named.iter().zip(tokens.iter()).any(is_missing);
        let engine = Arc::new(Engine::new(machine, &tokens, spells_all));
        let compiled = CompiledGrammar(Arc::new(Compiled {
            grammar,
            vocabulary,
            tokens,
            spells_all,
            engine: RwLock::new(engine.clone()),
        }));
        let start = engine.machine.start();
        if let Some(speller) = compiled.speller(&engine)
            && !compiled.0.grammar.metered(|| Ok(speller.can_end(start)))?
        {
            return Err(speller.unspellable(start));
        }
        Ok(compiled)
    }

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
        self.0.grammar.shown(most)
    }

    /// How the grammar is read.
    pub(crate) fn options(&self) -> &Options {
        &self.0.grammar.options
    }
}

/// The tokens of a set: a bit for each.
pub(super) fn resolve_tokens(
    set: &TokenSet,
    vocabulary: &Vocabulary,
) -> Result<Box<[MaskWord]>, Error> {
    let mut named = vec![MaskWord::NONE; vocabulary.mask_words()];
    for name in &set.names {
        match name {
            &TokenName::Ids(first, last) => {
                if last.index() >= vocabulary.size() {
                    let message = format!(
                        "the grammar names token {last}, which is outside the vocabulary of {} tokens",
                        vocabulary.size()
                    );
                    return Err(Error::new(ErrorKind::Vocabulary, message));
                }
                (first.0..=last.0).for_each(|id| set_bits(&mut named, &[TokenId(id)]));
            }
            TokenName::Tag(name) => {
                let special = vocabulary.special_token_ids().iter();
                let is_named = |id: &&TokenId| vocabulary.token(**id) == Some(name.as_bytes());
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
        let others = vocabulary.ids().filter(|&id| {
            let is_stop = vocabulary.stop_token_ids().binary_search(&id).is_ok();
            let is_empty = vocabulary.token(id).is_none_or(<[u8]>::is_empty);
            !is_stop && !is_empty && !has_bit(&named, id)
        });
        let mut bits = vec![MaskWord::NONE; vocabulary.mask_words()];
        others.for_each(|id| set_bits(&mut bits, &[id]));
        named = bits;
    }
    Ok(named.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Grammar;

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
        let vocabulary = Arc::new(Vocabulary::new(&tokens, &[TokenId(256)], &[]).unwrap());
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
