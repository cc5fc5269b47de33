"""Definitions of tools as data sets have them, made into ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from schemask.errors import Error, shortened
from schemask.schemas.schema import Schema, map_schema
from schemask.schemas.validator import validator_of
from schemask.synth.importers.notes import ImportRefusal, Notes
from schemask.synth.importers.types import JSON_TYPES, kind_of, schema_of_type
from schemask.synth.validity import schema_problem
from schemask.tools import Tool

_KNOWN = {"name", "description", "parameters"}
_NO_PARAMETERS: Schema = {"type": "object", "properties": {}, "additionalProperties": False}


def tool_of(given: Any, notes: Notes) -> tuple[str, Tool]:
    """The name that a data set gives to a tool, and the tool.

    Args:
        given: A definition with `name`, `description` and `parameters`, also under `function`.
            Parameters are a JSON Schema, whose types may be Python's, or map names to
            `{"type", "description", "default"}`.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: It cannot be mended.
    """
    if not isinstance(given, Mapping):
        raise ImportRefusal("invalid tool", f"no definition: {shortened(given)}")
    inner = given.get("function", given)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise ImportRefusal("invalid tool", f"it has no name: {shortened(given)}")
    own = inner["name"]
    name = re.sub(r"[^\w.:/-]+", "_", own.strip()).strip("_") or "_"
    if name != own:
        notes.add("name of a tool", f"{own!r} is {name!r}")
    dropped = [key for key, value in inner.items() if key not in _KNOWN and value]
    if dropped:
        notes.add("keys of a tool dropped", f"{name}: {', '.join(dropped)}")
    description = inner.get("description")
    if not isinstance(description, (str, type(None))):
        notes.add("description of a tool", f"{name}: no text: {shortened(description)}")
        description = ""
    try:
        definition = {"name": name, "description": description or ""}
        made = Tool.from_definition({**definition, "parameters": _parameters(inner, name, notes)})
    except Error as error:
        raise ImportRefusal("invalid tool", str(error)) from error
    except ImportRefusal as refusal:
        raise ImportRefusal(refusal.reason, f"{name}: {refusal.detail}") from refusal
    if (problem := schema_problem(made.parameters)) is not None:
        raise ImportRefusal("invalid tool", f"{name}: {problem}")
    return own, made


def _parameters(definition: Mapping[str, Any], name: str, notes: Notes) -> Schema:
    given = definition.get("parameters")
    if not given:
        return _NO_PARAMETERS
    if not isinstance(given, Mapping):
        raise ImportRefusal("invalid tool", f"parameters are no object: {shortened(given)}")
    if isinstance(given.get("properties"), Mapping) or isinstance(given.get("type"), str):
        schema = dict(given)
        if "type" not in schema:
            notes.add("types mapped", f"{name}: parameters have no type")
            schema["type"] = "object"
        made: Schema = map_schema(schema, lambda part: _mended(part, name, notes))
        return made
    return _flat(given, name, notes)


def _flat(given: Mapping[str, Any], name: str, notes: Notes) -> Schema:
    """Parameters that map each name to a type, a description and a default."""
    properties: Schema = {}
    required = []
    for key, told in given.items():
        if not isinstance(told, Mapping) or not isinstance(told.get("type", ""), str):
            raise ImportRefusal("invalid tool", f"parameter {key!r}: {shortened(told)}")
        text = str(told.get("type", ""))
        schema, optional = schema_of_type(text)
        notes.add("types mapped")
        for keyword, value in told.items():
            if keyword in ("type", "required", "optional"):
                continue
            if keyword == "default":
                optional = True
                if not _fits(value, schema):
                    notes.add("default dropped", f"{name}: {key}: {shortened(value)} is no {text}")
                    continue
            schema = {**schema, keyword: value}
        properties[key] = schema
        is_required = told.get("required", not (optional or told.get("optional") is True))
        if is_required is True:
            required.append(key)
    return {"type": "object", "properties": properties, "required": required}


def _fits(value: Any, schema: Schema) -> bool:
    return validator_of(schema).problem(value) is None


def _mended(part: Schema, name: str, notes: Notes) -> Schema:
    """A schema with the types of JSON; what it declares has been mended before."""
    made = dict(part)
    kinds = made.get("type")
    if isinstance(kinds, str) and kinds not in JSON_TYPES:
        schema, optional = schema_of_type(kinds)
        notes.add("types mapped", f"{name}: {kinds}")
        del made["type"]
        made = {**schema, **made}
        if optional:
            made["optional"] = True
    elif isinstance(kinds, list) and not JSON_TYPES.issuperset(map(str, kinds)):
        notes.add("types mapped", f"{name}: {', '.join(map(str, kinds))}")
        mapped = [kind_of(str(kind)) for kind in kinds]
        made["type"] = [kind for kind in dict.fromkeys(mapped) if kind is not None]
        if None in mapped:
            del made["type"]
    properties = made.get("properties")
    if isinstance(properties, dict):
        _mend_required(made, properties, name, notes)
    return made


def _mend_required(made: Schema, properties: Schema, name: str, notes: Notes) -> None:
    """Which properties are required: a list of names of those that there are."""
    given = made.get("required")
    required = list(given) if isinstance(given, list) else []
    for key, schema in properties.items():
        if not isinstance(schema, dict):
            continue
        told = schema.get("required")
        if isinstance(told, bool):
            properties[key] = schema = {k: v for k, v in schema.items() if k != "required"}
            notes.add("required mended", f"{name}: {key}")
            if told and key not in required:
                required.append(key)
        if isinstance(schema.get("optional"), bool):
            if schema["optional"] and key in required:
                required.remove(key)
            properties[key] = {k: v for k, v in schema.items() if k != "optional"}
            notes.add("required mended", f"{name}: {key}")
    declared = [key for key in required if isinstance(key, str) and key in properties]
    if declared != required:
        unknown = [shortened(key) for key in required if key not in declared]
        notes.add("required mended", f"{name}: not declared: {', '.join(unknown)}")
        required = declared
    if required != given and (required or "required" in made):
        made["required"] = required
