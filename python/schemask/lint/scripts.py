"""Conversations as they are written: whole, up to each turn, and where in them the model speaks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemask.chat import ChatFormat, ChatTemplate, FormatSpec
from schemask.chat.templates.derive import derive
from schemask.chat.texts import parts_of
from schemask.errors import Error, FormatError
from schemask.lint.offers import offered
from schemask.lint.samples import Dialogue
from schemask.tools import Tool

_USER, _WORDS = "Qzuserq", "Qzwordsq"


class Writer(Protocol):
    """What writes conversations.

    Attributes:
        ends: Markers at which turns of the assistant end.
        modes: Variables with which prompts may be written; the first are none.
        around: What is written around messages.
        has_blocks: Whether it says by `{% generation %}` what is to be trained.
    """

    ends: tuple[str, ...]
    modes: tuple[Mapping[str, Any], ...]
    around: str
    has_blocks: bool

    def write(self, dialogue: Dialogue, end: int, *, prompt: bool, mode: Mapping[str, Any]) -> str:
        """The first messages of a dialogue.

        Args:
            dialogue: The dialogue.
            end: How many messages.
            prompt: Whether to end with what makes the model speak.
            mode: Variables.

        Raises:
            FormatError: They are refused.
        """

    def blocks(self, dialogue: Dialogue) -> list[tuple[int, int]]:
        """Where in the text of a dialogue its `{% generation %}` blocks stand.

        Raises:
            FormatError: It is refused.
        """


class PlainWriter:
    """A chat template that gets messages and tools as a line holds them, as trainers give them.

    Args:
        template: The template.
    """

    def __init__(self, template: ChatTemplate) -> None:
        self.template = template
        self.around = "\0".join((template.text, *map(str, template.variables.values())))
        self.has_blocks = "endgeneration" in template.text
        modes: list[Mapping[str, Any]] = [{}]
        try:
            derived = derive(template, "template")
            ends = ends_of(derived.spec)
            modes += [mode for mode in (derived.thinking, derived.plain) if mode]
        except FormatError:
            ends = [self._end_of_words()]
        ends = [end for end in ends if end] or [template.eos_token]
        self.ends = tuple(dict.fromkeys(filter(None, ends)))
        self.modes = tuple(modes)

    def _end_of_words(self) -> str:
        """What the template writes after the last words of the assistant."""
        question = {"role": "user", "content": _USER}
        try:
            text = self.template.render([question, {"role": "assistant", "content": _WORDS}])
        except FormatError:
            return ""
        return next(iter(parts_of(text.rpartition(_WORDS)[2])), "")

    def write(self, dialogue: Dialogue, end: int, *, prompt: bool, mode: Mapping[str, Any]) -> str:
        return self.written(dialogue.raw[:end], dialogue.tools, prompt=prompt, mode=mode)

    def written(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: list[Any] | None,
        *,
        prompt: bool = False,
        mode: Mapping[str, Any] | None = None,
    ) -> str:
        """Messages as text; FormatError if they are refused."""
        return self.template.render(messages, tools, add_generation_prompt=prompt, **(mode or {}))

    def blocks(self, dialogue: Dialogue) -> list[tuple[int, int]]:
        return self.template.render_with_spans(dialogue.raw, dialogue.tools)[1]


class FormatWriter:
    """A chat format, as the loop and `schemask.training` write conversations.

    Args:
        form: The format.
    """

    has_blocks = False
    modes: tuple[Mapping[str, Any], ...] = ({},)

    def __init__(self, form: ChatFormat) -> None:
        self.form = form
        self.around = str(form.spec)
        if form.template is not None:
            self.around += form.template.text
        self.ends = tuple(dict.fromkeys(ends_of(form.spec)))

    def write(self, dialogue: Dialogue, end: int, *, prompt: bool, mode: Mapping[str, Any]) -> str:
        try:
            return self.form.render(dialogue.messages[:end], tools_in(dialogue), prompt)
        except FormatError:
            raise
        except Error as error:
            raise FormatError(str(error)) from error

    def blocks(self, dialogue: Dialogue) -> list[tuple[int, int]]:
        return []


def ends_of(spec: FormatSpec) -> list[str]:
    """The markers at which turns of a format end; some end with the beginning of the next one."""
    ends = (spec.turn_end.strip(), spec.calls_end.strip(), *spec.next_turns)
    return [end for end in ends if end]


def tools_in(dialogue: Dialogue) -> list[Tool]:
    """The tools of a dialogue, without those that cannot be tools."""
    tools = {tool.name: tool.tool for tool in map(offered, dialogue.tools or ())}
    return [tool for tool in tools.values() if tool is not None]


@dataclass(frozen=True)
class Speech:
    """Where the model speaks in the text of a conversation.

    Attributes:
        turn: The message.
        start: Where what the model writes itself begins.
        end: Where it ends, after the marker of its end if there is one.
        is_ended: Whether there is one.
        rewritten: How the text differs from what the model wrote, if it does.
    """

    turn: int
    start: int
    end: int
    is_ended: bool
    rewritten: str | None


class Script:
    """The text of a dialogue, and of its beginnings; each is written once.

    Args:
        dialogue: The dialogue.
        writer: What writes it.
    """

    def __init__(self, dialogue: Dialogue, writer: Writer) -> None:
        self.dialogue = dialogue
        self.writer = writer
        self._texts: dict[tuple[int, bool, int], str | FormatError] = {}

    @property
    def text(self) -> str:
        """All of it.

        Raises:
            FormatError: It is refused.
        """
        return self.upto(len(self.dialogue.messages))

    def upto(self, end: int, *, prompt: bool = False, mode: int = 0) -> str:
        """The first messages, maybe with what makes the model speak.

        Raises:
            FormatError: They are refused.
        """
        key = (end, prompt, mode)
        if key not in self._texts:
            try:
                self._texts[key] = self.writer.write(
                    self.dialogue, end, prompt=prompt, mode=self.writer.modes[mode]
                )
            except FormatError as error:
                self._texts[key] = error
        made = self._texts[key]
        if isinstance(made, FormatError):
            raise made
        return made

    @functools.cached_property
    def speeches(self) -> list[Speech]:
        """What the model writes of it, turn by turn; turns that cannot be told apart are left out.

        Raises:
            FormatError: The conversation is refused.
        """
        found = (self._speech(turn) for turn in self.dialogue.spoken)
        return [speech for speech in found if speech is not None]

    def _speech(self, turn: int) -> Speech | None:
        text = self.text
        try:
            alone = self.upto(turn + 1)
        except FormatError:
            return None  # some templates want a conversation to end in some way
        if (begun := self._begin(turn, alone)) is None:
            return None
        shown, start = begun
        end, mark = self._end(alone, start)
        same = _same(alone, text)
        if end - len(mark) <= same < end:  # a marker that is written after the last turn only
            end, mark = self._end(alone[: end - len(mark)], start)
        if same < end:
            return Speech(turn, start, end, bool(mark), _difference(alone, text, same))
        if not mark:
            rest = text[end:]
            follows = len(rest) - len(rest.lstrip())
            mark = next((mark for mark in self.writer.ends if rest[follows:].startswith(mark)), "")
            end += follows + len(mark) if mark else 0
        return Speech(turn, start, end, bool(mark), shown)

    def _end(self, text: str, start: int) -> tuple[int, str]:
        """Where a turn ends, and the marker there; without one, where the text ends."""
        places = [(text.rfind(mark, start) + len(mark), mark) for mark in self.writer.ends]
        found = [(end, mark) for end, mark in places if end >= start + len(mark)]
        return max(found, default=(len(text.rstrip()), ""))

    def _begin(self, turn: int, alone: str) -> tuple[str | None, int] | None:
        """Where what the model writes begins, and how it differs from what prompts end with."""
        first: tuple[str | None, int] | None = None
        for mode in range(len(self.writer.modes)):
            try:
                prompt = self.upto(turn, prompt=True, mode=mode)
            except FormatError:
                continue
            if alone.startswith(prompt):
                return None, len(prompt)
            same = _same(prompt, alone)
            first = first or (_difference(prompt, alone, same), same)
        return first


def _same(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if other.startswith(one[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def _difference(one: str, other: str, at: int) -> str:
    """Two texts at the place where they begin to differ."""
    start = max(0, at - 24)
    return f"{one[start : at + 40]!r} becomes {other[start : at + 40]!r}"
