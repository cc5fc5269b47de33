"""Mask and compile times of schemask beside llguidance and xgrammar, on real schemas, in one run.

    python benches/compare.py --schemas 300 --csv compare.csv --plots plots
    python benches/compare.py --report compare.csv

Every engine runs in a process of its own, on one thread. The engines take turns schema by schema,
never at the same time, so that a busy machine is busy for all of them. README.md beside this file
says what is measured.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from tqdm import tqdm

import record
import report
from corpus import TOKENIZERS, Entry, maskbench
from engines import COMPARED, SETUPS
from measuring import CLOCKS, Outcome, Task, Worker

COLUMNS = ("measure", "schemas", "engine", "figure", "value")
DETAIL_COLUMNS = (
    *("schema", "engine", "status", "message", "compile µs", "valid", "accepted", "invalid"),
    *("refused", "tokens", "mean µs", "max µs", "kept bytes"),
)
STATUSES = ("compiled", "refused", "timeout", "crashed")
# p0, p20.57, ... p90 ... p99 ... p99.999: each step leaves out a fifth of what is above.
PERCENTILES = sorted({50.0, *(100 - 10 ** (2 - step / 10) for step in range(51))})

Outcomes = dict[str, list[Outcome]]
Figures = list[tuple[str, str, str, str, str]]


def run(
    entries: list[Entry], names: list[str], tokenizer: str, clock: str, timeout: float
) -> tuple[Outcomes, dict[str, int]]:
    """All outcomes, and the bytes of each engine's vocabulary."""
    split = TOKENIZERS[tokenizer]()
    workers = {name: Worker(name, tokenizer, clock, timeout) for name in names}
    outcomes: Outcomes = {name: [] for name in names}
    for i, entry in enumerate(tqdm(entries, unit="schema", mininterval=5)):
        task = Task.of(entry, split)
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            outcomes[name].append(workers[name].run(task))
    for worker in workers.values():
        worker.close()
    return outcomes, {name: worker.vocabulary_bytes for name, worker in workers.items()}


def weigh(entries: list[Entry], outcomes: Outcomes, tokenizer: str, timeout: float) -> None:
    """Adds what memory the grammars of some schemas take: of engines that keep what they can."""
    split = TOKENIZERS[tokenizer]()
    tasks = [Task.of(entry, split) for entry in entries]
    for name in tqdm(outcomes, unit="engine"):
        if SETUPS[name].is_cold:
            continue
        worker = Worker(name, tokenizer, "wall", timeout, keeps=True)
        for task, outcome in zip(tasks, outcomes[name], strict=False):
            outcome.kept_bytes = worker.run(task).kept_bytes
        worker.close()


def distribution(values: list[int], scale: float) -> list[tuple[str, str]]:
    """Count, mean, percentiles and maximum; `scale` is what makes one of the unit that is told."""
    if not values:
        return [("count", "0")]
    array = np.array(values) / scale
    points = zip(PERCENTILES, np.percentile(array, PERCENTILES), strict=True)
    return [
        ("count", str(len(values))),
        ("mean", f"{array.mean():.3f}"),
        *((f"p{round(percent, 3):g}", f"{value:.3f}") for percent, value in points),
        ("max", f"{array.max():.3f}"),
    ]


def figures(outcomes: Outcomes, vocabularies: dict[str, int]) -> Figures:
    """Rows of `COLUMNS`; times in µs, sizes in KiB.

    "own": the schemas that the engine compiles and all of whose valid instances it accepts;
    "common": those where that is so for every engine; "all": whatever became of them.
    """
    right = {
        name: {i for i, outcome in enumerate(list_) if outcome.takes_all}
        for name, list_ in outcomes.items()
    }
    common = set.intersection(*right.values())
    rows: Figures = []
    for name, list_ in outcomes.items():
        for label, chosen in (("own", right[name]), ("common", common)):
            picked = [list_[i] for i in sorted(chosen)]
            compiles = [outcome.compile_ns for outcome in picked]
            steps = [step for outcome in picked for step in outcome.steps_ns]
            kept = [outcome.kept_bytes for outcome in picked]
            sizes = [size for size in kept if size is not None]
            for measure, values, scale in (
                ("compile", compiles, 1e3),
                ("token", steps, 1e3),
                ("grammar memory", sizes, 1024),
            ):
                rows += [(measure, label, name, *pair) for pair in distribution(values, scale)]
        rows += [("count", "all", name, what, str(n)) for what, n in counts(list_).items()]
        peak = max((outcome.peak_bytes for outcome in list_), default=0)
        for what, size in (("vocabulary", vocabularies[name]), ("process peak", peak)):
            rows.append(("memory", "all", name, what, f"{size / 1024:.0f}"))
    return rows


