"""The files that benchmarks write: figures as CSV, after lines that say how they came about."""

from __future__ import annotations

import csv
import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import schemask

Row = dict[str, str]

# What figures depend on besides schemask: of engines beside each other, of training, and of
# synthetic data.
ENGINES = ("glrmask", "llguidance", "xgrammar", "numpy", "torch", "tiktoken")
SYNTHESIS = ("openai", "datasketch", "ray")
TRAINING = ("numpy", "torch", "transformers", "trl", "peft", "llama-cpp-python")
DECODING = ("numpy", "torch", "transformers", "tokenizers")


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


def versions(packages: Iterable[str]) -> list[str]:
    """What figures were measured with: schemask, and some packages."""
    found = [f"schemask {schemask.__version__}{_of_sources()}"]
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} not installed")
    return found


def _of_sources() -> str:
    """Which sources are run, if they are not those of an installed package."""
    root = Path(schemask.__file__).resolve().parents[2]
    if root != Path(__file__).resolve().parents[1]:
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        return " of the sources"
    return f" of the sources at {done.stdout.strip()}"


def circumstances(data: str, command: str, packages: Iterable[str]) -> list[str]:
    """What a record says before its figures.

    Args:
        data: What was measured on.
        command: How.
        packages: Those whose versions the figures depend on.
    """
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
        f"versions: Python {platform.python_version()}, {', '.join(versions(packages))}",
        f"data: {data}",
        f"command: {command}",
    ]
