"""A server of the Model Context Protocol without the package `mcp`: what others may write, too.

It answers one request at a time, on its standard input and output.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

OBJECT: dict[str, Any] = {"type": "object"}
# A schema with whatever a client might be tempted to tidy.
EXACT = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "title": "Exactly this",
    "properties": {
        "self": {"type": ["integer", "null"], "default": None, "enum": [1, 2.0, None]},
        "user-id": {"$ref": "#/definitions/id"},
    },
    "required": ["user-id"],
    "additionalProperties": {"const": None},
    "definitions": {"id": {"type": "string", "minLength": 1, "x-note": {"a": None}}},
}
TEXT = {"type": "text", "text": "a line"}
RESULTS: dict[str, dict[str, Any]] = {
    "texts": {"content": [TEXT, {"type": "text", "text": "another\n"}]},
    "nothing": {"content": []},
    "structured": {
        "content": [TEXT, {"type": "image", "data": "iVBORw0=", "mimeType": "image/png"}],
        "structuredContent": {"name": "Øre", "none": None, "list": [1, 2.5]},
    },
    "undeclared": {"content": [TEXT], "structuredContent": {"a": 1}},
    "only_structured": {"content": [], "structuredContent": {"a": 1}},
    "blocks": {
        "content": [
            {"type": "image", "data": "iVBORw0=", "mimeType": "image/png"},
            {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
            {"type": "resource_link", "uri": "file:///b.csv", "name": "b", "size": 12},
            {
                "type": "resource",
                "resource": {"uri": "file:///c.txt", "mimeType": "text/plain", "text": "C\n\nc"},
            },
            {
                "type": "resource",
                "resource": {"uri": "file:///d", "mimeType": "image/gif", "blob": "AAA="},
            },
        ]
    },
    "fails": {"content": [{"type": "text", "text": "no such city"}], "isError": True},
    "fails_silently": {"content": [], "isError": True},
    "misses_its_schema": {"content": [TEXT]},
}
TOOLS: list[dict[str, Any]] = [
    {"name": "exact", "inputSchema": EXACT, "title": "Says what it got"},
    *({"name": name, "inputSchema": OBJECT} for name in RESULTS),
    {"name": "dies", "description": "Ends the server.", "inputSchema": OBJECT},
    {
        "name": "sleeps",
        "inputSchema": OBJECT,
        "annotations": {"title": "Waits", "readOnlyHint": True},
    },
    {"name": "refuses", "inputSchema": OBJECT},
    {"name": "answers_nonsense", "inputSchema": OBJECT},
]
for described in TOOLS:
    if described["name"] in ("structured", "misses_its_schema"):
        described["outputSchema"] = {"type": "object", "properties": {"name": {"type": "string"}}}


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The answer to a call; None is an error of the protocol."""
    if name == "dies":
        sys.exit(3)
    if name == "sleeps":
        time.sleep(30)
    if name == "answers_nonsense":
        return {"content": 3}
    if name == "exact":
        return {"content": [{"type": "text", "text": json.dumps(arguments)}]}
    return RESULTS.get(name)


def page_of(cursor: str | None, mode: str) -> dict[str, Any]:
    """Three tools a page."""
    if mode == "endless":
        return {"tools": [], "nextCursor": str(int(cursor or 0) + 1)}
    if mode == "circle":
        return {"tools": [], "nextCursor": "again"}
    if mode in ("twice", "odd_name", "no_object"):
        odd = {
            "twice": TOOLS[0],
            "odd_name": {"name": "two words", "inputSchema": OBJECT},
            "no_object": {"name": "open", "inputSchema": {}},
        }
        return {"tools": [TOOLS[0], odd[mode]]}
    start = int(cursor or 0)
    following = {"nextCursor": str(start + 3)} if start + 3 < len(TOOLS) else {}
    return {"tools": TOOLS[start : start + 3], **following}


def main(mode: str) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        method, params = request["method"], request.get("params") or {}
        result: dict[str, Any] | None = None
        if method == "initialize":
            result = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "odd", "version": "1"},
            }
        elif method == "tools/list":
            result = page_of(params.get("cursor"), mode)
        elif method == "tools/call":
            result = call(params["name"], params.get("arguments") or {})
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if result is None:
            answer["error"] = {"code": -32601, "message": f"{method} is not for me"}
        else:
            answer["result"] = result
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "")
