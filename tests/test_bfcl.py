"""BFCL: its entries are read whole, and its answers judged as its own package judges them.

The package `bfcl-eval` is data here, and its checker the oracle, in a process of its own
(`bfcl_oracle.py`). It is the one that is installed, or where SCHEMASK_BFCL says: a wheel, or a
folder into which one was unpacked.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemask.chat import ToolCall
from schemask.core.grammar import Grammar
from schemask.errors import DataError
from schemask.evaluation.bfcl import CATEGORIES, BfclCalls, read_bfcl
from schemask.evaluation.bfcl.checker import compare_call, fault_of
from schemask.evaluation.bfcl.functions import tool_of
from schemask.schemas.validator import Validator
from schemask.synth import Decontaminate, Withheld

SIZES = {
    "simple_python": 400,
    "multiple": 200,
    "parallel": 200,
    "parallel_multiple": 200,
    "irrelevance": 240,
    "live_simple": 258,
    "live_multiple": 1053,
    "live_parallel": 16,
    "live_parallel_multiple": 24,
    "live_irrelevance": 884,
    "live_relevance": 16,
}
# Entries of which no answer is right, by either judge: a value is expected of a parameter that the
# function does not have, or a list that is none of no lists.
NEVER_RIGHT = {
    *("live_multiple_862-181-3", "live_multiple_964-207-0"),
    *("live_simple_106-63-0", "live_simple_112-68-0"),
}

Calls = list[dict[str, dict[str, Any]]]


def place() -> Path | None:
    """Where the package is; None if it is installed."""
    given = os.environ.get("SCHEMASK_BFCL")
    if given and Path(given).exists():
        return Path(given)
    try:
        importlib.metadata.distribution("bfcl-eval")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs bfcl-eval: pip install --no-deps bfcl-eval, or SCHEMASK_BFCL")
    return None


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    return {example.id: example for example in read_bfcl(place())}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package."""
    found = place()
    if found is None:
        return Path(str(importlib.metadata.distribution("bfcl-eval").locate_file("")))
    if found.is_dir():
        return found
    folder = tmp_path_factory.mktemp("bfcl")
    with zipfile.ZipFile(found) as wheel:
        wheel.extractall(folder)
    return folder


def asked(folder: Path, questions: list[list[Any]]) -> list[list[Any]]:
    """What the package's own checker says."""
    script = Path(__file__).parent / "bfcl_oracle.py"
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(folder)],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def picked(answer: Any, draw: random.Random, *, left_out: float) -> Any:
    """One value of those that BFCL allows; objects in it have choices of their own."""
    if isinstance(answer, list):
        return [picked(part, draw, left_out=left_out) for part in answer]
    if not isinstance(answer, dict) or not all(isinstance(part, list) for part in answer.values()):
        return answer
    return chosen(answer, draw, left_out=left_out)


def chosen(answers: dict[str, Any], draw: random.Random, *, left_out: float) -> dict[str, Any]:
    """A value for each parameter."""
    values = {}
    for name, choices in answers.items():
        given = [choice for choice in choices if choice != ""]
        if not left_out:
            given = given or list(choices)
        elif "" in choices and draw.random() < left_out:
            continue
        if given:
            values[name] = picked(draw.choice(given), draw, left_out=left_out)
    return values


def right_calls(expected: BfclCalls, draw: random.Random, *, left_out: float) -> Calls:
    return [
        {answer.tool.name: chosen(dict(answer.values), draw, left_out=left_out)}
        for answer in expected.answers
    ]


ODD_VALUES = (
    *("", "x", "Ünïcode ', . / - _", 0, 1, -7, 3.5, 1.0, True, False, None, [], {}),
    *([1, 2], ["a"], [[1], [2]], {"a": 1}, [{"a": "b"}], [""], ["A b", 1], 10**20),
)


