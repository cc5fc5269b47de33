"""How a template writes calls, found by comparing turns that differ in one thing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemask.chat.notations.base import Notation
from schemask.chat.notations.json import JsonArguments
from schemask.chat.templates.arguments import ONE, find_arguments, span_of_json
from schemask.chat.templates.probing import IDS, NAMES, Prober, Turn
from schemask.chat.templates.tags import Tags
from schemask.errors import FormatError

_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Calls:
    """How calls are written.

    Attributes:
        call: A call, from its first part of its own to the last one, with placeholders.
        between: The text between two such; None if a turn has one call.
        notation: How arguments are written.
        id_pattern: Pattern of ids.
        id_is_optional: Whether there are calls without ids.
    """

    call: str
    between: str | None
    notation: Notation
    id_pattern: str
    id_is_optional: bool


class CallProbe:
    """Finds how calls are written.

    Args:
        prober: Renders turns.
        tags: The tags of the template.
    """

    def __init__(self, prober: Prober, tags: Tags) -> None:
        self._prober = prober
        self._found = find_arguments(self._one, tags)
        one = self._one(ONE)
        assert one is not None  # its arguments have been found
        self._written = one[self._found.start : self._found.end]
        # Some templates write ids only where results follow.
        answered = prober.before_result(Turn(calls=(ONE,))) or ""
        self._id_is_optional = IDS[0] not in one and self._has_id(answered, tags)
        self._text_of_one = answered if self._id_is_optional else one
        start, end = self._arguments(self._text_of_one)[0]
        self._head, self._tail = self._own_parts(self._text_of_one, start, end)

    def _has_id(self, text: str, tags: Tags) -> bool:
        """Whether the id of the first call stands after its arguments, before any tag."""
        spans = self._arguments(text)
        at = text.find(IDS[0], spans[0][1]) if spans else -1
        return at >= 0 and not tags.found(text[spans[0][1] : at])

    def _own_parts(self, text: str, start: int, end: int) -> tuple[int, str]:
        """How far a call reaches before its arguments, and its text from their end on."""
        own = [match for part in (NAMES[0], IDS[0]) for match in re.finditer(part, text)]
        head = start - min([match.start() for match in own] + [start])
        return head, text[end : max([match.end() for match in own] + [end])]

    def calls(self) -> Calls:
        """How calls are written.

        Raises:
            FormatError: They are written in a way that cannot be told.
        """
        one = self._text_of_one
        start, end = self.spans(one)[0]
        call = self._templated(one[start:end])
        two = self.two
        between = None
        if two is not None and NAMES[1] in two:
            spans = self.spans(two)
            if len(spans) != 2:
                raise FormatError(f"two calls are not one and another: {two!r}")
            between = two[spans[0][1] : spans[1][0]]
        return Calls(
            call, between, self._found.notation, _id_pattern(self._prober), self._id_is_optional
        )

    @property
    def id_is_optional(self) -> bool:
        """Whether ids are written only where results follow."""
        return self._id_is_optional

    @property
    def two(self) -> str | None:
        """A turn of two calls as it is written with ids; None if it is refused."""
        turn = Turn(calls=(ONE, ONE))
        prober = self._prober
        return prober.before_result(turn) if self._id_is_optional else prober.turn(turn)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the calls of a text with the arguments `ONE` stand, without what is around them."""
        spans = []
        for number, (start, end) in enumerate(self._arguments(text)):
            tail = self._tail
            if number:
                tail = tail.replace(NAMES[0], NAMES[1]).replace(IDS[0], IDS[1])
            if text.startswith(tail, end) or not self._id_is_optional:
                end += len(tail)
            spans.append((start - self._head, end))
        return spans

    def _arguments(self, text: str) -> list[tuple[int, int]]:
        """Where the arguments `ONE` stand in a text."""
        if isinstance(self._found.notation, JsonArguments):
            spans = []
            start = 0
            while span := span_of_json(text[start:], ONE):
                spans.append((start + span[0], start + span[1]))
                start = spans[-1][1]
            return spans
        return [(m.start(), m.end()) for m in re.finditer(re.escape(self._written), text)]

    def _templated(self, call: str) -> str:
        """The call with placeholders in the place of what is its own."""
        start, end = self._arguments(call)[0]
        call = call[:start] + "{arguments}" + call[end:]
        return call.replace(NAMES[0], "{name}").replace(IDS[0], "{id}")

    def _one(self, arguments: Mapping[str, Any]) -> str | None:
        return self._prober.turn(Turn(calls=(arguments,)))


def _id_pattern(prober: Prober) -> str:
    """The ids that the template takes."""
    message = Turn(calls=(ONE,)).message
    message["tool_calls"][0]["id"] = "call_0123456789-abc"
    return "[a-zA-Z0-9_-]{1,64}" if prober.renders(message) else "[a-zA-Z0-9]{9}"


def numbered(opening: str, between: str) -> tuple[str, str, int] | None:
    """Two texts that lead to a first and a second call, with `{index}` where they count them.

    Returns:
        Both texts and the number of the first call; None if the texts do not count.
    """
    firsts = list(re.finditer(r"\d+", opening))
    seconds = list(re.finditer(r"\d+", between))
    for first in reversed(firsts):
        for second in reversed(seconds):
            after = opening[first.end() :], between[second.end() :]
            if after[0] == after[1] and int(second[0]) == int(first[0]) + 1:
                texts = (
                    text[: found.start()] + "{index}" + text[found.end() :]
                    for text, found in ((opening, first), (between, second))
                )
                return (*texts, int(first[0]))  # type: ignore[return-value]
    return None


def json_call(opening: str, call: str, closing: str) -> tuple[str, str, Any] | None:
    """A call that is one JSON object, taken apart.

    Args:
        opening: The text before a call's own parts, of which the object may be the last of.
        call: The call with placeholders.
        closing: The text after it.

    Returns:
        Text before the object, text after it, and its keys with what they hold; None if the call
        is no such object, or holds anything else, or is not spelt as `json.dumps` spells it.
    """
    own = {'"{name}"': "{name}", '"{id}"': "{id}", '"{index}"': "{index}"}
    text = opening + call + closing
    readable = text.replace("{arguments}", '"{arguments}"')
    start = readable.find("{")
    while 0 <= start < len(opening):
        try:
            value, end = _DECODER.raw_decode(readable, start)
        except ValueError:
            value, end = None, start
        if isinstance(value, dict) and end >= len(readable) - len(closing):
            holders = {*own.values(), "{arguments}"}
            is_plain = json.dumps(value, ensure_ascii=False) == readable[start:end]
            is_plain = is_plain and not any(key in own.values() for key in value)
            if is_plain and all(isinstance(v, str) and v in holders for v in value.values()):
                return readable[:start], readable[end:], tuple(value.items())
            return None
        start = readable.find("{", start + 1)
    return None
