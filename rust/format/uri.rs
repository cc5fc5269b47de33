//! URIs (RFC 3986) and IRIs (RFC 3987).

use crate::format::address;
use crate::format::build::Build;
use crate::regex::codeset::CodeSet;
use crate::regex::node::NodeId;

/// `ucschar` of RFC 3987, section 2.2, but for the planes from 1 on.
const UCS_CHARS: [(u32, u32); 3] = [(0xA0, 0xD7FF), (0xF900, 0xFDCF), (0xFDF0, 0xFFEF)];

/// `iprivate` of RFC 3987, section 2.2.
const PRIVATE: [(u32, u32); 3] = [
    (0xE000, 0xF8FF),
    (0xF_0000, 0xF_FFFD),
    (0x10_0000, 0x10_FFFD),
];

/// `ucschar` of RFC 3987, section 2.2.
pub(super) fn ucs_chars() -> CodeSet {
    // The last two code points of a plane are no characters; tags (U+E0000) are left out.
    let planes = (1..=13).map(|plane| (plane << 16, (plane << 16) + 0xFFFD));
    CodeSet::new(
        UCS_CHARS
            .into_iter()
            .chain(planes)
            .chain([(0xE_1000, 0xE_FFFD)]),
    )
}

/// `iprivate` of RFC 3987, section 2.2.
pub(super) fn private_chars() -> CodeSet {
    CodeSet::new(PRIVATE)
}

/// `pct-encoded` of RFC 3986, section 2.1.
pub(super) const PERCENT_ENCODED: &str = "%[0-9A-Fa-f]{2}";

/// The characters by which the grammars of URIs and of IRIs differ.
pub(super) struct Charset {
    /// Characters beyond ASCII that may come wherever `unreserved` stands.
    pub(super) unreserved: CodeSet,
    /// Characters beyond ASCII that may come in a query only.
    pub(super) query: CodeSet,
}

impl Charset {
    pub(super) fn ascii() -> Self {
        Charset {
            unreserved: CodeSet::default(),
            query: CodeSet::default(),
        }
    }

    pub(super) fn unicode() -> Self {
        Charset {
            unreserved: ucs_chars(),
            query: private_chars(),
        }
    }
}

/// `URI` of RFC 3986, appendix A, or `IRI` of RFC 3987, section 2.2.
pub(super) fn absolute(build: Build, charset: &Charset) -> NodeId {
    UriSyntax { build, charset }.absolute()
}

/// `URI-reference` of RFC 3986, appendix A, or `IRI-reference` of RFC 3987, section 2.2.
pub(super) fn reference(build: Build, charset: &Charset) -> NodeId {
    let syntax = UriSyntax { build, charset };
    build.or([syntax.absolute(), syntax.relative()])
}

struct UriSyntax<'a> {
    build: Build<'a>,
    charset: &'a Charset,
}

