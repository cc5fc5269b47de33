//! Which tokens may come next.
//!
//! A mask is the union of what stays inside the innermost state and what leaves it. Inside a JSON
//! string, the first part is the same wherever the string stands, and is shared by all grammars of
//! a vocabulary (`StringMask`); the second is found by walking what those tokens go on with.
//! Every other state has few tokens, found by a walk of the vocabulary's trie that gives up
//! wherever no valid text goes on.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

mod alike;
mod bounds;
mod cache;
mod class_sweep;
mod completion_tree;
mod found;
mod free_values;
mod grammar_text;
mod groups;
mod guide;
mod key_ends;
mod keys;
mod max_completion;
mod places;
mod reach;
mod scalars;
mod states;
mod string_mask;
mod sweep;
mod sweep_place;
mod texts;
mod token_sets;
mod tokens;
mod trie_walk;
mod unique_items;
mod walk;

use crate::machine::{Completer, Config, Machine};
use crate::mask::cache::LooseMask;
use crate::mask::guide::Guide;
use crate::mask::walk::Walk;
use crate::vocab::Vocabulary;

pub(crate) use alike::Lead;
pub(crate) use bounds::BoundKind;
pub(crate) use cache::Masks;
pub(crate) use completion_tree::{CompletionTree, Completions};
pub(crate) use guide::Visitor;
pub(crate) use reach::{Reach, Speller};
pub(crate) use token_sets::TokenSets;
pub(crate) use tokens::{Late, Mask};

impl Masks {
    /// The mask of a configuration. Above `cap` bytes the masks start anew. A bound of what comes
    /// after its tokens is found together with it if that is easy, and what finds `bounds` is given.
    pub(crate) fn get(
        &self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        config: Config,
        cap: usize,
        bounds: Option<Completer<'_>>,
    ) -> Arc<Mask> {
        let alike = machine.key_reader().canonical(config);
        if let Some(known) = self.known(alike) {
            return known;
        }
        let walk = Walk {
            bounds,
            ..self.walk(machine, vocabulary, cap)
        };
        let forgetting = machine.stepper().forget_records(alike).unwrap_or(alike);
        if forgetting != alike {
            return Arc::new(walk.exactly(config, &self.loose(&walk, forgetting)));
        }
        let (loose, names_itself) = walk.loosely(alike, config);
        let mask = walk.exactly(config, &loose);
        if let (Some(completer), Some(bytes)) = (bounds, walk.max_completion_bytes.get())
            && mask.named.is_none()
        {
            mask.bounds.get(completer, || bytes);
        }
        let mask = Arc::new(mask);
        if !names_itself {
            self.make_room(loose.bytes(walk.free_strings()), cap);
            self.known.write().insert(alike, mask.clone());
        }
        mask
    }

    /// The mask of a configuration in which nothing is recorded.
    fn loose(&self, walk: &Walk<'_>, config: Config) -> Arc<LooseMask> {
        let alike = walk.machine.key_reader().canonical(config);
        if let Some(known) = self.loose.read().get(&alike) {
            return known.clone();
        }
        let (loose, names_itself) = walk.loosely(alike, config);
        let loose = Arc::new(loose);
        if !names_itself {
            self.make_room(loose.bytes(walk.free_strings()), walk.cap);
            self.loose.write().insert(alike, loose.clone());
        }
        loose
    }

    /// The walk that finds the mask of a configuration.
    fn walk<'a>(
        &'a self,
        machine: &'a Machine,
        vocabulary: &'a Vocabulary,
        cap: usize,
    ) -> Walk<'a> {
        Walk {
            machine,
            vocabulary,
            masks: self,
            cap,
            bounds: None,
            max_completion_bytes: Cell::default(),
            steps: RefCell::default(),
        }
    }

    /// An upper bound of the bytes that finish a text after any token of its mask.
    pub(crate) fn max_completion_bytes(
        &self,
        machine: &Machine,
        vocabulary: &Vocabulary,
        (config, mask): (Config, &Mask),
        completer: Completer<'_>,
        cap: usize,
    ) -> u64 {
        let walk = Walk {
            bounds: Some(completer),
            ..self.walk(machine, vocabulary, cap)
        };
        let alike = machine.key_reader().canonical(config);
        match machine.stepper().forget_records(alike) {
            Some(forgetting) if forgetting != alike => {
                let loose = self.loose(&walk, forgetting);
                walk.max_completion_bytes(forgetting, &loose.tokens, loose.named.is_some())
            }
            _ => walk.max_completion_bytes(alike, mask.tokens(), mask.named().is_some()),
        }
    }

    /// Tells a visitor where the tokens of a mask lead, and perhaps some others that may not come.
    /// The result says whether all of it is the same for each text of the unknown key that is being
    /// read.
    pub(crate) fn for_groups(
        &self,
        completions: Completions<'_>,
        (config, mask): (Config, &Mask),
        visitor: &mut impl Visitor,
    ) -> bool {
        let completer = completions
            .machine
            .counting_completer(&completions, u64::MAX);
        let walk = Walk {
            bounds: Some(completer),
            ..self.walk(
                completions.machine,
                completions.vocabulary,
                completions.limits.cache_bytes,
            )
        };
        let mut guide = Guide::exactly(completions, config, visitor);
        walk.for_groups(config, mask, &mut guide);
        guide.is_alike()
    }
}
