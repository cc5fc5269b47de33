"""Two independent validators, made exact about numbers, that judge what schemask accepts.

jsonschema-rs reads numbers as `Decimal`, jsonschema as `Fraction`; floats would lose digits. They
share neither code nor regular expressions (Python's `re` is not ECMA-262, which shows at times).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jsonschema
import jsonschema_rs
import jsonschema_specifications

# Fractions spell powers of ten out, so numbers beyond these are not judged.
LARGEST_EXPONENT = 500

_DRAFTS = {
    "json-schema.org/draft-04/schema": "Draft4Validator",
    "json-schema.org/draft-06/schema": "Draft6Validator",
    "json-schema.org/draft-07/schema": "Draft7Validator",
    "json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    "json-schema.org/draft/2020-12/schema": "Draft202012Validator",
}


class NotJudged(Exception):
    """The text holds a number that the validators cannot be given."""


def draft_of(schema: Any) -> str | None:
    """The name of the validators' class for the draft that `$schema` declares, if it names one."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(uri, str):
        return None
    return _DRAFTS.get(uri.removesuffix("#").partition("://")[2])


def translated(schema: Any) -> Any:
    """A schema as schemask reads it, said in the words of the draft that judges it.

    Without a known `$schema`, the spellings of older drafts count as well (boolean
    `exclusiveMinimum`, array `items`, `dependencies`, `definitions`) and become those of 2020-12,
    and `nullable` of OpenAPI becomes `type`. Keywords that the judges do not know are left alone.
    """
    return _translated(schema, draft_of(schema) is None)


_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    *("additionalProperties", "propertyNames", "unevaluatedProperties"),
    *("items", "additionalItems", "contains", "unevaluatedItems", "not", "if", "then", "else"),
)


def _translated(schema: Any, old: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    # A resource inside it may name a draft of its own.
    old = old and draft_of(schema) is None
    out = dict(schema)
    if old:
        out.pop("$schema", None)
        _modernise(out)
    for keyword, value in out.items():
        if keyword in _MAPS and isinstance(value, dict):
            out[keyword] = {name: _translated(sub, old) for name, sub in value.items()}
        elif keyword in (*_LISTS, "items") and isinstance(value, list):
            out[keyword] = [_translated(sub, old) for sub in value]
        elif keyword in _SINGLE:
            out[keyword] = _translated(value, old)
    if old and out.pop("nullable", None) is True and "type" in out:
        types = [out["type"]] if isinstance(out["type"], str) else out["type"]
        out["type"] = [*types, *({"null"} - set(types))]
    return out


def _modernise(schema: dict[str, Any]) -> None:
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool):
            holds = schema.pop(exclusive) and bound in schema
            schema.update({exclusive: schema.pop(bound)} if holds else {})
    if isinstance(schema.get("items"), list):
        prefix = schema.pop("items")
        rest = schema.pop("additionalItems", True)
        schema.update({"prefixItems": prefix} if prefix else {}, items=rest)
    else:
        # It counts only beside an array of items.
        schema.pop("additionalItems", None)
    needs = schema.pop("dependencies", None)
    for key, need in needs.items() if isinstance(needs, dict) else ():
        keyword = "dependentRequired" if isinstance(need, list) else "dependentSchemas"
        schema[keyword] = {**schema.get(keyword, {}), key: need}


@dataclass(frozen=True)
class Verdicts:
    """What each validator says; None if it raised, with the cause in `errors`."""

    first: bool | None
    second: bool | None
    errors: tuple[str, ...] = ()

    @property
    def agreed(self) -> bool | None:
        """The verdict of both, or None."""
        return self.first if self.first == self.second else None


class Judges:
    """Both validators for one schema: jsonschema-rs is the first, jsonschema the second.

    Args:
        schema: Of any draft; read as 2020-12 if it does not say.
        formats: Whether `format` is an assertion.
        resources: Documents that the schema may refer to, by URI.
    """

    def __init__(
        self, schema: Any, formats: bool = True, resources: dict[str, Any] | None = None
    ) -> None:
        name = draft_of(schema) or "Draft202012Validator"
        text = json.dumps(schema)
        self._first = self._second = None
        self.errors: list[str] = []
        try:
            self._first = getattr(jsonschema_rs, name)(
                json.loads(text, parse_float=Decimal),
                validate_formats=formats,
                **({"retriever": resources.__getitem__} if resources else {"offline": True}),
            )
        except Exception as error:
            self.errors.append(f"jsonschema-rs: {_short(error)}")
        try:
            registry = jsonschema_specifications.REGISTRY.with_contents((resources or {}).items())
            base = getattr(jsonschema, name)
            self._second = _exact(base, name)(
                json.loads(text, parse_float=Fraction),
                registry=registry,
                format_checker=base.FORMAT_CHECKER if formats else None,
            )
        except Exception as error:
            self.errors.append(f"jsonschema: {_short(error)}")

    def verdicts(self, text: str) -> Verdicts:
        """The verdicts on a JSON text.

        Raises:
            NotJudged: A number is too large or too small.
            ValueError: The text is no JSON.
        """
        decimals, fractions = parsed(text, Decimal), parsed(text, Fraction)
        said: list[bool | None] = []
        errors = list(self.errors)
        for validator, value in ((self._first, decimals), (self._second, fractions)):
            try:
                said.append(None if validator is None else bool(validator.is_valid(value)))
            except (Exception, RecursionError) as error:
                said.append(None)
                errors.append(_short(error))
        return Verdicts(said[0], said[1], tuple(errors))

    def verdict(self, text: str) -> bool | None:
        """The verdict that both give; None if they differ or the text is not judged."""
        try:
            return self.verdicts(text).agreed
        except NotJudged:
            return None

    def failing_keywords(self, text: str) -> list[str]:
        """The keywords that the second validator finds broken, the most relevant error first."""
        if self._second is None:
            return []
        try:
            error = jsonschema.exceptions.best_match(
                self._second.iter_errors(parsed(text, Fraction))
            )
        except Exception:
            return []
        return [] if error is None else [str(part) for part in error.absolute_schema_path]


def _exact(base: Any, name: str) -> Any:
    def is_integer(checker: Any, value: Any) -> bool:
        if isinstance(value, Fraction):
            # Draft 4: "a JSON number without a fraction or exponent part".
            return name != "Draft4Validator" and value.denominator == 1
        return isinstance(value, int) and not isinstance(value, bool)

    checker = base.TYPE_CHECKER.redefine("integer", is_integer)
    return jsonschema.validators.extend(base, type_checker=checker)


def parsed(text: str, number: Callable[[str], Any]) -> Any:
    """A JSON text as values, its fractional numbers made by `number`.

    Raises:
        NotJudged: A number is too large or too small.
        ValueError: The text is no JSON.
    """

    def fractional(literal: str) -> Any:
        exponent = literal.lower().partition("e")[2]
        if len(exponent) > 5 or abs(int(exponent or 0)) > LARGEST_EXPONENT:
            raise NotJudged(literal)
        return number(literal)

    def constant(literal: str) -> Any:
        raise ValueError(f"no JSON: {literal}")

    return json.loads(text, parse_float=fractional, parse_constant=constant)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
