"""Answers that are data: the schema that they are of, and the value that a text of it spells."""

from __future__ import annotations

import json
from typing import Any

import pydantic
from pydantic_core import to_json

from schemask.chat.messages import decode_json
from schemask.errors import FormatError, SchemaError, shortened
from schemask.schemas.python_values import (
    BindableSchema,
    bindable,
    problems_of,
    whole_numbers,
)
from schemask.schemas.schema import Schema, closed, map_schema
from schemask.schemas.validator import validator_of


class Response:
    """What an answer must be.

    Args:
        given: A JSON Schema as a dict, a bool or a JSON text; or a pydantic model, or any type that
            pydantic understands.

    Attributes:
        schema: The JSON Schema. Of a type, it allows what can be made one of its values, and no
            keys that the type does not declare.

    Raises:
        SchemaError: It is none of these.
    """

    def __init__(self, given: Any) -> None:
        self._adapter: pydantic.TypeAdapter[Any] | None = None
        self.schema: Schema | bool
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except ValueError as error:
                raise SchemaError(f"response_schema is no JSON text: {error}") from error
        if isinstance(given, (dict, bool)):
            self.schema = given
            return
        try:
            self._adapter = pydantic.TypeAdapter(given)
            made = self._adapter.json_schema(schema_generator=BindableSchema)
        except Exception as error:  # of pydantic, or of a type that somebody else wrote
            reason = str(error).partition("\n")[0]
            raise SchemaError(
                "response_schema is neither a JSON Schema nor a type with one: "
                f"{shortened(given)}: {reason}"
            ) from error
        self.schema = map_schema(map_schema(made, bindable), closed)

    def read(self, text: str) -> Any:
        """The value that an answer spells.

        Raises:
            FormatError: It is no JSON, or not of the schema or type.
        """
        value = decode_json(text, "the response")
        if self._adapter is None:
            if (problem := validator_of(self.schema).problem(value)) is not None:
                raise FormatError(f"the response is not of the schema: {problem}")
            return value
        try:
            # Strict types take strings for dates and members of enums only if they come as JSON.
            packed = to_json(whole_numbers(value), inf_nan_mode="constants")
            return self._adapter.validate_json(packed)
        except pydantic.ValidationError as error:
            raise FormatError(
                f"the response is not of the type: {problems_of(error, 'the value')}"
            ) from error
        except Exception as error:  # of a validator that somebody else wrote
            reason = f"{type(error).__name__}: {error}"
            raise FormatError(f"the response is not of the type: {reason}") from error
