//! String masks: what tokens do inside a string, wherever it stands.

use std::sync::Arc;

use crate::machine::Machine;
use crate::mask::sweep::sweep;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::codeset::MAX;
use crate::regex::facts::Free;
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::scan::{ScanId, Scanner};
use crate::regex::scan_string::{Scanned, scan_string};
use crate::spelling::Partial;
use crate::vocab::Vocabulary;
use crate::vocab::characters::WalkVerdict;
use crate::vocab::string_mask::{
    ClosingToken, ClosingTokens, ExitBits, FarRest, StrangeTokens, StringMask,
};
use crate::vocab::strings::Strings;
use crate::vocab::token::{MaskWord, TokenId, clear_bits, has_bit, set_bits};

/// Which strings are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScanKey {
    Anything,
    Scan(ScanId),
}

/// A limit of repetition counts as far if tokens of so many characters do not reach it; longer
/// tokens are few, and are looked at alone.
const NEAR: u32 = 24;

/// The mask of a string's state, from the vocabulary's cache or made anew.
pub(super) fn string_mask(
    machine: &Machine,
    vocabulary: &Vocabulary,
    key: ScanKey,
    partial: Partial,
    cap: usize,
) -> Arc<StringMask> {
    let scanner = &machine.obligations.rules.scanner;
    let language = match key {
        ScanKey::Anything => NodeId::ANY,
        ScanKey::Scan(scan) => scanner.scan(scan).language,
    };
    // No token tells greater lengths apart. One that ends a character may read, after that, what no
    // other token of a string does; but each of its characters has a byte.
    let longest = 1 + match partial {
        Partial::Nothing => vocabulary.strings(scanner.spelling).longest,
        _ => vocabulary.trie().depth() as u32,
    };
    let language = match *scanner.regexes.node(language) {
        Node::Repeat {
            body: NodeId::CHAR,
            min,
            max,
        } => {
            let max = if max < longest { max } else { UNBOUNDED };
            scanner.regexes.repeat(NodeId::CHAR, min.min(longest), max)
        }
        _ => language,
    };
    cached(scanner, vocabulary, language, partial, cap)
}

fn cached(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    language: NodeId,
    partial: Partial,
    cap: usize,
) -> Arc<StringMask> {
    let key = (
        scanner.regexes.fingerprint(language),
        partial.code_in(scanner.spelling),
    );
    vocabulary.shared_masks().shared_masks.get(key, cap, || {
        let string_mask = compute(scanner, vocabulary, language, partial, cap);
        let bytes = string_mask.own_bytes(&vocabulary.strings(scanner.spelling).inside);
        (string_mask, bytes)
    })
}

fn compute(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    language: NodeId,
    partial: Partial,
    cap: usize,
) -> StringMask {
    let start = || {
        let scan = scanner.start(language, Box::new([]));
        scan.expect("a state that was reached is live")
    };
    match *scanner.regexes.node(language) {
        _ if partial != Partial::Nothing => walk(scanner, vocabulary, start(), partial),
        Node::Repeat {
            body: NodeId::CHAR,
            min,
            max,
        } => of_length(vocabulary.strings(scanner.spelling), min, max),
        _ => {
            let unlimited = Unlimited::of(scanner, vocabulary, language, cap);
            unlimited.map_or_else(
                || sweep(scanner, vocabulary, start(), cap),
                |unlimited| limited(scanner, vocabulary, start(), &unlimited, cap),
            )
        }
    }
}

/// A string's language without its far limits.
pub(super) struct Unlimited {
    pub(super) free: NodeId,
    /// In texts of at most so many characters, no limit shows.
    most: u32,
    /// The bytes that its texts can be finished with, wherever they are.
    pub(super) rest: u32,
    /// Tokens of at most so many characters, none of them strange, lead to what can be finished.
    certain: u32,
    strange: StrangeTokens,
}

impl Unlimited {
    /// A language without its far limits; `None` if it has no limits, or they may be too near.
    pub(super) fn of(
        scanner: &Scanner,
        vocabulary: &Vocabulary,
        language: NodeId,
        cap: usize,
    ) -> Option<Self> {
        let mut freed = Vec::new();
        let mut last = (language, u32::MAX);
        while let Some((free, most)) = scanner.regexes.without_far_limits(last.0, NEAR) {
            last = (free, most.min(last.1));
            freed.push(last);
        }
        // What counts less has fewer states.
        freed.into_iter().rev().find_map(|(free, most)| {
            most.checked_sub(NEAR)?;
            let key = (scanner.regexes.fingerprint(free), 0);
            let rests = &vocabulary.shared_masks().rests;
            let found = rests.get(key, cap, || (rest_of(scanner, free), size_of::<FarRest>()));
            let FarRest { rest, strange } = (*found)?;
            let certain = most.checked_sub(rest).filter(|&most| most >= NEAR)?;
            Some(Unlimited {
                free,
                most,
                rest,
                certain,
                strange,
            })
        })
    }

