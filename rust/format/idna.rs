//! Internationalised names of hosts: IDNA2008, which is RFC 5890 to RFC 5893.
//!
//! A name is one of `hostname`, or has U-labels. Of the rules for those, these are exact: the
//! letters and digits (RFC 5892), hyphens (RFC 5891, section 4.2.3.1), the contexts of joiners and
//! punctuation (RFC 5892, appendix A) and directions (RFC 5893). What is left out of the language:
//!
//! - Modifier letters without a direction, and the digits of Hanifi Rohingya.
//! - Names with both A-labels (`xn--`) and U-labels.
//! - The form in Punycode must not be longer than 63 octets. Labels are bounded by what the least
//!   favourable characters would take, see [`U_LABEL`].
//! - A name with U-labels has at most [`NAME_CHARS`] characters and [`U_LABELS`] such labels, which
//!   is within 253 octets.
//! - U-labels are in normalisation form C (RFC 5891, section 4.1). Of combining marks, only those of
//!   the Brahmic scripts of South and South-East Asia are read, where order and composition are told
//!   locally. Names in mail need not be normalised; there, the diacritics U+0300 to U+036F are too.
//! - U+200C between letters that join is read for Arabic letters.

use std::sync::LazyLock;

use crate::format::build::Build;
use crate::format::hostname;
use crate::format::idna_tables::{
    BRAHMIC, COMPOSING, CodePoints, DUAL_JOINING, EXCEPTIONS, NO_LETTERS, NUKTA, ORDERED,
    RIGHT_JOINING, RIGHT_TO_LEFT, VIRAMA,
};
use crate::regex;
use crate::regex::codeset::{CodeSet, MAX};
use crate::regex::node::NodeId;

/// Characters of a name with U-labels.
const NAME_CHARS: u32 = 64;

/// U-labels of a name.
const U_LABELS: u32 = 3;

/// What a U-label may hold: (the largest character, what each beyond ASCII weighs, sum of weights).
/// A character of ASCII weighs 1. Within these sums, no label takes more than 63 octets: the
/// longest encoding was computed over all sequences of deltas (RFC 3492) whose sum such labels
/// can reach.
const U_LABEL: [(u32, usize, usize); 2] = [(0x7FF, 3, 52), (MAX, 5, 56)];

/// The full stops that separate labels: RFC 3490, section 3.1.
const SEPARATORS: &str = "[.\u{3002}\u{FF0E}\u{FF61}]";

const ARABIC_DIGITS: (u32, u32) = (0x660, 0x669);
const EXTENDED_ARABIC_DIGITS: (u32, u32) = (0x6F0, 0x6F9);
const KATAKANA_MIDDLE_DOT: u32 = 0x30FB;

/// A name for `idn-hostname`: RFC 5890, section 2.3.2.3.
pub(super) fn hostname(build: Build) -> NodeId {
    // Also at the outside, where it is compared with `minLength` at once.
    build.at_most(hostname::NAME_OCTETS, name(build, &CodeSet::default()))
}

/// A name for `idn-email`, whose labels need not be normalised.
pub(super) fn domain(build: Build) -> NodeId {
    let diacritics = CodeSet::new([(0x300, 0x36F)]);
    let never = CodeSet::new([(0x340, 0x341), (0x343, 0x345), (0x34F, 0x34F)]);
    name(build, &diacritics.intersection(&never.complement()))
}

/// A name whose U-labels may hold `marks` besides the usual ones.
fn name(build: Build, marks: &CodeSet) -> NodeId {
    let labels = Labels::new(build, marks);
    let separator = build.pattern(SEPARATORS);
    let ascii = hostname::label(build);
    let ascii_name = hostname::name(build, separator);
    let left_to_right = labels.fitting(labels.left_to_right());
    let right_to_left = labels.fitting(labels.right_to_left());
    // RFC 5893, section 2: if one label is written from right to left, all obey its rules.
    let left_to_right_name = build.list(build.or([ascii, left_to_right]), separator);
    let any_direction = [
        labels.begins_with_letter(ascii),
        labels.begins_with_letter(left_to_right),
        right_to_left,
    ];
    let any_direction = build.list(build.or(any_direction), separator);
    let unicode_name = build.at_most(
        NAME_CHARS,
        build.and([
            build.or([left_to_right_name, any_direction]),
            u_labels(build),
        ]),
    );
    build.or([ascii_name, unicode_name])
}

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

