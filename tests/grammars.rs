//! Masks of context-free grammars against trying each token, on random grammars and texts.

use std::sync::Arc;

use proptest::prelude::*;
use schemask::{Grammar, MaskWord, Matcher, Options, TokenId, Vocabulary};

fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new(), b"<x>".to_vec()];
    tokens.extend((0..=255).map(|byte| vec![byte]));
    let longer = [
        "ab", "abc", "ba", "aab", "((", "))", "a)", "b(", "aaaa", "é", "aé", "cab",
    ];
    tokens.extend(longer.iter().map(|token| token.as_bytes().to_vec()));
    // Enough of them for what is looked at once for a whole subtree.
    for length in 2..7_u32 {
        for bits in 0..1_u32 << length {
            let letter = |i: u32| if bits >> i & 1 == 1 { b'b' } else { b'a' };
            let word: Vec<u8> = (0..length).map(letter).collect();
            let end = [&b"("[..], b")", b"\xC3\xA9", b"\xC3", b"c"][bits as usize % 5];
            tokens.push([&word, end].concat());
            tokens.push(word);
        }
    }
    Arc::new(Vocabulary::new(&tokens, &[TokenId(0)], &[TokenId(1)]).unwrap())
}

/// An expression over the rules `root`, `r1` and `r2`.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "\"a\"", "\"b\"", "\"ab\"", "\"\"", "[ab]", "[^a]", ".", "\"é\"", "<[1]>", "r1", "r2",
        "root", "[^()]*", "[a-z]*", "[a-zé]*",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4)
                    .prop_map(|all| format!("({})", all.join(" "))),
                prop::collection::vec(inner.clone(), 2..4)
                    .prop_map(|all| format!("({})", all.join(" | "))),
                (
                    inner.clone(),
                    prop::sample::select(vec!["*", "+", "?", "{2}", "{1,3}"])
                )
                    .prop_map(|(body, times)| format!("({body}){times}")),
                inner.prop_map(|body| format!("\"(\" {body} \")\"")),
            ]
        })
}

fn grammar() -> impl Strategy<Value = String> {
    (expression(), expression(), expression())
        .prop_map(|(root, r1, r2)| format!("root ::= {root}\nr1 ::= {r1}\nr2 ::= {r2}\n"))
}

/// The tokens that a clone takes; `None` if a limit ends that.
fn tried(matcher: &Matcher) -> Option<Vec<TokenId>> {
    let mut clone = matcher.clone();
    let mut found = Vec::new();
    for token in matcher.compiled().vocabulary().ids() {
        match clone.accept(token) {
            Ok(true) => {
                clone.rollback(1).unwrap();
                found.push(token);
            }
            Ok(false) => {}
            Err(error) => {
                assert!(error.is_limit(), "{error}");
                return None;
            }
        }
    }
    Some(found)
}

proptest! {
    // Some grammars take a second without optimisation, and each run has others.
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn masks_are_what_tokens_do(text in grammar(), picks in prop::collection::vec(any::<u32>(), 6)) {
        let vocabulary = vocabulary();
        // Rules that no text satisfies are errors.
        let Ok(grammar) = Grammar::from_gbnf(&text, "root", Options::default()) else {
            return Ok(());
        };
        let mut matcher = grammar.compile(vocabulary.clone()).unwrap().matcher(None).unwrap();
        for pick in picks {
            let mut bits = vec![MaskWord::NONE; vocabulary.mask_words()];
            // Text with too many readings is an error of both, and of nothing before.
            if matcher.fill_mask(&mut bits).is_err() {
                prop_assert!(matcher.accept(TokenId(0)).is_err(), "{}", text);
                return Ok(());
            }
            let Some(tried) = tried(&matcher) else {
                return Ok(());
            };
            let holds = |token: &TokenId| bits[token.0 as usize / 32].0 >> (token.0 % 32) & 1 == 1;
            let masked: Vec<TokenId> = vocabulary.ids().filter(holds).collect();
            prop_assert_eq!(&masked, &tried, "{}", text);
            prop_assert!(!tried.is_empty(), "nothing may follow: {}", text);
            let token = tried[pick as usize % tried.len()];
            prop_assert!(matcher.accept(token).unwrap());
            if matcher.is_terminated() {
                break;
            }
        }
    }
}
