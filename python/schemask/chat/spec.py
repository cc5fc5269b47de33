"""A chat format as data: its texts and tags, and what follows from them."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from schemask.chat.messages import encodable
from schemask.chat.notations.base import Notation
from schemask.chat.notations.json import JsonArguments
from schemask.chat.texts import OPENING_TAG, PLACEHOLDER, TAG, parts_of, pieces_of
from schemask.errors import FormatError, shortened

WordsWithCalls: TypeAlias = Literal["before", "after", "none"]

# What models write before calls that begin with no tag in the format.
TAGS_OF_BARE_CALLS = ("<|python_tag|>", "<|python_start|>")
CHANNEL = "<|channel|>"
MESSAGE = "<|message|>"
ENDS_OF_MESSAGES = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")
"""Markers after the messages of channels."""
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
        call_separator: Text between two calls.
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
        next_turns: Markers that open the turns of others, where these end the assistant's.
        calls_open: Text before the first call.
        calls_close: Text after the last call.
        calls_end: Marker after a turn of calls, if it is not `turn_end`.
        call: What stands between the tags of a call.
        call_members: Keys of the JSON object of a call, and what they hold.
        optional_members: Those of these keys that may be missing.
        max_calls: Calls that one turn may hold.
        id_pattern: Pattern of `{id}`.
        first_index: `{index}` of the first call of a turn.
        counts_on: Whether `{index}` counts the calls of a whole conversation, and not of a turn.
        arguments: How the arguments of a call are spelt, in the place of `{arguments}`: one of the
            notations of `schemask.chat.notations`.
        bare: First characters of a call, in formats without a tag before calls. Words begin
            otherwise there.
        words_open: Text before words, in formats that have one.
        words_close: Text after them.
        words_with_calls: Where words stand in a turn that has calls, too: "before" or "after" them,
            or "none" if such a turn has no words.
        preamble_open: Text before words that stand before calls.
        preamble_close: Text between such words and the calls.
        no_preamble: Text in the place of such words, where there are none.
        reasoning_open: Text before a block of reasoning at the start of a turn, if there is one.
        reasoning_close: Text after it.
        reasoning_close_calls: Text after it where calls follow at once, if it is another.
        no_reasoning: Text in the place of reasoning, where there is none.
        no_reasoning_calls: Text in its place where calls follow at once, if it is another.
        reasons: Whether the model reasons unless it is told not to.
        thinking_prompt: Text that a prompt adds after the opening of the assistant's turn for the
            model to reason: a beginning of what the turn would hold.
        plain_prompt: Text that a prompt adds there for the model not to reason.
        tokens: Texts that may be special tokens. If none are given, all tags are, as `<tag>` and
            `[TAG]`.
        models: The models that write it, for people.
        templates: Names of files of chat templates whose turns it writes, as trl and llama.cpp call
            them, without the suffix.
        escapes: Whether JSON spells no marker of the format in a string, but escapes its first
            character. Templates of models write markers in strings as they are.

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
    next_turns: tuple[str, ...] = ()
    calls_open: str = ""
    calls_close: str = ""
    calls_end: str = ""
    call: str = "{call}"
    call_members: tuple[tuple[str, str], ...] = (("name", "{name}"), ("arguments", "{arguments}"))
    optional_members: tuple[str, ...] = ()
    max_calls: int | None = None
    id_pattern: str = "[a-zA-Z0-9]{9}"
    first_index: int = 0
    counts_on: bool = False
    arguments: Notation = field(default_factory=JsonArguments)
    bare: str = ""
    words_open: str = ""
    words_close: str = ""
    words_with_calls: WordsWithCalls = "before"
    preamble_open: str = ""
    preamble_close: str = ""
    no_preamble: str = ""
    reasoning_open: str = ""
    reasoning_close: str = ""
    reasoning_close_calls: str | None = None
    no_reasoning: str = ""
    no_reasoning_calls: str | None = None
    reasons: bool = False
    thinking_prompt: str = ""
    plain_prompt: str = ""
    tokens: tuple[str, ...] = ()
    models: str = ""
    templates: tuple[str, ...] = ()
    escapes: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.arguments, Notation):
            what = shortened(self.arguments)
            raise FormatError(f"{self.name}: arguments are spelt by a Notation, not by {what}")
        for marker in self._markers if self.escapes else ():
            # `write_json` escapes the first character of a marker, which JSON holds like this only
            # inside strings; and with one `<` each, no marker can begin inside another.
            if marker.rfind("<") != 0 and not _CAPITALS.fullmatch(marker):
                raise FormatError(
                    f"{self.name}: {marker!r} must have one '<', at its start, or be [CAPITALS]"
                )

    def __repr__(self) -> str:
        tags = f"call_open={self.call_open!r}, call_close={self.call_close!r}"
        arguments = type(self.arguments).__name__
        return f"<FormatSpec {self.name}: {tags}, arguments={arguments}(…)>"

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
    def turn_marks(self) -> tuple[str, ...]:
        """Texts that stand between turns: no message holds one."""
        marks = (self.turn_end.strip(), self.calls_end.strip(), *self.next_turns)
        return tuple(dict.fromkeys(mark for mark in (*marks, self.turn_start) if mark))

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts at which the turn of an unconstrained model is over."""
        # What stands between words and calls does not end a turn.
        inside = self.preamble_close + self.calls_open + self.call_open
        return tuple(mark for mark in self.turn_marks if mark not in inside)

    @property
    def call_mark(self) -> str:
        """What tells calls from words: the first tag before them."""
        if self.bare or self.max_calls == 0:
            return ""
        return self.calls_open.strip() or self.call_start

    @property
    def call_start(self) -> str:
        """The text with which each call begins; empty if it begins with what is its own."""
        first = "{" if self.call == "{call}" else pieces_of(self.call)[0]
        return self.call_open.strip() or ("" if PLACEHOLDER.fullmatch(first) else first.strip())

    @property
    def call_head(self) -> str:
        """The text from the beginning of a call to the first thing that is its own."""
        head = self.call_open + self.call_padding
        return head if self.call == "{call}" else head + PLACEHOLDER.split(self.call)[0]

    @property
    def call_tail(self) -> str:
        """The text from the last thing that is a call's own to its end."""
        tail = self.call_padding + self.call_close
        return tail if self.call == "{call}" else PLACEHOLDER.split(self.call)[-1] + tail

    @functools.cached_property
    def call_tags(self) -> tuple[str, ...]:
        """Tags before a call of which each tells that one begins, even without the others.

        They are those that stand nowhere else in the format.
        """
        if self.max_calls == 0:
            return ()
        opening = OPENING_TAG.findall(self.calls_open + self.call_head)
        around = (self.reasoning_open, self.call_tail, self.calls_close, self.call_separator)
        found = [tag for tag in opening if not self._marks_more(tag, around)]
        return (*dict.fromkeys(found), *(TAGS_OF_BARE_CALLS if self.bare else ()))

    @functools.cached_property
    def stray_marks(self) -> tuple[str, ...]:
        """Marks of reasoning that models write where they mean nothing, longer ones first."""
        opening, closing = self.reasoning_open.strip(), self.reasoning_close.strip()
        calls = (self.calls_open, self.call_head, self.call_tail, self.calls_close)
        tags = [tag for tag in TAG.findall(opening) if not self._marks_more(tag, calls)]
        return tuple(sorted({mark for mark in (opening, closing, *tags) if mark}, key=len)[::-1])

    def _marks_more(self, tag: str, others: tuple[str, ...]) -> bool:
        """Whether a tag stands in one of some texts, or around turns, words or results."""
        ends = (self.turn_start, self.turn_end, self.calls_end, *self.next_turns)
        words = (self.words_open, self.words_close, self.preamble_open, self.preamble_close)
        before = (self.no_preamble, self.no_reasoning.replace(self.reasoning_open, ""))
        results = (self.result_open, self.result_close)
        around = [text for role in self.turns for text in role[1:]]
        after = (self.reasoning_close, *ends, *words, *before, *results, *around)
        return any(tag in text for text in (*others, *after))

    @property
    def call_marks(self) -> tuple[str, ...]:
        """The texts that tell calls from words, with the text before them that is no part of the
        words, and without."""
        opening = self.calls_open or self.call_open
        space = opening[: len(opening) - len(opening.lstrip())]
        before = (self.preamble_close + space, self.no_preamble + space, "")
        marks = [mark for mark in (self.call_mark, *self.call_tags) if mark]
        return tuple(dict.fromkeys(text + mark for text in before for mark in marks))

    @property
    def has_channels(self) -> bool:
        """Whether a turn is made of messages whose headers name channels, as those of harmony."""
        return CHANNEL in self.words_open and MESSAGE in self.words_open

    @property
    def wraps_words(self) -> bool:
        """Whether a marker opens words."""
        return bool(self.words_open.strip() or self.preamble_open.strip())

    @property
    def word_stops(self) -> tuple[str, ...]:
        """Texts that words do not hold."""
        wrapped = (self.words_close.strip(), self.preamble_close.strip())
        calls = (self.call_mark, *self.call_tags)
        reasoning = (self.reasoning_open.strip(), self.reasoning_close.strip())
        ends = ENDS_OF_MESSAGES if self.has_channels else ()
        marks = (*calls, *reasoning, *wrapped, *ends, *self.turn_marks)
        return tuple(dict.fromkeys(mark for mark in marks if mark))

    @property
    def reasoning_stops(self) -> tuple[str, ...]:
        """Texts that reasoning does not hold."""
        closings = (self.reasoning_close, self.reasoning_close_calls or "")
        ends = ENDS_OF_MESSAGES if self.has_channels else ()
        marks = (*(closing.strip() for closing in closings), *ends, *self.turn_marks)
        return tuple(dict.fromkeys(mark for mark in marks if mark))

    def end_of(self, has_calls: bool) -> str:
        """The marker after a turn.

        Args:
            has_calls: Whether the turn has calls.
        """
        return (self.calls_end if has_calls else "") or self.turn_end

    @property
    def no_reasoning_here(self) -> str:
        """Why a turn cannot reason."""
        if self.reasoning_open:
            return f"{self.name} has no reasoning here: the prompt closed it"
        return f"{self.name} has no notation of reasoning"

    def after_reasoning(self, calls_follow: bool) -> str:
        """The text after a block of reasoning.

        Args:
            calls_follow: Whether calls come next, and not words.
        """
        if calls_follow and self.reasoning_close_calls is not None:
            return self.reasoning_close_calls
        return self.reasoning_close

    @property
    def default_prompt(self) -> str:
        """What a prompt opens of the turn, if nothing else is said."""
        return self.thinking_prompt if self.reasons else self.plain_prompt

    def closes_reasoning(self, text: str) -> bool:
        """Whether a turn closes reasoning that it did not open, before any call.

        Args:
            text: The turn.
        """
        closing, opening = self.reasoning_close.strip(), self.reasoning_open.strip()
        at = text.find(closing) if closing and opening and not self.has_channels else -1
        others = (opening, self.call_mark, *self.call_tags, *self.stops)
        return at >= 0 and not any(mark in text[:at] for mark in others if mark)

    def opened_by(self, prompt: str) -> str:
        """The part of the assistant's turn that stands at the end of a prompt already.

        Args:
            prompt: The prompt, or its end.

        Returns:
            One of `thinking_prompt` and `plain_prompt`, or the opening of reasoning; empty if the
            prompt ends with none of them.
        """
        around = self.around("assistant")[0]
        known = sorted({self.thinking_prompt, self.plain_prompt}, key=len, reverse=True)
        for tail in known:
            if tail and prompt.endswith(around + tail):
                return tail
        # Other prompts open reasoning, too, whatever they write before it.
        opening = self.reasoning_open
        if opening.strip() and prompt.rstrip().endswith(opening.strip()):
            return opening if prompt.endswith(opening) else opening.rstrip()
        return ""

    def left_of_opening(
        self, opened: str, calls_follow: bool = False
    ) -> tuple[str | None, str | None]:
        """What is still to be written before reasoning, and before what follows if there is none.

        Args:
            opened: The part of the turn that the prompt holds.
            calls_follow: Whether calls follow at once, or words.

        Returns:
            Two texts; None for what cannot follow.
        """
        no_reasoning = self.no_reasoning
        if calls_follow and self.no_reasoning_calls is not None:
            no_reasoning = self.no_reasoning_calls
        thinking, plain = None, None
        if self.reasoning_open:
            closing = self.reasoning_close.strip()
            if self.reasoning_open.startswith(opened):
                thinking = self.reasoning_open[len(opened) :]
            elif opened.startswith(self.reasoning_open) and closing not in opened:
                thinking = ""
        if no_reasoning.startswith(opened):
            plain = no_reasoning[len(opened) :]
        elif thinking is None or opened == self.plain_prompt:
            plain = ""
        return thinking, plain

    @property
    def after_arguments(self) -> str:
        """The text that follows the arguments of a call."""
        following = pieces_of(self.call.partition("{arguments}")[2])
        return following[0] if following and following[0].strip() else self.call_close

    @property
    def arguments_end(self) -> str:
        """The first part of that text; empty if there is none."""
        return next(iter(parts_of(self.after_arguments)), "")

    @property
    def _markers(self) -> tuple[str, ...]:
        calls = (self.call_open, self.call_close)
        results = (self.result_open, self.result_close)
        marks = (self.turn_start, self.turn_end, *calls, *results)
        return tuple(mark.strip() for mark in marks if mark.strip())

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
        if not self.escapes:
            return encodable(text)
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
