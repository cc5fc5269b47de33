//! Spans of texts as a language: what stands in one of some texts, from where a word begins to where
//! one ends.
//!
//! A state is all places of the texts at which what has been read may end: as those who begin alike
//! stand together where beginnings are sorted by what follows, it is a range of them.

use crate::regex::char_cost::{NO_WAY, text_cost};
use crate::regex::fingerprint;
use crate::regex::node::{Node, NodeId, Spelling};
use crate::regex::pieces::Piece;
use crate::regex::regexes::Regexes;
use crate::regex::span_texts::{END, SpanText, SpanTexts};
use crate::work;

impl Regexes {
    /// What stands in one of some texts, from where a word begins to where one ends. A character that
    /// is of no word is one by itself, and no span begins or ends with white space.
    pub(crate) fn spans<S: AsRef<str>>(&self, texts: impl IntoIterator<Item = S>) -> NodeId {
        let texts: Vec<SpanText> = texts
            .into_iter()
            .map(|t| SpanText::of(t.as_ref()))
            .collect();
        self.spans_of(&texts)
    }

    pub(super) fn spans_of(&self, texts: &[SpanText]) -> NodeId {
        texts.iter().for_each(|text| self.tell_apart(&text.text));
        let mut texts = SpanTexts::of(texts, fingerprint::of_spans);
        let hi = texts.starts.len() as u32;
        if hi == 0 {
            return NodeId::NEVER;
        }
        // Many strings of a schema may be spans of the same texts.
        let known = self.span_texts.iter();
        let mut known = known.filter(|(_, known)| known.fingerprint == texts.fingerprint);
        let number = known.next().map(|(number, _)| number).unwrap_or_else(|| {
            texts.sort();
            work::hold(5 * texts.bytes.len() + 4 * texts.starts.len());
            self.span_texts.push(texts)
        });
        self.spans_node(number as u32, 0, hi, 0)
    }

    /// The rests, from byte `depth` on, of what begins at some places.
    fn spans_node(&self, texts: u32, lo: u32, hi: u32, depth: u32) -> NodeId {
        let held = self.spans_held(texts);
        // What ends comes last.
        if held.bytes[held.place(lo, depth)] == END {
            return NodeId::EMPTY;
        }
        self.make(Node::Spans {
            texts,
            lo,
            hi,
            depth,
        })
    }

    pub(super) fn spans_held(&self, texts: u32) -> &SpanTexts {
        &self.span_texts[texts as usize]
    }

    pub(super) fn spans_may_end(&self, texts: u32, lo: u32, hi: u32, depth: u32) -> bool {
        let held = self.spans_held(texts);
        work::spend((hi - lo) as usize / 8);
        depth > 0 && (lo..hi).any(|i| held.is_end(held.place(i, depth)))
    }

    pub(super) fn derive_spans(&self, texts: u32, lo: u32, hi: u32, depth: u32) -> Vec<Piece> {
        let held = self.spans_held(texts);
        let mut pieces = Vec::new();
        let mut i = lo;
        while i < hi
            && let Some((c, bytes)) = held.char_at(held.place(i, depth))
        {
            let others = &held.starts[i as usize + 1..hi as usize];
            let goes_on = |&start: &u32| held.bytes[(start + depth) as usize..].starts_with(bytes);
            let same = others.partition_point(goes_on) as u32;
            pieces.push(Piece {
                lo: c as u32,
                hi: c as u32,
                to: self.spans_node(texts, i, i + 1 + same, depth + bytes.len() as u32),
            });
            i += 1 + same;
        }
        pieces
    }

    /// The cheapest rest of a span, and its cost.
    pub(super) fn cheapest_span(&self, id: NodeId, spelling: Spelling) -> (&str, u32) {
        let Node::Spans {
            texts,
            lo,
            hi,
            depth,
        } = *self.node(id)
        else {
            return ("", NO_WAY);
        };
        let held = self.spans_held(texts);
        work::spend(2 * (hi - lo) as usize);
        let rests = (lo..hi).map(|i| held.rest(i, depth));
        let costs = rests.map(|rest| (rest, text_cost(rest, spelling)));
        costs.min_by_key(|&(_, cost)| cost).unwrap_or(("", NO_WAY))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::regex::escaped::Escapes;
    use crate::regex::span_texts::is_in_word;

    /// All spans, one by one.
    fn listed(texts: &[String]) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for text in texts {
            let chars: Vec<char> = text.chars().collect();
            let parts = |at: usize| {
                at > 0 && at < chars.len() && is_in_word(chars[at - 1]) && is_in_word(chars[at])
            };
            for start in (0..chars.len()).filter(|&at| !parts(at)) {
                for end in (start + 1..=chars.len()).filter(|&at| !parts(at)) {
                    if !chars[start].is_whitespace() && !chars[end - 1].is_whitespace() {
                        all.insert(chars[start..end].iter().collect());
                    }
                }
            }
        }
        all
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[ab_ \\-é日本\"\\\\\\u{0}]{0,9}", 0..4)
    }

