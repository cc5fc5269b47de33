"""What a chat template does that one wants to know before a model is trained or served with it.

All of it is found by rendering short conversations and looking at what became of their parts.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.messages import Message
from schemask.chat.spec import FormatSpec
from schemask.chat.templates.environment import undeclared
from schemask.chat.templates.probing import (
    IDS,
    KEYS,
    NAMES,
    NEXT,
    REASONING,
    RESULT,
    TOOLS,
    USER,
    VALUES,
    WORDS,
    Turn,
)
from schemask.chat.templates.shape import MessageShape
from schemask.chat.templates.tags import Tags
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

SYSTEM, LATER = "Qzsystemq", "Qzlaterq"
_PARTS = (WORDS, VALUES[0], REASONING)
_ONE: tuple[Mapping[str, Any], ...] = ({KEYS[0]: VALUES[0]},)
_SPACED = "  {}  "
_CLOCK = re.compile(r"\bstrftime_now\s*\(")
# How much of two texts is shown around the place where they begin to differ.
_BEFORE, _AFTER = 24, 48


@dataclass(frozen=True)
class Finding:
    """Something that a template does.

    Attributes:
        kind: What sort of thing it is, in a word for programs.
        text: A sentence for people.
        examples: Texts that show it.
    """

    kind: str
    text: str
    examples: tuple[str, ...] = ()


class Looker:
    """Looks at a template.

    Args:
        template: The template.
        shape: The shape of messages that it wants.
        writes_calls: Whether it writes calls.
        modes: Variables that change what prompts open, each alone; the first are none.
        spec: The format of its turns, if that could be derived.
    """

    def __init__(
        self,
        template: ChatTemplate,
        shape: MessageShape,
        *,
        writes_calls: bool,
        modes: Sequence[Mapping[str, Any]] = ({},),
        spec: FormatSpec | None = None,
    ) -> None:
        self._template = template
        self._shape = shape
        self._modes = modes
        self._spec = spec
        self._tags = Tags((*template.special_tokens, template.bos_token, template.eos_token))
        self._turns = {
            "words": Turn(words=True),
            "reasoning and words": Turn(reasoning=True, words=True),
        }
        if writes_calls:
            self._turns["a call"] = Turn(calls=_ONE)
            self._turns["reasoning and a call"] = Turn(reasoning=True, calls=_ONE)

    def findings(self) -> Iterator[Finding]:
        """What is found, the weightiest first."""
        text = self._text_or_none([_said("user", USER)])
        if text is None or USER not in text:
            yield self._no_words(text)
            return
        yield from self._tools()
        yield from self._results()
        yield from self._history()
        yield from self._prompts()
        yield from self._endings()
        yield from self._generation_blocks()
        yield from self._roles()
        yield from self._trimming()
        yield from self._tokens()

    # Rendering.

    def _text(
        self,
        messages: Sequence[Message],
        *,
        tools: bool = True,
        prompt: bool = False,
        **variables: Any,
    ) -> str:
        """The conversation as text; FormatError if it is refused."""
        return self._template.render(
            self._shape.of(messages),
            TOOLS if tools else None,
            add_generation_prompt=prompt,
            **variables,
        )

    def _text_or_none(self, messages: Sequence[Message], **options: Any) -> str | None:
        try:
            return self._text(messages, **options)
        except FormatError:
            return None

    # What it does not list or write.

    def _no_words(self, text: str | None) -> Finding:
        """Why the user's words are not there, without which nothing else can be seen."""
        part = {"role": "user", "content": [{"type": "text", "text": USER}]}
        if USER in (self._text_or_none([part]) or ""):
            return Finding("wants_parts", "the content of a message must be a list of parts")
        what = "drops the user's words" if text is not None else "refuses a question of the user"
        return Finding("no_user", f"the template {what}")

    def _tools(self) -> Iterator[Finding]:
        for before in ([], [_said("system", SYSTEM)]):
            text = self._text_or_none([*before, _said("user", USER)])
            if text is not None and all(name in text for name in NAMES):
                return
        yield Finding("no_tools", "tools are not listed: the template drops `tools`")

    def _results(self) -> Iterator[Finding]:
        if "a call" not in self._turns:
            return
        messages = [_said("user", USER), Turn(calls=_ONE).message, _result(RESULT)]
        yield from self._refused("result", "results of tools", messages, RESULT)

    def _roles(self) -> Iterator[Finding]:
        user, assistant = _said("user", USER), Turn(words=True).message
        system, later = _said("system", SYSTEM), _said("system", LATER)
        following = _said("user", NEXT)
        yield from self._refused("system", "system messages", [system, user], SYSTEM)
        between = [system, user, assistant, later, following]
        yield from self._refused(
            "later_system", "system messages after the first turns", between, LATER
        )
        found: dict[str, list[tuple[str, ...]]] = {}
        for what, messages, held in (
            ("two turns of the user in a row", [user, following], (USER, NEXT)),
            (
                "two turns of the assistant in a row",
                [user, assistant, _said("assistant", LATER)],
                (WORDS, LATER),
            ),
            ("conversations that the assistant begins", [assistant, user], (WORDS, USER)),
        ):
            for finding in self._refused("roles", what, messages, *held):
                found.setdefault(finding.kind, []).append((what, *finding.examples))
        for kind, whats in found.items():
            done = kind.partition("_")[0].replace("refuses", "refused").replace("drops", "dropped")
            examples = dict.fromkeys(example for _, *examples in whats for example in examples)
            yield Finding(kind, f"{_listed(what for what, *_ in whats)} are {done}", (*examples,))

    def _refused(
        self, kind: str, what: str, messages: Sequence[Message], *held: str
    ) -> Iterator[Finding]:
        """A finding if a conversation is refused, or parts of it are dropped."""
        try:
            text = self._text(messages)
        except FormatError as error:
            yield Finding(f"refuses_{kind}", f"{what} are refused", (str(error),))
            return
        if not all(part in text for part in held):
            yield Finding(f"drops_{kind}", f"{what} are dropped")

    # Whether what was written stays.

    def _history(self) -> Iterator[Finding]:
        """What becomes of earlier turns once a conversation goes on."""
        found: dict[str, dict[str, list[str]]] = {}
        for what, messages in self._conversations():
            for at, message in enumerate(messages[:-1]):
                if message["role"] != "assistant":
                    continue
                alone = self._text_or_none(messages[: at + 1])
                whole = self._text_or_none(messages)
                if alone is not None and whole is not None:
                    kind, shown = self._change(alone, whole)
                    if kind:
                        found.setdefault(kind, {}).setdefault(shown, []).append(what)
        texts = {
            "drops_earlier_reasoning": "the reasoning of earlier turns is dropped",
            "moves_tools": "the place where tools are listed moves as a conversation goes on",
            "moves_system": "the system's words move as a conversation goes on",
            "changes_earlier_turns": "earlier turns are written otherwise once others follow",
        }
        for kind, text in texts.items():
            if kind in found:
                yield Finding(kind, text, _examples(found[kind]))

    def _conversations(self) -> Iterator[tuple[str, list[Message]]]:
        """Conversations that go on after a turn of the assistant, each with what happens then."""
        user, following = _said("user", USER), _said("user", NEXT)
        for name, turn in self._turns.items():
            if not turn.calls:
                yield f"{name}, then the user", [user, turn.message, following]
                continue
            called = [user, turn.message, _result(RESULT)]
            yield f"{name}, then the result", called
            answered = [*called, Turn(words=True).message, following]
            yield f"{name}, its result, words, then the user", answered
        if self._text_or_none([_said("system", SYSTEM), user]) is not None:
            answer = Turn(words=True).message
            yield "with a system message", [_said("system", SYSTEM), user, answer, following]

    def _change(self, alone: str, whole: str) -> tuple[str, str]:
        """What of a text is no longer in the text that goes on, and how; or nothing."""
        kept = max((alone.rfind(part) + len(part) for part in _PARTS if part in alone), default=0)
        at = len(self._tags.common_start([alone, whole]))
        if at >= kept:
            return "", ""
        if REASONING in alone and REASONING not in whole:
            return "drops_earlier_reasoning", ""
        for kind, part in (("moves_tools", NAMES[1]), ("moves_system", SYSTEM)):
            places = [text.find(part) for text in (alone, whole)]
            if -1 not in places and places[0] != places[1]:
                return kind, _difference(alone, whole, at)
        return "changes_earlier_turns", _difference(alone, whole, at)

    def _prompts(self) -> Iterator[Finding]:
        """Turns that do not begin as any prompt ends."""
        found: dict[str, list[str]] = {}
        for what, turn in self._turns.items():
            differences = []
            for prompt, whole, _ in self._prompted(turn):
                at = len(self._tags.common_start([prompt, whole]))
                if at == len(prompt):
                    break
                differences.append(_difference(prompt, whole, at))
            else:
                for shown in differences[:1]:
                    found.setdefault(shown, []).append(what)
        if found:
            turns = _listed(what for whats in found.values() for what in whats)
            text = f"turns of {turns} begin otherwise than prompts end"
            yield Finding("off_prompt", text, _examples(found))

    def _prompted(self, turn: Turn) -> Iterator[tuple[str, str, list[tuple[int, int]]]]:
        """A prompt, the text with a turn after it, and the generation blocks in it, by mode."""
        user = _said("user", USER)
        shaped = self._shape.of([user, turn.message])
        for mode in self._modes:
            prompt = self._text_or_none([user], prompt=True, **mode)
            if prompt is not None:
                with contextlib.suppress(FormatError):
                    yield prompt, *self._template.render_with_spans(shaped, TOOLS, **mode)

    # What a loss would count.

    def _endings(self) -> Iterator[Finding]:
        if "eos_token" in self._unnamed():
            return  # who knows what would stand there
        user = _said("user", USER)
        for what, part in (("words", WORDS), ("a call", VALUES[0])):
            if what not in self._turns:
                continue
            text = self._text_or_none([user, self._turns[what].message])
            if text is None or part not in text:
                continue
            rest = text[text.rfind(part) + len(part) :]
            if not (self._end_in(rest, what != "words") if self._spec else rest.strip()):
                yield Finding(
                    "open_end",
                    f"a last turn of {what} is not ended: nothing teaches a model to stop there",
                    (f"…{text[-_BEFORE:]!r}",),
                )

    def _end_in(self, rest: str, is_call: bool) -> int:
        """The length of what follows a turn's last part, up to the end of the turn; else 0."""
        assert self._spec is not None
        marks = ((self._spec.calls_end if is_call else ""), self._spec.turn_end)
        mark = next((mark for mark in marks if mark.strip()), "")
        at = rest.find(mark.strip()) if mark else -1
        return at + len(mark.strip()) if at >= 0 else 0

    def _generation_blocks(self) -> Iterator[Finding]:
        """How `{% generation %}` blocks lie to what a model writes."""
        found: dict[str, dict[str, list[str]]] = {}
        blocks = 0
        for what, turn in self._turns.items():
            rendered = list(self._prompted(turn))
            blocks += sum(len(spans) for *_, spans in rendered)
            follows = [(prompt, text, spans) for prompt, text, spans in rendered if prompt in text]
            for prompt, text, spans in (follows or rendered)[:1]:
                for kind, shown in self._misplaced(prompt, text, spans, bool(turn.calls)):
                    found.setdefault(kind, {}).setdefault(repr(shown), []).append(what)
        if not blocks:
            yield Finding(
                "no_generation_blocks",
                "there are no {% generation %} blocks: a loss on the assistant's tokens alone "
                "needs other masks, such as those of `schemask.training`",
            )
            return
        texts = {
            "trains_prompt": "{% generation %} blocks hold what the prompt supplies",
            "trains_more": "{% generation %} blocks hold what comes after the turn",
            "misses_start": "{% generation %} blocks begin after the model does",
            "misses_end": "{% generation %} blocks leave out what ends the turn",
            "misses_parts": "{% generation %} blocks leave out parts of the turn",
        }
        for kind, text in texts.items():
            if kind in found:
                yield Finding(kind, text, _examples(found[kind]))

    def _misplaced(
        self, prompt: str, text: str, spans: Sequence[tuple[int, int]], is_call: bool
    ) -> Iterator[tuple[str, str]]:
        """Texts that blocks hold or leave out by mistake, each with its kind."""
        start = len(self._tags.common_start([prompt, text]))
        last = max((text.rfind(part) + len(part) for part in _PARTS if part in text), default=start)
        end = last
        if self._spec is not None:
            end += self._end_in(text[last:], is_call)
        elif tag := self._tags.first(text[last:]):
            end = text.index(tag, last) + len(tag)
        at = start
        for first, following in (*spans, (end, end)):
            if first < start:
                yield "trains_prompt", text[first : min(start, following)]
            if following > max(end, first):
                extra = text[max(end, first) : following]
                if extra.strip():
                    yield "trains_more", extra
            missed = text[at : max(at, min(first, end))]
            if missed.strip():
                ends = at + len(missed) == end
                kind = "misses_end" if ends and at > start else "misses_parts"
                yield "misses_start" if at == start and not ends else kind, missed
            at = max(at, following)

    # What it makes of texts.

    def _trimming(self) -> Iterator[Finding]:
        user, turn = _said("user", USER), Turn(words=True).message
        spaced = _SPACED.format
        conversations = {
            "the system": (SYSTEM, [_said("system", spaced(SYSTEM)), user]),
            "the user": (USER, [_said("user", spaced(USER))]),
            "the assistant": (WORDS, [user, _said("assistant", spaced(WORDS))]),
        }
        if "a call" in self._turns:
            called = [user, Turn(calls=_ONE).message, _result(spaced(RESULT))]
            conversations["tools"] = (RESULT, called)
        if self._spec is not None and self._spec.reasoning_open:
            thoughts = {**turn, "reasoning_content": spaced(REASONING)}
            conversations["reasoning"] = (REASONING, [user, thoughts])
        trimmed = []
        for whose, (part, messages) in conversations.items():
            for mode in self._modes:
                text = self._text_or_none(messages, **mode)
                if text is not None and part in text:
                    if spaced(part) not in text:
                        trimmed.append(whose)
                    break
        if trimmed:
            yield Finding(
                "trims_words", f"white space around the words of {_listed(trimmed)} is dropped"
            )

    def _tokens(self) -> Iterator[Finding]:
        template = self._template
        if unnamed := self._unnamed():
            text = f"the template names {_listed(unnamed)}, of which the source gives no text"
            yield Finding("unnamed_tokens", text)
        markers = self._markers()
        if markers and not template.special_tokens:
            yield Finding(
                "unknown_tokens",
                "the source names no special tokens: whether markers are tokens of their own is "
                "not known",
                tuple(markers),
            )
        elif plain := [marker for marker in markers if marker not in template.special_tokens]:
            yield Finding("plain_markers", "markers that are no special tokens", tuple(plain))
        if _CLOCK.search(template.text):
            yield Finding("date", "what is written depends on the date")

    def _unnamed(self) -> list[str]:
        """Special tokens that the template refers to and the source does not name."""
        template = self._template
        return sorted(
            name
            for name in undeclared(template.text)
            if name.endswith("_token") and not getattr(template, name, template.variables.get(name))
        )

    def _markers(self) -> list[str]:
        """The markers around turns and their parts."""
        texts = []
        user = _said("user", USER)
        for turn in self._turns.values():
            for mode in self._modes:
                texts.append(self._text_or_none([user], prompt=True, tools=False, **mode) or "")
                texts.append(self._text_or_none([user, turn.message], tools=False, **mode) or "")
        tags = dict.fromkeys(tag for text in texts for tag in self._tags.found(text))
        return [tag for tag in tags if "Qz" not in tag and "qz" not in tag]


def _said(role: str, words: str) -> Message:
    return {"role": role, "content": words}


def _result(text: str) -> Message:
    return {"role": "tool", "name": NAMES[0], "tool_call_id": IDS[0], "content": text}


def _listed(words: Any) -> str:
    *others, last = dict.fromkeys(words)
    return f"{', '.join(others)} and {last}" if others else str(last)


def _examples(found: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What is shown, each with the conversations that show it."""
    texts = (
        f"{'; '.join(dict.fromkeys(whats))}{': ' if shown else ''}{shown}"
        for shown, whats in found.items()
    )
    return tuple(texts)


def _difference(one: str, other: str, at: int) -> str:
    """Two texts at the place where they begin to differ."""
    start = max(0, at - _BEFORE)
    shown = [json.dumps(text[start : at + _AFTER], ensure_ascii=False) for text in (one, other)]
    return f"{shown[0]} becomes {shown[1]}"
