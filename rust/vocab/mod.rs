//! A model's vocabulary: what each token spells, which tokens end a text, and their prefix trie.

pub(crate) mod char_kinds;
pub(crate) mod characters;
mod plain_texts;
pub(crate) mod spaces;
pub(crate) mod string_mask;
pub(crate) mod strings;
pub(crate) mod text_kinds;
pub(crate) mod token;
pub(crate) mod trie;

use std::sync::OnceLock;

use crate::error::{Error, ErrorKind};
use crate::spelling::{JsonSpelling, SPACES};

use plain_texts::PlainTexts;
use spaces::Spaces;
use string_mask::SharedMasks;
use strings::Strings;
pub use token::{MaskWord, TokenId};
use token::{set_bits, words_of};
use trie::Trie;

/// A model's tokens as bytes, its stop tokens, and its special tokens.
///
/// Special tokens and stop tokens are matched by id only: text never matches them, whatever their
/// spelling. Tokens without bytes never match anything.
#[derive(Debug)]
pub struct Vocabulary {
    /// The bytes of all tokens, one after the other.
    bytes: Box<[u8]>,
    /// Where the bytes of token `i` begin; one more entry than there are tokens.
    starts: Box<[u32]>,
    /// Whether a token spells text, by id.
    is_text: Box<[bool]>,
    stop: Box<[TokenId]>,
    special: Box<[TokenId]>,
    unreachable_bytes: Box<[u8]>,
    trie: Trie<TokenId>,
    /// The tokens inside strings, once for each [`JsonSpelling`].
    strings: [OnceLock<Strings>; 2],
    /// Tokens that may read a comma in a list, and something of the item after it.
    list_readers: OnceLock<Box<[MaskWord]>>,
    spaces: Spaces,
    plain: PlainTexts,
    shared_masks: SharedMasks,
}

impl Vocabulary {
    /// Whether every token has the same bytes in both vocabularies and is text, a stop token or a
    /// special token in both, so that masks mean the same.
    pub fn is_equal(&self, other: &Vocabulary) -> bool {
        std::ptr::eq(self, other)
            || (self.starts == other.starts
                && self.bytes == other.bytes
                && self.stop == other.stop
                && self.special == other.special)
    }

