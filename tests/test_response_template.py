"""Response templates of transformers read turns as the formats themselves do."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemask.chat import (
    FORMATS,
    ChatFormat,
    FormatSpec,
    JsonArguments,
    MarkedArguments,
    RawArguments,
    ToolCall,
    TypedArguments,
)
from schemask.errors import FormatError
from schemask.tools import ToolSet
from test_chat_catalog import TOOLS, drawn, message_of

# Formats that response templates cannot express, with a part of what is said of it.
INEXPRESSIBLE = {
    **dict.fromkeys(("llama4_pythonic", "lfm2", "lfm25", "lfm25_vl"), "values of Python"),
    **dict.fromkeys(("gemma4_none", "seed_oss"), "values of Python"),
    "minicpm5": "sections of XML",
    "minimax_m1": "tag before",
    "apertus": "tag before",
    "gigachat3": "a text after a call",
}
EXPRESSIBLE = [form for form in FORMATS.values() if form.name not in INEXPRESSIBLE]
EACH = pytest.mark.parametrize("form", EXPRESSIBLE, ids=lambda form: form.name)

# transformers casts raw text by the type that a schema names, and does not follow references.
PLAIN = ToolSet(
    [
        {"name": tool.name, "parameters": {**tool.parameters, "properties": properties}}
        for tool in TOOLS
        for properties in [
            {
                key: tool.parameters["$defs"]["Size"] if "$ref" in schema else schema
                for key, schema in tool.parameters.get("properties", {}).items()
            }
        ]
    ]
)


def writes_texts(form: ChatFormat) -> bool:
    return isinstance(form.spec.arguments, (RawArguments, TypedArguments))


def read(tokenizer: Any, form: ChatFormat, text: str, prefix: str = "") -> Any:
    tools = PLAIN.definitions if writes_texts(form) else None
    return tokenizer.parse_response(text, form.response_template(), prefix=prefix, tools=tools)


def opening(form: ChatFormat) -> str:
    """The end of a prompt, where it opens a part of the turn."""
    spec = form.spec
    return spec.around("assistant")[0] + spec.default_prompt if spec.default_prompt else ""


def skipped(form: ChatFormat, text: str) -> bool:
    return isinstance(form.spec.arguments, MarkedArguments) and ("\x01" in text or "\x02" in text)


@EACH
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read(form: ChatFormat, llama3_tokenizer: Any, data: Any) -> None:
    found = drawn(form, data)
    if found is None or skipped(form, found[1]):
        return
    message, text = found
    turn_end = (
        form.spec.calls_end
        if form.spec.calls_end and "tool_calls" in message
        else form.spec.turn_end
    )
    ends = ["", turn_end, turn_end + "\n"] if turn_end else [""]
    ended = text + data.draw(st.sampled_from(ends))
    assert read(llama3_tokenizer, form, ended, prefix=opening(form)) == message
    prompt = form.render([{"role": "user", "content": "Go."}], TOOLS, add_generation_prompt=True)
    assert read(llama3_tokenizer, form, ended, prefix=prompt) == message


@EACH
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_tags_in_strings_of_json(form: ChatFormat, llama3_tokenizer: Any, data: Any) -> None:
    """The renderer escapes them; models do not."""
    found = drawn(form, data)
    if found is None or not isinstance(form.spec.arguments, JsonArguments):
        return
    text = found[1]
    for first in "<[｜":
        text = text.replace(f"\\u{ord(first):04x}", first)
    try:
        turn = form.parse(text, TOOLS)
    except FormatError:
        return
    assert read(llama3_tokenizer, form, text, prefix=opening(form)) == turn.message


@EACH
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_cut_is_read_alike(form: ChatFormat, llama3_tokenizer: Any, data: Any) -> None:
    found = drawn(form, data)
    if found is None or skipped(form, found[1]) or len(found[1]) > 1000:
        return
    message, text = found
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    parser = llama3_tokenizer.get_response_parser(
        form.response_template(),
        prefix=opening(form),
        tools=PLAIN.definitions if writes_texts(form) else None,
    )
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        parser.feed(text[start:end])
    assert parser.finalize()[0] == message


@EACH
def test_reasoning_that_the_prompt_opens(form: ChatFormat, llama3_tokenizer: Any) -> None:
    if not form.spec.reasoning_open:
        return
    message = message_of("Hi.", [], "Hm.")
    prompt = form.render([{"role": "user", "content": "Go."}], add_generation_prompt=True)
    prompt = prompt.removesuffix(form.spec.default_prompt)
    text = form.render_assistant(message, prompt=prompt)
    length = len(form.spec.reasoning_open)
    assert read(llama3_tokenizer, form, text[length:], prompt + text[:length]) == message


@EACH
def test_a_tokenizer_keeps_it(form: ChatFormat, small_tokenizer: Any, tmp_path: Any) -> None:
    template = form.response_template()
    assert json.loads(json.dumps(template)) == template
    if form.name == "hermes":
        from transformers import AutoTokenizer

        small_tokenizer.response_template = template
        try:
            small_tokenizer.save_pretrained(tmp_path)
        finally:
            small_tokenizer.response_template = None
        again = AutoTokenizer.from_pretrained(tmp_path)
        call = message_of("Let me see.", [ToolCall("ping", {})])
        text = form.render_assistant(call) + form.spec.turn_end
        tokens = again.encode(text, add_special_tokens=False)
        assert again.parse_response(tokens, prefix="") == call


def test_what_templates_cannot_express() -> None:
    for name, said in INEXPRESSIBLE.items():
        with pytest.raises(FormatError, match=said):
            FORMATS[name].response_template()
    own = ChatFormat(FormatSpec("own", call_open="", call_close="", calls_open="<calls>"))
    with pytest.raises(FormatError, match="tag before"):
        own.response_template()


DERIVED = (
    *("gemma4_v5", "glm4moe", "gptoss", "llama3_1", "nemotron_3_super", "qwen2_5", "qwen3"),
    *("qwen3_5_think", "qwen3_8"),
)


@pytest.mark.parametrize("name", DERIVED)
def test_derived_formats(name: str, llama3_tokenizer: Any) -> None:
    """Formats that follow from templates of trl, on turns with words, reasoning and calls."""
    templates = Path(str(importlib.util.find_spec("trl").origin)).parent / "chat_templates"  # type: ignore[union-attr]
    form = ChatFormat.from_template(templates / f"{name}.jinja")
    prompt = form.render([{"role": "user", "content": "Go."}], add_generation_prompt=True)
    weather = ToolCall("get_weather", {"city": "a\n<b> é", "days": 3, "unit": "celsius"})
    calls = [[], [weather], [ToolCall("ping", {}), weather], [ToolCall("ping", {})]]
    compared = 0
    for made in calls:
        for words in ("", "Well.\nSo {it} is, <b>."):
            for reasoning in ("", "Hm.\nWell"):
                message = message_of(words, made, reasoning)
                try:
                    text = form.render_assistant(message, TOOLS, prompt=prompt)
                    expected = form.parse(text, TOOLS, prompt=prompt).message
                except FormatError:
                    continue
                for call in expected.get("tool_calls", []):
                    call.pop("id", None)
                end = (form.spec.calls_end if made else "") or form.spec.turn_end
                for whole in (text, text + end, text + end + "\n" * bool(end)):
                    found = read(llama3_tokenizer, form, whole, prefix=prompt)
                    for call in found.get("tool_calls", []):
                        call.pop("id", None)
                    assert found == expected
                    compared += 1
    assert compared > 3
