"""The arguments that the parameters of a tool declare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from schemask.errors import UnsupportedSchemaError
from schemask.schemas.places import argument_schema
from schemask.schemas.pointer import Path, pointer_of, resolve
from schemask.schemas.schema import Schema

# What notations other than JSON cannot say of the arguments, nor of what is in them.
OTHER_KEYWORDS = {
    *("contains", "minContains", "maxContains", "uniqueItems", "prefixItems"),
    *("additionalItems", "unevaluatedItems", "unevaluatedProperties", "patternProperties"),
    *("propertyNames", "minProperties", "maxProperties", "dependentRequired"),
    *("dependentSchemas", "dependencies", "allOf", "anyOf", "oneOf", "not", "if", "$dynamicRef"),
}


@dataclass(frozen=True)
class Argument:
    """A parameter of a tool that has been declared."""

    key: str
    schema: Any
    required: bool
    path: Path


def declared_arguments(parameters: Schema) -> list[Argument]:
    """The parameters of a tool, in the order of the schema.

    Raises:
        UnsupportedSchemaError: It says more of them than which there are and which are required.
    """
    schema, path = followed(parameters, parameters, ())
    for keyword in schema:
        if keyword in OTHER_KEYWORDS:
            refuse(path, keyword)
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    if missing := [key for key in required if key not in properties]:
        refuse(path, "required", f" ({missing[0]!r} is not among the properties)")
    return [
        Argument(
            key,
            argument_schema(parameters, (*path, "properties", key)),
            key in required,
            (*path, "properties", key),
        )
        for key in properties
    ]


def schema_of_argument(parameters: Schema, key: str) -> Any:
    """The schema of an argument; of one that is not declared, the schema of everything."""
    schema, path = followed(parameters, parameters, ())
    if key not in schema.get("properties", {}):
        return True
    return argument_schema(parameters, (*path, "properties", key))


def followed(root: Schema, schema: Any, path: Path) -> tuple[Schema, Path]:
    """Where a schema's reference leads to, if it is one, and where that stands."""
    seen = 0
    while isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        reference = schema["$ref"]
        seen += 1
        if seen > 32:
            refuse(path, "$ref", f" {reference!r}")
        try:
            schema, path = resolve(root, reference)
        except ValueError:
            refuse(path, "$ref", f" {reference!r}")
        except LookupError:
            refuse(path, "$ref", f" {reference!r}, which leads to nothing")
    return schema, path


def refuse(path: Sequence[str | int], keyword: str, more: str = "") -> NoReturn:
    """Raises the error of what a notation cannot express."""
    pointer = pointer_of((*path, keyword))
    message = f"{pointer}: the format's notation of arguments cannot express `{keyword}`{more}"
    raise UnsupportedSchemaError(message, pointer=pointer)
