"""The ways to run the loop: to wait for its end, to await it, and to be told everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any

from schemask.agent import waiting
from schemask.agent.loop import Loop, RunOptions
from schemask.agent.steps import AgentEvent, AgentResult, Step
from schemask.chat import ChatFormat
from schemask.core.sampling import GREEDY, Sampling
from schemask.errors import ModelError, shortened
from schemask.models.base import ChatModel, Model
from schemask.tools import ToolsLike


def run_agent(
    model: Model | ChatModel,
    tools: ToolsLike,
    messages: str | Sequence[Mapping[str, Any]],
    *,
    format: str | ChatFormat | None = None,
    tool_choice: str = "auto",
    parallel: bool = True,
    concurrent: bool = True,
    max_steps: int = 8,
    sampling: Sampling = GREEDY,
    system: str | None = None,
    examples: Sequence[Sequence[Mapping[str, Any]]] = (),
    response_schema: Any = None,
    provenance: bool = False,
    carry_out_truncated: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> AgentResult:
    """Lets a model work on a question with tools.

    A model with a vocabulary is constrained, so its calls name a tool that exists and carry
    arguments of its schema. What any model writes is validated and converted before a function
    runs. What a function raises becomes the result `{"error": ...}`, which the model sees.
    Whatever messages and results hold, it is text to a model that reads tokens: none of it ends a
    turn or opens a call.

    The calls of one turn are carried out side by side, and one that fails does not keep the others
    from their results. A call that stands in its turn already is not carried out again. Coroutine
    functions run in an event loop of their own, which ends with the run.

    A model that makes the calls of its last turn once more, and gets the same results, would go on
    so: the run ends.

    A turn that `sampling.max_tokens` cut ends the run, too, and its calls are not carried out: a
    budget closes a call in form, but in the middle of what the model had to say.

    Args:
        model: A `Model`, or a `ChatModel`, which gets messages instead of a prompt.
        tools: Tools with functions, which may be coroutine functions.
        messages: The question, or the conversation so far.
        format: Name of a chat format, or one of your own. If none is given, it is that of the
            model's own template; and "tool_code" for models without one. A `ChatModel` brings its
            own.
        tool_choice: "auto", "required", "none" or the name of a tool, for the first turn; all later
            ones are "auto".
        parallel: Whether one turn may hold several calls.
        concurrent: Whether several calls of one turn are carried out side by side: functions in
            threads. If not, one after the other, in the thread of the caller.
        max_steps: Limit on the turns of the model.
        sampling: How the tokens of each turn are chosen, and how many it may have.
        system: Text of a system turn to put first.
        examples: Conversations to show before this one, for models that were never tuned to chat.
        response_schema: What the answer must be, if it is data: a JSON Schema as a dict, a bool or
            a JSON text, a pydantic model, or any type that pydantic understands. A model with a
            vocabulary is bound to it wherever it does not call tools; then it says nothing before
            calls. The value is `AgentResult.value`.
        provenance: Whether strings in arguments are taken from what was said: spans of messages
            that are not the model's own, from the beginning of a word to the end of one, or
            constants of the tool's parameters. A tool for which nothing fits cannot be called.
        carry_out_truncated: Whether calls of a turn that `max_tokens` cut are carried out all the
            same, and the run goes on.
        on_step: Called with each step as soon as it is complete.

    Raises:
        ToolError: A tool that cannot be called; see `Tool.check_callable`.
        FormatError: Messages of a wrong shape; an unknown format or choice; a template of the
            model from which no format follows; or a format that could not tell a response in JSON
            from a call.
        SchemaError: `response_schema` is none, or nothing satisfies it.
        UnsupportedSchemaError: A schema that uses what is not supported exactly.
        DependencyError: A library without which the model's template cannot be read is missing.
        ModelError: The model failed; or should be bound, to a choice or to what was said, and
            cannot be.
    """
    options = RunOptions(
        format=format,
        tool_choice=tool_choice,
        parallel=parallel,
        concurrent=concurrent,
        max_steps=max_steps,
        sampling=sampling,
        system=system,
        examples=examples,
        response_schema=response_schema,
        provenance=provenance,
        carry_out_truncated=carry_out_truncated,
    )
    tell = _told_steps(on_step)
    with closing(waiting.run(Loop(model, tools, messages, options), streams=False)) as events:
        for event in events:
            if isinstance(event, AgentResult):
                result = event
            elif isinstance(event, Step):
                tell(event)
    return result


async def arun_agent(
    model: Model | ChatModel,
    tools: ToolsLike,
    messages: str | Sequence[Mapping[str, Any]],
    *,
    format: str | ChatFormat | None = None,
    tool_choice: str = "auto",
    parallel: bool = True,
    concurrent: bool = True,
    max_steps: int = 8,
    sampling: Sampling = GREEDY,
    system: str | None = None,
    examples: Sequence[Sequence[Mapping[str, Any]]] = (),
    response_schema: Any = None,
    provenance: bool = False,
    carry_out_truncated: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> AgentResult:
    """As `run_agent`, in an event loop of asyncio, which goes on meanwhile.

    The model generates in a thread. Coroutine functions are awaited in the loop, other functions
    run in threads.

    If the task is cancelled, so is what it waits for: a local model ends its generation at the next
    token, before which the cancellation does not return, and coroutine functions are cancelled.
    What waits in a thread, for a function or an endpoint, cannot be ended: its result is dropped.

    Args:
        model: As of `run_agent`. A local model serves one generation at a time; others wait.
        tools: As of `run_agent`.
        messages: As of `run_agent`.
        format: As of `run_agent`.
        tool_choice: As of `run_agent`.
        parallel: As of `run_agent`.
        concurrent: Whether several calls of one turn are carried out side by side.
        max_steps: As of `run_agent`.
        sampling: As of `run_agent`.
        system: As of `run_agent`.
        examples: As of `run_agent`.
        response_schema: As of `run_agent`.
        provenance: As of `run_agent`.
        carry_out_truncated: As of `run_agent`.
        on_step: Called in the event loop with each step as soon as it is complete.

    Raises:
        ToolError: As of `run_agent`.
        FormatError: As of `run_agent`.
        SchemaError: As of `run_agent`.
        UnsupportedSchemaError: As of `run_agent`.
        DependencyError: As of `run_agent`.
        ModelError: As of `run_agent`.
    """
    options = RunOptions(
        format=format,
        tool_choice=tool_choice,
        parallel=parallel,
        concurrent=concurrent,
        max_steps=max_steps,
        sampling=sampling,
        system=system,
        examples=examples,
        response_schema=response_schema,
        provenance=provenance,
        carry_out_truncated=carry_out_truncated,
    )
    tell = _told_steps(on_step)
    # It needs asyncio, which takes as long to import as a tenth of the package.
    from schemask.agent import awaiting

    async with aclosing(awaiting.run(Loop(model, tools, messages, options))) as events:
        async for event in events:
            if isinstance(event, AgentResult):
                result = event
            elif isinstance(event, Step):
                tell(event)
    return result


def stream_agent(
    model: Model | ChatModel,
    tools: ToolsLike,
    messages: str | Sequence[Mapping[str, Any]],
    *,
    format: str | ChatFormat | None = None,
    tool_choice: str = "auto",
    parallel: bool = True,
    concurrent: bool = True,
    max_steps: int = 8,
    sampling: Sampling = GREEDY,
    system: str | None = None,
    examples: Sequence[Sequence[Mapping[str, Any]]] = (),
    response_schema: Any = None,
    provenance: bool = False,
    carry_out_truncated: bool = False,
) -> AgentStream:
    """As `run_agent` or `arun_agent`, told while it happens.

        for event in stream_agent(model, tools, "How warm is it?"):
            if isinstance(event, Text):
                print(event.text, end="", flush=True)

    Args:
        model: As of `run_agent`. The turns of a `ChatModel` are told when they are complete.
        tools: As of `run_agent`.
        messages: As of `run_agent`.
        format: As of `run_agent`.
        tool_choice: As of `run_agent`.
        parallel: As of `run_agent`.
        concurrent: Whether several calls of one turn are carried out side by side. The result of
            each is told as soon as it is there.
        max_steps: As of `run_agent`.
        sampling: As of `run_agent`.
        system: As of `run_agent`.
        examples: As of `run_agent`.
        response_schema: As of `run_agent`.
        provenance: As of `run_agent`.
        carry_out_truncated: As of `run_agent`.

    Returns:
        The events, for one `for` or `async for`.

    Raises:
        ToolError: As of `run_agent`; as all others, also while events are read.
        FormatError: As of `run_agent`.
        SchemaError: As of `run_agent`.
        UnsupportedSchemaError: As of `run_agent`.
        DependencyError: As of `run_agent`.
        ModelError: As of `run_agent`.
    """
    options = RunOptions(
        format=format,
        tool_choice=tool_choice,
        parallel=parallel,
        concurrent=concurrent,
        max_steps=max_steps,
        sampling=sampling,
        system=system,
        examples=examples,
        response_schema=response_schema,
        provenance=provenance,
        carry_out_truncated=carry_out_truncated,
    )
    return AgentStream(Loop(model, tools, messages, options))


class AgentStream:
    """The events of one run; nothing happens before they are asked for.

    They are, in this order for each turn: what `ChatFormat.reader` makes of it while it is written
    (`Text`, `Reasoning`, `CallStarted`, `ArgumentDelta`, `CallFinished`, `CallFailed`); a `Step`
    for its words and for each of its calls; and one for each result, as soon as it is there.
    The last event is the `AgentResult`.

    To leave the loop early, or to cancel its task, ends the run, as `arun_agent` says; with
    `async for`, at once if the loop is over `contextlib.aclosing(aiter(events))`.

    Args:
        loop: The run.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop: Loop | None = loop

    def __repr__(self) -> str:
        return "<AgentStream>"

    def __iter__(self) -> Generator[AgentEvent, None, None]:
        return waiting.run(self._taken(), streams=True)

    def __aiter__(self) -> AsyncGenerator[AgentEvent, None]:
        from schemask.agent import awaiting

        return awaiting.run(self._taken())

    def _taken(self) -> Loop:
        if self._loop is None:
            raise ModelError("the events of a run are read once: call stream_agent again")
        loop, self._loop = self._loop, None
        return loop


def _told_steps(on_step: Callable[[Step], None] | None) -> Callable[[Step], None]:
    if on_step is None:
        return lambda step: None
    if not callable(on_step):
        raise ModelError(f"on_step is a function of a step, not {shortened(on_step)}")
    return on_step
