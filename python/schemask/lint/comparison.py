"""Lines beside one another, and beside the requests of an evaluation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from schemask.errors import DataError, shortened
from schemask.lint.likeness import LikeTexts, digest, signature
from schemask.lint.offers import offered
from schemask.lint.rules import LintFinding
from schemask.lint.samples import Dialogue, Sample
from schemask.schemas.equal_values import call_text
from schemask.synth.decontaminate import RUN, SAME, THRESHOLD, WithheldIndex
from schemask.synth.withheld import Withheld
from schemask.synth.words import words_of

_ALIKE = 0.9
# Texts of fewer words are alike by chance.
_FEW_WORDS = 12


class Comparison:
    """Finds lines that say the same, and requests that an evaluation has.

    Args:
        against: Files of the evaluation.

    Raises:
        DataError: One that cannot be read, or in which there is no request.
    """

    def __init__(self, against: Sequence[str | os.PathLike[str]]) -> None:
        if isinstance(against, (str, os.PathLike)):
            raise DataError("against is a list of files: put the path into a list")
        self._known = WithheldIndex(Withheld.of(*against), RUN, THRESHOLD)
        self._has_known = bool(against)
        self._said: dict[int, int] = {}
        self._asked: dict[int, tuple[int, int]] = {}
        self._like = LikeTexts(_ALIKE)

    def add(self, sample: Sample) -> Iterator[LintFinding]:
        """A line, with what is found when it is compared with those before."""
        if sample.tokens is not None:
            text = json.dumps(sample.tokens.input_ids)
            yield from self._same(sample.line, digest(text, json.dumps(sample.tokens.labels)))
            return
        texts = [sample.text[0]] if sample.text is not None else []
        texts += [] if sample.rejected is None else [f"rejected: {sample.rejected}"]
        group = 0
        for dialogue in sample.dialogues:
            texts += _texts_of(dialogue)
            group = digest(*sorted(offered(tool).key for tool in dialogue.tools or ()))
        if not texts:
            return
        text = "\n".join(texts)
        words = words_of(text)
        is_new = True
        # With all signs, by which numbers differ.
        spelt = " ".join(text.casefold().split())
        for finding in self._same(sample.line, digest(spelt, str(group))):
            is_new = False
            yield finding
        if is_new and len(words) >= _FEW_WORDS:
            self._like.add(sample.line, group, signature(words, 3))
        if is_new and sample.shape != "preference":
            for dialogue in sample.dialogues:
                yield from self._contradictions(dialogue, group)
        if self._has_known:
            yield from self._leaks(sample)

    def _same(self, line: int, key: int) -> Iterator[LintFinding]:
        first = self._said.setdefault(key, line)
        if first != line:
            yield LintFinding("duplicate", line, f"the same as line {first}")

    def _contradictions(self, dialogue: Dialogue, group: int) -> Iterator[LintFinding]:
        """Another first answer of calls to the same messages."""
        messages = dialogue.messages
        turn = next((at for at in dialogue.spoken), None)
        if turn is None:
            return
        before = [f"{message['role']}: {message['content']}" for message in messages[:turn]]
        tools = [found.tool for found in map(offered, dialogue.tools or ())]
        parameters = {tool.name: tool.parameters for tool in tools if tool is not None}
        calls = [call["function"] for call in messages[turn].get("tool_calls", ())]
        said = sorted(
            call_text(call["name"], call["arguments"], parameters.get(call["name"], {}))
            for call in calls
        )
        asked = " ".join(words_of("\n".join(before)))
        key, made = digest(asked, str(group)), digest(*said)
        known, line = self._asked.setdefault(key, (made, dialogue.line))
        if known != made:
            problem = f"line {line} answers it by other calls"
            yield dialogue.finding("contradiction", problem, turn)

    def _leaks(self, sample: Sample) -> Iterator[LintFinding]:
        requests = [
            (dialogue, turn, message["content"])
            for dialogue in sample.dialogues[:1]
            for turn, message in enumerate(dialogue.messages)
            if message["role"] == "user"
        ]
        for dialogue, turn, text in requests:
            if (found := self._known.like(text)) is not None:
                how, place = found
                problem = f"{shortened(text)}: {place}"
                yield dialogue.finding(_leak(how), problem, turn, "content")
        if sample.text is not None and (found := self._known.like(sample.text[0])) is not None:
            how, place = found
            yield LintFinding(_leak(how), sample.line, place)

    def last_findings(self) -> Iterator[LintFinding]:
        """What is found when all lines have been seen."""
        for line, other, share in self._like.pairs():
            message = f"{share:.0%} the same as line {other}"
            yield LintFinding("near-duplicate", line, message)


def _texts_of(dialogue: Dialogue) -> Iterator[str]:
    """What the messages of a dialogue say, but for the system."""
    for message in dialogue.messages:
        if message["role"] != "system":
            yield f"{message['role']}: {message['content']}"
        for call in message.get("tool_calls", ()):
            yield json.dumps(call["function"], ensure_ascii=False, sort_keys=True)


def _leak(how: str) -> str:
    """The rule for a text that is like a withheld one."""
    return "leaked" if how == SAME else "nearly-leaked"
