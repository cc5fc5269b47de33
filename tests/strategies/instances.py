"""Values that nearly fit a schema."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

from strategies.words import (
    FORMATS,
    IN_PLACE,
    KEYS,
    NUMBERS,
    SCALARS,
    TYPES,
    VALUES,
    WORDS,
    Draw,
    types_of,
)


@st.composite
def instances(draw: Draw, schema: Any) -> Any:
    """A value drawn along the schema, now and then changed: an instance or a near miss."""
    value = draw(_instance(schema, schema, 4))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        value = draw(changed(value))
    return value


@st.composite
def changed(draw: Draw, value: Any) -> Any:
    """The value with one small change somewhere in it."""
    if isinstance(value, (dict, list)) and value and draw(st.booleans()):
        copy: Any = value.copy()
        place = draw(
            st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value)))
        )
        copy[place] = draw(changed(value[place]))
        return copy
    if draw(st.integers(0, 5)) == 5:
        return draw(SCALARS)
    if isinstance(value, dict):
        key = draw(st.sampled_from([*value, *KEYS]))
        if key in value and draw(st.booleans()):
            return {name: member for name, member in value.items() if name != key}
        return {**value, key: draw(VALUES)}
    if isinstance(value, list):
        place = draw(st.integers(0, len(value)))
        if place == len(value):
            return [*value, draw(VALUES)]
        twin = draw(st.sampled_from([value[place], _respelt(value[place])]))
        return draw(
            st.sampled_from(
                [value[:place] + value[place + 1 :], [*value, twin], [twin, *value], value[::-1]]
            )
        )
    if isinstance(value, str):
        return draw(st.sampled_from([value + "a", value[:-1], value[1:], value + " ", *WORDS]))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return draw(st.sampled_from([value + 1, value - 1, value * 2, -value, 0, _respelt(value)]))
    return draw(SCALARS)


def _respelt(value: Any) -> Any:
    """An equal value of JSON that Python writes differently: 1.0 for 1, another order of keys."""
    if isinstance(value, dict):
        return {key: _respelt(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [_respelt(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value


@st.composite
def _instance(draw: Draw, schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0 or draw(st.integers(0, 19)) == 0:
        return draw(VALUES)
    schema = _guide(draw, schema, root, depth)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return draw(st.sampled_from(schema["enum"]))
    types = schema.get("type") or types_of(schema) or TYPES
    kind = types if isinstance(types, str) else draw(st.sampled_from(types))
    if kind == "object":
        return draw(_object_instance(schema, root, depth))
    if kind == "array":
        return draw(_array_instance(schema, root, depth))
    if kind == "string":
        if schema.get("format") in FORMATS:
            return draw(st.sampled_from(FORMATS[schema["format"]]))
        return draw(st.one_of(st.sampled_from(WORDS), st.text("abcx1é", max_size=4)))
    if kind in ("integer", "number"):
        bounds = [v for k, v in schema.items() if "imum" in k]
        near = draw(st.sampled_from(bounds)) if bounds else draw(NUMBERS)
        factor = schema.get("multipleOf", 1)
        value = near + draw(st.sampled_from([0, 1, -1, 0.5, factor, -factor]))
        value = value if abs(near) < 10**15 else near
        whole = kind == "integer" and value == int(value)
        return int(value) if whole else value
    return draw(st.booleans()) if kind == "boolean" else None


def _guide(draw: Draw, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    """A schema without applicators in place, whose values are likely to satisfy the given one."""
    out = {key: value for key, value in schema.items() if key not in IN_PLACE}
    parts: list[Any] = list(schema.get("allOf", ()))
    if "$ref" in schema or "$dynamicRef" in schema:
        parts.append(_target(schema.get("$ref", "#node"), root))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            parts.append(draw(st.sampled_from(schema[keyword])))
    if "if" in schema:
        if draw(st.booleans()):
            parts += [schema["if"], schema.get("then", True)]
        else:
            parts.append(schema.get("else", True))
    if "dependentSchemas" in schema and draw(st.booleans()):
        parts += schema["dependentSchemas"].values()
    for part in parts if depth else ():
        if isinstance(part, dict):
            out = _merged(out, _guide(draw, part, root, depth - 1))
    return out


def _target(reference: str, root: Any) -> Any:
    if reference == "#node":
        return root
    name = reference.removeprefix("#/$defs/").removeprefix("#").replace("~1", "/")
    return root["$defs"][name]


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Roughly what satisfies both: good enough to draw from."""
    out = {**other, **one}
    for keyword in set(one) & set(other):
        a, b = one[keyword], other[keyword]
        if keyword in ("properties", "patternProperties"):
            both = {key: {"allOf": [a[key], b[key]]} for key in set(a) & set(b)}
            out[keyword] = {**a, **b, **both}
        elif keyword == "required":
            out[keyword] = [*a, *(key for key in b if key not in a)]
        elif keyword in ("items", "additionalProperties", "contains", "propertyNames"):
            out[keyword] = False if a is False or b is False else {"allOf": [a, b]}
        elif keyword.startswith(("min", "exclusiveMin")):
            out[keyword] = max(a, b)
        elif keyword.startswith(("max", "exclusiveMax")):
            out[keyword] = min(a, b)
        elif keyword == "type":
            those = [b] if isinstance(b, str) else b
            common = [name for name in ([a] if isinstance(a, str) else a) if name in those]
            out[keyword] = common or a
        elif keyword == "enum":
            out[keyword] = [value for value in a if value in b] or a
    return out


