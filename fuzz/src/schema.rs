//! Random schemas over all keywords, and values.
//!
//! The types are the generator: a schema is a list of keywords, each with what it may hold.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Value, json};

/// A document: a schema, and definitions that all of it may refer to.
#[derive(Arbitrary, Debug)]
pub struct Document {
    root: Schema,
    p: Schema,
    q: Schema,
}

impl Document {
    pub fn to_json(&self) -> Value {
        let mut root = match self.root.to_json() {
            Value::Object(root) => root,
            verdict => return verdict,
        };
        if Value::Object(root.clone()).to_string().contains("#/$defs/") {
            let definitions = json!({"p": self.p.to_json(), "q": self.q.to_json()});
            root.insert("$defs".into(), definitions);
        }
        root.into()
    }
}

#[derive(Arbitrary, Debug)]
pub enum Schema {
    Any,
    Nothing,
    Type(Type),
    Reference(Definition),
    Keywords(Vec<Keyword>),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    Null,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Definition {
    Root,
    P,
    Q,
}

/// A keyword and its value. Of one that comes twice, the last counts.
#[derive(Arbitrary, Debug)]
pub enum Keyword {
    Type(Type),
    Types(Vec<Type>),
    Enum(Literal, Vec<Literal>),
    Const(Literal),
    Reference(Definition),

    AllOf(Schema, Vec<Schema>),
    AnyOf(Schema, Vec<Schema>),
    OneOf(Schema, Vec<Schema>),
    Not(Box<Schema>),
    If(Box<Schema>),
    Then(Box<Schema>),
    Else(Box<Schema>),

    Properties(Vec<(Key, Schema)>),
    Required(Vec<Key>),
    AdditionalProperties(Box<Schema>),
    PatternProperties(Vec<(Pattern, Schema)>),
    PropertyNames(Box<Schema>),
    MinProperties(Count),
    MaxProperties(Count),
    DependentRequired(Vec<(Key, Vec<Key>)>),
    DependentSchemas(Vec<(Key, Schema)>),
    UnevaluatedProperties(Box<Schema>),

    Items(Box<Schema>),
    PrefixItems(Schema, Vec<Schema>),
    Contains(Box<Schema>),
    MinContains(Count),
    MaxContains(Count),
    MinItems(Count),
    MaxItems(Count),
    UniqueItems(bool),
    UnevaluatedItems(Box<Schema>),

    MinLength(Length),
    MaxLength(Length),
    Pattern(Pattern),
    Format(Format),

    Minimum(Number),
    Maximum(Number),
    ExclusiveMinimum(Number),
    ExclusiveMaximum(Number),
    MultipleOf(Divisor),
}

/// A value; as deep as its input is long.
#[derive(Arbitrary, Clone, Debug)]
pub enum Literal {
    Null,
    Bool(bool),
    Integer(i16),
    Number(Number),
    Word(Word),
    Text(String),
    Array(Vec<Literal>),
    Object(Vec<(Key, Literal)>),
}

/// A type of one of a list's values.
macro_rules! one_of {
    ($(#[$doc:meta])* $name:ident: $type:ty = [$($value:expr),+ $(,)?]) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name(pub $type);

        impl<'a> Arbitrary<'a> for $name {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                Ok($name(*u.choose(&[$($value),+])?))
            }
        }
    };
}

one_of! {
    Key: &'static str = [
        "a", "b", "ab", "c", "é", "", "kind", "a b", "q\"\\", "\u{0}", "😀", "0", "__proto__",
    ]
}
one_of! {
    Word: &'static str = [
        "", "a", "b", "ab", "abc", "x1", "12", "xy", "foo", "aaaa", "a b", "é", "😀", "q\"\\", "\u{7}",
        "2020-01-01", "2020-01-01T00:00:00Z", "a@b.co", "1.1.1.1", "::", "P1D", "/a", "http://a/", "xn--a",
    ]
}
one_of! {
    Pattern: &'static str = [
        "^a", "a", "b$", "^[a-z]+$", "[0-9]{2}", "^x?y*$", "^(?!a)", "(?=.*b)", r"\d", r"^\S*$",
        "^.{2,4}$", "^(a|b)*c$", "[^a]", "^$", r"\bfoo\b", r"^\p{L}+$", "(?<!x)y", "é", "a.{3}b",
        "x.*y", "^(ab|a)(b|)$", "^(?=.*a)(?=.*1).*$", "^[^@]+@[^@]+$", "(ab){2,}", r"^\w{1,3}-\w$",
    ]
}
one_of! {
    Format: &'static str = [
        "date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname",
        "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid",
        "json-pointer", "relative-json-pointer", "regex",
    ]
}
one_of! {
    /// As it is written.
    Number: &'static str = [
        "0", "1", "-1", "2", "3", "7", "10", "100", "0.5", "0.1", "1.5", "-2.5", "0.25", "3.0",
        "1e2", "1e-3", "12345678901234567890", "1e20", "-0.0", "0.30000000000000004",
    ]
}
one_of! {
    Divisor: &'static str = ["1", "2", "3", "0.1", "0.5", "0.01", "7", "1.5", "10", "1e-3", "1e3"]
}
one_of! {
    Count: u8 = [0, 1, 2, 3, 4]
}
one_of! {
    Length: u8 = [0, 1, 2, 3, 5, 8, 12, 20, 30, 64, 254]
}

/// A number as it is written.
fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

fn list(first: &Schema, more: &[Schema]) -> Value {
    std::iter::once(first)
        .chain(more)
        .map(Schema::to_json)
        .collect()
}

