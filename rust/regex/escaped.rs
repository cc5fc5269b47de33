//! Languages whose texts are written with escapes for some characters.
//!
//! The text that is written for one character begins with that of no other, so what is written can be
//! read back in one way only. That makes writing compatible with all operations: what is written of a
//! conjunction is what is written of all its parts, and what is written of a complement is all else
//! that can be written.

use rustc_hash::FxHashMap;

use crate::error::{Error, ErrorKind};
use crate::regex::codeset::CodeSet;
use crate::regex::computed::Computed;
use crate::regex::node::{Node, NodeId, UNBOUNDED};
use crate::regex::regexes::Regexes;
use crate::regex::span_texts::SpanText;
use crate::work;

/// How some characters are written, sorted by these; all others are written as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Escapes(Box<[(char, Box<str>)]>);

impl Escapes {
    /// The texts of some characters, none of which comes twice.
    ///
    /// # Errors
    ///
    /// If a text does not begin with one of the characters, or begins with the text of another: what
    /// is written could then be read in two ways.
    pub(crate) fn new(escapes: Vec<(char, &str)>) -> Result<Self, Error> {
        let refuse = |message| Err(Error::new(ErrorKind::Grammar, message));
        let mut escapes = escapes;
        escapes.sort_unstable_by_key(|&(_, text)| text);
        for pair in escapes.windows(2) {
            let [(a, first), (b, second)] = [pair[0], pair[1]];
            // In order, a text stands before those that begin with it.
            if second.starts_with(first) {
                return refuse(format!(
                    "the escape {second:?} of {b:?} begins with the escape {first:?} of {a:?}"
                ));
            }
        }
        escapes.sort_unstable();
        for &(c, text) in &escapes {
            let is_escaped = |first| escapes.binary_search_by_key(&first, |&(c, _)| c).is_ok();
            if !text.chars().next().is_some_and(is_escaped) {
                return refuse(format!(
                    "the escape {text:?} of {c:?} must begin with a character that is escaped itself"
                ));
            }
        }
        let escapes = escapes.into_iter().map(|(c, text)| (c, text.into()));
        Ok(Escapes(escapes.collect()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (char, &str)> {
        self.0.iter().map(|(c, text)| (*c, &**text))
    }

    fn write(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        for c in text.chars() {
            match self.0.binary_search_by_key(&c, |&(c, _)| c) {
                Ok(i) => written.push_str(&self.0[i].1),
                Err(_) => written.push(c),
            }
        }
        work::spend(written.len() / 4);
        written
    }
}

impl Regexes {
    /// The texts of a language, which holds no symbols, as they are written with escapes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the language is computed or about numbers and the escapes are of
    /// its characters.
    pub(crate) fn escaped(&self, id: NodeId, escapes: &Escapes) -> Result<NodeId, Error> {
        if escapes.0.is_empty() {
            return Ok(id);
        }
        let keys = escapes.iter().map(|(c, _)| (c.into(), c.into()));
        let mut writer = EscapeWriter {
            nodes: self,
            escapes,
            unescaped: CodeSet::new(keys).complement(),
            anything: NodeId::ANY,
            known: FxHashMap::default(),
        };
        let character = writer.exact(NodeId::CHAR)?;
        writer.anything = self.repeat(character, 0, UNBOUNDED);
        writer.exact(id)
    }
}

/// What is written of a language.
#[derive(Clone, Copy)]
struct Image {
    /// Of all that can be written, this holds what is written of the language and no more.
    node: NodeId,
    /// Whether it holds nothing that cannot be written.
    is_exact: bool,
}

struct EscapeWriter<'a> {
    nodes: &'a Regexes,
    escapes: &'a Escapes,
    unescaped: CodeSet,
    /// All that can be written.
    anything: NodeId,
    known: FxHashMap<NodeId, Image>,
}

impl EscapeWriter<'_> {
    /// Just what is written of a language.
    fn exact(&mut self, id: NodeId) -> Result<NodeId, Error> {
        let Image { node, is_exact } = self.image(id)?;
        Ok(match is_exact {
            true => node,
            false => self.nodes.and(vec![node, self.anything]),
        })
    }

    fn image(&mut self, id: NodeId) -> Result<Image, Error> {
        if let Some(&known) = self.known.get(&id) {
            return Ok(known);
        }
        work::spend(2);
        work::hold(2 * size_of::<(NodeId, Image)>());
        let found = self.find_image(id)?;
        self.known.insert(id, found);
        Ok(found)
    }

    fn find_image(&mut self, id: NodeId) -> Result<Image, Error> {
        let nodes = self.nodes;
        let node = match *nodes.node(id) {
            _ if id == NodeId::ANY => {
                let is_exact = false;
                return Ok(Image { node: id, is_exact });
            }
            Node::Never | Node::Empty => id,
            Node::Class(ref set) => self.class(id, set),
            Node::Words { .. } => {
                let words = nodes.word_rests(id);
                nodes.words(words.iter().map(|word| self.escapes.write(word)))
            }
            Node::Spans {
                texts, depth: 0, ..
            } => {
                let texts = nodes.spans_held(texts).texts();
                let written: Vec<SpanText> = texts.iter().map(|text| self.spans(text)).collect();
                nodes.spans_of(&written)
            }
            Node::Computed(ref computed) => self.computed(id, computed)?,
            Node::Concat(..) => {
                // Chains may be long: no recursion.
                let mut chain = Vec::new();
                let mut last = id;
                while let Node::Concat(part, rest) = *nodes.node(last) {
                    chain.push(part);
                    last = rest;
                }
                let end = self.exact(last)?;
                let parts = chain.into_iter().rev();
                parts
                    .map(|part| self.exact(part))
                    .try_fold(end, |rest, part| Ok::<_, Error>(nodes.concat(part?, rest)))?
            }
            Node::Repeat { body, min, max } => nodes.repeat(self.exact(body)?, min, max),
            Node::Or(ref parts) => {
                let images = self.images(parts)?;
                return Ok(Image {
                    node: nodes.or(images.iter().map(|image| image.node).collect()),
                    is_exact: images.iter().all(|image| image.is_exact),
                });
            }
            Node::And(ref parts) => {
                let images = self.images(parts)?;
                return Ok(Image {
                    node: nodes.and(images.iter().map(|image| image.node).collect()),
                    is_exact: images.iter().any(|image| image.is_exact),
                });
            }
            Node::Not(inner) => {
                return Ok(Image {
                    node: nodes.not(self.image(inner)?.node),
                    is_exact: false,
                });
            }
            Node::Numbers(_)
            | Node::PlainNumbers(..)
            | Node::PlainReading(_)
            | Node::Points(_)
            | Node::Reading(_)
            | Node::NumberList(_)
            | Node::Symbol(_) => return Err(refuse("numbers cannot be written with escapes")),
            Node::Spans { .. } => return Err(refuse("half a span cannot be written with escapes")),
        };
        Ok(Image {
            node,
            is_exact: true,
        })
    }

    fn images(&mut self, ids: &[NodeId]) -> Result<Vec<Image>, Error> {
        ids.iter().map(|&id| self.image(id)).collect()
    }

    fn class(&self, id: NodeId, set: &CodeSet) -> NodeId {
        work::spend(self.escapes.0.len() + set.ranges().len());
        let escaped = self.escapes.iter().filter(|&(c, _)| set.contains(c.into()));
        let mut ways: Vec<NodeId> = escaped
            .map(|(_, text)| self.nodes.spell(text, NodeId::EMPTY))
            .collect();
        if ways.is_empty() {
            return id;
        }
        ways.push(self.nodes.class(set.intersection(&self.unescaped)));
        self.nodes.or(ways)
    }

    /// A text as it is written, whose spans are what is written of its spans.
    fn spans(&self, text: &SpanText) -> SpanText {
        let moved = |places: &[u32]| {
            let (mut before, mut length) = (0, 0);
            let moved = places.iter().map(|&place| {
                let between = &text.text[before..place as usize];
                before = place as usize;
                length += self.escapes.write(between).len() as u32;
                length
            });
            moved.collect()
        };
        SpanText {
            text: self.escapes.write(&text.text),
            starts: moved(&text.starts),
            ends: moved(&text.ends),
        }
    }

    fn computed(&self, id: NodeId, computed: &Computed) -> Result<NodeId, Error> {
        let mut escaped = self.escapes.iter().map(|(c, _)| c);
        match escaped.find(|&c| computed.rule.alphabet.contains(c)) {
            None => Ok(id),
            Some(c) => Err(refuse(&format!(
                "{:?} cannot be written with an escape for {c:?}",
                computed.rule
            ))),
        }
    }
}

fn refuse(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Language {
        Class(Vec<char>),
        Words(Vec<String>),
        Concat(Box<Language>, Box<Language>),
        Or(Vec<Language>),
        And(Vec<Language>),
        Not(Box<Language>),
        Repeat(Box<Language>, u32, Option<u32>),
        Anything,
    }

    impl Language {
        fn node(&self, nodes: &Regexes) -> NodeId {
            let all = |parts: &[Language]| parts.iter().map(|part| part.node(nodes)).collect();
            match self {
                Language::Class(set) => {
                    let set = set.iter().map(|&c| (c.into(), c.into()));
                    nodes.class(CodeSet::new(set))
                }
                Language::Words(words) => nodes.words(words),
                Language::Concat(a, b) => nodes.concat(a.node(nodes), b.node(nodes)),
                Language::Or(parts) => nodes.or(all(parts)),
                Language::And(parts) => nodes.and(all(parts)),
                Language::Not(inner) => nodes.not(inner.node(nodes)),
                Language::Repeat(body, min, max) => {
                    nodes.repeat_between(body.node(nodes), *min, max.map(|max| max.max(*min)))
                }
                Language::Anything => NodeId::ANY,
            }
        }
    }

    const CHARACTERS: &str = r"a'\";

    fn language() -> impl Strategy<Value = Language> {
        let characters: Vec<char> = CHARACTERS.chars().collect();
        let leaf = prop_oneof![
            prop::sample::subsequence(characters, 1..=3).prop_map(Language::Class),
            prop::collection::vec(r"[a'\\]{0,3}", 1..4).prop_map(Language::Words),
            Just(Language::Anything),
        ];
        leaf.prop_recursive(4, 12, 3, |inner| {
            let several = prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                (inner.clone(), inner.clone())
                    .prop_map(|(a, b)| Language::Concat(Box::new(a), Box::new(b))),
                several.clone().prop_map(Language::Or),
                several.prop_map(Language::And),
                inner.clone().prop_map(|a| Language::Not(Box::new(a))),
                (inner, 0..3_u32, prop::option::of(0..4_u32))
                    .prop_map(|(a, min, max)| Language::Repeat(Box::new(a), min, max)),
            ]
        })
    }

