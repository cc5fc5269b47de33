"""What the process does in which tools run: it loads them once, and forks for each line.

It reads a JSON object a line, `{"index", "calls"}`, and writes the answers to its calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import select
import signal
import sys
import time
from typing import IO, Any

from schemask.errors import Error, ToolError
from schemask.tools import ToolSet, result_text
from schemask.tools.files import python_tools

# So long may a process take to end after it has closed its pipe, in seconds.
_END = 1.0


def serve() -> None:
    """Answers until nobody is there any more."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.dup(1)
    _silence()
    options = json.loads(requests.readline())
    try:
        tools = python_tools(options["tools"])
    except Error as error:
        _write(answers, {"problem": str(error)})
        return
    # What was loaded is not walked by the collector again, which would copy it after each fork.
    gc.freeze()
    _write(answers, {"names": tools.names})
    while line := requests.readline():
        given = json.loads(line)
        _write(answers, _Line(tools, options, requests).answers(given["index"], given["calls"]))


def _write(pipe: int, value: Any) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def _silence() -> None:
    """Functions read nothing, and what they print is lost: the pipes are not theirs."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


class _Line:
    """The calls of one line, in a process of their own that leaves nothing behind."""

    def __init__(self, tools: ToolSet, options: dict[str, Any], requests: IO[bytes]) -> None:
        self._tools = tools
        self._seconds: float = options["timeout"]
        self._memory: int | None = options["memory"]
        self._goes_on: bool = options["errors"] == "keep"
        self._requests = requests

    def answers(self, index: int, calls: list[dict[str, Any]]) -> list[dict[str, str]]:
        """An answer for each call, or for those up to the one after which nothing can be done."""
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                os.close(read_end)
                self._carry_out(index, calls, write_end)
            os._exit(0)
        os.close(write_end)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        try:
            return self._collected(child, read_end, len(calls))
        finally:
            os.close(read_end)

    def _collected(self, child: int, pipe: int, count: int) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        text = b""
        until = time.monotonic() + self._seconds
        watched: list[Any] = [pipe, self._requests]
        while len(found) < count:
            left = until - time.monotonic()
            ready = select.select(watched, [], [], max(left, 0))[0]
            if self._requests in ready:  # there is no second request: whoever asked is gone
                _end(child)
                os._exit(0)
            if not ready:
                _end(child)
                return [*found, {"timeout": f"no result after {self._seconds:g} s"}]
            if not (data := os.read(pipe, 1 << 16)):
                how = _exit_of(child)
                return found if found and self._stops(found[-1]) else [*found, {"crashed": how}]
            *whole, text = (text + data).split(b"\n")
            found += map(json.loads, whole)
            if whole:
                until = time.monotonic() + self._seconds
        _end(child)
        return found

    def _carry_out(self, index: int, calls: list[dict[str, Any]], pipe: int) -> None:
        os.setpgid(0, 0)
        _limit(self._memory)
        random.seed(index)
        for call in calls:
            answer = self._answer(call)
            _write(pipe, answer)
            if self._stops(answer):
                break

    def _stops(self, answer: dict[str, str]) -> bool:
        return "result" not in answer and not (self._goes_on and "raised" in answer)

    def _answer(self, call: dict[str, Any]) -> dict[str, str]:
        try:
            tool = self._tools[call["name"]]
            bound = tool.bind(call["arguments"])
        except ToolError as error:
            return {"refused": str(error)}
        try:
            result = tool(*bound.args, **bound.kwargs)
            return {"result": result_text(asyncio.run(result) if tool.is_async else result)}
        except BaseException as error:
            return {"raised": f"{type(error).__name__}: {error}"}


def _limit(memory: int | None) -> None:
    """Lets this process take no more than so many bytes beside what it has already."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # not every system tells, or takes a limit
        if memory is not None and sys.platform == "linux":
            with open("/proc/self/statm", encoding="ascii") as file:
                held = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))


def _end(child: int) -> None:
    """Ends a process, and those that it has started."""
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _exit_of(child: int) -> str:
    """How a process has ended that says no more."""
    until = time.monotonic() + _END
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with contextlib.suppress(OSError):
                os.killpg(child, signal.SIGKILL)
            return _told(os.waitstatus_to_exitcode(status))
        time.sleep(0.001)
    _end(child)
    return "its process closed its pipe"


def _told(code: int) -> str:
    if code < 0:
        return f"its process ended with {signal.Signals(-code).name}"
    return f"its process ended with status {code}"
