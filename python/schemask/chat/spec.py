"""A chat format as data: its texts and tags, and what follows from them."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from schemask.chat.messages import encodable
from schemask.chat.notations.base import Notation
from schemask.chat.notations.json import JsonArguments
from schemask.chat.texts import TAG, pieces_of
from schemask.errors import FormatError, shortened

_CAPITALS = re.compile(r"\[/?[A-Z_]+\]")


@dataclass(frozen=True)
class FormatSpec:
    """How turns, tools, calls and results are spelt. Data only: a new format is a new instance.

    `call` holds placeholders: `{call}` (the JSON object of `call_members`), or `{name}`,
    `{arguments}`, `{id}` and `{index}`.

    Attributes:
        name: The name under which `FORMATS` lists it.
        call_open: Tag before a call.
        call_close: Tag after it.
        call_padding: Text between either tag and the call.
        call_separator: Text between two calls, and between words and the first call.
        result_role: Role of the turn that shows the results of tools.
        result_open: Tag before one result.
        result_close: Tag after it.
        result_padding: Text between either tag and the result.
        result_separator: Text between two results.
        tools_intro: Text of the system turn before the definitions, which follow one a line.
        tools_outro: Text of the system turn after the definitions.
        turn_start: Marker before a turn.
        turn_end: Marker after a turn.
        turns: Roles, each with the text before and after the body of its turn, where this is not
            `turn_start`, the role and a newline, and `turn_end` and a newline. What a model writes
            itself of the text after its own turn is `turn_end`.
        calls_open: Text before the first call.
        calls_close: Text after the last call.
        calls_end: Marker after a turn of calls, if it is not `turn_end`.
        call: What stands between the tags of a call.
        call_members: Keys of the JSON object of a call, and what they hold.
        max_calls: Calls that one turn may hold.
        id_pattern: Pattern of `{id}`.
        arguments: How the arguments of a call are spelt, in the place of `{arguments}`: one of the
            notations of `schemask.chat.notations`.
        bare: First characters of a call, in formats without a tag before calls. Words begin
            otherwise there, and do not come before calls.
        words_open: Text before words, in formats that have one.
        words_close: Text after them.
        preamble_open: Text before words that calls follow, in formats that have `words_open`.
        preamble_close: Text after them.
        reasoning_open: Text before a block of reasoning at the start of a turn, if there is one.
        reasoning_close: Text after it.
        tokens: Texts that may be special tokens. If none are given, all tags are, as `<tag>` and
            `[TAG]`.

    Raises:
        FormatError: A tag that could begin inside another, or `arguments` that are no `Notation`.
    """

    name: str
    call_open: str
    call_close: str
    call_padding: str = ""
    call_separator: str = ""
    result_role: str = "tool"
    result_open: str = "<tool_response>"
    result_close: str = "</tool_response>"
    result_padding: str = ""
    result_separator: str = "\n"
    tools_intro: str = "You can call these tools:"
    tools_outro: str = ""
    turn_start: str = "<|im_start|>"
    turn_end: str = "<|im_end|>"
    turns: tuple[tuple[str, str, str], ...] = ()
    calls_open: str = ""
    calls_close: str = ""
    calls_end: str = ""
    call: str = "{call}"
    call_members: tuple[tuple[str, str], ...] = (("name", "{name}"), ("arguments", "{arguments}"))
    max_calls: int | None = None
    id_pattern: str = "[a-zA-Z0-9]{9}"
    arguments: Notation = field(default_factory=JsonArguments)
    bare: str = ""
    words_open: str = ""
    words_close: str = ""
    preamble_open: str = ""
    preamble_close: str = ""
    reasoning_open: str = ""
    reasoning_close: str = ""
    tokens: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.arguments, Notation):
            what = shortened(self.arguments)
            raise FormatError(f"{self.name}: arguments are spelt by a Notation, not by {what}")
        for marker in self._markers:
            # `write_json` escapes the first character of a marker, which JSON holds like this only
            # inside strings; and with one `<` each, no marker can begin inside another.
            if marker.rfind("<") != 0 and not _CAPITALS.fullmatch(marker):
                raise FormatError(
                    f"{self.name}: {marker!r} must have one '<', at its start, or be [CAPITALS]"
                )

    def __repr__(self) -> str:
        tags = f"call_open={self.call_open!r}, call_close={self.call_close!r}"
        return f"<FormatSpec {self.name}: {tags}, arguments={self.arguments!r}>"

    def around(self, role: str) -> tuple[str, str]:
        """The texts before and after the body of a turn of a role.

        Args:
            role: "system", "user", "assistant" or "tool".
        """
        for name, opening, closing in self.turns:
            if name == role:
                return opening, closing
        return f"{self.turn_start}{role}\n", f"{self.turn_end}\n"

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts at which the turn of an unconstrained model is over."""
        marks = (self.turn_end, self.calls_end, self.turn_start)
        return tuple(dict.fromkeys(mark for mark in marks if mark))

    @property
    def call_mark(self) -> str:
        """What tells calls from words: the first tag before them."""
        return "" if self.bare else (self.calls_open or self.call_open).strip()

    @property
    def call_marks(self) -> tuple[str, ...]:
        """The mark, with the separator before it that is no part of the words, and without."""
        if not self.call_mark:
            return ()
        return tuple(dict.fromkeys((self.call_separator + self.call_mark, self.call_mark)))

    @property
    def word_stops(self) -> tuple[str, ...]:
        """Texts that words do not hold."""
        wrapped = (self.words_close, self.preamble_close)
        marks = (self.call_mark, self.reasoning_open.strip(), *wrapped, *self.stops)
        return tuple(dict.fromkeys(mark for mark in marks if mark))

    @property
    def after_arguments(self) -> str:
        """The text that follows the arguments of a call."""
        following = pieces_of(self.call.partition("{arguments}")[2])
        return following[0] if following and following[0].strip() else self.call_close

    @property
    def _markers(self) -> tuple[str, ...]:
        calls = (self.call_open, self.call_close)
        results = (self.result_open, self.result_close)
        marks = (self.turn_start, self.turn_end, *calls, *results)
        return tuple(mark.strip() for mark in marks if mark)

    @functools.cached_property
    def _escaped(self) -> re.Pattern[str]:
        """The first character of each tag of the format, where the tag stands."""
        around = (self.calls_open, self.calls_close, self.calls_end, self.call)
        argument = (self.arguments.closing,)
        words = (self.words_open, self.words_close, self.reasoning_open, self.reasoning_close)
        tags = [tag for text in (*around, *argument, *words) for tag in TAG.findall(text)]
        marks = sorted({*self._markers, *tags})
        return re.compile("|".join(f"{re.escape(m[0])}(?={re.escape(m[1:])})" for m in marks))

    def write_json(self, value: Any) -> str:
        """`value` as `json.dumps` writes it, with no marker of the format spelt inside a string.

        Args:
            value: A plain JSON value.

        Raises:
            FormatError: No JSON text reads back as this value.
        """
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            same = json.loads(text) == value
        except (TypeError, ValueError, RecursionError) as error:
            raise FormatError(f"no JSON value: {error}") from error
        if not same:
            raise FormatError("JSON would read back another value: only its own types will do")
        return self._escaped.sub(lambda found: f"\\u{ord(found[0]):04x}", encodable(text))


def turns_of(
    opening: str, closing: str, assistant: str = "assistant", tool: str = "tool"
) -> tuple[tuple[str, str, str], ...]:
    """The turns of a format in which they differ by the name of the role alone.

    Args:
        opening: Text before the body of a turn, with `{role}` in it.
        closing: Text after it.
        assistant: What the role "assistant" is called in the format.
        tool: What the role "tool" is called.
    """
    roles = {"system": "system", "user": "user", "assistant": assistant, "tool": tool}
    return tuple((role, opening.replace("{role}", name), closing) for role, name in roles.items())
