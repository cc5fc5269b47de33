"""Chat formats: one definition that writes turns, constrains the assistant's, and reads it.

For a format `f`, a message `m` of the assistant and tools that take its calls:

- `f.parse(f.render_assistant(m, tools), tools).message == m`, whatever strings `m` holds; what the
  notation cannot write, `render_assistant` refuses;
- `f.render_assistant(m, tools)` is a text of the grammar that `f.tree(tools)` describes;
- every text of that grammar is one that `f.parse` reads, unless a number in it has more than
  `MAX_DIGITS` digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import (
    looks_like,
    schema_of_argument,
    write_marked,
    write_python,
)
from schemask.chat.grammar import turn_tree
from schemask.chat.messages import Message, ParsedTurn, calls_of, check_messages, encodable
from schemask.chat.reader import TurnReader, turn_of
from schemask.chat.response_template import response_template
from schemask.chat.spec import PLACEHOLDER, FormatSpec
from schemask.errors import FormatError, LimitError, check_flags, shortened
from schemask.schemas.key_order import KeyOrder
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of
from schemask.tools import ToolSet, ToolsLike


@dataclass(frozen=True)
class ChatFormat(FormatSpec):
    """A format that writes, constrains and reads turns. Data only: a new format is a new instance.

    The fields are those of `schemask.chat.spec.FormatSpec`.
    """

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
            LimitError: To find the order of a call's arguments takes too much work.
        """
        return "".join(text for text, _ in self._pieces(messages, tools, add_generation_prompt))

    def render_spans(
        self, messages: Sequence[Mapping[str, Any]], tools: ToolsLike | None = None
    ) -> tuple[str, list[tuple[int, int]]]:
        """The whole conversation, and where in it the model speaks: what a loss should count.

        Each span begins where a generation begins, after the opening of the turn, and ends with the
        marker that ends the turn.

        Args:
            messages: As in `render`.
            tools: As in `render`.

        Raises:
            FormatError: As `render`, and so is LimitError.
        """
        text, spans = "", []
        for piece, is_written in self._pieces(messages, tools, False):
            if is_written:
                spans.append((len(text), len(text) + len(piece)))
            text += piece
        return text, spans

    def _pieces(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: ToolsLike | None,
        add_generation_prompt: bool,
    ) -> Iterator[tuple[str, bool]]:
        """The text in pieces, each with whether the model writes it."""
        check_flags(FormatError, add_generation_prompt=add_generation_prompt)
        checked = check_messages(messages)
        tool_set = ToolSet.of(tools or ())
        definitions = tool_set.definitions
        if definitions:
            preamble = "\n".join(
                [self.tools_intro, *(self.write_json(definition) for definition in definitions)]
            )
            preamble += self.tools_outro
            if checked and checked[0]["role"] == "system":
                preamble = self._content(checked.pop(0)) + "\n\n" + preamble
            yield self._turn("system", preamble), False
        results: list[str] = []
        for index, message in enumerate(checked):
            role = message["role"]
            if role == "tool":
                opening = self.result_open + self.result_padding
                closing = self.result_padding + self.result_close
                results.append(opening + self._content(message) + closing)
                following = checked[index + 1 : index + 2]
                if not following or following[0]["role"] != "tool":
                    yield self._turn(self.result_role, self.result_separator.join(results)), False
                    results = []
            elif role == "assistant":
                opening, closing = self._around("assistant")
                end = self.turn_end
                if "tool_calls" in message and self.calls_end:
                    end = self.calls_end
                yield opening, False
                yield self._assistant(message, tool_set) + end, True
                yield closing.removeprefix(self.turn_end), False
            else:
                yield self._turn(role, self._content(message)), False
        if add_generation_prompt:
            yield self._around("assistant")[0], False

    def render_assistant(self, message: Mapping[str, Any], tools: ToolsLike | None = None) -> str:
        """The body of an assistant's turn, between the newline after the role and the end marker.

        Args:
            message: The turn in the shape of transformers' chat templates.
            tools: As in `render`, for the order of arguments; those of other tools keep theirs.

        Raises:
            FormatError: As `render`, and so is LimitError.
        """
        checked = check_messages([message])[0]
        if checked["role"] != "assistant":
            raise FormatError(f"the message is not the assistant's but of {checked['role']!r}")
        return self._assistant(checked, ToolSet.of(tools or ()))

    def render_call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        parameters: Schema | None = None,
        index: int = 0,
    ) -> str:
        """One call with its tags.

        Args:
            name: Name of the tool.
            arguments: Plain JSON values.
            parameters: JSON Schema of the arguments. If given, keys are written in the order in
                which the grammar of calls reads them, else in their own.
            index: Which call of the turn it is, in formats that count them.

        Raises:
            FormatError: Arguments that JSON, or the notation of arguments, cannot spell.
            LimitError: To find the order of the arguments takes too much work.
        """
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            wrong = shortened(name if isinstance(arguments, Mapping) else arguments)
            raise FormatError(f"a call has a name and an object of arguments, not {wrong}")
        if not isinstance(parameters, (Mapping, type(None))):
            raise FormatError(f"parameters are a JSON Schema, not {shortened(parameters)}")
        order = None if parameters is None else KeyOrder(parameters)
        return self._call(name, arguments, parameters, order, index)

    def _call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        parameters: Schema | None,
        order: KeyOrder | None,
        index: int,
    ) -> str:
        members = dict(arguments)
        if order is not None:
            members = _arranged(name, members, order)
        held = {"{id}": f"{index:09d}", "{index}": str(index), "{name}": name}
        if self.call == "{call}":
            held["{arguments}"] = members  # type: ignore[assignment]
            text = self.write_json({key: held[what] for key, what in self.call_members})
        else:
            held["{arguments}"] = self._arguments(members, parameters)
            pieces = PLACEHOLDER.split(self.call)
            text = "".join(held.get(piece, piece) for piece in pieces)
        return f"{self.call_open}{self.call_padding}{text}{self.call_padding}{self.call_close}"

    def _arguments(self, members: dict[str, Any], parameters: Schema | None) -> str:
        self.write_json(members)
        if self.values == "json":
            return self.write_json(members)
        if self.values == "marked":
            text = write_marked(members, self.string_mark, self.stops, self.sort_keys)
            return text[1:-1]
        written = [self._argument(key, value, parameters) for key, value in members.items()]
        return self.argument_separator.join(written)

    def _argument(self, key: str, value: Any, parameters: Schema | None) -> str:
        if not self.carries_key(key):
            raise FormatError(f"the key {key!r} could not be told from what is around it")
        is_string = isinstance(value, str)
        template = self.argument_string if is_string and self.argument_string else self.argument
        if self.values == "python":
            text = write_python(value)
        elif not is_string:
            text = self.write_json(value)
        else:
            text = value
            if held := [stop for stop in self.value_stops if stop in text]:
                raise FormatError(f"the argument {key!r} holds {held[0]!r}, which ends it")
        if self.values == "raw" and not self.argument_string:
            schema = True if parameters is None else schema_of_argument(parameters, key)
            types = types_of(schema)
            if is_string and (looks_like(text, types) or "string" not in types):
                raise FormatError(
                    f"the argument {key!r} would be taken for a value other than text"
                )
            if not is_string and not ("string" not in types or looks_like(text, types)):
                raise FormatError(f"the argument {key!r} would be taken for text")
        pieces = PLACEHOLDER.split(template)
        return "".join({"{key}": key, "{value}": text}.get(piece, piece) for piece in pieces)

    def tool_message(self, name: str, text: str) -> Message:
        """The result of a tool as a message that can always be rendered.

        Text that holds a marker of the format (a web page that tries to end the turn, say) becomes
        a JSON string with the marker escaped.
        """
        if not isinstance(name, str) or not isinstance(text, str):
            wrong = shortened(name if isinstance(text, str) else text)
            raise FormatError(f"the name and the text of a result are strings, not {wrong}")
        text = text.encode("utf-8", "backslashreplace").decode()
        if any(marker in text for marker in self._forbidden("tool")):
            text = self.write_json(text)
        return {"role": "tool", "name": name, "content": text}

    def tree(
        self,
        tools: ToolsLike,
        tool_choice: str = "auto",
        parallel: bool = True,
        min_calls: int = 1,
        max_calls: int | None = None,
        reasoning: bool = False,
    ) -> dict[str, Any]:
        """The assistant's turns that are allowed, as the tree that `Grammar.from_tools` compiles.

        Args:
            tools: The tools that may be called.
            tool_choice: "auto" is words, then any number of calls (or none); "required" is calls
                alone, at least one; "none" is words alone; the name of a tool is one call of it.
            parallel: Whether one turn may hold several calls.
            min_calls: The fewest calls of a turn that calls.
            max_calls: The most calls of a turn.
            reasoning: Whether a block of reasoning may come first.

        Raises:
            FormatError: An unknown `tool_choice`, a call demanded where there are no tools, counts
                that leave nothing, or reasoning in a format without it.
            UnsupportedSchemaError: A schema that the notation of arguments cannot express.
        """
        return turn_tree(
            self, ToolSet.of(tools), tool_choice, parallel, min_calls, max_calls, reasoning
        )

    def response_template(self) -> dict[str, Any]:
        """The format for `tokenizer.parse_response` of transformers 5.13 or later.

            tokenizer.response_template = FORMATS["hermes"].response_template()
            message = tokenizer.parse_response(text, prefix=prompt)

        What `render_assistant` writes is read as `parse` reads it, tags in strings included, but
        - numbers past the range of floats, and integers of more than `MAX_DIGITS` digits;
        - where strings have no quotes (Qwen3-Coder, GLM, DeepSeek V3.2), `parse_response` needs
          `tools=`, and casts by its own rules: exact where the schema of a parameter names one
          `type`, or "string" and "null", itself, and whole numbers of the type "number" are those
          of floats. Do not pass `tools` with other formats: strings would be cast, too;
        - in the notation of FunctionGemma and Gemma 4, strings with the characters U+0001 and
          U+0002, and keys with dots or dashes, are errors;
        - words that spell the end of a call and the beginning of another are taken for a call.

        Nothing is checked: words after calls, unknown members and the like pass, other broken calls
        raise `ValueError`.

        Raises:
            FormatError: Templates cannot express the format: its values are Python's, or a call has
                no tag of its own.
        """
        return response_template(self)

    def reader(self, tools: ToolsLike | None = None) -> TurnReader:
        """A reader of one turn that is fed with text as it comes; see `parse`."""
        return TurnReader(self, ToolSet.of(tools or ()))

    def parse(self, text: str, tools: ToolsLike | None = None) -> ParsedTurn:
        """Reads the body of an assistant's turn, with or without the end marker.

        A closing tag inside a JSON string does not close the call. White space around the parts of
        a call and between calls is free, as unconstrained models write it; words lose at most the
        one `call_separator` that stands before the first call.

        Args:
            text: The body.
            tools: The tools that may be called. Where strings are written without quotes, their
                schemas tell strings from other values; values of tools that are not known are
                taken for JSON wherever they look like it.

        Raises:
            FormatError: With the line and column of a call that is cut off, is not spelt as this
                format spells it, or has other members than it should; of a call that words follow;
                or of a marker where no marker belongs.
        """
        reader = self.reader(tools)
        return turn_of([*reader.feed(text), *reader.finish()])

    def _around(self, role: str) -> tuple[str, str]:
        """What stands before and after the body of a turn."""
        for name, opening, closing in self.turns:
            if name == role:
                return opening, closing
        return f"{self.turn_start}{role}\n", f"{self.turn_end}\n"

    def _turn(self, role: str, body: str) -> str:
        opening, closing = self._around(role)
        return opening + body + closing

    def _assistant(self, message: Message, tools: ToolSet) -> str:
        parts = []
        for index, (name, arguments) in enumerate(calls_of(message)):
            parameters, order = None, None
            if name in tools:
                parameters, order = tools[name].parameters, tools[name].key_order
            parts.append(self._call(name, arguments, parameters, order, index))
        if self.max_calls is not None and len(parts) > self.max_calls:
            raise FormatError(f"{self.name} writes at most {self.max_calls} calls in a turn")
        content = self._content(message)
        reasoning = self._reasoning(message.get("reasoning_content", ""))
        if not parts:
            if self.bare and content.lstrip(" \t\n\r")[:1] in [*self.bare]:
                raise FormatError(
                    f"words that begin with {content.lstrip()[:1]!r} look like a call"
                )
            return f"{reasoning}{self.words_open}{content}{self.words_close}"
        calls = self.calls_open + self.call_separator.join(parts) + self.calls_close
        if not content:
            return reasoning + calls
        if self.bare or (self.words_open and not self.preamble_open):
            raise FormatError(f"{self.name} writes no words before calls")
        if self.words_open:
            return f"{reasoning}{self.preamble_open}{content}{self.preamble_close}{calls}"
        return f"{reasoning}{content}{self.call_separator}{calls}"

    def _reasoning(self, text: str) -> str:
        if not text:
            return ""
        if not self.reasoning_open:
            raise FormatError(f"{self.name} has no notation of reasoning")
        for mark in (self.reasoning_close.strip(), *self.stops):
            if mark in text:
                raise FormatError(f"the reasoning holds {mark!r}, which ends it")
        return self.reasoning_open + encodable(text) + self.reasoning_close

    def _content(self, message: Message) -> str:
        content: str = encodable(message["content"])
        for marker in self._forbidden(message["role"]):
            if marker in content:
                raise FormatError(
                    f"the content of a message of {message['role']!r} holds {marker!r}, "
                    "which could not be told from the marker"
                )
        return content

    def _forbidden(self, role: str) -> tuple[str, ...]:
        """Markers that content of this role cannot hold without being mistaken for them."""
        own = {"assistant": self.word_stops, "tool": (self.result_close,)}.get(role, ())
        if role == self.result_role:
            own = (*own, self.result_open)
        return tuple(mark for mark in (*self.stops, *own) if mark)


def _arranged(name: str, members: dict[str, Any], order: KeyOrder) -> dict[str, Any]:
    try:
        arranged: dict[str, Any] = order.arranged(members)
    except LimitError:
        raise
    except RecursionError as error:
        raise FormatError(f"the arguments of {name} are nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise FormatError(f"no JSON value: {error}") from error
    return arranged
