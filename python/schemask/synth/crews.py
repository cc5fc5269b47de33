"""Jobs that wait for answers from elsewhere, several at once: threads, or an event loop."""

from __future__ import annotations

import functools
import queue
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Job = Callable[[], Coroutine[Any, Any, T]]


class Crew(Generic[T]):
    """Does one job at a time, here, when it is handed in.

    A job makes a coroutine, which in this class and in `ThreadCrew` never waits.

    Attributes:
        ahead: How many jobs are worth handing in before the first one is done.
    """

    ahead = 1

    def __enter__(self) -> Crew[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def submit(self, job: Job[T]) -> Future[T]:
        """Has a job done; jobs that were handed in first come first."""
        future: Future[T] = Future()
        _do(job, future)
        return future

    def close(self) -> None:
        """Lets go of jobs that nobody waits for any more."""


class ThreadCrew(Crew[T]):
    """Does jobs in threads, which do not keep the process alive."""

    def __init__(self, size: int) -> None:
        self.ahead = 4 * size
        self._jobs: queue.SimpleQueue[tuple[Job[T], Future[T]] | None] = queue.SimpleQueue()
        self._is_over = False
        self._size = size
        for _ in range(size):
            threading.Thread(target=self._work, daemon=True).start()

    def submit(self, job: Job[T]) -> Future[T]:
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def close(self) -> None:
        # A job that is under way may wait for long: it is left to itself.
        self._is_over = True
        for _ in range(self._size):
            self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            if not self._is_over:
                _do(*item)


class LoopCrew(Crew[T]):
    """Does jobs in an event loop, in a thread of its own."""

    def __init__(self, size: int) -> None:
        import asyncio  # it takes as long to import as a tenth of the package

        self.ahead = 4 * size
        self._loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._seats = asyncio.Semaphore(size)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> Future[T]:
        import asyncio

        future: Future[T] = Future()
        asyncio.run_coroutine_threadsafe(self._seated(job, future), self._loop)
        return future

    async def _seated(self, job: Job[T], future: Future[T]) -> None:
        async with self._seats:
            try:
                future.set_result(await job())
            except BaseException as error:  # `SystemExit` would end the loop, and all would wait
                future.set_exception(error)

    def close(self) -> None:
        import asyncio

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._loop.shutdown_asyncgens()
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join(timeout=2.0)
        if not self._thread.is_alive():
            self._loop.close()


def crew_of(size: int, *, is_async: bool) -> Crew[Any]:
    """Who does so many jobs at once."""
    if is_async:
        return LoopCrew(size)
    return Crew() if size == 1 else ThreadCrew(size)


def in_order(calls: Iterable[Callable[[], T]], size: int) -> Iterator[T]:
    """What calls return, in their order, while so many of them are made at once in threads."""
    asked: deque[Future[T]] = deque()
    with crew_of(size, is_async=False) as crew:
        for call in calls:
            asked.append(crew.submit(functools.partial(_called, call)))
            if len(asked) == crew.ahead:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()


async def _called(call: Callable[[], T]) -> T:
    return call()


def _do(job: Job[T], future: Future[T]) -> None:
    try:
        job().send(None)
    except StopIteration as end:  # how a coroutine returns
        future.set_result(end.value)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_exception(RuntimeError("it waits"))
