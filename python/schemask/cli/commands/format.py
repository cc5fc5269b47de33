"""`schemask format`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from schemask._files import replacing
from schemask._lines import at_line, conversation_of, read_objects
from schemask.chat import FORMATS, ChatFormat, chat_format
from schemask.cli.arguments import Commands, add_command
from schemask.errors import Error


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "format",
        run,
        "Turn conversations in JSON lines into ChatML training text.",
        'A line is {"messages": [...], "tools": [...]} or {"user": ..., "tool_call": ...}.\n'
        'Written are lines {"text": ...}, or with --plain the texts themselves. Empty lines count\n'
        "as nothing. A file appears once it is whole.",
        "schemask format data.jsonl --format hermes --out train.jsonl",
    )
    parser.add_argument("data", metavar="DATA", help="the file; - is standard input")
    parser.add_argument("--format", choices=FORMATS, default="tool_code", help="(%(default)s)")
    parser.add_argument("--plain", action="store_true", help="text instead of JSON lines")
    parser.add_argument("--out", type=Path, help="the file to write; standard output if not given")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    form = chat_format(options.format)
    with contextlib.ExitStack() as stack:
        out: BinaryIO = sys.stdout.buffer  # in UTF-8, whatever the terminal's encoding is
        if options.out is not None:
            out = stack.enter_context(replacing(options.out, force=options.force))
        for number, example in read_objects(options.data):
            try:
                text = _training_text(example, form)
            except Error as error:
                raise at_line(error, options.data, number) from error
            if not options.plain:
                text = json.dumps({"text": text}, ensure_ascii=False) + "\n"
            out.write(text.encode())
    return 0


def _training_text(example: Mapping[str, Any], form: ChatFormat) -> str:
    messages, tools = conversation_of(example)
    return form.render(messages, tools if len(tools) else None)
