"""The turns that a format allows as structural tags, the notation of xgrammar, vLLM and SGLang.

Each part of a tree has its counterpart there. What has none is written as a grammar in GBNF, which
xgrammar reads as a part of a structural tag.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemask import _native
from schemask.chat.automaton import Automaton, Condition, Length, NoneOf, NotFirst
from schemask.chat.narrow import merged
from schemask.chat.notations.base import Notation
from schemask.chat.trees import Tree, narrowed
from schemask.errors import Error, FormatError, shortened

_Format = dict[str, Any]

# What `narrowed` excludes: some words, and what begins by one of some characters.
_WORDS = re.compile(r"\^\(\?:([\w|]+)\)\$")
_FIRST = re.compile(r"\^\[ \\t\\n\\r\]\*\[((?:\\?[^\]])+)\]")

_NOTHING: _Format = {"type": "const_string", "value": ""}


def structural_tag(name: str, tree: Mapping[str, Any], notation: Notation) -> dict[str, Any]:
    """The structural tag of a tree; see `ChatFormat.structural_tag`.

    Args:
        name: Name of the format, for errors.
        tree: The tree, with `start` and `rules`.
        notation: The notation of arguments in it.
    """
    writer = _Writer(name, tree["rules"], notation)
    return {"type": "structural_tag", "format": writer.format(tree["start"])}


class _Writer:
    def __init__(self, name: str, rules: Mapping[str, Tree], notation: Notation) -> None:
        self._name = name
        self._rules = rules
        self._notation = notation
        self._recursive = {rule for rule in rules if self._leads_to(rule, rule)}

    def format(self, tree: Tree) -> _Format:
        if isinstance(tree, str):
            return {"type": "const_string", "value": tree}
        match tree:
            case {"tag": text}:
                return {"type": "const_string", "value": text}
            case {"all": parts}:
                return _sequence([self.format(part) for part in parts])
            case {"any": ways}:
                return _choice([self.format(way) for way in ways])
            case {"repeat": inner}:
                return _repeated(self.format(inner), tree.get("min", 0), tree.get("max"))
            case {"rule": rule} if rule not in self._recursive:
                return self.format(self._rules[rule])
            case {"free": stops}:
                return {"type": "any_text", "excludes": stops}
            case {"pattern": pattern}:
                return {"type": "regex", "pattern": pattern}
            case {"json": schema} if not self._notation.python_literals or _is_alike(schema):
                return {"type": "json_schema", "json_schema": _plain_schema(schema)}
            case {"literals": _, "spelled": spelled}:
                return self._listed(tree, spelled.values())
            case {"strings": schema, "stops": stops}:
                if (made := self._strings(tree, schema, stops)) is not None:
                    return made
        return {"type": "grammar", "grammar": self._gbnf(tree)}

    def _listed(self, tree: Tree, texts: Iterable[str]) -> _Format:
        """Those of some texts that a tree allows."""
        matcher = self._compiled(tree).matcher()
        held = []
        for text in dict.fromkeys(texts):
            attempt = matcher.clone()
            if attempt.accept_bytes(text.encode()) and attempt.is_accepting:
                held.append({"type": "const_string", "value": text})
        if not held:
            raise FormatError(f"{self._name}: no value satisfies {shortened(tree)}")
        return _choice(held)

    def _strings(self, tree: Tree, schema: Any, stops: Sequence[str]) -> _Format | None:
        """Strings without quotes; None if their conditions are not among those known here."""
        held = merged(schema, ["string"])
        if held is None:
            return None
        escapes = tree.get("escapes", {})
        if "const" in held or "enum" in held:
            texts = [held["const"]] if "const" in held else held["enum"]
            strings = [text for text in texts if isinstance(text, str)]
            return self._listed(tree, ("".join(escapes.get(c, c) for c in t) for t in strings))
        unknown = held.keys() - {"type", "not", "minLength", "maxLength", "pattern"}
        conditions = [_without(schema) for schema in held["not"]]
        if unknown or None in conditions:
            return None
        if "pattern" in held:
            alone = held.keys() == {"type", "not", "pattern"} and not conditions
            if not alone or self._may_hold(schema, [*stops, *escapes]):
                return None
            return _matching(held["pattern"])
        least, most = held.get("minLength", 0), held.get("maxLength")
        text: _Format = {"type": "any_text", "excludes": [*stops]}
        if not least and not conditions and not escapes:
            return text if most is None else {**text, "max_chars": most}
        if least or most is not None:
            conditions.append(Length(least, most))
        automaton = Automaton(stops, [held for held in conditions if held], escapes)
        if not automaton.is_complete:
            return None
        openings, whole = automaton.grammars()
        ways = []
        if openings is not None:
            ways.append(_sequence([{"type": "grammar", "grammar": openings}, text]))
        if whole is not None:
            ways.append({"type": "grammar", "grammar": whole})
        return _choice(ways)

    def _may_hold(self, schema: Any, stops: Sequence[str]) -> bool:
        """Whether a string of a schema may hold one of some texts."""
        for stop in stops:
            holding = narrowed(schema, "string", {"pattern": re.escape(stop)})
            try:
                self._compiled({"strings": holding, "stops": []}).matcher()
            except Error:
                continue  # nothing satisfies it
            return True
        return False

    def _compiled(self, tree: Tree) -> _native.CompiledGrammar:
        return self._grammar(tree).compile(_bytes())

    def _gbnf(self, tree: Tree) -> str:
        """The texts of a tree as a grammar in GBNF."""
        try:
            return self._grammar(tree).to_gbnf()
        except Error as error:
            raise FormatError(
                f"{self._name}: a structural tag cannot say what may stand here: {error}"
            ) from error

    def _grammar(self, tree: Tree) -> _native.Grammar:
        whole = {
            "start": _untagged(tree),
            "rules": {name: _untagged(inner) for name, inner in self._rules.items()},
        }
        notation = self._notation
        return _native.Grammar.from_tree(
            json.dumps(whole, ensure_ascii=False),
            notation.whitespace,
            "schema",
            notation.spelling,
            True,
            notation.python_literals,
            {},
        )

    def _leads_to(self, start: str, goal: str) -> bool:
        """Whether a rule is among those that a rule refers to, directly or through others."""
        seen: set[str] = set()
        waiting = [*_rules_in(self._rules[start])]
        while waiting:
            rule = waiting.pop()
            if rule == goal:
                return True
            if rule not in seen:
                seen.add(rule)
                waiting += _rules_in(self._rules[rule])
        return False


def _is_alike(schema: Any) -> bool:
    """Whether JSON and Python spell the values of a schema alike, as far as is easy to see."""
    match schema:
        case {"enum": values}:
            return all(
                isinstance(value, (str, int, float)) and value is not True and value is not False
                for value in values
            )
        case {"type": "array", "items": items}:
            return _is_alike(items)
        case {"type": kind}:
            return kind in ("string", "integer", "number")
    return False


def _plain_schema(schema: Any) -> Any:
    """A schema of one type without what only says that it is of this type."""
    if isinstance(schema, dict) and "allOf" in schema and "type" in schema:
        kinds = schema["type"]
        held = merged(schema, [kinds] if isinstance(kinds, str) else kinds)
        if held is not None and not held["not"]:
            definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
            return {key: value for key, value in held.items() if key != "not"} | definitions
    return schema


def _without(schema: Any) -> Condition | None:
    """The condition of not satisfying a schema; None if it is none that is known here."""
    match schema:
        case {"pattern": str(pattern)} if len(schema) == 1:
            if words := _WORDS.fullmatch(pattern):
                return NoneOf(tuple(words[1].split("|")))
            if first := _FIRST.fullmatch(pattern):
                return NotFirst(re.sub(r"\\(.)", r"\1", first[1]))
    return None


def _matching(pattern: str) -> _Format | None:
    """Strings in which a pattern is found, if it is one for whole strings."""
    whole = pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith(r"\$")
    if not whole or "|" in pattern:
        return None
    return {"type": "regex", "pattern": pattern}


def _rules_in(tree: Tree) -> Iterator[str]:
    """The rules that a tree refers to."""
    match tree:
        case {"rule": rule}:
            yield rule
        case {"all": parts} | {"any": parts}:
            for part in parts:
                yield from _rules_in(part)
        case {"repeat": inner}:
            yield from _rules_in(inner)


def _untagged(tree: Tree) -> Tree:
    """A tree whose tags are texts: GBNF knows no special tokens."""
    match tree:
        case {"tag": text}:
            return text
        case {"all": parts}:
            return {"all": [_untagged(part) for part in parts]}
        case {"any": parts}:
            return {"any": [_untagged(part) for part in parts]}
        case {"repeat": inner}:
            return {**tree, "repeat": _untagged(inner)}
    return tree


@functools.cache
def _bytes() -> _native.Vocabulary:
    """A vocabulary of single bytes."""
    return _native.Vocabulary([bytes([byte]) for byte in range(256)] + [b""], [256])


def _sequence(parts: Sequence[_Format]) -> _Format:
    """Formats one after the other; neighbouring texts become one."""
    joined: list[_Format] = []
    for part in _flat(parts, "sequence"):
        if part == _NOTHING:
            continue
        if joined and part["type"] == joined[-1]["type"] == "const_string":
            joined[-1] = {**part, "value": joined[-1]["value"] + part["value"]}
        else:
            joined.append(part)
    if len(joined) < 2:
        return joined[0] if joined else _NOTHING
    return {"type": "sequence", "elements": joined}


def _choice(ways: Sequence[_Format]) -> _Format:
    held = [way for way in _flat(ways, "or") if way != _NOTHING]
    if not held:
        return _NOTHING
    made = held[0] if len(held) == 1 else {"type": "or", "elements": held}
    return {"type": "optional", "content": made} if _NOTHING in ways else made


def _flat(formats: Sequence[_Format], kind: str) -> Iterator[_Format]:
    for inner in formats:
        if inner["type"] == kind:
            yield from inner["elements"]
        else:
            yield inner


def _repeated(inner: _Format, least: int, most: int | None) -> _Format:
    if inner == _NOTHING or most == 0:
        return _NOTHING
    if most is None and least < 2:
        return {"type": ("star", "plus")[least], "content": inner}
    if most == 1:
        return inner if least else {"type": "optional", "content": inner}
    return {"type": "repeat", "min": least, "max": -1 if most is None else most, "content": inner}
