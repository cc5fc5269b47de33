"""`schemask check`."""

from __future__ import annotations

import argparse

from schemask._lines import lines
from schemask.cli.arguments import Commands, add_command
from schemask.errors import UnsupportedSchemaError


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "check",
        run,
        "Tell whether a JSON Schema is supported, and show the shortest text that it allows.",
        "Lists what is ignored as warnings, and every unsupported keyword, with JSON pointers.\n"
        "Exits with 1 if anything is unsupported.",
        "schemask check person.schema.json",
    )
    parser.add_argument("schema", metavar="SCHEMA", help="the file; - is standard input")


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.core.byte_vocabulary import byte_vocabulary
    from schemask.core.grammar import Grammar

    schema = "".join(lines(options.schema))
    try:
        grammar = Grammar.from_json_schema(schema, whitespace="spaced")
    except UnsupportedSchemaError:
        print("supported: no")
        # What strict compilation stops at, one by one, lenient compilation lists.
        for pointer, message in Grammar.from_json_schema(schema, strict=False).warnings:
            print(f"  {pointer or '(root)'}: {message}")
        return 1
    example = grammar.compile(byte_vocabulary()).matcher().completion()
    print("supported: yes")
    for pointer, message in grammar.warnings:
        print(f"warning at {pointer or '(root)'}: {message}")
    print(f"example: {example.decode()}")
    return 0
