//! Keywords for numbers: `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf`.

use std::cmp::Ordering;

use serde_json::Value;

use crate::decimal::Decimal;
use crate::error::ErrorKind;
use crate::schema::fault::Fault;
use crate::schema::fields::wrong;
use crate::schema::keyword::Keyword;
use crate::schema::model::NumberKeywords;
use crate::schema::reader::SchemaReader;

pub(super) fn read<'a>(reader: &SchemaReader<'_, 'a>) -> Result<NumberKeywords, Fault<'a>> {
    use Keyword::{ExclusiveMaximum, ExclusiveMinimum, Maximum, Minimum, MultipleOf};
    const ALL: [Keyword; 5] = [
        Minimum,
        Maximum,
        ExclusiveMinimum,
        ExclusiveMaximum,
        MultipleOf,
    ];
    if !reader.fields.has_any(&ALL) {
        return Ok(NumberKeywords::default());
    }
    let multiple_of = decimal(reader, MultipleOf)?;
    if let Some(value) = reader.fields.get(MultipleOf)
        && multiple_of
            .as_ref()
            .is_some_and(|d| d.is_zero() || d.negative)
    {
        return Err(wrong(value, MultipleOf, "greater than 0"));
    }
    Ok(NumberKeywords {
        lower: bound(reader, Minimum, ExclusiveMinimum, Ordering::Greater)?,
        upper: bound(reader, Maximum, ExclusiveMaximum, Ordering::Less)?,
        multiple_of,
    })
}

/// The tighter of a bound and its exclusive form. In draft 4 that form is a boolean, which excludes
/// the bound itself; it is unmistakable, so all drafts read both forms.
fn bound<'a>(
    reader: &SchemaReader<'_, 'a>,
    inclusive: Keyword,
    exclusive: Keyword,
    tighter: Ordering,
) -> Result<Option<(Decimal, bool)>, Fault<'a>> {
    let limit = decimal(reader, inclusive)?;
    if let Some(&Value::Bool(excluded)) = reader.fields.get(exclusive) {
        return Ok(limit.map(|limit| (limit, excluded)));
    }
    Ok(match (limit, decimal(reader, exclusive)?) {
        (Some(limit), Some(excluded)) if limit.cmp(&excluded) == tighter => Some((limit, false)),
        (_, Some(excluded)) => Some((excluded, true)),
        (limit, None) => limit.map(|limit| (limit, false)),
    })
}

fn decimal<'a>(
    reader: &SchemaReader<'_, 'a>,
    keyword: Keyword,
) -> Result<Option<Decimal>, Fault<'a>> {
    let decimal = reader.fields.decimal(keyword)?;
    let cap = reader.loader.limits.number_digits;
    match (reader.fields.get(keyword), &decimal) {
        (Some(value), Some(number)) if number.plain(cap).is_none() => {
            let message = format!("`{}` has more than {cap} digits", keyword.name());
            Err(Fault::new(ErrorKind::Limit, value, message))
        }
        _ => Ok(decimal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{assert_errors, assert_invalid, loaded};

    #[test]
    fn the_tighter_bound_wins() {
        type Bound<'a> = Option<(&'a str, bool)>;
        let cases: &[(&str, Bound<'_>, Bound<'_>)] = &[
            ("{}", None, None),
            (
                r#"{"minimum": 1, "maximum": 2}"#,
                Some(("1", false)),
                Some(("2", false)),
            ),
            (
                r#"{"exclusiveMinimum": 1, "exclusiveMaximum": 2}"#,
                Some(("1", true)),
                Some(("2", true)),
            ),
            (
                r#"{"minimum": 1, "exclusiveMinimum": 0.5}"#,
                Some(("1", false)),
                None,
            ),
            (
                r#"{"minimum": 1, "exclusiveMinimum": 1.0}"#,
                Some(("1", true)),
                None,
            ),
            (
                r#"{"minimum": 1, "exclusiveMinimum": 2}"#,
                Some(("2", true)),
                None,
            ),
            (
                r#"{"maximum": 1, "exclusiveMaximum": 2}"#,
                None,
                Some(("1", false)),
            ),
            (
                r#"{"maximum": 2, "exclusiveMaximum": -1}"#,
                None,
                Some(("-1", true)),
            ),
            (
                r#"{"maximum": 2, "exclusiveMaximum": true}"#,
                None,
                Some(("2", true)),
            ),
            (
                r#"{"minimum": 2, "exclusiveMinimum": false}"#,
                Some(("2", false)),
                None,
            ),
            (r#"{"exclusiveMinimum": true}"#, None, None),
            (
                r#"{"maximum": 123456789012345678901234567890.12345678901234567890}"#,
                None,
                Some(("123456789012345678901234567890.1234567890123456789", false)),
            ),
        ];
        let decimal = |bound: Bound<'_>| bound.map(|(d, open)| (Decimal::parse(d).unwrap(), open));
        for &(text, lower, upper) in cases {
            let model = loaded(text);
            let number = &model.top().number;
            assert_eq!(number.lower, decimal(lower), "{text}");
            assert_eq!(number.upper, decimal(upper), "{text}");
        }
    }

    #[test]
    fn multiple_of_is_exact_and_positive() {
        let model = loaded(r#"{"multipleOf": 1e-2}"#);
        assert_eq!(model.top().number.multiple_of, Decimal::parse("0.01"));
        assert_invalid(&[
            (
                r#"{"multipleOf": 0}"#,
                "/multipleOf",
                "greater than 0, not 0",
            ),
            (r#"{"multipleOf": -0.5}"#, "/multipleOf", "greater than 0"),
            (r#"{"multipleOf": "2"}"#, "/multipleOf", "a number"),
            (
                r#"{"items": {"minimum": null}}"#,
                "/items/minimum",
                "a number, not null",
            ),
            (
                r#"{"exclusiveMaximum": "yes"}"#,
                "/exclusiveMaximum",
                "a number",
            ),
        ]);
    }

    #[test]
    fn numbers_are_capped() {
        let long = format!(r#"{{"maximum": {}}}"#, "9".repeat(1001));
        assert_errors(
            ErrorKind::Limit,
            &[
                (&long, "/maximum", "1000 digits"),
                (r#"{"minimum": 1e1000000}"#, "/minimum", "1000 digits"),
                (
                    r#"{"multipleOf": 1e-2000000000}"#,
                    "/multipleOf",
                    "1000 digits",
                ),
                (r#"{"minimum": 1e2147483648}"#, "/minimum", "exponent"),
            ],
        );
        assert!(
            loaded(r#"{"maximum": 1.7976931348623157e308}"#)
                .top()
                .number
                .upper
                .is_some()
        );
    }
}