    /// The bytes of all tokens, one after the other, and where each begins and the last one ends.
    pub fn packed(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.starts)
    }

    /// A vocabulary of `tokens[id]`, the bytes that each token adds to the text.
    ///
    /// # Errors
    ///
    /// If a stop or special id is not a token, if there is no stop token, or if no token has bytes.
    pub fn new<T: AsRef<[u8]>>(
        tokens: &[T],
        stop_token_ids: &[TokenId],
        special_token_ids: &[TokenId],
    ) -> Result<Self, Error> {
        check(tokens, stop_token_ids, special_token_ids)?;
        let mut bytes = Vec::new();
        let mut starts = Vec::with_capacity(tokens.len() + 1);
        for token in tokens {
            starts.push(bytes.len() as u32);
            bytes.extend_from_slice(token.as_ref());
        }
        starts.push(bytes.len() as u32);
        let mut is_text: Vec<bool> = tokens.iter().map(|t| !t.as_ref().is_empty()).collect();
        for &id in stop_token_ids.iter().chain(special_token_ids) {
            is_text[id.index()] = false;
        }
        if !is_text.contains(&true) {
            return Err(refused("no token of the vocabulary spells any text"));
        }
        let mut spelled = [false; 256];
        for (token, _) in tokens.iter().zip(&is_text).filter(|(_, text)| **text) {
            if let [byte] = token.as_ref() {
                spelled[usize::from(*byte)] = true;
            }
        }
        let bytes: Box<[u8]> = bytes.into();
        let starts: Box<[u32]> = starts.into();
        let token = |id: TokenId| {
            let (start, end) = (starts[id.index()], starts[id.index() + 1]);
            &bytes[start as usize..end as usize]
        };
        let mut text: Vec<TokenId> = (0..tokens.len() as u32)
            .map(TokenId)
            .filter(|id| is_text[id.index()])
            .collect();
        // Where a byte fallback and a piece spell the same, models know the piece.
        let fallback = byte_run(tokens);
        text.sort_by_key(|id| fallback.contains(&id.index()));
        let trie = Trie::new(text, token);
        let spaces = Spaces::new(trie.all(), token);
        let plain = PlainTexts::new(&trie);
        let vocabulary = Vocabulary {
            is_text: is_text.into(),
            stop: sorted(stop_token_ids),
            special: sorted(special_token_ids),
            unreachable_bytes: (0..=255)
                .filter(|&b| !spelled[usize::from(b)] && can_occur(b))
                .collect(),
            trie,
            strings: Default::default(),
            list_readers: OnceLock::new(),
            spaces,
            plain,
            shared_masks: SharedMasks::default(),
            bytes,
            starts,
        };
        // For the default spelling now, so that the first grammar does not wait for it.
        vocabulary.strings(JsonSpelling::Plain);
        Ok(vocabulary)
    }

    /// The number of tokens, special ones included; valid ids are below it.
    pub fn size(&self) -> usize {
        self.is_text.len()
    }

    /// What a token adds to the text; `None` outside the vocabulary.
    pub fn token(&self, id: TokenId) -> Option<&[u8]> {
        let start = *self.starts.get(id.index())? as usize;
        let end = *self.starts.get(id.index() + 1)? as usize;
        Some(&self.bytes[start..end])
    }

    /// The first token that is spelled like this, of special and stop tokens before others.
    pub(crate) fn token_named(&self, name: &str) -> Option<TokenId> {
        let is_named = |&id: &TokenId| self.token(id) == Some(name.as_bytes());
        let apart = self.special.iter().chain(&self.stop).copied();
        apart.chain(self.ids()).find(is_named)
    }

    /// All tokens, by rising id.
    pub fn ids(&self) -> impl Iterator<Item = TokenId> + use<> {
        (0..self.size() as u32).map(TokenId)
    }

    /// Whether a token matches text by its bytes: not if it is special, a stop token, or empty.
    pub fn is_text(&self, id: TokenId) -> bool {
        self.is_text.get(id.index()).copied().unwrap_or(false)
    }

    /// The tokens that end a text, by rising id.
    pub fn stop_token_ids(&self) -> &[TokenId] {
        &self.stop
    }

    /// The tokens that are matched by id only, by rising id.
    pub fn special_token_ids(&self) -> &[TokenId] {
        &self.special
    }

    /// Bytes that can occur in UTF-8 and that no token spells alone: text that needs one where no
    /// longer token fits cannot be written with this vocabulary.
    pub fn unreachable_bytes(&self) -> &[u8] {
        &self.unreachable_bytes
    }

    /// The 32-bit words of a bitmask over this vocabulary.
    pub fn mask_words(&self) -> usize {
        words_of(self.size())
    }

    /// What tokens do inside JSON strings, as far as it has been asked for.
    pub(crate) fn shared_masks(&self) -> &SharedMasks {
        &self.shared_masks
    }

    /// The tokens that begin with whitespace.
    pub(crate) fn spaces(&self) -> &Spaces {
        &self.spaces
    }

    /// The tokens inside strings.
    pub(crate) fn strings(&self, spelling: JsonSpelling) -> &Strings {
        let strings = &self.strings[usize::from(spelling == JsonSpelling::Any)];
        strings.get_or_init(|| {
            let token = |id| self.token(id).unwrap_or_default();
            Strings::new(&self.trie, self.mask_words(), spelling, token)
        })
    }

    /// The tokens that may read a comma in a list and something of the item after it, a bit for
    /// each.
    pub(crate) fn list_readers(&self) -> &[MaskWord] {
        self.list_readers.get_or_init(|| {
            let reads = |&id: &TokenId| self.token(id).is_some_and(reads_list);
            let readers: Vec<TokenId> = self.ids().filter(reads).collect();
            let mut bits = vec![MaskWord::NONE; self.mask_words()];
            set_bits(&mut bits, &readers);
            bits.into()
        })
    }

    /// The tokens as plain text: the characters below each node of the trie.
    pub(crate) fn plain(&self) -> &PlainTexts {
        &self.plain
    }

    pub(crate) fn trie(&self) -> &Trie<TokenId> {
        &self.trie
    }

    /// A spelling of `data` with the fewest tokens; `None` if there is none.
    ///
    /// It spells the same bytes as the model's own tokenizer, but not always by the same tokens.
    pub fn tokenize(&self, data: &[u8]) -> Option<Vec<TokenId>> {
        // best[i]: the fewest tokens for data[i..], and the first of them.
        let mut best: Vec<Option<(u32, TokenId, usize)>> = vec![None; data.len() + 1];
        best[data.len()] = Some((0, TokenId(0), 0));
        for start in (0..data.len()).rev() {
            let mut found: Option<(u32, TokenId, usize)> = None;
            self.trie.for_each_prefix(&data[start..], |length, token| {
                if let Some((rest, ..)) = best[start + length]
                    && found.is_none_or(|(count, ..)| rest < count)
                {
                    found = Some((rest + 1, token, length));
                }
            });
            best[start] = found;
        }
        let mut out = Vec::new();
        let mut at = 0;
        while at < data.len() {
            let (_, token, length) = best[at]?;
            out.push(token);
            at += length;
        }
        Some(out)
    }
}

