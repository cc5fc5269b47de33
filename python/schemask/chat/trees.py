"""Trees: what a grammar allows, in the form that the engine compiles.

A tree is a text, or one of these objects:

- `{"all": [tree, …]}`: one after the other; `{"any": [tree, …]}`: one of them;
- `{"repeat": tree, "min": 0, "max": 1}`: from `min` (else 0) to `max` (else any number) of them;
- `{"rule": name}`: the tree of that name among the rules, which may be recursive;
- `{"tag": text}`: a text that may also be one special token;
- `{"pattern": text}`: what a regular expression matches as a whole;
- `{"json": schema}`: the JSON values of a schema;
- `{"strings": schema, "stops": [text, …], "escapes": {character: text, …}}`: its strings without
  quotes, each character that has an escape written as that text and all others as they are; what is
  written holds no stop. An escape begins with a character that has one itself, and with no other
  escape, so that a text can be read back in one way only;
- `{"literals": schema, "spelled": {"true": text, "false": text, "null": text}}`: those of true,
  false and null that a schema allows and that are spelled here, and nothing else of it;
- `{"free": [text, …]}`: any text up to the first of these stops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from schemask.chat.texts import TAG, pieces_of
from schemask.schemas.schema import Schema

Tree: TypeAlias = Any


class Trees:
    """Makes the trees of the texts of one format, and collects the rules of one grammar.

    Args:
        tokens: The texts that may be special tokens; if there are none, all tags are.
    """

    def __init__(self, tokens: Sequence[str] = ()) -> None:
        self.rules: dict[str, Tree] = {}
        self._tags = TAG
        if tokens:
            self._tags = re.compile("(" + "|".join(map(re.escape, tokens)) + ")")
        self._texts: dict[str, Tree] = {}

    def text(self, text: str) -> Tree:
        """A text whose tags may be special tokens."""
        if text not in self._texts:
            pieces = [piece for piece in self._tags.split(text) if piece]
            trees = [{"tag": piece} if self._tags.fullmatch(piece) else piece for piece in pieces]
            self._texts[text] = trees[0] if len(trees) == 1 else {"all": trees}
        return self._texts[text]

    def filled(self, template: str, held: Mapping[str, Tree]) -> Tree:
        """A template with trees in the place of its placeholders."""
        pieces = pieces_of(template)
        return {"all": [held[p] if p in held else self.text(p) for p in pieces]}

    def separated(self, items: Sequence[Tree], required: Sequence[bool], separator: str) -> Tree:
        """Items in their order, optional unless required, with a separator between any two."""

        def unless(is_required: bool, tree: Tree) -> Tree:
            return tree if is_required else optional(tree)

        if not separator or not items:
            return {"all": list(map(unless, required, items))}
        following = [
            unless(is_required, {"all": [separator, item]})
            for item, is_required in zip(items, required, strict=True)
        ]
        # The first item that comes is one of those up to the first that must.
        last = [*required, True].index(True)
        ways: list[Tree] = [""] if last == len(items) else []
        last = min(last, len(items) - 1)
        rest: Tree = {"all": following[last + 1 :]}
        for i in range(last, -1, -1):
            if last:
                # Many ways lead to the same rest.
                name = f"rest {len(self.rules)}"
                self.rules[name] = rest
                rest = {"rule": name}
            ways.append({"all": [items[i], rest]})
            rest = {"all": [following[i], rest]}
        return either(ways[::-1])


def either(ways: list[Tree]) -> Tree:
    """The texts of any of some trees, of which there is one at least."""
    return ways[0] if len(ways) == 1 else {"any": ways}


def optional(tree: Tree) -> Tree:
    """The texts of a tree, or nothing."""
    return {"repeat": tree, "max": 1}


def narrowed(schema: Any, types: str | list[str], *others: Schema) -> Schema:
    """The schema of the values of these types that `schema` and all `others` allow."""
    definitions = {}
    if isinstance(schema, dict) and "$defs" in schema:
        definitions = {"$defs": schema["$defs"]}
        schema = {key: value for key, value in schema.items() if key != "$defs"}
    return {"allOf": [schema, *others], "type": types, **definitions}
