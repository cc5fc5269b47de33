"""Stages over one file: in one process, in several, and on Ray with a process that is killed."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from schemask.synth import (
    Augment,
    Decontaminate,
    Deduplicate,
    Execute,
    Ground,
    Judge,
    Outcome,
    RayCluster,
    Stage,
    Withheld,
    run_pipeline,
    run_stage,
    run_stages,
)
from schemask.synth.ledger import ledger_path
from synth_endpoint import judge_model

WORKERS = 2


def stages(functions: Path, held_out: Path) -> list[Stage]:
    return [
        Execute(functions),
        Ground(),
        Augment(),
        Deduplicate(),
        Decontaminate(Withheld.of(held_out)),
        Judge(judge_model, "verdict"),
    ]


@dataclass(frozen=True)
class Ended:
    """A stage whose process is killed (SIGKILL) at a line, once."""

    stage: Stage
    at: int
    marker: Path

    @property
    def name(self) -> str:
        return self.stage.name

    def options(self) -> dict[str, Any]:
        return self.stage.options()

    def __getattr__(self, name: str) -> Any:
        # What only some stages have: `close`, `reduction`.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.stage, name)

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        if index == self.at and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.stage(example, index)


class Watch:
    """How long something takes, from now on."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._used = self._of_processor()

    @property
    def seconds(self) -> float:
        """By the wall."""
        return time.perf_counter() - self._begun

    @property
    def cpu(self) -> float:
        """Of the processor: of this process, and of its children that have ended."""
        return self._of_processor() - self._used

    @staticmethod
    def _of_processor() -> float:
        return sum(os.times()[:4])


class Run(NamedTuple):
    """One run of a stage, or of all of them.

    Attributes:
        part: The stage.
        case: Where it ran.
        lines: What it read.
        seconds: How long it took.
        cpu: The processor time of this process and its children; that of Ray's is not known.
        files: What it wrote.
    """

    part: str
    case: str
    lines: int
    seconds: float
    cpu: float | None
    files: tuple[Path, ...]


def cluster() -> RayCluster:
    """A cluster of this machine, whose processes find these modules."""
    import ray

    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    options = {
        "num_cpus": WORKERS,
        "include_dashboard": False,
        "object_store_memory": 200 << 20,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, places))}},
    }
    try:
        ray.init(**options)
    except Exception:  # it waits half a minute, which is too short where there is other work
        ray.shutdown()
        ray.init(**options)
    # Processes that end hold their CPUs for a while; with parts of one, nobody waits for them.
    made = RayCluster(WORKERS, cpus=0.2)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return made


def runs(listed: list[Stage], source: Path, lines: int, folder: Path) -> Iterator[Run]:
    """Each stage on the same lines, and then all of them one after the other."""
    on_ray = cluster()
    # The processes of the cluster have begun and imported what they need.
    run_stage(listed[1], source, folder / "before", mapper=on_ray, progress=False)
    for stage in listed:
        ended = Ended(stage, lines // 2, folder / f"{stage.name} is ended")
        ways: dict[str, tuple[Stage, dict[str, Any]]] = {
            "one process": (stage, {}),
            f"{WORKERS} processes": (stage, {"workers": WORKERS}),
            "Ray": (stage, {"mapper": on_ray}),
            "Ray, one killed": (ended, {"mapper": on_ray}),
        }
        for case, (applied, options) in ways.items():
            target = folder / f"{stage.name} {case}"
            watch = Watch()
            report = run_stage(applied, source, target, progress=False, **options)
            cpu = None if "mapper" in options else watch.cpu
            files = (target, ledger_path(target))
            yield Run(stage.name, case, report.read, watch.seconds, cpu, files)
        assert ended.marker.exists(), f"no process of {stage.name} was ended"

    for case, workers in (("one process", 1), (f"{WORKERS} processes", WORKERS)):
        watch = Watch()
        run_stages(listed, source, folder / case, workers=workers, progress=False)
        target = folder / case / f"{len(listed)}-{listed[-1].name}.jsonl"
        yield Run("all", case, lines, watch.seconds, watch.cpu, (target,))
    ended = Ended(listed[2], lines // 2, folder / "one of all is ended")
    for case, third in (("Ray", listed[2]), ("Ray, one killed", ended)):
        target = folder / f"all {case}"
        these = [*listed[:2], third, *listed[3:]]
        watch = Watch()
        run_pipeline(these, source, target, cluster=on_ray, progress=False)
        yield Run("all", case, lines, watch.seconds, None, (target,))
    assert ended.marker.exists(), "no process of all stages was ended"