/// Refuses what can be no vocabulary, whatever its tokens spell.
fn check<T: AsRef<[u8]>>(
    tokens: &[T],
    stop_token_ids: &[TokenId],
    special_token_ids: &[TokenId],
) -> Result<(), Error> {
    for (what, ids) in [("stop", stop_token_ids), ("special", special_token_ids)] {
        if let Some(id) = ids.iter().find(|id| id.index() >= tokens.len()) {
            return Err(refused(format!(
                "{what} token {id} is outside the vocabulary of {} tokens",
                tokens.len()
            )));
        }
    }
    if stop_token_ids.is_empty() {
        let message = "a vocabulary needs at least one stop token: nothing else ends a text";
        return Err(refused(message));
    }
    let is_long = |token: &T| token.as_ref().len() > usize::from(u16::MAX);
    if let Some(id) = tokens.iter().position(is_long) {
        let message = format!("token {id} has more than {} bytes", u16::MAX);
        return Err(refused(message));
    }
    let total: usize = tokens.iter().map(|t| t.as_ref().len()).sum();
    if u32::try_from(total).is_err() {
        return Err(refused(format!(
            "the tokens have {total} bytes in all, more than 4 GiB"
        )));
    }
    Ok(())
}

/// Whether a token may read a comma in a list, and something of the item after it.
fn reads_list(token: &[u8]) -> bool {
    let mut rest = token.iter().skip_while(|&&byte| byte != b',').skip(1);
    rest.any(|byte| !SPACES.contains(byte))
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Vocabulary, message)
}

/// The ids of a byte fallback: 256 tokens in a row that spell the bytes 0 to 255.
fn byte_run<T: AsRef<[u8]>>(tokens: &[T]) -> std::ops::Range<usize> {
    let run = tokens.windows(256).position(|run| {
        run.iter()
            .zip(0..=255_u8)
            .all(|(token, byte)| token.as_ref() == [byte])
    });
    run.map_or(0..0, |start| start..start + 256)
}

fn sorted(ids: &[TokenId]) -> Box<[TokenId]> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

/// Whether a byte occurs in any UTF-8 text.
fn can_occur(byte: u8) -> bool {
    !matches!(byte, 0xC0 | 0xC1 | 0xF5..=0xFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_inconsistent() {
        let tokens = ["a", ""];
        let vocabulary = |stop: &[u32], special: &[u32]| {
            let ids = |ids: &[u32]| ids.iter().copied().map(TokenId).collect::<Vec<_>>();
            Vocabulary::new(&tokens, &ids(stop), &ids(special))
        };
        assert!(vocabulary(&[2], &[]).is_err());
        assert!(vocabulary(&[], &[]).is_err());
        assert!(vocabulary(&[0], &[]).is_err());
        assert!(vocabulary(&[1], &[7]).is_err());
        assert!(vocabulary(&[1], &[]).is_ok());
    }

    #[test]
    fn prefers_pieces_to_a_byte_fallback() {
        let mut tokens: Vec<Vec<u8>> = vec![Vec::new()];
        tokens.extend((0..=255).map(|byte| vec![byte]));
        tokens.push(b"a".to_vec());
        let vocabulary = Vocabulary::new(&tokens, &[TokenId(0)], &[]).unwrap();
        assert_eq!(
            vocabulary.tokenize(b"ab"),
            Some(vec![TokenId(257), TokenId(99)])
        );
    }

    #[test]
    fn tokenizes_with_the_fewest_tokens() {
        let tokens = ["", "a", "ab", "bcd", "c", "d", "b"];
        let vocabulary = Vocabulary::new(&tokens, &[TokenId(0)], &[]).unwrap();
        assert_eq!(
            vocabulary.tokenize(b"abcd"),
            Some(vec![TokenId(1), TokenId(3)])
        );
        assert_eq!(vocabulary.tokenize(b"abx"), None);
        assert_eq!(vocabulary.tokenize(b""), Some(vec![]));
    }
}
