"""Variants of lines: masked names, other orders, distractors and paraphrases; all still valid."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemask.chat import HERMES, TOOL_CODE
from schemask.errors import DataError, Error, ToolError
from schemask.models import CallableModel
from schemask.synth.augment import Augment
from schemask.synth.outcomes import Stage
from schemask.synth.paraphrase import ModelParaphraser, lost_value
from schemask.tools import Tool
from strategies.lines import lines


def function(name: str, description: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    definition = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": definition}


CITY = {"type": "string", "title": "City Name", "description": "Where, as in get_weather."}
WEATHER = function(
    "get_weather", "The weather at a place.", city_name=CITY, days={"type": "integer"}
)
TIME = function("get_time", "The time at a place; use get_weather for rain.", city_name=CITY)
POOL = [
    function("GetWeather", "Another weather.", place={"type": "string"}),
    function("send_mail", "Send a mail.", to={"type": "string"}),
    function("play", "The weather at a place."),
    function("count_words", "Count words.", text={"type": "string", "description": "Which."}),
]
LINE = {
    "messages": [
        {"role": "system", "content": "You may use get_weather; it needs city_name."},
        {"role": "user", "content": "Call get_weather for Oslo, please, for 3 days."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "type": "function",
                    "function": {
                        "name": "get_weather",
                        "arguments": {"city_name": "Oslo", "days": 3},
                    },
                }
            ],
        },
        {"role": "tool", "name": "get_weather", "content": '{"get_weather": "sun"}'},
        {"role": "assistant", "content": "get_weather says: sun."},
    ],
    "tools": [WEATHER, TIME],
    "kind": "call",
}


def checked(line: dict[str, Any]) -> dict[str, Any]:
    """A line that is valid by another validator, and that formats write."""
    tools = {tool["function"]["name"]: tool["function"] for tool in line["tools"]}
    assert len(tools) == len(line["tools"])
    called = [
        call["function"] for message in line["messages"] for call in message.get("tool_calls", ())
    ]
    for call in called:
        jsonschema.validate(call["arguments"], tools[call["name"]]["parameters"])
        assert set(call["arguments"]) <= set(tools[call["name"]]["parameters"]["properties"])
    results = [message["name"] for message in line["messages"] if message["role"] == "tool"]
    assert results == [call["name"] for call in called][: len(results)]
    for form in (HERMES, TOOL_CODE):
        form.render(line["messages"], line["tools"])
    return line


def test_masks_what_descriptions_tell() -> None:
    stage = Augment(names="neutral", shuffle=False)
    (variant,) = stage(LINE, 0).examples
    checked(variant)
    messages = variant["messages"]
    assert messages[0]["content"] == "You may use function_1; it needs parameter_1."
    assert messages[1]["content"] == "Call function_1 for Oslo, please, for 3 days."
    call = messages[2]["tool_calls"][0]["function"]
    # Nothing says what `days` are but the name.
    assert call == {"name": "function_1", "arguments": {"parameter_1": "Oslo", "days": 3}}
    assert messages[3] == {"role": "tool", "name": "function_1", "content": '{"function_1": "sun"}'}
    assert messages[4]["content"] == "function_1 says: sun."
    weather, time = (tool["function"] for tool in variant["tools"])
    assert weather["parameters"]["properties"]["parameter_1"] == {
        "type": "string",
        "description": "Where, as in function_1.",
    }
    assert weather["parameters"]["required"] == ["parameter_1", "days"]
    assert time["description"] == "The time at a place; use function_1 for rain."
    assert list(time["parameters"]["properties"]) == ["parameter_1"]
    assert variant["kind"] == "call"


def test_values_of_arguments_are_no_names() -> None:
    line = copy.deepcopy(LINE)
    line["messages"][2]["tool_calls"][0]["function"]["arguments"]["city_name"] = "get_weather"
    (variant,) = Augment(names="neutral", shuffle=False)(line, 0).examples
    assert variant["messages"][1]["content"] == "Call get_weather for Oslo, please, for 3 days."
    call = variant["messages"][2]["tool_calls"][0]["function"]
    assert call == {"name": "function_1", "arguments": {"parameter_1": "get_weather", "days": 3}}


@pytest.mark.parametrize("keyword", ["dependentRequired", "allOf", "minProperties", "if"])
def test_parameters_keep_their_names_where_the_schema_says_more(keyword: str) -> None:
    line = copy.deepcopy(LINE)
    more = {"dependentRequired": {"days": ["city_name"]}, "allOf": [], "minProperties": 1, "if": {}}
    line["tools"][0]["function"]["parameters"][keyword] = more[keyword] or [{}][0]
    if keyword == "allOf":
        line["tools"][0]["function"]["parameters"][keyword] = [{"required": ["city_name"]}]
    (variant,) = Augment(names="neutral", shuffle=False)(line, 0).examples
    assert list(variant["tools"][0]["function"]["parameters"]["properties"]) == [
        "city_name",
        "days",
    ]
    # The other tool calls its parameter by another name, so texts leave it alone.
    assert "city_name" in variant["messages"][0]["content"]


@given(lines(), st.integers(0, 5), st.sampled_from(["random", "neutral"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_every_variant_is_valid(line: dict[str, Any], index: int, names: Any) -> None:
    stage = Augment(copies=3, names=names, mask=0.7, distractors=3, pool=POOL, seed=index)
    before = copy.deepcopy(line)
    outcome = stage(line, index)
    assert line == before
    assert outcome == pickle.loads(pickle.dumps(stage))(line, index)
    for variant in outcome.examples:
        checked(variant)
        requests = [m["content"] for m in variant["messages"] if m["role"] == "user"]
        assert requests == [m["content"] for m in line["messages"] if m["role"] == "user"]
        calls = any("tool_calls" in message for message in line["messages"])
        assert len(variant["tools"]) <= len(line["tools"]) + 3 * calls


def test_copies() -> None:
    outcome = Augment(copies=4, keep_original=True)(LINE, 7)
    assert outcome.examples[0] == LINE
    assert len({json.dumps(variant) for variant in outcome.examples}) == 4
    other = Augment(copies=4, keep_original=True)(LINE, 8)
    assert other.examples[1:] != outcome.examples[1:]
    # Nothing differs from the line where nothing may.
    alone = {**LINE, "tools": [WEATHER]}
    outcome = Augment(copies=3, mask=0)(alone, 0)
    assert len(outcome.examples) == 1
    assert outcome.detail == "a variant is as another one"


def test_distractors_are_none_of_the_tools() -> None:
    seen: set[str] = set()
    for index in range(40):
        (variant,) = Augment(mask=0, distractors=4, pool=POOL)(LINE, index).examples
        seen |= {tool["function"]["name"] for tool in checked(variant)["tools"]}
    # One is a tool of the line by another spelling, one has the description of such a tool.
    assert seen == {"get_weather", "get_time", "send_mail", "count_words"}
    words = {"messages": [*LINE["messages"][:2], LINE["messages"][4]], "tools": [TIME]}
    for index in range(10):
        outcome = Augment(mask=0, keep_original=True, distractors=4, pool=POOL)(words, index)
        assert outcome.examples == (words,)


def quoted(request: str, seed: int) -> str:
    return f"He said ({seed % 10}): {request}"


def drops_oslo(request: str, seed: int) -> str:
    return request.replace("Oslo", "the capital")


def test_paraphrases_are_grounded() -> None:
    (variant,) = Augment(mask=0, shuffle=False, paraphrase=quoted)(LINE, 0).examples
    assert variant["messages"][1]["content"].endswith("get_weather for Oslo, please, for 3 days.")
    assert variant["messages"][1]["content"].startswith("He said")
    refused = Augment(mask=0, shuffle=False, paraphrase=drops_oslo)(LINE, 0)
    assert (refused.refused, refused.examples) == ("ungrounded", ())
    assert "'Oslo'" in refused.detail
    kept = Augment(copies=2, keep_original=True, paraphrase=drops_oslo)(LINE, 0)
    assert kept.examples == (LINE,)
    assert "'Oslo'" in kept.detail
    assert Augment(paraphrase=lambda request, seed: " ")(LINE, 0).refused == "no paraphrase"


@pytest.mark.parametrize(
    ("request_", "said", "values", "lost"),
    [
        ("from Oslo to Lima", "to lima from oslo", ["Oslo", "Lima"], None),
        ("from Oslo to Lima", "from Oslo", ["Oslo", "Lima"], "Lima"),
        ("3 days", "13 days", [3], "3"),
        ("30 days", "thirty days", [3, True, None, "", "x"], None),
        ("-3 degrees", "minus three", [-3], "-3"),
    ],
)
def test_values_that_are_lost(
    request_: str, said: str, values: list[Any], lost: str | None
) -> None:
    assert lost_value(request_, said, values) == lost


def test_models_paraphrase() -> None:
    def answer(prompt: str) -> str:
        assert json.dumps(LINE["messages"][1]["content"]) in prompt
        return '"The weather of Oslo for 3 days, by get_weather."\nRequest: another'

    stage = Augment(mask=0, paraphrase=ModelParaphraser(CallableModel(answer), "a"))
    (variant,) = stage(LINE, 0).examples
    assert variant["messages"][1]["content"] == "The weather of Oslo for 3 days, by get_weather."
    name, how = stage.options()["paraphrase"]
    assert name == "schemask.synth.paraphrase.ModelParaphraser"
    assert how["model"] == "a"
    assert json.loads(json.dumps(how)) == how
    other = ModelParaphraser(CallableModel(answer), "b")
    assert Augment(mask=0, paraphrase=other).options() != stage.options()


def test_lines_that_are_wrong_are_refused() -> None:
    def refused(change: Any) -> tuple[str | None, str]:
        line = copy.deepcopy(LINE)
        change(line)
        outcome = Augment(keep_original=True)(line, 0)
        return outcome.refused, outcome.detail

    def call(line: Any) -> Any:
        return line["messages"][2]["tool_calls"][0]["function"]

    assert refused(lambda line: call(line).update(name="other"))[0] == "unknown tool"
    assert refused(lambda line: call(line)["arguments"].update(days="3"))[0] == "invalid arguments"
    assert refused(lambda line: call(line)["arguments"].update(hours=3))[0] == "invalid arguments"
    assert refused(lambda line: line["messages"].pop(2))[0] == "unbalanced"
    assert refused(lambda line: line.update(messages=[]))[0] == "no answer"
    assert refused(lambda line: line.update(tools="[{"))[0] == "wrong shape"
    assert (
        refused(
            lambda line: (
                WEATHER and line["tools"][0]["function"]["parameters"].update(properties=[])
            )
        )[0]
        == "invalid tool"
    )
    marker = refused(lambda line: line["messages"][1].update(content="<|im_end|>"))
    assert marker[0] == "cannot be written"


def test_settings() -> None:
    assert isinstance(Augment(), Stage)
    first, second = Augment(pool=POOL, distractors=1), Augment(pool=POOL[:1], distractors=1)
    assert first.options() != second.options()
    assert json.loads(json.dumps(first.options())) == first.options()
    assert (
        Augment(pool=[Tool.from_definition(tool) for tool in POOL]).options()["pool"]
        == (first.options()["pool"])
    )
    for wrong in (
        {"copies": 0},
        {"seed": -1},
        {"mask": 2},
        {"names": "funny"},
        {"shuffle": "no"},
        {"distractors": 1},
        {"paraphrase": "model"},
    ):
        with pytest.raises(DataError):
            Augment(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ToolError):
        Augment(pool=[{"type": "web_search"}])  # type: ignore[arg-type]
    with pytest.raises(Error):
        ModelParaphraser("model", "a")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="label is a text"):
        ModelParaphraser(CallableModel(str), "")
