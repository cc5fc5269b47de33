"""Reads the calls of a turn as they are being written, each as its format spells it, or nearly."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.events import ArgumentDelta, CallFailed, CallFinished, CallStarted, Event
from schemask.chat.messages import ToolCall
from schemask.chat.spec import TAGS_OF_BARE_CALLS, FormatSpec
from schemask.chat.texts import PLACEHOLDER, TAG, parts_of, pieces_of
from schemask.errors import FormatError
from schemask.tools import ToolSet

# Names of tools and ids are made of these.
_NAME_CHARACTER = re.compile(r"[\w.:/-]")
_NAME_START = re.compile(r"[\w.:/-]+")
_ID_CHARACTER = re.compile(r"[^\s<>\[\]{}()\"]")
_PREFIX_OF_NAME = re.compile(r"\w+[.:]")
# Members of a JSON call that models write for those of the format, and others that say nothing.
_OTHER_MEMBERS = {"arguments": "{arguments}", "parameters": "{arguments}", "name": "{name}"}
_IDS = ("id", "tool_call_id")


class CallReader:
    """Reads the calls of one turn.

    What cannot be read is an event of its own, after which reading goes on.

    Args:
        spec: The format.
        tools: The tools that may be called.
        text: The text of the turn, at any place.
        emit: Called with each event.

    Attributes:
        spans: Where each call so far begins and ends in the text, with its tags.
    """

    def __init__(
        self, spec: FormatSpec, tools: ToolSet, text: Cursor, emit: Callable[[Event], None]
    ) -> None:
        self._spec = spec
        self._tools = tools
        self._text = text
        self._emit = emit
        self.spans: list[tuple[int, int]] = []
        self._count = 0
        self._begin = 0
        self._inside = 0
        self._head = parts_of(spec.call_head)
        self._tail = parts_of(spec.call_tail)
        self._opening = parts_of(spec.calls_open)
        self._closing = parts_of(spec.calls_close)
        # What begins a further call, ends one, and ends all: a tag that says only that, or all.
        head, tail, closing = (
            spec.call_head.strip(),
            spec.call_tail.strip(),
            spec.calls_close.strip(),
        )
        is_own = bool(self._head) and (not is_tag(self._head) or self._head[0] in spec.call_tags)
        self._starts = self._head[0] if is_own else head
        self._closing_mark = closing
        if self._closing and self._closing[0] not in head:
            self._closing_mark = self._closing[0]
        lasts = ((self._tail, tail), (self._closing, closing))
        found = [parts[-1] if is_tag(parts[-1:]) else whole for parts, whole in lasts]
        closers = [mark for mark in found if len(mark) > 1]
        openers = [*([self._starts] if is_tag([self._starts]) else []), *spec.call_tags]
        self._closers = tuple(closers)
        ends = [*spec.stops, spec.turn_end.strip(), spec.calls_end.strip()]
        marks = dict.fromkeys(mark for mark in (*closers, *openers, *ends) if mark)
        ordered = sorted(marks, key=len, reverse=True)
        self._ends = tuple(mark for mark in marks if mark not in closers)
        self._marks = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")

    @property
    def has_begun(self) -> bool:
        """Whether the turn holds a call."""
        return self._count > 0

    def read_all(self) -> Waiting[None]:
        """Reads calls, from the text before the first one to the text after the last one."""
        text, spec = self._text, self._spec
        self._begin = text.at
        opened = yield from self._reading(self._open_calls)
        if not opened and not (yield from self._starts_call()):
            return
        separators = [spec.call_separator.strip()] if spec.call_separator.strip() else []
        if spec.bare and spec.call == "{call}":
            separators += [";", ","]
        closing = [self._closing_mark] if self._closing_mark else []
        while not (yield from self._ahead(closing)):
            if not (yield from self._reading(self._call)):
                if not (yield from self._starts_call()):
                    for part in self._closing:
                        yield from text.take_any([part])
                    return
                continue
            goes_on = bool(separators) and bool((yield from text.take_any(separators)))
            if not goes_on and not (yield from self._starts_call()):
                break
        yield from self._reading(self._close_calls)

    def _starts_call(self) -> Waiting[bool]:
        """Whether a further call comes next."""
        heads = [self._starts] if self._starts else []
        heads += ["{"] if not heads and self._spec.call == "{call}" else []
        return (yield from self._ahead([*heads, *self._spec.call_tags]))

    def _ahead(self, texts: Sequence[str]) -> Waiting[bool]:
        """Whether one of these texts comes after any white space."""
        for mark in texts:
            start = self._text.at
            found = yield from self._text.skip_space_before_text(mark)
            self._text.at = start
            if found:
                return True
        return False

    def _reading(self, read: Callable[[], Waiting[None]]) -> Waiting[bool]:
        """Reads something, and says whether it could be; else it is an event."""
        text = self._text
        before = text.at
        yield from text.skip_space()
        start = self._inside = text.at
        error: Exception
        try:
            yield from read()
        except (FormatError, RecursionError) as problem:
            error = problem
        else:
            if text.at == start:
                text.at = before  # white space before what is no call
            return True
        # The next call, or the end of this one.
        found = yield from text.first_of(self._marks, max(self._inside, start + 1))
        text.at = len(text.text) if found is None else found.start()
        if found and found[0] in self._closers:
            text.at = found.end()
        if isinstance(error, RecursionError):
            error = FormatError("line 1, column 1: the call is nested too deeply", line=1, column=1)
        failed = CallFailed(
            self._count, text.text[start : text.at], str(error), error.line or 1, error.column or 1
        )
        self._end_call(failed)
        return False

    def _end_call(self, event: CallFinished | CallFailed) -> None:
        """Says that a call ends here."""
        self.spans.append((self._begin, self._text.at))
        self._begin = self._text.at
        self._count += 1
        self._emit(event)

    # The texts around calls.

    def _open_calls(self) -> Waiting[None]:
        """Goes past the text before all calls; tags of it may be missing."""
        text = self._text
        if self._spec.bare:
            yield from text.take_any(TAGS_OF_BARE_CALLS)
        for part in self._opening:
            if (yield from text.take_any([part])):
                self._inside = text.at
            elif not is_tag([part]):
                text.fail(f"{part} is missing")

    def _open_call(self) -> Waiting[None]:
        """Goes past the text before a call. Where one of its tags stands, those before it may miss,
        and so may what the name of every tool is written with."""
        text = self._text
        for i, part in enumerate(self._head):
            if (yield from text.take_any([part])):
                self._inside = text.at
            elif i + 1 == len(self._head) and _PREFIX_OF_NAME.fullmatch(part):
                yield from text.take_any([part[-1]])
            elif not (is_tag([part]) and (yield from self._ahead(self._head[i + 1 :]))):
                text.fail(f"{part} is missing")

    def _close_call(self) -> Waiting[None]:
        """Goes past the text after a call. Where it ends otherwise, tags may be missing."""
        text = self._text
        for i, part in enumerate(self._tail):
            if not (yield from text.take_any([part])):
                following = [*self._tail[i + 1 :], *self._closing]
                yield from text.skip_space()
                if len(part) == 1 or not (yield from self._is_end(following)):
                    text.fail(f"{part} is missing")

    def _close_calls(self) -> Waiting[None]:
        """Goes past the text after all calls; tags of it may be missing."""
        text = self._text
        found = False
        for part in self._closing:
            found = bool((yield from text.take_any([part]))) or found
        if self._spec.bare:
            yield from text.take_any(["<|python_end|>", "</tool_call>"])
        must_come = bool(self._closing) and not found and len(self._closing[0]) == 1
        if must_come and not (yield from self._is_end(())):
            text.fail(f"{self._closing[0]} is missing")

    def _is_end(self, following: Sequence[str]) -> Waiting[bool]:
        """Whether the text is over, or what ends a call comes next."""
        return (yield from self._ahead([*following, *self._ends])) or self._text.is_over

    # Calls.

    def _call(self) -> Waiting[None]:
        index = self._count
        yield from self._open_call()
        if self._spec.call == "{call}":
            call = yield from self._call_object(index)
        else:
            call = yield from self._call_in_pieces(index)
        yield from self._close_call()
        self._end_call(CallFinished(index, call))

    def _deltas(self, index: int) -> Emit:
        """Passes on pieces of the arguments of a call."""
        return lambda piece: self._emit(ArgumentDelta(index, piece))

    def _call_in_pieces(self, index: int) -> Waiting[ToolCall]:
        spec, text = self._spec, self._text
        pieces = pieces_of(spec.call)
        inner = [i for i, piece in enumerate(pieces) if PLACEHOLDER.fullmatch(piece)]
        pieces = pieces[inner[0] : inner[-1] + 1]
        name = ""
        call_id: str | None = None
        arguments: dict[str, Any] = {}
        for i, piece in enumerate(pieces):
            start = text.at
            if piece == "{name}":
                again = yield from self._name(pieces[i + 1 :])
                if name and again != name:
                    text.fail(f"the call is of {name!r}, and here of {again!r}", start)
                if not name:
                    name = again
                    self._emit(CallStarted(index, name))
            elif piece == "{arguments}":
                parameters = self._tools[name].parameters if name in self._tools else {}
                arguments = yield from spec.arguments.read(
                    text, parameters, spec, self._deltas(index)
                )
            elif piece in ("{id}", "{index}"):
                yield from text.skip_space()
                call_id_or_index = yield from text.run(_ID_CHARACTER)
                call_id = call_id_or_index if piece == "{id}" else call_id
            else:
                yield from text.literal(piece)
        return ToolCall(name, arguments, call_id)

    def _name(self, following: list[str]) -> Waiting[str]:
        """The name of a tool, which some pieces of the call follow."""
        text = self._text
        yield from text.skip_space()
        start = text.at
        name = yield from text.run(_NAME_CHARACTER)
        after = following[0].strip() if following else ""
        if found := _NAME_START.match(after):
            # The name may hold the text that comes before a number: only the last one does.
            length = name.rfind(found[0])
            if length < 0 or (found[0] != after and length + len(found[0]) != len(name)):
                text.at = start
                text.fail(f"{after} is missing")
            name, text.at = name[:length], start + length
        if not name:
            text.fail("the name of a tool is missing")
        if not after or after == "{arguments}":
            yield from self._end_of_name(start)
        elif not (yield from self._ahead(parts_of(after)[:1])):
            yield from text.skip_space()
            text.fail(f"{after} is missing")
        return name

    def _end_of_name(self, start: int) -> Waiting[None]:
        """Fails if what follows a name is neither arguments nor the end of the call."""
        text, spec = self._text, self._spec
        ends = [spec.arguments.opening, *self._tail[:1], *self._closing[:1], *self._ends]
        if spec.arguments.opening and not (yield from self._ahead([end for end in ends if end])):
            text.fail("the name of a tool does not end", start)

    def _call_object(self, index: int) -> Waiting[ToolCall]:
        text = self._text
        what_of = {**_OTHER_MEMBERS, **dict(self._spec.call_members)}
        yield from text.skip_space()
        start = text.at
        if (yield from self._next()) != "{":
            text.fail_json(start)
        text.at += 1
        # Arguments that come before the name are passed on when the call is complete.
        started = False
        is_sent = False
        while True:
            yield from text.skip_space()
            if text.next_character == "}":
                text.at += 1
                break
            if text.next_character != '"':
                text.fail_json(start)
            key = text.decoded(*(yield from text.value()))
            yield from text.skip_space()
            if text.next_character != ":":
                text.fail_json(start)
            text.at += 1
            yield from text.skip_space()
            what = what_of.get(key) if isinstance(key, str) else None
            if what == "{arguments}" and started and not is_sent and text.next_character == "{":
                is_sent = True
                yield from text.value(self._deltas(index))
            else:
                place = yield from text.value()
                name = text.decoded(*place) if what == "{name}" and not started else None
                if isinstance(name, str):
                    started = True
                    self._emit(CallStarted(index, name))
            yield from text.skip_space()
            if text.next_character == ",":
                text.at += 1
            elif text.next_character != "}":
                text.fail_json(start)
        call = self._call_of(start)
        if not started:
            self._emit(CallStarted(index, call.name))
        if not is_sent:
            self._emit(ArgumentDelta(index, self._spec.write_json(call.arguments)))
        return call

    def _next(self) -> Waiting[str]:
        yield from self._text.need(1)
        return self._text.next_character

    def _call_of(self, start: int) -> ToolCall:
        """The call that a JSON object says, which begins at `start` and ends here."""
        text, spec = self._text, self._spec
        value = text.decoded(start, text.at)
        members = dict(value)
        inner = members.get("function")
        if isinstance(inner, dict) and not set(members) - {"function", "type", *_IDS}:
            members = {**members, **inner}
            members.pop("function")
        if members.get("type") == "function":
            members.pop("type")
        held: dict[str, Any] = {}
        own = dict(spec.call_members)
        for key in list(members):
            what = own.get(key) or _OTHER_MEMBERS.get(key) or ("{id}" if key in _IDS else None)
            if what is None or what in held:
                held["?"] = key
            else:
                held[what] = members[key]
        if isinstance(held.get("{arguments}"), str):
            held["{arguments}"] = self._decoded_arguments(held["{arguments}"])
        texts = [held.get(what, "") for what in ("{name}", "{id}", "{index}")]
        if (
            "?" in held
            or "{name}" not in held
            or not isinstance(held.get("{arguments}"), dict)
            or not all(isinstance(what, str) for what in texts)
        ):
            shape = ", ".join(
                f'"{key}": <{"object" if what == "{arguments}" else "string"}>'
                for key, what in spec.call_members
            )
            text.fail(f"a call is {{{shape}}}", start)
        text.check(held["{arguments}"], start, spec.write_json)
        text.check(held["{name}"], start, spec.write_json)
        return ToolCall(held["{name}"], held["{arguments}"], held.get("{id}"))

    def _decoded_arguments(self, written: str) -> Any:
        """Arguments that stand as JSON text in a string."""
        inner = Cursor()
        inner.text = written or "{}"
        try:
            return inner.decoded(0, len(inner.text))
        except FormatError:
            return None


def is_tag(parts: Sequence[str]) -> bool:
    """Whether the first of some parts of a format is a tag, or begins with one."""
    return bool(parts) and (parts[0].startswith("<") or bool(TAG.fullmatch(parts[0])))
