"""Masks where the items of arrays must differ, items of items too, against trying each token."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import schemask
from test_mask_oracle import SETTINGS, check, check_end, crossing_vocabulary

SCALARS: list[Any] = [
    {"type": "string"},
    {"type": "string", "maxLength": 1, "pattern": "^[ab]"},
    {"type": "string", "pattern": "^a*$"},
    {"enum": ["a", "b", 1, [], {}]},
    {"type": "integer"},
    {"type": "integer", "minimum": 0, "maximum": 2},
    {"type": ["boolean", "null"]},
    {},
    {"type": ["string", "array"]},
]
# Few texts come out of these but values that are equal, nearly equal, or spelled alike.
LIKELY = frozenset(b'ab1,"{}[]: \\0.')


@st.composite
def values(draw: st.DrawFn, depth: int) -> Any:
    """Schemas of items."""
    kind = draw(st.sampled_from(["scalar", "object", "array", "any of"])) if depth else "scalar"
    if kind == "object":
        keys = draw(st.lists(st.sampled_from(["a", "b", "ab"]), unique=True, max_size=2))
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {key: draw(values(depth - 1)) for key in keys},
            "required": draw(st.lists(st.sampled_from([*keys, "c"]), unique=True, max_size=2)),
        }
        more: Any = [{}, {"additionalProperties": False}, {"maxProperties": 2}]
        more.append(
            {"additionalProperties": {"type": "integer"}, "dependentRequired": {"a": ["b"]}}
        )
        schema |= draw(st.sampled_from(more))
        if "additionalProperties" in schema:
            schema["required"] = [key for key in schema["required"] if key in keys]
        return schema
    if kind == "array":
        return draw(arrays(depth - 1, unique=draw(st.booleans())))
    if kind == "any of":
        return {"anyOf": [draw(values(depth - 1)), draw(values(depth - 1))]}
    return draw(st.sampled_from(SCALARS))


@st.composite
def arrays(draw: st.DrawFn, depth: int, unique: bool = True) -> Any:
    """Schemas of arrays."""
    schema: dict[str, Any] = {"type": "array", "items": draw(values(depth)), "uniqueItems": unique}
    if draw(st.integers(0, 3)) == 0:
        schema["prefixItems"] = [draw(values(depth))]
    if draw(st.booleans()):
        schema["minItems"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        schema["maxItems"] = schema.get("minItems", 0) + draw(st.integers(0, 2))
    if draw(st.integers(0, 4)) == 0:
        schema["contains"] = draw(st.sampled_from(SCALARS))
    return schema


@settings(SETTINGS, max_examples=150)
@given(
    st.one_of(
        arrays(2),
        arrays(2).map(lambda items: {"type": "object", "properties": {"a": items, "b": True}}),
    ),
    st.sampled_from(["compact", "flexible"]),
    st.sampled_from(["schema", "any"]),
    st.sampled_from(["plain", "any"]),
    st.integers(0, 2**32),
)
def test_masks_where_items_differ(
    schema: Any, whitespace: Any, order: Any, spelling: Any, seed: int
) -> None:
    try:
        grammar = schemask.Grammar.from_json_schema(
            schema, whitespace=whitespace, property_order=order, spelling=spelling
        )
    except schemask.Error:
        return  # too few values
    vocabulary = VOCABULARY
    choose = random.Random(seed)
    likely = np.array([LIKELY.issuperset(vocabulary.token(id)) for id in range(vocabulary.size)])
    likely[vocabulary.stop_token_ids] = False
    compiled = grammar.compile(vocabulary)
    for _ in range(2):
        matcher, text = compiled.matcher(), b""
        for _ in range(30):
            try:
                mask = check(matcher, vocabulary, text)
            except schemask.LimitError:
                break  # values that differ are nested too deep
            [options] = np.nonzero(mask & likely if (mask & likely).any() else mask)
            token = int(choose.choice(options))
            assert matcher.accept(token)
            if matcher.is_terminated:
                check_end(matcher, vocabulary)
                break
            text += vocabulary.token(token)


VOCABULARY = crossing_vocabulary()
