"""`schemask synth`."""

from __future__ import annotations

import argparse

from schemask.cli.arguments import Commands, add_command
from schemask.cli.commands import synth_stages, synth_write


def add(commands: Commands) -> None:
    """The command, and those that it has."""
    parser = add_command(
        commands,
        "synth",
        run,
        "Write synthetic conversations that call tools, and refine such lines.",
        "`write` makes lines. Each of the others is a stage from one file to another; beside the\n"
        "output, a ledger says what was refused and why. What was killed goes on.",
        "schemask synth execute data.jsonl --tools tools.py --out executed.jsonl",
    )
    stages = parser.add_subparsers(title="stages", required=True, metavar="STAGE")
    synth_write.add(stages)
    synth_stages.add(stages)


def run(options: argparse.Namespace) -> int:
    """Does what the stage does; returns the exit status."""
    status: int = options.run(options)
    return status
