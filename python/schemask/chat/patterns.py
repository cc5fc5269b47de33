"""Patterns of the package `regex`, of which response templates are made."""

from __future__ import annotations

import re
from collections.abc import Iterable

OUTSIDE_STRINGS = r'\G(?:[^"]|"(?:[^"\\]|\\.)*+")*?\K'
"""Reads on to a place outside of the strings of JSON.

`\\G` is where the search began, strings are skipped whole, and `\\K` lets the match begin only
after them.
"""


def loosely(text: str) -> str:
    """A pattern of the text, with or without the white space around it."""
    core = text.strip()
    if not core:
        return re.escape(text)
    start = text.index(core)
    after = text[start + len(core) :]
    # An unfinished `after` is waited for: matches at the end of the text are not final.
    unfinished = "|".join(re.escape(after[:length]) for length in range(len(after)))
    rest = rf"(?:{re.escape(after)}|(?:{unfinished})\Z|)" if len(after) > 1 else possibly(after)
    return possibly(text[:start]) + re.escape(core) + rest


def possibly(text: str) -> str:
    """A pattern of the text or nothing."""
    return f"(?:{re.escape(text)})?" if text else ""


def any_of(texts: Iterable[str]) -> str:
    """A pattern of one of the texts, longer ones first."""
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
