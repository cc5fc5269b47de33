"""What the pages of the site get from the package, so that it stays true, when mkdocs builds it."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from schemask import Limits
from schemask.chat import FORMATS
from schemask.cli.program import parser
from schemask.errors import FormatError
from schemask.lint import RULES

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/schemask/schemask/blob/main/"

NEWLINE = "\n"
CALL = {"function": {"name": "f", "arguments": {"n": 2, "s": "a"}}}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts in the tables that stand for the package, and links to files outside of the site."""
    for mark, make in MADE.items():
        if f"<!-- {mark} -->" in markdown:
            markdown = markdown.replace(f"<!-- {mark} -->", make())
    # GitHub wants bars in a table's code with a backslash, which Python-Markdown would show.
    markdown = re.sub(
        r"^\|.*", lambda row: row[0].replace("\\|", "|"), markdown, flags=re.MULTILINE
    )
    return re.sub(r"\]\((?:\.\./)+([\w./-]+)\)", _outside, markdown)


def _outside(link: re.Match[str]) -> str:
    is_page = (ROOT / "docs" / link[1].partition("#")[0]).exists()
    return link[0] if is_page else f"]({REPOSITORY}{link[1]})"


def formats() -> str:
    """A table of the formats in the catalogue."""
    lines = ["| format | models | reasoning | several calls | `parse_response` | a call |"]
    lines.append("| - | - | - | - | - | - |")
    for name, form in FORMATS.items():
        call = form.render_assistant({"role": "assistant", "tool_calls": [CALL]})
        cells = [
            f"`{name}`",
            form.spec.models,
            _works(form.tree, [], reasoning=True),
            _works(form.render_assistant, {"role": "assistant", "tool_calls": [CALL, CALL]}),
            _works(form.response_template),
            f"`` {call.replace(NEWLINE, '↵')} ``",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _works(function: Callable[..., object], *args: object, **options: object) -> str:
    try:
        function(*args, **options)
    except FormatError:
        return ""
    return "yes"


def limits() -> str:
    """The rows of a table of the limits, as the docstring of `Limits` says them."""
    lines = inspect.cleandoc(Limits.__doc__ or "").partition("Keys:\n")[2]
    found = re.findall(r"^ +(\w+): (.*?)(?=^ +\w+: |\Z)", lines, re.DOTALL | re.MULTILINE)
    rows = []
    for name, text in found:
        what, _, default = " ".join(text.split()).partition(" Default ")
        rows.append(f"| `{name}` | {what.rstrip('.')} | {default.rstrip('.') or 'none'} |")
    return "\n".join(rows)


def rules() -> str:
    """A table of the linter's rules."""
    lines = ["| rule | | what is wrong | what mends it |", "| - | - | - | - |"]
    for rule in RULES.values():
        lines.append(f"| `{rule.id}` | {rule.severity} | {rule.cause} | {rule.hint} |")
    return "\n".join(lines)


def commands() -> str:
    """What each command's `--help` says."""
    program = parser()
    parts = [f"```text\n{program.format_help()}```"]
    for name, command in _commands_of(program):
        parts.append(f"## {name}\n\n```text\n{command.format_help()}```")
    return "\n\n".join(parts)


def _commands_of(
    program: argparse.ArgumentParser, before: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands, and after each those that it has, such as `synth write`."""
    for action in program._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield before + name, command
                yield from _commands_of(command, f"{before}{name} ")


MADE = {"formats": formats, "limits": limits, "commands": commands, "rules": rules}
"""What stands in the place of a mark such as `<!-- formats -->`."""
