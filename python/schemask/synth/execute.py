"""Calls carried out by the real functions, whose results take the place of made-up ones."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from schemask._settings import check_choice, check_whole
from schemask.chat.messages import Message
from schemask.errors import DataError, shortened
from schemask.synth.outcomes import Outcome
from schemask.synth.tool_process import ToolProcess
from schemask.synth.validity import Flaw, read_conversation
from schemask.synth.values import is_said, leaves
from schemask.tools import result_text
from schemask.tools.files import is_python_file

_REFUSED = {
    "refused": "invalid arguments",
    "timeout": "timeout",
    "crashed": "crashed",
    "raised": "raised",
}
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w)")


@dataclass(frozen=True)
class Execute:
    """A stage that carries out each call and puts the real result in the place of the teacher's.

    The functions run in a child process, which loads them once and forks for each line: what the
    calls of a line leave behind, the later ones of the same line see and no other line does. They
    draw the same numbers in every run (`random` is seeded by the line), print to nowhere, and read
    an empty standard input. Their files, networks and clocks are the real ones.

    A call that takes too long, or whose process dies, is refused ("timeout", "crashed"), as is one
    whose arguments the function does not take ("invalid arguments") or that raises ("raised").

    What a teacher wrote after a result may rest on the result that it made up. Such a turn has a
    text or number as an argument, or a number or text in its words, which stood in the old result
    and which neither the real results nor users nor the system say; or it follows an error where
    the teacher had none. The line then ends before that turn and the results before it, if it is
    long enough to have a call.

    Attributes:
        tools: A Python file, or the name of a module, with `@tool` functions.
        timeout: Seconds that a call may take.
        memory: Bytes that the functions may take beside what they hold when they are loaded, where
            the system is Linux; None is no limit.
        errors: What becomes of a call that raises: "refuse" it, or "keep" the error as its result,
            `{"error": …}`, as the loop writes it. A line that would end with such a call is refused
            all the same: it would teach the call, and not what comes of it.
        stale: What becomes of turns that rest on a result that is no longer there: "cut" the line
            before them, "refuse" it ("stale"), or "keep" them.

    Raises:
        DataError: A setting out of range or of a wrong type, or a system that cannot fork.
    """

    tools: str
    timeout: float = 10.0
    memory: int | None = 1 << 30
    errors: Literal["refuse", "keep"] = "refuse"
    stale: Literal["cut", "refuse", "keep"] = "cut"

    def __post_init__(self) -> None:
        if not isinstance(self.tools, (str, os.PathLike)) or not os.fspath(self.tools):
            raise DataError(f"tools are a file or a module, not {shortened(self.tools)}")
        object.__setattr__(self, "tools", os.fspath(self.tools))
        seconds = self.timeout
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise DataError(f"timeout is a number of seconds above 0, not {shortened(seconds)}")
        if self.memory is not None:
            check_whole("memory", self.memory, 1)
        check_choice("errors", self.errors, ("refuse", "keep"))
        check_choice("stale", self.stale, ("cut", "refuse", "keep"))
        if not hasattr(os, "fork"):
            raise DataError("functions are carried out in forked processes: not on this system")

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "execute"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        return {
            "tools": _source_digest(self.tools),
            "timeout": self.timeout,
            "memory": self.memory,
            "errors": self.errors,
            "stale": self.stale,
        }

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line with real results.

        Args:
            example: The line.
            index: Its number in the input, from 0.

        Raises:
            ToolError: The tools cannot be loaded.
            DataError: Their process ends whatever is done.
        """
        read = read_conversation(example)
        if isinstance(read, Flaw):
            return Outcome(refused=read.reason, detail=read.detail)
        calls = [
            call["function"] for message in read.messages for call in message.get("tool_calls", ())
        ]
        if not calls:
            return Outcome((example,))
        made = _Rewriting(self, self._answers(index, calls)).of(read.messages)
        if isinstance(made, Flaw):
            return Outcome(refused=made.reason, detail=made.detail)
        messages, mended, detail = made
        others = {k: v for k, v in example.items() if k not in ("user", "tool_call")}
        line = {**others, "messages": messages}
        return Outcome((line,), detail=detail, mended=mended)

    def close(self) -> None:
        """Ends the process in which the functions run, if there is one."""
        process = vars(self).pop("_process", None)
        if process is not None:
            process.close()

    def _answers(self, index: int, calls: list[dict[str, Any]]) -> list[dict[str, str]]:
        given = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
        with contextlib.suppress(DataError):
            return self._running().answers(index, given)
        self.close()
        return self._running().answers(index, given)

    def _running(self) -> ToolProcess:
        process: ToolProcess | None = vars(self).get("_process")
        if process is None:
            options = {
                "tools": self.tools,
                "timeout": self.timeout,
                "memory": self.memory,
                "errors": self.errors,
            }
            process = vars(self)["_process"] = ToolProcess(options)
        return process


