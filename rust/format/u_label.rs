//! U-labels: the labels of internationalised names of hosts as they are read.

use std::sync::LazyLock;

use crate::format::build::Build;
use crate::format::idna_tables::{
    BRAHMIC, COMPOSING, CodePoints, DUAL_JOINING, EXCEPTIONS, NO_LETTERS, NUKTA, ORDERED,
    RIGHT_JOINING, RIGHT_TO_LEFT, VIRAMA,
};
use crate::regex;
use crate::regex::codeset::{CodeSet, MAX};
use crate::regex::node::NodeId;

/// Octets of a label: RFC 1035, section 2.3.4.
pub(super) const LABEL_OCTETS: u32 = 63;

/// What a U-label may hold: (the largest character, what each beyond ASCII weighs, sum of weights).
/// A character of ASCII weighs 1. Within these sums, no label takes more than 63 octets: the
/// longest encoding was computed over all sequences of deltas (RFC 3492) whose sum such labels
/// can reach.
const U_LABEL: [(u32, usize, usize); 2] = [(0x7FF, 3, 52), (MAX, 5, 56)];

const ARABIC_DIGITS: (u32, u32) = (0x660, 0x669);
const EXTENDED_ARABIC_DIGITS: (u32, u32) = (0x6F0, 0x6F9);
const KATAKANA_MIDDLE_DOT: u32 = 0x30FB;

/// How a label is written.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    LeftToRight,
    RightToLeft,
}

/// U-labels without a bound of their length, and the characters beyond ASCII that some may hold.
/// Among the labels from left to right are those of ASCII.
pub(super) fn u_labels_of_any_length(build: Build, direction: Direction) -> (NodeId, CodeSet) {
    let labels = Labels::new(build, &CodeSet::default());
    let sets = &labels.sets;
    let beyond = CodeSet::new([(0x80, MAX)]);
    let (labels, chars) = match direction {
        Direction::LeftToRight => {
            let letters = sets.left.union(&sets.digits).union(&labels.marks);
            let marks = sets.all_marks.intersection(&CodeSet::new(BRAHMIC));
            let others = [0xB7, 0x375, 0x200C, 0x200D, KATAKANA_MIDDLE_DOT].map(|c| (c, c));
            let others = CodeSet::new(others.into_iter().chain([EXTENDED_ARABIC_DIGITS]));
            (labels.left_to_right(), letters.union(&marks).union(&others))
        }
        Direction::RightToLeft => {
            let digits = [ARABIC_DIGITS, EXTENDED_ARABIC_DIGITS];
            let others = [(0x5F3, 0x5F4), (0x200C, 0x200C)].into_iter().chain(digits);
            (
                labels.right_to_left(),
                sets.right.union(&CodeSet::new(others)),
            )
        }
    };
    (labels, chars.intersection(&beyond))
}

/// The sets of characters that U-labels are made of. They take milliseconds to make.
static SETS: LazyLock<Sets> = LazyLock::new(Sets::new);

pub(super) struct Sets {
    /// Letters written from left to right.
    left: CodeSet,
    /// Letters, and digits that behave like them, written from right to left.
    right: CodeSet,
    /// Digits written from left to right, beyond ASCII.
    digits: CodeSet,
    /// Marks without a combining class.
    marks: CodeSet,
    /// All marks.
    all_marks: CodeSet,
    greek: CodeSet,
    hebrew: CodeSet,
    /// Hiragana, Katakana and Han.
    kana_or_han: CodeSet,
}

