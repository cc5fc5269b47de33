"""The order in which a grammar with `property_order="schema"` reads the keys of objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

from schemask.schemas.schema import Schema

_Container = TypeVar("_Container", dict[str, Any], list[Any])


def in_schema_order(value: Any, schema: Schema) -> Any:
    """A copy of a JSON value with the keys of its objects in the order of the schema.

    Keys come in the order of their first appearance in the schema, depth first, through `$ref`,
    `allOf`, `anyOf`, `oneOf`, `not`, `if` (with `then` and `else` after it), `dependentSchemas`,
    nested objects and arrays. Keys that it does not declare come last, in their own order. The
    value need not be an instance of the schema, and what the schema says in a wrong shape is passed
    over: to find fault is up to whoever compiles it.

    Branches are left out once what comes before in the text excludes them: a key that is missing,
    or a value by its type, `const`, `enum`, keys or items. The grammar judges by all keywords:
    where branches that only others exclude name the same keys in different orders, its order can be
    another one.

    Args:
        value: A JSON value.
        schema: A JSON Schema; its references are JSON pointers into itself, as `#/$defs/name`.
    """
    return _Order(schema).ordered(value, [schema])


@dataclass(frozen=True)
class _Rule:
    """What a schema object says itself about values of some type."""

    schema: Schema


@dataclass(frozen=True)
class _All:
    parts: list[_Formula]


@dataclass(frozen=True)
class _Either:
    parts: list[_Formula]


@dataclass(frozen=True)
class _Not:
    part: _Formula


_Formula: TypeAlias = "bool | _Rule | _All | _Either | _Not"


class _Order:
    def __init__(self, root: Schema) -> None:
        self.root = root
        # By identity: schemas and values outlive the call, and formulas hold the rules in them.
        self.formulas: dict[tuple[int, str], _Formula] = {}
        self.verdicts: dict[tuple[int, int], bool | None] = {}

    def ordered(self, value: Any, schemas: list[Any]) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        # Branches that meet in one definition again would double the list at each level.
        distinct = {id(schema): schema for schema in schemas}.values()
        formulas = [self.formula(schema, _type(value)) for schema in distinct]
        if isinstance(value, list):
            items = []
            for index, item in enumerate(value):
                items.append(self.ordered(item, _inner(_rules(formulas), index)))
                formulas = self.after(formulas, index, item)
            return items
        declared = _declared(_rules(formulas))
        rank = {key: i for i, key in enumerate(declared)}
        members = {}
        for key in sorted(value, key=lambda key: rank.get(key, len(rank))):
            passed = set(declared[: rank.get(key, len(rank))]) - value.keys()
            formulas = self.without(formulas, passed)
            members[key] = self.ordered(value[key], _inner(_rules(formulas), key))
            # After `{"kind": "circle"` the grammar no longer thinks of squares.
            formulas = self.after(formulas, key, value[key])
        return members

    def without(self, formulas: list[_Formula], passed: set[str]) -> list[_Formula]:
        """What is left of formulas in an object that holds none of some keys."""

        def left(rule: _Rule) -> _Formula:
            return passed.isdisjoint(_argument(rule.schema, "required", list)) and rule

        return [_replaced(formula, left) for formula in formulas]

    def after(self, formulas: list[_Formula], place: str | int, inner: Any) -> list[_Formula]:
        """What is left of formulas once a member or an item has been read."""

        def left(rule: _Rule) -> _Formula:
            demands = _demands(rule.schema, place)
            return False if any(self.verdict(d, inner) is False for d in demands) else rule

        return [_replaced(formula, left) for formula in formulas]

    def formula(self, schema: Any, kind: str) -> _Formula:
        """What a schema says about values of a type, parts in document order."""
        if not isinstance(schema, dict):
            return schema is not False
        known = (id(schema), kind)
        if known not in self.formulas:
            # If it is met again in place of itself, it says nothing more.
            self.formulas[known] = True
            self.formulas[known] = self.new_formula(schema, kind)
        return self.formulas[known]

    def new_formula(self, schema: Schema, kind: str) -> _Formula:
        types = schema.get("type")
        if isinstance(types, (str, list)) and not _fits(kind, types):
            return False
        parts: list[_Formula] = []
        own: int | None = None
        for keyword in schema:
            # A schema object stands where its `properties` are, else where it names keys otherwise,
            # else before its applicators.
            others = keyword in ("enum", "const", "required") and "properties" not in schema
            if keyword == "properties" or (others and own is None):
                own = len(parts)
            parts += self.applicator(schema, keyword, kind)
        own = own or 0
        parts[own:own] = [*_values(schema, kind), _Rule(schema)]
        return _all(parts)

    def applicator(self, schema: Schema, keyword: str, kind: str) -> Iterator[_Formula]:
        argument = schema[keyword]
        if keyword == "$ref" and isinstance(argument, str):
            yield self.formula(_target(argument, self.root), kind)
        elif keyword in ("allOf", "anyOf", "oneOf"):
            branches = [self.formula(s, kind) for s in _argument(schema, keyword, list)]
            yield _all(branches) if keyword == "allOf" else _either(branches or [True])
        elif keyword == "not":
            yield _not(self.formula(argument, kind))
        elif keyword == "if":
            condition = self.formula(argument, kind)
            then, otherwise = (self.formula(schema.get(k), kind) for k in ("then", "else"))
            yield _either([_all([condition, then]), _all([_not(condition), otherwise])])
        elif keyword in ("dependentSchemas", "dependencies"):
            for key, needed in _argument(schema, keyword, dict).items():
                if isinstance(needed, dict) and kind == "object":
                    absent = _Not(_Rule({"required": [key]}))
                    yield _either([absent, self.formula(needed, kind)])

    def verdict(self, schema: Any, value: Any) -> bool | None:
        """Whether a value satisfies a schema; None if that takes more than is looked at here."""
        if not isinstance(schema, dict):
            return schema is not False
        known = (id(schema), id(value))
        if known not in self.verdicts:
            self.verdicts[known] = None
            self.verdicts[known] = self.new_verdict(self.formula(schema, _type(value)), value)
        return self.verdicts[known]

    def new_verdict(self, formula: _Formula, value: Any) -> bool | None:
        if isinstance(formula, bool):
            return formula
        if isinstance(formula, _Not):
            part = self.new_verdict(formula.part, value)
            return None if part is None else not part
        if isinstance(formula, _Rule):
            return self.rule_verdict(formula.schema, value)
        verdicts = [self.new_verdict(part, value) for part in formula.parts]
        decisive = isinstance(formula, _Either)
        if decisive in verdicts:
            return decisive
        return None if None in verdicts else not decisive

    def rule_verdict(self, schema: Schema, value: Any) -> bool | None:
        values = [[schema["const"]]] if "const" in schema else []
        values += [schema["enum"]] if isinstance(schema.get("enum"), list) else []
        if not all(any(_equal(value, one) for one in some) for some in values):
            return False
        verdict = None if _BEYOND[_type(value)] & schema.keys() else True
        if isinstance(value, (dict, list)):
            missing = isinstance(value, dict) and _lacks(schema, value.keys())
            places = value.items() if isinstance(value, dict) else enumerate(value)
            inner = [self.verdict(s, item) for at, item in places for s in _demands(schema, at)]
            if missing or False in inner:
                return False
            verdict = None if None in inner else verdict
        elif schema.get("type") == "integer" and value != int(value):
            return False
        return verdict


# What is not looked at, of values of each type.
_BEYOND = {
    "object": {
        "dependencies",
        "dependentRequired",
        "maxProperties",
        "minProperties",
        "propertyNames",
        "unevaluatedProperties",
    },
    "array": {"contains", "maxItems", "minItems", "unevaluatedItems", "uniqueItems"},
    "string": {"format", "maxLength", "minLength", "pattern"},
    "number": {"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"},
    "boolean": set(),
    "null": set(),
}


def _type(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    named = {dict: "object", list: "array", str: "string"}
    return next((name for kind, name in named.items() if isinstance(value, kind)), "number")


def _fits(kind: str, types: str | list[Any]) -> bool:
    return kind in types or (kind == "number" and "integer" in types)


def _equal(one: Any, other: Any) -> bool:
    """As JSON: `1` is `1.0` and no boolean."""
    if _type(one) != _type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _not(formula: _Formula) -> _Formula:
    return not formula if isinstance(formula, bool) else _Not(formula)


def _all(parts: list[_Formula]) -> _Formula:
    return False if any(part is False for part in parts) else _All(parts)


def _either(parts: list[_Formula]) -> _Formula:
    open_parts: list[_Formula] = [part for part in parts if part is not False]
    return _Either(open_parts) if open_parts else False


def _rules(formulas: list[_Formula]) -> list[_Rule]:
    """The rules in formulas, each once, in order."""
    found: dict[int, _Rule] = {}
    stack = formulas[::-1]
    while stack:
        formula = stack.pop()
        if isinstance(formula, _Rule):
            found.setdefault(id(formula.schema), formula)
        elif isinstance(formula, _Not):
            stack.append(formula.part)
        elif not isinstance(formula, bool):
            stack += reversed(formula.parts)
    return list(found.values())


def _replaced(formula: _Formula, left: Callable[[_Rule], _Formula]) -> _Formula:
    """The formula without what is decided once its rules are what `left` says."""
    if isinstance(formula, bool):
        return formula
    if isinstance(formula, _Rule):
        return left(formula)
    if isinstance(formula, _Not):
        return _not(_replaced(formula.part, left))
    parts = [_replaced(part, left) for part in formula.parts]
    if isinstance(formula, _All):
        return _all([part for part in parts if part is not True])
    return _either(parts)


def _declared(rules: list[_Rule]) -> list[str]:
    keys = (key for rule in rules for key in _argument(rule.schema, "properties", dict))
    return list(dict.fromkeys(keys))


def _lacks(schema: Schema, keys: Collection[str]) -> bool:
    return any(key not in keys for key in _argument(schema, "required", list))


def _inner(rules: list[_Rule], place: str | int) -> list[Any]:
    """The schemas of a member or an item."""
    schemas = [inner for rule in rules for inner in _demands(rule.schema, place)]
    if not schemas:
        keyword = "unevaluatedProperties" if isinstance(place, str) else "unevaluatedItems"
        schemas = [rule.schema[keyword] for rule in rules if keyword in rule.schema]
    if isinstance(place, int):
        schemas += [rule.schema["contains"] for rule in rules if "contains" in rule.schema]
    return schemas


def _demands(schema: Schema, place: str | int) -> list[Any]:
    """What a schema object demands of a member or an item."""
    if isinstance(place, int):
        prefix, rest = _argument(schema, "prefixItems", list), "items"
        if isinstance(schema.get("items"), list):  # as up to draft 2019-09
            prefix, rest = schema["items"], "additionalItems"
        return (
            [prefix[place]] if place < len(prefix) else [schema[k] for k in (rest,) if k in schema]
        )
    properties = _argument(schema, "properties", dict)
    demands = [properties[place]] if place in properties else []
    for pattern, inner in _argument(schema, "patternProperties", dict).items():
        demands += [inner] if _matches(pattern, place) else []
    rest = "additionalProperties"
    return demands or [schema[k] for k in (rest,) if k in schema]


def _matches(pattern: str, key: str) -> bool:
    try:
        return re.search(pattern, key) is not None
    except re.error:  # ECMA-262 has some syntax of its own
        return False


def _values(schema: Schema, kind: str) -> list[_Formula]:
    """What `enum` and `const` say about keys and items, as rules."""
    if kind not in ("object", "array"):
        return []
    lists = [schema["enum"]] if isinstance(schema.get("enum"), list) else []
    lists += [[schema["const"]]] if "const" in schema else []
    return [_either([_constant(one) for one in some if _type(one) == kind]) for some in lists]


def _constant(value: Any) -> _Formula:
    if isinstance(value, list):
        return _Rule({"prefixItems": [{"const": item} for item in value], "items": False})
    properties = {key: {"const": member} for key, member in value.items()}
    return _Rule({"properties": properties, "required": list(value), "additionalProperties": False})


def _target(reference: str, root: Schema) -> Any:
    if not f"{reference}/".startswith("#/"):
        return None
    target: Any = root
    for part in unquote(reference).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict):
            target = target.get(name)
        elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        else:
            return None
    return target


def _argument(schema: Schema, keyword: str, kind: type[_Container]) -> _Container:
    value = schema.get(keyword)
    return value if isinstance(value, kind) else kind()
