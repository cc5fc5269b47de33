"""The loop awaited, streamed and cancelled: the same run, in whatever way it is driven."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parrot import Parrot
from schemask.agent import (
    AgentEvent,
    AgentResult,
    Step,
    arun_agent,
    run_agent,
    stream_agent,
)
from schemask.chat import (
    FORMATS,
    TOOL_CODE,
    ArgumentDelta,
    CallFinished,
    CallStarted,
    ParsedTurn,
    Text,
    ToolCall,
    turn_of,
)
from schemask.errors import ModelError, ToolError
from schemask.models import CallableModel, ChatTurn, Completion, LlamaCppModel, Sampling
from schemask.tools import Tool, tool


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@tool
async def divide(a: int, b: int) -> float:
    """Divides."""
    await asyncio.sleep(0)
    return a / b


def call(name: str, /, **arguments: Any) -> str:
    return TOOL_CODE.render_call(name, arguments)


def plain(result: AgentResult) -> AgentResult:
    """Without the times that it took."""
    steps = [dataclasses.replace(step, seconds=0.0) for step in result.steps]
    return dataclasses.replace(result, steps=steps)


async def listed(events: Any) -> list[AgentEvent]:
    return [event async for event in events]


small = st.integers(-2, 2)
calls = st.builds(call, st.sampled_from(["add", "divide"]), a=small, b=small)
turns = st.builds(
    lambda words, made: (words if made else words or "Hi.") + "".join(made),
    st.sampled_from(["", "Let me see.", "é😀"]),
    st.lists(calls, max_size=3),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(turns, min_size=4, max_size=4), st.booleans(), st.sampled_from([40, 400]))
def test_all_ways_are_the_same_run(texts: list[str], concurrent: bool, max_tokens: int) -> None:
    """Whoever drives it, a run does the same; and its events make its turns."""
    options: dict[str, Any] = {
        "concurrent": concurrent,
        "max_steps": 4,
        "sampling": Sampling(max_tokens=max_tokens),
    }
    tools = [add, divide]
    steps: list[Step] = []
    result = plain(run_agent(Parrot(*texts), tools, "Go.", on_step=steps.append, **options))
    asked = arun_agent(Parrot(*texts), tools, "Go.", on_step=steps.append, **options)
    assert plain(asyncio.run(asked)) == result
    streamed = list(stream_agent(Parrot(*texts), tools, "Go.", **options))
    awaited = asyncio.run(listed(stream_agent(Parrot(*texts), tools, "Go.", **options)))
    for events in (streamed, awaited):
        *told, last = events
        assert isinstance(last, AgentResult) and plain(last) == result
        assert sorted_steps(told) == sorted_steps(last.steps)
        assert messages_of(told) == [m for m in result.messages if m["role"] == "assistant"]


def sorted_steps(events: Sequence[Any]) -> list[str]:
    """The steps, in an order that does not depend on which result came first."""
    return sorted(repr(event) for event in events if isinstance(event, Step))


def messages_of(events: Sequence[AgentEvent]) -> list[dict[str, Any]]:
    """The turns that events make, but for one that did not count."""
    made: list[dict[str, Any]] = []
    turn: list[Any] = []
    for event in events:
        if not isinstance(event, (Step, AgentResult)):
            turn.append(event)
        elif turn and isinstance(event, Step):
            if event.status not in ("truncated", "malformed"):
                made.append(turn_of(turn).message)
            turn = []
    return made


def test_events_in_their_order() -> None:
    model = Parrot("Hm. " + call("add", a=1, b=2), "3.")
    events = list(stream_agent(model, [add], "What is 1 + 2?"))
    words = [event.text for event in events if isinstance(event, Text)]
    assert len(words) > 3 and "".join(words) == "Hm. 3."  # as they were written
    order = [type(event) for event in events if not isinstance(event, (Text, ArgumentDelta))]
    assert order == [CallStarted, CallFinished, *[Step] * 4, AgentResult]
    assert [event.kind for event in events if isinstance(event, Step)] == [
        *("words", "call", "result", "words")
    ]
    deltas = [event.text for event in events if isinstance(event, ArgumentDelta)]
    assert len(deltas) > 1 and json.loads("".join(deltas)) == {"a": 1, "b": 2}


def test_events_come_before_the_turn_is_over() -> None:
    model = Parrot("A long story.", "")
    events = iter(stream_agent(model, [add], "Go."))
    seen: list[bool] = []
    original = model._write

    def paused(text: str, prompt: str, grammar: Any, sampling: Any, on_text: Any) -> Completion:
        def told(piece: str) -> None:
            on_text(piece)
            assert proceed.wait(10)

        return original(text, prompt, grammar, sampling, told)

    proceed = threading.Event()
    model._write = paused  # type: ignore[method-assign]
    assert next(events) == Text("A")
    seen.append(model.is_writing)
    proceed.set()
    assert isinstance(list(events)[-1], AgentResult)
    assert seen == [True]


def test_events_are_read_once() -> None:
    events = stream_agent(Parrot("Hi."), [add], "Go.")
    assert isinstance(list(events)[-1], AgentResult)
    with pytest.raises(ModelError, match="once"):
        list(events)


def test_a_chat_model_streams_whole_turns() -> None:
    class Endpoint:
        def chat(self, messages: Any, **options: Any) -> ChatTurn:
            if len(messages) > 1:
                return ChatTurn(ParsedTurn("3.", []), "complete", 1, 1)
            turn = ParsedTurn("Hm.", [ToolCall("add", {"a": 1, "b": 2})], "I add.")
            return ChatTurn(turn, "complete", 1, 1)

    for events in (
        list(stream_agent(Endpoint(), [add], "Go.")),
        asyncio.run(listed(stream_agent(Endpoint(), [add], "Go."))),
    ):
        said = [event for event in events if not isinstance(event, (Step, AgentResult))]
        assert turn_of(said[:-1]).reasoning == "I add." and said[-1] == Text("3.")
        assert turn_of(said[:-1]).tool_calls == [ToolCall("add", {"a": 1, "b": 2})]


# Calls side by side.


@tool
def meet(name: str) -> str:
    """Waits for another call of the same tool, in another thread."""
    BARRIER.wait(timeout=10)
    return name


BARRIER = threading.Barrier(2)


@tool
async def greet(name: str) -> str:
    """Waits for another call of the same tool, in the same event loop."""
    waiting = WAITING.setdefault(asyncio.get_running_loop(), [])
    waiting.append(asyncio.Event())
    if len(waiting) == 2:
        waiting[0].set()
        waiting[1].set()
    await asyncio.wait_for(waiting[-1].wait(), 10)
    return name


WAITING: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}


def drivers(*texts: str, tools: Sequence[Tool], **options: Any) -> Iterator[AgentResult]:
    """The run, waited for and awaited."""
    options.setdefault("sampling", Sampling(max_tokens=1000))
    yield run_agent(Parrot(*texts), tools, "Go.", **options)
    yield asyncio.run(arun_agent(Parrot(*texts), tools, "Go.", **options))


def results(result: AgentResult) -> list[tuple[str, str]]:
    return [(step.status, step.text) for step in result.steps if step.kind == "result"]


@pytest.mark.parametrize("one", [meet, greet], ids=["function", "coroutine function"])
def test_calls_of_a_turn_run_side_by_side(one: Tool) -> None:
    both = call(one.name, name="a") + call(one.name, name="b")
    for result in drivers(both, "Ok.", tools=[one]):
        assert results(result) == [("ok", "a"), ("ok", "b")]


def test_a_function_and_a_coroutine_function_side_by_side() -> None:
    came = threading.Event()

    @tool
    def first() -> str:
        return str(came.wait(10))

    @tool
    async def second() -> str:
        came.set()
        return "set"

    for result in drivers(call("first") + call("second"), "Ok.", tools=[first, second]):
        assert results(result) == [("ok", "True"), ("ok", "set")]
        came.clear()


def test_results_are_told_as_they_come_and_kept_in_the_order_of_calls() -> None:
    returned = threading.Event()
    told: list[int | None] = []

    @tool
    def slow() -> str:
        assert returned.wait(10)
        return "slow"

    @tool
    def fast() -> str:
        return "fast"

    def on_step(step: Step) -> None:
        if step.kind == "result":
            told.append(step.index)
            returned.set()

    texts = (call("slow") + call("fast"), "Ok.")
    for result in drivers(*texts, tools=[slow, fast], on_step=on_step):
        assert told == [1, 0]
        assert results(result) == [("ok", "slow"), ("ok", "fast")]
        assert [m["content"] for m in result.messages if m["role"] == "tool"] == ["slow", "fast"]
        told.clear()
        returned.clear()


def test_one_after_the_other() -> None:
    running: list[str] = []
    threads: set[threading.Thread] = set()

    @tool
    def note(name: str) -> None:
        threads.add(threading.current_thread())
        assert not running
        running.append(name)
        running.remove(name)

    @tool
    async def anote(name: str) -> None:
        assert not running
        running.append(name)
        await asyncio.sleep(0.01)
        running.remove(name)

    text = "".join(call(name, name=str(i)) for i in range(3) for name in ("note", "anote"))
    for result in drivers(text, "Ok.", tools=[note, anote], concurrent=False):
        assert [status for status, _ in results(result)] == ["ok"] * 6
        if threading.current_thread() in threads:
            assert threads == {threading.current_thread()}
            threads.clear()
    assert threading.current_thread() not in threads and threads


def test_one_call_runs_in_the_thread_of_who_waits() -> None:
    threads: list[threading.Thread] = []

    @tool
    def note() -> None:
        threads.append(threading.current_thread())

    run_agent(Parrot(call("note"), "Ok."), [note], "Go.")
    assert threads == [threading.current_thread()]


def test_one_that_fails_does_not_lose_the_others() -> None:
    @tool
    async def fail() -> None:
        raise RuntimeError("no")

    @tool
    async def cancel() -> None:
        raise asyncio.CancelledError

    text = call("fail") + call("add", a=1, b=2) + call("divide", a=1, b=0) + call("cancel")
    for result in drivers(text, "Ok.", tools=[fail, add, divide, cancel]):
        told = results(result)
        assert [status for status, _ in told] == ["raised", "ok", "raised", "raised"]
        assert [text for _, text in told][:3] == [
            '{"error": "RuntimeError: no"}',
            "3",
            '{"error": "ZeroDivisionError: division by zero"}',
        ]
        assert "CancelledError" in told[3][1]
        assert result.answer == "Ok."


def test_an_interrupt_is_no_result() -> None:
    @tool
    def interrupted() -> None:
        raise KeyboardInterrupt

    both = call("interrupted") + call("add", a=1, b=2)
    for text in (both, call("interrupted")):
        with pytest.raises(KeyboardInterrupt):
            run_agent(Parrot(text), [interrupted, add], "Go.")
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(arun_agent(Parrot(text), [interrupted, add], "Go."))


def test_identical_calls_of_a_turn_are_made_once() -> None:
    made: list[Any] = []

    @tool
    def send(to: str, urgent: bool | int = False) -> str:
        made.append((to, urgent))
        return "sent"

    text = "".join(
        [
            call("send", to="Ada", urgent=1),
            call("send", to="Ada", urgent=True),  # not the same: 1 is not true
            call("send", to="Ada", urgent=1),
            call("send", to="Bob"),
            call("send", to="Ada", urgent=1),
        ]
    )
    for result in drivers(text, "Ok.", tools=[send]):
        statuses = [step.status for step in result.steps if step.kind == "call"]
        assert statuses == ["ok", "ok", "duplicate", "ok", "duplicate"]
        assert [status for status, _ in results(result)] == statuses
        assert "in this turn already" in results(result)[2][1]
        assert len(made) == 3 and {to for to, _ in made} == {"Ada", "Bob"}
        made.clear()


def test_coroutine_functions_where_a_loop_runs() -> None:
    """As in a notebook, whose loop waits meanwhile."""

    async def main() -> AgentResult:
        return run_agent(Parrot(call("divide", a=1, b=2), "Ok."), [divide], "Go.")

    assert results(asyncio.run(main())) == [("ok", "0.5")]


def test_the_loop_of_a_run_lasts_as_long_as_it() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    cancelled: list[str] = []
    tasks: set[Any] = set()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("cancelled")

    @tool
    async def note(number: int) -> None:
        loops.append(asyncio.get_running_loop())
        tasks.add(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    before = threading.active_count()
    run_agent(Parrot(call("note", number=1), call("note", number=2), "Ok."), [note], "Go.")
    assert len(loops) == 2 and loops[0] is loops[1] and loops[0].is_closed()
    assert cancelled == ["cancelled"] * 2
    assert threading.active_count() == before


def test_tools_see_the_context() -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")

    @tool
    def who(n: int) -> str:
        return user.get("nobody")

    @tool
    async def awho(n: int) -> str:
        return user.get("nobody")

    user.set("Ada")
    text = call("who", n=1) + call("who", n=2) + call("awho", n=1)
    for result in drivers(text, "Ok.", tools=[who, awho]):
        assert results(result) == [("ok", "Ada")] * 3


# Cancellation.


class Endless(Parrot):
    """Writes words until it is stopped."""

    def __init__(self) -> None:
        super().__init__("word " * 100_000)
        self.has_begun = threading.Event()

    def generate(self, prompt: str, **options: Any) -> Completion:
        told = options["on_text"]

        def on_text(piece: str) -> None:
            self.has_begun.set()
            told(piece)

        sampling = Sampling(max_tokens=500_000)
        return super().generate(prompt, **{**options, "on_text": on_text, "sampling": sampling})


def cancelled(start: Callable[[], Awaitable[Any]], begun: Callable[[], Any]) -> None:
    """Starts something, cancels it once it has begun, and sees that this is what comes of it."""

    async def main() -> None:
        task = asyncio.ensure_future(start())
        await asyncio.to_thread(begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_cancelling_ends_the_generation() -> None:
    for start in (
        lambda model: arun_agent(model, [add], "Go."),
        lambda model: listed(stream_agent(model, [add], "Go.")),
    ):
        model = Endless()

        def states(model: Endless = model) -> bool:
            return model.has_begun.wait(10)

        cancelled(lambda model=model, start=start: start(model), states)  # type: ignore[misc]
        assert not model.is_writing
        assert 0 < model.written < 500_000


def test_cancelling_ends_coroutine_functions() -> None:
    ended: list[int] = []
    begun = [threading.Event(), threading.Event()]

    @tool
    async def wait(index: int) -> None:
        begun[index].set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(index)

    text = call("wait", index=0) + call("wait", index=1)
    cancelled(
        lambda: arun_agent(Parrot(text), [wait], "Go."),
        lambda: [event.wait(10) for event in begun],
    )
    assert sorted(ended) == [0, 1]


def test_cancelling_does_not_wait_for_what_cannot_be_ended() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @tool
    def wait() -> None:
        begun.set()
        assert go_on.wait(10)

    def answer(prompt: str) -> str:
        begun.set()
        assert go_on.wait(10)
        return "."

    for start in (
        lambda: arun_agent(Parrot(call("wait"), "Ok."), [wait], "Go."),
        lambda: arun_agent(CallableModel(answer), [wait], "Go."),
    ):

        async def main(start: Any = start) -> None:
            task = asyncio.ensure_future(start())
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not go_on.is_set()
            go_on.set()

        asyncio.run(main())
        begun.clear()
        go_on.clear()


def test_to_leave_a_stream_ends_the_run() -> None:
    model = Endless()
    for _ in stream_agent(model, [add], "Go."):
        break
    assert not model.is_writing and model.written < 500_000

    async def main() -> Endless:
        model = Endless()
        async with aclosing(aiter(stream_agent(model, [add], "Go."))) as events:
            async for _ in events:
                break
        assert not model.is_writing and model.written < 500_000
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return model

    asyncio.run(main())


def test_a_stream_is_left_in_the_middle_of_calls() -> None:
    ended: list[str] = []
    begun = threading.Event()

    @tool
    def look() -> None:
        assert begun.wait(10)

    @tool
    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("wait")

    text = call("look") + call("wait")
    for event in stream_agent(Parrot(text), [look, wait], "Go."):
        if isinstance(event, Step) and event.kind == "result":
            break
    assert ended == ["wait"]
    begun.clear()

    async def main() -> None:
        async with aclosing(aiter(stream_agent(Parrot(text), [look, wait], "Go."))) as events:
            async for event in events:
                if isinstance(event, Step) and event.kind == "result":
                    break
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert ended == ["wait"] * 2


def test_what_goes_wrong_is_raised() -> None:
    def broken(prompt: str) -> str:
        raise ModelError("broken")

    def bad_step(step: Step) -> None:
        raise RuntimeError("no more")

    definition = {"name": "f", "parameters": {"type": "object"}}
    for run in (
        lambda *given, **options: run_agent(*given, **options),
        lambda *given, **options: asyncio.run(arun_agent(*given, **options)),
    ):
        with pytest.raises(ModelError, match="broken"):
            run(CallableModel(broken), [add], "Go.")
        with pytest.raises(ToolError, match="without a Python function"):
            run(Parrot("a"), [definition], "Go.")
        with pytest.raises(RuntimeError, match="no more"):
            run(Parrot("a"), [add], "Go.", on_step=bad_step)
    for stream in (
        lambda *given: list(stream_agent(*given)),
        lambda *given: asyncio.run(listed(stream_agent(*given))),
    ):
        with pytest.raises(ModelError, match="broken"):
            stream(CallableModel(broken), [add], "Go.")


# With a real model.


def test_a_real_model_serves_several_runs(llama: Any, llama_vocabulary: Any) -> None:
    """Awaited side by side, one of them cancelled, it writes what it writes alone."""
    model = LlamaCppModel(llama, llama_vocabulary)
    options: dict[str, Any] = {
        "format": TOOL_CODE,
        "tool_choice": "add",
        "max_steps": 1,
        "sampling": Sampling(max_tokens=48),
    }
    questions = ["What is 1 + 2?", "Add 20 and 30."]
    alone = [plain(run_agent(model, [add], question, **options)) for question in questions]

    async def endless(writes: asyncio.Event) -> None:
        sampling = Sampling(max_tokens=1000)
        async for event in stream_agent(model, [add], "Tell me a story.", sampling=sampling):
            if isinstance(event, Text):
                writes.set()

    async def main() -> list[AgentResult]:
        writes = asyncio.Event()
        task = asyncio.ensure_future(endless(writes))
        runs = [
            asyncio.ensure_future(arun_agent(model, [add], question, **options))
            for question in questions
        ]
        await writes.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [await run for run in runs]

    assert [plain(result) for result in asyncio.run(main())] == alone


def test_formats_stream_alike() -> None:
    message = ParsedTurn("", [ToolCall("add", {"a": 1, "b": 2})]).message
    for form in FORMATS.values():
        texts = [
            form.render_assistant(message, [add]),
            form.render_assistant(ParsedTurn("3.", []).message),
        ]
        sampling = Sampling(max_tokens=1000)
        events = list(stream_agent(Parrot(*texts), [add], "Go.", format=form, sampling=sampling))
        last = events[-1]
        assert isinstance(last, AgentResult) and last.answer == "3.", form
        finished = [event.call for event in events if isinstance(event, CallFinished)]
        assert finished == [ToolCall("add", {"a": 1, "b": 2})]
