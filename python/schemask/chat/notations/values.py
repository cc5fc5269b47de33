"""Values with a spelling of their own: what they look like, how they are read and allowed."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from schemask.chat.arguments import OTHER_KEYWORDS, followed, refuse
from schemask.chat.messages import DECODER
from schemask.chat.trees import Tree, Trees, either, narrowed, optional
from schemask.errors import FormatError
from schemask.schemas.places import argument_schema
from schemask.schemas.pointer import Path
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of

Style: TypeAlias = Literal["json", "python"]
STYLES: tuple[Style, ...] = ("json", "python")

# What can be said of objects and of lists; `type` is read apart.
_OBJECT_KEYWORDS = {"properties", "required", "additionalProperties"}
_ARRAY_KEYWORDS = {"items", "minItems", "maxItems"}
BARE_KEY = r"[A-Za-z_][A-Za-z0-9_.\-]*"

PYTHON_LITERALS = {"true": "True", "false": "False", "null": "None"}


@dataclass(frozen=True)
class Styles:
    """How values other than strings and numbers are spelt: as JSON, or as Python shows them.

    Attributes:
        literals: true, false and null.
        arrays: Lists, and all in them.
        objects: Objects, and all in them.
    """

    literals: Style = "json"
    arrays: Style = "json"
    objects: Style = "json"

    def write(self, value: Any) -> str | None:
        """The value as Python shows it, if it is spelt so.

        Args:
            value: A plain JSON value.

        Raises:
            FormatError: A string holds a character that Python shows as an escape of another kind.
        """
        if isinstance(value, list):
            style = self.arrays
        elif isinstance(value, dict):
            style = self.objects
        else:
            style = self.literals if value is None or isinstance(value, bool) else "json"
        return shown(value) if style == "python" else None

    def of_type(self, kind: str) -> Style:
        """How values of a type are spelt.

        Args:
            kind: The type, by its name in JSON Schema.
        """
        styles = {"array": self.arrays, "object": self.objects}
        return styles.get(kind, self.literals if kind in ("boolean", "null") else "json")

    def tree(
        self, schema: Any, types: Sequence[str], root: Schema, path: Path, trees: Trees, name: str
    ) -> Tree | None:
        """The values of a schema that are of some types other than string; None of no type.

        Args:
            schema: The schema by itself.
            types: The types.
            root: The parameters that the schema is a part of.
            path: Where in them it stands.
            trees: Makes trees.
            name: What names of rules begin with.
        """
        ways: list[Tree] = []
        as_json = [kind for kind in types if self.of_type(kind) == "json"]
        if as_json:
            ways.append({"json": narrowed(schema, as_json)})
        others = [kind for kind in types if self.of_type(kind) == "python"]
        if {"boolean", "null"} & {*others}:
            ways.append({"literals": schema, "spelled": PYTHON_LITERALS})
        made = ValueTrees(root, f"{name}/python", PYTHON, (), trees)
        ways += [made.of_type(kind, path) for kind in ("array", "object") if kind in others]
        if not ways:
            return None
        return either(ways)


WORDS_OF_PYTHON = Styles(literals="python")
"""JSON with `True`, `False` and `None` where these are whole values."""


# What JSON and Python spell otherwise: strings, three words, and numbers that begin with zeros.
_SPELT = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
    r"|\b(?:true|false|null|True|False|None)\b|(?<![\w.])0+(?=[0-9])",
    re.DOTALL,
)
_JSON_LITERALS = {word: json for json, word in PYTHON_LITERALS.items()}
_RAW = re.compile(r"\\.|[\n\r\0]", re.DOTALL)
_RAW_ESCAPES = {"\n": "\\n", "\r": "\\r", "\0": "\\x00"}


def read_python(text: str) -> Any:
    """The JSON value of a literal of Python, or of JSON, or of both mixed.

    Strings may hold newlines as they are; a set is a list, in its order.

    Raises:
        ValueError: It is neither.
    """
    try:
        return DECODER.decode(_SPELT.sub(_as_json, text))
    except (ValueError, RecursionError):
        pass
    try:
        tree = ast.parse(_SPELT.sub(_as_python, text).strip(), mode="eval")
        return _json_value(tree.body)
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(f"neither JSON nor Python: {error}") from error


def _as_json(found: re.Match[str]) -> str:
    return _JSON_LITERALS.get(found[0], "" if found[0].strip("0") == "" else found[0])


def _as_python(found: re.Match[str]) -> str:
    spelt = found[0]
    if spelt[0] in "\"'":
        return _RAW.sub(lambda raw: _RAW_ESCAPES.get(raw[0], raw[0]), spelt)
    return PYTHON_LITERALS.get(spelt, "" if spelt.strip("0") == "" else spelt)


def _json_value(node: ast.expr) -> Any:
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [_json_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        members: dict[str, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = None if key is None else _json_value(key)
            if not isinstance(name, str) or name in members:
                raise ValueError(f"{name!r} is no key, or the same key twice")
            members[name] = _json_value(value)
        return members
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        number = _json_value(node.operand)
        if not isinstance(number, bool) and isinstance(number, (int, float)):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.Constant):
        found = node.value
        if found is None or isinstance(found, (bool, int, float)):
            return found
        if isinstance(found, str):
            return found.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    raise ValueError(f"{type(node).__name__} is no value of JSON")


@dataclass(frozen=True)
class Spelling:
    """How lists, objects and what is in them are spelt.

    Attributes:
        marks: What is around strings: one of these, on both sides.
        escapes: Characters that strings spell otherwise, for each of the marks.
        comma: Text between items and between members.
        colon: Text between a key and its value.
        quotes_keys: Whether keys are strings with the first mark; else they are bare words.
        literals: How true, false and null are spelt.
        sort_keys: Whether keys are sorted; else they come in the order of the schema.
    """

    marks: tuple[str, ...]
    escapes: tuple[Mapping[str, str], ...]
    comma: str = ","
    colon: str = ":"
    quotes_keys: bool = False
    literals: tuple[tuple[str, str], ...] = (("true", "true"), ("false", "false"), ("null", "null"))
    sort_keys: bool = False

    def key(self, key: str) -> str | None:
        """A key as it is written; None if it cannot be."""
        if not self.quotes_keys:
            return key if re.fullmatch(BARE_KEY, key) else None
        return repr(key)

    @property
    def any_key(self) -> Tree:
        """The keys that are not declared."""
        if not self.quotes_keys:
            return {"pattern": BARE_KEY}
        mark, escapes = self.marks[0], self.escapes[0]
        strings = {"strings": {"type": "string"}, "stops": [], "escapes": dict(escapes)}
        return {"all": [mark, strings, mark]}


# Characters that Python shows as escapes, and that the grammar knows; others are not written.
_CONTROLS = (*range(32), *range(127, 161), 173)


def shown(value: Any) -> str:
    """A JSON value as Python shows it.

    Raises:
        FormatError: A string holds a character that Python shows as an escape of another kind.
    """
    _check_shown(value)
    return repr(value)


def _check_shown(value: Any) -> None:
    if isinstance(value, (list, dict)):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_shown(inner)
    elif isinstance(value, str):
        for character in value:
            if not character.isprintable() and ord(character) not in _CONTROLS:
                raise FormatError(f"a string holds {character!r}, which Python shows as an escape")


def _python_escapes(quote: str) -> dict[str, str]:
    """How Python shows characters of a string in these quotes."""
    shown = {chr(code): repr(chr(code))[1:-1] for code in _CONTROLS}
    return {**shown, "\\": "\\\\", quote: f"\\{quote}"}


# A string that holds an apostrophe and no quotation mark is between quotation marks.
PYTHON = Spelling(
    marks=("'", '"'),
    escapes=(_python_escapes("'"), {**_python_escapes("'"), "'": "'"}),
    comma=", ",
    colon=": ",
    quotes_keys=True,
    literals=tuple(PYTHON_LITERALS.items()),
)


@dataclass
class ValueTrees:
    """Makes the trees of the values in the parameters of one tool.

    Attributes:
        parameters: The parameters.
        name: What names of rules begin with.
        spelling: How values are spelt.
        stops: Texts that strings do not hold.
        trees: Makes trees, and holds the rules.
    """

    parameters: Schema
    name: str
    spelling: Spelling
    stops: Sequence[str]
    trees: Trees

    def value(self, path: Path) -> Tree:
        """The values of the schema at a path."""
        schema: Any = self.parameters
        for key in path:
            schema = schema[key]
        if schema is True or schema == {}:
            return self._any_value()
        if schema is False:
            return {"json": False}  # the engine says that nothing satisfies it
        schema, place = followed(self.parameters, schema, path)
        if place != path:
            # Definitions are rules, since they may lead back to themselves.
            name = f"{self.name}/{'/'.join(map(str, place))}"
            if name not in self.trees.rules:
                self.trees.rules[name] = ""
                self.trees.rules[name] = self.value(place)
            return {"rule": name}
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self._union(schema, place, union)
        alone = argument_schema(self.parameters, place)
        types = types_of(alone)
        ways: list[Tree] = []
        if "string" in types:
            ways.append(self.string(alone))
        ways += self._scalars(alone, types)
        ways += [self.of_type(kind, place) for kind in ("array", "object") if kind in types]
        return either(ways)

    def of_type(self, kind: str, path: Path) -> Tree:
        """The lists, or the objects, of the schema at a path."""
        schema: Any = self.parameters
        for key in path:
            schema = schema[key]
        if schema is True or schema == {}:
            return self._any_array() if kind == "array" else self._any_object()
        schema, place = followed(self.parameters, schema, path)
        return self._array(schema, place) if kind == "array" else self._object(schema, place)

    def _scalars(self, schema: Any, types: AbstractSet[str]) -> list[Tree]:
        """Numbers and literals of these types."""
        ways: list[Tree] = []
        if "number" in types:
            ways.append({"json": narrowed(schema, "number")})
        if types & {"boolean", "null"}:
            ways.append({"literals": schema, "spelled": dict(self.spelling.literals)})
        return ways

    def _union(self, schema: Schema, path: Path, keyword: str) -> Tree:
        others = set(schema) & (_OBJECT_KEYWORDS | _ARRAY_KEYWORDS | OTHER_KEYWORDS) - {keyword}
        if others or "enum" in schema or "const" in schema:
            refuse(path, keyword, " beside other keywords")
        branches = range(len(schema[keyword]))
        if keyword == "oneOf":
            seen: set[str] = set()
            for index in branches:
                types = types_of(argument_schema(self.parameters, (*path, keyword, index)))
                if seen & types:
                    refuse(path, keyword, " of branches with values of one type")
                seen |= types
        return {"any": [self.value((*path, keyword, index)) for index in branches]}

    def string(self, schema: Any) -> Tree:
        """The strings of a schema."""
        ways: list[Tree] = []
        for text, escapes in zip(self.spelling.marks, self.spelling.escapes, strict=True):
            mark: Tree = {"tag": text} if len(text) > 1 else text
            strings = {"strings": schema, "stops": list(self.stops)}
            if escapes:
                strings["escapes"] = dict(escapes)
            if text not in escapes:
                strings["stops"].append(text)
            ways.append({"all": [mark, strings, mark]})
        return either(ways)

    def _array(self, schema: Schema, path: Path) -> Tree:
        self._check(schema, path, "array")
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        items = schema.get("items", True)
        if most == 0 or items is False:
            return {"all": ["[", "", "]"]}
        item = self._any_value() if items is True else self.value((*path, "items"))
        more = {"repeat": {"all": [self.spelling.comma, item]}, "min": max(least - 1, 0)}
        if most is not None:
            more["max"] = max(most - 1, 0)
        filled: Tree = {"all": [item, more]}
        return {"all": ["[", filled if least else optional(filled), "]"]}

    def _object(self, schema: Schema, path: Path) -> Tree:
        self._check(schema, path, "object")
        return {"all": ["{", self.members(schema, path), "}"]}

    def members(self, schema: Schema, path: Path) -> Tree:
        """What stands between the braces of an object."""
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not properties:
            more = schema.get("additionalProperties", True)
            if more is False or not path:
                return ""
            if required:
                refuse(path, "required", " of keys that are not declared")
            value = (
                self._any_value() if more is True else self.value((*path, "additionalProperties"))
            )
            return self._listed({"all": [self.spelling.any_key, self.spelling.colon, value]})
        if isinstance(schema.get("additionalProperties"), dict):
            refuse(path, "additionalProperties", " beside properties")
        keys = sorted(properties) if self.spelling.sort_keys else list(properties)
        written: list[Tree] = []
        for key in keys:
            spelled = self.spelling.key(key)
            if spelled is None:
                refuse((*path, "properties"), key, " (it cannot be written without quotes)")
            value = self.value((*path, "properties", key))
            written.append({"all": [spelled + self.spelling.colon, value]})
        return self.trees.separated(written, [key in required for key in keys], self.spelling.comma)

    def _listed(self, item: Tree) -> Tree:
        return optional({"all": [item, {"repeat": {"all": [self.spelling.comma, item]}}]})

    def _any_value(self) -> Tree:
        name = f"{self.name}//any"
        if name not in self.trees.rules:
            self.trees.rules[name] = ""
            ways = [self.string({"type": "string"}), *self._scalars(True, {"number", "boolean"})]
            ways += [self._any_array(), self._any_object()]
            self.trees.rules[name] = {"any": ways}
        return {"rule": name}

    def _any_array(self) -> Tree:
        return {"all": ["[", self._listed(self._any_value()), "]"]}

    def _any_object(self) -> Tree:
        member = {"all": [self.spelling.any_key, self.spelling.colon, self._any_value()]}
        return {"all": ["{", self._listed(member), "}"]}

    def _check(self, schema: Schema, path: Path, kind: str) -> None:
        refused = set(OTHER_KEYWORDS)
        if kind == "array":
            refused -= {"minProperties", "maxProperties", "patternProperties", "propertyNames"}
        else:
            refused -= {"uniqueItems", "prefixItems", "contains"}
        for keyword in schema:
            if keyword in refused or (keyword in ("enum", "const")):
                refuse(path, keyword)
