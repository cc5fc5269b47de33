"""Hypothesis strategies: schemas over all keywords, and values that nearly fit them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
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
# They overlap each other and the keys.
KEY_PATTERNS = ["^a", "b", "^.$", "^[^a]*$", " ", "^a$", "^(b|ab|zz)$"]
# Of each format some strings and some near misses.
FORMATS = {
    "date": ["2024-02-29", "1999-12-31", "2023-02-29", "2024-13-01", "2024-1-01", ""],
    "ipv4": ["0.0.0.0", "192.168.1.255", "256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4 "],
    "uuid": [
        "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
        "2EB8AA08-AA98-11EA-B4AA-73B441D16380",
        "2eb8aa08-aa98-11ea-b4aa73b441d16380",
        "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
    ],
}
NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.sampled_from([0.5, -0.5, 1.5, 2.25, -7.75, 0.125, 1.0, 10**20, -(10**20) + 1, 1000]),
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
IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef")


@st.composite
def schemas(draw: Draw) -> Any:
    """A schema, with up to two definitions that anything in it may refer to.

    Now and then it is a resource with a dynamic anchor, and holds another one that it extends.
    """
    names = draw(st.lists(st.sampled_from(["d", "e/f"]), unique=True, max_size=2))
    dynamic = draw(st.integers(0, 9)) == 9
    references = {"d": ["#/$defs/d", "#d"], "e/f": ["#/$defs/e~1f"]}
    scope = _Scope([reference for name in names for reference in references[name]], dynamic, "root")
    schema = draw(_schema(3, scope, None))
    if not isinstance(schema, dict):
        return schema
    inner = _Scope(scope.references, dynamic, "definition")
    definitions = {name: draw(_schema(2, inner, None)) for name in names}
    if "d" in definitions:
        named = definitions["d"]
        named = named if isinstance(named, dict) else {"allOf": [named]}
        definitions["d"] = {"$anchor": "d", **named}
    if dynamic:
        schema = {"$id": "https://test.example/root", "$dynamicAnchor": "node", **schema}
        definitions["list"] = {
            "$id": "list",
            "$dynamicAnchor": "node",
            "type": draw(st.sampled_from([["array", "integer"], ["array", "string"]])),
            "items": {"$dynamicRef": "#node"},
        }
    if definitions:
        schema["$defs"] = definitions
    return schema


class _Scope:
    """What a schema may refer to where it stands.

    A definition refers only from inside another value, and so does the root to itself. Otherwise
    they could be defined by themselves, which no validator survives.

    Attributes:
        references: To the definitions.
        dynamic: Whether the root has a dynamic anchor, and a resource inside it that it extends.
        place: `"definition"`, `"root"`, or `"within"` another value.
    """

    def __init__(self, references: list[str], dynamic: bool, place: str) -> None:
        self.references = references
        self.dynamic = dynamic
        self.place = place

    def within(self) -> _Scope:
        return _Scope(self.references, self.dynamic, "within")

    def options(self) -> list[dict[str, str]]:
        if self.place == "definition":
            return []
        options = [{"$ref": reference} for reference in self.references]
        if self.dynamic:
            options.append({"$ref": "list"})
            options += [{"$dynamicRef": "#node"}] if self.place == "within" else []
        return options


@st.composite
def _schema(draw: Draw, depth: int, scope: _Scope, focus: str | None) -> Any:
    """A schema; with `focus`, about values of that type, so that branches meet."""
    if focus is None:
        kinds = ["string", "number", "values", "type", "boolean"]
        kinds += ["object", "object", "object", "array", "array"] if depth else []
    elif depth or focus in ("string", "number"):
        kinds = [focus, focus, focus, "values", "type", "boolean"]
    else:
        kinds = ["values", "type"]
    if depth:
        kinds += ["allOf", "anyOf", "anyOf", "oneOf", "oneOf", "not", "not", "if"]
        kinds += ["$ref", "$ref"] if scope.options() else []
    schema: dict[str, Any] = {}
    # Several kinds of keywords in one schema restrict several types, or the same one twice.
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2, unique=True)):
        if kind == "boolean":
            if draw(st.integers(0, 9)) == 0:
                return draw(st.booleans())
        elif kind == "$ref":
            schema.update(draw(st.sampled_from(scope.options())))
        elif kind in IN_PLACE:
            focus = focus or _about(schema) or draw(st.sampled_from(_FOCI))
            schema.update(draw(_applicator(kind, depth - 1, scope, focus)))
        else:
            schema.update(draw(_KEYWORDS[kind](depth, scope)))
    # Unevaluated is what the applicators beside it leave.
    applied = any(keyword in schema for keyword in IN_PLACE)
    if depth and applied and draw(st.integers(0, 3)) == 3:
        about = _about(schema) or focus
        sub = st.one_of(st.just(False), _schema(depth - 1, scope.within(), None))
        if about == "array":
            schema["unevaluatedItems"] = draw(sub)
        elif about == "object":
            schema["unevaluatedProperties"] = draw(sub)
    return schema


_FOCI = [None, "object", "object", "object", "array", "array", "string", "number"]


def _about(schema: dict[str, Any]) -> str | None:
    kinds = _types_of(schema)
    return kinds[0] if len(kinds) == 1 and kinds[0] in _FOCI else None


@st.composite
def _applicator(
    draw: Draw, kind: str, depth: int, scope: _Scope, focus: str | None
) -> dict[str, Any]:
    branch = _schema(depth, scope, focus)
    if kind == "not":
        return {"not": draw(st.one_of(_small(focus), branch))}
    if kind == "if":
        schema = {"if": draw(st.one_of(_small(focus), branch))}
        which = draw(st.sampled_from([("then",), ("else",), ("then", "else")]))
        return {**schema, **{keyword: draw(branch) for keyword in which}}
    if kind == "oneOf" and draw(st.booleans()):
        return {"oneOf": draw(st.lists(st.one_of(_small(focus), branch), min_size=2, max_size=3))}
    return {kind: draw(st.lists(branch, min_size=1, max_size=3))}


@st.composite
def _small(draw: Draw, focus: str | None) -> dict[str, Any]:
    """A schema of one keyword: what is denied or asked of a value is mostly small."""
    key = draw(st.sampled_from(KEYS[:4]))
    count = draw(COUNTS)
    about = {
        "object": [
            {"required": [key]},
            {"minProperties": count},
            {"properties": {key: {"const": draw(SCALARS)}}, "required": [key]},
            {"properties": {key: {"type": draw(st.sampled_from(TYPES))}}},
            {"patternProperties": {draw(st.sampled_from(KEY_PATTERNS)): {"type": "integer"}}},
            {"propertyNames": {"maxLength": count}},
        ],
        "array": [
            {"minItems": count},
            {"maxItems": count},
            {"contains": {"const": draw(SCALARS)}},
            {"items": {"type": draw(st.sampled_from(TYPES))}},
            {"uniqueItems": True},
        ],
        "string": [
            {"minLength": count},
            {"pattern": draw(st.sampled_from(PATTERNS))},
            {"enum": draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))},
            {"format": draw(st.sampled_from(sorted(FORMATS)))},
        ],
        "number": [
            {"minimum": draw(NUMBERS)},
            {"exclusiveMaximum": draw(NUMBERS)},
            {"multipleOf": draw(st.sampled_from([2, 3, 0.5]))},
            {"const": draw(NUMBERS)},
            {"type": "integer"},
        ],
    }
    anything = [{"type": draw(st.sampled_from(TYPES))}, {"const": draw(VALUES)}]
    return dict(draw(st.sampled_from(about[focus] if focus else anything)))


def _some(draw: Draw, options: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=3))
    return {keyword: draw(options[keyword]) for keyword in chosen}


@st.composite
def _string(draw: Draw, depth: int, scope: _Scope) -> dict[str, Any]:
    schema = draw(_typed("string"))
    if draw(st.integers(0, 4)) == 4:
        return {**schema, "format": draw(st.sampled_from(sorted(FORMATS)))}
    pattern = st.sampled_from(PATTERNS)
    return {**schema, **_some(draw, {"minLength": COUNTS, "maxLength": COUNTS, "pattern": pattern})}


@st.composite
def _number(draw: Draw, depth: int, scope: _Scope) -> dict[str, Any]:
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    multiple = st.sampled_from([1, 2, 3, 7, 0.5, 0.25, 1.5, 0.1, 0.03])
    return {
        **draw(_typed(*draw(st.sampled_from([("integer",), ("number",)])))),
        **_some(draw, {**dict.fromkeys(bounds, NUMBERS), "multipleOf": multiple}),
    }


@st.composite
def _values(draw: Draw, depth: int, scope: _Scope) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"const": draw(VALUES)}
    return {"enum": draw(st.lists(VALUES, min_size=1, max_size=4))}


@st.composite
def _type(draw: Draw, depth: int, scope: _Scope) -> dict[str, Any]:
    return {"type": draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True))}


@st.composite
def _object(draw: Draw, depth: int, scope: _Scope) -> dict[str, Any]:
    sub = _schema(depth - 1, scope.within(), None)
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3))
    schema: dict[str, Any] = draw(_typed("object"))
    if keys:
        schema["properties"] = {key: draw(sub) for key in keys}
        required = draw(st.lists(st.sampled_from([*keys, "b"]), unique=True, max_size=2))
        schema.update({"required": required} if required else {})
    if draw(st.integers(0, 3)) == 0:
        patterns = draw(
            st.lists(st.sampled_from(KEY_PATTERNS), min_size=1, max_size=2, unique=True)
        )
        schema["patternProperties"] = {pattern: draw(sub) for pattern in patterns}
    if draw(st.booleans()):
        schema["additionalProperties"] = draw(st.one_of(st.just(False), sub))
    if draw(st.booleans()):
        key = st.sampled_from([*keys, "a", "b"])
        names = st.one_of(
            st.builds(lambda words: {"enum": words}, st.lists(st.sampled_from(KEYS), min_size=2)),
            st.builds(lambda pattern: {"pattern": pattern}, st.sampled_from(KEY_PATTERNS)),
            st.builds(lambda count: {"maxLength": count + 1}, COUNTS),
            _schema(0, scope.within(), "string"),
        )
        within = _schema(depth - 1, scope, "object")
        options = {
            "minProperties": COUNTS,
            "maxProperties": COUNTS,
            "propertyNames": names,
            "dependentRequired": st.dictionaries(
                key, st.lists(key, unique=True, max_size=2), min_size=1, max_size=2
            ),
            "dependentSchemas": st.dictionaries(key, within, min_size=1, max_size=2),
        }
        keyword = draw(st.sampled_from(sorted(options)))
        schema[keyword] = draw(options[keyword])
    return schema


@st.composite
def open_objects(draw: Draw, depth: int = 2) -> dict[str, Any]:
    """Objects that mostly need unknown keys, of which several endings are equally short."""
    inner = open_objects(depth - 1) if depth else st.just({"type": "object"})
    value = st.one_of(
        st.sampled_from([True, {"const": 0}, {"type": "integer"}, {"enum": ["a", "abcdefgh"]}]),
        inner,
    )
    names = [{"minLength": 1}, {"maxLength": 2}, {"pattern": "^[a-c]*$"}, {"not": {"const": ""}}]
    options = {
        "type": st.just("object"),
        "minProperties": st.integers(1, 4),
        "maxProperties": st.integers(1, 3),
        "additionalProperties": value,
        "unevaluatedProperties": value,
        "properties": st.dictionaries(st.sampled_from(KEYS[:4]), value, min_size=1, max_size=2),
        "required": st.lists(st.sampled_from(KEYS[:5]), min_size=1, max_size=2, unique=True),
        "patternProperties": st.dictionaries(st.sampled_from(KEY_PATTERNS), value, max_size=2),
        "propertyNames": st.sampled_from(names),
        "not": inner,
        "oneOf": st.lists(inner, min_size=2, max_size=2),
        "anyOf": st.lists(inner, min_size=2, max_size=2),
    }
    return {"type": "object", **_some(draw, options)} if depth == 2 else _some(draw, options)


@st.composite
def _array(draw: Draw, depth: int, scope: _Scope) -> dict[str, Any]:
    sub = _schema(depth - 1, scope.within(), None)
    schema = {
        **draw(_typed("array")),
        **_some(
            draw,
            {
                "items": st.one_of(st.just(False), sub, sub),
                "prefixItems": st.lists(sub, min_size=1, max_size=2),
                "minItems": COUNTS,
                "maxItems": COUNTS,
                "uniqueItems": st.sampled_from([True, True, True, False]),
            },
        ),
    }
    if draw(st.integers(0, 3)) == 0:
        schema["contains"] = draw(st.one_of(sub, _small(None), _small("number")))
        counts = {"minContains": COUNTS, "maxContains": COUNTS}
        schema.update(_some(draw, counts) if draw(st.booleans()) else {})
    return schema


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


def in_old_words(schema: Any) -> Any:
    """The schema in the words of old drafts: array `items`, `dependencies`, the bounds of draft 4.

    It declares no draft, so what is newer keeps its meaning beside them.
    """
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties", "dependentSchemas", "$defs"):
            out[keyword] = {name: in_old_words(sub) for name, sub in value.items()}
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
            out[keyword] = [in_old_words(sub) for sub in value]
        elif keyword not in ("const", "enum"):
            out[keyword] = in_old_words(value)
    if "prefixItems" in out:
        rest = out.pop("items", True)
        out.update(items=out.pop("prefixItems"), additionalItems=rest)
    needs = {**out.pop("dependentRequired", {}), **out.pop("dependentSchemas", {})}
    out.update({"dependencies": needs} if needs else {})
    for bound in ("minimum", "maximum"):
        exclusive = bound.replace("m", "exclusiveM", 1)
        if exclusive in out and bound not in out:
            out.update({bound: out[exclusive], exclusive: True})
    return out


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
    types = schema.get("type") or _types_of(schema) or TYPES
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


def _types_of(schema: dict[str, Any]) -> list[str]:
    if "type" in schema:
        return [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    about = {
        "object": ("ropert", "required", "dependent"),
        "array": ("tems", "ontains"),
        "string": ("Length", "pattern", "format"),
        "number": ("inimum", "aximum", "multipleOf"),
    }
    return [
        kind
        for kind, parts in about.items()
        if any(
            part in keyword and (kind != "string" or "ropert" not in keyword)
            for keyword in schema
            for part in parts
        )
    ]


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


@st.composite
def spellings(draw: Draw, value: Any) -> str:
    """A JSON text of the value: escapes, white space and numbers as `json.dumps` does not write."""

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
        way = draw(st.integers(0, 9))
        if way < 6 or (way < 8 and "e" in text):
            return text
        if way < 8:
            zeros = ["0", "00"] if "." in text else [".0", ".00"]
            return text + draw(st.sampled_from(zeros))
        shift = draw(st.integers(-2, 2))
        sign = draw(st.sampled_from(["", "+", "0"])) if shift >= 0 else ""
        mantissa = format(Decimal(text).scaleb(-shift), "f")
        return mantissa + draw(st.sampled_from(["e", "E"])) + sign + str(shift)

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
