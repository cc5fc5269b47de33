"""Schemas that are spread over documents."""

from __future__ import annotations

import pytest

import schemask

SCHEMA = {"type": "array", "items": {"$ref": "https://example.com/age"}}


def test_resources_are_what_references_lead_to() -> None:
    age = {"type": "integer", "minimum": 0}
    for resource in (age, '{"type": "integer", "minimum": 0}', int):
        resources = {"https://example.com/age": resource}
        assert schemask.Grammar.from_json_schema(SCHEMA, resources=resources).warnings == []
    named = {"anything": {"$id": "https://example.com/age", "type": "integer"}}
    assert schemask.Grammar.from_json_schema(SCHEMA, resources=named).warnings == []


def test_a_missing_document_is_named() -> None:
    with pytest.raises(schemask.SchemaError, match=r"https://example\.com/age") as raised:
        schemask.Grammar.from_json_schema(SCHEMA, resources={"https://example.com/b": {}})
    assert raised.value.pointer == "/items/$ref"


def test_places_in_resources_have_their_uri() -> None:
    resources = {"https://example.com/age": {"anyOf": [{"type": "int"}]}}
    with pytest.raises(schemask.SchemaError) as raised:
        schemask.Grammar.from_json_schema(SCHEMA, resources=resources)
    assert raised.value.pointer == "https://example.com/age#/anyOf/0/type"
