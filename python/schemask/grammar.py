"""Grammars: sets of valid texts, made from JSON Schemas and from tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from schemask import _native
from schemask.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemask._native import CompiledGrammar, Vocabulary
    from schemask.chat_format import ChatFormat
    from schemask.tools import ToolsLike

Whitespace = Literal["flexible", "compact", "spaced"]
PropertyOrder = Literal["schema", "any"]


class Grammar:
    """A set of valid texts. Immutable; compile it for a vocabulary to get masks.

    Common arguments of the constructors:
        whitespace: Between JSON tokens: `"flexible"` allows it anywhere, at most 32 characters in
            a row; `"compact"` nowhere; `"spaced"` is one space after each comma and colon, as
            `json.dumps` writes it.
        property_order: `"schema"`: keys come in the order of their first appearance in the schema,
            keys that it does not declare last. `"any"`: in any order.
        strict: Whether a keyword that is not supported exactly is an error. If not, it is ignored
            and listed in `warnings`.
    """

    def __init__(self, native: _native.Grammar) -> None:
        self._native = native

    @classmethod
    def from_json_schema(
        cls,
        schema: Any,
        whitespace: Whitespace = "flexible",
        property_order: PropertyOrder = "schema",
        strict: bool = True,
        resources: Mapping[str, Any] | None = None,
    ) -> Grammar:
        """All JSON texts that a schema accepts.

        Args:
            schema: A JSON Schema as a dict, a bool or a JSON string; or a pydantic model, or any
                type that pydantic understands.
            whitespace: See the class.
            property_order: See the class.
            strict: See the class.
            resources: Documents that the schema may refer to, by URI; each like `schema`. An `$id`
                in them counts as well. The official meta-schemas are always at hand, and nothing is
                ever fetched. Places in these documents are given as their URI, `#` and the pointer.

        Raises:
            UnsupportedSchemaError: The schema uses what is not supported exactly; `pointer` names
                the keyword.
            SchemaError: It is no JSON Schema, refers to nothing, or nothing satisfies it.
            LimitError: It is too large or too deep.
        """
        text = _schema_text(schema)
        others = [(uri, _schema_text(other)) for uri, other in (resources or {}).items()]
        return cls(
            _native.Grammar.from_json_schema(text, whitespace, property_order, strict, others)
        )

    @classmethod
    def from_tools(
        cls,
        tools: ToolsLike,
        format: str | ChatFormat = "tool_code",
        tool_choice: str = "auto",
        parallel: bool = True,
        whitespace: Whitespace = "spaced",
        property_order: PropertyOrder = "schema",
        strict: bool = True,
    ) -> Grammar:
        """The turns of an assistant that may call tools: what `ChatFormat.parse` reads.

        Args:
            tools: Tools, functions or OpenAI-style definitions.
            format: How calls are written: `"tool_code"`, `"hermes"`, or a `ChatFormat`.
            tool_choice: `"auto"`: words, calls, or words and then calls; `"required"`: at least one
                call; `"none"`: words only; or the name of the tool that must be called.
            parallel: Whether a turn may hold more than one call.
            whitespace: See the class.
            property_order: See the class.
            strict: See the class.

        Raises:
            ToolError: An unknown tool, or two of the same name.
            SchemaError: The parameters of a tool are refused; see `from_json_schema`.
        """
        from schemask.chat_format import chat_format
        from schemask.tools import ToolSet

        flow = chat_format(format).flow(ToolSet.of(tools), tool_choice, parallel)
        text = json.dumps(flow)
        return cls(_native.Grammar.from_flow(text, whitespace, property_order, strict))

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """What was not honoured, as (JSON pointer, message)."""
        return self._native.warnings

    def compile(self, vocabulary: Vocabulary) -> CompiledGrammar:
        """The grammar on a vocabulary: immutable, thread-safe and cheap to share."""
        return self._native.compile(vocabulary)


def _schema_text(schema: Any) -> str:
    if isinstance(schema, str):
        return schema
    if not isinstance(schema, (dict, bool)):
        try:
            schema = pydantic.TypeAdapter(schema).json_schema()
        except (
            pydantic.errors.PydanticUserError,
            pydantic.errors.PydanticSchemaGenerationError,
        ) as e:
            raise SchemaError(f"neither a JSON Schema nor a type with one: {schema!r}") from e
    try:
        return json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"the schema is not JSON: {error}") from error
    except RecursionError as error:
        raise SchemaError("the schema is nested too deeply to be written as JSON") from error
