"""The calls of a turn: each is checked, and then carried out by whoever can."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from schemask.agent.steps import Step, StepStatus
from schemask.chat import Message, ToolCall
from schemask.errors import ToolError
from schemask.schemas.equal_values import are_equal
from schemask.tools import Tool, ToolSet, result_text

# Calls a tool: where, and what waits for it, is up to whoever carries out.
Caller: TypeAlias = Callable[[Tool, inspect.BoundArguments], Awaitable[Any]]


class CheckedCall:
    """A call whose name and arguments have been checked.

    Args:
        tools: The tools that can be called.
        call: The call.
        index: Which call of its turn it is.
        message_of: Makes a message of the name of a tool and the text of its result.

    Attributes:
        call: The call.
        step: The call, as a step of the run.
    """

    def __init__(
        self,
        tools: ToolSet,
        call: ToolCall,
        index: int,
        message_of: Callable[[str, str], Message],
    ) -> None:
        self.call = call
        self._index = index
        self._message_of = message_of
        self._tool: Tool | None = None
        self._bound: inspect.BoundArguments | None = None
        self._status: StepStatus = "ok"
        self._error: str | None = None
        if call.name in tools:
            self._tool = tools[call.name]
            try:
                self._bound = self._tool.bind(call.arguments)
            except ToolError as error:
                self._refuse("invalid_arguments", str(error))
        else:
            known = ", ".join(tools.names) or "none"
            self._refuse("unknown_tool", f"no tool is called {call.name!r}; there is {known}")

    @property
    def step(self) -> Step:
        return step_of(self.call, self._index, self._status, self._error)

    def refuse_duplicate(self) -> None:
        """Has it not carried out, as the same call stands in the turn already."""
        if self._status == "ok":
            self._refuse(
                "duplicate", "the same call stands in this turn already, and was made once"
            )

    async def result(self, caller: Caller) -> Step:
        """Carries it out, unless it is refused; what the function raises is told in the step.

        Args:
            caller: What calls the function and waits for what it returns.
        """
        if self._tool is None or self._bound is None:
            return self._result(None, self._status, self._error)
        started = time.perf_counter()
        result: Any = None
        try:
            result = await caller(self._tool, self._bound)
            text = result_text(result)
        except Exception as raised:
            return self.raised(raised, result, time.perf_counter() - started)
        return self._result(result, "ok", None, text, time.perf_counter() - started)

    def raised(self, error: BaseException, result: Any = None, seconds: float = 0.0) -> Step:
        """The result of a call that failed.

        Args:
            error: Why.
            result: What the function returned, if it did.
            seconds: Time that it took.
        """
        told = f"{type(error).__name__}: {error}"
        return self._result(result, "raised", told, seconds=seconds)

    def _refuse(self, status: StepStatus, error: str) -> None:
        self._status, self._error, self._bound = status, error, None

    def _result(
        self,
        result: Any,
        status: StepStatus,
        error: str | None,
        text: str = "",
        seconds: float = 0.0,
    ) -> Step:
        if error is not None:
            text = result_text({"error": error})
        content: str = self._message_of(self.call.name, text)["content"]
        return Step("result", content, self.call, result, status, error, seconds, index=self._index)


def checked_calls(
    tools: ToolSet, calls: Sequence[ToolCall], message_of: Callable[[str, str], Message]
) -> list[CheckedCall]:
    """The calls of a turn, checked.

    Of identical ones, the first is carried out. A grammar does not forbid the others: that a call
    differs from those before it is no property of its text but of all of them, which a grammar
    without a memory for values cannot have, and a call of a tool without arguments, once begun,
    could not become another.
    """
    made = [CheckedCall(tools, call, index, message_of) for index, call in enumerate(calls)]
    for index, checked in enumerate(made):
        if any(_is_same(checked.call, other) for other in calls[:index]):
            checked.refuse_duplicate()
    return made


def _is_same(one: ToolCall, other: ToolCall) -> bool:
    # For Python, 1 is true.
    return one.name == other.name and are_equal(one.arguments, other.arguments)


def step_of(
    call: ToolCall,
    index: int,
    status: StepStatus = "ok",
    error: str | None = None,
    seconds: float = 0.0,
    tokens: int = 0,
) -> Step:
    """A call as a step of the run."""
    text = result_text({"name": call.name, "arguments": call.arguments})
    return Step("call", text, call, None, status, error, seconds, tokens, index)
