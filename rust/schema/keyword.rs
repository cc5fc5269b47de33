//! The table of all keywords that say what a valid value is, or where schemas and their names are.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::schema::draft::Draft;

/// Where the value of a keyword holds schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nowhere.
    Data,
    /// It is one.
    Schema,
    /// It is an array of them.
    List,
    /// It is one, or an array of them.
    SchemaOrList,
    /// It is an object whose values are schemas. (Those of `dependencies` may be other than schemas.)
    Map,
}

struct Facts {
    name: &'static str,
    first: Draft,
    last: Draft,
    holds: Holds,
}

macro_rules! keywords {
    ($($variant:ident $name:literal $first:ident $last:ident $holds:ident)*) => {
        /// A keyword of some draft. All others, such as `title`, are annotations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Keyword { $($variant),* }

        impl Keyword {
            pub(super) const ALL: &[Keyword] = &[$(Keyword::$variant),*];
        }

        static FACTS: [Facts; Keyword::COUNT] = [$(Facts {
            name: $name,
            first: Draft::$first,
            last: Draft::$last,
            holds: Holds::$holds,
        }),*];
    };
}

keywords! {
    // keyword, the first and the last draft that have it, where its value holds schemas
    Type                  "type"                  V4    V2020 Data
    Enum                  "enum"                  V4    V2020 Data
    Const                 "const"                 V6    V2020 Data
    Nullable              "nullable"              V4    V2020 Data // of OpenAPI

    MinLength             "minLength"             V4    V2020 Data
    MaxLength             "maxLength"             V4    V2020 Data
    Pattern               "pattern"               V4    V2020 Data
    Format                "format"                V4    V2020 Data
    SpansOf               "x-spans-of"            V4    V2020 Data // our own

    Minimum               "minimum"               V4    V2020 Data
    Maximum               "maximum"               V4    V2020 Data
    ExclusiveMinimum      "exclusiveMinimum"      V4    V2020 Data
    ExclusiveMaximum      "exclusiveMaximum"      V4    V2020 Data
    MultipleOf            "multipleOf"            V4    V2020 Data

    Items                 "items"                 V4    V2020 SchemaOrList
    PrefixItems           "prefixItems"           V2020 V2020 List
    AdditionalItems       "additionalItems"       V4    V2019 Schema
    MinItems              "minItems"              V4    V2020 Data
    MaxItems              "maxItems"              V4    V2020 Data
    UniqueItems           "uniqueItems"           V4    V2020 Data
    Contains              "contains"              V6    V2020 Schema
    MinContains           "minContains"           V2019 V2020 Data
    MaxContains           "maxContains"           V2019 V2020 Data
    UnevaluatedItems      "unevaluatedItems"      V2019 V2020 Schema

    Properties            "properties"            V4    V2020 Map
    Required              "required"              V4    V2020 Data
    AdditionalProperties  "additionalProperties"  V4    V2020 Schema
    PatternProperties     "patternProperties"     V4    V2020 Map
    PropertyNames         "propertyNames"         V6    V2020 Schema
    MinProperties         "minProperties"         V4    V2020 Data
    MaxProperties         "maxProperties"         V4    V2020 Data
    Dependencies          "dependencies"          V4    V2020 Map // deprecated since 2019-09
    DependentRequired     "dependentRequired"     V2019 V2020 Data
    DependentSchemas      "dependentSchemas"      V2019 V2020 Map
    UnevaluatedProperties "unevaluatedProperties" V2019 V2020 Schema

    Ref                   "$ref"                  V4    V2020 Data
    RecursiveRef          "$recursiveRef"         V2019 V2019 Data
    DynamicRef            "$dynamicRef"           V2020 V2020 Data
    AllOf                 "allOf"                 V4    V2020 List
    AnyOf                 "anyOf"                 V4    V2020 List
    OneOf                 "oneOf"                 V4    V2020 List
    Not                   "not"                   V4    V2020 Schema
    If                    "if"                    V7    V2020 Schema
    Then                  "then"                  V7    V2020 Schema
    Else                  "else"                  V7    V2020 Schema

    // What names schemas and keeps them, but says nothing about a value.
    Schema                "$schema"               V4    V2020 Data
    Id                    "$id"                   V6    V2020 Data
    OldId                 "id"                    V4    V4    Data
    Anchor                "$anchor"               V2019 V2020 Data
    DynamicAnchor         "$dynamicAnchor"        V2020 V2020 Data
    RecursiveAnchor       "$recursiveAnchor"      V2019 V2019 Data
    Defs                  "$defs"                 V2019 V2020 Map
    Definitions           "definitions"           V4    V2020 Map
    ContentSchema         "contentSchema"         V2019 V2020 Schema
}

