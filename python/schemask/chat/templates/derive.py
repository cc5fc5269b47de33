"""Formats that follow from chat templates, found by comparing what these make of short turns.

A turn is reasoning, words and calls, of which any may be missing. Each is rendered alone and with
each other, and what stands between any two of them, before the first and after the last becomes a
field of the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemask.chat.spec import FormatSpec
from schemask.chat.templates.arguments import ONE
from schemask.chat.templates.calls import CallProbe
from schemask.chat.templates.environment import undeclared
from schemask.chat.templates.probing import NAMES, REASONING, WORDS, Prober, Turn, shape_of
from schemask.chat.templates.section import CallSection
from schemask.chat.templates.shape import MessageShape
from schemask.chat.templates.tags import Tags
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

# Variables that may turn reasoning on and off.
_SWITCH = re.compile(r"(?i)think|reason")
_NO_SWITCH = re.compile(r"(?i)past|history|preserve|keep|clear|truncate|budget|content|text")
# What a marker that opens reasoning is called.
_REASONING_NAME = re.compile(r"(?i)think|thought|reason|analysis")


@dataclass(frozen=True)
class Derived:
    """What follows from a template.

    Attributes:
        spec: The format.
        shape: The shape of messages that the template wants.
        thinking: Variables with which a prompt makes the model reason; None if none do.
        plain: Variables with which a prompt makes it not reason; None if none do.
        findings: What the template does that a person should know, a sentence each.
    """

    spec: FormatSpec
    shape: MessageShape
    thinking: Mapping[str, Any] | None
    plain: Mapping[str, Any] | None
    findings: tuple[str, ...]


def derive(template: ChatTemplate, name: str = "template") -> Derived:
    """The format of the assistant's turns that a template renders.

    Args:
        template: The template.
        name: Name of the format.

    Raises:
        FormatError: The template does not render a question and an answer, or what it renders does
            not follow one pattern; with the text.
    """
    return _Derivation(template, name).derived()


@dataclass(frozen=True)
class _Joints:
    """What stands before a part of a turn, by what comes before it; None where no such turn is.

    Attributes:
        words: Before words alone.
        calls: Before calls alone, up to the first part that is a call's own.
        reasoning: Before reasoning.
        reasoning_words: Between reasoning and words.
        reasoning_calls: Between reasoning and calls.
        preamble: Before words that calls follow.
        reasoning_preamble: Between reasoning and such words.
        words_calls: Between words and calls.
    """

    words: str
    calls: str | None = None
    reasoning: str | None = None
    reasoning_words: str | None = None
    reasoning_calls: str | None = None
    preamble: str | None = None
    reasoning_preamble: str | None = None
    words_calls: str | None = None


def _without(text: str | None, end: str) -> str | None:
    """A text without its end, if it has that; None if there is no text."""
    return None if text is None else text.removesuffix(end)


def _before_calls(
    calls: str | None, reasoning_calls: str | None, no_reasoning: str
) -> tuple[str, str | None]:
    """What is in the place of words before calls, and in that of reasoning, if that is another text
    than before words.

    Args:
        calls: What is before calls alone, without what belongs to them.
        reasoning_calls: The same between reasoning and calls.
        no_reasoning: What is in the place of reasoning before words.
    """
    no_preamble = None
    if calls is not None and calls.startswith(no_reasoning):
        no_preamble = calls[len(no_reasoning) :]
    if reasoning_calls is None:
        return no_preamble or "", None
    if no_preamble is not None and reasoning_calls.endswith(no_preamble):
        return no_preamble, None
    return "", calls


class _Derivation:
    def __init__(self, template: ChatTemplate, name: str) -> None:
        self._template = template
        self._name = name
        self._findings: list[str] = []
        shape = shape_of(template)
        self._shape = shape or MessageShape()
        self._tags = Tags((*template.special_tokens, template.bos_token, template.eos_token))
        self._prober = Prober(template, self._shape)
        self._modes = list(self._found_modes())  # the first without variables
        self._probe: CallProbe | None = None
        if shape is not None:
            self._probe = CallProbe(self._prober, self._tags)
        else:
            self._note("the template writes no calls: it drops `tool_calls`")

    def _note(self, finding: str) -> None:
        self._findings.append(finding)

    def derived(self) -> Derived:
        before_user = self._prober.before(Turn(words=True))
        self._turn_start = self._first_tag(before_user)
        opening = self._opening()
        joints = self._joints(opening)
        if any(self._turn_start in (joint or "") for joint in vars(joints).values()):
            self._turn_start = ""
        fields: dict[str, Any] = {"name": self._name, "escapes": False}
        calls = self._probe.calls() if self._probe is not None else None
        prefix = self._prefix_of_calls(joints) if calls is not None else ""
        fields |= self._starts(joints, prefix, opening)
        fields |= self._prompts(opening, fields["reasoning_open"])
        fields |= self._ends_of_words(before_user)
        fields["turn_start"] = self._turn_start
        if calls is not None and self._probe is not None:
            section = CallSection(self._prober, self._tags, self._probe, self._turn_start)
            fields |= section.fields(calls, prefix, fields)
            self._findings += section.findings
        else:
            fields |= {"call_open": "", "call_close": "", "max_calls": 0}
        known = fields.pop("thinking"), fields.pop("plain")
        calls_end = fields.get("calls_end", "")
        words_close = fields["turn_end"].removesuffix(calls_end)
        if calls_end and words_close.strip() and words_close != fields["turn_end"]:
            # What turns of words end with before what all turns end with, closes words.
            fields["words_close"] = words_close
            fields |= {"turn_end": calls_end, "calls_end": ""}
        fields["turns"] = (("assistant", self._role(opening), fields["turn_end"]),)
        fields["tokens"] = self._tokens(fields)
        return Derived(FormatSpec(**fields), self._shape, *known, tuple(self._findings))

    # What the prompt opens.

    def _found_modes(self) -> Iterator[Prober]:
        """What renders with variables that change the prompt; at first, with none."""
        seen = {self._prober.prompt}
        yield self._prober
        for name in sorted(undeclared(self._template.text)):
            if not _SWITCH.search(name) or _NO_SWITCH.search(name):
                continue
            for value in (True, False, "on", "off", "none", "enabled", "disabled"):
                prober = Prober(self._template, self._shape, {name: value})
                try:
                    prompt = prober.prompt
                except FormatError:
                    continue
                if prompt not in seen:
                    seen.add(prompt)
                    yield prober

    def _body(self, turn: Turn) -> str | None:
        """What follows the user's words, by the first variables that do not drop reasoning."""
        for prober in self._modes:
            text = prober.turn(turn)
            if text is not None and (REASONING in text or not turn.reasoning):
                return text
        return self._prober.turn(turn)

    def _opening(self) -> str:
        """What follows the user's words, up to where turns differ."""
        turns = [
            Turn(words=True),
            Turn(reasoning=True, words=True),
            Turn(calls=(ONE,)),
            Turn(reasoning=True, calls=(ONE,)),
        ]
        bodies = [body for turn in turns if (body := self._body(turn)) is not None]
        opening = self._tags.common_start([*bodies, self._prober.prompt])
        for prober in self._modes:
            # Variables may change what the user says, too.
            opening = self._tags.common_start([opening, prober.prompt]) or opening
        names = list(_REASONING_NAME.finditer(opening))
        marker = self._tags.start_at(opening, names[-1].start()) if names else len(opening)
        if len(self._tags.found(opening[marker:])) > 2:
            return opening
        # Each turn opens reasoning, if only to close it: the marker is no part of the opening.
        return opening[:marker]

    def _prompts(self, opening: str, reasoning_open: str) -> dict[str, Any]:
        """What prompts open of a turn."""
        role = self._role(opening)
        tails = []
        for prober in self._modes:
            prompt = prober.prompt
            if prompt.startswith(opening):
                tails.append((prober.variables, prompt[len(opening) :]))
            elif role and role in prompt:
                tails.append((prober.variables, prompt.rpartition(role)[2]))
        thinking, plain = None, None
        for variables, tail in tails:
            opens = bool(reasoning_open) and (
                reasoning_open.startswith(tail) or tail.strip() == reasoning_open.strip()
            )
            if opens and thinking is None:
                thinking = (variables, tail)
            if not opens and plain is None:
                plain = (variables, tail)
        return {
            "reasons": thinking is not None and tails[0] == thinking,
            "thinking_prompt": thinking[1] if thinking else "",
            "plain_prompt": plain[1] if plain else "",
            "thinking": thinking[0] if thinking else None,
            "plain": plain[0] if plain else None,
        }

    def _role(self, opening: str) -> str:
        """The opening of the assistant's turn, without the end of the turn before it."""
        if self._turn_start and self._turn_start in opening:
            return opening[opening.rindex(self._turn_start) :]
        last = opening[self._tags.last_start(opening) :]
        return "" if "/" in last[:2] else last

    def _first_tag(self, before_user: tuple[str, str] | None) -> str:
        """The marker with which turns begin, if there is one."""
        if before_user is None:
            return ""
        head, between = before_user
        found = self._tags.found(head)
        # The token that begins a text may be the one that begins turns, or come before it.
        first = found[: 2 if found[:1] == [self._template.bos_token] else 1]
        return next((tag for tag in first if tag in between), "")

    # What stands before the parts of a turn.

    def _joints(self, opening: str) -> _Joints:
        def before(turn: Turn, *parts: str) -> list[str | None]:
            """What stands before parts of a turn, after the part before; None if one is missing."""
            body = self._body(turn)
            nothing: list[str | None] = [None] * len(parts)
            if body is None or not body.startswith(opening):
                return nothing
            at = len(opening)
            found: list[str | None] = []
            for part in parts:
                start, end = self._place(body, part)
                if start < at:
                    return nothing
                found.append(body[at:start])
                at = end
            return found

        [words] = before(Turn(words=True), "words")
        if words is None:
            body = self._prober.turn(Turn(words=True))
            raise FormatError(f"the template does not write what the assistant says: {body!r}")
        [calls] = before(Turn(calls=(ONE,)), "calls")
        both = before(Turn(reasoning=True, words=True), "reasoning", "words")
        thoughtful = before(Turn(reasoning=True, calls=(ONE,)), "reasoning", "calls")
        preamble = before(Turn(words=True, calls=(ONE,)), "words", "calls")
        all_parts = Turn(reasoning=True, words=True, calls=(ONE,))
        whole = before(all_parts, "reasoning", "words", "calls")
        if both[0] is None and thoughtful[0] is None:
            self._note("reasoning is dropped: the template never writes it")
        elif None not in (both[0], thoughtful[0]) and both[0] != thoughtful[0]:
            raise FormatError(f"reasoning begins by {both[0]!r} and by {thoughtful[0]!r}")
        return _Joints(
            words,
            calls,
            both[0] if both[0] is not None else thoughtful[0],
            both[1],
            thoughtful[1],
            preamble[0],
            whole[1],
            preamble[1],
        )

    def _place(self, body: str, part: str) -> tuple[int, int]:
        """Where a part stands in a text; (-1, -1) if it does not."""
        if part == "calls":
            if self._probe is None or NAMES[0] not in body:
                return -1, -1
            spans = self._probe.spans(body)
            return spans[0] if spans else (-1, -1)
        word = {"words": WORDS, "reasoning": REASONING}[part]
        start = body.find(word)
        return (start, start + len(word)) if start >= 0 else (-1, -1)

    def _prefix_of_calls(self, joints: _Joints) -> str:
        """What stands before calls whatever comes before them."""
        found = (joints.calls, joints.reasoning_calls, joints.words_calls)
        if joints.calls is None:
            raise FormatError("the template writes no turn of a call alone")
        prefix = self._tags.common_end([text for text in found if text is not None])
        # Neither the end of reasoning nor white space is a part of it.
        closing = self._tags.found(joints.reasoning_words or "")
        if joints.words_calls is not None:
            closing = []  # what stands between words and calls, too, is no end of reasoning
        marks = [
            tag for tag in self._tags.found(prefix) if _REASONING_NAME.search(tag) or tag in closing
        ]
        return (prefix.rpartition(marks[-1])[2] if marks else prefix).lstrip()

    def _starts(self, joints: _Joints, prefix: str, opening: str) -> dict[str, Any]:
        """Fields of what stands before words and calls, and around reasoning.

        Texts of which each is two or three of these fields tell what each of them is:

            joints.words           = no_reasoning    + words_open
            joints.reasoning_words = reasoning_close + words_open
            joints.calls           = no_reasoning    + no_preamble + prefix
            joints.reasoning_calls = reasoning_close + no_preamble + prefix

        If no fields make all four, calls have a `no_reasoning_calls` of their own; and if
        reasoning closes otherwise before them, a `reasoning_close_calls`.
        """
        calls = _without(joints.calls, prefix)
        reasoning_calls = _without(joints.reasoning_calls, prefix)
        no_reasoning, words_open = self._before_words(joints, calls)
        no_preamble, no_reasoning_calls = _before_calls(calls, reasoning_calls, no_reasoning)
        close = _without(joints.reasoning_words, words_open)
        close_calls = _without(reasoning_calls, no_preamble)
        fields: dict[str, Any] = {
            "no_reasoning": no_reasoning,
            "words_open": words_open,
            "no_preamble": no_preamble,
            "reasoning_open": joints.reasoning or "",
            "reasoning_close": close if close is not None else close_calls or "",
        }
        if no_reasoning_calls is not None:
            fields["no_reasoning_calls"] = no_reasoning_calls
        if None not in (close, close_calls) and close != close_calls:
            fields["reasoning_close_calls"] = close_calls
        if joints.reasoning is None:
            fields |= self._hidden_reasoning()
        elif not joints.reasoning.strip():
            fields |= self._unmarked_reasoning(opening)
        if calls is not None:
            fields |= self._preamble(joints, prefix, fields)
        return fields

    def _before_words(self, joints: _Joints, calls: str | None) -> tuple[str, str]:
        """What is in the place of reasoning before words, and what opens words.

        Args:
            joints: What stands before the parts of turns.
            calls: What is before calls alone, without what belongs to them.
        """
        words = joints.words
        if calls is None:
            no_reasoning = self._tags.up_to_last(words)
        else:
            no_reasoning = self._tags.common_start([words, calls])
        if not no_reasoning.strip():
            no_reasoning = ""
        words_open = words[len(no_reasoning) :]
        if joints.reasoning_words is not None and not joints.reasoning_words.endswith(words_open):
            # It is not there after reasoning, so that it stands in the place of reasoning.
            return words, ""
        return no_reasoning, words_open

    def _unmarked_reasoning(self, opening: str) -> dict[str, Any]:
        """Reasoning whose beginning only the prompt marks."""
        tail = self._prober.prompt[len(opening) :]
        if not tail.strip():
            raise FormatError("nothing marks where reasoning begins")
        self._note(f"earlier turns hold reasoning without {tail!r}, by which prompts open it")
        return {"reasoning_open": tail}

    def _hidden_reasoning(self) -> dict[str, Any]:
        """Reasoning that prompts open and the template drops: its end is that of its marker."""
        for prober in self._modes:
            prompt = prober.prompt
            marker = self._tags.found(prompt)[-1:]
            if marker and _REASONING_NAME.search(marker[0]):
                closing = f"</{marker[0][1:]}" if marker[0].startswith("<") else ""
                if closing and closing in self._template.text:
                    tail = prompt[prompt.rindex(marker[0]) :]
                    space = "\n" if tail.endswith("\n") else ""
                    self._note(f"that reasoning ends by {closing!r} is no more than likely")
                    return {"reasoning_open": tail, "reasoning_close": space + closing + space * 2}
        return {}

    def _preamble(self, joints: _Joints, prefix: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of words that stand beside calls."""
        body = self._body(Turn(words=True, calls=(ONE,)))
        if joints.words_calls is None:
            after = body is not None and 0 <= self._place(body, "calls")[0] < body.find(WORDS)
            if not after:
                self._note("words beside calls are dropped")
            return {"words_with_calls": "after" if after else "none"}
        closing = joints.words_calls.removesuffix(prefix)
        preamble = (joints.preamble or "").removeprefix(fields["no_reasoning"])
        thoughts = {fields["reasoning_close"], fields.get("reasoning_close_calls")}
        as_reasoning = preamble == fields["reasoning_open"] and (
            closing.removesuffix(fields["no_preamble"]) in thoughts
        )
        if joints.reasoning is not None and as_reasoning:
            self._note("words beside calls are written as reasoning is")
            return {"words_with_calls": "none"}
        return {"preamble_open": preamble, "preamble_close": closing}

    # What ends a turn.

    def _ends_of_words(self, before_user: tuple[str, str] | None) -> dict[str, Any]:
        body = self._prober.turn(Turn(words=True)) or ""
        at_end = body[body.rfind(WORDS) + len(WORDS) :]
        if before_user is None:
            return {"turn_end": self._tags.up_to_last(at_end), "next_turns": ()}
        head, between = before_user
        following = between[between.rfind(WORDS) + len(WORDS) :]
        end = self._tags.end(at_end, following, self._turn_start)
        if not end and at_end.strip():
            # The last turn of a conversation ends otherwise than those before it.
            end = self._tags.end(at_end, None, self._turn_start)
        elif not end:
            # A turn at the end of a conversation is left open.
            end = following.removesuffix(self._tags.common_end([following, head]))
            end = self._tags.up_to_last(end)
        next_turns = "" if end and following.startswith(end) else self._tags.first(following)
        return {"turn_end": end, "next_turns": (next_turns,) if next_turns else ()}

    def _tokens(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """The special tokens that the format holds."""
        held = [value for value in fields.values() if isinstance(value, str)]
        known = self._template.special_tokens
        found = [token for token in known if token.strip() and any(token in text for text in held)]
        return tuple(dict.fromkeys(found))
