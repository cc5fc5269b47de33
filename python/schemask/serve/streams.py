"""Answers that are sent in pieces, as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import anyio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from schemask.serve.jobs import while_connected


def event(value: Any) -> bytes:
    """One event.

    Args:
        value: What it tells, as JSON has it.
    """
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


class EventStream(Response):
    """A response of events; it ends when the client goes, or does not read.

    Args:
        events: The events, each as bytes. The generator is closed in the end, whatever happens.
        stall_seconds: How long one may take to be sent.
        on_end: Called in the end, whatever happens, also if no event was sent; told whether the
            client took all of it.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        stall_seconds: float,
        on_end: Callable[[bool], None],
    ) -> None:
        self.status_code = 200
        self.background = None
        self._events = events
        self._stall_seconds = stall_seconds
        self._on_end = on_end
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def work() -> bool:
            async with aclosing(self._events):
                async for message in self._messages():
                    with anyio.move_on_after(self._stall_seconds) as scope:
                        await send(message)
                    if scope.cancelled_caught:
                        return False  # what is not completed is cut off
            return True

        is_whole = False
        try:
            is_whole = bool(await while_connected(receive, work))
        finally:
            self._on_end(is_whole)

    async def _messages(self) -> AsyncIterator[Message]:
        yield {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        async for data in self._events:
            yield {"type": "http.response.body", "body": data, "more_body": True}
        yield {"type": "http.response.body", "body": b"", "more_body": False}
