"""Schemas that are put into others: references that still fit, and parts that stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from schemask.schemas.pointer import at, reference_to
from schemask.schemas.schema import Schema, map_schema, subschemas


def argument_schema(parameters: Schema, path: Sequence[str | int]) -> Any:
    """The schema at a path inside the parameters of a tool, as one that stands by itself."""
    schema = at(parameters, path)
    refers = any("$ref" in part for part in subschemas(schema))
    if not refers and "$schema" not in parameters:
        return schema
    pointer = reference_to(path)[1:]
    place, whole = placed(parameters, "parameters")
    return {"$ref": place + pointer, "$defs": {"parameters": whole}}


def placed(parameters: Schema, name: str) -> tuple[str, Schema]:
    """A reference to parameters, and what to define under a name for it.

    Parameters with a draft or an identifier of their own are a resource of their own, in which
    references and keywords mean what they did.
    """
    key = "id" if "draft-04" in str(parameters.get("$schema")) else "$id"
    if "$schema" not in parameters and not isinstance(parameters.get(key), str):
        place = "#/$defs" + reference_to((name,))[1:]
        return place, rebase(parameters, place)
    own = parameters.get(key)
    identifier = own if isinstance(own, str) else "urn:tool:" + quote(name, safe="")
    return identifier.partition("#")[0] + "#", {**parameters, key: identifier}


def rebase(parameters: Schema, place: str) -> Schema:
    """A copy of a schema whose references into itself fit `place`, a pointer to where it is put."""

    def moved(schema: Schema) -> Schema:
        reference = schema.get("$ref")
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            return {**schema, "$ref": place + reference[1:]}
        return schema

    rebased: Schema = map_schema(parameters, moved)
    return rebased