class _Rewriting:
    """Puts answers into a conversation, up to where it no longer holds."""

    def __init__(self, stage: Execute, answers: Sequence[dict[str, str]]) -> None:
        self._stage = stage
        self._answers = iter(answers)
        self._real: list[str] = []
        self._old: list[str | int | float] = []
        self._has_new_error = False
        self._mended: dict[str, None] = {}
        self._raised: str | None = None  # by the calls of the last turn so far

    def of(self, messages: Sequence[Message]) -> tuple[list[Message], tuple[str, ...], str] | Flaw:
        made: list[Message] = []
        results: Iterator[str] = iter(())
        cut: str | None = None
        for place, message in enumerate(messages):
            if message["role"] == "tool":
                made.append(self._with_result(message, next(results)))
                continue
            if message["role"] == "assistant":
                stale = self._stale(message) if self._stage.stale != "keep" else None
                if stale is not None:
                    detail = f"message {place}: {stale}"
                    if self._stage.stale == "refuse":
                        return Flaw("stale", detail)
                    while made[-1]["role"] == "tool":  # results that nothing answers teach nothing
                        made.pop()
                    cut = detail
                    break
                told = self._results(message, place)
                if isinstance(told, Flaw):
                    return told
                results = iter(told)
            else:
                self._real.append(message["content"])
            made.append(message)
        if self._raised is not None and made[-1]["role"] in ("assistant", "tool"):
            return Flaw("raised", self._raised)
        if cut is not None:
            return made, (*self._mended, "cut"), cut
        return made, tuple(self._mended), ""

    def _results(self, message: Message, place: int) -> list[str] | Flaw:
        found = []
        self._raised = None
        for number, call in enumerate(message.get("tool_calls", ())):
            [(kind, text)] = next(self._answers).items()
            where = f"message {place}, call {number}: {call['function']['name']}"
            if kind == "raised" and self._stage.errors == "keep":
                self._raised = f"{where}: {text}"
                found.append(result_text({"error": text}))
            elif kind != "result":
                return Flaw(_REFUSED[kind], f"{where}: {text}")
            else:
                found.append(text)
        return found

    def _with_result(self, message: Message, text: str) -> Message:
        old = message["content"]
        self._real.append(text)
        if old == text:
            return message
        self._mended["result"] = None
        self._old += _told_by(old)
        self._has_new_error |= _is_error(text) and not _is_error(old)
        return {**message, "content": text}

    def _stale(self, message: Message) -> str | None:
        """What in a turn rests on a result that is no longer there."""
        if self._has_new_error:
            return "it does not know of the error before it"
        calls = message.get("tool_calls", ())
        used = list(leaves([call["function"]["arguments"] for call in calls]))
        for value in self._old:
            says = is_said(value, message["content"]) or value in used
            if says and not any(is_said(value, text) for text in self._real):
                return f"{value!r} stood in a result that the function did not return"
        return None


def _told_by(result: str) -> list[str | int | float]:
    """The texts and numbers in a result, as JSON and in words."""
    try:
        found = list(leaves(json.loads(result)))
    except (ValueError, RecursionError):
        found = [result]
    texts = [value for value in found if isinstance(value, str)]
    numbers = [
        json.loads(text) for value in texts for text in _NUMBER.findall(value) if _is_plain(text)
    ]
    return [*found, *numbers]


def _is_plain(text: str) -> bool:
    return not re.match(r"0\d", text) and len(text) < 300


def _is_error(result: str) -> bool:
    try:
        value = json.loads(result)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "error" in value


def _source_digest(tools: str) -> str:
    """What a file or a module holds, by its digest; its name if that cannot be read."""
    path = tools
    if not is_python_file(tools):
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(tools)
            path = spec.origin or tools if spec is not None else tools
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()[:32]
    except OSError:
        return tools
