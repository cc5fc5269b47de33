"""What a docstring says of a function and of its parameters, in the common styles."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection
from typing import Any

# Sections of the Google style begin after an empty line for griffe, but not for everybody.
_TITLE = (
    r"(?:Args|Arguments|Parameters|Params|(?:Keyword|Other) (?:Args|Arguments|Parameters)"
    r"|Returns|Yields|Raises|Examples?):[ \t]*$"
)
_SECTION = re.compile(f"^(?={_TITLE})", re.MULTILINE)
# What stands below a title in the first line has lost its indentation with the docstring's own.
_FIRST = re.compile(rf"(?P<title>{_TITLE})\n(?P<rest>\S[\s\S]*)", re.MULTILINE)
_STYLES = ("google", "numpy", "sphinx")


def read_docstring(text: str, parameters: Collection[str]) -> tuple[str, dict[str, str]]:
    """The text before all sections, and what is said of each parameter, on one line.

    The style is the one in which the most parameters are described: that of Google, numpy or
    Sphinx.

    Args:
        text: The docstring, without indentation.
        parameters: Names of the parameters; what is said of others is left out.
    """
    if not text.strip():
        return "", {}
    readings = [_read(text, style, parameters) for style in _STYLES]
    # Where no parameter is described, other sections tell the style.
    summary, notes, _ = max(readings, key=lambda reading: (len(reading[1]), reading[2]))
    return summary, notes


def _read(text: str, style: str, parameters: Collection[str]) -> tuple[str, dict[str, str], int]:
    # Takes half a second, which those who use no tools need not wait.
    from griffe import Docstring

    if style == "google":
        if first := _FIRST.fullmatch(text):
            text = f"{first['title']}\n{textwrap.indent(first['rest'], '    ')}"
        text = _SECTION.sub("\n", text)
    options: dict[str, Any] = {"warnings": False}
    sections = Docstring(text).parse(style, **options)  # type: ignore[arg-type]
    summary = ""
    notes: dict[str, str] = {}
    for index, section in enumerate(sections):
        if section.kind.value in ("parameters", "other parameters"):
            for described in section.value:
                name = described.name.lstrip("*")
                note = " ".join(described.description.split())
                if name in parameters and note:
                    notes.setdefault(name, note)
        elif section.kind.value == "text" and index == 0:
            summary = section.value.strip()
    return summary, notes, len(sections)
