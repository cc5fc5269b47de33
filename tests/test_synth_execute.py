"""Calls that are carried out by real functions, in processes that they may harm."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemask.errors import DataError, ToolError
from schemask.synth import Execute, Outcome, run_stage
from schemask.synth.ledger import ledger_path
from schemask.tools.files import python_tools

TOOLS = """\
import ctypes, os, random, subprocess, sys, time
from pathlib import Path
from schemask import tool

booked = []
print("loaded")

@tool
def price(symbol: str) -> dict:
    '''A price.'''
    print("looking up", symbol)
    os.write(1, b"{}")
    sys.stdout.write(sys.stdin.read())
    if symbol == "NONE":
        raise KeyError(symbol)
    return {"symbol": symbol, "price": 150.25}

@tool
async def book(seat: int) -> str:
    '''Books a seat.'''
    booked.append(seat)
    return f"{len(booked)} booked"

@tool
def draw() -> float:
    '''A random number.'''
    return random.random()

@tool
def harm(how: str) -> str:
    '''Does harm.'''
    if how == "hang":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)
    if how == "crash":
        ctypes.string_at(0)
    if how == "leave":
        os._exit(0)
    if how == "exit":
        sys.exit(3)
    if how == "memory":
        return str(len(bytearray(1 << 30)))
    return "none"
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tools") / "tools.py"
    path.write_text(TOOLS, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def stage(tools: str) -> Iterator[Execute]:
    made = Execute(tools, timeout=0.5, memory=1 << 28)
    yield made
    made.close()


@pytest.fixture(scope="module")
def definitions(tools: str) -> list[dict[str, Any]]:
    return python_tools(tools).definitions


def turn(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made = [{"type": "function", "function": {"name": n, "arguments": a}} for n, a in calls]
    return {"role": "assistant", "content": "", "tool_calls": made}


def result(name: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "name": name, "content": content}


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def line(definitions: list[dict[str, Any]], *messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [said("user", "Please."), *messages], "tools": definitions, "id": 7}


def contents(outcome: Outcome) -> list[str]:
    [made] = outcome.examples
    return [message["content"] for message in made["messages"]]


def test_real_results(stage: Execute, definitions: list[dict[str, Any]]) -> None:
    asked = turn(("price", {"symbol": "AAPL"}), ("book", {"seat": 3}), ("book", {"seat": 4}))
    results = [result("price", "{}"), result("book", "ok"), result("book", "2 booked")]
    given = line(definitions, asked, *results, said("assistant", "Done."))
    for index in range(3):
        outcome = stage(given, index)
        assert contents(outcome) == [
            "Please.",
            "",
            '{"symbol": "AAPL", "price": 150.25}',
            "1 booked",
            "2 booked",
            "Done.",
        ]
        assert outcome.mended == ("result",)
        assert outcome.examples[0]["id"] == 7
    words = line(definitions, said("assistant", "Hello."))
    assert stage(words, 0) == Outcome((words,))
    called = line(definitions, turn(("draw", {})))
    assert stage(called, 0) == Outcome((called,))


def test_what_functions_draw_is_by_the_line(
    stage: Execute, definitions: list[dict[str, Any]]
) -> None:
    given = line(definitions, turn(("draw", {})), result("draw", "0.5"))
    drawn = [contents(stage(given, index))[-1] for index in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


@pytest.mark.parametrize(
    ("how", "reason", "detail"),
    [
        ("hang", "timeout", "no result after 0.5 s"),
        ("crash", "crashed", "its process ended with SIGSEGV"),
        ("leave", "crashed", "its process ended with status 0"),
        ("exit", "raised", "SystemExit: 3"),
        ("memory", "raised", "MemoryError: "),
    ],
)
def test_harm(
    stage: Execute, definitions: list[dict[str, Any]], how: str, reason: str, detail: str
) -> None:
    given = line(definitions, turn(("harm", {"how": how})), result("harm", "none"))
    outcome = stage(given, 0)
    assert (outcome.refused, outcome.detail) == (reason, f"message 1, call 0: harm: {detail}")
    assert contents(stage(line(definitions, turn(("draw", {}))), 0))[-1] == ""


def test_calls_that_cannot_be_made(stage: Execute, definitions: list[dict[str, Any]]) -> None:
    other = {"name": "other", "parameters": {"type": "object", "properties": {"a": {}}}}
    loose = {"name": "book", "parameters": {"type": "object", "properties": {"seat": {}}}}
    given = line([other], turn(("other", {})))
    outcome = stage(given, 0)
    assert outcome.refused == "invalid arguments"
    assert "no tool is called 'other'" in outcome.detail
    assert stage(line([loose], turn(("book", {"seat": "x"}))), 0).refused == "invalid arguments"
    assert stage(line(definitions, turn(("none", {}))), 0).refused == "unknown tool"


def test_errors(tools: str, stage: Execute, definitions: list[dict[str, Any]]) -> None:
    asked = [turn(("price", {"symbol": "NONE"})), result("price", '{"price": 3}')]
    sorry = [said("assistant", "Sorry, I could not find it.")]
    again = [turn(("price", {"symbol": "AAPL"})), result("price", "")]
    given = line(definitions, *asked, *sorry, *again)
    assert stage(given, 0).refused == "raised"
    keeping = Execute(tools, errors="keep")
    try:
        error = '{"error": "KeyError: \'NONE\'"}'
        # Cut before the turn that does not know of the error, a line would end with the wrong call.
        for wrong in (given, line(definitions, asked[0]), line(definitions, *asked)):
            outcome = keeping(wrong, 0)
            assert (outcome.examples, outcome.refused) == ((), "raised")
            assert outcome.detail.startswith("message 1, call 0: price: KeyError")
        foreseen = [asked[0], result("price", '{"error": "unknown"}'), *sorry, *again]
        outcome = keeping(line(definitions, *foreseen), 0)
        real = '{"symbol": "AAPL", "price": 150.25}'
        assert contents(outcome) == ["Please.", "", error, sorry[0]["content"], "", real]
    finally:
        keeping.close()


def test_turns_that_rest_on_what_was_made_up(tools: str, definitions: list[dict[str, Any]]) -> None:
    asked = [turn(("price", {"symbol": "AAPL"})), result("price", '{"price": 99, "seat": 4}')]
    stale = said("assistant", "It costs $99.")
    later = turn(("book", {"seat": 4}))
    true = said("assistant", "It costs $150.25.")
    given = [line(definitions, *asked, answer) for answer in (stale, later)]
    made = {}
    for choice in ("cut", "refuse", "keep"):
        stage = Execute(tools, stale=choice)  # type: ignore[arg-type]
        made[choice] = [stage(example, 0) for example in given]
        if choice == "cut":
            assert len(contents(stage(line(definitions, *asked, true), 0))) == 4
        stage.close()
    for outcome in made["cut"]:
        assert len(contents(outcome)) == 2
        assert outcome.mended == ("result", "cut")
    for outcome in made["refuse"]:
        assert outcome.refused == "stale"
        assert outcome.detail.startswith("message 3: ")
    assert [len(contents(outcome)) for outcome in made["keep"]] == [4, 4]


def test_the_same_lines_in_processes(
    tools: str, definitions: list[dict[str, Any]], tmp_path: Path
) -> None:
    hows = ["none", "crash", "none", "exit", "none", "none"]
    examples = [
        line(
            definitions,
            turn(("harm", {"how": hows[n % 6]}), ("draw", {})),
            result("harm", ""),
            result("draw", ""),
        )
        for n in range(30)
    ]
    source = tmp_path / "in"
    source.write_text("".join(json.dumps(e) + "\n" for e in examples), encoding="utf-8")
    for workers in (1, 2):
        target = tmp_path / f"out{workers}"
        report = run_stage(Execute(tools), source, target, workers=workers, progress=False)
        assert (report.written, report.refused) == (20, {"crashed": 5, "raised": 5})
    one, two = tmp_path / "out1", tmp_path / "out2"
    assert one.read_bytes() == two.read_bytes()
    assert ledger_path(one).read_bytes() == ledger_path(two).read_bytes()


def test_a_process_that_was_killed_is_started_again(
    stage: Execute, definitions: list[dict[str, Any]]
) -> None:
    given = line(definitions, turn(("draw", {})), result("draw", ""))
    before = stage(given, 5)
    vars(stage)["_process"]._process.kill()
    assert stage(given, 5) == before
    assert pickle.loads(pickle.dumps(stage)) == stage
    assert "_process" not in vars(pickle.loads(pickle.dumps(stage)))


KILLED = """\
import sys
from schemask.synth import Execute, run_stage
run_stage(Execute(sys.argv[1], timeout=100), sys.argv[2], sys.argv[3], progress=False)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_nothing_outlives_a_run_that_was_killed(
    tools: str, definitions: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Each process that it started has inherited a variable."""
    mark = tmp_path / "mark"
    path = tmp_path / "hanging.py"
    slow = f"open({str(mark)!r}, 'w').close(); time.sleep(100)"
    path.write_text(TOOLS.replace("time.sleep(600)\n    if", f"{slow}\n    if"), encoding="utf-8")
    source = tmp_path / "in"
    source.write_text(json.dumps(line(definitions, turn(("harm", {"how": "hang"})))) + "\n")
    arguments = [sys.executable, "-c", KILLED, str(path), str(source), str(tmp_path / "out")]
    with subprocess.Popen(arguments, env={**os.environ, "MARK": str(mark)}) as process:
        while not mark.exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert len(processes_of(str(mark))) >= 3
        process.kill()
    deadline = time.monotonic() + 10
    while (left := processes_of(str(mark))) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == []


def processes_of(argument: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            shown = (folder / "environ").read_bytes()
        except OSError:
            continue
        if argument.encode() in shown:
            found.append(int(folder.name))
    return found


def test_modules_and_what_is_none(
    definitions: list[dict[str, Any]],
    tools: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(tools).parent))
    (tmp_path / "broken.py").write_text("\n1 / 0\n", encoding="utf-8")
    given = line(definitions, turn(("price", {"symbol": "A"})), result("price", ""))
    stage = Execute("tools")
    assert contents(stage(given, 0))[-1] == '{"symbol": "A", "price": 150.25}'
    stage.close()
    assert stage.options()["tools"] == Execute(tools).options()["tools"]
    for name, problem in (
        (str(tmp_path / "broken.py"), "line 2: ZeroDivisionError"),
        ("json", "no function has the decorator"),
        ("no_such_module", "ModuleNotFoundError"),
        ("none.py", "no such file"),
    ):
        with pytest.raises(ToolError, match=problem):
            Execute(name)(given, 0)
    for wrong in ({"timeout": 0}, {"memory": 0}, {"errors": "x"}, {"stale": "x"}, {"tools": 1}):
        with pytest.raises(DataError):
            Execute(**{"tools": tools, **wrong})


def test_tools_import_what_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_at_once.py").write_text("ONE = 1\n", encoding="utf-8")
    (tmp_path / "beside_later.py").write_text("TWO = 2\n", encoding="utf-8")
    (tmp_path / "json.py").write_text("1 / 0\n", encoding="utf-8")  # hides no other module
    path = tmp_path / "own.py"
    path.write_text(
        "import json\n"
        "from beside_at_once import ONE\n"
        "from schemask import tool\n"
        "@tool\n"
        "def add() -> int:\n"
        "    from beside_later import TWO\n"
        "    return ONE + TWO\n",
        encoding="utf-8",
    )
    (own,) = python_tools(path)
    given = line([own.definition], said("user", "Add."), turn(("add", {})), result("add", ""))
    stage = Execute(str(path))
    assert contents(stage(given, 0))[-1] == "3"
    stage.close()
