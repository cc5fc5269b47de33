"""A stage in several processes: the same results in the same order."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from schemask.errors import DataError
from schemask.synth.outcomes import Failure, Numbered, Outcome, Results, Stage, applied_to, close

# A worker gets so many lines at once: few enough that all have something to do at the end.
_CHUNK = 8
# How far a worker may be ahead of the line that is written next, in chunks.
_AHEAD = 8


def in_processes(stage: Stage, items: Iterable[Numbered], workers: int) -> Results:
    """Applies a stage to lines in `workers` processes.

    No more than 64 lines for each worker are read ahead of the first one that is not done.

    Raises:
        DataError: The stage cannot be pickled, or no worker began.
    """
    try:
        pickled = pickle.dumps(stage)
    except Exception as error:  # a class raises what it likes there
        raise DataError(f"{stage.name} cannot be sent to other processes: {error}") from error
    with contextlib.ExitStack() as stack:
        with _interrupts_ignored():
            crew = [stack.enter_context(_Worker(pickled)) for _ in range(workers)]
        yield from _Crew(crew, items).results()


class _Worker(contextlib.AbstractContextManager["_Worker"]):
    """A process that applies the stage, and the lines that it has and has not answered."""

    def __init__(self, pickled: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.waiting: deque[int] = deque()
        self.is_new = True
        self.process: SpawnProcess = context.Process(
            target=_work, args=(theirs, pickled), daemon=True
        )
        self.process.start()
        theirs.close()

    def __exit__(self, *_: object) -> None:
        self.pipe.close()
        # Of its own accord it ends after its line, and a child of its own ends with it.
        self.process.join(timeout=0.0 if self.waiting else 2.0)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(timeout=2.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def send(self, chunk: list[Numbered]) -> None:
        self.waiting.extend(index for index, _ in chunk)
        # A dead process is found where its answer is read.
        with contextlib.suppress(OSError):
            self.pipe.send(chunk)

    def receive(self) -> tuple[int, Outcome | Failure]:
        """The next answer.

        Raises:
            DataError: The process ended before it could begin.
        """
        try:
            if self.is_new:
                self.pipe.recv()  # that it has begun
                self.is_new = False
            answer: Outcome | Failure = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            how = f"its process ended with {_exit_name(self.process.exitcode)}"
            if self.is_new:
                raise DataError(
                    f"{how} before its first line; a script that runs stages in several processes "
                    'calls them under `if __name__ == "__main__":`'
                ) from error
            answer = Failure(how)
        return self.waiting.popleft(), answer


class _Crew:
    """Hands out lines, and puts what comes back in order."""

    def __init__(self, workers: list[_Worker], items: Iterable[Numbered]) -> None:
        self._workers = workers
        self._items = iter(items)
        self._open: deque[int] = deque()
        self._done: dict[int, Outcome | Failure] = {}

    def results(self) -> Results:
        self._feed()
        while self._open:
            if self._open[0] in self._done:
                index = self._open.popleft()
                yield index, self._done.pop(index)
            else:
                for worker in self._ready():
                    index, answer = worker.receive()
                    self._done[index] = answer
            self._feed()

    def _feed(self) -> None:
        """Gives lines to workers that have none: they wait for them, so that nobody blocks."""
        ahead = len(self._workers) * _CHUNK * _AHEAD
        for worker in self._workers:
            if worker.waiting or len(self._open) > ahead:
                continue
            if chunk := list(itertools.islice(self._items, _CHUNK)):
                self._open.extend(index for index, _ in chunk)
                worker.send(chunk)

    def _ready(self) -> Iterator[_Worker]:
        busy = {worker.pipe: worker for worker in self._workers if worker.waiting}
        for pipe in wait(list(busy)):
            yield busy[pipe]  # type: ignore[index]


def _work(pipe: Connection[Any, Any], pickled: bytes) -> None:
    """What a worker does until nobody is there any more."""
    stage: Stage = pickle.loads(pickled)
    try:
        pipe.send("begun")
        while True:
            for _, answer in applied_to(stage, pipe.recv()):
                pipe.send(answer)
    except (EOFError, OSError):
        pass
    finally:
        close(stage)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that are started here do not see Ctrl-C, which the one that started them does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _exit_name(status: int | None) -> str:
    if status is not None and status < 0 and sys.platform != "win32":
        with contextlib.suppress(ValueError):
            return signal.Signals(-status).name
    return f"status {status}"
