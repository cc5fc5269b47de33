"""Right turns beside wrong ones, for training by preference."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask._lines import Conversation
from schemask._native import CompiledGrammar
from schemask._settings import check_whole
from schemask.chat.catalog import chat_format
from schemask.chat.format import ChatFormat
from schemask.chat.messages import Message
from schemask.chat.printed import as_python
from schemask.errors import DataError, Error, shortened
from schemask.schemas.equal_values import filled
from schemask.synth.faults import MALFORMED, WRONG, Fault, RightTurn
from schemask.synth.other_values import same_value
from schemask.synth.outcomes import Outcome
from schemask.synth.settings import digest_of
from schemask.synth.validity import Flaw, is_turn, read_conversation, turn_grammar
from schemask.synth.values import leaves_of
from schemask.synth.words import words_of
from schemask.tools import ToolSet

FAULTS: tuple[str, ...] = (*MALFORMED, *WRONG)
"""What can be wrong with a rejected turn."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A stage that puts a wrong turn beside a right one.

    A line `{"messages", "tools", "rejected", "fault"}` ends with the right turn of the assistant.
    `rejected` is a message in its place, or `{"text": …, "right": …}`, what a model of the format
    writes, and how the format writes the right turn: by that, `schemask.training.preferences` knows
    whether a tokenizer's own format is the same.
    `fault` is one of two kinds. The grammar of the format refuses

    - "syntax": a call that cannot be read,
    - "unknown function", "unknown argument", "missing argument", "wrong type": a call that does not
      fit the tools;

    and it allows, where what is called is another thing even after defaults,

    - "wrong argument": one argument has another value, or is left out or added,
    - "wrong function": a tool is called that was not meant,
    - "missing call", "extra call": a turn with a call less or more,
    - "needless call": a call where words are right,
    - "no call": words where a call is right.

    Each is proven so by the grammar. Which turn is taken and which fault it gets is drawn.

    Attributes:
        pairs: The most lines that are written for one.
        faults: Which faults are made.
        format: Name of the format, or the format, by which turns are written and proven.
        seed: Decides about everything that is drawn.

    Raises:
        DataError: A setting out of range or of a wrong type.
        FormatError: No such format.
    """

    pairs: int = 1
    faults: tuple[str, ...] = FAULTS
    format: str | ChatFormat = "hermes"
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("pairs", self.pairs, 1)
        check_whole("seed", self.seed)
        chat_format(self.format)
        given = self.faults
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise DataError(f"faults are a list of faults, not {shortened(given)}")
        if unknown := [fault for fault in given if fault not in FAULTS]:
            raise DataError(f"no fault {shortened(unknown[0])}; there is {', '.join(FAULTS)}")
        object.__setattr__(self, "faults", tuple(dict.fromkeys(given)))

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "pair"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        form = self.format
        named = form if isinstance(form, str) else digest_of(as_python(form.spec))
        return {
            "pairs": self.pairs,
            "faults": list(self.faults),
            "format": named,
            "seed": self.seed,
        }

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line with wrong turns beside right ones.

        Args:
            example: The line.
            index: Its number in the input, from 0.
        """
        read = read_conversation(example)
        if isinstance(read, Flaw):
            return Outcome(refused=read.reason, detail=read.detail)
        form = chat_format(self.format)
        try:
            grammar = turn_grammar(form, read.tools)
            turns = dict(_right_turns(read, form))
        except Error as error:
            return Outcome(refused="cannot be written", detail=str(error))
        for place, right in turns.items():
            if not is_turn(right.text, grammar):
                detail = f"message {place}: {form.name} does not allow {shortened(right.text)}"
                return Outcome(refused="cannot be written", detail=detail)
        draw = random.Random(f"{self.seed}/{self.name}/{index}")
        others = {k: v for k, v in example.items() if k not in ("user", "tool_call")}
        ways = [(place, fault) for place in turns for fault in self.faults]
        made: list[dict[str, Any]] = []
        for place, fault in draw.sample(ways, len(ways)):
            if len(made) == self.pairs:
                break
            rejected = self._rejected(turns[place], fault, form, grammar, draw)
            if rejected is not None:
                messages = read.messages[: place + 1]
                line = {**others, "messages": messages, "tools": read.tools.definitions}
                made.append({**line, "rejected": rejected, "fault": fault})
        if not made:
            return Outcome(refused="no fault fits", detail=f"none of {', '.join(self.faults)}")
        return Outcome(tuple(made))

    def _rejected(
        self,
        right: RightTurn,
        fault: str,
        form: ChatFormat,
        grammar: CompiledGrammar,
        draw: random.Random,
    ) -> dict[str, Any] | None:
        is_allowed = fault in WRONG
        make: Fault = {**MALFORMED, **WRONG}[fault]
        for candidate in make(right, draw):
            if isinstance(candidate, str):
                text = candidate
            else:
                try:
                    text = form.render_assistant(candidate, right.tools)
                except Error:  # a format that writes one call alone, or no words beside calls
                    continue
            if text == right.text or is_turn(text, grammar) != is_allowed:
                continue
            if isinstance(candidate, str):
                return {"text": candidate, "right": right.text}
            if not is_allowed or _told(candidate, right.tools) != _told(right.message, right.tools):
                return candidate
        return None


def _right_turns(line: Conversation, form: ChatFormat) -> Iterator[tuple[int, RightTurn]]:
    """The turns of the assistant, with their places among the messages."""
    for place, message in enumerate(line.messages):
        if message["role"] != "assistant":
            continue
        asked = place > 0 and line.messages[place - 1]["role"] == "user"
        # Reasoning of the right turn is none of the wrong one, and the prompt may not open any.
        spoken = {k: v for k, v in message.items() if k != "reasoning_content"}
        text = form.render_assistant(spoken, line.tools)
        texts = tuple(_texts(line.messages[: place + 1]))
        yield place, RightTurn(spoken, text, line.tools, texts, asked)


def _texts(messages: Sequence[Message]) -> list[str]:
    """Values of arguments so far that are texts, and words of the requests that may be names."""
    found: dict[str, None] = {}
    for message in messages:
        for call in message.get("tool_calls", ()):
            leaves = leaves_of(call["function"]["arguments"])
            found.update(dict.fromkeys(leaf for leaf in leaves if isinstance(leaf, str) and leaf))
        if message["role"] == "user":
            words = [word.strip(".,;:!?()\"'") for word in message["content"].split()]
            found.update(dict.fromkeys(word for word in words[1:] if word[:1].isupper()))
            found.update(dict.fromkeys(word for word in words_of(message["content"])[-3:]))
    return list(found)


def _told(message: Message, tools: ToolSet) -> list[str]:
    """What a turn calls, apart from order, defaults that are spelt out, and spelling."""
    calls: list[Mapping[str, Any]] = [call["function"] for call in message.get("tool_calls", ())]
    told = []
    for call in calls:
        arguments = filled(call["arguments"], tools[call["name"]].parameters)
        told.append(json.dumps([call["name"], same_value(arguments)], sort_keys=True))
    return sorted(told)
