"""Tools of a server of the Model Context Protocol, as functions that wait for its answers.

A session lives in an event loop, and answers only while that loop runs; whoever calls a tool waits
in another thread, or awaits it there.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import json
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from pydantic_core import to_json

from schemask.errors import ToolError, missing, shortened
from schemask.tools.results import McpResult

R = TypeVar("R")

# Servers may list their tools in pages; without bounds, one that never ends would hold us for ever.
_MAX_PAGES = 1000
# How often a thread that waits for an answer looks whether the loop still runs.
_LOOK_SECONDS = 1.0


class McpFunction:
    """The function of a tool: called with the arguments by name, it asks the server and waits.

    In the event loop of the session, it is awaited instead.

    Args:
        session: The session, which has `call_tool`.
        loop: The event loop that it lives in.
        definition: The tool as the protocol writes it.
        timeout: Seconds that a call may take; None is no limit.
    """

    def __init__(
        self,
        session: Any,
        loop: asyncio.AbstractEventLoop,
        definition: Mapping[str, Any],
        timeout: float | None,
    ) -> None:
        self._session = session
        self._loop = loop
        self._name: str = definition["name"]
        self._has_schema = definition.get("outputSchema") is not None
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<McpFunction {self._name}>"

    def check_callable(self) -> None:
        """Raises ToolError where a call could not be answered: in the session's own loop."""
        if running_loop() is self._loop:
            raise ToolError(
                f"{self._name}: called from the event loop of its session, which would wait for "
                "itself: await arun_agent(…), or call it in a thread, by asyncio.to_thread"
            )
        if not self._loop.is_running():
            raise ToolError(f"{self._name}: the event loop of its session has ended")

    def __call__(self, /, **arguments: Any) -> McpResult:
        """Calls the tool.

        Raises:
            ToolError: What the server says went wrong, no answer in time, or no server any more.
        """
        self.check_callable()
        self._check(arguments)
        return self._result(self._wait(self._session.call_tool(self._name, arguments)))

    @property
    def lives_here(self) -> bool:
        """Whether this is the event loop of the session, so that a call can be awaited."""
        return running_loop() is self._loop

    async def awaited(self, /, **arguments: Any) -> McpResult:
        """Calls the tool in the event loop of the session.

        Raises:
            ToolError: As a call.
        """
        self._check(arguments)
        request = self._session.call_tool(self._name, arguments)
        return self._result(await _ask(request, self._name, self._timeout))

    def _check(self, arguments: dict[str, Any]) -> None:
        try:
            # What cannot be written would end the session, and no number is infinite in JSON.
            json.dumps(arguments, allow_nan=False)
            to_json([arguments])
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolError(f"{self._name}: arguments that are no JSON: {error}") from error

    def _result(self, answer: dict[str, Any]) -> McpResult:
        content = answer.get("content") or []
        result = McpResult(content, answer.get("structuredContent"), self._has_schema)
        if answer.get("isError"):
            raise ToolError(result.text or f"{self._name}: failed, without a word")
        return result

    def _wait(self, request: Coroutine[Any, Any, Any]) -> dict[str, Any]:
        asked = _ask(request, self._name, self._timeout)
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            while True:
                try:
                    return future.result(_LOOK_SECONDS)
                except concurrent.futures.TimeoutError:
                    if not future.done() and not self._loop.is_running():
                        raise ToolError(
                            f"{self._name}: the event loop of its session has ended"
                        ) from None
        except concurrent.futures.CancelledError as error:
            raise ToolError(f"{self._name}: the session ended before an answer") from error
        except BaseException:
            future.cancel()
            raise


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, if one runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def list_definitions(session: Any, timeout: float | None) -> list[dict[str, Any]]:
    """The tools of a server as the protocol writes them, all pages of them.

    Raises:
        ToolError: No session, an answer that is none, or pages without end.
    """
    list_tools = getattr(session, "list_tools", None)
    if isinstance(session, type) or not callable(list_tools) or not hasattr(session, "call_tool"):
        raise ToolError(f"a session is an mcp.ClientSession, not {shortened(session)}")
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    page = await _ask(list_tools(), "tools/list", timeout)
    while True:
        found += map(_described, page["tools"])
        cursor = page.get("nextCursor")
        if cursor is None:
            return found
        if cursor in seen or len(seen) == _MAX_PAGES:
            raise ToolError("the server lists its tools without end")
        seen.add(cursor)
        page = await _ask(list_tools(**_at(list_tools, cursor)), "tools/list", timeout)


def _described(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with its title, which is for people, where there is no description."""
    annotations = definition.get("annotations") or {}
    title = definition.get("title") or annotations.get("title")
    return definition if definition.get("description") else {**definition, "description": title}


def _at(list_tools: Any, cursor: str) -> dict[str, Any]:
    """The argument of `list_tools` for a page, which is another one in each of its versions."""
    if "params" not in inspect.signature(list_tools).parameters:
        return {"cursor": cursor}
    try:
        from mcp.types import PaginatedRequestParams
    except ImportError as error:
        raise missing("mcp", "mcp", error) from error
    return {"params": PaginatedRequestParams(cursor=cursor)}


async def _ask(
    request: Coroutine[Any, Any, Any], what: str, timeout: float | None
) -> dict[str, Any]:
    """The answer as the protocol writes it, which does not depend on the version of the client.

    Raises:
        ToolError: Whatever went wrong.
    """
    try:
        answer = await asyncio.wait_for(request, timeout)
        written: dict[str, Any] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        return written
    except asyncio.TimeoutError as error:
        raise ToolError(f"{what}: no answer in {timeout} seconds") from error
    except Exception as error:
        raise ToolError(f"{what}: {str(error) or type(error).__name__}") from error
