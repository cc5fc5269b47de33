"""What a model is asked in an evaluation, and the judge of what it answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemask.chat import Message, ParsedTurn, ToolCall
from schemask.errors import shortened
from schemask.evaluation.verdicts import Expectation, Verdict
from schemask.schemas.validator import validator_of
from schemask.tools import ToolSet


@dataclass(frozen=True)
class EvalExample:
    """One request, and what should come of it.

    Attributes:
        id: Names it among the others.
        category: The group whose rate it counts for.
        messages: The conversation, of which the last message is not the assistant's.
        tools: What the model may call.
        expected: What should come.
    """

    id: str
    category: str
    messages: list[Message]
    tools: ToolSet
    expected: Expectation

    def __repr__(self) -> str:
        return f"<EvalExample {self.id}: {self.expected.kind}, {shortened(self.request)}>"

    @property
    def request(self) -> str:
        """The text of the last message of the user."""
        texts = [message["content"] for message in self.messages if message["role"] == "user"]
        return texts[-1] if texts else ""

    @property
    def digest(self) -> str:
        """Sixteen digits that tell it from any other, whatever its id."""
        parts = [self.messages, self.tools.definitions, self.expected.kind, self.expected.shown]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def judge(self, turn: ParsedTurn | None, error: str | None = None) -> Verdict:
        """What is said of the model's turn.

        A call that names no tool of the example, or whose arguments its schema does not allow, is
        "malformed", and so is what looks like a call and cannot be read. Valid calls are "wrong" if
        they are not those expected, or if there should have been none.

        Args:
            turn: What was read of the turn; None if it cannot be read.
            error: Why it cannot, in words.
        """
        if turn is None:
            return Verdict("malformed", error or "the turn cannot be read")
        abstains = self.expected.kind in ("words", "ask", "cannot")
        if not turn.tool_calls:
            return Verdict("right" if abstains else "no_call", "" if abstains else "no call")
        verdict = self.expected.compare(turn.tool_calls)
        problem = self._fault(turn.tool_calls)
        if problem is None or (verdict.outcome == "right" and self.expected.kind != "any_call"):
            return verdict
        return Verdict("malformed", problem, verdict.arguments)

    def _fault(self, calls: Sequence[ToolCall]) -> str | None:
        """Why a call is none that the tools allow; None if all are."""
        for call in calls:
            if call.name not in self.tools:
                return f"no tool is called {shortened(call.name)}"
            problem = validator_of(self.tools[call.name].parameters).problem(call.arguments)
            if problem is not None:
                return f"{call.name}: {problem}"
        return None


@dataclass(frozen=True)
class Abstention:
    """No call is right.

    Attributes:
        kind: Why: "words" (the request needs no tool), "ask" (a value that a tool needs is
            missing), or "cannot" (no tool does it).
        words: What an assistant might say, if that is known.
    """

    kind: Literal["words", "ask", "cannot"]
    words: str = ""

    @property
    def shown(self) -> Any:
        """The words."""
        return {"no_call": self.kind, "words": self.words}

    def compare(self, calls: Sequence[ToolCall]) -> Verdict:
        """Any call is wrong.

        Args:
            calls: The calls.
        """
        return Verdict("wrong", f"calls {calls[0].name}, where no call is right")


@dataclass(frozen=True)
class AnyCall:
    """Some call is right, whichever it is."""

    @property
    def kind(self) -> Literal["any_call"]:
        """That."""
        return "any_call"

    @property
    def shown(self) -> Any:
        """No more than that."""
        return {"any_call": True}

    def compare(self, calls: Sequence[ToolCall]) -> Verdict:
        """All calls are right.

        Args:
            calls: The calls.
        """
        return Verdict("right")


def shown_call(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call as records have it."""
    return {"name": name, "arguments": dict(arguments)}
