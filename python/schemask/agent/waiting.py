"""Drives a run in the caller's thread, which waits."""

from __future__ import annotations

import contextvars
import inspect
import queue
import threading
from collections.abc import Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from schemask._turns import TurnWriter, WrittenTurn
from schemask.agent.calls import CheckedCall
from schemask.agent.loop import CarryOut, Loop, Request, WriteTurn
from schemask.agent.steps import AgentEvent, AgentResult, Step
from schemask.agent.stopping import Stop, Stopped
from schemask.chat import Event
from schemask.tools import Tool

R = TypeVar("R")
# Calls of one turn that are carried out side by side at most.
_THREADS = 32


def run(loop: Loop, streams: bool) -> Generator[AgentEvent, None, None]:
    """A run, as what happens in it; the last thing is its result.

    Args:
        loop: The run.
        streams: Whether the events of turns are told while they are written.
    """
    writer = loop.writer()
    turns = loop.turns(writer.result_message)
    with _Hands(loop.options.concurrent) as hands:
        answer: Any = None
        while True:
            try:
                wanted: Request | Step = turns.send(answer)
            except StopIteration as end:
                result: AgentResult = end.value
                yield result
                return
            answer = None
            if isinstance(wanted, Step):
                yield wanted
            elif isinstance(wanted, CarryOut):
                answer = yield from hands.results(wanted.calls)
            elif streams:
                answer = yield from _streamed(writer, wanted, loop.is_local)
            else:
                answer = writer.write(wanted.messages, wanted.choice)


def _streamed(
    writer: TurnWriter, wanted: WriteTurn, is_local: bool
) -> Generator[Event, None, WrittenTurn]:
    """A turn, which a thread writes, so that its events can be told meanwhile."""
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    stop = Stop()
    written: Future[WrittenTurn] = Future()

    def tell(found: list[Event]) -> None:
        stop.check()
        for event in found:
            events.put(event)

    def write() -> None:
        try:
            written.set_result(writer.write(wanted.messages, wanted.choice, on_events=tell))
        except BaseException as error:
            written.set_exception(error)
        finally:
            events.put(None)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(write,), daemon=True)
    thread.start()
    try:
        while (event := events.get()) is not None:
            yield event
        return written.result()
    finally:
        stop.set()
        if is_local:
            thread.join()


class _Hands:
    """Carries out calls, for as long as it is entered.

    Args:
        concurrent: Whether those of one turn are carried out side by side, in threads.
    """

    def __init__(self, concurrent: bool) -> None:
        self._concurrent = concurrent
        self._events: _EventLoop | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> _Hands:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that nobody waits for any more may be about to begin something.
        with self._lock:
            self._is_over = True
        if self._events is not None:
            self._events.close()

    def results(self, calls: list[CheckedCall]) -> Generator[Step, None, list[Step]]:
        """The result of each call as soon as it is there, and then all, in the order of calls."""
        if not self._concurrent or len(calls) == 1:
            done: list[Step] = []
            for call in calls:
                done.append(self._result(call))
                yield done[-1]
            return done
        pool = ThreadPoolExecutor(min(len(calls), _THREADS))
        try:
            running = [
                pool.submit(contextvars.copy_context().run, self._result, call) for call in calls
            ]
            for future in as_completed(running):
                yield future.result()
            return [future.result() for future in running]
        finally:
            # Nobody waits for a function that cannot be stopped, if something else went wrong.
            pool.shutdown(wait=False, cancel_futures=True)

    def _result(self, call: CheckedCall) -> Step:
        return _at_once(call.result(self._call))

    async def _call(self, tool: Tool, bound: inspect.BoundArguments) -> Any:
        returned = tool(*bound.args, **bound.kwargs)
        if not tool.is_async:
            return returned
        with self._lock:
            if self._is_over:
                returned.close()
                raise Stopped
            if self._events is None:
                self._events = _EventLoop()
            future = self._events.begin(returned)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _at_once(coroutine: Coroutine[Any, Any, R]) -> R:
    """What a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    raise AssertionError("it waits for something")


class _EventLoop:
    """An event loop in a thread of its own, so that it does not matter whether one runs here."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, coroutine: Coroutine[Any, Any, R]) -> Future[R]:
        """Begins it; to cancel what it will return cancels it."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Cancels what still runs, waits for that, and ends the loop."""
        import asyncio

        asyncio.run_coroutine_threadsafe(_end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end() -> None:
    import asyncio

    running = asyncio.all_tasks() - {asyncio.current_task()}
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
