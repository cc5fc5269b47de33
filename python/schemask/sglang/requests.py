"""What a request of SGLang asks for, as a grammar on the vocabulary of the model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from schemask.core.grammar import Grammar, Whitespace
from schemask.core.limits import Limits
from schemask.core.structural_tag import from_structural_tag
from schemask.errors import GrammarError, LimitError, ModelError

# What SGLang has in the place of a schema where any JSON will do.
_ANY_JSON = "$$ANY$$"


class Spacing(NamedTuple):
    """White space between the tokens of JSON values.

    Attributes:
        whitespace: As `Grammar` takes it.
        run: The most characters of it in a row; None is the default of `Limits`.
    """

    whitespace: Whitespace = "flexible"
    run: int | None = None

    @classmethod
    def of(cls, serving: Any) -> Spacing:
        """What a server is told of it.

        Args:
            serving: SGLang's configuration of serving.

        Raises:
            ModelError: A pattern for it.
        """
        if serving.constrained_json_whitespace_pattern is not None:
            raise ModelError("--constrained-json-whitespace-pattern is not supported: leave it out")
        run = serving.constrained_json_max_whitespace_cnt
        if serving.constrained_json_disable_any_whitespace or run == 0:
            return cls("compact")
        return cls("flexible", run)

    @property
    def limits(self) -> Limits:
        """The limits of grammars with it."""
        return {} if self.run is None else {"whitespace_run": self.run}


def json_grammar(text: str, spacing: Spacing) -> Grammar:
    """The JSON values of a schema.

    Args:
        text: The schema, or what SGLang writes for any JSON.
        spacing: White space.

    Raises:
        SchemaError: It is refused.
    """
    schema = True if text == _ANY_JSON else text
    return Grammar.from_json_schema(schema, spacing.whitespace, limits=spacing.limits)


def tag_grammar(text: str, special_tokens: Iterable[str], spacing: Spacing) -> Grammar:
    """The texts of a structural tag.

    Args:
        text: The structural tag, as JSON.
        special_tokens: Texts of the vocabulary's special tokens.
        spacing: White space.

    Raises:
        Error: It is refused.
    """
    try:
        tag = _with_schemas(json.loads(text))
    except ValueError as error:
        raise GrammarError(f"the structural tag is not JSON: {error}") from error
    except RecursionError as error:
        raise LimitError("the structural tag nests too deeply") from error
    return from_structural_tag(tag, list(special_tokens), spacing.whitespace, spacing.limits)


def _with_schemas(value: Any) -> Any:
    """A structural tag in which what has no schema has one that allows any JSON.

    So does SGLang for its other backends: its own parsers of tools leave schemas out.
    """
    if isinstance(value, list):
        return [_with_schemas(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "json_schema":
        # No tags inside a schema.
        return {**value, "json_schema": _any_if_none(value.get("json_schema"))}
    if isinstance(structures := value.get("structures"), list):
        return {**value, "structures": [_with_schema(structure) for structure in structures]}
    return {name: _with_schemas(member) for name, member in value.items()}


def _with_schema(structure: Any) -> Any:
    if not isinstance(structure, dict):
        return structure
    return {**structure, "schema": _any_if_none(structure.get("schema"))}


def _any_if_none(schema: Any) -> Any:
    return {} if schema is None else schema