impl Sets {
    fn new() -> Self {
        let union = |names: &[&str]| CodeSet::new(names.iter().flat_map(|name| ranges(name)));
        let without = |set: &CodeSet, other: &CodeSet| set.intersection(&other.complement());
        let folded = ranges("Changes_When_Casefolded");
        let no_letters = CodeSet::new(NO_LETTERS.iter().copied().chain(folded));
        let letters = without(&union(&["Ll", "Lo", "Lm"]), &no_letters);
        let letters = letters.union(&CodeSet::new(EXCEPTIONS));
        let digits = without(&union(&["Nd"]), &no_letters);
        let rtl = CodeSet::new(RIGHT_TO_LEFT);
        let left = without(&letters, &rtl);
        let right = letters.union(&digits).intersection(&rtl);
        let all_marks = union(&["M"]);
        let marks = all_marks.intersection(&CodeSet::new(BRAHMIC));
        Sets {
            greek: left.intersection(&union(&["sc=Grek"])),
            hebrew: right.intersection(&union(&["sc=Hebr"])),
            kana_or_han: left.intersection(&union(&["sc=Hira", "sc=Kana", "sc=Han"])),
            digits: without(&digits, &rtl),
            marks: without(&marks, &CodeSet::new(ORDERED)),
            all_marks,
            left,
            right,
        }
    }
}

fn ranges(property: &str) -> Vec<(u32, u32)> {
    let set = regex::property(property).expect("a property of Unicode");
    set.ranges().to_vec()
}

