//! A mask: the tokens that may come next.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::mask::bounds::KnownBounds;
use crate::mask::found::{FoundTexts, SharedTexts};
use crate::vocab::string_mask::{Above, Chosen, StringMask};
use crate::vocab::token::{MaskWord, TokenId, add_bits, clear_bits, set_bits};

/// The text tokens that may come next.
#[derive(Debug)]
pub(crate) struct Mask {
    pub(super) tokens: Tokens,
    /// Tokens that are read by their ids, a bit for each.
    pub(super) named: Option<Box<[MaskWord]>>,
    /// What finishing the text can cost after one of the tokens.
    pub(crate) bounds: Arc<KnownBounds>,
    pub(super) late: RwLock<Option<Arc<Late>>>,
}

/// The tokens of a mask after which it takes many more to finish the text.
#[derive(Debug)]
pub(crate) struct Late {
    /// From how many tokens left on it says what may come.
    pub(crate) floor: u64,
    /// The most that it takes after any token, by text or by id.
    pub(crate) most: u64,
    /// The tokens that are read by their text and after which it takes more than `base`, in groups,
    /// each with how many it takes.
    pub(crate) groups: Box<[(u64, Box<[TokenId]>)]>,
    pub(crate) base: u64,
    /// Whether `most` and `groups` are the same for each text of the unknown key that is being
    /// read.
    pub(crate) is_alike: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Tokens {
    /// The tokens themselves.
    Few(Arc<[TokenId]>),
    /// A bit for each token.
    Many(Arc<[MaskWord]>),
    /// The tokens inside a string, and a few more.
    Inside(Arc<StringMask>, Arc<[TokenId]>),
    /// The tokens that may come at a place of a grammar's text, or inside a string or number that
    /// begins, whatever is around it; and a few more.
    Above(Arc<Above>, Arc<[TokenId]>),
}

impl Tokens {
    /// The set of some tokens, of which none comes twice.
    pub(crate) fn new(tokens: Vec<TokenId>, words: usize) -> Self {
        // To set so many bits takes longer than to copy all words.
        if tokens.len() <= words / 4 {
            return Tokens::Few(tokens.into());
        }
        let mut bits = vec![MaskWord::NONE; words];
        set_bits(&mut bits, &tokens);
        Tokens::Many(bits.into())
    }

    /// The tokens that a walk has found.
    pub(super) fn found(found: FoundTexts<'_, TokenId>, words: usize) -> Self {
        let SharedTexts::Inside(scalar) = found.shared else {
            return Tokens::new(found.items, words);
        };
        let shared = scalar.shared.get_or_init(|| {
            let mut bits = vec![MaskWord::NONE; words];
            set_bits(&mut bits, &scalar.inside);
            Arc::new(Above {
                tokens: Chosen::Many(bits.into()),
                exits: None,
            })
        });
        Tokens::Above(Arc::clone(shared), found.items.into())
    }

    /// The set without some of its tokens, none of which stays inside a string.
    pub(super) fn without(&self, fewer: &[TokenId], words: usize) -> Self {
        let rest = |tokens: &[TokenId]| -> Arc<[TokenId]> {
            let rest = tokens.iter().filter(|token| !fewer.contains(token));
            rest.copied().collect()
        };
        match self {
            _ if fewer.is_empty() => self.clone(),
            Tokens::Few(tokens) => Tokens::Few(rest(tokens)),
            Tokens::Inside(string_mask, more) => Tokens::Inside(string_mask.clone(), rest(more)),
            Tokens::Many(_) | Tokens::Above(..) => {
                let mut bits = vec![MaskWord::NONE; words];
                self.write(&mut bits);
                clear_bits(&mut bits, fewer);
                Tokens::Many(bits.into())
            }
        }
    }

    /// The memory that it takes; `free` is what all free strings share.
    pub(super) fn bytes(&self, free: &Arc<[MaskWord]>) -> usize {
        match self {
            Tokens::Few(tokens) => size_of_val(&**tokens),
            Tokens::Many(bits) => size_of_val(&**bits),
            // Other masks may share the string mask, and the vocabulary may have forgotten it.
            Tokens::Inside(string_mask, more) => string_mask.own_bytes(free) + size_of_val(&**more),
            Tokens::Above(_, more) => size_of_val(&**more),
        }
    }

    /// Writes the set: one bit for each token, the lowest first.
    fn write(&self, bits: &mut [MaskWord]) {
        match self {
            Tokens::Few(tokens) => {
                bits.fill(MaskWord::NONE);
                set_bits(bits, tokens);
            }
            Tokens::Many(all) => bits.copy_from_slice(all),
            Tokens::Inside(string_mask, more) => {
                bits.copy_from_slice(&string_mask.inside);
                set_bits(bits, more);
            }
            Tokens::Above(above, more) => {
                match &above.tokens {
                    Chosen::Few(tokens) => {
                        bits.fill(MaskWord::NONE);
                        set_bits(bits, tokens);
                    }
                    Chosen::Many(all) => bits.copy_from_slice(all),
                }
                set_bits(bits, more);
            }
        }
    }
}

impl Mask {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Mask {
            tokens,
            named: None,
            bounds: Arc::default(),
            late: RwLock::default(),
        }
    }

    /// The tokens that are read by their ids, a bit for each, if there are some.
    pub(crate) fn named(&self) -> Option<&[MaskWord]> {
        self.named.as_deref()
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The tokens after which the text ends late, as far as that is needed with so many tokens left;
    /// `compute` is called if not enough is known.
    pub(crate) fn late(&self, left: u64, compute: impl FnOnce() -> Late) -> Arc<Late> {
        let known = self.late.read().clone();
        if let Some(known) = known.filter(|late| late.floor <= left) {
            return known;
        }
        let late = Arc::new(compute());
        *self.late.write() = Some(Arc::clone(&late));
        late
    }

    /// Writes the mask: one bit for each token, the lowest first.
    pub(crate) fn write(&self, bits: &mut [MaskWord]) {
        self.write_text(bits);
        if let Some(named) = &self.named {
            add_bits(bits, named);
        }
    }

    /// Writes the tokens that are read by their text.
    pub(crate) fn write_text(&self, bits: &mut [MaskWord]) {
        self.tokens.write(bits);
    }

    /// Sets the bits of the mask's tokens.
    pub(super) fn add_to(&self, bits: &mut [MaskWord]) {
        match &self.tokens {
            Tokens::Few(tokens) => set_bits(bits, tokens),
            Tokens::Many(all) => add_bits(bits, all),
            Tokens::Inside(string_mask, more) => {
                add_bits(bits, &string_mask.inside);
                set_bits(bits, more);
            }
            Tokens::Above(above, more) => {
                match &above.tokens {
                    Chosen::Few(tokens) => set_bits(bits, tokens),
                    Chosen::Many(all) => add_bits(bits, all),
                }
                set_bits(bits, more);
            }
        }
        if let Some(named) = &self.named {
            add_bits(bits, named);
        }
    }
}
