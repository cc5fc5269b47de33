"""Schemas over all keywords."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from strategies.words import (
    COUNTS,
    FORMATS,
    IN_PLACE,
    KEY_PATTERNS,
    KEYS,
    NUMBERS,
    PATTERNS,
    SCALARS,
    TYPES,
    VALUES,
    WORDS,
    Draw,
    types_of,
)


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
    kinds = types_of(schema)
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
