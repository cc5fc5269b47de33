"""What a loss would count: of conversations as they are written, of texts, and of tokens."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.templates.encoders import Encoder
from schemask.errors import FormatError
from schemask.lint.rules import LintFinding
from schemask.lint.samples import Dialogue, Sample
from schemask.lint.scripts import Script, Speech, Writer

# How much of a text is shown.
_SHOWN = 48


@dataclass(frozen=True)
class Lengths:
    """How long a line is, in tokens.

    Attributes:
        total: All of it.
        trained: Those that a loss on what the model writes counts.
        forced: Those of them that the grammar supplies, where one has read them.
    """

    total: int
    trained: int
    forced: int = 0


class LossLooker:
    """Looks at what is trained.

    Args:
        encoder: The tokenizer.
        writer: What writes conversations; None if there are none.
        max_length: At which length, in tokens, the trainer cuts lines; None if it does not.
    """

    def __init__(self, encoder: Encoder, writer: Writer | None, max_length: int | None) -> None:
        self._encoder = encoder
        self._writer = writer
        self._limit = max_length

    @property
    def _has_blocks(self) -> bool:
        return self._writer is not None and self._writer.has_blocks

    # Conversations.

    def dialogue(self, script: Script) -> Iterator[LintFinding | Lengths]:
        """What is found of a conversation, and its length.

        Raises:
            FormatError: It is refused.
        """
        dialogue, text = script.dialogue, script.text
        speeches = script.speeches
        rewritten = False
        for speech in speeches:
            if speech.rewritten is not None:
                rewritten = True
                yield dialogue.finding("rewritten-turns", speech.rewritten, speech.turn)
        if not speeches:
            if not dialogue.spoken:
                yield dialogue.finding("no-trained-tokens", "there is no turn of the assistant")
        elif not rewritten:
            yield from self._ends(script, speeches)
            if dialogue.first_trained:
                yield from _others(dialogue)
            elif self._has_blocks and len(speeches) == len(dialogue.spoken):
                yield from self._blocks(script, speeches)
        total = len(self._encoder.encode(text))
        trained = sum(len(self._encoder.encode(text[s.start : s.end])) for s in speeches)
        yield Lengths(total, trained)
        if self._limit is not None and total > self._limit and speeches:
            yield from self._cut(dialogue, text, speeches)

    def _ends(self, script: Script, speeches: Sequence[Speech]) -> Iterator[LintFinding]:
        for speech in speeches:
            if not speech.is_ended:
                shown = script.text[max(0, speech.end - _SHOWN // 2) : speech.end + _SHOWN // 2]
                problem = f"no marker ends the turn: {shown!r}"
                yield script.dialogue.finding("missing-end", problem, speech.turn)

    def _blocks(self, script: Script, speeches: Sequence[Speech]) -> Iterator[LintFinding]:
        """What `{% generation %}` blocks hold, against what the model writes."""
        assert self._writer is not None
        dialogue, text = script.dialogue, script.text
        spans = self._writer.blocks(dialogue)
        for start, end in spans:
            inside = [speech for speech in speeches if speech.start < end and speech.end > start]
            borders = [(speech.start, speech.end) for speech in inside]
            outside = itertools.pairwise([start, *itertools.chain(*borders), end])
            for number, (first, last) in enumerate([*outside][::2] if inside else [(start, end)]):
                held = text[first:last]
                # A line break after the marker that ends a turn is never read by anyone.
                if held.strip() or (held and number == 0 and inside):
                    what = "the prompt supplies" if number == 0 else "follows the turn"
                    problem = f"a {{% generation %}} block holds what {what}: {held[:_SHOWN]!r}"
                    turn = inside[max(0, number - 1)].turn if inside else None
                    yield dialogue.finding("prompt-in-loss", problem, turn)
        for speech in speeches:
            yield from self._missed(dialogue, text, speech, spans)

    def _missed(
        self, dialogue: Dialogue, text: str, speech: Speech, spans: Sequence[tuple[int, int]]
    ) -> Iterator[LintFinding]:
        """What of a turn is in no block."""
        missed = []
        at = speech.start
        for first, last in (*spans, (speech.end, speech.end)):
            if at < (end := min(first, speech.end)) and text[at:end].strip():
                missed.append((at, end))
            at = max(at, last)
        for start, end in missed:
            shown = repr(text[start:end][:_SHOWN])
            if (start, end) == (speech.start, speech.end):
                problem = f"no {{% generation %}} block holds the turn: {shown}"
                yield dialogue.finding("no-trained-tokens", problem, speech.turn)
            elif end == speech.end:
                problem = f"the {{% generation %}} block leaves out what ends the turn: {shown}"
                yield dialogue.finding("missing-end", problem, speech.turn)
            else:
                problem = f"the {{% generation %}} block leaves out {shown}"
                yield dialogue.finding("no-trained-tokens", problem, speech.turn)

    def _cut(
        self, dialogue: Dialogue, text: str, speeches: Sequence[Speech]
    ) -> Iterator[LintFinding]:
        assert self._limit is not None
        ends = {speech: len(self._encoder.encode(text[: speech.end])) for speech in speeches}
        cut = [speech for speech, end in ends.items() if end > self._limit]
        if cut:
            last = ends[speeches[-1]]
            problem = f"trained tokens up to {last}, and {self._limit} are kept"
            lost = len(cut) - 1
            problem += f": the end of this turn is cut off{f', and {lost} more' if lost else ''}"
            yield dialogue.finding("truncated", problem, cut[0].turn)

    # Texts.

    def text(self, sample: Sample) -> Iterator[LintFinding | Lengths]:
        """What is found of a text, of which a trainer counts all after the prompt."""
        assert sample.text is not None
        text, start = sample.text
        pointer = "/completion" if sample.shape != "text" else "/text"
        total = len(self._encoder.encode(text))
        trained = total - (len(self._encoder.encode(text[:start])) if start else 0)
        yield Lengths(total, trained)
        if not text[start:].strip():
            yield LintFinding("no-trained-tokens", sample.line, "it is empty", pointer=pointer)
        elif not start:
            problem = "all of the text is trained, also what no model writes"
            if outside := self._outside(self._encoder.encode(text)):
                problem += f": {outside} of {total} tokens are outside of the assistant's turns"
            yield LintFinding("prompt-in-loss", sample.line, problem, pointer=pointer)
        elif outside := self._outside(self._encoder.encode(text[start:]), is_inside=True):
            problem = f"{outside} tokens of the completion are outside of the assistant's turns"
            yield LintFinding("prompt-in-loss", sample.line, problem, pointer=pointer)
        if self._limit is not None and total > self._limit:
            problem = f"{total} tokens, and {self._limit} are kept: the end is cut off"
            yield LintFinding("truncated", sample.line, problem, pointer=pointer)

    def _outside(self, ids: Sequence[int], *, is_inside: bool = False) -> int:
        """How many tokens are outside of the assistant's turns, if turns can be seen."""
        turns = self._turns(ids, is_inside=is_inside)
        return len(ids) - sum(end - start for start, end, _ in turns) if turns else 0

    # Tokens.

    def tokens(self, sample: Sample) -> Iterator[LintFinding | Lengths]:
        """What is found of a line that holds tokens and labels."""
        assert sample.tokens is not None
        ids, labels, line = sample.tokens.input_ids, sample.tokens.labels, sample.line
        if sample.tokens.problem is not None:
            yield LintFinding("bad-labels", line, sample.tokens.problem)
            return
        size = self._encoder.size
        if (at := next((i for i, id in enumerate(ids) if not 0 <= id < size), None)) is not None:
            problem = f"token {at} is {ids[at]}, and the tokenizer has {size}"
            yield LintFinding("bad-labels", line, problem, pointer=f"/input_ids/{at}")
            return
        is_trained = [label != -100 for label in labels]
        yield Lengths(len(ids), sum(is_trained))
        if not any(is_trained):
            yield LintFinding("no-trained-tokens", line, f"none of {len(ids)} labels counts")
            return
        turns = self._turns(ids)
        yield from self._labelled(line, is_trained, turns)
        last = len(ids) - is_trained[::-1].index(True)
        if self._limit is not None and last > self._limit:
            problem = f"trained tokens up to {last}, and {self._limit} are kept"
            yield LintFinding("truncated", line, problem, pointer=f"/input_ids/{self._limit}")

    def _labelled(
        self, line: int, is_trained: Sequence[bool], turns: Sequence[tuple[int, int, bool]]
    ) -> Iterator[LintFinding]:
        owned = [False] * len(is_trained)
        for start, end, _ in turns:
            owned[start:end] = [True] * (end - start)
        outside = [
            at
            for at, (trained, own) in enumerate(zip(is_trained, owned, strict=True))
            if trained and not own
        ]
        if outside:
            problem = f"{len(outside)} tokens are trained outside of the assistant's turns"
            if not turns:
                problem += ", of which there is none"
            place = f"/labels/{outside[0]}"
            yield LintFinding("prompt-in-loss", line, f"{problem}, from {place}", pointer=place)
        for number, (start, end, is_ended) in enumerate(turns):
            if not any(is_trained[start:end]):
                continue  # one may train the last turn only
            what = f"turn {number} of the assistant"
            if not is_ended or not is_trained[end - 1]:
                how = "is not trained" if is_ended else "is not there"
                place = f"/labels/{end - 1}"
                message = f"the marker that ends {what} {how}"
                yield LintFinding("missing-end", line, message, pointer=place)
            body = is_trained[start : end - 1 if is_ended else end]
            if not all(body):
                place = f"/labels/{start + body.index(False)}"
                message = f"{body.count(False)} of {end - start} tokens of {what} are not trained"
                if any(body[body.index(False) :]) and not any(body[: body.index(False)]):
                    message += ": its beginning"
                yield LintFinding("no-trained-tokens", line, message, pointer=place)

    def _turns(self, ids: Sequence[int], *, is_inside: bool = False) -> list[tuple[int, int, bool]]:
        """The turns of the assistant: where each begins and ends, and whether a marker ends it."""
        opening, ends = self._marks
        if not opening:
            return []
        turns = []
        at = 0 if is_inside else _after(ids, opening, 0)
        while at is not None:
            end = next((i for i in range(at, len(ids)) if ids[i] in ends), None)
            turns.append((at, len(ids) if end is None else end + 1, end is not None))
            at = None if end is None else _after(ids, opening, end)
        return turns

    @functools.cached_property
    def _marks(self) -> tuple[list[int], frozenset[int]]:
        """The tokens that open a turn of the assistant, and those that end one."""
        if self._writer is None:
            return [], frozenset()
        question: list[Any] = [{"role": "user", "content": "Hi."}]
        asked = Dialogue(0, question, question, None)
        try:
            before, after = (
                self._writer.write(asked, 1, prompt=prompt, mode={}) for prompt in (False, True)
            )
        except FormatError:
            return [], frozenset()
        opening = self._encoder.encode(after[len(before) :]) if after.startswith(before) else []
        ends = [self._encoder.encode(end) for end in self._writer.ends]
        return opening, frozenset(end[0] for end in ends if len(end) == 1)


def _others(dialogue: Dialogue) -> Iterator[LintFinding]:
    """Messages of others in a completion, which trainers count whole."""
    others = [
        (turn, message["role"])
        for turn, message in enumerate(dialogue.messages)
        if turn >= dialogue.first_trained and message["role"] != "assistant"
    ]
    if others:
        roles = ", ".join(role for role, _ in itertools.groupby(role for _, role in others))
        problem = f"all of a completion is trained, and this one has messages of {roles}"
        yield dialogue.finding("prompt-in-loss", problem, others[0][0])


def _after(ids: Sequence[int], opening: Sequence[int], start: int) -> int | None:
    """Where the opening ends that comes next; None if none does."""
    length = len(opening)
    for at in range(start, len(ids) - length + 1):
        if ids[at] == opening[0] and list(ids[at : at + length]) == list(opening):
            return at + length
    return None
