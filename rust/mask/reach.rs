//! What a vocabulary can spell of a grammar, where that is not everything.
//!
//! With a token for each byte every text can be spelled, and nothing here is needed. Without, a text
//! that the grammar lets go on may have no token to go on with. So configurations are asked whether
//! some tokens lead from them to an end of the text. Mostly the tokens that spell the machine's own
//! ending do; where they do not, other ways are tried, the nearest to an end first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::machine::Config;
use crate::mask::completion_tree::Completions;
use crate::mask::token_sets::TokenSets;
use crate::vocab::token::{MaskWord, TokenId, add_bits, bits_of, set_bits};

/// What tokens can do from the configurations of a grammar, as far as it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Reach(Mutex<KnownFates>);

#[derive(Debug, Default)]
struct KnownFates {
    fates: FxHashMap<Config, Fate>,
    masks: FxHashMap<Config, Arc<[MaskWord]>>,
    bytes: usize,
}

/// What can become of a text.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The machine's own ending can be spelled.
    Ends,
    /// Another ending can, which begins with a token; and where that leads.
    Via(TokenId, Config),
    /// No tokens lead to an end.
    Dead,
}

/// A grammar on a vocabulary that cannot spell everything.
#[derive(Clone, Copy)]
pub(crate) struct Speller<'a> {
    pub(crate) completions: Completions<'a>,
    pub(crate) sets: &'a TokenSets,
    pub(crate) reach: &'a Reach,
}

