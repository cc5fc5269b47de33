"""Generations in threads: who waits for one, who may have it stopped, and what it tells."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import anyio

from schemask.agent.stopping import Stopped
from schemask.serve.errors import RequestError
from schemask.serve.turns import Finished, TurnPiece

T = TypeVar("T")


class Job:
    """One generation: a thread writes it, and the event loop takes what has been written.

    The thread never waits for whoever takes it. What has not been taken is at most one answer,
    whose length the model's context bounds.

    Args:
        deadline: The time of `time.monotonic` at which it has to be over.

    Attributes:
        gone: Set once nobody wants it any more.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.gone = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._pieces: list[TurnPiece] = []
        self._end: Finished | Exception | None = None
        self._is_news = asyncio.Event()

    # In the thread.

    def check(self) -> None:
        """Ends the generation if nobody wants it any more.

        Raises:
            Stopped: Nobody does.
            RequestError: It has taken too long.
        """
        if self.gone.is_set():
            raise Stopped
        if time.monotonic() > self._deadline:
            raise too_late()

    def tell(self, piece: TurnPiece) -> None:
        """Hands over a piece."""
        with self._lock:
            self._pieces.append(piece)
        self._loop.call_soon_threadsafe(self._is_news.set)

    def end(self, end: Finished | Exception) -> None:
        """Hands over the end, or why there is none."""
        with self._lock:
            self._end = end
        self._loop.call_soon_threadsafe(self._is_news.set)

    # In the event loop.

    def stop(self) -> None:
        """Has the thread end the generation soon."""
        self.gone.set()

    async def taken(self) -> AsyncIterator[list[TurnPiece] | Finished]:
        """All pieces that there are, again and again, and the end.

        Raises:
            RequestError: Why there is none.
        """
        while True:
            with anyio.move_on_after(self._deadline - time.monotonic()) as scope:
                await self._is_news.wait()
            if scope.cancelled_caught:
                self.stop()
                raise too_late()
            self._is_news.clear()
            with self._lock:
                pieces, self._pieces, end = self._pieces, [], self._end
            if pieces:
                yield pieces
            if isinstance(end, Exception):
                raise end
            if end is not None:
                yield end
                return


class Workers:
    """Threads that write for requests, in the order in which these have come.

    Args:
        slots: How many write at once.
        waiting: How many requests may wait for one.
    """

    def __init__(self, slots: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="schemask")
        self._free = anyio.Semaphore(slots, fast_acquire=True)
        self._most_waiting = waiting
        self._jobs: set[Job] = set()
        self.waiting = 0

    @property
    def running(self) -> int:
        """How many are being written for."""
        return len(self._jobs)

    async def start(self, work: Callable[[Job], Finished], deadline: float) -> Job:
        """Has a thread begin, as soon as one is free.

        Args:
            work: What it does.
            deadline: As of `Job`.

        Raises:
            RequestError: Too many wait already, or none was free in time.
        """
        if self.waiting >= self._most_waiting and not self._free.value:
            raise RequestError(
                f"{self.waiting} requests are waiting already: try again later",
                status=429,
                kind="rate_limit_error",
                code="queue_full",
                headers={"Retry-After": "1"},
            )
        self.waiting += 1
        try:
            with anyio.move_on_after(deadline - time.monotonic()) as scope:
                await self._free.acquire()
        finally:
            self.waiting -= 1
        if scope.cancelled_caught:
            raise too_late()
        job = Job(deadline)
        self._jobs.add(job)
        asyncio.get_running_loop().run_in_executor(
            self._threads, self._run, job, work
        ).add_done_callback(lambda _: self._ended(job))
        return job

    async def close(self) -> None:
        """Stops all that is being written, and waits for that."""
        for job in self._jobs:
            job.stop()
        await asyncio.to_thread(self._threads.shutdown)

    def _ended(self, job: Job) -> None:
        self._jobs.discard(job)
        self._free.release()

    @staticmethod
    def _run(job: Job, work: Callable[[Job], Finished]) -> None:
        try:
            job.end(work(job))
        except Stopped:
            job.end(RequestError("the generation was stopped", status=503, code="stopped"))
        except Exception as error:
            job.end(error)


async def while_connected(
    receive: Callable[[], Awaitable[Any]], work: Callable[[], Awaitable[T]]
) -> T | None:
    """What work returns, or None if the client goes before; the work is cancelled then.

    Args:
        receive: What the server tells of the client, whose request has been read.
        work: The work. What it raises passes through.
    """
    result: T | None = None
    raised: Exception | None = None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            result = await work()
        except Exception as error:  # by itself, and not as one of a group
            raised = error
        group.cancel_scope.cancel()
    if raised is not None:
        raise raised
    return result


def too_late() -> RequestError:
    """The answer to a request that has taken too long."""
    return RequestError(
        "the time for a request is over", status=504, kind="timeout_error", code="timeout"
    )
