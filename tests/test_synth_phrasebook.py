"""A teacher that is made of tables."""

from __future__ import annotations

import dataclasses
import json
import re
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
from schemask.improve import HELD_OUT_PHRASES, SHARES
from schemask.schemas.validator import Validator
from schemask.synth import Kind, Phrasebook, TeacherRequest, generate
from schemask.synth.kinds import KINDS
from schemask.tools import ToolSet

HOUSEHOLD = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "household.py"))
TOOLS = ToolSet(HOUSEHOLD["TOOLS"])
PHRASES: Phrasebook = HOUSEHOLD["PHRASES"]

FIRST_WORDS = tuple(text for group in PHRASES.openers for text in group)


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
    assert "Order a dish." in answer["user"]
    assert answer["tool_calls"][0]["arguments"]["dish"] in answer["user"]


def test_held_out_phrases_are_none_of_the_others() -> None:
    kept, held_out = PHRASES.divided(0.25, seed=3)
    for name, phrases in PHRASES.requests.items():
        assert sorted([*kept.requests[name], *held_out.requests[name]]) == sorted(phrases)
        assert len(held_out.requests[name]) == pytest.approx(0.25 * len(phrases), abs=2)
    assert not set(kept.small_talk) & set(held_out.small_talk)
    assert {*kept.small_talk, *held_out.small_talk} == set(PHRASES.small_talk)
    assert PHRASES.divided(0.25, seed=3) == (kept, held_out)
    assert PHRASES.divided(0.25, seed=4) != (kept, held_out)


