//! A text that is chosen token by token, with everything a matcher promises held against the slow
//! way on its way.

use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use schemask::{Error, Grammar, MaskWord, Matcher, TokenId, Vocabulary};

const STOP: TokenId = TokenId(0);
const SPECIAL: TokenId = TokenId(1);

/// Tokens that cross borders: of strings, keys, escapes, numbers, characters, rules.
const LONGER: &[&str] = &[
    "ab",
    "aa",
    "abc",
    "aab",
    "a\"",
    "\":",
    "\": ",
    "\":\"",
    "\",\"",
    "\", \"",
    "{\"",
    "{\"a",
    "{\"a\":",
    "\"}",
    "\"}]",
    "}}",
    "},",
    "}, {",
    "]}",
    "]]",
    "[[",
    "[{",
    "[]",
    "{}",
    "[1",
    "1,",
    "1, ",
    "12",
    "10",
    "1.",
    ".5",
    "0.",
    "00",
    "-1",
    "1}",
    "1]",
    "e1",
    "e5",
    "E+",
    "true",
    "tru",
    "false,",
    "null",
    "nul",
    "  ",
    " \"",
    "\n",
    "\n  ",
    " {",
    "\\u",
    "\\u00",
    "\\u0061",
    "u0061",
    "0061\"",
    "\\n",
    "\\\"",
    "\\ud83d",
    "\\ude00",
    "é",
    "😀",
    "aé",
    "b\":1",
    "\"a\":1,\"",
    "\":1,\"a\":",
    "a\":1}",
    "\":{\"a\":\"",
    "\"a\",\"b\"",
    "\"\"",
    "\":\"\",\"a\":",
    "kind",
    "((",
    "))",
    "a)",
    "b(",
    "aaaa",
    "cab",
    "foo",
    "a@",
    ".co",
    "2020-",
    "-01",
    "T00:",
    "://",
    "::",
    "xn--",
];

/// How a text is chosen.
#[derive(Arbitrary, Debug)]
pub struct Walk {
    budget: Option<u8>,
    picks: Vec<u8>,
}

/// Steps of one walk: each tries all tokens.
const STEPS: usize = 24;

/// A stop token, a special token, all bytes, and some longer tokens.
static TOKENS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new(), MARK.into()];
    tokens.extend((0..=255).map(|byte| vec![byte]));
    tokens.extend(LONGER.iter().map(|token| token.as_bytes().to_vec()));
    tokens
});

const MARK: &[u8] = b"<special>";

fn vocabulary() -> Arc<Vocabulary> {
    Arc::new(Vocabulary::new(&TOKENS, &[STOP], &[SPECIAL]).expect("it is consistent"))
}

/// What tokens spell.
pub fn spelled(tokens: &[TokenId]) -> Vec<u8> {
    tokens
        .iter()
        .flat_map(|&token| bytes_of(token))
        .copied()
        .collect()
}

fn shown(token: TokenId) -> String {
    format!("{token} {:?}", String::from_utf8_lossy(bytes_of(token)))
}

fn bytes_of(token: TokenId) -> &'static [u8] {
    &TOKENS[token.0 as usize]
}

/// What a call gave, or `None` where it came to a limit: no other error is allowed.
pub fn within_limits<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.is_limit() => None,
        Err(error) => panic!("{error}"),
    }
}

impl Walk {
    /// The first byte is a budget, unless it is zero; the others are picks.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (first, picks) = bytes.split_first().unwrap_or((&0, &[]));
        Walk {
            budget: (*first > 0).then_some(*first),
            picks: picks.to_vec(),
        }
    }

    /// A whole text of the grammar, chosen by the picks and then ended; `None` where a limit came in
    /// between, or no text fits the budget.
    ///
    /// # Panics
    ///
    /// If a mask is not what `accept` takes, nothing may come next, a completion is refused, a
    /// budget is exceeded, or taking a token back leads elsewhere.
    pub fn text(&self, grammar: &Grammar) -> Option<Vec<u8>> {
        self.tokens(grammar).map(|tokens| spelled(&tokens))
    }

    /// The tokens of such a text, without the stop token.
    pub fn tokens(&self, grammar: &Grammar) -> Option<Vec<TokenId>> {
        let compiled = grammar.compile(vocabulary()).ok()?;
        let budget = self.budget.map(usize::from);
        // Too small a budget is an error.
        let mut matcher = compiled.matcher(budget).ok()?;
        let mut text = Vec::new();
        for &pick in self.picks.iter().take(STEPS) {
            let allowed = checked_mask(&matcher)?;
            let before = matcher.clone();
            let token = chosen(&allowed, pick);
            go_on(&mut matcher, token, &mut text)?;
            if matcher.is_terminated() {
                break;
            }
            let mut back = matcher.clone();
            back.rollback(1).expect("one was accepted");
            assert_eq!(mask(&back)?, allowed, "after a token was taken back");
            assert_eq!(mask(&before)?, allowed, "a clone has changed");
        }
        match budget {
            None => end(&mut matcher, &mut text)?,
            Some(budget) => end_within(&mut matcher, &mut text, budget)?,
        }
        Some(text)
    }
}

