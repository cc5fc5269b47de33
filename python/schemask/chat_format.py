"""Chat formats: one definition that writes ChatML, constrains the assistant's turn, and reads it.

For a format `f`, a message `m` of the assistant and tools that take its calls:

- `f.parse(f.render_assistant(m)).message == m`, whatever strings `m` holds;
- `f.render_assistant(m, tools)` is a text of the grammar that `f.flow(tools)` describes;
- every text of that grammar is one that `f.parse` reads, unless a number in it has more than
  `MAX_DIGITS` digits.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, TypeAlias
from urllib.parse import quote

from schemask.errors import DataError, FormatError
from schemask.property_order import in_schema_order
from schemask.tools import Schema, ToolSet, ToolsLike, map_schema

Message: TypeAlias = dict[str, Any]

_ROLES = ("system", "user", "assistant", "tool")
_KEYS = {"role", "content", "tool_calls", "name", "tool_call_id"}
_JSON_SPACE = re.compile(r"[ \t\n\r]*")

# Python writes and reads no integers longer than this, unless told to.
MAX_DIGITS = 4300


@dataclass(frozen=True)
class ToolCall:
    """One call, as the model wrote it: the arguments are plain JSON values, not yet validated.

    A number past the range of floats, such as 1e999, is an int: exact, but for a fraction.
    """

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ParsedTurn:
    """What an assistant's turn says: words, calls, or words and then calls."""

    content: str
    tool_calls: list[ToolCall]

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> ParsedTurn:
        """The turn that a message of the assistant spells out.

        Raises:
            FormatError: As `check_messages`.
        """
        (checked,) = check_messages([message])
        calls = [ToolCall(name, arguments) for name, arguments in _calls_of(checked)]
        return cls(checked["content"], calls)

    @property
    def message(self) -> Message:
        """The turn in the shape of transformers' chat templates."""
        message: Message = {"role": "assistant", "content": self.content}
        if self.tool_calls:
            message["tool_calls"] = [
                {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.tool_calls
            ]
        return message


@dataclass(frozen=True)
class ChatFormat:
    """How turns, tools, calls and results are spelt. Data only: a new format is a new instance.

    Attributes:
        name: The name under which `FORMATS` lists it.
        call_open: Tag before the JSON object of a call.
        call_close: Tag after it.
        call_padding: Text between either tag and the JSON.
        call_separator: Text between two calls, and between words and the first call.
        result_role: Role of the turn that shows the results of tools.
        result_open: Tag before one result.
        result_close: Tag after it.
        result_padding: Text between either tag and the result.
        result_separator: Text between two results.
        tools_intro: Text of the system turn before the definitions, which follow one a line.
        tools_outro: Text of the system turn after the definitions.
        turn_start: Marker before a turn; the role and a newline follow.
        turn_end: Marker after a turn; a newline follows.
    """

    name: str
    call_open: str
    call_close: str
    call_padding: str
    call_separator: str
    result_role: str
    result_open: str
    result_close: str
    result_padding: str
    result_separator: str
    tools_intro: str
    tools_outro: str
    turn_start: str = "<|im_start|>"
    turn_end: str = "<|im_end|>"

    def __post_init__(self) -> None:
        for marker in self._markers:
            # `_json` escapes the `<` of a marker, which JSON holds only inside strings; and with
            # one `<` each, no marker can begin inside another.
            if marker.rfind("<") != 0:
                raise FormatError(f"{self.name}: {marker!r} must have one '<', at its start")

    @property
    def stops(self) -> tuple[str, str]:
        """Texts at which the turn of an unconstrained model is over."""
        return (self.turn_end, self.turn_start)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: ToolsLike | None = None,
        add_generation_prompt: bool = False,
    ) -> str:
        """The whole conversation as text.

        Args:
            messages: Turns in the shape of transformers' chat templates.
            tools: Tools to list in the system turn, which is added if there is none. The arguments
                of their calls are written in the order in which the grammar reads them.
            add_generation_prompt: End with the opening of the assistant's turn.

        Raises:
            FormatError: A message of another shape, or content that holds a marker of the format
                and would be mistaken for it.
        """
        checked = check_messages(messages)
        tool_set = ToolSet.of(tools or ())
        definitions = tool_set.definitions
        turns: list[str] = []
        if definitions:
            preamble = "\n".join(
                [self.tools_intro, *(self._json(definition) for definition in definitions)]
            )
            preamble += self.tools_outro
            if checked and checked[0]["role"] == "system":
                preamble = self._content(checked.pop(0)) + "\n\n" + preamble
            turns.append(self._turn("system", preamble))
        results: list[str] = []
        for index, message in enumerate(checked):
            role = message["role"]
            if role == "tool":
                opening = self.result_open + self.result_padding
                closing = self.result_padding + self.result_close
                results.append(opening + self._content(message) + closing)
                following = checked[index + 1 : index + 2]
                if not following or following[0]["role"] != "tool":
                    turns.append(self._turn(self.result_role, self.result_separator.join(results)))
                    results = []
            elif role == "assistant":
                turns.append(self._turn(role, self._assistant(message, tool_set)))
            else:
                turns.append(self._turn(role, self._content(message)))
        if add_generation_prompt:
            turns.append(f"{self.turn_start}assistant\n")
        return "".join(turns)

    def render_assistant(self, message: Mapping[str, Any], tools: ToolsLike | None = None) -> str:
        """The body of an assistant's turn, between the newline after the role and the end marker.

        Args:
            message: The turn in the shape of transformers' chat templates.
            tools: As in `render`, for the order of arguments; those of other tools keep theirs.

        Raises:
            FormatError: As `render`.
        """
        checked = _check(message, 0)
        if checked["role"] != "assistant":
            raise FormatError(f"the message is not the assistant's but of {checked['role']!r}")
        return self._assistant(checked, ToolSet.of(tools or ()))

    def render_call(
        self, name: str, arguments: Mapping[str, Any], parameters: Schema | None = None
    ) -> str:
        """One call with its tags.

        Args:
            name: Name of the tool.
            arguments: Plain JSON values.
            parameters: JSON Schema of the arguments. If given, keys are written in the order in
                which the grammar of calls reads them, else in their own.

        Raises:
            FormatError: Arguments that JSON cannot spell.
        """
        members = dict(arguments)
        if parameters is not None:
            try:
                members = in_schema_order(members, parameters)
            except RecursionError as error:
                raise FormatError(f"the arguments of {name} are nested too deeply") from error
        text = self._json({"name": name, "arguments": members})
        return f"{self.call_open}{self.call_padding}{text}{self.call_padding}{self.call_close}"

    def tool_message(self, name: str, text: str) -> Message:
        """The result of a tool as a message that can always be rendered.

        Text that holds a marker of the format (a web page that tries to end the turn, say) becomes
        a JSON string with the marker escaped.
        """
        text = text.encode("utf-8", "backslashreplace").decode()
        if any(marker in text for marker in self._forbidden("tool")):
            text = self._json(text)
        return {"role": "tool", "name": name, "content": text}

    def flow(
        self, tools: ToolsLike, tool_choice: str = "auto", parallel: bool = True
    ) -> dict[str, Any]:
        """The assistant's turns that are allowed, as the nodes that `Grammar.from_tools` compiles.

        Args:
            tools: The tools that may be called.
            tool_choice: "auto" is words, then any number of calls (or none); "required" is calls
                alone, at least one; "none" is words alone; the name of a tool is one call of it.
            parallel: Whether one turn may hold several calls.

        Raises:
            FormatError: An unknown `tool_choice`, or a call demanded where there are no tools.
        """
        tool_set = ToolSet.of(tools)
        if tool_choice in ("auto", "required", "none"):
            callable_tools = tool_set
        elif tool_choice in tool_set:
            callable_tools = ToolSet([tool_set[tool_choice]])
            parallel = False
        else:
            known = ", ".join(["auto", "required", "none", *tool_set.names])
            raise FormatError(f"tool_choice {tool_choice!r} is none of {known}")
        if tool_choice == "required" and not len(tool_set):
            raise FormatError("tool_choice 'required' needs at least one tool")

        end, never, call, close, after = range(5)
        nodes: list[dict[str, Any]] = [
            {"kind": "end"},
            # Nothing leads on from here, so a text that leads here is forbidden.
            {"kind": "branch", "options": [], "may_end": False},
        ]
        can_call = tool_choice != "none" and len(callable_tools) > 0
        if can_call:
            opening = self.call_open + self.call_padding
            more = [[self.call_separator + opening, call]] if parallel else []
            nodes += [
                {"kind": "json", "schema": call_schema(callable_tools), "next": close},
                {"kind": "literal", "text": self.call_padding + self.call_close, "next": after},
                {"kind": "branch", "options": [*more, [self.turn_end, end]], "may_end": True},
            ]
        if tool_choice not in ("auto", "none"):
            nodes.append({"kind": "literal", "text": opening, "next": call})
        else:
            opened = call if can_call else never
            if can_call and self.call_padding:
                nodes.append({"kind": "literal", "text": self.call_padding, "next": call})
                opened = len(nodes) - 1
            stops = [[self.call_open, opened], [self.turn_end, end], [self.turn_start, never]]
            nodes.append({"kind": "free", "stops": stops, "may_end": True})
        return {"start": len(nodes) - 1, "nodes": nodes}

    def parse(self, text: str) -> ParsedTurn:
        """Reads the body of an assistant's turn, with or without the end marker.

        A closing tag inside a JSON string does not close the call. White space around the JSON of a
        call and between calls is free, as unconstrained models write it; words lose at most the one
        `call_separator` that stands before the first call.

        Raises:
            FormatError: With the line and column of a call that is cut off, is no JSON, or has
                other members than `name` and `arguments`; of a call that words follow; or of a
                marker where no marker belongs.
        """
        found = self._search.search(text)
        if found is None:
            return ParsedTurn(_encodable(text), [])
        content, position = text[: found.start()], found.start()
        calls: list[ToolCall] = []
        if text.startswith(self.call_open, position):
            content = content.removesuffix(self.call_separator)
        while text.startswith(self.call_open, position):
            call, position = self._parse_call(text, position + len(self.call_open))
            calls.append(call)
            position = _skip_space(text, position)
        if text.startswith(self.turn_end, position):
            position = _skip_space(text, position + len(self.turn_end))
        if position < len(text):
            _fail(text, position, "the turn should end here")
        return ParsedTurn(_encodable(content), calls)

    def _parse_call(self, text: str, position: int) -> tuple[ToolCall, int]:
        start = _skip_space(text, position)
        try:
            value, position = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            _fail(text, error.pos, f"the call is no JSON: {error.msg}")
        except (ValueError, RecursionError) as error:
            _fail(text, start, f"the call cannot be read: {error}")
        if (
            not isinstance(value, dict)
            or set(value) != {"name", "arguments"}
            or not isinstance(value["name"], str)
            or not isinstance(value["arguments"], dict)
        ):
            _fail(text, start, 'a call is {"name": <string>, "arguments": <object>}')
        try:
            self._json(value)
        except FormatError as error:
            _fail(text, start, str(error))
        position = _skip_space(text, position)
        if not text.startswith(self.call_close, position):
            _fail(text, position, f"{self.call_close} is missing")
        return ToolCall(value["name"], value["arguments"]), position + len(self.call_close)

    def _turn(self, role: str, body: str) -> str:
        return f"{self.turn_start}{role}\n{body}{self.turn_end}\n"

    def _assistant(self, message: Message, tools: ToolSet) -> str:
        parts = [
            self.render_call(name, arguments, tools[name].parameters if name in tools else None)
            for name, arguments in _calls_of(message)
        ]
        content = self._content(message)
        return self.call_separator.join([content, *parts] if content else parts)

    def _content(self, message: Message) -> str:
        content: str = _encodable(message["content"])
        for marker in self._forbidden(message["role"]):
            if marker in content:
                raise FormatError(
                    f"the content of a message of {message['role']!r} holds {marker!r}, "
                    "which could not be told from the marker"
                )
        return content

    def _forbidden(self, role: str) -> tuple[str, ...]:
        """Markers that content of this role cannot hold without being mistaken for them."""
        own = {"assistant": (self.call_open,), "tool": (self.result_close,)}.get(role, ())
        if role == self.result_role:
            own = (*own, self.result_open)
        return (self.turn_start, self.turn_end, *own)

    @property
    def _markers(self) -> tuple[str, ...]:
        calls = (self.call_open, self.call_close)
        results = (self.result_open, self.result_close)
        return (self.turn_start, self.turn_end, *calls, *results)

    @property
    def _search(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, (self.call_open, *self.stops))))

    def _json(self, value: Any) -> str:
        """`value` as `json.dumps` writes it, with no marker of the format spelt inside a string."""
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            same = json.loads(text) == value
        except (TypeError, ValueError, RecursionError) as error:
            raise FormatError(f"no JSON value: {error}") from error
        if not same:
            raise FormatError("JSON would read back another value: only its own types will do")
        markers = "|".join(re.escape(marker.removeprefix("<")) for marker in self._markers)
        return re.sub(f"<(?={markers})", r"\\u003c", _encodable(text))


