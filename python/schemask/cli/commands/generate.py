"""`schemask generate`."""

from __future__ import annotations

import argparse

from schemask._lines import lines
from schemask.cli.arguments import (
    WHITESPACE,
    Commands,
    add_command,
    add_model,
    add_sampling,
    sampling,
)
from schemask.cli.errors import fail
from schemask.cli.inputs import load_model


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "generate",
        run,
        "Let a model continue a prompt with JSON that a schema allows.",
        "The JSON goes to standard output, valid within the limit on tokens. Exits with 1 if the\n"
        "limit cut short what it says.",
        'schemask generate person.schema.json "A person as JSON:"',
    )
    parser.add_argument("schema", metavar="SCHEMA", help="the file; - is standard input")
    parser.add_argument("prompt", metavar="PROMPT", help="the text to continue")
    parser.add_argument(
        "--whitespace",
        choices=WHITESPACE,
        default="spaced",
        help="between the parts of the JSON text (%(default)s)",
    )
    add_model(parser)
    add_sampling(parser, max_tokens=256, temperature=0.0)


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.core.grammar import Grammar
    from schemask.models.opening import CONTEXT_TOKENS

    schema = "".join(lines(options.schema))
    grammar = Grammar.from_json_schema(schema, whitespace=options.whitespace)
    model = load_model(options.model)
    assert model.vocabulary is not None
    completion = model.generate(
        options.prompt,
        grammar=grammar.compile(model.vocabulary),
        sampling=sampling(options),
    )
    print(completion.text, flush=True)
    if completion.status == "max_tokens":
        limit = f"--max-tokens {options.max_tokens}"
        if completion.prompt_tokens + options.max_tokens > CONTEXT_TOKENS:
            limit = f"the context of {CONTEXT_TOKENS} tokens"
        return fail(
            f"{limit} cut the text short: it is valid, but not all that the model had to say"
        )
    return 0
