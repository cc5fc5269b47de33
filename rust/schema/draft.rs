//! The drafts of the specification.

/// A draft of JSON Schema, in the order of publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    V4,
    V6,
    V7,
    V2019,
    V2020,
}

/// What the URI in `$schema` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Draft(Draft),
    /// The latest draft, whichever that is.
    Latest,
    /// The dialect of OpenAPI, which is 2020-12 and more.
    OpenApi,
    /// A draft before 4.
    Old,
    /// No draft: perhaps a meta-schema of somebody's own.
    Other,
}

impl Draft {
    pub(super) const ALL: [Draft; 5] =
        [Draft::V4, Draft::V6, Draft::V7, Draft::V2019, Draft::V2020];

    pub(super) fn name(self) -> &'static str {
        match self {
            Draft::V4 => "draft 4",
            Draft::V6 => "draft 6",
            Draft::V7 => "draft 7",
            Draft::V2019 => "draft 2019-09",
            Draft::V2020 => "draft 2020-12",
        }
    }

    pub(super) fn named(uri: &str) -> Named {
        match official(uri) {
            Some("draft-04/schema") => Named::Draft(Draft::V4),
            Some("draft-06/schema") => Named::Draft(Draft::V6),
            Some("draft-07/schema") => Named::Draft(Draft::V7),
            Some("draft/2019-09/schema") => Named::Draft(Draft::V2019),
            Some("draft/2020-12/schema") => Named::Draft(Draft::V2020),
            Some("schema") => Named::Latest,
            Some("draft-00/schema" | "draft-01/schema" | "draft-02/schema" | "draft-03/schema") => {
                Named::Old
            }
            _ if uri.contains("://spec.openapis.org/oas/") => Named::OpenApi,
            _ => Named::Other,
        }
    }
}

/// What stands after the host of the specification, of `http` and of `https`, without an empty fragment.
pub(super) fn official(uri: &str) -> Option<&str> {
    let uri = uri.strip_suffix('#').unwrap_or(uri);
    let rest = uri.strip_prefix("http")?;
    let rest = rest.strip_prefix('s').unwrap_or(rest);
    rest.strip_prefix("://json-schema.org/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_by_uri() {
        for (uri, expected) in [
            (
                "http://json-schema.org/draft-04/schema#",
                Named::Draft(Draft::V4),
            ),
            (
                "http://json-schema.org/draft-04/schema",
                Named::Draft(Draft::V4),
            ),
            (
                "https://json-schema.org/draft-06/schema#",
                Named::Draft(Draft::V6),
            ),
            (
                "http://json-schema.org/draft-07/schema#",
                Named::Draft(Draft::V7),
            ),
            (
                "https://json-schema.org/draft/2019-09/schema",
                Named::Draft(Draft::V2019),
            ),
            (
                "https://json-schema.org/draft/2020-12/schema",
                Named::Draft(Draft::V2020),
            ),
            ("http://json-schema.org/schema#", Named::Latest),
            ("http://json-schema.org/draft-03/schema#", Named::Old),
            (
                "https://spec.openapis.org/oas/3.1/dialect/base",
                Named::OpenApi,
            ),
            (
                "https://spec.openapis.org/oas/3.1/dialect/2024-11-10",
                Named::OpenApi,
            ),
            (
                "https://spec.openapis.org/oas/3.0/schema/2021-09-28",
                Named::OpenApi,
            ),
            ("http://json-schema.org/draft-05/schema#", Named::Other),
            ("http://example.com/draft-04/schema#", Named::Other),
        ] {
            assert_eq!(Draft::named(uri), expected, "{uri}");
        }
    }
}
