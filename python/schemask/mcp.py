"""Tools of a server of the Model Context Protocol, for programs without an event loop.

    with connect(StdioServerParameters(command="python", args=["server.py"])) as tools:
        result = run_agent(model, tools, "What is 2 + 2?")

A program that has an event loop, and a session in it, uses `schemask.ToolSet.from_mcp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

from schemask.errors import ToolError, missing
from schemask.tools import ToolSet
from schemask.tools.results import McpResult

try:
    import mcp
    from anyio.from_thread import start_blocking_portal
except ImportError as error:
    raise missing("mcp", "mcp", error) from error

__all__ = ["McpResult", "connect"]


@contextmanager
def connect(
    server: Any, *, names: Collection[str] | None = None, timeout: float | None = 60.0
) -> Iterator[ToolSet]:
    """Starts a server, or connects to one, and ends that with the block; yields its tools.

    An event loop runs in a thread of its own for as long. The tools can be called from any other
    thread; each call waits for the server's answer, an `McpResult`.

    Args:
        server: How it is reached: an `mcp.StdioServerParameters`, whose command is started, or a
            transport of the package `mcp` such as `streamable_http_client(url)`. Of version 2 of
            that package, whatever an `mcp.Client` takes.
        names: Which tools are taken; see `ToolSet.from_mcp`.
        timeout: Seconds that the server may take for each answer; None is no limit.

    Raises:
        ToolError: The server cannot be reached, or as `ToolSet.from_mcp`.
    """
    with start_blocking_portal() as portal:
        session = portal.wrap_async_context_manager(_session(server, timeout))
        try:
            opened = session.__enter__()
        except Exception as error:
            raise ToolError(f"the server cannot be reached: {_reason(error)}") from error
        try:
            yield portal.call(partial(ToolSet.from_mcp, opened, names=names, timeout=timeout))
        finally:
            # What the block raised is none of the session's business, whose task groups would make
            # a group of it; and what is wrong with a server that is given up is no one's.
            with suppress(Exception):
                session.__exit__(None, None, None)


@asynccontextmanager
async def _session(server: Any, timeout: float | None) -> AsyncIterator[Any]:
    if hasattr(mcp, "Client"):
        async with mcp.Client(server, read_timeout_seconds=timeout) as client:
            yield client
        return
    # Version 1 of the package.
    is_command = isinstance(server, mcp.StdioServerParameters)
    async with (
        mcp.stdio_client(server) if is_command else server as (read, write, *_),
        mcp.ClientSession(read, write) as session,
    ):
        await asyncio.wait_for(session.initialize(), timeout)
        yield session


def _reason(error: BaseException) -> str:
    """What went wrong, out of the groups that task groups make of it."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    return str(error) or type(error).__name__
