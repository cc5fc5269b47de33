"""Stages on a cluster of Ray write what one process writes, also when processes are killed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from line_stages import Killed, Sifted, Unrepeated
from schemask.errors import DataError
from schemask.synth import Deduplicate, RayCluster, Stage, run_pipeline, run_stage
from schemask.synth.ledger import ledger_path

pytest.importorskip("ray.data")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A cluster on this machine, whose processes find the stages of the tests."""
    import ray

    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, places))}},
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    yield RayCluster(lines=16)
    ray.shutdown()


def write(path: Path, examples: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(example) + "\n" for example in examples), encoding="utf-8")
    return path


def one_after_the_other(stages: Sequence[Stage], source: Path, folder: Path) -> list[Path]:
    """What `run_stage` writes in this process, stage by stage."""
    folder.mkdir()
    paths = []
    for number, stage in enumerate(stages):
        paths.append(folder / str(number))
        run_stage(stage, source, paths[-1], progress=False)
        source = paths[-1]
    return paths


def entries(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ledger_path(target).read_text("utf-8").splitlines()][1:-1]


def test_a_pipeline_writes_the_same(tmp_path: Path, cluster: RayCluster) -> None:
    """Three stages without files between them; a process of the last one is killed."""
    source = tmp_path / "in"
    lines = [
        json.dumps({"text": f"Zeile ü {n * n % 90} \ud83d\ude00", "x": 0.1 * n}) for n in range(200)
    ]
    source.write_text("\n\n".join(lines), encoding="utf-8")
    stages: list[Stage] = [Sifted(1), Unrepeated(), Killed(20, str(tmp_path / "marker"))]
    report = run_pipeline(stages, source, tmp_path / "out", cluster=cluster, progress=False)
    assert (tmp_path / "marker").exists()
    paths = one_after_the_other(stages, source, tmp_path / "oracle")
    whole = paths[-1].read_bytes()
    assert (tmp_path / "out").read_bytes() == whole
    assert (report.read, report.found) == (200, 0)
    assert (
        report.written
        == whole.count(b"\n")
        == sum(e.get("written", 0) for e in entries(tmp_path / "out"))
    )
    assert report.refused.keys() == {"third", "again"}
    assert [e["line"] for e in entries(tmp_path / "out")] == list(range(1, 400, 2))
    assert entries(tmp_path / "out")[1]["detail"].startswith("sifted: line 2 is a third one")


def test_a_killed_run_goes_on(tmp_path: Path, cluster: RayCluster) -> None:
    """Whatever is there of both files, the next run makes the same of it."""
    source = write(tmp_path / "in", [{"text": f"line {n}"} for n in range(60)])
    target = tmp_path / "out"
    stages: list[Stage] = [Sifted(), Killed(-1)]
    whole = run_pipeline(stages, source, target, cluster=cluster, progress=False)
    files = {path: path.read_bytes() for path in (target, ledger_path(target))}
    assert files[target] == one_after_the_other(stages, source, tmp_path / "o")[-1].read_bytes()
    for path, data in files.items():
        path.write_bytes(data[: len(data) // 2])
    again = run_pipeline(stages, source, target, cluster=cluster, progress=False)
    assert {path: path.read_bytes() for path in files} == files
    assert 0 < again.found < 60
    again.found = 0
    assert again == whole
    done = run_pipeline(stages, source, target, cluster=cluster, progress=False)
    assert done.found == 60


def test_a_stage_writes_the_same(tmp_path: Path, cluster: RayCluster) -> None:
    """As the mapper of `run_stage`: both files are the same, with a reduction and a killed process."""
    asked = [
        {"messages": [{"role": "user", "content": f"Where is {n * n % 40}, please?"}]}
        for n in range(90)
    ]
    source = write(tmp_path / "in", [*asked, {"messages": 5}])
    for stage in (Deduplicate(), Killed(50, str(tmp_path / "marker"))):
        one, two = tmp_path / f"{stage.name}1", tmp_path / f"{stage.name}2"
        run_stage(stage, source, two, progress=False, mapper=cluster)
        report = run_stage(stage, source, one, progress=False)
        assert one.read_bytes() == two.read_bytes()
        assert ledger_path(one).read_bytes() == ledger_path(two).read_bytes()
    assert (tmp_path / "marker").exists()
    assert report.read == 91


def test_failures_have_lines(tmp_path: Path, cluster: RayCluster) -> None:
    lines: list[dict[str, Any]] = [{"text": f"line {n}"} for n in range(30)]
    lines[24]["is_wrong"] = True
    source = write(tmp_path / "in", lines)
    with pytest.raises(DataError, match="sifted failed: KeyError") as caught:
        run_pipeline(
            [Killed(-1), Sifted()], source, tmp_path / "a", cluster=cluster, progress=False
        )
    assert caught.value.line == 25
    with source.open("a") as file:
        file.write("[1]\n")
    with pytest.raises(DataError, match="line 31: not a JSON object"):
        run_stage(Killed(-1), source, tmp_path / "b", mapper=cluster, progress=False)
    assert (tmp_path / "b").read_bytes().count(b"\n") == 30


def test_a_process_that_always_ends(tmp_path: Path, cluster: RayCluster) -> None:
    source = write(tmp_path / "in", [{"text": "a"}] * 3)
    with pytest.raises(DataError, match="Ray gave up"):
        run_stage(
            Killed(1), source, tmp_path / "out", mapper=RayCluster(1, retries=1), progress=False
        )


def test_nothing_comes_of_nothing(tmp_path: Path, cluster: RayCluster) -> None:
    source = write(tmp_path / "in", [])
    report = run_pipeline(
        [Sifted(), Unrepeated()], source, tmp_path / "out", cluster=cluster, progress=False
    )
    assert (report.read, (tmp_path / "out").read_bytes()) == (0, b"")


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
