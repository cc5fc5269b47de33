"""What clients ask for, checked: a parameter is kept exactly, changes nothing, or is refused."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from schemask.chat.messages import DECODER, Message, check_messages
from schemask.core.sampling import Sampling
from schemask.errors import shortened
from schemask.schemas.surrogates import surrogate_place
from schemask.serve.errors import RequestError, blamed
from schemask.serve.fields import Fields
from schemask.serve.formats import WordsFormat, read_words_format
from schemask.tools import Tool, ToolSet

# As many tokens as there may be; a model cuts it to what its context holds.
_NO_LIMIT = 2**31 - 1
_MOST_STOPS, _MOST_TOP = 4, 20
# What says nothing about the answer.
_HARMLESS = (
    *("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    "prediction",
)
_HINTS = {
    "functions": "use tools",
    "function_call": "use tool_choice",
    "guided_json": "use structured_outputs or response_format",
    "guided_regex": "use structured_outputs or response_format",
    "guided_choice": "use structured_outputs or response_format",
    "guided_grammar": "use structured_outputs or response_format",
    "grammar": 'use response_format {"type": "grammar", "grammar": …}',
    "json_schema": 'use response_format {"type": "json_schema", …}',
    "reasoning_effort": "a model reasons as its chat template has it",
}

Choice: TypeAlias = Literal["auto", "required", "none"]


@dataclass(frozen=True)
class Generation:
    """What any request may ask of the text.

    Attributes:
        model: The name of the model.
        sampling: How tokens are chosen.
        stop: Texts at which words end.
        words: What the words must be; None if they are free.
        logprobs: For how many of the likeliest tokens probabilities are told beside each token's
            own; None if none are.
        stream: Whether the answer comes in pieces.
        include_usage: Whether the last of these counts the tokens.
        limit_param: The parameter that bounds the tokens.
    """

    model: str
    sampling: Sampling
    stop: list[str]
    words: WordsFormat | None
    logprobs: int | None
    stream: bool
    include_usage: bool
    limit_param: str


@dataclass(frozen=True)
class ChatRequest:
    """A turn that is asked for.

    Attributes:
        generation: What is asked of its text.
        messages: The conversation.
        tools: The tools that the model is shown.
        callable: Those that it may call.
        choice: Whether it may call ("auto"), must ("required") or must not ("none").
        parallel: Whether a turn may hold several calls.
    """

    generation: Generation
    messages: list[Message]
    tools: ToolSet
    callable: ToolSet
    choice: Choice
    parallel: bool


@dataclass(frozen=True)
class CompletionRequest:
    """A text that is to be continued.

    Attributes:
        generation: What is asked of what follows.
        prompt: The text, or its tokens.
    """

    generation: Generation
    prompt: str | list[int]


def read_json(data: bytes) -> Any:
    """The body of a request.

    Args:
        data: The body.

    Raises:
        RequestError: It is no JSON in UTF-8, or holds what no text can.
    """
    try:
        value = DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: {error}", code="invalid_json") from error
    except ValueError as error:
        raise RequestError(f"the body is no JSON: {error}", code="invalid_json") from error
    if (place := surrogate_place(value)) is not None:
        raise RequestError(
            f"a lone surrogate, which no text in UTF-8 can hold (at {place})", code="invalid_json"
        )
    return value


def read_chat(body: Any, most_tokens: int | None) -> ChatRequest:
    """A request of `/v1/chat/completions`.

    Args:
        body: The body.
        most_tokens: How many tokens an answer may have; None is what the context holds.

    Raises:
        RequestError: Something is wrong, or cannot be kept exactly.
    """
    fields = Fields(body)
    model = fields.required_text("model")
    messages = _messages(fields)
    tools = _tools(fields)
    chosen, choice, is_one = _choice(fields, tools)
    several = fields.flag("parallel_tool_calls", True) and not is_one
    limits = [fields.whole(name, 1) for name in ("max_completion_tokens", "max_tokens")]
    top = fields.whole("top_logprobs", 0, _MOST_TOP)
    logprobs = fields.flag("logprobs")
    if top is not None and not logprobs:
        fields.fail("top_logprobs", "needs logprobs to be true")
    fields.only("functions", [])
    fields.only("modalities", ["text"])
    fields.only("verbosity", "medium")
    generation = _generation(
        fields,
        model,
        limits,
        most_tokens,
        "max_completion_tokens",
        (top or 0) if logprobs else None,
    )
    fields.finish(_HINTS)
    return ChatRequest(generation, messages, tools, chosen, choice, several)


def read_completion(body: Any, most_tokens: int | None) -> CompletionRequest:
    """A request of `/v1/completions`.

    Args:
        body: The body.
        most_tokens: As of `read_chat`.

    Raises:
        RequestError: Something is wrong, or cannot be kept exactly.
    """
    fields = Fields(body)
    model = fields.required_text("model")
    prompt = _prompt(fields)
    limits = [fields.whole("max_tokens", 1) or 16]
    logprobs = fields.whole("logprobs", 0, _MOST_TOP)
    fields.only("echo", False)
    fields.only("suffix", "")
    fields.only("best_of", 1)
    generation = _generation(fields, model, limits, most_tokens, "max_tokens", logprobs)
    fields.finish(_HINTS)
    return CompletionRequest(generation, prompt)


def _generation(
    fields: Fields,
    model: str,
    limits: Sequence[int | None],
    most_tokens: int | None,
    limit_param: str,
    logprobs: int | None,
) -> Generation:
    """What both kinds of requests have."""
    words = read_words_format(fields)
    stream = fields.flag("stream")
    options = fields.any("stream_options")
    include_usage = False
    if options is not None:
        if not stream:
            fields.fail("stream_options", "needs stream to be true")
        streaming = Fields(options, "stream_options")
        include_usage = streaming.flag("include_usage")
        streaming.drop("include_obfuscation")
        streaming.finish()
    stop = fields.texts("stop")
    if len(stop) > _MOST_STOPS or not all(stop):
        fields.fail("stop", f"is at most {_MOST_STOPS} strings, none of them empty")
    fields.only("n", 1)
    fields.only("frequency_penalty", 0)
    fields.only("presence_penalty", 0)
    fields.only("logit_bias", {})
    fields.only("store", False)
    fields.only("service_tier", "auto", "default")
    fields.drop(*_HARMLESS)
    sampling = _sampling(fields, limits, most_tokens, limit_param)
    return Generation(model, sampling, stop, words, logprobs, stream, include_usage, limit_param)


def _sampling(
    fields: Fields, limits: Sequence[int | None], most_tokens: int | None, limit_param: str
) -> Sampling:
    temperature = fields.number("temperature", 2)
    top_p = fields.number("top_p", 1)
    seed = fields.whole("seed", -(2**63), 2**64 - 1)
    asked = min((limit for limit in limits if limit is not None), default=None)
    if asked is not None and most_tokens is not None and asked > most_tokens:
        fields.fail(limit_param, f"is at most {most_tokens} here, not {asked}", "out_of_range")
    return Sampling(
        max_tokens=min(asked or most_tokens or _NO_LIMIT, _NO_LIMIT),
        temperature=1.0 if temperature is None else temperature,
        top_p=top_p,
        seed=secrets.randbelow(2**32) if seed is None else seed % 2**32,
    )


def _prompt(fields: Fields) -> str | list[int]:
    prompt = fields.require("prompt", fields.any("prompt"))
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], (str, list)):
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    is_ids = isinstance(prompt, list) and all(type(item) is int and item >= 0 for item in prompt)
    if not is_ids:
        fields.wrong("prompt", "one string, or one array of token ids", prompt)
    return list(prompt)


# The conversation.


def _messages(fields: Fields) -> list[Message]:
    given = fields.require("messages", fields.items("messages"))
    if not given:
        fields.fail("messages", "is empty")
    with blamed("messages"):
        messages = check_messages(given)
    called: dict[str, str] = {}
    for index, message in enumerate(messages):
        for call in message.get("tool_calls", ()):
            if "id" in call:
                called[call["id"]] = call["function"]["name"]
        if message["role"] == "tool" and "name" not in message:
            # Formats name the tool; clients say which call it was.
            answered = message.get("tool_call_id")
            if answered not in called:
                raise RequestError(
                    f"message {index}: the result of a tool has the tool_call_id of a call before "
                    f"it, not {shortened(answered)}",
                    param=f"messages[{index}].tool_call_id",
                    code="invalid_value",
                )
            message["name"] = called[answered]
    return messages


# The tools.


def _tools(fields: Fields) -> ToolSet:
    given = fields.items("tools") or []
    tools: list[Tool] = []
    for index, value in enumerate(given):
        place = f"tools[{index}]"
        entry = Fields(value, place)
        kind = entry.required_text("type")
        if kind != "function":
            entry.fail("type", f"is function, not {shortened(kind)}", "unsupported_parameter")
        function = Fields(entry.any("function"), entry.place("function"))
        definition = {
            "name": function.required_text("name"),
            "description": function.text("description"),
            "parameters": function.any("parameters"),
        }
        function.flag("strict")  # calls are always of the schema
        function.finish()
        entry.finish()
        with blamed(function.place("parameters")):
            tools.append(Tool.from_definition(definition))
    with blamed("tools"):
        return ToolSet(tools)


def _choice(fields: Fields, tools: ToolSet) -> tuple[ToolSet, Choice, bool]:
    """The tools that may be called, whether one has to be, and whether that is one call alone."""
    value = fields.any("tool_choice")
    if value is None or value == "auto":
        return tools, "auto" if len(tools) else "none", False
    if value == "none":
        return tools, "none", False
    if not len(tools):
        fields.fail("tool_choice", "demands a call, and there are no tools")
    if value == "required":
        return tools, "required", False
    if not isinstance(value, dict):
        fields.fail("tool_choice", f"is auto, none, required or an object, not {shortened(value)}")
    named = Fields(value, "tool_choice")
    kind = named.require("type", named.choice("type", ("function", "allowed_tools")))
    if kind == "function":
        tool = _named(named, tools)
        named.finish()
        return ToolSet([tool]), "required", True
    allowed = Fields(named.any("allowed_tools"), named.place("allowed_tools"))
    mode = allowed.require("mode", allowed.choice("mode", ("auto", "required")))
    entries = allowed.require("tools", allowed.items("tools"))
    found = []
    for index, entry in enumerate(entries):
        one = Fields(entry, f"{allowed.place('tools')}[{index}]")
        one.only("type", "function")
        found.append(_named(one, tools))
        one.finish()
    if not found:
        allowed.fail("tools", "is empty")
    allowed.finish()
    named.finish()
    with blamed("tool_choice"):
        return ToolSet(found), mode, False


def _named(entry: Fields, tools: ToolSet) -> Tool:
    function = Fields(entry.any("function"), entry.place("function"))
    name = function.required_text("name")
    function.finish()
    with blamed(function.place("name")):
        return tools[name]
