"""The linter: a file without faults, and files with one planted fault each."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_tokenizers import template_text
from schemask.chat import ChatFormat
from schemask.cli import main
from schemask.errors import DataError, Error, FormatError, ModelError
from schemask.lint import RULES, LintReport, likeness, lint
from schemask.models.tokenizers import load_tokenizer
from schemask.synth import Decontaminate, Pair, Withheld
from schemask.synth.decontaminate import SAME
from schemask.training import dataset, encode_turns

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
        options.setdefault("trl", "format" not in options)
        if options["trl"] or "format" not in options:
            options.setdefault("template", template)
        return lint(path, hf_tokenizer, **options)

    return check


Check = Callable[..., LintReport]


def found(report: LintReport) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in report.findings]


def test_a_file_without_lines_trains_nothing(check: Check) -> None:
    assert found(check([])) == [("no-lines", 1)]


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
        message(7, 5, role="system"),
        "turn-order",
        7,
        "system message after",
        "/messages/5",
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


# Faults of a template, in one that has none: what is exchanged in it for what, and what is found.
OPENING = "{{- '<|im_start|>' + message.role + '\\n' }}\n        {%- generation %}"
CLOSING = "{{- '<|im_end|>\\n' }}\n        {%- endgeneration %}"
WORDS = "+ '\\n</think>\\n\\n' + content.lstrip('\\n') }}"
IN_TEMPLATES: dict[str, tuple[str, str, str, str]] = {
    "drops calls": (
        "{%- if message.tool_calls %}",
        "{%- if false %}",
        "calls-dropped",
        "drops tool_calls of message 2",
    ),
    "drops the second call": (
        "{%- for tool_call in message.tool_calls %}",
        "{%- for tool_call in message.tool_calls[:1] %}",
        "calls-dropped",
        "drops tool_calls of message 1",
    ),
    "drops results": (
        "{{- '\\n<tool_response>\\n' }}\n        {{- content }}",
        "{{- '\\n<tool_response>\\n' }}",
        "calls-dropped",
        "drops content of message 3",
    ),
    "drops tools": ("{%- if tools %}", "{%- if false %}", "calls-dropped", "drops tools"),
    "drops the system": (
        "{{- messages[0].content + '\\n\\n' }}",
        "",
        "calls-dropped",
        "drops content of message 0",
    ),
    "drops what is 0": (
        "{{- tool_call.arguments | tojson }}",
        "{ {%- for k, v in tool_call.arguments.items() if v %}{{ k }}: {{ v | tojson }}, "
        "{% endfor %} }",
        "calls-dropped",
        "drops the argument 'amount' of message 1",
    ),
    "refuses": (
        "{%- if message.tool_calls %}",
        "{%- if message.tool_calls | length > 1 %}{{ raise_exception('one call!') }}{% endif %}"
        "{%- if message.tool_calls %}",
        "template-refuses",
        "one call!",
    ),
    "rewrites earlier turns": (
        "'<think>\\n' + reasoning_content.strip('\\n') " + WORDS,
        "('' if loop.index0 < ns.last_query_index else '<think>\\n\\n</think>\\n\\n') + content }}",
        "rewritten-turns",
        "<think>",
    ),
    "begins otherwise than prompts end": (
        "{{- '<|im_start|>assistant\\n' }}",
        "{{- '<|im_start|>assistant\\n<think>\\nSo' }}",
        "rewritten-turns",
        "So",
    ),
    "trains the prompt": (
        OPENING,
        "{%- generation %}{{- '<|im_start|>' + message.role + '\\n' }}",
        "prompt-in-loss",
        "what the prompt supplies: '<|im_start|>assistant",
    ),
    "trains what follows": (
        CLOSING,
        "{{- '<|im_end|>\\nAnd so on.' }}{%- endgeneration %}",
        "prompt-in-loss",
        "what follows the turn: '\\nAnd so on.'",
    ),
    "trains everything": (
        "{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}",
        "{%- generation %}{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' "
        "+ '\\n' }}{%- endgeneration %}",
        "prompt-in-loss",
        "what the prompt supplies: '<|im_start|>user",
    ),
    "does not train the end": (
        CLOSING,
        "{%- endgeneration %}{{- '<|im_end|>\\n' }}",
        "missing-end",
        "leaves out what ends the turn: '<|im_end|>'",
    ),
    "does not end the last turn": (
        CLOSING,
        "{%- if not loop.last %}{{- '<|im_end|>\\n' }}{% endif %}{%- endgeneration %}",
        "missing-end",
        "no marker ends the turn",
    ),
    "does not train words": (
        "{%- generation %}\n        {{- '<think>\\n' + reasoning_content.strip('\\n') " + WORDS,
        "{{- '<think>\\n' + reasoning_content.strip('\\n') " + WORDS + "{%- generation %}",
        "no-trained-tokens",
        "leaves out '<think>",
    ),
}


@pytest.mark.parametrize("name", IN_TEMPLATES)
def test_a_fault_of_the_template_is_found_and_nothing_else(
    check: Check, template: str, name: str
) -> None:
    there, other, rule, part = IN_TEMPLATES[name]
    assert there in template
    report = check(good(), template=template.replace(there, other))
    assert report.counts.keys() == {rule}, report.as_text()
    assert part in report.as_text(), report.as_text()


def test_what_is_longer_than_the_limit(check: Check) -> None:
    lengths = check(good()).statistics.lengths
    # The last line ends with white space that nobody needs.
    assert check(good(), max_length=lengths[100] - 1).findings == ()
    report = check(good(), max_length=lengths[100] - 2)
    assert found(report) == [("truncated", 7)]
    (finding,) = report.findings
    assert (finding.turn, finding.pointer) == (6, "/messages/6")
    assert f"{lengths[100] - 2} are kept" in finding.message
    assert "and 2 more" in check(good(), max_length=10).findings[6].message


SIMPLE = [said("user", "Who wrote Faust?"), said("assistant", "Goethe.")]


def test_prompts_and_completions(check: Check) -> None:
    lines: list[Any] = [
        {"prompt": entry["messages"][:at], "completion": entry["messages"][at:], **tools}
        for entry in good()
        for at in [2 if entry["messages"][0]["role"] == "system" else 1]
        for tools in [{"tools": json.dumps(entry["tools"])}]
    ]
    report = check(lines)
    # All of a completion is trained, also results of tools.
    assert found(report) == [("prompt-in-loss", number) for number in range(1, 8)]
    assert report.findings[0].pointer == "/completion/1"
    assert report.findings[0].message.endswith("messages of tool")
    for entry in lines[:7]:
        del entry["completion"][1:]
    assert check(lines).findings == ()
    lines[7]["completion"] = []
    assert found(check(lines)) == [("no-trained-tokens", 8)]
    texts = [{"prompt": f"{at} + 1 = ", "completion": f"{at + 1}<|im_end|>"} for at in range(9)]
    assert check(texts).findings == ()
    texts[4]["completion"] = " "
    texts[6]["completion"] = "7<|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>\n"
    assert found(check(texts)) == [("prompt-in-loss", 7), ("no-trained-tokens", 5)]


def test_preferences(check: Check) -> None:
    lines: list[Any] = [
        {
            "prompt": entry["messages"][:2],
            "chosen": entry["messages"][2:3],
            # What is rejected may be wrong.
            "rejected": [called(("get_weather", {"town": 1}))],
            "tools": entry["tools"],
        }
        for entry in good()[:6]
    ]
    report = check(lines)
    assert report.findings == ()
    assert report.statistics.conversations == 12
    lines[3]["chosen"] = [called(("get_weather", {"town": 2}))]
    lines[4]["rejected"] = lines[4]["chosen"]
    assert found(check(lines)) == [("same-answers", 5), ("schema-violation", 4)]
    whole = [
        {"chosen": SIMPLE, "rejected": [SIMPLE[0], said("assistant", "Schiller.")]},
        {"chosen": "Yes.", "rejected": "No.", "prompt": "Is it?"},
    ]
    assert check(whole).findings == ()


@pytest.mark.parametrize("options", [{}, {"format": "hermes"}], ids=["trl", "format"])
def test_preferences_as_they_are_made(check: Check, options: dict[str, Any]) -> None:
    """Both sides are conversations; what is rejected may be wrong, but not what is chosen."""
    made = [
        line for index, entry in enumerate(good()) for line in Pair(pairs=3)(entry, index).examples
    ]
    assert {type(line["rejected"].get("text")) for line in made} == {str, type(None)}
    report = check(made, **options, ignore=["near-duplicate"])
    assert report.findings == ()
    assert report.statistics.lines == {"preference": len(made)}
    texts = sum("text" in line["rejected"] for line in made)
    assert report.statistics.conversations == 2 * len(made) - texts

    first = next(line for line in made if line["fault"] == "wrong argument")
    wrong = [copy.deepcopy(first) for _ in range(6)]
    for number, line in enumerate(wrong):
        line["messages"][-2 if len(line["messages"]) > 2 else 0]["content"] += f" {number} times"
    last = len(wrong[0]["messages"]) - 1
    wrong[1]["rejected"] = wrong[1]["messages"][-1]
    wrong[2]["rejected"] = {"text": "so", "right": "so"}
    wrong[3]["rejected"] = 3
    wrong[4]["messages"][-1]["tool_calls"][0]["function"]["name"] = "get_wether"
    wrong[5]["rejected"] = {"role": "robot"}
    ignored = ["near-duplicate", "not-encodable", "contradiction"]
    report = check(wrong, **options, ignore=ignored)
    assert sorted((finding.line, finding.rule, finding.pointer) for finding in report.findings) == [
        (2, "same-answers", "/rejected"),
        (3, "same-answers", "/rejected"),
        (4, "bad-message", "/rejected"),
        (5, "schema-violation", f"/messages/{last}/tool_calls/0/function/name"),
        (6, "bad-message", "/rejected"),
    ]
    for messages in ([], {}, [3], None):
        report = check([{**made[0], "messages": messages}], **options)
        assert report.errors


def test_what_is_found_in_both_sides_is_told_once(check: Check) -> None:
    entry = Pair(faults=("wrong argument",))(good()[0], 0).examples[0]
    entry["messages"].insert(1, said("system", "Late."))
    entry["messages"].insert(1, said("user", "Hi."))
    report = check([entry])
    assert found(report).count(("turn-order", 1)) == len(found(report))
    pointers = [finding.pointer for finding in report.findings]
    assert len(pointers) == len(set(pointers))


def test_a_wrong_text_of_another_format_is_not_encodable(check: Check) -> None:
    """As `schemask.training.preferences` refuses it."""
    [entry] = Pair(faults=("syntax",), format="llama3_json")(good()[0], 0).examples
    report = check([entry], format="hermes")
    assert found(report) == [("not-encodable", 1)]
    assert "the text is of another format" in report.findings[0].message


def test_what_dpo_would_read_otherwise_is_not_encodable(check: Check) -> None:
    """As `preferences` refuses it: TRL has the tokenizer read the texts, in which this is one."""
    [entry] = Pair(faults=("wrong argument",))(good()[0], 0).examples
    assert found(check([entry], trl=False)) == []
    entry["messages"][1]["content"] += " <|im_end|>"
    report = check([entry], trl=False)
    assert found(report) == [("not-encodable", 1)]
    assert "DPOTrainer would read" in report.findings[0].message


def test_texts_are_trained_whole(check: Check, hf_tokenizer: Any, template: str) -> None:
    text = hf_tokenizer.apply_chat_template(SIMPLE, chat_template=template, tokenize=False)
    report = check([{"text": text}, {"text": "A text of the web."}, {"text": ""}])
    assert found(report) == [
        ("prompt-in-loss", 1),
        ("prompt-in-loss", 2),
        ("no-trained-tokens", 3),
    ]
    own = len(hf_tokenizer("<think>\n\n</think>\n\nGoethe.<|im_end|>")["input_ids"])
    total = len(hf_tokenizer(text)["input_ids"])
    assert f"{total - own} of {total} tokens are outside" in report.findings[0].message


def encoded(tokenizer: Any, template: str) -> dict[str, list[int]]:
    """A conversation of two turns as tokens, labelled as it should be."""
    messages = [*SIMPLE, said("user", "And Don Carlos?"), said("assistant", "Schiller.")]
    text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    ids, labels = [], []
    for number, part in enumerate(text.split("<|im_start|>assistant\n")):
        own, mark, rest = part.partition("<|im_end|>") if number else ("", "", part)
        if not number:
            rest = part
        begun = "" if rest == text.rpartition("<|im_end|>")[2] else "<|im_start|>assistant\n"
        mine, others = (tokenizer(held)["input_ids"] for held in (own + mark, rest + begun))
        ids += mine + others
        labels += mine + [-100] * len(others)
    assert tokenizer.decode(ids) == text
    return {"input_ids": ids, "labels": labels}


def test_tokens_and_labels(check: Check, hf_tokenizer: Any, template: str) -> None:
    line = encoded(hf_tokenizer, template)
    ids, labels = line["input_ids"], line["labels"]
    report = check([line], max_length=len(ids) - 1)
    assert report.findings == ()
    assert report.statistics.lines == {"tokens": 1}
    assert report.statistics.trained == len(labels) - labels.count(-100)
    first = next(at for at, label in enumerate(labels) if label != -100)
    end = hf_tokenizer.convert_tokens_to_ids("<|im_end|>")
    last = len(labels) - labels[::-1].index(end) - 1

    def changed(at: int, label: int) -> dict[str, list[int]]:
        return {"input_ids": ids, "labels": [*labels[:at], label, *labels[at + 1 :]]}

    masks = {"completion_mask": [int(label != -100) for label in labels]}
    for made, rule, part in (
        (changed(first - 1, ids[first - 1]), "prompt-in-loss", "1 tokens are trained outside"),
        ({"input_ids": ids}, "prompt-in-loss", "from /labels/0"),
        (changed(last, -100), "missing-end", "turn 1 of the assistant is not trained"),
        (
            {"input_ids": ids[:last], "labels": labels[:last]},
            "missing-end",
            "turn 1 of the assistant is not there",
        ),
        (changed(first, -100), "no-trained-tokens", "1 of"),
        ({"input_ids": ids, "labels": [-100] * len(ids)}, "no-trained-tokens", "none of"),
        (changed(first, 0), "bad-labels", f"the label of token {first} is 0"),
        ({"input_ids": ids, "labels": labels[:-1]}, "bad-labels", "labels for"),
        ({"input_ids": "1 2"}, "bad-labels", "list of numbers"),
        ({"input_ids": [*ids, -1]}, "bad-labels", f"token {len(ids)} is -1"),
        ({"input_ids": [*ids, 10**6]}, "bad-labels", "is 1000000, and the tokenizer has"),
        ({"input_ids": ids, "completion_mask": [1]}, "bad-labels", "mask"),
    ):
        report = check([made])
        assert found(report) == [(rule, 1)], report.as_text()
        assert part in report.findings[0].message
    assert found(check([line], max_length=last)) == [("truncated", 1)]
    assert check([{"input_ids": ids, **masks}]).findings == ()
    assert found(check([line, line])) == [("duplicate", 2)]


def test_words_are_those_of_synth(check: Check) -> None:
    """Also where no spaces are between them, and where Unicode leaves a choice."""
    answer = said(
        "assistant",
        "明日の東京は晴れで、最高気温は二十一度、最低気温は十二度の予想です。"
        "朝は少し冷えますが、昼には暖かくなります。雨の心配はありません。傘も要りません。",
    )
    lines = [
        line(said("user", "明日の東京の天気を教えてください"), answer),
        line(said("user", "明日の東京の天気を教えて下さい。"), answer),
    ]
    assert found(check(lines)) == [("near-duplicate", 2)]
    entry = good()[1]
    other = json.loads(json.dumps(entry))
    other["messages"][1]["content"] = "".join(
        chr(ord(c) + 0xFEE0) if c.isascii() and c.isalpha() else c
        for c in entry["messages"][1]["content"]
    )
    other["messages"][2] = called(("get_weather", {"city": "Bern", "days": 4}))
    other["messages"] = other["messages"][:3]
    assert ("contradiction", 2) in found(check([entry, other]))


def test_equal_calls_are_no_contradiction(check: Check) -> None:
    """Neither by how numbers are spelt, nor by a default that is told or not."""
    entry = line(said("user", "How is it in Bern?"), called(("get_weather", {"city": "Bern"})))
    entry["tools"][0]["function"]["parameters"]["properties"]["days"]["default"] = 1
    same, other = copy.deepcopy(entry), copy.deepcopy(entry)
    same["messages"][-1] = called(("get_weather", {"days": 1.0, "city": "Bern"}))
    other["messages"][-1] = called(("get_weather", {"city": "Bern", "days": 2}))
    contradictions = [at for rule, at in found(check([entry, same, other])) if rule[:3] == "con"]
    assert contradictions == [3]


def test_what_leaks_is_what_synth_refuses(check: Check, tmp_path: Path) -> None:
    words = [f"word{at}" for at in range(26)]
    path = write(tmp_path / "held.jsonl", [line(said("user", " ".join(words)))])
    stage = Decontaminate(Withheld.of(path))
    seen = set()
    for change in range(26):
        for length in (12, 13, 24, 26):
            text = " ".join(
                [*words[:change], *words[change + 1 :]][:length] + ["so"] * (length < 26)
            )
            for asked in (text, " ".join(words).upper()):
                entry = line(said("user", asked), said("assistant", "Yes."))
                refused = stage(entry, 0).refused
                counts = check([entry], against=[path]).counts
                rule = None if refused is None else "leaked" if refused == SAME else "nearly-leaked"
                assert rule in counts if rule else not counts, (asked, refused)
                seen.add(rule)
    assert seen == {None, "leaked", "nearly-leaked"}


def test_leakage_into_an_evaluation(check: Check, tmp_path: Path) -> None:
    asked = good()[2]["messages"][1]["content"]
    long = " ".join(f"word{at}" for at in range(40))
    shapes = [
        {"messages": [said("user", asked.upper() + "!"), said("assistant", "Hot.")]},
        {"id": "simple_1", "question": [[said("user", long)]], "function": []},
        {"prompt": "Thanks!", "completion": "Welcome."},
    ]
    files = [write(tmp_path / f"{at}.jsonl", [shape]) for at, shape in enumerate(shapes)]
    lines = [*good(), line(said("user", long + " more"), said("assistant", "Yes."))]
    report = check(lines, against=files)
    assert found(report) == [("leaked", 3), ("nearly-leaked", 10)]
    assert "0.jsonl: line 1" in report.findings[0].message
    assert "1.jsonl: line 1" in report.findings[1].message
    assert report.findings[0].pointer == "/messages/1/content"
    with pytest.raises(DataError, match="list"):
        check(lines, against=files[0])
    with pytest.raises(DataError, match="No such file"):
        check(lines, against=[tmp_path / "none.jsonl"])


def test_what_arrow_makes_of_a_good_file(hf_tokenizer: Any, template: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    lines = good()[:7]
    for entry in lines:
        for made in entry["messages"]:
            for call in made.get("tool_calls", ()):
                if call["function"]["name"] == "convert":
                    call["function"]["arguments"]["amount"] = 1.5
    rewritten = datasets.Dataset.from_list(lines)
    report = lint(rewritten, hf_tokenizer, template=template, trl=True)
    assert set(report.counts) == {"null-definitions", "null-arguments"}, report.as_text()
    assert report.counts["null-arguments"] == 8
    assert report.name == "data"
    # As JSON text, both stay as they were.
    kept = [
        {
            "messages": [
                {
                    **made,
                    "tool_calls": [
                        {
                            "type": "function",
                            "function": {
                                "name": call["function"]["name"],
                                "arguments": json.dumps(call["function"]["arguments"]),
                            },
                        }
                        for call in made.get("tool_calls", ())
                    ],
                }
                for made in entry["messages"]
            ],
            "tools": json.dumps(entry["tools"]),
        }
        for entry in lines
    ]
    assert (
        lint(datasets.Dataset.from_list(kept), hf_tokenizer, template=template, trl=True).findings
        == ()
    )
    other = template.replace("tool_call.arguments is string", "false")
    report = lint(datasets.Dataset.from_list(kept), hf_tokenizer, template=other, trl=True)
    assert report.counts.keys() == {"arguments-as-text"}
    assert report.findings[0].pointer == CALL + "/arguments"


def test_with_the_models_own_template_or_format(
    small_gguf: Path, small_tokenizer: Any, tmp_path: Path
) -> None:
    """SmolLM2's template knows no calls; the format that follows from it writes them in words."""
    path = write(tmp_path / "train.jsonl", good())
    report = lint(path, small_gguf, trl=True)
    assert report.counts.keys() == {"calls-dropped"}
    assert "drops tool_calls of message 2; tools" in report.findings[0].message
    by_format = [
        lint(path, tokenizer, format=form)
        for tokenizer in (load_tokenizer(small_gguf), small_tokenizer)
        for form in ("template", "hermes")
    ]
    assert all(report.findings == () for report in by_format)
    for one, other in zip(by_format[:2], by_format[2:], strict=True):
        assert one.statistics == other.statistics


