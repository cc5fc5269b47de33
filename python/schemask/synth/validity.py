"""Whether a conversation is one to learn from: its calls fit its tools, and formats write it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemask._lines import Conversation, conversation_of
from schemask._native import CompiledGrammar
from schemask.chat.catalog import HERMES, TOOL_CODE
from schemask.chat.format import ChatFormat
from schemask.chat.messages import Message
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.errors import Error
from schemask.schemas.schema import Schema
from schemask.schemas.validator import validator_of
from schemask.tools import ToolSet


class Flaw(NamedTuple):
    """What is wrong with a line: a fixed phrase, and the cause with its place."""

    reason: str
    detail: str


def read_conversation(example: Mapping[str, Any]) -> Conversation | Flaw:
    """The messages and tools of a line, or what is wrong with them."""
    try:
        conversation = conversation_of(example)
    except Error as error:
        return Flaw("wrong shape", str(error))
    return flaw_of(conversation.messages, conversation.tools) or conversation


def flaw_of(messages: Sequence[Message], tools: ToolSet) -> Flaw | None:
    """What is wrong with a conversation, if anything is.

    Args:
        messages: Messages that have been checked.
        tools: The tools that it offers.
    """
    if not any(message["role"] == "assistant" for message in messages):
        return Flaw("no answer", "the assistant says nothing")
    for tool in tools:
        if (problem := schema_problem(tool.parameters)) is not None:
            return Flaw("invalid tool", f"{tool.name}: {problem}")
    for index, message in enumerate(messages):
        for number, call in enumerate(message.get("tool_calls", ())):
            function = call["function"]
            place = f"message {index}, call {number}: {function['name']}"
            if function["name"] not in tools:
                return Flaw("unknown tool", f"{place} is not among {', '.join(tools.names)}")
            problem = argument_problem(tools[function["name"]].parameters, function["arguments"])
            if problem is not None:
                return Flaw("invalid arguments", f"{place}: {problem}")
    return _order_flaw(messages) or _writing_flaw(messages, tools)


def schema_problem(schema: Any) -> str | None:
    """Why a schema is none that the engine can read and a value satisfies; None if it is one.

    Args:
        schema: The schema; what is found is kept.
    """
    return _schema_problem(_text(schema))


def argument_problem(parameters: Schema, arguments: Mapping[str, Any]) -> str | None:
    """Why arguments are not those of a tool, in words; None if they are.

    Nobody meant to allow an argument that is not declared, even where the schema says nothing of
    it.

    Args:
        parameters: The JSON Schema of the arguments; what is compiled for it is kept.
        arguments: The arguments.
    """
    declared = parameters.get("properties", {}) if _is_plainly_open(parameters) else arguments
    declared = declared if isinstance(declared, Mapping) else arguments
    if unknown := [key for key in arguments if key not in declared]:
        return f"no parameter is called {unknown[0]!r}"
    return validator_of(parameters).problem(dict(arguments))


def _is_plainly_open(parameters: Schema) -> bool:
    """Whether a schema lets others pass than it declares for the one reason that it is silent."""
    others = {"additionalProperties", "patternProperties", "unevaluatedProperties", "$ref"}
    return others.union(("allOf", "anyOf", "oneOf", "if")).isdisjoint(parameters)


def turn_grammar(form: ChatFormat, tools: ToolSet) -> CompiledGrammar:
    """The turns that a format allows with tools, over bytes.

    Args:
        form: The format.
        tools: The tools that may be called.

    Raises:
        ToolError: What cannot be a tool.
        FormatError: A format that cannot say it.
        SchemaError: Parameters that the format or the engine cannot express.
        LimitError: They take too much work.
    """
    # By what they say, since each line makes its tools anew; what a format was derived from may
    # have no hash, and says no more of the turns.
    told = _text([[tool.name, tool.parameters] for tool in tools])
    return _turn_grammar(ChatFormat(form.spec), told)


@functools.lru_cache(maxsize=256)
def _turn_grammar(form: ChatFormat, tools: str) -> CompiledGrammar:
    definitions = [{"name": name, "parameters": schema} for name, schema in json.loads(tools)]
    return Grammar.from_tools(definitions, form, strict=False).compile(byte_vocabulary())


def is_turn(text: str, grammar: CompiledGrammar) -> bool:
    """Whether a grammar allows a text, from its first byte to its last.

    Args:
        text: The text.
        grammar: What `turn_grammar` returned.
    """
    matcher = grammar.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


def _order_flaw(messages: Sequence[Message]) -> Flaw | None:
    """Results that belong to no call, and calls of which only some have a result."""
    waiting: list[str] = []
    answered = 0

    def missing(index: int) -> Flaw | None:
        if not answered or answered == len(waiting):
            return None
        words = f"{answered} results for {len(waiting)} calls"
        return Flaw("unbalanced", f"message {index}: {words}")

    for index, message in enumerate(messages):
        if message["role"] != "tool":
            if (flaw := missing(index)) is not None:
                return flaw
            waiting = [call["function"]["name"] for call in message.get("tool_calls", ())]
            answered = 0
            continue
        if answered == len(waiting):
            return Flaw("unbalanced", f"message {index}: a result of no call")
        if message.get("name", waiting[answered]) != waiting[answered]:
            told = f"a result of {message['name']}, where {waiting[answered]} was called"
            return Flaw("unbalanced", f"message {index}: {told}")
        answered += 1
    return missing(len(messages))


def _writing_flaw(messages: Sequence[Message], tools: ToolSet) -> Flaw | None:
    # Not every format has a place for reasoning, which is text all the same.
    spoken = [{k: v for k, v in m.items() if k != "reasoning_content"} for m in messages]
    try:
        # These write whatever a conversation can say; other formats refuse some of it.
        for form in (TOOL_CODE, HERMES):
            form.render(spoken, tools)
    except Error as error:
        return Flaw("cannot be written", str(error))
    return None


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@functools.lru_cache(maxsize=4096)
def _schema_problem(parameters: str) -> str | None:
    try:
        Grammar.from_json_schema(json.loads(parameters), strict=False)
    except Error as error:  # no schema, one that nothing satisfies, or one that is too large
        return str(error)
    return None
