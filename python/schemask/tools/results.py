"""What a tool returned, as the text that a model reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from schemask.errors import ToolError, shortened


@dataclass(frozen=True)
class McpResult:
    """What a tool of a server of the Model Context Protocol returned.

    Attributes:
        content: The blocks of the result as the protocol writes them: dicts with a `type`, such as
            `{"type": "text", "text": …}` or `{"type": "image", "data": …, "mimeType": …}`.
        structured: The result as a JSON value (`structuredContent`), or None.
        has_schema: Whether the tool declares the schema of its results (`outputSchema`).
    """

    content: Sequence[Mapping[str, Any]]
    structured: Any = None
    has_schema: bool = False

    def __repr__(self) -> str:
        return f"<McpResult {shortened(self.text)}>"

    @property
    def text(self) -> str:
        """The text for the model, one line or more for each block.

        Texts are as they are, also those of resources. Images, sounds, links and binary resources
        are named, since no text can hold them. The JSON value stands for the texts if the tool
        declares a schema for it, or if there is nothing else.

        Raises:
            ToolError: A JSON value that refers to itself, which no JSON text can spell.
        """
        prefers_json = self.has_schema or not self.content
        if self.structured is None or not prefers_json:
            return "\n".join(line for block in self.content for line in _lines(block))
        others = (block for block in self.content if block.get("type") != "text")
        return "\n".join(
            [_json_text(self.structured), *(line for block in others for line in _lines(block))]
        )


def result_text(result: Any) -> str:
    """What a tool returned, as the text that the model reads: strings as they are, else JSON.

    Args:
        result: What the function returned.

    Raises:
        ToolError: A value that refers to itself, which no JSON text can spell.
    """
    if isinstance(result, str):
        return result
    return result.text if isinstance(result, McpResult) else _json_text(result)


def _json_text(result: Any) -> str:
    try:
        packed = to_json(result, fallback=str, bytes_mode="base64", inf_nan_mode="strings")
        return json.dumps(json.loads(packed), ensure_ascii=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise ToolError(f"a result that cannot be written as JSON: {error}") from error


def _lines(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "text":
        yield str(block.get("text", ""))
    elif kind == "resource":
        resource = block.get("resource", {})
        yield _named("resource", resource.get("uri"), resource, "blob")
        if "text" in resource:
            yield str(resource["text"])
    elif kind == "resource_link":
        yield _named("resource", block.get("uri"), block, "")
    else:
        yield _named(str(kind), None, block, "data")


def _named(kind: str, uri: object, said: Mapping[str, Any], data: str) -> str:
    """Such as `[resource file:///a.png, image/png, 512 bytes]`."""
    size = said.get("size")
    if isinstance(said.get(data), str):  # base64
        size = len(said[data].rstrip("=")) * 3 // 4
    facts = [said.get("name"), said.get("mimeType"), None if size is None else f"{size} bytes"]
    name = kind if uri is None else f"{kind} {uri}"
    return f"[{', '.join([name, *(str(fact) for fact in facts if fact is not None)])}]"
