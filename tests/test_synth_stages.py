"""Stages over files of lines: what they write, in many processes, and after kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from line_stages import Endless, Sifted, Unrepeated, Waiting
from schemask.errors import DataError
from schemask.synth import Outcome, Stage, StageReport, run_stage, run_stages
from schemask.synth.ledger import ledger_path

END = b'{"end": true}\n'


def write(path: Path, examples: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(example) + "\n" for example in examples), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def both(target: Path) -> tuple[bytes, bytes]:
    return target.read_bytes(), ledger_path(target).read_bytes()


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"text": f"line {number}"} for number in range(count)]


def run(stage: Stage, source: Path, target: Path, **options: Any) -> StageReport:
    return run_stage(stage, source, target, **{"progress": False, **options})


def test_what_a_stage_writes(tmp_path: Path) -> None:
    source = write(tmp_path / "in", numbered(15))
    report = run(Sifted(), source, tmp_path / "out")
    assert report == StageReport(15, 12, 0, {"third": 5}, {"even": 5})
    assert str(report) == "15 lines read, 12 written; refused: 5 third; mended: 5 even"
    texts = [line["text"] for line in read(tmp_path / "out")]
    kept = [number for number in range(15) if number % 3 != 2]
    assert texts == [f"line {n}" for n in kept for _ in range(2 if n % 5 == 4 else 1)]
    head, *entries, end = read(ledger_path(tmp_path / "out"))
    assert head["stage"] == "sifted"
    assert head["options"] == {"seed": 0}
    assert [entry["line"] for entry in entries] == list(range(1, 16))
    assert entries[2] == {"line": 3, "refused": "third", "detail": "line 2 is a third one, ü"}
    assert entries[4]["written"] == 2
    assert end == {"end": True}


def test_empty_lines_have_numbers(tmp_path: Path) -> None:
    (tmp_path / "in").write_text('\n{"text": "a"}\n\n{"text": "b"}', encoding="utf-8")
    report = run(Sifted(), tmp_path / "in", tmp_path / "out")
    assert (report.read, report.written) == (2, 2)
    assert [entry["line"] for entry in read(ledger_path(tmp_path / "out"))[1:-1]] == [2, 4]


def test_an_output_may_be_empty(tmp_path: Path) -> None:
    source = write(tmp_path / "in", [])
    for _ in range(2):
        assert run(Sifted(), source, tmp_path / "out") == StageReport()
        assert (tmp_path / "out").read_bytes() == b""


def test_processes_write_the_same(tmp_path: Path) -> None:
    source = write(tmp_path / "in", numbered(300))
    run(Sifted(), source, tmp_path / "one")
    run(Sifted(), source, tmp_path / "two", workers=2)
    assert both(tmp_path / "one") == both(tmp_path / "two")
    source = write(tmp_path / "again", [{"text": f"Line {n * n % 30}"} for n in range(100)])
    report = run(Unrepeated(), source, tmp_path / "reduced", workers=2)
    first = {n * n % 30: n for n in reversed(range(100))}
    assert report.written == len(first)
    assert [line["text"] for line in read(tmp_path / "reduced")] == [
        f"Line {value}" for value, _ in sorted(first.items(), key=lambda item: item[1])
    ]


def test_several_lines_at_once(tmp_path: Path) -> None:
    """In the order of lines, up to one that fails or is none, also after kills."""
    source = write(tmp_path / "in", numbered(300))
    run(Sifted(), source, tmp_path / "one")
    run(Waiting(), source, tmp_path / "two", workers=2)
    target, draw = tmp_path / "out", random.Random(1)
    for _ in range(4):
        child = os.fork()
        if not child:
            try:
                run(Waiting(), source, target)
            finally:
                os._exit(0)
        time.sleep(draw.uniform(0.01, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    run(Waiting(), source, target)
    assert both(target) == both(tmp_path / "two") == both(tmp_path / "one")

    lines = source.read_text().splitlines()
    lines[40] = '{"is_wrong": true}'
    source.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 41: sifted failed: KeyError"):
        run(Waiting(), source, tmp_path / "failed")
    lines[40] = "[]"
    source.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 41: not a JSON object"):
        run(Waiting(), source, tmp_path / "broken")
    for name in ("failed", "broken"):
        assert len(read(ledger_path(tmp_path / name))) == 1 + 40


def test_stages_follow_one_another(tmp_path: Path) -> None:
    source = write(tmp_path / "in", [{"text": f"line {n % 30}"} for n in range(50)])
    stages: list[Stage] = [Unrepeated(), Sifted(), Sifted(1)]
    reports = run_stages(stages, source, tmp_path / "a" / "b", progress=False)
    for number, stage in enumerate(stages):
        run(stage, source, tmp_path / f"{number}")
        source = tmp_path / f"{number}"
        assert both(source) == both(tmp_path / "a" / "b" / f"{number + 1}-{stage.name}.jsonl")
    assert [report.read for report in reports] == [50, 30, 24]
    again = run_stages(stages, tmp_path / "in", tmp_path / "a" / "b", workers=2, progress=False)
    assert [report.found for report in again] == [50, 30, 24]
    for wrong in ([], Sifted(), [Sifted(), 5]):
        with pytest.raises(DataError, match="at least one stage"):
            run_stages(wrong, tmp_path / "in", tmp_path / "b")  # type: ignore[arg-type]
    with pytest.raises(DataError):
        run_stages([Sifted()], tmp_path / "in", tmp_path / "in", progress=False)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever a kill leaves of output and ledger, the next run makes the same files of it."""
    folder = tmp_path_factory.mktemp("cut")
    stage: Stage = data.draw(st.sampled_from([Sifted(), Unrepeated()]))
    texts = data.draw(st.lists(st.sampled_from(["a", "ü", "long " * 9]), max_size=12))
    source = write(folder / "in", [{"text": text} for text in texts])
    report = run(stage, source, folder / "whole")
    target = folder / "out"
    for path, whole in zip((target, ledger_path(target)), both(folder / "whole"), strict=True):
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    told = ledger_path(target).read_bytes().splitlines(keepends=True)
    known = sum(json.loads(entry).get("written", 0) for entry in told[1:] if entry[-1:] == b"\n")
    lines = target.read_bytes().splitlines(keepends=True)
    if lines[known:]:
        # No run writes a line before the ledger has its entry.
        before = both(target)
        with pytest.raises(DataError, match="left as it is"):
            run(stage, source, target)
        assert both(target) == before
        return
    again = run(stage, source, target)
    assert both(target) == both(folder / "whole")
    report.found = again.found
    assert again == report