static BY_NAME: LazyLock<FxHashMap<&str, Keyword>> = LazyLock::new(|| {
    Keyword::ALL
        .iter()
        .map(|&keyword| (keyword.name(), keyword))
        .collect()
});

impl Keyword {
    pub(super) const COUNT: usize = Keyword::ALL.len();

    pub(super) fn named(name: &str) -> Option<Keyword> {
        BY_NAME.get(name).copied()
    }

    pub(super) fn name(self) -> &'static str {
        FACTS[self as usize].name
    }

    pub(super) fn holds(self) -> Holds {
        FACTS[self as usize].holds
    }

    /// Whether the draft has this keyword. Where none is declared, all are understood, and `nullable`
    /// of OpenAPI, but for `id`, which is an ordinary word in documents that do not say otherwise.
    pub(super) const fn is_in(self, draft: Option<Draft>) -> bool {
        let facts = &FACTS[self as usize];
        match draft {
            // OpenAPI's own.
            Some(_) if matches!(self, Keyword::Nullable) => false,
            Some(draft) => facts.first as u8 <= draft as u8 && draft as u8 <= facts.last as u8,
            None => !matches!(self, Keyword::OldId),
        }
    }

    /// Whether it stands for what a schema elsewhere says.
    pub(super) fn is_reference(self) -> bool {
        use Keyword::{DynamicRef, RecursiveRef, Ref};
        matches!(self, Ref | DynamicRef | RecursiveRef)
    }

    /// Whether a schema without the keyword allows all that it allows with it, whatever else it says.
    pub(super) fn can_be_left_out(self) -> bool {
        use Keyword::*;
        match self {
            Type | Enum | Const | MinLength | MaxLength | Pattern | Format | SpansOf => true,
            Minimum | Maximum | ExclusiveMinimum | ExclusiveMaximum | MultipleOf => true,
            MinItems | MaxItems | UniqueItems | Contains | MinContains | MaxContains => true,
            Required | MinProperties | MaxProperties | Dependencies | DependentRequired => true,
            Not | If => true,
            _ => self.is_reference(),
        }
    }

    /// Whether the keyword can make a value invalid.
    pub(super) fn asserts(self) -> bool {
        (self as u8) < (Keyword::Schema as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_belong_to_their_drafts() {
        let has = |name: &str, draft| Keyword::named(name).is_some_and(|k| k.is_in(draft));
        assert!(!has("const", Some(Draft::V4)) && has("const", Some(Draft::V6)));
        assert!(!has("if", Some(Draft::V6)) && has("if", Some(Draft::V7)));
        assert!(has("id", Some(Draft::V4)) && !has("id", Some(Draft::V6)) && !has("id", None));
        assert!(has("additionalItems", None) && !has("additionalItems", Some(Draft::V2020)));
        assert!(has("prefixItems", None) && !has("prefixItems", Some(Draft::V2019)));
        assert!(!has("title", None));
    }

    #[test]
    fn names_of_schemas_assert_nothing() {
        assert!(Keyword::Else.asserts() && !Keyword::Id.asserts());
        assert!(!Keyword::ContentSchema.asserts());
    }
}
