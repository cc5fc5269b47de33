"""Where a grammar made a model write something else, over one turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemask.core.generation import text_of
from schemask.core.mask_step import MaskStep


@dataclass(frozen=True)
class MaskedTurn:
    """What the masks of one turn took from the model.

    Tokens that the grammar forces, and which are not asked of the model, have no mask. A limit on
    tokens forbids some, too, near its end.

    Attributes:
        steps: How many tokens were chosen under a mask.
        mean_mass: The mean share of the probability that lay on forbidden tokens.
        most_mass: The greatest.
        overruled: At how many tokens the model's own choice was forbidden.
        after: The text before the first such token; empty if there is none.
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


class MaskNotes:
    """Takes down the masks of a turn; it is given as `on_mask`."""

    def __init__(self) -> None:
        self._steps: list[MaskStep] = []

    def __call__(self, step: MaskStep) -> None:
        self._steps.append(step)

    def turn(self, token_ids: Sequence[int], vocabulary: Any) -> MaskedTurn | None:
        """What was taken down; None if the model told of no mask.

        Args:
            token_ids: The tokens of the turn.
            vocabulary: The vocabulary that spells them.
        """
        if not self._steps:
            return None
        masses = [step.masked_mass for step in self._steps]
        mean, most = sum(masses) / len(masses), max(masses)
        overruled = [step for step in self._steps if step.is_overruled]
        if not overruled:
            return MaskedTurn(len(masses), mean, most, 0)
        first = overruled[0]
        return MaskedTurn(
            len(masses),
            mean,
            most,
            len(overruled),
            text_of(vocabulary, token_ids[: first.position]),
            _spelt(vocabulary, first.wanted),
            _spelt(vocabulary, *token_ids[first.position : first.position + 1]),
        )


def _spelt(vocabulary: Any, *token_ids: int) -> str:
    known = [token_id for token_id in token_ids if token_id < vocabulary.size]
    return text_of(vocabulary, known) if known else "".join(map("<{}>".format, token_ids))
