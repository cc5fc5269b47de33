//! Internationalised names of hosts: IDNA2008, which is RFC 5890 to RFC 5893.
//!
//! A name is one of `hostname`, or has U-labels. Of the rules for those, these are exact: the
//! letters and digits (RFC 5892), hyphens (RFC 5891, section 4.2.3.1), the contexts of joiners and
//! punctuation (RFC 5892, appendix A) and directions (RFC 5893). What is left out of the language:
//!
//! - Modifier letters without a direction, and the digits of Hanifi Rohingya.
//! - Names with both A-labels (`xn--`) and U-labels.
//! - The form in Punycode must not be longer than 63 octets. Labels are bounded by what the least
//!   favourable characters would take, see `U_LABEL`.
//! - A name with U-labels has at most [`NAME_CHARS`] characters and [`U_LABELS`] such labels, which
//!   is within 253 octets.
//! - U-labels are in normalisation form C (RFC 5891, section 4.1). Of combining marks, only those of
//!   the Brahmic scripts of South and South-East Asia are read, where order and composition are told
//!   locally. Names in mail need not be normalised; there, the diacritics U+0300 to U+036F are too.
//! - U+200C between letters that join is read for Arabic letters.

use crate::format::build::Build;
use crate::format::hostname;
use crate::format::u_label::Labels;
use crate::regex::codeset::CodeSet;
use crate::regex::node::NodeId;

/// Characters of a name with U-labels.
const NAME_CHARS: u32 = 64;

/// U-labels of a name.
const U_LABELS: u32 = 3;

/// The full stops that separate labels: RFC 3490, section 3.1.
const SEPARATORS: &str = "[.\u{3002}\u{FF0E}\u{FF61}]";

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
