"""What the linter found, for people and for programs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemask.lint.rules import RULES, LintFinding, counted
from schemask.lint.statistics import LintStatistics


@dataclass(frozen=True)
class LintReport:
    """What was found in a file.

    Attributes:
        name: The file.
        lines: Its lines that are not empty.
        findings: What was found, by rule and line; of each rule the first ones.
        counts: How often each rule found something, by id, for rules that did.
        statistics: What the file holds.
    """

    name: str
    lines: int
    findings: tuple[LintFinding, ...]
    counts: Mapping[str, int]
    statistics: LintStatistics

    @property
    def errors(self) -> int:
        """How many errors were found."""
        return self._number("error")

    @property
    def warnings(self) -> int:
        """How many warnings were found."""
        return self._number("warning")

    def _number(self, severity: str) -> int:
        return sum(count for rule, count in self.counts.items() if RULES[rule].severity == severity)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {
            "version": 1,
            "file": self.name,
            "lines": self.lines,
            "errors": self.errors,
            "warnings": self.warnings,
            "rules": [
                {**dataclasses.asdict(RULES[rule]), "count": count}
                for rule, count in self.counts.items()
            ],
            "findings": [
                {**dataclasses.asdict(finding), "severity": finding.severity}
                for finding in self.findings
            ],
            "statistics": {
                **dataclasses.asdict(self.statistics),
                "lengths": {str(key): value for key, value in self.statistics.lengths.items()},
            },
        }

    def as_text(self, shown: int = 5) -> str:
        """All of it in words.

        Args:
            shown: How many findings of a rule are shown.
        """
        return "\n".join([*self._head(), *self._rules(shown), *_counted(self.statistics)])

    def _head(self) -> Iterator[str]:
        found = [counted(self.errors, "error"), counted(self.warnings, "warning")]
        yield f"{self.name}: {counted(self.lines, 'line')}, {', '.join(found)}"

    def _rules(self, shown: int) -> Iterator[str]:
        by_rule: dict[str, list[LintFinding]] = {}
        for finding in self.findings:
            by_rule.setdefault(finding.rule, []).append(finding)
        for rule, count in self.counts.items():
            yield f"\n{RULES[rule].severity}: {rule} ({count}): {RULES[rule].cause}"
            for finding in by_rule.get(rule, [])[:shown]:
                turn = "" if finding.turn is None else f", message {finding.turn}"
                yield f"  line {finding.line}{turn}: {finding.message}"
                if finding.pointer:
                    yield f"    at {finding.pointer}"
            if count > shown:
                yield f"  and {count - shown} more"
            yield f"  to mend it: {RULES[rule].hint}"


def counts_of(found: Counter[str]) -> dict[str, int]:
    """The counts in the order in which rules are told: errors first."""
    ordered = sorted(RULES.values(), key=lambda rule: rule.severity != "error")
    return {rule.id: found[rule.id] for rule in ordered if found[rule.id]}


def _counted(statistics: LintStatistics) -> Iterator[str]:
    shapes = ", ".join(f"{shape} {count}" for shape, count in statistics.lines.items())
    yield f"\nlines: {shapes or 'none'}"
    if statistics.conversations:
        turns = ", ".join(f"{role} {count}" for role, count in statistics.turns.items())
        yield f"conversations: {statistics.conversations}; messages: {turns}"
    if statistics.offering:
        share = statistics.abstaining / statistics.offering
        yield f"offering tools: {statistics.offering}, of which {share:.1%} call none"
    if statistics.calls:
        named = [f"{name} {count}" for name, count in [*statistics.calls.items()][:10]]
        more = len(statistics.calls) - len(named)
        yield f"calls: {', '.join(named)}{f', and {more} more tools' if more else ''}"
    if statistics.tokens:
        share = statistics.trained / statistics.tokens
        own = f"tokens: {statistics.tokens}, of which {share:.1%} are the model's own"
        if statistics.forced:
            own += f"; the grammar forces {statistics.forced / statistics.trained:.1%} of these"
        yield own
        lengths = ", ".join(f"{key}%: {value}" for key, value in statistics.lengths.items())
        yield f"tokens of a line, by percentile: {lengths}"
