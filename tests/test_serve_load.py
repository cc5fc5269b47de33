"""Many clients at once, and those that mean no good: slow ones, some that go, hostile requests."""

from __future__ import annotations

import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("uvicorn")

from schemask.errors import ModelError
from schemask.serve.server import is_loopback, listening
from servers import Running, Typist, child, running, until
from test_serve import WEATHER, asked, chat, choice, events, refused, request, says

PATH = "/v1/chat/completions"


def opened(server: Running, body: dict[str, Any], buffer: int | None = None) -> socket.socket:
    """A connection on which a request was sent, and from which nothing has been read."""
    connection = socket.socket()
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", server.port))
    data = json.dumps(body).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


def metric(server: Running, name: str) -> float:
    text = request(server, "/metrics", method="GET")[2].decode()
    return float(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def test_many_clients() -> None:
    model = Typist(says, pace=0.0005)
    with running(model, slots=3) as server, ThreadPoolExecutor(16) as pool:

        def ask(number: int) -> bool:
            if number % 2:
                found = choice(server, "call", tools=[WEATHER])
                return bool(found["message"]["tool_calls"])
            return len(events(server, PATH, asked("hello"))) > 2

        assert all(pool.map(ask, range(48)))
        until(lambda: metric(server, "schemask_running") == 0)
        assert metric(server, "schemask_waiting") == 0


def test_first_come_first_served() -> None:
    order: list[str] = []

    def note(prompt: str) -> str:
        order.append(prompt.rpartition("user\n")[2].partition("<|im_end|>")[0])
        return "ok" * 20

    with running(Typist(note, pace=0.005)) as server:
        held = []
        for number in range(6):
            held.append(opened(server, asked(f"number {number}")))
            until(lambda number=number: metric(server, "schemask_waiting") >= number or not number)
            until(lambda: metric(server, "schemask_running") == 1)
        for connection in held:
            assert connection.recv(12) == b"HTTP/1.1 200"
            connection.close()
    assert order == [f"number {number}" for number in range(6)]


def test_beyond_the_queue() -> None:
    with running(Typist(says, pace=0.05), waiting=1) as server:
        held = [opened(server, asked("long"))]
        until(lambda: metric(server, "schemask_running") == 1)
        held.append(opened(server, asked("long")))
        until(lambda: metric(server, "schemask_waiting") == 1)
        status, headers, data = request(server, PATH, asked())
        assert (status, headers["retry-after"]) == (429, "1")
        assert json.loads(data)["error"]["code"] == "queue_full"
        for connection in held:
            connection.close()
        assert choice(server)["message"]["content"] == says("hello")


def test_beyond_the_open_requests() -> None:
    with running(Typist(says, pace=0.05), connections=1) as server:
        held = opened(server, asked("long"))

        def is_full() -> bool:
            return request(server, PATH, asked())[0] == 503

        until(is_full)
        assert request(server, "/health", method="GET")[0] == 200
        status, headers, data = request(server, PATH, asked())
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(data)["error"]["code"] == "overloaded"
        held.close()
        until(lambda: not is_full())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_ends_the_generation(stream: bool) -> None:
    model = Typist(lambda prompt: "word " * 200, pace=0.01)
    with running(model) as server:
        connection = opened(server, asked(stream=stream))
        until(lambda: model.written > 3)
        connection.close()
        until(lambda: model.writing == 0)
        assert model.written < 900
        until(lambda: metric(server, "schemask_running") == 0)
        assert metric(server, "schemask_gone_total") == 1


def test_a_client_that_goes_while_it_waits() -> None:
    model = Typist(says, pace=0.02)
    with running(model) as server:
        first = opened(server, asked("long"))
        until(lambda: metric(server, "schemask_running") == 1)
        second = opened(server, asked("hello"))
        until(lambda: metric(server, "schemask_waiting") == 1)
        second.close()
        until(lambda: metric(server, "schemask_waiting") == 0)
        first.close()
        assert choice(server)["message"]["content"] == says("hello")


def test_a_slow_reader_holds_up_nobody() -> None:
    """It does not read at all, and its answer is larger than what the kernel takes."""
    model = Typist(lambda prompt: "a" if "short" in prompt else "é" * 400)
    with running(model, stall_seconds=1.0) as server:
        body = asked("x" * 50, stream=True, logprobs=True, top_logprobs=1)
        slow = [opened(server, body, buffer=2048) for _ in range(8)]
        for _ in range(5):
            assert choice(server, "short")["message"]["content"] == "a"
        until(lambda: metric(server, "schemask_running") == 0)
        for connection in slow:
            connection.close()


def test_a_reader_that_stalls_is_dropped() -> None:
    model = Typist(lambda prompt: "x" * 900 if "long" in prompt else "x")
    with running(model, send_buffer=4096, stall_seconds=1.0, connections=1) as server:
        # Each byte is told with so much beside it that no buffer takes all of it.
        body = asked("long", stream=True, logprobs=True, top_logprobs=20)
        stalled = opened(server, body, buffer=1)
        until(lambda: model.written == 900 and not model.writing)
        assert request(server, PATH, asked())[0] == 503
        # The one place is free again, though the client is still there.
        until(lambda: request(server, PATH, asked())[0] == 200)
        stalled.close()


def test_large_bodies() -> None:
    with running(Typist(says)) as server:
        status, _, data = request(server, PATH, b" " * 100_000_000)
        assert (status, json.loads(data)["error"]["code"]) == (413, "too_large")
        # Without a length, it is cut off where it gets too large.
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with pytest.raises(OSError):
            for _ in range(10_000):
                connection.sendall(chunk)
        connection.close()
        assert choice(server)["message"]["content"] == says("hello")


def test_a_body_that_does_not_come() -> None:
    with running(Typist(says), stall_seconds=0.3) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(1000)
        connection.close()


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("sent", [b"", b"POST /v1/chat"])
def test_a_request_that_does_not_begin(is_kept: bool, sent: bytes) -> None:
    """The connection is closed, also one that was kept after an answer: reading comes to an end."""
    with running(Typist(says), stall_seconds=0.3) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        if is_kept:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            while not data.endswith(b"}"):
                data += connection.recv(4096)
            assert data.startswith(b"HTTP/1.1 200 OK")
        connection.sendall(sent)
        assert connection.recv(4096) == b""
        connection.close()


def test_an_answer_may_take_longer_than_a_request() -> None:
    with running(Typist(lambda prompt: "slow", pace=0.3), stall_seconds=0.3) as server:
        assert choice(server)["message"]["content"] == "slow"
        chunks = events(server, PATH, asked())
        assert len(chunks) > 4


HOSTILE: list[Any] = [
    {"type": "string", "pattern": "(a|b)*a(a|b){60}c"},
    {"allOf": [{"type": "string", "pattern": f"^.*{n}.{{40}}"} for n in range(30)]},
    {"type": "string", "pattern": "(((x{1000}){1000}){1000})"},
    {"$ref": "#"},
    {"allOf": [{"oneOf": [{"minLength": n}, {"maxLength": n}]} for n in range(40)]},
    {"enum": ["x" * 1000 * n for n in range(30)], "not": {"enum": [1]}},
]


@pytest.mark.parametrize("schema", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_schemas_are_answered(schema: Any) -> None:
    """In the time that their work may take, by text of the schema or by a refusal."""
    limits = {"compile_work": 500_000, "mask_work": 500_000, "timeout": 5.0}
    with running(Typist(lambda prompt: '"ab'), limits=limits) as server:
        words = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        body = asked(response_format=words, max_tokens=200)
        status, _, data = request(server, PATH, body)
        answer = json.loads(data)
        if status == 200:
            json.loads(answer["choices"][0]["message"]["content"])
        else:
            assert status == 400, answer
            assert answer["error"]["code"] in ("limit_exceeded", "invalid_schema")
        assert choice(server, max_tokens=30)["message"]["content"].startswith('"ab')


def test_limits_of_work() -> None:
    with running(Typist(says), limits={"compile_work": 300}) as server:
        schema = {"properties": {f"key {n}": {"type": "string"} for n in range(200)}}
        words = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        status, error = refused(server, asked(response_format=words))
        assert (status, error["code"]) == (400, "limit_exceeded")


def test_time_for_a_request() -> None:
    with running(Typist(says, pace=0.01), request_seconds=2.0) as server:
        held = [opened(server, asked("long", stream=True)), opened(server, asked("long"))]
        until(lambda: metric(server, "schemask_running") == 1)
        status, error = refused(server, asked("long"))
        assert (status, error["code"]) == (504, "timeout")
        data = b""
        while b"the time for a request is over" not in data:
            data += (piece := held[0].recv(65536))
            assert piece, data
        assert b"[DONE]" not in data
        for connection in held:
            connection.close()
        assert choice(server, "yes")["message"]["content"] == "yes!"


def test_a_model_that_fails_fails_alone() -> None:
    def fails(prompt: str) -> str:
        if "broken" in prompt:
            raise RuntimeError("secret")
        return "fine"

    with running(Typist(fails)) as server:
        status, error = refused(server, asked("broken"))
        assert (status, error["type"]) == (500, "server_error")
        assert "secret" not in error["message"]
        assert choice(server)["message"]["content"] == "fine"


def test_ends_after_what_is_being_answered() -> None:
    model = Typist(says, pace=0.005)
    answers: list[Any] = []
    with running(model, grace_seconds=60) as server:
        thread = threading.Thread(target=lambda: answers.append(choice(server, "call")))
        thread.start()
        until(lambda: model.written > 0)
    thread.join()
    assert answers[0]["message"]["content"] is not None


def test_ends_what_takes_longer_than_the_grace() -> None:
    model = Typist(lambda prompt: "word " * 200, pace=0.05)
    with running(model, grace_seconds=1) as server:
        connection = opened(server, asked(stream=True))
        until(lambda: model.written > 0)
    assert model.writing == 0 and model.written < 900
    connection.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_who_can_reach_it(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


def test_an_address_that_is_taken() -> None:
    with running(Typist(says)) as server, pytest.raises(ModelError, match="listened at"):
        listening("127.0.0.1", server.port, 1.0)


@pytest.fixture(scope="module")
def small() -> Any:
    with child("--max-tokens", "60") as (process, server):
        yield process, server


def test_a_process_of_its_own(small: Any) -> None:
    process, server = small
    found = choice(
        server,
        "What is the weather in Oslo?",
        model=server.name,
        tools=[WEATHER],
        tool_choice="required",
        temperature=0,
    )
    (call,) = found["message"]["tool_calls"][:1]
    assert list(json.loads(call["function"]["arguments"])) == ["city"]
    for user, times in (("Hello", 4096), ("Hello " * 5000, 1)):
        messages = [{"role": "user", "content": user}] * times
        status, error = refused(server, {"model": server.name, "messages": messages})
        assert (status, error["code"]) == (400, "context_length_exceeded")
    words = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [1, 2]}}}
    said = choice(server, "1 or 2?", model=server.name, response_format=words)
    assert said["message"]["content"] in ("1", "2")
    status, error = refused(server, asked(model=server.name, max_tokens=61))
    assert (status, error["param"]) == (400, "max_completion_tokens")
    whole = chat(server, "Hello!", model=server.name, max_tokens=8, seed=3)
    same = chat(server, "Hello!", model=server.name, max_tokens=8, seed=3)
    assert whole["choices"][0]["message"] == same["choices"][0]["message"]
    assert metric(server, "schemask_masks_total") > 0
    assert metric(server, "schemask_masks_seconds_count") > 0
    strange = {"Host": "evil.example"}
    assert request(server, "/v1/models", headers=strange, method="GET")[0] == 403
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
