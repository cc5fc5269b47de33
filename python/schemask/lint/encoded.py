"""Conversations as `schemask.training` encodes them: what it refuses, and exact lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemask.chat.templates.encoders import is_llama_cpp
from schemask.errors import DataError, Error
from schemask.lint.rules import LintFinding
from schemask.lint.samples import Sample
from schemask.lint.trained import Lengths
from schemask.training.labels import joined
from schemask.training.rows import texts_for_trl
from schemask.training.turns import LearnedTurn, Turns


class EncodedLines:
    """Encodes lines as `schemask.training.dataset` does, and preferences as `preferences` does.

    Args:
        turns: What encodes them.
        max_length: The most tokens of a row; None is any number.
    """

    def __init__(self, turns: Turns, max_length: int | None) -> None:
        self._turns = turns
        self._limit = max_length

    def look(
        self, example: Mapping[str, Any], sample: Sample, *, is_clean: bool
    ) -> Iterator[LintFinding | Lengths]:
        """The lengths of the rows of a line, or why it is refused.

        Args:
            example: The line.
            sample: The same, as it was read.
            is_clean: Whether nothing was found that keeps it from being trained; a refusal is
                told only then, for else it has been told already.
        """
        is_pair = sample.shape == "preference" and "messages" in example
        try:
            if is_pair:
                pair = self._turns.pair(example)
                tokenizer = self._turns.tokenizer
                if not is_llama_cpp(tokenizer):  # which `DPOTrainer` does not take
                    texts_for_trl(tokenizer, *pair)
                rows = [[turn] for turn in pair]
            else:
                rows = _rows(list(self._turns.of(example, loss="choices")))
        except Error as error:
            if isinstance(error, ImportError):
                raise
            if is_clean:
                yield LintFinding("not-encodable", sample.line, str(error))
            return
        for row in rows:
            total = sum(map(len, (row[-1].prompt_ids, row[-1].token_ids)))
            trained = sum(len(turn.token_ids) for turn in row)
            choices = sum(sum(turn.is_trained) for turn in row)
            yield Lengths(total, trained, trained - choices)
            if self._limit is not None and total > self._limit:
                problem = f"{total} tokens, and {self._limit} are taken: the line is refused"
                yield LintFinding("truncated", sample.line, problem)


def _rows(turns: list[LearnedTurn]) -> list[list[LearnedTurn]]:
    """The turns of each row, as `dataset` makes rows of them."""
    try:
        joined(turns)
    except DataError:
        return [[turn] for turn in turns]
    return [turns]
