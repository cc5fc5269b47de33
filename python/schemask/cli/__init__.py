"""The command `schemask`."""

from schemask.cli.program import main

__all__ = ["main"]
