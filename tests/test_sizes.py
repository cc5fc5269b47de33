"""How long files and functions are, and that no two types share a name; exceptions with reasons."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

# What is no code, and what only looks like the beginning of a comment or the end of a block.
RUST = re.compile(
    r"""(?P<comment> //[^\n]* | /\*.*?\*/ )
      | (?P<text> \bb?r(?P<hashes>\#*)".*?"(?P=hashes) | "(?:[^"\\]|\\.)*" | '(?:[^'\\\n]|\\[^\n][^'\n]*)' )""",
    re.X | re.S,
)


def bare(source: str) -> str:
    """A Rust source without comments, and texts without what they hold."""

    def replacement(found: re.Match[str]) -> str:
        letter = " " if found["comment"] else "_"
        return re.sub(r"\S", letter, found[0])

    return RUST.sub(replacement, source)