/// The allowed tokens; they are those that a clone accepts, and some are.
fn checked_mask(matcher: &Matcher) -> Option<Vec<TokenId>> {
    let allowed = mask(matcher)?;
    let mut tried = Vec::new();
    for token in matcher.compiled().vocabulary().ids() {
        if within_limits(matcher.clone().accept(token))? {
            tried.push(token);
        }
    }
    if allowed != tried {
        let only = |some: &[TokenId], others: &[TokenId]| {
            let only = some.iter().filter(|token| !others.contains(token));
            only.map(|&token| shown(token)).collect::<Vec<_>>()
        };
        panic!(
            "the mask alone allows {:?}, accept alone takes {:?}",
            only(&allowed, &tried),
            only(&tried, &allowed)
        );
    }
    assert!(!allowed.is_empty(), "nothing may come next");
    Some(allowed)
}

fn mask(matcher: &Matcher) -> Option<Vec<TokenId>> {
    let vocabulary = matcher.compiled().vocabulary();
    let mut bits = vec![MaskWord::ALL; vocabulary.mask_words()];
    within_limits(matcher.fill_mask(&mut bits))?;
    let holds = |&TokenId(id): &TokenId| bits[id as usize / 32].0 >> (id % 32) & 1 == 1;
    Some(vocabulary.ids().filter(holds).collect())
}

/// A token by a pick. Most tokens are letters where text is free, and what ends it is rare: half of
/// the picks prefer what structures JSON.
fn chosen(allowed: &[TokenId], pick: u8) -> TokenId {
    let structures = |token: &TokenId| {
        let bytes = bytes_of(*token);
        let is_structure = |byte| br#"{}[]",:019-.etfn"#.contains(byte);
        bytes.len() > 1 || bytes.iter().any(is_structure)
    };
    let preferred: Vec<TokenId> = match pick < 128 {
        true => allowed.iter().copied().filter(structures).collect(),
        false => Vec::new(),
    };
    let from = if preferred.is_empty() {
        allowed
    } else {
        &preferred
    };
    from[usize::from(pick) % from.len()]
}

fn go_on(matcher: &mut Matcher, token: TokenId, text: &mut Vec<TokenId>) -> Option<()> {
    let accepted = within_limits(matcher.accept(token))?;
    assert!(
        accepted,
        "{} is refused after {:?}",
        shown(token),
        String::from_utf8_lossy(&spelled(text))
    );
    text.extend((token != STOP).then_some(token));
    Some(())
}

/// Ends a text by its completion.
fn end(matcher: &mut Matcher, text: &mut Vec<TokenId>) -> Option<()> {
    if matcher.is_terminated() {
        return Some(());
    }
    let completion = within_limits(matcher.completion())?;
    let mut rest = &completion[..];
    while !rest.is_empty() {
        // It spells a token that comes by its id, too.
        if rest.starts_with(MARK) && within_limits(matcher.accept(SPECIAL))? {
            text.push(SPECIAL);
            rest = &rest[MARK.len()..];
            continue;
        }
        let next = rest
            .windows(MARK.len())
            .skip(1)
            .position(|part| part == MARK);
        let (part, after) = rest.split_at(next.map_or(rest.len(), |at| at + 1));
        let tokens = matcher.compiled().vocabulary().tokenize(part);
        for token in tokens.expect("each byte is a token") {
            go_on(matcher, token, text)?;
        }
        rest = after;
    }
    let shown = String::from_utf8_lossy(&completion);
    assert!(matcher.is_accepting(), "{shown:?} completes nothing");
    Some(())
}

/// Ends a text by any tokens that the masks allow.
fn end_within(matcher: &mut Matcher, text: &mut Vec<TokenId>, budget: usize) -> Option<()> {
    while !matcher.is_terminated() {
        let allowed = checked_mask(matcher)?;
        let token = match allowed.contains(&STOP) {
            true => STOP,
            false => {
                let completion = within_limits(matcher.completion())?;
                let tokens = matcher.compiled().vocabulary().tokenize(&completion);
                let next = tokens.and_then(|tokens| tokens.first().copied());
                let next = next.filter(|token| allowed.contains(token));
                next.unwrap_or(allowed[0])
            }
        };
        go_on(matcher, token, text)?;
    }
    let count = matcher.token_count();
    assert!(
        count <= budget + 1,
        "{count} tokens with a budget of {budget}"
    );
    Some(())
}

/// Whether a grammar takes a whole text, token by token; `None` where a limit came in between.
pub fn accepts(grammar: &Grammar, tokens: &[TokenId]) -> Option<bool> {
    let compiled = grammar.compile(vocabulary()).ok()?;
    let mut matcher = within_limits(compiled.matcher(None))?;
    for &token in tokens {
        if !within_limits(matcher.accept(token))? {
            return Some(false);
        }
    }
    Some(matcher.is_accepting())
}

/// The token of each byte.
pub fn bytes(text: &str) -> Vec<TokenId> {
    // They follow the stop token and the special one.
    text.bytes()
        .map(|byte| TokenId(u32::from(byte) + 2))
        .collect()
}
