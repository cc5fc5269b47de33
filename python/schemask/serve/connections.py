"""Connections of which those are closed that do not come to a request."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def connection_class(stall_seconds: float) -> type[H11Protocol]:
    """What speaks HTTP on each connection of a server.

    uvicorn waits for ever for a request's first line and headers, and lets go of a connection that
    is kept open only if nothing at all comes.

    Args:
        stall_seconds: How long a connection may be open without a request that is being answered.
    """

    class Connection(H11Protocol):
        _closing: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def handle_events(self) -> None:
            super().handle_events()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._unwatch()

        def _watch(self) -> None:
            """Looks whether a request is being answered, once something has come."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._unwatch()
            elif self._closing is None:
                self._closing = self.loop.call_later(stall_seconds, self.transport.close)

        def _unwatch(self) -> None:
            if self._closing is not None:
                self._closing.cancel()
                self._closing = None

    return Connection
