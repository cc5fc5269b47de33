"""A server under load: good clients, slow ones, some that go, hostile ones; and llama-cpp-python's.

    python benches/serve.py --seconds 600 --clients 16 --csv serve.csv

The same good requests go to `llama_cpp.server` with its own grammar, if its libraries are there
(`pip install 'llama-cpp-python[server]'`). README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import openai

import record
from schemask.demo import model_path

NAME = "model"
TOKENS = 48
CITIES = ("Oslo", "Rome", "Lima", "Kyoto", "Accra", "Quito", "Perth", "Cairo")
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 24},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
                "unit": {"enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "days", "unit"],
            "additionalProperties": False,
        },
    },
}
JUDGE = jsonschema.Draft202012Validator(WEATHER["function"]["parameters"])
NAMED = {"type": "function", "function": {"name": "weather"}}
HOSTILE: list[Any] = [
    {"type": "string", "pattern": "(a|b)*a(a|b){60}c"},
    {"allOf": [{"oneOf": [{"minLength": n}, {"maxLength": n}]} for n in range(40)]},
    {"type": "string", "pattern": "(((x{1000}){1000}){1000})"},
]


@dataclass
class Seen:
    """What the clients of one run have seen.

    Attributes:
        times: Seconds of each good request that was answered.
        first: Seconds to its first piece, of those that were streamed.
        wrong: Answers to good requests that are not what the schema says.
        failures: What went wrong with other good requests.
        answers: How many requests of each other kind were answered how.
        memory: Megabytes of the server, each second.
        seconds: How long it was, up to the last answer.
    """

    times: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Server:
    """A server that runs.

    Attributes:
        process: Its process.
        port: Its port.
    """

    process: subprocess.Popen[str]
    port: int


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[Server]:
    """A server, once it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, command
            time.sleep(0.1)
        yield Server(process, port)  # type: ignore[arg-type]
    finally:
        process.terminate()
        process.wait(60)


async def good(server: Server, seen: Seen, number: int, stream: bool) -> None:
    """A call of a tool, checked."""
    request = {
        "model": NAME,
        "messages": [
            {"role": "user", "content": f"Weather in {CITIES[number % len(CITIES)]}, day {number}?"}
        ],
        "tools": [WEATHER],
        "tool_choice": NAMED,
        "temperature": 0,
        "max_tokens": TOKENS,
    }
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{server.port}/v1", api_key="x", timeout=600, max_retries=0
    )
    started = time.perf_counter()
    arguments = ""
    try:
        async with client:
            if stream:
                pieces = await client.chat.completions.create(**request, stream=True)
                async for piece in pieces:
                    if not arguments:
                        seen.first.append(time.perf_counter() - started)
                    for choice in piece.choices:
                        for call in choice.delta.tool_calls or ():
                            arguments += call.function.arguments or ""
            else:
                answer = await client.chat.completions.create(**request)
                (call,) = answer.choices[0].message.tool_calls
                arguments = call.function.arguments
    except Exception as error:
        seen.failures.append(f"{type(error).__name__}: {error}"[:200])
        return
    seen.times.append(time.perf_counter() - started)
    if not is_right(arguments):
        seen.wrong.append(arguments)


