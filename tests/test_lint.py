"""The linter: a file without faults, and files with one planted fault each."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chat_tokenizers import template_text
from schemask.cli import main
from schemask.errors import DataError, FormatError, ModelError
from schemask.lint import RULES, LintFinding, LintReport, lint

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer", "minimum": 1},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "convert",
            "description": "Convert an amount of money.",
            "parameters": {
                "type": "object",
                "properties": {
                    "amount": {"type": "number"},
                    "to": {"enum": ["EUR", "USD"]},
                    "note": {"type": ["string", "null"]},
                },
                "required": ["amount", "to"],
            },
        },
    },
]
CITIES = ("Berlin", "Zürich", "Oslo", "Lima", "Quito", "Accra")


def said(role: str, words: str) -> dict[str, Any]:
    return {"role": role, "content": words}


def called(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made = [
        {"type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in calls
    ]
    return {"role": "assistant", "content": "", "tool_calls": made}


def result(name: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "name": name, "content": text}


def line(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(messages), "tools": copy.deepcopy(TOOLS)}


def good() -> list[Any]:
    """Lines of all kinds of conversations, without a fault."""
    lines = [
        line(
            said("system", "Help."),
            said("user", f"How warm will it be in {city} within {days} days, do you think?"),
            called(("get_weather", {"city": city, "days": days})),
            result("get_weather", f'{{"warmest": {days * 7}}}'),
            said("assistant", f"Up to {days * 7} degrees in {city}."),
        )
        for days, city in enumerate(CITIES, start=1)
    ]
    lines.append(
        line(
            said("user", "What are 3 dollars in euros, and how is it in Rome?"),
            called(("convert", {"amount": 0, "to": "EUR"}), ("get_weather", {"city": "Rome"})),
            result("convert", "2.6"),
            result("get_weather", "Rainy."),
            said("assistant", "2.6 euros, and it rains."),
            said("user", "Thanks!"),
            said("assistant", "You are welcome."),
        )
    )
    lines.append(line(said("user", "Who wrote Faust?"), said("assistant", "Goethe.")))
    lines.append(
        line(
            said("user", "Turn 12.5 euros into dollars, with no note at all."),
            called(("convert", {"amount": 12.5, "to": "USD", "note": None})),
        )
    )
    return lines


def write(path: Path, lines: list[Any]) -> Path:
    texts = [
        entry if isinstance(entry, bytes) else json.dumps(entry, ensure_ascii=False).encode()
        for entry in lines
    ]
    path.write_bytes(b"\n".join(texts) + b"\n")
    return path


@pytest.fixture(scope="module")
def template() -> str:
    """One that writes all that conversations hold, and keeps what it wrote."""
    return template_text("qwen3_training")


@pytest.fixture(scope="module")
def check(
    hf_tokenizer: Any, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., LintReport]:
    def check(lines: list[Any], **options: Any) -> LintReport:
        path = write(tmp_path_factory.mktemp("lint") / "train.jsonl", lines)
        options.setdefault("template", template)
        return lint(path, hf_tokenizer, **options)

    return check


Check = Callable[..., LintReport]


def found(report: LintReport) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in report.findings]


def test_nothing_is_found_in_a_good_file(check: Check) -> None:
    report = check(good(), max_length=4096)
    assert report.findings == ()
    assert (report.errors, report.warnings, report.lines) == (0, 0, 9)
    statistics = report.statistics
    assert statistics.lines == {"messages": 9}
    assert (statistics.conversations, statistics.offering, statistics.abstaining) == (9, 9, 1)
    assert statistics.turns == {"system": 6, "user": 10, "assistant": 17, "tool": 8}
    assert statistics.calls == {"get_weather": 7, "convert": 2}
    assert 0 < statistics.trained < statistics.tokens
    assert statistics.lengths[0] <= statistics.lengths[50] <= statistics.lengths[100]


# Planted faults: what is done to the good lines, and what is found: rule, line, a part of the
# message, and the pointer.
Fault = tuple[Callable[[list[Any]], Any], str, int, str, str]
CALL = "/messages/2/tool_calls/0/function"


def call_of(lines: list[Any], number: int) -> dict[str, Any]:
    messages = lines[number - 1]["messages"]
    function: dict[str, Any] = messages[2]["tool_calls"][0]["function"]
    return function


def set_arguments(number: int, **arguments: Any) -> Callable[[list[Any]], None]:
    return lambda lines: call_of(lines, number)["arguments"].update(arguments)


def replace(number: int, text: bytes) -> Callable[[list[Any]], None]:
    def change(lines: list[Any]) -> None:
        lines[number - 1] = text

    return change


def message(number: int, turn: int, **members: Any) -> Callable[[list[Any]], None]:
    return lambda lines: lines[number - 1]["messages"][turn].update(members)


def tool(number: int, at: int, **members: Any) -> Callable[[list[Any]], None]:
    return lambda lines: lines[number - 1]["tools"][at]["function"].update(members)


def without(number: int, *turns: int) -> Callable[[list[Any]], None]:
    def change(lines: list[Any]) -> None:
        messages = lines[number - 1]["messages"]
        messages[:] = [held for turn, held in enumerate(messages) if turn not in turns]

    return change


def ids(number: int, called_id: str, answered_id: str) -> Callable[[list[Any]], None]:
    def change(lines: list[Any]) -> None:
        messages = lines[number - 1]["messages"]
        messages[2]["tool_calls"][0]["id"] = called_id
        messages[3]["tool_call_id"] = answered_id

    return change


def filled_by_arrow(lines: list[Any]) -> None:
    """What becomes of the definitions of tools when Arrow makes one type of all of them."""
    properties = lines[3]["tools"][0]["function"]["parameters"]["properties"]
    properties.update(amount=None, to=None)


def one_value(lines: list[Any]) -> None:
    for number in range(1, 5):
        lines.append(copy.deepcopy(lines[number]))
        lines[-1]["messages"][1]["content"] = f"{number} times: {'so ' * number}, what now, please?"
    for number, entry in enumerate(lines):
        for turn in entry["messages"]:
            for made in turn.get("tool_calls", ()):
                if made["function"]["name"] == "get_weather":
                    made["function"]["arguments"] = {"city": f"City {number}", "days": 3}


FAULTS: dict[str, Fault] = {
    "not UTF-8": (
        replace(4, b'{"messages": "caf\xe9"}'),
        "not-utf-8",
        4,
        "byte 18 is 0xe9",
        "",
    ),
    "a lone surrogate": (
        replace(4, b'{"messages": [{"role": "user", "content": "\\ud800"}]}'),
        "not-utf-8",
        4,
        "surrogate",
        "/messages/0/content",
    ),
    "no JSON": (replace(2, b'{"messages": ['), "invalid-json", 2, "no JSON", ""),
    "a key twice": (replace(2, b'{"a": 1, "a": 2}'), "invalid-json", 2, "twice", ""),
    "no object": (replace(3, b"[1, 2]"), "invalid-json", 3, "[1, 2]", ""),
    "another shape": (replace(3, b'{"dialog": []}'), "unknown-shape", 3, "'dialog'", ""),
    "ShareGPT": (replace(3, b'{"conversations": []}'), "unknown-shape", 3, "import", ""),
    "a role": (message(2, 1, role="human"), "bad-message", 2, "human", "/messages/1"),
    "a call without result": (
        without(1, 3),
        "turn-order",
        1,
        "get_weather have no result",
        "/messages/3",
    ),
    "a result without call": (without(1, 2), "turn-order", 1, "no call", "/messages/2"),
    "an id that is no call's": (
        ids(5, "call_1", "call_2"),
        "turn-order",
        5,
        "'call_2'",
        "/messages/3/tool_call_id",
    ),
    "a result of another tool": (
        message(5, 3, name="convert"),
        "turn-order",
        5,
        "'convert'",
        "/messages/3/name",
    ),
    "a result without an answer": (without(7, 4), "turn-order", 7, "no answer", "/messages/4"),
    "two users": (without(7, 1, 2, 3, 4), "turn-order", 7, "two turns", "/messages/1"),
    "the assistant first": (without(7, 0, 1, 2, 3), "turn-order", 7, "before", "/messages/0"),
    "the system in between": (
        message(1, 1, role="system"),
        "turn-order",
        1,
        "system message after",
        "/messages/1",
    ),
    "an end without an answer": (without(7, 6), "turn-order", 7, "nothing answers", "/messages/5"),
    "no answer": (without(8, 1), "no-trained-tokens", 8, "no turn of the assistant", ""),
    "a turn that is empty": (
        message(8, 1, content=" "),
        "empty-turn",
        8,
        "neither words nor calls",
        "/messages/1/content",
    ),
    "no definition": (
        lambda lines: lines[7]["tools"].append({"type": "function", "function": {}}),
        "bad-tool",
        8,
        "name",
        "/tools/2",
    ),
    "parameters that are no schema": (
        lambda lines: lines[7].update(
            tools=[{"name": "other", "description": "x", "parameters": {"type": "objekt"}}]
        ),
        "bad-tool",
        8,
        "parameters",
        "/tools/0",
    ),
    "definitions that Arrow filled": (
        filled_by_arrow,
        "null-definitions",
        4,
        "2 nulls",
        "/tools/0/function/parameters/properties/amount",
    ),
    "a tool without description": (
        tool(1, 1, description=""),
        "undescribed-tool",
        1,
        "convert",
        "/tools/1",
    ),
    "a tool that differs": (
        tool(6, 1, parameters={"type": "object", "properties": {"sum": {"type": "number"}}}),
        "tool-differs",
        6,
        "convert takes other arguments than in line 1",
        "/tools/1",
    ),
    "a tool that is not offered": (
        lambda lines: lines[4]["tools"].pop(0),
        "schema-violation",
        5,
        "'get_weather' is not offered; there is convert",
        CALL + "/name",
    ),
    "a wrong type": (
        set_arguments(3, days="three"),
        "schema-violation",
        3,
        "/days",
        CALL + "/arguments/days",
    ),
    "an argument too small": (
        set_arguments(3, days=0),
        "schema-violation",
        3,
        "minimum",
        CALL + "/arguments/days",
    ),
    "a missing argument": (
        lambda lines: call_of(lines, 6)["arguments"].pop("city"),
        "schema-violation",
        6,
        "city",
        CALL + "/arguments",
    ),
    "an argument of another tool, null": (
        set_arguments(2, amount=None, to=None),
        "null-arguments",
        2,
        "2 nulls: /amount, /to",
        CALL + "/arguments/amount",
    ),
    "an argument that is not nullable": (
        set_arguments(2, days=None),
        "null-arguments",
        2,
        "1 null: /days",
        CALL + "/arguments/days",
    ),
    "one value": (one_value, "constant-argument", 1, "'days' is 3 in all of 11 calls", ""),
    "a marker": (
        message(6, 1, content="Say <|im_end|> to me."),
        "marker-in-text",
        6,
        "'<|im_end|>' at character 5",
        "/messages/1/content",
    ),
    "a marker in an argument": (
        set_arguments(6, city="<|im_start|>"),
        "marker-in-text",
        6,
        "'<|im_start|>'",
        CALL,
    ),
    "a marker in a tool": (
        lambda lines: [
            entry["tools"][1]["function"].update(description="Ends <|im_end|>.")
            for entry in lines[:1]
        ],
        "marker-in-text",
        1,
        "definition",
        "/tools/1",
    ),
    "a duplicate": (
        lambda lines: lines.append(
            json.loads(json.dumps(lines[2]).replace("How warm", "how  WARM"))
        ),
        "duplicate",
        10,
        "line 3",
        "",
    ),
    "nearly a duplicate": (
        lambda lines: lines.append(json.loads(json.dumps(lines[6]).replace("welcome", "Welcome!"))),
        "near-duplicate",
        10,
        "the same as line 7",
        "",
    ),
    "a contradiction": (
        lambda lines: lines.append(
            {
                **lines[1],
                "messages": [
                    *lines[1]["messages"][:2],
                    called(("get_weather", {"city": "Bern", "days": 4})),
                ],
            }
        ),
        "contradiction",
        10,
        "line 2",
        "/messages/2",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(check: Check, name: str) -> None:
    change, rule, number, part, pointer = FAULTS[name]
    lines = good()
    change(lines)
    report = check(lines)
    assert found(report) == [(rule, number)], report.as_text()
    (finding,) = report.findings
    assert part in finding.message
    assert pointer in ("", finding.pointer)
    assert report.counts == {rule: 1}
    shown = report.as_text()
    assert f"{rule} (1): {RULES[rule].cause}" in shown
    assert f"line {number}" in shown
