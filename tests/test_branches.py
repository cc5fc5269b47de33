"""Schemas whose branches multiply are read exactly, or end in a LimitError that has a place."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemask
from schemask.core.byte_vocabulary import byte_vocabulary

VOCABULARY = byte_vocabulary()


def nested(depth: int, leaf: Any, around: Callable[[int, Any], Any]) -> Any:
    for i in range(depth):
        leaf = around(i, leaf)
    return leaf


def chained(count: int, of: Callable[[int, Any], Any]) -> Any:
    """Definitions that each refer to the next."""
    definitions = {f"d{i}": of(i, {"$ref": f"#/$defs/d{i + 1}"}) for i in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": definitions | {f"d{count}": {"type": "integer"}}}


def required(*keys: str) -> Any:
    return {"required": list(keys)}


AROUND: dict[str, tuple[Any, Callable[[int, Any], Any]]] = {
    "oneOf const": ({"type": "string"}, lambda i, s: {"oneOf": [s, {"const": i}]}),
    "anyOf const": ({"type": "string"}, lambda i, s: {"anyOf": [s, {"const": i}]}),
    "oneOf required": (required("k"), lambda i, s: {"oneOf": [s, required(f"k{i}")]}),
    "not anyOf required": (
        required("k"),
        lambda i, s: {"not": {"anyOf": [s, required(f"k{i}")]}},
    ),
    "if in if": (
        required("k"),
        lambda i, s: {"if": s, "then": required(f"k{i}"), "else": required(f"z{i}")},
    ),
    "if then": (
        required("k"),
        lambda i, s: {"if": required(f"k{i}"), "then": s, "else": required(f"z{i}")},
    ),
    "unevaluated anyOf": (
        required("k"),
        lambda i, s: {
            "anyOf": [s, {"properties": {f"k{i}": True}}],
            "unevaluatedProperties": False,
        },
    ),
    "unevaluated items": (
        {"type": "string"},
        lambda i, s: {
            "anyOf": [s, {"prefixItems": [True] * (i % 5 + 1)}],
            "unevaluatedItems": False,
        },
    ),
    "dependent": (required("k"), lambda i, s: {"dependentSchemas": {f"k{i}": s}}),
}

HOSTILE: dict[str, Any] = {
    f"{name}, {depth} deep": nested(depth, leaf, around)
    for name, (leaf, around) in AROUND.items()
    for depth in (4, 12, 30, 80)
}
HOSTILE |= {
    "chain of oneOf": chained(30, lambda i, after: {"oneOf": [after, {"const": i}]}),
    "chain of both": chained(10, lambda i, after: {"allOf": [after, after]}),
    "chain of two members": chained(
        40,
        lambda i, after: {
            "type": "object",
            "properties": {"a": after, "b": after},
            "required": ["a", "b"],
        },
    ),
    "one of each": {
        "type": "object",
        "allOf": [{"anyOf": [required(f"{a}{i}") for a in "abc"]} for i in range(8)],
    },
    "two of many": {
        "type": "object",
        "oneOf": [required(f"a{i}", f"a{j}") for i in range(6) for j in range(i)],
    },
    "unevaluated beside many": {
        "type": "object",
        "allOf": [
            {"anyOf": [{"properties": {f"{a}{i}": True}, **required(f"{a}{i}")} for a in "abc"]}
            for i in range(6)
        ],
        "unevaluatedProperties": False,
    },
    "items of all kinds": {
        "type": "array",
        "allOf": [{"contains": {"multipleOf": n}} for n in (7, 11, 13, 17, 19, 23)],
        "not": {"uniqueItems": True},
    },
    "arrays that differ in arrays that differ": nested(
        6,
        {"type": "boolean"},
        lambda i, s: {"type": "array", "items": s, "uniqueItems": True, "minItems": 2},
    ),
    "many objects that differ": {
        "type": "array",
        "uniqueItems": True,
        "minItems": 100,
        "items": {
            "type": "object",
            "properties": {f"p{i}": {"type": "string"} for i in range(30)},
        },
    },
}


# What these take doubles at each level in the judge.
UNJUDGED = {"unevaluated anyOf, 30 deep", "unevaluated anyOf, 80 deep"}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_ends(name: str) -> None:
    schema = HOSTILE[name]
    try:
        compiled = schemask.Grammar.from_json_schema(schema).compile(VOCABULARY)
    except schemask.LimitError as error:
        # It names a schema that is there.
        if error.pointer:
            at = schema
            for part in error.pointer.split("/")[1:]:
                at = at[int(part)] if isinstance(at, list) else at[part]
        return
    validator = jsonschema_rs.Draft202012Validator(schema)
    mask = schemask.allocate_mask(1, VOCABULARY.size)
    for text in (b"", b'{"', b'{"k1":', b"[", b"[1,"):
        matcher = compiled.matcher()
        try:
            if not matcher.accept_bytes(text):
                continue
            ending = matcher.completion()
            if name not in UNJUDGED:
                assert validator.is_valid(json.loads(text + ending)), text + ending
            for byte in ending[:8]:
                matcher.fill_mask(mask)
                assert mask[0][byte >> 5] >> (byte & 31) & 1
                assert matcher.accept(byte)
        except schemask.LimitError:
            pass


KEYS = "abcd"


def branches(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    schema = st.deferred(lambda: leaves | inner)
    pairs = st.lists(schema, min_size=2, max_size=3)
    inner: st.SearchStrategy[Any] = (
        pairs.map(lambda all: {"oneOf": all})
        | pairs.map(lambda all: {"anyOf": all})
        | pairs.map(lambda all: {"allOf": all})
        | pairs.map(lambda all: {"anyOf": all, "unevaluatedProperties": False})
        | schema.map(lambda one: {"not": one})
        | st.tuples(schema, schema, schema).map(
            lambda all: dict(zip(("if", "then", "else"), all, strict=True))
        )
        | st.tuples(st.sampled_from(KEYS), schema).map(
            lambda pair: {"dependentSchemas": {pair[0]: pair[1]}}
        )
    )
    return schema


key = st.sampled_from(KEYS)
KEYWORDS = (
    key.map(required)
    | key.map(lambda key: {"properties": {key: {"type": "integer"}}})
    | key.map(lambda key: {"properties": {key: {"const": 1}}, "required": [key]})
    | key.map(lambda key: {"properties": {key: True}, "additionalProperties": False})
)
PATTERNS = st.sampled_from(["[ab]", "^[^a]$"]).map(
    lambda pattern: {"patternProperties": {pattern: {"type": "integer"}}}
)
# Objects whose members are counted are followed clause by clause, all others key by key.
LEAVES = {
    "keys": KEYWORDS,
    "patterns": KEYWORDS | PATTERNS | st.just({"additionalProperties": {"type": "string"}}),
    "counts": KEYWORDS | st.just({"maxProperties": 2}),
}
OBJECTS = [
    dict(zip(keys, values, strict=True))
    for count in range(len(KEYS) + 1)
    for keys in itertools.combinations(KEYS, count)
    for values in itertools.product((1, "x"), repeat=count)
    if count < 3 or len(set(values)) == 1
]


@pytest.mark.parametrize("leaves", LEAVES)
@pytest.mark.parametrize("declared", [True, False])
@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(["schema", "any"]))
def test_nested_branches_are_exact(leaves: str, declared: bool, data: Any, order: Any) -> None:
    schema = {"type": "object", "allOf": [data.draw(branches(LEAVES[leaves]))]}
    if declared:
        # First, so that it is the order of the keys.
        schema = {"properties": dict.fromkeys(KEYS, True), **schema}
    elif order == "schema":
        # The order is that in which the branches name the keys.
        return
    try:
        grammar = schemask.Grammar.from_json_schema(schema, property_order=order)
    except schemask.SchemaError:
        grammar = None
    except schemask.LimitError:
        return
    validator = jsonschema_rs.Draft202012Validator(schema)
    compiled = grammar.compile(VOCABULARY) if grammar else None
    shortest = min(
        (
            len(json.dumps(value, separators=(",", ":")))
            for value in OBJECTS
            if validator.is_valid(value)
        ),
        default=None,
    )
    if compiled:
        try:
            ending = compiled.matcher().completion()
        except schemask.LimitError:
            return
        assert validator.is_valid(json.loads(ending)), ending
        # Where clauses are followed, not all endings are tried.
        assert leaves != "keys" or shortest is None or len(ending) <= shortest, ending
    else:
        assert shortest is None
    mask = np.zeros((1, (VOCABULARY.size + 31) // 32), dtype=np.int32)
    for value in OBJECTS:
        text = json.dumps(value).encode()
        try:
            accepted = False
            if compiled:
                matcher = compiled.matcher()
                for i, byte in enumerate(text):
                    matcher.fill_mask(mask)
                    if not mask[0][byte >> 5] >> (byte & 31) & 1:
                        break
                    assert matcher.accept(byte)
                    if byte in b'":,':
                        ending = text[: i + 1] + matcher.completion()
                        assert validator.is_valid(json.loads(ending)), ending
                else:
                    accepted = matcher.is_accepting
        except schemask.LimitError:
            continue
        assert accepted == validator.is_valid(value), value
