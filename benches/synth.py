"""How fast synthetic data is written and refined, and whether it is always the same.

    python benches/synth.py --csv synth.csv

A thousand conversations by a function, and by an endpoint that gets so many requests at once, also
in a run that is killed (SIGKILL) at random moments and continued; an endpoint that judges them
likewise; then each stage on these lines, in one process, in several, and on Ray, where a process is
killed in the middle. Whatever is done in another way must write the same bytes; the exit status is
1 if anything does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, NamedTuple

import record
from schemask.synth import generate
from schemask.synth.ledger import ledger_path
from synth_endpoint import PROCESSES, Endpoint, serving
from synth_stages import Run, Watch, runs, stages

from household import PHRASES, SHARES, TOOLS  # isort: skip - synth_endpoint says where it is

HOUSEHOLD = Path(__file__).parents[1] / "examples" / "household.py"
FIELDS = (
    *("part", "case", "lines", "seconds", "cpu_seconds", "lines_per_second"),
    *("refused", "requests", "asked_again", "sha256"),
)
COMMAND = (sys.executable, "-m", "schemask", "synth")

Row = dict[str, Any]


def digest(*files: Path) -> str:
    """What tells files from others."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def row(run: Run, **more: object) -> Row:
    rate = run.lines / run.seconds
    return {
        "part": run.part,
        "case": run.case,
        "lines": run.lines,
        "seconds": f"{run.seconds:.2f}",
        "cpu_seconds": "" if run.cpu is None else f"{run.cpu:.2f}",
        "lines_per_second": f"{rate:.0f}" if rate > 20 else f"{rate:.1f}",
        "sha256": digest(*run.files),
        **more,
    }


def both(target: Path) -> tuple[Path, Path]:
    """A file and its ledger."""
    return target, ledger_path(target)


def refused(target: Path) -> int:
    """How many answers or lines a file's ledger says were refused."""
    entries = map(json.loads, ledger_path(target).read_text(encoding="utf-8").splitlines())
    return sum(len(entry.get("refusals", ())) + ("refused" in entry) for entry in entries)


def by_a_function(lines: int, target: Path) -> Row:
    watch = Watch()
    generate(PHRASES, TOOLS, lines, target, shares=SHARES, progress=False)
    run = Run("write", "a function", lines, watch.seconds, watch.cpu, (target,))
    return row(run, refused=refused(target))


class Asking(NamedTuple):
    """A command that asks an endpoint, as a user types it, and how many lines it reads or writes.

    Attributes:
        part: What is done.
        arguments: All but the output and how many requests there are at once.
    """

    part: str
    lines: int
    endpoint: Endpoint
    arguments: tuple[object, ...]

    def command(self, target: Path, at_once: int) -> list[str]:
        asked = ("--openai", "phrasebook", "--base-url", self.endpoint.url)
        parts = (*self.arguments, *asked, "--out", target, "--concurrency", at_once)
        return [*COMMAND, *map(str, parts)]

    def run(self, target: Path, at_once: int) -> Row:
        """How long it takes from its first question on; what it imports is not of interest."""
        with subprocess.Popen(self.command(target, at_once), stdout=DEVNULL) as process:
            while process.poll() is None and not self.endpoint.asked:
                time.sleep(0.005)
            watch = Watch()
        assert process.returncode == 0
        return self.row(f"{at_once} at once", watch, target)

    def killed(self, target: Path, count: int, draw: random.Random) -> Row:
        """What it comes to when it is killed so many times while it asks."""
        command = self.command(target, PROCESSES)
        watch = Watch()
        for done in range(count):
            enough = self.endpoint.asked + draw.uniform(1, 1.2 * self.lines / count)
            with subprocess.Popen(command, stdout=DEVNULL) as process:
                while process.poll() is None and self.endpoint.asked < enough:
                    time.sleep(draw.uniform(0, 0.02))
                assert process.poll() is None, f"it came to its end after {done} kills"
                process.kill()
        subprocess.run(command, check=True, stdout=DEVNULL)
        return self.row(f"{PROCESSES} at once, {count} kills", watch, target)

    def row(self, case: str, watch: Watch, target: Path) -> Row:
        run = Run(self.part, case, self.lines, watch.seconds, watch.cpu, both(target))
        questions = self.endpoint.questions()
        return row(
            run,
            refused=refused(target),
            requests=questions.total(),
            asked_again=questions.total() - len(questions),
        )


def asking(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    yield by_a_function(options.lines, source := folder / "by a function")
    shares = [part for kind, share in SHARES.items() for part in ("--share", f"{kind}={share}")]
    draw = random.Random(options.seed)
    with serving(options.latency, folder) as endpoint:
        for part, arguments in (
            ("write", (HOUSEHOLD, "--count", options.lines, *shares)),
            ("judge", (source,)),
        ):
            name = f"{part} by an endpoint"
            command = Asking(name, options.lines, endpoint, (part, *arguments))
            for count in options.at_once:
                yield command.run(folder / f"{part} {count}", count)
            yield command.killed(folder / f"{part} killed", options.kills, draw)


def refining(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    source, held_out = folder / "by a function", folder / "held-out.jsonl"
    generate(PHRASES, TOOLS, 100, held_out, seed=1, shares=SHARES, progress=False)
    for run in runs(stages(HOUSEHOLD, held_out), source, options.lines, folder):
        yield row(run)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1000, help="(%(default)s)")
    parser.add_argument(
        "--latency", type=float, default=0.2, help="seconds that an answer takes (%(default)s)"
    )
    parser.add_argument(
        "--at-once", type=int, nargs="+", default=[1, PROCESSES, 32], help="requests at once"
    )
    parser.add_argument("--kills", type=int, default=20, help="of the run (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    parser.add_argument("--csv", type=Path, help="a file for the rows")
    options = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "none"
    rows: list[Row] = []
    wrote: dict[str, str] = {}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for part in (asking, refining):
            for found in part(options, Path(folder)):
                same = wrote.setdefault(found["part"], found["sha256"]) == found["sha256"]
                wrong += not same
                rows.append(found)
                print(found, "" if same else "ANOTHER FILE", flush=True)
    if options.csv:
        data = (
            f"the phrasebook of examples/household.py; endpoint of {PROCESSES} processes, "
            f"{options.latency} s for an answer"
        )
        command = " ".join(["python benches/synth.py", *sys.argv[1:]])
        table = [[found.get(field, "") for field in FIELDS] for found in rows]
        notes = record.circumstances(data, command, record.SYNTHESIS)
        record.write(options.csv, notes, FIELDS, table)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
