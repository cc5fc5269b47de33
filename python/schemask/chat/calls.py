"""The JSON Schema of one call."""

from __future__ import annotations

from collections.abc import Sequence

from schemask.schemas.places import placed
from schemask.schemas.schema import Schema
from schemask.tools import ToolSet

CallMembers = Sequence[tuple[str, str]]


def call_schema(
    tools: ToolSet,
    members: CallMembers = (("name", "{name}"), ("arguments", "{arguments}")),
    patterns: dict[str, str] | None = None,
    optional_members: Sequence[str] = (),
) -> Schema:
    """The JSON Schema of one call: an object with the name of a tool and that tool's arguments.

    The parameters of tool `t` stand at `#/$defs/t`; their own references are rewritten to match.

    Args:
        tools: The tools that may be called.
        members: Keys of the object, each with what it holds: `{name}`, `{arguments}`, or a key of
            `patterns`.
        patterns: Patterns of the strings that other members hold.
        optional_members: Keys that may be missing.

    Raises:
        ToolError: What cannot be a tool.
    """
    definitions: Schema = {}
    options = []
    for item in ToolSet.of(tools):
        place, definitions[item.name] = placed(item.parameters, item.name)
        held: dict[str, Schema] = {"{name}": {"const": item.name}, "{arguments}": {"$ref": place}}
        for what, pattern in (patterns or {}).items():
            held[what] = {"type": "string", "pattern": f"^(?:{pattern})$"}
        options.append(
            {
                "type": "object",
                "properties": {key: held[what] for key, what in members},
                "required": [key for key, _ in members if key not in optional_members],
                "additionalProperties": False,
            }
        )
    return {"anyOf": options, "$defs": definitions}