ENDED = """\
import sys; sys.path.insert(0, {folder!r})
from line_stages import Sifted
from schemask.synth import run_stage
if __name__ == "__main__":
    run_stage(Sifted(pause=0.0005), {source!r}, {target!r}, workers=2, progress=False)
"""


def test_killed_again_and_again(tmp_path: Path) -> None:
    """SIGKILL at any moment neither loses nor repeats a line."""
    source, target = write(tmp_path / "in", numbered(2000)), tmp_path / "out"
    run(Sifted(), source, tmp_path / "whole")
    draw = random.Random(5)
    for kill in range(6):
        child = os.fork()
        if not child:
            try:
                run(Sifted(pause=0.0001), source, target)
            finally:
                os._exit(0)
        time.sleep(draw.uniform(0.01, 0.1))
        while kill == 5 and not (target.exists() and target.stat().st_size):
            time.sleep(0.001)  # a machine with other work to do
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    report = run(Sifted(), source, target)
    assert 0 < report.found < 2000
    assert both(target) == both(tmp_path / "whole")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ended_with_processes(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C leaves whole lines and one traceback; no worker outlives the run."""
    source, target = write(tmp_path / "in", numbered(3000)), tmp_path / "out"
    script = ENDED.format(folder=str(Path(__file__).parent), source=str(source), target=str(target))
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        # Entries come first; they count with their lines.
        while not target.exists() or not target.read_bytes().count(b"\n"):
            time.sleep(0.002)
        if how is signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal sends it, to all of them
        else:
            process.kill()
        assert process.stderr is not None
        trace = process.stderr.read().decode()  # which ends with the last process that has it
    if how is signal.SIGINT:
        assert trace.rstrip().endswith("KeyboardInterrupt")
        assert "SpawnProcess" not in trace
        assert all(data[-1:] in (b"", b"\n") for data in both(target))
    report = run(Sifted(), source, target)
    assert 0 < report.found < 3000
    run(Sifted(), source, tmp_path / "whole")
    assert both(target) == both(tmp_path / "whole")


def test_a_failure_names_the_line(tmp_path: Path) -> None:
    examples = numbered(40)
    examples[17]["is_wrong"] = True
    source = write(tmp_path / "in", examples)
    for workers in (1, 2):
        target = tmp_path / f"out{workers}"
        with pytest.raises(DataError, match=r"line 18: sifted failed: KeyError: 'what") as caught:
            run(Sifted(), source, target, workers=workers)
        assert caught.value.line == 18
        assert len(read(ledger_path(target))) == 1 + 17
        assert 'raise KeyError("what is wrong")' in str(caught.value.__cause__)


def test_a_process_that_ends_names_the_line(tmp_path: Path) -> None:
    source = write(tmp_path / "in", numbered(40))
    with pytest.raises(DataError, match="its process ended with status 3") as caught:
        run(Sifted(ends_at=30), source, tmp_path / "out", workers=2)
    assert caught.value.line == 31
    run(Sifted(), source, tmp_path / "out")
    run(Sifted(), source, tmp_path / "whole")
    assert both(tmp_path / "out") == both(tmp_path / "whole")


def test_other_work_is_left_as_it_is(tmp_path: Path) -> None:
    source, target = write(tmp_path / "in", numbered(9)), tmp_path / "out"
    run(Sifted(), source, target)
    before = both(target)
    other = write(tmp_path / "other", numbered(8))
    for stage, place, problem in (
        (Sifted(seed=1), source, "seed is 0 there and 1 here"),
        (Unrepeated(), source, "stage is 'sifted' there and 'unrepeated' here"),
        (Sifted(), other, "source is"),
    ):
        with pytest.raises(DataError, match=problem):
            run(stage, place, target)
    with pytest.raises(DataError, match="has content already"):
        run(Sifted(), source, target, resume=False)
    assert run(Sifted(), source, target).found == 9
    assert both(target) == before

    lines, ledger = before
    for changed, told, problem in (
        (lines + b"{}\n", ledger, "lines that its ledger does not know"),
        (lines + b"{", ledger.removesuffix(END), "lines that its ledger does not know"),
        (lines, ledger + b"{}\n", "goes on after its end"),
        (lines.replace(b"line 3", b"line X"), ledger, "is not what line 5 of its ledger says"),
        (lines, b"{}\n" + ledger, "ledger is of other work"),
        (lines, b"[]\n" + ledger, "ledger is none of schemask"),
        (lines, ledger.replace(b'"line": 4', b'"line: 4'), "line 5 of its ledger is damaged"),
        (lines, b"", "its ledger has none"),
    ):
        target.write_bytes(changed)
        ledger_path(target).write_bytes(told)
        with pytest.raises(DataError, match=problem):
            run(Sifted(), source, target)
        assert both(target) == (changed, told)


def test_bad_arguments(tmp_path: Path) -> None:
    source = write(tmp_path / "in", numbered(3))
    for options in ({"workers": 0}, {"workers": True}, {"resume": "no"}, {"progress": None}):
        with pytest.raises(DataError):
            run(Sifted(), source, tmp_path / "out", **options)
    with pytest.raises(DataError, match="a stage has a name"):
        run(len, source, tmp_path / "out")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cannot be read and written at once"):
        run(Sifted(), source, source)
    with pytest.raises(DataError, match="No such file"):
        run(Sifted(), tmp_path / "none", tmp_path / "out")
    (tmp_path / "broken").write_text('{"text": "a"}\n{"text"\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2: no JSON"):
        run(Sifted(), tmp_path / "broken", tmp_path / "part")
    assert len(read(tmp_path / "part")) == 1
    with pytest.raises(DataError, match="cannot be sent to other processes"):
        run(unsendable(), source, tmp_path / "out", workers=2)
    assert not (tmp_path / "out").exists()
    for wrong in ({}, {"examples": ({},), "refused": "why"}):
        with pytest.raises(DataError, match="an outcome has lines"):
            Outcome(**wrong)  # type: ignore[arg-type]


def unsendable() -> Stage:
    @dataclass(frozen=True)
    class Local:
        name = "local"

        def options(self) -> dict[str, Any]:
            return {}

        def __call__(self, example: dict[str, Any], index: int) -> Outcome:
            return Outcome((example,))

    return Local()


def test_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    """No text in UTF-8 can hold it, which is no reason to lose the other lines."""
    source = write(tmp_path / "in", [{"text": "a"}, {"text": "\ud800"}, {"text": "b"}])
    report = run(Unrepeated(), source, tmp_path / "out")
    assert report.refused == {"cannot be written": 1}
    assert read(tmp_path / "out") == [{"text": "a"}, {"text": "b"}]
    assert b"a lone surrogate at /text" in both(tmp_path / "out")[1]


def test_results_that_are_no_json(tmp_path: Path) -> None:
    source = write(tmp_path / "in", numbered(2))
    with pytest.raises(DataError, match="line 1: it cannot be written as JSON"):
        run(Endless(), source, tmp_path / "out")
