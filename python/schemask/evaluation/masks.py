"""Where a grammar made a model write something else, over one turn and each call of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask._turns import WrittenTurn
from schemask.core.generation import text_of
from schemask.core.mask_step import MaskStep


@dataclass(frozen=True)
class MaskedText:
    """What the masks took from the model over some tokens.

    Tokens that the grammar forces, and which are not asked of the model, have no mask. A limit on
    tokens forbids some, too, near its end.

    Attributes:
        steps: How many tokens were chosen under a mask.
        mean_mass: The mean share of the probability that lay on forbidden tokens; 0 without any.
        most_mass: The greatest.
        overruled: At how many tokens the model's own choice was forbidden.
        after: What was written before the first such token; empty if there is none.
        wanted: What the model would have written there.
        taken: What was written in its place; empty if the turn ended there.
    """

    steps: int
    mean_mass: float
    most_mass: float
    overruled: int
    after: str = ""
    wanted: str = ""
    taken: str = ""


@dataclass(frozen=True)
class MaskedTurn(MaskedText):
    """What the masks of one turn took from the model.

    Attributes:
        steps: As of `MaskedText`, of the whole turn.
        mean_mass: As of `MaskedText`, of the whole turn.
        most_mass: As of `MaskedText`, of the whole turn.
        overruled: As of `MaskedText`, of the whole turn.
        after: As of `MaskedText`, of the whole turn.
        wanted: As of `MaskedText`, of the whole turn.
        taken: As of `MaskedText`, of the whole turn.
        calls: The same of each call, from the text that opens it to the one that closes it. Words,
            and what ends the turn, are of no call.
    """

    calls: tuple[MaskedText, ...] = ()

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> MaskedTurn:
        """The turn that a record holds; calls are missing in older ones.

        Args:
            value: The object, read from JSON.

        Raises:
            TypeError: It is none.
        """
        calls = tuple(MaskedText(**call) for call in value.get("calls", ()))
        return cls(**{**value, "calls": calls})


class MaskNotes:
    """Takes down the masks of a turn; it is given as `on_mask`."""

    def __init__(self) -> None:
        self._steps: list[MaskStep] = []

    def __call__(self, step: MaskStep) -> None:
        self._steps.append(step)

    def turn(self, turn: WrittenTurn, vocabulary: Any) -> MaskedTurn | None:
        """What was taken down; None if the model told of no mask.

        Args:
            turn: The turn.
            vocabulary: The vocabulary that spells its tokens.
        """
        if not self._steps:
            return None
        calls = []
        for start, end in _token_spans(turn, vocabulary):
            steps = [step for step in self._steps if start <= step.position < end]
            calls.append(_taken(steps, turn.token_ids, start, vocabulary))
        whole = _taken(self._steps, turn.token_ids, 0, vocabulary)
        return MaskedTurn(**vars(whole), calls=tuple(calls))


def _taken(
    steps: Sequence[MaskStep], token_ids: Sequence[int], start: int, vocabulary: Any
) -> MaskedText:
    """What the masks of some steps took, with what was written from a token on."""
    masses = [step.masked_mass for step in steps]
    mean = sum(masses) / len(masses) if masses else 0.0
    most = max(masses, default=0.0)
    overruled = [step for step in steps if step.is_overruled]
    if not overruled:
        return MaskedText(len(steps), mean, most, 0)
    first = overruled[0]
    return MaskedText(
        len(steps),
        mean,
        most,
        len(overruled),
        text_of(vocabulary, token_ids[start : first.position]),
        _spelt(vocabulary, first.wanted),
        _spelt(vocabulary, *token_ids[first.position : first.position + 1]),
    )


def _token_spans(turn: WrittenTurn, vocabulary: Any) -> list[tuple[int, int]]:
    """From which token to before which each call goes; a token of two calls is of the first."""
    ends = list(itertools.accumulate(len(vocabulary.token(token)) for token in turn.token_ids))
    spans: list[tuple[int, int]] = []
    for characters in turn.call_spans:
        begin, end = (len(turn.text[:at].encode()) for at in characters)
        first = sum(at <= begin for at in ends)
        if spans:
            first = max(first, spans[-1][1])
        last = first
        while last < len(ends) and (ends[last - 1] if last else 0) < end:
            last += 1
        spans.append((first, last))
    return spans


def _spelt(vocabulary: Any, *token_ids: int) -> str:
    known = [token_id for token_id in token_ids if token_id < vocabulary.size]
    return text_of(vocabulary, known) if known else "".join(map("<{}>".format, token_ids))
