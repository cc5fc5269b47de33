"""Plain spelling: `json.dumps` writes what is accepted, and would write what is written."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemask
from judges import Judges, NotJudged, translated
from maskbench import with_integers
from pairs import is_accepted
from plain import unplain
from schemask.core.byte_vocabulary import byte_vocabulary
from strategies import instances, schemas
from test_semantics import walk

SETTINGS = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028'),
    ),
    max_size=8,
)
INTEGERS = st.integers(-(10**32) + 1, 10**32 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXT),
    lambda values: st.one_of(
        st.lists(values, max_size=4), st.dictionaries(TEXT, values, max_size=4)
    ),
    max_leaves=12,
)


def compiled(schema: Any, **options: Any) -> schemask.CompiledGrammar:
    grammar = schemask.Grammar.from_json_schema(schema, property_order="any", **options)
    return grammar.compile(byte_vocabulary())


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def javascript(number: float) -> str:
    """A float as `JSON.stringify` writes it: the digits of `repr`, and exponents of its own."""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(digits) if digits else 0
    digits = digits.rstrip("0")
    sign = "-" if number < 0 else ""
    if not digits:
        return "0"
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'-' if point < 1 else '+'}{abs(point - 1)}"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0.0, "0"), (1.0, "1"), (-1.5, "-1.5"), (1e20, "100000000000000000000")),
        *((1e21, "1e+21"), (1.5e-6, "0.0000015"), (1e-7, "1e-7"), (123.25, "123.25")),
        *((1.5e300, "1.5e+300"), (5e-324, "5e-324"), (0.1, "0.1"), (100.0, "100")),
    ],
)
def test_javascript_writes_numbers_like_this(number: float, text: str) -> None:
    assert javascript(number) == text


@settings(SETTINGS, max_examples=300)
@given(JSON)
def test_any_value_as_json_dumps_writes_it(value: Any) -> None:
    assert is_accepted(compiled({}), dumps(value))


@settings(SETTINGS, max_examples=500)
@given(FLOATS, INTEGERS)
def test_numbers_as_python_and_javascript_write_them(number: float, integer: int) -> None:
    anything = compiled({"type": "number"})
    for text in (dumps(number), javascript(number), str(integer)):
        assert is_accepted(anything, text), text
    integers = compiled({"type": "integer"})
    assert is_accepted(integers, str(integer))
    assert not is_accepted(integers, dumps(number))
    for bounds in (
        {"minimum": number},
        {"maximum": number},
        {"minimum": number, "maximum": number},
    ):
        bounded = compiled({"type": "number", **bounds})
        is_exact = len(bounds) == 2 and number.is_integer()
        # The value of the literal, of which the float is the nearest.
        text = str(int(Decimal(repr(number)))) if is_exact else dumps(number)
        assert is_accepted(bounded, text), (bounds, text)


def test_what_json_dumps_writes_of_an_instance_is_accepted() -> None:
    counts: Counter[str] = Counter()

    @settings(SETTINGS, max_examples=400)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        schema = data.draw(schemas())
        values = data.draw(st.lists(instances(schema), min_size=1, max_size=5))
        try:
            grammar = compiled(schema)
        except (schemask.SchemaError, schemask.LimitError):
            return
        judges = Judges(translated(schema))
        for value in values:
            try:
                verdict = judges.verdicts(dumps(value)).agreed
            except NotJudged:
                continue
            if verdict is None:
                continue
            # What may only be whole is written like it.
            normal = dumps(with_integers(value))
            assert is_accepted(grammar, normal) == verdict, (schema, normal)
            assert verdict or not is_accepted(grammar, dumps(value)), (schema, value)
            counts["valid" if verdict else "invalid"] += 1

    holds()
    assert counts["valid"] >= 100, counts


def assert_is_plain(text: str) -> None:
    assert not unplain(text), text


def test_random_walks_are_plain() -> None:
    written: Counter[str] = Counter()

    @settings(SETTINGS, max_examples=300)
    @given(schemas(), st.integers(0, 2**32), st.sampled_from(["schema", "any"]))
    def holds(schema: Any, seed: int, order: Any) -> None:
        try:
            grammar = schemask.Grammar.from_json_schema(schema, property_order=order)
        except (schemask.SchemaError, schemask.LimitError):
            return
        matcher = grammar.compile(byte_vocabulary()).matcher()
        for steps in (0, 3, 12, 60):
            matcher.reset()
            text = walk(matcher, byte_vocabulary(), seed, steps).decode()
            assert_is_plain(text)
            written["numbers"] += len(re.findall("[0-9]", text))
            written["escapes"] += text.count("\\")

    holds()
    assert written["numbers"] >= 100 and written["escapes"] >= 1, written


NUMBERS = st.builds(
    lambda digits, exponent: json.loads(f"{digits}e{exponent}"),
    st.integers(-(10**6), 10**6),
    st.integers(-12, 24),
)


@settings(SETTINGS, max_examples=300)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["integer", "number"]),
            "minimum": NUMBERS,
            "exclusiveMaximum": NUMBERS,
            "multipleOf": st.sampled_from([1, 2, 7, 1000, 0.01, 0.25, 0.5, 1e-9, 1e20, 365.25]),
            "not": st.sampled_from(
                [{"multipleOf": 2}, {"multipleOf": 0.1}, {"enum": [0, 1, 2]}, {"minimum": 5}]
            ),
        },
    ),
    st.integers(0, 2**32),
)
def test_numbers_that_are_begun_can_be_finished(schema: dict[str, Any], seed: int) -> None:
    """From each state that a random walk reaches the shortest ending is valid, and it is plain."""
    schema = {"type": "number", **schema}
    try:
        grammar = compiled(schema, whitespace="compact")
    except schemask.SchemaError:
        return
    judges = Judges(translated(schema))
    choose = random.Random(seed)
    vocabulary = byte_vocabulary()
    for steps in range(0, 40, 3):
        text = walk(grammar.matcher(), vocabulary, choose.randrange(2**32), steps).decode()
        assert_is_plain(text)
        assert judges.verdict(text) is not False, (schema, text)


def test_a_long_number_that_a_schema_asks_for() -> None:
    long = 10**40 + 1
    for schema in ({"const": long}, {"type": "integer", "minimum": long}, {"enum": [1, long]}):
        assert is_accepted(compiled(schema), str(long))
    assert not is_accepted(compiled({"type": "integer"}), str(long))


def test_the_option_is_passed_on() -> None:
    text = '{"\\u006e": 1.0}'
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    lark = f"start: %json {json.dumps(schema)}"
    tool = {"name": "f", "parameters": schema}
    call = f'<tool_call>\n{{"name": "f", "arguments": {text}}}\n</tool_call>'
    for spelling in ("plain", "any"):
        grammars = [
            (schemask.Grammar.from_json_schema(schema, spelling=spelling), text),
            (schemask.Grammar.from_lark(lark, spelling=spelling), text),
            (schemask.Grammar.from_tools([tool], format="hermes", spelling=spelling), call),
        ]
        for grammar, written in grammars:
            matcher = grammar.compile(byte_vocabulary()).matcher()
            assert matcher.accept_bytes(written.encode()) == (spelling == "any")
    with pytest.raises(schemask.GrammarError, match="spelling is one of"):
        schemask.Grammar.from_json_schema(schema, spelling="fancy")  # type: ignore[arg-type]
