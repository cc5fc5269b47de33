"""What happens in a run, and what is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from schemask.chat import Event, Message, ToolCall
from schemask.errors import shortened

StepStatus: TypeAlias = Literal[
    "ok",
    "invalid_arguments",
    "unknown_tool",
    "duplicate",
    "raised",
    "truncated",
    "malformed",
    "invalid_response",
]
RunStatus: TypeAlias = Literal[
    "answered", "repeated", "max_steps", "max_tokens", "malformed", "invalid_response"
]


@dataclass(frozen=True)
class Step:
    """One thing that happened.

    Attributes:
        kind: "words" that the model said, a "call" that it made, or the "result" of that call.
        text: The words; the call as JSON text; the result as the model sees it.
        tool_call: The call, of a call and of its result.
        result: What the function returned, before it became text.
        status: "ok", or what went wrong. Of words: "truncated" by the token limit, "malformed" if
            they are a call that cannot be read, or "invalid_response" if they are not of the
            `response_schema`. Of a call: "truncated" if the token limit had a say in its turn; it
            was not carried out. Of a call and its result: "invalid_arguments", "unknown_tool" or
            "duplicate", of a call that stands in the turn already (the function was not entered).
            Of a result also "raised". Under a grammar, calls are never of unknown tools, and
            malformed only by a number of more digits than Python reads.
        error: What went wrong, in words.
        seconds: Time that the model took for its turn, on the first step of a turn; time that the
            function took, on a result.
        tokens: Tokens that the model generated, on the first step of a turn; else 0.
        index: Which call of its turn it is, counted from 0, of a call and of its result.
    """

    kind: Literal["words", "call", "result"]
    text: str
    tool_call: ToolCall | None = None
    result: Any = None
    status: StepStatus = "ok"
    error: str | None = None
    seconds: float = 0.0
    tokens: int = 0
    index: int | None = None

    def __repr__(self) -> str:
        return f"<Step {self.kind} {self.status}: {shortened(self.text)}>"


@dataclass(frozen=True)
class AgentResult:
    """A finished run.

    Attributes:
        messages: The conversation, from the first message given to the last turn or result. With a
            further question, it can be given to `run_agent` again.
        steps: Everything that happened: of each turn its words and calls, and then the results, in
            the order of the calls.
        answer: The model's final words, or None if it did not come to any.
        status: "answered"; "repeated" if the model made the calls of its last turn once more, and
            got the same results; "max_steps" if it still called tools in its last turn;
            "max_tokens" if a turn was cut off; "malformed" if one holds a call that cannot be
            read, as models that cannot be constrained write them; "invalid_response" if the answer
            is not of the `response_schema`.
        value: The answer as the value that it spells, where there is a `response_schema`: of the
            type that was given, or as JSON has it. None if there is no answer.
    """

    messages: list[Message]
    steps: list[Step]
    answer: str | None
    status: RunStatus
    value: Any = None

    def __repr__(self) -> str:
        answer = "" if self.answer is None else f": {shortened(self.answer)}"
        return f"<AgentResult {self.status} after {len(self.steps)} steps{answer}>"


AgentEvent: TypeAlias = Event | Step | AgentResult