/// Languages of U-labels.
pub(super) struct Labels<'a> {
    build: Build<'a>,
    sets: &'static Sets,
    /// Marks without a combining class, and others that may stand anywhere.
    marks: CodeSet,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(build: Build<'a>, more_marks: &CodeSet) -> Self {
        Labels {
            build,
            sets: &SETS,
            marks: SETS.marks.union(more_marks),
        }
    }

    fn class(&self, set: &CodeSet) -> NodeId {
        self.build.0.class(set.clone())
    }

    fn char(&self, c: u32) -> NodeId {
        self.class(&CodeSet::single(c))
    }

    /// The labels in which no letter is written from right to left.
    pub(super) fn left_to_right(&self) -> NodeId {
        let build = self.build;
        let dot = self.char(KATAKANA_MIDDLE_DOT);
        let plain = build.or([
            self.class(&self.sets.left.union(&self.sets.digits).union(&self.marks)),
            build.text("-"),
        ]);
        let items = self.items(plain);
        let without_dot = build.star(build.or([items.clone(), self.extended_digits()].concat()));
        // Appendix A.7: somewhere in the label is Hiragana, Katakana or Han.
        let with_dot = build.star(build.or([items, vec![dot]].concat()));
        let kana = self.class(&self.sets.kana_or_han);
        let has_kana = build.concat(&[NodeId::ANY, kana, NodeId::ANY]);
        let with_dot = build.and([with_dot, has_kana]);
        self.shaped(build.or([without_dot, with_dot]))
    }

    /// The extended Arabic-Indic digits, which count as European ones. A label holds either these
    /// or other Arabic-Indic digits.
    fn extended_digits(&self) -> Vec<NodeId> {
        vec![self.class(&CodeSet::new([EXTENDED_ARABIC_DIGITS]))]
    }

    /// The items of which a left-to-right label is a sequence: `plain` characters, and groups of
    /// characters that may only stand together.
    fn items(&self, plain: NodeId) -> Vec<NodeId> {
        let build = self.build;
        let blocks = CodeSet::new(BRAHMIC);
        let brahmic_letters = self.class(&self.sets.left.intersection(&blocks));
        let brahmic = self.sets.left.union(&self.marks).intersection(&blocks);
        let virama = self.class(&CodeSet::new(VIRAMA));
        let nukta = self.class(&CodeSet::new(NUKTA.map(|c| (c, c))));
        // Appendix A.1 and A.2: joiners after a virama.
        let joined = build.concat(&[virama, build.optional(build.pattern(r"[\u200C\u200D]"))]);
        let mut items = vec![
            plain,
            build.concat(&[self.class(&brahmic), build.optional(nukta), joined]),
            build.concat(&[brahmic_letters, nukta]),
            // Vowel signs and tone marks of Thai and Lao, by combining class.
            build.concat(&[
                self.class(&brahmic),
                build.or([
                    build.pattern(r"[\u0E38\u0E39][\u0E48-\u0E4B]?|[\u0E48-\u0E4B]"),
                    build.pattern(r"[\u0EB8\u0EB9][\u0EC8-\u0ECB]?|[\u0EC8-\u0ECB]"),
                ]),
            ]),
            // Appendix A.3 and A.4: the middle dot of Catalan, the Greek keraia.
            build.pattern(r"l(?:\u00B7l)+"),
            build.concat(&[self.char(0x375), self.class(&self.sets.greek)]),
        ];
        for (letters, marks) in COMPOSING {
            let set = |ranges: CodePoints| CodeSet::new(ranges.iter().copied());
            let letters = self.class(&set(letters).intersection(&self.sets.left));
            let marks = self.class(&set(marks));
            items.push(build.concat(&[letters, marks, build.optional(joined)]));
        }
        items
    }

    /// Labels written from right to left: RFC 5893, section 2.
    pub(super) fn right_to_left(&self) -> NodeId {
        let build = self.build;
        let letter = self.class(&self.sets.right);
        let set = |ranges: CodePoints| self.class(&CodeSet::new(ranges.iter().copied()));
        // Appendix A.1: U+200C between letters that would join; A.5 and A.6: Hebrew punctuation.
        let non_joiner = build.concat(&[
            set(DUAL_JOINING),
            self.char(0x200C),
            build.or([set(DUAL_JOINING), set(RIGHT_JOINING)]),
        ]);
        let hebrew = build.concat(&[
            self.class(&self.sets.hebrew),
            build.pattern(r"[\u05F3\u05F4]"),
        ]);
        let letters = build.or([letter, non_joiner, hebrew]);
        // Rule 4: European digits, of which the extended Arabic ones are, or Arabic ones.
        let european = build.or([build.pattern("[0-9]"), set(&[EXTENDED_ARABIC_DIGITS])]);
        let arabic = set(&[ARABIC_DIGITS]);
        let rest = |digits| build.star(build.or([letters, build.text("-"), digits]));
        let rest = build.or([rest(european), rest(arabic)]);
        self.shaped(build.concat(&[letters, rest]))
    }

    /// Those of `labels` that do not begin or end with a character that must not stand there, nor
    /// have hyphens in third and fourth position.
    fn shaped(&self, labels: NodeId) -> NodeId {
        let build = self.build;
        let hyphen = CodeSet::single('-'.into());
        let joiners = CodeSet::new([(0x200C, 0x200D)]);
        let first = self.class(&self.sets.all_marks.union(&hyphen).complement());
        let last = self.class(&joiners.union(&hyphen).complement());
        let edges = build.or([
            build.and([first, last]),
            build.concat(&[first, NodeId::ANY, last]),
        ]);
        let two = build.0.repeat_between(NodeId::CHAR, 2, Some(2));
        let not_hyphen = self.class(&hyphen.complement());
        let hyphens = build.concat(&[
            two,
            build.or([not_hyphen, build.concat(&[build.text("-"), not_hyphen])]),
            NodeId::ANY,
        ]);
        let short = build.0.repeat_between(NodeId::CHAR, 0, Some(3));
        build.and([labels, edges, build.or([hyphens, short])])
    }

    /// Those of `labels` whose form in Punycode certainly has no more than [`LABEL_OCTETS`].
    pub(super) fn fitting(&self, labels: NodeId) -> NodeId {
        let build = self.build;
        let ascii = build.pattern(r"[\x00-\x7F]");
        let lengths = U_LABEL.map(|(largest, weight, sum)| {
            let beyond = self.class(&CodeSet::new([(0x80, largest)]));
            build.weighing(&[(ascii, 1), (beyond, weight)], sum)
        });
        build.and([labels, build.or(lengths)])
    }

    /// Those of `labels` whose first character is a letter, as rule 1 of RFC 5893 asks.
    pub(super) fn begins_with_letter(&self, labels: NodeId) -> NodeId {
        let upper = CodeSet::new([('A'.into(), 'Z'.into())]);
        let first = self.class(&self.sets.left.union(&upper));
        let build = self.build;
        // Rule 6: the katakana middle dot, without direction, ends no label.
        let dot = self.char(KATAKANA_MIDDLE_DOT);
        let ends = build.0.not(build.concat(&[NodeId::ANY, dot]));
        build.and([labels, build.concat(&[first, NodeId::ANY]), ends])
    }
}
