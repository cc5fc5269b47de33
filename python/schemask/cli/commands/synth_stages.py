"""The stages of `schemask synth`: from a file of lines to another one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemask._lines import decoded, lines, read_objects
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
from schemask.errors import DataError

if TYPE_CHECKING:
    from schemask.synth import Stage

_MEBIBYTE = 1 << 20


def add(stages: Commands) -> None:
    """The stages and their arguments."""
    _add_execute(stages)
    _add_ground(stages)
    _add_judge(stages)
    _add_augment(stages)
    _add_deduplicate(stages)
    _add_decontaminate(stages)
    _add_pair(stages)
    _add_import(stages)


def _added(
    stages: Commands,
    name: str,
    make: Callable[[argparse.Namespace], Stage],
    summary: str,
    details: str,
    example: str,
    *,
    workers: bool = True,
) -> argparse.ArgumentParser:
    """A stage with the arguments that all have."""

    def run(options: argparse.Namespace) -> int:
        """Does it; returns the exit status."""
        from schemask.synth import read_records, run_stage

        report = run_stage(
            make(options),
            options.data,
            options.out,
            workers=options.workers,
            progress=sys.stderr.isatty(),
            reader=read_records if name == "import" else read_objects,
        )
        print(report)
        return 0

    command = f"schemask synth {name} {example}"
    parser = add_command(stages, name, run, summary, details, command)
    parser.add_argument("data", type=Path, metavar="IN", help="a file of JSON lines")
    parser.add_argument("--out", type=Path, required=True, help="the file to write or continue")
    if workers:
        parser.add_argument("--workers", type=whole(1), default=1, help="processes (%(default)s)")
    else:
        parser.set_defaults(workers=1)
    return parser


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="makes it repeatable (%(default)s)"
    )


def _add_execute(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Execute

        return Execute(
            options.tools,
            timeout=options.timeout,
            memory=options.memory * _MEBIBYTE or None,
            errors=options.errors,
            stale=options.stale,
        )

    parser = _added(
        stages,
        "execute",
        make,
        "Carry out the calls, and put the real results in the place of the teacher's.",
        "The functions run in a process of their own, with limits.",
        "data.jsonl --tools tools.py --out executed.jsonl",
    )
    parser.add_argument(
        "--tools", required=True, help="a Python file with @tool functions, or a module"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, help="seconds for a call (%(default)s)"
    )
    parser.add_argument(
        "--memory",
        type=whole(0),
        default=1024,
        metavar="MIB",
        help="MiB that calls may take; 0 is no limit (%(default)s)",
    )
    parser.add_argument(
        "--errors",
        choices=("refuse", "keep"),
        default="refuse",
        help="what becomes of a call that raises (%(default)s)",
    )
    parser.add_argument(
        "--stale",
        choices=("cut", "refuse", "keep"),
        default="cut",
        help="what becomes of turns that rest on a result that is no longer there (%(default)s)",
    )


def _add_ground(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Ground

        synonyms = {} if options.synonyms is None else _read_json(options.synonyms)
        return Ground(synonyms=synonyms, free=options.free)

    parser = _added(
        stages,
        "ground",
        make,
        "Refuse lines with a value in a call that nobody said before.",
        "Values are looked for in what users and the system said, in results, and in defaults.",
        "data.jsonl --out grounded.jsonl",
    )
    parser.add_argument(
        "--synonyms",
        type=Path,
        metavar="JSON",
        help='a file such as {"celsius": ["°C", "centigrade"]}',
    )
    parser.add_argument(
        "--free",
        action="append",
        default=[],
        metavar="NAME",
        help="a parameter whose values need not be said; may be given several times",
    )


def _add_judge(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Judge

        check_endpoint(options)
        model = load_writer(options)
        return Judge(
            model,
            writer_label(options),
            sampling=sampling(options),
            seed=options.seed,
            concurrency=options.concurrency,
        )

    parser = _added(
        stages,
        "judge",
        make,
        "Ask a model whether the calls are what the request needs, and refuse those that are not.",
        "The model is a local one, or that of an OpenAI-compatible endpoint (its key is read from\n"
        "OPENAI_API_KEY).",
        "data.jsonl --model judge.gguf --out judged.jsonl",
        workers=False,
    )
    add_endpoint(parser)
    add_sampling(parser, max_tokens=160, temperature=0.0)


def _add_augment(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Augment

        pool = () if options.pool is None else tuple(load_tools(options.pool).definitions)
        return Augment(
            copies=options.copies,
            keep_original=options.keep_original,
            seed=options.seed,
            mask=options.mask,
            names=options.names,
            shuffle=not options.no_shuffle,
            distractors=options.distractors,
            pool=pool,
        )

    parser = _added(
        stages,
        "augment",
        make,
        "Write variants with masked names, another order of tools, and more of them.",
        "Each variant is checked as its line was.",
        "data.jsonl --copies 2 --keep-original --out augmented.jsonl",
    )
    parser.add_argument("--copies", type=whole(1), default=1, help="lines for each (%(default)s)")
    parser.add_argument(
        "--keep-original", action="store_true", help="the first of them is the line itself"
    )
    parser.add_argument(
        "--mask", type=number(1), default=1.0, help="share with masked names (%(default)s)"
    )
    parser.add_argument(
        "--names",
        choices=("random", "neutral"),
        default="random",
        help="what masked names look like (%(default)s)",
    )
    parser.add_argument("--no-shuffle", action="store_true", help="keep the order of tools")
    parser.add_argument(
        "--distractors", type=whole(0), default=0, help="most tools that are added (%(default)s)"
    )
    parser.add_argument(
        "--pool", type=Path, metavar="TOOLS", help="where those are from: a Python or JSON file"
    )
    _add_seed(parser)


def _add_deduplicate(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Deduplicate

        return Deduplicate(
            threshold=options.threshold,
            shingles=options.shingles,
            size=options.size,
            same_calls=options.same_calls,
        )

    parser = _added(
        stages,
        "deduplicate",
        make,
        "Keep the first line of those with the same request, or nearly the same.",
        "Candidates are found by MinHash (extra synth) and compared exactly.",
        "data.jsonl --threshold 0.8 --out unique.jsonl",
    )
    _add_threshold(parser)
    parser.add_argument(
        "--shingles",
        choices=("words", "characters"),
        default="words",
        help="what is compared: runs of these (%(default)s)",
    )
    parser.add_argument("--size", type=whole(1), default=3, help="their length (%(default)s)")
    parser.add_argument(
        "--same-calls", action="store_true", help="duplicates must make the same calls"
    )


def _add_decontaminate(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Decontaminate, Withheld

        withheld = Withheld.of(*options.against)
        return Decontaminate(
            withheld, run=options.run_length, threshold=options.threshold, tools=options.tools
        )

    parser = _added(
        stages,
        "decontaminate",
        make,
        "Refuse lines with requests, or tools, of an evaluation.",
        "Files hold JSON lines, one JSON list, or a text a line (.txt); BFCL is the wheel of\n"
        "bfcl-eval, a folder with it, or one of its files.",
        "data.jsonl --against bfcl_eval.whl heldout.jsonl --out clean.jsonl",
    )
    parser.add_argument(
        "--against", type=Path, nargs="+", required=True, metavar="FILE", help="the evaluation"
    )
    _add_threshold(parser)
    parser.add_argument(
        "--run",
        dest="run_length",
        type=whole(3),
        default=13,
        help="so many words in a row are no chance (%(default)s)",
    )
    parser.add_argument("--tools", action="store_true", help="refuse its tools, too")


def _add_threshold(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        type=number(1),
        default=0.8,
        help="least similarity of near copies (%(default)s)",
    )


def _add_pair(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import FAULTS, Pair

        faults = tuple(options.fault) or FAULTS
        return Pair(options.pairs, faults, options.format, options.seed)

    parser = _added(
        stages,
        "pair",
        make,
        "Put a wrong turn beside a right one, for training by preference.",
        "Faults are syntax, unknown function, unknown argument, missing argument, wrong type (all\n"
        "refused by the grammar), wrong argument, wrong function, missing call, extra call,\n"
        "needless call and no call.",
        'data.jsonl --pairs 2 --fault "wrong argument" --out pairs.jsonl',
    )
    parser.add_argument("--pairs", type=whole(1), default=1, help="most for a line (%(default)s)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        help="one that is made; may be given several times (all)",
    )
    parser.add_argument(
        "--format", default="hermes", metavar="NAME", help="the chat format (%(default)s)"
    )
    _add_seed(parser)


def _add_import(stages: Commands) -> None:
    def make(options: argparse.Namespace) -> Stage:
        from schemask.synth import Import

        return Import(options.shape)

    parser = _added(
        stages,
        "import",
        make,
        "Make lines of the records of a published data set.",
        "What was mended or refused is counted, and told in the ledger.",
        "xlam.json --shape xlam --out data.jsonl",
    )
    parser.add_argument(
        "--shape",
        required=True,
        metavar="NAME",
        help="hermes, openai, sharegpt, toolace or xlam",
    )


def _read_json(path: Path) -> Any:
    try:
        return decoded("".join(lines(str(path))))
    except DataError as error:
        raise DataError(f"{path}: {error}", line=error.line, column=error.column) from error
