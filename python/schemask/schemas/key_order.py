"""The order in which a grammar with `property_order="schema"` reads the keys of a value."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

from schemask import _native
from schemask.errors import LimitError
from schemask.schemas.schema import Schema

# More than a grammar takes by default: whoever allows one more can still write its values.
_COMPILE_WORK = 20_000_000


class KeyOrder:
    """The order of keys of the values of one schema, which is compiled once, when it is needed.

    Args:
        schema: A JSON Schema. What is no schema that can be compiled says nothing about order: to
            find fault is up to whoever makes a grammar of it.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def __reduce__(self) -> tuple[type[KeyOrder], tuple[Schema]]:
        return KeyOrder, (self._schema,)

    @functools.cached_property
    def _grammar(self) -> _native.Grammar | None:
        limits: dict[str, float] = {"compile_work": _COMPILE_WORK}
        try:
            text = json.dumps(self._schema, allow_nan=False)
            # In any spelling, since it is the value that says which branches are left.
            return _native.Grammar.from_json_schema(
                text, "compact", "schema", "any", False, [], limits
            )
        except LimitError:
            raise
        except (TypeError, ValueError, RecursionError):
            return None

    def arranged(self, value: Any) -> Any:
        """The value with its keys in order; see the function `arranged`."""
        return value if self._grammar is None else arranged(value, self._grammar)


def arranged(value: Any, grammar: _native.Grammar) -> Any:
    """A JSON value with the keys of its objects in the order in which a grammar reads them.

    See `schemask.Grammar.in_order`.

    Args:
        value: A JSON value; it may hold lone surrogates.
        grammar: The grammar of one JSON Schema.

    Raises:
        GrammarError: The grammar is another one.
        LimitError: It takes too much work; `pointer` is that of a place in the value.
        TypeError: Something in the value is of no type that JSON has.
        ValueError: A number is not finite, or the value holds itself.
        RecursionError: The value nests too deeply.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate becomes the escape that JSON has for it.
    order = grammar.key_order(text.encode("utf-8", "backslashreplace"))
    return _arranged(value, iter(order)) if order else value


def _arranged(value: Any, order: Iterator[int]) -> Any:
    if isinstance(value, dict):
        members = list(value.items())
        numbers = [next(order) for _ in members]
        return {members[i][0]: _arranged(members[i][1], order) for i in numbers}
    if isinstance(value, (list, tuple)):
        return [_arranged(item, order) for item in value]
    return value
