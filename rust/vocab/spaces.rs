//! Tokens that begin with JSON's whitespace.

use crate::spelling::SPACES;
use crate::vocab::token::TokenId;
use crate::vocab::trie::Trie;

/// The tokens that begin with whitespace, apart from what follows it.
#[derive(Debug)]
pub(crate) struct Spaces {
    /// Those that are nothing else, the shortest first, and how many bytes they have.
    runs: Box<[TokenId]>,
    lengths: Box<[u8]>,
    /// The others.
    spaced: Box<[Spaced]>,
    /// Those, by what follows the whitespace.
    pub(crate) rests: Trie<SpacedId>,
}

/// A token that begins with whitespace and goes on: an index into [`Spaces`].
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct SpacedId(u32);

/// A token that begins with whitespace and goes on with something else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spaced {
    pub(crate) token: TokenId,
    /// Bytes of whitespace.
    pub(crate) before: u16,
    /// The length of the whitespace, counted only as far as runs of whitespace are told apart.
    pub(crate) length: u8,
}

impl Spaces {
    /// Sorts out the tokens, which are all those of a vocabulary that spell text.
    pub(crate) fn new<'a>(tokens: &[TokenId], bytes: impl Fn(TokenId) -> &'a [u8]) -> Self {
        let (mut runs, mut spaced) = (Vec::new(), Vec::new());
        for &token in tokens {
            let text = bytes(token);
            let length = text.iter().take_while(|byte| SPACES.contains(byte)).count();
            // No run of whitespace may be as long as the longest that is told apart.
            let short = length.min(usize::from(u8::MAX)) as u8;
            if length == text.len() {
                runs.push((short, token));
            } else if length > 0 {
                spaced.push(Spaced {
                    token,
                    before: length as u16,
                    length: short,
                });
            }
        }
        runs.sort_unstable();
        let rest = |SpacedId(i): SpacedId| {
            let Spaced { token, before, .. } = spaced[i as usize];
            &bytes(token)[usize::from(before)..]
        };
        let rests = Trie::new((0..spaced.len() as u32).map(SpacedId).collect(), rest);
        Spaces {
            lengths: runs.iter().map(|run| run.0).collect(),
            runs: runs.into_iter().map(|run| run.1).collect(),
            spaced: spaced.into(),
            rests,
        }
    }

    #[inline]
    pub(crate) fn spaced(&self, SpacedId(i): SpacedId) -> Spaced {
        self.spaced[i as usize]
    }

    /// The tokens among these that begin with at most so much whitespace.
    pub(crate) fn fitting(&self, ids: &[SpacedId], most: u8) -> impl Iterator<Item = TokenId> {
        let spaced = ids.iter().map(|&id| self.spaced(id));
        let fits = spaced.filter(move |spaced| spaced.length <= most);
        fits.map(|spaced| spaced.token)
    }

    /// The tokens that are runs of at most so many bytes.
    pub(crate) fn runs(&self, most: u8) -> &[TokenId] {
        &self.runs[..self.lengths.partition_point(|&length| length <= most)]
    }
}
