"""Teachers that are asked for several lines at once, and the kinds of conversations they write."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemask.errors import DataError, ModelError
from schemask.models import CallableModel
from schemask.synth import Kind, Report, Teacher, TeacherRequest, generate
from schemask.synth.answers import AnswerCheck, RefusedAnswer
from schemask.synth.kinds import KINDS, SHARES, full_shares
from schemask.synth.ledger import ledger_path
from schemask.synth.plans import Plan
from schemask.synth.values import is_said, leaves
from schemask.synth.worked_examples import WORKED_EXAMPLES, Scene
from schemask.tools import ToolSet
from test_synth import TOOLS, get_stock_price, read, teacher


def stubborn(request: TeacherRequest) -> dict[str, Any]:
    """Repeats other lines now and then, and errs."""
    draw = random.Random(request.seed)
    if draw.random() < 0.1:
        return {"user": ""}
    answer = teacher(request)
    if draw.random() < 0.3:
        answer["user"] = f"Number {draw.randrange(40)}"
    return answer


def blocking(request: TeacherRequest) -> dict[str, Any]:
    time.sleep(random.random() * 0.004)
    return stubborn(request)


async def waiting(request: TeacherRequest) -> dict[str, Any]:
    await asyncio.sleep(random.random() * 0.004)
    return stubborn(request)


class Waiting:
    async def __call__(self, request: TeacherRequest) -> dict[str, Any]:
        return await waiting(request)


def both(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), ledger_path(path).read_bytes()


def write(teach: Teacher, path: Path, count: int = 120, **options: Any) -> Report:
    return generate(teach, TOOLS, count, path, progress=False, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a teacher writes that is asked for one line at a time."""
    path = tmp_path_factory.mktemp("whole") / "data"
    report = write(stubborn, path)
    assert report.refused["duplicate"] > 10
    assert report.refused["invalid"] > 5
    return path


@pytest.mark.parametrize("teach", [blocking, waiting, Waiting()])
@pytest.mark.parametrize("concurrency", [2, 8])
def test_however_many_at_once(
    tmp_path: Path, whole: Path, teach: Teacher, concurrency: int
) -> None:
    report = write(teach, tmp_path / "data", concurrency=concurrency)
    assert report.written == 120
    assert both(tmp_path / "data") == both(whole)


def test_within_an_event_loop(tmp_path: Path, whole: Path) -> None:
    """As in a notebook, where one runs already."""

    async def cell() -> None:
        write(waiting, tmp_path / "data")

    asyncio.run(cell())
    assert both(tmp_path / "data") == both(whole)


@pytest.mark.parametrize("teach", [blocking, waiting])
def test_as_many_as_allowed(tmp_path: Path, teach: Teacher) -> None:
    lock, open_, most = threading.Lock(), 0, 0

    def begin() -> None:
        nonlocal open_, most
        with lock:
            open_ += 1
            most = max(most, open_)

    def blocked(request: TeacherRequest) -> dict[str, Any]:
        nonlocal open_
        begin()
        time.sleep(0.01)
        open_ -= 1
        return teacher(request)

    async def waited(request: TeacherRequest) -> dict[str, Any]:
        nonlocal open_
        begin()
        await asyncio.sleep(0.01)
        open_ -= 1
        return teacher(request)

    write(blocked if teach is blocking else waited, tmp_path / "data", 30, concurrency=4)
    assert most == 4


