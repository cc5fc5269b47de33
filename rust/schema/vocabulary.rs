//! The vocabularies into which drafts 2019-09 and 2020-12 sort their keywords.

use crate::schema::keyword::Keyword;

/// The bits of keywords that stay whatever vocabularies there are: the core, which is not optional,
/// and what is older than vocabularies.
pub(super) const ALWAYS: u64 = {
    use Keyword::*;
    bits(&[
        Ref,
        RecursiveRef,
        DynamicRef,
        Schema,
        Id,
        OldId,
        Anchor,
        DynamicAnchor,
        RecursiveAnchor,
        Defs,
        Definitions,
        Nullable,
        SpansOf,
    ])
};

const APPLICATOR: &[Keyword] = {
    use Keyword::*;
    &[
        Items,
        PrefixItems,
        AdditionalItems,
        Contains,
        Properties,
        AdditionalProperties,
        PatternProperties,
        PropertyNames,
        Dependencies,
        DependentSchemas,
        AllOf,
        AnyOf,
        OneOf,
        Not,
        If,
        Then,
        Else,
    ]
};

const UNEVALUATED: &[Keyword] = &[Keyword::UnevaluatedItems, Keyword::UnevaluatedProperties];

const VALIDATION: &[Keyword] = {
    use Keyword::*;
    &[
        Type,
        Enum,
        Const,
        MinLength,
        MaxLength,
        Pattern,
        Minimum,
        Maximum,
        ExclusiveMinimum,
        ExclusiveMaximum,
        MultipleOf,
        MinItems,
        MaxItems,
        UniqueItems,
        MinContains,
        MaxContains,
        Required,
        MinProperties,
        MaxProperties,
        DependentRequired,
    ]
};

/// The bits of the keywords of a vocabulary.
pub(super) fn keywords(uri: &str) -> Option<u64> {
    let name = uri.strip_prefix("https://json-schema.org/draft/")?;
    Some(match name {
        "2019-09/vocab/core" | "2020-12/vocab/core" => ALWAYS,
        "2019-09/vocab/applicator" => bits(APPLICATOR) | bits(UNEVALUATED),
        "2020-12/vocab/applicator" => bits(APPLICATOR),
        "2020-12/vocab/unevaluated" => bits(UNEVALUATED),
        "2019-09/vocab/validation" | "2020-12/vocab/validation" => bits(VALIDATION),
        "2019-09/vocab/format"
        | "2020-12/vocab/format-annotation"
        | "2020-12/vocab/format-assertion" => bits(&[Keyword::Format]),
        "2019-09/vocab/content" | "2020-12/vocab/content" => bits(&[Keyword::ContentSchema]),
        "2019-09/vocab/meta-data" | "2020-12/vocab/meta-data" => 0,
        _ => return None,
    })
}

const fn bits(keywords: &[Keyword]) -> u64 {
    let (mut bits, mut i) = (0, 0);
    while i < keywords.len() {
        bits |= 1 << keywords[i] as u8;
        i += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_in_one_vocabulary() {
        for draft in ["2019-09", "2020-12"] {
            let mut all = 0;
            for name in [
                "core",
                "applicator",
                "unevaluated",
                "validation",
                "format",
                "format-assertion",
                "content",
            ] {
                let uri = format!("https://json-schema.org/draft/{draft}/vocab/{name}");
                let bits = keywords(&uri).unwrap_or(0);
                assert_eq!(all & bits, 0, "{uri}");
                all |= bits;
            }
            let missing: Vec<_> = Keyword::ALL
                .iter()
                .filter(|&&k| all & (1 << k as u8) == 0)
                .collect();
            assert_eq!(missing, [] as [&Keyword; 0], "{draft}");
        }
        assert_eq!(keywords("http://x.org/vocab/core"), None);
    }
}
