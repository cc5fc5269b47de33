"""Structural tags allow what the formats allow, as xgrammar itself reads them.

It differs where a tag leaves JSON to it: it allows white space between the parts of JSON, and
counts the characters of a string as they are spelt, so that schemas here limit no strings of JSON.
"""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oracles import XGRAMMAR, mostly_answered
from schemask import Grammar, Vocabulary
from schemask.chat import (
    FORMATS,
    ChatFormat,
    FormatSpec,
    RawArguments,
    ToolCall,
)
from schemask.errors import FormatError
from schemask.tools import ToolSet
from test_chat_catalog import message_of

pytest.importorskip("xgrammar")

TRL = Path(str(importlib.util.find_spec("trl").origin)).parent / "chat_templates"  # type: ignore[union-attr]
DERIVED = (
    *("gemma4_v5", "glm4moe", "gptoss", "lfm2_v2", "llama3_1"),
    *("nemotron_3_super", "qwen2_5", "qwen3", "qwen3_5_think", "qwen3_8"),
)
SIZE = {
    "type": "object",
    "properties": {"width": {"type": "integer"}, "big": {"type": "boolean"}},
    "required": ["width"],
    "additionalProperties": False,
}
TOOLS = ToolSet(
    [
        {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Where."},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14},
                    "unit": {"enum": ["celsius", "fahrenheit"]},
                    "exact": {"type": "boolean"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
        {
            "name": "shop.order-item",
            "parameters": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{1,3}$"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "size": {"$ref": "#/$defs/Size"},
                    "price": {"type": "number"},
                },
                "additionalProperties": False,
                "$defs": {"Size": SIZE},
            },
        },
        {"name": "ping", "parameters": {"type": "object", "additionalProperties": False}},
    ]
)
# Strings that need a section of XML are those that hold one of some characters.
CANNOT = {"minicpm5"}
WORDS = (
    *("Hello", "a\nb", "<b>", "<|im_e", "null", "None", "{x", "[1]", "", " x", "é😀", "'q'"),
    *('"d"', "</param", "<"),
)
BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b""], stop_token_ids=[256])


@pytest.fixture(scope="module", autouse=True)
def answered() -> Iterator[None]:
    with mostly_answered(XGRAMMAR):
        yield


def accepted(tag: dict[str, Any], texts: list[str]) -> list[bool]:
    """Whether xgrammar takes each of some texts."""
    outcome = XGRAMMAR((json.dumps(tag), texts))
    assert not outcome.failure, outcome.failure
    found: list[bool] = outcome.result
    return found


def allowed(grammar: Any, text: str) -> bool:
    matcher = grammar.matcher()
    return bool(matcher.accept_bytes(text.encode()) and matcher.is_accepting)