fn map<'a>(members: impl Iterator<Item = (&'a str, &'a Schema)>) -> Value {
    let members = members.map(|(name, schema)| (name.to_owned(), schema.to_json()));
    Value::Object(members.collect())
}

fn keys(keys: &[Key]) -> Value {
    let mut distinct: Vec<&str> = Vec::new();
    for key in keys {
        if !distinct.contains(&key.0) {
            distinct.push(key.0);
        }
    }
    json!(distinct)
}

impl Schema {
    pub fn to_json(&self) -> Value {
        match self {
            Schema::Any => json!(true),
            Schema::Nothing => json!(false),
            Schema::Type(kind) => json!({"type": kind.name()}),
            Schema::Reference(definition) => json!({"$ref": definition.pointer()}),
            Schema::Keywords(keywords) => {
                let fields = keywords.iter().map(|keyword| {
                    let (name, value) = keyword.to_json();
                    (name.to_owned(), value)
                });
                Value::Object(fields.collect())
            }
        }
    }
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::Null => "null",
        }
    }
}

impl Definition {
    fn pointer(self) -> &'static str {
        match self {
            Definition::Root => "#",
            Definition::P => "#/$defs/p",
            Definition::Q => "#/$defs/q",
        }
    }
}

impl Keyword {
    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Keyword::Type(kind) => ("type", json!(kind.name())),
            Keyword::Types(kinds) => {
                let mut names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                names.sort_unstable();
                names.dedup();
                if names.is_empty() {
                    names.push("null");
                }
                ("type", json!(names))
            }
            Keyword::Enum(first, more) => {
                let values = std::iter::once(first).chain(more);
                ("enum", values.map(Literal::to_json).collect())
            }
            Keyword::Const(value) => ("const", value.to_json()),
            Keyword::Reference(definition) => ("$ref", json!(definition.pointer())),
            Keyword::AllOf(first, more) => ("allOf", list(first, more)),
            Keyword::AnyOf(first, more) => ("anyOf", list(first, more)),
            Keyword::OneOf(first, more) => ("oneOf", list(first, more)),
            Keyword::Not(schema) => ("not", schema.to_json()),
            Keyword::If(schema) => ("if", schema.to_json()),
            Keyword::Then(schema) => ("then", schema.to_json()),
            Keyword::Else(schema) => ("else", schema.to_json()),
            Keyword::Properties(members) => (
                "properties",
                map(members.iter().map(|(key, schema)| (key.0, schema))),
            ),
            Keyword::Required(names) => ("required", keys(names)),
            Keyword::AdditionalProperties(schema) => ("additionalProperties", schema.to_json()),
            Keyword::PatternProperties(members) => (
                "patternProperties",
                map(members.iter().map(|(key, schema)| (key.0, schema))),
            ),
            Keyword::PropertyNames(schema) => ("propertyNames", schema.to_json()),
            Keyword::MinProperties(count) => ("minProperties", json!(count.0)),
            Keyword::MaxProperties(count) => ("maxProperties", json!(count.0)),
            Keyword::DependentRequired(members) => {
                let members = members
                    .iter()
                    .map(|(key, needs)| (key.0.to_owned(), keys(needs)));
                ("dependentRequired", Value::Object(members.collect()))
            }
            Keyword::DependentSchemas(members) => (
                "dependentSchemas",
                map(members.iter().map(|(key, schema)| (key.0, schema))),
            ),
            Keyword::UnevaluatedProperties(schema) => ("unevaluatedProperties", schema.to_json()),
            Keyword::Items(schema) => ("items", schema.to_json()),
            Keyword::PrefixItems(first, more) => ("prefixItems", list(first, more)),
            Keyword::Contains(schema) => ("contains", schema.to_json()),
            Keyword::MinContains(count) => ("minContains", json!(count.0)),
            Keyword::MaxContains(count) => ("maxContains", json!(count.0)),
            Keyword::MinItems(count) => ("minItems", json!(count.0)),
            Keyword::MaxItems(count) => ("maxItems", json!(count.0)),
            Keyword::UniqueItems(unique) => ("uniqueItems", json!(unique)),
            Keyword::UnevaluatedItems(schema) => ("unevaluatedItems", schema.to_json()),
            Keyword::MinLength(length) => ("minLength", json!(length.0)),
            Keyword::MaxLength(length) => ("maxLength", json!(length.0)),
            Keyword::Pattern(pattern) => ("pattern", json!(pattern.0)),
            Keyword::Format(format) => ("format", json!(format.0)),
            Keyword::Minimum(bound) => ("minimum", number(bound.0)),
            Keyword::Maximum(bound) => ("maximum", number(bound.0)),
            Keyword::ExclusiveMinimum(bound) => ("exclusiveMinimum", number(bound.0)),
            Keyword::ExclusiveMaximum(bound) => ("exclusiveMaximum", number(bound.0)),
            Keyword::MultipleOf(divisor) => ("multipleOf", number(divisor.0)),
        }
    }
}

impl Literal {
    pub fn to_json(&self) -> Value {
        match self {
            Literal::Null => Value::Null,
            Literal::Bool(value) => json!(value),
            Literal::Integer(value) => json!(value),
            Literal::Number(value) => number(value.0),
            Literal::Word(word) => json!(word.0),
            Literal::Text(text) => json!(text),
            Literal::Array(items) => items.iter().map(Literal::to_json).collect(),
            Literal::Object(members) => {
                let members = members.iter();
                let members = members.map(|(key, value)| (key.0.to_owned(), value.to_json()));
                Value::Object(members.collect())
            }
        }
    }
}
