"""What schemask accepts is what JSON Schema says, in both directions.

Two independent validators are the judges. Where they disagree (Python's floats, say), a text is not
judged.
"""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import jsonschema_rs
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from schemask._bytes import byte_vocabulary
from strategies import instances, schemas, spellings

COMMON = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)


class Judges:
    """The verdict of both validators, or None if they differ or floats cannot hold a number."""

    def __init__(self, schema: Any) -> None:
        self._first = jsonschema.Draft202012Validator(schema)
        self._second = jsonschema_rs.Draft202012Validator(schema)

    def verdict(self, text: str) -> bool | None:
        literals: list[str] = []
        json.loads(text, parse_float=literals.append)
        # A float holds 15 decimal digits, and no more than a certain size.
        if any(sum(map(str.isdigit, literal)) > 15 for literal in literals):
            return None
        value = json.loads(text)
        if "Infinity" in json.dumps(value):
            return None
        first = self._first.is_valid(value)
        return first if self._second.is_valid(value) == first else None


def compiled_for(
    schema: Any, vocabulary: schemask.Vocabulary, **options: str
) -> schemask.CompiledGrammar | None:
    """None if nothing satisfies the schema."""
    try:
        return schemask.Grammar.from_json_schema(schema, **options).compile(vocabulary)
    except schemask.UnsupportedSchemaError:
        raise
    except schemask.SchemaError:
        return None


def is_accepted(compiled: schemask.CompiledGrammar | None, text: str) -> bool:
    if compiled is None:
        return False
    matcher = compiled.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@st.composite
def schemas_with_texts(draw: Any) -> tuple[Any, list[str]]:
    schema = draw(schemas())
    values = draw(st.lists(instances(schema), min_size=1, max_size=5))
    return schema, [draw(spellings(value)) for value in values]


@settings(COMMON, max_examples=1000)
@given(schemas_with_texts())
def test_a_text_is_accepted_exactly_if_it_is_an_instance(drawn: tuple[Any, list[str]]) -> None:
    schema, texts = drawn
    judges = Judges(schema)
    compiled = compiled_for(schema, byte_vocabulary(), property_order="any")
    for text in texts:
        verdict = judges.verdict(text)
        if verdict is not None:
            assert is_accepted(compiled, text) == verdict, text


@settings(COMMON, max_examples=200)
@given(schemas_with_texts())
def test_compact_and_spaced_texts(drawn: tuple[Any, list[str]]) -> None:
    """`json.dumps` with the separators of a mode writes what the mode accepts, and only that."""
    schema, texts = drawn
    separators = {"compact": (",", ":"), "spaced": (", ", ": ")}
    judges = Judges(schema)
    for text in texts:
        value = json.loads(text)
        written = {
            mode: json.dumps(value, ensure_ascii=False, separators=pair)
            for mode, pair in separators.items()
        }
        for mode in separators:
            compiled = compiled_for(
                schema, byte_vocabulary(), whitespace=mode, property_order="any"
            )
            verdict = judges.verdict(text)
            for other, same_value in written.items():
                fits = other == mode or same_value == written[mode]
                if verdict is not None:
                    assert is_accepted(compiled, same_value) == (verdict and fits)


def walk(
    matcher: schemask.Matcher, vocabulary: schemask.Vocabulary, seed: int, steps: int
) -> bytes:
    """A text made by choosing among the tokens that the masks allow, then the shortest ending."""
    choose = random.Random(seed)
    bitmask = np.zeros((vocabulary.size + 31) // 32, dtype=np.int32)
    text = b""
    for _ in range(steps):
        matcher.fill_mask(bitmask)
        allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))
        assert len(allowed), f"nothing may follow {text!r}"
        token = int(choose.choice(allowed))
        assert matcher.accept(token)
        if matcher.is_terminated:
            return text
        text += vocabulary.token(token)
    ending = matcher.completion()
    assert matcher.accept_bytes(ending)
    assert matcher.is_accepting
    return text + ending


@settings(COMMON, max_examples=300)
@given(schemas(), st.integers(0, 2**32), st.sampled_from(["schema", "any"]))
def test_random_walks_end_as_instances(schema: Any, seed: int, order: str) -> None:
    vocabulary = byte_vocabulary()
    compiled = compiled_for(schema, vocabulary, property_order=order)
    assume(compiled is not None)
    assert compiled is not None
    judges = Judges(schema)
    for steps in (0, 3, 30):
        text = walk(compiled.matcher(), vocabulary, seed, steps).decode()
        assert judges.verdict(text) is not False, text


@pytest.mark.parametrize("whitespace", ["flexible", "compact", "spaced"])
def test_any_json_is_accepted_without_a_schema(whitespace: str) -> None:
    compiled = schemask.Grammar.from_json_schema({}, whitespace=whitespace).compile(
        byte_vocabulary()
    )
    for seed in range(200):
        text = walk(compiled.matcher(), byte_vocabulary(), seed, 40).decode()
        json.loads(text)