/// The texts with at most [`U_LABELS`] labels that are not ASCII.
fn u_labels(build: Build) -> NodeId {
    let ascii = build.pattern("[A-Za-z0-9-]*");
    let separator = build.pattern(SEPARATORS);
    let ascii_before = build.star(build.concat(&[ascii, separator]));
    let ascii_after = build.star(build.concat(&[separator, ascii]));
    let beyond = build.pattern(&format!(
        "[^\\x00-\\x7F{}]",
        &SEPARATORS[1..SEPARATORS.len() - 1]
    ));
    let u_label = build.concat(&[
        ascii,
        beyond,
        build.star(build.or([beyond, build.pattern("[A-Za-z0-9-]")])),
    ]);
    let next = build.concat(&[separator, ascii_before, u_label]);
    build.concat(&[
        ascii_before,
        u_label,
        build.0.repeat_between(next, 0, Some(U_LABELS - 1)),
        ascii_after,
    ])
}

/// The sets of characters that U-labels are made of. They take milliseconds to make.
static SETS: LazyLock<Sets> = LazyLock::new(Sets::new);

struct Sets {
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
struct Labels<'a> {
    build: Build<'a>,
    sets: &'static Sets,
    /// Marks without a combining class, and others that may stand anywhere.
    marks: CodeSet,
}