def turn_of(form: ChatFormat, chance: random.Random, reasons: bool) -> dict[str, Any]:
    """A turn with calls of the tools."""
    some = chance.random

    def words() -> str:
        return chance.choice(WORDS) + chance.choice(WORDS)

    def arguments(name: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if name == "get_weather":
            values = {
                "city": words(),
                "days": chance.randint(1, 14),
                "unit": chance.choice(["celsius", "fahrenheit"]),
                "exact": some() < 0.5,
                "note": chance.choice([None, words()]),
            }
        elif name == "shop.order-item":
            size = {"width": chance.randint(-5, 10**9), "big": some() < 0.5}
            values = {
                "code": chance.choice(["AB1", "ZZ123"]),
                "tags": [words() for _ in range(chance.randint(0, 3))],
                "size": size if some() < 0.5 else {"width": size["width"]},
                "price": chance.choice([0, -1.5, 1e-7, 10**6]),
            }
        needed = {"city", "unit"}
        return {key: value for key, value in values.items() if key in needed or some() < 0.5}

    names = [chance.choice(TOOLS.names) for _ in range(chance.randint(0, form.spec.max_calls or 3))]
    content = words() if not names or some() < 0.5 else ""
    reasoning = "Hm.\nWell" if reasons and some() < 0.5 else ""
    return message_of(content, [ToolCall(name, arguments(name)) for name in names], reasoning)


def mutated(text: str, chance: random.Random) -> str:
    one, other = sorted(chance.choices(range(len(text) + 1), k=2))
    inserted = chance.choice('x1"{}<>[], \n')
    return chance.choice(
        [
            text[:one] + text[one + 1 :],
            text[:one] + inserted + text[one:],
            text[:one],
            text[:one] + text[other:],
            text[:one] + text[one:other] + text[one:],
        ]
    )


def check(form: ChatFormat, turns: int, seed: int = 0) -> int:
    """Compares tag and grammar on what the format writes, and on texts near it."""
    chance = random.Random(seed)
    compared = 0
    for reasons in (False, True) if form.spec.reasoning_open else (False,):
        try:
            tag = form.structural_tag(TOOLS, reasoning=reasons)
        except FormatError as error:
            assert "has no reasoning here" in str(error)
            continue
        strict, loose = (
            Grammar.from_tools(
                TOOLS, format=form, reasoning=reasons, spelling="any", whitespace=whitespace
            ).compile(BYTES)
            for whitespace in (None, "flexible")
        )
        texts = []
        while len(texts) < turns:
            try:
                texts.append(form.render_assistant(turn_of(form, chance, reasons), TOOLS))
            except FormatError:
                continue
        texts += [mutated(text, chance) for text in texts for _ in range(6)]
        for text, taken in zip(texts, accepted(tag, texts), strict=True):
            if allowed(strict, text):
                assert taken, text
                compared += 1
            elif not allowed(loose, text):
                assert not taken, text
    return compared


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_formats_of_the_catalogue(form: ChatFormat) -> None:
    if form.name in CANNOT:
        with pytest.raises(FormatError, match="a structural tag cannot say"):
            form.structural_tag(TOOLS)
        return
    assert check(form, 25) > 25


@pytest.mark.parametrize("name", DERIVED)
def test_derived_formats(name: str) -> None:
    assert check(ChatFormat.from_template(TRL / f"{name}.jinja"), 15) > 15


@pytest.mark.parametrize("name", ["hermes", "qwen3_coder", "mistral_v3", "kimi_k2", "harmony"])
@pytest.mark.parametrize(
    "options",
    [
        {"tool_choice": "required"},
        {"tool_choice": "none"},
        {"tool_choice": "ping"},
        {"parallel": False},
        {"min_calls": 2},
        {"max_calls": 2},
    ],
    ids=str,
)
def test_options(name: str, options: dict[str, Any]) -> None:
    form = FORMATS[name]
    if form.spec.max_calls == 1 and options.get("min_calls"):
        return
    grammar = Grammar.from_tools(TOOLS, format=form, **options).compile(BYTES)
    texts = [
        form.render_assistant(message_of(words, [ToolCall("ping", {})] * calls))
        for calls in range(min(4, (form.spec.max_calls or 4) + 1))
        for words in ("", "Hello.")
    ]
    texts += [text + form.spec.turn_end for text in texts]
    expected = [allowed(grammar, text) for text in texts]
    assert accepted(form.structural_tag(TOOLS, **options), texts) == expected
    assert len(set(expected)) == 2


def test_what_the_prompt_opens() -> None:
    form = ChatFormat.from_template(TRL / "qwen3_5_think.jinja")
    opened = form.structural_tag(TOOLS)
    assert accepted(opened, ["Hm.\n</think>\n\nHi.", "<think>\nHm.\n</think>\n\nHi."])[0]
    ready = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    closed = form.structural_tag(TOOLS, prompt=ready)
    assert accepted(closed, ["Hi.", "Hi.</think>", "Hm.\n</think>\n\nHi."])[0]
    assert opened != closed


STRINGS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "minLength": 1},
    {"type": "string", "maxLength": 3},
    {"type": "string", "minLength": 2, "maxLength": 4},
    {"enum": ["a", "</x>", "", "null"]},
    {"const": "a<"},
    {"type": ["string", "null"]},
    {"type": ["string", "null"], "minLength": 3},
    {"type": ["string", "null", "boolean"]},
    {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]},
    {"type": "string", "pattern": "^[b-d]{1,3}$"},
    {"allOf": [{"type": "string"}, {"maxLength": 2}]},
]


@pytest.mark.parametrize("schema", STRINGS, ids=json.dumps)
@pytest.mark.parametrize("mark", ["</x>", "\n</x>", "aab"])
def test_strings_without_quotes(schema: dict[str, Any], mark: str) -> None:
    """All short texts of a few letters, and those that come near the end of the argument."""
    spec = FormatSpec(
        *("own", "<c>", "</c>"),
        call="{name}({arguments})",
        arguments=RawArguments("<x={key}>{value}" + mark),
        turn_start="<t>",
        turn_end="</t>",
    )
    form = ChatFormat(spec)
    parameters = {"type": "object", "properties": {"k": schema}, "required": ["k"]}
    tools = ToolSet([{"name": "f", "parameters": {**parameters, "additionalProperties": False}}])
    tag = form.structural_tag(tools, "required")
    grammar = Grammar.from_tools(tools, format=form, tool_choice="required").compile(BYTES)
    letters = [*"ab<\n/", "é", "</x", "null", "None", "true", "", "\n</"]
    values = [one + two + three for one in letters for two in letters for three in letters[:6]]
    values += [value + mark + "a" for value in letters]
    texts = [f"<c>f(<x=k>{value}{mark})</c>" for value in dict.fromkeys(values)]
    assert accepted(tag, texts) == [allowed(grammar, text) for text in texts]


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("qwen3_coder", {"type": "string", "format": "date"}),
        ("qwen3_coder", {"type": "string", "pattern": "<"}),
        ("gemma4", {}),
    ],
)
def test_what_a_tag_cannot_say(name: str, schema: dict[str, Any]) -> None:
    form = FORMATS[name]
    properties = {"type": "object", "properties": {"k": schema}, "additionalProperties": False}
    tools = [{"name": "f", "parameters": properties}]
    Grammar.from_tools(tools, format=form)
    with pytest.raises(FormatError, match=f"{name}: a structural tag cannot say"):
        form.structural_tag(tools)


def test_what_is_written_is_short() -> None:
    """Neighbouring texts are one, and choices of choices are one choice."""
    ping = TOOLS["ping"]
    assert FORMATS["qwen3_coder"].structural_tag([ping], "ping", reasoning=False) == {
        "type": "structural_tag",
        "format": {
            "type": "sequence",
            "elements": [
                {
                    "type": "const_string",
                    "value": "<tool_call>\n<function=ping>\n</function>\n</tool_call>",
                },
                {
                    "type": "optional",
                    "content": {"type": "const_string", "value": "<|im_end|>"},
                },
            ],
        },
    }
