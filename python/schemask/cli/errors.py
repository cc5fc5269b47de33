"""How commands say that something went wrong: one line on standard error."""

from __future__ import annotations

import sys

from schemask.errors import Error


def fail(message: str) -> int:
    """Prints a message on one line; returns the exit status."""
    print(f"schemask: {' '.join(message.split())}", file=sys.stderr)
    return 1


def one_line(error: Error) -> str:
    """An error's message, with its pointer."""
    message = str(error)
    if error.pointer and error.pointer not in message:
        message += f" (at {error.pointer})"
    return message
