"""Published data sets in their own shapes: samples with planted faults; there and back again."""

from __future__ import annotations

import copy
import json
import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings

from schemask.chat import HERMES, TOOL_CODE
from schemask.errors import DataError
from schemask.synth import Augment, Decontaminate, Deduplicate, Pair, Withheld
from schemask.synth.importers import SHAPES, Import
from schemask.synth.importers import stage as stage_module
from schemask.synth.importers.notes import ImportRefusal, Notes
from schemask.synth.importers.python_calls import read_calls
from schemask.synth.importers.types import schema_of_type
from schemask.synth.outcomes import Stage
from schemask.synth.stages import run_stage
from schemask.synth.withheld import read_records
from strategies.lines import lines

CASES = {
    (path.stem, case["name"]): case
    for path in sorted((Path(__file__).parent / "cases" / "importers").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize(
    ("shape", "name"), CASES, ids=[f"{shape}: {name}" for shape, name in CASES]
)
def test_samples(shape: str, name: str) -> None:
    case = CASES[shape, name]
    before = json.dumps(case["record"])
    outcome = pickle.loads(pickle.dumps(Import(shape)))(case["record"], 0)
    assert json.dumps(case["record"]) == before
    assert outcome.refused == case.get("refused")
    for words in case.get("detail", ()):
        assert words in outcome.detail
    if outcome.refused is not None:
        return
    assert sorted(outcome.mended) == sorted(case.get("mended", ()))
    (line,) = outcome.examples
    assert set(line) == {"messages", "tools"}
    if "messages" in case:
        assert line["messages"] == case["messages"]
    if "tools" in case:
        assert line["tools"] == case["tools"]
    tools = {tool["function"]["name"]: tool["function"] for tool in line["tools"]}
    for message in line["messages"]:
        for call in message.get("tool_calls", ()):
            function = call["function"]
            jsonschema.validate(function["arguments"], tools[function["name"]]["parameters"])
    for form in (HERMES, TOOL_CODE):
        form.render(line["messages"], line["tools"])


def test_files_and_their_ledger(tmp_path: Path) -> None:
    """Published files are often one JSON list; what was mended or refused stands in the ledger."""
    records = [case["record"] for (shape, _), case in CASES.items() if shape == "xlam"]
    (tmp_path / "in.json").write_text(json.dumps(records, indent=1))
    target = tmp_path / "out.jsonl"
    report = run_stage(
        Import("xlam"), tmp_path / "in.json", target, reader=read_records, progress=False
    )
    assert report.read == len(records)
    assert report.written == sum("refused" not in c for (s, _), c in CASES.items() if s == "xlam")
    assert report.refused["unknown tool"] == 1
    assert report.mended["null dropped"] == 1
    _, *entries, _ = map(json.loads, Path(f"{target}.ledger.jsonl").read_text().splitlines())
    for entry in entries:
        assert entry.get("detail") or not ("refused" in entry or "mended" in entry)
    assert any("'3' is 3" in entry.get("detail", "") for entry in entries)


def test_every_shape_has_samples_that_are_kept_mended_and_refused() -> None:
    for shape in SHAPES:
        cases = [case for (of, _), case in CASES.items() if of == shape]
        # Tools in a system prompt come with instructions, which are cut in any case.
        kept = [set(case.get("mended", ())) for case in cases if "refused" not in case]
        assert any(mended <= {"instructions dropped"} for mended in kept), shape
        assert any(mended - {"instructions dropped"} for mended in kept), shape
        assert len({case.get("refused") for case in cases}) > 3, shape


# There and back again: how each shape writes a line of ours.

Line = dict[str, Any]


def functions(line: Line) -> list[dict[str, Any]]:
    return [tool["function"] for tool in line["tools"]]


def to_xlam(line: Line) -> Line:
    (user, answer) = line["messages"]
    calls = [call["function"] for call in answer["tool_calls"]]
    return {
        "id": 3,
        "query": user["content"],
        "answers": json.dumps(calls),
        "tools": json.dumps(functions(line)),
    }


def to_openai(line: Line) -> Line:
    messages: list[Line] = []
    number = 0
    for message in line["messages"]:
        if message["role"] == "tool":
            number += 1
            told = {"tool_call_id": f"call_{number}", "content": message["content"]}
            messages.append({"role": "tool", **told})
            continue
        made = dict(message)
        if "tool_calls" in message:
            made["content"] = message["content"] or None
            made["tool_calls"] = [
                {
                    "id": f"call_{number + index}",
                    "type": "function",
                    "function": {
                        "name": call["function"]["name"],
                        "arguments": json.dumps(call["function"]["arguments"]),
                    },
                }
                for index, call in enumerate(message["tool_calls"], 1)
            ]
        messages.append(made)
    return {"messages": messages, "tools": line["tools"]}


def to_sharegpt(line: Line) -> Line:
    turns, system = [], ""
    for message in line["messages"]:
        role, content = message["role"], message["content"]
        if role == "system":
            system = content
        elif "tool_calls" in message:
            calls = [call["function"] for call in message["tool_calls"]]
            value = json.dumps(calls if len(calls) > 1 else calls[0])
            turns.append({"from": "function_call", "value": value})
        else:
            speaker = {"user": "human", "assistant": "gpt", "tool": "observation"}[role]
            turns.append({"from": speaker, "value": content})
    return {"conversations": turns, "system": system, "tools": json.dumps(functions(line))}


def to_hermes(line: Line) -> Line:
    intro = "You are a function calling AI model. Functions are within <tools></tools>."
    outro = "Return a json object within <tool_call></tool_call> tags for each function call."
    listed = f"{intro}\n<tools>\n{json.dumps(line['tools'])}\n</tools>\n{outro}"
    messages = list(line["messages"])
    if messages[0]["role"] == "system":
        listed = f"{messages.pop(0)['content']}\n{listed}"
    turns = [{"from": "system", "value": listed}]
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "tool":
            told = json.dumps({"name": message["name"], "content": content})
            block = f"<tool_response>\n{told}\n</tool_response>"
            if turns[-1]["from"] == "tool":
                turns[-1]["value"] += "\n" + block
            else:
                turns.append({"from": "tool", "value": block})
        elif role == "assistant":
            value = HERMES.render_assistant(message, line["tools"])
            turns.append({"from": "gpt", "value": value})
        else:
            turns.append({"from": "human", "value": content})
    return {"id": "x", "conversations": turns}


def to_toolace(line: Line) -> Line:
    system = (
        "You are an expert in composing functions.\nHere is a list of functions in JSON format "
        f"that you can invoke:\n{json.dumps(functions(line))}.\n"
        "Put it in the format of [func1(params_name=params_value)]\nNO other text MUST be included."
    )
    messages = list(line["messages"])
    if messages[0]["role"] == "system":
        system += f"\n{messages.pop(0)['content']}"
    turns: list[Line] = []
    for message in messages:
        role, content = message["role"], message["content"]
        if "tool_calls" in message:
            calls = []
            for call in message["tool_calls"]:
                items = call["function"]["arguments"].items()
                arguments = ", ".join(f"{key}={value!r}" for key, value in items)
                calls.append(f"{call['function']['name']}({arguments})")
            turns.append({"from": "assistant", "value": f"[{', '.join(calls)}]"})
        elif role == "tool":
            told = {"name": message["name"], "results": content}
            if turns[-1]["from"] == "tool":
                told = [*json.loads(turns.pop()["value"]), told]
            else:
                told = [told]
            turns.append({"from": "tool", "value": json.dumps(told)})
        else:
            turns.append({"from": role, "value": content})
    return {"system": system, "conversations": turns}


EXPORTERS: dict[str, Callable[[Line], Line]] = {
    "hermes": to_hermes,
    "openai": to_openai,
    "sharegpt": to_sharegpt,
    "toolace": to_toolace,
    "xlam": to_xlam,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_there_and_back_again(shape: str) -> None:
    own_words = shape in ("hermes", "openai")

    @given(lines(words_with_calls=own_words))
    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    def check(line: Line) -> None:
        if shape == "xlam":
            asked = [m for m in line["messages"] if m["role"] == "user"][:1]
            calls = [m for m in line["messages"] if "tool_calls" in m][:1]
            assume(calls)
            line = {**line, "messages": asked + calls}
        outcome = Import(shape)(EXPORTERS[shape](line), 0)
        assert outcome.refused is None, outcome.detail
        assert outcome.examples == (line,)
        assert set(outcome.mended) <= {"instructions dropped"}

    check()


@pytest.mark.parametrize(
    ("text", "schema", "optional"),
    [
        ("str", {"type": "string"}, False),
        ("str, optional", {"type": "string"}, True),
        ("Optional[int]", {"type": "integer"}, True),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}, False),
        (
            "list[Dict[str, float]], optional",
            {
                "type": "array",
                "items": {"type": "object", "additionalProperties": {"type": "number"}},
            },
            True,
        ),
        ("Union[int, float]", {"anyOf": [{"type": "integer"}, {"type": "number"}]}, False),
        ("int | None", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, False),
        (
            "Tuple[float, float]",
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            False,
        ),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}, False),
        (
            "List[Union[str, None]]",
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            False,
        ),
        ("np.ndarray", {"type": "array"}, False),
        ("Callable[[float], float]", {"type": "string"}, False),
        ("HashMap", {"type": "object"}, False),
        ("any", {}, False),
        ("", {}, False),
    ],
)
def test_types(text: str, schema: dict[str, Any], optional: bool) -> None:
    assert schema_of_type(text) == (schema, optional)


