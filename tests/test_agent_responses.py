"""Answers that are data: bound to a schema together with the calls, read back as its values."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import json
from typing import Any, Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parrot import Parrot
from schemask import Grammar
from schemask.agent import AgentResult, arun_agent, run_agent, stream_agent
from schemask.chat import FORMATS, HERMES, TOOL_CODE, ChatFormat, ParsedTurn, Text, ToolCall
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.errors import FormatError, SchemaError, UnsupportedSchemaError
from schemask.models import CallableModel, ChatTurn, LlamaCppModel, Sampling
from schemask.tools import tool


@tool
def look(place: str) -> str:
    """Looks somewhere."""
    return f"nothing in {place}"


class Unit(enum.Enum):
    CELSIUS = "celsius"


@dataclasses.dataclass
class Weather:
    degrees: float
    unit: Unit = Unit.CELSIUS


class Report(pydantic.BaseModel):
    day: datetime.date
    weather: list[Weather] = []


SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "found": {"type": "boolean"}},
    "required": ["text", "found"],
    "additionalProperties": False,
}
# Stands in a turn where data are to stand, which a turn of words could not hold.
PLACE = "here be data"
LONG = Sampling(max_tokens=2000)


def answer(value: Any, schema: Any, form: ChatFormat = TOOL_CODE) -> AgentResult:
    """A run whose model answers with a value at once."""
    text = form.render_assistant(ParsedTurn(PLACE, []).message)
    text = text.replace(PLACE, json.dumps(value, ensure_ascii=False))
    return run_agent(
        Parrot(text), [look], "Go.", format=form, response_schema=schema, sampling=LONG
    )


@pytest.mark.parametrize(
    ("schema", "written", "value"),
    [
        (SCHEMA, {"text": "x", "found": True}, {"text": "x", "found": True}),
        (json.dumps(SCHEMA), {"text": "x", "found": True}, {"text": "x", "found": True}),
        (True, [1, None], [1, None]),
        (Weather, {"degrees": 3.0, "unit": "celsius"}, Weather(3.0)),
        (
            Report,
            {"day": "2026-11-30", "weather": [{"degrees": 2}]},
            Report(day=datetime.date(2026, 11, 30), weather=[Weather(2.0)]),
        ),
        (list[int], [1, 2], [1, 2]),
        (Literal["a", "b"], "b", "b"),
        (Unit, "celsius", Unit.CELSIUS),
        (int | None, None, None),
    ],
)
def test_values(schema: Any, written: Any, value: Any) -> None:
    result = answer(written, schema)
    assert (result.status, result.value) == ("answered", value)
    assert result.answer is not None and json.loads(result.answer) == written
    assert result.messages[-1] == {"role": "assistant", "content": result.answer}
    assert [(step.kind, step.status) for step in result.steps] == [("words", "ok")]


def marks_of(form: ChatFormat) -> list[str]:
    spec = form.spec
    marks = (*spec.call_marks, *spec.stops, spec.reasoning_open, spec.reasoning_close)
    return [mark for mark in (*marks, spec.words_close) if mark.strip()]


TELLING = [form for form in FORMATS.values() if not form.spec.bare]


@pytest.mark.parametrize("form", TELLING, ids=lambda form: form.name)
def test_every_format_has_calls_and_data(form: ChatFormat) -> None:
    """Also where the data spell what would begin a call, or end the turn."""
    called = form.render_assistant(ParsedTurn("", [ToolCall("look", {"place": "x"})]).message)
    value = {"text": " ".join(marks_of(form)), "found": False}
    said = form.render_assistant(ParsedTurn(PLACE, []).message)
    said = said.replace(PLACE, json.dumps(value, ensure_ascii=False))
    options: dict[str, Any] = {"format": form, "response_schema": SCHEMA, "sampling": LONG}
    result = run_agent(Parrot(called, said), [look], "Go.", **options)
    assert [step.kind for step in result.steps] == ["call", "result", "words"]
    assert (result.status, result.value) == ("answered", value)
    events = list(stream_agent(Parrot(called, said), [look], "Go.", **options))
    pieces = [event.text for event in events if isinstance(event, Text)]
    assert len(pieces) > 3 and json.loads("".join(pieces)) == value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(marks_of(HERMES)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_any_value_comes_back(value: Any) -> None:
    result = answer(value, True, HERMES)
    assert (result.status, result.value) == ("answered", value)


def test_words_cannot_be_said() -> None:
    """What a model would say becomes data; and before a call it says nothing."""
    result = run_agent(Parrot("It is cold."), [look], "Go.", response_schema=SCHEMA)
    assert result.status == "answered" and set(result.value) == {"text", "found"}
    compiled = Grammar.from_tools([look], response_schema=SCHEMA).compile(byte_vocabulary())
    call = TOOL_CODE.render_call("look", {"place": "x"})
    assert compiled.matcher().accept_bytes(call.encode())
    assert not compiled.matcher().accept_bytes(b"I look. " + call.encode())
    both = compiled.matcher()
    assert not both.accept_bytes((call + '{"text": "x", "found": true}').encode())


def test_a_call_that_may_not_be_made_is_no_way_out() -> None:
    text = TOOL_CODE.render_call("look", {"place": "x"})
    result = run_agent(Parrot(text), [look], "Go.", tool_choice="none", response_schema=list[int])
    assert (result.status, result.value) == ("answered", [])
    result = run_agent(
        Parrot("[1]", "[1]"), [look], "Go.", tool_choice="required", response_schema=list[int]
    )
    assert [step.kind for step in result.steps] == ["call", "result", "words"]
    assert result.value == [1]


def test_data_that_the_limit_cut() -> None:
    result = run_agent(
        Parrot(json.dumps(["word"] * 20)),
        [look],
        "Go.",
        response_schema=list[str],
        sampling=Sampling(max_tokens=30),
    )
    assert (result.status, result.value, result.answer) == ("max_tokens", None, None)


class Even(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def is_even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("odd")
        return number


@pytest.mark.parametrize(
    ("written", "schema", "problem"),
    [
        ("It is cold.", SCHEMA, "cannot be read"),
        ('{"text": "x"}', SCHEMA, "found"),
        ('{"number": "x"}', Even, "number: "),
        ('{"number": 3}', Even, "odd"),
        ('{"number": 4} ', Even, None),
    ],
)
def test_what_is_not_constrained_is_checked(written: str, schema: Any, problem: str | None) -> None:
    def run(model: Any) -> None:
        for result in (
            run_agent(model, [look], "Go.", response_schema=schema),
            asyncio.run(arun_agent(model, [look], "Go.", response_schema=schema)),
        ):
            (step,) = result.steps
            if problem is None:
                assert (result.status, result.value) == ("answered", Even(number=4))
                continue
            assert (result.status, result.value, result.answer) == ("invalid_response", None, None)
            assert (step.kind, step.status, step.text) == ("words", "invalid_response", written)
            assert problem in str(step.error)

    class Endpoint:
        def chat(self, messages: Any, **options: Any) -> ChatTurn:
            return ChatTurn(ParsedTurn(written, []), "complete", 1, 1)

    run(CallableModel(lambda prompt: written))
    run(Endpoint())


def test_a_type_refuses_what_its_schema_allows() -> None:
    result = answer({"number": 3}, Even)
    assert (result.status, result.value) == ("invalid_response", None)
    assert "odd" in str(result.steps[0].error)


def test_an_endpoint_gets_the_schema_if_it_takes_one() -> None:
    asked: list[Any] = []

    class Endpoint:
        def chat(self, messages: Any, *, response_schema: Any = None, **options: Any) -> ChatTurn:
            asked.append(response_schema)
            return ChatTurn(ParsedTurn('{"text": "x", "found": true}', []), "complete", 1, 1)

    assert run_agent(Endpoint(), [look], "Go.", response_schema=SCHEMA).value["text"] == "x"
    run_agent(Endpoint(), [look], "Go.")
    assert asked == [SCHEMA, None]


def test_what_is_no_schema_or_cannot_be_told() -> None:
    for wrong in (3, object(), "{", [], print):
        with pytest.raises(SchemaError, match="response_schema"):
            run_agent(Parrot("a"), [look], "Go.", response_schema=wrong)
    with pytest.raises(SchemaError):
        run_agent(Parrot("a"), [look], "Go.", response_schema={"type": "nothing"})
    with pytest.raises(SchemaError):
        run_agent(Parrot("a"), [look], "Go.", response_schema=False)
    with pytest.raises(UnsupportedSchemaError):
        run_agent(Parrot("a"), [look], "Go.", response_schema={"pattern": r"(a)\1"})
    for form in FORMATS.values():
        if form not in TELLING:
            with pytest.raises(FormatError, match="response"):
                run_agent(Parrot("a"), [look], "Go.", format=form, response_schema=SCHEMA)


def test_a_real_model(llama: Any, llama_vocabulary: Any) -> None:
    class Quote(pydantic.BaseModel):
        price: float
        symbol: str = pydantic.Field(pattern="^[A-Z]{1,5}$")

    result = run_agent(
        LlamaCppModel(llama, llama_vocabulary),
        [look],
        "Apple (AAPL) is trading at 150.25.",
        tool_choice="none",
        response_schema=Quote,
        sampling=Sampling(max_tokens=48),
    )
    assert result.status == "answered" and isinstance(result.value, Quote)
