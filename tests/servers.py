"""Servers to test: one in a thread, over a model that types what it is told to, and one of a child
process, over SmolLM2."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from schemask import CompiledGrammar
from schemask.chat import HERMES, ChatFormat
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.generation import TextStream
from schemask.core.logprobs import TokenLogprobs, TokenObserver
from schemask.models import GREEDY, Completion, Sampling
from schemask.serve import Engine, ServerSettings
from schemask.serve.server import listening, made

NAME = "typist"


class Typist:
    """Writes what is prepared for a prompt, byte by byte, as far as the grammar lets it.

    Args:
        says: What it would write after a prompt.
        pace: Seconds before each byte.

    Attributes:
        written: How many bytes it has written.
        writing: How many generations are under way.
    """

    def __init__(self, says: Callable[[str], str], pace: float = 0.0) -> None:
        self.vocabulary = byte_vocabulary()
        self.written = 0
        self.writing = 0
        self._says = says
        self._pace = pace

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        grammar: CompiledGrammar | None = None,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
        on_text: Callable[[str], object] | None = None,
        on_token: TokenObserver | None = None,
        top_logprobs: int = 0,
    ) -> Completion:
        said = self._says(prompt if isinstance(prompt, str) else bytes(prompt).decode())
        stream = TextStream(stop, on_text)
        token_ids: list[int] = []

        def write(byte: int) -> bool:
            time.sleep(self._pace)
            token_ids.append(byte)
            self.written += 1
            if on_token is not None:
                on_token(TokenLogprobs(byte, -0.5, ((byte, -0.5),) * top_logprobs))
            return stream.feed(bytes([byte]))

        self.writing += 1
        try:
            status = self._write(said.encode(), grammar, min(sampling.max_tokens, 1000), write)
        finally:
            self.writing -= 1
        status = "stop" if stream.stopped else status
        return Completion(stream.finish(), token_ids, status, len(prompt), len(token_ids))  # type: ignore[arg-type]

    def _write(
        self,
        said: bytes,
        grammar: CompiledGrammar | None,
        most: int,
        write: Callable[[int], bool],
    ) -> str:
        if grammar is None:
            for byte in said[:most]:
                if write(byte):
                    break
            return "complete" if len(said) <= most else "max_tokens"
        matcher = grammar.matcher(max_tokens=most)
        for byte in said:
            if not matcher.accept(byte):
                break
            if write(byte):
                return "stop"
        is_cut = matcher.token_count < len(said)
        for byte in matcher.completion():
            assert matcher.accept(byte)
            if write(byte):
                return "stop"
        return "max_tokens" if is_cut and matcher.token_count == most else "complete"


class Running:
    """A server that runs.

    Attributes:
        address: The address for clients.
        name: The name of its model.
    """

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].partition("/")[0])


@contextlib.contextmanager
def running(
    model: Any, form: ChatFormat = HERMES, send_buffer: int | None = None, **settings: Any
) -> Iterator[Running]:
    """A server in a thread, until the block ends."""
    chosen = ServerSettings(name=NAME, **{"grace_seconds": 1.0, **settings})
    server = made(Engine(model, form, chosen.limits), chosen)
    listener = listening("127.0.0.1", 0, chosen.stall_seconds)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{port}/v1", NAME)
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def child(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Running]]:
    """`schemask serve` in a process of its own, on a free port, which is killed in the end."""
    command = [sys.executable, "-m", "schemask", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.stderr.read())
        _, name, _, address = line.split()
        yield process, Running(address, name)
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for what has to happen; that it never does is a failure, not how long it takes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.01)