def call_schema(tools: ToolSet) -> Schema:
    """The JSON Schema of one call: an object with the name of a tool and that tool's arguments.

    The parameters of tool `t` stand at `#/$defs/t`; their own references are rewritten to match.
    """
    definitions: Schema = {}
    options = []
    for item in tools:
        place = "#/$defs/" + quote(item.name.replace("~", "~0").replace("/", "~1"), safe="~")
        definitions[item.name] = _rebase(item.parameters, place)
        options.append(
            {
                "type": "object",
                "properties": {"name": {"const": item.name}, "arguments": {"$ref": place}},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    return {"anyOf": options, "$defs": definitions}


TOOL_CODE = ChatFormat(
    name="tool_code",
    call_open="<tool_code>",
    call_close="</tool_code>",
    call_padding="",
    call_separator="",
    result_role="tool",
    result_open="<tool_output>",
    result_close="</tool_output>",
    result_padding="",
    result_separator="\n",
    tools_intro="You can call these tools:",
    tools_outro=(
        '\nTo call a tool, write <tool_code>{"name": <tool name>, "arguments": <JSON object>}'
        "</tool_code> and nothing after it. If no tool is needed, answer in words."
    ),
)

# Byte for byte what the chat templates of Qwen2.5 and Qwen3 write.
HERMES = ChatFormat(
    name="hermes",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_padding="\n",
    call_separator="\n",
    result_role="user",
    result_open="<tool_response>",
    result_close="</tool_response>",
    result_padding="\n",
    result_separator="\n",
    tools_intro=(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
    ),
    tools_outro=(
        "\n</tools>\n\nFor each function call, return a json object with function name and "
        "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    ),
)

FORMATS: dict[str, ChatFormat] = {made.name: made for made in (TOOL_CODE, HERMES)}


def chat_format(name_or_format: str | ChatFormat) -> ChatFormat:
    """The format of that name, or the format itself.

    Raises:
        FormatError: No format has that name.
    """
    if isinstance(name_or_format, ChatFormat):
        return name_or_format
    if name_or_format not in FORMATS:
        raise FormatError(f"no chat format {name_or_format!r}; there is {', '.join(FORMATS)}")
    return FORMATS[name_or_format]


def check_messages(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The messages in one normal shape: content is a string, arguments are objects.

    Arguments may come as JSON text, and content may be None beside calls, as OpenAI writes both.

    Raises:
        FormatError: Another role, key or type; the message counts from 0.
    """
    return [_check(message, index) for index, message in enumerate(messages)]


def messages_from_example(example: Mapping[str, Any]) -> list[Message]:
    """The conversation of one line of training data.

    Takes `{"messages": [...]}` and the short form `{"user": <text>, "tool_call": {"name": ...,
    "arguments": {...}}}` (the call may also be JSON text).

    Raises:
        DataError: Another shape.
    """
    try:
        if "messages" in example:
            if not isinstance(example["messages"], list):
                raise FormatError("messages must be a list")
            return check_messages(example["messages"])
        if set(example) != {"user", "tool_call"}:
            raise FormatError("neither 'messages' nor 'user' and 'tool_call' alone")
        call = example["tool_call"]
        call = _decode(call, "tool_call") if isinstance(call, str) else call
        return check_messages(
            [
                {"role": "user", "content": example["user"]},
                {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
            ]
        )
    except FormatError as error:
        raise DataError(f"not a training example: {error}") from error


def _check(message: Any, index: int) -> Message:
    def fail(problem: str) -> NoReturn:
        raise FormatError(f"message {index}: {problem}")

    if not isinstance(message, Mapping):
        fail(f"a message is an object, not {type(message).__name__}")
    role = message.get("role")
    if role not in _ROLES:
        fail(f"the role {role!r} is none of {', '.join(_ROLES)}")
    if unknown := [key for key in message if key not in _KEYS]:
        fail(f"unknown key {unknown[0]!r}")
    calls = message.get("tool_calls") or []
    if calls and role != "assistant":
        fail(f"only the assistant calls tools, not {role!r}")
    if not isinstance(calls, Iterable) or isinstance(calls, (str, Mapping)):
        fail("tool_calls must be a list")
    content = message.get("content")
    if content is None and calls:
        content = ""
    if not isinstance(content, str):
        fail(f"content must be a string, not {type(content).__name__}")
    checked: Message = {"role": role, "content": content}
    if calls:
        checked["tool_calls"] = [_check_call(call, fail) for call in calls]
    if "name" in message:
        checked["name"] = message["name"]
    return checked


def _check_call(call: Any, fail: Any) -> Message:
    if not isinstance(call, Mapping) or call.get("type", "function") != "function":
        fail('a tool call is {"type": "function", "function": {...}}')
    function = call.get("function")
    if not isinstance(function, Mapping) or set(function) != {"name", "arguments"}:
        fail("the function of a tool call has 'name' and 'arguments'")
    name, arguments = function["name"], function["arguments"]
    if not isinstance(name, str) or not name:
        fail("the name of a tool call must be a string")
    if isinstance(arguments, str):
        arguments = _decode(arguments, f"arguments of {name}")
    if not isinstance(arguments, Mapping):
        fail(f"the arguments of {name} must be an object")
    return {"type": "function", "function": {"name": name, "arguments": dict(arguments)}}


def _calls_of(message: Message) -> list[tuple[str, dict[str, Any]]]:
    calls = [call["function"] for call in message.get("tool_calls", [])]
    return [(call["name"], call["arguments"]) for call in calls]


def _rebase(parameters: Schema, place: str) -> Schema:
    def rebase(schema: Schema) -> Schema:
        reference = schema.get("$ref")
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            return {**schema, "$ref": place + reference[1:]}
        return schema

    rebased: Schema = map_schema(parameters, rebase)
    return rebased


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has the same key twice")
    return members


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON value")


def _read_integer(text: str) -> int:
    if len(text.removeprefix("-")) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(text)


def _read_float(text: str) -> float | int:
    value = float(text)
    if math.isfinite(value):
        return value
    try:
        exact = Decimal(text)
    except InvalidOperation:  # its exponent has more than 18 digits
        exact = Decimal("Infinity")
    if exact.is_infinite() or exact.adjusted() >= MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(exact)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_constant=_no_constant,
    parse_int=_read_integer,
    parse_float=_read_float,
)


def _decode(text: str, what: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} cannot be read: {error}") from error


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"text with a lone surrogate at character {error.start}") from error
    return text


def _skip_space(text: str, position: int) -> int:
    match = _JSON_SPACE.match(text, position)
    assert match is not None
    return match.end()


def _fail(text: str, position: int, problem: str) -> NoReturn:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    raise FormatError(f"line {line}, column {column}: {problem}", line=line, column=column)
