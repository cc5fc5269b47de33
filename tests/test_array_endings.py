"""Arrays over four values, exhaustively: what may come is what some valid array goes on with."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemask import Grammar, Matcher, SchemaError, Vocabulary
from schemask.core.byte_vocabulary import byte_vocabulary
from test_mask_oracle import check as check_mask

BYTES = byte_vocabulary()
VALUES = [1, 2, 7, "a"]
MOST = 4
# Tokens that cross from one item into the next ones.
ENDS = [
    a + b + c for a in ("", "1", '"', 'a"') for b in (",1", ',"a"', ",7,2", "") for c in ("]", ",")
]
CROSSING = Vocabulary(
    [bytes([b]) for b in range(256)] + [end.encode() for end in ENDS] + [b""], [288]
)
ARRAYS = [t for n in range(MOST + 1) for t in itertools.product(VALUES, repeat=n)]

items = st.sampled_from(
    [
        True,
        {"type": "integer"},
        {"type": "string"},
        {"enum": [1, 7]},
        {"enum": [2, "a"]},
        {"const": 7},
    ]
)
counts = st.integers(0, 3)
arrays = st.fixed_dictionaries(
    {},
    optional={
        "prefixItems": st.lists(items, min_size=1, max_size=3),
        "items": items,
        "contains": items,
        "minContains": counts,
        "maxContains": counts,
        "minItems": counts,
        "maxItems": counts,
        "uniqueItems": st.booleans(),
    },
)
parts = st.one_of(
    arrays,
    st.builds(lambda inner: {"not": inner}, arrays),
    st.just({"not": {"uniqueItems": True}}),
)


def goes_on(matcher: Matcher, values: tuple[Any, ...]) -> bool:
    """Whether the values are read, and the last one may end there."""
    text = "[" + ",".join(map(json.dumps, values))
    if not matcher.accept_bytes(text.encode()):
        return False
    return not values or any(matcher.clone().accept_bytes(end) for end in (b",", b"]"))


def check(schema: dict[str, Any]) -> None:
    schema = {
        "allOf": [{"type": "array", "items": {"enum": VALUES}, "maxItems": MOST}, schema],
    }
    validator = jsonschema.Draft202012Validator(schema)
    valid = {values for values in ARRAYS if validator.is_valid(list(values))}
    begun = {values[:n] for values in valid for n in range(len(values) + 1)}
    try:
        grammar = Grammar.from_json_schema(schema, whitespace="compact")
    except SchemaError as error:
        assert "nothing satisfies" in str(error)
        assert not valid
        return
    assert valid
    compiled = grammar.compile(CROSSING)
    for values in ARRAYS:
        matcher = compiled.matcher()
        assert goes_on(matcher, values) == (values in begun), values
        if values in begun:
            check_mask(matcher, CROSSING, values)
            ended = matcher.clone()
            assert ended.accept_bytes(matcher.completion()) and ended.is_accepting, values
            assert matcher.accept_bytes(b"]") == (values in valid), values


@given(st.lists(parts, min_size=1, max_size=4))
def test_what_may_come_is_what_some_valid_array_goes_on_with(schemas: list[dict[str, Any]]) -> None:
    check({"allOf": schemas})


@given(st.lists(parts, min_size=1, max_size=3))
def test_masks_where_items_have_values_in_plenty(schemas: list[dict[str, Any]]) -> None:
    of_one_kind = {"type": "array", "items": {"type": "integer"}}
    try:
        grammar = Grammar.from_json_schema({"allOf": [of_one_kind, *schemas]}, whitespace="compact")
    except SchemaError as error:
        assert "nothing satisfies" in str(error)
        return
    compiled = grammar.compile(CROSSING)
    for values in itertools.product((1, 7), repeat=3):
        matcher, text = compiled.matcher(), json.dumps(values, separators=(",", ":"))
        for byte in text.encode():
            check_mask(matcher, CROSSING, text)
            if not matcher.accept_bytes(bytes([byte])):
                break


@pytest.mark.parametrize(
    "schema",
    [
        # The second item must equal the first, and one of both must be 7.
        {"maxItems": 2, "contains": {"const": 7}, "not": {"uniqueItems": True}},
        {"maxItems": 3, "contains": {"const": 7}, "not": {"uniqueItems": True}},
        # Two equal items are counted twice.
        {
            "maxItems": 2,
            "contains": {"const": 7},
            "maxContains": 1,
            "not": {"uniqueItems": True},
        },
        # The first item can equal the third only.
        {
            "prefixItems": [True, {"type": "integer"}, {"type": "string"}],
            "maxItems": 3,
            "not": {"uniqueItems": True},
        },
        # An item that equals another one breaks what the other breaks.
        {
            "maxItems": 2,
            "allOf": [{"not": {"items": {"type": "integer"}}}, {"not": {"uniqueItems": True}}],
        },
        # The cheapest items that are counted leave no values for those that are not.
        {
            "allOf": [
                {"contains": {"const": 7}, "maxContains": 2},
                {"contains": {"type": "integer"}, "minContains": 2},
                {"minItems": 2, "uniqueItems": True},
                {"not": {"contains": {"enum": [2, "a"]}, "maxContains": 1, "maxItems": 3}},
            ]
        },
        # A shorter ending needs the value that a longer one does without.
        {
            "minItems": 2,
            "uniqueItems": True,
            "not": {"prefixItems": [{"enum": [2, "a"]}, True, {"enum": [1, 7]}], "maxItems": 3},
        },
    ],
)
def test_items_that_depend_on_each_other(schema: dict[str, Any]) -> None:
    check(schema)


@pytest.mark.parametrize("most", [2, 3])
def test_an_ending_repeats_an_item_of_any_length(most: int) -> None:
    schema = {"type": "array", "maxItems": most, "not": {"uniqueItems": True}}
    compiled = Grammar.from_json_schema(json.dumps(schema)).compile(BYTES)
    for length in (1, 20, 300):
        matcher = compiled.matcher()
        assert matcher.accept_bytes(b'[{"' + b"x" * length)
        ending = matcher.completion()
        text = b'[{"' + b"x" * length + ending
        assert matcher.accept_bytes(ending) and matcher.is_accepting
        assert jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))
