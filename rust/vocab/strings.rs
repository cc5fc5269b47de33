//! What tokens are inside a JSON string: the characters that they spell.

use std::sync::Arc;

use crate::spelling::{Decoded, JsonSpelling, Partial};
use crate::vocab::characters::Characters;
use crate::vocab::string_mask::{ClosingToken, ClosingTokens, ExitId, Groups};
use crate::vocab::text_kinds::TextKinds;
use crate::vocab::token::{MaskWord, TokenId, set_bits};
use crate::vocab::trie::Trie;

/// The tokens inside strings, as read from between two characters.
#[derive(Debug)]
pub(crate) struct Strings {
    /// The tokens after which the string goes on, by their characters.
    pub(crate) tokens: Characters<TokenId>,
    /// Those, by the kinds of their characters.
    pub(crate) kinds: TextKinds,
    /// A bit for each of them.
    pub(crate) inside: Arc<[MaskWord]>,
    /// Of the tokens after which the string goes on, those that end inside a character, grouped by
    /// the characters that they add and by what they read of the last one.
    pub(crate) unfinished: Groups,
    /// All tokens after which the string goes on, grouped by how many characters they add, one that
    /// is only begun included; the longest first.
    pub(crate) lengths: Groups,
    /// The characters that the tokens of each group add.
    pub(crate) characters: Box<[u16]>,
    /// The tokens that hold the closing quote.
    pub(crate) exits: Arc<ClosingTokens>,
    /// Those, by their characters before the quote.
    pub(crate) before: Characters<ExitId>,
    /// The most characters that a token adds.
    pub(crate) longest: u32,
}

/// Where the bytes of a token lead inside a string.
enum TextEnd {
    /// They stay inside, after so much of one more character.
    Inside(Partial),
    /// They close it, after so many bytes.
    Closes(usize),
    /// They are in no string.
    Refused,
}

/// The characters of a token inside a string, as far as it is one, and where that leads.
fn decoded(bytes: &[u8], spelling: JsonSpelling) -> (Vec<u32>, TextEnd) {
    let mut partial = Partial::Nothing;
    let mut text = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        match partial.decode_json(byte, spelling) {
            Decoded::Char(c) => {
                text.push(c);
                partial = Partial::Nothing;
            }
            Decoded::Partial(next) => partial = next,
            Decoded::Close => return (text, TextEnd::Closes(at)),
            Decoded::Refused => return (text, TextEnd::Refused),
        }
    }
    (text, TextEnd::Inside(partial))
}

impl Strings {
    /// Sorts out the tokens of a vocabulary's trie.
    pub(crate) fn new<'a>(
        trie: &Trie,
        words: usize,
        spelling: JsonSpelling,
        bytes: impl Fn(TokenId) -> &'a [u8],
    ) -> Self {
        let mut inside = vec![MaskWord::NONE; words];
        let (mut texts, mut unfinished) = (Vec::new(), Vec::new());
        let mut exits = Vec::new();
        for &token in trie.all() {
            let (text, end) = decoded(bytes(token), spelling);
            match end {
                TextEnd::Inside(partial) => {
                    set_bits(&mut inside, &[token]);
                    if partial != Partial::Nothing {
                        unfinished.push((text.len(), partial.code(), token));
                    }
                    texts.push((text, partial, token));
                }
                TextEnd::Closes(before) => {
                    let exit = ClosingToken {
                        token,
                        before: before as u16,
                        characters: text.len() as u16,
                    };
                    exits.push((exit, text));
                }
                TextEnd::Refused => {}
            }
        }
        let length = |(text, partial, _): &(Vec<u32>, Partial, TokenId)| {
            text.len() as u16 + u16::from(*partial != Partial::Nothing)
        };
        let mut lengths: Vec<(u16, TokenId)> = texts.iter().map(|t| (length(t), t.2)).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let (exits, before): (Vec<ClosingToken>, Vec<_>) = exits.into_iter().unzip();
        let longest = exits.iter().map(|exit| exit.characters);
        let longest = longest.chain(lengths.first().map(|length| length.0)).max();
        let groups = || lengths.chunk_by(|a, b| a.0 == b.0);
        unfinished.sort_unstable();
        let exits = ClosingTokens::new(exits, bytes);
        let before = exits.iter().zip(before);
        let before = before.map(|((exit, _), text)| (text, Partial::Nothing, exit));
        let begun = unfinished.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let tokens = Characters::new(texts);
        Strings {
            kinds: TextKinds::new(&tokens, words * MaskWord::BITS),
            lengths: Groups::new(groups().map(|group| group.iter().map(|&(_, token)| token))),
            characters: groups().map(|group| group[0].0).collect(),
            tokens,
            inside: inside.into(),
            unfinished: Groups::new(begun.map(|group| group.iter().map(|&(.., token)| token))),
            before: Characters::new(before.collect()),
            exits: Arc::new(exits),
            longest: u32::from(longest.unwrap_or(0)),
        }
    }
}
