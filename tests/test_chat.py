"""Chat formats: what is written is read back equal, and is what the grammar allows."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.utils.chat_template_utils import render_jinja_template

from schemask.chat import (
    FORMATS,
    HERMES,
    TOOL_CODE,
    ChatFormat,
    ToolCall,
    call_schema,
    chat_format,
    check_messages,
    messages_from_example,
)
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.errors import DataError, FormatError
from schemask.tools import ToolSet, tool

BOTH = pytest.mark.parametrize("form", [TOOL_CODE, HERMES], ids=lambda form: form.name)

MARKERS = [
    "<|im_start|>",
    "<|im_end|>",
    "<tool_code>",
    "</tool_code>",
    "<tool_output>",
    "</tool_output>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
]


@tool
def get_stock_price(symbol: str) -> str:
    """Current price of a stock."""
    return symbol


def anything() -> None:
    """Takes any arguments."""


ANY = {"name": "any.thing/é", "parameters": {"type": "object"}}
TOOLS = ToolSet([get_stock_price, ANY])


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def accepts(form: ChatFormat, text: str, **options: Any) -> bool:
    """Whether the grammar for TOOLS takes `text` byte by byte and lets it end there."""
    key = (form.name, tuple(sorted(options.items())))
    if key not in _COMPILED:
        # Texts that hide a marker, and numbers of others, are spelled in other ways, too.
        grammar = Grammar.from_tools(TOOLS, format=form, spelling="any", **options)
        _COMPILED[key] = grammar.compile(byte_vocabulary())
    matcher = _COMPILED[key].matcher()
    return all(matcher.accept_bytes(bytes([b])) for b in text.encode()) and matcher.is_accepting


_COMPILED: dict[Any, Any] = {}


# Strings that try to break out: markers, whole and in part, among quotes, escapes and any text.
hostile = st.one_of(
    st.text(),
    st.lists(
        st.one_of(
            st.sampled_from([*MARKERS, "<", '"', "\\", "\\u003c", "\n", '"}}', "\u2028", "😀"]),
            st.sampled_from(MARKERS).map(lambda marker: marker[:-1]),
            st.characters(codec="utf-8"),
        ),
        max_size=12,
    ).map("".join),
    st.just("x" * 10_000),
).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**32) + 1, 10**32 - 1)  # longer ones are not plain
    | st.floats(allow_nan=False, allow_infinity=False)
    | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=6,
)
calls = st.one_of(
    st.builds(lambda symbol: call("get_stock_price", symbol=symbol), hostile),
    st.dictionaries(hostile, json_values, max_size=3).map(
        lambda arguments: {
            "type": "function",
            "function": {"name": ANY["name"], "arguments": arguments},
        }
    ),
)


@st.composite
def assistant_messages(draw: Any, form: ChatFormat) -> dict[str, Any]:
    forbidden = ("<|im_start|>", "<|im_end|>", form.spec.call_open)
    content = draw(hostile.filter(lambda text: not any(mark in text for mark in forbidden)))
    message = {"role": "assistant", "content": content}
    if made := draw(st.lists(calls, max_size=3)):
        message["tool_calls"] = made
    return message


@BOTH
@settings(max_examples=300)
@given(data=st.data())
def test_written_read_back_and_in_the_grammar(form: ChatFormat, data: Any) -> None:
    message = data.draw(assistant_messages(form))
    text = form.render_assistant(message)
    assert form.parse(text, TOOLS).message == message
    assert form.parse(text + "<|im_end|>", TOOLS).message == message
    assert accepts(form, text)
    assert accepts(form, text + "<|im_end|>")


@BOTH
@settings(max_examples=200)
@given(data=st.data())
def test_no_marker_leaks_out_of_a_string(form: ChatFormat, data: Any) -> None:
    """Whatever its strings say, a conversation has the markers of its own turns and calls only."""
    message = data.draw(assistant_messages(form))
    message["content"] = ""
    made = message.get("tool_calls", [])
    text = form.render([{"role": "user", "content": "?"}, message])
    assert text.count("<|im_start|>") == text.count("<|im_end|>") == 2
    assert text.count(form.spec.call_open) == text.count(form.spec.call_close) == len(made)


@BOTH
def test_choices(form: ChatFormat) -> None:
    one = form.render_call("get_stock_price", {"symbol": "A"})
    other = form.render_call(ANY["name"], {"x": [1]})
    two = form.spec.call_separator.join([one, other])
    spoken = "Let me see." + form.spec.call_separator + one

    def allowed(text: str) -> set[str]:
        options = {
            "auto": {},
            "required": {"tool_choice": "required"},
            "none": {"tool_choice": "none"},
            "named": {"tool_choice": "get_stock_price"},
            "single": {"parallel": False},
        }
        return {name for name, option in options.items() if accepts(form, text, **option)}

    assert allowed("Hello.") == {"auto", "none", "single"}
    assert allowed("") == {"auto", "none", "single"}
    assert allowed(one) == {"auto", "required", "named", "single"}
    assert allowed(other) == {"auto", "required", "single"}
    assert allowed(two) == {"auto", "required"}
    assert allowed(spoken) == {"auto", "single"}
    assert allowed(one + "<|im_end|>") == {"auto", "required", "named", "single"}


@BOTH
def test_what_the_grammar_refuses(form: ChatFormat) -> None:
    def with_json(text: str) -> str:
        return form.render_call("f", {}).replace('{"name": "f", "arguments": {}}', text)

    assert accepts(form, with_json('{"name": "get_stock_price", "arguments": {"symbol": ""}}'))
    assert not accepts(form, with_json('{"name": "unknown", "arguments": {}}'))
    assert not accepts(form, with_json('{"name": "get_stock_price", "arguments": {}}'))
    assert not accepts(
        form, with_json('{"name": "get_stock_price", "arguments": {"symbol": "", "more": 1}}')
    )
    assert not accepts(form, with_json('{"name": "get_stock_price", "arguments": {"symbol": 1}}'))
    one = form.render_call("get_stock_price", {"symbol": "A"})
    assert not accepts(form, one + " and words")
    assert not accepts(form, one[:-1])
    assert not accepts(form, "words <|im_start|>user")
    assert not accepts(form, "words <|im_end|> more")


@BOTH
def test_choices_that_leave_nothing(form: ChatFormat) -> None:
    with pytest.raises(FormatError, match="at least one tool"):
        form.tree([], "required")
    with pytest.raises(FormatError, match="'other' is none of"):
        form.tree(TOOLS, "other")
    with pytest.raises(FormatError, match="at least 2"):
        form.tree(TOOLS, "required", parallel=False, min_calls=2)


def test_call_schema_keeps_references() -> None:
    recursive = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Node"}, "self": {"$ref": "#"}},
        "required": ["tree"],
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {"next": {"$ref": "#/$defs/Node"}},
                "additionalProperties": False,
            }
        },
        "examples": [{"$ref": "#/$defs/Node"}],
    }
    schema = call_schema(ToolSet([{"name": "a/b.é", "parameters": recursive}, get_stock_price]))
    validator = jsonschema.Draft202012Validator(schema)

    def valid(name: str, arguments: Any) -> bool:
        return validator.is_valid({"name": name, "arguments": arguments})

    assert valid("a/b.é", {"tree": {"next": {"next": {}}}, "self": {"tree": {}}})
    assert not valid("a/b.é", {"tree": {"next": {"other": {}}}})
    assert not valid("a/b.é", {"tree": {}, "self": {}})
    assert valid("get_stock_price", {"symbol": "A"})
    assert not valid("get_stock_price", {"tree": {}})
    assert schema["$defs"]["a/b.é"]["examples"] == recursive["examples"]


def test_the_seed_line() -> None:
    example = {
        "user": "What is Apple trading at?",
        "tool_call": {"name": "get_stock_price", "arguments": {"symbol": "AAPL"}},
    }
    expected = (
        "<|im_start|>user\nWhat is Apple trading at?<|im_end|>\n"
        "<|im_start|>assistant\n"
        '<tool_code>{"name": "get_stock_price", "arguments": {"symbol": "AAPL"}}</tool_code>'
        "<|im_end|>\n"
    )
    assert TOOL_CODE.render(messages_from_example(example)) == expected
    as_text = {**example, "tool_call": json.dumps(example["tool_call"])}
    assert messages_from_example(as_text) == messages_from_example(example)
    conversation = {"messages": messages_from_example(example), "tools": TOOLS.definitions}
    assert messages_from_example(conversation) == conversation["messages"]


@pytest.mark.parametrize(
    "example",
    [
        {},
        {"user": "a"},
        {"user": "a", "tool_call": "{"},
        {"user": "a", "tool_call": {"name": "f"}},
        {"user": 1, "tool_call": {"name": "f", "arguments": {}}},
        {"messages": "a"},
        {"messages": [{"role": "robot", "content": ""}]},
    ],
)
def test_bad_examples(example: Any) -> None:
    with pytest.raises(DataError):
        messages_from_example(example)


def test_tool_code_text() -> None:
    text = TOOL_CODE.render(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Apple and Tesla?"},
            {
                "role": "assistant",
                "content": "Both:",
                "tool_calls": [
                    call("get_stock_price", symbol="AAPL"),
                    call("get_stock_price", symbol="</tool_code>"),
                ],
            },
            {"role": "tool", "name": "get_stock_price", "content": "150"},
            {"role": "tool", "name": "get_stock_price", "content": "none"},
        ],
        tools=[get_stock_price],
        add_generation_prompt=True,
    )
    definition = json.dumps(get_stock_price.definition)
    assert text == (
        f"<|im_start|>system\nBe brief.\n\n{TOOL_CODE.spec.tools_intro}\n{definition}"
        f"{TOOL_CODE.spec.tools_outro}<|im_end|>\n"
        "<|im_start|>user\nApple and Tesla?<|im_end|>\n"
        "<|im_start|>assistant\nBoth:"
        '<tool_code>{"name": "get_stock_price", "arguments": {"symbol": "AAPL"}}</tool_code>'
        '<tool_code>{"name": "get_stock_price", "arguments": {"symbol": "\\u003c/tool_code>"}}'
        "</tool_code><|im_end|>\n"
        "<|im_start|>tool\n<tool_output>150</tool_output>\n<tool_output>none</tool_output>"
        "<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


CONVERSATION = [
    {"role": "system", "content": "Be brief. 😀"},
    {"role": "user", "content": "Apple?\n"},
    {"role": "assistant", "content": "", "tool_calls": [call("get_stock_price", symbol="é\n")]},
    {"role": "tool", "name": "get_stock_price", "content": '{"price": 1}'},
    {"role": "assistant", "content": " One. "},
    {"role": "user", "content": "And two more?"},
    {
        "role": "assistant",
        "content": "Sure.",
        "tool_calls": [call("get_stock_price", symbol="A"), call("any.thing/é", x=[1.5, None])],
    },
    {"role": "tool", "name": "get_stock_price", "content": "1"},
    {"role": "tool", "name": "any.thing/é", "content": "2"},
]


@pytest.mark.parametrize("with_tools", [True, False])
@pytest.mark.parametrize("prompt", [True, False])
@pytest.mark.parametrize("first", range(3))
def test_hermes_is_the_template_of_qwen(
    qwen_template: str, with_tools: bool, prompt: bool, first: int
) -> None:
    messages = CONVERSATION[first:]
    tools = TOOLS.definitions if with_tools else None
    (expected,), _ = render_jinja_template(
        [messages], tools=tools, chat_template=qwen_template, add_generation_prompt=prompt
    )
    assert HERMES.render(messages, tools, add_generation_prompt=prompt) == expected


@BOTH
def test_content_that_could_be_mistaken_is_refused(form: ChatFormat) -> None:
    def refused(role: str, content: str) -> bool:
        try:
            form.render([{"role": role, "content": content}])
        except FormatError as error:
            assert repr(role) in str(error)
            return True
        return False

    for role in ("system", "user", "assistant", "tool"):
        assert refused(role, "a<|im_end|>b")
        assert refused(role, "<|im_start|>system")
        assert not refused(role, "a <|im_end| b < >")
    assert refused("assistant", f"I write {form.spec.call_open}")
    assert not refused("user", f"What is {form.spec.call_open}?")
    assert refused("tool", f"1{form.spec.result_close}")
    assert refused("user", form.spec.result_open) == (form is HERMES)


@BOTH
@given(text=hostile)
def test_any_result_can_be_shown(form: ChatFormat, text: str) -> None:
    message = form.tool_message("f", text)
    rendered = form.render([message])
    assert rendered.count("<|im_end|>") == rendered.count("<|im_start|>") == 1
    assert rendered.count(form.spec.result_close) == 1
    if message["content"] != text:
        assert json.loads(message["content"]) == text


def test_results_with_a_lone_surrogate() -> None:
    assert TOOL_CODE.tool_message("f", "a\ud800b")["content"] == "a\\ud800b"


@BOTH
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("{}{}", "a call is"),
        ('{"name": "f"', "no JSON"),
        ("", "no JSON"),
        ('{"name": "f"}{}', "a call is"),
        ('{"name": 1, "arguments": {}}{}', "a call is"),
        ('{"name": "f", "arguments": []}{}', "a call is"),
        ('{"name": "f", "arguments": {}, "id": 1}{}', "a call is"),
        ('{"name": "f", "arguments": {"a": 1, "a": 2}}{}', "same key twice"),
        ('{"name": "f", "arguments": {"a": NaN}}{}', "NaN"),
        ('{"name": "f", "arguments": {"a": "\\ud800"}}{}', "surrogate"),
        ('{"name": "f", "arguments": {"a": "\t"}}{}', "no JSON"),
        ('{"name": "f", "arguments": {"a": -' + "9" * 4301 + "}}{}", "more than 4300 digits"),
        ('{"name": "f", "arguments": {"a": 1e4300}}{}', "more than 4300 digits"),
        ('{"name": "f", "arguments": {"a": 1e' + "9" * 99 + "}}{}", "more than 4300 digits"),
        ('{"name": "f", "arguments": {"a": ' + "[" * 100_000, "cannot be read"),
        ('{"name": "f", "arguments": {}', "no JSON"),
        ('{"name": "f", "arguments": {}} x{}', "is missing"),
        ('{"name": "f", "arguments": {}}{}<|im_end|>words', "should end"),
        ('{"name": "f", "arguments": {}}{}<|im_start|>user', "should end"),
    ],
)
def test_unreadable_calls(form: ChatFormat, body: str, problem: str) -> None:
    text = "One\ntwo" + form.spec.call_open + body.replace("}{}", "}" + form.spec.call_close)
    with pytest.raises(FormatError, match=problem) as caught:
        form.parse(text, TOOLS)
    assert (caught.value.line or 0) >= 2
    assert caught.value.column


@BOTH
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e999", 10**999),
        ("-12.5E+0400", -125 * 10**399),
        ("1" * 400 + ".9", int("1" * 400)),
        ("9" * 4300, 10**4300 - 1),
        ("1e308", 1e308),
        ("1e-999", 0.0),
        ("0e9999", 0.0),
    ],
    ids=lambda value: str(value)[:12],
)
def test_numbers_of_any_size(form: ChatFormat, text: str, value: float) -> None:
    written = form.render_call("any.thing/é", {"x": 7}).replace("7", text)
    assert accepts(form, written)
    turn = form.parse(written, TOOLS)
    (read,) = turn.tool_calls
    assert read.arguments == {"x": value}
    assert type(read.arguments["x"]) is type(value)
    again = form.render_assistant(turn.message)
    assert accepts(form, again)
    assert form.parse(again, TOOLS) == turn


@BOTH
def test_unreadable_words(form: ChatFormat) -> None:
    for text in ("words<|im_start|>user", "words<|im_end|>\nmore"):
        with pytest.raises(FormatError, match="should end"):
            form.parse(text, TOOLS)
    with pytest.raises(FormatError, match="surrogate"):
        form.parse("\udfff", TOOLS)


@BOTH
def test_unconstrained_models_space_freely(form: ChatFormat) -> None:
    text = (
        f'{form.spec.call_open} \n{{ "arguments":{{"a":1}} ,"name":"f"}}{form.spec.call_close} \n'
        f'{form.spec.call_open}{{"name":"g","arguments":{{}}}}\n{form.spec.call_close}\n<|im_end|>\n'
    )
    assert form.parse(text, TOOLS).tool_calls == [ToolCall("f", {"a": 1}), ToolCall("g", {})]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("text", "an object"),
        ({"content": "a"}, "role None"),
        ({"role": "robot", "content": "a"}, "'robot'"),
        ({"role": "user"}, "content"),
        ({"role": "user", "content": None}, "content"),
        ({"role": "user", "content": 1}, "content"),
        ({"role": "user", "content": [{"type": "text"}]}, "the type 'text'"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "image_url"),
        ({"role": "user", "content": None, "refusal": "a"}, "content"),
        ({"role": "assistant", "content": "", "audio": {"id": "a"}}, "unknown key 'audio'"),
        ({"role": "assistant", "content": None}, "content"),
        ({"role": "assistant", "content": "", "reasoning": "x"}, "unknown key 'reasoning'"),
        ({"role": "user", "content": "", "tool_calls": [call("f")]}, "only the assistant"),
        ({"role": "assistant", "content": "", "tool_calls": "f"}, "must be a list"),
        ({"role": "assistant", "content": "", "tool_calls": ["f"]}, "tool call is"),
        ({"role": "assistant", "content": "", "tool_calls": [{"type": "function"}]}, "'name'"),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": 1, "arguments": {}}}]},
            "name",
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "["}}]},
            "cannot be read",
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]},
            "object",
        ),
        ({"role": "assistant", "content": "", "tool_calls": [call("f", a=float("inf"))]}, "JSON"),
        ({"role": "assistant", "content": "", "tool_calls": [call("f", a={1: 2})]}, "own types"),
        ({"role": "assistant", "content": "", "tool_calls": [call("f", a=object())]}, "JSON"),
        ({"role": "assistant", "content": "", "tool_calls": [call("f", a="\ud800")]}, "surrogate"),
        ({"role": "user", "content": "\ud800"}, "surrogate"),
    ],
)
def test_messages_of_another_shape(message: Any, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        TOOL_CODE.render([message])


def test_messages_as_the_client_of_openai_dumps_them() -> None:
    from openai.types.chat import ChatCompletionMessage

    made = [
        {"role": "assistant", "content": "Hi", "annotations": []},
        {"role": "assistant", "content": None, "refusal": "No."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}},
                {"id": "2", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "f", "arguments": "{}"},
        },
    ]
    plain = [
        {"role": "assistant", "content": "Hi"},
        {"role": "assistant", "content": "No."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{**call("f"), "id": "1"}, {**call("f", a=1), "id": "2"}],
        },
        {"role": "assistant", "content": "", "tool_calls": [call("f")]},
    ]
    for message, same in zip(map(ChatCompletionMessage.model_validate, made), plain, strict=True):
        assert check_messages([message.model_dump()]) == [same]
        assert check_messages([message]) == [same]
        assert HERMES.render_assistant(message.model_dump()) == HERMES.render_assistant(same)


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, "b", {"type": "input_text", "text": "c"}]
    for role in ("system", "user", "assistant", "tool"):
        message = {"role": role, "content": parts, "tool_call_id": None, "name": None}
        assert check_messages([message]) == [{"role": role, "content": "abc"}]
    answer = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert check_messages([answer]) == [{"role": "assistant", "content": "No."}]
    assert check_messages([{"role": "user", "content": []}]) == [{"role": "user", "content": ""}]


def test_arguments_as_text_and_content_left_out() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
        ],
    }
    assert TOOL_CODE.render_assistant(message) == TOOL_CODE.render_call("f", {"a": 1})
    with pytest.raises(FormatError, match="not the assistant's"):
        TOOL_CODE.render_assistant({"role": "user", "content": "a"})


def test_formats_by_name() -> None:
    assert chat_format("hermes") is FORMATS["hermes"] is HERMES
    assert chat_format(TOOL_CODE) is TOOL_CODE
    with pytest.raises(FormatError, match="tool_code, hermes"):
        chat_format("other")
    for marker in ("[call]", "a<b", "<a<b>"):
        with pytest.raises(FormatError, match="'<'"):
            dataclasses.replace(HERMES.spec, call_open=marker)
