"""What an evaluation writes down: a line for each example and setting."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from schemask._lines import decoded
from schemask.errors import DataError
from schemask.evaluation.masks import MaskedTurn
from schemask.evaluation.verdicts import OUTCOMES, ArgumentVerdict, EvalOutcome

RecordKey: TypeAlias = tuple[str, str, str]

FORMAT = 2
"""The number that the first line of a file of records has under `schemask_evaluation`.

Those of 1, which are read as well, do not tell calls apart in `masked`."""


@dataclass(frozen=True)
class EvalRecord:
    """What came of one example in one setting.

    Attributes:
        id: The example's.
        digest: The example's, which tells whether it is still the same one.
        category: The example's.
        kind: What was expected: "call", "parallel", "any_call", "words", "ask" or "cannot".
        mode: "unconstrained", "constrained" or "reasoned".
        tool_choice: What the turn was bound to: "auto", "required" or the name of a tool.
        outcome: "right", "wrong" (valid, and not what was expected), "malformed", "no_call", or
            "failed" if there was no turn: the model, or the format, could not do it.
        problem: What is wrong, in words.
        request: The last request of the user.
        expected: What was expected, as JSON.
        calls: The calls, as objects with `name` and `arguments`.
        arguments: What is said of each argument.
        text: What the model wrote.
        lead: The words that came before, in the mode "reasoned".
        is_truncated: Whether the limit on tokens had a say in it.
        seconds: Time that it took.
        tokens: How many tokens were generated.
        masked: What the masks took from the model, where it tells.
        is_passing: Whether a run that goes on asks again: the model failed, as for want of memory,
            and may not fail another time.
    """

    id: str
    digest: str
    category: str
    kind: str
    mode: str
    tool_choice: str
    outcome: EvalOutcome
    problem: str
    request: str
    expected: Any
    calls: tuple[Mapping[str, Any], ...]
    arguments: tuple[ArgumentVerdict, ...]
    text: str
    lead: str
    is_truncated: bool
    seconds: float
    tokens: int
    masked: MaskedTurn | None
    is_passing: bool = False

    def __repr__(self) -> str:
        return f"<EvalRecord {self.id}, {self.setting}: {self.outcome}>"

    @property
    def setting(self) -> str:
        """The mode, and what the turn was bound to: "constrained, required"."""
        return self.mode if self.tool_choice == "auto" else f"{self.mode}, {self.tool_choice}"

    @property
    def key(self) -> RecordKey:
        """What tells it from the other records of a run: example, mode and choice of tools."""
        return self.id, self.mode, self.tool_choice

    @property
    def line(self) -> bytes:
        """The record as a line of JSON."""
        return line_of(dataclasses.asdict(self))

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> EvalRecord:
        """The record of a line.

        Args:
            value: The line, read from JSON.

        Raises:
            DataError: It is no record.
        """
        try:
            masked = value["masked"]
            record = cls(
                **{
                    **value,
                    "calls": tuple(value["calls"]),
                    "arguments": tuple(ArgumentVerdict(**part) for part in value["arguments"]),
                    "masked": None if masked is None else MaskedTurn.from_object(masked),
                }
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise DataError(f"not a record of an evaluation: {error}") from error
        if record.outcome not in OUTCOMES:
            raise DataError(f"not a record of an evaluation: the outcome {record.outcome!r}")
        return record


class Evaluation(NamedTuple):
    """A file of records.

    Attributes:
        head: What the records have in common: the name of the model, and how it was asked.
        records: The records, in order.
    """

    head: dict[str, Any]
    records: list[EvalRecord]

    @property
    def name(self) -> str:
        """The name of the model, or empty."""
        return str(self.head.get("model") or "")


def read_records(path: str | os.PathLike[str]) -> Evaluation:
    """The records that `evaluate` wrote. A last line that a kill has torn is left out.

    Args:
        path: The file.

    Raises:
        DataError: No such file, or one that is not of records; with the number of the line.
    """
    place = Path(path)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    found = evaluation_of(data.splitlines(keepends=True), os.fspath(path))
    return Evaluation(found.head, _in_order(found))


def _in_order(found: Evaluation) -> list[EvalRecord]:
    """Example by example, each in all settings as they were asked for: some are written later."""
    examples = {record.id: None for record in found.records}
    at = {name: number for number, name in enumerate(examples)}
    told = found.head.get("settings")
    settings = told if isinstance(told, list) else []

    def place(record: EvalRecord) -> tuple[int, int]:
        setting = [record.mode, record.tool_choice]
        return at[record.id], settings.index(setting) if setting in settings else len(settings)

    return sorted(found.records, key=place)


def evaluation_of(lines: Iterable[bytes], name: str) -> Evaluation:
    """The records in the lines of a file; of two of one turn, the later one.

    Args:
        lines: The lines, with their breaks; one without is torn, and left out.
        name: How errors name the file.

    Raises:
        DataError: A line that is no record, or a first line that is no head.
    """
    head: dict[str, Any] = {}
    records: list[EvalRecord] = []
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break
        try:
            value = decoded(line.decode())
            if not isinstance(value, dict):
                raise DataError("not a JSON object")
            if number == 1:
                if value.get("schemask_evaluation") not in (1, FORMAT):
                    raise DataError("not the head of a file of records")
                head = value
            else:
                records.append(EvalRecord.from_object(value))
        except (DataError, UnicodeDecodeError) as error:
            raise DataError(f"{name}: line {number}: {error}", line=number) from error
    return Evaluation(head, list({record.key: record for record in records}.values()))


def line_of(value: Any) -> bytes:
    """A JSON value as a line."""
    return json.dumps(value).encode() + b"\n"