    #[test]
    fn spans_are_of_whole_words() {
        let regexes = Regexes::new();
        let spans = regexes.spans(["Move $5.00 to user_id 7-B, bitte."]);
        for (text, expected) in [
            ("Move", true),
            ("$5.00", true),
            ("user_id 7-B", true),
            ("7", true),
            ("bitte.", true),
            ("Mov", false),
            ("user", false),
            ("to ", false),
            ("", false),
            ("Move to", false),
        ] {
            assert_eq!(regexes.matches(spans, text), expected, "{text:?}");
        }
        assert_eq!(regexes.spans(["", " \n"]), NodeId::NEVER);
    }

    proptest! {
        #[test]
        fn spans_are_those_that_can_be_listed(texts in texts(), other in "[ab_ é日\"]{0,4}") {
            let regexes = Regexes::new();
            let all = listed(&texts);
            let spans = regexes.spans(&texts);
            let words = regexes.words(&all);
            prop_assert_eq!(spans == NodeId::NEVER, all.is_empty());
            prop_assert_eq!(regexes.matches(spans, &other), all.contains(&other));
            let mut open = vec![(spans, words)];
            while let Some((spans, words)) = open.pop() {
                prop_assert_eq!(regexes.nullable(spans), regexes.nullable(words));
                prop_assert_eq!(regexes.is_live(spans), regexes.is_live(words));
                for spelling in [Spelling::Json, Spelling::Raw, Spelling::Chars] {
                    prop_assert_eq!(regexes.cost(spans, spelling), regexes.cost(words, spelling));
                }
                if let Some(longest) = regexes.longest_rest(spans) {
                    let cost = regexes.cost(spans, Spelling::Json);
                    prop_assert!(cost == NO_WAY || cost <= longest);
                }
                let [ours, theirs] = [spans, words].map(|id| regexes.pieces(id).to_vec());
                prop_assert_eq!(ours.len(), theirs.len());
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    prop_assert_eq!((ours.lo, ours.hi), (theirs.lo, theirs.hi));
                    open.push((ours.to, theirs.to));
                }
            }
        }

        #[test]
        fn spans_are_written_with_escapes_as_words_are(texts in texts()) {
            let regexes = Regexes::new();
            let escapes = Escapes::new(vec![('\\', r"\\"), ('"', "\\'")]);
            let Ok(escapes) = escapes else { return Ok(()) };
            let spans = regexes.escaped(regexes.spans(&texts), &escapes).unwrap();
            let words = regexes.escaped(regexes.words(listed(&texts)), &escapes).unwrap();
            for word in regexes.word_rests(words) {
                prop_assert!(regexes.matches(spans, &word), "{:?}", word);
            }
            let count = |id| regexes.cheapest_words(id, 100, Spelling::Chars).len();
            prop_assert_eq!(count(spans), count(words));
        }

        #[test]
        fn spans_meet_other_languages(texts in texts(), least in 0..4_u32, more in 0..4_u32) {
            let regexes = Regexes::new();
            let length = regexes.repeat(NodeId::CHAR, least, least + more);
            let both = regexes.and(vec![regexes.spans(&texts), length]);
            let words = regexes.and(vec![regexes.words(listed(&texts)), length]);
            prop_assert_eq!(regexes.is_live(both), regexes.is_live(words));
            prop_assert_eq!(
                regexes.cost(both, Spelling::Json),
                regexes.cost(words, Spelling::Json)
            );
        }

        #[test]
        fn equal_spans_have_equal_names(texts in texts(), others in texts()) {
            let of = |texts: &[String]| {
                let regexes = Regexes::new();
                let _other = regexes.words(["a"]);
                regexes.fingerprint(regexes.spans(texts))
            };
            prop_assert_eq!(of(&texts), of(&texts));
            if listed(&texts) != listed(&others) {
                prop_assert_ne!(of(&texts), of(&others));
            }
        }
    }
}
