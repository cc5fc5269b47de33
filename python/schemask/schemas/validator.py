"""Whether a Python value is one of a JSON Schema, as the engine decides it for texts."""

from __future__ import annotations

import functools
import json
from typing import Any

from schemask import _native
from schemask.errors import Error
from schemask.schemas.schema import Schema


class Validator:
    """Checks values against one schema, which is compiled once, when it is needed.

    Args:
        schema: A JSON Schema. One that the engine cannot compile refuses nothing: what it means is
            up to whoever gets the value.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    @functools.cached_property
    def _compiled(self) -> _native.CompiledGrammar | None:
        try:
            text = json.dumps(self._schema, allow_nan=False)
            grammar = _native.Grammar.from_json_schema(text, "compact", "any", "any", True, [], {})
            return grammar.compile(_native.Vocabulary([*map(_byte, range(256)), b""], [256]))
        except (Error, TypeError, ValueError, RecursionError):
            return None

    def problem(self, value: Any) -> str | None:
        """Why the value is none of the schema, in words that name the place; None if it is one.

        Args:
            value: What `json.dumps` writes; anything else is a problem, too.
        """
        found = self.problem_at(value)
        return None if found is None else found[1]

    def problem_at(self, value: Any) -> tuple[str, str] | None:
        """As `problem`, after the JSON pointer of the place in the value.

        Args:
            value: As in `problem`.
        """
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            data = text.encode()
        except UnicodeEncodeError:
            return "", "a text with a lone surrogate"
        except (TypeError, ValueError, RecursionError) as error:
            return "", f"no JSON value: {error}"
        if self._compiled is None:
            return None
        matcher = self._compiled.matcher()
        try:
            if matcher.accept_bytes(data):
                # A number may be the beginning of others.
                return None if matcher.is_accepting else ("", str(matcher.explain_end()))
            found = matcher.explain_bytes(data)
        except Error as error:  # too much work
            return "", str(error)
        words = f"{found.reason}; expected {found.expected}"
        return found.value_pointer or "", f"{found.value_pointer or 'the value'}: {words}"


def validator_of(schema: Any) -> Validator:
    """The validator of a schema, which is kept: data makes the same tools anew in each line.

    Args:
        schema: A JSON Schema.
    """
    try:
        return _validator(json.dumps(schema, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):  # no JSON: it refuses nothing
        return Validator(schema)


@functools.lru_cache(maxsize=4096)
def _validator(schema: str) -> Validator:
    return Validator(json.loads(schema))


def _byte(value: int) -> bytes:
    return bytes([value])
