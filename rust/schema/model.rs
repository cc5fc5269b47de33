//! What a schema says, resolved and checked, before it becomes obligations on text.

use std::sync::Arc;

use crate::decimal::Decimal;
use crate::format::Format;
use crate::regex::Ast;

/// A schema of a [`Model`]: an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SchemaId(pub(crate) u32);

/// All schemas of a document that the root can reach.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) root: SchemaId,
    /// What the schema says and is ignored, as (JSON pointer, message), in document order.
    pub(crate) warnings: Vec<(String, String)>,
}

impl std::ops::Index<SchemaId> for Model {
    type Output = Schema;
    fn index(&self, id: SchemaId) -> &Schema {
        &self.schemas[id.0 as usize]
    }
}

#[derive(Debug)]
pub(crate) enum Schema {
    Bool(bool),
    Keywords(Box<Keywords>),
}

/// The assertions of one schema object. All of them must hold.
#[derive(Debug, Default)]
pub(crate) struct Keywords {
    /// `type`; `None` allows every type.
    pub(crate) types: Option<TypeSet>,
    /// `enum`, or `const` as an `enum` of one; both: the values in both, by JSON equality.
    pub(crate) values: Option<Vec<serde_json::Value>>,
    pub(crate) string: StringKeywords,
    pub(crate) number: NumberKeywords,
    pub(crate) array: ArrayKeywords,
    pub(crate) object: ObjectKeywords,
    /// Applicators in place, in the order in which their keywords stand in the document.
    /// `Own` stands where `properties` does, for the order of keys; it is there exactly once.
    pub(crate) in_place: Vec<InPlace>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InPlace {
    /// The assertions that this schema object makes itself.
    Own,
    /// `$ref`, or one schema of `allOf`: it must hold as well.
    Ref(SchemaId),
    AnyOf(Vec<SchemaId>),
    OneOf(Vec<SchemaId>),
    Not(SchemaId),
    /// `if`, with `then` and `else` as far as they are there.
    If {
        condition: SchemaId,
        then: Option<SchemaId>,
        otherwise: Option<SchemaId>,
    },
    /// `dependentSchemas`, one key of it: the schema must hold for objects that have the key.
    Dependent(String, SchemaId),
}

/// A set of JSON types, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeSet(pub(crate) u8);

impl TypeSet {
    pub(crate) const NULL: TypeSet = TypeSet(1);
    pub(crate) const BOOLEAN: TypeSet = TypeSet(2);
    /// Integers only: a number with a zero fraction.
    pub(crate) const INTEGER: TypeSet = TypeSet(4);
    /// All numbers, integers included. `["integer", "number"]` is both bits, and means `number`.
    pub(crate) const NUMBER: TypeSet = TypeSet(8);
    pub(crate) const STRING: TypeSet = TypeSet(16);
    pub(crate) const ARRAY: TypeSet = TypeSet(32);
    pub(crate) const OBJECT: TypeSet = TypeSet(64);
    /// Integers that are written without a fraction, which is what draft 4 calls integers.
    pub(crate) const PLAIN_INTEGER: TypeSet = TypeSet(128);

    pub(crate) fn union(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 | other.0)
    }

    pub(crate) fn has(self, other: TypeSet) -> bool {
        self.0 & other.0 != 0
    }
}

#[derive(Debug, Default)]
pub(crate) struct StringKeywords {
    /// `minLength`, in code points.
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Ast>,
    /// A format that is asserted.
    pub(crate) format: Option<Format>,
    /// The texts of `x-spans-of`.
    pub(crate) spans_of: Option<Vec<Arc<str>>>,
}

impl StringKeywords {
    pub(crate) fn says_nothing(&self) -> bool {
        let has_length = self.min_length.is_some() || self.max_length.is_some();
        !has_length && self.pattern.is_none() && self.format.is_none() && self.spans_of.is_none()
    }
}

#[derive(Debug, Default)]
pub(crate) struct NumberKeywords {
    /// The tightest lower bound and whether the bound itself is excluded.
    pub(crate) lower: Option<(Decimal, bool)>,
    /// The tightest upper bound and whether the bound itself is excluded.
    pub(crate) upper: Option<(Decimal, bool)>,
    /// Positive.
    pub(crate) multiple_of: Option<Decimal>,
}

#[derive(Debug, Default)]
pub(crate) struct ArrayKeywords {
    /// `prefixItems`, or the array form of `items` in older drafts.
    pub(crate) prefix: Vec<SchemaId>,
    /// Items after the prefix; `None` allows any.
    pub(crate) items: Option<SchemaId>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique: bool,
    pub(crate) contains: Option<Contains>,
    /// Items that nothing in this schema object or applied in place by it looked at.
    pub(crate) unevaluated: Option<SchemaId>,
}

/// How many items a schema must hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contains {
    pub(crate) schema: SchemaId,
    /// 1 unless `minContains` says otherwise.
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
    /// Whether `unevaluatedItems` passes over the items for which the schema holds: since 2020-12.
    pub(crate) evaluates: bool,
}

/// A key, and the keys that it demands.
pub(crate) type Demanded = (Arc<str>, Vec<Arc<str>>);

#[derive(Debug, Default)]
pub(crate) struct ObjectKeywords {
    /// In document order.
    pub(crate) properties: Vec<(Arc<str>, SchemaId)>,
    /// Without duplicates.
    pub(crate) required: Vec<Arc<str>>,
    /// In document order. Properties with a name in which the pattern is found.
    pub(crate) patterns: Vec<(Ast, SchemaId)>,
    /// Properties neither in `properties` nor in `patterns`; `None` allows any.
    pub(crate) additional: Option<SchemaId>,
    /// `propertyNames`: what the names of all properties must be, as strings.
    pub(crate) names: Option<SchemaId>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    /// Keys that a key demands: `dependentRequired`, and `dependencies` of that form.
    pub(crate) dependent_required: Vec<Demanded>,
    /// Properties that nothing in this schema object or applied in place by it looked at.
    pub(crate) unevaluated: Option<SchemaId>,
}
