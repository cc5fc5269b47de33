"""What models are known to write though their format does not allow it, read in any cut."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from schemask.chat import (
    FORMATS,
    ArgumentDelta,
    CallFailed,
    CallFinished,
    CallStarted,
    Reasoning,
    Text,
    turn_of,
)
from schemask.errors import FormatError
from schemask.tools import ToolSet


def parameters(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TOOLS = ToolSet(
    [
        {
            "name": "forecast",
            "parameters": parameters(city={"type": "string"}, days={"type": "integer"}),
        },
        {
            "name": "memo",
            "parameters": parameters(
                text={"type": "string"},
                tags={"type": "array", "items": {"type": "string"}},
                more={"type": "object"},
            ),
        },
        {"name": "ping", "parameters": {}},
        {
            "name": "any",
            "parameters": parameters(value={"type": ["object", "string"]}, on={"type": "boolean"}),
        },
    ]
)
TURNS = json.loads(Path(__file__).with_name("model_turns.json").read_text(encoding="utf-8"))
EACH = pytest.mark.parametrize(
    "turn", TURNS, ids=[f"{turn['kind']}-{turn['format']}-{i}" for i, turn in enumerate(TURNS)]
)


def events_of(form: str, pieces: list[str]) -> list[Any]:
    """The events, with neighbours of one kind made one."""
    reader = FORMATS[form].reader(TOOLS)
    together: list[Any] = []
    for event in [event for piece in pieces for event in reader.feed(piece)] + reader.finish():
        last = together[-1] if together else None
        if type(event) is type(last) and isinstance(event, (Text, Reasoning)):
            together[-1] = type(event)(last.text + event.text)
        elif isinstance(event, ArgumentDelta) and isinstance(last, ArgumentDelta):
            together[-1] = ArgumentDelta(event.index, last.text + event.text)
        else:
            together.append(event)
    return together


def cut(text: str, seed: int) -> list[str]:
    rng = random.Random(seed)
    places = sorted(rng.choices(range(len(text) + 1), k=rng.randrange(1, 12)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@EACH
def test_what_is_read(turn: dict[str, Any]) -> None:
    form = FORMATS[turn["format"]]
    if turn.get("broken"):
        with pytest.raises(FormatError) as caught:
            form.parse(turn["text"], TOOLS)
        assert caught.value.line and caught.value.column
        events = events_of(form.name, [turn["text"]])
        failed = [event for event in events if isinstance(event, CallFailed)]
        assert len(failed) == turn["broken"]
        assert all(event.text in turn["text"] and event.text for event in failed)
        assert str(caught.value) == failed[0].problem
        read = turn_of(event for event in events if not isinstance(event, CallFailed))
    else:
        read = form.parse(turn["text"], TOOLS)
    assert [[call.name, call.arguments] for call in read.tool_calls] == turn["calls"]
    assert read.content.strip() == turn.get("content", "")
    assert read.reasoning.strip() == turn.get("reasoning", "")


@EACH
def test_any_cut_gives_the_same(turn: dict[str, Any]) -> None:
    text = turn["text"]
    whole = events_of(turn["format"], [text])
    assert events_of(turn["format"], list(text)) == whole
    for seed in range(10):
        assert events_of(turn["format"], cut(text, seed)) == whole
    for event in whole:
        if isinstance(event, CallFinished):
            deltas = [e.text for e in whole if isinstance(e, ArgumentDelta)]
            own = "".join(
                e.text
                for e in whole
                if getattr(e, "index", None) == event.index and isinstance(e, ArgumentDelta)
            )
            assert deltas and json.loads(own) == event.call.arguments
            assert CallStarted(event.index, event.call.name) in whole


@EACH
def test_any_beginning_is_read_the_same_in_any_cut(turn: dict[str, Any]) -> None:
    for end in range(0, len(turn["text"]), 7):
        text = turn["text"][:end]
        try:
            whole = events_of(turn["format"], [text])
        except FormatError as error:
            with pytest.raises(FormatError) as caught:
                events_of(turn["format"], list(text))
            assert str(caught.value) == str(error)
        else:
            assert events_of(turn["format"], list(text)) == whole


@pytest.mark.parametrize(
    ("form", "opening", "closing"),
    [
        (
            "qwen3_coder",
            "<tool_call>\n<function=memo>\n<parameter=text>\n",
            "\n</parameter>\n</function>",
        ),
        (
            "glm45",
            "<tool_call>memo\n<arg_key>text</arg_key>\n<arg_value>",
            "</arg_value>\n</tool_call>",
        ),
        (
            "deepseek_v32",
            '<｜DSML｜function_calls>\n<｜DSML｜invoke name="memo">\n'
            '<｜DSML｜parameter name="text" string="true">',
            "</｜DSML｜parameter>\n</｜DSML｜invoke>",
        ),
        ("lfm2", "<|tool_call_start|>[memo(text='", "')]<|tool_call_end|>"),
        ("gemma4", '<|tool_call>call:memo{text:<|"|>', '<|"|>}<tool_call|>'),
        ("hermes", '<tool_call>\n{"name": "memo", "arguments": {"text": "', '"}}\n</tool_call>'),
    ],
)
def test_strings_are_passed_on_while_they_are_written(
    form: str, opening: str, closing: str
) -> None:
    reader = FORMATS[form].reader(TOOLS)
    events = reader.feed(opening)
    given = ""
    for word in ("a word ", "and more ", "and so on "):
        deltas = [e.text for e in reader.feed(word) if isinstance(e, ArgumentDelta)]
        given += "".join(deltas)
        assert word.strip() in given
    events += [*reader.feed(closing), *reader.finish()]
    [call] = [event.call for event in events if isinstance(event, CallFinished)]
    assert call.arguments == {"text": "a word and more and so on "}


def test_a_stream_without_its_prompt_leaves_out_the_end_of_reasoning() -> None:
    assert turn_of(events_of("hermes", ["Well.</think>Last."])).content == "Well.Last."
    told = FORMATS["hermes"].reader(TOOLS, prompt="<|im_start|>assistant\n<think>\n")
    turn = turn_of([*told.feed("Well.</think>Last."), *told.finish()])
    assert (turn.reasoning, turn.content) == ("Well.", "Last.")
