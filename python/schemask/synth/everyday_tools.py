"""Everyday tools and how people ask for them, of which a model learns to read definitions."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable
from typing import Any

from schemask.synth.phrasebook import Phrasebook
from schemask.tools import ToolSet


def everyday(besides: Iterable[str] = ()) -> tuple[ToolSet, Phrasebook]:
    """Tools of many domains, and a phrasebook for them.

    A model that is trained on a few functions alone learns to write their calls, whatever is
    offered and asked. Among conversations about these, it has to look at what is.

    Args:
        besides: Names of tools to leave out, such as those of one's own.
    """
    table = _table()
    known = {_bare(name) for name in besides}
    entries = [entry for entry in table["tools"] if _bare(entry["name"]) not in known]
    tools = [
        {"type": "function", "function": {key: entry[key] for key in _DEFINITION}}
        for entry in entries
    ]
    told: dict[str, Any] = {
        key: {entry["name"]: entry[key] for entry in entries}
        for key in ("requests", "values", "results", "answers")
    }
    questions: dict[str, list[str]] = {}
    for entry in entries:
        for name, texts in entry["questions"].items():
            questions.setdefault(name, []).extend(texts)
    talk = [(request, answer) for request, answer in table["small_talk"]]
    return ToolSet.of(tools), Phrasebook(**told, questions=questions, small_talk=talk)


_DEFINITION = ("name", "description", "parameters")


@functools.cache
def _table() -> Any:
    path = importlib.resources.files("schemask.synth").joinpath("everyday_tools.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
