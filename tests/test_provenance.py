"""Arguments that are taken from what was said: languages of spans, tools bound to them, runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import Judges
from parrot import Parrot
from schemask import Grammar
from schemask.agent import run_agent
from schemask.chat import FORMATS, HERMES, TOOL_CODE, ChatFormat, ParsedTurn, ToolCall
from schemask.chat.said import said_to_model
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.errors import ModelError, SchemaError, ToolError
from schemask.models import CallableModel, LlamaCppModel, Sampling
from schemask.tools import Tool, ToolSet, tool
from schemask.tools.provenance import SPANS, taken_from


def joins(before: str, after: str) -> bool:
    """Whether no span begins or ends between two characters. The tests use no other scripts."""
    return all((c.isalnum() or c == "_") and c not in "日本" for c in (before, after))


def spans(text: str) -> set[str]:
    """All of them, one by one."""
    text = text.strip()
    cuts = [
        at
        for at in range(len(text) + 1)
        if not joins(text[at - 1 : at] or " ", text[at : at + 1] or " ")
    ]
    found = {text[start:end] for start in cuts for end in cuts if start < end}
    return {span for span in found if span == span.strip()}


def allows(schema: Any, value: Any) -> bool:
    """Whether a grammar takes a value, written as JSON."""
    grammar = Grammar.from_json_schema(schema, property_order="any")
    matcher = grammar.compile(byte_vocabulary()).matcher()
    return (
        matcher.accept_bytes(json.dumps(value, ensure_ascii=False).encode())
        and matcher.is_accepting
    )


TEXTS = st.lists(st.text('ab_ -é日"\\', max_size=8), min_size=1, max_size=3)


@given(texts=TEXTS, data=st.data(), least=st.integers(0, 3), more=st.integers(0, 3))
def test_spans_are_those_that_can_be_listed(
    texts: list[str], data: st.DataObject, least: int, more: int
) -> None:
    all_spans = sorted({span for text in texts for span in spans(text)})
    schema = {"type": "string", SPANS: texts, "minLength": least, "maxLength": least + more}
    fitting = [span for span in all_spans if least <= len(span) <= least + more]
    if not fitting:
        with pytest.raises(SchemaError):
            Grammar.from_json_schema(schema)
        return
    said = st.text('ab_ -é日"\\', max_size=6)
    word = data.draw(st.sampled_from(all_spans) | said)
    assert allows(schema, word) == (word in fitting)
    ending = Grammar.from_json_schema(schema).compile(byte_vocabulary()).matcher().completion()
    assert json.loads(bytes(ending)) in fitting


def test_what_the_keyword_must_be() -> None:
    for value, pointer in (("a", f"/{SPANS}"), (["a", 1], f"/{SPANS}/1")):
        with pytest.raises(SchemaError, match=r"strings|array") as caught:
            Grammar.from_json_schema({SPANS: value})
        assert caught.value.pointer == pointer
    assert allows({SPANS: ["a b"]}, 5) and allows({SPANS: ["a b"]}, "b")
    assert not allows({SPANS: []}, "") and allows({SPANS: []}, 1)


PARAMETERS: dict[str, dict[str, Any]] = {
    "a string": {"properties": {"a": {"type": "string"}}},
    "a constant": {"properties": {"a": {"enum": ["up", "down", 1]}, "b": {"const": "x"}}},
    "a list": {"properties": {"a": {"type": "array", "items": {"type": "string"}}}},
    "a tuple": {"properties": {"a": {"prefixItems": [{"type": "string"}], "maxItems": 2}}},
    "anything": {"properties": {"a": {}, "b": True}},
    "nothing is said": {},
    "others": {"additionalProperties": {"type": "string"}},
    "patterns": {"patternProperties": {"^a": {"type": "string"}}},
    "a choice": {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}},
    "a name or null": {"properties": {"a": {"type": ["string", "null"]}}},
    "a reference": {
        "properties": {"a": {"$ref": "#/$defs/mood"}, "b": {"$ref": "#/$defs/place"}},
        "$defs": {
            "mood": {"enum": ["up", "down"]},
            "place": {"type": "object", "properties": {"b": {"type": "string"}}},
        },
    },
    "closed by a look": {
        "properties": {
            "a": {
                "type": "object",
                "properties": {"b": {"type": "string"}},
                "unevaluatedProperties": False,
            }
        },
    },
    "all closed by a look": {
        "allOf": [{"properties": {"a": {"type": "string"}}}],
        "unevaluatedProperties": False,
    },
    "a document of its own": {
        "properties": {"a": {"$id": "own", "$ref": "#/$defs/b", "$defs": {"b": {"type": "string"}}}}
    },
}
SAID = ["Bring the red box, please.", "box-7"]
VALUES = st.recursive(
    st.sampled_from(["red", "red box", "bo", "blue", "up", "x", "box-7", "7", "", 1, None, True]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    ),
    max_leaves=4,
)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (found for inner in value.values() for found in strings(inner))
    elif isinstance(value, list):
        yield from (found for inner in value for found in strings(inner))


@pytest.mark.parametrize("name", PARAMETERS)
@given(arguments=st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3))
def test_arguments_are_those_that_say_nothing_new(name: str, arguments: dict[str, Any]) -> None:
    parameters = {"type": "object", **PARAMETERS[name]}
    (bound,) = taken_from(
        ToolSet([{"name": "f", "description": "", "parameters": parameters}]), SAID
    )
    constants = {"up", "down", "x"} & set(json.dumps(parameters).split('"'))
    known = constants.union(*map(spans, SAID))
    expected = Judges(parameters).verdict(json.dumps(arguments)) and known.issuperset(
        strings(arguments)
    )
    assert allows(bound.parameters, arguments) == bool(expected), bound.parameters


def test_a_parameter_may_have_the_name_of_a_keyword() -> None:
    either = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    properties = {"const": {"type": "string"}, "enum": {"type": "string"}, "b": either}
    parameters = {"type": "object", "properties": properties}
    (bound,) = taken_from(
        ToolSet([{"name": "f", "description": "", "parameters": parameters}]), SAID
    )
    assert allows(bound.parameters, {"const": "red", "enum": "box", "b": "red"})
    assert not any(allows(bound.parameters, {name: "string"}) for name in properties)


def test_what_was_said() -> None:
    result = json.dumps({"mail": "ann@x.org", "note": 'a "b"\nc', "age": 41, "tags": ["é"]})
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Ask Ann."},
        {"role": "assistant", "content": "I ask Bob."},
        {"role": "tool", "name": "find", "content": result},
        {"role": "tool", "name": "find", "content": "not [JSON"},
    ]
    said = said_to_model(messages)
    assert said[:3] == ["Be kind.", "Ask Ann.", result]
    assert {"ann@x.org", 'a "b"\nc', "41", "é", "not [JSON"} <= set(said)
    assert not any("Bob" in text for text in said)


sent: list[tuple[str, str]] = []


@tool
def find_mail(person: str) -> dict[str, str]:
    """Finds the address of somebody."""
    return {"mail": f"{person.lower()}@x.org"}


@tool
def send(to: str, text: str) -> str:
    """Sends a mail."""
    sent.append((to, text))
    return "sent"


def written(form: ChatFormat, name: str, **arguments: str) -> str:
    return form.render_assistant(ParsedTurn("", [ToolCall(name, arguments)]).message, TOOLS)


TOOLS = [find_mail, send]


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_arguments_from_the_question(form: ChatFormat) -> None:
    sent.clear()
    done = form.render_assistant(ParsedTurn("Done.", []).message)
    model = Parrot(written(form, "send", to="boss", text="be on-time!"), done)
    long = Sampling(max_tokens=1000)
    question = "Write to Ann's boss to be on-time!"
    result = run_agent(model, TOOLS, question, format=form, provenance=True, sampling=long)
    assert (result.answer, sent) == ("Done.", [("boss", "be on-time!")])


@pytest.mark.parametrize("form", [TOOL_CODE, HERMES], ids=lambda form: form.name)
def test_a_later_argument_comes_from_an_earlier_result(form: ChatFormat) -> None:
    sent.clear()
    model = Parrot(
        written(form, "find_mail", person="Ann"),
        written(form, "send", to="ann@x.org", text="be on time"),
        form.render_assistant(ParsedTurn("Done.", []).message),
    )
    question = "Write to Ann that she should be on time!"
    result = run_agent(model, TOOLS, question, format=form, provenance=True)
    assert (result.answer, sent) == ("Done.", [("ann@x.org", "be on time")])


def test_what_was_not_said_cannot_be_written() -> None:
    """The model would invent an address; the grammar leaves it what was said."""
    sent.clear()
    invented = written(TOOL_CODE, "send", to="bob@x.org", text="be late")
    model = Parrot(invented, "Done.")
    run_agent(model, TOOLS, "Tell Bob to be on time", tool_choice="send", provenance=True)
    ((to, text),) = sent
    assert spans("Tell Bob to be on time").issuperset({to, text})


def test_a_tool_for_which_nothing_fits_cannot_be_called() -> None:
    mail = {
        "name": "mail",
        "description": "",
        "parameters": {
            "type": "object",
            "properties": {"to": {"type": "string", "pattern": "@"}},
            "required": ["to"],
        },
    }
    callable_mail = dataclasses.replace(Tool.from_definition(mail), function=lambda to: to)
    model = Parrot("To whom?")
    result = run_agent(model, [callable_mail], "Write to Ann", provenance=True)
    assert result.answer == "To whom?"
    for choice in ("required", "mail"):
        with pytest.raises(ModelError, match="nothing that was said"):
            run_agent(Parrot(""), [callable_mail], "Hi", provenance=True, tool_choice=choice)
    bad = dataclasses.replace(callable_mail, parameters={"type": "object", "minProperties": -1})
    with pytest.raises(SchemaError, match="minProperties"):
        run_agent(Parrot(""), [bad], "Hi", provenance=True)


def test_a_model_that_cannot_be_bound() -> None:
    with pytest.raises(ModelError, match="cannot be constrained"):
        run_agent(CallableModel(lambda prompt: ""), TOOLS, "Hi", provenance=True)
    with pytest.raises(ModelError, match="provenance"):
        run_agent(Parrot(""), TOOLS, "Hi", provenance="yes")  # type: ignore[arg-type]
    with pytest.raises(ToolError):
        run_agent(Parrot(""), [{"name": "f", "parameters": 1}], "Hi", provenance=True)


def test_a_real_model_takes_its_arguments_from_the_question(llama: Any) -> None:
    question = "Please send a short note to Ms. Tanaka about the broken printer on floor 3."
    result = run_agent(
        LlamaCppModel(llama),
        TOOLS,
        question,
        tool_choice="required",
        max_steps=1,
        sampling=Sampling(max_tokens=200),
        provenance=True,
    )
    calls = [step.tool_call for step in result.steps if step.kind == "call"]
    assert calls
    for call in calls:
        assert call is not None and spans(question).issuperset(strings(call.arguments))
