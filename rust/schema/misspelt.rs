//! Names that are no keywords, but that look as if one was meant.

use crate::schema::keyword::Keyword;

/// Common annotations, which need no closer look.
const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "contentEncoding",
    "contentMediaType",
];

/// The keyword that an unknown name is probably meant to be: the same but for case, for one letter,
/// or, in a long name, for two.
pub(super) fn meant(name: &str) -> Option<Keyword> {
    if ANNOTATIONS.contains(&name) || !name.is_ascii() {
        return None;
    }
    let found = letters(name);
    let asserting = Keyword::ALL.iter().copied().filter(|k| k.asserts());
    let near = asserting.filter_map(|keyword| {
        let known = keyword.name();
        if known.eq_ignore_ascii_case(name) {
            return Some((0, keyword));
        }
        let most = match known.len() {
            0..4 => 0,
            4..9 => 1,
            _ => 2,
        };
        // An edit takes a letter away, and brings another.
        let are_apart = |letters: u32| letters.count_ones() as usize > 2 * most;
        let is_near =
            known.len().abs_diff(name.len()) <= most && !are_apart(found ^ letters(known));
        let edits = if is_near {
            edits(known.as_bytes(), name.as_bytes())
        } else {
            usize::MAX
        };
        (edits <= most).then_some((edits, keyword))
    });
    near.min_by_key(|&(edits, _)| edits)
        .map(|(_, keyword)| keyword)
}

/// The letters of a name, as bits. Several letters may share one.
fn letters(name: &str) -> u32 {
    name.bytes().fold(0, |bits, byte| bits | 1 << (byte % 32))
}

/// How many letters are to be put in, taken out, changed or swapped with the next one.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen_and_annotations_are_not() {
        for (name, keyword) in [
            ("maxLenght", Some("maxLength")),
            ("minlength", Some("minLength")),
            ("anyof", Some("anyOf")),
            ("additionalProperty", None),
            ("additonalProperties", Some("additionalProperties")),
            ("patern", Some("pattern")),
            ("enmu", Some("enum")),
            ("requried", Some("required")),
            ("item", Some("items")),
            ("note", None),
            ("title", None),
            ("x-order", None),
            ("propertyOrder", None),
        ] {
            assert_eq!(meant(name).map(Keyword::name), keyword, "{name}");
        }
    }
}
