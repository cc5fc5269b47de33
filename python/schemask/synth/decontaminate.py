"""Lines that hold what a model will be evaluated with."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from schemask._lines import conversation_of
from schemask._settings import check_share, check_whole
from schemask.errors import DataError, Error, check_flags, shortened
from schemask.synth.outcomes import Outcome
from schemask.synth.settings import digest_of
from schemask.synth.withheld import Withheld, parameter_names
from schemask.synth.words import shingles_of, words_of
from schemask.tools import ToolSet

RUN, THRESHOLD = 13, 0.8
SAME = "withheld request"
"""How a text is like a withheld one that has the same words."""

# Of shorter texts, such as "yes, please", two are equal by chance.
_FEWEST_WORDS = 3
_SHINGLE = 3


@dataclass(frozen=True, eq=False)
class Decontaminate:
    """A stage that refuses lines with requests, or tools, of an evaluation.

    A line is refused if something that a user says in it
    - has the same words as a withheld text, whatever their case and punctuation,
    - has `run` words in a row in common with one, or
    - is nearly one: the runs of three words that both have are at least the share `threshold` of
      those that at least one of them has.

    Texts of fewer than three words are compared with none.

    Attributes:
        withheld: What lines are compared with; `Withheld.of` reads files.
        run: So many words in a row are no chance.
        threshold: The least similarity of near copies, above 0.
        tools: Whether lines are refused, too, that offer a tool with the name of a withheld one and
            parameters of the same names. Dots of names are underscores, as BFCL shows its own to
            models that take no dots.

    Raises:
        DataError: A setting out of range or of a wrong type.
    """

    withheld: Withheld
    run: int = RUN
    threshold: float = THRESHOLD
    tools: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.withheld, Withheld):
            raise DataError(f"withheld is a Withheld, not {shortened(self.withheld)}")
        check_whole("run", self.run, _FEWEST_WORDS)
        check_share("threshold", self.threshold)
        if not self.threshold:
            raise DataError("the threshold is above 0: all texts have that much in common")
        check_flags(DataError, tools=self.tools)

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "decontaminate"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        texts = [text for text, _ in self.withheld.texts]
        tools = [[name, sorted(keys)] for name, keys, _ in self.withheld.tools if self.tools]
        return {
            "withheld": digest_of([texts, tools]),
            "run": self.run,
            "threshold": self.threshold,
            "tools": self.tools,
        }

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line, or in what it is like something withheld.

        Args:
            example: The line.
            index: Its number in the input, from 0.
        """
        try:
            messages, tools = conversation_of(example)
        except Error as error:
            return Outcome(refused="wrong shape", detail=str(error))
        for place, message in enumerate(messages):
            if message["role"] == "user":
                found = self._index.like(message["content"])
                if found is not None:
                    return Outcome(refused=found[0], detail=f"message {place}: {found[1]}")
        if self.tools and (same := self._same_tool(tools)) is not None:
            return Outcome(refused="withheld tool", detail=same)
        return Outcome((example,))

    @functools.cached_property
    def _index(self) -> WithheldIndex:
        return WithheldIndex(self.withheld, self.run, self.threshold)

    @functools.cached_property
    def _known(self) -> dict[tuple[str, frozenset[str]], str]:
        tools = reversed(self.withheld.tools)
        return {(_undotted(name), keys): place for name, keys, place in tools}

    def _same_tool(self, tools: ToolSet) -> str | None:
        for tool in tools:
            place = self._known.get((_undotted(tool.name), parameter_names(tool.parameters)))
            if place is not None:
                return f"{tool.name} of {place}"
        return None

    def __getstate__(self) -> dict[str, Any]:
        # Without what is cached, which other processes make for themselves.
        return {key: value for key, value in vars(self).items() if not key.startswith("_")}


class WithheldIndex:
    """Withheld texts, by their words, runs of words and shingles."""

    def __init__(self, withheld: Withheld, run: int, threshold: float) -> None:
        self._run = run
        self._threshold = threshold
        self._places: list[str] = []
        self._sizes: list[int] = []
        self._whole: dict[tuple[str, ...], int] = {}
        self._runs: dict[tuple[str, ...], int] = {}
        self._shingles: dict[str, list[int]] = {}
        for text, place in withheld.texts:
            words = words_of(text)
            if len(words) < _FEWEST_WORDS or tuple(words) in self._whole:
                continue
            number = len(self._places)
            self._places.append(place)
            self._whole[tuple(words)] = number
            for found in _runs(words, run):
                self._runs.setdefault(found, number)
            shingles = shingles_of(words, _SHINGLE)
            self._sizes.append(len(shingles))
            for shingle in shingles:
                self._shingles.setdefault(shingle, []).append(number)

    def like(self, text: str) -> tuple[str, str] | None:
        """How a text is like a withheld one, as a fixed phrase, and like which; None if it is not.

        Args:
            text: The text.
        """
        words = words_of(text)
        if len(words) < _FEWEST_WORDS:
            return None
        if (number := self._whole.get(tuple(words))) is not None:
            return SAME, f"the words of {self._places[number]}"
        for found in _runs(words, self._run):
            if (number := self._runs.get(found)) is not None:
                said = " ".join(found)
                return "withheld words", f"{self._run} words of {self._places[number]}: {said}"
        shingles = shingles_of(words, _SHINGLE)
        for number, both in sorted(self._common(shingles).items()):
            share = both / (len(shingles) + self._sizes[number] - both)
            if share >= self._threshold:
                return "near a withheld request", f"{share:.0%} of {self._places[number]}"
        return None

    def _common(self, shingles: Iterable[str]) -> Counter[int]:
        lists = (self._shingles.get(shingle, ()) for shingle in shingles)
        return Counter(itertools.chain.from_iterable(lists))


def _undotted(name: str) -> str:
    return name.replace(".", "_")


def _runs(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    for start in range(len(words) - length + 1):
        yield tuple(words[start : start + length])