    fn escapes() -> impl Strategy<Value = Escapes> {
        let all = [
            vec![('\'', r"\'"), ('\\', r"\\")],
            vec![('\'', "''")],
            vec![('\'', r"\a"), ('\\', r"\'")],
            vec![('a', "a'"), ('\'', r"''"), ('\\', "aa")],
            vec![('a', "a")],
            vec![('\\', r"\a\")],
        ];
        prop::sample::select(all.map(|escapes| Escapes::new(escapes).unwrap()).to_vec())
    }

    /// All texts of these characters up to a length.
    fn texts(characters: &str, length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..length {
            let longer = longest.iter();
            let longer =
                longer.flat_map(|text| characters.chars().map(move |c| format!("{text}{c}")));
            longest = longer.collect();
            all.extend_from_slice(&longest);
        }
        all
    }

    proptest! {
        #[test]
        fn the_texts_are_those_written(language in language(), escapes in escapes()) {
            let nodes = Regexes::new();
            let plain = language.node(&nodes);
            let written = nodes.escaped(plain, &escapes).unwrap();
            // No text is shorter than what it is written of.
            let known: FxHashMap<String, bool> = texts(CHARACTERS, 5)
                .iter()
                .map(|text| (escapes.write(text), nodes.matches(plain, text)))
                .collect();
            for text in texts(CHARACTERS, 5) {
                let expected = known.get(&text).copied().unwrap_or(false);
                prop_assert_eq!(nodes.matches(written, &text), expected, "{:?}", text);
            }
            for (text, &expected) in &known {
                prop_assert_eq!(nodes.matches(written, text), expected, "{:?}", text);
            }
        }
    }

    #[test]
    fn escapes_that_can_be_read_in_two_ways_are_refused() {
        for (escapes, message) in [
            (vec![('\'', r"\'")], r#""\\'" of '\'' must begin"#),
            (vec![('\'', "")], "must begin"),
            (
                vec![('a', "b"), ('b', "bb")],
                r#""bb" of 'b' begins with the escape "b" of 'a'"#,
            ),
            (vec![('a', "aa"), ('b', "aa")], "begins with"),
            (vec![('a', ""), ('b', "b")], "begins with"),
        ] {
            let error = Escapes::new(escapes.clone()).unwrap_err();
            assert!(error.message().contains(message), "{escapes:?}: {error}");
        }
    }
}
