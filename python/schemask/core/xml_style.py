"""The styles of structural tags in which an object is parameters one by one, as in XML."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemask.chat.arguments import OTHER_KEYWORDS, declared_arguments, followed, refuse
from schemask.chat.narrow import NOTES
from schemask.chat.notations.raw import is_possible
from schemask.chat.texts import TAG
from schemask.chat.trees import Tree, either, narrowed, optional
from schemask.errors import SchemaError, UnsupportedSchemaError
from schemask.schemas.places import argument_schema
from schemask.schemas.pointer import Path, pointer_of
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import TYPES, types_of

# How many parameters may come in any order: there are rules for each set of those that are left.
_MOST_IN_ANY_ORDER = 8

# Names that are not declared, as xgrammar has them.
_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"

# What readers take for a value of another type where a schema allows strings and that. They are
# those of vLLM and SGLang, of Python's numbers and in any case.
_SPACE = r"[\s\x1c-\x1f\x85]*"
_NESTED = r'[\[{"][\s\S]*|true|false|null|-?[0-9][0-9.eE+\-]*'
_LOOKS = {
    "null": "[nN][uU][lL][lL]|None",
    "boolean": "[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[01]",
    "number": r"[-+]?\.?\p{Nd}[\p{Nd}_.eE+\-]*",
    "array": _NESTED,
    "object": _NESTED,
}


@dataclass(frozen=True)
class XmlStyle:
    """How a parameter is written: strings as they are, other values as JSON.

    Attributes:
        head: Text before its name.
        after_name: Texts between its name and its value, with white space between any two. What is
            `{type}` in the last one is a word for the type of the value.
        close: Text after its value.
        words: The word for each type of JSON; None if the text says nothing of types.
        padding: A text that may be around the value, and that readers leave out, once on each side;
            but only in a tag whose end begins with it: MiMo writes Qwen's style without lines.
        marks: A pattern of what readers take for one of these texts, where it may be spelt in
            another way. No value holds it.
        follows_name: Whether parameters come right after the name of the tool, of which readers
            would take white space for a part.
    """

    head: str
    after_name: tuple[str, ...]
    close: str
    words: Mapping[str, str] | None = None
    padding: str = ""
    marks: str = ""
    follows_name: bool = False


_IS_STRING = {kind: "true" if kind == "string" else "false" for kind in TYPES}

STYLES = {
    "qwen_xml": XmlStyle(
        "<parameter=",
        (">",),
        "</parameter>",
        padding="\n",
        marks=r"<\s*(?:/\s*parameter\s*>|parameter\s*=)",
    ),
    "minimax_xml": XmlStyle(
        '<parameter name="',
        ('">',),
        "</parameter>",
        marks=r"<\s*(?:/\s*parameter\s*>|parameter\s+name\s*=)",
    ),
    "glm_xml": XmlStyle(
        "<arg_key>", ("</arg_key>", "<arg_value>"), "</arg_value>", follows_name=True
    ),
    "deepseek_xml": XmlStyle(
        '<｜DSML｜parameter name="', ('" string="{type}">',), "</｜DSML｜parameter>", _IS_STRING
    ),
    "deepseek_v4_1_xml": XmlStyle(
        '<｜DSML｜ parameter name="', ('" string="{type}">',), "</｜DSML｜ parameter>", _IS_STRING
    ),
    "kimi_k3_xml": XmlStyle(
        '<|open|>argument key="',
        ('" type="{type}"<|sep|>',),
        "<|close|>argument<|sep|>",
        {kind: kind for kind in TYPES},
    ),
}
"""The styles by name."""


def xml_tree(
    style: XmlStyle,
    schema: Any,
    ends: Sequence[str],
    any_order: bool,
    space: Tree,
    text: Callable[[str], Tree],
) -> dict[str, Tree]:
    """The values of a schema in a style: its objects, or else its strings.

    A text is one of these only if it can be read back: strings hold none of the texts that parsers
    look for, and where a schema allows strings and others, no string looks like one of the others.
    An object without `additionalProperties` has only the properties that it declares, or any if it
    declares none.

    Args:
        style: The style.
        schema: The schema, which is valid.
        ends: What ends the tag around it, if it is the last thing there.
        any_order: Whether parameters come in any order; else in that of the schema.
        space: White space between parameters.
        text: Makes a tree of constant text.

    Returns:
        The tree, as `start`, and its `rules`.

    Raises:
        UnsupportedSchemaError: The schema says what the style cannot express, or its values are
            neither objects nor strings; `pointer` is that of the place.
        SchemaError: No value of a required property can be written.
    """
    stops = [style.close, style.head.rstrip('"')]
    stops += [tag for end in filter(None, ends) for tag in (TAG.findall(end) or [end])]
    if not ends or not all(end.startswith(style.padding) for end in ends):
        style = replace(style, padding="")
    made = _Parameters(style, list(dict.fromkeys(stops)), space, text)
    types = types_of(schema)
    if "object" in types:
        start = made.of_object({} if schema is True else dict(schema), any_order)
    elif types == {"string"}:
        start = {"strings": schema, "stops": made.stops}
    else:
        message = "values that are neither objects nor strings have no such style"
        raise UnsupportedSchemaError(message, pointer="")
    return {"start": start, "rules": made.rules}


@dataclass
class _Parameters:
    style: XmlStyle
    stops: list[str]
    space: Tree
    text: Callable[[str], Tree]
    rules: dict[str, Tree] = field(default_factory=dict)

    def of_object(self, root: Schema, any_order: bool) -> Tree:
        """The parameters of an object, with white space around them."""
        schema, path = _object_schema(root)
        arguments = declared_arguments(root)
        parameters: list[tuple[Tree, bool]] = []
        for argument in arguments:
            if not _is_name(argument.key):
                what = " (it could not be told from what is around it)"
                refuse(argument.path[:-1], argument.key, what)
            tree = self._parameter(argument.key, argument.schema)
            if tree is not None:
                parameters.append((tree, argument.required))
            elif argument.required:
                pointer = pointer_of(argument.path)
                raise SchemaError(f"no value can be written at {pointer}", pointer=pointer)
        others: Tree | None = None
        if schema.get("additionalProperties", "properties" not in schema) is not False:
            rest = (*path, "additionalProperties")
            value = argument_schema(root, rest) if "additionalProperties" in schema else True
            others = self._parameter(_other_name([one.key for one in arguments]), value)
        before = "" if self.style.follows_name else self.space
        if any_order:
            if len(parameters) > _MOST_IN_ANY_ORDER:
                refuse(path, "properties", f": more than {_MOST_IN_ANY_ORDER} in any order")
            return {"all": [before, self._in_any_order(parameters, others)]}
        parts = [tree if needed else optional(tree) for tree, needed in parameters]
        more = [] if others is None else [{"repeat": others}]
        return {"all": [before, *parts, *more]}

    def _in_any_order(self, parameters: Sequence[tuple[Tree, bool]], others: Tree | None) -> Tree:
        """A rule for each set of the parameters that are left, which go on with one of them."""
        every = range(len(parameters))
        for number, (tree, _) in enumerate(parameters):
            self.rules[f"parameter {number}"] = tree
        sets = [itertools.combinations(every, size) for size in range(len(parameters) + 1)]
        for left in itertools.chain.from_iterable(sets):
            ways: list[Tree] = []
            for number in left:
                rest = [other for other in left if other != number]
                ways.append({"all": [{"rule": f"parameter {number}"}, _rule_of(rest)]})
            if others is not None:
                ways.append({"all": [others, _rule_of(left)]})
            if not any(parameters[number][1] for number in left):
                ways.append("")
            self.rules[_rule_of(left)["rule"]] = either(ways)
        return _rule_of(every)

    def _parameter(self, name: Tree, schema: Any) -> Tree | None:
        """A parameter and the white space after it; None if no value can be written."""
        types = types_of(schema)
        words = self.style.words or dict.fromkeys(TYPES, "")
        ways: list[Tree] = []
        for word in dict.fromkeys(words[kind] for kind in TYPES if kind in types):
            kinds = {kind for kind in types if words[kind] == word}
            if values := self._values(schema, types, kinds):
                ways.append({"all": [*self._after_name(word), either(values)]})
        if not ways:
            return None
        head, close = self.text(self.style.head), self.text(self.style.close)
        return {"all": [head, name, either(ways), close, self.space]}

    def _after_name(self, word: str) -> list[Tree]:
        parts: list[Tree] = []
        for piece in self.style.after_name:
            parts += [self.space] if parts else []
            parts.append(self.text(piece.replace("{type}", word)))
        return parts

    def _values(self, schema: Any, types: frozenset[str], kinds: set[str]) -> list[Tree]:
        """The values of some of the types that a schema allows."""
        if "string" in kinds and self.style.words is None and _says_nothing(schema):
            return self._strings({"type": "string"}, [])
        ways: list[Tree] = []
        if "string" in kinds:
            looks = "|".join(dict.fromkeys(_LOOKS[kind] for kind in sorted(types - {"string"})))
            others = [{"not": {"pattern": f"^{_SPACE}(?:{looks}){_SPACE}$"}}] if looks else []
            ways += self._strings(schema, others)
        if of_json := sorted(kinds - {"string"}):
            nests = {"array", "object"} & {*of_json}
            value = {"json": narrowed(schema, of_json, *([self._without_stops] if nests else []))}
            edge = optional(self.style.padding)
            ways.append({"all": [edge, value, edge]} if self.style.padding else value)
        return ways

    @functools.cached_property
    def _without_stops(self) -> dict[str, Any]:
        """The schema of JSON values in which no string and no key holds a stop.

        Stops with a character that JSON escapes are in none of its texts.
        """
        stops = [stop for stop in self.stops if json.dumps(stop, ensure_ascii=False)[1:-1] == stop]
        patterns = [*map(re.escape, stops), *filter(None, [self.style.marks])]
        held = {"type": "string", "pattern": "|".join(patterns)}
        here = {"$ref": "urn:schemask:without-stops"}
        return {
            "$id": here["$ref"],
            "not": held,
            "items": here,
            "additionalProperties": here,
            "propertyNames": {"not": held},
        }

    def _strings(self, schema: Any, conditions: Sequence[dict[str, Any]]) -> list[Tree]:
        """Strings, with all paddings that leave the same string when they are left out."""
        pad, marks = self.style.padding, self.style.marks
        unmarked = [{"not": {"pattern": marks}}] if marks else []
        if not conditions and _is_any_string(schema):
            strings = narrowed(schema, "string", *unmarked) if marks else schema
            return [{"strings": strings, "stops": self.stops}]
        ways: list[Tree] = []
        for before, after in itertools.product(("", pad), repeat=2) if pad else [("", "")]:
            # A padding is left out where there is one: so a string without has none of its own.
            bare = [{"not": {"pattern": f"^{pad}"}}] if pad and not before else []
            bare += [{"not": {"pattern": f"{pad}$"}}] if pad and not after else []
            held = narrowed(schema, "string", *conditions, *unmarked, *bare)
            strings = {"strings": held, "stops": self.stops}
            if is_possible(strings):
                ways.append({"all": [before, strings, after]} if pad else strings)
        return ways


def _object_schema(root: Schema) -> tuple[Schema, Path]:
    """The schema of objects that another one is, or refers to."""
    said = {*OTHER_KEYWORDS, "enum", "const"}
    beside = {"properties", "required", "additionalProperties"}
    schema, path = followed(root, root, ())
    for known, place in ((root, ()), (schema, path)):
        if "$ref" in known and (more := sorted(beside & known.keys())):
            refuse(place, more[0], " beside a reference")
        if unknown := sorted(said & known.keys()):
            refuse(place, unknown[0])
    return schema, path


def _rule_of(left: Sequence[int]) -> dict[str, str]:
    return {"rule": f"left {' '.join(map(str, left))}"}


def _other_name(names: Sequence[str]) -> Tree:
    """The names that are not among some."""
    schema: dict[str, Any] = {"type": "string", "pattern": _NAME}
    if names:
        schema["not"] = {"enum": list(names)}
    return {"strings": schema, "stops": []}


def _is_name(key: str) -> bool:
    """Whether parsers of all styles read a name as it is written."""
    return bool(key) and key == key.strip() and not any(letter in key for letter in '<>"&\n\r')


def _says_nothing(schema: Any) -> bool:
    return schema is True or (isinstance(schema, dict) and schema.keys() <= NOTES)


def _is_any_string(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.keys() <= {"type", *NOTES}