def test_what_is_not_taken(hf_tokenizer: Any, tmp_path: Path, template: str) -> None:
    path = write(tmp_path / "train.jsonl", good())
    for options, kind, part in (
        ({"keep": -1}, DataError, "keep is an integer"),
        ({"max_length": 0}, DataError, "max_length is an integer"),
        ({"ignore": ["order"]}, DataError, "no rule is called 'order'"),
        ({"progress": "no"}, DataError, "progress is True or False"),
        ({"format": "hermes", "template": template}, DataError, "not by both"),
        ({"format": "none"}, FormatError, "none"),
        ({"template": "none.jinja"}, FormatError, "none.jinja"),
    ):
        with pytest.raises(kind, match=part):
            lint(path, hf_tokenizer, **options)
    with pytest.raises(DataError, match="No such file"):
        lint(tmp_path / "none.jsonl", hf_tokenizer)
    with pytest.raises(ModelError, match="no such folder or file"):
        lint(path, tmp_path / "none")
    with pytest.raises(ModelError, match=str(tmp_path)):
        lint(path, tmp_path)
    with pytest.raises(ModelError):
        lint(path, path)
    with pytest.raises(FormatError, match="tokenizer"):
        lint(path, object())


def test_a_tokenizer_without_a_template(hf_tokenizer: Any, tmp_path: Path) -> None:
    bare = copy.deepcopy(hf_tokenizer)
    bare.chat_template = None
    assert found(lint([{"input_ids": [1, 2], "labels": [-100, 2]}], bare, trl=True)) == [
        ("prompt-in-loss", 1)
    ]
    with pytest.raises(FormatError, match="has no chat template"):
        lint(good(), bare, trl=True)


