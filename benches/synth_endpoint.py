"""An endpoint that answers as OpenAI's chat completions do, always the same to the same question.

It is 8 processes behind one address, each of which takes connections when it can. Each answer takes
its time, and is a function of the prompt and the seed alone: to a teacher's prompt, what the
phrasebook of examples/household.py writes for what the prompt asks for, and now and then no JSON;
to a judge's prompt, a verdict. A file has a line for each question that came.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE
from typing import Any

from schemask.models import CallableModel
from schemask.synth import TeacherRequest
from schemask.tools import ToolSet

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from household import PHRASES

PROCESSES = 8


def answer(prompt: str, seed: int) -> str:
    """What the model says."""
    return verdict(prompt) if prompt.endswith("Verdict: ") else conversation(prompt, seed)


def verdict(prompt: str) -> str:
    """A judgement that says wrong of a tenth of all conversations."""
    word = "wrong" if zlib.crc32(prompt.encode()) % 10 == 0 else "right"
    return json.dumps({"reason": f"It looks {word}.", "verdict": word})


def judge_model() -> CallableModel:
    """The same judge without an endpoint."""
    return CallableModel(verdict)


def conversation(prompt: str, seed: int) -> str:
    """A conversation as the prompt wants it, among pleasantries; of a twentieth, only these."""
    if seed % 20 == 0:
        return "I would rather not."
    return f"Here it is: {json.dumps(PHRASES(asked_for(prompt, seed)), ensure_ascii=False)}"


def asked_for(prompt: str, seed: int) -> TeacherRequest:
    """The request that a prompt tells in words."""
    scene = prompt.rpartition("Tools:\n")[2]
    offered, _, rest = scene.partition("The user: ")
    listed, _, withheld = offered.partition("Not offered:\n")
    tools = ToolSet(map(json.loads, listed.splitlines()))
    _, _, wanted = rest.partition("The assistant: ")
    targets = re.findall(r"(?<=calls )\w+|(?<=and then )(?!calls)\w+", wanted)
    missing = re.match(r"asks for (\w+), and", wanted)
    kind: Any = "call" if len(targets) == 1 else "parallel" if targets else "words"
    if missing:
        kind = "missing_value"
    elif withheld:
        kind = "missing_tool"
    return TeacherRequest(
        index=0,
        attempt=1,  # it opens requests in more ways, of which fewer repeat each other
        seed=seed,
        kind=kind,
        tools=tools,
        targets=() if withheld else tuple(targets),
        missing=missing[1] if missing else None,
        withheld_tool=next(iter(ToolSet([json.loads(withheld)]))) if withheld else None,
    )


class Endpoint:
    """The endpoint from without.

    Attributes:
        url: Its address.
    """

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    @property
    def asked(self) -> int:
        """How many questions have come."""
        return self._log.read_bytes().count(b"\n")

    def questions(self) -> Counter[str]:
        """How often each question has come, which is then forgotten."""
        found = Counter(self._log.read_text().split())
        self._log.write_text("")
        return found


@contextlib.contextmanager
def serving(seconds: float, folder: Path) -> Iterator[Endpoint]:
    """Starts it; an answer takes so many seconds."""
    log = folder / "questions"
    log.touch()
    command = [sys.executable, __file__, str(seconds), str(log)]
    # Its standard input is closed at the end, and with that it ends.
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield Endpoint(f"http://127.0.0.1:{port}/v1", log)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    seconds = 0.0
    log = -1

    def do_POST(self) -> None:
        started = time.monotonic()
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt, seed = request["messages"][0]["content"], request["seed"]
        name = hashlib.sha256(f"{seed} {prompt}".encode()).hexdigest()[:16]
        os.write(self.log, f"{name}\n".encode())
        message = {"role": "assistant", "content": answer(prompt, seed)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        told = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
        data = json.dumps({**told, "choices": [choice]}).encode()
        time.sleep(max(0.0, started + self.seconds - time.monotonic()))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle(self) -> None:
        # Who asked may have been killed.
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    seconds, log = sys.argv[1:]
    Handler.seconds = float(seconds)
    Handler.log = os.open(log, os.O_WRONLY | os.O_APPEND)
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    for _ in range(PROCESSES - 1):
        if not os.fork():
            break
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
