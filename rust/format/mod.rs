//! The values of the keyword `format` that JSON Schema defines, as languages of text.
//!
//! Each language is exactly what the standard of the format defines, or smaller: where a rule is
//! not regular, or too large as an automaton, what cannot be told to be valid is left out, and the
//! format's function says so.

mod a_label;
mod address;
mod build;
mod char_class;
mod email;
mod hostname;
mod idna;
mod idna_tables;
mod leap_second;
mod ordered;
mod pattern;
mod pointer;
mod property_names;
mod punycode;
mod template;
#[cfg(test)]
mod testing;
mod time;
mod u_label;
mod uri;

use crate::format::build::Build;
use crate::format::uri::Charset;
use crate::regex::node::NodeId;
use crate::regex::regexes::Regexes;

/// A format that is asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]

pub(crate) enum Format {
    DateTime,
    Date,
    Time,
    Duration,
    Email,
    IdnEmail,
    Hostname,
    /// The `hostname` of drafts 4 and 6, which know nothing of A-labels.
    PlainHostname,
    IdnHostname,
    Ipv4,
    Ipv6,
    Uri,
    UriReference,
    Iri,
    IriReference,
    UriTemplate,
    Uuid,
    JsonPointer,
    RelativeJsonPointer,
    Regex,
}

impl Format {
    /// The format of a name; `None` for names that JSON Schema does not define.
    pub(crate) fn named(name: &str) -> Option<Format> {
        Some(match name {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "time" => Format::Time,
            "duration" => Format::Duration,
            "email" => Format::Email,
            "idn-email" => Format::IdnEmail,
            "hostname" => Format::Hostname,
            "idn-hostname" => Format::IdnHostname,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "uri" => Format::Uri,
            "uri-reference" => Format::UriReference,
            "iri" => Format::Iri,
            "iri-reference" => Format::IriReference,
            "uri-template" => Format::UriTemplate,
            "uuid" => Format::Uuid,
            "json-pointer" => Format::JsonPointer,
            "relative-json-pointer" => Format::RelativeJsonPointer,
            "regex" => Format::Regex,
            _ => return None,
        })
    }

    /// The texts that have the format.
    pub(crate) fn language(self, regexes: &Regexes) -> NodeId {
        let build = Build(regexes);
        match self {
            Format::DateTime => time::date_time(build),
            Format::Date => time::date(build),
            Format::Time => time::time(build),
            Format::Duration => time::duration(build),
            Format::Email => email::email(build),
            Format::IdnEmail => email::idn_email(build),
            Format::Hostname => hostname::hostname(build),
            Format::PlainHostname => hostname::plain(build),
            Format::IdnHostname => idna::hostname(build),
            Format::Ipv4 => address::ipv4(build),
            Format::Ipv6 => address::ipv6(build),
            Format::Uri => uri::absolute(build, &Charset::ascii()),
            Format::UriReference => uri::reference(build, &Charset::ascii()),
            Format::Iri => uri::absolute(build, &Charset::unicode()),
            Format::IriReference => uri::reference(build, &Charset::unicode()),
            Format::UriTemplate => template::uri_template(build),
            // RFC 4122, section 3, of any version and variant.
            Format::Uuid => build.pattern("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
            Format::JsonPointer => pointer::json_pointer(build),
            Format::RelativeJsonPointer => pointer::relative_json_pointer(build),
            Format::Regex => pattern::regex(build),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::check;
    use crate::regex::node::Spelling;

    /// Each format with its shortest text.
    const FORMATS: [(&str, u32); 19] = [
        ("date-time", 20),
        ("date", 10),
        ("time", 9),
        ("duration", 3),
        ("email", 3),
        ("idn-email", 3),
        ("hostname", 1),
        ("idn-hostname", 1),
        ("ipv4", 7),
        ("ipv6", 2),
        ("uri", 2),
        ("uri-reference", 0),
        ("iri", 2),
        ("iri-reference", 0),
        ("uri-template", 0),
        ("uuid", 36),
        ("json-pointer", 0),
        ("relative-json-pointer", 1),
        ("regex", 0),
    ];

    #[test]
    fn other_names_are_unknown() {
        for name in ["", "Date", "url", "int32", "unknown"] {
            assert_eq!(Format::named(name), None);
        }
    }

    #[test]
    fn uuids_are_of_any_version_and_case() {
        let valid = [
            "2eb8aa08-AA98-11ea-b4Aa-73B441D16380",
            "00000000-0000-0000-0000-000000000000",
        ];
        let invalid = [
            "",
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
            "2eb8aa08aa9811eab4aa73b441d16380",
            "2eb8aa08-aa98-11ea-b4ga-73b441d16380",
            "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}",
            "urn:uuid:2eb8aa08-aa98-11ea-b4aa-73b441d16380",
        ];
        check(Format::Uuid, &valid, &invalid);
    }

    #[test]
    fn whether_a_text_is_possible_is_found_out() {
        for (name, shortest) in FORMATS {
            let regexes = Regexes::new();
            let language = Format::named(name).expect(name).language(&regexes);
            assert_eq!(regexes.cost(language, Spelling::Json), shortest, "{name}");
            for (min, max) in [(0, 20), (0, 100), (1, 255), (30, 40)] {
                let length = regexes.repeat(NodeId::CHAR, min, max);
                let found = regexes.is_live(regexes.and(vec![language, length]));
                let fixed = [("date", 10), ("ipv4", 15), ("uuid", 36)];
                let range = fixed.iter().find(|(fixed, _)| *fixed == name);
                let expected = max >= shortest && range.is_none_or(|&(_, longest)| min <= longest);
                assert_eq!(found, expected, "{name} {min} {max}");
            }
            assert!(regexes.is_live(regexes.not(language)), "{name}");
        }
    }

    #[test]
    fn states_stay_few() {
        for (name, unit, most) in [
            ("uri", "http://user:pw@example.com:80/a/b?c=%20#d", 100),
            ("iri-reference", "a/b?c=é#d", 100),
            ("uri-template", "/a/{b*,c:3}{?d}", 100),
            ("json-pointer", "/a~0b/~1", 20),
            ("regex", r"^(?:[a-z0-9_]+-\d{2,3}|(?<n>\.x)?)*$", 3000),
            ("duration", "P1Y2M3DT4H5M6S", 100),
        ] {
            let regexes = Regexes::new();
            let language = Format::named(name).expect(name).language(&regexes);
            let before = regexes.len();
            let end = unit
                .chars()
                .fold(language, |at, c| regexes.step(at, c.into()));
            assert!(regexes.nullable(end), "{name}");
            let made = regexes.len() - before;
            assert!(made < most, "{name} {made}");
        }
    }

    #[test]
    fn states_recur_in_long_texts() {
        for (name, start, unit) in [
            ("uri", "x:", "/a%20b"),
            ("iri", "x:", "/é"),
            ("uri-template", "", "a{b,c}"),
            ("json-pointer", "", "/a~0b"),
            ("regex", "", r"(?:[a-z]+\.|b{2,3})*"),
            ("time", "12:34:56.", "789"),
        ] {
            let regexes = Regexes::new();
            let language = Format::named(name).expect(name).language(&regexes);
            let read = |from: NodeId, text: &str| {
                text.chars().fold(from, |at, c| regexes.step(at, c.into()))
            };
            let at = read(language, &format!("{start}{}", unit.repeat(4)));
            let before = regexes.len();
            assert_ne!(read(at, &unit.repeat(200)), NodeId::NEVER, "{name}");
            assert_eq!(regexes.len(), before, "{name}");
        }
    }
}