def test_examples_that_are_no_objects(hf_tokenizer: Any) -> None:
    report = lint([{"text": "One."}, 2], hf_tokenizer, ignore=["prompt-in-loss"], trl=True)  # type: ignore[list-item]
    assert found(report) == [("invalid-json", 2)]


def test_all_is_counted_and_some_kept(check: Check) -> None:
    lines = [b"{"] * 7
    report = check(lines, keep=3)
    assert len(report.findings) == 3
    assert report.counts == {"invalid-json": 7}
    assert "and 5 more" in report.as_text(2)
    assert "line 3" not in report.as_text(2)


@pytest.mark.parametrize("name", ["qwen3_training", "qwen2_5_training", "llama3_training"])
def test_a_clean_file_is_taken_by_the_training(
    check: Check, hf_tokenizer: Any, tmp_path: Path, name: str
) -> None:
    form = ChatFormat.from_template(template_text(name))
    report = check(good(), format=form)
    assert report.findings == ()
    path = write(tmp_path / "train.jsonl", good())
    rows = [dataset(path, hf_tokenizer, format=form, loss=loss) for loss in ("all", "choices")]
    trained, choices = ([sum(at >= 0 for at in held) for held in row["labels"]] for row in rows)
    statistics = report.statistics
    assert statistics.tokens == sum(map(len, rows[0]["input_ids"]))
    assert (statistics.trained, statistics.forced) == (sum(trained), sum(trained) - sum(choices))
    assert statistics.forced > 0
    longest = max(map(len, rows[0]["input_ids"]))
    assert check(good(), format=form, max_length=longest).findings == ()
    assert found(check(good(), format=form, max_length=longest - 1)) == [("truncated", 7)]


