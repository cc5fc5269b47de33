"""xLAM: `query`, and `tools` and `answers` as JSON text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemask.synth.importers.conversation import ConversationBuilder, GivenCall, json_value
from schemask.synth.importers.notes import ImportRefusal, Notes


def read_xlam(record: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The line of a record.

    Args:
        record: The record.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: It cannot be one.
    """
    tools = _objects(record.get("tools"), "tools")
    builder = ConversationBuilder(tools, notes)
    answers = _objects(record.get("answers"), "answers")
    if not answers:
        raise ImportRefusal("no answer", "answers are empty: what is to be said is not told")
    calls = []
    for answer in answers:
        if not isinstance(answer, Mapping) or "name" not in answer:
            raise ImportRefusal("wrong shape", f"an answer without a name: {answer!r}")
        calls.append(GivenCall(answer["name"], answer.get("arguments")))
    builder.say("user", record.get("query"))
    builder.say("assistant", "", calls)
    return builder.line()


def _objects(given: Any, what: str) -> list[Any]:
    value = json_value(given, what)
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise ImportRefusal("wrong shape", f"{what} are no list")
    return value
