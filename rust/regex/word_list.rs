//! Lists of words as languages.

use crate::regex::fingerprint;
use crate::regex::node::{Node, NodeId};
use crate::regex::regexes::{Regexes, WordList};
use crate::work;

impl Regexes {
    /// One of `words`, whole.
    pub(crate) fn words<S: AsRef<str>>(&self, words: impl IntoIterator<Item = S>) -> NodeId {
        let mut list: Vec<Box<str>> = words.into_iter().map(|w| w.as_ref().into()).collect();
        list.sort_unstable();
        list.dedup();
        if list.is_empty() {
            return NodeId::NEVER;
        }
        let hi = list.len() as u32;
        let bytes: usize = list.iter().map(|word| word.len()).sum();
        work::spend(4 * list.len() + bytes / 8);
        work::hold(size_of_val(&*list) + bytes);
        list.iter().for_each(|word| self.tell_apart(word));
        let fingerprint = fingerprint::of_words(&list);
        let longest = list.iter().map(|word| word.len()).max();
        let list = self.words.push(WordList {
            longest: longest.map_or(0, |longest| longest as u32),
            words: list.into(),
            fingerprint,
        }) as u32;
        self.words_node(list, 0, hi, 0)
    }

    pub(super) fn words_node(&self, list: u32, lo: u32, hi: u32, depth: u32) -> NodeId {
        if lo + 1 == hi && self.word_list(list)[lo as usize].len() == depth as usize {
            return NodeId::EMPTY;
        }
        self.make(Node::Words {
            list,
            lo,
            hi,
            depth,
        })
    }

    pub(super) fn word_list(&self, list: u32) -> &[Box<str>] {
        &self.words[list as usize].words
    }

    /// The first of a list of words, if the language is one.
    pub(super) fn first_word(&self, id: NodeId) -> Option<&str> {
        match *self.node(id) {
            Node::Words {
                list, lo, depth, ..
            } => Some(&self.word_list(list)[lo as usize][depth as usize..]),
            _ => None,
        }
    }

    /// At least the characters of the longest word of a list.
    pub(super) fn longest_word(&self, id: NodeId) -> u32 {
        match *self.node(id) {
            Node::Words { list, .. } => self.words[list as usize].longest,
            _ => 0,
        }
    }

    /// Whether a language is a list of words.
    pub(crate) fn is_words(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Words { .. })
    }

    /// The words of a [`Node::Words`], each cut to what is still to come.
    pub(super) fn rests(&self, list: u32, lo: u32, hi: u32, depth: u32) -> Vec<String> {
        self.word_list(list)[lo as usize..hi as usize]
            .iter()
            .map(|w| {
                work::spend(1);
                w[depth as usize..].to_owned()
            })
            .collect()
    }
}