@pytest.mark.parametrize("seed", range(6))
def test_what_the_training_refuses_is_found(
    check: Check, hf_tokenizer: Any, template: str, seed: int
) -> None:
    draw, refused = random.Random(seed), 0
    form = ChatFormat.from_template(template)
    for entry in [spoilt(draw.choice(good()), draw) for _ in range(8)]:
        report = check([entry], trl=False)
        try:
            encode_turns(entry, hf_tokenizer, format=form)
        except Error:
            refused += 1
            assert report.errors, entry
        else:
            assert "not-encodable" not in report.counts, entry
    assert refused > 0


def test_lines_that_are_no_conversations_are_not_encodable(check: Check) -> None:
    assert check([{"prompt": "1 + 1 = ", "completion": "2"}], trl=False).counts.keys() == {
        "not-encodable"
    }


# The command.


def test_the_command(
    hf_tokenizer: Any, template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tokenizer"
    hf_tokenizer.save_pretrained(folder)
    own = tmp_path / "own.jinja"
    own.write_text(template, encoding="utf-8")
    data = write(tmp_path / "train.jsonl", good())
    common = ["--tokenizer", str(folder), "--template", str(own), "--trl"]

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["lint", *arguments, *common])
        return status, capsys.readouterr().out

    status, text = run(str(data))
    assert status == 0
    assert "9 lines, 0 errors, 0 warnings" in text
    status, text = run(str(data), "--max-length", "300", "--json")
    assert status == 1
    made = json.loads(text)
    assert list(made) == [
        *("version", "file", "lines", "errors", "warnings", "rules", "findings", "statistics")
    ]
    assert made["rules"][0]["id"] == "truncated"
    assert set(made["findings"][0]) == {"rule", "severity", "line", "turn", "pointer", "message"}
    assert made["statistics"]["lengths"].keys() == {"0", "50", "90", "99", "100"}
    assert run(str(data), "--max-length", "300", "--ignore", "truncated")[0] == 0
    lines = good()
    lines[0]["tools"][1]["function"]["description"] = ""
    warned = write(tmp_path / "warned.jsonl", lines)
    assert run(str(warned))[0] == 0
    assert run(str(warned), "--strict")[0] == 1
    assert run(str(warned), "--against", str(data))[0] == 1