def is_right(arguments: str) -> bool:
    """Whether these are arguments of the tool."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return False
    return bool(JUDGE.is_valid(value))


@contextlib.asynccontextmanager
async def sent(server: Server, data: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which a body was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\n"
    )
    try:
        writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode())
        for at in range(0, len(data), 1 << 20):
            writer.write(data[at : at + (1 << 20)])
            await writer.drain()
        yield reader
    finally:
        writer.transport.abort()


def talk(**more: Any) -> bytes:
    messages = [{"role": "user", "content": "Tell me a long story."}]
    body = {"model": NAME, "messages": messages, "max_tokens": 200, **more}
    return json.dumps(body).encode()


async def slow(server: Server, seen: Seen, draw: random.Random) -> None:
    """Reads a stream byte by byte, and goes in the end."""
    async with sent(server, talk(stream=True)) as reader:
        for _ in range(draw.randint(20, 60)):
            if not await asyncio.wait_for(reader.read(1), 600):
                break
            await asyncio.sleep(0.1)
    seen.answers["slow: read"] += 1


async def vanishing(server: Server, seen: Seen, draw: random.Random) -> None:
    """Asks, and goes."""
    async with sent(server, talk(stream=draw.random() < 0.5)):
        await asyncio.sleep(draw.random() * 2)
    seen.answers["vanishing: gone"] += 1


async def hostile(server: Server, seen: Seen, draw: random.Random) -> None:
    """Asks for what must not be served, or for what costs too much."""
    kind = draw.choice(["large", "schema", "schema", "schema", "json", "type"])
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": draw.choice(HOSTILE)}}
    data = {
        "large": b" " * 100_000_000,
        "schema": talk(response_format=schema),
        "json": b'{"messages": ' + b"[" * 10_000,
        "type": talk(temperature="hot"),
    }[kind]
    async with sent(server, data) as reader:
        line = await asyncio.wait_for(reader.readline(), 600)
    seen.answers[f"hostile {kind}: {line.split()[1].decode() if line else 'cut off'}"] += 1
    await asyncio.sleep(1)


async def clients(server: Server, count: int, seconds: float, mixed: bool) -> Seen:
    """So many clients for so long; of a mixture, three eighths mean no good."""
    seen = Seen()
    started = time.monotonic()
    end = started + seconds
    numbers = iter(range(10**9))

    async def client(index: int) -> None:
        draw = random.Random(index)
        bad = {0: slow, 1: vanishing, 2: hostile}.get(index % 8) if mixed else None
        while time.monotonic() < end:
            if bad is None:
                number = next(numbers)
                await good(server, seen, number, stream=number % 2 == 0)
                continue
            try:
                await bad(server, seen, draw)
            except (OSError, asyncio.TimeoutError) as error:
                seen.answers[f"{bad.__name__}: {type(error).__name__}"] += 1

    async def watch() -> None:
        while True:
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            seen.memory.append(int(resident.split()[1]) / 1024)
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*map(client, range(count)))
    watching.cancel()
    seen.seconds = time.monotonic() - started
    return seen


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def row(name: str, seen: Seen) -> dict[str, Any]:
    """What is told of a run."""
    fourth = max(1, len(seen.memory) // 4)
    return {
        "server": name,
        "answered": len(seen.times),
        "wrong": len(seen.wrong),
        "failed": len(seen.failures),
        "p50 s": round(share(seen.times, 0.5), 2),
        "p99 s": round(share(seen.times, 0.99), 2),
        "first p50 s": round(share(seen.first, 0.5), 2),
        "right answers/s": round((len(seen.times) - len(seen.wrong)) / seen.seconds, 2),
        "MB early": round(statistics.mean(seen.memory[fourth : 2 * fourth] or seen.memory)),
        "MB late": round(statistics.mean(seen.memory[-fourth:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--good-seconds", type=float, default=180, help="without bad clients")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--model", type=Path, default=model_path())
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    others = ""
    for name, mixed in (("schemask", True), ("schemask", False), ("llama_cpp.server", False)):
        port = free_port()
        if name == "schemask":
            command = ["-m", "schemask", "serve", str(options.model), "--name", NAME]
            command += ["--port", str(port), "--limit", "timeout=5"]
        elif importlib.util.find_spec("fastapi") is None:
            print("llama_cpp.server is left out: pip install 'llama-cpp-python[server]'")
            continue
        else:
            command = ["-m", "llama_cpp.server", "--model", str(options.model), "--n_ctx", "4096"]
            command += ["--model_alias", NAME, "--port", str(port), "--interrupt_requests", "False"]
            command += ["--chat_format", "chatml-function-calling"]
        with running([sys.executable, *command], port) as server:
            seconds = options.seconds if mixed else options.good_seconds
            seen = asyncio.run(clients(server, options.clients, seconds, mixed))
        rows.append(row(f"{name}, mixed" if mixed else name, seen))
        print(rows[-1], *(Counter(them).most_common(3) for them in (seen.wrong, seen.failures)))
        if mixed:
            others = ", ".join(f"{what} {count}" for what, count in sorted(seen.answers.items()))
            print(others, flush=True)
    if options.csv is not None:
        data = (
            f"{options.clients} clients for {options.seconds:g} s, good ones alone for "
            f"{options.good_seconds:g} s; SmolLM2-135M-Instruct"
        )
        notes = record.circumstances(
            data, "python " + " ".join(sys.argv), ("llama-cpp-python", "openai", "uvicorn")
        )
        notes.append(f"the others of the mixture: {others}")
        record.write(options.csv, notes, list(rows[0]), [list(each.values()) for each in rows])


if __name__ == "__main__":
    main()
