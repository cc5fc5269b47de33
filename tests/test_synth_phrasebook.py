"""A teacher that is made of tables."""

from __future__ import annotations

import json
import runpy
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from schemask import tool
from schemask.errors import DataError
from schemask.schemas.validator import Validator
from schemask.synth import Phrasebook, TeacherRequest, generate
from schemask.synth.kinds import KINDS
from schemask.tools import ToolSet

HOUSEHOLD = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "household.py"))
TOOLS = ToolSet(HOUSEHOLD["TOOLS"])
PHRASES: Phrasebook = HOUSEHOLD["PHRASES"]


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@tool
def order(
    dish: Literal["soup", "salad"],
    size: Size = Size.SMALL,
    spicy: bool = False,
    portions: Annotated[int, Field(ge=1, le=3)] = 1,
) -> str:
    """Order a dish.

    Args:
        dish: What.
        size: How large.
        spicy: Whether hot.
        portions: How many.
    """
    return f"{dish}, {size.value}"


ORDERS = Phrasebook({"order": ["One {dish}, {size}, spicy {spicy}, {portions} times", "Food!"]})


def request(kind: Any, tools: ToolSet, seed: int = 0, **others: Any) -> TeacherRequest:
    return TeacherRequest(index=0, attempt=0, seed=seed, kind=kind, tools=tools, **others)


@given(st.integers(0, 2**31 - 1), st.sampled_from(TOOLS.names), st.sampled_from(KINDS))
@settings(max_examples=150, deadline=None)
def test_what_it_writes_is_what_was_asked_for(seed: int, name: str, kind: str) -> None:
    if kind == "chain":
        with pytest.raises(DataError, match="no chains"):
            PHRASES(request(kind, TOOLS, seed, targets=(name, name)))
        return
    targets = {"call": (name,), "parallel": (name, "add_to_list"), "missing_value": (name,)}
    required = TOOLS[name].parameters["required"]
    asked = request(
        kind,
        TOOLS,
        seed,
        targets=targets.get(kind, ()),
        missing=required[seed % len(required)] if kind == "missing_value" else None,
        withheld_tool=TOOLS[name] if kind == "missing_tool" else None,
    )
    answer = PHRASES(asked)
    assert Validator(asked.schema).problem(answer) is None
    assert "{" not in answer["user"] + answer["answer"]
    for call in answer.get("tool_calls", ()):
        for parameter, value in call["arguments"].items():
            if parameter == asked.missing:
                assert answer["reply"] == str(value)
            else:
                assert str(value) in answer["user"]


def test_a_file_of_conversations(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    report = generate(PHRASES, TOOLS, 200, path, shares=HOUSEHOLD["SHARES"], progress=False)
    assert report.written == 200
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    called = {
        call["function"]["name"]
        for line in lines
        for message in line["messages"]
        for call in message.get("tool_calls", ())
    }
    assert called == set(TOOLS.names)


def test_values_come_from_the_schema() -> None:
    seen: dict[str, set[Any]] = {}
    for seed in range(200):
        tools = ToolSet([order])
        answer = ORDERS(request("call", tools, seed, targets=("order",)))
        for name, value in answer["tool_calls"][0]["arguments"].items():
            seen.setdefault(name, set()).add(value)
    assert seen == {
        "dish": {"soup", "salad"},
        "size": {"small", "large"},
        "spicy": {True, False},
        "portions": {1, 2, 3},
    }


def test_a_tool_without_a_fitting_phrase_is_asked_for_by_its_description() -> None:
    book = Phrasebook({"order": ["Food!"]})
    answer = book(request("call", ToolSet([order]), targets=("order",)))
    assert answer["user"].startswith("Order a dish.")
    assert answer["tool_calls"][0]["arguments"]["dish"] in answer["user"]


def test_held_out_phrases_are_none_of_the_others() -> None:
    kept, held_out = PHRASES.divided(0.25, seed=3)
    for name, phrases in PHRASES.requests.items():
        assert sorted([*kept.requests[name], *held_out.requests[name]]) == sorted(phrases)
        assert len(held_out.requests[name]) == round(0.25 * len(phrases))
    assert not set(kept.small_talk) & set(held_out.small_talk)
    assert {*kept.small_talk, *held_out.small_talk} == set(PHRASES.small_talk)
    assert PHRASES.divided(0.25, seed=3) == (kept, held_out)
    assert PHRASES.divided(0.25, seed=4) != (kept, held_out)


@pytest.mark.parametrize(
    ("requests", "problem"),
    [
        ({}, "no requests for order"),
        ({"order": ["{what}, please"]}, "names what, which is no parameter"),
    ],
)
def test_what_it_cannot_write(requests: dict[str, list[str]], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        Phrasebook(requests)(request("call", ToolSet([order]), targets=("order",)))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Phrasebook({"order": []}), "not empty"),
        (lambda: Phrasebook({"order": "Food!"}), "a list of phrases"),
        (lambda: Phrasebook({"order": ["{dish"]}), "a brace too much"),
        (lambda: PHRASES.divided(1.0), "between 0 and 1"),
        (lambda: Phrasebook({"order": ["Food!"]}).divided(0.5), "a single phrase"),
    ],
)
def test_what_is_no_phrasebook(make: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        make()


def test_a_parameter_without_values() -> None:
    @tool
    def greet(name: str) -> str:
        """Greet somebody."""
        return name

    book = Phrasebook({"greet": ["Say hello to {name}."]})
    with pytest.raises(DataError, match="no values for name of greet"):
        book(request("call", ToolSet([greet]), targets=("greet",)))
