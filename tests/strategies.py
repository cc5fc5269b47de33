"""Hypothesis strategies: schemas over the supported keywords, and values that nearly fit them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

KEYS = ["a", "ab", "b", "", 'q"\\', "é", "😀", "key with spaces"]
WORDS = ["", "a", "ab", "abc", "b", "aa", "x1", 'say "hi"', "back\\slash", "é", "😀😀", "tab\there"]
# Spelt alike in ECMA-262 and in Python's `re`, for the texts that are drawn here.
PATTERNS = [
    "^a",
    "b$",
    "^(a|b)*$",
    "^[a-c]{2,3}$",
    "^[^a]+$",
    "a.c",
    "^$",
    "x[0-9]+",
    "^(ab|a)(b|)$",
]
NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.sampled_from([0.5, -0.5, 1.5, 2.25, -7.75, 0.125, 10**20, -(10**20) + 1, 1000]),
)
COUNTS = st.integers(0, 3)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(WORDS))
VALUES = st.recursive(
    SCALARS,
    lambda values: st.one_of(
        st.lists(values, max_size=3), st.dictionaries(st.sampled_from(KEYS), values, max_size=3)
    ),
    max_leaves=5,
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]


@st.composite
def schemas(draw: Draw) -> Any:
    """A schema, with up to two definitions that anything in it may refer to."""
    names = draw(st.lists(st.sampled_from(["d", "e/f"]), unique=True, max_size=2))
    schema = draw(_schema(3, names))
    if names and isinstance(schema, dict):
        schema["$defs"] = {name: draw(_schema(2, names, inside=False)) for name in names}
    return schema


@st.composite
def _schema(draw: Draw, depth: int, names: list[str], inside: bool = True) -> Any:
    """A schema that refers to definitions only if it is `inside` another value.

    Otherwise a definition could be defined by itself, which no validator survives.
    """
    kinds = ["string", "number", "values", "type", "boolean"]
    if depth:
        kinds += ["object", "object", "object", "array", "array", "anyOf", "anyOf"]
        kinds += ["$ref", "$ref"] if names and inside else []
    schema: dict[str, Any] = {}
    # Several kinds of keywords in one schema restrict several types, or the same one twice.
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2, unique=True)):
        if kind == "boolean":
            if draw(st.integers(0, 9)) == 0:
                return draw(st.booleans())
        elif kind == "$ref":
            schema["$ref"] = "#/$defs/" + draw(st.sampled_from(names)).replace("/", "~1")
        elif kind == "anyOf":
            branch = _schema(depth - 1, names, inside)
            schema["anyOf"] = draw(st.lists(branch, min_size=1, max_size=3))
        else:
            schema.update(draw(_KEYWORDS[kind](depth, names)))
    return schema


def _some(draw: Draw, options: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=3))
    return {keyword: draw(options[keyword]) for keyword in chosen}


@st.composite
def _string(draw: Draw, depth: int, names: list[str]) -> dict[str, Any]:
    pattern = st.sampled_from(PATTERNS)
    return {
        **draw(_typed("string")),
        **_some(draw, {"minLength": COUNTS, "maxLength": COUNTS, "pattern": pattern}),
    }


@st.composite
def _number(draw: Draw, depth: int, names: list[str]) -> dict[str, Any]:
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    # Powers of two divide floats exactly, so that validators that use floats are right as well.
    multiple = st.sampled_from([1, 2, 3, 7, 0.5, 0.25, 1.5])
    return {
        **draw(_typed(*draw(st.sampled_from([("integer",), ("number",)])))),
        **_some(draw, {**dict.fromkeys(bounds, NUMBERS), "multipleOf": multiple}),
    }


@st.composite
def _values(draw: Draw, depth: int, names: list[str]) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"const": draw(VALUES)}
    return {"enum": draw(st.lists(VALUES, min_size=1, max_size=4))}


@st.composite
def _type(draw: Draw, depth: int, names: list[str]) -> dict[str, Any]:
    return {"type": draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True))}


@st.composite
def _object(draw: Draw, depth: int, names: list[str]) -> dict[str, Any]:
    sub = _schema(depth - 1, names)
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3))
    schema: dict[str, Any] = draw(_typed("object"))
    if keys:
        schema["properties"] = {key: draw(sub) for key in keys}
        required = draw(st.lists(st.sampled_from([*keys, "b"]), unique=True, max_size=2))
        schema.update({"required": required} if required else {})
    if draw(st.booleans()):
        schema["additionalProperties"] = draw(st.one_of(st.just(False), sub))
    return schema


@st.composite
def _array(draw: Draw, depth: int, names: list[str]) -> dict[str, Any]:
    sub = _schema(depth - 1, names)
    prefix = st.lists(sub, min_size=1, max_size=2)
    items = st.one_of(st.just(False), sub)
    return {
        **draw(_typed("array")),
        **_some(
            draw, {"items": items, "prefixItems": prefix, "minItems": COUNTS, "maxItems": COUNTS}
        ),
    }


@st.composite
def _typed(draw: Draw, *types: str) -> dict[str, Any]:
    """Mostly the type that the keywords are about, so that they matter."""
    return {"type": draw(st.sampled_from(types))} if draw(st.integers(0, 4)) else {}


_KEYWORDS = {
    "string": _string,
    "number": _number,
    "values": _values,
    "type": _type,
    "object": _object,
    "array": _array,
}


@st.composite
def instances(draw: Draw, schema: Any, root: Any = None, depth: int = 4) -> Any:
    """A value drawn along the schema, now and then beside it: an instance or a near miss."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth == 0 or draw(st.integers(0, 11)) == 0:
        return draw(VALUES)
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/").replace("~1", "/")
        return draw(instances(root["$defs"][name], root, depth - 1))
    if "anyOf" in schema and draw(st.integers(0, 3)):
        return draw(instances(draw(st.sampled_from(schema["anyOf"])), root, depth))
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    types = schema.get("type") or _types_of(schema)
    kind = types if isinstance(types, str) else draw(st.sampled_from(types))
    if kind == "object":
        return draw(_object_instance(schema, root, depth))
    if kind == "array":
        prefix = schema.get("prefixItems", [])
        least = schema.get("minItems", 0)
        size = draw(st.integers(least, max(least, schema.get("maxItems", 3)) + 1))
        rest = schema.get("items", True)
        return [
            draw(instances(prefix[i] if i < len(prefix) else rest, root, depth - 1))
            for i in range(size)
        ]
    if kind == "string":
        return draw(st.one_of(st.sampled_from(WORDS), st.text("abcx1é", max_size=4)))
    if kind in ("integer", "number"):
        bounds = [v for k, v in schema.items() if "imum" in k]
        near = draw(st.sampled_from(bounds)) if bounds else draw(NUMBERS)
        factor = schema.get("multipleOf", 1)
        steps = st.sampled_from([0, 1, -1, 0.5, factor, -factor])
        value = near + draw(steps) if abs(near) < 10**15 else near
        whole = kind == "integer" and value == int(value)
        return int(value) if whole else value
    return draw(st.booleans()) if kind == "boolean" else None


