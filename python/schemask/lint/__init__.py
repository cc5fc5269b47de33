"""A linter of training data: what a model would learn wrongly, found before it is trained."""

from schemask.lint.linter import lint
from schemask.lint.report import LintReport
from schemask.lint.rules import RULES, LintFinding, LintRule
from schemask.lint.statistics import LintStatistics

__all__ = ["RULES", "LintFinding", "LintReport", "LintRule", "LintStatistics", "lint"]
