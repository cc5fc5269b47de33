"""The process in which tools run, as the one that asks it sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import Any

from schemask.errors import DataError, ToolError

_PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from schemask.synth.tool_server import serve
serve()
"""


class ToolProcess:
    """A process that has loaded tools and carries out calls.

    Args:
        options: What `schemask.synth.tool_server` reads first.

    Raises:
        ToolError: The tools cannot be loaded.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Sets have the same order in every run; and Ctrl-C is for the one that asks.
            env={**os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        first = self._asked(options)
        if first is None or "problem" in first:
            self.close()
            how = f"its process ended with status {self._process.returncode}"
            raise ToolError(how if first is None else first["problem"])

    def answers(self, index: int, calls: list[dict[str, Any]]) -> list[dict[str, str]]:
        """What became of the calls of a line: an answer each, up to one that ends it.

        Args:
            index: The number of the line, which decides what functions draw.
            calls: Names and arguments.

        Raises:
            DataError: The process has ended.
        """
        found = self._asked({"index": index, "calls": calls})
        if found is None:
            raise DataError("the process in which tools run has ended")
        answers: list[dict[str, str]] = found
        return answers

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()

    def _asked(self, value: dict[str, Any]) -> Any:
        """The answer, or None if the process has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None
