"""Tools of servers of the Model Context Protocol: real processes, over their standard streams."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from schemask import Grammar, Tool, ToolSet
from schemask.agent import AgentResult, arun_agent, run_agent
from schemask.chat import TOOL_CODE
from schemask.errors import ToolError
from schemask.models import CallableModel

mcp = pytest.importorskip("mcp")

from mcp_server import EXACT, RESULTS, TOOLS  # noqa: E402
from schemask.mcp import McpResult, connect  # noqa: E402

HERE = Path(__file__).parent
R = TypeVar("R")


def command(*arguments: str) -> Any:
    return mcp.StdioServerParameters(command=sys.executable, args=[*arguments])


def odd_server(mode: str = "") -> Any:
    return command(str(HERE / "mcp_server.py"), mode)


# One of the package `mcp`, as most servers are.
COMMON = command(str(HERE.parent / "examples" / "mcp_tools.py"), "serve")


@pytest.fixture(scope="module")
def tools() -> Iterator[ToolSet]:
    with connect(odd_server()) as tools:
        yield tools


@pytest.fixture(scope="module")
def store() -> Iterator[ToolSet]:
    with connect(COMMON) as tools:
        yield tools


@contextlib.asynccontextmanager
async def open_session(server: Any) -> AsyncIterator[Any]:
    async with (
        mcp.stdio_client(server) as (read, write, *_),
        mcp.ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def in_a_loop(use: Callable[[Any], Awaitable[R]]) -> R:
    """What `use` makes of a session in a loop of its own."""

    async def main() -> R:
        async with open_session(odd_server()) as session:
            return await use(session)

    return asyncio.run(main())


def script(*turns: str) -> CallableModel:
    left = iter(turns)
    return CallableModel(lambda prompt: next(left))


def a_call(name: str, /, **arguments: Any) -> str:
    return TOOL_CODE.render_call(name, arguments)


def results(result: AgentResult) -> list[tuple[str, str]]:
    return [(step.status, step.text) for step in result.steps if step.kind == "result"]


def test_tools_of_a_common_server(store: ToolSet) -> None:
    assert store.names == ["count"]
    count = store["count"]
    assert count.description == "How many of a part there are."
    assert count.parameters["properties"]["part"]["type"] == "string"
    assert count.call({"part": "nut"}).structured == {"result": 12}
    assert count(part="bolt").text == '{"result": 40}'
    with pytest.raises(ToolError, match=r"^count: .*/part"):
        count.call({"part": 3})
    with pytest.raises(ToolError, match="part"):
        count(part=3)  # unchecked here: it is the server that refuses


def test_the_loop(store: ToolSet) -> None:
    model = script(a_call("count", part="nut"), a_call("count", part=3), "There are 12.")
    result = run_agent(model, store, "How many nuts?")
    assert (result.status, result.answer) == ("answered", "There are 12.")
    assert results(result)[0] == ("ok", '{"result": 12}')
    assert results(result)[1][0] == "invalid_arguments"
    returned = result.steps[1].result
    assert isinstance(returned, McpResult) and returned.content[0]["text"] == "12"


def test_a_real_model_under_the_grammar(store: ToolSet, llama: Any) -> None:
    from schemask.models import LlamaCppModel, Sampling

    result = run_agent(
        LlamaCppModel(llama),
        store,
        "How many parts of the kind nut are there?",
        tool_choice="count",
        max_steps=1,
        sampling=Sampling(max_tokens=64),
    )
    [(status, text)] = results(result)
    assert status == "ok" and isinstance(json.loads(text)["result"], int)


def test_a_session_in_a_loop_of_ones_own() -> None:
    async def use(session: Any) -> AgentResult:
        tools = await ToolSet.from_mcp(session)
        assert tools.names == [tool["name"] for tool in TOOLS]
        model = script(a_call("only_structured"), "It is 1.")
        return await asyncio.to_thread(run_agent, model, tools, "What is a?")

    assert results(in_a_loop(use)) == [("ok", '{"a": 1}')]


def test_a_loop_of_ones_own_awaits_the_calls() -> None:
    async def use(session: Any) -> AgentResult:
        tools = await ToolSet.from_mcp(session)
        threads: set[threading.Thread] = set()
        asked = session.call_tool

        def noted(name: str, arguments: Any) -> Any:
            threads.add(threading.current_thread())
            return asked(name, arguments)

        session.call_tool = noted
        model = script(a_call("only_structured") + a_call("refuses"), "It is 1.")
        result = await arun_agent(model, tools, "What is a?")
        assert threads == {threading.current_thread()}
        return result

    told = results(in_a_loop(use))
    assert told[0] == ("ok", '{"a": 1}') and told[1][0] == "raised"


def test_a_call_is_cancelled_with_the_run() -> None:
    async def use(session: Any) -> None:
        tools = await ToolSet.from_mcp(session)
        ended: list[bool] = []
        begun = asyncio.Event()
        asked = session.call_tool

        async def noted(name: str, arguments: Any) -> Any:
            begun.set()
            try:
                return await asked(name, arguments)
            finally:
                ended.append(True)

        session.call_tool = noted
        task = asyncio.ensure_future(arun_agent(script(a_call("sleeps")), tools, "Go."))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    in_a_loop(use)


@pytest.mark.skipif(not hasattr(mcp, "Client"), reason="version 1 of mcp has no Client")
def test_a_client_of_version_2() -> None:
    async def main() -> Any:
        async with mcp.Client(odd_server()) as client:
            tools = await ToolSet.from_mcp(client)
            assert tools.names == [tool["name"] for tool in TOOLS]
            return await asyncio.to_thread(tools["texts"])

    assert asyncio.run(main()).text == "a line\nanother\n"


@pytest.mark.skipif(not hasattr(mcp, "Client"), reason="version 1 of mcp has no Client")
def test_a_server_in_the_same_process() -> None:
    from mcp.server import MCPServer

    server = MCPServer("near")
    threads: list[int] = []

    @server.tool()
    async def twice(number: int) -> int:
        threads.append(threading.get_ident())
        return 2 * number

    with connect(server) as tools:
        assert tools["twice"].call({"number": 21}).structured == {"result": 42}
    assert threads != [threading.get_ident()]


def test_all_pages_and_definitions_as_they_are(tools: ToolSet) -> None:
    assert len(TOOLS) > 6
    assert tools.names == [tool["name"] for tool in TOOLS]
    exact = tools["exact"]
    assert json.dumps(exact.parameters) == json.dumps(EXACT)
    assert exact.description == "Says what it got"  # it has a title only
    assert tools["dies"].description == "Ends the server."
    assert tools["sleeps"].description == "Waits"
    assert tools["sleeps"].annotations == {"title": "Waits", "readOnlyHint": True}
    assert tools["texts"].description == ""
    assert dict(exact.annotations) == {}


def test_arguments_arrive_as_they_are(tools: ToolSet) -> None:
    """Also under names that Python has other plans for."""
    for arguments in (
        {"user-id": "\N{SNOWMAN}\x00\u2028", "self": 2},
        {"user-id": "7", "self": None, "arguments": None, "name": None, "session": None},
    ):
        assert json.loads(tools["exact"].call(arguments).text) == arguments
        result = run_agent(script(a_call("exact", **arguments), "."), tools, "Go.")
        assert [(status, json.loads(text)) for status, text in results(result)] == [
            ("ok", arguments)
        ]


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({}, "user-id"),
        ({"user-id": ""}, "/user-id"),
        ({"user-id": "7", "self": 3}, "/self"),
        ({"user-id": "7", "more": 1}, "/more"),
        ({"user-id": "\ud800"}, "surrogate"),
        ({"user-id": float("nan")}, "JSON"),
        ({"user-id": object()}, "JSON"),
    ],
)
def test_arguments_against_the_schema_are_not_sent(
    tools: ToolSet, arguments: Any, place: str
) -> None:
    with pytest.raises(ToolError, match=f"^exact: .*{place}"):
        tools["exact"].call(arguments)


def nested(depth: int) -> Any:
    return [] if depth == 0 else [nested(depth - 1)]


@pytest.mark.parametrize("value", ["\ud800", float("inf"), object(), nested(300)])
def test_what_no_json_can_hold_does_not_end_the_session(tools: ToolSet, value: Any) -> None:
    for arguments in ({"a": value}, {"a": [{"b": value}]}):
        with pytest.raises(ToolError, match=r"^texts: .*JSON"):
            tools["texts"](**arguments)
    assert tools["texts"]().text == "a line\nanother\n"


TEXTS = {
    "texts": "a line\nanother\n",
    "nothing": "",
    "structured": '{"name": "Øre", "none": null, "list": [1, 2.5]}\n[image, image/png, 5 bytes]',
    "undeclared": "a line",
    "only_structured": '{"a": 1}',
    "blocks": "[image, image/png, 5 bytes]\n[audio, audio/wav, 3 bytes]\n"
    "[resource file:///b.csv, b, 12 bytes]\n[resource file:///c.txt, text/plain]\nC\n\nc\n"
    "[resource file:///d, image/gif, 2 bytes]",
}


@pytest.mark.parametrize("name", TEXTS)
def test_results(tools: ToolSet, name: str) -> None:
    result = tools[name].call({})
    assert result.text == TEXTS[name]
    assert list(result.content) == RESULTS[name]["content"]
    assert result.structured == RESULTS[name].get("structuredContent")
    done = run_agent(script(a_call(name), "."), tools, "Go.")
    assert results(done) == [("ok", TEXTS[name])]
    assert done.steps[1].result == result


FAILURES = {
    "fails": "no such city",
    "fails_silently": "fails_silently: ",
    "misses_its_schema": "misses_its_schema: .*schema",
    "refuses": "refuses: tools/call is not for me",
    "answers_nonsense": "answers_nonsense: .*content",
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures(tools: ToolSet, name: str) -> None:
    with pytest.raises(ToolError, match=f"(?s)^{FAILURES[name]}"):
        tools[name].call({})
    done = run_agent(script(a_call(name), "It failed."), tools, "Go.")
    [(status, text)] = results(done)
    assert status == "raised" and json.loads(text)["error"].startswith("ToolError: ")
    assert done.answer == "It failed."
    assert tools["texts"]().text  # the session goes on


def test_every_tool_of_the_server_is_tested() -> None:
    assert {*TEXTS, *FAILURES} == {*RESULTS, "refuses", "answers_nonsense"}


def test_the_grammar_is_that_of_the_definitions(tools: ToolSet) -> None:
    assert str(Grammar.from_tools(tools)) == str(Grammar.from_tools(ToolSet(TOOLS)))


def test_a_server_that_dies_in_the_middle() -> None:
    with connect(odd_server()) as tools:
        model = script(*(a_call(name) for name in ("texts", "dies", "texts")), "It is gone.")
        result = run_agent(model, tools, "Go.")
        assert [status for status, _ in results(result)] == ["ok", "raised", "raised"]
        assert result.answer == "It is gone."
        with pytest.raises(ToolError, match=r"^texts: "):
            tools["texts"]()


def test_a_server_that_does_not_answer() -> None:
    with connect(odd_server(), timeout=1) as tools, pytest.raises(ToolError, match=r"^sleeps: "):
        tools["sleeps"]()


def test_an_interrupt_ends_the_wait() -> None:
    # A shell has what it starts in the background ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with connect(odd_server()) as tools, pytest.raises(KeyboardInterrupt):
            threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
            tools["sleeps"]()
    finally:
        signal.signal(signal.SIGINT, before)


def test_nobody_answers_after_the_end() -> None:
    with connect(odd_server()) as tools:
        pass
    with pytest.raises(ToolError, match="loop of its session has ended"):
        tools["texts"]()
    with pytest.raises(ToolError, match="loop of its session has ended"):
        run_agent(script("Hi."), tools, "Hi.")

    async def use(session: Any) -> tuple[ToolSet, Any]:
        return await ToolSet.from_mcp(session), asyncio.get_running_loop()

    tools, loop = in_a_loop(use)
    assert loop.is_closed()
    with pytest.raises(ToolError, match="loop of its session has ended"):
        tools["texts"]()


def test_a_session_that_ends_while_its_loop_goes_on() -> None:
    async def main() -> None:
        async with open_session(odd_server()) as session:
            tools = await ToolSet.from_mcp(session)
        with pytest.raises(ToolError, match=r"^texts: "):
            await asyncio.to_thread(tools["texts"])

    asyncio.run(main())


def test_a_loop_that_stops_while_somebody_waits() -> None:
    loop = asyncio.new_event_loop()
    caught: list[ToolError] = []

    class Silent:
        async def list_tools(self, params: Any = None) -> Any:
            from mcp.types import ListToolsResult

            return ListToolsResult.model_validate({"tools": [TOOLS[0]]})

        async def call_tool(self, name: str, arguments: Any) -> Any:
            loop.stop()
            await asyncio.sleep(60)

    def wait(tool: Tool) -> None:
        with pytest.raises(ToolError) as failed:
            tool(**{"user-id": "7"})
        caught.append(failed.value)

    [exact] = loop.run_until_complete(ToolSet.from_mcp(Silent()))
    waiting = threading.Thread(target=wait, args=[exact])
    loop.call_soon(waiting.start)
    loop.run_forever()
    waiting.join(30)
    assert not waiting.is_alive() and "loop of its session has ended" in str(caught[0])
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_call_from_the_sessions_own_loop_is_an_error() -> None:
    """It would wait for itself; in the loop, it is no matter for the model."""

    async def use(session: Any) -> None:
        tools = await ToolSet.from_mcp(session)
        for call in (
            lambda: tools["texts"](),
            lambda: tools["texts"].call({}),
            lambda: run_agent(script(a_call("texts"), "."), tools, "Go."),
        ):
            with pytest.raises(ToolError, match="to_thread"):
                call()

    in_a_loop(use)


def test_another_loop_may_wait() -> None:
    async def main(tools: ToolSet) -> str:
        return tools["texts"]().text  # type: ignore[no-any-return]

    with connect(odd_server()) as tools:
        assert asyncio.run(main(tools)) == "a line\nanother\n"


def test_threads_may_call_at_once(tools: ToolSet) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(tools["texts"]().text)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == ["a line\nanother\n"] * 8


def test_what_the_block_raises_comes_out_as_it_is() -> None:
    """And not as a group of exceptions, which `except` would not know."""
    for raised in (KeyError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(raised)) as caught, connect(odd_server()):
            raise raised
        assert caught.value is raised


@pytest.mark.parametrize(
    "server",
    [
        mcp.StdioServerParameters(command="no-such-command-as-this"),
        command("-c", "print('not JSON')"),
        command("-c", "raise SystemExit(3)"),
        3,
    ],
)
def test_servers_that_cannot_be_reached(server: Any) -> None:
    with pytest.raises(ToolError, match=r"^the server cannot be reached: .+"), connect(server):
        pass


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("endless", "without end"),
        ("circle", "without end"),
        ("twice", "two tools are called 'exact'"),
        ("odd_name", "two words"),
        ("no_object", "inputSchema"),
    ],
)
def test_lists_that_are_refused(mode: str, message: str) -> None:
    with pytest.raises(ToolError, match=message), connect(odd_server(mode)):
        pass


def test_some_tools_only() -> None:
    with connect(odd_server("odd_name"), names=["exact"]) as tools:
        assert tools.names == ["exact"]
    with (
        pytest.raises(ToolError, match="no tool 'exit'; there is exact, two words"),
        connect(odd_server("odd_name"), names=["exit"]),
    ):
        pass


def test_two_servers_and_names_of_ones_own(tools: ToolSet, store: ToolSet) -> None:
    renamed = [dataclasses.replace(tool, name=f"store.{tool.name}") for tool in store]
    both = ToolSet([*tools, *renamed])
    assert both["store.count"].call({"part": "nut"}).structured == {"result": 12}
    assert both["texts"].call({}).text


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"timeout": "1"}, {"timeout": True}, {"names": "count"}, {"names": 3}],
)
def test_options_of_no_sense(options: Any) -> None:
    async def use(session: Any) -> None:
        with pytest.raises(ToolError, match=next(iter(options))):
            await ToolSet.from_mcp(session, **options)

    in_a_loop(use)


@pytest.mark.parametrize("session", [None, COMMON, mcp.ClientSession, [EXACT]])
def test_what_is_no_session(session: Any) -> None:
    with pytest.raises(ToolError, match=r"mcp\.ClientSession"):
        asyncio.run(ToolSet.from_mcp(session))


def test_tools_are_listed_in_asyncio() -> None:
    with pytest.raises(ToolError, match="asyncio"):
        ToolSet.from_mcp(None).send(None)


HTTP_SERVER = """
import sys
try:
    from mcp.server import MCPServer
    at = {"port": int(sys.argv[1])}
    server = MCPServer("far", log_level="ERROR")
