"""One engine's process, which reads a batch of texts step by step and tells how long that took."""

from __future__ import annotations

import functools
import gc
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from batch_engines import THREADS, WAYS
from corpus import Tokenizer, llama3
from engines import Bitmask
from measuring import WARM_UP, WARM_UP_TEXT


@dataclass(frozen=True)
class Case:
    """A schema as text, and its valid instances as tokens, the stop token included."""

    schema: str
    texts: list[list[int]]


@dataclass(frozen=True)
class Place:
    """Where a sequence begins: at a token of a text of a case."""

    case: int
    text: int
    token: int


@dataclass(frozen=True)
class Begin:
    """Asks an engine to compile all cases, with nothing kept from before."""

    cases: list[Case]
    places: list[Place]


@dataclass(frozen=True)
class Read:
    """Asks for so many steps.

    Attributes:
        steps: How many.
        is_anew: Whether all sequences go back to where they began.
        is_checked: Whether each mask is compared with the one that the engine makes for this text
            alone.
    """

    steps: int
    is_anew: bool = False
    is_checked: bool = False


Step = tuple[int, int]
"""Nanoseconds of the masks, and of accepting the tokens."""


class Reader:
    """An engine with a bitmask of so many rows."""

    def __init__(self, name: str, tokenizer: Tokenizer, rows: int) -> None:
        words = (len(tokenizer.tokens) + 31) // 32
        self.bitmask: Bitmask = np.zeros((rows, words), dtype=np.int32)
        self.engine, self.calls = WAYS[name].make(tokenizer, self.bitmask)

    def can_read(self, case: Case) -> bool:
        """Whether it compiles the schema, and its masks and itself allow all texts."""
        compiled = self.engine.compile(case.schema)
        for text in case.texts:
            matcher = self.calls.begin(compiled)
            for token in text:
                self.calls.fill_row(matcher, 0)
                if not allows(self.bitmask, [token])[0]:
                    return False
                if not self.calls.accept_one(matcher, token):
                    return False
        return True


def allows(bitmask: Bitmask, tokens: Sequence[int]) -> Any:
    """For each row, whether it allows its token."""
    ids = np.array(tokens)
    words = bitmask[np.arange(len(ids)), ids >> 5]
    return (words >> (ids & 31) & 1).astype(bool)


class Batch:
    """The sequences of an engine, each in a text of its own.

    Args:
        reader: The engine, whose bitmask has a row for each sequence.
        cases: What is compiled, after the engine has forgotten what it can.
        places: Where the sequences begin.
    """

    def __init__(self, reader: Reader, cases: list[Case], places: list[Place]) -> None:
        self._bitmask, self._calls = reader.bitmask, reader.calls
        self._cases, self._places = cases, places
        reader.engine.forget()
        self._compiled = [reader.engine.compile(case.schema) for case in cases]
        self._warm_up = reader.engine.compile(json.dumps(WARM_UP))
        self.go_back()

    def go_back(self) -> None:
        """Puts all sequences to their first places, each with a fresh matcher."""
        self._at = list(self._places)
        self._matchers = []
        for place in self._places:
            matcher = self._calls.begin(self._compiled[place.case])
            for token in self._text(place)[: place.token]:
                assert self._calls.accept_one(matcher, token)
            self._matchers.append(matcher)

    def _text(self, place: Place) -> list[int]:
        return self._cases[place.case].texts[place.text]

    def heat(self, tokens: list[int]) -> None:
        """Reads something small, so that the processor's caches know the code and the bitmask."""
        matchers = [self._calls.begin(self._warm_up) for _ in self._places]
        for token in tokens:
            self._calls.fill(matchers)
            self._calls.accept(matchers, [token] * len(matchers))

    def step(self, is_checked: bool = False) -> Step:
        """Masks of all sequences, then a token of each."""
        tokens = [self._text(place)[place.token] for place in self._at]
        # What an earlier step wrote must not pass for a mask of this one.
        self._bitmask[np.arange(len(tokens)), np.array(tokens) >> 5] = 0
        clock = time.perf_counter_ns
        begin = clock()
        self._calls.fill(self._matchers)
        filled = clock()
        if is_checked:
            self._check_masks()
        between = clock()
        taken = self._calls.accept(self._matchers, tokens)
        end = clock()
        assert allows(self._bitmask, tokens).all(), "a mask forbids the next token"
        assert len(taken) == len(tokens) and all(taken), "a token is refused"
        self._go_on()
        return filled - begin, end - between

    def _check_masks(self) -> None:
        masks = self._bitmask.copy()
        self._bitmask.fill(0)
        for row, matcher in enumerate(self._matchers):
            self._calls.fill_row(matcher, row)
        assert (masks == self._bitmask).all(), "a mask differs from the one of the text alone"

    def _go_on(self) -> None:
        """Each sequence to its next token; after a text's last one, to the next text."""
        for row, place in enumerate(self._at):
            if place.token + 1 < len(self._text(place)):
                self._at[row] = Place(place.case, place.text, place.token + 1)
                continue
            following = (place.text + 1) % len(self._cases[place.case].texts)
            self._at[row] = Place(place.case, following, 0)
            self._matchers[row] = self._calls.begin(self._compiled[place.case])


@functools.cache
def _tokenizer() -> Tokenizer:
    return llama3()


@functools.cache
def _reader(engine: str, rows: int) -> Reader:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    return Reader(engine, _tokenizer(), rows)


def can_read(engine: str, case: Case) -> bool:
    """Whether an engine can read a case, for a process of its own (`workers.Asked`)."""
    return _reader(engine, 1).can_read(case)


# The batch of the process.
_batches: dict[str, Batch] = {}


def read(engine: str, task: Begin | Read) -> list[Step]:
    """Begins a batch, or goes on with it, in a process of its own (`workers.Asked`)."""
    if isinstance(task, Begin):
        _batches.clear()
        _batches[engine] = Batch(_reader(engine, len(task.places)), task.cases, task.places)
        return []
    batch = _batches[engine]
    if task.is_anew:
        batch.go_back()
    batch.heat(_tokenizer().encode(WARM_UP_TEXT))
    # A collection would fall into one engine's step by chance.
    gc.collect()
    gc.freeze()
    gc.disable()
    return [batch.step(task.is_checked) for _ in range(task.steps)]
