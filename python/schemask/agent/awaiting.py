"""Drives a run in an event loop of asyncio, which goes on with other things meanwhile."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from schemask._turns import TurnWriter, WrittenTurn
from schemask.agent.calls import CheckedCall
from schemask.agent.loop import CarryOut, Loop, Request, WriteTurn
from schemask.agent.steps import AgentEvent, AgentResult, Step
from schemask.agent.stopping import Stop
from schemask.chat import Event
from schemask.tools import Tool
from schemask.tools.tool_set import AlsoAwaited


async def run(loop: Loop) -> AsyncGenerator[AgentEvent, None]:
    """A run, as what happens in it; the last thing is its result.

    Where it is cancelled or closed, it ends what it has begun: the generation of a local model,
    which ends at its next token, and calls of coroutine functions. What waits in a thread for
    something else, a function or an endpoint, cannot be ended, and its result is dropped.
    """
    writer = await asyncio.to_thread(loop.writer)
    turns = loop.turns(writer.result_message)
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
            async with _Results(wanted.calls, loop.options.concurrent) as results:
                while (step := await results.next()) is not None:
                    yield step
                answer = results.in_order
        else:
            async with _Turn(writer, wanted, loop.is_local) as turn:
                while (event := await turn.next()) is not None:
                    yield event
                answer = turn.written


class _Turn:
    """A turn that a thread writes; to leave it ends that."""

    def __init__(self, writer: TurnWriter, wanted: WriteTurn, is_local: bool) -> None:
        self._writer = writer
        self._wanted = wanted
        self._is_local = is_local
        self._stop = Stop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    async def __aenter__(self) -> _Turn:
        loop = asyncio.get_running_loop()

        def tell(found: list[Event]) -> None:
            self._stop.check()
            for event in found:
                loop.call_soon_threadsafe(self._events.put_nowait, event)

        self._work = asyncio.create_task(
            asyncio.to_thread(
                self._writer.write, self._wanted.messages, self._wanted.choice, on_events=tell
            )
        )
        self._work.add_done_callback(lambda _: self._events.put_nowait(None))
        return self

    async def next(self) -> Event | None:
        """The next event; None once the turn is there, or has failed."""
        return await self._events.get()

    @property
    def written(self) -> WrittenTurn:
        """The turn, or what it failed with."""
        return self._work.result()

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if not self._work.done():
            if not self._is_local:
                self._work.cancel()
            await asyncio.wait([self._work])
        if not self._work.cancelled():
            self._work.exception()  # which nobody else may ask for, and asyncio would complain


class _Results:
    """The results of calls that are being carried out; to leave them ends those that are not there.

    Args:
        calls: The calls.
        concurrent: Whether they are carried out side by side.
    """

    def __init__(self, calls: list[CheckedCall], concurrent: bool) -> None:
        self._waiting = deque(calls)
        self._at_once = len(calls) if concurrent else 1
        self._tasks: dict[asyncio.Task[Step], CheckedCall] = {}
        self._steps: dict[CheckedCall, Step] = {}
        self._calls = calls
        self._untold: deque[Step] = deque()

    async def __aenter__(self) -> _Results:
        return self

    async def next(self) -> Step | None:
        """The next result, as soon as it is there; None after the last."""
        while self._waiting and len(self._tasks) < self._at_once:
            call = self._waiting.popleft()
            self._tasks[asyncio.create_task(call.result(_called))] = call
        if not self._untold:
            if not self._tasks:
                return None
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._tasks if task in done]:
                call = self._tasks.pop(task)
                # Nobody has cancelled it here: the function has cancelled itself.
                step = call.raised(asyncio.CancelledError()) if task.cancelled() else task.result()
                self._steps[call] = step
                self._untold.append(step)
        return self._untold.popleft()

    @property
    def in_order(self) -> list[Step]:
        """All results, in the order of the calls."""
        return [self._steps[call] for call in self._calls]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _called(tool: Tool, bound: inspect.BoundArguments) -> Any:
    function = tool.function
    if isinstance(function, AlsoAwaited) and function.lives_here:
        return await function.awaited(*bound.args, **bound.kwargs)
    if tool.is_async:
        return await tool(*bound.args, **bound.kwargs)
    return await asyncio.to_thread(tool, *bound.args, **bound.kwargs)
