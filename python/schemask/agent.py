"""The loop of function calling: the model answers in words or calls tools, until it answers."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from schemask._turns import TurnWriter, WrittenTurn, own_format
from schemask.chat import (
    ChatFormat,
    Message,
    ParsedTurn,
    ToolCall,
    chat_format,
    check_messages,
)
from schemask.core.generation import check_count
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.errors import FormatError, ModelError, ToolError, check_flags, shortened
from schemask.models.base import ChatModel, Model
from schemask.tools import ToolSet, ToolsLike, result_text

StepStatus: TypeAlias = Literal[
    "ok", "invalid_arguments", "unknown_tool", "raised", "truncated", "malformed"
]
RunStatus: TypeAlias = Literal["answered", "repeated", "max_steps", "max_tokens", "malformed"]


@dataclass(frozen=True)
class Step:
    """One thing that happened.

    Attributes:
        kind: "words" that the model said, a "call" that it made, or the "result" of that call.
        text: The words; the call as JSON text; the result as the model sees it.
        tool_call: The call, of a call and of its result.
        result: What the function returned, before it became text.
        status: "ok", or what went wrong. Of words: "truncated" by the token limit, or "malformed"
            if they are a call that cannot be read. Of a call: "truncated" if the token limit had a
            say in its turn; it was not carried out. Of a call and its result: "invalid_arguments"
            or "unknown_tool" (the function was not entered). Of a result also "raised". Under a
            grammar, calls are never of unknown tools, and malformed only by a number of more
            digits than Python reads.
        error: What went wrong, in words.
        seconds: Time that the model took for its turn, on the first step of a turn; time that the
            function took, on a result.
        tokens: Tokens that the model generated, on the first step of a turn; else 0.
    """

    kind: Literal["words", "call", "result"]
    text: str
    tool_call: ToolCall | None = None
    result: Any = None
    status: StepStatus = "ok"
    error: str | None = None
    seconds: float = 0.0
    tokens: int = 0

    def __repr__(self) -> str:
        return f"<Step {self.kind} {self.status}: {shortened(self.text)}>"


@dataclass(frozen=True)
class AgentResult:
    """A finished run.

    Attributes:
        messages: The conversation, from the first message given to the last turn or result. With a
            further question, it can be given to `run_agent` again.
        steps: Everything that happened, in order.
        answer: The model's final words, or None if it did not come to any.
        status: "answered"; "repeated" if the model made the calls of its last turn once more, and
            got the same results; "max_steps" if it still called tools in its last turn;
            "max_tokens" if a turn was cut off; "malformed" if one holds a call that cannot be
            read, as models that cannot be constrained write them.
    """

    messages: list[Message]
    steps: list[Step]
    answer: str | None
    status: RunStatus

    def __repr__(self) -> str:
        answer = "" if self.answer is None else f": {shortened(self.answer)}"
        return f"<AgentResult {self.status} after {len(self.steps)} steps{answer}>"


def run_agent(
    model: Model | ChatModel,
    tools: ToolsLike,
    messages: str | Sequence[Mapping[str, Any]],
    *,
    format: str | ChatFormat | None = None,
    tool_choice: str = "auto",
    parallel: bool = True,
    max_steps: int = 8,
    sampling: Sampling = GREEDY,
    system: str | None = None,
    examples: Sequence[Sequence[Mapping[str, Any]]] = (),
    carry_out_truncated: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> AgentResult:
    """Lets a model work on a question with tools.

    A model with a vocabulary is constrained, so its calls name a tool that exists and carry
    arguments of its schema. What any model writes is validated and converted before a function
    runs. What a function raises becomes the result `{"error": ...}`, which the model sees.
    Whatever messages and results hold, it is text to a model that reads tokens: none of it ends a
    turn or opens a call.

    A model that makes the calls of its last turn once more, and gets the same results, would go on
    so: the run ends.

    A turn that `sampling.max_tokens` cut ends the run, too, and its calls are not carried out: a
    budget closes a call in form, but in the middle of what the model had to say.

    Args:
        model: A `Model`, or a `ChatModel`, which gets messages instead of a prompt.
        tools: Tools with functions.
        messages: The question, or the conversation so far.
        format: Name of a chat format, or one of your own. If none is given, it is that of the
            model's own template; and "tool_code" for models without one. A `ChatModel` brings its
            own.
        tool_choice: "auto", "required", "none" or the name of a tool, for the first turn; all later
            ones are "auto".
        parallel: Whether one turn may hold several calls.
        max_steps: Limit on the turns of the model.
        sampling: How the tokens of each turn are chosen, and how many it may have.
        system: Text of a system turn to put first.
        examples: Conversations to show before this one, for models that were never tuned to chat.
        carry_out_truncated: Whether calls of a turn that `max_tokens` cut are carried out all the
            same, and the run goes on.
        on_step: Called with each step as soon as it is complete.

    Raises:
        ToolError: A tool that cannot be called; see `Tool.check_callable`.
        FormatError: Messages of a wrong shape; an unknown format or choice; or a template of the
            model from which no format follows.
        DependencyError: A library without which the model's template cannot be read is missing.
        ModelError: The model failed, or should be bound to a choice and cannot be constrained.
    """
    tool_set = _checked_tools(model, tools)
    check_count("max_steps", max_steps)
    check_is_sampling(sampling)
    check_flags(ModelError, parallel=parallel, carry_out_truncated=carry_out_truncated)
    if on_step is not None and not callable(on_step):
        raise ModelError(f"on_step is a function of a step, not {shortened(on_step)}")
    head, conversation, shown_from = _opening(messages, system, examples)
    form = own_format(model) if format is None else chat_format(format)
    writer = TurnWriter(model, tool_set, form, parallel, sampling)
    log = _Log(on_step)
    exchange: object = None
    choice = tool_choice
    for _ in range(max_steps):
        turn = writer.write([*head, *conversation[shown_from:]], choice)
        log.begin(turn)
        parsed = turn.parsed
        calls = [] if parsed is None else parsed.tool_calls
        if parsed is None or (turn.status == "truncated" and not (calls and carry_out_truncated)):
            words = parsed.content if parsed is not None and calls else turn.text
            if words or not calls:
                log.add("words", words, status=turn.status, error=turn.error)
            for call in calls:
                log.add("call", _text(call), call, status=turn.status, error=turn.error)
            end: RunStatus = "max_tokens" if turn.status == "truncated" else "malformed"
            return AgentResult(conversation, log.steps, None, end)
        conversation.append(_message_of(parsed))
        if parsed.content or not calls:
            log.add("words", parsed.content)
        if not calls:
            return AgentResult(conversation, log.steps, parsed.content, "answered")
        results: list[Message] = []
        for call in calls:
            bound, status, error = _bind(tool_set, call)
            log.add("call", _text(call), call, status=status, error=error)
            step = _carry_out(tool_set, call, bound, status, error, writer.result_message)
            result = {"role": "tool", "name": call.name, "content": step.text}
            if call.id is not None:
                result["tool_call_id"] = call.id
            results.append(result)
            log.record(step)
        conversation += results
        if exchange == (exchange := (calls, results)):
            return AgentResult(conversation, log.steps, None, "repeated")
        choice = "auto"
    return AgentResult(conversation, log.steps, None, "max_steps")


def _checked_tools(model: object, tools: ToolsLike) -> ToolSet:
    """The tools, if the model is one and can call them all."""
    if not isinstance(model, (Model, ChatModel)):
        hint = ": wrap a function from prompt to text in CallableModel" if callable(model) else ""
        raise ModelError(f"the model is no Model or ChatModel, but {shortened(model)}{hint}")
    tool_set = ToolSet.of(tools)
    for tool in tool_set:
        tool.check_callable()
    return tool_set


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


class _Log:
    """The steps so far. What a turn took is noted on its first step."""

    def __init__(self, on_step: Callable[[Step], None] | None) -> None:
        self.steps: list[Step] = []
        self._on_step = on_step
        self._seconds = 0.0
        self._tokens = 0

    def begin(self, turn: WrittenTurn) -> None:
        self._seconds, self._tokens = turn.seconds, turn.tokens

    def add(
        self,
        kind: Literal["words", "call"],
        text: str,
        call: ToolCall | None = None,
        *,
        status: StepStatus = "ok",
        error: str | None = None,
    ) -> None:
        """Records what the turn holds."""
        seconds, self._seconds = self._seconds, 0.0
        tokens, self._tokens = self._tokens, 0
        self.record(Step(kind, text, call, None, status, error, seconds, tokens))

    def record(self, step: Step) -> None:
        self.steps.append(step)
        if self._on_step is not None:
            self._on_step(step)


def _message_of(turn: ParsedTurn) -> Message:
    """The turn as a message, with the ids that the model gave its calls."""
    message = turn.message
    for call, written in zip(turn.tool_calls, message.get("tool_calls", ()), strict=True):
        if call.id is not None:
            written["id"] = call.id
    return message


def _text(call: ToolCall) -> str:
    return result_text({"name": call.name, "arguments": call.arguments})


def _bind(
    tools: ToolSet, call: ToolCall
) -> tuple[inspect.BoundArguments | None, StepStatus, str | None]:
    if call.name not in tools:
        known = ", ".join(tools.names) or "none"
        return None, "unknown_tool", f"no tool is called {call.name!r}; there is {known}"
    try:
        return tools[call.name].bind(call.arguments), "ok", None
    except ToolError as error:
        return None, "invalid_arguments", str(error)


def _carry_out(
    tools: ToolSet,
    call: ToolCall,
    bound: inspect.BoundArguments | None,
    status: StepStatus,
    error: str | None,
    message_of: Callable[[str, str], Message],
) -> Step:
    result: Any = None
    text = ""
    started = time.perf_counter()
    if bound is not None:
        try:
            result = tools[call.name](*bound.args, **bound.kwargs)
            text = result_text(result)
        except Exception as raised:
            status, error = "raised", f"{type(raised).__name__}: {raised}"
    seconds = time.perf_counter() - started
    if error is not None:
        text = result_text({"error": error})
    content: str = message_of(call.name, text)["content"]
    return Step("result", content, call, result, status, error, seconds)