def _types_of(schema: dict[str, Any]) -> list[str]:
    about = {
        "object": ("properties", "required", "additionalProperties"),
        "array": ("items", "prefixItems", "minItems", "maxItems"),
        "string": ("minLength", "maxLength", "pattern"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
    return [kind for kind, keywords in about.items() if set(keywords) & set(schema)] or TYPES


@st.composite
def _object_instance(draw: Draw, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    value = {}
    for key, sub in properties.items():
        if draw(st.integers(0, 9)) < (9 if key in required else 5):
            value[key] = draw(instances(sub, root, depth - 1))
    others = [key for key in required if key not in properties and draw(st.integers(0, 4))]
    if draw(st.integers(0, 2)) == 0:
        others.append(draw(st.sampled_from(KEYS)))
    for key in others:
        if key not in value:
            sub = schema.get("additionalProperties", True)
            value[key] = draw(instances(sub, root, depth - 1))
    return value


@st.composite
def spellings(draw: Draw, value: Any) -> str:
    """A JSON text of the value: other escapes, white space and zeros than `json.dumps` writes."""

    def space() -> str:
        return draw(st.sampled_from(["", "", "", " ", "\n\t", "  "]))

    def string(text: str) -> str:
        return '"' + "".join(character(c) for c in text) + '"'

    def character(c: str) -> str:
        plain = json.dumps(c, ensure_ascii=False)[1:-1]
        units = c.encode("utf-16-be")
        escaped = "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
        return draw(st.sampled_from([plain, plain, plain, escaped]))

    def number(value: float) -> str:
        text = json.dumps(value)
        if "e" in text:
            return text
        if "." in text:
            return text + draw(st.sampled_from(["", "0", "00"]))
        return text + draw(st.sampled_from(["", "", "", ".0"]))

    def spell(value: Any) -> str:
        if isinstance(value, str):
            return string(value)
        if isinstance(value, list):
            inner = ",".join(space() + spell(item) + space() for item in value) or space()
            return f"[{inner}]"
        if isinstance(value, dict):
            members = (
                f"{space()}{string(key)}{space()}:{space()}{spell(item)}{space()}"
                for key, item in value.items()
            )
            return "{" + (",".join(members) or space()) + "}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return number(value)
        return json.dumps(value)

    return spell(value)
