"""One engine's process, which compiles schemas, reads instances and tells how long it took."""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corpus import TOKENIZERS, Entry, Tokenizer
from engines import SETUPS, Bitmask, Engine
from memory import peak_bytes, reset_peak, resident_bytes

MEMORY_LIMIT = 12 << 30
START_TIMEOUT = 120.0
# The processor's time leaves out what else the machine does, and costs half a microsecond to ask.
CLOCKS = {"wall": time.perf_counter_ns, "cpu": time.process_time_ns}
# Allocators that give freed pages back at once; else a grammar would get what making a vocabulary
# leaves over, and seem to take nothing.
GIVE_BACK = {"MIMALLOC_PURGE_DELAY": "0", "MALLOC_TRIM_THRESHOLD_": "0"}
WARM_UP = {"type": "object", "properties": {"a": {"type": "string"}}}
WARM_UP_TEXT = '{"a": "b"}'


@dataclass(frozen=True)
class Task:
    """A schema as text, and its instances as tokens."""

    schema: str
    valid: list[list[int]]
    invalid: list[list[int]]

    @classmethod
    def of(cls, entry: Entry, tokenizer: Tokenizer) -> Task:
        texts = [(json.dumps(data, ensure_ascii=False), valid) for data, valid in entry.tests]
        tokens = [(tokenizer.encode(text), valid) for text, valid in texts]
        return cls(
            json.dumps(entry.schema),
            [ids for ids, valid in tokens if valid],
            [ids for ids, valid in tokens if not valid],
        )


@dataclass
class Outcome:
    """What one engine did with one schema.

    Attributes:
        status: `"compiled"`, `"refused"` (an error at compile time), `"timeout"` or `"crashed"`.
        compile_ns: Nanoseconds to the first matcher.
        accepted: How many of the `valid` instances it took.
        refused: How many of the `invalid` ones it did not.
        steps_ns: Mask and accept of each token of the accepted valid instances.
        kept_bytes: What the resident set has grown by once the valid instances are read, in a
            process that keeps all grammars.
        peak_bytes: The largest resident set of the process so far.
    """

    status: str
    message: str = ""
    compile_ns: int = 0
    valid: int = 0
    accepted: int = 0
    invalid: int = 0
    refused: int = 0
    steps_ns: list[int] = field(default_factory=list)
    kept_bytes: int | None = None
    peak_bytes: int = 0

    @property
    def takes_all(self) -> bool:
        return self.status == "compiled" and self.accepted == self.valid

    @property
    def is_right(self) -> bool:
        return self.takes_all and self.refused == self.invalid