@pytest.mark.parametrize("text", ["Widget", "List[", "lambda: 3", "List[Widget]"])
def test_types_that_are_not_known(text: str) -> None:
    with pytest.raises(ImportRefusal) as caught:
        schema_of_type(text)
    assert caught.value.reason == "unknown type"


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("[f()]", [("f", {})]),
        (
            '[f(a=1, b="x, y)"), g(c=[1, 2], d={"e": true})]',
            [("f", {"a": 1, "b": "x, y)"}), ("g", {"c": [1, 2], "d": {"e": True}})],
        ),
        (" [ Get It (now)(a=-1.5,b=None) ] ", [("Get It (now)", {"a": -1.5, "b": None})]),
        ("[f(from-day='it\\'s', class=oslo)]", [("f", {"from-day": "it's", "class": "oslo"})]),
    ],
)
def test_calls_as_python_writes_them(text: str, calls: list[Any]) -> None:
    assert read_calls(text, ["Get It (now)", "Get It", "f", "g"], Notes()) == calls


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[f(a=1]", "a call without an end"),
        ("[f(a=1)", "no ']'"),
        ("[f(a=1)] and more", "text after the calls"),
        ("[f(1)]", "no name of an argument"),
        ("[f(a=1, a=2)]", "the argument a twice"),
        ("[f(a=g(1))]", "no value of a"),
        ("[f(a={1: 2})]", "no value of a"),
        ("[f(a=)]", "no value of a"),
        ("[()]", "no name of a tool"),
    ],
)
def test_calls_that_cannot_be_read(text: str, problem: str) -> None:
    with pytest.raises(ImportRefusal, match=problem.replace("]", r"\]")) as caught:
        read_calls(text, ["f"], Notes())
    assert caught.value.reason == "unreadable"


