"""The fields of a format that say how the calls of a turn are put together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from schemask.chat.notations.json import JsonArguments
from schemask.chat.templates.arguments import ONE
from schemask.chat.templates.calls import CallProbe, Calls, json_call, numbered
from schemask.chat.templates.probing import NAMES, Prober, Turn
from schemask.chat.templates.tags import Tags


class CallSection:
    """Takes what stands around calls apart.

    Args:
        prober: Renders turns.
        tags: The tags of the template.
        probe: Knows where calls stand.
        turn_start: The marker with which turns begin; may be empty.

    Attributes:
        findings: What a person should know, a sentence each.
    """

    def __init__(self, prober: Prober, tags: Tags, probe: CallProbe, turn_start: str) -> None:
        self._prober = prober
        self._tags = tags
        self._probe = probe
        self._turn_start = turn_start
        self._after = self._after_call()
        self.findings: list[str] = []

    def fields(self, calls: Calls, prefix: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields.

        Args:
            calls: How calls are written.
            prefix: What stands before the first of them, whatever comes before.
            fields: What is known of the format.
        """
        made: dict[str, Any] = {"arguments": calls.notation, "id_pattern": calls.id_pattern}
        opening, between, template = self._counted(calls, prefix, made)
        head = self._head(fields["turn_end"])
        if between is None:
            call_open, separator, calls_open, calls_close = opening, "", "", ""
            end = self._end_of_calls(head, fields["turn_end"], is_section=False)
            call_close = head.removesuffix(end)
        else:
            call_open = self._tags.common_end([opening, between])
            calls_open = opening.removesuffix(call_open)
            closing = between.removesuffix(call_open)
            call_close = self._tags.common_start([closing, head])
            separator = closing[len(call_close) :]
            rest = head[len(call_close) :]
            end = self._end_of_calls(rest, fields["turn_end"], is_section=bool(calls_open))
            calls_close = rest.removesuffix(end)
        made["calls_end"] = "" if end == fields["turn_end"] else end
        call_open, call_close = self._call(calls, call_open, template, call_close, made)
        if not call_open.strip():
            # White space before a call is white space between calls.
            calls_open, separator, call_open = calls_open + call_open, separator + call_open, ""
        made |= {"call_open": call_open, "call_close": call_close, "call_separator": separator}
        made |= {"calls_open": calls_open, "calls_close": calls_close}
        self._told_from_words(made, fields)
        following = self._tags.first((self._after[1] or "")[len(head) :])
        if not made["calls_end"] and not fields["turn_end"] and following:
            made["next_turns"] = tuple(dict.fromkeys((*fields["next_turns"], following)))
        return made

    def _counted(
        self, calls: Calls, prefix: str, made: dict[str, Any]
    ) -> tuple[str, str | None, str]:
        """What is before the first call and between two, and a call, with `{index}` in them."""
        if calls.between is None:
            self.findings.append("a turn has one call: the template refuses or drops others")
            made["max_calls"] = 1
            return prefix, None, calls.call
        counted = numbered(prefix, calls.between)
        opening, between, template = prefix, calls.between, calls.call
        if counted is not None:
            opening, between, made["first_index"] = counted
        else:
            template, index = self._numbered_call(template)
            if index is not None:
                made["first_index"] = index
        if "first_index" in made:
            made["counts_on"] = self._counts_on(made["first_index"])
        return opening, between, template

    def _head(self, turn_end: str) -> str:
        """What follows a call that is the last of its turn, up to the end of the turn."""
        head = self._tags.common_start([text for text in self._after if text is not None])
        if self._turn_start:
            head = head.partition(self._turn_start)[0]
        if turn_end and turn_end in head:
            head = head[: head.rindex(turn_end) + len(turn_end)]
        return head

    def _call(
        self, calls: Calls, opening: str, template: str, closing: str, made: dict[str, Any]
    ) -> tuple[str, str]:
        """What is around a call, which becomes a field."""
        parts = None
        if calls.notation == JsonArguments():
            parts = json_call(opening, template, closing)
        if parts is None:
            made["call"] = template
            return opening, closing
        before, after, made["call_members"] = parts
        if calls.id_is_optional:
            held = dict(made["call_members"])
            made["optional_members"] = tuple(key for key, what in held.items() if what == "{id}")
        return before, after

    def _told_from_words(self, made: dict[str, Any], fields: Mapping[str, Any]) -> None:
        """Says how calls without a tag before them are told from words."""
        start = (made["calls_open"] + made["call_open"]).strip()
        start = start or ("{" if "call_members" in made else "")
        if start[:1] not in ("{", "[") or self._tags.first(start):
            return
        made["bare"] = start[0]
        if fields.get("words_with_calls") != "none":
            made["words_with_calls"] = "none"
            self.findings.append(
                "words beside calls cannot be told from them, so are not read or written"
            )

    def _after_call(self) -> tuple[str | None, str | None]:
        """What follows one call: at the end of a conversation, and before its result."""
        turn = Turn(calls=(ONE,))
        texts = []
        at_end = None if self._probe.id_is_optional else self._prober.turn(turn)
        for body in (at_end, self._prober.before_result(turn)):
            spans = self._probe.spans(body) if body is not None else []
            texts.append(body[spans[0][1] :] if body is not None and spans else None)
        return texts[0], texts[1]

    def _end_of_calls(self, rest: str, turn_end: str, is_section: bool) -> str:
        """The marker that ends a turn of calls, of what follows the last of them.

        Args:
            rest: What follows.
            turn_end: What ends a turn of words.
            is_section: Whether something opens all calls, so that something closes them.
        """
        if turn_end and rest.endswith(turn_end):
            return turn_end
        shared = self._tags.common_end([turn_end, rest]) if turn_end else ""
        if shared.strip():
            return shared
        tags = self._tags.found(rest)
        last = rest[self._tags.last_start(rest) :]
        next_turn = (self._after[1] or "")[len(rest) :].strip()
        if not tags or (self._turn_start and self._turn_start in next_turn):
            return last if tags else ""
        if is_section or len(tags) > 1 or not turn_end:
            return ""
        return "" if "/" in last[:3] else last

    def _numbered_call(self, template: str) -> tuple[str, int | None]:
        """A call with `{index}` where it counts calls, and the number of the first."""
        two = self._probe.two
        assert two is not None  # it has been rendered before
        first, second = (two[start:end] for start, end in self._probe.spans(two))
        counted = numbered(first.partition(NAMES[0])[2], second.partition(NAMES[1])[2])
        if counted is None:
            return template, None
        head, name, tail = template.partition("{name}")
        number = str(counted[2])
        at = counted[0].find("{index}")
        return head + name + tail[:at] + "{index}" + tail[at + len(number) :], counted[2]

    def _counts_on(self, first: int) -> bool:
        """Whether the first call of a second turn is not counted as that of the first is."""
        turn = Turn(calls=(ONE,))
        text = self._prober.again(turn)
        alone = self._prober.turn(turn)
        if text is None or alone is None:
            return False
        spans = self._probe.spans(text), self._probe.spans(alone)
        before = 40
        ends = (
            found[max(0, span[-1][0] - before) : span[-1][1]]
            for found, span in zip((text, alone), spans, strict=True)
        )
        counted = [re.findall(r"\d+", end)[-1:] for end in ends]
        return counted == [[str(first + 1)], [str(first)]]
