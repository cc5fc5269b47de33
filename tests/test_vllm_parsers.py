"""vLLM's parser of turns, made of the parsers of tool calls and of reasoning named `schemask`."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from typing import Any

import pytest

from schemask import Grammar, Vocabulary
from schemask.chat import ChatFormat, ToolCall
from schemask.errors import FormatError
from test_chat_catalog import message_of

if None in map(importlib.util.find_spec, ("vllm", "trl")):
    pytest.skip("vLLM and TRL are not both installed", allow_module_level=True)

import schemask.vllm

schemask.vllm.register()

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest  # noqa: E402
from vllm.exceptions import VLLMValidationError  # noqa: E402
from vllm.parser.parser_manager import ParserManager  # noqa: E402

from schemask.core.structural_tag import from_structural_tag  # noqa: E402

TRL = Path(str(importlib.util.find_spec("trl").origin)).parent / "chat_templates"  # type: ignore[union-attr]
BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b""], stop_token_ids=[256])
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14},
                },
                "required": ["city", "days"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "ping",
            "parameters": {"type": "object", "additionalProperties": False},
        },
    },
]
CALLS = [ToolCall("get_weather", {"city": "Zürich <b>", "days": 3}), ToolCall("ping", {})]
# Without and with a notation of reasoning.
PLAIN = ("qwen2_5", "lfm2_v2")
REASONING = ("qwen3", "qwen3_5_think", "glm4moe")


def tokenizer_of(name: str, tokenizer: Any) -> Any:
    """The tokenizer of SmolLM2 with the template of another model, and the markers in it."""
    import transformers

    made = transformers.AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    made.chat_template = (TRL / f"{name}.jinja").read_text(encoding="utf-8")
    made.add_tokens(["<think>", "</think>"])
    return made


def request_of(**options: Any) -> ChatCompletionRequest:
    messages = [{"role": "user", "content": "Hello"}]
    return ChatCompletionRequest(model="m", messages=messages, tools=TOOLS, **options)


def parser_of(tokenizer: Any, request: ChatCompletionRequest, reasons: bool, **options: Any) -> Any:
    made = ParserManager.get_parser(
        tool_parser_name="schemask",
        reasoning_parser_name="schemask" if reasons else None,
        enable_auto_tools=True,
        model_name="m",
        tokenizer=tokenizer,
    )
    assert made is not None
    return made(tokenizer, request.tools, **options)


def turns(form: ChatFormat, reasons: bool) -> list[tuple[str, str, list[ToolCall], str]]:
    """Texts, with what they say: words, calls, reasoning."""
    found = []
    for content, calls in (("Hello, 1 < 2.", []), ("", CALLS), ("", CALLS[:1])):
        for reasoning in ("Hm.\nWell", "") if reasons else ("",):
            message = message_of(content, calls, reasoning)
            text = form.render_assistant(message, TOOLS, prompt="")
            text = text.removesuffix("\n").removesuffix(form.spec.turn_end.strip())
            found.append((text, content, calls, reasoning))
    return found


def said(calls: Any) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in calls or ()]


@pytest.mark.parametrize("name", [*PLAIN, *REASONING])
def test_turns_that_a_format_writes_are_read(name: str, hf_tokenizer: Any) -> None:
    tokenizer = tokenizer_of(name, hf_tokenizer)
    reasons = name in REASONING
    form = ChatFormat.from_template(tokenizer)
    request = request_of()
    for text, content, calls, reasoning in turns(form, reasons):
        parser = parser_of(tokenizer, request, reasons)
        found = parser.parse(text, request, enable_auto_tools=True)
        assert (found[0] or "").strip() == reasoning
        assert (found[1] or "").strip() == content
        assert said(found[2]) == [(call.name, call.arguments) for call in calls]


@pytest.mark.parametrize("name", [*PLAIN, *REASONING])
def test_streams_say_what_whole_turns_say(name: str, hf_tokenizer: Any) -> None:
    tokenizer = tokenizer_of(name, hf_tokenizer)
    reasons = name in REASONING
    form = ChatFormat.from_template(tokenizer)
    request = request_of()
    chance = random.Random(5)
    prompt = tokenizer.encode("user: Hello", add_special_tokens=False)
    for text, content, calls, reasoning in turns(form, reasons):
        ids = tokenizer.encode(text, add_special_tokens=False)
        parser = parser_of(tokenizer, request, reasons)
        pieces = {"content": "", "reasoning": ""}
        named: dict[int, str] = {}
        arguments: dict[int, str] = {}
        at, shown = 0, ""
        while at <= len(ids):
            # As vLLM's detokenizer, which waits for whole characters.
            step = ids[at : at + chance.randint(1, 4)]
            at += len(step) or 1
            now = tokenizer.decode(ids[:at])
            is_last = at >= len(ids)
            if now.endswith("\ufffd") and not is_last:
                now = shown
            if is_last:
                step = [*step, tokenizer.eos_token_id]
                at += 1
            delta = parser.parse_delta(now[len(shown) :], step, request, prompt, finished=is_last)
            shown = now
            if delta is None:
                continue
            pieces["content"] += delta.content or ""
            pieces["reasoning"] += delta.reasoning or ""
            for call in delta.tool_calls:
                if call.function.name:
                    assert call.id and call.index not in named
                    named[call.index] = call.function.name
                arguments[call.index] = arguments.get(call.index, "") + call.function.arguments
        assert shown == text
        assert pieces["reasoning"].strip() == reasoning
        assert pieces["content"].strip() == content
        told = [(named[index], json.loads(arguments[index])) for index in sorted(named)]
        assert told == [(call.name, call.arguments) for call in calls]


def allowed(tag: str, text: str) -> bool:
    matcher = from_structural_tag(tag).compile(BYTES).matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@pytest.mark.parametrize("name", [*PLAIN, *REASONING])
@pytest.mark.parametrize("choice", ["auto", "required", "get_weather"])
def test_a_request_with_tools_is_bound_to_the_format(
    name: str, choice: str, hf_tokenizer: Any
) -> None:
    tokenizer = tokenizer_of(name, hf_tokenizer)
    form = ChatFormat.from_template(tokenizer)
    named = {"type": "function", "function": {"name": choice}}
    request = request_of(tool_choice=named if choice == "get_weather" else choice)
    request = parser_of(tokenizer, request, name in REASONING).adjust_request(request)
    tag = request.structured_outputs.structural_tag
    for text, _, calls, _ in turns(form, name in REASONING):
        expected = {
            "auto": True,
            "required": bool(calls),
            "get_weather": len(calls) == 1,
        }
        assert allowed(tag, text) == expected[choice], text
        assert not calls or not allowed(tag, text.replace("3", "15"))
    if name in REASONING:
        # After reasoning that vLLM has taken away.
        plain = form.spec.around("assistant")[0] + form.spec.plain_prompt
        text = form.render_assistant(message_of("", CALLS[:1]), TOOLS, prompt=plain)
        assert allowed(tag, text)


def test_calls_or_a_value(hf_tokenizer: Any) -> None:
    """What a request asks for beside tools is in the place of words."""
    tokenizer = tokenizer_of("qwen2_5", hf_tokenizer)
    form = ChatFormat.from_template(tokenizer)
    schema = {"name": "answer", "schema": {"type": "array", "items": {"type": "integer"}}}
    request = request_of(response_format={"type": "json_schema", "json_schema": schema})
    request = parser_of(tokenizer, request, False).adjust_request(request)
    tag = request.structured_outputs.structural_tag
    assert request.response_format is None
    assert allowed(tag, "[1, 2]")
    assert allowed(tag, form.render_call("ping", {}))
    assert not allowed(tag, "Hello")
    assert not allowed(tag, '["a"]')


def test_no_tools_no_tag(hf_tokenizer: Any) -> None:
    tokenizer = tokenizer_of("qwen2_5", hf_tokenizer)
    request = request_of(tool_choice="none")
    assert parser_of(tokenizer, request, False).adjust_request(request).structured_outputs is None


def test_what_is_refused(hf_tokenizer: Any) -> None:
    tokenizer = tokenizer_of("qwen2_5", hf_tokenizer)
    request = request_of(structured_outputs={"grammar": "start: /a/"})
    with pytest.raises(VLLMValidationError, match="beside tools"):
        parser_of(tokenizer, request, False).adjust_request(request)
    request = request_of()
    request.tools.append(request.tools[0])
    with pytest.raises(VLLMValidationError, match="get_weather"):
        parser_of(tokenizer, request, False).adjust_request(request)


def test_models_that_do_not_reason(hf_tokenizer: Any) -> None:
    from schemask.vllm.reasoning_parser import SchemaskReasoningParser

    with pytest.raises(FormatError):
        SchemaskReasoningParser(tokenizer_of("qwen2_5", hf_tokenizer))


def test_a_request_that_turns_reasoning_off(hf_tokenizer: Any) -> None:
    tokenizer = tokenizer_of("qwen3_5_think", hf_tokenizer)
    request = request_of()
    off = parser_of(tokenizer, request, True, chat_template_kwargs={"enable_thinking": False})
    assert off.parse("Hello.", request) == (None, "Hello.", [])
    cut = parser_of(tokenizer, request, True).parse("Hm, let me", request)
    assert cut[:2] == ("Hm, let me", None)
    closed = tokenizer.encode("<think>\n\n</think>\n\n", add_special_tokens=False)
    assert parser_of(tokenizer, request, True).is_reasoning_end(closed)
    opened = tokenizer.encode("<think>\n", add_special_tokens=False)
    assert not parser_of(tokenizer, request, True).is_reasoning_end(opened)


def test_a_call_that_cannot_be_read_is_shown(hf_tokenizer: Any) -> None:
    tokenizer = tokenizer_of("qwen2_5", hf_tokenizer)
    request = request_of()
    text = 'So: <tool_call>\n{"name": "ping", "arguments": {'
    _, content, calls = parser_of(tokenizer, request, False).parse(text, request, True)
    assert not calls
    assert content is not None and '"ping"' in content


def test_the_grammar_of_a_tag_is_that_of_the_format(hf_tokenizer: Any) -> None:
    form = ChatFormat.from_template(tokenizer_of("qwen2_5", hf_tokenizer))
    strict = Grammar.from_tools(TOOLS, format=form, tool_choice="required").compile(BYTES)
    matcher = strict.matcher()
    text = form.render_assistant(message_of("", CALLS), TOOLS)
    assert matcher.accept_bytes(text.encode())
    assert allowed(json.dumps(form.structural_tag(TOOLS, "required")), text)
