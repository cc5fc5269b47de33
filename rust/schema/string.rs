//! Keywords for strings: `minLength`, `maxLength`, `pattern`, `format`, and our own `x-spans-of`.

use serde_json::Value;

use crate::error::ErrorKind;
use crate::format::Format;
use crate::regex;
use crate::schema::draft::Draft;
use crate::schema::fault::Fault;
use crate::schema::fields::strings;
use crate::schema::keyword::Keyword;
use crate::schema::model::{StringKeywords, TypeSet};
use crate::schema::reader::SchemaReader;

/// Reads a schema whose `type` is `types`.
pub(super) fn read<'a>(
    reader: &mut SchemaReader<'_, 'a>,
    types: Option<TypeSet>,
) -> Result<StringKeywords, Fault<'a>> {
    use Keyword::{MaxLength, MinLength, Pattern, SpansOf};
    if !reader
        .fields
        .has_any(&[MinLength, MaxLength, Pattern, Keyword::Format, SpansOf])
    {
        return Ok(StringKeywords::default());
    }
    let text = reader.fields.string(Pattern)?;
    let pattern = match reader.fields.get(Pattern).zip(text) {
        Some((at, text)) => pattern(reader, Pattern, text, at)?,
        None => None,
    };
    Ok(StringKeywords {
        min_length: reader.fields.count(MinLength)?,
        max_length: reader.fields.most(MaxLength)?,
        pattern,
        format: format(reader, types)?,
        spans_of: match reader.fields.array(SpansOf)? {
            Some(listed) => Some(strings(listed, SpansOf)?),
            None => None,
        },
    })
}

/// A pattern that `keyword` has at `at`; `None` if it is not supported and left out.
pub(super) fn pattern<'a>(
    reader: &mut SchemaReader<'_, 'a>,
    keyword: Keyword,
    text: &str,
    at: &'a Value,
) -> Result<Option<regex::Ast>, Fault<'a>> {
    let error = match regex::parse(text, reader.loader.limits) {
        Ok(ast) => return Ok(Some(ast)),
        Err(error) => error,
    };
    let mut message = format!("`{}`: {}", keyword.name(), error.message());
    if let Some((line, column)) = error.position() {
        message += &match line {
            1 => format!(", at its character {column}"),
            _ => format!(", at its line {line}, character {column}"),
        };
    }
    match error.kind() {
        ErrorKind::Unsupported => reader.unsupported(at, message).map(|()| None),
        ErrorKind::Limit => Err(Fault::new(ErrorKind::Limit, at, message)),
        _ => Err(Fault::schema(at, message)),
    }
}

/// The format, if it is one that is asserted. All others are annotations, by the specification.
fn format<'a>(
    reader: &mut SchemaReader<'_, 'a>,
    types: Option<TypeSet>,
) -> Result<Option<Format>, Fault<'a>> {
    let name = reader.fields.string(Keyword::Format)?;
    let Some((at, name)) = reader.fields.get(Keyword::Format).zip(name) else {
        return Ok(None);
    };
    let format = match Format::named(name) {
        // A-labels are younger.
        Some(Format::Hostname) if reader.draft().is_some_and(|draft| draft <= Draft::V6) => {
            Some(Format::PlainHostname)
        }
        format => format,
    };
    // Formats of numbers, such as `int32`, are not warned about: nobody expects them to constrain
    // strings.
    let concerns_strings = types.is_none_or(|types| types.has(TypeSet::STRING));
    if format.is_none() && concerns_strings {
        let message = format!("`format` {name:?} is not one of JSON Schema: ignored");
        reader.warn(at, message);
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::schema::testing::{assert_errors, assert_invalid, leniently, loaded};

    #[test]
    fn lengths_and_pattern() {
        let model = loaded(r#"{"minLength": 1, "maxLength": 5, "pattern": "^a+$"}"#);
        let string = &model.top().string;
        assert_eq!((string.min_length, string.max_length), (Some(1), Some(5)));
        assert!(string.pattern.is_some());
        assert!(loaded("{}").top().string.pattern.is_none());
    }

    #[test]
    fn formats() {
        use crate::format::Format;
        let format = |text: &str| loaded(text).top().string.format;
        assert_eq!(format(r#"{"format": "ipv4"}"#), Some(Format::Ipv4));
        assert_eq!(format(r#"{"type": "number", "format": "int32"}"#), None);
        assert_invalid(&[(r#"{"format": 5}"#, "/format", "must be a string")]);
        let model = loaded(
            r#"{"items": {"format": "int32"}, "format": "a/b",
                "contains": {"format": "int32", "type": "integer"}}"#,
        );
        let pointers: Vec<_> = model.warnings.iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/items/format", "/format"]);
        assert!(model.warnings[0].1.contains("int32"));
    }

    #[test]
    fn patterns_that_cannot_be_read() {
        let deep = format!(
            r#"{{"pattern": "{}a{}"}}"#,
            "(".repeat(500),
            ")".repeat(500)
        );
        assert_invalid(&[
            (
                r#"{"properties": {"a": {"pattern": "a("}}}"#,
                "/properties/a/pattern",
                "character",
            ),
            (r#"{"pattern": ["a"]}"#, "/pattern", "must be a string"),
        ]);
        assert_errors(ErrorKind::Limit, &[(&deep, "/pattern", "`pattern`")]);
        let unsupported = r#"{"pattern": "(a)\\1"}"#;
        assert_errors(
            ErrorKind::Unsupported,
            &[(unsupported, "/pattern", "reference")],
        );
        let model = leniently(unsupported);
        assert!(model.top().string.pattern.is_none());
        assert_eq!(model.warnings[0].0, "/pattern");
    }
}
