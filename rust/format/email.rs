//! Mailboxes: RFC 5321 and its extension to Unicode, RFC 6531.

use crate::format::address;
use crate::format::build::Build;
use crate::format::hostname;
use crate::format::idna;
use crate::regex::codeset::{CodeSet, MAX};
use crate::regex::node::NodeId;

/// Octets of what stands before the `@`: RFC 5321, section 4.5.3.1.1.
const LOCAL_OCTETS: usize = 64;

/// `atext` of RFC 5322, section 3.2.3.
const ATOM: &str = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]";
/// `qtextSMTP` of RFC 5321, section 4.1.2.
const QUOTED: &str = r"[ !#-[\]-~]";
/// `quoted-pairSMTP` of RFC 5321, section 4.1.2.
const QUOTED_PAIR: &str = r"\\[ -~]";

/// `Mailbox` of RFC 5321, section 4.1.2. Its domain is a host name as `hostname` has them.
pub(super) fn email(build: Build) -> NodeId {
    let local = local_part(build, CodeSet::default());
    let local = build.at_most(LOCAL_OCTETS as u32, local);
    mailbox(build, local, hostname::hostname(build))
}

/// `Mailbox` of RFC 6531, section 3.3: Unicode in the local part and in the labels of the domain,
/// which need not be normalised.
pub(super) fn idn_email(build: Build) -> NodeId {
    let local = local_part(build, CodeSet::new([(0x80, MAX)]));
    let local = build.and([local, utf8_at_most(build, LOCAL_OCTETS)]);
    mailbox(build, local, idna::domain(build))
}

fn mailbox(build: Build, local: NodeId, domain: NodeId) -> NodeId {
    // In mail, `::` stands for two groups or more.
    let ipv6 = build.concat(&[
        build.pattern("[Ii][Pp][Vv]6:"),
        address::ipv6_with(build, 2),
    ]);
    let literal = build.concat(&[
        build.text("["),
        build.or([address::ipv4(build), ipv6]),
        build.text("]"),
    ]);
    build.concat(&[local, build.text("@"), build.or([domain, literal])])
}

/// `Local-part`, with `more` characters in atoms and between quotes.
fn local_part(build: Build, more: CodeSet) -> NodeId {
    let more = build.0.class(more);
    let atom = build
        .0
        .repeat_between(build.or([build.pattern(ATOM), more]), 1, None);
    let quoted = build.or([build.pattern(QUOTED), build.pattern(QUOTED_PAIR), more]);
    let quote = build.text("\"");
    build.or([
        build.list(atom, build.text(".")),
        build.concat(&[quote, build.star(quoted), quote]),
    ])
}

/// The texts of at most `octets` bytes in UTF-8.
fn utf8_at_most(build: Build, octets: usize) -> NodeId {
    let widths = [
        ((0, 0x7F), 1),
        ((0x80, 0x7FF), 2),
        ((0x800, 0xFFFF), 3),
        ((0x1_0000, MAX), 4),
    ];
    build.weighing(
        &widths.map(|(range, width)| (build.0.class(CodeSet::new([range])), width)),
        octets,
    )
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::check;

    #[test]
    fn mailboxes_have_a_local_part_and_a_domain() {
        let valid = [
            "joe.bloggs@example.com",
            "~!#$%&'*+-/=?^_`{|}@a",
            "a@localhost",
            r#""joe bloggs"@a.b"#,
            r#""a..b@\" \\"@a"#,
            r#"""@a"#,
            "a@[127.0.0.1]",
            "a@[IPv6:::1]",
            "a@[ipv6:1:2:3:4:5:6:1.2.3.4]",
        ];
        let invalid = [
            "",
            "2962",
            "@a",
            "a@",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a b@c",
            "a@b c",
            "a@b@c",
            "a,b@c",
            "a@-b",
            "a@b_c",
            r#""a"b@c"#,
            r#""a@b"#,
            r#""a\"@b"#,
            "a@[1.2.3]",
            "a@[127.0.0.300]",
            "a@[::1]",
            "a@[IPv6:1:2:3:4:5:6:7::]",
            "A <a@b.c>",
            "a@b.c, d@e.f",
            "a@b\n",
        ];
        check(
            Format::Email,
            &[&valid[..], &[]].concat(),
            &[&invalid[..], &["é@a", "a@é"]].concat(),
        );
        let unicode = [
            "실례@실례.테스트",
            "δοκιμή@example.com",
            "\"δ οκ\"@a",
            "a@cafe\u{301}.com",
            "\u{85}\u{FFFF}@a",
        ];
        check(
            Format::IdnEmail,
            &[&valid[..], &unicode].concat(),
            &[&invalid[..], &["a\u{FF20}b"]].concat(),
        );
    }

    #[test]
    fn local_parts_are_bounded_in_octets() {
        let of = |c: &str, count| format!("{}@a.b", c.repeat(count));
        check(Format::Email, &[&of("a", 64)], &[&of("a", 65)]);
        let valid = [("a", 64), ("é", 32), ("한", 21), ("\u{10000}", 16)].map(|(c, n)| of(c, n));
        let invalid = [("a", 65), ("é", 33), ("한", 22), ("\u{10000}", 17)].map(|(c, n)| of(c, n));
        check(
            Format::IdnEmail,
            &valid.each_ref().map(|t| &t[..]),
            &invalid.each_ref().map(|t| &t[..]),
        );
    }
}
