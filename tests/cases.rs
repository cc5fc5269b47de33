//! The cases of `tests/cases/`: what text each schema allows, as data that pytest reads, too.

use std::path::Path;
use std::sync::Arc;

use schemask::{
    Error, Grammar, JsonSpelling, MaskWord, Options, PropertyOrder, TokenId, Vocabulary, Whitespace,
};
use serde_json::Value;

fn cases() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let file: Value = serde_json::from_str(&text).unwrap();
            for case in file.as_array().unwrap() {
                let name = case["name"].as_str().unwrap();
                out.push((format!("{}: {name}", path.display()), case.clone()));
            }
        }
    }
    assert!(out.len() > 50, "the cases are missing");
    out
}

fn options(case: &Value) -> Options {
    let mut options = Options {
        spelling: match case["options"]["spelling"].as_str() {
            Some("plain") => JsonSpelling::Plain,
            _ => JsonSpelling::Any,
        },
        ..Options::default()
    };
    match case["options"]["whitespace"].as_str() {
        Some("compact") => options.whitespace = Whitespace::Compact,
        Some("spaced") => options.whitespace = Whitespace::Spaced,
        Some("flexible") | None => {}
        other => panic!("unknown whitespace {other:?}"),
    }
    if case["options"]["property_order"] == "any" {
        options.property_order = PropertyOrder::Any;
    }
    options
}

fn bytes_vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.push(Vec::new());
    Arc::new(Vocabulary::new(&tokens, &[TokenId(256)], &[]).unwrap())
}

fn accepts(grammar: &Grammar, vocabulary: &Arc<Vocabulary>, text: &str) -> bool {
    let mut matcher = grammar
        .compile(vocabulary.clone())
        .unwrap()
        .matcher(None)
        .unwrap();
    let mut mask = vec![MaskWord::NONE; vocabulary.mask_words()];
    for &byte in text.as_bytes() {
        matcher.fill_mask(&mut mask).unwrap();
        let allowed = mask[usize::from(byte) / 32].0 >> (byte % 32) & 1 == 1;
        assert_eq!(
            matcher.accept(TokenId(u32::from(byte))).unwrap(),
            allowed,
            "mask and accept differ at {text}"
        );
        if !allowed {
            return false;
        }
    }
    matcher.is_accepting()
}

#[test]
fn texts_are_accepted_or_refused() {
    let vocabulary = bytes_vocabulary();
    for (name, case) in cases()
        .iter()
        .filter(|(_, case)| case.get("error").is_none())
    {
        let grammar = Grammar::from_json_schema(&case["schema"].to_string(), options(case));
        let grammar = grammar.unwrap_or_else(|error| panic!("{name}: {error}"));
        let texts = |key: &str| case[key].as_array().cloned().unwrap_or_default();
        for text in texts("valid") {
            let text = text.as_str().unwrap();
            assert!(
                accepts(&grammar, &vocabulary, text),
                "{name}: refused {text}"
            );
        }
        for text in texts("invalid").into_iter().chain(texts("refused")) {
            let text = text.as_str().unwrap();
            assert!(
                !accepts(&grammar, &vocabulary, text),
                "{name}: accepted {text}"
            );
        }
        let completion = grammar
            .compile(vocabulary.clone())
            .unwrap()
            .matcher(None)
            .unwrap()
            .completion()
            .unwrap();
        let completion = String::from_utf8(completion).unwrap();
        assert!(
            accepts(&grammar, &vocabulary, &completion),
            "{name}: completion {completion}"
        );
    }
}

#[test]
fn errors_name_the_place() {
    for (name, case) in cases()
        .iter()
        .filter(|(_, case)| case.get("error").is_some())
    {
        let refused: Result<Grammar, Error> =
            Grammar::from_json_schema(&case["schema"].to_string(), options(case));
        let error = refused.err().unwrap_or_else(|| panic!("{name}: compiled"));
        let expected = &case["error"];
        if let Some(pointer) = expected["pointer"].as_str() {
            assert_eq!(error.pointer(), Some(pointer), "{name}: {error}");
        }
        let unsupported = expected["kind"] == "UnsupportedSchemaError";
        assert_eq!(error.is_unsupported(), unsupported, "{name}: {error}");
    }
}