def corrupted(calls: Calls, draw: random.Random) -> Calls:
    """The calls with one thing changed, which may be right still."""
    calls = json.loads(json.dumps(calls))
    kinds = ["call", "value", "left out", "more", "name", "spelling", "inside"]
    kind = draw.choice(kinds)
    place = draw.randrange(len(calls))
    (name,) = calls[place]
    arguments = calls[place][name]
    if kind == "call":
        change = draw.choice(["drop", "double", "swap"])
        if change == "drop":
            del calls[place]
        elif change == "double":
            calls.append(calls[place])
        else:
            draw.shuffle(calls)
    elif kind == "name":
        calls[place] = {
            draw.choice([name + "x", name.upper(), "f", name.replace("_", ".")]): arguments
        }
    elif kind == "more" or not arguments:
        arguments[draw.choice(["x", "unit", "name"])] = draw.choice(ODD_VALUES)
    else:
        key = draw.choice(list(arguments))
        if kind == "left out":
            del arguments[key]
        elif kind == "value":
            arguments[key] = draw.choice(ODD_VALUES)
        elif kind == "spelling":
            arguments[key] = respelt(arguments[key], draw)
        else:
            arguments[key] = changed_inside(arguments[key], draw)
    return calls


def respelt(value: Any, draw: random.Random) -> Any:
    """The same in another spelling, or nearly the same."""
    if isinstance(value, str):
        ways = [value.upper(), value.replace(" ", ""), f"{value}.", f"'{value}'", value + "s"]
        return draw.choice(ways)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return draw.choice([float(value), str(value), value + 1])
    if isinstance(value, float):
        return draw.choice([int(value), str(value), -value])
    if isinstance(value, list):
        return [respelt(part, draw) for part in value]
    if isinstance(value, dict):
        return {key: respelt(part, draw) for key, part in value.items()}
    return value


def changed_inside(value: Any, draw: random.Random) -> Any:
    if isinstance(value, list) and value:
        value = list(value)
        at = draw.randrange(len(value))
        way = draw.choice(["drop", "change", "add", "turn"])
        if way == "drop":
            del value[at]
        elif way == "change":
            value[at] = changed_inside(value[at], draw)
        elif way == "add":
            value.append(draw.choice(ODD_VALUES))
        else:
            value.reverse()
        return value
    if isinstance(value, dict) and value:
        value = dict(value)
        key = draw.choice(list(value))
        if draw.random() < 0.5:
            del value[key]
        else:
            value[key] = changed_inside(value[key], draw)
        return value
    return draw.choice(ODD_VALUES)


def as_calls(calls: Calls) -> list[ToolCall]:
    return [ToolCall(name, arguments) for call in calls for name, arguments in call.items()]


def question(example: Any, calls: Calls, model: str = "underscores") -> list[Any]:
    functions = {id(answer.function): answer.function for answer in example.expected.answers}
    described = list(functions.values())
    truth = [{answer.function["name"]: answer.values} for answer in example.expected.answers]
    return [described, calls, truth, example.category, model]


def with_answers(examples: dict[str, Any]) -> Iterator[Any]:
    return (example for example in examples.values() if isinstance(example.expected, BfclCalls))


def test_all_entries_are_read(examples: dict[str, Any]) -> None:
    assert Counter(example.category for example in examples.values()) == SIZES
    assert set(SIZES) == set(CATEGORIES)
    kinds = Counter(example.expected.kind for example in examples.values())
    assert kinds == {"call": 1911, "parallel": 440, "cannot": 1124, "any_call": 16}
    for example in examples.values():
        assert example.request or example.category.startswith("live_"), example
        assert not any("." in name for name in example.tools.names)
        Grammar.from_tools(example.tools, "hermes")
    first = examples["simple_python_0"]
    assert first.request.startswith("Find the area of a triangle")
    assert first.tools["calculate_triangle_area"].parameters == {
        "type": "object",
        "properties": {
            "base": {"type": "integer", "description": "The base of the triangle."},
            "height": {"type": "integer", "description": "The height of the triangle."},
            "unit": {
                "type": "string",
                "description": "The unit of measure (defaults to 'units' if not specified)",
            },
        },
        "required": ["base", "height"],
        "additionalProperties": False,
    }


