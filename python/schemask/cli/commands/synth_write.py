"""`schemask synth write`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemask.cli.arguments import (
    Commands,
    add_command,
    add_endpoint,
    add_sampling,
    check_endpoint,
    number,
    sampling,
    whole,
)
from schemask.cli.inputs import load_tools, load_writer, writer_label


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "write",
        run,
        "Write synthetic conversations that call tools, as JSON lines.",
        "The teacher is a local model, or an OpenAI-compatible endpoint (its key is read from\n"
        "OPENAI_API_KEY). A file of such lines is continued; any other is left as it is.",
        "schemask synth write tools.py --count 1000 --out data.jsonl",
    )
    parser.add_argument(
        "tools",
        type=Path,
        metavar="TOOLS",
        help="a Python file with @tool functions, or a JSON file with a list of definitions",
    )
    parser.add_argument("--out", type=Path, required=True, help="the file to write or continue")
    parser.add_argument(
        "--count", type=whole(0), default=1000, help="lines in the end (%(default)s)"
    )
    parser.add_argument(
        "--share",
        type=_share,
        action="append",
        default=[],
        metavar="KIND=NUMBER",
        help="how many are of this kind, from 0 to 1: call, parallel, chain, missing_tool,\n"
        "missing_value, words; may be given several times",
    )
    parser.add_argument(
        "--most-tools",
        type=whole(1),
        metavar="N",
        help="offer no more tools than so many beside those that are called (all)",
    )
    add_endpoint(parser)
    add_sampling(parser, max_tokens=512, temperature=0.8)


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.synth import check, generate

    check_endpoint(options)
    tools = load_tools(options.tools)
    given: dict[str, Any] = {
        "seed": options.seed,
        "shares": dict(options.share),
        "most_tools": options.most_tools,
        "label": writer_label(options),
        "concurrency": options.concurrency,
    }
    check(tools, options.count, options.out, **given)  # before a model is loaded
    teacher = load_writer(options)
    report = generate(
        teacher,
        tools,
        options.count,
        options.out,
        **given,
        sampling=sampling(options),
        progress=sys.stderr.isatty(),
    )
    print(f"{options.out}: {report.found + report.written} lines, {report.written} of them new")
    print(f"kinds: {_listed(report.kinds)}")
    print(f"refused answers: {_listed(report.refused)}")
    return 0


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"


def _share(text: str) -> tuple[str, float]:
    kind, _, share = text.partition("=")
    return kind, number(1)(share)
