//! Addresses of the Internet protocols.

use crate::format::build::Build;
use crate::regex::node::NodeId;

/// The groups of 16 bits of an IPv6 address.
const GROUPS: usize = 8;

/// `dotted-quad`, which RFC 2673, section 3.2, takes from RFC 1123: four decimal bytes, without
/// leading zeros, as `IPv4address` of RFC 3986 has them.
pub(super) fn ipv4(build: Build) -> NodeId {
    let byte = r"(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])";
    build.pattern(&format!(r"{byte}(?:\.{byte}){{3}}"))
}

/// `IPv6address` of RFC 4291, section 2.2; without zone or prefix length.
pub(super) fn ipv6(build: Build) -> NodeId {
    ipv6_with(build, 1)
}

/// An IPv6 address in which `::`, if it comes, stands for at least `gap` groups.
pub(super) fn ipv6_with(build: Build, gap: usize) -> NodeId {
    let parts = AddressParts {
        build,
        group: build.pattern("[0-9A-Fa-f]{1,4}"),
        colon: build.text(":"),
        ipv4: ipv4(build),
    };
    let tails = parts.tails(GROUPS - gap);
    let gap_and = |tail| build.concat(&[parts.colon, parts.colon, tail]);
    // From the last group to the first: what follows after `read` groups.
    let mut rest = NodeId::EMPTY;
    for read in (1..GROUPS).rev() {
        let mut ways = vec![build.concat(&[parts.colon, parts.group, rest])];
        if let Some(left) = (GROUPS - gap).checked_sub(read) {
            ways.push(gap_and(tails[left]));
        }
        if read == GROUPS - 2 {
            ways.push(build.concat(&[parts.colon, parts.ipv4]));
        }
        rest = build.or(ways);
    }
    build.or([
        gap_and(tails[GROUPS - gap]),
        build.concat(&[parts.group, rest]),
    ])
}

struct AddressParts<'a> {
    build: Build<'a>,
    group: NodeId,
    colon: NodeId,
    ipv4: NodeId,
}

impl AddressParts<'_> {
    /// What may follow `::` if it is at most so many groups, for each number from 0 to `most`.
    fn tails(&self, most: usize) -> Vec<NodeId> {
        let build = self.build;
        let mut some = NodeId::NEVER;
        let mut tails = vec![NodeId::EMPTY];
        for groups in 1..=most {
            let more = build.concat(&[self.colon, some]);
            let mut ways = vec![build.concat(&[self.group, build.optional(more)])];
            if groups >= 2 {
                ways.push(self.ipv4);
            }
            some = build.or(ways);
            tails.push(build.optional(some));
        }
        tails
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use crate::format::Format;
    use crate::format::testing::{check, reader};

    #[test]
    fn addresses_have_no_decoration() {
        let valid = ["0.0.0.0", "255.255.255.255", "192.168.0.1", "10.20.30.249"];
        let invalid = [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "01.2.3.4",
            "1.2.3.4/8",
            " 1.2.3.4",
            "1..2.3",
            "0x7f.0.0.1",
            "1.2.3.\u{9EA}",
            "1.2.3.4\n",
        ];
        check(Format::Ipv4, &valid, &invalid);
        let valid = [
            "::",
            "::1",
            "d6::",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
        ];
        let invalid = [
            "",
            ":",
            ":::",
            "1::2::3",
            "12345::",
            "::1.2.3",
            "::01.2.3.4",
            "fe80::1%eth0",
            "::1/64",
            "[::1]",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8",
            "1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
        ];
        check(Format::Ipv6, &valid, &invalid);
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        let (is_ipv4, is_ipv6) = (reader(Format::Ipv4), reader(Format::Ipv6));
        let config = ProptestConfig {
            cases: 2000,
            failure_persistence: None,
            ..Default::default()
        };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let parts = prop::sample::select(vec![
            ":", ":", ":", "::", ".", "0", "1", "25", "256", "f00", "abcde", "1.2.3.4",
        ]);
        let texts = prop::collection::vec(parts, 1..18).prop_map(|parts| parts.concat());
        let outcome = runner.run(&texts, |text| {
            prop_assert_eq!(is_ipv6(&text), text.parse::<Ipv6Addr>().is_ok());
            prop_assert_eq!(is_ipv4(&text), text.parse::<Ipv4Addr>().is_ok());
            Ok(())
        });
        outcome.expect("the same addresses");
        for groups in 0..=9 {
            for gap in 0..=groups {
                let (before, after) = (vec!["a1"; gap], vec!["b2"; groups - gap]);
                for tail in ["", ":1.2.3.4", "1.2.3.4"] {
                    let text = format!("{}::{}{tail}", before.join(":"), after.join(":"));
                    assert_eq!(is_ipv6(&text), text.parse::<Ipv6Addr>().is_ok(), "{text}");
                }
            }
        }
    }
}
