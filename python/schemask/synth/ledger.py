"""The output of a stage and the ledger beside it, which say together how far a run has come.

Entries are written before the lines that they tell of. So a kill may leave the ledger ahead, and
tear the last line of both; whoever goes on cuts both to what they have in common. What the output
has beyond that is of somebody else, and is not touched.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from schemask._files import Journal
from schemask.errors import DataError, shortened
from schemask.synth.outcomes import Outcome

FORMAT = 1
"""The version of the ledger's format."""

# The last line of the ledger of a whole run.
_END = b'{"end": true}\n'
# What waits to be written: at most so many entries, and no longer than so many seconds.
_MOST_ENTRIES = 256
_MOST_SECONDS = 0.25


def ledger_path(target: str | os.PathLike[str]) -> Path:
    """Where the ledger of an output is: beside it."""
    path = Path(target)
    return path.with_name(f"{path.name}.ledger.jsonl")


class Ledger:
    """An output and its ledger, open to be continued by one writer.

    Args:
        target: The file for the lines.
        head: What decides about the output: names with JSON values. It is the first line of the
            ledger, and a ledger with another one is not continued.
        resume: False refuses files that have content.

    Attributes:
        entries: The entries of earlier runs whose lines are all there.
        is_finished: Whether an earlier run came to the end.

    Raises:
        DataError: Files that are not of such a run, or another writer; both are left as they are.
    """

    def __init__(self, target: Path, head: Mapping[str, Any], *, resume: bool) -> None:
        self._head = as_line({"format": FORMAT, **head})
        self.is_finished = False
        self._lines: list[bytes] = []
        self._records: list[bytes] = []
        self._flushed = time.monotonic()
        with contextlib.ExitStack() as stack:
            self._target = stack.enter_context(Journal(target))
            self._ledger = stack.enter_context(Journal(ledger_path(target)))
            if not resume and (self._target.size or self._ledger.size):
                raise DataError(f"{target} has content already")
            self.entries, sizes = self._read()
            self._stack = stack.pop_all()
        self._sizes: tuple[int, int] | None = sizes

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stack:
            self.flush()

    def add(self, entry: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
        """Writes what became of a line.

        Args:
            entry: How the ledger names the line.
            outcome: What became of it.

        Returns:
            The entry as the ledger has it.

        Raises:
            DataError: Lines that no JSON text can spell, or a file that cannot be written.
        """
        data = b"".join(as_line(example) for example in outcome.examples)
        full = {**entry, **_account(outcome, data)}
        self._lines.append(data)
        self._records.append(as_line(full))
        if len(self._records) >= _MOST_ENTRIES or self._is_late:
            self.flush()
        return full

    def finish(self) -> None:
        """Writes what has waited, and that there is no more to come."""
        if not self.is_finished:
            self.flush()
            self._begin()
            self._ledger.append(_END)

    def flush(self) -> None:
        """Brings what waits to be written to the disk.

        Raises:
            DataError: A file that cannot be written.
        """
        if self._records:
            self._begin()
            lines, records = b"".join(self._lines), b"".join(self._records)
            self._lines, self._records = [], []
            self._ledger.append(records)
            if lines:
                self._target.append(lines)
        self._flushed = time.monotonic()

    @property
    def _is_late(self) -> bool:
        return time.monotonic() - self._flushed > _MOST_SECONDS

    def _begin(self) -> None:
        """Brings the files of an earlier run in step, or begins new ones."""
        if self._sizes is None:
            return
        for journal, size in zip((self._target, self._ledger), self._sizes, strict=True):
            if journal.size != size:
                journal.cut(size)
        self._sizes = None
        if not self._ledger.size:
            self._ledger.append(self._head)
        self._target.keep()

    def _read(self) -> tuple[list[dict[str, Any]], tuple[int, int]]:
        """The entries whose lines are there, and the sizes of the files up to their ends."""
        records = self._ledger.lines()
        first = next(records, b"")
        if first != self._head:
            self._check_head(first)
            if self._target.size:
                self._leave("it has content, and its ledger has none")
            return [], (0, 0)
        lines = self._target.lines()
        entries: list[dict[str, Any]] = []
        target_size, ledger_size = 0, len(first)
        for number, record in enumerate(records, start=2):
            if not record.endswith(b"\n"):
                break
            if record == _END:
                self.is_finished = True
                if next(records, None):
                    self._leave("its ledger goes on after its end")
                ledger_size += len(record)
                break
            entry = self._entry(record, number)
            data = b"".join(itertools.islice(lines, entry["written"]))
            if data.count(b"\n") < entry["written"]:
                break
            if _checksum(data) != entry.get("check"):
                self._leave(f"it is not what line {number} of its ledger says")
            entries.append(entry)
            target_size += len(data)
            ledger_size += len(record)
        if next(lines, None):
            self._leave(f"after {target_size} bytes, it has lines that its ledger does not know")
        return entries, (target_size, ledger_size)

    def _entry(self, record: bytes, number: int) -> dict[str, Any]:
        try:
            entry = json.loads(record)
            if not isinstance(entry, dict):
                raise ValueError("not an object")
            written = entry.setdefault("written", 0)
            if type(written) is not int or written < 0:
                raise ValueError("no number of lines")
        except (ValueError, RecursionError) as error:
            self._leave(f"line {number} of its ledger is damaged: {error}")
        return dict(entry)

    def _check_head(self, first: bytes) -> None:
        """Raises DataError unless a kill has torn the head, or there is none."""
        if not first.endswith(b"\n") and self._head.startswith(first):
            return
        try:
            found = json.loads(first)
            differing = list(differences(found, json.loads(self._head)))
        except (ValueError, AttributeError, RecursionError):
            self._leave("its ledger is none of schemask, or damaged")
        self._leave(f"its ledger is of other work: {'; '.join(differing) or 'another order'}")

    def _leave(self, problem: str) -> None:
        raise DataError(f"{self._target.path} is left as it is: {problem}")


def differences(
    found: Mapping[str, Any], ours: Mapping[str, Any], within: str = ""
) -> Iterator[str]:
    """In what the head of another run differs from this one's, in words.

    Args:
        found: That of the other run.
        ours: This one's.
        within: What comes before the names.
    """
    for name in dict.fromkeys([*ours, *found]):
        theirs, mine = found.get(name), ours.get(name)
        if theirs == mine:
            continue
        if isinstance(theirs, dict) and isinstance(mine, dict):
            # Options are known by their own names.
            yield from differences(theirs, mine, "" if name == "options" else f"{within}{name}.")
        else:
            yield f"{within}{name} is {shortened(theirs)} there and {shortened(mine)} here"


def _account(outcome: Outcome, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if outcome.examples:
        entry = {"written": len(outcome.examples), "check": _checksum(data)}
        if outcome.detail:
            entry["detail"] = outcome.detail
    if outcome.refused is not None:
        entry = {"refused": outcome.refused, "detail": outcome.detail}
    return {**entry, "mended": list(outcome.mended)} if outcome.mended else entry


def _checksum(data: bytes) -> str | None:
    return f"{zlib.crc32(data):08x}" if data else None


def as_line(value: Mapping[str, Any]) -> bytes:
    """A line of JSON, as outputs and ledgers have it.

    Raises:
        DataError: No JSON text can spell it.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"it cannot be written as JSON: {error}") from error
