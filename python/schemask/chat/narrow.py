"""Schemas of a few types, brought to one list of keywords, for engines that read these alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from schemask.schemas.schema import Schema

NOTES = {
    *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
    *("$comment", "$schema", "$defs", "definitions"),
}


def merged(schema: Any, types: Sequence[str]) -> Schema | None:
    """The values of some types that a schema allows, as keywords beside each other.

    Keywords that say nothing of them, and branches of `anyOf` and `oneOf` for other types, are left
    out. `not` is a list here, of all schemas that a value must not satisfy.

    Args:
        schema: The schema.
        types: Types of JSON; "number" includes "integer".

    Returns:
        The keywords; None where two parts of the schema say the same keyword.
    """
    made: Schema = {"not": []}
    found = [*types]
    for part in _parts(schema, types):
        for keyword, value in part.items():
            if keyword == "type":
                found = _common(found, [value] if isinstance(value, str) else value)
            elif keyword == "not":
                made["not"].append(value)
            elif keyword in made and made[keyword] != value:
                return None
            else:
                made[keyword] = value
    made["type"] = found[0] if len(found) == 1 else found
    return made


def _parts(schema: Any, types: Sequence[str]) -> Iterator[Schema]:
    """Schemas without `allOf`, of which each value satisfies all."""
    if not isinstance(schema, dict):
        if schema is False:
            yield {"not": True}
        return
    own = {}
    for keyword, value in schema.items():
        if keyword == "allOf":
            for part in value:
                yield from _parts(part, types)
        elif keyword in ("anyOf", "oneOf"):
            branches = [branch for branch in value if _may_be(branch, types)]
            if len(branches) == 1:
                yield from _parts(branches[0], types)
            else:
                own[keyword] = branches
        elif keyword not in NOTES:
            own[keyword] = value
    yield own


def _may_be(schema: Any, types: Sequence[str]) -> bool:
    """Whether a schema says nothing that excludes all of some types."""
    if not isinstance(schema, dict) or "type" not in schema:
        return schema is not False
    named = schema["type"]
    return bool(_common([*types], [named] if isinstance(named, str) else named))


def _common(one: list[str], other: Sequence[str]) -> list[str]:
    """The types of both lists."""
    both = [kind for kind in one if kind in other]
    if ("number" in one) != ("number" in other) and "integer" in (*one, *other):
        both += ["integer"]
    return list(dict.fromkeys(both))