def places(phrase: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", phrase))


@pytest.mark.parametrize("seed", range(20))
def test_each_part_has_phrases_that_leave_out_each_parameter(seed: int) -> None:
    kept, held_out = PHRASES.divided(0.25, seed=seed)
    for tool_ in TOOLS:
        required = set(tool_.parameters["required"])
        for missing in ({name} for name in required):
            found = [
                {
                    phrase
                    for phrase in book.requests[tool_.name]
                    if required - places(phrase) == missing
                }
                for book in (kept, held_out)
            ]
            assert all(found) and not found[0] & found[1], (tool_.name, missing)


def test_plain_forms_of_the_held_out_part_are_none_of_the_others() -> None:
    book = Phrasebook({"order": ["Food!", "Dinner!"]}, {"order": {"dish": ["soup"]}}, openers=())
    texts = [
        {part(request("call", ToolSet([order]), n, targets=("order",)))["user"] for n in range(60)}
        for part in book.divided(0.25)
    ]
    assert [len(found) for found in texts] == [3, 1]
    assert not texts[0] & texts[1]
    single = Phrasebook(book.requests, book.values, plain=["{task} {values}"], small_talk=[])
    assert [part.plain for part in single.divided(0.25)] == [["{task} {values}"]] * 2


@pytest.mark.parametrize("seed", [0, 5, 11])
def test_a_large_file_keeps_the_shares(tmp_path: Path, seed: int) -> None:
    parts = PHRASES.divided(HELD_OUT_PHRASES, seed)
    for number, (book, count) in enumerate(zip(parts, (1500, 100), strict=True)):
        path = tmp_path / f"{number}.jsonl"
        report = generate(book, TOOLS, count, path, seed=seed, shares=SHARES, progress=False)
        for kind, share in SHARES.items():
            deviation = (count * share * (1 - share)) ** 0.5
            assert abs(report.kinds[kind] - count * share) <= 4 * deviation, kind


def test_small_talk_is_greeted_as_requests_are() -> None:
    opened = {}
    for kind in ("words", "missing_tool"):
        withheld = TOOLS["find_train"] if kind == "missing_tool" else None
        users = [
            PHRASES(request(kind, TOOLS, seed, withheld_tool=withheld))["user"]
            for seed in range(400)
        ]
        opened[kind] = sum(user.startswith(FIRST_WORDS) for user in users) / 400
    assert opened["words"] == pytest.approx(opened["missing_tool"], abs=0.1)
    plain = dataclasses.replace(PHRASES, openers=())
    assert plain(request("words", TOOLS))["user"] in dict(PHRASES.small_talk)


def test_a_line_becomes_another_kind_where_nothing_new_of_its_kind_is_left(tmp_path: Path) -> None:
    book = dataclasses.replace(PHRASES, small_talk=[("Hello!", "Hello!")], openers=())
    shares: dict[Kind, float] = {"words": 0.9, "call": 0.1}
    left_out: dict[Kind, float] = {"chain": 0, "parallel": 0, "missing_tool": 0, "missing_value": 0}
    report = generate(
        book, TOOLS, 40, tmp_path / "a", shares={**shares, **left_out}, progress=False
    )
    assert report.kinds == {"words": 1, "call": 39}


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
        (lambda: Phrasebook({"order": []}), "requests of 'order' are a list, not empty"),
        (lambda: Phrasebook({"order": "Food!"}), "requests of 'order' are a list"),
        (lambda: Phrasebook({}, values={"order": {"dish": "soup"}}), "values of 'dish' of 'order'"),
        (lambda: Phrasebook({}, values={"order": {"dish": {"soup"}}}), "are a list"),
        (lambda: Phrasebook({}, questions={"dish": "Which?"}), "questions of 'dish' are a list"),
        (lambda: Phrasebook({}, questions={"dish": []}), "not empty"),
        (lambda: Phrasebook({}, results={"order": "{}"}), "results of 'order' are a list"),
        (lambda: Phrasebook({}, answers={"order": "Done."}), "answers of 'order' are a list"),
        (lambda: Phrasebook({}, answers={"order": ["Done}"]}), "a brace too much"),
        (lambda: Phrasebook({}, no_tool="I cannot."), "no_tool are a list"),
        (lambda: Phrasebook({}, openers=["Hello!"]), "a group of openers are a list"),
        (lambda: Phrasebook({"order": ["{dish"]}), "a brace too much"),
        (lambda: PHRASES.divided(1.0), "between 0 and 1"),
        (lambda: Phrasebook({}, plain=["{tool}!"]), "not {tool}"),
        (lambda: Phrasebook({"order": ["Food!"]}).divided(0.5), "a single phrase"),
    ],
)
def test_what_is_no_phrasebook(make: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        make()


def test_an_answer_that_names_no_parameter() -> None:
    """It would never be said, and nobody would know."""
    book = Phrasebook({"order": ["One {dish}."]}, answers={"order": ["Your {dishes} comes."]})
    with pytest.raises(DataError, match="an answer for order names dishes"):
        book(request("call", ToolSet([order]), targets=("order",)))


def test_a_value_that_the_tool_does_not_take() -> None:
    @tool
    def wait(minutes: int) -> str:
        """Wait."""
        return f"{minutes}"

    phrases = {"wait": ["Wait {minutes} minutes."]}
    asked = request("call", ToolSet([wait]), targets=("wait",))
    book = Phrasebook(phrases, {"wait": {"minutes": ["five"]}})
    with pytest.raises(DataError, match="minutes of wait that the tool does not take, 'five'"):
        book(asked)
    book = Phrasebook(phrases, {"wait": {"minutes": [5]}})
    assert book(asked)["tool_calls"] == [{"name": "wait", "arguments": {"minutes": 5}}]


def test_a_parameter_without_values() -> None:
    @tool
    def greet(name: str) -> str:
        """Greet somebody."""
        return name

    book = Phrasebook({"greet": ["Say hello to {name}."]})
    with pytest.raises(DataError, match="no values for name of greet"):
        book(request("call", ToolSet([greet]), targets=("greet",)))


def test_results_that_are_given() -> None:
    name = TOOLS.names[0]
    book = dataclasses.replace(PHRASES, results={name: ["cold", "warm"]})
    made = [book(request("call", TOOLS, seed, targets=(name,))) for seed in range(20)]
    assert {text for answer in made for text in answer["results"]} == {"cold", "warm"}
    assert PHRASES(request("call", TOOLS, targets=(name,)))["results"] == ["{}"]


def test_without_small_talk_none_is_written() -> None:
    with pytest.raises(DataError, match="no small talk"):
        dataclasses.replace(PHRASES, small_talk=())(request("words", TOOLS))