def counts(outcomes: list[Outcome]) -> dict[str, int]:
    status = Counter(outcome.status for outcome in outcomes)
    return {
        "schemas": len(outcomes),
        **{name: status[name] for name in STATUSES},
        "right": sum(outcome.is_right for outcome in outcomes),
        "valid accepted": sum(outcome.accepted for outcome in outcomes),
        "invalid refused": sum(outcome.refused for outcome in outcomes),
    }


def details(entries: list[Entry], outcomes: Outcomes) -> list[tuple[object, ...]]:
    """A row of `DETAIL_COLUMNS` for each schema and engine."""
    rows: list[tuple[object, ...]] = []
    for name, list_ in outcomes.items():
        for entry, o in zip(entries, list_, strict=True):
            steps = np.array(o.steps_ns or [0]) / 1e3
            rows.append(
                (
                    *(entry.id, name, o.status, o.message, f"{o.compile_ns / 1e3:.1f}"),
                    *(o.valid, o.accepted, o.invalid, o.refused, len(o.steps_ns)),
                    *(
                        f"{steps.mean():.2f}",
                        f"{steps.max():.2f}",
                        "" if o.kept_bytes is None else o.kept_bytes,
                    ),
                )
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schemas", type=int, default=300, help="how many, drawn from MaskBench")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds per schema and engine")
    parser.add_argument(
        "--weighed", type=int, default=100, help="of how many schemas the memory is measured"
    )
    parser.add_argument("--vocabulary", choices=TOKENIZERS, default="llama3")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument(
        "--engines", nargs="+", choices=SETUPS, default=list(COMPARED), metavar="ENGINE"
    )
    parser.add_argument("--csv", type=Path, help="write the figures to this file")
    parser.add_argument("--details", type=Path, help="write what became of each schema to this one")
    parser.add_argument("--plots", type=Path, help="draw curves into this folder, as SVG")
    parser.add_argument("--report", type=Path, help="only show the figures of such a file")
    arguments = parser.parse_args()
    if arguments.vocabulary != "llama3" and "llguidance" in arguments.engines:
        parser.error("llguidance is measured with the vocabulary of Llama 3 only")
    if arguments.report:
        print(report.tables(record.read(arguments.report)))
        if arguments.plots:
            report.draw(record.read(arguments.report), arguments.plots)
        return

    entries = list(maskbench(arguments.schemas, arguments.seed))
    tests = [valid for entry in entries for _, valid in entry.tests]
    outcomes, vocabularies = run(
        entries, arguments.engines, arguments.vocabulary, arguments.clock, arguments.timeout
    )
    weigh(entries[: arguments.weighed], outcomes, arguments.vocabulary, arguments.timeout)
    notes = record.circumstances(
        f"{len(entries)} schemas of MaskBench, seed {arguments.seed}, with {sum(tests)} valid and "
        f"{len(tests) - sum(tests)} invalid instances; vocabulary {arguments.vocabulary}; "
        f"one thread; {arguments.clock} clock; at most {arguments.timeout:g} s per schema and "
        "engine",
        " ".join(["python benches/compare.py", *sys.argv[1:]]),
        record.ENGINES,
    )
    rows = figures(outcomes, vocabularies)
    rows += [
        ("count", "all", "", "valid", str(sum(tests))),
        ("count", "all", "", "invalid", str(len(tests) - sum(tests))),
    ]
    done = record.Record(
        notes, list(COLUMNS), [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    )
    print(report.tables(done))
    if arguments.csv:
        record.write(arguments.csv, notes, COLUMNS, rows)
    if arguments.details:
        record.write(arguments.details, notes, DETAIL_COLUMNS, details(entries, outcomes))
    if arguments.plots:
        report.draw(done, arguments.plots)


if __name__ == "__main__":
    main()