# What is fast, against what is slow.


def test_signatures_estimate_how_much_texts_share() -> None:
    draw = random.Random(0)
    for _ in range(30):
        words = [f"w{at}" for at in range(draw.randint(20, 200))]
        other = [draw.choice((word, word, word, "x")) for word in words]
        runs = [
            {tuple(text[at : at + n]) for n in (1, 2) for at in range(len(text) - n + 1)}
            for text in (words, other)
        ]
        exact = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
        share = (likeness.signature(words, 2) == likeness.signature(other, 2)).mean()
        assert abs(share - exact) < 0.25


def test_texts_that_are_alike_are_found_among_many() -> None:
    draw = random.Random(1)
    texts = [[f"w{draw.randint(0, 999)}" for _ in range(60)] for _ in range(200)]
    for at in range(100, 150):
        # All of them, but for a word or two.
        texts[at] = [*texts[at - 100]]
        texts[at][draw.randint(0, 59)] = "other"
    like = likeness.LikeTexts(0.85)
    made = [likeness.signature(text, 1) for text in texts]
    for line, signature in enumerate(made):
        like.add(line, line % 2, signature)
    slow = {
        (one, other)
        for one in range(200)
        for other in range(one)
        if (made[one] == made[other]).mean() >= 0.85 and one % 2 == other % 2
    }
    fast = {(one, other) for one, other, _ in like.pairs()}
    assert fast <= slow
    assert len(fast) >= 0.9 * len(slow) > 30


