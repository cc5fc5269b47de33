"""The loop itself: it says what is to be done, and is told what came of it.

`Loop.turns` is a generator. Whoever drives it has the model write the turns that it asks for, and
carries out the calls: one driver waits (`waiting.py`), the other awaits (`awaiting.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from schemask._turns import TurnWriter, WrittenTurn, own_format
from schemask.agent.calls import CheckedCall, checked_calls, step_of
from schemask.agent.responses import Response
from schemask.agent.steps import AgentResult, RunStatus, Step, StepStatus
from schemask.chat import ChatFormat, Message, ParsedTurn, chat_format, check_messages
from schemask.core.generation import check_count
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.errors import FormatError, ModelError, check_flags, shortened
from schemask.models.base import ChatModel, Model
from schemask.tools import ToolSet, ToolsLike


@dataclass(frozen=True)
class WriteTurn:
    """Asks for a turn of the model; the answer is a `WrittenTurn`.

    Attributes:
        messages: The conversation.
        choice: What the turn may be, as `tool_choice`.
    """

    messages: list[Message]
    choice: str


@dataclass(frozen=True)
class CarryOut:
    """Asks for the results of the calls of a turn; the answer is a step for each, in their order.

    Attributes:
        calls: The calls. Those that are refused have a result, too.
    """

    calls: list[CheckedCall]


Request: TypeAlias = WriteTurn | CarryOut
# What is yielded is a request, or a step that has happened.
Turns: TypeAlias = Generator[Request | Step, Any, AgentResult]


@dataclass(frozen=True)
class RunOptions:
    """How a run goes, as `run_agent` says."""

    format: str | ChatFormat | None = None
    tool_choice: str = "auto"
    parallel: bool = True
    concurrent: bool = True
    max_steps: int = 8
    sampling: Sampling = GREEDY
    system: str | None = None
    examples: Sequence[Sequence[Mapping[str, Any]]] = ()
    response_schema: Any = None
    provenance: bool = False
    carry_out_truncated: bool = False


class Loop:
    """One run: what it was asked for, checked as far as nobody has to wait for that.

    Attributes:
        model: The model.
        options: How it goes.
    """

    def __init__(
        self,
        model: Model | ChatModel,
        tools: ToolsLike,
        messages: str | Sequence[Mapping[str, Any]],
        options: RunOptions,
    ) -> None:
        if not isinstance(model, (Model, ChatModel)):
            hint = (
                ": wrap a function from prompt to text in CallableModel" if callable(model) else ""
            )
            raise ModelError(f"the model is no Model or ChatModel, but {shortened(model)}{hint}")
        self.model = model
        self.options = options
        self._tools = ToolSet.of(tools)
        check_count("max_steps", options.max_steps)
        check_is_sampling(options.sampling)
        check_flags(
            ModelError,
            parallel=options.parallel,
            concurrent=options.concurrent,
            provenance=options.provenance,
            carry_out_truncated=options.carry_out_truncated,
        )
        self._head, self._conversation, self._shown_from = _opening(
            messages, options.system, options.examples
        )
        given = options.response_schema
        self._response = None if given is None else Response(given)
        self._steps: list[Step] = []

    @property
    def is_local(self) -> bool:
        """Whether the model generates here, token by token: its generation can be stopped, and
        nobody else should have the model before that has ended."""
        return not isinstance(self.model, ChatModel) and self.model.vocabulary is not None

    def writer(self) -> TurnWriter:
        """What gets the turns. To find the format of a template takes some time.

        Tools are looked at here, since whether some can be called depends on who waits for them.
        """
        for tool in self._tools:
            tool.check_callable()
        options = self.options
        form = own_format(self.model) if options.format is None else chat_format(options.format)
        schema = None if self._response is None else self._response.schema
        return TurnWriter(
            self.model,
            self._tools,
            form,
            options.parallel,
            options.sampling,
            schema,
            options.provenance,
        )

    def turns(self, message_of: Callable[[str, str], Message]) -> Turns:
        """The run, as what is to be done and what happened; the result is its value.

        Args:
            message_of: Makes a message of the name of a tool and the text of its result.
        """
        exchange: object = None
        choice = self.options.tool_choice
        for _ in range(self.options.max_steps):
            shown = [*self._head, *self._conversation[self._shown_from :]]
            turn: WrittenTurn = yield WriteTurn(shown, choice)
            parsed = turn.parsed
            may_go_on = parsed is not None and bool(
                turn.status == "ok" or (parsed.tool_calls and self.options.carry_out_truncated)
            )
            if parsed is None or not may_go_on:
                yield from self._told(turn, _unfinished(turn))
                end: RunStatus = "max_tokens" if turn.status == "truncated" else "malformed"
                return self._ended(end)
            if not parsed.tool_calls:
                return (yield from self._answered(turn, parsed))
            self._conversation.append(_message_of(parsed))
            calls = checked_calls(self._tools, parsed.tool_calls, message_of)
            words = [Step("words", parsed.content)] if parsed.content else []
            yield from self._told(turn, [*words, *(call.step for call in calls)])
            results: list[Step] = yield CarryOut(calls)
            self._steps += results
            messages = [_result_message(step) for step in results]
            self._conversation += messages
            if exchange == (exchange := (parsed.tool_calls, messages)):
                return self._ended("repeated")
            choice = "auto"
        return self._ended("max_steps")

    def _answered(
        self, turn: WrittenTurn, parsed: ParsedTurn
    ) -> Generator[Request | Step, Any, AgentResult]:
        """The end with an answer in words, or in data."""
        status: StepStatus = "ok"
        value, error = None, None
        if self._response is not None:
            try:
                value = self._response.read(parsed.content)
            except FormatError as problem:
                status, error = "invalid_response", str(problem)
        words = Step("words", parsed.content, status=status, error=error)
        yield from self._told(turn, [words])
        if error is not None:
            return self._ended("invalid_response")
        self._conversation.append(_message_of(parsed))
        return self._ended("answered", parsed.content, value)

    def _told(self, turn: WrittenTurn, steps: Sequence[Step]) -> Iterator[Step]:
        """What a turn holds; what it took is noted on the first of its steps."""
        first = dataclasses.replace(steps[0], seconds=turn.seconds, tokens=turn.tokens)
        for step in (first, *steps[1:]):
            self._steps.append(step)
            yield step

    def _ended(
        self, status: RunStatus, answer: str | None = None, value: Any = None
    ) -> AgentResult:
        return AgentResult(self._conversation, self._steps, answer, status, value)


def _opening(
    messages: str | Sequence[Mapping[str, Any]],
    system: str | None,
    examples: Sequence[Sequence[Mapping[str, Any]]],
) -> tuple[list[Message], list[Message], int]:
    """What the model is shown before the conversation, the conversation, and from where on."""
    if not isinstance(messages, Sequence):
        raise FormatError(f"messages are a question or a list, not {shortened(messages)}")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    conversation = check_messages(messages)
    own_system = 1 if conversation and conversation[0]["role"] == "system" else 0
    if system is not None and own_system:
        raise FormatError("there is a system text beside a system message")
    head = conversation[:own_system]
    if system is not None:
        head = check_messages([{"role": "system", "content": system}])
    if isinstance(examples, (str, bytes, Mapping)) or not isinstance(examples, Iterable):
        raise FormatError(f"examples are a list of conversations, not {shortened(examples)}")
    head += [message for example in examples for message in check_messages(example)]
    return head, conversation, own_system


def _unfinished(turn: WrittenTurn) -> list[Step]:
    """The steps of a turn that was cut, or cannot be read."""
    calls = [] if turn.parsed is None else turn.parsed.tool_calls
    words = turn.parsed.content if turn.parsed is not None and calls else turn.text
    told = [Step("words", words, status=turn.status, error=turn.error)]
    return [
        *(told if words or not calls else []),
        *(step_of(call, index, turn.status, turn.error) for index, call in enumerate(calls)),
    ]


def _message_of(turn: ParsedTurn) -> Message:
    """The turn as a message, with the ids that the model gave its calls."""
    message = turn.message
    for call, written in zip(turn.tool_calls, message.get("tool_calls", ()), strict=True):
        if call.id is not None:
            written["id"] = call.id
    return message


def _result_message(step: Step) -> Message:
    """The result of a call as a message, with the id that the model gave the call."""
    call = step.tool_call
    assert call is not None
    message: Message = {"role": "tool", "name": call.name, "content": step.text}
    if call.id is not None:
        message["tool_call_id"] = call.id
    return message
