//! Keywords for strings: `minLength`, `maxLength`, `pattern`.

use crate::error::Kind;
use crate::regex;
use crate::schema::fault::Fault;
use crate::schema::keyword::Keyword;
use crate::schema::load::Reader;
use crate::schema::model::StringKeywords;

pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>) -> Result<StringKeywords, Fault<'a>> {
    Ok(StringKeywords {
        min_length: reader.fields.count(Keyword::MinLength)?,
        max_length: reader.fields.count(Keyword::MaxLength)?,
        pattern: pattern(reader)?,
        format: None,
    })
}

fn pattern<'a>(reader: &mut Reader<'_, 'a>) -> Result<Option<regex::Ast>, Fault<'a>> {
    let at = reader.fields.get(Keyword::Pattern);
    let (Some(at), Some(pattern)) = (at, reader.fields.string(Keyword::Pattern)?) else {
        return Ok(None);
    };
    let error = match regex::parse(pattern, reader.loader.limits) {
        Ok(ast) => return Ok(Some(ast)),
        Err(error) => error,
    };
    let mut message = format!("`pattern`: {}", error.message());
    if let Some((line, column)) = error.position() {
        message += &match line {
            1 => format!(", at its character {column}"),
            _ => format!(", at its line {line}, character {column}"),
        };
    }
    match error.kind() {
        Kind::Unsupported => reader.unsupported(at, message).map(|()| None),
        Kind::Limit => Err(Fault::new(Kind::Limit, at, message)),
        _ => Err(Fault::schema(at, message)),
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Kind;
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
        assert_errors(Kind::Limit, &[(&deep, "/pattern", "`pattern`")]);
        let unsupported = r#"{"pattern": "(a)\\1"}"#;
        assert_errors(Kind::Unsupported, &[(unsupported, "/pattern", "reference")]);
        let model = leniently(unsupported);
        assert!(model.top().string.pattern.is_none());
        assert_eq!(model.warnings[0].0, "/pattern");
    }
}
