"""How well a model calls tools: constrained, unconstrained, and after reasoning.

`evaluate` asks a model the examples of `read_bfcl`, `read_examples` and `read_when2call`, judges
what comes, argument by argument, and writes a line for each; `summarize` makes rates of them, and
`report` a page.
"""

from schemask.evaluation.bfcl import CATEGORIES, BfclCalls, read_bfcl
from schemask.evaluation.equality import ExpectedCalls
from schemask.evaluation.examples import Abstention, AnyCall, EvalExample
from schemask.evaluation.heldout import read_examples
from schemask.evaluation.intervals import Rate, rate
from schemask.evaluation.masks import MaskedText, MaskedTurn
from schemask.evaluation.pages import report
from schemask.evaluation.records import EvalRecord, Evaluation, read_records
from schemask.evaluation.runs import MODES, evaluate
from schemask.evaluation.summary import EvalSummary, FaultRow, SummaryRow, summarize, table
from schemask.evaluation.verdicts import ArgumentVerdict, Expectation, Verdict
from schemask.evaluation.when2call import When2Call, read_when2call

__all__ = [
    "CATEGORIES",
    "MODES",
    "Abstention",
    "AnyCall",
    "ArgumentVerdict",
    "BfclCalls",
    "EvalExample",
    "EvalRecord",
    "EvalSummary",
    "Evaluation",
    "Expectation",
    "ExpectedCalls",
    "FaultRow",
    "MaskedText",
    "MaskedTurn",
    "Rate",
    "SummaryRow",
    "Verdict",
    "When2Call",
    "evaluate",
    "rate",
    "read_bfcl",
    "read_examples",
    "read_records",
    "read_when2call",
    "report",
    "summarize",
    "table",
]