def test_structures_are_looked_at_once(check: Check, template: str) -> None:
    """What is dropped of a line does not depend on the lines before it."""
    other = template.replace("{%- if message.tool_calls %}", "{%- if message.tool_calls == 1 %}")
    lines = good()
    together = check(lines, template=other)
    alone = [check([entry], template=other) for entry in lines]
    assert [finding.message for finding in together.findings] == [
        finding.message for report in alone for finding in report.findings
    ]


@pytest.mark.parametrize("name", ["qwen2_5_training", "glm4moe_training", "gptoss_training"])
def test_prompts_in_the_loss_of_trl(check: Check, hf_tokenizer: Any, name: str) -> None:
    """Blocks hold tokens of the prompt exactly where transformers' own mask has them."""
    template = template_text(name)
    report = check(good(), template=template)
    told = {
        (finding.line, finding.turn)
        for finding in report.findings
        if finding.rule == "prompt-in-loss"
    }
    for number, entry in enumerate(good(), start=1):
        messages, tools = entry["messages"], entry["tools"]
        for turn, made in enumerate(messages):
            if made["role"] != "assistant":
                continue
            prompt, whole = (
                hf_tokenizer.apply_chat_template(
                    messages[:end],
                    tools=tools,
                    chat_template=template,
                    add_generation_prompt=end == turn,
                    return_assistant_tokens_mask=True,
                    return_dict=True,
                )
                for end in (turn, turn + 1)
            )
            length = len(prompt["input_ids"])
            assert whole["input_ids"][:length] == prompt["input_ids"]
            before = sum(prompt["assistant_masks"])
            trains = sum(whole["assistant_masks"][:length]) > before
            assert trains == ((number, turn) in told)