    /// The tokens after which the limits may show.
    pub(super) fn doubtful(
        &self,
        scanner: &Scanner,
        vocabulary: &Vocabulary,
        cap: usize,
    ) -> Vec<TokenId> {
        let strings = vocabulary.strings(scanner.spelling);
        let is_doubtful = |&characters: &u16| u32::from(characters) > self.certain;
        let long = strings.characters.partition_point(is_doubtful);
        let mut doubtful: Vec<TokenId> = match self.strange {
            StrangeTokens::Holding(none) | StrangeTokens::IntoComputed(none)
                if none == CharBlocks::default() =>
            {
                Vec::new()
            }
            StrangeTokens::Holding(strange) => strings.tokens.holding(strange),
            StrangeTokens::IntoComputed(by) => {
                let key = (scanner.regexes.fingerprint(self.free), 0);
                let computed = vocabulary.shared_masks().computed.get(key, cap, || {
                    let tokens = into_computed(scanner, strings, self.free, by);
                    let bytes = size_of_val(&*tokens);
                    (tokens, bytes)
                });
                computed.to_vec()
            }
        };
        doubtful.extend(strings.lengths.iter().take(long).flatten());
        doubtful
    }
}

/// The bytes that the texts of a language can be finished with wherever they are, but after strange
/// tokens.
fn rest_of(scanner: &Scanner, free: NodeId) -> Option<FarRest> {
    let state = start_of(scanner, free);
    let endless = Some(scanner.free(state)).filter(Free::is_endless);
    let few = endless.map(|endless| {
        let strange = scanner.regexes.alphabet(free).without(endless.characters);
        (endless.rest, strange)
    });
    if let Some((rest, strange)) = few.filter(|&(_, strange)| strange.is_in(CharBlocks::SPACES)) {
        return Some(FarRest {
            rest,
            strange: StrangeTokens::Holding(strange),
        });
    }
    let rest = scanner.longest_rest_outside_computed(state)?;
    Some(FarRest {
        rest: rest.bytes,
        strange: StrangeTokens::IntoComputed(rest.to_computed),
    })
}

fn start_of(scanner: &Scanner, free: NodeId) -> ScanId {
    let state = scanner.start(free, Box::new([]));
    state.expect("a language is live if a part of it is")
}

/// The tokens that lead into a computed language; none does without one of some characters.
fn into_computed(
    scanner: &Scanner,
    strings: &Strings,
    free: NodeId,
    by: CharBlocks,
) -> Box<[TokenId]> {
    let tokens = &strings.tokens;
    let mut found = Vec::new();
    tokens.walk(
        start_of(scanner, free),
        &[(0, MAX)],
        |state, c, below| {
            if below.characters.or(CharBlocks::of(c)).misses(by) {
                return WalkVerdict::Nothing;
            }
            match scanner.step(state, c) {
                None => WalkVerdict::Nothing,
                Some(to) if scanner.is_computed(to) => WalkVerdict::All,
                Some(to) => WalkVerdict::More(to),
            }
        },
        |_, _| false,
        |range, state| {
            if state.is_none() {
                found.extend_from_slice(tokens.items(range));
            }
        },
    );
    found.into()
}

/// The mask of a string with far limits, made from that of the string without them.
fn limited(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    start: ScanId,
    unlimited: &Unlimited,
    cap: usize,
) -> StringMask {
    let strings = vocabulary.strings(scanner.spelling);
    let free = cached(scanner, vocabulary, unlimited.free, Partial::Nothing, cap);
    let mut inside = free.inside.clone();
    let doubtful = unlimited.doubtful(scanner, vocabulary, cap);
    if !doubtful.is_empty() {
        let mut fewer = inside.to_vec();
        for token in doubtful {
            let bytes = vocabulary.token(token).unwrap_or_default();
            if has_bit(&fewer, token) && follow(scanner, start, bytes).is_none() {
                clear_bits(&mut fewer, &[token]);
            }
        }
        inside = fewer.into();
    }
    let exits = &strings.exits;
    let ends = |exit: ClosingToken| {
        let bytes = vocabulary.token(exit.token).unwrap_or_default();
        let end = follow(scanner, start, &bytes[..usize::from(exit.before)]);
        end.is_some_and(|end| scanner.can_end(end))
    };
    let mut open = free.open.clone();
    for (id, exit) in exits.iter() {
        if u32::from(exit.characters) > unlimited.most && free.is_open(id) && !ends(exit) {
            let open = open.get_or_insert_with(|| ExitBits::all(exits.len()));
            open.remove(id);
        }
    }
    StringMask {
        inside,
        exits: free.exits.clone(),
        open,
    }
}

