"""The conversation of a line, put together from turns as data sets have them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemask._lines import decoded
from schemask.chat.arguments import schema_of_argument
from schemask.chat.messages import Message, check_messages
from schemask.errors import Error, shortened
from schemask.schemas.schema import Schema
from schemask.schemas.validator import validator_of
from schemask.synth.importers.definitions import tool_of
from schemask.synth.importers.notes import ImportRefusal, Notes
from schemask.synth.validity import argument_problem, flaw_of
from schemask.tools import Tool, ToolSet


class GivenCall(NamedTuple):
    """A call as a data set has it."""

    name: Any
    arguments: Any


class GivenResult(NamedTuple):
    """A result as a data set has it; None is a name that is not told."""

    name: Any
    text: str


class ConversationBuilder:
    """Puts a line together; refuses what does not fit.

    Args:
        tools: A list of definitions as the data set has them.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: No list, a definition that cannot be mended, or two tools of one name.
    """

    def __init__(self, tools: Any, notes: Notes) -> None:
        if not isinstance(tools, list):
            raise ImportRefusal("wrong shape", f"tools are no list: {shortened(tools)}")
        self._notes = notes
        self._messages: list[Message] = []
        self._waiting: list[str] = []
        found: dict[str, Tool] = {}
        self._names: dict[str, str] = {}
        for given in tools:
            own, tool = tool_of(given, notes)
            before = found.setdefault(tool.name, tool)
            if before is not tool:
                if before.definition != tool.definition:
                    raise ImportRefusal("two tools of one name", tool.name)
                notes.add("tool given twice", tool.name)
            self._names[own] = tool.name
        self._tools = ToolSet(found.values())

    @property
    def names(self) -> list[str]:
        """The names of tools as the data set has them."""
        return list(self._names)

    @property
    def waits(self) -> bool:
        """Whether calls have no results yet."""
        return bool(self._waiting)

    def say(
        self, role: str, text: Any, calls: Sequence[GivenCall] = (), reasoning: str = ""
    ) -> None:
        """Adds a turn.

        Args:
            role: Its role.
            text: Its words.
            calls: Its calls.
            reasoning: What it thinks.

        Raises:
            ImportRefusal: Words that are no text, a call of no tool, or arguments that are none.
        """
        message: dict[str, Any] = {"role": role, "content": text}
        if reasoning:
            message["reasoning_content"] = reasoning
        if calls:
            made = [self._call(call) for call in calls]
            message["tool_calls"] = [{"type": "function", "function": call} for call in made]
        try:
            (checked,) = check_messages([message])
        except Error as error:
            place = f"message {len(self._messages)}"
            raise ImportRefusal("wrong shape", str(error).replace("message 0", place)) from error
        self._messages.append(checked)
        self._waiting = [call["function"]["name"] for call in checked.get("tool_calls", ())]

    def results(self, given: Sequence[GivenResult]) -> None:
        """Adds the results of the calls of the last turn.

        Args:
            given: The results.

        Raises:
            ImportRefusal: Results of other calls, too many or too few.
        """
        given = self._split(given)
        place = f"message {len(self._messages)}"
        if len(given) != len(self._waiting):
            counts = f"{len(given)} results for {len(self._waiting)} calls"
            raise ImportRefusal("unbalanced", f"{place}: {counts}")
        told = [None if name is None else str(name) for name, _ in given]
        names = [None if name is None else self._names.get(name, name) for name in told]
        order = list(range(len(given)))
        if (
            None not in names
            and names != self._waiting
            and sorted(map(str, names)) == sorted(self._waiting)
        ):
            self._notes.add("results put in order", place)
            left = [str(name) for name in names]
            order = []
            for name in self._waiting:
                order.append(left.index(name))
                left[order[-1]] = ""
        for called, index in zip(self._waiting, order, strict=True):
            if names[index] not in (called, None):
                both = f"a result of {names[index]}, where {called} was called"
                raise ImportRefusal("unbalanced", f"{place}: {both}")
            content = given[index].text
            self._messages.append({"role": "tool", "name": called, "content": content})
        self._waiting = []

    def line(self) -> dict[str, Any]:
        """The line.

        Raises:
            ImportRefusal: It is none to learn from.
        """
        while self._messages and self._messages[-1]["role"] in ("user", "system"):
            last = self._messages.pop()
            self._notes.add("end without an answer dropped", shortened(last["content"]))
        if (flaw := flaw_of(self._messages, self._tools)) is not None:
            raise ImportRefusal(flaw.reason, flaw.detail)
        return {"messages": self._messages, "tools": self._tools.definitions}

    def _split(self, given: Sequence[GivenResult]) -> Sequence[GivenResult]:
        """The results of several calls, if they came as one list."""
        if len(given) != 1 or len(self._waiting) < 2:
            return given
        try:
            values = decoded(given[0].text)
        except Error:
            return given
        if not isinstance(values, list) or len(values) != len(self._waiting):
            return given
        self._notes.add("results split", f"message {len(self._messages)}")
        return [GivenResult(None, as_text(value)) for value in values]

    def _call(self, call: GivenCall) -> dict[str, Any]:
        place = f"message {len(self._messages)}"
        name, arguments = call
        if not isinstance(name, str):
            raise ImportRefusal("wrong shape", f"{place}: a call without a name")
        if name not in self._names:
            known = ", ".join(self._names) or "none at all"
            raise ImportRefusal("unknown tool", f"{place}: {name} is not among {known}")
        if arguments is None:
            arguments = {}
        if isinstance(arguments, str):
            arguments = json_value(arguments, f"{place}: arguments of {name}")
        if not isinstance(arguments, Mapping):
            told = f"{place}: arguments of {name}: {shortened(arguments)}"
            raise ImportRefusal("invalid arguments", told)
        tool = self._tools[self._names[name]]
        where = f"{place}: {tool.name}"
        made = mended_arguments(tool.parameters, arguments, where, self._notes)
        return {"name": tool.name, "arguments": made}


def json_value(text: Any, what: str) -> Any:
    """The value of JSON text; what is no text is the value itself.

    Args:
        text: The text.
        what: How errors name it.

    Raises:
        ImportRefusal: It is no JSON.
    """
    if not isinstance(text, str):
        return text
    try:
        return decoded(text)
    except Error as error:
        raise ImportRefusal("unreadable", f"{what}: {error}") from error


def as_text(value: Any) -> str:
    """A result as text: JSON, unless it is one."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def mended_arguments(
    parameters: Schema, given: Mapping[str, Any], place: str, notes: Notes
) -> dict[str, Any]:
    """Arguments with the types that are declared, where what they say leaves no doubt.

    Args:
        parameters: The JSON Schema of the arguments.
        given: The arguments.
        place: Where they stand.
        notes: What is mended is told here.
    """
    arguments = dict(given)
    if argument_problem(parameters, arguments) is None:
        return arguments
    required = parameters.get("required", [])
    for key, value in given.items():
        try:
            schema = schema_of_argument(parameters, key)
        except Error:
            continue
        if validator_of(schema).problem(value) is None:
            continue
        if value is None and key not in required:
            notes.add("null dropped", f"{place}: {key}")
            del arguments[key]
            continue
        for other in _other_types(value):
            if validator_of(schema).problem(other) is None:
                notes.add("arguments mended", f"{place}: {key}: {shortened(value)} is {other!r}")
                arguments[key] = other
                break
    return arguments


def _other_types(value: Any) -> list[Any]:
    """What a value of a wrong type may mean."""
    if isinstance(value, str):
        text = value.strip()
        if text.casefold() in ("true", "false"):
            return [text.casefold() == "true"]
        if re.match(r"[\[{]|-?[0-9.]+$", text):
            try:
                return [decoded(text)]
            except Error:
                return []
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (int, float)):
        return [str(value), [value]]
    return []