ANYTHING: tuple[Any, ...] = (
    *(None, 0, -1, 1.5, True, "", '"', "{}", "[]", "<|im_end|>", 10**30, "\0"),
    *([], {}, [1], [[]], [None], {"a": None}, {"role": "user"}, {"type": "object"}),
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every list or object in a value, with each of its keys."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    return [(value, key) for key in keys] + [
        place for key in keys for place in places_in(value[key])
    ]


def spoilt(line: Any, draw: random.Random) -> Any:
    """A line with one or two parts that are missing or something else."""
    made = copy.deepcopy(line)
    for _ in range(draw.randint(1, 2)):
        holder, key = draw.choice(places_in(made) or [({"": 0}, "")])
        if draw.random() < 0.3:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(draw.choice(ANYTHING))
    return made


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_line_holds_it_is_looked_at(
    check: Check, hf_tokenizer: Any, template: str, seed: int
) -> None:
    draw = random.Random(seed)
    lines = [spoilt(draw.choice(good()), draw) for _ in range(12)]
    for entry in lines[:4]:
        messages = entry.pop("messages", None)
        if isinstance(messages, list):
            entry.update(prompt=messages[:1], chosen=messages[1:], rejected=messages[2:])
    lines.append(spoilt(encoded(hf_tokenizer, template), draw))
    report = check(lines, max_length=60, **({"format": "hermes"} if seed % 2 else {}))
    assert report.lines == len(lines)
    json.dumps(report.as_json())
