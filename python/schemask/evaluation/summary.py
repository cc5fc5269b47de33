"""Rates, of records: by category and by how the model was asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.errors import DataError, shortened
from schemask.evaluation.intervals import Rate, rate
from schemask.evaluation.records import EvalRecord
from schemask.evaluation.verdicts import OUTCOMES

EVERYTHING = "all"
"""The category of the rows that count all records of a setting, if there are several."""


@dataclass(frozen=True)
class SummaryRow:
    """The records of a category in one setting.

    Attributes:
        category: The category, or "all".
        setting: The mode, and what the turns were bound to.
        count: How many records.
        outcomes: How many of each outcome.
        right: The rate of those that are right.
        seconds: The mean time of a turn.
        tokens: The mean number of tokens of a turn.
        masked_mass: The mean, over the tokens that were chosen under a mask, of the probability
            that lay on forbidden ones; None if no mask was told of.
        overruled: The rate of turns in which the model's own choice was forbidden at least once;
            None likewise.
    """

    category: str
    setting: str
    count: int
    outcomes: dict[str, int]
    right: Rate
    seconds: float
    tokens: float
    masked_mass: float | None
    overruled: Rate | None


@dataclass(frozen=True)
class FaultRow:
    """What is wrong with the arguments of one kind, in calls that are valid and yet wrong.

    Attributes:
        setting: The mode, and what the turns were bound to.
        kind: The type of the arguments, "choice" for one of an `enum`, or "tool" for the tools
            themselves.
        count: How many such arguments the wrong answers have.
        faults: How many have each fault: "tool", "missing", "unexpected", "type" or "value".
    """

    setting: str
    kind: str
    count: int
    faults: dict[str, int]


@dataclass(frozen=True)
class EvalSummary:
    """What records come to.

    Attributes:
        rows: For each category and setting.
        faults: For each setting and kind of argument, of the answers that are valid and wrong.
    """

    rows: tuple[SummaryRow, ...]
    faults: tuple[FaultRow, ...]

    @property
    def json(self) -> dict[str, Any]:
        """The same as JSON, with the ends of intervals."""
        return {
            "rows": [
                {
                    **vars(row),
                    "right": _rate_json(row.right),
                    "overruled": None if row.overruled is None else _rate_json(row.overruled),
                }
                for row in self.rows
            ],
            "faults": [dict(vars(row)) for row in self.faults],
        }


def summarize(records: Iterable[EvalRecord]) -> EvalSummary:
    """The rates of records, with Wilson's intervals at 95%, in order of appearance.

    Args:
        records: The records, of `evaluate` or `read_records`.

    Raises:
        DataError: What is no record.
    """
    groups: dict[tuple[str, str], list[EvalRecord]] = {}
    by_setting: dict[str, list[EvalRecord]] = {}
    for record in records:
        if not isinstance(record, EvalRecord):
            raise DataError(f"records are EvalRecord, not {shortened(record)}")
        groups.setdefault((record.category, record.setting), []).append(record)
        by_setting.setdefault(record.setting, []).append(record)
    order = {category: number for number, (category, _) in enumerate(reversed(groups))}
    rows = [
        _row(category, setting, group)
        for (category, setting), group in sorted(
            groups.items(), key=lambda item: -order[item[0][0]]
        )
    ]
    if len(order) > 1:
        rows += [_row(EVERYTHING, setting, group) for setting, group in by_setting.items()]
    return EvalSummary(
        tuple(rows),
        tuple(row for setting, group in by_setting.items() for row in _faults(setting, group)),
    )


def table(summary: EvalSummary) -> str:
    """The summary as text for a terminal.

    Args:
        summary: What `summarize` gave.

    Raises:
        DataError: Something else.
    """
    if not isinstance(summary, EvalSummary):
        raise DataError(f"summary is an EvalSummary, not {shortened(summary)}")
    shown = [name for name in OUTCOMES if any(row.outcomes.get(name) for row in summary.rows)]
    head = ["category", "setting", "n", "right, 95% interval", *shown[1:], "masked", "overruled"]
    if shown[:1] != ["right"]:
        head = [*head[:4], *shown, *head[-2:]]
        others = shown
    else:
        others = shown[1:]
    lines = [
        [
            row.category,
            row.setting,
            str(row.count),
            str(row.right),
            *(str(row.outcomes.get(name, 0)) for name in others),
            "-" if row.masked_mass is None else f"{100 * row.masked_mass:.1f}%",
            "-" if row.overruled is None else f"{100 * row.overruled.value:.0f}%",
        ]
        for row in summary.rows
    ]
    text = _aligned([head, *lines], numbers=range(2, len(head)))
    if summary.faults:
        kinds = ("tool", "missing", "unexpected", "type", "value")
        head = ["valid but wrong", "argument", "n", *kinds]
        rows = [
            [row.setting, row.kind, str(row.count), *(str(row.faults.get(k, 0)) for k in kinds)]
            for row in summary.faults
        ]
        text += "\n\n" + _aligned([head, *rows], numbers=range(2, len(head)))
    return text


def _row(category: str, setting: str, group: Sequence[EvalRecord]) -> SummaryRow:
    outcomes: Counter[str] = Counter(record.outcome for record in group)
    masked = [record.masked for record in group if record.masked is not None]
    steps = sum(turn.steps for turn in masked)
    return SummaryRow(
        category,
        setting,
        len(group),
        {name: outcomes[name] for name in OUTCOMES if outcomes[name]},
        rate(outcomes["right"], len(group)),
        math.fsum(record.seconds for record in group) / len(group),
        sum(record.tokens for record in group) / len(group),
        math.fsum(turn.mean_mass * turn.steps for turn in masked) / steps if steps else None,
        rate(sum(turn.overruled > 0 for turn in masked), len(masked)) if masked else None,
    )


def _faults(setting: str, group: Sequence[EvalRecord]) -> list[FaultRow]:
    counts: Counter[str] = Counter()
    faults: dict[str, Counter[str]] = {}
    for record in group:
        if record.outcome != "wrong":
            continue
        for verdict in record.arguments:
            counts[verdict.kind] += 1
            if verdict.fault:
                faults.setdefault(verdict.kind, Counter())[verdict.fault] += 1
    return [FaultRow(setting, kind, counts[kind], dict(faults[kind])) for kind in sorted(faults)]


def _rate_json(found: Rate) -> dict[str, Any]:
    return {
        "rate": found.value if found.total else None,
        "successes": found.successes,
        "total": found.total,
        "low": found.low,
        "high": found.high,
    }


def _aligned(lines: Sequence[Sequence[str]], numbers: range) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at in numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
