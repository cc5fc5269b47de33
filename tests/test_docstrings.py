"""What `help()` and `repr()` say of the public names of the package."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

import schemask
from schemask.core.byte_vocabulary import byte_vocabulary

NAMES = [name for name in schemask.__all__ if not name.startswith("__")]


def members(name: str) -> Iterator[tuple[str, Any]]:
    """A public name, and what a class of that name defines or takes over from the package."""
    value = getattr(schemask, name)
    yield name, value
    if not inspect.isclass(value) or name == "Limits":
        return
    for member in dir(value):
        attribute = inspect.getattr_static(value, member)
        owner = next(base for base in value.__mro__ if member in vars(base))
        if member.startswith("_") or not owner.__module__.startswith("schemask"):
            continue
        if isinstance(attribute, (classmethod, staticmethod)):
            attribute = attribute.__func__
        if attribute is None:
            continue  # the default of an attribute, of which the class tells
        yield f"{name}.{member}", attribute


EVERYTHING = [pair for name in NAMES for pair in members(name)]


def parameters(value: Any) -> list[inspect.Parameter]:
    """What is given to a call, as far as it is said."""
    if inspect.isclass(value) and not is_made_by_its_users(value):
        return []
    if not callable(value) and not inspect.ismethoddescriptor(value):
        return []
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        parameter
        for parameter in found
        if parameter.name not in ("self", "cls") and not parameter.name.startswith("_")
    ]


def is_made_by_its_users(value: type) -> bool:
    """Whether its constructor is meant to be called, with arguments of its own."""
    return value in (schemask.Vocabulary, schemask.Tool, schemask.ToolSet)


@pytest.mark.parametrize(("name", "value"), EVERYTHING, ids=[name for name, _ in EVERYTHING])
def test_docstrings(name: str, value: Any) -> None:
    text = inspect.getdoc(value)
    assert text, name
    assert text.strip().split("\n")[0].endswith((".", ":")), text
    taken = parameters(value)
    if taken:
        section = re.search(r"^(?:Args|Attributes):\n((?:    .*\n|\n)+)", text + "\n", re.MULTILINE)
        assert section, f"{name} does not tell its arguments"
        told = re.findall(r"^    (\w+):", section[1], re.MULTILINE)
        assert told == [parameter.name for parameter in taken], name


def test_what_raises_says_so() -> None:
    """The errors of an operation are a part of what it is."""
    silent = {
        # They only ask or copy.
        "Grammar.optional",
        "Matcher.clone",
        "Matcher.reset",
    }
    functions = {
        name: value
        for name, value in EVERYTHING
        if not isinstance(value, (property, functools.cached_property))
        and not inspect.isgetsetdescriptor(value)
        and (not inspect.isclass(value) or is_made_by_its_users(value))
    }
    without = {
        name
        for name, value in functions.items()
        if "\nRaises:\n" not in (inspect.getdoc(value) or "")
    }
    assert without == silent | {"Tool"}


GRAMMAR = schemask.Grammar.from_json_schema({"type": "object", "require": ["a"]})
COMPILED = GRAMMAR.compile(byte_vocabulary())


@schemask.tool
def greet(name: str) -> str:
    """Says hello."""
    return f"hello {name}"


OBJECTS = {
    "Allowed": (COMPILED.matcher().allowed(), "an object"),
    "CompiledGrammar": (COMPILED, "257 tokens"),
    "Explanation": (COMPILED.matcher().explain(ord("[")), "/type"),
    "Grammar": (GRAMMAR, "1 warning"),
    "Matcher": (COMPILED.matcher(), "an object"),
    "Tool": (greet, "greet"),
    "ToolSet": (schemask.ToolSet([greet]), "greet"),
    "Vocabulary": (byte_vocabulary(), "257 tokens"),
}


def test_objects_show_what_they_are() -> None:
    classes = {name for name in NAMES if inspect.isclass(getattr(schemask, name))}
    errors = {name for name in classes if issubclass(getattr(schemask, name), Exception)}
    assert OBJECTS.keys() == classes - errors - {"Limits"}  # which is a dict
    for name, (value, part) in OBJECTS.items():
        assert isinstance(value, getattr(schemask, name))
        shown = repr(value)
        assert part in shown, shown
        assert " at 0x" not in shown.partition("function=")[0], shown
        assert "\n" not in shown
        assert len(shown) < 300
    for name in errors:
        assert repr(getattr(schemask, name)("why")) == f"{name}('why')"
