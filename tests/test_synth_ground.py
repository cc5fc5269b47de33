"""Values of arguments: which are said, and which are invented."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemask.errors import DataError
from schemask.synth import Ground, Outcome
from schemask.synth.grounds import Said
from schemask.synth.numerals import numbers_in


def is_in(value: Any, text: str) -> bool:
    said = Said()
    said.add(text)
    return said.has(value)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("it costs 1,500.50 or 3,5", {1500.5, 3.5}),
        ("the 3rd of May, 2026", {3, 5, 2026}),
        ("twenty-five seats, two hundred and fifty more", {25, 250}),
        ("two and a half litres", {2.5}),
        ("three thousand four hundred twelve", {3412}),
        ("five six", {5, 6}),
        ("5k, 2.5 million, 20%", {5000, 2.5e6, 20, 0.2}),
        ("a dozen; half an hour; two hours", {12, 30, 0.5, 120, 7200}),
        ("1e-05 or 2.5e+20", {1e-5, 2.5e20}),
        ("at 6:30 pm, or 12 am", {18, 30, 0}),
        ("5km at -7 degrees", {5, 7}),
    ],
)
def test_numbers(text: str, numbers: set[float]) -> None:
    assert numbers <= numbers_in(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("one_way", "A one-way ticket"),
        ("oneWay", "one way, please"),
        ("wifi", "a room with Wi-Fi"),
        ("New York", "to new york!"),
        ("Berlin, Germany", "Is it warm in Berlin? The one in Germany."),
        ("box", "three boxes"),
        ("cities", "which city"),
        ("Remind Bob of the meeting", "remind me of the meeting with Bob"),
        ("anna@example.org", "write to Anna@example.org."),
        ("F-12", '{"id": "F-12"}'),
        ("北京", "北京天气怎么样"),
        ("€", "5 €"),
        ("Zoë", "ZOE\u0308 called"),
        (3, "three of them"),
        (-7, "minus 7"),
        (0.2, "20%"),
        ("42", "forty-two"),
        (10**400, "no " + "1" + "0" * 400),
        ("2026-05-03", "on the 3rd of May"),
        ("2026-05-03", "on May 3, 2026"),
        ("2026-05-04", "Today is 2026-05-03. Tomorrow!"),
        ("08-16-2022", "on 2022/08/16"),
        ("04/2022", "in April 2022"),
        ("women", "the best woman in tennis"),
        (7, "in the next week"),
        ("18:30", "at half past six pm, no, 6:30 pm"),
        ("2026-05-03T18:00:00Z", "May 3rd at 6 pm"),
    ],
)
def test_said(value: Any, text: str) -> None:
    assert is_in(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("AAPL", "What is Apple trading at?"),
        ("Paris", "the weather in Berlin"),
        ("New York", "a new car"),
        ("F-12", "F-13 and 12"),
        ("上海", "北京天气怎么样"),
        (4, "three of them"),
        (15, "150 or 1.5"),
        ("2025-05-03", "on May 3, 2026"),
        ("2026-05-09", "on the 3rd of May"),
        ("2027-05-04", "Today is 2026-05-03. Tomorrow!"),
        ("2026-13-45", "13 or 45, 2026"),
        ("18:30", "at 6 pm"),
        ("08-16-2022", "on 2022/08/17"),
        ("07:30", "at 6:30"),
        ("$", "5 €"),
        ("Remind Bob of the dinner", "remind me of the meeting with Bob"),
    ],
)
def test_not_said(value: Any, text: str) -> None:
    assert not is_in(value, text)


@settings(max_examples=200, deadline=None)
@given(
    value=st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    around=st.text(),
)
def test_any_text_can_be_looked_up(value: Any, around: str) -> None:
    """Whatever it is, a value that stands there in its own form is said."""
    said = Said()
    said.add(around)
    said.has(value)
    said.add(f"({value})")
    assert said.has(value) or not str(value).strip()


TOOL = {
    "name": "book",
    "parameters": {
        "type": "object",
        "properties": {
            "to": {"type": "string"},
            "unit": {"enum": ["celsius", "kelvin"]},
            "class": {"$ref": "#/$defs/class"},
            "kind": {"const": "flight"},
            "note": {"type": "string"},
            "people": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "age/years": {"anyOf": [{"type": "integer", "default": 30}]},
                        "adult": {"type": "boolean"},
                        "name": {"type": ["string", "null"]},
                    },
                },
            },
        },
        "$defs": {"class": {"type": "string", "default": "economy"}},
    },
}


def line(arguments: dict[str, Any], *before: tuple[str, str]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in before]
    call = {"type": "function", "function": {"name": "book", "arguments": arguments}}
    messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
    return {"messages": messages, "tools": [TOOL]}


OSLO = ("user", "To Oslo, please.")


@pytest.mark.parametrize(
    "arguments",
    [
        {"to": "oslo"},
        {"to": "Oslo", "class": "economy", "kind": "flight"},
        {"people": [{"age/years": 30, "adult": True, "name": None}]},
        {"to": "", "people": []},
    ],
)
def test_grounded(arguments: dict[str, Any]) -> None:
    example = line(arguments, OSLO)
    assert Ground()(example, 0) == Outcome((example,))


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"to": "Bergen"}, "/to: nobody said 'Bergen'"),
        ({"to": "Oslo", "class": "first"}, "/class: nobody said 'first'"),
        ({"people": [{"name": "Oslo"}, {"age/years": 31}]}, "/people/1/age~1years: nobody said 31"),
    ],
)
def test_invented(arguments: dict[str, Any], place: str) -> None:
    outcome = Ground()(line(arguments, OSLO), 0)
    assert (outcome.refused, outcome.detail) == (
        "invented",
        f"message 1, call 0: book: {place}",
    )


def test_who_grounds() -> None:
    assert Ground()(
        line({"to": "Oslo"}, ("system", "Home is Oslo."), ("user", "Home!")), 0
    ).examples
    said = line({"to": "Oslo"}, ("user", "Where?"), ("assistant", "Oslo?"), ("user", "Yes."))
    assert Ground()(said, 0).refused == "invented"
    # A result grounds the calls after it, and not its own.
    first = line({}, ("user", "Book what you find."))["messages"]
    found = {"role": "tool", "name": "book", "content": '{"city": "Oslo"}'}
    later = line({"to": "Oslo"})["messages"]
    assert Ground()({"messages": [*first, found, *later], "tools": [TOOL]}, 0).examples
    assert Ground()({"messages": [*first, *later, found], "tools": [TOOL]}, 0).refused == "invented"


def test_settings() -> None:
    example = line({"to": "Oslo", "unit": "celsius", "note": "A gift"}, ("user", "Oslo in °C"))
    assert Ground()(example, 0).detail.endswith("/unit: nobody said 'celsius'")
    stage = Ground(synonyms={"Celsius": ["°C"]}, free=["note"])
    assert stage(example, 0).examples
    assert stage.options() != Ground(synonyms={"Celsius": ["°F"]}, free=["note"]).options()
    for wrong in (
        {"synonyms": 1},
        {"synonyms": {"a": "b"}},
        {"synonyms": {1: ["b"]}},
        {"free": "a"},
    ):
        with pytest.raises(DataError):
            Ground(**wrong)  # type: ignore[arg-type]
    assert Ground()({"messages": 3}, 0).refused == "wrong shape"
