"""Tasks on several processes, none of which can hang or bring the others down."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
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
    def __init__(self, function: Callable[[Any, Tell], Any]) -> None:
        self._function = function
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(self._function, theirs), daemon=True)
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
        except EOFError:
            failure = "the process died"
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


def _work(function: Callable[[Any, Tell], Any], pipe: Any) -> None:
    while True:
        try:
            task = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(("done", function(task, lambda value: pipe.send(("told", value)))))
        except Exception:
            pipe.send(("failed", traceback.format_exc()))
