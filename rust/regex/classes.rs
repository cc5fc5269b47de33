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