class Measurer:
    """An engine, the bitmask that it fills, and a clock of `CLOCKS`.

    With `keeps` it keeps all grammars, and tells what memory they take.
    """

    def __init__(self, name: str, tokenizer: Tokenizer, clock: str, keeps: bool) -> None:
        setup = SETUPS[name]
        self.bitmask: Bitmask = np.zeros((len(tokenizer.tokens) + 31) // 32, dtype=np.int32)
        # What it imports is no part of a vocabulary. The first one stays, for the second to take
        # memory of its own; and, where memory is measured, for grammars not to get what it leaves.
        first = setup.make(tokenizer, self.bitmask)
        before = resident_bytes()
        self.engine: Engine = setup.make(tokenizer, self.bitmask)
        self.vocabulary_bytes = resident_bytes() - before
        self._first = first if keeps else None
        del first
        reset_peak()
        self.clock = CLOCKS[clock]
        self._is_cold = setup.is_cold
        self._kept: list[Any] | None = [] if keeps else None
        self._stop = tokenizer.stop_token_ids[-1]
        self._warm_up = Task(json.dumps(WARM_UP), [tokenizer.encode(WARM_UP_TEXT)], [])

    def heat(self) -> None:
        """Compiles and reads something small, so that the machine's caches know the code."""
        self._outcome(self._warm_up)

    def measure(self, task: Task) -> Outcome:
        # The others have had the machine's caches since the last schema.
        self.heat()
        if self._is_cold:
            self.engine.forget()
        return self._outcome(task)

    def _outcome(self, task: Task) -> Outcome:
        # Not asked where only times are wanted.
        before = 0 if self._kept is None else resident_bytes()
        begin = self.clock()
        try:
            compiled = self.engine.compile(task.schema)
        except Exception as error:  # each library has its own
            return Outcome("refused", f"{type(error).__name__}: {error}"[:200])
        outcome = Outcome("compiled", compile_ns=self.clock() - begin)
        outcome.valid, outcome.invalid = len(task.valid), len(task.invalid)
        for tokens in task.valid:
            self._read(compiled, tokens, outcome)
        if self._kept is not None:
            # The times themselves are no merit or fault of the engine.
            outcome.kept_bytes = resident_bytes() - before - sys.getsizeof(outcome.steps_ns)
            self._kept.append(compiled)
        for tokens in task.invalid:
            fill, accept = self.engine.start(compiled)
            taken = all(accept(token) for token in tokens) and self.may_end(fill)
            outcome.refused += not taken
        outcome.peak_bytes = peak_bytes()
        return outcome

    def _read(self, compiled: Any, tokens: list[int], outcome: Outcome) -> None:
        fill, accept = self.engine.start(compiled)
        steps, taken = timed(fill, accept, tokens, self.clock)
        if taken and self.may_end(fill):
            outcome.accepted += 1
            outcome.steps_ns += steps

    def may_end(self, fill: Callable[[], Any]) -> bool:
        """Whether a stop token may come next."""
        fill()
        return bool(self.bitmask[self._stop >> 5] >> (self._stop & 31) & 1)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets variables for processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def timed(
    fill: Callable[[], Any],
    accept: Callable[[int], bool],
    tokens: Sequence[int],
    clock: Callable[[], int],
) -> tuple[list[int], bool]:
    """Nanoseconds of mask and accept for each token, up to one that is refused; whether none is."""
    steps = []
    for token in tokens:
        begin = clock()
        fill()
        taken = accept(token)
        steps.append(clock() - begin)
        if not taken:
            return steps, False
    return steps, True


def read(engine: Engine, compiled: Any, tokens: Sequence[int]) -> list[float]:
    """Seconds of mask and accept for each token of a text that the engine must not refuse."""
    steps, is_whole = timed(*engine.start(compiled), tokens, time.perf_counter_ns)
    if not is_whole:
        raise ValueError(f"refuses token {len(steps)} of {len(tokens)}")
    return [step / 1e9 for step in steps]


def serve(name: str, tokenizer: str, clock: str, keeps: bool, connection: Any) -> None:
    """A worker: reads tasks and writes outcomes, until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    measurer = Measurer(name, TOKENIZERS[tokenizer](), clock, keeps)
    # A collection would fall into one engine's step by chance.
    gc.collect()
    gc.freeze()
    gc.disable()
    connection.send(measurer.vocabulary_bytes)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(measurer.measure(task))
        gc.collect()


class Worker:
    """One engine's process, started again after a timeout or a crash.

    With `keeps` it keeps all grammars, and tells what memory they take.
    """

    def __init__(
        self, name: str, tokenizer: str, clock: str, timeout: float, keeps: bool = False
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.clock = clock
        self.timeout = timeout
        self.keeps = keeps
        self.begin()

    def begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, child = context.Pipe()
        arguments = (self.name, self.tokenizer, self.clock, self.keeps, child)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        with _environment(GIVE_BACK if self.keeps else {}):
            self.process.start()
        child.close()
        if not self.connection.poll(START_TIMEOUT):
            raise TimeoutError(f"{self.name} did not start in {START_TIMEOUT:.0f} s")
        self.vocabulary_bytes: int = self.connection.recv()

    def run(self, task: Task) -> Outcome:
        self.connection.send(task)
        try:
            if self.connection.poll(self.timeout):
                outcome: Outcome = self.connection.recv()
                return outcome
            status = "timeout"
        except EOFError:
            status = "crashed"
        self.close()
        self.begin()
        return Outcome(status)

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()
