"""The command line: what it is made of, and how it ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from schemask._native import __version__
from schemask.cli.commands import (
    check,
    demo,
    eval,
    explain,
    format,
    generate,
    improve,
    lint,
    report,
    serve,
    synth,
    template,
    train,
)
from schemask.cli.errors import fail, one_line
from schemask.errors import Error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status.

    0: done. 1: bad input, with one line on standard error that says why, or a result that is not
    what was asked for. 2: wrong usage. 130: interrupted.
    """
    _replace_closed_streams()
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        status = run(options)
        sys.stdout.flush()
        return status
    except Error as error:
        return fail(one_line(error))
    except KeyboardInterrupt:
        return 130
    except UnicodeEncodeError as error:
        return fail(f"standard output cannot be written: {error}; PYTHONIOENCODING=utf-8 helps")
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough
        return 1
    except OSError as error:
        _drop_output()
        return fail(f"{error.filename or 'standard output'}: {error.strerror or error}")


def _replace_closed_streams() -> None:
    """Using a stream that was closed from the start is an error of the system, as others are."""
    for name, mode in (("stdin", "w"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def _drop_output() -> None:
    # What Python flushes at its end must not fail, too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    made = argparse.ArgumentParser(
        prog="schemask",
        description="Constrained decoding and function calling for local language models.",
    )
    made.add_argument("--version", action="version", version=f"schemask {__version__}")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (
        *(demo, improve, synth, lint, train, eval, report),
        *(format, template, check, explain, generate, serve),
    ):
        command.add(commands)
    return made
