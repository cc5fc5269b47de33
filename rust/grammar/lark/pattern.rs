//! Regular expressions between slashes.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use crate::regex::Ast;
use crate::regex::codeset::CodeSet;

/// A pattern in the syntax of ECMA-262, whose dot is every character but the line feed, or with
/// `dot_all` every character.
pub(super) fn ecmascript(pattern: &str, dot_all: bool) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '.' if !in_class => {
                out.push_str(if dot_all { r"[\s\S]" } else { r"[^\n]" });
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Whether a pattern looks beyond its own text.
pub(super) fn looks_around(ast: &Ast) -> bool {
    match ast {
        Ast::Empty | Ast::Class(_) => false,
        Ast::Concat(parts) | Ast::Alternation(parts) => parts.iter().any(looks_around),
        Ast::Repeat { body, .. } => looks_around(body),
        Ast::Start | Ast::End | Ast::WordBoundary { .. } | Ast::Look { .. } => true,
    }
}

/// The pattern in either case.
pub(super) fn fold_case(ast: Ast) -> Ast {
    let all = |parts: Vec<Ast>| parts.into_iter().map(fold_case).collect();
    match ast {
        Ast::Class(set) => Ast::Class(either_case(&set)),
        Ast::Concat(parts) => Ast::Concat(all(parts)),
        Ast::Alternation(parts) => Ast::Alternation(all(parts)),
        Ast::Repeat { body, min, max } => Ast::Repeat {
            body: Box::new(fold_case(*body)),
            min,
            max,
        },
        other => other,
    }
}

/// The characters of a set in either case.
pub(super) fn either_case(set: &CodeSet) -> CodeSet {
    let range = |&(lo, hi): &(u32, u32)| {
        Some(ClassUnicodeRange::new(
            char::from_u32(lo)?,
            char::from_u32(hi)?,
        ))
    };
    let mut class = ClassUnicode::new(set.ranges().iter().filter_map(range));
    class.case_fold_simple();
    let ranges = class.ranges().iter();
    CodeSet::new(ranges.map(|r| (u32::from(r.start()), u32::from(r.end()))))
}
