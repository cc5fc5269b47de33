"""The tools that lines offer, each read and checked once however many lines offer it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.errors import Error, SchemaError, ToolError, UnsupportedSchemaError
from schemask.schemas.pointer import pointer_of
from schemask.tools import Tool

# Distinct definitions that are kept; data has far fewer, unless each line has its own.
_KEPT = 4096


@dataclass(frozen=True, eq=False)
class OfferedTool:
    """A definition of a tool in a line.

    Attributes:
        name: Its name, if it has one.
        tool: What it defines, without nulls; None if it is no definition.
        key: The definition as a text, by which equal ones are known.
        problem: Why it cannot be a tool or its parameters are no schema, if so; and where.
        nulls: JSON pointers of the nulls that no schema holds.
    """

    name: str | None
    tool: Tool | None
    key: str
    problem: tuple[str, str] | None
    nulls: tuple[str, ...]

    @functools.cached_property
    def parameters_key(self) -> str:
        """What it takes, as a text."""
        return _as_text(self.tool.parameters) if self.tool is not None else ""


def offered(definition: Any) -> OfferedTool:
    """What a definition in a line says."""
    try:
        return _read(_as_text(definition))
    except RecursionError:
        return OfferedTool(None, None, "", ("it is nested too deeply", ""), ())


@functools.lru_cache(maxsize=_KEPT)
def _read(text: str) -> OfferedTool:
    definition = json.loads(text)
    nulls = tuple(pointer_of(path) for path in _nulls(definition, ()))
    try:
        tool = Tool.from_definition(without_nulls(definition) if nulls else definition)
    except ToolError as error:
        return OfferedTool(_name_of(definition), None, text, (str(error), error.pointer or ""), ())
    problem = None
    try:
        Grammar.from_json_schema(tool.parameters, property_order="any").compile(byte_vocabulary())
    except UnsupportedSchemaError:
        pass  # a schema, but not one by which calls are checked
    except SchemaError as error:
        problem = (f"{tool.name}: {error}", "")
    except Error:
        pass  # too much work
    return OfferedTool(tool.name, tool, text, problem, nulls)


def _name_of(definition: Any) -> str | None:
    if not isinstance(definition, Mapping):
        return None
    inner = definition.get("function")
    name = (inner if isinstance(inner, Mapping) else definition).get("name")
    return name if isinstance(name, str) else None


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=False)


def _nulls(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of keys that hold null where no schema holds it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if inner is None and key not in ("default", "const", "example"):
                yield (*path, key)
            elif key not in ("default", "const", "enum", "example", "examples"):
                yield from _nulls(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _nulls(inner, (*path, at))


def without_nulls(value: Any) -> Any:
    """A copy without the keys that hold null."""
    if isinstance(value, Mapping):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def null_paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all keys of a value that hold null."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if inner is None:
                yield (*path, key)
            else:
                yield from null_paths(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from null_paths(inner, (*path, at))


def is_declared(schema: Any, path: Sequence[str | int]) -> bool:
    """Whether a schema names the key at a path among its properties; True if it cannot be seen."""
    for at, key in enumerate(path):
        if not isinstance(schema, Mapping) or schema.keys() & {"$ref", "allOf", "anyOf", "oneOf"}:
            return True
        if isinstance(key, int):
            schema = schema.get("items")
            continue
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) and at:
            return True  # an object of any keys
        if key not in (properties or {}):
            # What allows others by a schema expects them.
            return isinstance(schema.get("additionalProperties"), Mapping)
        schema = (properties or {})[key]
    return True