except ImportError:  # version 1 of the package
    from mcp.server.fastmcp import FastMCP
    at = {}
    server = FastMCP("far", log_level="ERROR", port=int(sys.argv[1]))

@server.tool()
def twice(number: int) -> int:
    return 2 * number

server.run("streamable-http", **at)
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a server in another process answers over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with subprocess.Popen([sys.executable, "-c", HTTP_SERVER, str(port)]) as server:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert server.poll() is None, "the server has ended"
                time.sleep(0.1)
            yield port
        finally:
            server.kill()


def test_a_server_over_http(port: int) -> None:
    from mcp.client.streamable_http import streamable_http_client

    with connect(streamable_http_client(f"http://127.0.0.1:{port}/mcp")) as tools:
        assert tools.names == ["twice"]
        assert tools["twice"].call({"number": 21}).structured == {"result": 42}
        model = script(a_call("twice", number="two"), a_call("twice", number=4), "It is 8.")
        result = run_agent(model, tools, "What is twice 4?")
    assert [status for status, _ in results(result)] == ["invalid_arguments", "ok"]
    assert results(result)[1][1] == '{"result": 8}'


def test_no_server_over_http() -> None:
    from mcp.client.streamable_http import streamable_http_client

    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/mcp"
        with (
            pytest.raises(ToolError, match="the server cannot be reached"),
            connect(streamable_http_client(url), timeout=10),
        ):
            pass
