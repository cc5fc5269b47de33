"""Stages over files of JSON lines: resumable, and the same in one process or many."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from schemask._lines import at_line, read_objects
from schemask.errors import DataError, check_flags, shortened
from schemask.synth.ledger import Ledger, ledger_path
from schemask.synth.outcomes import (
    Failure,
    Mapper,
    Numbered,
    Outcome,
    Reduction,
    Stage,
    in_this_process,
)
from schemask.synth.processes import in_processes

Reader: TypeAlias = Callable[[str], Iterator[tuple[int, dict[str, Any]]]]
"""Reads a file as objects with the numbers of their lines, from 1."""


@dataclass
class StageReport:
    """What became of the lines of a file.

    Attributes:
        read: Lines of the input.
        written: Lines of the output.
        found: Lines of the input that earlier runs had done.
        refused: How many lines were refused, by the reason; the ledger says which.
        mended: How many lines were set right, by what was wrong with them.
    """

    read: int = 0
    written: int = 0
    found: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """On one line, such as "12 lines read, 10 written; refused: 2 invented"."""
        parts = [f"{self.read} lines read, {self.written} written"]
        for what, counts in (("refused", self.refused), ("mended", self.mended)):
            if counts:
                listed = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
                parts.append(f"{what}: {listed}")
        return "; ".join(parts)

    def count(self, entry: Mapping[str, Any]) -> None:
        """Counts an entry of a ledger.

        Args:
            entry: The entry, as JSON.
        """
        self.read += 1
        self.written += entry.get("written", 0)
        if "refused" in entry:
            self.refused[entry["refused"]] = self.refused.get(entry["refused"], 0) + 1
        for word in entry.get("mended", ()):
            self.mended[word] = self.mended.get(word, 0) + 1


def run_stage(
    stage: Stage,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    workers: int = 1,
    resume: bool = True,
    progress: bool = True,
    reader: Reader = read_objects,
    mapper: Mapper | None = None,
) -> StageReport:
    """Applies a stage to all lines of a file.

    Beside the output, `<target>.ledger.jsonl` says what became of each line: a head with the stage,
    its options and the digest of the input, then for each line how many lines took its place, or
    why it was refused. Lines come in the order of the input. A run that was killed goes on where it
    was and ends with the same two files as one that was not.

    Args:
        stage: What to do with each line.
        source: A file of JSON lines.
        target: The file to write, or to go on with; other files are left as they are.
        workers: How many processes apply the stage; 1 is this one alone.
        resume: False refuses to touch files that have content.
        progress: Show a progress bar on standard error.
        reader: Reads the source, if it is not plain JSON lines.
        mapper: Applies the stage elsewhere, in place of the processes.

    Returns:
        What became of all lines, also of those that earlier runs had done.

    Raises:
        DataError: A source that cannot be read, a target that cannot be written or is of other
            work, a line at which the stage failed or its process ended (what was done before stays;
            `line` says which), or an argument of a wrong type.
    """
    check_flags(DataError, resume=resume, progress=progress)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise DataError(f"workers is an integer of at least 1, not {shortened(workers)}")
    if not isinstance(stage, Stage):
        raise DataError(f"a stage has a name, options and a call, not {shortened(stage)}")
    if mapper is None:
        mapper = (
            in_this_process if workers == 1 else functools.partial(in_processes, workers=workers)
        )
    source, place = os.fspath(source), Path(target)
    check_places(source, place)
    digest, count = digest_of_file(source)
    report = StageReport()
    head = {"stage": stage.name, "options": stage.options(), "source": digest}
    with Ledger(place, head, resume=resume) as ledger:
        for entry in ledger.entries:
            report.count(entry)
        report.found = report.read
        if ledger.is_finished:
            return report
        bar = tqdm(total=count, initial=report.found, unit="line", disable=not progress)
        with bar:
            for number, outcome in _outcomes(stage, source, reader, mapper, report.found):
                report.count(_add(ledger, number, outcome, source))
                bar.update()
                bar.set_postfix(report.refused, refresh=False)
        ledger.finish()
    return report


def run_stages(
    stages: Sequence[Stage],
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    workers: int = 1,
    resume: bool = True,
    progress: bool = True,
    reader: Reader = read_objects,
    mapper: Mapper | None = None,
) -> list[StageReport]:
    """Applies stages one after the other, each to what the one before has written.

    Args:
        stages: What to do with each line, at least one.
        source: A file of JSON lines.
        folder: Where files are written, such as `1-import.jsonl` and `2-deduplicate.jsonl`, with
            their ledgers; it is made if it is not there.
        workers: As for `run_stage`.
        resume: As for `run_stage`; stages that are done are left as they are.
        progress: As for `run_stage`.
        reader: Reads the source, if it is not plain JSON lines.
        mapper: As for `run_stage`.

    Returns:
        What became of the lines of each stage.

    Raises:
        DataError: As `run_stage`; or a folder that cannot be made, or no stages.
    """
    stages = list(stages) if isinstance(stages, (list, tuple)) else []
    if not stages or not all(isinstance(stage, Stage) for stage in stages):
        raise DataError("a list of at least one stage is needed")
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{place}: {error.strerror or error}") from error
    reports = []
    for number, stage in enumerate(stages, start=1):
        target = place / f"{number}-{stage.name}.jsonl"
        reports.append(
            run_stage(
                stage,
                source,
                target,
                workers=workers,
                resume=resume,
                progress=progress,
                reader=reader if number == 1 else read_objects,
                mapper=mapper,
            )
        )
        source = target
    return reports


def _outcomes(
    stage: Stage, source: str, reader: Reader, mapper: Mapper, found: int
) -> Iterator[tuple[int, Outcome]]:
    """What becomes of the lines after those that were found, with their numbers from 1."""
    items: Iterator[Numbered] = ((number - 1, value) for number, value in reader(source))
    make: Callable[[], Reduction] | None = getattr(stage, "reduction", None)
    reduction = None if make is None else make()
    # A reduction has to see again what it has seen.
    skipped = 0 if reduction is not None else found
    results = mapper(stage, itertools.islice(items, skipped, None))
    for position, (index, result) in enumerate(results, start=skipped):
        if isinstance(result, Failure):
            trace = RuntimeError(result.trace) if result.trace else None
            raise at_line(DataError(result.problem), source, index + 1) from trace
        outcome = result if reduction is None else reduction(result, index)
        if position >= found:
            yield index + 1, outcome


def _add(ledger: Ledger, number: int, outcome: Outcome, source: str) -> dict[str, Any]:
    try:
        return ledger.add({"line": number}, outcome)
    except DataError as error:
        raise at_line(error, source, number) from error


def check_places(source: str, target: Path) -> None:
    """Raises DataError if the output would be its own input."""
    given = os.path.realpath(source)
    if given in (os.path.realpath(target), os.path.realpath(ledger_path(target))):
        raise DataError(f"{source} cannot be read and written at once")


def digest_of_file(source: str) -> tuple[str, int]:
    """The digest of a file, and how many lines it has."""
    digest, count = hashlib.sha256(), 0
    try:
        with open(source, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                count += block.count(b"\n")
    except OSError as error:
        raise DataError(f"{source}: {error.strerror or error}") from error
    return digest.hexdigest(), count