@st.composite
def _object_instance(draw: Draw, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = list(schema.get("required", ()))
    keys = [k for k in properties if draw(st.integers(0, 9)) < (9 if k in required else 4)]
    keys += [key for key in required if key not in properties and draw(st.integers(0, 9))]
    names = schema.get("propertyNames", True)
    for _ in range(3):
        few = len(keys) < schema.get("minProperties", 0)
        if not (few and draw(st.integers(0, 9))) and draw(st.integers(0, 5)):
            continue
        key = draw(st.sampled_from(KEYS))
        if isinstance(names, dict) and draw(st.booleans()):
            key = draw(_instance({"type": "string", **names}, root, depth - 1))
        # A schema for the others of `false` is respected here and broken by changes later.
        if isinstance(key, str) and (_of_key(schema, key) is not False or few):
            keys.append(key)
    for key, needed in schema.get("dependentRequired", {}).items():
        keys += needed if key in keys and draw(st.integers(0, 4)) else []
    most = schema.get("maxProperties", 9) if draw(st.integers(0, 9)) else 9
    chosen = list(dict.fromkeys(keys))[: max(most, 0)]
    return {key: draw(_instance(_of_key(schema, key), root, depth - 1)) for key in chosen}


def _of_key(schema: dict[str, Any], key: str) -> Any:
    parts = [schema["properties"][key]] if key in schema.get("properties", {}) else []
    for pattern, sub in schema.get("patternProperties", {}).items():
        parts += [sub] if re.search(pattern, key) else []
    if not parts:
        others = ("additionalProperties", "unevaluatedProperties")
        parts = [schema[keyword] for keyword in others if keyword in schema]
    if len(parts) == 1:
        return parts[0]
    return False if False in parts else {"allOf": parts}


@st.composite
def _array_instance(draw: Draw, schema: dict[str, Any], root: Any, depth: int) -> list[Any]:
    prefix = schema.get("prefixItems", [])
    rest = schema.get("items", schema.get("unevaluatedItems", True))
    least = schema.get("minItems", 0)
    most = max(least, min(schema.get("maxItems", least + 3), len(prefix) + 3 * (rest is not False)))
    items = [
        draw(_instance(prefix[i] if i < len(prefix) else rest, root, depth - 1))
        for i in range(draw(st.integers(least, most)))
    ]
    if "contains" in schema:
        wanted = draw(st.integers(0, 1)) + schema.get("minContains", 1)
        wanted = min(wanted, schema.get("maxContains", wanted))
        for _ in range(wanted):
            place = draw(st.integers(0, len(items)))
            item = draw(_instance(schema["contains"], root, depth - 1))
            # In place of an item if there are enough.
            items[place : place + (len(items) > least)] = [item]
    if schema.get("uniqueItems") and draw(st.integers(0, 4)):
        items = list({json.dumps(_respelt(item), sort_keys=True): item for item in items}.values())
    return items