def test_settings() -> None:
    assert isinstance(Import("xlam"), Stage)
    assert Import("xlam").options() == {"shape": "xlam"}
    with pytest.raises(DataError, match="shape is one of hermes, openai"):
        Import("alpaca")


@pytest.mark.parametrize(
    "text", ["Tuple[()]", "List[()]", "Dict[()]", "Optional[()]", "Union[()]", "Literal[()]"]
)
def test_types_of_nothing(text: str) -> None:
    with pytest.raises(ImportRefusal) as caught:
        schema_of_type(text)
    assert caught.value.reason == "unknown type"


def test_texts_that_are_too_deep_to_be_read() -> None:
    deep = "[" * 100_000
    record = copy.deepcopy(
        next(case["record"] for key, case in CASES.items() if key[0] == "hermes")
    )
    record["conversations"] = [
        {"from": "human", "value": "Hello"},
        {"from": "gpt", "value": f"<tool_call>{deep}</tool_call>"},
    ]
    outcome = Import("hermes")(record, 0)
    assert (outcome.refused, outcome.examples) == ("unreadable", ())
    assert "neither JSON nor Python" in outcome.detail
    outcome = Import("toolace")({"system": f"[{{{deep}", "conversations": []}, 0)
    assert outcome.refused == "unreadable"
    assert "no JSON list of tools" in outcome.detail


def test_a_record_that_breaks_a_reader_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(record: Any, notes: Notes) -> dict[str, Any]:
        raise ZeroDivisionError(len(record))

    monkeypatch.setitem(stage_module._READERS, "xlam", broken)
    outcome = Import("xlam")({"query": "?"}, 0)
    assert (outcome.refused, outcome.detail) == ("unreadable", "ZeroDivisionError: 1")


JUNK = [None, True, -1.5, "", "[", "\ud800", [], {}, [[["x"]]], {"name": "x"}, {"$ref": "#/no"}]


def spoilt(value: Any, draw: random.Random) -> Any:
    """The value with something in it replaced, also inside of texts that are JSON."""
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        if isinstance(inner, (dict, list)):
            return json.dumps(spoilt(inner, draw))
        cut = draw.randint(0, len(value))
        ways = [value[:cut], value[:cut] + draw.choice("\"'{}[]()=,<> ") + value[cut:]]
        return draw.choice([*ways, copy.deepcopy(draw.choice(JUNK))])
    if not isinstance(value, (dict, list)) or not value or draw.random() < 0.1:
        return copy.deepcopy(draw.choice(JUNK))
    made = copy.copy(value)
    place = draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
    made[place] = spoilt(value[place], draw)
    return made


def test_whatever_a_record_holds_it_is_read_or_refused() -> None:
    draw = random.Random(11)
    stages = [Augment(keep_original=True), Pair(), Deduplicate(), Decontaminate(Withheld())]
    kept = 0
    for _ in range(1200):
        shape, name = draw.choice(list(CASES))
        if not isinstance(record := spoilt(CASES[shape, name]["record"], draw), dict):
            continue  # whoever reads a file sees to that
        outcome = Import(shape)(record, 0)
        assert outcome.refused is None or outcome.detail
        # An exception that a reader did not mean to raise is caught further out.
        assert not re.match(r"\w+(Error|Exception): ", outcome.detail)
        for line in outcome.examples:
            kept += 1
            for stage in stages:
                if isinstance(spoiled := spoilt(line, draw), dict):
                    assert isinstance(stage, Stage)
                    assert stage(spoiled, 0).refused != ""
    assert kept > 100