def test_names_may_keep_their_dots() -> None:
    kept = read_bfcl(place(), ["multiple"], limit=3, dots=True)
    assert [example.id for example in kept] == ["multiple_0", "multiple_1", "multiple_2"]
    assert "triangle_properties.get" in kept[0].tools
    assert kept[0].expected.shown[0].keys() == {"triangle_properties.get"}


def test_right_answers_are_right_by_both_judges(examples: dict[str, Any], package: Path) -> None:
    """All ground truths: several draws of the values that are said to be right."""
    draw = random.Random(0)
    tried: list[Any] = []
    for example in with_answers(examples):
        for left_out in (0.0, *[0.5] * 7):
            tried.append((example, right_calls(example.expected, draw, left_out=left_out)))
    verdicts = asked(package, [question(example, calls) for example, calls in tried])
    right = set()
    for (example, calls), (valid, why) in zip(tried, verdicts, strict=True):
        found = example.expected.compare(as_calls(calls))
        assert (found.outcome == "right") == valid, (example.id, calls, found, why)
        if valid:
            right.add(example.id)
    assert {example.id for example in with_answers(examples)} - right == NEVER_RIGHT


def test_corrupted_answers_are_judged_alike(examples: dict[str, Any], package: Path) -> None:
    draw = random.Random(1)
    pool = list(with_answers(examples))
    tried: list[Any] = []
    while len(tried) < 4000:
        example = draw.choice(pool)
        calls = right_calls(example.expected, draw, left_out=draw.choice([0.0, 0.0, 0.5]))
        tried.append((example, corrupted(calls, draw)))
    verdicts = asked(package, [question(example, calls) for example, calls in tried])
    outcomes: Counter[str] = Counter()
    for (example, calls), (valid, why) in zip(tried, verdicts, strict=True):
        found = example.expected.compare(as_calls(calls))
        if isinstance(valid, str):
            outcomes["raised"] += 1
            assert found.outcome == "wrong", (example.id, calls, valid, why)
            continue
        outcomes["right" if valid else why] += 1
        assert (found.outcome == "right") == valid, (example.id, calls, found, why)
    assert sum(outcomes.values()) - outcomes["raised"] >= 2000
    assert outcomes["right"] > 200, outcomes
    assert len(outcomes) > 10, outcomes


TYPES = ("string", "integer", "float", "boolean", "array", "tuple", "dict", "any")


def small_value(draw: random.Random, depth: int = 2) -> Any:
    kinds = ["text", "number", "odd", "list", "object"]
    kind = draw.choice(kinds if depth else kinds[:3])
    if kind == "text":
        return draw.choice(["", "a", "A.", "b c", "B/C", "'a'", '"a"', "1"])
    if kind == "number":
        return draw.choice([0, 1, 2, 1.0, 2.5, True, False])
    if kind == "odd":
        return draw.choice(ODD_VALUES)
    if kind == "list":
        return [small_value(draw, depth - 1) for _ in range(draw.randrange(3))]
    return {draw.choice("ab"): small_value(draw, depth - 1) for _ in range(draw.randrange(3))}


def described_type(value: Any, draw: random.Random) -> str:
    """The type of a value, most of the time."""
    names = {str: "string", int: "integer", float: "float", bool: "boolean", dict: "dict"}
    fitting = {**names, list: draw.choice(["array", "tuple"])}.get(type(value))
    return fitting if fitting and draw.random() < 0.8 else draw.choice(TYPES)