def test_killed_while_many_are_asked(tmp_path: Path, whole: Path) -> None:
    """SIGKILL at any moment: the next run goes on, however many it asks for, and ends the same."""
    path, draw = tmp_path / "data", random.Random(3)
    sizes: list[int] = []
    for kill in range(5):
        child = os.fork()
        if not child:
            try:
                write(waiting if kill % 2 else blocking, path, concurrency=3 + kill)
            finally:
                os._exit(0)
        time.sleep(draw.uniform(0.02, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        sizes.append(path.stat().st_size if path.exists() else 0)
    assert sizes == sorted(sizes)
    report = write(stubborn, path)
    assert report.found + report.written == 120
    assert both(path) == both(whole)


def test_what_is_done_is_kept_while_a_line_is_waited_for(tmp_path: Path) -> None:
    go_on, path = threading.Event(), tmp_path / "data"

    def teach(request: TeacherRequest) -> dict[str, Any]:
        if request.index == 5:
            go_on.wait()
        return teacher(request)

    thread = threading.Thread(target=lambda: write(teach, path, 9, concurrency=2))
    thread.start()
    while not path.exists() or path.read_bytes().count(b"\n") < 5:
        time.sleep(0.01)
    go_on.set()
    thread.join()
    assert len(read(path)) == 9


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_comes_in_its_line(tmp_path: Path, is_async: bool) -> None:
    """Lines before it are written; the later ones that are asked for already are given up."""
    stopped = threading.Event()

    def teach(request: TeacherRequest) -> dict[str, Any]:
        if request.index == 7:
            raise ModelError("no answer any more")
        if request.index > 7 and not is_async:
            stopped.wait()
        return teacher(request)

    async def teach_async(request: TeacherRequest) -> dict[str, Any]:
        if request.index > 7:
            await asyncio.sleep(1000)
        return teach(request)

    with pytest.raises(ModelError, match="no answer any more"):
        write(teach_async if is_async else teach, tmp_path / "data", 20, concurrency=4)
    stopped.set()
    assert len(read(tmp_path / "data")) == 7
    write(teacher, tmp_path / "data", 20)
    write(teacher, tmp_path / "again", 20)
    assert both(tmp_path / "data") == both(tmp_path / "again")


def test_an_async_teacher_that_ends_the_program(tmp_path: Path) -> None:
    """It would end the event loop, too, in which the others are waited for."""

    async def teach(request: TeacherRequest) -> dict[str, Any]:
        if request.index == 3:
            sys.exit("no more tokens")
        return teacher(request)

    with pytest.raises(SystemExit, match="no more tokens"):
        write(teach, tmp_path / "data", 20, concurrency=4)
    assert len(read(tmp_path / "data")) == 3


def test_an_interrupt_does_not_wait_for_teachers(tmp_path: Path) -> None:
    script = (
        "import threading, time\n"
        "from schemask.synth import generate\n"
        "def teach(request): print('asked', flush=True); time.sleep(1000)\n"
        f"generate(teach, [{{'name': 'f'}}], 9, {str(tmp_path / 'data')!r}, concurrency=2)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().endswith(b"KeyboardInterrupt\n")
    assert not (tmp_path / "data").exists()


def test_giving_up_says_why(tmp_path: Path) -> None:
    def teach(request: TeacherRequest) -> dict[str, Any]:
        if request.attempt % 4 == 3:
            return {}
        return {"user": "The same.", "answer": "No."}

    options: dict[str, Any] = {"shares": {"words": 1}, "attempts": 8}
    message = r"line 2: 8 answers .* \(6 duplicate, 2 invalid\), the last: "
    with pytest.raises(DataError, match=message) as caught:
        write(teach, tmp_path / "data", 2, **options)
    assert caught.value.line == 2
    report = write(teacher, tmp_path / "data", 2, **options)  # which may be asked again
    assert (report.found, report.written) == (1, 1)


def test_a_function_that_gives_something_to_await(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is an async def itself"):
        write(lambda request: waiting(request), tmp_path / "data")


# Kinds.


def test_worked_examples_are_as_they_should_be() -> None:
    assert WORKED_EXAMPLES.keys() == set(KINDS)
    check = AnswerCheck()
    for kind, scenes in WORKED_EXAMPLES.items():
        for scene in scenes:
            request = asked(kind, scene)
            assert check(scene.example, request) == scene.example
            assert list(request.schema["properties"]) == list(scene.example)
            assert request.prompt.endswith("\nConversation:")
            assert json.dumps(scene.example, ensure_ascii=False) in request.prompt
            if scene.withheld is not None:
                assert scene.withheld.name not in scene.tools.names
                assert "Not offered" in request.prompt.rpartition("Tools:")[2]


def asked(kind: Kind, scene: Scene) -> TeacherRequest:
    return TeacherRequest(
        index=0,
        attempt=0,
        seed=0,
        kind=kind,
        tools=scene.tools,
        targets=scene.targets,
        hints=scene.hints,
        missing=scene.missing,
        withheld_tool=scene.withheld,
    )


def changed_chain(example: dict[str, Any]) -> None:
    example["steps"][1]["call"]["arguments"]["address"] = "else@example.org"


def told_before(example: dict[str, Any]) -> None:
    example["user"] += " It is m.olsen@example.org."


def said_at_once(example: dict[str, Any]) -> None:
    example["user"] = "Book me the Blue room at 15."


def called_twice(example: dict[str, Any]) -> None:
    example["tool_calls"][1] = example["tool_calls"][0]


def called_twice_in_other_numbers(example: dict[str, Any]) -> None:
    first = example["tool_calls"][0]
    spelled = {
        name: float(value) if type(value) is int else value
        for name, value in first["arguments"].items()
    }
    assert any(type(value) is float for value in spelled.values())
    example["tool_calls"][1] = {**first, "arguments": spelled}


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("chain", changed_chain, "unlinked"),
        ("chain", told_before, "unlinked"),
        ("missing_value", said_at_once, "not missing"),
        ("parallel", called_twice, "invalid"),
        ("parallel", called_twice_in_other_numbers, "invalid"),
    ],
)
def test_answers_that_are_another_kind(
    kind: Kind, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    scene = WORKED_EXAMPLES[kind][1 if kind == "parallel" else 0]
    example = json.loads(json.dumps(scene.example))
    change(example)
    with pytest.raises(RefusedAnswer) as caught:
        AnswerCheck()(example, asked(kind, scene))
    assert caught.value.reason == reason


def test_kinds_that_the_tools_do_not_allow(tmp_path: Path) -> None:
    nothing = {"name": "ring", "description": "Rings a bell."}
    for kinds, tools, options in (
        ({"missing_value": "call", "chain": "call", "missing_tool": "words"}, [nothing], {}),
        ({"missing_value": "missing_value", "chain": "call"}, [get_stock_price], {}),
        ({"chain": "chain", "missing_tool": "missing_tool"}, [nothing, get_stock_price], {}),
        ({"chain": "call"}, TOOLS, {"chains": []}),
    ):
        for kind, expected in kinds.items():
            plan = Plan(ToolSet(tools), 0, full_shares({kind: 1}), options.get("chains"))  # type: ignore[misc]
            assert {plan.request(index, 0).kind for index in range(20)} == {expected}


def test_chains_of_ones_own() -> None:
    chains = [("find_flights", "get_stock_price", "find_flights")]
    plan = Plan(TOOLS, 0, full_shares({"chain": 1}), chains)
    for index in range(9):
        request = plan.request(index, 0)
        assert request.targets == chains[0]
        assert len(request.schema["properties"]["steps"]["prefixItems"]) == 3
        assert set(request.tools.names) == set(TOOLS.names)


@given(st.integers(0, 10**6), st.integers(0, 20))
def test_requests_say_what_their_kind_says(index: int, attempt: int) -> None:
    request = Plan(TOOLS, 1, full_shares(None), None).request(index, attempt)
    again = Plan(TOOLS, 1, full_shares(None), None).request(index, attempt)
    assert (request.kind, request.seed, request.targets, request.hints, request.tools.names) == (
        *(again.kind, again.seed, again.targets, again.hints),
        again.tools.names,
    )
    offered = set(request.tools.names)
    assert offered and set(request.targets) <= offered <= set(TOOLS.names)
    counts = {"call": 1, "missing_value": 1, "parallel": 2, "chain": 2}
    assert len(request.targets) == counts.get(request.kind, 0)
    assert (request.withheld is not None) == (request.kind == "missing_tool")
    assert request.withheld not in offered
    assert (request.missing is not None) == (request.kind == "missing_value")
    if request.missing is not None:
        assert request.missing in request.tools[request.targets[0]].parameters["required"]
    first = Plan(TOOLS, 1, full_shares(None), None).request(index, attempt // 4 * 4)
    assert first.kind == request.kind


@given(st.dictionaries(st.sampled_from(KINDS), st.floats(0, 1 / 6)))
def test_shares_are_filled_up(given_: dict[Kind, float]) -> None:
    if len(given_) == len(KINDS):
        given_.pop("call")
    full = full_shares(given_)
    assert list(full) == list(KINDS)
    assert abs(sum(full.values()) - 1) < 1e-9
    assert all(full[kind] == share for kind, share in given_.items())
    rest = {kind: full[kind] / SHARES[kind] for kind in KINDS if kind not in given_}
    assert max(rest.values()) - min(rest.values()) < 1e-9


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("Oslo", "will it rain in oslo?", True),
        ("Os", "will it rain in oslo?", False),
        ("", "anything", False),
        ("a.b+c", "mail to A.B+C, please", True),
        (15, "at 15:00", True),
        (15, "at 150", False),
        (5, "costs 1.5", False),
        (1.5, "costs 1.5.", True),
        (3.0, "3 rooms", True),
        (3, "3.0", False),
        (3, "room 3.", True),
        (-3, "at -3 °C", True),
    ],
)
def test_what_a_text_says(value: Any, text: str, expected: bool) -> None:
    assert is_said(value, text) is expected


def test_leaves_of_arguments() -> None:
    value = {"a": ["x", 1, True, None], "b": {"c": 2.5, "d": []}}
    assert list(leaves(value)) == ["x", 1, 2.5]
    assert list(leaves(7)) == [7]


def test_models_are_asked_in_threads_if_wanted(tmp_path: Path) -> None:
    threads: set[str] = set()

    def answer(prompt: str) -> str:
        threads.add(threading.current_thread().name)
        time.sleep(0.005)
        return json.dumps({"user": f"Number {random.random()}", "answer": "No."})

    for concurrency, count in ((None, 1), (3, 3)):
        threads.clear()
        path = tmp_path / str(concurrency)
        model = CallableModel(answer)
        write(model, path, 12, shares={"words": 1}, concurrency=concurrency)
        assert len(threads) == count
