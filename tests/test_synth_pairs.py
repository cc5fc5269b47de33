"""Wrong turns beside right ones: that they are wrong, in the way that the line says."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemask import Grammar
from schemask.chat import FORMATS, HERMES, ChatFormat, ParsedTurn
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.errors import DataError, FormatError
from schemask.schemas.equal_values import filled
from schemask.synth.faults import MALFORMED, WRONG
from schemask.synth.other_values import same_value
from schemask.synth.outcomes import Outcome, Stage
from schemask.synth.pair import FAULTS, Pair
from strategies.lines import lines

# Of calls that fit no tool, what a validator of JSON Schema says of the arguments.
KEYWORDS = {
    "unknown argument": {"additionalProperties", "required"},
    "missing argument": {"required"},
    "wrong type": {"type", "enum", "format", "minLength", "minimum"},
}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def tool(name: str, required: list[str], **properties: Any) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [
    tool(
        "get_weather",
        ["city"],
        city={"type": "string"},
        unit={"enum": ["C", "F"], "default": "C"},
        days={"type": "integer", "minimum": 1, "maximum": 14},
    ),
    tool("book_room", ["city", "date"], city={"type": "string"}, date={"format": "date"}),
]
TOOLS[1]["function"]["parameters"]["properties"]["date"]["type"] = "string"
ONE = {
    "messages": [
        {"role": "user", "content": "How will the weather be in Oslo these 3 days?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [call("get_weather", city="Oslo", days=3)],
        },
    ],
    "tools": TOOLS,
}
TWO = {
    "messages": [
        {"role": "user", "content": "A room in Rome for 2025-03-28, and the weather there."},
        {
            "role": "assistant",
            "content": "One moment.",
            "tool_calls": [
                call("book_room", city="Rome", date="2025-03-28"),
                call("get_weather", city="Rome"),
            ],
        },
        {"role": "tool", "name": "book_room", "content": "booked"},
        {"role": "tool", "name": "get_weather", "content": "sun"},
        {"role": "assistant", "content": "Booked, and it will be sunny."},
    ],
    "tools": TOOLS,
}
WORDS = {
    "messages": [
        {"role": "user", "content": "Tell me a joke about Paris."},
        {"role": "assistant", "content": "I know none."},
    ],
    "tools": TOOLS,
    "kind": "words",
}


def is_allowed(text: str, line: dict[str, Any], form: ChatFormat = HERMES) -> bool:
    """Byte by byte, by a grammar of its own."""
    matcher = Grammar.from_tools(line["tools"], form).compile(byte_vocabulary()).matcher()
    steps = (matcher.accept_bytes(bytes([byte])) for byte in text.encode())
    return all(steps) and matcher.is_accepting


def meant(message: dict[str, Any], tools: list[dict[str, Any]]) -> Counter[str]:
    parameters = {t["function"]["name"]: t["function"]["parameters"] for t in tools}
    return Counter(
        json.dumps(
            [
                c.name,
                same_value(filled(c.arguments, parameters[c.name])),
            ],
            sort_keys=True,
        )
        for c in ParsedTurn.from_message(message).tool_calls
    )


def proven(line: dict[str, Any], form: ChatFormat = HERMES) -> str:
    """The fault of a line, which is what the line says."""
    fault, rejected, right = line["fault"], line["rejected"], line["messages"][-1]
    assert right["role"] == "assistant"
    if fault == "syntax":
        assert rejected["right"] == form.render_assistant(right, line["tools"])
        assert not is_allowed(rejected["text"], line, form)
        assert is_allowed(form.render_assistant(right, line["tools"]), line, form)
        return fault
    text = form.render_assistant(rejected, line["tools"])
    assert is_allowed(text, line, form) == (fault in WRONG)
    parameters = {t["function"]["name"]: t["function"]["parameters"] for t in line["tools"]}
    calls = ParsedTurn.from_message(rejected).tool_calls
    right_calls = ParsedTurn.from_message(right).tool_calls
    if fault == "unknown function":
        assert any(c.name not in parameters for c in calls)
    elif fault in MALFORMED:
        found = {
            error.validator
            for c in calls
            for error in jsonschema.Draft202012Validator(parameters[c.name]).iter_errors(
                c.arguments
            )
        }
        assert found & KEYWORDS[fault] or (found == set() and fault == "unknown argument")
    else:
        for c in calls:
            jsonschema.validate(c.arguments, parameters[c.name])
        now, then = meant(rejected, line["tools"]), meant(right, line["tools"])
        assert now != then
        names = Counter(c.name for c in calls), Counter(c.name for c in right_calls)
        assert {
            "wrong argument": names[0] == names[1] and (now - then).total() == 1,
            "wrong function": len(calls) == len(right_calls) and names[0] != names[1],
            "missing call": calls and now < then,
            "extra call": now > then and now.total() == then.total() + 1,
            "needless call": calls and not right_calls,
            "no call": right_calls and not calls and rejected["content"],
        }[fault]
    return fault


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("example", [ONE, TWO, WORDS], ids=["one", "two", "words"])
def test_each_fault(example: dict[str, Any], fault: str) -> None:
    fits = {
        "one": {"missing call", "needless call"},
        "two": {"needless call"},
        "words": set(FAULTS) - {"needless call"},
    }[{1: "one", 2: "two", 0: "words"}[len(example["messages"][1].get("tool_calls", ()))]]
    seen = set()
    for index in range(12):
        outcome = Pair(faults=(fault,))(example, index)
        if fault in fits:
            assert outcome.refused == "no fault fits"
            continue
        (line,) = outcome.examples
        assert proven(line) == fault
        assert line["tools"] == example["tools"]
        assert line["messages"] == example["messages"][: len(line["messages"])]
        assert {**example, **line} == line
        seen.add(json.dumps(line["rejected"]))
    assert fault in fits or len(seen) > 1 or fault.startswith("missing")


@given(lines(), st.integers(0, 3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_every_pair_is_proven(line: dict[str, Any], index: int) -> None:
    stage = Pair(pairs=3, seed=index)
    before = copy.deepcopy(line)
    outcome = stage(line, index)
    assert line == before
    assert outcome == pickle.loads(pickle.dumps(stage))(line, index)
    for pair in outcome.examples:
        proven(pair)
    told = [(len(pair["messages"]), pair["fault"]) for pair in outcome.examples]
    assert len(set(told)) == len(told)


def test_faults_are_drawn_evenly() -> None:
    drawn = [Pair()(TWO, index).examples[0]["fault"] for index in range(400)]
    counts = Counter(drawn)
    assert set(counts) == set(FAULTS) - {"needless call"}
    assert min(counts.values()) > 15


@pytest.mark.parametrize("name", ["tool_code", "llama3_json", "qwen3_coder", "mistral_v13"])
def test_in_other_formats(name: str) -> None:
    form = FORMATS[name]
    found = set()
    for index in range(40):
        outcome = Pair(format=name)(ONE, index)
        for line in outcome.examples:
            found.add(proven(line, form))
    assert {"syntax", "wrong argument", "no call"} <= found


def test_defaults_and_spelling_are_no_faults() -> None:
    """`unit` is C unless it is said, and a city in capitals is the same one."""
    for index in range(60):
        for line in Pair(faults=("wrong argument",))(ONE, index).examples:
            function = line["rejected"]["tool_calls"][0]["function"]
            given = {"unit": "C", **function["arguments"]}
            assert given != {"city": "Oslo", "days": 3, "unit": "C"}
            assert given["city"].strip().casefold() != "oslo" or given != {
                **given,
                "days": 3,
                "unit": "C",
            }
    assert same_value({"a": [" Ab", 2.0, True]}) == {"a": ["ab", 2, True]}


def test_lines_that_are_wrong_are_refused() -> None:
    def refused(**changes: Any) -> Outcome:
        return Pair()({**ONE, **changes}, 0)

    assert refused(tools=TOOLS[1:]).refused == "unknown tool"
    assert refused(messages=ONE["messages"][:1]).refused == "no answer"
    tagged = [ONE["messages"][0], {"role": "assistant", "content": "<tool_call>"}]
    assert refused(messages=tagged).refused == "cannot be written"
    parallel = next(name for name, form in FORMATS.items() if form.spec.max_calls == 1)
    outcome = Pair(format=parallel)(TWO, 0)
    assert outcome.refused == "cannot be written"
    assert "at most 1 calls" in outcome.detail
    assert Pair()({"messages": WORDS["messages"], "tools": []}, 0).refused == "no fault fits"


def test_settings() -> None:
    assert isinstance(Pair(), Stage)
    assert json.loads(json.dumps(Pair().options()))["faults"] == list(FAULTS)
    own = ChatFormat(HERMES.spec)
    assert (
        Pair(format=own).options()["format"]
        != Pair(format=FORMATS["tool_code"]).options()["format"]
    )
    for wrong in (
        {"pairs": 0},
        {"faults": "syntax"},
        {"faults": ()},
        {"faults": ("typo",)},
        {"seed": 1.5},
    ):
        with pytest.raises(DataError):
            Pair(**wrong)  # type: ignore[arg-type]
    with pytest.raises(FormatError):
        Pair(format="none")