def small_answers(draw: random.Random) -> list[Any]:
    def answer(value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {key: [answer(part, depth + 1), ""] for key, part in value.items()}
        return [answer(part, depth + 1) for part in value] if isinstance(value, list) else value

    return [answer(small_value(draw), 0) for _ in range(draw.randrange(1, 4))]


def test_small_cases_are_judged_alike(package: Path) -> None:
    """Any type, any values that are said to be right, and any that are given."""
    draw = random.Random(2)
    questions: list[Any] = []
    for _ in range(6000):
        described: dict[str, Any] = {}
        answers = {name: small_answers(draw) for name in "xy" if draw.random() < 0.95}
        for name in "xy":
            first = answers.get(name, [None])[0]
            described[name] = {"type": described_type(first, draw)}
            if described[name]["type"] in ("array", "tuple"):
                inner = first[0] if isinstance(first, list) and first else None
                described[name]["items"] = {"type": described_type(inner, draw)}
        required = [name for name in "xy" if draw.random() < 0.4]
        given = {}
        for name in "xyz":
            pool = answers.get(name)
            share = draw.random()
            if pool and share < 0.6:
                given[name] = picked(draw.choice(pool), draw, left_out=0.5)
            elif share < (0.75 if pool else 0.2):
                given[name] = small_value(draw)
        function = {
            "name": "f.g",
            "parameters": {"type": "dict", "properties": described, "required": required},
        }
        model = draw.choice(["dots", "underscores"])
        name = "f.g" if (model == "dots") == (draw.random() < 0.95) else "f_g"
        questions.append([[function], [{name: given}], [{"f.g": answers}], "simple", model])
    outcomes: Counter[str] = Counter()
    for asked_, (valid, why) in zip(questions, asked(package, questions), strict=True):
        [[function], [call], [truth], _, model] = asked_
        made = tool_of(function, "f.g" if model == "dots" else "f_g")
        ((name, given),) = call.items()
        found = compare_call(0, function, made, truth["f.g"], ToolCall(name, given))
        if isinstance(valid, str):
            outcomes["raised"] += 1
            continue
        outcomes["right" if valid else why] += 1
        assert valid != any(verdict.fault for verdict in found), (asked_, found, why)
    assert outcomes["right"] > 500 and len(outcomes) > 10, outcomes


def test_the_package_is_a_wheel_or_a_folder(package: Path, tmp_path: Path) -> None:
    by_folder = read_bfcl(package, ["live_parallel", "irrelevance"], limit=9)
    wheel = tmp_path / "bfcl.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in (package / "bfcl_eval" / "data").rglob("*.json"):
            if path.name.endswith(("_irrelevance.json", "_parallel.json")):
                archive.write(path, path.relative_to(package))
    for other in (wheel, package / "bfcl_eval", package / "bfcl_eval" / "data"):
        again = read_bfcl(other, ["live_parallel", "irrelevance"], limit=9)
        assert [example.digest for example in again] == [example.digest for example in by_folder]
    with pytest.raises(DataError, match="0 files"):
        read_bfcl(wheel, ["multiple"])


def test_its_requests_are_withheld(examples: dict[str, Any], package: Path) -> None:
    """Also those of the categories that are not evaluated here, and functions of other files."""
    withheld = Withheld.of(package)
    texts = {text.text for text in withheld.texts}
    asked_of = {example.request for example in examples.values()} - {""}
    assert asked_of <= texts and len(texts) > 5000
    names = {tool.name for tool in withheld.tools}
    assert {"calculate_triangle_area", "triangle_properties.get", "mkdir"} <= names
    stage = Decontaminate(withheld, tools=True)
    first = examples["multiple_0"]
    line = {"messages": [{"role": "user", "content": first.request}]}
    assert stage(line, 0).refused == "withheld request"
    other = {"messages": [{"role": "user", "content": "Hi"}], "tools": first.tools.definitions}
    assert stage(other, 0).refused == "withheld tool"


def test_what_is_no_bfcl(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data of bfcl-eval"):
        read_bfcl(tmp_path)
    with pytest.raises(DataError, match="no data of bfcl-eval"):
        read_bfcl(tmp_path / "nothing")
    (tmp_path / "x.whl").write_text("no archive")
    with pytest.raises(DataError, match="no wheel"):
        read_bfcl(tmp_path / "x.whl")
    with pytest.raises(DataError, match="'simple' is none of"):
        read_bfcl(tmp_path, ["simple"])
    with pytest.raises(DataError, match="categories are a list"):
        read_bfcl(tmp_path, "multiple")
    for text, problem in {
        "[]": "line 1: not a JSON object",
        '{"id": "x"}': "'x' is no entry of BFCL: 'question'",
        '{"id": "x", "question": [[]], "function": [{"name": "f"}]}': "have no properties",
    }.items():
        (tmp_path / "BFCL_v4_simple_python.json").write_text(text)
        (tmp_path / "BFCL_v4_irrelevance.json").write_text(text)
        with pytest.raises(DataError, match=problem):
            read_bfcl(tmp_path, ["irrelevance"])


def test_functions_become_tools() -> None:
    described = {
        "a": {"type": "float", "optional": True},
        "b": {"type": "tuple", "items": {"type": "dict"}, "default": None},
        "h": {"type": "string", "enum": ["x"], "default": None},
        "c": {"type": "any", "description": "Anything."},
        "d": {"type": "dict", "properties": {"e": {"type": "integer", "enum": ["1", "2"]}}},
        "f": {"type": "array", "items": {"type": "string"}, "enum": ["x", "y"]},
        "g": {"type": "boolean", "enum": ["True", "dontcare"]},
    }
    made = tool_of({"name": "t", "parameters": {"type": "dict", "properties": described}}, "t")
    assert made.parameters == {
        "type": "object",
        "properties": {
            "a": {"type": "number"},
            "b": {"type": ["array", "null"], "items": {"type": "object"}, "default": None},
            "h": {"type": ["string", "null"], "enum": ["x", None], "default": None},
            "c": {"description": "Anything."},
            "d": {
                "type": "object",
                "properties": {"e": {"type": "integer", "enum": [1, 2]}},
                "additionalProperties": False,
            },
            "f": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
            "g": {"enum": [True, "dontcare"]},
        },
        "additionalProperties": False,
    }
    with pytest.raises(DataError, match=r"t/x: unknown type 'List'"):
        tool_of({"name": "t", "parameters": {"properties": {"x": {"type": "List"}}}}, "t")


def test_where_the_checker_raises_the_answer_is_wrong(package: Path) -> None:
    described = {"type": "array", "items": {"type": "dict"}}
    function = {"name": "f", "parameters": {"properties": {"x": described}, "required": []}}
    answers = [[{"a": ["b"]}], ""]
    question_ = [[function], [{"f": {"x": [5]}}], [{"f": {"x": answers}}], "simple", "dots"]
    assert asked(package, [question_])[0][0] == "AttributeError"
    assert fault_of([5], answers, described) == "value"
    function["parameters"]["properties"]["x"] = described = {"type": "float"}  # type: ignore[index]
    question_ = [[function], [{"f": {"x": 10**400}}], [{"f": {"x": [1.0]}}], "simple", "dots"]
    assert asked(package, [question_])[0][0] == "OverflowError"
    assert fault_of(10**400, [1.0], described) == "value"


def test_a_grammar_allows_a_right_answer(examples: dict[str, Any]) -> None:
    """But for entries whose values are not of the type, or none of those, of their description."""
    draw = random.Random(3)
    never = set()
    for example in with_answers(examples):
        for attempt in range(24):
            left_out = (0.9, 0.5, 0.0)[attempt % 3]
            calls = as_calls(right_calls(example.expected, draw, left_out=left_out))
            if example.expected.compare(calls).outcome == "right" and all(
                Validator(example.tools[call.name].parameters).problem(call.arguments) is None
                for call in calls
            ):
                break
        else:
            never.add(example.id)
    assert never - NEVER_RIGHT == {
        *("live_multiple_87-38-4", "live_multiple_750-169-5", "live_multiple_756-169-11"),
        *("live_multiple_835-178-10", "live_multiple_871-182-8", "live_multiple_947-197-0"),
        *("live_multiple_189-83-0", "live_parallel_multiple_2-2-0"),
        *("live_multiple_552-153-1", "live_multiple_595-158-1", "live_multiple_596-158-2"),
        *("live_multiple_731-167-2", "live_multiple_733-167-4", "live_multiple_735-167-6"),
        *("parallel_multiple_21", "parallel_multiple_94"),
    }
