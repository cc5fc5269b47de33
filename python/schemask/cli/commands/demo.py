"""`schemask demo`."""

from __future__ import annotations

import argparse

from schemask.cli.arguments import Commands, add_command, add_model
from schemask.cli.errors import fail
from schemask.cli.inputs import load_model


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "demo",
        run,
        "Watch a model answer a question by calling a Python function.",
        "Exits with 0 only if the call was valid, the function ran, and the model answered.",
        'schemask demo "What is Apple trading at?"',
    )
    parser.add_argument("question", nargs="?", help="asked instead of the usual question")
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask import demo

    result = demo.run(load_model(options.model), options.question or demo.QUESTION)
    if not any(step.kind == "result" for step in result.steps):
        return fail("the model answered without calling the function")
    if not any(step.kind == "result" and step.status == "ok" for step in result.steps):
        return fail("no call of the function succeeded")
    if result.status != "answered":
        return fail(f"the model came to no answer: {result.status}")
    return 0
