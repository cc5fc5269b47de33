"""The files that benchmarks write: figures as CSV, after lines that say how they came about."""

from __future__ import annotations

import csv
import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from engines import versions

Row = dict[str, str]


@dataclass(frozen=True)
class Record:
    """A file as it is read back.

    Attributes:
        notes: The machine, the versions, the data and the command.
        columns: Their names.
        rows: Each with a text for each column.
    """

    notes: list[str]
    columns: list[str]
    rows: list[Row]


def write(
    path: Path, notes: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {note}\n" for note in notes)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read(path: Path) -> Record:
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(file)
    notes = [line[2:].rstrip("\n") for line in takewhile(lambda line: line[0] == "#", lines)]
    table = csv.DictReader(lines[len(notes) :])
    return Record(notes, list(table.fieldnames or ()), list(table))


def circumstances(data: str, command: str) -> list[str]:
    """What a record says before its figures."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":")[1].strip() if models else cpu
    now = datetime.datetime.now(datetime.timezone.utc)
    return [
        f"date: {now:%Y-%m-%d %H:%M} UTC",
        f"machine: {cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"load {os.getloadavg()[0]:.1f} at the end",
        f"versions: Python {platform.python_version()}, {', '.join(versions())}",
        f"data: {data}",
        f"command: {command}",
    ]
