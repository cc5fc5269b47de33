"""What a format is made of: texts and tags, and what follows from them."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import Notation
from schemask.chat.messages import encodable
from schemask.errors import FormatError

PLACEHOLDER = re.compile(r"(\{(?:call|name|arguments|id|index|key|value)\})")
TAG = re.compile(r"(<[^<>\s]+>|\[/?[A-Z_]+\])")
_CAPITALS = re.compile(r"\[/?[A-Z_]+\]")


@dataclass(frozen=True)
class FormatSpec:
    """How turns, tools, calls and results are spelt. Data only: a new format is a new instance.

    Texts may hold placeholders: `call` holds `{call}` (the JSON object of `call_members`), or
    `{name}`, `{arguments}`, `{id}` and `{index}`; `argument` holds `{key}` and `{value}`.

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
        values: Notation of arguments, see `schemask.chat.arguments`.
        argument: Text of an argument, in notations that write them one by one.
        argument_string: The same of an argument that is a string, if it differs.
        argument_separator: Text between two arguments.
        string_mark: What is around strings in the notation `marked`.
        sort_keys: Whether keys are sorted in the notation `marked`.
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
    values: Notation = "json"
    argument: str = ""
    argument_string: str = ""
    argument_separator: str = ""
    string_mark: str = ""
    sort_keys: bool = False
    bare: str = ""
    words_open: str = ""
    words_close: str = ""
    preamble_open: str = ""
    preamble_close: str = ""
    reasoning_open: str = ""
    reasoning_close: str = ""
    tokens: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for marker in self._markers:
            # `write_json` escapes the first character of a marker, which JSON holds like this only
            # inside strings; and with one `<` each, no marker can begin inside another.
            if marker.rfind("<") != 0 and not _CAPITALS.fullmatch(marker):
                raise FormatError(
                    f"{self.name}: {marker!r} must have one '<', at its start, or be [CAPITALS]"
                )
        if self.values != "json" and self.values != "marked" and "{value}" not in self.argument:
            raise FormatError(f"{self.name}: `argument` must hold {{key}} and {{value}}")

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
    def value_stops(self) -> tuple[str, ...]:
        """Texts that strings do not hold where they are written without quotes."""
        closing = self.argument.partition("{value}")[2]
        return tuple(dict.fromkeys((closing, closing.strip(), *self.stops)))

    def carries_key(self, key: str) -> bool:
        """Whether the name of an argument comes back as it is, in notations without quotes."""
        if self.values not in ("raw", "python"):
            return True
        head, _, tail = self.argument.partition("{key}")
        following = tail.partition("{value}")[0]
        if self.argument_string:
            other = self.argument_string.partition("{key}")[2].partition("{value}")[0]
            following = common_start(following, other)
        # Without a text before it, a name must not begin like the end of all arguments.
        end = self.call.partition("{arguments}")[2].strip() or self.call_close.strip()
        return (
            key == key.strip()
            and (key + following).find(following) == len(key)
            and not (end and not head.strip() and key.startswith(end))
            and not any(stop in key for stop in self.stops)
        )

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
        argument = (self.argument.partition("{value}")[2],)
        words = (self.words_open, self.words_close, self.reasoning_open, self.reasoning_close)
        tags = [tag for text in (*around, *argument, *words) for tag in TAG.findall(text)]
        marks = sorted({*self._markers, *tags})
        return re.compile("|".join(f"{re.escape(m[0])}(?={re.escape(m[1:])})" for m in marks))

    def write_json(self, value: Any) -> str:
        """`value` as `json.dumps` writes it, with no marker of the format spelt inside a string."""
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            same = json.loads(text) == value
        except (TypeError, ValueError, RecursionError) as error:
            raise FormatError(f"no JSON value: {error}") from error
        if not same:
            raise FormatError("JSON would read back another value: only its own types will do")
        return self._escaped.sub(lambda found: f"\\u{ord(found[0]):04x}", encodable(text))


def common_start(one: str, other: str) -> str:
    """The longest text that both begin with."""
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[:length]