/// Where these bytes lead inside a string, if it goes on and can be finished after them.
fn follow(scanner: &Scanner, start: ScanId, bytes: &[u8]) -> Option<ScanId> {
    let mut at = (start, Partial::Nothing);
    let mut last = None;
    for &byte in bytes {
        // Long tokens are runs mostly.
        if last == Some((byte, at)) {
            continue;
        }
        let before = at;
        match scan_string(scanner, at.0, at.1, byte) {
            Scanned::Stays(scan, partial, _) => at = (scan, partial),
            Scanned::Closes | Scanned::Refused => return None,
        }
        last = (at == before).then_some((byte, at));
    }
    Some(at.0)
}

/// The mask of a state inside a character, by a walk of the vocabulary's trie.
fn walk(scanner: &Scanner, vocabulary: &Vocabulary, scan: ScanId, partial: Partial) -> StringMask {
    let trie = vocabulary.trie();
    let mut inside = vec![MaskWord::NONE; vocabulary.mask_words()];
    let mut exits = Vec::new();
    trie.walk(
        (scan, partial, 0_u16),
        |(scan, partial, characters), byte, node| {
            match scan_string(scanner, scan, partial, byte) {
                Scanned::Stays(scan, partial, ended) => {
                    let ended = u16::from(ended.is_some());
                    return Some((scan, partial, characters + ended));
                }
                Scanned::Closes => {
                    let before = trie.node(node).depth - 1;
                    let tokens = trie.items_below(node).iter();
                    exits.extend(tokens.map(|&token| ClosingToken {
                        token,
                        before,
                        characters,
                    }));
                }
                Scanned::Refused => {}
            }
            None
        },
        |tokens, _| set_bits(&mut inside, tokens),
    );
    let exits = ClosingTokens::new(exits, |token| vocabulary.token(token).unwrap_or_default());
    StringMask {
        inside: inside.into(),
        exits: Arc::new(exits),
        open: None,
    }
}

