"""Tasks on other processes, none of which can hang or bring the others down."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.connection
import os
import resource
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Tell = Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        result: What the function returned.
        failure: Instead of a result: why there is none.
        last: What the function told last, if it told anything.
    """

    task: Any
    result: Any = None
    failure: str = ""
    last: Any = None


@dataclass(frozen=True)
class Limits:
    """What a task may use up; its process is ended if it needs more.

    Attributes:
        seconds: Of processor time, so that a busy machine changes nothing.
        bytes: Of address space, beyond what the process has before its first task.
    """

    seconds: int
    bytes: int


class Asked:
    """A function in a process of its own, asked one question at a time.

    The process starts with the first question, imports the function anew, and is started again
    after a question that it did not survive.

    Args:
        function: Of a module that can be imported.
        limits: On each question.

    Attributes:
        asked: How many questions there were.
        unanswered: Why there was no answer, for each question that has none.
    """

    def __init__(self, function: Callable[[Any], Any], limits: Limits) -> None:
        self._function, self._limits = function, limits
        self._worker: _Worker | None = None
        self.asked = 0
        self.unanswered: list[str] = []

    def __call__(self, task: Any) -> Outcome:
        """What the function returned, or why it did not."""
        if self._worker is None:
            self._worker = _Worker(self._function, self._limits)
        self.asked += 1
        self._worker.begin(task)
        outcome = None
        while outcome is None:
            multiprocessing.connection.wait([self._worker.pipe], timeout=1)
            outcome = self._worker.outcome(_STUCK)
        if outcome.failure:
            self.unanswered.append(outcome.failure)
        return outcome

    def end(self) -> None:
        """Ends the process."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None


# Seconds of the clock after which a process that uses no time of the processor is given up, too.
_STUCK = 600.0


def run(
    function: Callable[[Any, Tell], Any], tasks: Iterable[Any], processes: int, limit: float
) -> Iterator[Outcome]:
    """Calls `function(task, tell)` for all tasks, as they are done.

    Args:
        function: Its process is forked from this one, so what it needs can be built beforehand.
        tasks: Anything that can be pickled.
        processes: How many work at a time.
        limit: Seconds that may pass between two calls of `tell`. After that, the process is ended:
            native code cannot be interrupted otherwise.
    """
    waiting = deque(tasks)
    workers = [_Worker(function) for _ in range(min(processes, len(waiting)))]
    for worker in workers:
        worker.begin(waiting.popleft())
    busy = list(workers)
    while busy:
        multiprocessing.connection.wait([worker.pipe for worker in busy], timeout=1)
        for worker in list(busy):
            outcome = worker.outcome(limit)
            if outcome is None:
                continue
            yield outcome
            if waiting:
                worker.begin(waiting.popleft())
            else:
                busy.remove(worker)
    for worker in workers:
        worker.end()


class _Worker:
    """A process that is forked from this one, or, with limits, starts from nothing."""

    def __init__(self, function: Callable[..., Any], limits: Limits | None = None) -> None:
        self._function, self._limits = function, limits
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork" if self._limits is None else "spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (self._function, theirs, self._limits)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, task: Any) -> None:
        self._task, self._last, self._heard = task, None, time.monotonic()
        self.pipe.send(task)

    def outcome(self, limit: float) -> Outcome | None:
        failure = ""
        try:
            while self.pipe.poll():
                kind, value = self.pipe.recv()
                self._heard = time.monotonic()
                if kind == "done":
                    return Outcome(self._task, value, last=self._last)
                if kind == "failed":
                    return Outcome(self._task, failure=value, last=self._last)
                self._last = value
        except (EOFError, ConnectionResetError):
            self._process.join()
            failure = f"the process died with status {self._process.exitcode}"
        if not failure and time.monotonic() - self._heard > limit:
            failure = f"no news for {limit:g} seconds"
        if not failure:
            return None
        self.end()
        self._start()
        return Outcome(self._task, failure=failure, last=self._last)

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def limit_memory(more: int) -> None:
    """Bounds this process to `more` bytes of address space beyond those that it has."""
    if not os.path.exists("/proc/self/statm"):
        return  # other systems do not keep to the limit, either
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + more, resource.RLIM_INFINITY))


def _work(function: Callable[..., Any], pipe: Any, limits: Limits | None) -> None:
    if limits is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what native code says before it aborts
        limit_memory(limits.bytes)
    while True:
        try:
            task = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            if limits is None:
                result = function(task, lambda value: pipe.send(("told", value)))
            else:
                end = math.ceil(time.process_time()) + limits.seconds
                resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))
                result = function(task)
            pipe.send(("done", result))
        except Exception:
            pipe.send(("failed", traceback.format_exc()))
