"""What data holds, counted: conversations, turns, calls, tokens."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schemask.lint.likeness import digest
from schemask.lint.offers import offered
from schemask.lint.rules import LintFinding
from schemask.lint.samples import Dialogue, Sample

# An argument that has one value in fewer calls says nothing, nor do fewer conversations of calls.
_FEW_CALLS, _FEW_CONVERSATIONS = 10, 100
# Names and arguments of tools that are counted; masked names may be as many as lines.
_MOST_NAMES = 100_000
_PERCENTS = (0, 50, 90, 99, 100)


@dataclass(frozen=True)
class LintStatistics:
    """What data holds.

    Attributes:
        lines: How many lines have each shape.
        conversations: Conversations; a preference has two.
        turns: Messages by their roles.
        calls: Calls by tool, the most frequent first.
        offering: Conversations that offer tools.
        abstaining: Those of them in which none is called.
        tokens: Tokens of all lines.
        trained: Those of them that the model writes itself, or that labels count.
        forced: Those of them that the grammar leaves no choice about: `loss="choices"` does not
            train them. 0 if no grammar has read the lines.
        lengths: Tokens of a line, by percentile: the shortest, the median, and so on.
    """

    lines: dict[str, int]
    conversations: int
    turns: dict[str, int]
    calls: dict[str, int]
    offering: int
    abstaining: int
    tokens: int
    trained: int
    forced: int
    lengths: dict[int, int]


@dataclass
class _Values:
    """What an argument was in the calls so far."""

    line: int
    value: Any
    digest: int
    count: int = 1
    varies: bool = False


@dataclass
class StatisticsCounter:
    """Counts what lines hold, as they come."""

    _lines: Counter[str] = field(default_factory=Counter)
    _turns: Counter[str] = field(default_factory=Counter)
    _calls: Counter[str] = field(default_factory=Counter)
    _conversations: int = 0
    _offering: int = 0
    _abstaining: int = 0
    _trained: int = 0
    _forced: int = 0
    _lengths: array[int] = field(default_factory=lambda: array("q"))
    _values: dict[tuple[str, str], _Values] = field(default_factory=dict)
    _parameters: dict[str, tuple[str, int]] = field(default_factory=dict)
    _described: set[str] = field(default_factory=set)

    def add_line(self, sample: Sample) -> None:
        """A line."""
        self._lines[sample.shape] += 1

    def add_lengths(self, total: int, trained: int, forced: int) -> None:
        """The tokens of a line."""
        self._lengths.append(total)
        self._trained += trained
        self._forced += forced

    def add_dialogue(self, dialogue: Dialogue) -> Iterator[LintFinding]:
        """A conversation; gives what is found when it is compared with those before."""
        self._conversations += 1
        calls = 0
        for turn, message in enumerate(dialogue.messages):
            self._turns[message["role"]] += 1
            for call in message.get("tool_calls", ()):
                calls += 1
                function = call["function"]
                if function["name"] in self._calls or len(self._calls) < _MOST_NAMES:
                    self._calls[function["name"]] += 1
                if turn >= dialogue.first_trained:
                    self._count_values(dialogue.line, function["name"], function["arguments"])
        if dialogue.tools:
            self._offering += 1
            self._abstaining += not calls
        yield from self._compared(dialogue)

    def _compared(self, dialogue: Dialogue) -> Iterator[LintFinding]:
        for at, tool in enumerate(map(offered, dialogue.tools or ())):
            if tool.tool is None:
                continue
            place = f"/tools/{at}"
            name, key = tool.tool.name, tool.parameters_key
            if name not in self._parameters and len(self._parameters) < _MOST_NAMES:
                self._parameters[name] = key, dialogue.line
            known, line = self._parameters.get(name, (key, 0))
            if known != key:
                message = f"{name} takes other arguments than in line {line}"
                yield LintFinding("tool-differs", dialogue.line, message, pointer=place)
            if not tool.tool.description.strip() and name not in self._described:
                if len(self._described) < _MOST_NAMES:
                    self._described.add(name)
                message = f"{name} has none"
                yield LintFinding("undescribed-tool", dialogue.line, message, pointer=place)

    def _count_values(self, line: int, tool: str, arguments: dict[str, Any]) -> None:
        for key, value in arguments.items():
            made = digest(json.dumps(value, sort_keys=True))
            known = self._values.get((tool, key))
            if known is not None:
                known.count += 1
                known.varies |= known.digest != made
            elif len(self._values) < _MOST_NAMES:
                self._values[tool, key] = _Values(line, value, made)

    def last_findings(self) -> Iterator[LintFinding]:
        """What is found when all lines have been seen."""
        for (tool, key), values in self._values.items():
            if not values.varies and values.count >= _FEW_CALLS:
                shown = json.dumps(values.value, ensure_ascii=False)
                shown = shown if len(shown) <= 40 else shown[:37] + "..."
                message = f"{tool}: {key!r} is {shown} in all of {values.count} calls"
                yield LintFinding("constant-argument", values.line, message)
        if self._offering >= _FEW_CONVERSATIONS and not self._abstaining:
            message = f"all of {self._offering} conversations that offer tools call one"
            yield LintFinding("no-abstentions", 1, message)

    def statistics(self) -> LintStatistics:
        """What was counted."""
        lengths = np.frombuffer(self._lengths, np.int64) if self._lengths else np.zeros(0, np.int64)
        ranks = np.percentile(lengths, _PERCENTS, method="nearest") if len(lengths) else ()
        return LintStatistics(
            lines=dict(self._lines),
            conversations=self._conversations,
            turns=dict(self._turns),
            calls=dict(self._calls.most_common()),
            offering=self._offering,
            abstaining=self._abstaining,
            tokens=int(lengths.sum()),
            trained=self._trained,
            forced=self._forced,
            lengths={percent: int(rank) for percent, rank in zip(_PERCENTS, ranks, strict=False)},
        )
