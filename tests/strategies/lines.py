"""Random lines of data: tools, and conversations that call them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

VERBS = ("get", "find", "make", "send", "list", "count")
THINGS = ("weather", "ticket", "invoice", "room", "letter", "route")
KEYS = ("city", "day", "limit", "urgent", "tags", "kind", "place_of_birth")
WORDS = ("Oslo", "tomorrow", "Zürich", "blue", "42", "東京", "a quiet one", "A-17", "x, y", "it's")

_TYPES: tuple[tuple[dict[str, Any], st.SearchStrategy[Any]], ...] = (
    ({"type": "string"}, st.sampled_from(WORDS)),
    ({"type": "integer"}, st.integers(-99, 99)),
    ({"type": "number"}, st.sampled_from([0.5, 2, -7.25, 1e6])),
    ({"type": "boolean"}, st.booleans()),
    ({"type": "array", "items": {"type": "string"}}, st.lists(st.sampled_from(WORDS), max_size=3)),
    ({"type": "string", "enum": ["low", "high", "none"]}, st.sampled_from(["low", "high", "none"])),
    (
        {
            "type": "object",
            "properties": {"id": {"type": "integer"}},
            "required": ["id"],
            "additionalProperties": False,
        },
        st.fixed_dictionaries({"id": st.integers(0, 9)}),
    ),
)


@st.composite
def tools(draw: st.DrawFn, least: int = 1) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Definitions, each with the strategies of its arguments."""
    made = []
    names = st.tuples(st.sampled_from(VERBS), st.sampled_from(THINGS)).map("_".join)
    for name in draw(st.lists(names, min_size=least, max_size=4, unique=True)):
        properties, values, required = {}, {}, []
        for key in draw(st.lists(st.sampled_from(KEYS), max_size=4, unique=True)):
            schema, strategy = draw(st.sampled_from(_TYPES))
            told = draw(st.booleans())
            properties[key] = {**schema, "description": f"The {key}."} if told else schema
            values[key] = strategy
            if draw(st.booleans()):
                required.append(key)
        parameters = {"type": "object", "properties": properties}
        if required:
            parameters["required"] = required
        if draw(st.booleans()) or not properties:
            parameters["additionalProperties"] = False
        function = {"name": name, "parameters": parameters}
        if draw(st.booleans()):
            function = {"name": name, "description": f"It can {name}.", "parameters": parameters}
        made.append(({"type": "function", "function": function}, values))
    return made


@st.composite
def calls(draw: st.DrawFn, offered: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """One valid call."""
    definition, values = draw(st.sampled_from(offered))
    function = definition["function"]
    required = function["parameters"].get("required", [])
    arguments = {
        key: draw(strategy)
        for key, strategy in values.items()
        if key in required or draw(st.booleans())
    }
    return {"type": "function", "function": {"name": function["name"], "arguments": arguments}}


@st.composite
def lines(
    draw: st.DrawFn, system: bool = True, words_with_calls: bool = True, turns: int = 3
) -> dict[str, Any]:
    """A conversation of requests, calls with results, and words."""
    offered = draw(tools())
    says = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
    messages: list[dict[str, Any]] = []
    if system and draw(st.booleans()):
        messages.append({"role": "system", "content": "Today is the 3rd of May."})
    for _ in range(draw(st.integers(1, turns))):
        messages.append({"role": "user", "content": draw(says)})
        made = draw(st.lists(calls(offered), max_size=3))
        if made:
            content = draw(says) if words_with_calls and draw(st.booleans()) else ""
            messages.append({"role": "assistant", "content": content, "tool_calls": made})
            for call in made:
                name = call["function"]["name"]
                result = draw(st.sampled_from(["21 degrees", '{"found": [1, 2]}', "nothing"]))
                messages.append({"role": "tool", "name": name, "content": result})
        messages.append({"role": "assistant", "content": draw(says)})
    return {"messages": messages, "tools": [definition for definition, _ in offered]}
