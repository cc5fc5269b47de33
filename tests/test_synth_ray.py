"""Stages on a cluster of Ray write what one process writes, also when processes are killed."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from line_stages import Closed, Killed, Sifted, Unrepeated, Waiting
from schemask.errors import DataError
from schemask.synth import Deduplicate, RayCluster, Stage, run_pipeline, run_stage, run_stages
from schemask.synth.ledger import ledger_path

# Importing it takes a while, and each worker collects all tests.
if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:ray", "ignore:The minimum number"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A cluster on this machine, whose processes find the stages of the tests."""
    import ray

    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's processes give way to all others, and here the other tests are always running.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, places))}},
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # Processes that end hold their CPUs for a while; with parts of one, nobody waits for them.
    yield RayCluster(2, cpus=0.2, lines=16)
    ray.shutdown()
    monkeypatch.undo()


def write(path: Path, examples: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(example) + "\n" for example in examples), encoding="utf-8")
    return path


def one_after_the_other(stages: Sequence[Stage], source: Path, folder: Path) -> bytes:
    """What one process writes, stage by stage."""
    run_stages(stages, source, folder, progress=False)
    return (folder / f"{len(stages)}-{stages[-1].name}.jsonl").read_bytes()


def test_a_pipeline_writes_the_same(tmp_path: Path, cluster: RayCluster) -> None:
    """Three stages without files between them; processes are killed, and the run itself."""
    source, target = tmp_path / "in", tmp_path / "out"
    texts = [f"Zeile ü {n * n % 90} \ud83d\ude00" for n in range(200)]
    lines = [json.dumps({"text": text, "x": 0.1 * n}) for n, text in enumerate(texts)]
    source.write_text("\n\n".join(lines), encoding="utf-8")
    stages: list[Stage] = [Waiting(1), Unrepeated(), Killed(20, str(tmp_path / "marker"))]
    report = run_pipeline(stages, source, target, cluster=cluster, progress=False)
    assert (tmp_path / "marker").exists()
    whole = one_after_the_other(stages, source, tmp_path / "oracle")
    assert target.read_bytes() == whole
    assert (report.read, report.found, report.written) == (200, 0, whole.count(b"\n"))
    assert report.refused.keys() == {"third", "again"}
    head, *entries, _ = map(json.loads, ledger_path(target).read_text("utf-8").splitlines())
    assert [stage["stage"] for stage in head["stages"]] == ["sifted", "unrepeated", "killed"]
    assert [entry["line"] for entry in entries] == list(range(1, 400, 2))
    assert sum(entry.get("written", 0) for entry in entries) == report.written
    assert entries[1]["detail"].startswith("sifted: line 2 is a third one")

    both = {path: path.read_bytes() for path in (target, ledger_path(target))}
    # A kill may leave the ledger ahead.
    for (path, data), part in zip(both.items(), (3, 2), strict=True):
        path.write_bytes(data[: len(data) // part])
    again = run_pipeline(stages, source, target, cluster=cluster, progress=False)
    assert {path: path.read_bytes() for path in both} == both
    assert 0 < again.found < 200
    done = run_pipeline(stages, source, target, cluster=cluster, progress=False)
    assert done.found == 200
    for other in (again, done):
        other.found = 0
        assert other == report


def test_a_stage_writes_the_same(tmp_path: Path, cluster: RayCluster) -> None:
    """As the mapper of `run_stage`, with a reduction, up to a line that is none."""
    requests = [f"Where is {n * n % 40}, please?" for n in range(90)]
    asked = [{"messages": [{"role": "user", "content": request}]} for request in requests]
    source = write(tmp_path / "in", [*asked, {"messages": 5}])
    with source.open("a") as file:
        file.write("[1]\n")
    files = []
    for name, mapper in (("one", None), ("two", cluster)):
        with pytest.raises(DataError, match="line 92: not a JSON object"):
            run_stage(Deduplicate(), source, tmp_path / name, mapper=mapper, progress=False)
        files.append((tmp_path / name, ledger_path(tmp_path / name)))
    for one, two in zip(*files, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert files[1][1].read_bytes().count(b"\n") == 92


def test_failures_have_lines(tmp_path: Path, cluster: RayCluster) -> None:
    """The line of the source, also if the stage saw it with another number."""
    lines = [{"text": f"line {n % 20}"} for n in range(30)]
    source = write(tmp_path / "in", [*lines, {"text": "other", "is_wrong": True}])
    with pytest.raises(DataError, match="line 31: sifted failed: KeyError") as caught:
        run_pipeline(
            [Unrepeated(), Sifted()], source, tmp_path / "out", cluster=cluster, progress=False
        )
    assert caught.value.line == 31
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_process_that_always_ends(tmp_path: Path, cluster: RayCluster) -> None:
    source = write(tmp_path / "in", [{"text": "a"}] * 3)
    once = dataclasses.replace(cluster, workers=1, retries=0)
    with pytest.raises(DataError, match="Ray gave up"):
        run_stage(Killed(1), source, tmp_path / "out", mapper=once, progress=False)


def test_a_stage_that_holds_something(tmp_path: Path, cluster: RayCluster) -> None:
    """It has a process of its own, started again after a kill, which is closed at the end."""
    source, target = write(tmp_path / "in", [{"text": f"{n}"} for n in range(50)]), tmp_path / "out"
    stage = Closed(30, str(tmp_path / "marker"))
    run_stage(stage, source, target, mapper=dataclasses.replace(cluster, workers=1), progress=False)
    assert target.read_bytes() == one_after_the_other([Killed(-1)], source, tmp_path / "oracle")
    closed = tmp_path / "marker.closed"
    for _ in range(500):  # the process ends after the run
        if closed.exists() and closed.read_text():
            break
        time.sleep(0.01)
    assert closed.read_text() == "closed\n"


def test_nothing_comes_of_nothing(tmp_path: Path, cluster: RayCluster) -> None:
    source, target = write(tmp_path / "in", []), tmp_path / "out"
    report = run_pipeline([Sifted(), Unrepeated()], source, target, cluster=cluster)
    assert (report.read, target.read_bytes()) == (0, b"")


def test_settings() -> None:
    for wrong in ({"workers": 0}, {"lines": 0}, {"retries": -1}, {"cpus": "1"}, {"gpus": -1}):
        with pytest.raises(DataError):
            RayCluster(**wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="at least one stage"):
        run_pipeline([], "in", "out")


def test_without_ray() -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from schemask.errors import DependencyError\n"
        "from schemask.synth import RayCluster\n"
        "try: RayCluster()\n"
        "except DependencyError as error: assert '[ray]' in str(error)\n"
        "else: raise AssertionError"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
