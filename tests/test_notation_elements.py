"""Arguments as elements that are named after their keys."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemask.chat import ArgumentDelta, CallFinished, ChatFormat, ElementArguments, FormatSpec
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.errors import FormatError, UnsupportedSchemaError

FORMS = [
    ChatFormat(FormatSpec("own", "<c>", "</c>", call="{name}:{arguments}", arguments=notation))
    for notation in (ElementArguments(), ElementArguments("]~[", item="li"))
]
EACH = pytest.mark.parametrize("form", FORMS, ids=["bare", "marked"])


def tools(schema: Any) -> list[dict[str, Any]]:
    parameters = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return [{"name": "f", "parameters": {**parameters, "additionalProperties": False}}]


def written(form: ChatFormat, value: Any, schema: Any) -> str:
    call = {"function": {"name": "f", "arguments": {"a": value}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    return form.render_assistant(message, tools(schema))


def read_in_cuts(form: ChatFormat, text: str, schema: Any, seed: int) -> Any:
    chosen = random.Random(seed)
    reader = form.reader(tools(schema))
    at = 0
    events = []
    while at < len(text):
        length = chosen.choice((1, 1, 2, 3, 8))
        events += reader.feed(text[at : at + length])
        at += length
    events += reader.finish()
    deltas = "".join(event.text for event in events if isinstance(event, ArgumentDelta))
    [finished] = [event for event in events if isinstance(event, CallFinished)]
    assert json.loads(deltas) == finished.call.arguments
    return finished.call.arguments["a"]


def check(form: ChatFormat, value: Any, schema: Any, seed: int = 0) -> str:
    text = written(form, value, schema)
    grammar = Grammar.from_tools(tools(schema), form, tool_choice="required")
    matcher = grammar.compile(byte_vocabulary()).matcher()
    assert matcher.accept_bytes(text.encode()), text
    assert matcher.is_accepting
    assert read_in_cuts(form, text, schema, seed) == value
    return text


def test_what_is_written() -> None:
    schema = {
        "type": "object",
        "properties": {
            "on": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
    value = {"on": True, "tags": ["a b", ""]}
    assert check(FORMS[0], value, schema) == (
        "<c>f:<a><on>true</on><tags><item>a b</item><item></item></tags></a></c>"
    )
    assert check(FORMS[1], {"tags": []}, schema) == "<c>f:]~[<a>]~[<tags>]~[</tags>]~[</a></c>"


KEYS = ("item", "li", "key", "a", "x-y")


def random_schema(chosen: random.Random, depth: int) -> dict[str, Any]:
    kinds = ["string", "number", "boolean", "integer", "null"]
    if depth and chosen.random() < 0.6:
        kind = chosen.choice(("array", "object"))
        if kind == "array":
            made: dict[str, Any] = {"type": "array", "items": random_schema(chosen, depth - 1)}
            if chosen.random() < 0.3:
                made["maxItems"] = 2
            return made
        keys = chosen.sample(KEYS, chosen.randint(1, 3))
        properties = {key: random_schema(chosen, depth - 1) for key in keys}
        return {"type": "object", "properties": properties, "additionalProperties": False}
    found = chosen.sample(kinds, chosen.choice((1, 1, 2, 3)))
    return {"type": found if len(found) > 1 else found[0]}


def random_value(chosen: random.Random, schema: dict[str, Any]) -> Any:
    named = schema["type"]
    kind = named if isinstance(named, str) else chosen.choice(named)
    if kind == "array":
        return [random_value(chosen, schema["items"]) for _ in range(chosen.randint(0, 2))]
    if kind == "object":
        members = schema["properties"].items()
        return {key: random_value(chosen, s) for key, s in members if chosen.random() < 0.7}
    texts = ("", "x", "7", "true", "null", "[1]", "{}", " y ", "a\nb", "é", "<b>", "]~[")
    return {
        "string": chosen.choice(texts),
        "number": chosen.choice((0, -1.5, 1e-7, 10**20)),
        "integer": chosen.choice((0, -3)),
        "boolean": chosen.choice((True, False)),
        "null": None,
    }[kind]


@EACH
@pytest.mark.parametrize("seed", range(6))
def test_what_is_written_is_allowed_and_read_back(form: ChatFormat, seed: int) -> None:
    chosen = random.Random(seed)
    count = 0
    for _ in range(60):
        schema = random_schema(chosen, 3)
        value = random_value(chosen, schema)
        try:
            written(form, value, schema)
        except FormatError:
            continue
        count += 1
        check(form, value, schema, seed)
    assert count > 20


@EACH
@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "null"}, None, "null is left out"),
        ({"type": ["string", "integer"]}, "7", "type number"),
        ({"type": ["string", "array"], "items": {}}, [], "type string"),
        ({"type": "object", "properties": {}}, {"a b": 1}, "name of an element"),
    ],
    ids=str,
)
def test_what_could_not_be_read_back_is_not_written(
    form: ChatFormat, schema: Any, value: Any, problem: str
) -> None:
    with pytest.raises(FormatError, match=problem):
        written(form, value, schema)


@EACH
def test_strings_hold_no_tag(form: ChatFormat) -> None:
    notation = form.spec.arguments
    with pytest.raises(FormatError, match="cannot write"):
        written(form, f"a{notation.opening}b", {"type": "string"})
    if notation.opening != "<":
        check(form, "a <b> c", {"type": "string"})


@EACH
def test_definitions_may_lead_back(form: ChatFormat) -> None:
    node = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
        "required": ["n"],
    }
    parameters = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/node"}},
        "required": ["a"],
        "$defs": {"node": node},
    }
    given = [{"name": "f", "parameters": parameters}]
    value = {"n": 1, "next": {"n": 2, "next": {"n": 3}}}
    call = {"function": {"name": "f", "arguments": {"a": value}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    text = form.render_assistant(message, given)
    grammar = Grammar.from_tools(given, form, tool_choice="required")
    matcher = grammar.compile(byte_vocabulary()).matcher()
    assert matcher.accept_bytes(text.encode())
    assert matcher.is_accepting
    assert form.parse(text, given).tool_calls[0].arguments == {"a": value}


@EACH
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": ["object", "string"], "properties": {"k": {}}},
        {"type": "array", "items": {}, "uniqueItems": True},
        {"type": "object", "properties": {"k": {}}, "required": ["j"]},
        {"type": "object", "properties": {"a b": {}}},
    ],
    ids=str,
)
def test_schemas_that_elements_cannot_say(form: ChatFormat, schema: Any) -> None:
    with pytest.raises(UnsupportedSchemaError, match="cannot express"):
        Grammar.from_tools(tools(schema), form, tool_choice="required")


@EACH
def test_what_is_no_element_is_a_failed_call(form: ChatFormat) -> None:
    mark = form.spec.arguments.opening.removesuffix("<")
    text = f"<c>f:{mark}<a>{mark}<b>1{mark}</c>{mark}</a></c>"
    schema = {"type": "object", "properties": {"b": {"type": "integer"}}}
    with pytest.raises(FormatError):
        form.parse(text, tools(schema))