/// The mask of a string of which nothing but the length is bounded.
fn of_length(strings: &Strings, min: u32, max: u32) -> StringMask {
    let too_long = strings
        .characters
        .partition_point(|&characters| max != UNBOUNDED && u32::from(characters) > max);
    let mut inside = strings.inside.clone();
    if too_long > 0 {
        let mut fewer = inside.to_vec();
        for tokens in strings.lengths.iter().take(too_long) {
            clear_bits(&mut fewer, tokens);
        }
        inside = fewer.into();
    }
    let fits = |exit: ClosingToken| (min..=max).contains(&u32::from(exit.characters));
    let mut open = None;
    for (id, exit) in strings.exits.iter() {
        if !fits(exit) {
            let open = open.get_or_insert_with(|| ExitBits::all(strings.exits.len()));
            open.remove(id);
        }
    }
    StringMask {
        inside,
        exits: strings.exits.clone(),
        open,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::Format;
    use crate::limits::Limits;
    use crate::regex::regexes::Regexes;
    use crate::regex::{lower, parse};
    use crate::spelling::JsonSpelling;

    const PATTERNS: &[&str] = &[
        "^(\\S+\\s+){0,9}\\S+$",
        "^(a|b)*$",
        "^[ab]{3,30}$",
        "^(a[a-c]){2,12}$",
        "^[a-z]{2,9}-[0-9]*$",
        "^(ab?c ?){1,40}$",
        "foo",
        "^(?!ab)[^\\s]*$",
        "^\\p{L}+( \\p{L}+)*$",
        "^(.*a){1,20}$",
        "^[a-z]+@[a-z]+\\.[a-z]{2,}$",
        "^.{0,300}é",
        "^(?=.*[0-9])(?=.*[a-z]).{4,}$",
        "^[a-c]([a-z-]{0,61}[a-z])?$",
        "^(a[a-c]?){2,40}-(b|c){1,50}$",
        "^([ab]{1,30} ?){1,3}$",
        "^((ab?){1,26}\\.){0,4}[a-c]{2,28}$",
        "^(?!a{3,30}$)[ab]{0,28}[a0]$",
        "^(?=.*a)(?=.*\\s)(?=.*foo).*$",
        "^.*a.{12}$",
        "^(?=\\S)a.{3}a.{3}|^.*-$",
        "^(?=.*-)(?!.*(?:.|foo)(?=.*\\s)[a-c]).*$",
        "^[A-Za-z0-9]{4,9}$",
        "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$",
        "^[\\w-]{3,96}@\\w+\\.z$",
        "^(?!abc$|foo$)[a-z]\\w+$",
        "^[a-z]{3}[0-9]{2,}([@-]\\S{0,20})?$",
        "^[^\\s@]+@[^\\s@]+$",
        "^\\w{2}[^a]*é$",
        "^(.{3}@)+[^0-9\u{a0}]*$",
        "^[0-9a-f]{8}-[0-9a-f]{4}$",
        "^[0-9].[0-9]$",
        "^\\w{2}[0-9-]@?\u{a0}?$",
    ];

    /// A format is written `format: name`.
    fn source() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            6 => prop::sample::select(PATTERNS),
            1 => prop::sample::select(vec!["format: hostname", "format: email"]),
        ]
    }

    fn language_of(source: &str, regexes: &Regexes) -> NodeId {
        match source.strip_prefix("format: ") {
            Some(name) => Format::named(name).unwrap().language(regexes),
            None => lower::search(&parse(source, &Limits::default()).unwrap(), regexes).unwrap(),
        }
    }

    fn token() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "a",
            "b",
            "c",
            "ab",
            " ",
            "  ",
            "-",
            "0",
            "é",
            "中",
            "\\n",
            "\\u00e9",
            "\\u001F",
            "\\u001f",
            "\\u00",
            "\\u",
            "\\",
            "\"",
            ",",
            "@",
            ".",
            "foo",
            "\u{a0}",
            "\u{2003}",
            "\u{10400}",
            "z",
            "abcdef",
            "9",
            "_",
            "/",
            "=",
        ]);
        prop::collection::vec(words, 1..9).prop_map(|words| words.concat())
    }

    #[test]
    fn tokens_that_begin_an_a_label_are_doubtful() {
        let texts = [
            "a", "xn", "xn-", "xn--", "xn--a", "a.xn--a", "axn--", "--", "a.b",
        ];
        let tokens: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let vocabulary = Vocabulary::new(&tokens, &[TokenId(0)], &[]).unwrap();
        let scanner = Scanner::new(JsonSpelling::Plain);
        let language = language_of("format: hostname", &scanner.regexes);
        let unlimited = Unlimited::of(&scanner, &vocabulary, language, usize::MAX).unwrap();
        let mut doubtful = unlimited.doubtful(&scanner, &vocabulary, usize::MAX);
        doubtful.sort_unstable();
        assert_eq!(doubtful, [3, 4, 5].map(TokenId));
    }

    proptest! {
        #[test]
        fn locals_are_what_their_tokens_do(
            source in source(),
            lengths in prop_oneof![Just(None), (0..3_u32, 3..60_u32).prop_map(Some)],
            read in prop::collection::vec(prop::sample::select(
                vec!['a', 'b', 'c', ' ', '-', '0', 'é', 'f', 'o', '@', '.']), 0..12),
            texts in prop::collection::vec(token(), 1..80),
            spelling in prop::sample::select(&[JsonSpelling::Plain, JsonSpelling::Any][..]),
        ) {
            let mut tokens: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
            tokens.extend((1..6).map(|i| b"a".repeat(7 * i)));
            // What begins an A-label, and what becomes of it.
            let labels = ["xn", "xn-", "xn--", "xn--a", "--", "-", "a.xn--", "xn--aa0", "xn--\"", "a@b.xn--a"];
            tokens.extend(labels.map(|text| text.as_bytes().to_vec()));
            // Tokens that begin or end inside a character, and the stop token.
            tokens.extend([vec![0xC3], vec![0xA9, b'a'], vec![b'a', 0xE4, 0xB8], vec![]]);
            let stop = TokenId(tokens.len() as u32 - 1);
            let vocabulary = Vocabulary::new(&tokens, &[stop], &[]).unwrap();
            let scanner = Scanner::new(spelling);
            let mut language = vec![language_of(source, &scanner.regexes)];
            language.extend(lengths.map(|(min, max)| scanner.regexes.repeat(NodeId::CHAR, min, max)));
            let language = scanner.regexes.and(language);
            let start = scanner.start(language, Box::new([]));
            let step = |at: Option<ScanId>, c: &char| at.and_then(|at| scanner.step(at, u32::from(*c)));
            let Some(at) = read.iter().fold(start, step) else {
                return Ok(());
            };
            let found = compute(&scanner, &vocabulary, scanner.scan(at).language, Partial::Nothing, usize::MAX);
            for token in vocabulary.ids().filter(|&id| id != stop) {
                let bytes = vocabulary.token(token).unwrap();
                let inside = found.inside[token.index() / 32].0 >> (token.0 % 32) & 1 == 1;
                prop_assert_eq!(inside, follow(&scanner, at, bytes).is_some(), "{:?}", bytes);
            }
            for (exit, of) in found.exits.iter() {
                let before = &vocabulary.token(of.token).unwrap()[..usize::from(of.before)];
                let text: String = serde_json::from_slice(&[b"\"", before, b"\""].concat()).unwrap();
                let end = text.chars().try_fold(at, |at, c| scanner.step(at, u32::from(c)));
                let ends = end.is_some_and(|end| scanner.can_end(end));
                prop_assert_eq!(found.is_open(exit), ends, "{:?}", text);
            }
        }
    }
}
