"""`schemask template`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from schemask.cli.arguments import Commands, add_command, whole
from schemask.cli.errors import fail

if TYPE_CHECKING:
    from schemask.chat.templates.report import TemplateReport


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "template",
        run,
        "Tell what format follows from a model's chat template, and what the template does oddly.",
        "The format is derived from what the template renders and proven on random conversations;\n"
        "it is shown as Python. Exits with 1 if it cannot be derived or proven.",
        "schemask template chat_template.jinja --conversations 500",
    )
    parser.add_argument(
        "source",
        type=Path,
        metavar="TOKENIZER_OR_FILE",
        help="a folder that transformers wrote, a GGUF, a tokenizer_config.json, or a template",
    )
    parser.add_argument(
        "--conversations", type=whole(1), default=100, help="how many are tried (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="makes it repeatable (%(default)s)"
    )
    for name, what in (("bos", "begins"), ("eos", "ends")):
        parser.add_argument(
            f"--{name}-token",
            default="",
            metavar="TEXT",
            help=f"the token that {what} a text, if the source does not say it",
        )
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        metavar="TEXT",
        help="one more special token; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask.chat.templates.report import report
    from schemask.chat.templates.template import ChatTemplate

    template = ChatTemplate.of(
        options.source,
        bos_token=options.bos_token,
        eos_token=options.eos_token,
        special_tokens=options.special_token,
    )
    bar = tqdm(total=options.conversations, unit=" conversations", disable=not sys.stderr.isatty())
    with bar:
        made = report(
            template,
            conversations=options.conversations,
            seed=options.seed,
            progress=bar.update,
        )
    if options.json:
        print(json.dumps(_as_json(made), ensure_ascii=False, indent=2))
    else:
        _show(made)
    return 0 if made.error is None else fail(f"{options.source}: {made.error}")


def _show(made: TemplateReport) -> None:
    from schemask.chat.printed import as_python, names_in

    print(f"derived: {_yes(made.spec is not None)}")
    if (proof := made.proof) is None:
        print("proven: no")
    else:
        print(f"proven: {proof.conversations} conversations, {proof.turns} turns of the assistant")
        for count, what in (
            (proof.off_prompt, "turns do not begin as prompts end"),
            (proof.dropped_reasoning, "turns have their reasoning dropped"),
            (proof.dropped_parts, "turns have words or arguments dropped"),
            (proof.unwritable, "turns could not be read back, and are refused"),
        ):
            if count:
                print(f"  {count} {what}")
    if made.spec is not None:
        print(f"calls: {_calls(made)}")
        print(f"reasoning: {_reasoning(made)}")
    if made.variables:
        print(f"variables: {', '.join(made.variables)}")
    if made.findings:
        print("findings:")
    for finding in made.findings:
        print(f"- {finding.text}")
        for example in finding.examples:
            print(f"    {example}")
    if made.spec is not None:
        print(f"\nfrom schemask.chat import {', '.join(names_in(made.spec))}\n")
        print(as_python(made.spec))


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _calls(made: TemplateReport) -> str:
    assert made.spec is not None
    if made.spec.max_calls == 0:
        by = f"; ChatFormat.from_template writes them into words by {made.calls_by}"
        return f"none{by if made.calls_by else ''}"
    return {None: "any number in a turn", 1: "one in a turn"}[made.spec.max_calls]


def _reasoning(made: TemplateReport) -> str:
    assert made.spec is not None
    if not made.spec.reasoning_open:
        return "none"
    ways = [f"by default {'on' if made.spec.reasons else 'off'}"]
    for name, variables in (("on", made.thinking), ("off", made.plain)):
        if variables:
            ways.append(f"{name} by {', '.join(f'{k}={v!r}' for k, v in variables.items())}")
        elif variables is None:
            ways.append(f"nothing turns it {name}")
    return "; ".join(ways)


def _as_json(made: TemplateReport) -> dict[str, Any]:
    from schemask.chat.printed import as_python, changed_fields

    spec, proof = made.spec, made.proof
    return {
        "derived": spec is not None,
        "proven": proof is not None,
        "error": made.error,
        "proof": proof and dataclasses.asdict(proof),
        "calls_by": made.calls_by,
        "reasoning": spec
        and {
            "default": spec.reasons,
            "on": made.thinking,
            "off": made.plain,
        },
        "variables": made.variables,
        "findings": [dataclasses.asdict(finding) for finding in made.findings],
        "format": spec and _plain(changed_fields(spec)),
        "python": spec and as_python(spec),
    }


def _plain(value: Any) -> Any:
    """Fields as JSON; an instance of a class is an object with the name of the class."""
    from schemask.chat.printed import changed_fields

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"class": type(value).__name__, **_plain(changed_fields(value))}
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, tuple) else value
