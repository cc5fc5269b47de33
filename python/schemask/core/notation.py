"""Grammars whose notation a request does not name."""

from __future__ import annotations

import re
from typing import Any

from schemask.core.grammar import Grammar, Whitespace, tree_grammar
from schemask.core.limits import Limits
from schemask.errors import GrammarError, shortened

# A rule of GBNF. Lark has one colon there, so no grammar in Lark has such a line.
_GBNF_RULE = re.compile(r"^[ \t]*[A-Za-z_][\w-]*[ \t]*::=", re.MULTILINE)


def from_notation(
    text: str, whitespace: Whitespace = "flexible", limits: Limits | None = None
) -> Grammar:
    """The texts of a grammar in GBNF, from `root`, or in Lark, from `start`.

    It is GBNF if a line of it begins with a name and `::=`.

    Args:
        text: The rules.
        whitespace: Of JSON values in Lark; see `Grammar`.
        limits: See `Grammar`.

    Raises:
        GrammarError: As `Grammar.from_gbnf` and `Grammar.from_lark`.
        SchemaError: A schema in it is refused.
        LimitError: It is too large or nests too deeply.
    """
    if _GBNF_RULE.search(text):
        return Grammar.from_gbnf(text, limits=limits)
    return Grammar.from_lark(text, whitespace=whitespace, limits=limits)


def from_choices(choices: Any) -> Grammar:
    """One of some texts.

    Args:
        choices: A list of texts, as JSON has it.

    Raises:
        GrammarError: It is none, or empty.
    """
    if not isinstance(choices, list) or not choices:
        raise GrammarError(f"choice is a list of texts that is not empty, not {shortened(choices)}")
    if wrong := [choice for choice in choices if not isinstance(choice, str)]:
        raise GrammarError(f"choice is a list of texts, not of {shortened(wrong[0])}")
    return tree_grammar({"any": choices})