impl<'a> Labels<'a> {
    fn new(build: Build<'a>, more_marks: &CodeSet) -> Self {
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

    /// Labels without letters that are written from right to left.
    fn left_to_right(&self) -> NodeId {
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

    /// Extended Arabic-Indic digits, which count as European ones; no others are in the label.
    fn extended_digits(&self) -> Vec<NodeId> {
        vec![self.class(&CodeSet::new([EXTENDED_ARABIC_DIGITS]))]
    }

    /// What a label from left to right is a sequence of, `plain` characters and those that need
    /// others next to them.
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
    fn right_to_left(&self) -> NodeId {
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

    /// Of these labels, those whose edges and hyphens are right.
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

    /// Of these labels, those that are certainly short enough.
    fn fitting(&self, labels: NodeId) -> NodeId {
        let build = self.build;
        let ascii = build.pattern(r"[\x00-\x7F]");
        let lengths = U_LABEL.map(|(largest, weight, sum)| {
            let beyond = self.class(&CodeSet::new([(0x80, largest)]));
            build.weighing(&[(ascii, 1), (beyond, weight)], sum)
        });
        build.and([labels, build.or(lengths)])
    }

    /// Of these labels, those whose first character is a letter, as rule 1 of RFC 5893 asks.
    fn begins_with_letter(&self, labels: NodeId) -> NodeId {
        let upper = CodeSet::new([('A'.into(), 'Z'.into())]);
        let first = self.class(&self.sets.left.union(&upper));
        let build = self.build;
        // Rule 6: the katakana middle dot, without direction, ends no label.
        let dot = self.char(KATAKANA_MIDDLE_DOT);
        let ends = build.0.not(build.concat(&[NodeId::ANY, dot]));
        build.and([labels, build.concat(&[first, NodeId::ANY]), ends])
    }
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::check;

    #[test]
    fn labels_hold_letters_digits_and_inner_hyphens() {
        let valid = [
            "a",
            "A.example",
            "실례.테스트",
            "bücher.example",
            "straße.de",
            "ουτοπία.ελ",
            "рф",
            "中国。公司",
            "a．b｡c",
            "ไทย.ที่อยู่",
            "ß\u{3C2}\u{F0B}\u{3007}",
            "b-ü",
            "ü1",
            "हिन्दी.भारत",
            "தமிழ்",
        ];
        let invalid = [
            "",
            ".",
            "。",
            "a.",
            "ü。",
            "-ü",
            "ü-",
            "üü--ü",
            "Ü",
            "☃",
            "ü_",
            "ü b",
            "ﬁ",
            "ａ",
            "\u{1100}\u{1161}",
            "\u{640}\u{7FA}",
            "\u{302E}한",
            "한\u{302E}국",
            "a\u{301}é",
            "\u{300}hello",
            "\u{903}hello",
        ];
        check(Format::IdnHostname, &valid, &invalid);
    }

    #[test]
    fn contexts_are_asked_for() {
        let valid = [
            "l\u{B7}l",
            "xl\u{B7}l\u{B7}ly",
            "α\u{375}β",
            "א\u{5F3}ב",
            "א\u{5F4}",
            "\u{30FB}ぁ",
            "ァ\u{30FB}a",
            "\u{30FB}丈",
            "ب\u{660}ب",
            "\u{6F0}0",
            "\u{915}\u{94D}\u{200D}\u{937}",
            "\u{915}\u{94D}\u{200C}\u{937}",
            "\u{628}\u{64A}\u{200C}\u{628}\u{64A}",
        ];
        let invalid = [
            "a\u{B7}l",
            "\u{B7}l",
            "l\u{B7}a",
            "l\u{B7}",
            "α\u{375}S",
            "α\u{375}",
            "A\u{5F3}ב",
            "\u{5F3}ב",
            "A\u{5F4}ב",
            "def\u{30FB}abc",
            "\u{30FB}",
            "ب\u{660}\u{6F0}",
            "\u{915}\u{200D}\u{937}",
            "\u{200D}\u{937}",
            "\u{915}\u{94D}\u{200C}\u{937}x\u{200C}y",
            "\u{627}\u{200C}\u{628}",
        ];
        check(Format::IdnHostname, &valid, &invalid);
    }

    #[test]
    fn directions_do_not_mix() {
        let valid = ["א.a", "א1", "א-ב.ü", "ü.1a", "ب\u{660}.a", "א\u{6F0}1"];
        let invalid = [
            "0a.א",
            "0א",
            "aא",
            "אa",
            "א0\u{660}",
            "א.üא",
            "א.1ü",
            "א.中\u{30FB}",
        ];
        check(Format::IdnHostname, &valid, &invalid);
    }

    #[test]
    fn composed_forms_are_asked_for() {
        let valid = [
            "é",
            "\u{995}\u{9BE}",
            "\u{BB5}\u{BBE}",
            "\u{91C}\u{93C}",
            "\u{91C}\u{93C}\u{94D}\u{91E}",
            "\u{E17}\u{E39}\u{E48}",
        ];
        let invalid = [
            "e\u{301}",
            "\u{9C7}\u{9BE}",
            "\u{BC6}\u{BBE}",
            "\u{928}\u{93C}",
            "\u{91C}\u{94D}\u{93C}",
            "\u{E17}\u{E48}\u{E39}",
            "\u{DD9}\u{DCA}",
            "か\u{3099}",
        ];
        check(Format::IdnHostname, &valid, &invalid);
    }

    #[test]
    fn lengths_are_those_of_punycode() {
        let of = |c: &str, count| c.repeat(count);
        let ascii = of("a", 63);
        let names = [
            ascii.clone(),
            of("я", 17),
            of("字", 11),
            format!("{}ü", of("a", 49)),
        ];
        let too_long = [
            of("a", 64),
            of("ü", 63),
            format!("{ascii}ü"),
            format!("{}.ü", of("a.", 33)),
        ];
        check(
            Format::IdnHostname,
            &names.each_ref().map(|t| &t[..]),
            &too_long.each_ref().map(|t| &t[..]),
        );
        check(Format::IdnHostname, &["ü.ü.ü.de"], &["ü.ü.ü.ü.de"]);
    }
}