impl UriSyntax<'_> {
    /// One character of `unreserved`, `pct-encoded`, `sub-delims`, or of `more`.
    fn char(&self, more: &str) -> NodeId {
        self.char_or(more, &CodeSet::default())
    }

    fn char_or(&self, more: &str, set: &CodeSet) -> NodeId {
        let regexes = self.build.0;
        self.build.or([
            self.build
                .pattern(&format!(r"[A-Za-z0-9\-._~!$&'()*+,;={more}]")),
            self.build.pattern(PERCENT_ENCODED),
            regexes.class(self.charset.unreserved.union(set)),
        ])
    }

    fn absolute(&self) -> NodeId {
        let rootless = self.segments(self.char(":@"));
        self.build.concat(&[
            self.build.pattern(r"[A-Za-z][A-Za-z0-9+\-.]*:"),
            self.hierarchy(rootless),
            self.query_and_fragment(),
        ])
    }

    fn relative(&self) -> NodeId {
        // `path-noscheme`: a colon in the first segment would end a scheme.
        let no_colon = self.build.0.repeat_between(self.char("@"), 1, None);
        let no_scheme = self.build.concat(&[no_colon, self.path_after_segment()]);
        self.build
            .concat(&[self.hierarchy(no_scheme), self.query_and_fragment()])
    }

    /// `hier-part` or `relative-part`, by the paths that begin without a slash.
    fn hierarchy(&self, without_slash: NodeId) -> NodeId {
        let build = self.build;
        let authority = build.concat(&[
            build.text("//"),
            self.authority(),
            self.path_after_segment(),
        ]);
        let absolute = build.concat(&[
            build.text("/"),
            build.optional(self.segments(self.char(":@"))),
        ]);
        build.or([authority, absolute, without_slash, NodeId::EMPTY])
    }

    /// `segment-nz *( "/" segment )`, by its first character.
    fn segments(&self, first: NodeId) -> NodeId {
        let rest = self.build.star(self.char(":@/"));
        self.build.concat(&[first, rest])
    }

    /// `path-abempty`: `*( "/" segment )`.
    fn path_after_segment(&self) -> NodeId {
        self.build.optional(self.segments(self.build.text("/")))
    }

    /// `[ userinfo "@" ] host [ ":" port ]`. An IPv4 address is also a `reg-name`.
    fn authority(&self) -> NodeId {
        let build = self.build;
        let user = build.concat(&[build.star(self.char(":")), build.text("@")]);
        let version = build.pattern(r"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+");
        let literal = build.concat(&[
            build.text("["),
            build.or([address::ipv6(build), version]),
            build.text("]"),
        ]);
        let host = build.or([literal, build.star(self.char(""))]);
        build.concat(&[build.optional(user), host, build.pattern(r"(?::\d*)?")])
    }

    fn query_and_fragment(&self) -> NodeId {
        let build = self.build;
        let query = build.star(self.char_or(":@/?", &self.charset.query));
        let fragment = build.star(self.char(":@/?"));
        build.concat(&[
            build.optional(build.concat(&[build.text("?"), query])),
            build.optional(build.concat(&[build.text("#"), fragment])),
        ])
    }
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::check;

    #[test]
    fn uris_have_the_parts_of_the_grammar() {
        let absolute = [
            "http://foo.bar/?baz=qux#quux",
            "ftp://ftp.is.co.za/rfc/rfc1808.txt",
            "mailto:a@b.c",
            "tel:+1-816",
            "urn:a:b:c",
            "a:",
            "a+b-c.1:",
            "file:///etc/hosts",
            "file:/etc",
            "http://",
            "http://a:",
            "http://a:80",
            "ldap://[2001:db8::7]/c=GB?x?y",
            "http://[v1.fe:~]:8/",
            "http://a:b:@c",
            "http://%40@%41",
            "http://999.1.1.1/",
            "x:?#",
            "x://@",
        ];
        let relative = [
            "", "/abc", "abc", "#f", "?q", "//a/b", "//", "./a:b", "a/b:c", "a?b:c", "..",
        ];
        let neither = [
            "1:b",
            ":a",
            "http://a b",
            "http://a/\\",
            "a\"",
            "<a>",
            "{a}",
            "a^",
            "a`",
            "a|b",
            "%",
            "%4",
            "%4g",
            "http://a:b/",
            "http://a@b@c",
            "http:/[::1]",
            "http://[::1",
            "http://[::1]a",
            "http://[::01.2.3.4]",
            "http://[fe80::1%25en0]/",
            "#a#b",
            "a[1]",
            "http://[v.a]/",
        ];
        let unicode = [
            "http://ƒøø.ßår/?∂éœ=πîx#πîüx",
            "x:/\u{10300}?\u{F0000}\u{E000}",
        ];
        check(
            Format::Uri,
            &absolute,
            &[&relative[..], &neither, &unicode].concat(),
        );
        check(
            Format::UriReference,
            &[&absolute[..], &relative].concat(),
            &[&neither[..], &unicode].concat(),
        );
        let no_character = [
            "x:/\u{FDD0}",
            "x:\u{FFFE}",
            "x:\u{E000}",
            "x:#\u{E000}",
            "x:\u{80}",
            "x:\u{E0001}",
        ];
        check(
            Format::Iri,
            &[&absolute[..], &unicode].concat(),
            &[&relative[..], &neither, &no_character].concat(),
        );
        check(
            Format::IriReference,
            &[&absolute[..], &relative, &unicode, &["âππ", "#ƒrägmênt"]].concat(),
            &[&neither[..], &no_character].concat(),
        );
    }
}
