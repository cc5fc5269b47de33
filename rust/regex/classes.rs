//! The named sets of code points of ECMA-262: `\d`, `\w`, `\s`, `.` and `\p{…}`.

use regex_syntax::hir::{Class, HirKind};

use crate::regex::codeset::CodeSet;

/// `\d`: the ASCII digits.
pub(crate) fn digit() -> CodeSet {
    CodeSet::new([('0', '9')].map(code_points))
}

/// `\w`: the ASCII letters and digits, and `_`.
pub(crate) fn word() -> CodeSet {
    CodeSet::new([('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')].map(code_points))
}

/// `\s`: WhiteSpace and LineTerminator, which are tab to carriage return, Zs (space and U+00A0
/// among them), U+2028, U+2029 and U+FEFF.
pub(crate) fn space() -> CodeSet {
    CodeSet::new([
        (0x09, 0x0D),
        (0x20, 0x20),
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
        (0xFEFF, 0xFEFF),
    ])
}

/// `.`: everything but a LineTerminator.
pub(crate) fn dot() -> CodeSet {
    CodeSet::new([(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]).complement()
}

/// The set that `\p{text}` stands for, or nothing if there is no such property.
///
/// Names are compared as Unicode recommends (case, spaces and underscores are ignored), and a
/// script may stand alone, where ECMA-262 demands the exact spelling and `Script=`. Surrogates
/// are left out: no text holds them.
pub(crate) fn property(text: &str) -> Option<CodeSet> {
    let plain =
        |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let known = match text.split_once('=') {
        Some((name, value)) => {
            let names = [
                "General_Category",
                "gc",
                "Script",
                "sc",
                "Script_Extensions",
                "scx",
            ];
            names.contains(&name) && plain(value)
        }
        None => plain(text),
    };
    if !known {
        return None;
    }
    if matches!(text.rsplit('=').next(), Some("Cs" | "Surrogate")) {
        return Some(CodeSet::default());
    }
    let hir = regex_syntax::parse(&format!(r"\p{{{text}}}")).ok()?;
    let ranges = match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class.ranges().to_vec(),
        // A set of one code point is simplified to a literal.
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            return Some(CodeSet::single(c.into()));
        }
        _ => return None,
    };
    Some(CodeSet::new(
        ranges.iter().map(|r| code_points((r.start(), r.end()))),
    ))
}

fn code_points((lo, hi): (char, char)) -> (u32, u32) {
    (lo.into(), hi.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_what_ecmascript_lists() {
        for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let listed = c == '\u{FEFF}' || (c.is_whitespace() && c != '\u{85}');
            assert_eq!(space().contains(c.into()), listed, "{c:?}");
        }
    }

    #[test]
    fn properties_hold_what_they_name() {
        for (text, inside, outside) in [
            ("Lu", "AÄΩ", "aä1"),
            ("L", "aÄΩж", "1 _"),
            ("Letter", "aÄΩж", "1 _"),
            ("gc=Nd", "1٣", "a½"),
            ("General_Category=Decimal_Number", "1٣", "a½"),
            ("Script=Greek", "αΩ", "aж"),
            ("sc=Cyrillic", "жЯ", "aΩ"),
            ("Script_Extensions=Deva", "अ\u{964}", "aΩ"),
            ("scx=Grek", "αΩ", "aж"),
            ("Alphabetic", "aΩ", "1 "),
            ("White_Space", " \u{3000}", "a"),
            ("Emoji_Presentation", "😀", "a1"),
            ("ASCII", "a\0", "é"),
            ("Zl", "\u{2028}", "\u{2029}"),
            ("Cs", "", "a\u{D7FF}"),
        ] {
            let set = property(text).expect(text);
            assert!(inside.chars().all(|c| set.contains(c.into())), "{text}");
            assert!(!outside.chars().any(|c| set.contains(c.into())), "{text}");
        }
    }

    #[test]
    fn other_names_are_no_properties() {
        for text in [
            "",
            "^L",
            "Elvish",
            "Block=Thai",
            "Age=6.0",
            "Script=",
            "sc!=Greek",
            "L}a{L",
        ] {
            assert_eq!(property(text), None, "{text}");
        }
    }
}
