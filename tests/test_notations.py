"""Notations of arguments by themselves; what formats write with them is in `test_chat_catalog`."""

from __future__ import annotations

from typing import Any

import pytest

from schemask.chat import (
    ChatFormat,
    FormatSpec,
    JsonArguments,
    MarkedArguments,
    Notation,
    PythonArguments,
    RawArguments,
    TypedArguments,
)
from schemask.chat.notations.values import Styles
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.errors import FormatError, SchemaError

SHOWN = Styles("python", "python", "python")
TYPES = (
    *((kind, kind[0]) for kind in ("string", "number", "boolean", "object")),
    ("null", "z"),
    ("array", "a"),
)

NOTATIONS: list[tuple[Notation, str]] = [
    (JsonArguments(), "{arguments}"),
    (RawArguments("<p={key}>{value}</p>"), "{arguments}"),
    (RawArguments("<p={key}>{value}</p>", styles=SHOWN), "{arguments}"),
    (TypedArguments("<p={key}:{type}>{value}</p>", types=TYPES), "{arguments}"),
    (PythonArguments("{key}={value}", separator=", "), "({arguments})"),
    *(
        (PythonArguments("{key}={value}", ", ", strings=strings, styles=styles), "({arguments})")
        for strings in ("python", "quotes", "none")
        for styles in (SHOWN, Styles(literals="python"))
    ),
    (MarkedArguments("<m>"), "{{arguments}}"),
]
EACH = pytest.mark.parametrize(
    "form",
    [
        ChatFormat(FormatSpec("own", "<c>", "</c>", call="{name}:" + call, arguments=notation))
        for notation, call in NOTATIONS
    ],
    ids=lambda form: repr(form.spec.arguments)[:90],
)


def tool(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"name": "f", "parameters": {**parameters, "additionalProperties": False}}


def written(form: ChatFormat, arguments: dict[str, Any], tools: list[Any]) -> str:
    call = {"function": {"name": "f", "arguments": arguments}}
    return form.render_assistant({"role": "assistant", "content": "", "tool_calls": [call]}, tools)


@EACH
@pytest.mark.parametrize(
    ("schema", "values", "others"),
    [
        ({"type": "array", "items": False}, [[]], [[1]]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, [[]], [["a"]]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1}, [[1], [1, 2]], [[]]),
        ({"type": ["string", "null"]}, ["a", "", None], []),
        ({"type": "boolean"}, [True, False], ["x"]),
        ({"enum": ["a", 2]}, ["a", 2], ["b", 3]),
        (True, [5, [{"a": None}], False], []),
    ],
    ids=str,
)
def test_what_a_schema_allows(
    form: ChatFormat, schema: Any, values: list[Any], others: list[Any]
) -> None:
    tools = [tool({"a": schema}, "a")]
    compiled = Grammar.from_tools(tools, form, tool_choice="required").compile(byte_vocabulary())
    for value in [*values, *others]:
        text = written(form, {"a": value}, tools if value in values else [])
        matcher = compiled.matcher()
        is_allowed = matcher.accept_bytes(text.encode()) and matcher.is_accepting
        assert is_allowed == (value in values), text
        if is_allowed:
            [called] = form.parse(text, tools).tool_calls
            assert called.arguments == {"a": value}


@EACH
def test_a_parameter_that_may_not_come(form: ChatFormat) -> None:
    tools = [tool({"a": False, "b": {"type": "integer"}}, "b")]
    if not isinstance(form.spec.arguments, JsonArguments):
        with pytest.raises(SchemaError, match="nothing satisfies"):
            Grammar.from_tools(tools, form, tool_choice="required")
        return
    grammar = Grammar.from_tools(tools, form, tool_choice="required")
    done = grammar.compile(byte_vocabulary()).matcher().completion().decode()
    [called] = form.parse(done, tools).tool_calls
    assert called.arguments == {"b": 0}


def test_templates_that_say_too_little() -> None:
    for template in ("", "{key}", "{value}", "{value}={key}"):
        with pytest.raises(FormatError, match="value"):
            RawArguments(template)
        with pytest.raises(FormatError, match="value"):
            TypedArguments(template, types=TYPES)
    with pytest.raises(FormatError, match="type"):
        TypedArguments("{key}={value}", types=TYPES)
    with pytest.raises(FormatError, match="between"):
        TypedArguments("{key}{type}={value}", types=TYPES)
    with pytest.raises(FormatError, match="word"):
        TypedArguments("{key}:{type}={value}", types=TYPES[1:])


def test_what_is_no_notation_is_named() -> None:
    with pytest.raises(FormatError, match="Notation"):
        FormatSpec("own", "<c>", "</c>", arguments="raw")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="FormatSpec"):
        ChatFormat("hermes")  # type: ignore[arg-type]
