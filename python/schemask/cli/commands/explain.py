"""`schemask explain`."""

from __future__ import annotations

import argparse

from schemask._lines import lines
from schemask.cli.arguments import WHITESPACE, Commands, add_command


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "explain",
        run,
        "Tell whether a text is valid, or where it stops being so, why, and what may come there.",
        "Names the keywords that refuse it by their JSON pointers in the schema. One newline at\n"
        "the end of the text counts as nothing. Exits with 1 if the text is refused or unfinished.",
        "schemask explain person.schema.json person.json",
    )
    parser.add_argument("schema", metavar="SCHEMA", help="the file; - is standard input")
    parser.add_argument("text", metavar="TEXT", help="the file; - is standard input")
    notation = parser.add_mutually_exclusive_group()
    for name, what in (
        ("gbnf", "a grammar in GBNF, of which `root` is read"),
        ("lark", "a grammar in the notation of Lark, of which `start` is read"),
        ("regex", "a regular expression that matches the whole text"),
    ):
        notation.add_argument(
            f"--{name}",
            action="store_const",
            dest="notation",
            const=name,
            default="json_schema",
            help=f"SCHEMA is {what}",
        )
    parser.add_argument(
        "--whitespace",
        choices=WHITESPACE,
        default="flexible",
        help="between the parts of JSON (%(default)s)",
    )
    parser.add_argument(
        "--property-order",
        choices=("schema", "any"),
        default="any",
        help="of keys (%(default)s)",
    )
    parser.add_argument(
        "--spelling",
        choices=("plain", "any"),
        default="any",
        help="of strings and numbers (%(default)s)",
    )
    parser.set_defaults(wrong_usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.core.byte_vocabulary import byte_vocabulary
    from schemask.core.grammar import Grammar

    if options.schema == options.text == "-":
        options.wrong_usage("SCHEMA and TEXT cannot both be standard input")
    source = "".join(lines(options.schema))
    text = "".join(lines(options.text)).removesuffix("\n")
    json_options = {
        "whitespace": options.whitespace,
        "property_order": options.property_order,
        "spelling": options.spelling,
        # The largest run of whitespace: a text may be indented deeper than a model should write.
        "limits": {"whitespace_run": 255},
    }
    match options.notation:
        case "gbnf":
            grammar = Grammar.from_gbnf(source)
        case "lark":
            grammar = Grammar.from_lark(source, **json_options)
        case "regex":
            grammar = Grammar.from_regex(source.removesuffix("\n"))
        case _:
            grammar = Grammar.from_json_schema(source, **json_options)
    matcher = grammar.compile(byte_vocabulary()).matcher()
    if matcher.accept_bytes(text.encode()):
        explanation = matcher.explain_end()
        if explanation.allowed:
            print("valid")
            return 0
    else:
        explanation = matcher.explain_bytes(text.encode())
    print(f"refused at line {explanation.line}, column {explanation.column}")
    if explanation.value_pointer is not None:
        print(f"value: {explanation.value_pointer or '(root)'}")
    print(f"reason: {explanation.reason}")
    print(f"what may come: {explanation.expected}")
    return 1
