//! Names of hosts in ASCII.

use crate::format::a_label::a_label;
use crate::format::build::Build;
use crate::format::u_label::{Direction, LABEL_OCTETS};
use crate::regex::node::NodeId;

/// Octets of a name, without a final dot: RFC 1123, section 2.1, and RFC 1035, section 2.3.4.
pub(super) const NAME_OCTETS: u32 = 253;

/// A host name of RFC 1123, section 2.1: labels of letters, digits and inner hyphens.
///
/// Labels with hyphens in the third and fourth position are reserved (RFC 5891, section 4.2.3.1).
/// Of those, the standard knows the A-labels, which are valid here, too.
pub(super) fn hostname(build: Build) -> NodeId {
    name(build, build.text("."))
}

/// A host name of RFC 1034, section 3.1, as RFC 1123 has it: any letters, digits and inner hyphens.
pub(super) fn plain(build: Build) -> NodeId {
    let edge = build.pattern("[A-Za-z0-9]");
    let inner = build
        .0
        .repeat_between(build.pattern("[A-Za-z0-9-]"), 0, Some(LABEL_OCTETS - 2));
    let label = build.concat(&[edge, build.optional(build.concat(&[inner, edge]))]);
    build.at_most(NAME_OCTETS, build.list(label, build.text(".")))
}

/// A name in ASCII with labels between separators.
///
/// RFC 5893, section 2: if one label is written from right to left, all labels must obey the rules
/// for such names. Left-to-right labels do if they begin with a letter. So as long as all labels
/// begin with an ASCII letter, any label may follow, and after a right-to-left A-label only labels
/// that obey. A left-to-right A-label mostly begins with a letter, too, but which do is not told
/// apart: such labels and right-to-left ones never share a name here.
pub(super) fn name(build: Build, separator: NodeId) -> NodeId {
    let letter_first = label_from(build, "[A-Za-z]");
    let left_to_right = build.or([
        label_from(build, "[0-9]"),
        a_label(build, Direction::LeftToRight),
    ]);
    let right_to_left = a_label(build, Direction::RightToLeft);
    let more = |label| build.star(build.concat(&[separator, label]));
    let decided = build.or([
        build.concat(&[left_to_right, more(build.or([letter_first, left_to_right]))]),
        build.concat(&[right_to_left, more(build.or([letter_first, right_to_left]))]),
    ]);
    let then_decided = build.optional(build.concat(&[separator, decided]));
    let undecided = build.concat(&[letter_first, more(letter_first), then_decided]);
    build.at_most(NAME_OCTETS, build.or([undecided, decided]))
}

/// A label of letters, digits and inner hyphens, without hyphens in third and fourth position.
pub(super) fn label(build: Build) -> NodeId {
    label_from(build, "[A-Za-z0-9]")
}

/// A label of letters, digits and inner hyphens, without hyphens in third and fourth position,
/// whose `first` character is of this pattern.
fn label_from(build: Build, first: &str) -> NodeId {
    let edge = build.pattern("[A-Za-z0-9]");
    let hyphen = build.text("-");
    // Of at most `max` characters, the last no hyphen.
    let some = |max: u32| {
        let inner = build.pattern("[A-Za-z0-9-]");
        build.concat(&[build.0.repeat_between(inner, 0, Some(max - 1)), edge])
    };
    let maybe_some = |max| build.optional(some(max));
    let from_third = build.or([
        build.concat(&[edge, maybe_some(LABEL_OCTETS - 3)]),
        build.concat(&[hyphen, edge, maybe_some(LABEL_OCTETS - 4)]),
    ]);
    let from_second = build.or([
        build.concat(&[edge, build.optional(from_third)]),
        build.concat(&[hyphen, from_third]),
    ]);
    build.concat(&[build.pattern(first), build.optional(from_second)])
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::{check, reader};

    /// All names of up to six characters, by the definition.
    #[test]
    fn labels_are_letters_digits_and_inner_hyphens() {
        let is_name = reader(Format::Hostname);
        let mut names = vec![String::new()];
        for _ in 0..6 {
            let longer = names
                .iter()
                .flat_map(|name| ["a", "-", "."].map(|c| format!("{name}{c}")));
            names = longer.collect();
            for name in &names {
                let expected = name.split('.').all(|label| {
                    let reserved = label.len() > 3 && &label[2..4] == "--";
                    !label.is_empty()
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && !reserved
                });
                assert_eq!(is_name(name), expected, "{name}");
            }
        }
    }

    #[test]
    fn older_drafts_reserve_nothing() {
        let label = "a".repeat(63);
        let valid = [
            "ab--cd.example",
            "xn--X",
            "1host",
            "a",
            "a.b",
            "A-1",
            &label,
        ];
        let invalid = [
            "",
            ".",
            "a.",
            "-a",
            "a-",
            "a_b",
            "a..b",
            "\u{E4}",
            &format!("{label}a"),
        ];
        check(Format::PlainHostname, &valid, &invalid);
        let name = format!("{label}.{label}.{label}.{}", &label[..61]);
        check(Format::PlainHostname, &[&name], &[&format!("{name}a")]);
    }

    #[test]
    fn labels_and_names_are_bounded() {
        let (label, longer) = ("a".repeat(63), "a".repeat(64));
        let name = format!("{label}.{label}.{label}.{}", &label[..61]);
        let too_long = format!("{name}a");
        let hyphens = format!("a-{}-a", "-a".repeat(29));
        check(
            Format::Hostname,
            &[&label, &name, &hyphens],
            &[&longer, &too_long],
        );
    }

    #[test]
    fn names_are_ascii() {
        let valid = [
            "www.example.com",
            "1host",
            "h0stn4me",
            "XN-a",
            "A.B",
            "1.2.3.4",
        ];
        let invalid = [
            "",
            "example.",
            "host_name",
            "a b",
            "ex\u{E4}mple",
            "\u{212A}elvin",
            "a\u{FF0E}b",
            "a\n",
            "xn--X",
            "ab--c",
        ];
        check(Format::Hostname, &valid, &invalid);
    }
}