impl Speller<'_> {
    /// Whether some tokens lead to an end of the text.
    pub(crate) fn can_end(&self, config: Config) -> bool {
        !matches!(self.fate(config), Fate::Dead)
    }

    /// The tokens that may come next, a bit for each.
    pub(crate) fn mask(&self, config: Config) -> Arc<[MaskWord]> {
        if let Some(known) = self.reach.0.lock().masks.get(&config) {
            return known.clone();
        }
        let mut bits = vec![MaskWord::NONE; self.completions.vocabulary.mask_words()];
        self.for_moves(config, |tokens, next| {
            if self.can_end(next) {
                add_moves(&mut bits, tokens);
            }
        });
        let bits: Arc<[MaskWord]> = bits.into();
        let mut known = self.reach.0.lock();
        known.make_room(
            size_of_val(&*bits) + size_of::<Config>(),
            self.completions.limits,
        );
        known.masks.insert(config, bits.clone());
        bits
    }

    /// Tokens that finish the text; `None` if there are none within the limits. They are those of
    /// the machine's own ending if the vocabulary has some.
    pub(crate) fn finish(&self, config: Config) -> Option<Vec<TokenId>> {
        let mut tokens = Vec::new();
        let mut at = config;
        while tokens.len() <= self.completions.limits.completion_bytes {
            match self.fate(at) {
                Fate::Dead => break,
                Fate::Via(token, next) => {
                    tokens.push(token);
                    at = next;
                }
                Fate::Ends => {
                    let rest = self.completions.tokens(at);
                    return rest.map(|rest| [tokens, rest].concat());
                }
            }
        }
        None
    }

    fn fate(&self, config: Config) -> Fate {
        let config = self.completions.machine.key_reader().canonical(config);
        self.known_fate(config)
            .unwrap_or_else(|| self.search(config))
    }

    /// The fate of a configuration whose text is forgotten, if it is clear.
    fn known_fate(&self, config: Config) -> Option<Fate> {
        if let Some(&known) = self.reach.0.lock().fates.get(&config) {
            return Some(known);
        }
        let fewest = self.completions.fewest(config);
        fewest.map(|_| {
            self.remember(config, Fate::Ends);
            Fate::Ends
        })
    }

    fn remember(&self, config: Config, fate: Fate) {
        let mut known = self.reach.0.lock();
        known.make_room(2 * size_of::<(Config, Fate)>(), self.completions.limits);
        known.fates.insert(config, fate);
    }

    /// Looks for a way to an end among all tokens.
    fn search(&self, start: Config) -> Fate {
        // Each configuration with the one before it and the token between them.
        let mut met: Vec<(Config, Option<(usize, TokenId)>)> = vec![(start, None)];
        let mut seen: FxHashSet<Config> = FxHashSet::from_iter([start]);
        let mut open = BinaryHeap::from([(Reverse(0), Reverse(0))]);
        while let Some((_, Reverse(from))) = open.pop() {
            let mut moves = Vec::new();
            self.for_moves(met[from].0, |tokens, next| {
                let next = self.completions.machine.key_reader().canonical(next);
                if let Some(token) = tokens.first()
                    && seen.insert(next)
                {
                    moves.push((token, next));
                }
            });
            for (token, next) in moves {
                match self.known_fate(next) {
                    Some(Fate::Dead) => {}
                    None => {
                        met.push((next, Some((from, token))));
                        let far = self
                            .completions
                            .machine
                            .completer()
                            .max_completion_bytes(next);
                        open.push((Reverse(far), Reverse(met.len() - 1)));
                    }
                    Some(_) => return self.settle(&met, from, (token, next)),
                }
            }
        }
        for (config, _) in met {
            self.remember(config, Fate::Dead);
        }
        Fate::Dead
    }

    /// Keeps a way to an end that was found; the fate of where it began.
    fn settle(
        &self,
        met: &[(Config, Option<(usize, TokenId)>)],
        mut from: usize,
        (token, next): (TokenId, Config),
    ) -> Fate {
        let mut fate = Fate::Via(token, next);
        loop {
            let (config, before) = met[from];
            self.remember(config, fate);
            let Some((earlier, token)) = before else {
                return fate;
            };
            fate = Fate::Via(token, config);
            from = earlier;
        }
    }

    /// Calls `f` with tokens that may come as far as the grammar is concerned, and where they lead.
    fn for_moves(&self, config: Config, mut f: impl FnMut(TokenMoves<'_>, Config)) {
        let machine = self.completions.machine;
        self.completions.vocabulary.trie().walk(
            config,
            |at, byte, _| machine.stepper().step(at, byte),
            |tokens, next| f(TokenMoves::Text(tokens), next),
        );
        if !self.sets.is_empty() {
            for (set, next) in machine.stepper().token_moves(config) {
                f(TokenMoves::Named(self.sets.get(set)), next);
            }
        }
    }

    /// The error of a text that no tokens can finish.
    pub(crate) fn unspellable(&self, config: Config) -> Error {
        let message = format!(
            "the vocabulary cannot spell any text of the grammar: {}",
            self.reason(config)
        );
        Error::new(ErrorKind::Vocabulary, message)
    }

    /// Why the vocabulary does not spell the machine's own ending.
    fn reason(&self, config: Config) -> String {
        let cap = self.completions.limits.completion_bytes;
        let ending = self
            .completions
            .machine
            .completer()
            .completion(config, cap, |_| &[]);
        let ending = ending.unwrap_or_default();
        let missing = self.completions.vocabulary.unreachable_bytes();
        let needed = ending.iter().find(|byte| missing.contains(byte));
        match needed {
            Some(byte @ 0x21..0x7F) => format!("no token is `{}` alone", char::from(*byte)),
            Some(byte) => format!("no token is the byte 0x{byte:02X} alone"),
            None if missing.is_empty() || !ending.is_empty() => {
                "a set of tokens that the grammar names is empty".to_owned()
            }
            None => format!("{} bytes are no tokens of their own", missing.len()),
        }
    }
}

/// Tokens that lead to one place.
#[derive(Clone, Copy)]
enum TokenMoves<'a> {
    Text(&'a [TokenId]),
    /// Those that are read by their ids, a bit for each.
    Named(&'a [MaskWord]),
}

impl TokenMoves<'_> {
    fn first(self) -> Option<TokenId> {
        match self {
            TokenMoves::Text(tokens) => tokens.first().copied(),
            TokenMoves::Named(bits) => bits_of(bits).next(),
        }
    }
}

fn add_moves(bits: &mut [MaskWord], moves: TokenMoves<'_>) {
    match moves {
        TokenMoves::Text(tokens) => set_bits(bits, tokens),
        TokenMoves::Named(more) => add_bits(bits, more),
    }
}

impl KnownFates {
    /// Counts bytes that are about to be kept; above the cap everything starts anew.
    fn make_room(&mut self, bytes: usize, limits: &Limits) {
        self.bytes += bytes;
        if self.bytes > limits.cache_bytes {
            *self = KnownFates::default();
            self.bytes = bytes;
        }
    }
}
