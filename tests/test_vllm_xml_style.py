"""vLLM's own parsers of tool calls: their structural tags are read, and what is written within one
of them is the call that the parser reads."""

from __future__ import annotations

import importlib.util
import json
import random
from typing import Any

import pytest

from schemask import Grammar, allocate_mask
from schemask.core.structural_tag import from_structural_tag
from test_structural_tag import BYTES, allowed
from xml_texts import NOTE, read, surroundings, written

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed", allow_module_level=True)

from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionNamedToolChoiceParam,
    ChatCompletionRequest,
    ChatCompletionToolsParam,
)
from vllm.parser.parser_manager import ParserManager
from vllm.tool_parsers import ToolParserManager, structural_tag_registry

VALUES: dict[str, tuple[Any, ...]] = {
    "text": ("Oslo", "", "a\nb", "1 < 2 <b>x</b>", "null", "5", '"q" \\', "é😀", "</para", "{}"),
    "unit": ("C", "x y"),
    "count": (-3, 40),
    "exact": (True, False),
    "tags": ([], ["a", '"<b>\n']),
    "note": (None, "so", "nullable"),
    "size": ({}, {"width": -1.5}),
}
# Parsers, and the style of their tags.
STYLES = {
    "deepseek_v32": "deepseek_xml",
    "deepseek_v4": "deepseek_xml",
    "deepseek_v41": "deepseek_v4_1_xml",
    "glm47": "glm_xml",
    "ling3": "glm_xml",
    "mimo": "mimo",
    "minimax_m2": "minimax_xml",
    "qwen3_coder": "qwen_xml",
    "qwen3_xml": "qwen_xml",
    "step3p5": "qwen_xml",
}
TOKENS = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<minimax:tool_call>"),
    *("</minimax:tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    *("｜DSML｜", "<｜DSML｜function_calls>", "</｜DSML｜function_calls>"),
)
NAMED = {"type": "function", "function": {"name": "take_note"}}


def tools_of(strict: bool | None = True) -> list[ChatCompletionToolsParam]:
    functions = (
        {"name": "take_note", "parameters": NOTE, "strict": strict},
        {"name": "ping", "parameters": {"type": "object", "properties": {}}, "strict": strict},
    )
    return [
        ChatCompletionToolsParam.model_validate({"type": "function", "function": function})
        for function in functions
    ]


def tag_of(name: str, choice: Any, strict: bool | None = True) -> dict[str, Any] | None:
    model = ToolParserManager.get_tool_parser(name).structural_tag_model
    if model is None or model == "harmony":
        return None
    tag = structural_tag_registry.get_model_structural_tag(model, tools_of(strict), choice, False)
    return None if tag is None else tag.model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize("name", sorted(ToolParserManager.list_registered()))
def test_the_tags_that_parsers_ask_for_are_read(name: str) -> None:
    named = ChatCompletionNamedToolChoiceParam.model_validate(NAMED)
    for choice in ("auto", "required", named):
        for strict in (True, None):
            tag = tag_of(name, choice, strict)
            if tag is not None:
                from_structural_tag(tag).compile(BYTES)


@pytest.fixture(scope="module")
def tokenizer(hf_tokenizer: Any) -> Any:
    import transformers

    made = transformers.AutoTokenizer.from_pretrained(hf_tokenizer.name_or_path)
    made.add_tokens(list(TOKENS))
    return made


def read_by(name: str, tokenizer: Any, text: str) -> list[tuple[str, Any]]:
    """The calls that a parser of vLLM reads in a turn."""
    messages = [{"role": "user", "content": "Hello"}]
    request = ChatCompletionRequest(
        model="m", messages=messages, tools=tools_of(), tool_choice="required"
    )
    made = ParserManager.get_parser(
        tool_parser_name=name,
        reasoning_parser_name=None,
        enable_auto_tools=True,
        model_name="m",
        tokenizer=tokenizer,
    )
    assert made is not None
    parser = made(tokenizer, request.tools, chat_template_kwargs={"enable_thinking": False})
    calls = parser.parse(text, request, enable_auto_tools=True)[2]
    return [(call.name, json.loads(call.arguments)) for call in calls or ()]


@pytest.mark.parametrize("name", STYLES)
def test_calls_are_read_as_they_are_written(name: str, tokenizer: Any) -> None:
    tag = tag_of(name, ChatCompletionNamedToolChoiceParam.model_validate(NAMED))
    assert tag is not None
    before, after = surroundings(tag["format"], "take_note")
    compiled = from_structural_tag(tag).compile(BYTES)
    chance = random.Random(6)
    for _ in range(30):
        arguments = {
            key: chance.choice(values)
            for key, values in VALUES.items()
            if key in NOTE["required"] or chance.random() < 0.5
        }
        text = before + written(STYLES[name], arguments) + after
        assert allowed(compiled, text), text
        assert read_by(name, tokenizer, text) == [("take_note", arguments)], text


@pytest.mark.parametrize("name", STYLES)
def test_what_is_allowed_is_read_as_what_the_schema_allows(name: str, tokenizer: Any) -> None:
    """Letter by letter, by chance, from letters that come near the marks of the styles."""
    tag = tag_of(name, ChatCompletionNamedToolChoiceParam.model_validate(NAMED))
    assert tag is not None
    before, after = surroundings(tag["format"], "take_note")
    compiled = from_structural_tag(tag).compile(BYTES)
    valid = Grammar.from_json_schema(NOTE, spelling="any").compile(BYTES)
    chance = random.Random(7)
    letters = [ord(letter) for letter in 'ax1 \n<>/"{}[]truefalsnyC']
    mask = allocate_mask(1, BYTES.size)
    for _ in range(12):
        matcher = compiled.matcher(max_tokens=500)
        text = b""
        while not matcher.is_accepting:
            forced = matcher.forced_tokens()
            tokens = [token for token in forced if token < 256]
            if not tokens:
                matcher.fill_mask(mask)
                may = [token for token in range(256) if mask[0][token >> 5] >> (token & 31) & 1]
                tokens = [chance.choice([token for token in may if token in letters] or may)]
            for token in tokens:
                assert matcher.accept(token)
            text += bytes(tokens)
        whole = text.decode()
        inner = whole.removeprefix(before).removesuffix(after)
        said = read(STYLES[name], inner, NOTE["properties"])
        ((called, arguments),) = read_by(name, tokenizer, whole)
        assert called == "take_note"
        assert allowed(valid, json.dumps(arguments, ensure_ascii=False)), whole
        assert arguments == said, whole
